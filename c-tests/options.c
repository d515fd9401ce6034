/* Options: what setters refuse, what a runner begins with, how copies behave, and what can be asked without a start. */

#define _GNU_SOURCE
#include "tap.h"

#include <linux/filter.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>

#define NAMESPACES \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* ------------------------------------------------------------------ refused arguments */

/* What the runner would do, as text: it shows whether a refused setter has changed something. */
static const char *explained(const runner_t *runner, char *buf, size_t size) {
    int length = runner_explain(runner, buf, size);
    ok(length > 0 && (size_t)length < size, "runner_explain gives a text that fits: %d", length);
    return length > 0 ? buf : "";
}

static char text_before[1 << 16], text_after[1 << 16];

static void remember(const runner_t *runner) {
    explained(runner, text_before, sizeof text_before);
}

static void check_refused(const runner_t *runner, int result, const char *call, int line) {
    tap_ok(result == -EINVAL, __FILE__, line, call, "want -EINVAL, got %d", result);
    explained(runner, text_after, sizeof text_after);
    tap_ok(strcmp(text_before, text_after) == 0, __FILE__, line, call, "a refused call changed the runner");
}
/* The call is refused and leaves `runner` as remember() saw it. */
#define refused(call) check_refused(runner, (call), #call, __LINE__)
#define accepted(call) tap_ok((call) == 0, __FILE__, __LINE__, #call, "want 0")
#define refuses_null(call) tap_ok((call) == -EINVAL, __FILE__, __LINE__, #call, "want -EINVAL")

static int no_callback(pid_t pid, void *ctx) {
    (void)pid;
    (void)ctx;
    return 0;
}

static void null_runner(void) {
    const char *const words[] = {"x", NULL};
    const int fds[] = {0};
    const uint32_t cpus[] = {0};
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, 0x7fff0000U);
    char buf[64];
    refuses_null(runner_set_args(NULL, words));
    refuses_null(runner_set_env(NULL, words));
    refuses_null(runner_set_exec_fd(NULL, 3));
    refuses_null(runner_set_files(NULL, fds, 1));
    refuses_null(runner_set_allow_directory_files(NULL, true));
    refuses_null(runner_set_workdir(NULL, "/"));
    refuses_null(runner_set_hostname(NULL, "x"));
    refuses_null(runner_set_domainname(NULL, "x"));
    refuses_null(runner_set_unshare_flags(NULL, 0));
    refuses_null(runner_add_uid_mapping(NULL, 0, 0, 1));
    refuses_null(runner_add_gid_mapping(NULL, 0, 0, 1));
    refuses_null(runner_clear_mappings(NULL));
    refuses_null(runner_set_allow_setgroups(NULL, true));
    refuses_null(runner_set_credential(NULL, 0, 0, NULL, 0));
    refuses_null(runner_clear_credential(NULL));
    refuses_null(runner_add_rlimit(NULL, RLIMIT_CORE, 0, 0));
    refuses_null(runner_clear_rlimits(NULL));
    refuses_null(runner_set_no_new_privs(NULL, true));
    refuses_null(runner_set_drop_caps(NULL, true));
    refuses_null(runner_keep_caps(NULL, 0));
    refuses_null(runner_set_seccomp(NULL, &allow, 1));
    refuses_null(runner_clear_seccomp(NULL));
    refuses_null(runner_set_ptrace(NULL, true));
    refuses_null(runner_set_stop_before_seccomp(NULL, true));
    refuses_null(runner_set_sync_func(NULL, no_callback, NULL));
    refuses_null(runner_set_cgroup_fd(NULL, 3));
    refuses_null(runner_set_cgroup_path(NULL, "/sys/fs/cgroup/x"));
    refuses_null(runner_clear_cgroups(NULL));
    refuses_null(runner_set_unshare_cgroup_after_sync(NULL, true));
    refuses_null(runner_set_ctty(NULL, true));
    refuses_null(runner_set_session(NULL, RUNNER_SESSION_KEEP));
    refuses_null(runner_set_death_signal(NULL, SIGKILL));
    refuses_null(runner_set_umask(NULL, 022));
    refuses_null(runner_set_nice(NULL, 1));
    refuses_null(runner_set_oom_score_adj(NULL, 1));
    refuses_null(runner_set_cpu_affinity(NULL, cpus, 1));
    refuses_null(runner_set_personality(NULL, 0));
    refuses_null(runner_set_scheduler(NULL, SCHED_OTHER, 0));
    refuses_null(runner_set_loopback_up(NULL, true));
    refuses_null(runner_set_pivot_root(NULL, "/tmp"));
    refuses_null(runner_set_root_writable(NULL, true));
    refuses_null(runner_add_mount(NULL, "x", "x", "tmpfs", 0, NULL));
    refuses_null(runner_add_bind(NULL, "/", "x", 0));
    refuses_null(runner_add_tmpfs(NULL, "x", 0, 0755));
    refuses_null(runner_add_proc(NULL, "proc", 0));
    refuses_null(runner_add_dev(NULL, "dev"));
    refuses_null(runner_add_dir(NULL, "x", 0755));
    refuses_null(runner_add_symlink(NULL, "x", "y"));
    refuses_null(runner_add_file(NULL, "x", "", 0, 0644));
    refuses_null(runner_clear_root(NULL));
    refuses_null(runner_explain(NULL, buf, sizeof buf));
    refuses_null(runner_error_format(NULL, buf, sizeof buf));
    refuses_null(runner_probe(NULL));
}

