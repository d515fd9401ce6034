/* Every op fails: for many kinds of start, each op of the child fails in turn, or the child is killed there, or the
 * caller's callback fails. What is reported has to be true, and nothing may be left.
 *
 * It needs a library with the cargo feature `faults`, which exports runner_test_fault(). */

#define _GNU_SOURCE
#include "tap.h"

#include "filters.h"
#include "poke.h"
#include "root.h"
#include "run.h"

#include "host.h"
#include "hunt.h"
#include "ops.h"
#include "sets.h"

#include "programs.h"

#include "coverage.h"
#include "traces.h"

#include <malloc.h>
#include <sys/ptrace.h>

/* Op number `op` of every program fails with `err`; with 0 the child names itself "fault" and sleeps there. */
void runner_test_fault(uint32_t op, int32_t err);
#define NO_FAULT UINT32_MAX

/* No errno of the kernel's. */
#define MARK 4711

/* ------------------------------------------------------------------ a start and its end */

static runner_process_t *process; /* of the last watched start */

/* The pid, or a negative errno. */
static int launch(const struct set *set, const runner_t *runner) {
    runner_held_t *held = NULL;
    int result;
    switch (set->how) {
    case STARTED:
        return runner_start(runner, &last_error);
    case HELD:
        result = runner_start_held(runner, &held, &last_error);
        return result < 0 ? result : runner_held_resume(held, &last_error);
    case WATCHED:
        process = runner_spawn(runner, &last_error);
        return process == NULL ? -last_error.err : runner_process_pid(process);
    }
    return -EINVAL;
}

/* As launch(), and errno is kept. */
static int launch_quietly(const struct set *set, const runner_t *runner) {
    errno = MARK;
    int result = launch(set, runner);
    ok_int(errno, MARK, "errno");
    return result;
}

/* Lets it go on whenever it stops, as its tracer or by SIGCONT. The wait status of its end. */
static int drive(pid_t pid, bool traced) {
    int status = -1;
    while (waitpid(pid, &status, WUNTRACED | __WALL) == pid && WIFSTOPPED(status))
        if ((traced ? (int)ptrace(PTRACE_CONT, pid, 0, 0) : kill(pid, SIGCONT)) != 0)
            break;
    return status;
}

static int end_of_watched(void) {
    runner_result_t result = end_of_run(process);
    runner_process_free(process);
    process = NULL;
    ok_ended(&result, FINISHED, EXIT_CODE, "the watched run");
    return result.exit_code << 8;
}

static int end_of_start(const struct set *set, pid_t pid, bool traced) {
    return set->how == WATCHED ? end_of_watched() : drive(pid, traced);
}

/* Nothing fails: the control of all else. */
static bool ends_well(const struct set *set, const struct program *program) {
    runner_t *runner = runner_of(set);
    int pid = launch_quietly(set, runner);
    bool good = ok(pid > 0, "starts: %d", pid) &&
                ok(exited(end_of_start(set, pid, program->traced), GOOD_CODE), "and ends well");
    runner_free(runner);
    take_sigchld();
    return good;
}

/* ------------------------------------------------------------------ an op fails, or the child is killed at it */

/* A start that should have failed: what it made is not to be found by the next. */
static void clear_started(int pid) {
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, __WALL);
    runner_process_free(process);
    process = NULL;
}

/* The error of the last start is that of the op. */
static void ok_reported(const struct set *set, const struct op *op, int result, int err, const char *reason) {
    ok(result == -err && last_error.stage == op->stage && last_error.index == op->index && last_error.err == err,
       "%s: want errno %d, got result %d, %s[%d], errno %d", describe_op(op), err, result,
       runner_stage_name(last_error.stage), last_error.index, last_error.err);
    ok(strstr(last_error.message, reason) != NULL, "%s: the message says \"%s\": %s", describe_op(op), reason,
       last_error.message);
    const char *name = name_in_message(set, op);
    ok(strstr(last_error.message, name) != NULL, "%s: the message names %s: %s", describe_op(op), name,
       last_error.message);
    clear_started(result);
}

/* After the stop the start has returned, and nobody can be told any more: what fails is an exit with 127, and what is
 * killed is an ordinary child that was killed. Before it, and at the stop itself, all is as in any other start. */
static bool is_handed_over(const struct program *program, const struct op *op) {
    return program->stop != UINT32_MAX && op->number > program->stop;
}

/* The host before a start, and the runner for it. */
static runner_t *before_start(const struct set *set, struct host *host) {
    runner_t *runner = runner_of(set);
    take_sigchld();
    describe_host(host);
    return runner;
}

