/* Watched runs: the verdict, what decided it, and the figures, each limit just below and just above, against programs
 * that are known to use exactly so much. And the setters, structs and names that belong to them. */

#define _GNU_SOURCE
#include "tap.h"

#include "filters.h"
#include "run.h"

/* What a run may take beside what it was told to use: its own start and end, and a noisy machine. */
#define SLACK_MS at_most(20)

/* ------------------------------------------------------------------ ends without limits */

static void exit_codes(void) {
    static const int codes[] = {0, 1, 77, 255};
    for (size_t i = 0; i < COUNT(codes); i++) {
        char code[8];
        snprintf(code, sizeof code, "%d", codes[i]);
        runner_t *runner = load("exit", code);
        runner_result_t r = run_result(runner);
        ok_ended(&r, FINISHED, EXIT_CODE, "exit %d", codes[i]);
        ok_int(r.exit_code, codes[i], "its exit code");
        ok_int(r.signal, 0, "no signal");
        ok_int(r.output_fd, -1, "no fd of which more was written");
        ok(r.cpu_ns == r.user_ns + r.system_ns, "CPU time is user and system together");
        ok(r.wall_ns > 0 && r.setup_ns > 0, "it took time");
        runner_free(runner);
    }
    ok_all_gone();
}

/* Signals that limits use too, while every limit is there and none is met: never a limit's verdict. SIGXFSZ is left out
 * under an output limit, since nothing tells the two apart then. */
static void signals_are_no_limits(void) {
    static const int signals[] = {SIGKILL, SIGXCPU, SIGXFSZ, SIGSYS, SIGSEGV, SIGTERM, SIGABRT, SIGALRM};
    for (size_t i = 0; i < COUNT(signals); i++)
        for (int limited = 0; limited < 2; limited++) {
            char number[8];
            snprintf(number, sizeof number, "%d", signals[i]);
            runner_t *runner = load("raise", number, "exit", "9");
            if (limited) {
                runner_set_wall_limit(runner, 10000 * MS);
                runner_set_cpu_limit(runner, 5000 * MS);
                runner_set_memory_limit(runner, 64 * MIB);
                runner_set_process_limit(runner, 8 + 4096);
            }
            runner_result_t r = run_result(runner);
            ok_ended(&r, SIGNALLED, SIGNAL, "signal %d, limits %d", signals[i], limited);
            ok_int(r.signal, signals[i], "its number");
            ok_int(r.exit_code, -1, "no exit code");
            runner_free(runner);
        }
    ok_all_gone();
}

/* The first thread's end is not the process's. */
static void first_thread_ends(void) {
    runner_t *runner = load("leave-leader", "sleep", "100", "exit", "5");
    runner_set_wall_limit(runner, 10000 * MS);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "the other thread goes on");
    ok_int(r.exit_code, 5, "its exit code");
    ok_between(&r, r.wall_ns, 100 * MS, 5000 * MS, "until it ends");
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ CPU time */

/* A program that spins that long and ends by itself: never less than that, and at best of a few tries not much more,
 * since a shared machine makes everything dearer at times. */
static runner_result_t spins(const runner_t *runner, int64_t ms, const char *what) {
    runner_result_t r;
    for (int i = 0; i < 4; i++) {
        r = run_result(runner);
        ok_ended(&r, FINISHED, EXIT_CODE, "%s", what);
        ok_between(&r, r.cpu_ns, ms * MS, INT64_MAX, "%s: its CPU time", what);
        if (r.cpu_ns <= (uint64_t)((ms + SLACK_MS) * MS))
            break;
    }
    ok_between(&r, r.cpu_ns, ms * MS, (ms + SLACK_MS) * MS, "%s: its CPU time", what);
    return r;
}

static void cpu_below(void) {
    runner_t *runner = load("spin", "150");
    runner_set_cpu_limit(runner, (uint64_t)(at_most(300) * MS));
    runner_result_t r = spins(runner, 150, "150 ms under 300");
    ok(r.cpu_source != RUNNER_SOURCE_NONE, "a source");
    /* An emulated machine's clocks go at different speeds. */
    ok_between(&r, r.wall_ns, (slowness() > 1 ? 100 : 150) * MS, 10000 * MS, "its wall time");
    if (!(r.missing & RUNNER_MISSING_CPU))
        ok(r.cpu_source == RUNNER_SOURCE_CGROUP_V2 || r.cpu_source == RUNNER_SOURCE_CGROUP_V1, "from the cgroup");
    runner_free(runner);
    ok_all_gone();
}

/* Ends a program at its CPU limit; how far beyond it was, at best. The machine is shared, so a few tries. */
static void cpu_above(runner_t *runner, int64_t limit_ms, const char *what) {
    int64_t best = INT64_MAX;
    runner_set_cpu_limit(runner, (uint64_t)(limit_ms * MS));
    for (int i = 0; i < 8 && best > at_most(10) * MS; i++) {
        runner_result_t r = run_result(runner);
        ok_ended(&r, TIME_LIMIT, CPU_TIME, "%s", what);
        ok_int(r.signal, SIGKILL, "it is killed");
        ok_between(&r, r.cpu_ns, limit_ms * MS, (limit_ms + at_most(200)) * MS, "%s: its CPU time", what);
        int64_t over = (int64_t)r.cpu_ns - limit_ms * MS;
        best = over < best ? over : best;
    }
    ok(best <= at_most(10) * MS, "%s: at best %.3f ms beyond the limit, want 10 at most", what, (double)best / 1e6);
    runner_free(runner);
    ok_all_gone();
}

static void cpu_one_thread(void) {
    cpu_above(load("spin", "60000"), 100, "one thread");
}

static void cpu_two_threads(void) {
    cpu_above(load("spin-threads", "2", "60000"), 100, "two threads");
}

static void cpu_in_the_kernel(void) {
    cpu_above(load("calls", "60000"), 60, "in the kernel");
}

/* The sum of several processes, whose parent waits and uses nothing. */
static void cpu_of_children(void) {
    runner_t *runner = load("bg", "spin", "60", "end", "bg", "spin", "60", "end", "wait", "exit", "0");
    runner_set_cpu_limit(runner, (uint64_t)(at_most(300) * MS));
    spins(runner, 120, "two children of 60 ms under 300");
    runner_free(runner);
    cpu_above(load("bg", "spin", "60000", "end", "bg", "spin", "60000", "end", "wait"), 100, "two children");
}

/* A daemon's time counts where a cgroup counts. */
static void cpu_of_daemon(void) {
    if (missing_here() & RUNNER_MISSING_CPU)
        SKIP("no cgroup counts CPU time here");
    cpu_above(load("daemon", "spin", "60000", "end", "pause"), 100, "a daemon");
}

static void cpu_two_threads_below(void) {
    runner_t *runner = load("spin-threads", "2", "150");
    runner_set_cpu_limit(runner, (uint64_t)(at_most(300) * MS));
    spins(runner, 150, "150 ms in two threads under 300");
    runner_free(runner);
    ok_all_gone();
}

/* It used more than it may, but was faster than whoever looks. */
static void cpu_above_unseen(void) {
    runner_t *runner = load("spin", "30");
    runner_set_cpu_limit(runner, 10 * MS);
    runner_process_t *process = spawn(runner);
    sleep_ms(300);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, TIME_LIMIT, CPU_TIME, "it has ended by itself, beyond its limit");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* A host that does not step: RLIMIT_CPU is the second line, a second above the limit. */
