/* The hostile program: it attacks what its arguments name, and prints one line for each: "got", with what it got
 * where that differs, or the name of the errno that kept it away. An argument is an attack and its words, parted
 * by spaces: `hostile "kill 77 9" "walk /tmp/secret"`, as in c-tests/guest/poke.c, so the tables of poke.h are for
 * both. The attacker knows all that he could guess: the pids, paths, names and addresses of the host are in his
 * words.
 *
 * Built statically: it runs in an empty root. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORDS = 12 };

static long number(const char *word) {
    return word ? strtol(word, NULL, 0) : 0;
}

/* What most attacks print. */
static void say(long result) {
    puts(result >= 0 ? "got" : strerrorname_np(errno));
}

static void nap(long ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

/* Runs an attack that may end in death in a child: "got", the errno that it exits with, "killed 31". */
static void say_of_child(int (*attack)(char **w), char **w) {
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(attack(w) >= 0 ? 0 : errno);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        say(-1);
    else if (WIFSIGNALED(status))
        printf("killed %d\n", WTERMSIG(status));
    else
        puts(WEXITSTATUS(status) == 0 ? "got" : strerrorname_np(WEXITSTATUS(status)));
}

/* ---- ways out of the root ---------------------------------------------------------------------------------- */

#define UP "../../../../../../../../../../../.."

static bool readable(int dir, const char *path) {
    char byte;
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && read(fd, &byte, 1) == 1;
    if (fd >= 0)
        close(fd);
    return good;
}

/* By what lies above a directory that an fd of ours might be. */
static bool by_fds(const char *above) {
    for (int fd = 0; fd < 4096; fd++)
        if (readable(fd, above))
            return true;
    return false;
}

/* By the links of a directory of /proc: of an fd each, or of root and cwd. */
static bool by_links(const char *dir, const char *above) {
    char path[3 * PATH_MAX];
    DIR *links = opendir(dir);
    bool found = false;
    for (struct dirent *entry; links && !found && (entry = readdir(links)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s/%s", dir, entry->d_name, above);
        found = entry->d_name[0] != '.' && readable(AT_FDCWD, path);
    }
    if (links)
        closedir(links);
    return found;
}

static bool by_process(const char *name, const char *above) {
    static const char *const links[] = {"root", "cwd", "exe"};
    char path[2 * PATH_MAX];
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(path, sizeof path, "/proc/%s/%s/%s", name, links[i], above);
        if (readable(AT_FDCWD, path))
            return true;
    }
    snprintf(path, sizeof path, "/proc/%s/fd", name);
    return by_links(path, above);
}

static bool by_processes(const char *above) {
    DIR *proc = opendir("/proc");
    bool found = false;
    for (struct dirent *entry; proc && !found && (entry = readdir(proc)) != NULL;)
        found = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && by_process(entry->d_name, above);
    if (proc)
        closedir(proc);
    return found;
}

/* walk SECRET: looks for a file of the host, by its path there, on every way that fds, the working directory and
 * /proc might offer. */
static void do_walk(char **w) {
    char above[PATH_MAX];
    snprintf(above, sizeof above, UP "%s", w[1]);
    if (readable(AT_FDCWD, w[1]))
        puts("got by its path");
    else if (readable(AT_FDCWD, above))
        puts("got by the working directory");
    else if (by_fds(above))
        puts("got by an fd");
    else if (by_process("self", above) || by_process("thread-self", above))
        puts("got by /proc/self");
    else if (by_processes(above))
        puts("got by another process");
    else
        puts("nothing");
}

/* handle MOUNT TYPE HEX: opens a file by its handle, which needs no path but any fd of its file system. */
static void do_handle(char **w) {
    struct file_handle *handle = calloc(1, sizeof *handle + MAX_HANDLE_SZ);
    unsigned char *bytes = (unsigned char *)(handle + 1);
    for (const char *hex = w[3]; hex[0] && hex[1] && handle->handle_bytes < MAX_HANDLE_SZ; hex += 2) {
        const char byte[] = {hex[0], hex[1], 0};
        bytes[handle->handle_bytes++] = (unsigned char)strtol(byte, NULL, 16);
    }
    handle->handle_type = (int)number(w[2]);
    say(open_by_handle_at(open(w[1], O_RDONLY | O_CLOEXEC), handle, O_RDONLY | O_CLOEXEC));
    free(handle);
}

/* reopen FD: what was given for reading only, opened anew for writing, and written to. */
static void do_reopen(char **w) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%s", w[1]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    say(fd < 0 ? -1 : write(fd, "mine", 4));
}

