/* The smallest use of librunner: start a program, wait for it, say how it ended.
 *
 *   cc minimal.c -lrunner -o minimal && ./minimal
 */
#include <stdio.h>
#include <sys/wait.h>

#include "runner.h"

int main(void)
{
    runner_t *runner = runner_new();
    const char *const argv[] = {"/bin/sh", "-c", "echo hello; exit 7", NULL};
    runner_set_args(runner, argv);
    runner_set_files(runner, (const int[]){0, 1, 2}, 3); /* else they are /dev/null */

    runner_error_t error = RUNNER_ERROR_INIT;
    pid_t pid = runner_start(runner, &error);
    runner_free(runner); /* what runs does not need it */
    if (pid < 0) {
        char line[512];
        runner_error_format(&error, line, sizeof line);
        fprintf(stderr, "it did not start: %s\n", line);
        return 1;
    }

    int status;
    waitpid(pid, &status, 0);
    printf("exit code %d\n", WEXITSTATUS(status));
    return 0;
}
