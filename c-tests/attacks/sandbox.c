/* The shipped judge's sandbox, examples/judge/sandbox.h, against everything that the hostile program knows. Each attack is
 * also tried with the library's defaults alone, where it has to come to something else: else it would prove nothing. */

#define _GNU_SOURCE
#include "tap.h"

#include "attack.h"
#include "judge.h"
#include "run.h"
#include "victim.h"
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

/* An attack, what comes of it in the sandbox, and whether root alone has what it takes outside of it. */
struct row {
    char attack[512];
    const char *want;
    bool root_only;
};

enum { ROWS_MAX = 64 };

struct table {
    struct row rows[ROWS_MAX];
    size_t n;
};

TAP_PRINTF(4, 5) static void add(struct table *table, const char *want, bool root_only, const char *format, ...) {
    va_list args;
    struct row *row = &table->rows[table->n++];
    va_start(args, format);
    vsnprintf(row->attack, sizeof row->attack, format, args);
    va_end(args);
    row->want = want;
    row->root_only = root_only;
}

static void add_files(struct table *table, const char *work) {
    add(table, "nothing", false, "walk %s/secret", work);
    add(table, "EPERM", true, "handle %s 1 00", work);
}