/* overwrite FD: writes into the program behind an fd as soon as nobody executes it. */
static void do_overwrite(char **w) {
    char path[64];
    int fd = -1;
    snprintf(path, sizeof path, "/proc/self/fd/%s", w[1]);
    for (int i = 0; i < 500 && (fd = open(path, O_WRONLY | O_CLOEXEC)) < 0 && errno == ETXTBSY; i++)
        nap(10);
    say(fd < 0 ? -1 : write(fd, "mine", 4));
}

/* mount-over DIR: a file system over a directory of the host, shared with whoever shared with us. */
static void do_mount_over(char **w) {
    mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL);
    say(mount("hostile", w[1], "tmpfs", 0, NULL));
}

/* leave-group FILE: a file that our group may not read, though others may. */
static void do_leave_group(char **w) {
    if (setgroups(0, NULL) != 0)
        say(-1);
    else
        puts(readable(AT_FDCWD, w[1]) ? "got" : strerrorname_np(errno));
}

/* ---- filling disks ----------------------------------------------------------------------------------------- */

/* inodes DIR N: so many empty files; "4095 ENOSPC". */
static void do_inodes(char **w) {
    char path[PATH_MAX];
    long made = 0;
    int fd = 0;
    for (; made < number(w[2]); made++) {
        snprintf(path, sizeof path, "%s/i%ld", w[1], made);
        if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
            break;
        close(fd);
    }
    printf("%ld %s\n", made, fd < 0 ? strerrorname_np(errno) : "ok");
}

/* files DIR N MIB: so many files of so many MiB; "3 MiB ENOSPC" and the like: all together. */
static void do_files(char **w) {
    static char part[1 << 16];
    char path[PATH_MAX];
    long long total = 0;
    int error = 0;
    signal(SIGXFSZ, SIG_IGN);
    for (long i = 0; i < number(w[2]) && error == 0; i++) {
        snprintf(path, sizeof path, "%s/f%ld", w[1], i);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ssize_t n = 0;
        for (long done = 0; fd >= 0 && done < number(w[3]) << 20 && (n = write(fd, part, sizeof part)) > 0; done += n)
            total += n;
        error = fd < 0 || (n < 0 && errno != EFBIG) ? errno : 0;
        if (fd >= 0)
            close(fd);
    }
    printf("%lld MiB %s\n", total >> 20, error ? strerrorname_np(error) : "ok");
}

/* core MIB: dies with a core dump of that size, if it may have one; "dumped" or "died". */
static void do_core(char **w) {
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit;
        getrlimit(RLIMIT_CORE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_CORE, &limit);
        size_t size = (size_t)number(w[1]) << 20;
        memset(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, size);
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    puts(WCOREDUMP(status) ? "dumped" : "died");
}

/* ---- other processes --------------------------------------------------------------------------------------- */

static void do_kill(char **w) { say(kill((pid_t)number(w[1]), (int)number(w[2]))); }
static void do_kill_all(char **w) { say(kill(-1, (int)number(w[1]))); }

/* kill-group: the signals of a terminal go to the whole group, and so does this. We survive. */
static void do_kill_group(char **w) {
    signal(SIGUSR1, SIG_IGN);
    (void)w;
    say(kill(0, SIGUSR1));
}

static void do_pidfd_kill(char **w) {
    int fd = (int)syscall(SYS_pidfd_open, number(w[1]), 0);
    say(fd < 0 ? -1 : syscall(SYS_pidfd_send_signal, fd, (int)number(w[2]), NULL, 0));
}