static void null_handles(void) {
    runner_t *runner = guest("exit", "0");
    runner_held_t *held = (runner_held_t *)1;
    runner_error_t err = RUNNER_ERROR_INIT;
    int pidfd = -7;
    pid_t pid = -7;
    ok(runner_clone(NULL) == NULL, "a clone of nothing is NULL");
    runner_free(NULL);
    runner_held_abort(NULL);
    refuses_null(runner_start(NULL, &err));
    refuses_null(runner_start(NULL, NULL));
    refuses_null(runner_start_pidfd(NULL, &pid, &pidfd, &err));
    refuses_null(runner_start_pidfd(runner, &pid, NULL, &err));
    ok(pid == -7 && pidfd == -7, "nothing is written on failure");
    refuses_null(runner_start_held(NULL, &held, &err));
    ok(held == NULL, "the held handle is NULL after a failure");
    refuses_null(runner_start_held(runner, NULL, &err));
    refuses_null(runner_held_pid(NULL));
    refuses_null(runner_held_pidfd(NULL));
    refuses_null(runner_held_resume(NULL, &err));
    refuses_null(runner_held_resume(NULL, NULL));
    runner_free(runner);
}

/* A runner with some of everything, so that a change would show. */
static runner_t *full_runner(void) {
    runner_t *runner = guest("exit", "0");
    const char *const env[] = {"A=1", NULL};
    const int fds[] = {0, -1, 2};
    const uint32_t cpus[] = {0}, groups[] = {5};
    const uint32_t self = geteuid(), self_group = getegid();
    accepted(runner_set_env(runner, env));
    accepted(runner_set_files(runner, fds, 3));
    accepted(runner_set_workdir(runner, "/before"));
    accepted(runner_set_unshare_flags(runner, NAMESPACES));
    accepted(runner_set_hostname(runner, "before"));
    accepted(runner_set_domainname(runner, "before"));
    /* An ordinary user may map only itself, and has no say about groups. */
    accepted(runner_add_uid_mapping(runner, 0, self, is_root() ? 4 : 1));
    accepted(runner_add_gid_mapping(runner, 0, self_group, is_root() ? 9 : 1));
    if (is_root())
        accepted(runner_set_credential(runner, 1, 1, groups, 1));
    accepted(runner_add_rlimit(runner, RLIMIT_CORE, 0, 0));
    accepted(runner_set_umask(runner, 027));
    accepted(runner_set_nice(runner, 3));
    accepted(runner_set_oom_score_adj(runner, 300));
    accepted(runner_set_cpu_affinity(runner, cpus, 1));
    accepted(runner_set_personality(runner, ADDR_NO_RANDOMIZE));
    accepted(runner_set_scheduler(runner, SCHED_BATCH, 0));
    accepted(runner_set_death_signal(runner, SIGKILL));
    accepted(runner_set_pivot_root(runner, "/tmp"));
    accepted(runner_add_bind(runner, "/", "all", RUNNER_BIND_RO | RUNNER_BIND_REC));
    return runner;
}

