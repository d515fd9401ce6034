/* Every kind of start, failures included, from many threads for a long time: each gives the result that it has to,
 * and at the end the host has what it had at the start.
 *
 *   soak [--seconds N | --starts N] [--threads N] [--seed N] [--only KIND] [--leak WHAT]
 *
 * Once a minute a line; at the end the results by kind, and the counts before and after. Exit status 1: something was
 * left, or a result was wrong. --only: the kinds whose name has KIND in it, to look for a cause. --leak is the
 * control: one thing is left on purpose, and has to be found. */

#define _GNU_SOURCE
#include "tap.h"

#include "filters.h"
#include "poke.h"
#include "run.h"


#include "outcomes.h"
#include "starts.h"
#include "runs.h"
#include "kinds.h"
#include "counts.h"
#include "leaks.h"
#include "tally.h"

/* No start takes that long: one that does hangs. */
enum { MOST_THREADS = 64, HANG_SECONDS = 120, WRONG_SHOWN = 20 };

static struct {
    uint64_t seconds, starts, seed;
    size_t threads;
    const char *only;
    const struct leak *leak;
} wish = {.threads = 8, .seed = 1};

struct thread {
    pthread_t id;
    struct worker worker;
    struct tally tally;
    atomic_llong since; /* of its run, ms */
    _Atomic(const struct kind *) kind;
};

static struct thread workers[MOST_THREADS];
static atomic_ullong tickets, starts;
static atomic_uint running, wrong;
static atomic_bool stop;

/* ------------------------------------------------------------------ the mix */

static bool is_not_asked_for(const struct kind *kind) {
    return wish.only != NULL && strstr(kind->name, wish.only) == NULL;
}

/* Found out once: some of it is slow. */
static const char *obstacles[COUNT(kinds)];

static bool is_left_out(const struct kind *kind) {
    return obstacles[kind - kinds] != NULL || is_not_asked_for(kind);
}

/* Kinds as often as the table says. */
static const struct kind *deck[200000];
static size_t deck_size;

static void fill_deck(void) {
    for (size_t k = 0; k < COUNT(kinds); k++) {
        obstacles[k] = kinds[k].obstacle == NULL ? NULL : kinds[k].obstacle();
        if (obstacles[k] != NULL && !is_not_asked_for(&kinds[k]))
            printf("left out: %s: %s\n", kinds[k].name, obstacles[k]);
        for (unsigned i = 0; !is_left_out(&kinds[k]) && i < kinds[k].often && deck_size < COUNT(deck); i++)
            deck[deck_size++] = &kinds[k];
    }
}

/* Fisher and Yates, with splitmix64: the same seed gives the same order. */
static void shuffle_deck(uint64_t seed) {
    for (size_t i = deck_size; i > 1; i--) {
        uint64_t mixed = seed += UINT64_C(0x9e3779b97f4a7c15);
        mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
        size_t other = (size_t)((mixed ^ mixed >> 31) % i);
        const struct kind *kind = deck[i - 1];
        deck[i - 1] = deck[other];
        deck[other] = kind;
    }
}

/* ------------------------------------------------------------------ a thread */

static int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void tell_wrong(const struct kind *kind, const struct worker *w) {
    if (atomic_fetch_add(&wrong, 1) < WRONG_SHOWN)
        printf("WRONG: %s: \"%s\", want \"%s\": %s\n", kind->name, w->outcome, kind->wanted[0], w->detail);
}

static void run_kind(struct thread *thread, const struct kind *kind) {
    struct worker *w = &thread->worker;
    outcome(w, "nothing");
    w->detail[0] = '\0';
    last_error = (runner_error_t)RUNNER_ERROR_INIT;
    atomic_store(&thread->kind, kind);
    atomic_store(&thread->since, now_ms());
    int64_t begin = clock_ns();
    kind->run(w);
    atomic_fetch_add(&thread->tally.ns[kind - kinds], (unsigned long long)(clock_ns() - begin));
    atomic_store(&thread->kind, NULL);
    atomic_fetch_add(&starts, kind->starts);
    size_t result = result_of(kind, w->outcome);
    atomic_fetch_add(&thread->tally.results[kind - kinds][result], 1);
    if (result == OUTCOMES)
        tell_wrong(kind, w);
}

static bool is_enough(void) {
    return atomic_load(&stop) || (wish.starts != 0 && atomic_load(&starts) >= wish.starts);
}