/* A directory of /proc is as good as a pidfd. */
static void do_proc_kill(char **w) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s", w[1]);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    say(fd < 0 ? -1 : syscall(SYS_pidfd_send_signal, fd, (int)number(w[2]), NULL, 0));
}

/* The kernel sends a signal of our choice to a process of our choice when our own pipe becomes readable. */
static void do_sigio(char **w) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETOWN, (int)number(w[1])) != 0 ||
        fcntl(ends[0], F_SETSIG, (int)number(w[2])) != 0 || fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK) != 0)
        say(-1);
    else
        say(write(ends[1], "x", 1)); /* that it was sent is for the victim to say */
}

static void do_ptrace(char **w) {
    pid_t pid = (pid_t)number(w[1]);
    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0) {
        say(-1);
        return;
    }
    waitpid(pid, NULL, __WALL);
    say(ptrace(PTRACE_DETACH, pid, NULL, NULL));
}

/* mem PID ADDRESS: a byte of another process's memory. */
static void do_mem(char **w) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/mem", w[1]);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    say(fd < 0 ? -1 : pwrite(fd, "m", 1, (off_t)strtoul(w[2], NULL, 0)));
}

static void do_vm(char **w) {
    struct iovec here = {"v", 1}, there = {(void *)strtoul(w[2], NULL, 0), 1};
    say(process_vm_writev((pid_t)number(w[1]), &here, 1, &there, 1, 0));
}

/* fd-of PID FD: by its pidfd. proc-fd PID FD: by /proc. */
static void do_fd_of(char **w) {
    int fd = (int)syscall(SYS_pidfd_open, number(w[1]), 0);
    say(fd < 0 ? -1 : syscall(SYS_pidfd_getfd, fd, (int)number(w[2]), 0));
}

static void do_proc_fd(char **w) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/fd/%s", w[1], w[2]);
    say(open(path, O_RDONLY | O_CLOEXEC));
}

static void do_environ(char **w) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/environ", w[1]);
    puts(readable(AT_FDCWD, path) ? "got" : strerrorname_np(errno));
}

static void do_prlimit(char **w) {
    struct rlimit limit = {64, 64};
    say(prlimit((pid_t)number(w[1]), RLIMIT_NOFILE, &limit, NULL));
}

static void do_renice(char **w) { say(setpriority(PRIO_PROCESS, (id_t)number(w[1]), 19)); }

static void do_affinity(char **w) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    say(sched_setaffinity((pid_t)number(w[1]), sizeof set, &set));
}

static void do_oom(char **w) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/oom_score_adj", w[1]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    say(fd < 0 ? -1 : write(fd, "1000", 4));
}

/* ---- terminals --------------------------------------------------------------------------------------------- */

/* tiocsti FD WORD: types it into a terminal. */
static void do_tiocsti(char **w) {
    int result = 0;
    for (const char *c = w[2]; *c && result == 0; c++)
        result = ioctl((int)number(w[1]), TIOCSTI, c);
    say(result);
}

/* The console's own: subcode 6 only asks for the shift keys, and is refused to those that may not paste. */
static void do_tioclinux(char **w) {
    char code = 6;
    say(ioctl((int)number(w[1]), TIOCLINUX, &code));
}

/* Takes the terminal away from the session that it controls. */
static void do_steal_tty(char **w) {
    setsid();
    say(ioctl((int)number(w[1]), TIOCSCTTY, 1));
}

static void do_open(char **w) { say(open(w[1], O_RDWR | O_NOCTTY | O_CLOEXEC)); }

/* stop-tty FD: keeps its output from moving, which hangs whoever writes to it. */
static void do_stop_tty(char **w) { say(tcflow((int)number(w[1]), TCOOFF)); }

/* nonblock FD: a flag of the open file, which the host has open too. */
static void do_nonblock(char **w) { say(fcntl((int)number(w[1]), F_SETFL, O_NONBLOCK)); }

/* ---- what processes share without a file ------------------------------------------------------------------- */

