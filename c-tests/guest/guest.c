/* The program that the tests run: it looks at itself, or does one thing, and says so in lines of `key=value`.
 *
 *     guest [--file PATH] COMMAND ARGS... [-- COMMAND ARGS...]...
 *
 * Statically linked, so that it runs in a root where nothing else is, and needs no /proc. What a system call
 * refuses is printed as `key=!ENAME`. With --file the lines are appended to PATH, for runs without an fd 1. The exit
 * code is 0, that of `exit N`, or 125 for a command that does not exist. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ------------------------------------------------------------------ output */

/* Collected, and written after each command: opening the --file must not disturb what a command looks at. */
static char output[1 << 20];
static size_t output_length;
static const char *output_path;

static void flush_output(void) {
    int fd = output_path == NULL ? 1 : open(output_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    for (size_t done = 0; fd >= 0 && done < output_length;) {
        ssize_t wrote = write(fd, output + done, output_length - done);
        if (wrote <= 0 && errno != EINTR)
            break;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    if (output_path != NULL && fd >= 0)
        close(fd);
    output_length = 0;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    va_list args;
    va_start(args, format);
    size_t room = sizeof output - output_length;
    int length = vsnprintf(output + output_length, room, format, args);
    va_end(args);
    if (length > 0)
        output_length += (size_t)length < room ? (size_t)length : room - 1;
}

/* `key=ok`, or `key=!ENAME` of a call that gave -1. */
static void say_result(const char *key, long result) {
    if (result >= 0)
        say("%s=ok\n", key);
    else
        say("%s=!%s\n", key, strerrorname_np(errno));
}

static void say_list(const char *key, const unsigned *numbers, int count) {
    say("%s=", key);
    for (int i = 0; i < count; i++)
        say("%s%u", i == 0 ? "" : ",", numbers[i]);
    say("\n");
}

static long number_of(const char *text) {
    return text == NULL ? 0 : strtol(text, NULL, 0);
}

/* ------------------------------------------------------------------ fds */

static const char *type_name(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "dir";
    case S_IFCHR: return "chr";
    case S_IFBLK: return "blk";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "sock";
    case S_IFLNK: return "link";
    default: return "other";
    }
}

static void say_fd(int fd) {
    static const char *const access_names[] = {"r", "w", "rw", "none"};
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &st) < 0) {
        say("fd.%d=!%s\n", fd, strerrorname_np(errno));
        return;
    }
    say("fd.%d=type:%s access:%s%s cloexec:%d dev:%llu ino:%llu rdev:%u,%u size:%lld\n", fd, type_name(st.st_mode),
        (flags & O_PATH) != 0 ? "path" : access_names[flags & O_ACCMODE], (flags & O_APPEND) != 0 ? " append" : "",
        (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0, (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
        major(st.st_rdev), minor(st.st_rdev), (long long)st.st_size);
}

#define FDS_MAX (1 << 20)
static unsigned char is_open[FDS_MAX];

/* Marks the open fds by /proc/self/fd; whether there is one. */
static int find_fds_by_proc(void) {
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd < FDS_MAX)
            is_open[fd] = 1;
    }
    closedir(dir);
    return 1;
}

/* Without /proc: every number is tried. */
static void find_fds_by_trying(void) {
    for (int fd = 0; fd < FDS_MAX; fd++)
        is_open[fd] = fcntl(fd, F_GETFD) >= 0;
}

/* fds=0,1,2 and for each: its type, access, close-on-exec flag and what it leads to. */
static int do_fds(char **args) {
    (void)args;
    if (!find_fds_by_proc())
        find_fds_by_trying();
    say("fds=");
    int count = 0;
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (is_open[fd])
            say("%s%d", count++ == 0 ? "" : ",", fd);
    say("\ncount=%d\n", count);
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (is_open[fd])
            say_fd(fd);
    return 0;
}

/* ------------------------------------------------------------------ who and what it is */