static void after_failure(const struct program *program, const struct op *op, const struct host *before) {
    runner_test_fault(NO_FAULT, 0);
    /* A process that stops without a tracer is an ordinary child from the beginning. */
    ok(!take_sigchld() || program->stop != UINT32_MAX, "%s: no SIGCHLD", describe_op(op));
    if (!same_host(before))
        diag("%s", describe_op(op));
}

static void fail_at(const struct set *set, const struct program *program, const struct op *op, int err) {
    struct host before;
    runner_t *runner = before_start(set, &before);
    runner_test_fault(op->number, err);
    int result = launch_quietly(set, runner);
    if (is_handed_over(program, op))
        ok(result > 0 && exited(drive(result, program->traced), 127), "%s: exits with 127", describe_op(op));
    else
        ok_reported(set, op, result, err, strerror(err));
    after_failure(program, op, &before);
    runner_free(runner);
}

static void kill_at(const struct set *set, const struct program *program, const struct op *op) {
    struct host before;
    struct hunt hunt;
    runner_t *runner = before_start(set, &before);
    runner_test_fault(op->number, 0);
    begin_hunt(&hunt);
    int result = launch_quietly(set, runner);
    int64_t returned = now_ms();
    if (is_handed_over(program, op))
        ok(result > 0 && killed_by(drive(result, program->traced), SIGKILL), "%s: is killed", describe_op(op));
    else
        ok_reported(set, op, result, EPIPE, "killed by SIGKILL");
    ok(end_hunt(&hunt), "%s: it was found and killed", describe_op(op));
    ok(returned - hunt.at < at_most(1000), "%s: the start returns %lld ms later", describe_op(op),
       (long long)(returned - hunt.at));
    after_failure(program, op, &before);
    runner_free(runner);
}

static void every_op_fails(const struct set *set) {
    const struct program *program = program_of(set);
    for (size_t i = 0; ends_well(set, program) && i < program->count; i++)
        fail_at(set, program, &program->ops[i], plausible_errno(&program->ops[i]));
}

static void killed_at_every_op(const struct set *set) {
    const struct program *program = program_of(set);
    for (size_t i = 0; i < program->count; i++)
        kill_at(set, program, &program->ops[i]);
    ends_well(set, program);
}

/* ------------------------------------------------------------------ the callback fails, a held start is given up */

struct refusal {
    const char *name;
    int result, err;
    bool kills;
};

static int refuse(pid_t pid, void *ctx) {
    const struct refusal *refusal = ctx;
    if (refusal->kills)
        kill(pid, SIGKILL);
    return refusal->result;
}

static void callback_fails(const struct set *set) {
    static struct refusal refusals[] = {
        {"an errno", EBUSY, EBUSY, false},
        {"a negative errno", -EXDEV, EXDEV, false},
        {"a number that is no errno", 4000, ECANCELED, false},
        {"the largest number", INT_MAX, ECANCELED, false},
        {"the smallest number", INT_MIN, ECANCELED, false},
        {"an errno, of a process that it has killed", ENOSPC, ENOSPC, true},
        {"0, for a process that it has killed", 0, EPIPE, true},
    };
    for (size_t i = 0; i < COUNT(refusals); i++) {
        const struct refusal *refusal = &refusals[i];
        runner_t *runner = runner_of(set);
        struct host before;
        runner_set_sync_func(runner, refuse, &refusals[i]);
        describe_host(&before);
        int result = launch_quietly(set, runner);
        bool good = ok_failed(result, RUNNER_STAGE_SYNC, -1, refusal->err);
        clear_started(result);
        const char *reason = refusal->err == EPIPE ? "killed by SIGKILL" : "callback refused";
        good &= ok(strstr(last_error.message, reason) != NULL, "says \"%s\": %s", reason, last_error.message);
        good &= ok(refusal->err == EPIPE || refusal->err == ECANCELED ||
                       strstr(last_error.message, strerror(refusal->err)) != NULL,
                   "and why: %s", last_error.message);
        good &= same_host(&before);
        if (!good)
            diag("the callback returns %s", refusal->name);
        runner_free(runner);
        take_sigchld();
    }
}

/* What can become of a held start beside a resume that goes well. */
static void abort_it(runner_held_t *held) {
    runner_held_abort(held);
}

static void kill_it(runner_held_t *held) {
    ok_int(kill(runner_held_pid(held), SIGKILL), 0, "kill");
}