static void cpu_host_asleep(void) {
    runner_t *runner = load("spin", "60000");
    runner_set_cpu_limit(runner, 20 * MS);
    runner_process_t *process = spawn(runner);
    pid_t pid = runner_process_pid(process);
    int64_t begin = now_ms();
    char state = '?';
    while (parent_of(pid, &state) >= 0 && state != 'Z' && now_ms() < begin + 15000)
        sleep_ms(20);
    ok(state == 'Z', "it ends though nobody looks");
    runner_result_t r = end_of_run(process);
    ok_ended(&r, TIME_LIMIT, CPU_TIME, "and is not called signalled");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* Between two looks there is nothing to do for the host. */
static void cpu_no_polling(void) {
    if (missing_here() != 0)
        SKIP("something is not counted here, so looks have to stand in");
    runner_t *runner = load("pause");
    runner_set_cpu_limit(runner, 1000 * MS);
    runner_set_wall_limit(runner, 700 * MS);
    runner_process_t *process = spawn(runner);
    int fd = runner_process_fd(process), wakes = 0;
    runner_result_t r = RUNNER_RESULT_INIT;
    while (runner_process_step(process, &r) == 0) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        poll(&wait, 1, PATIENCE);
        wakes++;
    }
    ok_ended(&r, WALL_LIMIT, WALL_TIMER, "it sleeps");
    /* Kernels without memory.peak or pids.peak are looked at, a few times a second. */
    ok(wakes <= 40, "a sleeping program wakes the host %d times in 0.7 s", wakes);
    runner_process_free(process);
    runner_free(runner);
}

/* ------------------------------------------------------------------ wall time */

static void wall_below(void) {
    runner_t *runner = load("sleep", "60");
    runner_set_wall_limit(runner, 1000 * MS);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "60 ms under 1000");
    ok_between(&r, r.wall_ns, 60 * MS, 900 * MS, "its wall time");
    ok_between(&r, r.cpu_ns, 0, at_most(20) * MS, "a sleep uses no CPU");
    runner_free(runner);
    ok_all_gone();
}

static void wall_above_with(const char *const *args, const char *what) {
    const char *argv[16] = {load_path(), load_tag()};
    int64_t best = INT64_MAX;
    for (size_t i = 0; args[i]; i++)
        argv[i + 2] = args[i];
    runner_t *runner = runner_for(argv);
    runner_set_wall_limit(runner, 100 * MS);
    for (int i = 0; i < 8 && best > at_most(5) * MS; i++) {
        runner_result_t r = run_result(runner);
        ok_ended(&r, WALL_LIMIT, WALL_TIMER, "%s", what);
        ok_int(r.signal, SIGKILL, "it is killed");
        ok_between(&r, r.wall_ns, 100 * MS, 1000 * MS, "%s: its wall time", what);
        int64_t over = (int64_t)r.wall_ns - 100 * MS;
        best = over < best ? over : best;
    }
    ok(best <= at_most(5) * MS, "%s: at best %.3f ms beyond the limit, want 5 at most", what, (double)best / 1e6);
    runner_free(runner);
    ok_all_gone();
}

static void wall_above(void) {
    wall_above_with((const char *const[]){"pause", NULL}, "it sleeps");
    wall_above_with((const char *const[]){"spin", "60000", NULL}, "it spins");
    wall_above_with((const char *const[]){"ignore", "pause", NULL}, "it ignores every signal");
    wall_above_with((const char *const[]){"raise", "19", NULL}, "it has stopped itself");
    wall_above_with((const char *const[]){"leave-leader", "pause", NULL}, "its first thread has ended");
}

/* It ended in time; the host came late. It is not to be blamed, whatever else made the fd readable before. */
static void wall_host_late(void) {
    for (int cpu = 0; cpu < 2; cpu++)
        for (int capture = 0; capture < 2; capture++) {
            runner_t *runner = load("say", "1", "x", "sleep", "80", "exit", "4");
            runner_set_wall_limit(runner, 250 * MS);
            /* A look is due before the program's end: the timer comes first in the list of what is ready. */
            if (cpu)
                runner_set_cpu_limit(runner, 50 * MS);
            if (capture)
                runner_capture(runner, 1, 100);
            runner_process_t *process = spawn(runner);
            sleep_ms(400);
            runner_result_t r = end_of_run(process);
            ok_ended(&r, FINISHED, EXIT_CODE, "it had ended before its limit; CPU limit %d, capture %d", cpu, capture);
            ok_int(r.exit_code, 4, "its exit code");
            runner_process_free(process);
            runner_free(runner);
        }
    ok_all_gone();
}

/* The same for the caller's kill: "one that had finished by itself keeps its verdict". */
static void kill_host_late(void) {
    for (int cpu = 0; cpu < 2; cpu++) {
        runner_t *runner = load("exit", "4");
        runner_set_wall_limit(runner, 60000 * MS);
        if (cpu)
            runner_set_cpu_limit(runner, 5000 * MS);
        runner_process_t *process = spawn(runner);
        sleep_ms(200);
        ok_int(runner_process_kill(process), 0, "a kill that comes too late");
        runner_result_t r = end_of_run(process);
        ok_ended(&r, FINISHED, EXIT_CODE, "it had finished by itself; CPU limit %d", cpu);
        runner_process_free(process);
        runner_free(runner);
    }
    ok_all_gone();
}

static void wall_host_late_and_over(void) {
    runner_t *runner = load("pause");
    runner_set_wall_limit(runner, 50 * MS);
    runner_process_t *process = spawn(runner);
    sleep_ms(200);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, WALL_LIMIT, WALL_TIMER, "it still ran when the host came late");
    ok_between(&r, r.wall_ns, 200 * MS, 2000 * MS, "its wall time is what it was");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

static void limits_of_zero(void) {
    runner_t *runner = load("pause");
    runner_set_wall_limit(runner, 0);
    runner_result_t r = run_result(runner);
    ok_ended(&r, WALL_LIMIT, WALL_TIMER, "no time at all");
    ok_between(&r, r.wall_ns, 0, 1000 * MS, "it ends at once");
    runner_clear_limits(runner);
    runner_free(runner);
    runner = load("spin", "60000");
    runner_set_cpu_limit(runner, 0);
    r = run_result(runner);
    ok_ended(&r, TIME_LIMIT, CPU_TIME, "no CPU time at all");
    ok_between(&r, r.cpu_ns, 0, 200 * MS, "it ends at once");
    runner_free(runner);
    ok_all_gone();
}

/* The largest numbers that are limits. */
static void huge_limits_checks(void) {
    runner_t *runner = load("exit", "3");
    ok_int(runner_set_wall_limit(runner, UINT64_MAX - 1), 0, "wall");
    ok_int(runner_set_cpu_limit(runner, UINT64_MAX - 1), 0, "CPU");
    ok_int(runner_set_memory_limit(runner, UINT64_MAX - 1), 0, "memory");
    ok_int(runner_set_process_limit(runner, UINT64_MAX - 1), 0, "processes");
    ok_int(runner_set_output_limit(runner, UINT64_MAX - 1), 0, "output");
    ok_int(runner_capture(runner, 1, UINT64_MAX), 0, "capture");
    ok_int(runner_set_cpu_quota(runner, UINT32_MAX - 1), 0, "quota");
    runner_result_t r = RUNNER_RESULT_INIT;
    int code = runner_run(runner, &r, &last_error);
    /* Only the kernel can judge a quota; it may refuse so large a one. */
    if (code != 0) {
        ok_int(last_error.stage, RUNNER_STAGE_CGROUP, "refused by the cgroup");
        runner_set_cpu_quota(runner, UINT32_MAX);
        r = run_result(runner);
    }
    ok_ended(&r, FINISHED, EXIT_CODE, "no limit is met");
    ok_int(r.exit_code, 3, "its exit code");
    runner_free(runner);
    ok_all_gone();
}

static void huge_limits(void) {
    in_child(huge_limits_checks);
    ok_all_gone();
}

/* The set-up is not the program's time. */
static int slow_callback(pid_t pid, void *ctx) {
    (void)pid, (void)ctx;
    sleep_ms(150);
    return 0;
}

static void setup_is_apart(void) {
    runner_t *runner = load("sleep", "20");
    runner_set_sync_func(runner, slow_callback, NULL);
    runner_set_wall_limit(runner, 120 * MS);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "a slow set-up under a wall limit");
    ok_between(&r, r.setup_ns, 150 * MS, 5000 * MS, "the set-up");
    ok_between(&r, r.wall_ns, 20 * MS, 119 * MS, "the wall time is the program's");
    ok_between(&r, r.cpu_ns, 0, at_most(20) * MS, "the CPU time is the program's");
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ memory */

