/* Tracing and stopping: who stops where, that it goes on from there, and that nothing is lost when it does not. */

#define _GNU_SOURCE
#include "tap.h"

#include "filters.h"
#include "poke.h"
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/user.h>

/* The namespaces with which each mode is tried: in a pid namespace the program is pid 1, whom no signal from inside
 * stops, SIGSTOP neither. */
static size_t flag_sets(uint64_t sets[4]) {
    size_t n = 0;
    if (is_root()) {
        sets[n++] = 0;
        sets[n++] = CLONE_NEWPID;
    } else {
        sets[n++] = 0;
    }
    if (have_userns()) {
        sets[n++] = CLONE_NEWUSER;
        sets[n++] = CLONE_NEWUSER | CLONE_NEWPID;
    }
    return n;
}

/* The next change of the process, stops too, within 10 s: its wait status, or -1. */
static int next_event(pid_t pid) {
    int status;
    for (int64_t deadline = now_ms() + 10000; now_ms() < deadline; usleep(200)) {
        pid_t got = waitpid(pid, &status, WNOHANG | WUNTRACED | __WALL);
        if (got == pid)
            return status;
        if (got < 0 && errno != EINTR)
            return -1;
    }
    diag("pid %d: no event for 10 s", (int)pid);
    return -1;
}

static bool stopped_by(int status, int signal) {
    return status >= 0 && WIFSTOPPED(status) && status >> 8 == signal;
}

static bool stopped_in(int status, int event) {
    return status >= 0 && status >> 8 == (SIGTRAP | event << 8);
}

/* Whether the process has its program already; without a privileged look this is all that tells. */
static bool runs_program(pid_t pid) {
    return strcmp(proc_link(pid, "exe"), poke_path()) == 0;
}

static void ok_traced_by_me(pid_t pid) {
    ok_int(atoi(status_line(pid, "TracerPid")), syscall(SYS_gettid), "this thread is the tracer");
}

static runner_t *traced(uint64_t flags) {
    runner_t *runner = poke("exit 7");
    runner_set_unshare_flags(runner, flags);
    ok_int(runner_set_ptrace(runner, true), 0, "ptrace");
    return runner;
}

static int cont(pid_t pid) {
    return (int)ptrace(PTRACE_CONT, pid, 0, 0);
}

/* ------------------------------------------------------------------ ptrace without a filter */

static void ok_trap_at_exec(pid_t pid) {
    int status = next_event(pid);
    ok(stopped_by(status, SIGTRAP), "stops with SIGTRAP at its exec: %#x", status);
    ok(runs_program(pid), "its exec has happened: %s", proc_link(pid, "exe"));
    ok_traced_by_me(pid);
}

static void trap_at_exec(void) {
    uint64_t sets[4];
    size_t n = flag_sets(sets);
    for (size_t i = 0; i < n; i++) {
        runner_t *runner = traced(sets[i]);
        pid_t pid = start(runner);
        if (ok(pid > 0, "flags %#llx: starts", (unsigned long long)sets[i])) {
            ok_trap_at_exec(pid);
            ok_int(cont(pid), 0, "continues");
            ok(exited(next_event(pid), 7), "to its end");
        }
        runner_free(runner);
    }
}

/* What a tracer is for: every system call of the program, its exit among them. */
static void system_calls_seen(void) {
    runner_t *runner = traced(0);
    pid_t pid = start(runner);
    ok_trap_at_exec(pid);
    ok_int(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0, "options");
    int calls = 0, status = 0;
    while (calls < 10000 && ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0 && (status = next_event(pid)) > 0
           && stopped_by(status, SIGTRAP | 0x80))
        calls++;
    ok(calls > 10, "system calls are seen: %d", calls);
    ok(exited(status, 7), "and the end: %#x", status);
    runner_free(runner);
}

/* ------------------------------------------------------------------ ptrace with a filter */

#ifdef __x86_64__
static long call_number(pid_t pid) {
    struct user_regs_struct regs;
    return ptrace(PTRACE_GETREGS, pid, 0, &regs) == 0 ? (long)regs.orig_rax : -1;
}
#else
static long call_number(pid_t pid) {
    struct __ptrace_syscall_info info = {0};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0)
        return -1;
    return (long)info.seccomp.nr;
}
#endif