static int do_cwd(char **args) {
    (void)args;
    char path[8192];
    if (syscall(SYS_getcwd, path, sizeof path) > 0)
        say("cwd=%s\n", path);
    else
        say("cwd=!%s\n", strerrorname_np(errno));
    return 0;
}

static int do_ids(char **args) {
    (void)args;
    uid_t r, e, s;
    gid_t gr, ge, gs;
    static gid_t groups[65536];
    getresuid(&r, &e, &s);
    getresgid(&gr, &ge, &gs);
    /* setfsuid(-1) changes nothing and tells the present one. */
    say("uid=%u,%u,%u\ngid=%u,%u,%u\nfsuid=%d\nfsgid=%d\n", r, e, s, gr, ge, gs, setfsuid((uid_t)-1),
        setfsgid((gid_t)-1));
    say_list("groups", groups, getgroups(65536, groups));
    return 0;
}

static void say_capability_sets(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    syscall(SYS_capget, &header, data);
    say("cap_effective=%08x%08x\n", data[1].effective, data[0].effective);
    say("cap_permitted=%08x%08x\n", data[1].permitted, data[0].permitted);
    say("cap_inheritable=%08x%08x\n", data[1].inheritable, data[0].inheritable);
}

static int do_caps(char **args) {
    (void)args;
    uint64_t bounding = 0, ambient = 0;
    for (int cap = 0; cap < 64; cap++) {
        bounding |= (uint64_t)(prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1) << cap;
        ambient |= (uint64_t)(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1) << cap;
    }
    say_capability_sets();
    say("cap_bounding=%016llx\ncap_ambient=%016llx\n", (unsigned long long)bounding, (unsigned long long)ambient);
    say("securebits=%#x\nno_new_privs=%d\n", (unsigned)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0),
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    say("dumpable=%d\nkeep_caps=%d\n", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
    /* Under a strict filter this would be the last call; the tests use filters that allow it. */
    say("seccomp=%d\n", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
    return 0;
}

static void say_limit(const char *which, int resource, rlim_t value) {
    if (value == RLIM_INFINITY)
        say("rlimit.%d.%s=unlimited\n", resource, which);
    else
        say("rlimit.%d.%s=%llu\n", resource, which, (unsigned long long)value);
}

static int do_rlimits(char **args) {
    (void)args;
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit = {0, 0};
        getrlimit((__rlimit_resource_t)resource, &limit);
        say_limit("soft", resource, limit.rlim_cur);
        say_limit("hard", resource, limit.rlim_max);
    }
    return 0;
}

/* The kernel's own struct: glibc hides signals 32 and 33. */
struct kernel_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

/* Bit n-1 stands for signal n, as in /proc/PID/status. */
static int do_signals(char **args) {
    (void)args;
    uint64_t blocked = 0, pending = 0, ignored = 0, handled = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, sizeof blocked);
    syscall(SYS_rt_sigpending, &pending, sizeof pending);
    for (int sig = 1; sig <= 64; sig++) {
        struct kernel_sigaction action = {0};
        syscall(SYS_rt_sigaction, sig, NULL, &action, sizeof action.mask);
        ignored |= (uint64_t)(action.handler == SIG_IGN) << (sig - 1);
        handled |= (uint64_t)(action.handler != SIG_IGN && action.handler != SIG_DFL) << (sig - 1);
    }
    say("blocked=%016llx\npending=%016llx\n", (unsigned long long)blocked, (unsigned long long)pending);
    say("ignored=%016llx\nhandled=%016llx\n", (unsigned long long)ignored, (unsigned long long)handled);
    stack_t stack = {.ss_flags = SS_DISABLE};
    sigaltstack(NULL, &stack);
    say("altstack=%d\n", (stack.ss_flags & SS_DISABLE) == 0);
    return 0;
}

static int do_session(char **args) {
    (void)args;
    say("pid=%d\nppid=%d\npgid=%d\nsid=%d\n", getpid(), getppid(), getpgid(0), getsid(0));
    say("foreground=%d\n", tcgetpgrp(0));
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    say_result("tty", tty);
    if (tty >= 0)
        close(tty);
    return 0;
}

