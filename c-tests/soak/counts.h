/* What a host has, counted before and after: nothing of it may have grown, memory no more than its bound. Include
 * after run.h. */

#ifndef COUNTS_H
#define COUNTS_H

#include <malloc.h>
#include <sys/prctl.h>

static int64_t lines_of(const char *path) {
    FILE *file = fopen(path, "re");
    int64_t lines = 0;
    for (int c; file != NULL && (c = getc_unlocked(file)) != EOF;)
        lines += c == '\n';
    if (file != NULL)
        fclose(file);
    return file == NULL ? -1 : lines;
}

static int64_t open_fds(void) {
    return count_fds();
}

static int64_t threads(void) {
    return count_threads();
}

/* Dead or alive. */
static int64_t children(void) {
    return count_children(NULL);
}

static int64_t zombies(void) {
    int dead = 0;
    count_children(&dead);
    return dead;
}

/* Programs of runs, whoever is their parent by now. */
static int64_t programs(void) {
    return survivors();
}

static int64_t mounts(void) {
    return lines_of("/proc/self/mountinfo");
}

static int64_t cgroups(void) {
    return groups_left(false);
}

/* A start with a credential changes it for a while. */
static int64_t dumpable(void) {
    return prctl(PR_GET_DUMPABLE);
}

/* What malloc has given out and not got back, of all its arenas. */
static int64_t malloc_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

/* A stack that nobody unmapped would be one. */
static int64_t mappings(void) {
    return lines_of("/proc/self/maps");
}

static int64_t resident_kib(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1)
        pages = -1;
    if (file != NULL)
        fclose(file);
    return (int64_t)pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static const struct count {
    const char *name;
    int64_t (*now)(void);
    int64_t growth; /* how much more it may be at the end */
} figures[] = {
    {"fds", open_fds, 0},
    {"threads", threads, 0},
    {"children", children, 0},
    {"zombies", zombies, 0},
    {"programs of runs", programs, 0},
    {"mounts", mounts, 0},
    {"cgroups of runs", cgroups, 0},
    {"dumpable", dumpable, 0},
    {"bytes from malloc", malloc_bytes, 512},
    {"mappings", mappings, 2},
    {"KiB resident", resident_kib, 1 << 10},
};

typedef int64_t counted[COUNT(figures)];

/* Free pages go back first, so that what is resident is what is used. */
static void count_all(counted now) {
    malloc_trim(0);
    for (size_t i = 0; i < COUNT(figures); i++)
        now[i] = figures[i].now();
}

/* Memory may shrink, all else has to be as many. */
static bool is_left(size_t i, const counted before, const counted now) {
    return now[i] > before[i] + figures[i].growth || (figures[i].growth == 0 && now[i] != before[i]);
}

static bool is_anything_left(const counted before, const counted now) {
    for (size_t i = 0; i < COUNT(figures); i++)
        if (is_left(i, before, now))
            return true;
    return false;
}

/* A joined thread, and a program whose namespace is being torn down, stand in /proc for a moment. */
static void count_at_rest(const counted before, counted now) {
    count_all(now);
    for (int i = 0; i < 50 && is_anything_left(before, now); i++) {
        sleep_ms(100);
        count_all(now);
    }
}

/* Prints the table; whether nothing is left. */
static bool compare_counts(const counted before, const counted now) {
    printf("%-18s %12s %12s\n", "count", "before", "after");
    for (size_t i = 0; i < COUNT(figures); i++) {
        printf("%-18s %12lld %12lld", figures[i].name, (long long)before[i], (long long)now[i]);
        if (figures[i].growth > 0)
            printf("  at most %lld more", (long long)figures[i].growth);
        printf("\n");
    }
    for (size_t i = 0; i < COUNT(figures); i++)
        if (is_left(i, before, now))
            printf("LEFT: %s: %lld before, %lld after\n", figures[i].name, (long long)before[i], (long long)now[i]);
    return !is_anything_left(before, now);
}

#endif
