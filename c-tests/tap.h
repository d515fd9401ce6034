/* A small TAP harness, and what every test file needs to start programs and to look at the host.
 *
 * A file has a table of cases and ends with `return tap_main(argc, argv, tests, COUNT(tests), guests, COUNT(guests));`
 * (guests may be NULL, 0). Each case is one line of TAP; its name says what would be broken. The checks in it,
 * ok() and its like, print a diagnostic where they fail. All cases run in one process, one after the other, and
 * each fails if it leaves an fd, a thread or a child behind, or checks nothing.
 *
 * The counters are in shared memory, so that checks in forked children and in threads count too. */

#ifndef TAP_H
#define TAP_H

#ifndef _GNU_SOURCE
#error "the test file has to begin with #define _GNU_SOURCE"
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runner.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* Not every file needs every helper. */
#define TAP_HELPER __attribute__((unused)) static
#define TAP_PRINTF(nth, args) __attribute__((format(printf, nth, args)))

/* A case: its name says what would be broken if it failed. */
struct test {
    const char *name;
    void (*run)(void);
};

/* A function that this binary runs when it is executed as `self guest NAME ARGS...`; its result is the exit code. */
struct guest {
    const char *name;
    int (*run)(int argc, char **argv);
};

/* Seconds until a hanging file is killed, and with it whatever waits for it. */
#define TAP_DEADLINE 150

struct tap_state {
    atomic_int checks, failures;
    atomic_int skipped;
    char reason[256];
    char current[256];
    atomic_size_t log_length; /* diagnostics of the case, printed after its line */
    char log[1 << 16];
};

static struct tap_state *tap;
/* The error of the last start() or run_*(); failing checks print it. One a thread. */
__attribute__((unused)) static _Thread_local runner_error_t last_error = RUNNER_ERROR_INIT;

/* ------------------------------------------------------------------ checks */

TAP_HELPER TAP_PRINTF(1, 2) void diag(const char *format, ...) {
    char line[1024], commented[1280];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *rest = line, *part; (part = strsep(&rest, "\n")) != NULL;) {
        size_t length = (size_t)snprintf(commented, sizeof commented, "# %s\n", part);
        size_t at = atomic_fetch_add(&tap->log_length, length);
        if (at + length < sizeof tap->log)
            memcpy(tap->log + at, commented, length);
    }
}

TAP_HELPER void tap_print_log(void) {
    size_t length = atomic_exchange(&tap->log_length, 0);
    if (length > 0)
        printf("%.*s", (int)(length < sizeof tap->log ? length : sizeof tap->log), tap->log);
    memset(tap->log, 0, length < sizeof tap->log ? length : sizeof tap->log);
    fflush(stdout);
}

TAP_HELPER void tap_diag_last_error(void) {
    char line[512];
    if (last_error.err == 0 && last_error.stage == 0)
        return;
    if (runner_error_format(&last_error, line, sizeof line) >= 0)
        diag("  last start: %s", line);
}

TAP_HELPER TAP_PRINTF(5, 6) bool tap_ok(bool good, const char *file, int line, const char *expression,
                                        const char *format, ...) {
    int saved = errno;
    atomic_fetch_add(&tap->checks, 1);
    if (good)
        return true;
    atomic_fetch_add(&tap->failures, 1);
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    diag("%s:%d: %s", file, line, what);
    diag("  failed: %s (errno %d, %s)", expression, saved, strerror(saved));
    tap_diag_last_error();
    errno = saved;
    return false;
}

TAP_HELPER TAP_PRINTF(6, 7) bool tap_ok_int(long long got, long long want, const char *file, int line,
                                            const char *expression, const char *format, ...) {
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return tap_ok(got == want, file, line, expression, "%s: got %lld, want %lld", what, got, want);
}

