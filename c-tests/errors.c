/* Errors: every bad program and every failing step is reported with its stage, its element, its errno and a sentence,
 * leaves nothing behind, and leaves the runner usable. And the error struct keeps its promises about size. */

#define _GNU_SOURCE
#include "tap.h"

#include <elf.h>
#include <linux/filter.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define accepted(call) tap_ok((call) == 0, __FILE__, __LINE__, #call, "want 0")

static char out[1 << 17];

/* ------------------------------------------------------------------ bad programs */

static char dir_path[64];

static const char *in_dir(const char *name) {
    static _Thread_local char paths[8][PATH_MAX];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH_MAX, "%s/%s", dir_path, name);
    return path;
}

static void write_program(const char *name, const void *bytes, size_t length, mode_t mode) {
    int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    ok(fd >= 0 && write(fd, bytes, length) == (ssize_t)length, "%s is written", name);
    fchmod(fd, mode);
    close(fd);
}

/* A whole ELF header of a machine that this is not. */
static void write_foreign_program(void) {
    Elf64_Ehdr header = {.e_type = ET_EXEC, .e_version = EV_CURRENT, .e_ehsize = sizeof header};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2MSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_machine = EM_S390;
    write_program("foreign", &header, sizeof header, 0755);
}

/* This very binary, its loader's name replaced by one that does not exist. */
static void write_program_without_loader(void) {
    static char bytes[1 << 22];
    int fd = open(self_path(), O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, bytes, sizeof bytes);
    close(fd);
    char *name = length > 0 ? memmem(bytes, (size_t)length, "/ld-", 4) : NULL;
    if (ok(name != NULL, "a dynamically linked binary names its loader"))
        memcpy(name, "/xx-", 4);
    write_program("no-loader", bytes, length < 0 ? 0 : (size_t)length, 0755);
}

static void make_bad_programs(void) {
    snprintf(dir_path, sizeof dir_path, "/tmp/errors.%d", getpid());
    ok_int(mkdir(dir_path, 0755), 0, "a directory for programs");
    write_program("text", "echo hello\n", 11, 0755);
    write_program("empty", "", 0, 0755);
    write_program("not-executable", "#!/bin/true\n", 12, 0644);
    write_program("bad-script", "#!/no/such/interpreter\n", 23, 0755);
    write_program("cut", ELFMAG "\2\1\1", 7, 0755);
    write_foreign_program();
    write_program_without_loader();
    ok_int(symlink("loop", in_dir("loop")), 0, "a link to itself");
}

static void remove_bad_programs(void) {
    static const char *const names[] = {"text", "empty", "not-executable", "bad-script", "cut", "foreign", "no-loader",
                                        "loop", "busy"};
    for (size_t i = 0; i < COUNT(names); i++)
        unlink(in_dir(names[i]));
    rmdir(dir_path);
}

/* Fails as it should, thrice, leaves nothing, and runs a good program afterwards. */
static void check_bad_program(const char *path, int err) {
    const char *const bad[] = {path, NULL}, *const good[] = {guest_path(), "exit", "9", NULL};
    runner_t *runner = runner_for(bad);
    struct counts before = counts_now();
    for (int i = 0; i < 3; i++)
        ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, err);
    ok_nothing_left(before);
    /* The end of the path is what tells programs apart, and a long one is cut. */
    ok(strlen(path) > 200 || strstr(last_error.message, path) != NULL, "the message names %s: %s", path,
       last_error.message);
    accepted(runner_set_args(runner, good));
    ok(exited(run(runner), 9), "the same runner starts a good program after %s", path);
    runner_free(runner);
}

static void bad_programs(void) {
    make_bad_programs();
    check_bad_program(in_dir("missing"), ENOENT);
    check_bad_program("no-slash-and-no-search-of-PATH", ENOENT);
    check_bad_program(dir_path, EACCES);
    check_bad_program(in_dir("text"), ENOEXEC);
    check_bad_program(in_dir("empty"), ENOEXEC);
    check_bad_program(in_dir("cut"), ENOEXEC);
    check_bad_program(in_dir("foreign"), ENOEXEC);
    check_bad_program(in_dir("not-executable"), EACCES);
    check_bad_program(in_dir("bad-script"), ENOENT);
    check_bad_program(in_dir("no-loader"), ENOENT);
    check_bad_program(in_dir("loop"), ELOOP);
    check_bad_program(in_dir("text/beneath"), ENOTDIR);
    remove_bad_programs();
}

