/* The cases of glibc's posix_spawn tests that no other file has: docs/conformance.md lists all of them. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include <sys/prctl.h>
#include <sys/resource.h>

/* ------------------------------------------------------------------ files */

static const char closed_text[] = "closed", kept_text[] = "kept", opened_text[] = "opened", exec_text[] = "cloexec";

static bool holds(int fd, const char *text) {
    char got[64] = "";
    return pread(fd, got, sizeof got - 1, 0) == (ssize_t)strlen(text) && strcmp(got, text) == 0;
}

/* A guest: 3 is closed, 4 is open, 5 open for reading only, 6 the same as 4, 7 had close-on-exec. */
static int files_inside(int argc, char **argv) {
    off_t end = (off_t)strlen(kept_text);
    (void)argc, (void)argv;
    if (lseek(3, 0, SEEK_CUR) != -1 || errno != EBADF)
        return 3;
    if (lseek(4, 0, SEEK_CUR) != end || lseek(6, 0, SEEK_CUR) != end) /* where the host left it */
        return 4;
    if (lseek(4, 0, SEEK_SET) != 0 || lseek(6, 0, SEEK_CUR) != 0 || !holds(6, kept_text))
        return 6;
    if (!holds(5, opened_text) || write(5, "x", 1) != -1 || errno != EBADF)
        return 5;
    return holds(7, exec_text) && fcntl(7, F_GETFD) == 0 ? 0 : 7;
}

static int file_with(const char *dir, const char *name, const char *text, int flags) {
    ok(put_file(join(dir, name), text, 0600), "%s", name);
    int fd = open(join(dir, name), flags);
    lseek(fd, 0, SEEK_END);
    return fd;
}

/* Twice, as the first start must not use anything up; what is not asked for is not given. */
static void files_of_all_kinds(void) {
    char dir[64];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    int closed = file_with(dir, "closed", closed_text, O_RDWR), kept = file_with(dir, "kept", kept_text, O_RDWR);
    int opened = file_with(dir, "opened", opened_text, O_RDONLY);
    int exec = file_with(dir, "exec", exec_text, O_RDWR | O_CLOEXEC);
    runner_t *runner = self_guest("files");
    runner_set_files(runner, (int[]){-1, -1, 2, -1, kept, opened, kept, exec}, 8);
    for (int i = 0; i < 2; i++) {
        lseek(kept, 0, SEEK_END);
        ok(exited(run(runner), 0), "all files are as they should be");
    }
    runner_free(runner);
    close(closed), close(kept), close(opened), close(exec);
    remove_dir(dir);
}

/* A guest: exactly these fds are open from 10 on. */
static int only(int argc, char **argv) {
    for (int fd = 10, at = 1; fd < 1024; fd++) {
        bool wanted = at < argc && atoi(argv[at]) == fd;
        at += wanted;
        if ((fcntl(fd, F_GETFD) >= 0) != wanted)
            return 1;
    }
    return 0;
}

/* A hundred fds, with gaps: half of them, the first, none, and one anew behind it. */
static void closed_from(void) {
    enum { LOW = 10, N = 100 };
    static const int gaps[] = {57, 78, 81, 82, 84, 90};
    static const int from[] = {N / 2, 1, 0, 2};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), opened[N], files[LOW + N];
    for (int i = 0; i < N; i++)
        opened[i] = dup2(null, 500 + i);
    for (size_t i = 0; i < COUNT(gaps); i++)
        close(opened[gaps[i]]);
    for (size_t i = 0; i < COUNT(from); i++) {
        char numbers[N][16];
        const char *argv[N + 4] = {self_path(), "guest", "only"};
        memset(files, -1, sizeof files);
        for (int k = 0; k < from[i]; k++) {
            files[LOW + k] = opened[k];
            snprintf(numbers[k], sizeof numbers[k], "%d", LOW + k);
            argv[3 + k] = numbers[k];
        }
        runner_t *runner = runner_for(argv);
        runner_set_files(runner, files, (size_t)(LOW + from[i]));
        ok(exited(run(runner), 0), "the first %d and no others", from[i]);
        runner_free(runner);
    }
    for (int i = 0; i < N; i++)
        close(500 + i);
    close(null);
}

