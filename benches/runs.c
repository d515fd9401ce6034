/* What a watched run costs, and how precise its limits are.
 *
 *   runs [--markdown] [--rounds N] TARGET
 *
 * Spawn to result of TARGET with a memory, CPU, wall and process limit in cgroups of its own, interleaved with two floors
 * written here: a plain launch with mkdir and rmdir of one memory cgroup, and a plain launch with all the
 * cgroups that the run had, with their limits, joined by hand. Then the host's CPU while 200 runs sleep, and how far 200
 * runs get beyond a CPU limit and a wall limit.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runner.h"

enum { SLEEPERS = 200, SLEEP_SECONDS = 5, OVERSHOOTS = 200, MOST_ROUNDS = 3000, GROUPS = 4 };
static const uint64_t MS = 1000000;
static const char *target;
static bool markdown;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "runs: %s: %s\n", what, strerror(errno));
    exit(1);
}

static runner_t *new_runner(const char *const argv[])
{
    runner_t *runner = runner_new();
    must(runner && runner_set_args(runner, argv) == 0 && runner_set_workdir(runner, "/") == 0, "options");
    return runner;
}

/* ---- cgroups by hand --------------------------------------------------------------------------------------------- */

struct group {
    char dir[PATH_MAX];
    const char *limit, *value;
};
static struct group groups[GROUPS];
static int group_count;

/* This process's own directory in the hierarchy of `controller` (v1), or in v2 (NULL). */
static bool own_directory(const char *controller, char path[PATH_MAX])
{
    char line[PATH_MAX], point[PATH_MAX] = "", own[PATH_MAX] = "";
    FILE *file = setmntent("/proc/self/mounts", "re");
    for (struct mntent *m; file && (m = getmntent(file));)
        if (controller ? !strcmp(m->mnt_type, "cgroup") && hasmntopt(m, controller) : !strcmp(m->mnt_type, "cgroup2"))
            snprintf(point, sizeof point, "%s", m->mnt_dir);
    if (file)
        endmntent(file);
    file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *names = strchr(line, ':') + 1, *end = strchr(names, ':');
        *end = 0;
        if (controller ? !strcmp(names, controller) : !*names)
            snprintf(own, sizeof own, "%s", end + 1);
    }
    if (file)
        fclose(file);
    return *point && snprintf(path, PATH_MAX, "%s%s", point, strcmp(own, "/") ? own : "") < PATH_MAX;
}

static void add_group(const char *controller, const char *limit, const char *value)
{
    char own[PATH_MAX - 64];
    struct group *group = &groups[group_count];
    if (!own_directory(controller, group->dir) || access(group->dir, W_OK) != 0)
        return;
    snprintf(own, sizeof own, "%.4000s", group->dir);
    snprintf(group->dir, sizeof group->dir, "%s/bench-%d", own, (int)getpid());
    group->limit = limit;
    group->value = value;
    group_count++;
}

/* The memory group comes first: the small floor has that one only. */
static void find_groups(void)
{
    char path[PATH_MAX];
    if (own_directory("memory", path)) {
        add_group("memory", "memory.limit_in_bytes", "67108864");
        add_group("pids", "pids.max", "64");
        add_group(NULL, NULL, NULL);
    } else {
        add_group(NULL, "memory.max", "67108864");
    }
    must(group_count > 0, "no cgroup can be made here");
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        must(write(fd, text, strlen(text)) > 0 || errno == EINVAL, path);
        close(fd);
    }
}

/* ---- spawn to result ---------------------------------------------------------------------------------------------- */

static runner_t *plain, *joined, *watched;

static void start_and_wait(const runner_t *runner)
{
    runner_error_t error = RUNNER_ERROR_INIT;
    pid_t pid = runner_start(runner, &error);
    must(pid > 0 && waitpid(pid, NULL, 0) == pid, error.message);
}