/* The next stop has to be the filter's, at this call, with this datum. */
static void ok_filter_event(pid_t pid, long call, unsigned long datum) {
    unsigned long got = 0;
    int status = next_event(pid);
    ok(stopped_in(status, PTRACE_EVENT_SECCOMP), "call %ld stops by the filter: %#x", call, status);
    ok_int(call_number(pid), call, "the call");
    ok(ptrace(PTRACE_GETEVENTMSG, pid, 0, &got) == 0 && got == datum, "the filter's datum: %lu", got);
    ok_int(cont(pid), 0, "continues");
}

static runner_t *traced_with_filter(uint64_t flags) {
    runner_t *runner = traced(flags);
    char op[32];
    snprintf(op, sizeof op, "syscall %d", SYS_getppid);
    struct filter filter = filter_on(SECCOMP_RET_TRACE | 42, SYS_execve, SYS_execveat, SYS_getppid);
    set_filter(runner, &filter);
    set_pokes(runner, poke_path(), (struct poke[]){{op, NULL}, {"exit 7", NULL}}, 2);
    return runner;
}

static void run_filter_events(pid_t pid) {
    const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    int status = next_event(pid);
    ok(stopped_by(status, SIGSTOP), "stops with SIGSTOP first: %#x", status);
    ok(!runs_program(pid), "before its exec");
    ok_str(status_line(pid, "Seccomp"), "0", "before its filter");
    ok_traced_by_me(pid);
    ok_int(ptrace(PTRACE_SETOPTIONS, pid, 0, options), 0, "options");
    ok_int(cont(pid), 0, "continues");
    ok_filter_event(pid, SYS_execve, 42);
    status = next_event(pid);
    ok(stopped_in(status, PTRACE_EVENT_EXEC), "then the exec's own stop: %#x", status);
    ok(runs_program(pid), "it is the program now");
    ok_int(cont(pid), 0, "continues");
    ok_filter_event(pid, SYS_getppid, 42);
    status = next_event(pid);
    ok(exited(status, 7), "to its end: %#x", status);
}

static void filter_events(void) {
    uint64_t sets[4];
    size_t n = flag_sets(sets);
    for (size_t i = 0; i < n; i++) {
        runner_t *runner = traced_with_filter(sets[i]);
        pid_t pid = start(runner);
        if (ok(pid > 0, "flags %#llx: starts", (unsigned long long)sets[i]))
            run_filter_events(pid);
        runner_free(runner);
    }
}

/* ------------------------------------------------------------------ stop_before_seccomp */

static runner_t *stopping(uint64_t flags) {
    runner_t *runner = poke("exit 7");
    runner_set_unshare_flags(runner, flags);
    ok_int(runner_set_stop_before_seccomp(runner, true), 0, "stop before seccomp");
    return runner;
}

static void ok_stopped(pid_t pid) {
    int status = next_event(pid);
    ok(stopped_by(status, SIGSTOP), "waitpid(2) with WUNTRACED sees it stop: %#x", status);
    ok(!runs_program(pid), "before its exec");
    ok_str(status_line(pid, "TracerPid"), "0", "nobody traces it");
}

static void stop_and_continue(void) {
    uint64_t sets[4];
    size_t n = flag_sets(sets);
    for (size_t i = 0; i < n; i++) {
        runner_t *runner = stopping(sets[i]);
        pid_t pid = start(runner);
        if (ok(pid > 0, "flags %#llx: starts", (unsigned long long)sets[i])) {
            ok_stopped(pid);
            sleep_ms(30);
            ok(!runs_program(pid), "it waits");
            ok_int(kill(pid, SIGCONT), 0, "SIGCONT");
            ok(exited(next_event(pid), 7), "runs to its end");
        }
        runner_free(runner);
    }
}

static void stop_before_filter(void) {
    struct filter filter = filter_on(SECCOMP_RET_KILL_PROCESS, SYS_getppid);
    char op[32];
    snprintf(op, sizeof op, "syscall %d", SYS_getppid);
    runner_t *runner = stopping(0);
    set_filter(runner, &filter);
    set_pokes(runner, poke_path(), &(struct poke){op, NULL}, 1);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_stopped(pid);
    ok_str(status_line(pid, "Seccomp"), "0", "the filter is not loaded yet");
    ok_int(kill(pid, SIGCONT), 0, "SIGCONT");
    ok(killed_by(next_event(pid), SIGSYS), "and is when it runs");
    runner_free(runner);
}