static bool counts_memory(const runner_result_t *r) {
    return (r->missing & RUNNER_MISSING_MEMORY) == 0;
}

static void memory_below(void) {
    runner_t *runner = load("touch", "40", "sleep", "60");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "40 MiB under 64");
    ok_between(&r, r.memory_peak, 40 * MIB, 48 * MIB, "its peak");
    ok_int(r.oom_kills, 0, "no OOM kill");
    if (!counts_memory(&r)) {
        ok(r.memory_source == RUNNER_SOURCE_RUSAGE || r.memory_source == RUNNER_SOURCE_SAMPLED,
           "no cgroup, so another source: %s", runner_source_name(r.memory_source));
        ok(r.reason[0] != '\0', "the result says why");
    }
    runner_free(runner);
    ok_all_gone();
}

static void memory_above(void) {
    runner_t *runner = load("touch", "80", "sleep", "2000");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_result_t r = run_result(runner);
    if (counts_memory(&r)) {
        ok_ended(&r, MEMORY_LIMIT, OOM_KILLER, "80 MiB under 64");
        ok(r.oom_kills > 0, "OOM kills are counted");
        ok_between(&r, r.memory_peak, 62 * MIB, 64 * MIB, "its peak is the limit");
    } else {
        ok_ended(&r, MEMORY_LIMIT, MEMORY_FIGURE, "80 MiB under 64");
        ok_between(&r, r.memory_peak, 64 * MIB, 100 * MIB, "its peak is beyond the limit");
    }
    ok_int(r.signal, SIGKILL, "it is killed");
    runner_free(runner);
    ok_all_gone();
}

/* Without a cgroup a program can be too fast for a look, but not for its own peak. */
static void memory_above_and_gone(void) {
    runner_t *runner = load("touch", "80", "exit", "0");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_result_t r = run_result(runner);
    ok(r.verdict == RUNNER_VERDICT_MEMORY_LIMIT, "80 MiB under 64, for a moment only: %s",
       runner_verdict_name(r.verdict));
    runner_free(runner);
    ok_all_gone();
}

/* Near the limit on both sides. */
static void memory_close(void) {
    runner_t *runner = load("touch", "60", "sleep", "60");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "60 MiB under 64");
    runner_free(runner);
    runner = load("touch", "66", "sleep", "1000");
    runner_set_memory_limit(runner, 64 * MIB);
    r = run_result(runner);
    ok(r.verdict == RUNNER_VERDICT_MEMORY_LIMIT, "66 MiB under 64: %s", runner_verdict_name(r.verdict));
    runner_free(runner);
    ok_all_gone();
}

static void memory_of_several(void) {
    runner_t *runner = load("bg", "touch", "40", "sleep", "300", "end", "bg", "touch", "40", "sleep", "300", "end",
                            "wait", "sleep", "60");
    runner_set_memory_limit(runner, 128 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "twice 40 MiB under 128");
    ok_between(&r, r.memory_peak, 80 * MIB, 96 * MIB, "their peak");
    runner_set_memory_limit(runner, 64 * MIB);
    r = run_result(runner);
    ok(r.verdict == RUNNER_VERDICT_MEMORY_LIMIT, "twice 40 MiB under 64: %s", runner_verdict_name(r.verdict));
    runner_free(runner);
    ok_all_gone();
}

/* What forked processes share is there once. */
static void memory_shared(void) {
    runner_t *runner = load("touch", "40", "forks", "4", "sleep", "150", "exit", "3");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "40 MiB shared by five processes under 64");
    ok_int(r.exit_code, 3, "its exit code");
    ok_between(&r, r.memory_peak, 40 * MIB, 56 * MIB, "their peak");
    runner_free(runner);
    ok_all_gone();
}

/* The OOM killer takes a child; the first process copes and exits 0. The limit was met all the same. */
static void memory_of_a_child(void) {
    if (missing_here() & RUNNER_MISSING_MEMORY)
        SKIP("no memory cgroup here");
    runner_t *runner = load("bg", "touch", "80", "end", "wait", "exit", "0");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, MEMORY_LIMIT, OOM_KILLER, "a child of 80 MiB under 64");
    ok(r.oom_kills > 0, "OOM kills are counted");
    runner_free(runner);
    ok_all_gone();
}

static void memory_of_files(void) {
    if (missing_here() & RUNNER_MISSING_MEMORY)
        SKIP("no memory cgroup here, and no process has it mapped");
    runner_t *runner = load("memfd", "40", "sleep", "150");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "40 MiB in a file under 64");
    ok_between(&r, r.memory_peak, 40 * MIB, 48 * MIB, "its peak");
    runner_free(runner);
    runner = load("memfd", "80");
    runner_set_memory_limit(runner, 64 * MIB);
    r = run_result(runner);
    ok_ended(&r, MEMORY_LIMIT, OOM_KILLER, "80 MiB in a file under 64");
    runner_free(runner);
    ok_all_gone();
}

/* Address space is not memory; where it has to stand in, the program sees ENOMEM. */
static void memory_untouched(void) {
    runner_t *runner = load("map", "1000");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "1000 MiB that are not touched");
    ok_int(r.exit_code, counts_memory(&r) ? 0 : 12, "whether it got them");
    ok_between(&r, r.memory_peak, 0, 8 * MIB, "its peak");
    runner_free(runner);
    ok_all_gone();
}

/* A process's figures begin with the host's own where it was made by vfork. */
static void memory_of_a_large_host_checks(void) {
    size_t size = 200 * MIB;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < size; i += 4096)
        ((volatile char *)memory)[i] = 1;
    runner_t *runner = load("touch", "10", "sleep", "60");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "10 MiB under 64, from a host of 200");
    ok_between(&r, r.memory_peak, 10 * MIB, 18 * MIB, "its peak is its own");
    munmap(memory, size);
    r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "from a host that once had 200");
    ok_between(&r, r.memory_peak, 10 * MIB, 18 * MIB, "its peak is its own");
    runner_set_sync_func(runner, slow_callback, NULL);
    r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "the same with a callback");
    runner_free(runner);
}

static void memory_of_a_large_host(void) {
    in_child(memory_of_a_large_host_checks);
    if (can_hide_cgroups())
        in_hidden_child(memory_of_a_large_host_checks);
    ok_all_gone();
}

/* Limits with which nothing can be started: the program or its start fails, the host lives. */
static void memory_tiny(void) {
    static const uint64_t limits[] = {0, 1, 4096, 65536, 262144, 524288};
    struct counts before = counts_now();
    for (size_t i = 0; i < COUNT(limits); i++)
        for (int callback = 0; callback < 2; callback++) {
            runner_t *runner = load("touch", "32", "sleep", "500");
            runner_set_memory_limit(runner, limits[i]);
            if (callback)
                runner_set_sync_func(runner, slow_callback, NULL);
            runner_result_t r = RUNNER_RESULT_INIT;
            int code = runner_run(runner, &r, &last_error);
            bool launched = code == 0;
            ok(launched ? r.verdict == RUNNER_VERDICT_MEMORY_LIMIT || r.verdict == RUNNER_VERDICT_FINISHED ||
                              r.verdict == RUNNER_VERDICT_SIGNALLED
                        : r.verdict == RUNNER_VERDICT_LAUNCH_ERROR && last_error.message[0] != '\0',
               "%llu bytes, callback %d: %d, %s", (unsigned long long)limits[i], callback, code,
               runner_verdict_name(r.verdict));
            if (launched && !(r.missing & RUNNER_MISSING_MEMORY))
                ok(r.verdict == RUNNER_VERDICT_MEMORY_LIMIT, "%llu bytes, callback %d: it is the memory limit, not %s",
                   (unsigned long long)limits[i], callback, runner_verdict_name(r.verdict));
            if (!launched && !(missing_here() & RUNNER_MISSING_MEMORY))
                ok(strstr(last_error.message, "memory limit") != NULL, "the message says why: %s", last_error.message);
            if (!launched)
                ok_str(r.reason, last_error.message, "the reason");
            runner_free(runner);
        }
    ok_nothing_left(before);
    ok_all_gone();
}

