/* Every kind of start that the host waits for itself, failures included, and what starts nothing. Include after
 * filters.h and outcomes.h. */

#ifndef STARTS_H
#define STARTS_H

#include <pthread.h>
#include <sys/personality.h>
#include <sys/ptrace.h>

/* ------------------------------------------------------------------ plain starts */

static void plain(struct worker *w) {
    start_and_free(w, load("exit", "3"));
}

static void shared(struct worker *w) {
    start_and_reap(w, place.shared);
}

static void pidfd(struct worker *w) {
    pid_t pid = 0;
    int fd = -1, result;
    siginfo_t info = {.si_pid = 0};
    runner_t *runner = load("exit", "3");
    if ((result = runner_start_pidfd(runner, &pid, &fd, &last_error)) < 0) {
        refused(w, result);
    } else {
        struct pollfd end = {.fd = fd, .events = POLLIN};
        while (poll(&end, 1, -1) < 0 && errno == EINTR)
            continue;
        int waited = waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED);
        outcome(w, "exit %d", info.si_status);
        must(w, waited == 0 && info.si_pid == pid && info.si_code == CLD_EXITED, "what waitid says");
        close(fd);
    }
    runner_free(runner);
}

static void many_options(runner_t *runner) {
    runner_set_env(runner, (const char *const[]){"A=1", "B=2", NULL});
    runner_set_files(runner, (int[]){place.null, place.null, place.null, -1, place.null}, 5);
    runner_set_workdir(runner, "/");
    runner_add_rlimit(runner, RLIMIT_NOFILE, 64, 64);
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    runner_set_umask(runner, 027);
    runner_set_nice(runner, 5);
    runner_set_oom_score_adj(runner, 500);
    runner_set_personality(runner, ADDR_NO_RANDOMIZE);
    runner_set_drop_caps(runner, true);
}

static void options(struct worker *w) {
    runner_t *runner = load("exit", "3");
    many_options(runner);
    start_and_free(w, runner);
}

static void clones(struct worker *w) {
    runner_t *copy = runner_clone(place.shared), *again = runner_clone(copy);
    runner_set_args(again, (const char *const[]){load_path(), load_tag(), "exit", "4", NULL});
    runner_free(copy);
    start_and_free(w, again);
}

static void exec_fd(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_exec_fd(runner, place.program);
    start_and_free(w, runner);
}

/* The thread that starts it outlives it. */
static void death_signal(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_death_signal(runner, SIGKILL);
    start_and_free(w, runner);
}

static void in_cgroup(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_cgroup_path(runner, place.group.path);
    start_and_free(w, runner);
}

static void credential(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_credential(runner, 1000 + (uint32_t)w->number, 1000, (const uint32_t[]){1001}, 1);
    start_and_free(w, runner);
}

static void filtered(runner_t *runner, uint32_t action) {
    struct filter filter = filter_on(action, SYS_uname);
    set_filter(runner, &filter);
}

static void filter(struct worker *w) {
    runner_t *runner = load("uname", "exit", "3");
    filtered(runner, SECCOMP_RET_ERRNO | EXDEV);
    start_and_free(w, runner);
}

static void filter_kills(struct worker *w) {
    runner_t *runner = load("uname", "exit", "3");
    filtered(runner, SECCOMP_RET_KILL_PROCESS);
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    start_and_free(w, runner);
}

static void keyring(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_new_session_keyring(runner, true);
    start_and_free(w, runner);
}

/* ------------------------------------------------------------------ callbacks and held starts */

static int agree(pid_t pid, void *ctx) {
    *(pid_t *)ctx = pid;
    return 0;
}

static int refuse(pid_t pid, void *ctx) {
    *(pid_t *)ctx = pid;
    return EACCES;
}

static int kill_it(pid_t pid, void *ctx) {
    (void)ctx;
    return kill(pid, SIGKILL);
}

static void called_back(struct worker *w, int (*func)(pid_t, void *)) {
    pid_t called = 0;
    runner_t *runner = load("exit", "3");
    runner_set_sync_func(runner, func, &called);
    start_and_free(w, runner);
}