static void bad_lists(void) {
    runner_t *runner = full_runner();
    const char *const none[] = {NULL};
    const int below[] = {0, -2}, one[] = {0};
    const uint32_t group = 1, bad_group = (uint32_t)-1, too_high[] = {0, 8192};
    static uint32_t many[65537];
    static int fds[1048577];
    remember(runner);
    refused(runner_set_args(runner, NULL));
    refused(runner_set_args(runner, none));
    refused(runner_set_env(runner, NULL));
    refused(runner_set_files(runner, NULL, 1));
    refused(runner_set_files(runner, below, 2));
    refused(runner_set_files(runner, fds, 1048577));
    refused(runner_set_files(runner, one, SIZE_MAX));
    refused(runner_set_exec_fd(runner, -2));
    refused(runner_set_cpu_affinity(runner, NULL, 1));
    refused(runner_set_cpu_affinity(runner, many, 0));
    refused(runner_set_cpu_affinity(runner, too_high, 2));
    refused(runner_set_credential(runner, (uint32_t)-1, 0, NULL, 0));
    refused(runner_set_credential(runner, 0, (uint32_t)-1, NULL, 0));
    refused(runner_set_credential(runner, 0, 0, NULL, 1));
    refused(runner_set_credential(runner, 0, 0, many, 65537));
    refused(runner_set_credential(runner, 0, 0, &bad_group, 1));
    accepted(runner_set_credential(runner, 1, 1, &group, 1));
    runner_free(runner);
}

static void bad_numbers(void) {
    runner_t *runner = full_runner();
    remember(runner);
    refused(runner_set_umask(runner, 01000));
    refused(runner_set_nice(runner, -21));
    refused(runner_set_nice(runner, 20));
    refused(runner_set_oom_score_adj(runner, -1001));
    refused(runner_set_oom_score_adj(runner, 1001));
    refused(runner_set_personality(runner, 0xffffffff));
    refused(runner_set_personality(runner, UINT64_C(1) << 32));
    refused(runner_set_scheduler(runner, -1, 0));
    refused(runner_set_scheduler(runner, 4, 0));
    refused(runner_set_scheduler(runner, 6 /* SCHED_DEADLINE: it has no priority alone */, 0));
    refused(runner_set_scheduler(runner, SCHED_OTHER, 1));
    refused(runner_set_scheduler(runner, SCHED_BATCH, 1));
    refused(runner_set_scheduler(runner, SCHED_IDLE, -1));
    refused(runner_set_scheduler(runner, SCHED_FIFO, 0));
    refused(runner_set_scheduler(runner, SCHED_FIFO, 100));
    refused(runner_set_scheduler(runner, SCHED_RR, 0));
    refused(runner_set_death_signal(runner, -1));
    refused(runner_set_death_signal(runner, 65));
    refused(runner_set_session(runner, 3));
    refused(runner_set_session(runner, UINT32_MAX));
    refused(runner_add_rlimit(runner, -1, 0, 0));
    refused(runner_add_rlimit(runner, RLIM_NLIMITS, 0, 0));
    refused(runner_add_rlimit(runner, RLIMIT_CPU, 2, 1));
    refused(runner_add_rlimit(runner, RLIMIT_CPU, UINT64_MAX, 1));
    runner_free(runner);
}

