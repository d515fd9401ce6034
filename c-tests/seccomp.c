/* seccomp filters: loaded last, so that they hit the program and nothing of the library's, and never left out. */

#define _GNU_SOURCE
#include "tap.h"

#include "filters.h"
#include "poke.h"
#include <sys/prctl.h>

/* `syscall N` of poke with the number of getppid(2), which nothing else calls. */
static const char *getppid_op(void) {
    static char op[32];
    snprintf(op, sizeof op, "syscall %d", SYS_getppid);
    return op;
}

static void errno_returned(void) {
    struct filter filter = filter_on(SECCOMP_RET_ERRNO | ELOOP, SYS_getppid);
    runner_t *runner = poke("pid");
    expect(runner, {getppid_op(), "ok"}, {"seccomp", "0"}, {"nnp", "0"});
    ok_int(set_filter(runner, &filter), 0, "set");
    memset(&filter, 0, sizeof filter); /* it was copied: this comes too late */
    expect(runner, {getppid_op(), "ELOOP"}, {"seccomp", "2"}, {"nnp", "1"});
    ok_int(runner_clear_seccomp(runner), 0, "clear");
    expect(runner, {getppid_op(), "ok"}, {"seccomp", "0"}, {"nnp", "0"});
    runner_free(runner);
}

/* The kernel's ways to end a process or its only thread: both after a start that went well. */
static void killed_after_exec(void) {
    const uint32_t actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP};
    for (size_t i = 0; i < COUNT(actions); i++) {
        struct filter filter = filter_on(actions[i], SYS_getppid);
        runner_t *runner = poke(getppid_op());
        set_filter(runner, &filter);
        pid_t pid = start(runner);
        ok(pid > 0, "starts");
        ok(killed_by(child_status(pid), SIGSYS), "action %#x: SIGSYS", actions[i]);
        runner_free(runner);
    }
}

static void host_unfiltered(void) {
    struct filter filter = filter_on(SECCOMP_RET_ERRNO | ELOOP, SYS_getppid);
    runner_t *runner = poke("pid");
    set_filter(runner, &filter);
    ok(exited(run(runner), 0), "runs");
    ok_str(status_line(getpid(), "Seccomp"), "0", "the host has no filter");
    ok_str(status_line(getpid(), "NoNewPrivs"), "0", "and may gain privileges");
    ok(getppid() > 0, "its own calls work");
    runner_free(runner);
}

/* ------------------------------------------------------------------ the exec itself */

static void exec_refused(void) {
    struct filter filter = filter_on(SECCOMP_RET_ERRNO | EPERM, SYS_execve, SYS_execveat);
    struct counts before = counts_now();
    runner_t *runner = poke("pid");
    set_filter(runner, &filter);
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, EPERM);
    ok_nothing_left(before);
    filter = filter_on(SECCOMP_RET_ERRNO | ENOSYS, SYS_execve, SYS_execveat);
    set_filter(runner, &filter);
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, ENOSYS);
    runner_free(runner);
}

static int returns_zero(pid_t pid, void *ctx) {
    (void)pid, (void)ctx;
    return 0;
}

static void exec_killed_one(uint32_t action, bool callback) {
    struct filter filter = filter_on(action, SYS_execve, SYS_execveat);
    struct counts before = counts_now();
    runner_t *runner = poke("pid");
    set_filter(runner, &filter);
    if (callback)
        runner_set_sync_func(runner, returns_zero, NULL);
    pid_t pid = start(runner);
    ok(pid < 0 && last_error.err == -pid && last_error.stage != RUNNER_STAGE_NONE && last_error.message[0],
       "action %#x, callback %d: the start fails: %d", action, callback, (int)pid);
    ok_int(last_error.stage, RUNNER_STAGE_EXEC, "its stage is exec");
    if (pid > 0)
        waitpid(pid, NULL, __WALL); /* it may have died without ever becoming an ordinary child */
    ok_nothing_left(before);
    runner_free(runner);
}

/* With core dumps on, the dying child writes one of the memory that it shares with the host: the host has to live. */
static void exec_killed_checks(void) {
    char dir[64];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    struct rlimit core;
    getrlimit(RLIMIT_CORE, &core);
    core.rlim_cur = core.rlim_max;
    ok(chdir(dir) == 0 && setrlimit(RLIMIT_CORE, &core) == 0, "core dumps on, in a directory of their own");
    const uint32_t actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP};
    for (size_t i = 0; i < COUNT(actions); i++)
        for (int callback = 0; callback < 2; callback++)
            exec_killed_one(actions[i], callback);
    runner_t *runner = poke("exit 5");
    ok(exited(run(runner), 5), "the host goes on starting");
    runner_free(runner);
    remove_dir(dir);
}