static void callback(struct worker *w) {
    called_back(w, agree);
}

static void callback_refuses(struct worker *w) {
    called_back(w, refuse);
}

static void callback_kills(struct worker *w) {
    called_back(w, kill_it);
}

static runner_held_t *hold(struct worker *w) {
    runner_held_t *held = NULL;
    runner_t *runner = load("exit", "3");
    int result = runner_start_held(runner, &held, &last_error);
    if (result < 0)
        refused(w, result);
    runner_free(runner);
    return held;
}

static void resume(struct worker *w, runner_held_t *held) {
    pid_t pid = runner_held_resume(held, &last_error);
    if (pid < 0)
        refused(w, pid);
    else
        reap(w, pid);
}

static void held_resumed(struct worker *w) {
    runner_held_t *held = hold(w);
    if (held != NULL)
        resume(w, held);
}

static void held_aborted(struct worker *w) {
    siginfo_t info;
    runner_held_t *held = hold(w);
    if (held == NULL)
        return;
    pid_t pid = runner_held_pid(held);
    runner_held_abort(held);
    outcome(w, "aborted");
    must(w, waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD, "a child is left");
}

static void held_killed(struct worker *w) {
    runner_held_t *held = hold(w);
    if (held == NULL)
        return;
    kill(runner_held_pid(held), SIGKILL);
    resume(w, held);
}

/* Each leaves its own for the next, and ends the one that was left. */
static _Atomic(runner_held_t *) handed_held;

static void held_by_another(struct worker *w) {
    runner_held_t *held = hold(w);
    if (held == NULL)
        return;
    outcome(w, "handed on");
    if ((held = atomic_exchange(&handed_held, held)) != NULL)
        resume(w, held);
}

/* ------------------------------------------------------------------ tracing and stopping */

/* Lets it go on at each stop. "2 stops, exit 3". */
static void drive(struct worker *w, pid_t pid, bool traced) {
    int status = 0, stops = 0;
    while (waitpid(pid, &status, WUNTRACED | __WALL) == pid && WIFSTOPPED(status)) {
        stops++;
        if ((traced ? (int)ptrace(PTRACE_CONT, pid, 0, 0) : kill(pid, SIGCONT)) != 0)
            break;
    }
    ended(w, status);
    char end[32];
    snprintf(end, sizeof end, "%.31s", w->outcome);
    outcome(w, "%d stop%s, %s", stops, stops == 1 ? "" : "s", end);
}

static void driven(struct worker *w, runner_t *runner, bool traced) {
    pid_t pid = start(runner);
    runner_free(runner);
    if (pid < 0)
        refused(w, pid);
    else
        drive(w, pid, traced);
}

static void traced(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_ptrace(runner, true);
    driven(w, runner, true);
}

static void traced_filter(struct worker *w) {
    runner_t *runner = load("uname", "exit", "3");
    runner_set_ptrace(runner, true);
    filtered(runner, SECCOMP_RET_ERRNO | EXDEV);
    driven(w, runner, true);
}

static void detached(struct worker *w) {
    int status = 0;
    runner_t *runner = load("exit", "3");
    runner_set_ptrace(runner, true);
    pid_t pid = start(runner);
    runner_free(runner);
    if (pid < 0) {
        refused(w, pid);
        return;
    }
    bool good = waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) && ptrace(PTRACE_DETACH, pid, 0, 0) == 0;
    reap(w, pid);
    must(w, good, "it stops and is let go");
}

static void traced_missing(struct worker *w) {
    runner_t *runner = runner_for((const char *const[]){"/no/such/program", NULL});
    runner_set_ptrace(runner, true);
    start_and_free(w, runner);
}

static void stopped(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_stop_before_seccomp(runner, true);
    filtered(runner, SECCOMP_RET_ERRNO | EXDEV);
    driven(w, runner, false);
}

/* ------------------------------------------------------------------ namespaces and roots */

