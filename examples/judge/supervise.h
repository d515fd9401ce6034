/* One run from start to end: starts it, watches its wall time and CPU time, kills the whole tree, and says what
 * happened, with where each figure came from.
 */
#ifndef JUDGE_SUPERVISE_H
#define JUDGE_SUPERVISE_H

#include <poll.h>
#include <sys/wait.h>
#include <time.h>

#include "cgroup.h"
#include "sandbox.h"

struct outcome {
    int status; /* as waitpid(2) gives it */
    bool cpu_exceeded, wall_exceeded, memory_exceeded, processes_refused;
    int64_t wall_ns, cpu_ns;
    uint64_t memory;         /* peak, bytes */
    const char *memory_from; /* "cgroup": all of the run; "max rss": its largest process */
};

/* Set by a signal: the run in hand is killed and the judge cleans up. */
static volatile sig_atomic_t interrupted;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec : 0;
}

/* CPU time so far: of the whole run by its cgroup, else of its first process by that one's clock. */
static int64_t cpu_so_far(const struct cgroup *group, pid_t pid)
{
    if (group->version)
        return (int64_t)cgroup_read(group, CGROUP_CPU_NS);
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? clock_ns(clock) : 0;
}

/* True when the process has ended within `ns`. A pidfd becomes readable then. */
static bool ended_within(int pidfd, int64_t ns)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return ppoll(&fd, 1, &t, NULL) > 0;
}

/* Waits for the end or for a limit. The CPU time cannot run out before the rest of it has passed on every CPU, so
 * that is how long one may sleep: a few wake-ups a run, and precise to a millisecond. */
static void watch(const struct limits *limits, const struct cgroup *group, pid_t pid, int pidfd, int64_t launch_ns,
                  struct outcome *outcome)
{
    const int64_t begin = clock_ns(CLOCK_MONOTONIC);
    const int64_t cpus = sysconf(_SC_NPROCESSORS_ONLN);
    for (;;) {
        int64_t cpu_left = limits->cpu_ns - (cpu_so_far(group, pid) - launch_ns);
        outcome->wall_ns = clock_ns(CLOCK_MONOTONIC) - begin;
        int64_t wall_left = limits->wall_ns - outcome->wall_ns;
        outcome->cpu_exceeded = cpu_left <= 0;
        outcome->wall_exceeded = wall_left <= 0 || interrupted;
        if (outcome->cpu_exceeded || outcome->wall_exceeded)
            return;
        int64_t nap = cpu_left / cpus + 1000000;
        if (ended_within(pidfd, nap < wall_left ? nap : wall_left)) {
            outcome->wall_ns = clock_ns(CLOCK_MONOTONIC) - begin;
            return;
        }
    }
}

static void collect(const struct limits *limits, const struct cgroup *group, const struct rusage *usage,
                    int64_t launch_ns, struct outcome *outcome)
{
    const struct timeval *user = &usage->ru_utime, *sys = &usage->ru_stime;
    outcome->cpu_ns = ((int64_t)user->tv_sec + sys->tv_sec) * 1000000000 + ((int64_t)user->tv_usec + sys->tv_usec) * 1000;
    outcome->memory = (uint64_t)usage->ru_maxrss * 1024;
    outcome->memory_from = "max rss";
    outcome->memory_exceeded = outcome->memory > limits->memory;
    if (group->version) {
        uint64_t peak = cgroup_read(group, CGROUP_PEAK); /* v2: Linux 5.19 */
        outcome->cpu_ns = (int64_t)cgroup_read(group, CGROUP_CPU_NS);
        outcome->memory_exceeded = cgroup_read(group, CGROUP_OOM) > 0;
        outcome->processes_refused = cgroup_read(group, CGROUP_REFUSED) > 0;
        if (peak) {
            outcome->memory = peak;
            outcome->memory_from = "cgroup";
        }
    }
    outcome->cpu_ns -= outcome->cpu_ns < launch_ns ? outcome->cpu_ns : launch_ns;
    outcome->cpu_exceeded |= outcome->cpu_ns > limits->cpu_ns;
}

/* 0 when it ran, however it ended, or a negative errno with `error` filled. */
static int supervise_in(const runner_t *runner, const struct limits *limits, const struct cgroup *group,
                        struct outcome *outcome, runner_error_t *error)
{
    pid_t pid;
    int pidfd, result = runner_start_pidfd(runner, &pid, &pidfd, error);
    if (result < 0)
        return result;
    int64_t launch_ns = cpu_so_far(group, pid); /* the exec has happened: this was not the program's */
    watch(limits, group, pid, pidfd, launch_ns, outcome);
    /* It is pid 1 of its namespace: with it dies everything in there, and the wait is over only when all of that is
     * gone. It is a child that was not waited for, so its pid cannot be anybody else's. */
    kill(pid, SIGKILL);
    struct rusage usage;
    while (wait4(pid, &outcome->status, 0, &usage) < 0 && errno == EINTR)
        ;
    close(pidfd);
    collect(limits, group, &usage, launch_ns, outcome);
    return 0;
}

static int supervise(const struct sandbox *sandbox, const struct run *run, struct outcome *outcome,
                     runner_error_t *error)
{
    memset(outcome, 0, sizeof *outcome);
    runner_t *runner = sandbox_runner(sandbox, run);
    if (!runner)
        return -errno;
    struct cgroup group;
    const struct limits *limits = &run->limits;
    int result = cgroup_open(&sandbox->cgroups, &group, limits->memory, limits->processes, runner);
    if (result == 0)
        result = supervise_in(runner, limits, &group, outcome, error);
    if (group.version)
        cgroup_close(&group);
    runner_free(runner);
    return result;
}

#endif