/* key RING NAME: the bytes of a key that a ring leads to. */
static void do_key(char **w) {
    char bytes[64] = "";
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH, number(w[1]), "user", w[2], 0);
    long n = key < 0 ? -1 : syscall(SYS_keyctl, KEYCTL_READ, key, bytes, sizeof bytes - 1);
    if (n < 0)
        say(-1);
    else
        printf("got %s\n", bytes);
}

/* leave-key RING NAME: a key for those who come later. */
static void do_leave_key(char **w) { say(syscall(SYS_add_key, "user", w[2], "left", 4, (int)number(w[1]))); }

static void do_connect(char **w) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    bool abstract = w[1][0] == '@';
    snprintf(name.sun_path + abstract, sizeof name.sun_path - 1, "%s", w[1] + abstract);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(w[1]) + !abstract);
    say(connect(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&name, length));
}

/* shm KEY: a segment of somebody else's. */
static void do_shm(char **w) {
    int id = shmget((key_t)number(w[1]), 0, 0);
    void *memory = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
    if (memory == (void *)-1)
        say(-1);
    else
        printf("got %.16s\n", (char *)memory);
}

/* leave-shm KEY BYTES: memory that stays when we are gone. */
static void do_leave_shm(char **w) {
    size_t size = (size_t)number(w[2]);
    int id = shmget((key_t)number(w[1]), size, IPC_CREAT | IPC_EXCL | 0666);
    void *memory = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
    if (memory != (void *)-1)
        memset(memory, 1, size);
    say(memory == (void *)-1 ? -1 : 0);
}

static void do_leave_queue(char **w) { say(mq_open(w[1], O_RDWR | O_CREAT | O_EXCL, 0666, NULL)); }

/* ---- the kernel's other doors ------------------------------------------------------------------------------ */

/* With what it gives: capabilities over namespaces of its own. */
static int use_namespace(void) {
    return unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 || mount("hostile", "/", "tmpfs", 0, NULL) != 0 ? -1 : 0;
}

static int try_userns(char **w) {
    (void)w;
    return unshare(CLONE_NEWUSER) != 0 ? -1 : use_namespace();
}

/* In namespaces of its own, with the capabilities that those give: takes away what lies over a path, makes a
 * read-only mount writable, or mounts a new proc, in which it opens a file. */
static int enter_namespaces(void) {
    return unshare(CLONE_NEWUSER | CLONE_NEWNS);
}

static int uncover(char **w) { return umount2(w[1], MNT_DETACH); }
static int remount(char **w) { return mount(NULL, w[1], NULL, MS_REMOUNT | MS_BIND, NULL); }
static int nested_uncover(char **w) { return enter_namespaces() ? -1 : uncover(w); }
static int nested_remount(char **w) { return enter_namespaces() ? -1 : remount(w); }

/* nested-proc PATH read|write: where the proc that we have is read-only, the new one has to be. */
static int nested_proc(char **w) {
    bool write = strcmp(w[2], "write") == 0;
    int status = 0;
    if (enter_namespaces() != 0 || unshare(CLONE_NEWPID) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        bool good = mount("proc", "/proc", "proc", write ? 0 : MS_RDONLY, NULL) == 0;
        _exit(good && open(w[1], write ? O_WRONLY : O_RDONLY) >= 0 ? 0 : errno);
    }
    waitpid(pid, &status, 0);
    errno = WEXITSTATUS(status);
    return status == 0 ? 0 : -1;
}

static void do_uncover(char **w) { say_of_child(uncover, w); }
static void do_remount(char **w) { say_of_child(remount, w); }
static void do_nested_uncover(char **w) { say_of_child(nested_uncover, w); }
static void do_nested_remount(char **w) { say_of_child(nested_remount, w); }
static void do_nested_proc(char **w) { say_of_child(nested_proc, w); }

static int in_new_child(long pid) {
    int status = 0;
    if (pid == 0)
        _exit(use_namespace() == 0 ? 0 : errno);
    if (pid < 0)
        return -1;
    waitpid((pid_t)pid, &status, 0);
    errno = WEXITSTATUS(status);
    return status == 0 ? 0 : -1;
}