/* For a child, which takes all its fds. */
static void no_free_fd_checks(void) {
    struct rlimit limit = {24, 24};
    int opened[24], n = 0, pidfd = -7;
    pid_t pid = -7;
    runner_t *runner = guest("exit", "5");
    ok(exited(run(runner), 5), "before"); /* what the library finds out about the machine is found out */
    ok_int(setrlimit(RLIMIT_NOFILE, &limit), 0, "24 fds");
    while (n < 24 && (opened[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n++;
    ok(exited(run(runner), 5), "a program whose files are opened for it needs none of the host's");
    int result = runner_start_pidfd(runner, &pid, &pidfd, &last_error);
    ok_int(result, -EMFILE, "a pidfd needs one");
    ok(pid == -7 && pidfd == -7, "and nothing is told of what did not start");
    close(opened[--n]);
    ok_int(runner_start_pidfd(runner, &pid, &pidfd, &last_error), 0, "with a free one: %s", last_error.message);
    ok(exited(child_status(pid), 5), "it runs");
    close(pidfd);
    while (n > 0)
        close(opened[--n]);
    runner_free(runner);
}

static void no_free_fd(void) {
    in_child(no_free_fd_checks);
}

/* ------------------------------------------------------------------ pidfds */

/* What waitid says of it by its pidfd. */
static void waited_by_pidfd(const runner_t *runner, int code) {
    int pidfd = -1;
    pid_t pid = -1;
    siginfo_t info = {0};
    if (!ok_int(runner_start_pidfd(runner, &pid, &pidfd, &last_error), 0, "it starts"))
        return;
    ok_int(waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED), 0, "waitid");
    ok_int(info.si_pid, pid, "whose");
    ok_int(info.si_code, CLD_EXITED, "how");
    ok_int(info.si_status, code, "its code");
    ok(fcntl(pidfd, F_GETFD) == FD_CLOEXEC, "the pidfd is close-on-exec");
    close(pidfd);
}

static void by_pidfd(void) {
    int pidfd = -7;
    pid_t pid = -7;
    runner_t *runner = guest("exit", "3");
    waited_by_pidfd(runner, 3);
    runner_set_session(runner, RUNNER_SESSION_KEEP);
    runner_set_workdir(runner, "/");
    waited_by_pidfd(runner, 3);
    runner_set_args(runner, (const char *const[]){"/path/to/invalid/binary", NULL});
    struct counts before = counts_now();
    ok_failed(runner_start_pidfd(runner, &pid, &pidfd, &last_error), RUNNER_STAGE_EXEC, -1, ENOENT);
    ok(pid == -7 && pidfd == -7, "neither is written");
    ok_int(waitpid(-1, NULL, WNOHANG), -1, "there is no child");
    ok_int(errno, ECHILD, "none at all");
    ok_nothing_left(before);
    runner_free(runner);
}

/* ------------------------------------------------------------------ directory and signals */

/* A link as the program, found from the working directory, which the caller's buffer no longer names. */
static void link_from_workdir(void) {
    char dir[64], path[96], before[PATH_MAX], after[PATH_MAX], output[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    ok_int(mkdir(join(dir, "subdir"), 0777), 0, "a directory");
    ok_int(symlink(guest_path(), join(dir, "subdir/link")), 0, "a link");
    ok(getcwd(before, sizeof before) != NULL, "where the host is");
    snprintf(path, sizeof path, "%s", dir);
    runner_t *runner = runner_for((const char *const[]){"subdir/link", "cwd", NULL});
    runner_set_workdir(runner, path);
    memset(path, 'X', strlen(path));
    ok(exited(run_output(runner, output, sizeof output), 0), "it runs");
    ok_value(output, "cwd", dir);
    ok(getcwd(after, sizeof after) != NULL && strcmp(before, after) == 0, "the host is where it was");
    runner_free(runner);
    remove_dir(dir);
}

static void handler(int signal) {
    (void)signal;
}

/* As with POSIX_SPAWN_SETSIGDEF for all of them, whatever the host has. */
static void dispositions(void) {
    void (*const hosts[])(int) = {SIG_DFL, handler, SIG_IGN};
    char output[1024];
    runner_t *runner = guest("signals");
    for (size_t i = 0; i < COUNT(hosts); i++) {
        signal(SIGUSR1, hosts[i]);
        signal(SIGUSR2, hosts[i]);
        ok(exited(run_output(runner, output, sizeof output), 0), "it runs");
        ok_value(output, "ignored", "0000000000000000");
        ok_value(output, "handled", "0000000000000000");
    }
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    runner_free(runner);
}

static void numbers(void) {
    runner_t *runner = guest("exit", "0");
    ok_int(runner_set_files(runner, (int[]){0, -1, 999999}, 3), 0, "any number, and -1 for none");
    ok_int(runner_set_files(runner, (int[]){-2}, 1), -EINVAL, "-2");
    ok_failed(run(runner), RUNNER_STAGE_DUP, 2, EBADF);
    runner_free(runner);
}

static const struct test tests[] = {
    {"a file closed, kept, opened for reading, at two numbers, and one with close-on-exec", files_of_all_kinds},
    {"of a hundred fds with gaps only those that are asked for are given", closed_from},
    {"a host without a free fd: a start needs none, a pidfd needs one", no_free_fd},
    {"a start with a pidfd: waited for by it, and nothing left where it fails", by_pidfd},
    {"a link as program, found from the working directory", link_from_workdir},
    {"every signal has its default, whether the host handles or ignores it", dispositions},
    {"numbers of fds that cannot be, and that are not open", numbers},
};

static const struct guest guests[] = {{"files", files_inside}, {"only", only}};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), guests, COUNT(guests));
}
