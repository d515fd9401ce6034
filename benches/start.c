/* What a start costs: start + wait of a program that exits at once, by librunner in each of its modes, against floors
 * written here by hand, posix_spawn and fork.
 *
 *   start [--markdown] [--rounds N] [--sizes GIB,GIB] TARGET
 *
 * At most N rounds (1500), and as many as a minute has room for. In a round every way is taken once, in a new order, in a
 * small host and in hosts with gigabytes resident (--sizes 0: in the small one only), so that what else the machine does
 * hits all alike. Medians and 99th percentiles, in microseconds. At last two threads at once. TARGET should be static
 * (benches/run.sh builds it).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runner.h"

#define SEVEN                                                                                                       \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static const char *target;
static char *const empty_env[] = {NULL};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- the floors: the fewest calls that do the same ---------------------------------------------------------------- */

enum { STACK_SIZE = 64 * 1024 };
static _Thread_local char stack[STACK_SIZE] __attribute__((aligned(16)));
static char uid_map[32], gid_map[32]; /* "0 <ours> 1" */

/* /dev/null at 0, 1 and 2, a session, the working directory: the library's defaults, with workdir "/". */
static void prepare(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || setsid() < 0 || chdir("/") < 0)
        _exit(126);
}

static void execute(void)
{
    char *const argv[] = {(char *)target, NULL};
    execve(target, argv, empty_env);
    _exit(127);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        _exit(125);
    close(fd);
}

static int floor_child(void *flags)
{
    if (*(int *)flags & CLONE_NEWUSER) {
        put("/proc/self/setgroups", "deny");
        put("/proc/self/uid_map", uid_map);
        put("/proc/self/gid_map", gid_map);
    }
    prepare();
    execute();
    return 0;
}

static pid_t floor_clone(int flags)
{
    return clone(floor_child, stack + STACK_SIZE, flags | CLONE_VM | CLONE_VFORK | SIGCHLD, &flags);
}

static pid_t floor_plain(const runner_t *unused)
{
    (void)unused;
    return floor_clone(0);
}

static pid_t floor_user(const runner_t *unused)
{
    (void)unused;
    return floor_clone(CLONE_NEWUSER);
}

static pid_t floor_seven(const runner_t *unused)
{
    (void)unused;
    return floor_clone(SEVEN);
}

static pid_t by_fork(const runner_t *unused)
{
    (void)unused;
    pid_t pid = fork();
    if (pid == 0) {
        prepare();
        execute();
    }
    return pid;
}

static posix_spawn_file_actions_t spawn_actions;
static posix_spawnattr_t spawn_attributes;

static void spawn_prepare(void)
{
    posix_spawn_file_actions_init(&spawn_actions);
    posix_spawn_file_actions_addopen(&spawn_actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&spawn_actions, 0, 1);
    posix_spawn_file_actions_adddup2(&spawn_actions, 0, 2);
    posix_spawn_file_actions_addchdir_np(&spawn_actions, "/");
    posix_spawnattr_init(&spawn_attributes);
    posix_spawnattr_setflags(&spawn_attributes, POSIX_SPAWN_SETSID);
}

static pid_t by_spawn(const runner_t *unused)
{
    (void)unused;
    pid_t pid;
    char *const argv[] = {(char *)target, NULL};
    int error = posix_spawn(&pid, target, &spawn_actions, &spawn_attributes, argv, empty_env);
    return error ? -error : pid;
}

/* ---- the library ---------------------------------------------------------------------------------------------------- */

static void report(const runner_error_t *error)
{
    char line[400];
    runner_error_format(error, line, sizeof line);
    fprintf(stderr, "%s\n", line);
}

static pid_t ours(const runner_t *runner)
{
    runner_error_t error = RUNNER_ERROR_INIT;
    pid_t pid = runner_start(runner, &error);
    if (pid < 0)
        report(&error);
    return pid;
}

static pid_t ours_held(const runner_t *runner)
{
    runner_error_t error = RUNNER_ERROR_INIT;
    runner_held_t *held;
    int result = runner_start_held(runner, &held, &error);
    pid_t pid = result < 0 ? result : runner_held_resume(held, &error);
    if (pid < 0)
        report(&error);
    return pid;
}

/* The tracer lets the program go on from the stop at its exec. */
static pid_t ours_traced(const runner_t *runner)
{
    pid_t pid = ours(runner);
    int status;
    if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
        ptrace(PTRACE_CONT, pid, 0, 0);
    return pid;
}

static int nothing(pid_t pid, void *context)
{
    (void)pid, (void)context;
    return 0;
}