static int try_userns_clone(char **w) {
    (void)w;
    return in_new_child(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

static int try_userns_clone3(char **w) {
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    (void)w;
    return in_new_child(syscall(SYS_clone3, &args, sizeof args));
}

static void do_userns(char **w) { say_of_child(try_userns, w); }
static void do_userns_clone(char **w) { say_of_child(try_userns_clone, w); }
static void do_userns_clone3(char **w) { say_of_child(try_userns_clone3, w); }

/* getppid by its own number: what the other doors below are measured against. */
static int try_call(char **w) { return (int)syscall(number(w[1])); }
static void do_call(char **w) { say_of_child(try_call, w); }

#ifdef __x86_64__
/* int80 NR: an i386 call, by its number there. */
static int try_int80(char **w) {
    long result = number(w[1]);
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    errno = result < 0 ? (int)-result : 0;
    return result < 0 ? -1 : 0;
}

static int try_x32(char **w) { return (int)syscall(0x40000000 + number(w[1])); }

/* The time, by the page at a fixed address that the kernel emulates. */
static int try_vsyscall(char **w) {
    long result = ((long (*)(long *))0xffffffffff600400)(NULL);
    (void)w;
    errno = result < 0 ? (int)-result : 0;
    return result < 0 ? -1 : 0;
}

static void do_int80(char **w) { say_of_child(try_int80, w); }
static void do_x32(char **w) { say_of_child(try_x32, w); }
static void do_vsyscall(char **w) { say_of_child(try_vsyscall, w); }
#endif

/* The two rings of an io_uring and the entries, mapped. */
struct ring {
    int fd;
    struct io_uring_params params;
    char *submit, *complete;
    struct io_uring_sqe *entries;
};

static char *ring_map(int fd, size_t size, off_t what) {
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, what);
}

static bool ring_open(struct ring *ring) {
    ring->fd = (int)syscall(SYS_io_uring_setup, 2, &ring->params);
    if (ring->fd < 0)
        return false;
    ring->submit = ring_map(ring->fd, 4096, IORING_OFF_SQ_RING);
    ring->complete = ring_map(ring->fd, 4096, IORING_OFF_CQ_RING);
    ring->entries = (struct io_uring_sqe *)ring_map(ring->fd, 4096, IORING_OFF_SQES);
    return ring->submit != MAP_FAILED && ring->complete != MAP_FAILED && (void *)ring->entries != MAP_FAILED;
}

/* uring PATH: opens a file without a system call of that number. */
static int try_uring(char **w) {
    struct ring ring = {.fd = -1};
    if (!ring_open(&ring))
        return -1;
    ring.entries[0] = (struct io_uring_sqe){
        .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)w[1], .open_flags = O_RDONLY};
    *(uint32_t *)(void *)(ring.submit + ring.params.sq_off.array) = 0;
    __atomic_store_n((uint32_t *)(void *)(ring.submit + ring.params.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
        return -1;
    int result = ((struct io_uring_cqe *)(void *)(ring.complete + ring.params.cq_off.cqes))->res;
    errno = result < 0 ? -result : 0;
    return result < 0 ? -1 : 0;
}

static void do_uring(char **w) { say_of_child(try_uring, w); }

/* By its own number, whatever the C library calls open(). */
static int try_openat(char **w) { return (int)syscall(SYS_openat, AT_FDCWD, w[1], O_RDONLY, 0); }
static void do_openat(char **w) { say_of_child(try_openat, w); }

/* sysctl PATH: opens it for writing, which is where the kernel asks who we are. Nothing is written. */
static void do_sysctl(char **w) { say(open(w[1], O_WRONLY | O_CLOEXEC)); }

/* Sets the length of a tick to what it is: a change of the machine's clock that changes nothing. */
static void do_clock(char **w) {
    struct timex now = {.modes = 0};
    (void)w;
    adjtimex(&now);
    now.modes = ADJ_TICK;
    say(adjtimex(&now));
}

/* ---- memory ------------------------------------------------------------------------------------------------ */

/* Each takes so many MiB in its own way, and keeps them until we end. */
static void do_locked(char **w) {
    size_t size = (size_t)number(w[1]) << 20;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say(memory == MAP_FAILED ? -1 : mlock(memory, size));
}

/* Segments that are not attached when they are counted. */
static void do_segments(char **w) {
    int result = 0;
    for (long i = 0; i < number(w[1]) && result == 0; i++) {
        int id = shmget(IPC_PRIVATE, 1 << 20, 0600);
        void *memory = shmat(id, NULL, 0);
        if ((result = memory == (void *)-1 ? -1 : 0) == 0)
            memset(memory, 1, 1 << 20);
        shmdt(memory);
    }
    say(result);
}

/* memory-files DIR MIB: in a tmpfs. */
static void do_memory_files(char **w) {
    static char part[1 << 20];
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/memory", w[1]);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ssize_t n = fd < 0 ? -1 : 0;
    memset(part, 1, sizeof part);
    for (long i = 0; i < number(w[2]) && n >= 0; i++)
        n = write(fd, part, sizeof part);
    say(n);
}

/* Full pipes that nobody reads, of 64 KiB each. */
static void do_pipes(char **w) {
    static char part[1 << 16];
    int ends[2], result = 0;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (long i = 0; i < number(w[1]) * 16 && result == 0; i++)
        result = pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0 || write(ends[1], part, sizeof part) < 0 ? -1 : 0;
    say(result);
}

/* The tables of a mapping of which one byte in 2 MiB is touched: a page of tables and a page of data for each. */
static void do_tables(char **w) {
    size_t size = (size_t)number(w[1]) << 28;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED)
        madvise(memory, size, MADV_NOHUGEPAGE);
    for (size_t at = 0; memory != MAP_FAILED && at < size; at += 2 << 20)
        (void)((volatile char *)memory)[at]; /* read: the data is the shared page of zeros */
    say(memory == MAP_FAILED ? -1 : 0);
}

/* Asks the OOM killer to take anybody else. */
static void do_unkillable(char **w) {
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    (void)w;
    say(fd < 0 ? -1 : write(fd, "-1000", 5));
}

static void do_forks(char **w) {
    long made = 0;
    fflush(stdout);
    for (; made < number(w[1]); made++) {
        pid_t pid = fork();
        if (pid == 0) {
            nap(20000);
            _exit(0);
        }
        if (pid < 0)
            break;
    }
    printf("%ld %s\n", made, made < number(w[1]) ? strerrorname_np(errno) : "ok");
}

/* leave-cgroup DIR: moves itself into another one. */
static void do_leave_cgroup(char **w) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/cgroup.procs", w[1]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    say(fd < 0 ? -1 : write(fd, "0", 1));
}