/* The empty string is no path, but a name all the same where the program is an fd. */
static void empty_program_name(void) {
    const char *const argv[] = {"", "exit", "3", NULL};
    runner_t *runner = runner_for(argv);
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, ENOENT);
    int fd = open(guest_path(), O_PATH | O_CLOEXEC);
    accepted(runner_set_exec_fd(runner, fd));
    ok(exited(run(runner), 3), "by fd the name does not matter");
    runner_free(runner);
    close(fd);
}

static void overlong_program(void) {
    static char path[3 * PATH_MAX];
    memset(path, '/', PATH_MAX);
    path[PATH_MAX] = '\0';
    check_bad_program(path, ENAMETOOLONG);
    memset(path, '/', sizeof path - 1);
    check_bad_program(path, ENAMETOOLONG);
}

static void arguments_too_long(void) {
    static char word[200000];
    memset(word, 'w', sizeof word - 1); /* the kernel takes at most 128 KiB a string */
    const char *const argv[] = {guest_path(), "echo", word, NULL}, *const good[] = {guest_path(), "exit", "0", NULL};
    const char *const env[] = {word, NULL}, *const no_env[] = {NULL};
    runner_t *runner = runner_for(argv);
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, E2BIG);
    accepted(runner_set_args(runner, good));
    accepted(runner_set_env(runner, env));
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, E2BIG);
    accepted(runner_set_env(runner, no_env));
    ok(exited(run(runner), 0), "the same runner starts afterwards");
    runner_free(runner);
}

/* ------------------------------------------------------------------ text file busy */

static void copy_guest(const char *name) {
    static char bytes[1 << 22];
    int fd = open(guest_path(), O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, bytes, sizeof bytes);
    close(fd);
    write_program(name, bytes, length < 0 ? 0 : (size_t)length, 0755);
}

static void *close_soon(void *fd) {
    sleep_ms(3);
    close(*(int *)fd);
    return NULL;
}

/* A binary that is still open for writing, for good or, as by another thread's fork, for a moment. */
static void busy_program(void) {
    snprintf(dir_path, sizeof dir_path, "/tmp/errors.%d", getpid());
    ok_int(mkdir(dir_path, 0755), 0, "a directory for programs");
    copy_guest("busy");
    int writer = open(in_dir("busy"), O_WRONLY | O_CLOEXEC);
    int64_t begin = now_ms();
    const char *const argv[] = {in_dir("busy"), "exit", "7", NULL};
    runner_t *runner = runner_for(argv);
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, ETXTBSY);
    ok(now_ms() - begin < 10000, "it gives up after a while");
    pthread_t thread;
    ok_int(pthread_create(&thread, NULL, close_soon, &writer), 0, "a thread");
    ok(exited(run(runner), 7), "it waits for a writer that is about to close");
    pthread_join(thread, NULL);
    runner_free(runner);
    remove_bad_programs();
}

/* ------------------------------------------------------------------ every step that can fail */

#define NEEDS_NAMESPACES 1 /* root or user namespaces */
#define NEEDS_NON_ROOT 2
#define ANY_INDEX (-2)

static int refusing(pid_t pid, void *ctx) {
    return pid > 0 ? *(int *)ctx : EINVAL;
}

static void set_mount_namespace(runner_t *r) {
    runner_set_unshare_flags(r, userns_if_needed() | CLONE_NEWNS);
}

static void set_root(runner_t *r) {
    set_mount_namespace(r);
    runner_set_pivot_root(r, root_point());
    runner_add_bind(r, "/", "all", RUNNER_BIND_RO | RUNNER_BIND_REC);
}

