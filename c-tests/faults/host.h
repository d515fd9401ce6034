/* What a start that failed has to leave as it was. Include after poke.h and run.h. */

#ifndef HOST_H
#define HOST_H

#include <sys/prctl.h>

struct host {
    int threads;
    char text[PATH_MAX + 512]; /* all of it, so that a failure shows what changed */
};

/* FNV-1a: mountinfo is long, and only whether it changed matters. */
TAP_HELPER uint64_t hash_of(const char *path) {
    static char text[1 << 20];
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    ssize_t length = read_file(path, text, sizeof text);
    for (ssize_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Whether a SIGCHLD came since the last call; it is blocked. It is taken away. */
TAP_HELPER bool take_sigchld(void) {
    const struct timespec now = {0, 0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return sigtimedwait(&set, NULL, &now) == SIGCHLD;
}

/* A child of whatever kind, dead or alive. It is left as it is. */
TAP_HELPER const char *any_child(void) {
    siginfo_t child = {.si_pid = 0};
    if (waitid(P_ALL, 0, &child, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) != 0)
        return errno == ECHILD ? "none" : "unknown";
    return child.si_pid == 0 ? "one that lives" : "one that is dead or stopped";
}

TAP_HELPER void describe_host(struct host *host) {
    char cwd[PATH_MAX] = "?";
    uint64_t blocked = 0;
    mode_t mask = umask(0);
    umask(mask);
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, sizeof blocked);
    if (getcwd(cwd, sizeof cwd) == NULL)
        snprintf(cwd, sizeof cwd, "%s", strerror(errno));
    host->threads = count_threads();
    snprintf(host->text, sizeof host->text,
             "fds %d, threads %d, child: %s, groups %d, mounts %llx, dumpable %d, umask %03o, blocked %llx, "
             "securebits %d, cwd %s",
             count_fds(), host->threads, any_child(), groups_left(false),
             (unsigned long long)hash_of("/proc/self/mountinfo"), prctl(PR_GET_DUMPABLE), (unsigned)mask,
             (unsigned long long)blocked, prctl(PR_GET_SECUREBITS), cwd);
}

/* A joined thread stands in /proc for a moment after it ended, hence the patience. All else counts at once. */
TAP_HELPER bool same_host(const struct host *before) {
    struct host now;
    describe_host(&now);
    for (int i = 0; i < 5000 && now.threads != before->threads; i++) {
        usleep(200);
        describe_host(&now);
    }
    return ok(strcmp(before->text, now.text) == 0, "the host was: %s\nand is: %s", before->text, now.text);
}

#endif
