/* Every kind of start: what it does, how often, and what has to come of it, in words. Include after filters.h, poke.h
 * and run.h. */

#ifndef KINDS_H
#define KINDS_H

#include <linux/capability.h>
#include <sys/personality.h>
#include <sys/ptrace.h>

/* What all threads share, made before them and dropped after them. */
static struct {
    char dir[64], root[80];
    int program, null;
    struct cgroup group;
    bool grouped, proc;
    runner_t *shared;
    uint64_t namespaces;
} place;

/* A thread that starts. */
struct worker {
    size_t number;
    char file[96];    /* of its own */
    char outcome[96]; /* of its last start */
    char detail[512]; /* for a person */
};

/* ------------------------------------------------------------------ outcomes */

TAP_PRINTF(2, 3) static void outcome(struct worker *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(w->outcome, sizeof w->outcome, format, args);
    va_end(args);
}

/* "exec: ENOENT", "mount[1]: ENOENT". */
static void refused(struct worker *w, int result) {
    const char *name = strerrorname_np(last_error.err);
    if (result != -last_error.err || last_error.err == 0)
        outcome(w, "result %d, errno %d", result, last_error.err);
    else if (last_error.index < 0)
        outcome(w, "%s: %s", runner_stage_name(last_error.stage), name);
    else
        outcome(w, "%s[%d]: %s", runner_stage_name(last_error.stage), last_error.index, name);
    runner_error_format(&last_error, w->detail, sizeof w->detail);
}

static void ended(struct worker *w, int status) {
    if (WIFEXITED(status))
        outcome(w, "exit %d", WEXITSTATUS(status));
    else
        outcome(w, "signal %d", WTERMSIG(status));
}

/* Waits for the end of a pid of which only this thread knows. */
static void reap(struct worker *w, pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, __WALL) < 0)
        if (errno != EINTR) {
            outcome(w, "waitpid: %s", strerrorname_np(errno));
            return;
        }
    ended(w, status);
}

static void start_and_reap(struct worker *w, const runner_t *runner) {
    pid_t pid = start(runner);
    if (pid < 0)
        refused(w, pid);
    else
        reap(w, pid);
}

static void start_and_free(struct worker *w, runner_t *runner) {
    start_and_reap(w, runner);
    runner_free(runner);
}

/* "exit 3", "wall_limit by wall timer". */
static void judged(struct worker *w, const runner_result_t *r) {
    if (r->verdict == RUNNER_VERDICT_FINISHED && r->evidence == RUNNER_EVIDENCE_EXIT_CODE)
        outcome(w, "exit %d", r->exit_code);
    else
        outcome(w, "%s by %s", runner_verdict_name(r->verdict), runner_evidence_name(r->evidence));
    snprintf(w->detail, sizeof w->detail, "exit code %d, signal %d, wall %.1f ms, CPU %.1f ms, memory %llu, missing %#x %s",
             r->exit_code, r->signal, (double)r->wall_ns / 1e6, (double)r->cpu_ns / 1e6,
             (unsigned long long)r->memory_peak, r->missing, r->reason);
}

/* To its end, with the result in `r`. */
static void watch(struct worker *w, const runner_t *runner, runner_result_t *r) {
    *r = (runner_result_t)RUNNER_RESULT_INIT;
    int result = runner_run(runner, r, &last_error);
    if (result < 0)
        refused(w, result);
    else
        judged(w, r);
}

static void watch_and_free(struct worker *w, runner_t *runner) {
    runner_result_t r;
    watch(w, runner, &r);
    runner_free(runner);
}

static void must(struct worker *w, bool good, const char *what) {
    if (!good)
        outcome(w, "wrong: %s", what);
}

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
static _Atomic(runner_process_t *) handed_process;

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

/* ------------------------------------------------------------------ watched runs */

/* Generous: nothing of it is to be hit, on a loaded machine neither. */
static void limit_all(runner_t *runner) {
    runner_set_wall_limit(runner, UINT64_C(60000000000));
    runner_set_cpu_limit(runner, UINT64_C(10000000000));
    runner_set_memory_limit(runner, 64 << 20);
    runner_set_process_limit(runner, is_root() ? 16 : 10000); /* RLIMIT_NPROC counts all of the user's */
    runner_set_output_limit(runner, 4 << 20);
}

static void watched(struct worker *w) {
    runner_t *runner = load("exit", "3");
    limit_all(runner);
    watch_and_free(w, runner);
}

