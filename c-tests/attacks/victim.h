/* A process for the attacks of others: what is done to it can be seen. Include after tap.h. */

#ifndef VICTIM_H
#define VICTIM_H

#include <grp.h>
#include <sys/prctl.h>

/* What the attacks take: a process of this user, with a byte and a file that are its own. */
struct victim {
    pid_t pid;
    volatile char *byte;
    int file;
};

TAP_HELPER void rest(void) {
    for (;;)
        pause();
}

TAP_HELPER struct victim victim_of(uid_t uid) {
    struct victim victim = {.byte = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    int ready[2];
    ok_int(pipe2(ready, O_CLOEXEC), 0, "a pipe");
    victim.file = ready[0]; /* the victim has it open too */
    *victim.byte = '.';
    victim.pid = fork();
    if (victim.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (uid != geteuid() && (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
            _exit(1);
        prctl(PR_SET_DUMPABLE, 1); /* as a program of that user would be */
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* else Yama might be what holds, where it is on */
        if (write(ready[1], "x", 1) == 1)
            rest();
        _exit(1);
    }
    char byte;
    close(ready[1]);
    ok(victim.pid > 0 && read(ready[0], &byte, 1) == 1, "a bystander");
    return victim;
}

TAP_HELPER struct victim bystander(void) {
    return victim_of(geteuid());
}

/* Whether it was killed; it is gone afterwards. */
TAP_HELPER bool was_killed(struct victim *victim) {
    int status = 0;
    kill(victim->pid, SIGTERM); /* an ordinary end, for one that still lives */
    status = child_status(victim->pid);
    munmap((void *)victim->byte, 4096);
    close(victim->file);
    return killed_by(status, SIGKILL);
}

#endif