static void *start_the_mix(void *arg) {
    while (!is_enough())
        run_kind(arg, deck[atomic_fetch_add(&tickets, 1) % deck_size]);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

/* Every kind once: what is set up at its first use is there then. */
static void *start_each_kind(void *arg) {
    for (size_t k = 0; k < COUNT(kinds) && !atomic_load(&stop); k++)
        if (!is_left_out(&kinds[k]))
            run_kind(arg, &kinds[k]);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

/* ------------------------------------------------------------------ the watch over them */

/* What was left, on purpose too, is nobody else's business. */
static void drop_traces(void) {
    clear_away();
    umount2(place.root, MNT_DETACH);
    if (place.grouped)
        rmdir(place.group.path);
    remove_dir(place.dir);
}

static void end_hanging(const struct thread *thread, const struct kind *kind) {
    printf("HANGS: thread %zu: %s: for %d seconds\n", thread->worker.number, kind->name, HANG_SECONDS);
    fflush(stdout);
    drop_traces();
    _exit(1);
}

static void look_for_hanging(void) {
    for (size_t i = 0; i < wish.threads; i++) {
        const struct kind *kind = atomic_load(&workers[i].kind);
        if (kind != NULL && now_ms() - atomic_load(&workers[i].since) > HANG_SECONDS * 1000)
            end_hanging(&workers[i], kind);
    }
}

static void print_minute(int64_t ms) {
    static unsigned long long told;
    unsigned long long now = atomic_load(&starts);
    printf("%5lld min: %9llu starts, %6.0f/s; %u wrong", (long long)(ms / 60000), now, (double)(now - told) / 60,
           atomic_load(&wrong));
    for (size_t i = 0; i < COUNT(figures); i++)
        printf(", %s %lld", figures[i].name, (long long)figures[i].now());
    printf("\n");
    told = now;
}

/* An interrupt ends it early, with its report. All threads have these blocked: no handler. */
static bool is_interrupted(void) {
    sigset_t set;
    const struct timespec while_ = {.tv_nsec = 100 * MS};
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return sigtimedwait(&set, NULL, &while_) > 0;
}

static void watch_workers(uint64_t seconds) {
    int64_t begin = now_ms(), minute = 1;
    while (atomic_load(&running) > 0) {
        int64_t ms = now_ms() - begin;
        if (is_interrupted() || (seconds != 0 && ms >= (int64_t)seconds * 1000))
            atomic_store(&stop, true);
        look_for_hanging();
        if (ms >= minute * 60000) {
            print_minute(ms);
            minute++;
        }
    }
}

/* What one thread left for another. */
static void take_handed(void) {
    runner_held_abort(atomic_exchange(&handed_held, NULL));
    runner_process_free(atomic_exchange(&handed_process, NULL));
}

static void run_workers(void *(*fn)(void *), uint64_t seconds) {
    atomic_store(&running, (unsigned)wish.threads);
    for (size_t i = 0; i < wish.threads; i++)
        if (pthread_create(&workers[i].id, NULL, fn, &workers[i]) != 0) {
            printf("no thread\n");
            exit(1);
        }
    watch_workers(seconds);
    for (size_t i = 0; i < wish.threads; i++)
        pthread_join(workers[i].id, NULL);
    take_handed();
}

/* ------------------------------------------------------------------ before and after */

/* A mount namespace of its own whose mounts are shared, as systemd has them: what gets out of a run is seen, and does
 * not get any further. */
static void share_mounts(void) {
    if (is_root() && (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
                      mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) != 0))
        printf("mounts are as the host has them: %s\n", strerror(errno));
}

/* Many containers do not allow it in a user namespace. */
static bool can_mount_proc(void) {
    runner_t *runner = inside(0, "exit", "3");
    runner_add_proc(runner, "/proc", RUNNER_PROC_MASK);
    bool good = no_mounts() == NULL && exited(run(runner), 3);
    runner_free(runner);
    return good;
}

static void find_namespaces(void) {
    runner_probe_t probe = RUNNER_PROBE_INIT;
    runner_probe(&probe);
    place.namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                       CLONE_NEWCGROUP | (probe.time_namespace ? (uint64_t)CLONE_NEWTIME : 0);
}

static void make_place(void) {
    snprintf(place.dir, sizeof place.dir, "%s", scratch_dir());
    snprintf(place.root, sizeof place.root, "%s/root", place.dir);
    mkdir(place.root, 0755);
    place.program = open(load_path(), O_PATH | O_CLOEXEC);
    place.null = open("/dev/null", O_RDWR | O_CLOEXEC);
    place.grouped = make_group(&place.group, "memory") || make_group(&place.group, "");
    place.shared = load("exit", "3");
    find_namespaces();
    if (!(place.proc = can_mount_proc()))
        printf("left out: /proc of a root: %s\n", no_mounts() != NULL ? no_mounts() : last_error.message);
    for (size_t i = 0; i < wish.threads; i++) {
        workers[i].worker.number = i;
        snprintf(workers[i].worker.file, sizeof workers[i].worker.file, "%s/file-%zu", place.dir, i);
    }
}

static void drop_place(void) {
    runner_free(place.shared);
    close(place.program);
    close(place.null);
    drop_traces();
}

static void clear_tallies(void) {
    for (size_t i = 0; i < wish.threads; i++)
        memset(&workers[i].tally, 0, sizeof workers[i].tally);
    atomic_store(&starts, 0);
}

static bool print_results(int64_t ms) {
    static struct tally sum;
    for (size_t i = 0; i < wish.threads; i++)
        add_tally(&sum, &workers[i].tally);
    bool good = print_tally(&sum);
    printf("%llu starts in %.1f s, %.0f a second\n", atomic_load(&starts), (double)ms / 1e3,
           (double)atomic_load(&starts) * 1e3 / (double)ms);
    return good;
}

static bool soak(void) {
    counted before, after;
    run_workers(start_each_kind, 0);
    count_all(before);
    clear_tallies();
    int64_t begin = now_ms();
    run_workers(start_the_mix, wish.seconds);
    bool good = print_results(now_ms() - begin);
    if (wish.leak != NULL && !wish.leak->make())
        printf("the leak cannot be made: %s\n", strerror(errno));
    count_at_rest(before, after);
    good &= compare_counts(before, after);
    return good && atomic_load(&wrong) == 0;
}

/* ------------------------------------------------------------------ main */

static bool is_option(const char *name, const char *value) {
    uint64_t number = value == NULL ? 0 : strtoull(value, NULL, 0);
    if (strcmp(name, "--seconds") == 0)
        wish.seconds = number;
    else if (strcmp(name, "--starts") == 0)
        wish.starts = number;
    else if (strcmp(name, "--threads") == 0)
        wish.threads = (size_t)number;
    else if (strcmp(name, "--seed") == 0)
        return value != NULL && (wish.seed = number, true);
    else if (strcmp(name, "--only") == 0)
        return (wish.only = value) != NULL;
    else if (strcmp(name, "--leak") == 0)
        return value != NULL && (wish.leak = leak_named(value)) != NULL;
    else
        return false;
    return number > 0;
}

static bool read_options(int argc, char **argv) {
    for (int i = 1; i < argc; i += 2)
        if (!is_option(argv[i], argv[i + 1]))
            return false;
    return (wish.seconds != 0 || wish.starts != 0) && wish.threads <= MOST_THREADS;
}

/* What glibc keeps for later, arenas, freed blocks and stacks, would be taken for a leak; without, the count of
 * malloc's bytes is exact. It has to be said before a program begins. */
static void begin_without_caches(char **argv) {
    static const char *const name = "GLIBC_TUNABLES", *const value =
        "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0:glibc.pthread.stack_cache_size=0";
    const char *now = getenv(name);
    if (now != NULL && strcmp(now, value) == 0)
        return;
    setenv(name, value, 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv) {
    if (!read_options(argc, argv)) {
        fprintf(stderr, "usage: soak --seconds N | --starts N [--threads N] [--seed N] [--only KIND] "
                        "[--leak fd|thread|child|program|mount|cgroup|memory]\n");
        return 2;
    }
    if (wish.leak != NULL && wish.leak->needs_root && !is_root()) {
        printf("left out: a leak of a %s: needs root\n", wish.leak->name);
        return 77;
    }
    begin_without_caches(argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    tap = calloc(1, sizeof *tap); /* what the helpers of the tests write to */
    load_tag();
    have_userns();
    is_interrupted();
    share_mounts();
    printf("%zu threads, seed %llu\n", wish.threads, (unsigned long long)wish.seed);
    make_place();
    fill_deck();
    shuffle_deck(wish.seed);
    bool good = deck_size > 0 && soak();
    drop_place();
    if (deck_size == 0)
        printf("no kind with such a name can be had here\n");
    printf("%s\n", good ? "nothing is left, every result is as it has to be" : "FAILED");
    return good ? 0 : 1;
}