/* ------------------------------------------------------------------ processes */

#define NEED_PIDS                                   \
    if (missing_here() & RUNNER_MISSING_PROCESSES) \
    SKIP("no pids cgroup here")

static void processes_below(void) {
    NEED_PIDS;
    runner_t *runner = load("forks", "5", "sleep", "60");
    runner_set_process_limit(runner, 6);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "six processes under six");
    ok_int(r.exit_code, 0, "none was refused");
    ok_int(r.process_limit_hits, 0, "no hit");
    ok_int(r.processes_peak, 6, "the peak, from %s", runner_source_name(r.processes_source));
    runner_free(runner);
    ok_all_gone();
}

static void processes_above(void) {
    NEED_PIDS;
    runner_t *runner = load("forks", "6", "exit", "0");
    runner_set_process_limit(runner, 6);
    runner_result_t r = run_result(runner);
    ok_ended(&r, PROCESS_LIMIT, PIDS_EVENTS, "seven processes under six, and it fails");
    ok_int(r.exit_code, 11, "its exit code is told");
    ok_between(&r, r.process_limit_hits, 1, 1, "one hit");
    ok_int(r.processes_peak, 6, "the peak, from %s", runner_source_name(r.processes_source));
    runner_free(runner);
    ok_all_gone();
}

static void processes_above_coped(void) {
    NEED_PIDS;
    runner_t *runner = load("try-forks", "10", "exit", "0");
    runner_set_process_limit(runner, 6);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "it is refused five and ends well");
    ok_int(r.process_limit_hits, 5, "the hits");
    runner_free(runner);
    ok_all_gone();
}

/* It fails, but for a reason of its own: it never met the limit. */
static void processes_not_blamed(void) {
    runner_t *runner = load("try-forks", "2", "exit", "11");
    runner_set_process_limit(runner, 64);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "exit 11 without a refused fork");
    ok_int(r.process_limit_hits, 0, "no hit");
    runner_free(runner);
    ok_all_gone();
}

static void processes_threads(void) {
    NEED_PIDS;
    runner_t *runner = load("threads", "5", "sleep", "60");
    runner_set_process_limit(runner, 6);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "six threads under six");
    ok_int(r.exit_code, 0, "none was refused");
    ok_int(r.processes_peak, 6, "the peak, from %s", runner_source_name(r.processes_source));
    runner_free(runner);
    runner = load("threads", "6");
    runner_set_process_limit(runner, 6);
    r = run_result(runner);
    ok_ended(&r, PROCESS_LIMIT, PIDS_EVENTS, "seven threads under six");
    runner_free(runner);
    ok_all_gone();
}

/* One: the program and nothing else. The library needs none of it for itself, however it starts. */
static void processes_one(void) {
    NEED_PIDS;
    for (int way = 0; way < 3; way++) {
        runner_t *runner = load("forks", "1");
        runner_set_process_limit(runner, 1);
        if (way == 1)
            runner_set_unshare_flags(runner, CLONE_NEWPID | CLONE_NEWNS | userns_if_needed());
        if (way == 2)
            runner_set_sync_func(runner, slow_callback, NULL);
        runner_result_t r = run_result(runner);
        ok_ended(&r, PROCESS_LIMIT, PIDS_EVENTS, "way %d: itself alone", way);
        ok_int(r.exit_code, 11, "way %d: it runs", way);
        runner_free(runner);
    }
    ok_all_gone();
}

static void processes_none(void) {
    runner_t *runner = load("exit", "0");
    runner_set_process_limit(runner, 0);
    struct counts before = counts_now();
    runner_result_t r = RUNNER_RESULT_INIT;
    int code = runner_run(runner, &r, &last_error);
    ok(code == 0 ? r.verdict == RUNNER_VERDICT_FINISHED
                 : code == -EAGAIN && r.verdict == RUNNER_VERDICT_LAUNCH_ERROR && last_error.message[0] != '\0',
       "no process at all: it starts, or is refused cleanly: %d, %s", code, runner_verdict_name(r.verdict));
    runner_free(runner);
    ok_nothing_left(before);
    ok_all_gone();
}

/* Without a pids cgroup the user's RLIMIT_NPROC stands in, on top of what the user has. Nobody counts its hits, so
 * nothing is blamed on it. */
static void processes_stand_in(void) {
    if (!(missing_here() & RUNNER_MISSING_PROCESSES))
        SKIP("there is a pids cgroup here");
    if (is_root())
        SKIP("RLIMIT_NPROC does not bind root");
    runner_t *runner = load("forks", "60");
    runner_set_process_limit(runner, 5);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "60 processes under 5");
    ok_int(r.exit_code, 11, "one was refused");
    ok_int(r.process_limit_hits, 0, "nobody counts");
    runner_free(runner);
    runner = load("forks", "2");
    runner_set_process_limit(runner, 20);
    r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "2 under 20");
    ok_int(r.exit_code, 0, "none was refused");
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ output to files; the rest is in run_output.c */

static void file_limit(void) {
    char path[64];
    struct stat st = {0};
    snprintf(path, sizeof path, "/tmp/runner-test-file-%d", (int)getpid());
    runner_t *runner = load("file", path, "65536", "exit", "0");
    runner_set_output_limit(runner, 65536);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "65536 bytes under 65536");
    ok_int(r.exit_code, 0, "all were written");
    runner_free(runner);
    runner = load("file", path, "65537", "exit", "0");
    runner_set_output_limit(runner, 65536);
    r = run_result(runner);
    ok_ended(&r, OUTPUT_LIMIT, FILE_SIZE, "65537 bytes under 65536");
    ok_int(r.signal, SIGXFSZ, "by its signal");
    ok(stat(path, &st) == 0 && st.st_size == 65536, "the file has what was allowed");
    runner_free(runner);
    /* The caller's own limit on files counts as one too, and is kept. */
    runner = load("file", path, "5000", "exit", "0");
    runner_set_output_limit(runner, 65536);
    runner_add_rlimit(runner, RLIMIT_FSIZE, 4096, 4096);
    r = run_result(runner);
    ok_ended(&r, OUTPUT_LIMIT, FILE_SIZE, "5000 bytes under the caller's RLIMIT_FSIZE of 4096");
    runner_free(runner);
    unlink(path);
    ok_all_gone();
}

/* ------------------------------------------------------------------ seccomp */

static runner_t *filtered(const struct filter *filter, const char *op, const char *arg) {
    runner_t *runner = load(op, arg, "exit", "0");
    ok_int(set_filter(runner, filter), 0, "a filter");
    return runner;
}

static void forbidden(void) {
    static const uint32_t actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP};
    for (size_t i = 0; i < COUNT(actions); i++) {
        struct filter filter = filter_on(actions[i], SYS_getppid, SYS_uname);
        runner_t *runner = load("uname", "exit", "0");
        ok_int(set_filter(runner, &filter), 0, "a filter");
        runner_result_t r = run_result(runner);
        ok_ended(&r, FORBIDDEN_SYSCALL, SECCOMP, "action %#x", actions[i]);
        ok_int(r.signal, SIGSYS, "by its signal");
        runner_free(runner);
    }
    struct filter filter = filter_on(SECCOMP_RET_KILL_PROCESS, SYS_uname);
    runner_t *runner = load("uname", "exit", "0");
    set_filter(runner, &filter);
    runner_set_unshare_flags(runner, CLONE_NEWPID | userns_if_needed());
    if (is_root() || have_userns()) {
        runner_result_t r = run_result(runner);
        ok_ended(&r, FORBIDDEN_SYSCALL, SECCOMP, "in a pid namespace");
    }
    runner_free(runner);
    ok_all_gone();
}

