/* File descriptors: exactly the mapped ones reach the program, each leading to what it should, in every arrangement.
 *
 * The model is simple: the program's fd i is the host's fds[i], or closed. What is really there is told by the
 * inspector, which writes to a file because its fd 1 may be anything. */

#define _GNU_SOURCE
#include "tap.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define accepted(call) tap_ok((call) == 0, __FILE__, __LINE__, #call, "want 0")

static char out[1 << 20];

static const char *out_path(void) {
    static char path[64];
    snprintf(path, sizeof path, "/tmp/fds.%d", getpid());
    return path;
}

/* A file that no other is: its inode tells it. At `number`, or anywhere where that is -1. */
static int file_at(int number) {
    int fd = memfd_create("marker", MFD_CLOEXEC);
    if (number < 0 || fd == number)
        return fd;
    int moved = dup3(fd, number, O_CLOEXEC);
    close(fd);
    return moved;
}

static runner_t *fds_guest(void) {
    return guest("--file", out_path(), "fds");
}

/* Runs it, with what it has written in `out`. */
static bool run_to_file(const runner_t *runner) {
    unlink(out_path());
    out[0] = '\0';
    int status = run(runner);
    read_file(out_path(), out, sizeof out);
    unlink(out_path());
    return ok(exited(status, 0), "the inspector runs: %#x", status);
}

/* The list of open fds that the table asks for. */
static const char *wanted_list(const int *fds, size_t n) {
    static char list[1 << 16];
    size_t length = 0;
    list[0] = '\0';
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            length += (size_t)snprintf(list + length, sizeof list - length, "%s%zu", length == 0 ? "" : ",", i);
    return list;
}