static void bad_flags(void) {
    runner_t *runner = full_runner();
    remember(runner);
    refused(runner_set_unshare_flags(runner, CLONE_VM));
    refused(runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_FILES));
    refused(runner_set_unshare_flags(runner, UINT64_C(1) << 63));
    refused(runner_set_unshare_flags(runner, SIGCHLD));
    refused(runner_add_bind(runner, "/", "x", 64));
    refused(runner_add_bind(runner, "/", "x", UINT32_MAX));
    refused(runner_add_proc(runner, "proc", 16));
    refused(runner_add_mount(runner, "/", "x", NULL, UINT64_C(1) << 40, NULL));
    refused(runner_add_mount(runner, NULL, "x", NULL, MS_BIND, NULL));
    refused(runner_add_mount(runner, "none", "x", NULL, 0, NULL));
    refused(runner_add_tmpfs(runner, "x", 0, 010000));
    refused(runner_add_dir(runner, "x", 010000));
    refused(runner_add_file(runner, "x", "", 0, 010000));
    refused(runner_add_file(runner, "x", NULL, 1, 0644));
    runner_free(runner);
}

static void bad_mappings(void) {
    runner_t *runner = full_runner();
    runner_clear_credential(runner);
    runner_clear_mappings(runner);
    remember(runner);
    refused(runner_add_uid_mapping(runner, 0, 0, 0));
    refused(runner_add_uid_mapping(runner, UINT32_MAX, 0, 1));
    refused(runner_add_uid_mapping(runner, 0, UINT32_MAX, 1));
    refused(runner_add_uid_mapping(runner, UINT32_MAX - 1, 0, 2));
    refused(runner_add_uid_mapping(runner, 1, 0, UINT32_MAX));
    refused(runner_add_gid_mapping(runner, 0, 0, 0));
    refused(runner_add_gid_mapping(runner, 0, UINT32_MAX, 1));
    accepted(runner_add_uid_mapping(runner, UINT32_MAX - 1, 0, 1));
    for (uint32_t i = 1; i < 340; i++)
        if (!accepted(runner_add_uid_mapping(runner, i, i, 1)))
            break;
    remember(runner);
    refused(runner_add_uid_mapping(runner, 340, 340, 1));
    accepted(runner_clear_mappings(runner));
    accepted(runner_add_uid_mapping(runner, 0, 0, 1));
    runner_free(runner);
}

static void bad_filters(void) {
    runner_t *runner = full_runner();
    static struct sock_filter filter[4097];
    for (size_t i = 0; i < COUNT(filter); i++)
        filter[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0x7fff0000U);
    remember(runner);
    refused(runner_set_seccomp(runner, NULL, 1));
    refused(runner_set_seccomp(runner, filter, 0));
    refused(runner_set_seccomp(runner, filter, 4097));
    refused(runner_set_seccomp(runner, filter, UINT16_MAX));
    accepted(runner_set_seccomp(runner, filter, 4096));
    accepted(runner_clear_seccomp(runner));
    explained(runner, text_after, sizeof text_after);
    ok_str(text_after, text_before, "a cleared filter leaves nothing");
    runner_free(runner);
}

/* A relative path of `length` bytes, its components short enough for every file system. */
static const char *path_of(size_t length) {
    static char path[2 * PATH_MAX];
    for (size_t i = 0; i < length; i++)
        path[i] = i % 100 == 99 ? '/' : 'a';
    path[length] = '\0';
    return path;
}

static void bad_paths(void) {
    runner_t *runner = full_runner();
    const char *long_path = path_of(PATH_MAX);
    remember(runner);
    const char *const bad[] = {NULL, "", long_path};
    for (size_t i = 0; i < COUNT(bad); i++) {
        refused(runner_set_workdir(runner, bad[i]));
        refused(runner_set_pivot_root(runner, bad[i]));
        refused(runner_set_cgroup_path(runner, bad[i]));
        refused(runner_add_mount(runner, "none", bad[i], "tmpfs", 0, NULL));
        refused(runner_add_bind(runner, "/", bad[i], 0));
        refused(runner_add_bind(runner, bad[i], "x", 0));
        refused(runner_add_tmpfs(runner, bad[i], 0, 0755));
        refused(runner_add_proc(runner, bad[i], 0));
        refused(runner_add_dev(runner, bad[i]));
        refused(runner_add_dir(runner, bad[i], 0755));
        refused(runner_add_symlink(runner, "to", bad[i]));
        refused(runner_add_symlink(runner, bad[i], "at"));
        refused(runner_add_file(runner, bad[i], "", 0, 0644));
    }
    accepted(runner_set_workdir(runner, path_of(PATH_MAX - 1)));
    accepted(runner_set_pivot_root(runner, path_of(PATH_MAX - 1)));
    runner_free(runner);
}