/* What goes in has to come out. */
static void echo(struct worker *w, size_t size) {
    const void *data = NULL;
    size_t length = 0;
    runner_result_t r = RUNNER_RESULT_INIT;
    runner_t *runner = load("cat", "say", "2", "done", "exit", "3");
    char *bytes = malloc(size + 1);
    memset(bytes, 'a' + (int)w->number % 26, size);
    limit_all(runner);
    runner_set_stdin_bytes(runner, bytes, size);
    runner_capture(runner, 1, size);
    runner_capture_head(runner, 2, 100);
    runner_process_t *process = runner_spawn(runner, &last_error);
    if (process == NULL) {
        refused(w, -last_error.err);
    } else if (runner_process_wait(process, -1, &r) == 1) {
        judged(w, &r);
        must(w, runner_process_output(process, 1, &data, &length) == 0 && length == size &&
                    memcmp(data, bytes, size) == 0, "its output");
        must(w, runner_process_output(process, 2, &data, &length) == 0 && strcmp(data, "done") == 0, "its errors");
    }
    runner_process_free(process);
    runner_free(runner);
    free(bytes);
}

static void input(struct worker *w) {
    echo(w, 1000);
}

static void large_input(struct worker *w) {
    echo(w, 1 << 20);
}

/* The host's own loop. */
static void stepped(struct worker *w) {
    runner_result_t r = RUNNER_RESULT_INIT;
    runner_t *runner = load("sleep", "2", "write", "1", "1000", "exit", "3");
    runner_capture(runner, 1, 1000);
    runner_set_wall_limit(runner, UINT64_C(60000000000));
    runner_process_t *process = runner_spawn(runner, &last_error);
    runner_free(runner);
    if (process == NULL) {
        refused(w, -last_error.err);
        return;
    }
    struct pollfd due = {.fd = runner_process_fd(process), .events = POLLIN};
    while (runner_process_step(process, &r) == 0)
        poll(&due, 1, -1);
    judged(w, &r);
    must(w, r.output_bytes == 1000, "the length of its output");
    runner_process_free(process);
}

static void wall_limit(struct worker *w) {
    runner_t *runner = load("bg", "pause", "end", "pause");
    runner_set_wall_limit(runner, 10 * MS);
    watch_and_free(w, runner);
}

static void cpu_limit(struct worker *w) {
    runner_t *runner = load("spin", "60000");
    runner_set_cpu_limit(runner, 20 * MS);
    runner_set_wall_limit(runner, UINT64_C(2000000000));
    watch_and_free(w, runner);
}

static void memory_limit(struct worker *w) {
    runner_t *runner = load("touch", "20", "exit", "3");
    runner_set_memory_limit(runner, 8 << 20);
    watch_and_free(w, runner);
}

/* Without a pids cgroup the kernel refuses too, but nobody counts it. */
static void process_limit(struct worker *w) {
    runner_t *runner = load("forks", "20");
    runner_set_process_limit(runner, 6);
    watch_and_free(w, runner);
}

static void output_limit(struct worker *w) {
    runner_t *runner = load("write", "1", "100000000", "exit", "3");
    runner_capture(runner, 1, 1 << 20);
    runner_capture(runner, 2, 1 << 20);
    runner_set_output_limit(runner, 10000);
    watch_and_free(w, runner);
}

static void capture_limit(struct worker *w) {
    runner_t *runner = load("write", "1", "100000000", "exit", "3");
    runner_capture(runner, 1, 10000);
    watch_and_free(w, runner);
}

static void capture_head(struct worker *w) {
    runner_result_t r;
    runner_t *runner = load("write", "1", "200000", "exit", "3");
    runner_capture_head(runner, 1, 10000);
    watch(w, runner, &r);
    must(w, r.output_bytes == 10000 && r.output_cut == 1, "what is kept");
    runner_free(runner);
}

static void file_limit(struct worker *w) {
    runner_t *runner = load("file", w->file, "200000", "exit", "3");
    runner_set_output_limit(runner, 10000);
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    watch_and_free(w, runner);
}

static void forbidden(struct worker *w) {
    runner_t *runner = load("uname", "exit", "3");
    filtered(runner, SECCOMP_RET_KILL_PROCESS);
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    runner_set_wall_limit(runner, UINT64_C(60000000000));
    watch_and_free(w, runner);
}

static void crashed(struct worker *w) {
    runner_t *runner = load("raise", "11");
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    runner_set_wall_limit(runner, UINT64_C(60000000000));
    watch_and_free(w, runner);
}

static void watched_missing(struct worker *w) {
    runner_t *runner = runner_for((const char *const[]){"/no/such/program", NULL});
    limit_all(runner);
    runner_capture(runner, 1, 1000);
    runner_set_stdin_bytes(runner, "input", 5);
    watch_and_free(w, runner);
}

