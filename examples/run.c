/* The smallest watched run: a program, its limits, and what became of it.
 *
 *   cc run.c -lrunner -o run && ./run
 */
#include <stdio.h>

#include "runner.h"

int main(void)
{
    const char *const argv[] = {"/bin/sh", "-c", "while :; do :; done", NULL};
    runner_t *runner = runner_new();
    runner_set_args(runner, argv);
    runner_set_wall_limit(runner, 1000 * 1000000); /* ns */
    runner_set_cpu_limit(runner, 200 * 1000000);
    runner_set_memory_limit(runner, 64 << 20); /* bytes */

    runner_result_t r = RUNNER_RESULT_INIT;
    runner_run(runner, &r, NULL); /* a failed launch is a verdict too */
    runner_free(runner);
    printf("%s, decided by: %s%s%s\n", runner_verdict_name(r.verdict), runner_evidence_name(r.evidence),
           r.reason[0] ? "; " : "", r.reason);
    printf("%.1f ms of CPU (%s), %.1f MiB (%s), %.1f ms in all\n", (double)(r.user_ns + r.system_ns) / 1e6,
           runner_source_name(r.cpu_source), (double)r.memory_peak / 1048576, runner_source_name(r.memory_source),
           (double)r.wall_ns / 1e6);
    return r.verdict != RUNNER_VERDICT_FINISHED;
}