static void dotdot_in_targets(void) {
    runner_t *runner = full_runner();
    static const char *const outside[] = {"..", "../x", "a/../../x", "/..", "a/.."};
    remember(runner);
    for (size_t i = 0; i < COUNT(outside); i++) {
        refused(runner_add_mount(runner, "none", outside[i], "tmpfs", 0, NULL));
        refused(runner_add_bind(runner, "/", outside[i], 0));
        refused(runner_add_tmpfs(runner, outside[i], 0, 0755));
        refused(runner_add_proc(runner, outside[i], 0));
        refused(runner_add_dev(runner, outside[i]));
        refused(runner_add_dir(runner, outside[i], 0755));
        refused(runner_add_symlink(runner, "to", outside[i]));
        refused(runner_add_file(runner, outside[i], "", 0, 0644));
    }
    /* Names that only look like it are names. */
    accepted(runner_add_dir(runner, "..x/y..", 0755));
    accepted(runner_add_symlink(runner, "../to", "at"));
    runner_free(runner);
}

static void bad_names(void) {
    runner_t *runner = full_runner();
    char name[66];
    memset(name, 'n', sizeof name);
    remember(runner);
    name[65] = '\0';
    refused(runner_set_hostname(runner, NULL));
    refused(runner_set_hostname(runner, ""));
    refused(runner_set_hostname(runner, name));
    refused(runner_set_domainname(runner, NULL));
    refused(runner_set_domainname(runner, ""));
    refused(runner_set_domainname(runner, name));
    name[64] = '\0';
    accepted(runner_set_hostname(runner, name));
    accepted(runner_set_domainname(runner, name));
    runner_free(runner);
}

static void edges_of_ranges(void) {
    runner_t *runner = runner_new();
    const uint32_t cpus[] = {0, 8191};
    accepted(runner_set_umask(runner, 0));
    accepted(runner_set_umask(runner, 0777));
    accepted(runner_set_nice(runner, -20));
    accepted(runner_set_nice(runner, 19));
    accepted(runner_set_oom_score_adj(runner, -1000));
    accepted(runner_set_oom_score_adj(runner, 1000));
    accepted(runner_set_personality(runner, 0xfffffffe));
    accepted(runner_set_scheduler(runner, SCHED_FIFO, 1));
    accepted(runner_set_scheduler(runner, SCHED_RR, 99));
    accepted(runner_set_scheduler(runner, SCHED_IDLE, 0));
    accepted(runner_set_death_signal(runner, 0));
    accepted(runner_set_death_signal(runner, 64));
    accepted(runner_set_cpu_affinity(runner, cpus, 2));
    accepted(runner_set_unshare_flags(runner, NAMESPACES | 0x80 /* CLONE_NEWTIME */));
    accepted(runner_set_files(runner, NULL, 0));
    accepted(runner_set_exec_fd(runner, -1));
    accepted(runner_set_sync_func(runner, NULL, NULL));
    accepted(runner_keep_caps(runner, UINT64_MAX));
    accepted(runner_add_rlimit(runner, RLIMIT_RTTIME, UINT64_MAX, UINT64_MAX));
    accepted(runner_add_bind(runner, "/", "x", 63));
    accepted(runner_add_proc(runner, "proc", 15));
    accepted(runner_add_file(runner, "empty", NULL, 0, 07777));
    runner_free(runner);
}

/* ------------------------------------------------------------------ what a runner begins with */

static char out[1 << 17];

