/* Leaves a process behind that would outlive the verdict, in a session of its own, and that goes for the bystander again
 * and again. With pid 1 of the namespace everything in it is gone. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    char *end;
    strtol(getenv("BAIT_PIDS"), &end, 10);
    pid_t bystander = (pid_t)strtol(end, NULL, 10);
    if (fork() == 0) {
        setsid();
        for (;;) {
            kill(bystander, SIGKILL);
            int fd = open(getenv("BAIT_FILE"), O_WRONLY | O_APPEND);
            if (fd >= 0 && write(fd, "still here\n", 11) < 0)
                _exit(1);
            usleep(10000);
        }
    }
    usleep(50000);
    printf("refused: so far; the bait shows the rest\ndone\n");
    return 0;
}
