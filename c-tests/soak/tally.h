/* What came of the starts, by kind and by result. Each thread has a tally of its own; they are added up for a report.
 * Include after kinds.h. */

#ifndef TALLY_H
#define TALLY_H

/* The last of the results is every other one. */
struct tally {
    atomic_ullong results[COUNT(kinds)][OUTCOMES + 1];
    atomic_ullong ns[COUNT(kinds)];
};

/* Which of the wanted results this is; OUTCOMES: none. */
static size_t result_of(const struct kind *kind, const char *outcome) {
    for (size_t i = 0; i < OUTCOMES && kind->wanted[i] != NULL; i++)
        if (strcmp(kind->wanted[i], outcome) == 0)
            return i;
    return OUTCOMES;
}

static unsigned long long runs_of(const struct tally *tally, size_t kind) {
    unsigned long long sum = 0;
    for (size_t i = 0; i <= OUTCOMES; i++)
        sum += atomic_load(&tally->results[kind][i]);
    return sum;
}

static void add_tally(struct tally *sum, const struct tally *one) {
    for (size_t k = 0; k < COUNT(kinds); k++) {
        atomic_fetch_add(&sum->ns[k], atomic_load(&one->ns[k]));
        for (size_t i = 0; i <= OUTCOMES; i++)
            atomic_fetch_add(&sum->results[k][i], atomic_load(&one->results[k][i]));
    }
}

static void print_kind(const struct tally *tally, size_t k) {
    unsigned long long runs = runs_of(tally, k);
    double ms = (double)atomic_load(&tally->ns[k]) / 1e6 / (double)runs;
    printf("%-27s %9llu %9.2f ", kinds[k].name, runs, ms);
    for (size_t i = 0; i <= OUTCOMES; i++) {
        unsigned long long count = atomic_load(&tally->results[k][i]);
        if (count > 0)
            printf(" | %s: %llu", i == OUTCOMES ? "WRONG" : kinds[k].wanted[i], count);
    }
    printf("\n");
}

/* Whether every result is one of its kind. */
static bool print_tally(const struct tally *tally) {
    bool good = true;
    printf("%-27s %9s %9s   %s\n", "kind", "times", "mean ms", "results");
    for (size_t k = 0; k < COUNT(kinds); k++) {
        if (runs_of(tally, k) == 0)
            continue;
        print_kind(tally, k);
        good &= atomic_load(&tally->results[k][OUTCOMES]) == 0;
    }
    return good;
}

#endif
