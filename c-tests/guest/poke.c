/* A program that tries what its arguments say, and prints one line for each: "ok", the name of the errno, or what
 * was asked. An argument is a verb and its words, parted by spaces: `poke "create /x" "flags /etc"`. So a test is a
 * table of what is tried from inside against what has to come of it. Built statically: it runs in an empty root.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORDS = 12 };

/* The result of a call: what every verb without an answer of its own prints. */
static void say(long result) {
    puts(result >= 0 ? "ok" : strerrorname_np(errno));
}

static long number(const char *word) {
    return word ? strtol(word, NULL, 0) : 0;
}

/* ---- files ------------------------------------------------------------------------------------------------ */

static void do_open(char **w) {
    static const struct { const char *name; int flags; } how[] = {
        { "r", O_RDONLY }, { "w", O_WRONLY }, { "rw", O_RDWR }, { "dir", O_RDONLY | O_DIRECTORY }, { "path", O_PATH },
    };
    for (size_t i = 0; i < sizeof how / sizeof *how; i++)
        if (w[2] && strcmp(w[2], how[i].name) == 0) {
            int fd = open(w[1], how[i].flags | O_NOCTTY);
            say(fd);
            if (fd >= 0)
                close(fd);
            return;
        }
    puts("poke: open how?");
}

static void do_create(char **w) {
    int fd = open(w[1], O_WRONLY | O_CREAT | O_EXCL, 0666);
    say(fd < 0 ? fd : write(fd, "x", 1));
    if (fd >= 0)
        close(fd);
}

/* Opening is not enough to know that something can be written to: /dev/full opens. */
static void do_write(char **w) {
    fflush(stdout); /* it may be what is written to */
    int fd = open(w[1], O_WRONLY | O_NOCTTY);
    say(fd < 0 ? fd : write(fd, w[2] ? w[2] : "x", strlen(w[2] ? w[2] : "x")));
    if (fd >= 0)
        close(fd);
}

static void do_cat(char **w) {
    char buf[65536];
    size_t have = 0;
    ssize_t n;
    int fd = open(w[1], O_RDONLY);
    if (fd < 0) {
        say(-1);
        return;
    }
    while (have < sizeof buf - 1 && (n = read(fd, buf + have, sizeof buf - 1 - have)) > 0)
        have += (size_t)n;
    close(fd);
    fwrite(buf, 1, have, stdout);
    if (have == 0 || buf[have - 1] != '\n')
        putchar('\n');
}