static void exec_killed(void) {
    /* A dying process is not yet a dead one when it gives the host's memory back: often, to see it in between. */
    for (int i = 0; i < 30; i++)
        exec_killed_one(SECCOMP_RET_KILL_PROCESS, i % 2);
    in_child(exec_killed_checks);
}

/* Under a filter that kills all that it need not allow, a failing exec is still an error with its errno. */
static void failing_exec_reported(void) {
    struct filter filter = filter_only(SECCOMP_RET_KILL_PROCESS, SYS_execve, STATIC_STARTUP);
    runner_t *runner = runner_for((const char *[]){"/nonexistent", NULL});
    set_filter(runner, &filter);
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, ENOENT);
    runner_set_args(runner, (const char *[]){"/", NULL});
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, EACCES);
    runner_set_sync_func(runner, returns_zero, NULL);
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, EACCES);
    runner_free(runner);
}

/* ------------------------------------------------------------------ which filters are taken */

/* A filter of `len` instructions that allows all: loads, and a return. */
static struct sock_filter *long_filter(size_t len) {
    struct sock_filter *code = calloc(len, sizeof *code);
    for (size_t i = 0; i + 1 < len; i++)
        code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_IMM, (uint32_t)i);
    code[len - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    return code;
}

static void longest(void) {
    struct sock_filter *code = long_filter(4097);
    runner_t *runner = poke("pid");
    ok_int(runner_set_seccomp(runner, code, 4097), -EINVAL, "4097 instructions");
    ok_int(runner_set_seccomp(runner, code + 1, 4096), 0, "4096 instructions");
    expect(runner, {"seccomp", "2"});
    ok_int(runner_set_seccomp(runner, code + 4096, 1), 0, "one instruction");
    expect(runner, {"seccomp", "2"});
    runner_free(runner);
    free(code);
}

static void bad_filters(void) {
    static const struct {
        const char *what;
        struct sock_filter code[2];
    } rows[] = {
        {"without a return", {BPF_STMT(BPF_LD | BPF_W | BPF_IMM, 0), BPF_STMT(BPF_LD | BPF_W | BPF_IMM, 0)}},
        {"with a jump out of it", {BPF_JUMP(BPF_JMP | BPF_JA, 77, 0, 0), BPF_STMT(BPF_RET | BPF_K, 0)}},
        {"with an unknown instruction", {{.code = 0xffff}, BPF_STMT(BPF_RET | BPF_K, 0)}},
        {"that reads beyond the data", {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4096), BPF_STMT(BPF_RET | BPF_K, 0)}},
    };
    struct counts before = counts_now();
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int callback = 0; callback < 2; callback++) {
            runner_t *runner = poke("pid");
            ok_int(runner_set_seccomp(runner, rows[i].code, 2), 0, "a filter %s: the kernel judges", rows[i].what);
            runner_set_sync_func(runner, callback ? returns_zero : NULL, NULL);
            if (!ok_failed(run(runner), RUNNER_STAGE_SECCOMP, -1, EINVAL))
                diag("  that was a filter %s", rows[i].what);
            runner_free(runner);
        }
    ok_nothing_left(before);
}

/* ------------------------------------------------------------------ the library's own steps */

static void with_nothing(runner_t *r) { (void)r; }
static void with_callback(runner_t *r) { runner_set_sync_func(r, returns_zero, NULL); }
static void with_userns(runner_t *r) { runner_set_unshare_flags(r, have_userns() ? CLONE_NEWUSER | CLONE_NEWNS : 0); }
static void with_limits(runner_t *r) { runner_add_rlimit(r, RLIMIT_CORE, 0, 0), runner_set_umask(r, 0077); }
static void with_privileges_dropped(runner_t *r) { runner_set_drop_caps(r, true); }
static void with_credential(runner_t *r) {
    if (geteuid() == 0)
        runner_set_credential(r, 1000, 1000, NULL, 0);
}
static void with_session(runner_t *r) { runner_set_session(r, RUNNER_SESSION_GROUP); }
static void with_cgroup_namespace(runner_t *r) {
    runner_set_unshare_flags(r, userns_if_needed());
    runner_set_unshare_cgroup_after_sync(r, true);
}
static void with_death_signal(runner_t *r) {
    runner_set_death_signal(r, SIGKILL);
    runner_set_sync_func(r, returns_zero, NULL);
}

static void (*const withs[])(runner_t *) = {
    with_nothing,    with_callback, with_userns,           with_limits,       with_privileges_dropped,
    with_credential, with_session,  with_cgroup_namespace, with_death_signal,
};