static void set_user(runner_t *runner)
{
    runner_set_unshare_flags(runner, CLONE_NEWUSER);
}

static void set_callback(runner_t *runner)
{
    runner_set_sync_func(runner, nothing, NULL);
}

static void set_user_callback(runner_t *runner)
{
    set_user(runner);
    set_callback(runner);
}

static void set_seven(runner_t *runner)
{
    runner_set_unshare_flags(runner, SEVEN);
}

static void set_traced(runner_t *runner)
{
    runner_set_ptrace(runner, true);
}

/* A root with the target in it, and nothing else: it is not called by path there, but by fd. */
static void set_root(runner_t *runner)
{
    set_seven(runner);
    runner_set_pivot_root(runner, "/tmp");
    runner_add_tmpfs(runner, "/tmp", 1 << 20, 0777);
    runner_set_exec_fd(runner, open(target, O_PATH | O_CLOEXEC));
}

/* ---- the table of ways ------------------------------------------------------------------------------------------ */

enum way { PLAIN_FLOOR, SPAWN, FORK, PLAIN, USER_FLOOR, USER, CALLBACK, HELD, USER_CALLBACK, SEVEN_FLOOR, SEVEN_OURS, TRACED, ROOT, WAYS };

static const struct {
    const char *name;
    pid_t (*start)(const runner_t *);
    void (*set)(runner_t *); /* NULL: nothing to set, or no runner at all */
    int floor;               /* the way it is compared with; -1: none */
    double goal;             /* at most this times its floor; 0: for information */
    double grows;            /* at most this times the same in a small host; 0: for information */
} ways[WAYS] = {
    [PLAIN_FLOOR] = {"plain: floor in C (vfork)", floor_plain, NULL, -1, 0, 0},
    [SPAWN] = {"plain: posix_spawn", by_spawn, NULL, PLAIN_FLOOR, 0, 0},
    [FORK] = {"plain: fork + exec", by_fork, NULL, PLAIN_FLOOR, 0, 0},
    [PLAIN] = {"plain: librunner", ours, NULL, PLAIN_FLOOR, 1.05, 1.10},
    [USER_FLOOR] = {"user namespace: floor in C", floor_user, NULL, -1, 0, 0},
    [USER] = {"user namespace: librunner", ours, set_user, USER_FLOOR, 1.10, 1.10},
    [CALLBACK] = {"callback: librunner", ours, set_callback, PLAIN_FLOOR, 1.5, 1.10},
    [HELD] = {"held: librunner", ours_held, NULL, PLAIN_FLOOR, 1.5, 1.10},
    [USER_CALLBACK] = {"user namespace + callback: librunner", ours, set_user_callback, USER_FLOOR, 0, 1.10},
    [SEVEN_FLOOR] = {"seven namespaces: floor in C", floor_seven, NULL, -1, 0, 0},
    [SEVEN_OURS] = {"seven namespaces: librunner", ours, set_seven, SEVEN_FLOOR, 1.05, 1.10},
    [TRACED] = {"ptrace: librunner", ours_traced, set_traced, PLAIN_FLOOR, 0, 0},
    [ROOT] = {"seven + new root: librunner", ours, set_root, SEVEN_FLOOR, 0, 1.10},
};

static bool needs_namespaces(int way)
{
    return way == USER_FLOOR || way == USER || way == USER_CALLBACK || way == SEVEN_FLOOR || way == SEVEN_OURS ||
           way == ROOT;
}

static runner_t *make_runner(int way)
{
    runner_t *runner = runner_new();
    runner_set_args(runner, (const char *const[]){target, NULL});
    runner_set_workdir(runner, "/");
    if (ways[way].set)
        ways[way].set(runner);
    return runner;
}

/* One start and wait, in microseconds; negative where it failed. */
static double once(int way, const runner_t *runner)
{
    int status = -1;
    double begin = now_us();
    pid_t pid = ways[way].start(runner);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return -1;
    return now_us() - begin;
}

/* ---- hosts of several sizes ------------------------------------------------------------------------------------- */

/* A host is a process of its own with so much memory resident, which starts what it is told to. They take turns in
 * every round, so that what the machine does otherwise, and as it warms up, hits the small one and the big ones alike. */
enum { MAX_HOSTS = 4, MAX_SECONDS = 60 };

struct figures {
    double median, p99;
    int rounds;
};

struct host {
    unsigned gib;
    pid_t pid;
    int orders, results; /* pipes: the number of a round goes in, a double for each way comes out */
    double *samples[WAYS];
    int counts[WAYS];
    bool off[WAYS]; /* does not work here */
    struct figures figures[WAYS];
};

struct bench {
    int rounds, hosts;
    struct host host[MAX_HOSTS];
};