static void no_uts_for_hostname(runner_t *r) { runner_set_hostname(r, "x"); }
static void no_uts_for_domainname(runner_t *r) { runner_set_domainname(r, "x"); }
static void no_userns_for_uid_map(runner_t *r) { runner_add_uid_mapping(r, 0, 0, 1); }
static void no_userns_for_gid_map(runner_t *r) { runner_add_gid_mapping(r, 0, 0, 1); }
static void no_mountns_for_root(runner_t *r) { runner_set_pivot_root(r, "/tmp"); }
static void no_mountns_for_bind(runner_t *r) { runner_add_bind(r, "/", "/x", 0); }
static void no_mountns_for_mount(runner_t *r) { runner_add_mount(r, "t", "/x", "tmpfs", 0, NULL); }
static void no_netns_for_loopback(runner_t *r) { runner_set_loopback_up(r, true); }
static void no_pidns_for_proc(runner_t *r) {
    set_root(r);
    runner_add_proc(r, "proc", 0);
}
static void closed_file(runner_t *r) { runner_set_files(r, (const int[]){0, 1, 2, 3000}, 4); }
static void missing_workdir(runner_t *r) { runner_set_workdir(r, "/no/such/place"); }
static void missing_cgroup(runner_t *r) { runner_set_cgroup_path(r, "/no/such/cgroup"); }
static void no_terminal(runner_t *r) { runner_set_ctty(r, true); }
static void offline_cpu(runner_t *r) { runner_set_cpu_affinity(r, (const uint32_t[]){8191}, 1); }
static void bad_filter(runner_t *r) {
    const struct sock_filter jump_out = BPF_JUMP(BPF_JMP | BPF_JA, 100, 0, 0);
    runner_set_seccomp(r, &jump_out, 1);
}
static void forbidding_filter(runner_t *r) {
    const struct sock_filter no_exec[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* the number */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0x00050000U | EXDEV), /* SECCOMP_RET_ERRNO */
        BPF_STMT(BPF_RET | BPF_K, 0x7fff0000U),         /* SECCOMP_RET_ALLOW */
    };
    runner_set_seccomp(r, no_exec, COUNT(no_exec));
}
static void refusing_callback(runner_t *r) {
    static int err = EBUSY;
    runner_set_sync_func(r, refusing, &err);
}
static void refusing_callback_negative(runner_t *r) {
    static int err = -EXDEV;
    runner_set_sync_func(r, refusing, &err);
}
static void missing_program_after_callback(runner_t *r) {
    static int success = 0;
    runner_set_args(r, (const char *const[]){"/no/such/program", NULL});
    runner_set_sync_func(r, refusing, &success);
}
static void missing_root(runner_t *r) {
    set_root(r);
    runner_set_pivot_root(r, "/no/such/root");
}
static void missing_bind_source(runner_t *r) {
    set_root(r);
    runner_add_dir(r, "d", 0755);
    runner_add_bind(r, "/no/such/source", "x", 0);
}
static void unknown_file_system(runner_t *r) {
    set_root(r);
    runner_add_mount(r, "none", "x", "no-such-fs", 0, NULL);
}
static void directory_beneath_a_file(runner_t *r) {
    set_root(r);
    runner_add_file(r, "f", "x", 1, 0644);
    runner_add_dir(r, "f/d", 0755);
}
static void file_there_already(runner_t *r) {
    set_root(r);
    runner_add_file(r, "f", "x", 1, 0644);
    runner_add_file(r, "f", "y", 1, 0644);
}
static void link_there_already(runner_t *r) {
    set_root(r);
    runner_add_file(r, "f", "x", 1, 0644);
    runner_add_symlink(r, "to", "f");
}
static void program_outside_root(runner_t *r) { set_root(r); }
static void namespaces_without_privilege(runner_t *r) { runner_set_unshare_flags(r, CLONE_NEWUTS); }
static void real_time_without_privilege(runner_t *r) { runner_set_scheduler(r, SCHED_FIFO, 1); }
static void nice_without_privilege(runner_t *r) { runner_set_nice(r, -20); }
static void capability_without_privilege(runner_t *r) { runner_keep_caps(r, 1); }
static void user_without_privilege(runner_t *r) { runner_set_credential(r, 0, 0, (const uint32_t[]){7}, 1); }