/* ---- not ending -------------------------------------------------------------------------------------------- */

/* All of these are over after so many ms, whatever the test does. */
static void do_rest(char **w) {
    fflush(stdout);
    nap(number(w[1]));
}

static void do_stay(char **w) {
    puts("got");
    do_rest(w);
}

/* outlive MS: takes back the signal that it was to get when the host dies. */
static void do_outlive(char **w) {
    say(prctl(PR_SET_PDEATHSIG, 0));
    do_rest(w);
}

/* leave-child MS: ends, and leaves a child with all that it has open. */
static void do_leave_child(char **w) {
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        do_stay(w);
    }
    _exit(0);
}

/* stop MS: stops itself, but for a child that wakes it in the end. */
static void do_stop(char **w) {
    pid_t self = getpid();
    puts("got");
    fflush(stdout);
    if (fork() == 0) {
        nap(number(w[1]));
        kill(self, SIGKILL);
        _exit(0);
    }
    raise(SIGSTOP);
}

/* run-away MS: each process lives only to make the next one, in a session of its own. The first one stays, as the
 * bait of its killer and because a pid namespace would end with it. */
static void do_run_away(char **w) {
    struct timespec now, end;
    puts("got");
    fflush(stdout);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += number(w[1]) / 1000 + 1;
    if (fork() > 0) {
        do_rest(w);
        _exit(0);
    }
    do {
        setsid();
        nap(1); /* fast enough for any killer, and few enough for who has to reap them */
        if (fork() > 0)
            _exit(0);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec);
    _exit(0);
}