/* "3 bytes, 3 zero": what a device gives. */
static void do_readn(char **w) {
    unsigned char buf[256];
    int zero = 0;
    int fd = open(w[1], O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, (size_t)number(w[2]));
    if (n < 0) {
        say(-1);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        zero += buf[i] == 0;
    printf("%zd bytes, %d zero\n", n, zero);
    close(fd);
}

static void do_stat(char **w) {
    struct stat st;
    if (lstat(w[1], &st) != 0) {
        say(-1);
        return;
    }
    const char *type = S_ISDIR(st.st_mode) ? "dir" : S_ISREG(st.st_mode) ? "file" : S_ISLNK(st.st_mode) ? "link"
        : S_ISCHR(st.st_mode) ? "char" : "other";
    printf("%s %04o %u:%u\n", type, st.st_mode & 07777, st.st_uid, st.st_gid);
}

static void do_device(char **w) {
    struct stat st;
    if (stat(w[1], &st) != 0)
        say(-1);
    else
        printf("%u:%u\n", major(st.st_rdev), minor(st.st_rdev));
}

static void do_readlink(char **w) {
    char buf[PATH_MAX];
    ssize_t n = readlink(w[1], buf, sizeof buf - 1);
    if (n < 0)
        say(-1);
    else
        printf("%.*s\n", (int)n, buf);
}

static int visible(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void do_ls(char **w) {
    struct dirent **names;
    int n = scandir(w[1], &names, visible, alphasort);
    if (n < 0) {
        say(-1);
        return;
    }
    for (int i = 0; i < n; i++)
        printf("%s%s", i ? " " : "", names[i]->d_name);
    putchar('\n');
}

/* The flags of the mount on which a path lies, as statvfs(3) knows them. */
static void do_flags(char **w) {
    static const struct { unsigned long bit; const char *name; } flags[] = {
        { ST_NOSUID, "nosuid" }, { ST_NODEV, "nodev" }, { ST_NOEXEC, "noexec" }, { ST_NOATIME, "noatime" },
    };
    struct statvfs fs;
    if (statvfs(w[1], &fs) != 0) {
        say(-1);
        return;
    }
    printf("%s", fs.f_flag & ST_RDONLY ? "ro" : "rw");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (fs.f_flag & flags[i].bit)
            printf(",%s", flags[i].name);
    putchar('\n');
}

/* How much of a file system can be filled: "1048576 ENOSPC". */
static void do_fill(char **w) {
    static char block[4096];
    long long total = 0;
    ssize_t n = 0;
    int fd = open(w[1], O_WRONLY | O_CREAT, 0600);
    if (fd < 0) {
        say(-1);
        return;
    }
    while (total < number(w[2]) && (n = write(fd, block, sizeof block)) > 0)
        total += n;
    printf("%lld %s\n", total, n < 0 ? strerrorname_np(errno) : "ok");
    close(fd);
}

static void do_mkdir(char **w) { say(mkdir(w[1], 0777)); }
static void do_unlink(char **w) { say(unlink(w[1])); }
static void do_rmdir(char **w) { say(rmdir(w[1])); }
static void do_chown(char **w) { say(chown(w[1], (uid_t)number(w[2]), (gid_t)number(w[3]))); }
static void do_chdir(char **w) { say(chdir(w[1])); }
static void do_chroot(char **w) { say(chroot(w[1])); }
static void do_umask(char **w) { (void)w; printf("%04o\n", umask(0)); }
static void do_mknod(char **w) {
    say(mknod(w[1], S_IFCHR | 0666, makedev((unsigned)number(w[2]), (unsigned)number(w[3]))));
}

static void do_cwd(char **w) {
    char buf[PATH_MAX];
    (void)w;
    if (syscall(SYS_getcwd, buf, sizeof buf) < 0)
        say(-1);
    else
        puts(buf);
}

/* mount SOURCE TARGET TYPE FLAGS */
static void do_mount(char **w) {
    say(mount(w[1], w[2], w[3], (unsigned long)number(w[4]), NULL));
}

static void do_umount(char **w) {
    say(umount2(w[1], MNT_DETACH));
}

/* A pseudo terminal of this /dev: the master opens, and its other side too. */
static void do_pty(char **w) {
    char slave[PATH_MAX];
    int on = 0, n, master = open(w[1], O_RDWR | O_NOCTTY);
    if (master < 0 || ioctl(master, TIOCSPTLCK, &on) < 0 || ioctl(master, TIOCGPTN, &n) < 0) {
        say(-1);
        return;
    }
    snprintf(slave, sizeof slave, "%.*spts/%d", (int)(strrchr(w[1], '/') - w[1] + 1), w[1], n);
    int other = open(slave, O_RDWR | O_NOCTTY);
    if (other < 0)
        say(-1);
    else
        printf("pts %d\n", n);
}

/* ---- the process ------------------------------------------------------------------------------------------ */

static void do_ids(char **w) {
    uid_t r, e, s;
    gid_t rg, eg, sg, groups[64];
    (void)w;
    getresuid(&r, &e, &s);
    getresgid(&rg, &eg, &sg);
    printf("uid %u %u %u %d gid %u %u %u %d groups", r, e, s, setfsuid((uid_t)-1), rg, eg, sg, setfsgid((gid_t)-1));
    int n = getgroups(64, groups);
    for (int i = 0; i < n; i++)
        printf(" %u", groups[i]);
    putchar('\n');
}

/* A line of /proc/self/status without its name, its blanks made one space. */
static void do_status(char **w) {
    char line[512];
    FILE *f = fopen("/proc/self/status", "r");
    size_t len = strlen(w[1]);
    if (!f) {
        say(-1);
        return;
    }
    while (fgets(line, sizeof line, f))
        if (strncmp(line, w[1], len) == 0 && line[len] == ':') {
            char *save, *word = strtok_r(line + len + 1, " \t\n", &save);
            for (int i = 0; word; i++, word = strtok_r(NULL, " \t\n", &save))
                printf("%s%s", i ? " " : "", word);
            break;
        }
    putchar('\n');
    fclose(f);
}

/* All five capability sets, by the system calls alone: no /proc is needed. */
static void do_caps(char **w) {
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];
    uint64_t bounding = 0, ambient = 0;
    (void)w;
    if (syscall(SYS_capget, &head, data) != 0) {
        say(-1);
        return;
    }
    for (int cap = 0; cap < 64; cap++) {
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
            bounding |= UINT64_C(1) << cap;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
            ambient |= UINT64_C(1) << cap;
    }
    printf("inh %llx prm %llx eff %llx bnd %llx amb %llx\n",
           (unsigned long long)data[1].inheritable << 32 | data[0].inheritable,
           (unsigned long long)data[1].permitted << 32 | data[0].permitted,
           (unsigned long long)data[1].effective << 32 | data[0].effective, (unsigned long long)bounding,
           (unsigned long long)ambient);
}

static void do_securebits(char **w) { (void)w; printf("%x\n", (unsigned)prctl(PR_GET_SECUREBITS)); }
static void do_nnp(char **w) { (void)w; printf("%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); }
static void do_dumpable(char **w) { (void)w; printf("%d\n", prctl(PR_GET_DUMPABLE)); }
static void do_keepcaps(char **w) { (void)w; printf("%d\n", prctl(PR_GET_KEEPCAPS)); }
static void do_seccomp(char **w) { (void)w; printf("%d\n", prctl(PR_GET_SECCOMP)); }

static void do_rlimit(char **w) {
    struct rlimit lim;
    if (getrlimit((__rlimit_resource_t)number(w[1]), &lim) != 0)
        say(-1);
    else
        printf("%llu %llu\n", (unsigned long long)lim.rlim_cur, (unsigned long long)lim.rlim_max);
}

static void do_uts(char **w) {
    struct utsname names;
    (void)w;
    uname(&names);
    printf("%s %s\n", names.nodename, names.domainname);
}

static void do_pid(char **w) { (void)w; printf("%d\n", getpid()); }
static void do_ppid(char **w) { (void)w; printf("%d\n", getppid()); }
static void do_nice(char **w) { (void)w; printf("%d\n", getpriority(PRIO_PROCESS, 0)); }
static void do_setuid(char **w) { say(setresuid((uid_t)number(w[1]), (uid_t)number(w[1]), (uid_t)number(w[1]))); }
static void do_setgid(char **w) { say(setresgid((gid_t)number(w[1]), (gid_t)number(w[1]), (gid_t)number(w[1]))); }
static void do_setgroups(char **w) { gid_t g = (gid_t)number(w[1]); say(setgroups(1, &g)); }
static void do_hostname(char **w) { say(sethostname(w[1], strlen(w[1]))); }
static void do_stop(char **w) { (void)w; say(raise(SIGSTOP)); }
static void do_exit(char **w) { fflush(stdout); _exit((int)number(w[1])); }
static void do_echo(char **w) { puts(w[1]); }

/* Leaves a child behind that holds the output open, and prints its pid. */
static void do_orphan(char **w) {
    (void)w;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    printf("%d\n", pid);
}

static void do_deathsig(char **w) {
    int sig = -1;
    (void)w;
    prctl(PR_GET_PDEATHSIG, &sig);
    printf("%d\n", sig);
}

static void do_unshare(char **w) {
    say(unshare((int)number(w[1])));
}

static void do_syscall(char **w) {
    say(syscall(number(w[1]), number(w[2]), number(w[3]), number(w[4]), number(w[5])));
}

static void do_pause(char **w) {
    (void)w;
    fflush(stdout);
    for (;;)
        pause();
}

static void do_sleep(char **w) {
    struct timespec t = { number(w[1]) / 1000, number(w[1]) % 1000 * 1000000 };
    fflush(stdout);
    nanosleep(&t, NULL);
    puts("ok");
}

/* How a child ended: "exit 3", "signal 31". */
static void say_end(pid_t pid) {
    int status;
    if (waitpid(pid, &status, 0) != pid)
        say(-1);
    else if (WIFSIGNALED(status))
        printf("signal %d\n", WTERMSIG(status));
    else
        printf("exit %d\n", WEXITSTATUS(status));
}

/* exec PATH WORD: another program, given its words as one argument; its output comes first. An errno of the exec
 * itself is an exit code of 100 and up. */
static void do_exec(char **w) {
    char op[256] = "";
    fflush(stdout);
    for (int i = 2; w[i]; i++)
        snprintf(op + strlen(op), sizeof op - strlen(op), "%s%s", i > 2 ? " " : "", w[i]);
    pid_t pid = fork();
    if (pid == 0) {
        execl(w[1], w[1], *op ? op : NULL, (char *)NULL);
        puts(strerrorname_np(errno));
        fflush(stdout);
        _exit(101);
    }
    if (pid < 0)
        say(-1);
    else
        say_end(pid);
}

static void run_words(char **words, int n);

/* as UID VERB WORDS: by a child with that user and group id alone. */
static void do_as(char **w) {
    int n = 0;
    gid_t gid = (gid_t)number(w[1]);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(gid, gid, gid) != 0)
            say(-1);
        else {
            while (w[2 + n])
                n++;
            run_words(w + 2, n);
        }
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

/* Forks until it fails, at most N times: "3 EAGAIN". */
static void do_forks(char **w) {
    int n = 0, error = 0;
    fflush(stdout);
    while (n < number(w[1])) {
        pid_t pid = fork();
        if (pid < 0) {
            error = errno;
            break;
        }
        if (pid == 0)
            for (;;)
                pause();
        n++;
    }
    printf("%d %s\n", n, error ? strerrorname_np(error) : "ok");
    fflush(stdout);
    kill(0, SIGKILL);
}

static void do_touch_memory(char **w) {
    size_t len = (size_t)number(w[1]);
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        say(-1);
        return;
    }
    memset(p, 1, len);
    puts("ok");
}

/* ---- the network ------------------------------------------------------------------------------------------ */

static struct sockaddr_in local(int port) {
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void do_bind(char **w) {
    struct sockaddr_in a = local((int)number(w[1]));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    say(bind(fd, (struct sockaddr *)&a, sizeof a));
    close(fd);
}

/* A whole connection over 127.0.0.1: only that shows that the interface is up. */
static void do_loopback(char **w) {
    struct sockaddr_in a = local(0);
    socklen_t len = sizeof a;
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), peer;
    char c = 'x';
    (void)w;
    if (bind(server, (struct sockaddr *)&a, sizeof a) != 0 || listen(server, 1) != 0
        || getsockname(server, (struct sockaddr *)&a, &len) != 0
        || connect(client, (struct sockaddr *)&a, sizeof a) != 0 || (peer = accept(server, NULL, NULL)) < 0
        || write(client, &c, 1) != 1)
        say(-1);
    else
        say(read(peer, &c, 1) == 1 ? 0 : -1);
}

/* ---- the table -------------------------------------------------------------------------------------------- */

/* `words` of them are needed: a test that forgets one must not pass by a crash. */
static const struct { const char *verb; int words; void (*run)(char **words); } verbs[] = {
    { "open", 2, do_open },         { "create", 1, do_create },     { "write", 1, do_write },
    { "cat", 1, do_cat },           { "readn", 2, do_readn },       { "stat", 1, do_stat },
    { "device", 1, do_device },     { "readlink", 1, do_readlink }, { "ls", 1, do_ls },
    { "flags", 1, do_flags },       { "fill", 2, do_fill },         { "mkdir", 1, do_mkdir },
    { "unlink", 1, do_unlink },     { "rmdir", 1, do_rmdir },       { "chown", 3, do_chown },
    { "chdir", 1, do_chdir },       { "chroot", 1, do_chroot },     { "umask", 0, do_umask },
    { "mknod", 3, do_mknod },       { "cwd", 0, do_cwd },           { "mount", 4, do_mount },
    { "umount", 1, do_umount },     { "pty", 1, do_pty },           { "ids", 0, do_ids },
    { "status", 1, do_status },     { "caps", 0, do_caps },         { "securebits", 0, do_securebits },
    { "nnp", 0, do_nnp },           { "dumpable", 0, do_dumpable }, { "keepcaps", 0, do_keepcaps },
    { "seccomp", 0, do_seccomp },   { "rlimit", 1, do_rlimit },     { "uts", 0, do_uts },
    { "pid", 0, do_pid },           { "ppid", 0, do_ppid },         { "nice", 0, do_nice },
    { "setuid", 1, do_setuid },     { "setgid", 1, do_setgid },     { "setgroups", 1, do_setgroups },
    { "hostname", 1, do_hostname }, { "stop", 0, do_stop },         { "exit", 1, do_exit },
    { "echo", 1, do_echo },         { "deathsig", 0, do_deathsig }, { "unshare", 1, do_unshare },
    { "syscall", 1, do_syscall },   { "pause", 0, do_pause },       { "sleep", 1, do_sleep },
    { "exec", 1, do_exec },         { "forks", 1, do_forks },       { "touch-memory", 1, do_touch_memory },
    { "bind", 1, do_bind },         { "loopback", 0, do_loopback }, { "orphan", 0, do_orphan },
    { "as", 2, do_as },
};

static void run_words(char **words, int n) {
    for (size_t i = 0; n && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(words[0], verbs[i].verb) == 0 && n > verbs[i].words) {
            verbs[i].run(words);
            return;
        }
    printf("poke: %s?\n", n ? words[0] : "");
}

static void run(char *op) {
    char *words[MAX_WORDS + 1] = { 0 }, *save;
    int n = 0;
    for (char *w = strtok_r(op, " ", &save); w && n < MAX_WORDS; w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    run_words(words, n);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    fflush(stdout);
    return 0;
}