static const struct failure {
    const char *name;
    void (*set)(runner_t *);
    uint32_t stage;
    int index, err, needs;
    const char *hint; /* a word that the message has to contain */
} failures[] = {
    {"hostname", no_uts_for_hostname, RUNNER_STAGE_OPTIONS, -1, EINVAL, 0, "CLONE_NEWUTS"},
    {"domainname", no_uts_for_domainname, RUNNER_STAGE_OPTIONS, -1, EINVAL, 0, "CLONE_NEWUTS"},
    {"uid map", no_userns_for_uid_map, RUNNER_STAGE_OPTIONS, -1, EINVAL, 0, "CLONE_NEWUSER"},
    {"gid map", no_userns_for_gid_map, RUNNER_STAGE_OPTIONS, -1, EINVAL, 0, "CLONE_NEWUSER"},
    {"root", no_mountns_for_root, RUNNER_STAGE_OPTIONS, -1, EINVAL, 0, "CLONE_NEWNS"},
    {"bind", no_mountns_for_bind, RUNNER_STAGE_OPTIONS, ANY_INDEX, EINVAL, 0, "CLONE_NEWNS"},
    {"mount", no_mountns_for_mount, RUNNER_STAGE_OPTIONS, ANY_INDEX, EINVAL, 0, "CLONE_NEWNS"},
    {"loopback", no_netns_for_loopback, RUNNER_STAGE_OPTIONS, -1, EINVAL, 0, "CLONE_NEWNET"},
    {"proc", no_pidns_for_proc, RUNNER_STAGE_OPTIONS, ANY_INDEX, EINVAL, NEEDS_NAMESPACES, "CLONE_NEWPID"},
    {"closed file", closed_file, RUNNER_STAGE_DUP, 3, EBADF, 0, "3000"},
    {"workdir", missing_workdir, RUNNER_STAGE_CHDIR, -1, ENOENT, 0, "/no/such/place"},
    {"cgroup", missing_cgroup, RUNNER_STAGE_CGROUP, 0, ENOENT, 0, "/no/such/cgroup"},
    {"ctty", no_terminal, RUNNER_STAGE_CTTY, -1, ENOTTY, 0, NULL},
    {"affinity", offline_cpu, RUNNER_STAGE_AFFINITY, -1, EINVAL, 0, NULL},
    {"bad filter", bad_filter, RUNNER_STAGE_SECCOMP, -1, EINVAL, 0, NULL},
    {"forbidding filter", forbidding_filter, RUNNER_STAGE_EXEC, -1, EXDEV, 0, NULL},
    {"callback", refusing_callback, RUNNER_STAGE_SYNC, -1, EBUSY, 0, NULL},
    {"callback, negative", refusing_callback_negative, RUNNER_STAGE_SYNC, -1, EXDEV, 0, NULL},
    {"program after callback", missing_program_after_callback, RUNNER_STAGE_EXEC, -1, ENOENT, 0, "/no/such/program"},
    {"root missing", missing_root, RUNNER_STAGE_PIVOT_ROOT, -1, ENOENT, NEEDS_NAMESPACES, "/no/such/root"},
    {"bind source", missing_bind_source, RUNNER_STAGE_MOUNT, 2, ENOENT, NEEDS_NAMESPACES, "/no/such/source"},
    {"file system", unknown_file_system, RUNNER_STAGE_MOUNT, 1, ENODEV, NEEDS_NAMESPACES, "no-such-fs"},
    {"directory in file", directory_beneath_a_file, RUNNER_STAGE_MKDIR, 2, ENOTDIR, NEEDS_NAMESPACES, "f/d"},
    {"file twice", file_there_already, RUNNER_STAGE_FILE, 2, EEXIST, NEEDS_NAMESPACES, NULL},
    {"link over file", link_there_already, RUNNER_STAGE_SYMLINK, 2, EEXIST, NEEDS_NAMESPACES, NULL},
    {"program outside", program_outside_root, RUNNER_STAGE_EXEC, -1, ENOENT, NEEDS_NAMESPACES, NULL},
    {"no privilege", namespaces_without_privilege, RUNNER_STAGE_CLONE, -1, EPERM, NEEDS_NON_ROOT, "CLONE_NEWUSER"},
    {"real time", real_time_without_privilege, RUNNER_STAGE_SCHEDULER, -1, EPERM, NEEDS_NON_ROOT, NULL},
    {"nice", nice_without_privilege, RUNNER_STAGE_NICE, -1, EACCES, NEEDS_NON_ROOT, NULL},
    {"capability", capability_without_privilege, RUNNER_STAGE_CAPABILITIES, -1, EPERM, NEEDS_NON_ROOT, NULL},
    {"groups", user_without_privilege, RUNNER_STAGE_SETGROUPS, -1, EPERM, NEEDS_NON_ROOT, NULL},
};

static void check_failure(const struct failure *f) {
    runner_t *runner = guest("exit", "0");
    f->set(runner);
    struct counts before = counts_now();
    bool good = true;
    for (int i = 0; i < 5; i++) {
        int result = run(runner);
        good &= ok_failed(result, f->stage, f->index == ANY_INDEX ? last_error.index : f->index, f->err);
    }
    good &= ok(f->hint == NULL || strstr(last_error.message, f->hint) != NULL, "the message mentions %s: %s", f->hint,
               last_error.message);
    good &= ok_nothing_left(before);
    if (!good)
        diag("failure: %s", f->name);
    runner_free(runner);
}

