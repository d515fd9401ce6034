/* Two hundred runs at once, watched by one thread: each run is one fd in this program's own epoll.
 *
 *   many [RUNS]
 *
 * After a second in which they only exist, the runs sleep, compute, print, fail, or try to pass one of their limits. At
 * the end: what became of each kind, and what it has cost this program itself to watch them.
 */
#define _GNU_SOURCE /* namespaces */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "runner.h"

static const struct kind {
    const char *name, *script;
} KINDS[] = {
    {"sleeps", "sleep 1; exec sleep 1"},
    {"computes", "sleep 1; i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done"},
    {"prints", "sleep 1; i=0; while [ $i -lt 1000 ]; do echo 0123456789; i=$((i+1)); done"},
    {"fails", "sleep 1; exit 3"},
    {"spins", "sleep 1; while :; do :; done"},
    {"oversleeps", "exec sleep 3600"},
    {"hoards", "sleep 1; exec tail /dev/zero"}, /* the last line of a file without an end, kept in memory */
    {"floods", "sleep 1; exec yes"},
    {"forks", "sleep 1; for i in 1 2 3 4 5; do sleep 1 & done; wait"},
};
enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS, VERDICT_COUNT = RUNNER_VERDICT_LAUNCH_ERROR + 1 };

struct run {
    size_t kind;
    runner_process_t *process; /* NULL: not begun, or over */
};

struct host {
    int loop; /* epoll */
    int started, finished, most_at_once;
    int counts[KIND_COUNT][VERDICT_COUNT];
    uint32_t missing;
    char reason[sizeof((runner_result_t *)0)->reason];
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* CPU time of this program, without the runs: they are its children. */
static double own_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* A run takes four fds: its epoll, its timer, its pidfd, and the pipe of its output. */
static void make_room(int runs)
{
    struct rlimit files;
    rlim_t needed = (rlim_t)runs * 4 + 32;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= needed)
        return;
    printf("%ju fds are too few, so the soft limit is raised to the hard one: %ju\n", (uintmax_t)files.rlim_cur,
           (uintmax_t)files.rlim_max);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* What all runs have in common. A pid namespace holds a run together also where no cgroup does; for that an ordinary
 * user needs a user namespace. */
static runner_t *options(void)
{
    runner_t *runner = runner_new();
    runner_set_env(runner, (const char *const[]){"PATH=/usr/bin:/bin", NULL});
    runner_set_unshare_flags(runner, CLONE_NEWPID | (geteuid() == 0 ? 0 : CLONE_NEWUSER));
    runner_set_wall_limit(runner, 5000 * 1000000ull); /* ns */
    runner_set_cpu_limit(runner, 100 * 1000000ull);
    runner_set_memory_limit(runner, 32 << 20);
    runner_set_process_limit(runner, 4);
    runner_capture(runner, STDOUT_FILENO, 64 << 10);
    return runner;
}

/* Starts a run and puts its fd into the loop. */
static void start(struct host *host, runner_t *runner, struct run *run)
{
    runner_error_t error = RUNNER_ERROR_INIT;
    runner_set_args(runner, (const char *const[]){"/bin/sh", "-c", KINDS[run->kind].script, NULL});
    run->process = runner_spawn(runner, &error);
    host->started++;
    if (!run->process) {
        printf("%s: %s\n", runner_stage_name(error.stage), error.message);
        host->counts[run->kind][RUNNER_VERDICT_LAUNCH_ERROR]++;
        host->finished++;
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = run};
    epoll_ctl(host->loop, EPOLL_CTL_ADD, runner_process_fd(run->process), &event);
    if (host->started - host->finished > host->most_at_once)
        host->most_at_once = host->started - host->finished;
}

/* A run's fd is readable: whatever is due is done, and that may be its end. */
static void step(struct host *host, struct run *run)
{
    runner_result_t result = RUNNER_RESULT_INIT;
    if (runner_process_step(run->process, &result) == 0)
        return;
    host->counts[run->kind][result.verdict]++;
    host->finished++;
    host->missing |= result.missing;
    memcpy(host->reason, result.reason, sizeof host->reason);
    epoll_ctl(host->loop, EPOLL_CTL_DEL, runner_process_fd(run->process), NULL);
    runner_process_free(run->process);
    run->process = NULL;
}

/* One turn of the loop: waits this long for the first event, and does what is due. */
static void turn(struct host *host, int milliseconds)
{
    struct epoll_event events[64];
    int n = epoll_wait(host->loop, events, 64, milliseconds);
    for (int i = 0; i < n; i++)
        step(host, events[i].data.ptr);
}

static int count(const struct host *host, int verdict)
{
    int n = 0;
    for (size_t kind = 0; kind < KIND_COUNT; kind++)
        n += host->counts[kind][verdict];
    return n;
}

/* Ten times a second, in place, and only for a person. */
static void show_progress(const struct host *host)
{
    static double shown;
    if (!isatty(STDOUT_FILENO) || (seconds() - shown < 0.1 && host->finished < host->started))
        return;
    shown = seconds();
    printf("\r\033[K%d running, %d over", host->started - host->finished, host->finished);
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
        if (count(host, verdict))
            printf(", %s %d", runner_verdict_name((uint32_t)verdict), count(host, verdict));
    fflush(stdout);
}

static void show_table(const struct host *host)
{
    printf("%s%-12s %-18s %4s\n", isatty(STDOUT_FILENO) ? "\n" : "", "kind", "verdict", "runs");
    for (size_t kind = 0; kind < KIND_COUNT; kind++)
        for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
            if (host->counts[kind][verdict])
                printf("%-12s %-18s %4d\n", KINDS[kind].name, runner_verdict_name((uint32_t)verdict),
                       host->counts[kind][verdict]);
    if (host->missing)
        printf("limits without a cgroup for all of them: %s\n", host->reason);
}

int main(int argc, char **argv)
{
    int count_of_runs = argc > 1 ? atoi(argv[1]) : 200;
    struct run *runs = calloc((size_t)(count_of_runs > 0 ? count_of_runs : 1), sizeof *runs);
    static struct host host;
    runner_t *runner = options();
    make_room(count_of_runs);
    host.loop = epoll_create1(EPOLL_CLOEXEC);

    double begin = seconds();
    for (int i = 0; i < count_of_runs; i++) {
        runs[i].kind = (size_t)i % KIND_COUNT;
        start(&host, runner, &runs[i]);
        turn(&host, 0); /* those that run already have limits too */
        show_progress(&host);
    }
    double launched = seconds(), launched_cpu = own_cpu_seconds();
    while (host.finished < host.started) {
        turn(&host, 100);
        show_progress(&host);
    }
    double end = seconds(), cpu = own_cpu_seconds();

    show_table(&host);
    printf("%d runs, %d at once, in %.2f s\n", host.finished, host.most_at_once, end - begin);
    printf("own CPU time of this program: %.0f ms to start them; %.0f ms to watch them, %.1f %% of one CPU\n",
           launched_cpu * 1e3, (cpu - launched_cpu) * 1e3, 100 * (cpu - launched_cpu) / (end - launched));
    runner_free(runner);
    close(host.loop);
    free(runs);
    return count(&host, RUNNER_VERDICT_LAUNCH_ERROR) > 0;
}