TAP_HELPER TAP_PRINTF(6, 7) bool tap_ok_str(const char *got, const char *want, const char *file, int line,
                                            const char *expression, const char *format, ...) {
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    bool same = got != NULL && want != NULL && strcmp(got, want) == 0;
    return tap_ok(same, file, line, expression, "%s: got \"%s\", want \"%s\"", what, got ? got : "(null)",
                  want ? want : "(null)");
}

/* ok(condition, "what is checked %d", ...): true where it holds. */
#define ok(condition, ...) tap_ok((condition), __FILE__, __LINE__, #condition, __VA_ARGS__)
/* ok_int(got, want, "what", ...) and ok_str(got, want, "what", ...): both values are shown on failure. */
#define ok_int(got, want, ...) \
    tap_ok_int((long long)(got), (long long)(want), __FILE__, __LINE__, #got " == " #want, __VA_ARGS__)
#define ok_str(got, want, ...) tap_ok_str((got), (want), __FILE__, __LINE__, #got " is " #want, __VA_ARGS__)

TAP_HELPER TAP_PRINTF(1, 2) void skip(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(tap->reason, sizeof tap->reason, format, args);
    va_end(args);
    atomic_store(&tap->skipped, 1);
}

/* Ends the case as skipped, with the reason. */
#define SKIP(...)          \
    do {                   \
        skip(__VA_ARGS__); \
        return;            \
    } while (0)

/* ------------------------------------------------------------------ the machine and the host */

TAP_HELPER bool is_root(void) {
    return geteuid() == 0;
}

TAP_HELPER int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

TAP_HELPER void sleep_ms(int ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

/* Whether this process may make a user namespace that gives it capabilities. */
TAP_HELPER bool have_userns(void) {
    static atomic_int answer = -1; /* -1: not tried */
    if (answer >= 0)
        return answer == 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER) == 0 && unshare(CLONE_NEWUTS) == 0 ? 0 : 1);
    int status = 1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    answer = status == 0;
    return answer == 1;
}

/* The flag to add for namespaces: nothing as root, CLONE_NEWUSER as an ordinary user. */
TAP_HELPER uint64_t userns_if_needed(void) {
    return is_root() ? 0 : CLONE_NEWUSER;
}

/* How many entries with a number for a name the directory has; -1 where it cannot be read. */
TAP_HELPER int count_numbered(const char *path) {
    DIR *dir = opendir(path);
    if (dir == NULL)
        return -1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
    closedir(dir);
    return count;
}

TAP_HELPER int count_fds(void) {
    return count_numbered("/proc/self/fd") - 1; /* the directory's own */
}

TAP_HELPER int count_threads(void) {
    return count_numbered("/proc/self/task");
}

/* The parent of `pid`, and its state letter; -1 where it is gone. */
TAP_HELPER int parent_of(int pid, char *state) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length < 0 ? 0 : length] = '\0';
    char *name_end = strrchr(text, ')');
    int parent = -1;
    if (name_end == NULL || sscanf(name_end + 1, " %c %d", state, &parent) != 2)
        return -1;
    return parent;
}

/* Children of this process; in `zombies`, unless NULL, how many of them are dead. */
TAP_HELPER int count_children(int *zombies) {
    DIR *dir = opendir("/proc");
    int children = 0, dead = 0;
    if (dir == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char state = '?';
        int pid = atoi(entry->d_name);
        if (pid > 0 && parent_of(pid, &state) == getpid()) {
            children++;
            dead += state == 'Z';
        }
    }
    closedir(dir);
    if (zombies != NULL)
        *zombies = dead;
    return children;
}

struct counts {
    int fds, threads, children;
};

TAP_HELPER struct counts counts_now(void) {
    return (struct counts){.fds = count_fds(), .threads = count_threads(), .children = count_children(NULL)};
}

TAP_HELPER bool counts_equal(struct counts a, struct counts b) {
    return a.fds == b.fds && a.threads == b.threads && a.children == b.children;
}

/* Checks that fds, threads and children are as many as `before`. A joined thread stands in /proc for a moment
 * after it ended, hence the patience. */