static void every_failure(void) {
    for (size_t i = 0; i < COUNT(failures); i++) {
        if (failures[i].needs == NEEDS_NAMESPACES && !is_root() && !have_userns()) {
            diag("no user namespaces here: %s is left out", failures[i].name);
            continue;
        }
        if (failures[i].needs == NEEDS_NON_ROOT && is_root())
            continue; /* root is allowed; the other run of the suite is an ordinary user */
        check_failure(&failures[i]);
    }
}

/* A filter that refuses every call, the exit of the failed process among them. It must not run on, nor block the start.
 * The start is made by a child in a group of its own, which its process shares: so that both can be killed. */
static void start_with_a_filter_against_everything(void) {
    const struct sock_filter deny = BPF_STMT(BPF_RET | BPF_K, 0x00050000U | EXDEV);
    setpgid(0, 0);
    runner_t *runner = guest("exit", "0");
    runner_set_seccomp(runner, &deny, 1);
    runner_set_session(runner, RUNNER_SESSION_KEEP);
    _exit(runner_start(runner, NULL) == -EXDEV ? 0 : 1);
}

static void filter_against_everything(void) {
    pid_t pid = fork();
    if (pid == 0)
        start_with_a_filter_against_everything();
    setpgid(pid, pid);
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < 500 && (ended = waitpid(pid, &status, WNOHANG)) == 0; i++)
        sleep_ms(10);
    kill(-pid, SIGKILL);
    ok(ended == pid && exited(status, 0), "the start fails with the filter's errno, and comes back: %#x", status);
    if (ended == 0)
        child_status(pid);
}

/* The step that failed first counts, also when later ones would fail too. */
static void first_failure_counts(void) {
    runner_t *runner = guest("exit", "0");
    runner_set_args(runner, (const char *const[]){"/no/such/program", NULL});
    runner_set_workdir(runner, "/no/such/place");
    ok_failed(run(runner), RUNNER_STAGE_CHDIR, -1, ENOENT);
    const int files[] = {0, 1, 2, 3000};
    runner_set_files(runner, files, 4);
    ok_failed(run(runner), RUNNER_STAGE_DUP, 3, EBADF);
    runner_free(runner);
}

/* Each run with one more thing wrong or right: nothing is kept from the run before. */
static void runner_usable_after_failures(void) {
    runner_t *runner = guest("exit", "4");
    for (int i = 0; i < 20; i++) {
        runner_set_workdir(runner, "/no/such/place");
        ok_failed(run(runner), RUNNER_STAGE_CHDIR, -1, ENOENT);
        runner_set_workdir(runner, "/");
        ok(exited(run(runner), 4), "it starts when put right");
        ok(last_error.stage == RUNNER_STAGE_NONE && last_error.err == 0 && last_error.message[0] == '\0',
           "and the error is empty again");
    }
    runner_free(runner);
}

static void failed_starts_with_pidfd_and_held(void) {
    runner_t *runner = guest("exit", "0");
    runner_set_workdir(runner, "/no/such/place");
    int pidfd = -7;
    pid_t pid = -7;
    struct counts before = counts_now();
    ok_failed(runner_start_pidfd(runner, &pid, &pidfd, &last_error), RUNNER_STAGE_CHDIR, -1, ENOENT);
    ok(pid == -7 && pidfd == -7, "pid and pidfd are not written");
    runner_held_t *held = (runner_held_t *)1;
    ok_failed(runner_start_held(runner, &held, &last_error), RUNNER_STAGE_CHDIR, -1, ENOENT);
    ok(held == NULL, "there is no handle");
    ok_nothing_left(before);
    runner_free(runner);
}

/* ------------------------------------------------------------------ limits, ids and numbers */