static void resume_the_dead(runner_held_t *held) {
    int result = runner_held_resume(held, &last_error);
    ok_failed(result, RUNNER_STAGE_SYNC, -1, EPIPE);
    clear_started(result);
}

static void kill_and_abort_it(runner_held_t *held) {
    kill_it(held);
    abort_it(held);
}

static void kill_and_resume_it(runner_held_t *held) {
    kill_it(held);
    resume_the_dead(held);
    ok(strstr(last_error.message, "killed by SIGKILL") != NULL, "the message says so: %s", last_error.message);
}

/* Long after its death, and after the host has looked for children: one that stops without a tracer is an ordinary
 * child, and its status is lost to that. */
static void kill_and_resume_it_later(runner_held_t *held) {
    kill_it(held);
    sleep_ms(20);
    waitpid(-1, NULL, WNOHANG);
    resume_the_dead(held);
}

static void held_does_not_go_on(const struct set *set) {
    static void (*const ends[])(runner_held_t *) = {abort_it, kill_and_abort_it, kill_and_resume_it,
                                                    kill_and_resume_it_later};
    runner_held_t *held = NULL;
    for (size_t i = 0; i < COUNT(ends); i++) {
        runner_t *runner = runner_of(set);
        struct host before;
        describe_host(&before);
        int result = runner_start_held(runner, &held, &last_error);
        if (set->how == WATCHED)
            ok_failed(result, RUNNER_STAGE_OPTIONS, -1, EINVAL); /* nobody would watch it */
        else if (ok(result == 0, "it is held: %d", result))
            ends[i](held);
        if (!same_host(&before))
            diag("end %zu", i);
        runner_free(runner);
        take_sigchld();
    }
}

/* ------------------------------------------------------------------ without the new mount calls */