static void floor_one(void)
{
    must(mkdir(groups[0].dir, 0755) == 0, groups[0].dir);
    start_and_wait(plain);
    must(rmdir(groups[0].dir) == 0, groups[0].dir);
}

static void floor_all(void)
{
    for (int i = 0; i < group_count; i++) {
        must(mkdir(groups[i].dir, 0755) == 0, groups[i].dir);
        if (groups[i].limit)
            write_file(groups[i].dir, groups[i].limit, groups[i].value);
    }
    start_and_wait(joined);
    for (int i = 0; i < group_count; i++)
        must(rmdir(groups[i].dir) == 0, groups[i].dir);
}

static void run_watched(void)
{
    runner_result_t result = RUNNER_RESULT_INIT;
    runner_error_t error = RUNNER_ERROR_INIT;
    must(runner_run(watched, &result, &error) == 0 && result.verdict == RUNNER_VERDICT_FINISHED, error.message);
}

static void launch_only(void)
{
    start_and_wait(plain);
}

struct way {
    const char *name;
    void (*run)(void);
    double us[MOST_ROUNDS];
};
static struct way ways[] = {
    {"plain launch", launch_only, {0}},
    {"floor: plain launch, mkdir and rmdir of one cgroup", floor_one, {0}},
    {"floor by hand: all its cgroups, joined, with two limits", floor_all, {0}},
    {"watched run with four limits, spawn to result", run_watched, {0}},
};
enum { WAYS = sizeof ways / sizeof *ways };

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void bench_spawn(int rounds)
{
    const char *const argv[] = {target, NULL};
    plain = new_runner(argv);
    joined = new_runner(argv);
    watched = new_runner(argv);
    for (int i = 0; i < group_count; i++)
        must(runner_set_cgroup_path(joined, groups[i].dir) == 0, "cgroup path");
    must(runner_set_memory_limit(watched, 64 << 20) == 0 && runner_set_cpu_limit(watched, 1000 * MS) == 0 &&
             runner_set_wall_limit(watched, 2000 * MS) == 0 && runner_set_process_limit(watched, 64) == 0,
         "limits");
    for (int i = 0; i < rounds; i++)
        for (int k = 0; k < WAYS; k++) {
            struct way *way = &ways[(k + i) % WAYS];
            double begin = now_us();
            way->run();
            way->us[i] = now_us() - begin;
        }
    printf(markdown ? "\n| spawn to result | median us | p99 us | of the floor |\n| --- | ---: | ---: | ---: |\n"
                    : "spawn to result, %d rounds: median us, p99 us, of the floor\n",
           rounds);
    for (int k = 0; k < WAYS; k++)
        qsort(ways[k].us, (size_t)rounds, sizeof *ways[k].us, ascending);
    for (int k = 0; k < WAYS; k++) {
        double median = ways[k].us[rounds / 2], floor = ways[1].us[rounds / 2];
        printf(markdown ? "| %s | %.0f | %.0f | %.2f |\n" : "  %-58s %7.0f %7.0f %6.2f\n", ways[k].name, median,
               ways[k].us[rounds * 99 / 100], median / floor);
    }
    runner_free(plain);
    runner_free(joined);
    runner_free(watched);
}

/* ---- 200 runs that sleep ------------------------------------------------------------------------------------------ */