/* Whether this process may raise its hard limits: the control. */
static bool may_raise_limits(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_max++;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static void hard_limit_in_child(void) {
    struct rlimit low = {500, 500};
    ok_int(setrlimit(RLIMIT_NOFILE, &low), 0, "a low hard limit");
    if (may_raise_limits())
        SKIP("CAP_SYS_RESOURCE: every limit can be raised");
    runner_t *runner = guest("rlimits");
    accepted(runner_add_rlimit(runner, RLIMIT_CORE, 0, 0));
    accepted(runner_add_rlimit(runner, RLIMIT_NOFILE, 400, 501));
    ok_failed(run(runner), RUNNER_STAGE_RLIMIT, 1, EPERM);
    accepted(runner_clear_rlimits(runner));
    accepted(runner_add_rlimit(runner, RLIMIT_NOFILE, 400, 500));
    ok(exited(run_output(runner, out, sizeof out), 0), "up to the hard limit it starts");
    ok_value(out, "rlimit.7.soft", "400");
    ok_value(out, "rlimit.7.hard", "500");
    runner_free(runner);
}

static void hard_limit(void) {
    in_child(hard_limit_in_child);
}

/* 10,000 pieces that are mounts, and then one that cannot be: its number is told. */
static void many_mounts(void) {
    if (!is_root() && !have_userns())
        SKIP("no user namespaces here");
    enum { MOUNTS = 10000 };
    runner_t *runner = guest("ls", "/m");
    accepted(runner_set_unshare_flags(runner, userns_if_needed() | CLONE_NEWNS));
    accepted(runner_set_pivot_root(runner, root_point()));
    for (int i = 0; i < MOUNTS; i++) {
        char target[32];
        snprintf(target, sizeof target, "m/%05d", i);
        if (runner_add_bind(runner, guest_path(), i == 0 ? guest_path() : target, RUNNER_BIND_RO) != 0)
            ok(false, "mount %d is added", i);
    }
    ok(exited(run_output(runner, out, sizeof out), 0), "it runs");
    ok(strncmp(out, "ls=00001,00002,", 15) == 0 && strstr(out, ",09999\n") != NULL, "with all of them: %.60s", out);
    accepted(runner_add_bind(runner, "/no/such/source", "x", 0));
    ok_failed(run(runner), RUNNER_STAGE_MOUNT, MOUNTS, ENOENT);
    runner_free(runner);
}

/* ------------------------------------------------------------------ the struct */

static runner_t *failing_runner(void) {
    return runner_for((const char *const[]){"/no/such/program", NULL});
}

static void error_may_be_null(void) {
    runner_t *bad = failing_runner(), *good = guest("exit", "2");
    ok_int(runner_start(bad, NULL), -ENOENT, "a failure without a struct");
    ok(exited(child_status(runner_start(good, NULL)), 2), "a success without a struct");
    runner_free(bad);
    runner_free(good);
}

static void error_of_size_zero(void) {
    struct { runner_error_t error; char guard[64]; } box;
    memset(&box, 0x55, sizeof box);
    box.error.size = 0;
    runner_t *runner = failing_runner();
    ok_int(runner_start(runner, &box.error), -ENOENT, "it fails");
    ok_int(sizeof box.error, 256, "the first layout");
    ok(box.error.size == 0, "the size stays as it is");
    ok(box.error.stage == RUNNER_STAGE_EXEC && box.error.index == -1 && box.error.err == ENOENT, "it is filled");
    ok(box.error.message[0] != '\0' && memchr(box.error.message, '\0', sizeof box.error.message) != NULL,
       "with a terminated message");
    for (size_t i = 0; i < sizeof box.guard; i++)
        if (!ok(box.guard[i] == 0x55, "byte %zu beyond is not written", i))
            break;
    runner_free(runner);
}

/* The struct of a header that is newer than the library. */
static void error_of_the_future(void) {
    struct { runner_error_t error; char more[100]; char guard[64]; } box;
    memset(&box, 0x55, sizeof box);
    box.error.size = (uint32_t)offsetof(__typeof__(box), guard);
    runner_t *runner = failing_runner();
    ok_int(runner_start(runner, &box.error), -ENOENT, "it fails");
    ok_int(box.error.size, offsetof(__typeof__(box), guard), "the size stays as it is");
    ok(box.error.stage == RUNNER_STAGE_EXEC && box.error.index == -1 && box.error.err == ENOENT, "it is filled");
    for (size_t i = 0; i < sizeof box.more; i++)
        if (!ok(box.more[i] == 0, "byte %zu that the library does not know is zero", i))
            break;
    for (size_t i = 0; i < sizeof box.guard; i++)
        if (!ok(box.guard[i] == 0x55, "byte %zu beyond is not written", i))
            break;
    runner_free(runner);
}

static void error_too_small(void) {
    static const uint32_t sizes[] = {1, 4, 16, 255};
    runner_t *runner = guest("exit", "0");
    struct counts before = counts_now();
    for (size_t i = 0; i < COUNT(sizes); i++) {
        runner_error_t error, untouched;
        memset(&error, 0x55, sizeof error);
        error.size = sizes[i];
        untouched = error;
        runner_held_t *held = NULL;
        int pidfd;
        ok_int(runner_start(runner, &error), -EINVAL, "a size of %u is no layout", sizes[i]);
        ok_int(runner_start_pidfd(runner, NULL, &pidfd, &error), -EINVAL, "with a pidfd neither");
        ok_int(runner_start_held(runner, &held, &error), -EINVAL, "and held neither");
        ok(held == NULL, "no handle");
        ok(memcmp(&error, &untouched, sizeof error) == 0, "nothing is written");
    }
    ok_nothing_left(before);
    runner_free(runner);
}

static void error_after_success(void) {
    runner_error_t error;
    memset(&error, 0x55, sizeof error);
    error.size = sizeof error;
    runner_t *runner = guest("exit", "0");
    pid_t pid = runner_start(runner, &error);
    ok(exited(child_status(pid), 0), "it runs");
    ok(error.stage == RUNNER_STAGE_NONE && error.err == 0 && error.message[0] == '\0', "no error: stage %u, errno %d",
       error.stage, error.err);
    ok_int(error.index, -1, "no index");
    runner_free(runner);
}

/* A message that does not fit is cut and terminated, never between the bytes of a character. */
static void long_message(void) {
    static char path[1001];
    for (size_t i = 0; i < 1000; i += 2)
        memcpy(path + i, i % 200 == 198 ? "//" : "\xc3\xa4", 2);
    runner_t *runner = guest("exit", "0");
    for (size_t shift = 0; shift < 2; shift++) {
        char shifted[1002];
        snprintf(shifted, sizeof shifted, "%s%s", shift != 0 ? "x" : "", path);
        accepted(runner_set_workdir(runner, shifted));
        ok_failed(run(runner), RUNNER_STAGE_CHDIR, -1, ENOENT);
        size_t length = strnlen(last_error.message, sizeof last_error.message);
        ok(length > 100 && length < sizeof last_error.message, "terminated after %zu bytes", length);
        ok((unsigned char)last_error.message[length - 1] != 0xc3, "not cut inside a character");
    }
    runner_free(runner);
}

/* ------------------------------------------------------------------ printing */

static void format_is_like_snprintf(void) {
    runner_error_t error = RUNNER_ERROR_INIT;
    error.stage = RUNNER_STAGE_MOUNT;
    error.index = 2;
    error.err = ENOENT;
    strcpy(error.message, "no such thing");
    const char *want = "mount[2]: no such thing (errno 2)";
    char line[64];
    int length = (int)strlen(want);
    ok_int(runner_error_format(&error, NULL, 0), length, "the length alone");
    for (int size = 0; size <= length + 5; size++) {
        memset(line, '!', sizeof line);
        ok_int(runner_error_format(&error, line, (size_t)size), length, "the whole length with %d bytes", size);
        int kept = size == 0 ? 0 : size - 1 < length ? size - 1 : length;
        ok(memcmp(line, want, (size_t)kept) == 0, "what fits into %d bytes is right", size);
        ok(size == 0 || line[kept] == '\0', "%d bytes end with NUL", size);
        ok(line[size < length + 1 ? size : length + 1] == '!', "nothing is written beyond %d bytes", size);
    }
    error.index = -1;
    runner_error_format(&error, line, sizeof line);
    ok_str(line, "mount: no such thing (errno 2)", "without an index");
    error.stage = 9999;
    runner_error_format(&error, line, sizeof line);
    ok_str(line, "unknown: no such thing (errno 2)", "a stage of the future");
    ok_int(runner_error_format(&error, NULL, 10), -EINVAL, "a length without a buffer");
}

static void format_of_an_unterminated_message(void) {
    runner_error_t error = RUNNER_ERROR_INIT;
    error.err = 1;
    memset(error.message, 'm', sizeof error.message);
    char line[512];
    int length = runner_error_format(&error, line, sizeof line);
    ok(length > 0 && length < 300, "it ends with the struct: %d", length);
}

static void stage_names(void) {
    static const struct { uint32_t stage; uint32_t number; const char *name; } stages[] = {
        {RUNNER_STAGE_NONE, 0, "none"}, {RUNNER_STAGE_OPTIONS, 1, "options"}, {RUNNER_STAGE_MEMORY, 2, "memory"},
        {RUNNER_STAGE_THREAD, 3, "thread"}, {RUNNER_STAGE_CLONE, 4, "clone"}, {RUNNER_STAGE_ID_MAP, 5, "id_map"},
        {RUNNER_STAGE_SETGROUPS, 6, "setgroups"}, {RUNNER_STAGE_SETGID, 7, "setgid"},
        {RUNNER_STAGE_SETUID, 8, "setuid"}, {RUNNER_STAGE_DUP, 9, "dup"}, {RUNNER_STAGE_CLOSE, 10, "close"},
        {RUNNER_STAGE_SETSID, 11, "setsid"}, {RUNNER_STAGE_SETPGID, 12, "setpgid"}, {RUNNER_STAGE_CTTY, 13, "ctty"},
        {RUNNER_STAGE_MOUNT, 14, "mount"}, {RUNNER_STAGE_MKDIR, 15, "mkdir"}, {RUNNER_STAGE_FILE, 16, "file"},
        {RUNNER_STAGE_SYMLINK, 17, "symlink"}, {RUNNER_STAGE_PIVOT_ROOT, 18, "pivot_root"},
        {RUNNER_STAGE_SETHOSTNAME, 19, "sethostname"}, {RUNNER_STAGE_SETDOMAINNAME, 20, "setdomainname"},
        {RUNNER_STAGE_CHDIR, 21, "chdir"}, {RUNNER_STAGE_RLIMIT, 22, "rlimit"},
        {RUNNER_STAGE_NO_NEW_PRIVS, 23, "no_new_privs"}, {RUNNER_STAGE_CAPABILITIES, 24, "capabilities"},
        {RUNNER_STAGE_PTRACE, 25, "ptrace"}, {RUNNER_STAGE_STOP, 26, "stop"}, {RUNNER_STAGE_SECCOMP, 27, "seccomp"},
        {RUNNER_STAGE_SYNC, 28, "sync"}, {RUNNER_STAGE_CGROUP, 29, "cgroup"}, {RUNNER_STAGE_EXEC, 30, "exec"},
        {RUNNER_STAGE_SIGNALS, 31, "signals"}, {RUNNER_STAGE_UNSHARE, 32, "unshare"},
        {RUNNER_STAGE_LOOPBACK, 33, "loopback"}, {RUNNER_STAGE_UMASK, 34, "umask"}, {RUNNER_STAGE_NICE, 35, "nice"},
        {RUNNER_STAGE_OOM_SCORE_ADJ, 36, "oom_score_adj"}, {RUNNER_STAGE_AFFINITY, 37, "affinity"},
        {RUNNER_STAGE_PERSONALITY, 38, "personality"}, {RUNNER_STAGE_SCHEDULER, 39, "scheduler"},
        {RUNNER_STAGE_DEATH_SIGNAL, 40, "death_signal"}, {RUNNER_STAGE_PIDFD, 41, "pidfd"},
    };
    for (size_t i = 0; i < COUNT(stages); i++) {
        ok_int(stages[i].stage, stages[i].number, "the number of %s is part of the ABI", stages[i].name);
        ok_str(runner_stage_name(stages[i].number), stages[i].name, "the name of stage %u", stages[i].number);
    }
    ok_str(runner_stage_name(100000), "unknown", "no stage");
    ok_str(runner_stage_name(UINT32_MAX), "unknown", "no stage");
}

static const struct test tests[] = {
    {"a bad program would fail with another error, leave something, or spoil the runner", bad_programs},
    {"an empty name would be executed, or refused where the program is an fd", empty_program_name},
    {"an overlong program path would be cut", overlong_program},
    {"arguments that are too long would be reported at another place", arguments_too_long},
    {"a binary that is being written would hang the start or fail it needlessly", busy_program},
    {"a failing step would be reported at another place, or leave something", every_failure},
    {"a filter that forbids even the exit would hang the start", filter_against_everything},
    {"a later failure would hide the first", first_failure_counts},
    {"a failed run would spoil the next of the same runner", runner_usable_after_failures},
    {"a failed start would write its results", failed_starts_with_pidfd_and_held},
    {"a limit above the hard one would pass or be reported at another index", hard_limit},
    {"ten thousand mounts would fail, or an error in them lose its number", many_mounts},
    {"an error struct would be needed", error_may_be_null},
    {"an error struct of size 0 would not be filled", error_of_size_zero},
    {"a newer error struct would keep garbage", error_of_the_future},
    {"a smaller error struct would be overrun", error_too_small},
    {"a success would leave an old error", error_after_success},
    {"a long message would not be terminated", long_message},
    {"formatting an error would overrun or misreport its buffer", format_is_like_snprintf},
    {"formatting an unterminated message would overrun", format_of_an_unterminated_message},
    {"a stage would change its number or name", stage_names},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
