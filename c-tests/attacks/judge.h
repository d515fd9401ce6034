/* The sandbox that the shipped judge uses, examples/judge/sandbox.h: what the README recommends, and its filter.
 * Include after tap.h. */

#ifndef ATTACK_JUDGE_H
#define ATTACK_JUDGE_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function" /* not every file uses all of it */
#include "../../examples/judge/sandbox.h"
#pragma GCC diagnostic pop

TAP_HELPER void set_judges_filter(runner_t *runner) {
    ok_int(runner_set_seccomp(runner, FILTER, FILTER_LENGTH), 0, "the judge's filter");
}

#endif