TAP_HELPER bool nothing_left_since(struct counts before, const char *file, int line) {
    struct counts now = counts_now();
    for (int i = 0; i < 200 && !counts_equal(before, now); i++) {
        sleep_ms(5);
        now = counts_now();
    }
    return tap_ok(counts_equal(before, now), file, line, "counts are equal",
                  "left behind: fds %d -> %d, threads %d -> %d, children %d -> %d", before.fds, now.fds,
                  before.threads, now.threads, before.children, now.children);
}
#define ok_nothing_left(before) nothing_left_since((before), __FILE__, __LINE__)

/* The path of this binary, to be executed again as a guest. */
TAP_HELPER const char *self_path(void) {
    static char path[PATH_MAX];
    if (path[0] == '\0') {
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
        path[length < 0 ? 0 : length] = '\0';
    }
    return path;
}

/* The statically linked inspector, c-tests/guest/guest.c: -DGUEST="\"/path\"", else it lies beside this binary. */
TAP_HELPER const char *guest_path(void) {
#ifdef GUEST
    return GUEST;
#else
    static char path[PATH_MAX + 16];
    if (path[0] == '\0') {
        const char *slash = strrchr(self_path(), '/');
        int length = slash == NULL ? 0 : (int)(slash - self_path());
        snprintf(path, sizeof path, "%.*s/guest.static", length, self_path());
    }
    return path;
#endif
}

/* A directory to be covered by a new root: an empty one, so that it covers nothing that a bind has as its source. */
TAP_HELPER const char *root_point(void) {
    static const char *const path = "/tmp/runner-test-root";
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        printf("Bail out! no directory %s\n", path);
    return path;
}

/* The whole of a small file into `buf`, NUL-terminated; the length, or -1. */
TAP_HELPER ssize_t read_file(const char *path, char *buf, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t got = -1;
    buf[0] = '\0';
    if (fd < 0)
        return -1;
    while (length < size - 1 && (got = read(fd, buf + length, size - 1 - length)) > 0)
        length += (size_t)got;
    buf[length] = '\0';
    close(fd);
    return got < 0 ? -1 : (ssize_t)length;
}

/* ------------------------------------------------------------------ children */

/* Waits for the child at most 20 s, then kills it. Its wait status; -1 where it is not a child. */
TAP_HELPER int child_status(pid_t pid) {
    int status = -1;
    int64_t deadline = now_ms() + 20000;
    for (int pause = 0;; pause += pause < 10) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid)
            return status;
        if (got < 0 && errno != EINTR)
            return -1;
        if (now_ms() > deadline) {
            diag("pid %d did not end and is killed", (int)pid);
            kill(pid, SIGKILL);
            deadline = INT64_MAX;
        }
        /* A short program is over in less than a millisecond: look again soon, then rarely. */
        usleep(pause < 10 ? 100 : 2000);
    }
}

/* Whether the wait status says: exited with `code`. */
TAP_HELPER bool exited(int status, int code) {
    return status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == code;
}

/* Whether the wait status says: killed by `signal`. */
TAP_HELPER bool killed_by(int status, int signal) {
    return status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

/* Runs `fn` with its checks in a forked child, for what cannot be undone (ids, limits, filters, namespaces). */
TAP_HELPER void tap_in_child(void (*fn)(void), const char *file, int line) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        fn();
        fflush(stdout);
        _exit(0);
    }
    if (!tap_ok(pid > 0, file, line, "fork", "a child to run the checks in"))
        return;
    int status = child_status(pid);
    tap_ok(exited(status, 0), file, line, "exited(status, 0)", "the child with the checks: wait status %#x", status);
}
#define in_child(fn) tap_in_child((fn), __FILE__, __LINE__)

/* ------------------------------------------------------------------ runners */