static void default_files_env_session(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/options.%d", getpid());
    setenv("HOST_SECRET", "leaks", 1);
    runner_t *runner = guest("--file", path, "fds", "--", "env", "--", "session");
    ok(exited(run(runner), 0), "the guest runs");
    ok(read_file(path, out, sizeof out) > 0, "the guest has written");
    ok_value(out, "fds", "0,1,2");
    for (int fd = 0; fd < 3; fd++) {
        char key[16];
        snprintf(key, sizeof key, "fd.%d", fd);
        const char *what = value_of(out, key);
        ok(what != NULL && strstr(what, "type:chr") && strstr(what, "rdev:1,3 "), "%s is /dev/null: %s", key, what);
    }
    ok_value(out, "envs", "0");
    ok_str(value_of(out, "sid"), value_of(out, "pid"), "a session of its own");
    ok_value(out, "tty", "!ENXIO");
    unlink(path);
    unsetenv("HOST_SECRET");
    runner_free(runner);
}

/* The rest is the host's: as if it had been forked. */
static void defaults_are_the_hosts(void) {
    runner_t *runner = guest("cwd", "--", "ids", "--", "caps", "--", "rlimits", "--", "names", "--", "sched", "--",
                             "misc", "--", "args");
    static char host[1 << 17];
    char command[2 * PATH_MAX + 128];
    snprintf(command, sizeof command, "exec '%s' cwd -- ids -- caps -- rlimits -- names -- sched -- misc -- args",
             guest_path());
    FILE *pipe = popen(command, "re");
    host[pipe == NULL ? 0 : fread(host, 1, sizeof host - 1, pipe)] = '\0';
    if (pipe != NULL)
        pclose(pipe);
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok(strlen(host) > 1000, "the control runs");
    ok_str(out, host, "all but files, environment and session is as the host has it");
    runner_free(runner);
}

static void no_program(void) {
    runner_t *runner = runner_new();
    ok_failed(start(runner), RUNNER_STAGE_OPTIONS, -1, EINVAL);
    refuses_null(runner_explain(runner, NULL, 0));
    const char *const argv[] = {guest_path(), "exit", "6", NULL};
    accepted(runner_set_args(runner, argv));
    ok(exited(run(runner), 6), "the same runner starts once it has a program");
    runner_free(runner);
}

/* ------------------------------------------------------------------ copies */

static void inputs_are_copied(void) {
    char path[2 * PATH_MAX], command[] = "echo", word[] = "first", env0[] = "A=first", dir[] = "/";
    snprintf(path, sizeof path, "%s", guest_path());
    char *argv[] = {path, command, word, (char[]){"--"}, (char[]){"env"}, (char[]){"--"}, (char[]){"cwd"}, NULL};
    char *envp[] = {env0, NULL};
    runner_t *runner = runner_for((const char *const *)argv);
    accepted(runner_set_env(runner, (const char *const *)envp));
    accepted(runner_set_workdir(runner, dir));
    memset(path, 'x', 4);
    memset(word, 'x', 5);
    memset(env0, 'x', 7);
    dir[0] = 'x';
    memset(argv, 0, sizeof argv);
    envp[0] = NULL;
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok(strncmp(out, "first\n", 6) == 0, "the argument as it was: %s", out);
    ok_value(out, "env.0", "A=first");
    ok_value(out, "cwd", "/");
    runner_free(runner);
}

static void files_are_copied(void) {
    int fds[] = {-1, -1, -1};
    int ends[2];
    ok_int(pipe2(ends, O_CLOEXEC), 0, "pipe");
    runner_t *runner = guest("fds");
    fds[1] = ends[1];
    accepted(runner_set_files(runner, fds, 3));
    fds[1] = 0;
    pid_t pid = start(runner);
    close(ends[1]);
    ok(pid > 0, "it starts");
    read_all(ends[0], out, sizeof out);
    close(ends[0]);
    ok(exited(child_status(pid), 0), "the guest runs");
    ok_value(out, "fds", "1");
    runner_free(runner);
}

static void set_replaces(void) {
    runner_t *runner = guest("exit", "1");
    const char *const args[] = {guest_path(), "args", "--", "env", "--", "misc", "--", "rlimits", NULL};
    const char *const first[] = {"A=1", "B=2", NULL}, *const second[] = {"C=3", NULL};
    accepted(runner_set_env(runner, first));
    accepted(runner_set_env(runner, second));
    accepted(runner_set_umask(runner, 077));
    accepted(runner_set_umask(runner, 027));
    accepted(runner_add_rlimit(runner, RLIMIT_CORE, 1, 2));
    accepted(runner_add_rlimit(runner, RLIMIT_CORE, 0, 0));
    accepted(runner_set_args(runner, args));
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok_value(out, "args", "8");
    ok_value(out, "envs", "1");
    ok_value(out, "env.0", "C=3");
    ok_value(out, "umask", "0027");
    ok_value(out, "rlimit.4.hard", "0");
    runner_free(runner);
}