static int do_names(char **args) {
    (void)args;
    struct utsname uts;
    uname(&uts);
    say("hostname=%s\ndomainname=%s\n", uts.nodename, uts.domainname);
    return 0;
}

static void say_affinity(void) {
    static unsigned long mask[8192 / (8 * sizeof(unsigned long))];
    unsigned cpus[8192];
    int count = 0;
    syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    for (unsigned cpu = 0; cpu < 8192; cpu++)
        if ((mask[cpu / 64] >> (cpu % 64) & 1) != 0)
            cpus[count++] = cpu;
    say_list("affinity", cpus, count);
}

static int do_sched(char **args) {
    (void)args;
    struct sched_param param = {0};
    sched_getparam(0, &param);
    errno = 0;
    say("nice=%d\n", getpriority(PRIO_PROCESS, 0));
    say("policy=%d\npriority=%d\n", sched_getscheduler(0), param.sched_priority);
    say_affinity();
    return 0;
}

static int do_misc(char **args) {
    (void)args;
    int death = 0;
    mode_t mask = umask(0);
    umask(mask);
    prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0);
    say("umask=%04o\npersonality=%#x\ndeath_signal=%d\n", mask, (unsigned)personality(0xffffffff), death);
    char text[32] = "";
    int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, text, sizeof text - 1);
    if (length > 0)
        text[strcspn(text, "\n")] = '\0';
    say("oom_score_adj=%s\n", length > 0 ? text : "!");
    if (fd >= 0)
        close(fd);
    return 0;
}