/* All of them would stay for a minute. */
static runner_process_t *spawn_tree(struct worker *w) {
    runner_t *runner = load("bg", "pause", "end", "daemon", "pause", "end", "say", "1", "up", "pause");
    runner_capture(runner, 1, 1000);
    runner_set_wall_limit(runner, UINT64_C(60000000000));
    runner_process_t *process = runner_spawn(runner, &last_error);
    if (process == NULL)
        refused(w, -last_error.err);
    runner_free(runner);
    return process;
}

/* Until its whole tree is there. */
static void await_tree(runner_process_t *process) {
    const void *data = NULL;
    size_t length = 0;
    while (runner_process_wait(process, 1 * MS, NULL) == 0 &&
           runner_process_output(process, 1, &data, &length) == 0 && length == 0)
        continue;
}

static void killed(struct worker *w) {
    runner_result_t r = RUNNER_RESULT_INIT;
    runner_process_t *process = spawn_tree(w);
    if (process == NULL)
        return;
    await_tree(process);
    int result = runner_process_kill(process);
    if (runner_process_wait(process, -1, &r) == 1)
        judged(w, &r);
    must(w, result == 0, "runner_process_kill");
    runner_process_free(process);
}

static void freed(struct worker *w) {
    runner_process_t *process = spawn_tree(w);
    if (process == NULL)
        return;
    await_tree(process);
    runner_process_free(process);
    outcome(w, "freed");
}

static void freed_at_once(struct worker *w) {
    runner_process_t *process = spawn_tree(w);
    if (process == NULL)
        return;
    runner_process_free(process);
    outcome(w, "freed");
}

/* What the first process leaves behind goes with it. */
static void orphans(struct worker *w) {
    runner_t *runner = load("bg", "pause", "end", "daemon", "pause", "end", "exit", "3");
    limit_all(runner);
    watch_and_free(w, runner);
}

static void watched_by_another(struct worker *w) {
    runner_result_t r = RUNNER_RESULT_INIT;
    runner_t *runner = load("exit", "3");
    limit_all(runner);
    runner_process_t *process = runner_spawn(runner, &last_error);
    runner_free(runner);
    if (process == NULL) {
        refused(w, -last_error.err);
        return;
    }
    outcome(w, "handed on");
    if ((process = atomic_exchange(&handed_process, process)) == NULL)
        return;
    if (runner_process_wait(process, -1, &r) == 1)
        judged(w, &r);
    runner_process_free(process);
}