/* Both at once: the stop comes first, then the trap. */
static void stop_and_trace(void) {
    uint64_t sets[4];
    size_t n = flag_sets(sets);
    for (size_t i = 0; i < n; i++) {
        runner_t *runner = stopping(sets[i]);
        runner_set_ptrace(runner, true);
        pid_t pid = start(runner);
        ok(pid > 0, "flags %#llx: starts", (unsigned long long)sets[i]);
        int status = next_event(pid);
        ok(stopped_by(status, SIGSTOP) && !runs_program(pid), "stops with SIGSTOP first: %#x", status);
        /* Whether it is traced already is not promised. */
        if (atoi(status_line(pid, "TracerPid")) != 0)
            ok_int(cont(pid), 0, "the tracer continues it");
        else
            ok_int(kill(pid, SIGCONT), 0, "SIGCONT");
        ok_trap_at_exec(pid);
        ok_int(cont(pid), 0, "continues");
        ok(exited(next_event(pid), 7), "to its end");
        runner_free(runner);
    }
}

/* ------------------------------------------------------------------ with a callback */

struct call {
    int calls;
    pid_t pid, thread;
    bool ran_program;
};

static int note_call(pid_t pid, void *ctx) {
    struct call *call = ctx;
    call->calls++;
    call->pid = pid;
    call->thread = (pid_t)syscall(SYS_gettid);
    call->ran_program = runs_program(pid);
    return 0;
}

static void ok_called(const struct call *call, pid_t pid) {
    ok_int(call->calls, 1, "calls of the callback");
    ok_int(call->pid, pid, "its pid");
    ok_int(call->thread, syscall(SYS_gettid), "its thread");
    ok(!call->ran_program, "it came before the exec");
}

static void with_callback(void) {
    uint64_t sets[4];
    size_t n = flag_sets(sets);
    for (size_t i = 0; i < n; i++) {
        struct call call = {0};
        runner_t *runner = traced(sets[i]);
        runner_set_sync_func(runner, note_call, &call);
        pid_t pid = start(runner);
        ok(pid > 0, "flags %#llx: starts", (unsigned long long)sets[i]);
        ok_called(&call, pid);
        ok_trap_at_exec(pid);
        ok_int(cont(pid), 0, "continues");
        ok(exited(next_event(pid), 7), "to its end");
        runner_free(runner);

        call = (struct call){0};
        runner = traced_with_filter(sets[i]);
        runner_set_sync_func(runner, note_call, &call);
        pid = start(runner);
        ok(pid > 0, "with a filter: starts");
        ok_called(&call, pid);
        run_filter_events(pid);
        runner_free(runner);

        call = (struct call){0};
        runner = stopping(sets[i]);
        runner_set_sync_func(runner, note_call, &call);
        pid = start(runner);
        ok(pid > 0, "with a stop: starts");
        ok_called(&call, pid);
        ok_stopped(pid);
        kill(pid, SIGCONT);
        ok(exited(next_event(pid), 7), "to its end");
        runner_free(runner);
    }
}

static int refuses(pid_t pid, void *ctx) {
    (void)pid, (void)ctx;
    return EDOM;
}

static void callback_refuses(void) {
    runner_t *runners[] = {traced(0), traced_with_filter(0), stopping(0)};
    for (size_t i = 0; i < COUNT(runners); i++) {
        struct counts before = counts_now();
        runner_set_sync_func(runners[i], refuses, NULL);
        ok_failed(start(runners[i]), RUNNER_STAGE_SYNC, -1, EDOM);
        ok_nothing_left(before);
        runner_free(runners[i]);
    }
}

/* ------------------------------------------------------------------ failures and ends */