/* A runner for `argv[0]`... ended by NULL. */
TAP_HELPER runner_t *runner_for(const char *const *argv) {
    runner_t *runner = runner_new();
    if (runner == NULL || runner_set_args(runner, argv) != 0) {
        printf("Bail out! runner_new or runner_set_args failed\n");
        exit(1);
    }
    return runner;
}

#define TAP_ARGS_MAX 32
/* A runner for the static inspector: guest("fds"), guest("exit", "3"), ... */
#define guest(...) tap_guest_(guest_path(), NULL, __VA_ARGS__, (const char *)NULL)
/* A runner for a guest function of this file, by its name. The program is this binary, dynamically linked. */
#define self_guest(...) tap_guest_(self_path(), "guest", __VA_ARGS__, (const char *)NULL)

TAP_HELPER runner_t *tap_guest_(const char *program, const char *first, ...) {
    const char *argv[TAP_ARGS_MAX + 1] = {program};
    int argc = 1;
    if (first != NULL)
        argv[argc++] = first;
    va_list args;
    va_start(args, first);
    for (const char *arg; argc < TAP_ARGS_MAX && (arg = va_arg(args, const char *)) != NULL;)
        argv[argc++] = arg;
    va_end(args);
    argv[argc] = NULL;
    return runner_for(argv);
}

/* runner_start() with the error in last_error. */
TAP_HELPER pid_t start(const runner_t *runner) {
    return runner_start(runner, &last_error);
}

/* Starts and waits: the wait status, or the start's negative errno. */
TAP_HELPER int run(const runner_t *runner) {
    pid_t pid = start(runner);
    return pid < 0 ? pid : child_status(pid);
}

/* Reads until the end of file, the buffer is full, or 20 s are over. NUL-terminated. False on time-out. */
TAP_HELPER bool read_all(int fd, char *buf, size_t size) {
    size_t length = 0;
    int64_t deadline = now_ms() + 20000;
    buf[0] = '\0';
    while (length < size - 1) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left = deadline - now_ms();
        if (left <= 0)
            return false;
        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        ssize_t got = read(fd, buf + length, size - 1 - length);
        if (got == 0 || (got < 0 && errno != EINTR))
            return true;
        length += got > 0 ? (size_t)got : 0;
        buf[length] = '\0';
    }
    return true;
}

/* Runs a copy of the runner with fd 0 on /dev/null and fds 1 and 2 on a pipe, which is read into `buf`.
 * The wait status, or the start's negative errno. */
