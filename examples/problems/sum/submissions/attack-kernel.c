/* Asks the kernel for what no solution needs: namespaces, other users' ids, tracing, BPF, rings, and the entries for
 * programs of other word sizes, by which a filter is passed where it looks at numbers only. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void tried(const char *what, int got)
{
    if (got)
        printf("GOT: %s\n", what);
    else
        printf("refused: %s: %s\n", what, strerror(errno));
    fflush(stdout);
}

/* In a process of its own, since the answer may be death. */
static void tried_in_child(const char *what, int (*attack)(void))
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(attack() ? 0 : 1);
    int status = 0;
    waitpid(pid, &status, 0);
    if (pid > 0 && WIFSIGNALED(status))
        printf("refused: %s: killed, %s\n", what, strsignal(WTERMSIG(status)));
    else
        printf("%s: %s\n", pid > 0 && status == 0 ? "GOT" : "refused", what);
    fflush(stdout);
}

#ifdef __x86_64__
static int x32(void)
{
    return syscall(0x40000000 + SYS_getpid) > 0;
}

static int int80(void)
{
    long result = 20; /* getpid of i386 */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result > 0;
}
#endif

static int clone_user(void)
{
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(0);
    if (pid < 0)
        pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return pid > 0;
}

int main(void)
{
    tried("a user namespace by unshare", unshare(CLONE_NEWUSER) == 0);
    tried_in_child("a user namespace by clone", clone_user);
    tried("a mount", mount("none", "/tmp", "tmpfs", 0, NULL) == 0);
    tried("letting go of a mount", umount2("/usr", MNT_DETACH) == 0);
    tried("another root", chroot("/tmp") == 0);
    tried("root's user id", setuid(0) == 0);
    tried("root's groups", setgroups(1, (gid_t[]){0}) == 0);
    tried("a name for the machine", sethostname("mine", 4) == 0);
    tried("bpf", syscall(SYS_bpf, 0, 0, 0) >= 0);
    tried("perf_event_open", syscall(SYS_perf_event_open, 0, 0, -1, -1, 0) >= 0);
    tried("userfaultfd", syscall(SYS_userfaultfd, 0) >= 0);
    char ring[256] = {0}; /* enough for struct io_uring_params */
    tried("io_uring", syscall(SYS_io_uring_setup, 1, ring) >= 0);
    tried("a key ring", syscall(SYS_add_key, "user", "x", "x", 1, -3) >= 0);
#ifdef __x86_64__
    tried_in_child("an x32 call", x32);
    tried_in_child("a 32-bit call", int80);
#endif
    tried("being traced", ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
    puts("done");
    return 0;
}
