/* Kills: its parent, the judge, a bystander with the same user id, and everybody. Then tries to take them over. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void tried(const char *what, int got)
{
    if (got)
        printf("GOT: %s\n", what);
    else
        printf("refused: %s: %s\n", what, strerror(errno));
    fflush(stdout);
}

int main(void)
{
    char *end, byte, path[64];
    pid_t judge = (pid_t)strtol(getenv("BAIT_PIDS"), &end, 10), bystander = (pid_t)strtol(end, NULL, 10);

    errno = ESRCH; /* a parent in another pid namespace is 0 here, and 0 to kill() is our own group */
    tried("killing the parent", getppid() > 0 && kill(getppid(), SIGKILL) == 0);
    tried("killing the judge", kill(judge, SIGKILL) == 0);
    tried("killing a bystander of the same user", kill(bystander, SIGKILL) == 0);
    tried("killing everybody", kill(-1, SIGKILL) == 0);
    tried("killing the judge's group", kill(-judge, SIGKILL) == 0);
    tried("a pidfd of the judge", syscall(SYS_pidfd_open, judge, 0) >= 0);
    tried("tracing a bystander", ptrace(PTRACE_ATTACH, bystander, 0, 0) == 0);
    struct iovec here = {&byte, 1}, there = {(void *)main, 1};
    tried("reading a bystander's memory", process_vm_readv(bystander, &here, 1, &there, 1, 0) == 1);
    snprintf(path, sizeof path, "/proc/%d/mem", (int)bystander);
    tried("opening a bystander's memory", open(path, O_RDWR) >= 0);
    tried("a better place in the queue", setpriority(PRIO_PROCESS, 0, -20) == 0);
    puts("done");
    return 0;
}