/* Addresses that differ from run to run where the kernel randomises them. */
static int do_addresses(char **args) {
    int local;
    say("stack=%p\nheap=%p\nmmap=%p\n", (void *)&local, sbrk(0),
        mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    return args[0] != NULL;
}

static char **all_args;

static int do_args(char **args) {
    (void)args;
    int count = 0;
    for (; all_args[count] != NULL; count++)
        say("arg.%d=%s\n", count, all_args[count]);
    say("args=%d\n", count);
    return 0;
}

static int do_env(char **args) {
    (void)args;
    int count = 0;
    for (; environ[count] != NULL; count++)
        say("env.%d=%s\n", count, environ[count]);
    say("envs=%d\n", count);
    return 0;
}

/* ------------------------------------------------------------------ files */

static int do_write(char **args) {
    int fd = open(args[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    say_result("write", fd < 0 ? -1 : write(fd, args[1], strlen(args[1])));
    if (fd >= 0)
        close(fd);
    return 0;
}

static int do_read(char **args) {
    char text[65536];
    int fd = open(args[0], O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length < 0)
        say("read=!%s\n", strerrorname_np(errno));
    else
        say("read=%.*s\n", (int)length, text);
    if (fd >= 0)
        close(fd);
    return 0;
}

/* The file as it is, without a key. */
static int do_cat(char **args) {
    static char text[65536];
    int fd = args[0] == NULL ? 0 : open(args[0], O_RDONLY | O_CLOEXEC);
    for (ssize_t length; (length = read(fd, text, sizeof text)) > 0;)
        say("%.*s", (int)length, text);
    if (fd > 0)
        close(fd);
    return 0;
}

static int do_stat(char **args) {
    struct stat st;
    if (lstat(args[0], &st) < 0)
        say("stat=!%s\n", strerrorname_np(errno));
    else
        say("stat=type:%s mode:%04o uid:%u gid:%u size:%lld rdev:%u,%u\n", type_name(st.st_mode), st.st_mode & 07777,
            st.st_uid, st.st_gid, (long long)st.st_size, major(st.st_rdev), minor(st.st_rdev));
    return 0;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int do_ls(char **args) {
    static char *names[65536];
    int count = 0;
    DIR *dir = opendir(args[0]);
    if (dir == NULL) {
        say("ls=!%s\n", strerrorname_np(errno));
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && count < 65536;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            names[count++] = strdup(entry->d_name);
    closedir(dir);
    qsort(names, (size_t)count, sizeof names[0], compare_names);
    say("ls=");
    for (int i = 0; i < count; i++)
        say("%s%s", i == 0 ? "" : ",", names[i]);
    say("\n");
    return 0;
}

static int do_readlink(char **args) {
    char target[8192];
    ssize_t length = readlink(args[0], target, sizeof target);
    if (length < 0)
        say("readlink=!%s\n", strerrorname_np(errno));
    else
        say("readlink=%.*s\n", (int)length, target);
    return 0;
}

static int do_open(char **args) {
    int fd = open(args[0], (int)number_of(args[1]) | O_CLOEXEC, 0644);
    say_result("open", fd);
    if (fd >= 0)
        close(fd);
    return 0;
}

static int do_mkdir(char **args) { return say_result("mkdir", mkdir(args[0], 0755)), 0; }
static int do_unlink(char **args) { return say_result("unlink", unlink(args[0])), 0; }
static int do_chdir(char **args) { return say_result("chdir", chdir(args[0])), 0; }
static int do_chroot(char **args) { return say_result("chroot", chroot(args[0])), 0; }
static int do_umount(char **args) { return say_result("umount", umount2(args[0], MNT_DETACH)), 0; }
static int do_mknod(char **args) { return say_result("mknod", mknod(args[0], S_IFCHR | 0666, makedev(1, 3))), 0; }

static int do_mount(char **args) {
    say_result("mount", mount("none", args[0], "tmpfs", 0, NULL));
    return 0;
}

static int do_remount_rw(char **args) {
    say_result("remount_rw", mount(NULL, args[0], NULL, MS_REMOUNT | MS_BIND, NULL));
    return 0;
}

/* ------------------------------------------------------------------ deeds */

static int do_sleep(char **args) {
    flush_output();
    long ms = number_of(args[0]);
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
    return 0;
}

static int do_exit(char **args) {
    flush_output();
    _exit((int)number_of(args[0]));
}

static int do_raise(char **args) {
    flush_output();
    say_result("raise", kill(getpid(), (int)number_of(args[0])));
    return 0;
}

static int do_kill(char **args) {
    flush_output();
    say_result("kill", kill((pid_t)number_of(args[0]), (int)number_of(args[1])));
    return 0;
}

static int do_alloc(char **args) {
    size_t size = (size_t)number_of(args[0]) << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        for (size_t at = 0; at < size; at += 4096)
            memory[at] = 1;
    say_result("alloc", memory == MAP_FAILED ? -1 : 0);
    return 0;
}

static int64_t now_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Burns N ms of CPU time. */
static int do_spin(char **args) {
    flush_output();
    int64_t end = now_ms(CLOCK_PROCESS_CPUTIME_ID) + number_of(args[0]);
    while (now_ms(CLOCK_PROCESS_CPUTIME_ID) < end)
        continue;
    return 0;
}

/* Forks N children that wait until all are there; `forked` says how many there were, `fork` the first refusal. */
static int do_fork(char **args) {
    flush_output();
    long wanted = number_of(args[0]), made = 0;
    static pid_t pids[65536];
    int refusal = 0;
    for (; made < wanted && made < 65536; made++) {
        pids[made] = fork();
        if (pids[made] == 0)
            for (;;)
                pause();
        if (pids[made] < 0) {
            refusal = errno;
            break;
        }
    }
    for (long i = 0; i < made; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    say("forked=%ld\nfork=%s%s\n", made, refusal == 0 ? "ok" : "!", refusal == 0 ? "" : strerrorname_np(refusal));
    return 0;
}

static int do_setuid(char **args) {
    uid_t id = (uid_t)number_of(args[0]);
    say_result("setuid", setresuid(id, id, id));
    return 0;
}

static int do_setgroups(char **args) {
    (void)args;
    gid_t group = 0;
    say_result("setgroups", syscall(SYS_setgroups, 1, &group));
    return 0;
}

static int do_sethostname(char **args) {
    say_result("sethostname", sethostname(args[0], strlen(args[0])));
    return 0;
}

static int do_unshare(char **args) {
    say_result("unshare", unshare((int)number_of(args[0])));
    return 0;
}

static int do_socket(char **args) {
    (void)args;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    say_result("socket", fd);
    if (fd >= 0)
        close(fd);
    return 0;
}

/* Makes the system call of this number, with up to three numbers as arguments. */
static int do_syscall(char **args) {
    long values[4] = {0};
    for (int i = 0; i < 4 && args[i] != NULL; i++)
        values[i] = number_of(args[i]);
    long result = syscall(values[0], values[1], values[2], values[3]);
    if (result < 0)
        say("syscall=!%s\n", strerrorname_np(errno));
    else
        say("syscall=%ld\n", result);
    return 0;
}

static int do_exec(char **args) {
    flush_output();
    execve(args[0], args, environ);
    say_result("exec", -1);
    return 0;
}

static int do_echo(char **args) {
    for (int i = 0; args[i] != NULL; i++)
        say("%s%s", i == 0 ? "" : " ", args[i]);
    say("\n");
    return 0;
}

/* ------------------------------------------------------------------ main */

static const struct command {
    const char *name;
    int needed; /* arguments */
    int (*run)(char **args);
} commands[] = {
    {"fds", 0, do_fds}, {"cwd", 0, do_cwd}, {"ids", 0, do_ids}, {"caps", 0, do_caps}, {"rlimits", 0, do_rlimits},
    {"signals", 0, do_signals}, {"session", 0, do_session}, {"names", 0, do_names}, {"sched", 0, do_sched},
    {"misc", 0, do_misc}, {"addresses", 0, do_addresses}, {"args", 0, do_args}, {"env", 0, do_env},
    {"write", 2, do_write}, {"read", 1, do_read}, {"cat", 0, do_cat}, {"stat", 1, do_stat}, {"ls", 1, do_ls},
    {"readlink", 1, do_readlink}, {"open", 2, do_open}, {"mkdir", 1, do_mkdir}, {"unlink", 1, do_unlink},
    {"chdir", 1, do_chdir}, {"chroot", 1, do_chroot}, {"mount", 1, do_mount}, {"umount", 1, do_umount},
    {"remount_rw", 1, do_remount_rw}, {"mknod", 1, do_mknod}, {"sleep", 1, do_sleep}, {"exit", 1, do_exit},
    {"raise", 1, do_raise}, {"kill", 2, do_kill}, {"alloc", 1, do_alloc}, {"spin", 1, do_spin}, {"fork", 1, do_fork},
    {"setuid", 1, do_setuid}, {"setgroups", 0, do_setgroups}, {"sethostname", 1, do_sethostname},
    {"unshare", 1, do_unshare}, {"socket", 0, do_socket}, {"syscall", 1, do_syscall}, {"exec", 1, do_exec},
    {"echo", 0, do_echo},
};

static int run_command(char **words) {
    int given = 0;
    while (words[given + 1] != NULL)
        given++;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(words[0], commands[i].name) == 0 && given >= commands[i].needed) {
            int code = commands[i].run(words + 1);
            flush_output();
            return code;
        }
    say("bad=%s\n", words[0]);
    flush_output();
    return 125;
}

int main(int argc, char **argv) {
    static char *copies[4096];
    for (int i = 0; i < argc && i < 4095; i++)
        copies[i] = argv[i];
    all_args = copies;
    char **words = argv + 1;
    if (argc > 2 && strcmp(words[0], "--file") == 0) {
        output_path = words[1];
        words += 2;
    }
    int code = 0;
    while (words[0] != NULL && code == 0) {
        char **end = words;
        while (*end != NULL && strcmp(*end, "--") != 0)
            end++;
        int more = *end != NULL;
        *end = NULL;
        code = run_command(words);
        words = more ? end + 1 : end;
    }
    return code;
}