/* ---- the table --------------------------------------------------------------------------------------------- */

static const struct attack {
    const char *name;
    int words;
    void (*run)(char **words);
} attacks[] = {
    {"walk", 1, do_walk},
    {"handle", 3, do_handle},
    {"reopen", 1, do_reopen},
    {"overwrite", 1, do_overwrite},
    {"mount-over", 1, do_mount_over},
    {"leave-group", 1, do_leave_group},
    {"inodes", 2, do_inodes},
    {"files", 3, do_files},
    {"core", 1, do_core},
    {"kill", 2, do_kill},
    {"kill-all", 1, do_kill_all},
    {"kill-group", 0, do_kill_group},
    {"pidfd-kill", 2, do_pidfd_kill},
    {"proc-kill", 2, do_proc_kill},
    {"sigio", 2, do_sigio},
    {"ptrace", 1, do_ptrace},
    {"mem", 2, do_mem},
    {"vm", 2, do_vm},
    {"fd-of", 2, do_fd_of},
    {"proc-fd", 2, do_proc_fd},
    {"environ", 1, do_environ},
    {"prlimit", 1, do_prlimit},
    {"renice", 1, do_renice},
    {"affinity", 1, do_affinity},
    {"oom", 1, do_oom},
    {"tiocsti", 2, do_tiocsti},
    {"tioclinux", 1, do_tioclinux},
    {"steal-tty", 1, do_steal_tty},
    {"open", 1, do_open},
    {"stop-tty", 1, do_stop_tty},
    {"nonblock", 1, do_nonblock},
    {"key", 2, do_key},
    {"leave-key", 2, do_leave_key},
    {"connect", 1, do_connect},
    {"shm", 1, do_shm},
    {"leave-shm", 2, do_leave_shm},
    {"leave-queue", 1, do_leave_queue},
    {"userns", 0, do_userns},
    {"userns-clone", 0, do_userns_clone},
    {"userns-clone3", 0, do_userns_clone3},
    {"uncover", 1, do_uncover},
    {"remount", 1, do_remount},
    {"nested-uncover", 1, do_nested_uncover},
    {"nested-remount", 1, do_nested_remount},
    {"nested-proc", 2, do_nested_proc},
    {"call", 1, do_call},
#ifdef __x86_64__
    {"int80", 1, do_int80},
    {"x32", 1, do_x32},
    {"vsyscall", 0, do_vsyscall},
#endif
    {"uring", 1, do_uring},
    {"openat", 1, do_openat},
    {"sysctl", 1, do_sysctl},
    {"clock", 0, do_clock},
    {"locked", 1, do_locked},
    {"segments", 1, do_segments},
    {"memory-files", 2, do_memory_files},
    {"pipes", 1, do_pipes},
    {"tables", 1, do_tables},
    {"unkillable", 0, do_unkillable},
    {"forks", 1, do_forks},
    {"leave-cgroup", 1, do_leave_cgroup},
    {"stay", 1, do_stay},
    {"outlive", 1, do_outlive},
    {"leave-child", 1, do_leave_child},
    {"stop", 1, do_stop},
    {"run-away", 1, do_run_away},
};

/* An attack that does not exist, or lacks words, says so: no test passes by a slip of the pen. */
static void run(char *op) {
    char *words[MAX_WORDS + 1] = {0}, *save;
    int n = 0;
    for (char *w = strtok_r(op, " ", &save); w && n < MAX_WORDS; w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    for (size_t i = 0; n && i < sizeof attacks / sizeof *attacks; i++)
        if (strcmp(words[0], attacks[i].name) == 0 && n > attacks[i].words) {
            attacks[i].run(words);
            return;
        }
    printf("hostile: %s?\n", n ? words[0] : "");
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        run(argv[i]);
        fflush(stdout);
    }
    return 0;
}