static void order_does_not_matter(void) {
    runner_t *one = runner_new(), *other = runner_new();
    const char *const argv[] = {guest_path(), "exit", "0", NULL}, *const env[] = {"A=1", NULL};
    const uint32_t cpus[] = {0};
    accepted(runner_set_args(one, argv));
    accepted(runner_set_umask(one, 027));
    accepted(runner_set_env(one, env));
    accepted(runner_set_nice(one, 4));
    accepted(runner_set_cpu_affinity(one, cpus, 1));
    accepted(runner_set_workdir(one, "/"));
    accepted(runner_add_rlimit(one, RLIMIT_CORE, 0, 0));
    accepted(runner_add_rlimit(other, RLIMIT_CORE, 0, 0));
    accepted(runner_set_workdir(other, "/"));
    accepted(runner_set_cpu_affinity(other, cpus, 1));
    accepted(runner_set_nice(other, 4));
    accepted(runner_set_env(other, env));
    accepted(runner_set_umask(other, 027));
    accepted(runner_set_args(other, argv));
    explained(one, text_before, sizeof text_before);
    explained(other, text_after, sizeof text_after);
    ok_str(text_after, text_before, "the same program, however it was put together");
    runner_free(one);
    runner_free(other);
}

static void clones_are_independent(void) {
    runner_t *original = guest("exit", "3");
    accepted(runner_set_umask(original, 011));
    runner_t *copy = runner_clone(original);
    const char *const argv[] = {guest_path(), "misc", NULL};
    ok(exited(run(copy), 3), "the copy has the program");
    accepted(runner_set_args(copy, argv));
    accepted(runner_set_umask(original, 022));
    ok(exited(run(original), 3), "a change of the copy does not reach the original");
    runner_free(original);
    ok(exited(run_output(copy, out, sizeof out), 0), "the copy outlives the original");
    ok_value(out, "umask", "0011");
    runner_free(copy);
}

static void clone_of_everything(void) {
    runner_t *original = full_runner();
    runner_t *copy = runner_clone(original);
    explained(original, text_before, sizeof text_before);
    explained(copy, text_after, sizeof text_after);
    ok_str(text_after, text_before, "the copy does the same");
    runner_free(original);
    explained(copy, text_after, sizeof text_after);
    ok_str(text_after, text_before, "also after the original is gone");
    runner_free(copy);
}

static void free_leaves_programs_alone(void) {
    runner_t *runner = guest("sleep", "100", "--", "exit", "5");
    pid_t pid = start(runner);
    runner_free(runner);
    ok(pid > 0 && exited(child_status(pid), 5), "the program runs on");
}

/* ------------------------------------------------------------------ explain, probe, version */

static void explain_is_like_snprintf(void) {
    runner_t *runner = full_runner();
    static char whole[1 << 16], cut[1 << 16];
    int length = runner_explain(runner, NULL, 0);
    ok(length > 100, "a text of %d bytes", length);
    ok_int(runner_explain(runner, whole, sizeof whole), length, "the same length with room");
    ok_int(strlen(whole), length, "it is NUL-terminated at its length");
    for (int size = 0; size <= length + 2; size += size < 5 || size >= length - 2 ? 1 : 97) {
        memset(cut, '!', sizeof cut);
        ok_int(runner_explain(runner, cut, (size_t)size), length, "the whole length with %d bytes", size);
        int kept = size == 0 ? 0 : size - 1 < length ? size - 1 : length;
        ok(memcmp(cut, whole, (size_t)kept) == 0, "what fits into %d bytes is right", size);
        ok(size == 0 || cut[kept] == '\0', "%d bytes end with NUL", size);
        ok(cut[size < length + 1 ? size : length + 1] == '!', "nothing is written beyond %d bytes", size);
    }
    runner_t *nothing = runner_new();
    char why[64] = "";
    ok_int(runner_explain(nothing, why, sizeof why), -EINVAL, "options with which no start is possible");
    ok(strncmp(why, "options: no program", 19) == 0, "the text says why: %s", why);
    runner_free(nothing);
    refuses_null(runner_explain(runner, NULL, 10));
    runner_free(runner);
}

