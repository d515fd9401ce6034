/* The bait: things of the host that an attacking submission would love to reach, and that the judge looks at after
 * the attack. The attackers are told where all of it is, so that nothing but the isolation is in their way:
 *
 *   BAIT_PIDS      the judge, and a bystander: a process with the same user id as the submissions
 *   BAIT_PORT      a TCP port on which the judge listens at 127.0.0.1
 *   BAIT_SOCKET    an abstract unix socket on which it listens
 *   BAIT_FILE      a file of the host that everybody may write
 *   BAIT_ANSWER    the answer file
 *
 * Beside these an fd of the answer file is left open without close-on-exec, as hosts happen to do.
 */
#ifndef JUDGE_BAIT_H
#define JUDGE_BAIT_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "sandbox.h"

struct bait {
    pid_t bystander;
    int tcp, local; /* listening, non-blocking */
    char pids[64], port[32], socket[128], file[PATH_MAX], answer[PATH_MAX + 16];
    const char *env[8];
};

static pid_t bait_bystander(void)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(OUTSIDE_ID, OUTSIDE_ID, OUTSIDE_ID) ||
                           setresuid(OUTSIDE_ID, OUTSIDE_ID, OUTSIDE_ID)))
        _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        pause();
}

static int bait_listen(int family, const void *address, socklen_t length)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(fd, address, length) != 0 || listen(fd, 8) != 0)
        perror("bait");
    return fd;
}

static bool bait_open(struct bait *bait, const char *work)
{
    bait->bystander = bait_bystander();
    snprintf(bait->pids, sizeof bait->pids, "BAIT_PIDS=%d %d", (int)getpid(), (int)bait->bystander);

    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof in;
    bait->tcp = bait_listen(AF_INET, &in, length);
    getsockname(bait->tcp, (struct sockaddr *)&in, &length);
    snprintf(bait->port, sizeof bait->port, "BAIT_PORT=%d", ntohs(in.sin_port));

    struct sockaddr_un un = {.sun_family = AF_UNIX}; /* a name that begins with NUL is abstract: no file, no mode */
    int n = snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "judge-%d", (int)getpid());
    bait->local = bait_listen(AF_UNIX, &un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n));
    snprintf(bait->socket, sizeof bait->socket, "BAIT_SOCKET=%s", un.sun_path + 1);

    snprintf(bait->file, sizeof bait->file, "BAIT_FILE=%.4000s/bait", work);
    int fd = open(strchr(bait->file, '=') + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool made = fd >= 0 && fchmod(fd, 0666) == 0 && bait->bystander > 0;
    close(fd);
    return made;
}

/* The environment of an attacker. `path` is where programs are looked for. */
static const char *const *bait_env(struct bait *bait, const char *path, const char *answer)
{
    char real[PATH_MAX];
    snprintf(bait->answer, sizeof bait->answer, "BAIT_ANSWER=%s", realpath(answer, real) ? real : answer);
    const char *const env[] = {path, bait->pids, bait->port, bait->socket, bait->file, bait->answer, NULL};
    memcpy(bait->env, env, sizeof env);
    return bait->env;
}

/* What of the bait was taken, whatever the attacker says about it himself; NULL: nothing. */
static const char *bait_taken(const struct bait *bait)
{
    struct stat file;
    if (waitpid(bait->bystander, NULL, WNOHANG) != 0)
        return "the bystander was killed";
    if (accept4(bait->tcp, NULL, NULL, SOCK_CLOEXEC) >= 0)
        return "the judge's TCP port was reached";
    if (accept4(bait->local, NULL, NULL, SOCK_CLOEXEC) >= 0)
        return "the judge's unix socket was reached";
    if (stat(strchr(bait->file, '=') + 1, &file) != 0 || file.st_size != 0)
        return "a file of the host was changed";
    return NULL;
}

static void bait_close(struct bait *bait)
{
    if (bait->bystander > 0) {
        kill(bait->bystander, SIGKILL);
        waitpid(bait->bystander, NULL, 0);
    }
    close(bait->tcp);
    close(bait->local);
}

#endif