static bool same_file(int number, int host_fd) {
    char key[24], want[96];
    struct stat st;
    ok_int(fstat(host_fd, &st), 0, "the host's fd %d", host_fd);
    snprintf(key, sizeof key, "fd.%d", number);
    snprintf(want, sizeof want, "dev:%llu ino:%llu ", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    const char *seen = value_of(out, key);
    return ok(seen != NULL && strstr(seen, want) != NULL && strstr(seen, " cloexec:0 ") != NULL,
              "fd %d is the host's fd %d (%s) and stays open: %s", number, host_fd, want, seen ? seen : "(closed)");
}

/* Whether the output is what the model says. */
static bool check_table(const int *fds, size_t n) {
    bool good = ok_str(value_of(out, "fds"), wanted_list(fds, n), "exactly these are open");
    for (size_t i = 0; i < n && good; i++)
        if (fds[i] >= 0)
            good = same_file((int)i, fds[i]);
    return good;
}

static bool check_arrangement(const int *fds, size_t n) {
    runner_t *runner = fds_guest();
    accepted(runner_set_files(runner, fds, n));
    bool good = run_to_file(runner) && check_table(fds, n);
    runner_free(runner);
    return good;
}

/* ------------------------------------------------------------------ arrangements */

/* The host has marker files at 20 to 29, and the tables name those numbers, so that sources and targets overlap. */
static void arrangements(void) {
    static const struct {
        const char *name;
        int fds[30];
        size_t n;
    } tables[] = {
        {"in order", {20, 21, 22}, 3},
        {"reversed", {22, 21, 20}, 3},
        {"one fd everywhere", {20, 20, 20, 20, 20}, 5},
        {"twice, apart", {20, 21, 20}, 3},
        {"a hole in the middle", {20, -1, 22}, 3},
        {"holes at the ends", {-1, 20, -1}, 3},
        {"only holes", {-1, -1, -1}, 3},
        {"one file", {25}, 1},
    };
    int files[10];
    for (int i = 0; i < 10; i++)
        files[i] = file_at(20 + i);
    for (size_t i = 0; i < COUNT(tables); i++)
        if (!check_arrangement(tables[i].fds, tables[i].n))
            diag("table: %s", tables[i].name);
    for (int i = 0; i < 10; i++)
        close(files[i]);
}

/* Fills a table of `n` entries with holes, but for what the caller sets. */
static void all_holes(int *fds, size_t n) {
    for (size_t i = 0; i < n; i++)
        fds[i] = -1;
}

static void swaps_and_cycles(void) {
    static const struct {
        const char *name;
        struct { int at, source; } pairs[8];
        size_t count;
    } tables[] = {
        {"a swap", {{20, 21}, {21, 20}}, 2},
        {"a cycle of three", {{20, 21}, {21, 22}, {22, 20}}, 3},
        {"the cycle the other way", {{20, 22}, {21, 20}, {22, 21}}, 3},
        {"two swaps", {{20, 21}, {21, 20}, {22, 23}, {23, 22}}, 4},
        {"a cycle with a branch", {{20, 21}, {21, 20}, {0, 20}, {1, 21}}, 4},
        {"a chain up", {{21, 20}, {22, 21}, {23, 22}, {24, 23}}, 4},
        {"a chain down", {{20, 21}, {21, 22}, {22, 23}, {23, 24}}, 4},
        {"itself", {{20, 20}, {21, 21}}, 2},
        {"itself and a copy", {{20, 20}, {0, 20}, {25, 20}}, 3},
        {"overwritten by another", {{20, 25}, {25, 21}, {21, 20}}, 3},
    };
    int files[10], fds[30];
    for (int i = 0; i < 10; i++)
        files[i] = file_at(20 + i);
    for (size_t i = 0; i < COUNT(tables); i++) {
        all_holes(fds, COUNT(fds));
        for (size_t j = 0; j < tables[i].count; j++)
            fds[tables[i].pairs[j].at] = tables[i].pairs[j].source;
        if (!check_arrangement(fds, COUNT(fds)))
            diag("table: %s", tables[i].name);
    }
    for (int i = 0; i < 10; i++)
        close(files[i]);
}

static void no_files(void) {
    runner_t *runner = fds_guest();
    accepted(runner_set_files(runner, NULL, 0));
    if (run_to_file(runner))
        ok_value(out, "fds", "");
    runner_free(runner);
}

static void access_modes(void) {
    int reading = open("/dev/null", O_RDONLY | O_CLOEXEC), path = open("/", O_PATH | O_CLOEXEC);
    int appending = open(out_path(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int fds[] = {reading, appending, -1, path};
    runner_t *runner = fds_guest();
    accepted(runner_set_files(runner, fds, COUNT(fds)));
    if (run_to_file(runner)) {
        ok(strstr(value_of(out, "fd.0"), "access:r ") != NULL, "read only: %s", value_of(out, "fd.0"));
        ok(strstr(value_of(out, "fd.1"), "access:w append ") != NULL, "append: %s", value_of(out, "fd.1"));
        ok(strstr(value_of(out, "fd.3"), "access:path ") != NULL, "O_PATH: %s", value_of(out, "fd.3"));
    }
    runner_free(runner);
    close(reading);
    close(appending);
    close(path);
}

/* The same open file, not the same file opened again: they share the offset. */
static void offsets_are_shared(void) {
    int fd = memfd_create("offset", MFD_CLOEXEC);
    const int fds[] = {-1, fd};
    runner_t *runner = guest("echo", "abc");
    accepted(runner_set_files(runner, fds, 2));
    ok(write(fd, "12", 2) == 2, "the host writes first");
    ok(exited(run(runner), 0), "the guest writes");
    ok_int(lseek(fd, 0, SEEK_CUR), 6, "the host's offset moved with the program's");
    runner_free(runner);
    close(fd);
}

static void high_numbers(void) {
    struct rlimit limit, before;
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    limit.rlim_cur = limit.rlim_max; /* the soft limit is often 1024 */
    ok_int(setrlimit(RLIMIT_NOFILE, &limit), 0, "the host's own limit is raised");
    int top = limit.rlim_cur > 60000 ? 60000 : (int)limit.rlim_cur - 1;
    int high = file_at(top), low = file_at(-1);
    static int fds[1200];
    all_holes(fds, COUNT(fds));
    fds[0] = high;
    fds[1199] = low;
    fds[600] = high;
    ok(high == top && low >= 0, "files at %d and below", top);
    check_arrangement(fds, COUNT(fds));
    close(high);
    close(low);
    setrlimit(RLIMIT_NOFILE, &before);
}

/* A table that reaches beyond the host's own limit cannot be made: the kernel has no such numbers. */
static void beyond_the_limit(void) {
    struct rlimit limit = {64, 64};
    ok_int(setrlimit(RLIMIT_NOFILE, &limit), 0, "a low limit");
    static int fds[100];
    all_holes(fds, COUNT(fds));
    int file = file_at(-1);
    fds[99] = file;
    runner_t *runner = fds_guest();
    accepted(runner_set_files(runner, fds, COUNT(fds)));
    int result = run(runner);
    ok(last_error.stage == RUNNER_STAGE_DUP && last_error.index == 99 && result == -last_error.err &&
           (result == -EBADF || result == -EMFILE),
       "refused at the fd 99: stage %s, index %d, errno %d", runner_stage_name(last_error.stage), last_error.index,
       last_error.err);
    fds[63] = file;
    accepted(runner_set_files(runner, fds, 64));
    if (run_to_file(runner))
        check_table(fds, 64);
    runner_free(runner);
    close(file);
}

static void table_beyond_the_limit(void) {
    in_child(beyond_the_limit);
}

/* ------------------------------------------------------------------ random tables against the model */

static uint32_t random_state = 20240229;

static uint32_t random_below(uint32_t bound) {
    /* xorshift: the same tables on every machine. */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % bound;
}

#define SOURCES 12
#define NUMBERS 40

/* Marker files at random different numbers from 3 to 39, low ones preferred so that they collide with targets. */
static void scatter(int *sources) {
    bool used[NUMBERS] = {false};
    for (int i = 0; i < SOURCES; i++) {
        int number;
        do
            number = 3 + (int)random_below(random_below(2) != 0 ? 20 : NUMBERS - 3);
        while (used[number] || fcntl(number, F_GETFD) >= 0);
        used[number] = true;
        sources[i] = file_at(number);
    }
}

static bool random_round(void) {
    int sources[SOURCES], fds[NUMBERS];
    scatter(sources);
    size_t n = random_below(NUMBERS + 1);
    for (size_t i = 0; i < n; i++)
        fds[i] = random_below(5) == 0 ? -1 : sources[random_below(SOURCES)];
    runner_t *runner = fds_guest();
    accepted(runner_set_files(runner, fds, n));
    int exec_fd = -1;
    if (random_below(3) == 0) {
        exec_fd = open(guest_path(), (random_below(2) != 0 ? O_PATH : O_RDONLY) | O_CLOEXEC);
        accepted(runner_set_exec_fd(runner, exec_fd));
    }
    bool good = run_to_file(runner) && check_table(fds, n);
    if (!good)
        diag("n %zu, exec fd %d, table %s", n, exec_fd, wanted_list(fds, n));
    runner_free(runner);
    if (exec_fd >= 0)
        close(exec_fd);
    for (int i = 0; i < SOURCES; i++)
        close(sources[i]);
    return good;
}

static void random_tables(void) {
    for (int round = 0; round < 400; round++)
        if (!random_round()) {
            diag("round %d", round);
            break;
        }
}

/* ------------------------------------------------------------------ the program by fd */

static void exec_fd_is_not_inherited(void) {
    int fd = open(guest_path(), O_RDONLY | O_CLOEXEC), plain = open(guest_path(), O_RDONLY); /* no close-on-exec */
    const char *const argv[] = {"only a name", "--file", out_path(), "fds", "--", "args", NULL};
    const int programs[] = {fd, plain};
    for (size_t i = 0; i < COUNT(programs); i++) {
        runner_t *runner = runner_for(argv);
        accepted(runner_set_exec_fd(runner, programs[i]));
        if (run_to_file(runner)) {
            ok_value(out, "fds", "0,1,2");
            ok_value(out, "arg.0", "only a name");
        }
        accepted(runner_set_exec_fd(runner, -1));
        ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, ENOENT); /* now argv[0] counts again */
        runner_free(runner);
    }
    close(fd);
    close(plain);
}

/* The inspector, opened at this number. */
static int open_guest_at(int number, int flags) {
    int opened = open(guest_path(), flags | O_CLOEXEC);
    if (opened == number)
        return opened;
    int moved = dup3(opened, number, O_CLOEXEC);
    close(opened);
    return moved;
}

/* The exec fd stands at a number that the table fills, or closes, or passes through. */
static void exec_fd_in_the_way(void) {
    int a = file_at(20), b = file_at(21);
    static const int places[] = {3, 4, 5, 6, 22};
    for (size_t i = 0; i < COUNT(places); i++) {
        int program = open_guest_at(places[i], O_RDONLY);
        if (!ok(program == places[i], "the program at %d", places[i]))
            continue;
        const int fds[] = {a, -1, b, b, a, -1, program};
        runner_t *runner = fds_guest();
        accepted(runner_set_exec_fd(runner, program));
        accepted(runner_set_files(runner, fds, COUNT(fds)));
        if (run_to_file(runner) && !check_table(fds, COUNT(fds)))
            diag("exec fd %d", places[i]);
        runner_free(runner);
        close(program);
    }
    close(a);
    close(b);
}

/* The host has its program open at 0, 1 or 2, where the defaults go. */
static void exec_fd_low_in_child(void) {
    int log = fcntl(1, F_DUPFD_CLOEXEC, 100);
    for (int place = 0; place < 3; place++) {
        int saved = fcntl(place, F_DUPFD_CLOEXEC, 100);
        open_guest_at(place, O_PATH);
        runner_t *runner = fds_guest();
        runner_set_exec_fd(runner, place);
        unlink(out_path());
        int status = run(runner);
        read_file(out_path(), out, sizeof out);
        dup2(saved, place);
        close(saved);
        runner_free(runner);
        ok(exited(status, 0), "the program at fd %d runs", place);
        ok_value(out, "fds", "0,1,2");
    }
    unlink(out_path());
    close(log);
}

static void exec_fd_low(void) {
    in_child(exec_fd_low_in_child);
}

static void exec_fd_kinds(void) {
    int path = open(guest_path(), O_PATH | O_CLOEXEC);
    int memory = memfd_create("program", MFD_CLOEXEC), file = open(guest_path(), O_RDONLY | O_CLOEXEC);
    char block[65536];
    for (ssize_t got; (got = read(file, block, sizeof block)) > 0;)
        ok(write(memory, block, (size_t)got) == got, "copied");
    const int programs[] = {path, memory, file};
    for (size_t i = 0; i < COUNT(programs); i++) {
        runner_t *runner = fds_guest();
        accepted(runner_set_exec_fd(runner, programs[i]));
        if (run_to_file(runner))
            ok_value(out, "fds", "0,1,2");
        runner_free(runner);
        close(programs[i]);
    }
}

/* An executable script whose interpreter is the inspector: it prints its arguments. */
static int open_script(const char *path, int flags) {
    char text[PATH_MAX + 32];
    int length = snprintf(text, sizeof text, "#!%s args\n", guest_path());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    ok(fd >= 0 && write(fd, text, (size_t)length) == length, "the script is written");
    fchmod(fd, 0755);
    close(fd);
    return open(path, flags | O_CLOEXEC);
}

static void exec_fd_of_a_script(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/script.%d", getpid());
    static const int flags[] = {O_RDONLY, O_PATH};
    for (size_t i = 0; i < COUNT(flags); i++) {
        int script = open_script(path, flags[i]);
        const char *const argv[] = {"name", NULL};
        runner_t *runner = runner_for(argv);
        accepted(runner_set_exec_fd(runner, script));
        ok(exited(run_output(runner, out, sizeof out), 0), "the script runs");
        const char *name = value_of(out, "arg.2");
        ok(name != NULL && strncmp(name, "/dev/fd/", 8) == 0, "its interpreter gets it as %s", name);
        ok_value(out, "arg.1", "args");
        runner_free(runner);
        close(script);
    }
    unlink(path);
}

/* In a root without /dev/fd the interpreter could not open its script: an error, not a program that fails. */
static void script_without_dev_fd(void) {
    if (!is_root() && !have_userns())
        SKIP("no user namespaces here");
    char path[64], interpreter[PATH_MAX + 16];
    snprintf(path, sizeof path, "/tmp/script.%d", getpid());
    snprintf(interpreter, sizeof interpreter, "%s", guest_path());
    int script = open_script(path, O_RDONLY);
    const char *const argv[] = {"name", NULL};
    runner_t *runner = runner_for(argv);
    accepted(runner_set_exec_fd(runner, script));
    accepted(runner_set_unshare_flags(runner, userns_if_needed() | CLONE_NEWNS));
    accepted(runner_set_pivot_root(runner, root_point()));
    accepted(runner_add_bind(runner, interpreter, interpreter, RUNNER_BIND_RO));
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, ENOENT);
    ok(strstr(last_error.message, "/dev/fd") != NULL || strstr(last_error.message, "/proc") != NULL,
       "the message says what is missing: %s", last_error.message);
    accepted(runner_add_bind(runner, "/proc", "proc", RUNNER_BIND_REC));
    accepted(runner_add_symlink(runner, "/proc/self/fd", "dev/fd"));
    ok(exited(run_output(runner, out, sizeof out), 0), "with /dev and /proc it runs");
    runner_free(runner);
    close(script);
    unlink(path);
}

/* ------------------------------------------------------------------ leaks */

/* Opens fds without close-on-exec until there are `count`. */
static int *open_leaky(int count) {
    int *fds = calloc((size_t)count, sizeof *fds);
    for (int i = 0; i < count; i++)
        fds[i] = open("/dev/null", O_RDONLY);
    return fds;
}

static void close_leaky(int *fds, int count) {
    for (int i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(fds);
}

/* Runs the inspector the way a careless host does, and gives how many fds it sees. */
static int fds_by_posix_spawn(void) {
    char *const argv[] = {(char *)guest_path(), (char *)"--file", (char *)out_path(), (char *)"fds", NULL};
    char *const env[] = {NULL};
    pid_t pid;
    unlink(out_path());
    if (posix_spawn(&pid, guest_path(), NULL, NULL, argv, env) != 0)
        return -1;
    child_status(pid);
    read_file(out_path(), out, sizeof out);
    unlink(out_path());
    const char *count = value_of(out, "count");
    return count == NULL ? -1 : atoi(count);
}

static void thousands_of_fds(void) {
    enum { LEAKS = 4000 };
    struct rlimit limit, wider;
    getrlimit(RLIMIT_NOFILE, &limit);
    wider = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &wider);
    int count = limit.rlim_max < LEAKS + 200 ? (int)limit.rlim_max - 200 : LEAKS;
    int *leaks = open_leaky(count);
    ok(fds_by_posix_spawn() >= count, "control: a plain spawn leaks them");
    int a = file_at(-1), b = file_at(-1);
    const int fds[] = {a, leaks[count - 1], b};
    check_arrangement(fds, 3);
    runner_t *runner = fds_guest();
    accepted(runner_set_files(runner, NULL, 0));
    if (run_to_file(runner))
        ok_value(out, "fds", "");
    runner_free(runner);
    close(a);
    close(b);
    close_leaky(leaks, count);
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void fds_of_every_kind(void) {
    int pipe_ends[2], sockets[2] = {-1, -1}, opened[6];
    ok_int(pipe(pipe_ends), 0, "pipe");
    ok_int(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0, "socketpair");
    opened[0] = open("/", O_RDONLY | O_DIRECTORY);
    opened[1] = open("/proc/self/mem", O_RDONLY);
    opened[2] = (int)syscall(SYS_pidfd_open, getpid(), 0);
    fcntl(opened[2], F_SETFD, 0);
    opened[3] = dup3(opened[0], 900, 0);
    opened[4] = memfd_create("secret", 0);
    opened[5] = open("/tmp", O_PATH);
    ok(fds_by_posix_spawn() >= 11, "control: a plain spawn leaks them");
    runner_t *runner = fds_guest();
    if (run_to_file(runner))
        ok_value(out, "fds", "0,1,2");
    runner_free(runner);
    for (int i = 0; i < 6; i++)
        close(opened[i]);
    for (int i = 0; i < 2; i++) {
        close(pipe_ends[i]);
        close(sockets[i]);
    }
}

/* A limit lowered after an fd was opened: a loop up to the limit would not reach it. */
static void above_the_limit_in_child(void) {
    int high = dup2(open("/dev/null", O_RDONLY), 900);
    struct rlimit limit = {100, 100};
    ok_int(setrlimit(RLIMIT_NOFILE, &limit), 0, "a limit below it");
    ok(high == 900 && fcntl(900, F_GETFD) >= 0, "fd 900 is open");
    runner_t *runner = fds_guest();
    if (run_to_file(runner))
        ok_value(out, "fds", "0,1,2");
    const int fds[] = {900, 1, 2};
    accepted(runner_set_files(runner, fds, 3));
    if (run_to_file(runner))
        check_table(fds, 3);
    runner_free(runner);
}

static void fds_above_the_limit(void) {
    in_child(above_the_limit_in_child);
}

/* ------------------------------------------------------------------ refusals */

static void closed_fds(void) {
    static const struct { int fds[4]; size_t n; int index; } tables[] = {
        {{987, 1, 2, -1}, 3, 0}, {{0, 987, 2, -1}, 3, 1}, {{0, 1, 2, 987}, 4, 3}, {{-1, -1, -1, 987}, 4, 3},
        {{0, 1, 1, INT_MAX}, 4, 3},
    };
    runner_t *runner = fds_guest();
    for (size_t i = 0; i < COUNT(tables); i++) {
        accepted(runner_set_files(runner, tables[i].fds, tables[i].n));
        ok_failed(run(runner), RUNNER_STAGE_DUP, tables[i].index, EBADF);
    }
    const int good[] = {0, 1, 2};
    accepted(runner_set_files(runner, good, 3));
    if (run_to_file(runner))
        check_table(good, 3);
    runner_free(runner);
}

static void closed_exec_fd(void) {
    runner_t *runner = fds_guest();
    accepted(runner_set_exec_fd(runner, 987));
    int result = run(runner);
    ok(result == -EBADF && last_error.err == EBADF && last_error.index == -1 &&
           (last_error.stage == RUNNER_STAGE_EXEC || last_error.stage == RUNNER_STAGE_DUP),
       "EBADF of the exec fd: %d, stage %s, index %d", result, runner_stage_name(last_error.stage), last_error.index);
    ok(strstr(last_error.message, "987") != NULL, "the message names it: %s", last_error.message);
    runner_free(runner);
}

static void directories(void) {
    int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), path = open("/", O_PATH | O_CLOEXEC);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int kinds[] = {dir, path};
    runner_t *runner = fds_guest();
    for (size_t kind = 0; kind < COUNT(kinds); kind++)
        for (int at = 0; at < 3; at++) {
            int fds[] = {null, null, null, kinds[kind]};
            fds[at] = kinds[kind];
            accepted(runner_set_files(runner, fds, 3));
            ok_failed(run(runner), RUNNER_STAGE_DUP, at, EISDIR);
        }
    const int fourth[] = {null, null, null, dir};
    accepted(runner_set_files(runner, fourth, 4));
    if (run_to_file(runner))
        check_table(fourth, 4);
    const int third[] = {null, null, dir};
    accepted(runner_set_allow_directory_files(runner, true));
    accepted(runner_set_files(runner, third, 3));
    if (run_to_file(runner))
        check_table(third, 3);
    runner_free(runner);
    close(dir);
    close(path);
    close(null);
}

/* ------------------------------------------------------------------ a host without 0 to 2 */

/* The library's own fds land on the low numbers then. The checks come after stdout is back. */
static void without_standard_fds(void) {
    int log = fcntl(1, F_DUPFD_CLOEXEC, 100), a = file_at(50), b = file_at(51);
    const int fds[] = {b, a, -1, b};
    runner_t *defaults = fds_guest(), *table = fds_guest();
    runner_set_files(table, fds, COUNT(fds));
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    unlink(out_path());
    int first = run(defaults);
    ssize_t length = read_file(out_path(), out, sizeof out);
    static char default_out[1 << 16];
    memcpy(default_out, out, length < 0 ? 1 : (size_t)length + 1);
    unlink(out_path());
    int second = run(table);
    read_file(out_path(), out, sizeof out);
    unlink(out_path());
    bool closed = fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
    dup2(log, 1);
    dup2(log, 2);
    ok(closed, "the host's 0 to 2 stay closed");
    ok(exited(first, 0), "with the default files: %#x", first);
    ok_value(default_out, "fds", "0,1,2");
    ok(exited(second, 0), "with a table: %#x", second);
    check_table(fds, COUNT(fds));
    runner_free(defaults);
    runner_free(table);
}

static void host_without_standard_fds(void) {
    in_child(without_standard_fds);
}

/* ------------------------------------------------------------------ other threads */

static atomic_bool stop_opening;

static void *open_and_close(void *unused) {
    (void)unused;
    while (!atomic_load(&stop_opening)) {
        int fd = open("/dev/null", O_RDONLY); /* without close-on-exec */
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

static void opening_threads(void) {
    pthread_t threads[2];
    atomic_store(&stop_opening, false);
    for (size_t i = 0; i < COUNT(threads); i++)
        ok_int(pthread_create(&threads[i], NULL, open_and_close, NULL), 0, "a thread");
    runner_t *runner = fds_guest();
    bool good = true;
    for (int i = 0; i < 150 && good; i++)
        good = run_to_file(runner) && ok_value(out, "fds", "0,1,2");
    runner_free(runner);
    atomic_store(&stop_opening, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
}

static const struct test tests[] = {
    {"a table would be mapped wrongly", arrangements},
    {"a swap or a cycle would lose a file", swaps_and_cycles},
    {"an empty table would leave a file open", no_files},
    {"a file would be opened anew with other rights", access_modes},
    {"a file would not share its offset", offsets_are_shared},
    {"a high number would be lost", high_numbers},
    {"a table beyond the fd limit would fail without a place", table_beyond_the_limit},
    {"some random table would be mapped wrongly", random_tables},
    {"the program would get its own exec fd", exec_fd_is_not_inherited},
    {"the exec fd would be overwritten by the table", exec_fd_in_the_way},
    {"the exec fd at 0, 1 or 2 would be overwritten by the defaults", exec_fd_low},
    {"an O_PATH or memory file could not be executed", exec_fd_kinds},
    {"a script by fd could not be opened by its interpreter", exec_fd_of_a_script},
    {"a script by fd without /dev/fd would fail unexplained", script_without_dev_fd},
    {"one of thousands of fds without close-on-exec would leak", thousands_of_fds},
    {"an fd of some kind would leak", fds_of_every_kind},
    {"an fd above the limit would leak", fds_above_the_limit},
    {"a closed fd would pass, or be reported at another place", closed_fds},
    {"a closed exec fd would pass", closed_exec_fd},
    {"a directory as a standard file would lead out of the root", directories},
    {"a host without fds 0 to 2 would get its files mixed up", host_without_standard_fds},
    {"an fd opened by another thread meanwhile would leak", opening_threads},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