static double own_cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void bench_sleepers(void)
{
    const char *const argv[] = {"/bin/sleep", "1000", NULL};
    runner_t *runner = new_runner(argv);
    must(runner_set_memory_limit(runner, 64 << 20) == 0 && runner_set_cpu_limit(runner, 1000 * MS) == 0 &&
             runner_set_wall_limit(runner, 100000 * MS) == 0 && runner_set_process_limit(runner, 64) == 0,
         "limits");
    static runner_process_t *runs[SLEEPERS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < SLEEPERS; i++) {
        runner_error_t error = RUNNER_ERROR_INIT;
        must((runs[i] = runner_spawn(runner, &error)) != NULL, error.message);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = runs[i]};
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, runner_process_fd(runs[i]), &event) == 0, "epoll");
    }
    double begin = now_us(), cpu = own_cpu_us(), end = begin + SLEEP_SECONDS * 1e6;
    int steps = 0;
    for (double left; (left = end - now_us()) > 0;) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, (int)(left / 1000) + 1);
        for (int i = 0; i < n; i++, steps++)
            runner_process_step(events[i].data.ptr, NULL);
    }
    double percent = (own_cpu_us() - cpu) / (now_us() - begin) * 100;
    printf(markdown ? "\n%d sleeping runs watched by one thread for %d s: %.2f %% of one core (%d steps)\n"
                    : "%d sleeping runs, one thread, %d s: %.2f %% of one core, %d steps\n",
           SLEEPERS, SLEEP_SECONDS, percent, steps);
    for (int i = 0; i < SLEEPERS; i++)
        runner_process_free(runs[i]);
    close(epoll);
    runner_free(runner);
}

/* ---- overshoot ---------------------------------------------------------------------------------------------------- */

static void bench_overshoot(const char *name, const char *const argv[], uint64_t limit, bool cpu)
{
    static double beyond[OVERSHOOTS];
    runner_t *runner = new_runner(argv);
    must((cpu ? runner_set_cpu_limit : runner_set_wall_limit)(runner, limit) == 0, "limit");
    for (int i = 0; i < OVERSHOOTS; i++) {
        runner_result_t result = RUNNER_RESULT_INIT;
        runner_error_t error = RUNNER_ERROR_INIT;
        must(runner_run(runner, &result, &error) == 0, error.message);
        must(result.verdict == (cpu ? RUNNER_VERDICT_TIME_LIMIT : RUNNER_VERDICT_WALL_LIMIT), "the verdict");
        beyond[i] = (double)((cpu ? result.user_ns + result.system_ns : result.wall_ns) - limit) / 1e6;
    }
    qsort(beyond, OVERSHOOTS, sizeof *beyond, ascending);
    printf(markdown ? "| %s | %.2f | %.2f | %.2f | %.2f | %.2f |\n" : "  %-34s %6.2f %6.2f %6.2f %6.2f %6.2f\n", name, beyond[0],
           beyond[OVERSHOOTS / 2], beyond[OVERSHOOTS * 9 / 10], beyond[OVERSHOOTS * 99 / 100], beyond[OVERSHOOTS - 1]);
    runner_free(runner);
}

int main(int argc, char **argv)
{
    int rounds = 1000;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--markdown"))
            markdown = true;
        else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
            rounds = atoi(argv[++i]);
        else
            target = argv[i];
    }
    must(target && rounds > 0 && rounds <= MOST_ROUNDS, "usage: runs [--markdown] [--rounds N] TARGET");
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    struct utsname name;
    uname(&name);
    find_groups();
    printf("Linux %s, %ld CPUs, %s with %d cgroup%s a run\n", name.release, sysconf(_SC_NPROCESSORS_ONLN),
           groups[0].limit[7] == 'l' ? "v1" : "v2", group_count, group_count == 1 ? "" : "s");
    bench_spawn(rounds);
    bench_sleepers();
    static const char *const spin[] = {"/bin/sh", "-c", "while :; do :; done", NULL};
    static const char *const sleep[] = {"/bin/sleep", "1000", NULL};
    printf(markdown ? "\n| overshoot, ms | least | median | p90 | p99 | most |\n| --- | ---: | ---: | ---: | ---: | ---: |\n"
                    : "overshoot of %d runs each, ms: least, median, p90, p99, most\n",
           OVERSHOOTS);
    bench_overshoot("CPU limit of 50 ms, spinning", spin, 50 * MS, true);
    bench_overshoot("wall limit of 50 ms, sleeping", sleep, 50 * MS, false);
    return 0;
}