static void failures_before(void) {
    runner_t *runners[] = {traced(0), traced_with_filter(0), stopping(0)};
    for (size_t i = 0; i < COUNT(runners); i++) {
        struct counts before = counts_now();
        runner_set_workdir(runners[i], "/nonexistent");
        ok_failed(start(runners[i]), RUNNER_STAGE_CHDIR, -1, ENOENT);
        ok_nothing_left(before);
        runner_set_workdir(runners[i], "/");
        runner_add_rlimit(runners[i], RLIMIT_NOFILE, 10, UINT64_MAX);
        ok_failed(start(runners[i]), RUNNER_STAGE_RLIMIT, 0, EPERM);
        ok_nothing_left(before);
        runner_free(runners[i]);
    }
}

/* Where nothing stops before the exec, its failure is the start's. */
static void failing_exec(void) {
    struct counts before = counts_now();
    runner_t *runner = traced(0);
    runner_set_args(runner, (const char *[]){"/nonexistent", NULL});
    ok_failed(start(runner), RUNNER_STAGE_EXEC, -1, ENOENT);
    ok_nothing_left(before);
    runner_free(runner);
}

/* After the stop it can only end: not with a good exit code, and not hanging. */
static void failing_exec_after_stop(void) {
    struct counts before = counts_now();
    runner_t *runner = stopping(0);
    runner_set_args(runner, (const char *[]){"/nonexistent", NULL});
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_stopped(pid);
    kill(pid, SIGCONT);
    int status = next_event(pid);
    ok(status > 0 && !exited(status, 0) && !WIFSTOPPED(status), "it ends, and not well: %#x", status);
    runner_free(runner);
    ok_nothing_left(before);
}

static void killed_while_stopped(void) {
    uint64_t sets[4];
    size_t n = flag_sets(sets);
    for (size_t i = 0; i < n; i++) {
        struct counts before = counts_now();
        runner_t *runners[] = {traced(sets[i]), traced_with_filter(sets[i]), stopping(sets[i])};
        for (size_t k = 0; k < COUNT(runners); k++) {
            pid_t pid = start(runners[k]);
            ok(pid > 0, "mode %zu starts", k);
            ok(WIFSTOPPED(next_event(pid)), "mode %zu stops", k);
            kill(pid, SIGKILL);
            ok(killed_by(next_event(pid), SIGKILL), "mode %zu is dead and reaped", k);
            runner_free(runners[k]);
        }
        ok_nothing_left(before);
    }
}

/* ------------------------------------------------------------------ the thread */

static void *trace_in_thread(void *ctx) {
    runner_t *runner = ctx;
    for (int i = 0; i < 5; i++) {
        pid_t pid = start(runner);
        ok(pid > 0, "starts");
        ok_trap_at_exec(pid);
        cont(pid);
        ok(exited(next_event(pid), 7), "to its end");
    }
    return NULL;
}

/* Each thread is the tracer of what it started, at the same time. */
static void threads_trace(void) {
    pthread_t threads[4];
    runner_t *runner = traced(0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, trace_in_thread, runner);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    runner_free(runner);
}

static void with_credential(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = traced(0);
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_trap_at_exec(pid);
    ok_str(status_line(pid, "Uid"), "1000 1000 1000 1000", "its ids");
    cont(pid);
    ok(exited(next_event(pid), 7), "to its end");
    runner_free(runner);
}

static const struct test tests[] = {
    {"ptrace: SIGTRAP at the exec, this thread is the tracer", trap_at_exec},
    {"ptrace: every system call can be seen", system_calls_seen},
    {"ptrace with a filter: SIGSTOP first, then the filter's events, the exec among them", filter_events},
    {"stop: WUNTRACED sees it, SIGCONT runs it", stop_and_continue},
    {"stop: the filter is loaded after it", stop_before_filter},
    {"stop and ptrace together", stop_and_trace},
    {"each mode with a callback, which comes before the stop", with_callback},
    {"each mode: a callback that refuses fails the start", callback_refuses},
    {"each mode: what fails before the stop is the start's error", failures_before},
    {"ptrace: a failing exec is the start's error", failing_exec},
    {"stop: a failing exec after it ends the process", failing_exec_after_stop},
    {"each mode: killed while stopped, nothing is left", killed_while_stopped},
    {"ptrace from four threads at once", threads_trace},
    {"ptrace of a credential", with_credential},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