static void explain_starts_nothing(void) {
    runner_t *runner = guest("exit", "0");
    explained(runner, text_before, sizeof text_before);
    ok(strstr(text_before, guest_path()) != NULL, "it names the program: %s", text_before);
    accepted(runner_set_sync_func(runner, no_callback, NULL));
    explained(runner, text_after, sizeof text_after);
    size_t line = strcspn(text_before, "\n");
    ok(line > 0 && strncmp(text_before, text_after, line + 1) != 0, "a callback needs another strategy");
    runner_free(runner);
}

static void probe_and_version(void) {
    ok_int(runner_version(), 0 << 16 | 1 << 8 | 0, "version 0.1.0");
    ok_int(RUNNER_VERSION, (int)runner_version(), "the header is the library's");
    runner_probe_t probe;
    memset(&probe, 0x55, sizeof probe);
    probe.size = (uint32_t)sizeof probe;
    accepted(runner_probe(&probe));
    ok_int(probe.size, sizeof probe, "the size stays");
    ok_int(probe.user_namespace, have_userns(), "user namespaces, as a fork finds them");
    ok_int(probe.kernel >> 16 >= 3, 1, "a kernel version");
    ok(memchr(probe.blocker, '\0', sizeof probe.blocker) != NULL, "the text is terminated");
    probe.size = 0;
    probe.kernel = 0;
    accepted(runner_probe(&probe));
    ok(probe.kernel != 0, "a size of 0 is the first layout");
    probe.size = 8;
    refuses_null(runner_probe(&probe));
}

/* A larger struct, of a header that is newer than the library: what it does not know is zero. */
static void probe_of_the_future(void) {
    struct { runner_probe_t probe; char more[64]; } big;
    memset(&big, 0x55, sizeof big);
    big.probe.size = sizeof big;
    accepted(runner_probe(&big.probe));
    ok(big.probe.kernel != 0x55555555, "the known part is filled");
    for (size_t i = 0; i < sizeof big.more; i++)
        if (!ok(big.more[i] == 0, "byte %zu beyond is zero", i))
            break;
}

static const struct test tests[] = {
    {"a NULL runner would crash a setter", null_runner},
    {"a NULL handle or result would crash a start", null_handles},
    {"a bad list would be taken, or leave the runner half changed", bad_lists},
    {"a number out of range would be taken", bad_numbers},
    {"an unknown flag would be ignored", bad_flags},
    {"a bad id map line would be taken", bad_mappings},
    {"a bad filter length would be taken", bad_filters},
    {"an empty or overlong path would be taken", bad_paths},
    {"a target could lead out of the root by ..", dotdot_in_targets},
    {"a host name of 65 bytes would be taken", bad_names},
    {"the edge of a range would be refused", edges_of_ranges},
    {"a new runner would inherit files, environment or session", default_files_env_session},
    {"a new runner would change what nobody asked for", defaults_are_the_hosts},
    {"a runner without a program would start something", no_program},
    {"a setter would keep a pointer of the caller", inputs_are_copied},
    {"the file table would be read at the start instead of copied", files_are_copied},
    {"a second set would add to the first", set_replaces},
    {"the order of setters would matter", order_does_not_matter},
    {"a clone would share state with its original", clones_are_independent},
    {"a clone would lose an option", clone_of_everything},
    {"freeing a runner would harm what it started", free_leaves_programs_alone},
    {"explain would overrun or misreport its buffer", explain_is_like_snprintf},
    {"explain would not show the program or the strategy", explain_starts_nothing},
    {"the probe or the version would lie", probe_and_version},
    {"a newer probe struct would keep garbage", probe_of_the_future},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