/* As a judge has it. */
static void judge(struct worker *w) {
    runner_t *runner = inside(CLONE_NEWIPC | CLONE_NEWUTS, "uname", "exit", "3");
    furnish(runner);
    limit_all(runner);
    runner_set_stdin_bytes(runner, "input", 5);
    runner_capture(runner, 1, 1000);
    runner_capture_head(runner, 2, 1000);
    runner_set_drop_caps(runner, true);
    filtered(runner, SECCOMP_RET_ERRNO | EXDEV);
    if (is_root())
        runner_set_credential(runner, 1000, 1000, NULL, 0);
    watch_and_free(w, runner);
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

/* ------------------------------------------------------------------ obstacles */

/* Why a kind cannot be had here; NULL where it can. */
static const char *no_root(void) {
    return is_root() ? NULL : "needs root";
}

static const char *no_userns(void) {
    return have_userns() ? NULL : "no user namespaces here";
}

static const char *no_mounts(void) {
    return is_root() ? NULL : no_userns();
}

static const char *no_group(void) {
    return place.grouped ? NULL : "no cgroup can be made here";
}

/* ------------------------------------------------------------------ the table */

enum { OUTCOMES = 4 };
/* load's `uname` where the filter refuses the call. */
#define REFUSED_UNAME "exit 1"

/* `often` in a hundred thousand. `starts`: how many processes the library starts by it. */
static const struct kind {
    const char *name;
    void (*run)(struct worker *);
    unsigned often, starts;
    const char *wanted[OUTCOMES]; /* one of them */
    const char *(*obstacle)(void);
} kinds[] = {
    {"plain", plain, 16000, 1, {"exit 3"}, NULL},
    {"one runner of all threads", shared, 12000, 1, {"exit 3"}, NULL},
    {"pidfd", pidfd, 8000, 1, {"exit 3"}, NULL},
    {"many options", options, 5000, 1, {"exit 3"}, NULL},
    {"clone of a clone", clones, 5000, 1, {"exit 4"}, NULL},
    {"exec fd", exec_fd, 4000, 1, {"exit 3"}, NULL},
    {"death signal", death_signal, 1000, 1, {"exit 3"}, NULL},
    {"cgroup path", in_cgroup, 500, 1, {"exit 3"}, no_group},
    {"credential", credential, 3000, 1, {"exit 3"}, no_root},
    {"filter", filter, 4000, 1, {REFUSED_UNAME}, NULL},
    {"filter that kills", filter_kills, 1000, 1, {"signal 31"}, NULL},
    {"session keyring", keyring, 300, 1, {"exit 3", "keyring: EDQUOT"}, NULL},
    {"callback", callback, 4000, 1, {"exit 3"}, NULL},
    {"callback that refuses", callback_refuses, 2000, 1, {"sync: EACCES"}, NULL},
    {"callback that kills", callback_kills, 1000, 1, {"sync: EPIPE"}, NULL},
    {"held, resumed", held_resumed, 3000, 1, {"exit 3"}, NULL},
    {"held, aborted", held_aborted, 2000, 1, {"aborted"}, NULL},
    {"held, killed", held_killed, 1000, 1, {"sync: EPIPE"}, NULL},
    {"held, by another thread", held_by_another, 1000, 1, {"exit 3", "handed on"}, NULL},
    {"traced", traced, 1000, 1, {"1 stop, exit 3"}, NULL},
    {"traced, filter", traced_filter, 500, 1, {"2 stops, " REFUSED_UNAME}, NULL},
    {"traced, detached", detached, 500, 1, {"exit 3"}, NULL},
    {"traced, missing file", traced_missing, 500, 1, {"exec: ENOENT"}, NULL},
    {"stop before the filter", stopped, 500, 1, {"1 stop, exit 3"}, NULL},
    {"user namespace", user_namespace, 1500, 1, {"exit 3"}, no_userns},
    {"small root", small_root, 1000, 1, {"exit 3"}, no_mounts},
    {"all namespaces, a root", all_namespaces, 300, 1, {"exit 3"}, no_userns},
    {"missing source of a bind", bad_mount, 500, 1, {"mount[1]: ENOENT"}, no_mounts},
    {"unknown file system", bad_file_system, 500, 1, {"mount[3]: ENODEV"}, no_mounts},
    {"missing file", missing_file, 5000, 1, {"exec: ENOENT"}, NULL},
    {"rlimit too high", bad_rlimit, 2000, 1, {"rlimit[1]: EPERM"}, NULL},
    {"file not open", bad_file, 2000, 1, {"dup[1]: EBADF"}, NULL},
    {"options that contradict", bad_options, 500, 1, {"options: EINVAL"}, NULL},
    {"missing cgroup", bad_cgroup, 500, 1, {"cgroup[0]: ENOENT"}, NULL},
    {"watched", watched, 1500, 1, {"exit 3"}, NULL},
    {"watched, input", input, 1000, 1, {"exit 3"}, NULL},
    {"watched, 1 MiB of input", large_input, 300, 1, {"exit 3"}, NULL},
    {"watched, stepped", stepped, 500, 1, {"exit 3"}, NULL},
    {"watched, by another thread", watched_by_another, 500, 1, {"exit 3", "handed on"}, NULL},
    {"wall limit", wall_limit, 300, 1, {"wall_limit by wall timer"}, NULL},
    {"CPU limit", cpu_limit, 300, 1, {"time_limit by CPU time", "wall_limit by wall timer"}, NULL},
    {"memory limit", memory_limit, 300, 1, {"memory_limit by OOM killer", "memory_limit by memory figure"}, NULL},
    {"process limit", process_limit, 300, 1, {"process_limit by pids events", "exit 11"}, NULL},
    {"output limit", output_limit, 300, 1, {"output_limit by capture"}, NULL},
    {"capture limit", capture_limit, 300, 1, {"output_limit by capture"}, NULL},
    {"head of the output", capture_head, 300, 1, {"exit 3"}, NULL},
    {"file size limit", file_limit, 300, 1, {"output_limit by file size"}, NULL},
    {"watched, forbidden call", forbidden, 300, 1, {"forbidden_syscall by seccomp filter"}, NULL},
    {"watched, crashed", crashed, 300, 1, {"signalled by signal"}, NULL},
    {"watched, missing file", watched_missing, 300, 1, {"exec: ENOENT"}, NULL},
    {"watched, orphans", orphans, 300, 1, {"exit 3"}, NULL},
    {"watched, killed", killed, 300, 1, {"killed by caller"}, NULL},
    {"watched, freed", freed, 300, 1, {"freed"}, NULL},
    {"watched, freed at once", freed_at_once, 300, 1, {"freed"}, NULL},
    {"judge", judge, 500, 1, {REFUSED_UNAME}, no_mounts},
    {"explain", explain, 500, 0, {"explained"}, NULL},
    {"probe", probe, 100, 2, {"probed"}, NULL},
};

#endif