TAP_HELPER int run_output(const runner_t *runner, char *buf, size_t size) {
    int ends[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    runner_t *copy = runner_clone(runner);
    buf[0] = '\0';
    if (null < 0 || copy == NULL || pipe2(ends, O_CLOEXEC) < 0) {
        printf("Bail out! no pipe or no copy of the runner\n");
        exit(1);
    }
    int files[] = {null, ends[1], ends[1]};
    runner_set_files(copy, files, 3);
    pid_t pid = start(copy);
    runner_free(copy);
    close(ends[1]);
    close(null);
    if (pid > 0 && !read_all(ends[0], buf, size))
        kill(pid, SIGKILL);
    close(ends[0]);
    return pid < 0 ? pid : child_status(pid);
}

/* The value of the line `key=value` in the output of a guest, or NULL. The result is valid for 255 more
 * calls, of whatever thread. Not thread-local: threads with a small stack could not be made then. */
TAP_HELPER const char *value_of(const char *output, const char *key) {
    static char values[256][4096];
    static atomic_uint next;
    size_t length = strlen(key);
    for (const char *line = output; line != NULL && *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        if (strncmp(line, key, length) == 0 && line[length] == '=') {
            char *value = values[atomic_fetch_add(&next, 1) % 256];
            snprintf(value, sizeof values[0], "%.*s", (int)(end - line - (long)length - 1), line + length + 1);
            return value;
        }
        line = *end == '\0' ? NULL : end + 1;
    }
    return NULL;
}

/* Checks that `key` has this value in the output. */
#define ok_value(output, key, want) ok_str(value_of((output), (key)), (want), "%s", (key))

/* Checks that the last start failed so: its result, the stage, the index, the errno, and that it says something. */
TAP_HELPER bool tap_failed_with(int result, uint32_t stage, int index, int err, const char *file, int line) {
    bool good = result == -err && last_error.stage == stage && last_error.index == index && last_error.err == err &&
                last_error.message[0] != '\0';
    return tap_ok(good, file, line, "the start fails as it should",
                  "want result %d, stage %s, index %d and a message; got result %d, stage %s, index %d, errno %d, "
                  "message \"%s\"",
                  -err, runner_stage_name(stage), index, result, runner_stage_name(last_error.stage),
                  last_error.index, last_error.err, last_error.message);
}
#define ok_failed(result, stage, index, err) tap_failed_with((result), (stage), (index), (err), __FILE__, __LINE__)

/* ------------------------------------------------------------------ main */

TAP_HELPER int tap_run_guest(int argc, char **argv, const struct guest *guests, size_t count) {
    for (size_t i = 0; argc > 2 && i < count; i++)
        if (strcmp(argv[2], guests[i].name) == 0)
            return guests[i].run(argc - 2, argv + 2);
    fprintf(stderr, "no such guest\n");
    return 127;
}

/* A process that is not this one's child and kills it when it hangs: a signal or a thread would change the host
 * under test. It names the case. */
TAP_HELPER void tap_watch(void) {
    pid_t test = getpid(), middle = fork();
    if (middle != 0) {
        waitpid(middle, NULL, 0);
        return;
    }
    if (fork() != 0)
        _exit(0);
    setsid();
    int pidfd = (int)syscall(SYS_pidfd_open, test, 0);
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0 && poll(&end, 1, TAP_DEADLINE * 1000) == 0) {
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        printf("Bail out! hanging in: %s\n", tap->current);
    }
    tap_print_log(); /* of a case that was killed or crashed */
    _exit(0);
}

/* Runs one case; whether it is good or skipped. */
TAP_HELPER bool tap_run_case(const struct test *test, size_t number) {
    atomic_store(&tap->checks, 0);
    atomic_store(&tap->failures, 0);
    atomic_store(&tap->skipped, 0);
    snprintf(tap->current, sizeof tap->current, "%s", test->name);
    last_error = (runner_error_t)RUNNER_ERROR_INIT;
    struct counts before = counts_now();
    test->run();
    int checks = atomic_load(&tap->checks);
    bool skipped = atomic_load(&tap->skipped) != 0;
    ok_nothing_left(before);
    if (checks == 0 && !skipped)
        tap_ok(false, __FILE__, __LINE__, "checks > 0", "the case checks nothing");
    bool good = atomic_load(&tap->failures) == 0;
    if (good && skipped)
        printf("ok %zu - %s # SKIP %s\n", number, test->name, tap->reason);
    else
        printf("%s %zu - %s\n", good ? "ok" : "not ok", number, test->name);
    tap_print_log();
    return good;
}

/* All cases, or those whose name contains argv[1]. */
TAP_HELPER int tap_main(int argc, char **argv, const struct test *tests, size_t test_count,
                        const struct guest *guests, size_t guest_count) {
    if (argc > 1 && strcmp(argv[1], "guest") == 0)
        return tap_run_guest(argc, argv, guests, guest_count);
    tap = mmap(NULL, sizeof *tap, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tap == MAP_FAILED) {
        printf("Bail out! no memory\n");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    tap_watch();
    printf("TAP version 13\n");
    size_t number = 0, bad = 0;
    for (size_t i = 0; i < test_count; i++)
        if (argc < 2 || strstr(tests[i].name, argv[1]) != NULL)
            bad += !tap_run_case(&tests[i], ++number);
    printf("1..%zu\n", number);
    return bad == 0 ? 0 : 1;
}

#endif