/* fork copies the page tables of the host: tens of milliseconds each in a big one, so a few have to do. */
static bool skips_round(int way, int round, unsigned gib)
{
    return way == FORK && gib > 0 && round % 50 != 0;
}

/* Memory as a big host has it: touched, in small pages. */
static bool make_resident(unsigned gib)
{
    size_t size = (size_t)gib << 30;
    if (size == 0)
        return true;
    char *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return false;
    madvise(block, size, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < size; i += 4096)
        ((volatile char *)block)[i] = 1;
    return true;
}

/* The same order for all hosts in a round, another one in the next: nobody always follows the same neighbour. */
static void shuffle(unsigned round, int order[WAYS])
{
    unsigned seed = round;
    for (int i = 0; i < WAYS; i++) {
        int j = rand_r(&seed) % (i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

/* One turn of a host: every way once. 0: left out; negative: failed, and not tried again. */
static void take_turn(int round, unsigned gib, runner_t *runners[WAYS], double results[WAYS])
{
    int order[WAYS];
    bool after_fork = false;
    shuffle((unsigned)round, order);
    for (int i = 0; i < WAYS; i++) {
        int way = order[i];
        results[way] = 0;
        if (!runners[way] || skips_round(way, round, gib))
            continue;
        /* A fork leaves every page of the host to be copied at its next write. That is not the next one's cost. */
        if (after_fork)
            once(way, runners[way]);
        after_fork = way == FORK;
        results[way] = once(way, runners[way]);
        if (results[way] < 0) {
            runner_free(runners[way]);
            runners[way] = NULL;
        }
    }
}

/* The life of a host. It says that it is ready, and ends when nobody has orders any more. */
static void be_host(unsigned gib, int orders, int results, runner_t *runners[WAYS])
{
    double times[WAYS] = {0};
    int round;
    if (!make_resident(gib) || write(results, times, sizeof times) < 0)
        _exit(1);
    while (read(orders, &round, sizeof round) == (ssize_t)sizeof round) {
        take_turn(round, gib, runners, times);
        if (write(results, times, sizeof times) != (ssize_t)sizeof times)
            break;
    }
    _exit(0);
}

static bool enough_memory(unsigned gib)
{
    char line[128];
    unsigned long available = 0;
    FILE *meminfo = fopen("/proc/meminfo", "re");
    while (meminfo && fgets(line, sizeof line, meminfo))
        sscanf(line, "MemAvailable: %lu", &available);
    if (meminfo)
        fclose(meminfo);
    return available / 1024 > (gib + 1) * 1024ul;
}

static void add_host(struct bench *bench, unsigned gib, runner_t *runners[WAYS])
{
    struct host *host = &bench->host[bench->hosts];
    int orders[2], results[2];
    double ready[WAYS];
    if (gib > 0 && !enough_memory(gib)) {
        fprintf(stderr, "%u GiB are not free here: skipped\n", gib);
        return;
    }
    if (pipe2(orders, O_CLOEXEC) != 0 || pipe2(results, O_CLOEXEC) != 0)
        return;
    host->pid = fork();
    if (host->pid == 0) {
        close(orders[1]);
        be_host(gib, orders[0], results[1], runners);
    }
    close(orders[0]);
    close(results[1]);
    host->gib = gib;
    host->orders = orders[1];
    host->results = results[0];
    for (int way = 0; way < WAYS; way++)
        host->samples[way] = calloc((size_t)bench->rounds, sizeof(double));
    bench->hosts += read(host->results, ready, sizeof ready) == (ssize_t)sizeof ready;
}

/* Orders a round from a host; before round 0 it only warms up. */
static void order_round(struct host *host, int round, bool warm)
{
    double times[WAYS];
    if (write(host->orders, &round, sizeof round) < 0 ||
        read(host->results, times, sizeof times) != (ssize_t)sizeof times) {
        fprintf(stderr, "the host of %u GiB is gone\n", host->gib);
        exit(1);
    }
    for (int way = 0; way < WAYS; way++) {
        if (times[way] > 0 && !warm)
            host->samples[way][host->counts[way]++] = times[way];
        if (times[way] < 0) {
            fprintf(stderr, "%s does not work here\n", ways[way].name);
            host->off[way] = true;
        }
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct figures summarise(double *samples, int n)
{
    if (n == 0)
        return (struct figures){0, 0, 0};
    qsort(samples, (size_t)n, sizeof *samples, compare);
    return (struct figures){samples[n / 2], samples[n - 1 - n / 100], n};
}

static void measure(struct bench *bench)
{
    const int warm = bench->rounds / 20 + 1;
    const double until = now_us() + MAX_SECONDS * 1e6;
    int round = 0;
    for (; round < warm + bench->rounds && now_us() < until; round++)
        for (int i = 0; i < bench->hosts; i++)
            order_round(&bench->host[(i + round) % bench->hosts], round, round < warm);
    bench->rounds = round > warm ? round - warm : 0;
    /* A later host has the pipes of the earlier ones too, so they end from the last to the first. */
    for (int i = 0; i < bench->hosts; i++)
        close(bench->host[i].orders);
    for (int i = 0; i < bench->hosts; i++) {
        struct host *host = &bench->host[i];
        waitpid(host->pid, NULL, 0);
        for (int way = 0; way < WAYS; way++)
            host->figures[way] = summarise(host->samples[way], host->off[way] ? 0 : host->counts[way]);
    }
}

/* ---- two threads ------------------------------------------------------------------------------------------------ */

enum { SLICES = 9, SLICE_MS = 150 };
static const int pair_ways[] = {PLAIN_FLOOR, PLAIN, USER_FLOOR, USER, SEVEN_FLOOR, SEVEN_OURS};
enum { PAIRS = sizeof pair_ways / sizeof *pair_ways };

struct spinner {
    int way;
    const runner_t *runner;
    double until;
    long starts;
};

static void *spin(void *argument)
{
    struct spinner *spinner = argument;
    spinner->starts = 0;
    while (now_us() < spinner->until && once(spinner->way, spinner->runner) >= 0)
        spinner->starts++;
    return NULL;
}

/* Starts a second, by one thread or two. Both share the runner, as threads of a judge would. */
static double rate(int way, const runner_t *runner, int threads)
{
    struct spinner spinners[2];
    pthread_t other;
    double begin = now_us();
    for (int i = 0; i < threads; i++)
        spinners[i] = (struct spinner){way, runner, begin + SLICE_MS * 1e3, 0};
    if (threads == 2)
        pthread_create(&other, NULL, spin, &spinners[1]);
    spin(&spinners[0]);
    if (threads == 2)
        pthread_join(other, NULL);
    double seconds = (now_us() - begin) / 1e6;
    return (double)(spinners[0].starts + (threads == 2 ? spinners[1].starts : 0)) / seconds;
}

struct pair {
    double one, two; /* starts a second */
};

static void measure_pairs(runner_t *runners[WAYS], const bool off[WAYS], struct pair pairs[PAIRS])
{
    double samples[PAIRS][2][SLICES];
    for (int slice = 0; slice < SLICES; slice++)
        for (int i = 0; i < PAIRS; i++)
            for (int threads = 1; threads <= 2; threads++)
                samples[i][threads - 1][slice] =
                    off[pair_ways[i]] ? 0 : rate(pair_ways[i], runners[pair_ways[i]], threads);
    for (int i = 0; i < PAIRS; i++)
        pairs[i] = (struct pair){summarise(samples[i][0], SLICES).median, summarise(samples[i][1], SLICES).median};
}

/* ---- printing --------------------------------------------------------------------------------------------------- */

static const char *judged(double value, double goal, bool at_most)
{
    if (goal == 0)
        return "";
    return (at_most ? value <= goal : value >= goal) ? "met" : "falls short";
}

static void cpu_model(char model[128])
{
    char line[256];
    strcpy(model, "unknown CPU");
    FILE *info = fopen("/proc/cpuinfo", "re");
    while (info && fgets(line, sizeof line, info))
        if (strncmp(line, "model name", 10) == 0)
            sscanf(line, "model name : %127[^\n]", model);
    if (info)
        fclose(info);
}

static void print_machine(const struct bench *bench)
{
    struct utsname os;
    char model[128], date[32];
    double load[1] = {0};
    time_t now = time(NULL);
    uname(&os);
    cpu_model(model);
    getloadavg(load, 1);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    uint32_t v = runner_version();
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    printf("%s, %ld CPUs, %s, Linux %s, librunner %u.%u.%u, %s, as %s, load average %.1f, %d rounds, interleaved. "
           "Start + wait of a static program that exits at once, in microseconds.\n\n",
           model, cpus, os.machine, os.release, v >> 16, v >> 8 & 0xff, v & 0xff, date,
           geteuid() == 0 ? "root" : "an ordinary user", load[0], bench->rounds);
}

/* One table a host. In a big host the comparison is with the same way in the small one. */
static void print_host(const struct bench *bench, int size, bool md)
{
    bool small = size == 0;
    char title[64] = "small host";
    if (!small)
        snprintf(title, sizeof title, "%u GiB resident in the host", bench->host[size].gib);
    const char *ratio_title = small ? "times its floor" : "times small host";
    if (md)
        printf("| %s | median | p99 | %s | goal | |\n| --- | ---: | ---: | ---: | ---: | --- |\n", title, ratio_title);
    else
        printf("%-37s %9s %9s %17s %6s\n", title, "median", "p99", ratio_title, "goal");
    for (int way = 0; way < WAYS; way++) {
        const struct figures *f = &bench->host[size].figures[way];
        if (f->rounds == 0)
            continue;
        double base = !small ? bench->host[0].figures[way].median
                      : ways[way].floor >= 0 ? bench->host[0].figures[ways[way].floor].median : 0;
        double goal = small ? ways[way].goal : ways[way].grows, ratio = base > 0 ? f->median / base : 0;
        char ratio_text[16] = "", goal_text[16] = "";
        if (ratio > 0)
            snprintf(ratio_text, sizeof ratio_text, "%.2f", ratio);
        if (goal > 0)
            snprintf(goal_text, sizeof goal_text, "%.2f", goal);
        printf(md ? "| %s | %.0f | %.0f | %s | %s | %s |\n" : "  %-35s %9.0f %9.0f %17s %6s  %s\n", ways[way].name, f->median,
               f->p99, ratio_text, goal_text, judged(ratio, goal, true));
    }
    putchar('\n');
}

/* The kernel's own limit is what the floor reaches; the library is not blamed for it. */
static const char *judge_pair(double ours, double floor)
{
    if (ours >= 1.7)
        return "met";
    return ours >= 0.95 * floor ? "met: the floor's own limit" : "falls short";
}

static void print_pairs(const struct pair pairs[PAIRS], bool md)
{
    if (md)
        puts("| two threads | one: starts/s | two: starts/s | times one | goal | |\n| --- | ---: | ---: | ---: | ---: | --- |");
    else
        printf("%-37s %9s %9s %17s %6s\n", "two threads", "one: 1/s", "two: 1/s", "times one", "goal");
    for (int i = 0; i < PAIRS; i++) {
        if (pairs[i].one == 0)
            continue;
        bool floor = i % 2 == 0;
        double ratio = pairs[i].two / pairs[i].one;
        const char *text = floor ? "" : judge_pair(ratio, pairs[i - 1].two / pairs[i - 1].one);
        printf(md ? "| %s | %.0f | %.0f | %.2f | %s | %s |\n" : "  %-35s %9.0f %9.0f %17.2f %6s  %s\n",
               ways[pair_ways[i]].name, pairs[i].one, pairs[i].two, ratio, floor ? "" : "1.70", text);
    }
    putchar('\n');
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

static void prepare_all(runner_t *runners[WAYS])
{
    runner_probe_t probe = {0};
    runner_probe(&probe);
    snprintf(uid_map, sizeof uid_map, "0 %u 1", geteuid());
    snprintf(gid_map, sizeof gid_map, "0 %u 1", getegid());
    spawn_prepare();
    for (int way = 0; way < WAYS; way++)
        runners[way] = needs_namespaces(way) && !probe.user_namespace ? NULL : make_runner(way);
}

static void add_hosts(struct bench *bench, const char *sizes, runner_t *runners[WAYS])
{
    add_host(bench, 0, runners);
    for (char *end; *sizes && bench->hosts < MAX_HOSTS; sizes = end + (*end == ',')) {
        unsigned gib = (unsigned)strtoul(sizes, &end, 10);
        if (end == sizes || gib == 0)
            break;
        add_host(bench, gib, runners);
    }
}

static int usage(const char *name)
{
    fprintf(stderr, "usage: %s [--markdown] [--rounds N] [--sizes GIB,GIB] TARGET\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    static struct bench bench = {.rounds = 1500};
    bool md = false;
    const char *sizes = "1,4";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--markdown") == 0)
            md = true;
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            bench.rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--sizes") == 0 && i + 1 < argc)
            sizes = argv[++i];
        else if (argv[i][0] == '-' || target)
            return usage(argv[0]);
        else
            target = realpath(argv[i], NULL);
    }
    if (!target || bench.rounds < 1)
        return usage(argv[0]);

    struct pair pairs[PAIRS];
    runner_t *runners[WAYS];
    prepare_all(runners);
    add_hosts(&bench, sizes, runners);
    if (bench.hosts == 0)
        return 1;
    measure(&bench);
    measure_pairs(runners, bench.host[0].off, pairs);
    print_machine(&bench);
    for (int size = 0; size < bench.hosts; size++)
        print_host(&bench, size, md);
    print_pairs(pairs, md);
    return 0;
}
