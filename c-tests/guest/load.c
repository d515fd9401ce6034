/* The program of the tests of watched runs: it uses exactly as much of something as it is told.
 *
 *     load TAG OP ARGS... OP ARGS...
 *
 * TAG is not looked at: by it the tests find the program and what it has forked in /proc. `bg`, `daemon` and
 * `orphan` are followed by ops for the new process, up to their `end`. Exit codes: 0, that of `exit N`; 11 where a
 * fork or a thread was refused, 12 for memory, 13 for a write that failed, 125 for an op that does not exist.
 * Whatever goes wrong with the test, it is gone after a minute. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REFUSED = 11, NO_MEMORY = 12, NOT_WRITTEN = 13, UNKNOWN = 125 };

static long number(const char *text) {
    return text == NULL ? 0 : strtol(text, NULL, 0);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void nap(long ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

/* ------------------------------------------------------------------ CPU time */

static int64_t spin_until;

/* Until the whole process has used that much, whoever of its threads did. */
static void *spin(void *unused) {
    while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < spin_until)
        for (volatile int i = 0; i < 20000; i++)
            continue;
    return unused;
}

static int do_spin(char **args) {
    spin_until = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + number(args[0]) * 1000000;
    spin(NULL);
    return 0;
}

static int do_spin_threads(char **args) {
    pthread_t threads[16];
    int n = (int)number(args[0]);
    spin_until = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + number(args[1]) * 1000000;
    for (int i = 1; i < n && i < 16; i++)
        if (pthread_create(&threads[i], NULL, spin, NULL) != 0)
            return REFUSED;
    spin(NULL);
    for (int i = 1; i < n && i < 16; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

/* Time in the kernel. */
static int do_calls(char **args) {
    int64_t until = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + number(args[0]) * 1000000;
    char buf[65536];
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < until)
        for (int i = 0; i < 20; i++)
            if (read(fd, buf, sizeof buf) < 0)
                return NOT_WRITTEN;
    close(fd);
    return 0;
}

/* ------------------------------------------------------------------ memory */

static int do_touch(char **args) {
    size_t bytes = (size_t)number(args[0]) << 20;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NO_MEMORY;
    for (size_t i = 0; i < bytes; i += 4096)
        ((volatile char *)memory)[i] = 1;
    return 0;
}

/* Address space alone. */
static int do_map(char **args) {
    size_t bytes = (size_t)number(args[0]) << 20;
    return mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? NO_MEMORY : 0;
}

/* Memory that no process has mapped. */
static int do_memfd(char **args) {
    static char part[1 << 20];
    int fd = memfd_create("load", MFD_CLOEXEC);
    memset(part, 1, sizeof part);
    for (long i = 0; i < number(args[0]); i++)
        if (write(fd, part, sizeof part) != sizeof part)
            return NO_MEMORY;
    return 0;
}

/* ------------------------------------------------------------------ files */

/* Bytes from 'a' to 'w', over and over: what is lost or doubled shows. */
static int write_pattern(int fd, long bytes) {
    static char part[23 * 4096];
    for (size_t i = 0; i < sizeof part; i++)
        part[i] = (char)('a' + i % 23);
    for (long done = 0; done < bytes;) {
        size_t at = (size_t)(done % 23), most = sizeof part - at;
        ssize_t n = write(fd, part + at, (long)most < bytes - done ? most : (size_t)(bytes - done));
        if (n < 0 && errno != EINTR)
            return NOT_WRITTEN;
        done += n > 0 ? n : 0;
    }
    return 0;
}

static int do_write(char **args) {
    return write_pattern((int)number(args[0]), number(args[1]));
}

static int do_file(char **args) {
    int fd = open(args[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 ? NOT_WRITTEN : write_pattern(fd, number(args[1]));
}

/* fd 0 to fd 1. */
static int do_cat(char **args) {
    (void)args;
    static char part[1 << 16];
    for (ssize_t n; (n = read(0, part, sizeof part)) != 0;)
        for (ssize_t done = 0; done < n;) {
            ssize_t wrote = write(1, part + done, (size_t)(n - done));
            if (wrote < 0 && errno != EINTR)
                return NOT_WRITTEN;
            done += wrote > 0 ? wrote : 0;
        }
    return 0;
}

/* What fd 0 is, and that it can be neither changed nor cut: said on fd 1. */
static int do_input(char **args) {
    (void)args;
    struct stat st = {0};
    char first = 0;
    fstat(0, &st);
    bool sought = lseek(0, 1, SEEK_SET) == 1 && read(0, &first, 1) == 1;
    bool changed = pwrite(0, "X", 1, 0) == 1 || ftruncate(0, 0) == 0;
    int again = open("/proc/self/fd/0", O_WRONLY | O_CLOEXEC);
    changed |= again >= 0 && (pwrite(again, "X", 1, 0) == 1 || ftruncate(again, 0) == 0);
    dprintf(1, "file=%d size=%lld second=%c changed=%d\n", S_ISREG(st.st_mode), (long long)st.st_size,
            sought ? first : '?', changed);
    return 0;
}

static int do_close(char **args) {
    close((int)number(args[0]));
    return 0;
}

static int do_close_all(char **args) {
    (void)args;
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    return 0;
}

static int do_pipe_size(char **args) {
    return fcntl((int)number(args[0]), F_SETPIPE_SZ, (int)number(args[1])) < 0 ? NOT_WRITTEN : 0;
}

static int do_say(char **args) {
    return dprintf((int)number(args[0]), "%s", args[1]) < 0 ? NOT_WRITTEN : 0;
}

/* ------------------------------------------------------------------ processes */

static void rest_for_ever(void) {
    nap(60000);
    _exit(0);
}

static int fork_resting(char **args) {
    int refused = 0;
    for (long i = 0; i < number(args[0]); i++) {
        pid_t pid = fork();
        if (pid == 0)
            rest_for_ever();
        refused += pid < 0;
    }
    return refused;
}

static int do_forks(char **args) {
    return fork_resting(args) == 0 ? 0 : REFUSED;
}

static int do_try_forks(char **args) {
    fork_resting(args);
    return 0;
}

static void *rest(void *unused) {
    nap(60000);
    return unused;
}

static int do_threads(char **args) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    for (long i = 0; i < number(args[0]); i++) {
        pthread_t thread;
        if (pthread_create(&thread, &attr, rest, NULL) != 0)
            return REFUSED;
    }
    return 0;
}

/* The limits on it are the test's; without any it would still end after ten seconds. */
static int do_bomb(char **args) {
    (void)args;
    int64_t end = clock_ns(CLOCK_MONOTONIC) + INT64_C(10000000000);
    while (clock_ns(CLOCK_MONOTONIC) < end)
        if (fork() < 0)
            sched_yield();
    _exit(0);
}

/* Each process lives only to make the next one, in a session of its own. */
static int do_run_away(char **args) {
    (void)args;
    int64_t end = clock_ns(CLOCK_MONOTONIC) + INT64_C(10000000000);
    while (clock_ns(CLOCK_MONOTONIC) < end) {
        setsid();
        pid_t pid = fork();
        if (pid > 0)
            _exit(0);
    }
    _exit(0);
}

static int do_wait(char **args) {
    (void)args;
    while (wait(NULL) >= 0 || errno == EINTR)
        continue;
    return 0;
}

static int do_wait_one(char **args) {
    (void)args;
    int status = 0;
    while (wait(&status) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static int do_setsid(char **args) {
    (void)args;
    setsid();
    return 0;
}

/* ------------------------------------------------------------------ signals and the like */

static int do_raise(char **args) {
    kill(getpid(), (int)number(args[0]));
    return 0;
}

static int do_ignore(char **args) {
    (void)args;
    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    return 0;
}

static int do_sleep(char **args) {
    nap(number(args[0]));
    return 0;
}

static int do_pause(char **args) {
    (void)args;
    rest_for_ever();
    return 0;
}

static int do_exit(char **args) {
    _exit((int)number(args[0]));
}

static int do_uname(char **args) {
    (void)args;
    struct utsname uts;
    return uname(&uts) == 0 ? 0 : 1;
}

static int do_rlimit(char **args) {
    struct rlimit limit = {(rlim_t)number(args[1]), (rlim_t)number(args[2])};
    return setrlimit((__rlimit_resource_t)number(args[0]), &limit) == 0 ? 0 : 1;
}

static int do_name(char **args) {
    prctl(PR_SET_NAME, args[0]);
    return 0;
}

static const struct {
    const char *name;
    int args;
    int (*run)(char **args);
} ops[] = {
    {"spin", 1, do_spin},           {"spin-threads", 2, do_spin_threads}, {"calls", 1, do_calls},
    {"touch", 1, do_touch},         {"map", 1, do_map},                   {"memfd", 1, do_memfd},
    {"write", 2, do_write},         {"file", 2, do_file},                 {"cat", 0, do_cat},
    {"input", 0, do_input},         {"close", 1, do_close},               {"close-all", 0, do_close_all},
    {"pipe-size", 2, do_pipe_size}, {"say", 2, do_say},                   {"forks", 1, do_forks},
    {"try-forks", 1, do_try_forks}, {"threads", 1, do_threads},           {"bomb", 0, do_bomb},
    {"run-away", 0, do_run_away}, {"wait", 0, do_wait},                {"wait-one", 0, do_wait_one},
    {"setsid", 0, do_setsid},       {"raise", 1, do_raise},               {"ignore", 0, do_ignore},
    {"sleep", 1, do_sleep},         {"pause", 0, do_pause},               {"exit", 1, do_exit},
    {"uname", 0, do_uname},         {"rlimit", 3, do_rlimit},             {"name", 1, do_name},
};

static void run_ops(char **args);

/* ------------------------------------------------------------------ ops for new processes */

static int is_block(const char *op) {
    return strcmp(op, "bg") == 0 || strcmp(op, "daemon") == 0 || strcmp(op, "orphan") == 0;
}

/* What stands behind the `end` of the block. */
static char **behind(char **args) {
    for (int depth = 1; *args != NULL; args++) {
        depth += is_block(*args) - (strcmp(*args, "end") == 0);
        if (depth == 0)
            return args + 1;
    }
    return args;
}

/* bg: a child. orphan: a grandchild whose parent is gone. daemon: the same in a session of its own. */
static void new_process(const char *how, char **args) {
    pid_t pid = fork();
    if (pid < 0)
        _exit(REFUSED);
    if (pid > 0) {
        if (strcmp(how, "bg") != 0)
            waitpid(pid, NULL, 0);
        return;
    }
    if (strcmp(how, "daemon") == 0)
        setsid();
    if (strcmp(how, "bg") != 0 && fork() != 0)
        _exit(0);
    run_ops(args);
}

static void *rest_of_ops(void *args) {
    run_ops(args);
    return NULL;
}

/* A process without its first thread: /proc shows a zombie, but the rest of the ops goes on in another thread. */
static void leave_leader(char **args) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, rest_of_ops, args) != 0)
        _exit(REFUSED);
    syscall(SYS_exit, 0);
}

/* Up to the end of the arguments or of the block, and exits. */
static void run_ops(char **args) {
    while (*args != NULL && strcmp(*args, "end") != 0) {
        size_t i = 0;
        const char *op = *args++;
        if (strcmp(op, "leave-leader") == 0)
            leave_leader(args);
        if (is_block(op)) {
            new_process(op, args);
            args = behind(args);
            continue;
        }
        while (i < sizeof ops / sizeof ops[0] && strcmp(ops[i].name, op) != 0)
            i++;
        if (i == sizeof ops / sizeof ops[0])
            _exit(UNKNOWN);
        int code = ops[i].run(args);
        if (code != 0)
            _exit(code);
        args += ops[i].args;
    }
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc < 2)
        return UNKNOWN;
    run_ops(argv + 2);
}