static void strict(void) {
    struct filter filter = filter_only(SECCOMP_RET_KILL_PROCESS, SYS_execve, STATIC_STARTUP);
    for (size_t i = 0; i < COUNT(withs); i++) {
        runner_t *runner = poke("pid");
        set_filter(runner, &filter);
        withs[i](runner);
        if (!expect(runner, {"echo untouched", "untouched"}))
            diag("  that was option set %zu", i);
        set_pokes(runner, poke_path(), &(struct poke){getppid_op(), NULL}, 1);
        ok(killed_by(run(runner), SIGSYS), "control: option set %zu: another call is killed", i);
        runner_free(runner);
    }
}

static void strict_held(void) {
    struct filter filter = filter_only(SECCOMP_RET_KILL_PROCESS, SYS_execve, STATIC_STARTUP);
    runner_t *runner = poke("exit 6");
    runner_held_t *held = NULL;
    set_filter(runner, &filter);
    ok_int(runner_start_held(runner, &held, &last_error), 0, "held");
    ok(exited(child_status(runner_held_resume(held, &last_error)), 6), "and resumed");
    runner_free(runner);
}

static void ok_exec_killed(const runner_t *runner, const char *why) {
    pid_t pid = start(runner);
    ok(pid < 0 && last_error.stage == RUNNER_STAGE_EXEC, "%s: %d", why, (int)pid);
    if (pid > 0)
        waitpid(pid, NULL, __WALL);
}

/* By an fd it is execveat(2) alone that is called, by a path execve(2) alone. */
static void strict_exec_fd(void) {
    struct filter filter = filter_only(SECCOMP_RET_KILL_PROCESS, SYS_execveat, STATIC_STARTUP);
    int fd = open(poke_path(), O_PATH | O_CLOEXEC);
    runner_t *runner = poke("pid");
    set_filter(runner, &filter);
    ok_exec_killed(runner, "control: by its path it needs execve");
    runner_set_exec_fd(runner, fd);
    expect(runner, {"echo untouched", "untouched"});
    filter = filter_only(SECCOMP_RET_KILL_PROCESS, SYS_execve, STATIC_STARTUP);
    set_filter(runner, &filter);
    ok_exec_killed(runner, "control: by its fd it needs execveat");
    runner_free(runner);
    close(fd);
}

/* A program that is busy (ETXTBSY) may be tried again; what a filter kills cannot be used for that. */
static void strict_busy(void) {
    char dir[64], program[80];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    snprintf(program, sizeof program, "%s/busy", dir);
    ok(copy_file(poke_path(), program, 0755), "a program");
    int writer = open(program, O_WRONLY | O_CLOEXEC);
    struct filter filter = filter_only(SECCOMP_RET_KILL_PROCESS, SYS_execve, STATIC_STARTUP);
    runner_t *runner = runner_for((const char *[]){program, "exit 0", NULL});
    set_filter(runner, &filter);
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, ETXTBSY);
    close(writer);
    ok(exited(run(runner), 0), "and runs when it is no longer written to");
    runner_free(runner);
    remove_dir(dir);
}

/* Filters add up: a host that is itself under one can still load another. */
static void under_a_filter_checks(void) {
    struct filter own = filter_on(SECCOMP_RET_ERRNO | ENOSYS, SYS_getppid);
    struct sock_fprog program = {.len = own.len, .filter = own.code};
    ok_int(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0, "no_new_privs");
    ok_int(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0, "the host's own filter");
    struct filter filter = filter_on(SECCOMP_RET_ERRNO | ELOOP, SYS_getppid, SYS_getsid);
    char op[32];
    snprintf(op, sizeof op, "syscall %d", SYS_getsid);
    runner_t *runner = poke("pid");
    expect(runner, {getppid_op(), "ENOSYS"}, {op, "ok"});
    set_filter(runner, &filter);
    expect(runner, {op, "ELOOP"});
    runner_free(runner);
}

static void under_a_filter(void) {
    in_child(under_a_filter_checks);
}

static const struct test tests[] = {
    {"a filter's errno is what the program gets; clear takes it away", errno_returned},
    {"a filter that kills ends the program with SIGSYS, after a good start", killed_after_exec},
    {"the host has no filter and no no_new_privs afterwards", host_unfiltered},
    {"a filter that refuses the exec fails the start at exec", exec_refused},
    {"a filter that kills the exec fails the start, and the host lives, with core dumps too", exec_killed},
    {"a failing exec under a strict filter is reported with its errno", failing_exec_reported},
    {"4096 instructions are taken, 4097 are not", longest},
    {"a filter that the kernel refuses is an error of seccomp, not a run without it", bad_filters},
    {"a strict filter hits none of the library's own steps", strict},
    {"a strict filter does not hit a held start", strict_held},
    {"a strict filter needs execveat for an exec fd, execve for a path", strict_exec_fd},
    {"a busy program under a strict filter is an error of exec", strict_busy},
    {"a host under a filter loads another", under_a_filter},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