static void filtered_otherwise(void) {
    struct filter denied = filter_on(SECCOMP_RET_ERRNO | EPERM, SYS_uname);
    struct filter deadly = filter_on(SECCOMP_RET_KILL_PROCESS, SYS_uname);
    runner_t *runner = load("uname", "exit", "0");
    set_filter(runner, &denied);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "a filter that only refuses");
    ok_int(r.exit_code, 1, "the program was told");
    runner_free(runner);
    runner = filtered(&deadly, "raise", "9");
    r = run_result(runner);
    ok_ended(&r, SIGNALLED, SIGNAL, "another signal under a filter");
    runner_free(runner);
    runner = load("bg", "uname", "end", "wait", "exit", "0");
    set_filter(runner, &deadly);
    r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "it was a child that the filter ended");
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ killed */

static void killed_by_caller(void) {
    runner_t *runner = load("pause");
    runner_process_t *process = spawn(runner);
    runner_result_t r = RUNNER_RESULT_INIT;
    r.verdict = 77;
    ok_int(runner_process_step(process, &r), 0, "it runs");
    ok_int(r.verdict, 77, "the result is untouched");
    ok_int(runner_process_kill(process), 0, "kill");
    ok_int(runner_process_kill(process), 0, "kill it twice");
    r = end_of_run(process);
    ok_ended(&r, KILLED, CALLER, "the caller killed it");
    ok_int(r.signal, SIGKILL, "its signal");
    ok_int(runner_process_kill(process), 0, "kill what is gone");
    runner_result_t again = end_of_run(process);
    ok(memcmp(&r, &again, sizeof r) == 0, "the answer stays the same");
    ok_int(runner_process_step(process, NULL), 1, "step without a result");
    ok_int(runner_process_wait(process, 0, NULL), 1, "wait without a result");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

static void killed_from_outside(void) {
    runner_t *runner = load("bg", "pause", "end", "pause");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_set_cpu_limit(runner, 1000 * MS);
    runner_process_t *process = spawn(runner);
    kill(runner_process_pid(process), SIGKILL);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, SIGNALLED, SIGNAL, "somebody else killed it");
    ok_int(r.signal, SIGKILL, "its signal");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ figures while it runs */

static void usage_meanwhile(void) {
    runner_t *runner = load("touch", "30", "spin", "60", "say", "1", "x", "pause");
    runner_set_wall_limit(runner, 30000 * MS);
    runner_capture(runner, 1, 10);
    runner_process_t *process = spawn(runner);
    runner_result_t r = RUNNER_RESULT_INIT;
    uint64_t wall = 0, cpu = 0;
    for (int64_t end = now_ms() + 10000; r.output_bytes == 0 && now_ms() < end; sleep_ms(10)) {
        runner_process_step(process, NULL);
        ok_int(runner_process_usage(process, &r), 0, "usage");
        ok(r.wall_ns > wall && r.cpu_ns >= cpu, "figures grow: %llu after %llu", (unsigned long long)r.wall_ns,
           (unsigned long long)wall);
        wall = r.wall_ns, cpu = r.cpu_ns;
    }
    ok_int(r.verdict, RUNNER_VERDICT_NONE, "no verdict yet");
    ok_int(r.exit_code, -1, "no exit code yet");
    ok_between(&r, cpu, 60 * MS, at_most(200) * MS, "its CPU time");
    ok_between(&r, r.memory_peak, 30 * MIB, 40 * MIB, "its memory");
    runner_process_kill(process);
    r = end_of_run(process);
    ok_ended(&r, KILLED, CALLER, "ended");
    runner_result_t after = RUNNER_RESULT_INIT;
    ok_int(runner_process_usage(process, &after), 0, "usage of what has finished");
    ok(memcmp(&r, &after, sizeof r) == 0, "is the result");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ launch errors */

static void launch_errors(void) {
    struct counts before = counts_now();
    runner_t *runner = runner_for((const char *const[]){"/nonexistent/program", NULL});
    runner_set_memory_limit(runner, 64 * MIB);
    runner_set_stdin_bytes(runner, "abc", 3);
    runner_capture(runner, 1, 10);
    runner_result_t r = RUNNER_RESULT_INIT;
    int code = runner_run(runner, &r, &last_error);
    ok_failed(code, RUNNER_STAGE_EXEC, -1, ENOENT);
    ok_ended(&r, LAUNCH_ERROR, LAUNCH, "there is no such program");
    ok_str(r.reason, last_error.message, "the reason");
    ok_int(r.exit_code, -1, "no exit code");
    ok_int(r.size, sizeof r, "the size is left as it is");
    ok_int(runner_run(runner, NULL, NULL), -ENOENT, "without a result and an error");
    ok(runner_spawn(runner, &last_error) == NULL, "no handle");
    ok_failed(-ENOENT, RUNNER_STAGE_EXEC, -1, ENOENT);
    ok(runner_spawn(runner, NULL) == NULL, "no handle, no error");
    runner_free(runner);
    runner = runner_new();
    ok_int(runner_run(runner, &r, &last_error), -EINVAL, "no program");
    ok_ended(&r, LAUNCH_ERROR, LAUNCH, "no program");
    runner_free(runner);
    ok_nothing_left(before);
    ok_all_gone();
}

static void null_arguments(void) {
    const void *data = load_tag();
    size_t len = 7;
    runner_result_t r = RUNNER_RESULT_INIT;
    ok_int(runner_set_wall_limit(NULL, 1), -EINVAL, "wall");
    ok_int(runner_set_cpu_limit(NULL, 1), -EINVAL, "CPU");
    ok_int(runner_set_memory_limit(NULL, 1), -EINVAL, "memory");
    ok_int(runner_set_process_limit(NULL, 1), -EINVAL, "processes");
    ok_int(runner_set_output_limit(NULL, 1), -EINVAL, "output");
    ok_int(runner_set_cpu_quota(NULL, 50), -EINVAL, "quota");
    ok_int(runner_set_stdin_bytes(NULL, "", 0), -EINVAL, "input");
    ok_int(runner_capture(NULL, 1, 1), -EINVAL, "capture");
    ok_int(runner_capture_head(NULL, 1, 1), -EINVAL, "capture of the head");
    ok_int(runner_set_cgroup_root(NULL, "/"), -EINVAL, "root");
    ok_int(runner_clear_limits(NULL), -EINVAL, "clear");
    ok(runner_spawn(NULL, &last_error) == NULL, "spawn");
    ok_failed(-EINVAL, RUNNER_STAGE_OPTIONS, -1, EINVAL);
    ok(runner_spawn(NULL, NULL) == NULL, "spawn");
    ok_int(runner_process_pid(NULL), -EINVAL, "pid");
    ok_int(runner_process_fd(NULL), -EINVAL, "fd");
    ok_int(runner_process_step(NULL, &r), -EINVAL, "step");
    ok_int(runner_process_wait(NULL, 0, &r), -EINVAL, "wait");
    ok_int(runner_process_kill(NULL), -EINVAL, "kill");
    ok_int(runner_process_output(NULL, 1, &data, &len), -EINVAL, "output");
    ok_int(runner_process_usage(NULL, &r), -EINVAL, "usage");
    runner_process_free(NULL);
    ok_int(runner_run(NULL, &r, &last_error), -EINVAL, "run");
    ok_failed(-EINVAL, RUNNER_STAGE_OPTIONS, -1, EINVAL);
    ok_ended(&r, LAUNCH_ERROR, LAUNCH, "run");
    ok_int(runner_run(NULL, NULL, NULL), -EINVAL, "run");
}

static void bad_arguments(void) {
    runner_t *runner = load("pause");
    ok_int(runner_set_cpu_quota(runner, 0), -EINVAL, "a quota of nothing");
    ok_int(runner_set_stdin_bytes(runner, NULL, 1), -EINVAL, "NULL with a length");
    ok_int(runner_set_stdin_bytes(runner, NULL, 0), 0, "NULL without");
    ok_int(runner_capture(runner, -1, 1), -EINVAL, "fd -1");
    ok_int(runner_capture(runner, 1048576, 1), -EINVAL, "an fd out of range");
    ok_int(runner_capture_head(runner, -1, 1), -EINVAL, "fd -1");
    ok_int(runner_capture_head(runner, 1048576, 1), -EINVAL, "an fd out of range");
    ok_int(runner_set_cgroup_root(runner, NULL), -EINVAL, "NULL");
    ok_int(runner_set_cgroup_root(runner, ""), -EINVAL, "an empty path");
    char long_path[PATH_MAX + 2];
    memset(long_path, 'a', sizeof long_path - 1);
    long_path[0] = '/', long_path[sizeof long_path - 1] = '\0';
    ok_int(runner_set_cgroup_root(runner, long_path), -EINVAL, "too long a path");
    pid_t pid = start(runner);
    ok(pid > 0, "what was refused has left nothing: an ordinary start");
    if (pid > 0 && kill(pid, SIGKILL) == 0)
        child_status(pid);
    runner_process_t *process = spawn(runner);
    const void *data = load_tag();
    size_t len = 7;
    ok_int(runner_process_output(process, 1, &data, &len), -EINVAL, "an fd that is not captured");
    ok_int(runner_process_output(process, -1, &data, &len), -EINVAL, "fd -1");
    ok(data == load_tag() && len == 7, "both are untouched");
    ok_int(runner_process_output(process, 1, NULL, &len), -EINVAL, "NULL");
    ok_int(runner_process_output(process, 1, &data, NULL), -EINVAL, "NULL");
    ok_int(runner_process_usage(process, NULL), -EINVAL, "usage without a result");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ the struct */

static void result_sizes(void) {
    struct {
        runner_result_t r;
        unsigned char beyond[64];
    } larger;
    runner_t *runner = load("exit", "6");
    memset(&larger, 0xaa, sizeof larger);
    larger.r.size = 0;
    ok_int(runner_run(runner, &larger.r, &last_error), 0, "size 0");
    ok_int(larger.r.size, 0, "the size is left as it is");
    ok_int(larger.r.exit_code, 6, "filled");
    ok(larger.beyond[0] == 0xaa, "nothing beyond it is written");
    memset(&larger, 0xaa, sizeof larger);
    larger.r.size = sizeof larger.r + 32;
    ok_int(runner_run(runner, &larger.r, &last_error), 0, "a larger size");
    ok_int(larger.r.size, sizeof larger.r + 32, "the size is left as it is");
    ok_int(larger.r.exit_code, 6, "filled");
    bool zero = true;
    for (int i = 0; i < 32; i++)
        zero &= larger.beyond[i] == 0;
    ok(zero && larger.beyond[32] == 0xaa, "zeroes up to its size, and nothing beyond");
    static const uint32_t small[] = {1, 4, 511};
    for (size_t i = 0; i < COUNT(small); i++) {
        memset(&larger, 0xaa, sizeof larger);
        larger.r.size = small[i];
        ok_int(runner_run(runner, &larger.r, &last_error), -EINVAL, "size %u", small[i]);
        ok(larger.r.verdict == 0xaaaaaaaa, "nothing is written to it");
        ok_int(last_error.err, EINVAL, "the error says so");
    }
    runner_process_t *process = spawn(runner);
    larger.r.size = 12;
    ok_int(runner_process_step(process, &larger.r), -EINVAL, "step");
    ok_int(runner_process_wait(process, -1, &larger.r), -EINVAL, "wait");
    ok_int(runner_process_usage(process, &larger.r), -EINVAL, "usage");
    ok(larger.r.verdict == 0xaaaaaaaa, "nothing is written to it");
    runner_result_t r = end_of_run(process);
    ok_int(r.exit_code, 6, "the run is none the worse for it");
    runner_process_free(process);
    runner_free(runner);
    ok_int(sizeof(runner_result_t), 512, "the first published layout");
    ok_all_gone();
}

static void error_sizes(void) {
    runner_error_t e = RUNNER_ERROR_INIT;
    runner_result_t r = RUNNER_RESULT_INIT;
    runner_t *runner = load("exit", "6");
    e.size = 8;
    ok(runner_spawn(runner, &e) == NULL, "an error of an impossible size");
    ok_int(runner_run(runner, &r, &e), -EINVAL, "an error of an impossible size");
    e = (runner_error_t){.size = 0, .err = 55, .stage = 3};
    ok_int(runner_run(runner, &r, &e), 0, "size 0");
    ok(e.err == 0 && e.stage == 0 && e.message[0] == '\0', "filled on success too");
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ names */

static void names(void) {
    static const char *const verdicts[] = {
        "none", "finished", "signalled", "time_limit", "wall_limit", "memory_limit", "output_limit", "process_limit",
        "forbidden_syscall", "killed", "launch_error"};
    ok_int(RUNNER_VERDICT_LAUNCH_ERROR, COUNT(verdicts) - 1, "the last verdict");
    for (uint32_t i = 0; i < COUNT(verdicts); i++)
        ok_str(runner_verdict_name(i), verdicts[i], "verdict %u", i);
    for (uint32_t i = 0; i <= RUNNER_EVIDENCE_STATUS_LOST; i++) { /* the last one */
        ok(strcmp(runner_evidence_name(i), "unknown") != 0 && *runner_evidence_name(i), "evidence %u has words", i);
        for (uint32_t k = 0; k < i; k++)
            ok(strcmp(runner_evidence_name(i), runner_evidence_name(k)) != 0, "of its own");
    }
    ok_str(runner_evidence_name(RUNNER_EVIDENCE_OOM_KILLER), "OOM killer", "OOM killer");
    ok_str(runner_evidence_name(RUNNER_EVIDENCE_WALL_TIMER), "wall timer", "wall timer");
    for (uint32_t i = 0; i <= RUNNER_SOURCE_SAMPLED; i++)
        ok(strcmp(runner_source_name(i), "unknown") != 0 && *runner_source_name(i), "source %u has words", i);
    ok_str(runner_source_name(RUNNER_SOURCE_CGROUP_V2), "cgroup v2", "cgroup v2");
    ok_str(runner_source_name(RUNNER_SOURCE_RUSAGE), "rusage", "rusage");
    static const char *const missing[] = {"memory", "processes", "CPU time", "CPU quota", "tree"};
    for (uint32_t i = 0; i < COUNT(missing); i++)
        ok_str(runner_missing_name(UINT32_C(1) << i), missing[i], "bit %u", i);
    ok_int(RUNNER_MISSING_TREE, 1 << (COUNT(missing) - 1), "the last bit");
    ok_str(runner_missing_name(0), "unknown", "no bit");
    ok_str(runner_missing_name(3), "unknown", "two bits");
    ok_str(runner_missing_name(32), "unknown", "a bit beyond");
    static const uint32_t unknown[] = {14, 100, INT32_MAX, UINT32_C(1) << 31, UINT32_MAX};
    for (size_t i = 0; i < COUNT(unknown); i++) {
        ok_str(runner_verdict_name(unknown[i]), "unknown", "%u", unknown[i]);
        ok_str(runner_evidence_name(unknown[i]), "unknown", "%u", unknown[i]);
        ok_str(runner_source_name(unknown[i]), "unknown", "%u", unknown[i]);
        ok_str(runner_missing_name(unknown[i]), "unknown", "%u", unknown[i]);
    }
    ok_str(runner_verdict_name(11), "unknown", "one beyond");
    ok_str(runner_source_name(5), "unknown", "one beyond");
    ok_str(runner_stage_name(RUNNER_STAGE_STDIO), "stdio", "the stages of watched runs");
    ok_str(runner_stage_name(RUNNER_STAGE_WATCH), "watch", "the stages of watched runs");
}

/* ------------------------------------------------------------------ setters */

static void set_wall(runner_t *r) { runner_set_wall_limit(r, 1000 * MS); }
static void set_cpu(runner_t *r) { runner_set_cpu_limit(r, 1000 * MS); }
static void set_memory(runner_t *r) { runner_set_memory_limit(r, 64 * MIB); }
static void set_processes(runner_t *r) { runner_set_process_limit(r, 64); }
static void set_output(runner_t *r) { runner_set_output_limit(r, 1 << 20); }
static void set_quota(runner_t *r) { runner_set_cpu_quota(r, 50); }
static void set_input(runner_t *r) { runner_set_stdin_bytes(r, "", 0); }
static void set_capture(runner_t *r) { runner_capture(r, 1, 100); }
static void set_head(runner_t *r) { runner_capture_head(r, 2, 100); }
static void set_root(runner_t *r) { runner_set_cgroup_root(r, "/sys/fs/cgroup"); }

static void (*const setters[])(runner_t *) = {set_wall,  set_cpu,   set_memory,  set_processes, set_output,
                                              set_quota, set_input, set_capture, set_head,      set_root};

/* Nobody would enforce them. */
static void not_for_other_starts(void) {
    for (size_t i = 0; i < COUNT(setters); i++) {
        int pidfd = -5;
        runner_held_t *held = NULL;
        runner_t *runner = load("exit", "8");
        setters[i](runner);
        ok_failed(runner_start(runner, &last_error), RUNNER_STAGE_OPTIONS, -1, EINVAL);
        ok(strstr(last_error.message, "runner_spawn") != NULL, "the message helps: %s", last_error.message);
        ok_failed(runner_start_pidfd(runner, NULL, &pidfd, &last_error), RUNNER_STAGE_OPTIONS, -1, EINVAL);
        ok_failed(runner_start_held(runner, &held, &last_error), RUNNER_STAGE_OPTIONS, -1, EINVAL);
        ok(pidfd == -5 && held == NULL, "nothing is given");
        runner_t *copy = runner_clone(runner);
        ok_int(runner_start(copy, &last_error), -EINVAL, "setter %zu: a copy has it too", i);
        ok_int(runner_clear_limits(copy), 0, "clear");
        ok(exited(run(copy), 8), "setter %zu: cleared, it starts", i);
        ok_int(runner_start(runner, &last_error), -EINVAL, "setter %zu: the original still has it", i);
        runner_free(copy);
        runner_free(runner);
    }
    ok_all_gone();
}

/* UINT64_MAX takes a limit back. */
static void taken_back(void) {
    runner_t *runner = load("exit", "8");
    for (size_t i = 0; i + 3 < COUNT(setters); i++)
        setters[i](runner);
    runner_set_wall_limit(runner, UINT64_MAX);
    runner_set_cpu_limit(runner, UINT64_MAX);
    runner_set_memory_limit(runner, UINT64_MAX);
    runner_set_process_limit(runner, UINT64_MAX);
    runner_set_output_limit(runner, UINT64_MAX);
    runner_set_cpu_quota(runner, UINT32_MAX);
    runner_set_stdin_bytes(runner, NULL, 0);
    ok(exited(run(runner), 8), "none is left");
    runner_free(runner);
}

static void explained(void) {
    char text[16384], plain[16384];
    runner_t *runner = load("exit", "0");
    int length = runner_explain(runner, plain, sizeof plain);
    ok(length > 0, "explained without limits: %d", length);
    for (size_t i = 0; i + 1 < COUNT(setters); i++)
        setters[i](runner);
    runner_capture(runner, 7, 10);
    struct counts before = counts_now();
    length = runner_explain(runner, text, sizeof text);
    ok(length > 0 && strcmp(text, plain) != 0, "explained with limits: %d", length);
    ok(strstr(text, load_path()) != NULL || strstr(text, "exec") != NULL, "down to the exec: %s", text);
    ok_int(runner_explain(runner, NULL, 0), length, "its length alone");
    ok_nothing_left(before);
    runner_set_cgroup_root(runner, "/nonexistent");
    ok(runner_explain(runner, text, sizeof text) < 0, "what cannot be started cannot be explained");
    runner_free(runner);
    ok_all_gone();
}

/* What the program sees of them; the caller's own limits are kept. */
static const char *seen_limit(runner_t *runner, const char *key) {
    static char output[16384];
    runner_capture(runner, 1, sizeof output - 1);
    runner_process_t *process = spawn(runner);
    const void *data = NULL;
    size_t len = 0;
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "the inspector");
    runner_process_output(process, 1, &data, &len);
    snprintf(output, sizeof output, "%s", (const char *)data);
    runner_process_free(process);
    const char *value = value_of(output, key);
    return value == NULL ? "(nothing)" : value;
}

static void own_rlimits_kept(void) {
    runner_t *runner = guest("rlimits");
    runner_set_cpu_limit(runner, 2500 * MS);
    ok_str(seen_limit(runner, "rlimit.0.soft"), "4", "RLIMIT_CPU is the limit, rounded up, and a second");
    runner_add_rlimit(runner, RLIMIT_CPU, 7, 9);
    ok_str(seen_limit(runner, "rlimit.0.soft"), "7", "the caller's");
    runner_set_output_limit(runner, 1 << 20);
    ok_str(seen_limit(runner, "rlimit.1.soft"), "1048576", "RLIMIT_FSIZE is the output limit");
    runner_add_rlimit(runner, RLIMIT_FSIZE, 12345, 12345);
    ok_str(seen_limit(runner, "rlimit.1.soft"), "12345", "the caller's");
    runner_free(runner);
}

static void quota(void) {
    runner_t *runner = load("spin", "300");
    runner_set_cpu_quota(runner, 50);
    runner_result_t r = spins(runner, 300, "it is slowed down, not ended");
    if (r.missing & RUNNER_MISSING_QUOTA)
        ok(r.reason[0] != '\0' && !can_have("cpu"), "the result says why: %s", r.reason);
    else
        ok_between(&r, r.wall_ns, 450 * MS, 20000 * MS, "300 ms at 50 %% last 600, less one period's share");
    runner_free(runner);
    runner = load("exit", "0");
    r = run_result(runner);
    ok_int(r.missing & RUNNER_MISSING_QUOTA, 0, "not missing where it is not asked for");
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ together with the other options */

/* As a judge uses it: namespaces, a root of its own, no capabilities. */
static void judge_like(void) {
    if (!is_root() && !have_userns())
        SKIP("no user namespaces here");
    static const struct {
        const char *op, *arg;
        uint32_t verdict;
    } rows[] = {{"exit", "0", RUNNER_VERDICT_FINISHED},      {"spin", "60000", RUNNER_VERDICT_TIME_LIMIT},
                {"sleep", "60000", RUNNER_VERDICT_WALL_LIMIT}, {"touch", "80", RUNNER_VERDICT_MEMORY_LIMIT},
                {"write", "1", RUNNER_VERDICT_OUTPUT_LIMIT}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *argv[] = {"/load", load_tag(), rows[i].op, rows[i].arg, i == 4 ? "5000" : "sleep", "200", NULL};
        if (i == 4)
            argv[5] = NULL;
        runner_t *runner = runner_for(argv);
        runner_set_unshare_flags(runner, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                                             CLONE_NEWUTS);
        runner_set_pivot_root(runner, root_point());
        runner_add_bind(runner, load_path(), "/load", RUNNER_BIND_RO);
        runner_set_drop_caps(runner, true);
        runner_set_cpu_limit(runner, (i == 1 ? 100 : 1500) * MS);
        runner_set_wall_limit(runner, (i == 2 ? 500 : 10000) * MS);
        runner_set_memory_limit(runner, 64 * MIB);
        runner_set_process_limit(runner, 10);
        runner_capture(runner, 1, 4096);
        runner_result_t r = run_result(runner);
        if (!ok(r.verdict == rows[i].verdict, "%s: %s", rows[i].op, runner_verdict_name(r.verdict)))
            diag_result(&r);
        ok_int(r.missing & RUNNER_MISSING_TREE, 0, "a pid namespace holds it together");
        runner_free(runner);
    }
    ok_all_gone();
}

static void as_another_user(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = load("touch", "20", "spin", "30", "forks", "2", "exit", "2");
    runner_set_credential(runner, 12345, 12345, NULL, 0);
    runner_set_drop_caps(runner, true);
    runner_set_memory_limit(runner, 64 * MIB);
    runner_set_cpu_limit(runner, 1000 * MS);
    runner_set_process_limit(runner, 5);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "a run of another user");
    ok_int(r.exit_code, 2, "its exit code");
    ok_between(&r, r.memory_peak, 20 * MIB, 30 * MIB, "its memory");
    ok_between(&r, r.cpu_ns, 30 * MS, at_most(150) * MS, "its CPU time");
    runner_free(runner);
    ok_all_gone();
}

/* A program that waits for a tracer or a SIGCONT has to end all the same. */
static void stopped_at_the_start(void) {
    for (int way = 0; way < 2; way++) {
        runner_t *runner = load("exit", "0");
        if (way == 0)
            runner_set_stop_before_seccomp(runner, true);
        else
            runner_set_ptrace(runner, true);
        runner_set_wall_limit(runner, 200 * MS);
        runner_result_t r = RUNNER_RESULT_INIT;
        int code = runner_run(runner, &r, &last_error);
        ok(code == 0 ? r.verdict == RUNNER_VERDICT_WALL_LIMIT : code == -EINVAL && last_error.message[0] != '\0',
           "way %d: nobody continues it, and it ends or is refused: %d, %s", way, code,
           runner_verdict_name(r.verdict));
        runner_free(runner);
    }
    ok_all_gone();
}

static void waits(void) {
    runner_t *runner = load("pause");
    runner_set_cpu_limit(runner, 1000 * MS);
    runner_process_t *process = spawn(runner);
    runner_result_t r = RUNNER_RESULT_INIT;
    int64_t begin = now_ms();
    ok_int(runner_process_wait(process, 0, &r), 0, "0: no waiting");
    ok_int(runner_process_wait(process, 1, &r), 0, "a nanosecond");
    ok(now_ms() - begin < 100, "not for long");
    begin = now_ms();
    ok_int(runner_process_wait(process, 100 * MS, &r), 0, "100 ms");
    ok(now_ms() - begin >= 99, "no less than that");
    ok(now_ms() - begin < 2000, "and not much more");
    ok_int(r.verdict, RUNNER_VERDICT_NONE, "the result is untouched");
    runner_process_kill(process);
    ok_int(runner_process_wait(process, INT64_MAX, &r), 1, "the longest time");
    ok_int(runner_process_wait(process, INT64_MIN, &r), 1, "for ever");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

static void errno_kept(void) {
    runner_t *runner = load("say", "1", "x", "exit", "0");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_capture(runner, 1, 10);
    const void *data;
    size_t len;
    runner_result_t r = RUNNER_RESULT_INIT;
    errno = 4321;
    runner_process_t *process = runner_spawn(runner, NULL);
    ok_int(errno, 4321, "spawn");
    errno = 4321;
    runner_process_usage(process, &r);
    ok_int(errno, 4321, "usage");
    errno = 4321;
    runner_process_step(process, &r);
    ok_int(errno, 4321, "step");
    errno = 4321;
    runner_process_wait(process, -1, &r);
    ok_int(errno, 4321, "wait");
    errno = 4321;
    runner_process_output(process, 1, &data, &len);
    ok_int(errno, 4321, "output");
    errno = 4321;
    runner_process_kill(process);
    ok_int(errno, 4321, "kill");
    errno = 4321;
    runner_process_free(process);
    ok_int(errno, 4321, "free");
    errno = 4321;
    runner_run(runner, &r, NULL);
    ok_int(errno, 4321, "run");
    runner_set_cgroup_root(runner, "/nonexistent");
    errno = 4321;
    runner_run(runner, &r, NULL);
    ok_int(errno, 4321, "a run that cannot be started");
    runner_free(runner);
}

static const struct test tests[] = {
    {"an exit code would be lost", exit_codes},
    {"a signal would be taken for a limit", signals_are_no_limits},
    {"the end of the first thread would be taken for the program's", first_thread_ends},
    {"CPU: a program below its limit would be ended, or its figure wrong", cpu_below},
    {"CPU: a program of two threads below its limit, and its figure", cpu_two_threads_below},
    {"CPU: a spinning program would go on, or far beyond its limit", cpu_one_thread},
    {"CPU: of two threads only one would count", cpu_two_threads},
    {"CPU: time in the kernel would not count", cpu_in_the_kernel},
    {"CPU: time of children would not count", cpu_of_children},
    {"CPU: time of a daemon would not count", cpu_of_daemon},
    {"CPU: a program that is beyond its limit before anybody looks would be fine", cpu_above_unseen},
    {"CPU: a host that never looks would have no limit, or a wrong verdict", cpu_host_asleep},
    {"CPU: the host would poll", cpu_no_polling},
    {"wall: a program below its limit would be ended, or its figure wrong", wall_below},
    {"wall: a program above its limit would go on, or far beyond it", wall_above},
    {"wall: a late host would blame a program that had ended in time", wall_host_late},
    {"wall: a late host would not blame one that still runs", wall_host_late_and_over},
    {"a kill that comes too late would be the verdict", kill_host_late},
    {"limits of 0 would mean none", limits_of_zero},
    {"the largest limits would overflow", huge_limits},
    {"the set-up would count for the program", setup_is_apart},
    {"memory: a program below its limit would be ended, or its peak wrong", memory_below},
    {"memory: a program above its limit would go on", memory_above},
    {"memory: a program above its limit for a moment would be fine", memory_above_and_gone},
    {"memory: the limit would be far from where it is", memory_close},
    {"memory: of several processes only one would count", memory_of_several},
    {"memory: what several processes share would count several times", memory_shared},
    {"memory: a child's OOM kill would be lost", memory_of_a_child},
    {"memory: files in memory would not count", memory_of_files},
    {"memory: what is not touched would count", memory_untouched},
    {"memory: the host's own would be taken for the program's", memory_of_a_large_host},
    {"memory: limits too small for any program would kill the host", memory_tiny},
    {"processes: as many as are allowed would be refused", processes_below},
    {"processes: one more than allowed would not be refused", processes_above},
    {"processes: a program that copes would be blamed", processes_above_coped},
    {"processes: a failure of its own would be blamed on the limit", processes_not_blamed},
    {"processes: threads would not count", processes_threads},
    {"processes: the library would use up a limit of one", processes_one},
    {"processes: a limit of none would hang", processes_none},
    {"processes: without a pids cgroup nothing would stand in", processes_stand_in},
    {"output: the limit on a file would be one byte off, or a wrong verdict", file_limit},
    {"a seccomp kill would not be told", forbidden},
    {"a filter that kills nobody would be blamed", filtered_otherwise},
    {"the caller's kill would not be told, or the answer change", killed_by_caller},
    {"a kill from outside would be taken for the caller's or a limit", killed_from_outside},
    {"figures of a running program would be missing", usage_meanwhile},
    {"a failed launch would not be told, or leave something", launch_errors},
    {"NULL would crash", null_arguments},
    {"what cannot succeed would be taken", bad_arguments},
    {"a result of another size would be written wrongly", result_sizes},
    {"an error of another size would be written wrongly", error_sizes},
    {"names would be missing or crash", names},
    {"other starts would take limits that nobody enforces", not_for_other_starts},
    {"a limit could not be taken back", taken_back},
    {"a watched run could not be explained", explained},
    {"the caller's own rlimits would be overwritten", own_rlimits_kept},
    {"the CPU quota would not slow down, or not say so", quota},
    {"verdicts would be others in namespaces and a root of their own", judge_like},
    {"verdicts and figures would be others for another user", as_another_user},
    {"a program that is stopped at its start would hang", stopped_at_the_start},
    {"a wait would last too short or too long", waits},
    {"errno would be lost", errno_kept},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