static void user_namespace(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_unshare_flags(runner, CLONE_NEWUSER);
    start_and_free(w, runner);
}

static runner_t *rooted(const char *const *argv, uint64_t flags) {
    runner_t *runner = runner_for(argv);
    runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWPID | userns_if_needed() | flags);
    runner_set_pivot_root(runner, place.root);
    runner_add_bind(runner, load_path(), "/load", RUNNER_BIND_RO);
    return runner;
}
#define inside(flags, ...) rooted((const char *const[]){"/load", load_tag(), __VA_ARGS__, NULL}, (flags))

static void small_root(struct worker *w) {
    start_and_free(w, inside(0, "exit", "3"));
}

static void furnish(runner_t *runner) {
    runner_add_tmpfs(runner, "/tmp", 1 << 20, 01777);
    runner_add_dev(runner, "/dev");
    if (place.proc)
        runner_add_proc(runner, "/proc", RUNNER_PROC_MASK);
    runner_add_dir(runner, "/home/guest", 0755);
    runner_add_symlink(runner, "guest", "/home/link");
    runner_add_file(runner, "/etc/passwd", "root:x:0:0::/:\n", 15, 0644);
    runner_add_mount(runner, "tmpfs", "/mnt", "tmpfs", MS_NODEV, "mode=755");
    runner_add_bind(runner, "/no/such/source", "/missing", RUNNER_BIND_OPTIONAL);
    runner_set_workdir(runner, "/home/guest");
}

static runner_t *whole_root(void) {
    runner_t *runner = inside(place.namespaces, "file", "/tmp/x", "1000", "exit", "3");
    furnish(runner);
    runner_set_hostname(runner, "host");
    runner_set_domainname(runner, "domain");
    runner_set_loopback_up(runner, true);
    return runner;
}

static void all_namespaces(struct worker *w) {
    start_and_free(w, whole_root());
}

static void bad_mount(struct worker *w) {
    runner_t *runner = inside(0, "exit", "3");
    runner_add_bind(runner, "/no/such/source", "/x", RUNNER_BIND_RO);
    start_and_free(w, runner);
}

/* Halfway, when much of the root is there. */
static void bad_file_system(struct worker *w) {
    runner_t *runner = inside(0, "exit", "3");
    runner_add_tmpfs(runner, "/tmp", 1 << 20, 01777);
    runner_add_dev(runner, "/dev");
    runner_add_mount(runner, "none", "/x", "no-such-type", 0, NULL);
    start_and_free(w, runner);
}

/* ------------------------------------------------------------------ starts that fail */

static void missing_file(struct worker *w) {
    start_and_free(w, runner_for((const char *const[]){"/no/such/program", NULL}));
}

static void bad_rlimit(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    runner_add_rlimit(runner, RLIMIT_NOFILE, UINT64_MAX, UINT64_MAX); /* above fs.nr_open */
    start_and_free(w, runner);
}

static void bad_file(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_files(runner, (int[]){place.null, 1048000}, 2);
    start_and_free(w, runner);
}

static void bad_options(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_hostname(runner, "host"); /* without CLONE_NEWUTS */
    start_and_free(w, runner);
}

static void bad_cgroup(struct worker *w) {
    runner_t *runner = load("exit", "3");
    runner_set_cgroup_path(runner, "/no/such/cgroup");
    start_and_free(w, runner);
}

/* ------------------------------------------------------------------ nothing is started */

static void explain(struct worker *w) {
    char text[1 << 16];
    runner_t *runner = whole_root();
    many_options(runner);
    int length = runner_explain(runner, text, sizeof text);
    outcome(w, "explained");
    must(w, length > 0 && (size_t)length < sizeof text && strstr(text, " execve(\"/load\"") != NULL, "the last step");
    runner_free(runner);
}

static void probe(struct worker *w) {
    runner_probe_t probe = RUNNER_PROBE_INIT;
    int result = runner_probe(&probe);
    outcome(w, "probed");
    must(w, result == 0 && probe.kernel != 0 && probe.seccomp == 1, "what the probe says");
}

#endif