static bool refuse_new_mount_calls(void) {
    struct filter filter = filter_on(SECCOMP_RET_ERRNO | ENOSYS, SYS_openat2, SYS_open_tree, SYS_move_mount,
                                     SYS_mount_setattr);
    struct sock_fprog program = {.len = filter.len, .filter = filter.code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void every_old_mount_op(void) {
    if (!ok(refuse_new_mount_calls(), "a filter against the new calls"))
        return;
    make_places();
    for (const struct set *set = sets; set < sets + COUNT(sets); set++) {
        if (set->targets == NULL || obstacle(set) != NULL)
            continue;
        runner_t *runner = runner_of(set);
        int length = runner_explain(runner, old->texts[set - sets], sizeof old->texts[0]);
        runner_free(runner);
        ok(length > 0 && (size_t)length < sizeof old->texts[0], "it is explained: %d", length);
        ok(strstr(old->texts[set - sets], "openat2(") == NULL, "the library has not looked at the kernel before");
        every_op_fails(set);
        killed_at_every_op(set);
    }
    old->known = true;
    drop_places();
}

/* This has to be the first case: the library looks only once at what the kernel offers, and so must not have been
 * used before the fork. */
static void without_new_mount_calls(void) {
    if (!is_root() && !have_userns())
        SKIP("no user namespaces for this user");
    in_child(every_old_mount_op);
}

/* A new call that is missing, or refused by a container's profile: the start is made once more with the old ones, and
 * what these meet is what counts. The fault stays at its number, so it hits the old program too, if it is so long. */
static void falls_back_at(const struct set *set, const struct op *op, int err) {
    static struct program program;
    memcpy(program.text, old->texts[set - sets], sizeof old->texts[0]);
    parse_program(&program, set->how == HELD);
    if (op->number < program.count) {
        fail_at(set, &program, &program.ops[op->number], err);
    } else {
        runner_test_fault(op->number, err);
        ends_well(set, &program);
        runner_test_fault(NO_FAULT, 0);
    }
}

static void falls_back(const struct set *set) {
    const struct program *program = program_of(set);
    if (!old->known)
        SKIP("its program without the new mount calls is not known: their case was left out");
    for (size_t i = 0; i < program->count; i++)
        if (is_new_mount_call(&program->ops[i])) {
            falls_back_at(set, &program->ops[i], ENOSYS);
            falls_back_at(set, &program->ops[i], EPERM);
        }
}

/* ------------------------------------------------------------------ all sets together */

/* Fails each op of every set `times` times. How many failures that were. */
static int fail_all(int times) {
    int failures = 0;
    for (const struct set *set = sets; set < sets + COUNT(sets); set++) {
        const struct program *program = &programs[set - sets];
        if (obstacle(set) != NULL || !ok(program_of(set)->count > 0, "a program"))
            continue;
        runner_t *runner = runner_of(set);
        for (size_t i = 0; i < program->count * (size_t)times; i++) {
            const struct op *op = &program->ops[i % program->count];
            if (set->options == terminal || is_handed_over(program, op))
                continue; /* hung up, or of no interest here */
            runner_test_fault(op->number, plausible_errno(op));
            if (!ok(launch(set, runner) < 0, "%s, %s: fails", set->name, describe_op(op)))
                return failures;
            failures++;
        }
        runner_test_fault(NO_FAULT, 0);
        runner_free(runner);
    }
    return failures;
}

static long mapped_kib(void) {
    return atol(status_line(getpid(), "VmSize"));
}

static void memory_does_not_grow(void) {
    fail_all(1); /* what is allocated once */
    size_t before = mallinfo2().uordblks;
    long mapped = mapped_kib();
    int failures = fail_all(5);
    ok(failures > 3000, "%d failures", failures);
    ok(mallinfo2().uordblks < before + 128, "allocated: %zu bytes, then %zu", before, mallinfo2().uordblks);
    ok(mapped_kib() < mapped + 256, "mapped: %ld KiB, then %ld", mapped, mapped_kib());
}

/* ------------------------------------------------------------------ the cases: each set with each kind of failure */

static const struct kind {
    const char *name;
    void (*run)(const struct set *);
    bool needs_pieces;
} kinds[] = {
    {"each op fails", every_op_fails, false},
    {"killed at each op", killed_at_every_op, false},
    {"its callback fails", callback_fails, false},
    {"held and not resumed", held_does_not_go_on, false},
    {"falls back to old mount calls", falls_back, true},
};

static const struct whole {
    const char *name;
    void (*run)(void);
} wholes[] = {
    {"all: what is left is noticed", what_is_left_is_noticed},
    {"all: every stage is covered", every_stage_is_covered},
    {"all: every kind of op is covered", every_kind_of_op_is_covered},
    {"all: memory does not grow", memory_does_not_grow},
};

enum { CASES_MAX = 1 + COUNT(sets) * COUNT(kinds) + COUNT(wholes) };

static struct test tests[CASES_MAX];
static struct one {
    char name[96];
    const struct set *set;
    const struct kind *kind;
} cases[CASES_MAX];
static size_t case_count;

/* The harness knows functions without arguments, and the name of the one that runs. */
static void run_case(void) {
    const struct one *one = cases;
    while (strcmp(one->name, tap->current) != 0)
        one++;
    make_places();
    if (obstacle(one->set) != NULL)
        skip("%s", obstacle(one->set));
    else
        one->kind->run(one->set);
    drop_places();
}

static void run_whole(void) {
    const struct whole *whole = wholes;
    while (strcmp(whole->name, tap->current) != 0)
        whole++;
    make_places();
    whole->run();
    drop_places();
}

static void list_cases(void) {
    tests[case_count++] = (struct test){"without the new mount calls: each op fails, killed at each op",
                                        without_new_mount_calls};
    for (const struct set *set = sets; set < sets + COUNT(sets); set++)
        for (const struct kind *kind = kinds; kind < kinds + COUNT(kinds); kind++) {
            if (kind->needs_pieces && set->targets == NULL)
                continue;
            struct one *one = &cases[case_count];
            *one = (struct one){.set = set, .kind = kind};
            snprintf(one->name, sizeof one->name, "%s: %s", set->name, kind->name);
            tests[case_count++] = (struct test){one->name, run_case};
        }
    for (size_t i = 0; i < COUNT(wholes); i++)
        tests[case_count++] = (struct test){wholes[i].name, run_whole};
}

/* Mounts of its own, so that nobody else's come and go, but shared ones: what a start lets out would be seen. */
static void have_own_mounts(void) {
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
        mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL);
}

/* Begins anew without the caches of malloc's that count as allocated. */
static void count_exactly(char **argv) {
    if (getenv("GLIBC_TUNABLES") != NULL)
        return;
    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv) {
    sigset_t children;
    count_exactly(argv);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL); /* it is looked for */
    old = mmap(NULL, sizeof *old, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (old == MAP_FAILED)
        return 1;
    have_own_mounts();
    slowness(); /* it forks, and so is asked for once, here */
    take_sigchld();
    snprintf(pivot_dir, sizeof pivot_dir, "%s", scratch_dir());
    list_cases();
    int result = tap_main(argc, argv, tests, case_count, NULL, 0);
    if (rmdir(pivot_dir) != 0) {
        printf("Bail out! something was left in %s\n", pivot_dir);
        result = 1;
    }
    return result;
}
