/* Difficult hosts: huge, short of fds or processes, with a small stack, without a cwd or /proc, under a seccomp
 * filter, with two copies of the library in it, or killed while a start waits. */

#define _GNU_SOURCE
#include "tap.h"

#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#define accepted(call) tap_ok((call) == 0, __FILE__, __LINE__, #call, "want 0")
#define NOBODY 65534

static char out[1 << 17];

static int agree(pid_t pid, void *ctx) {
    (void)pid;
    (void)ctx;
    return 0;
}

/* A runner with a root of its own in which only the inspector is. */
static runner_t *rooted_guest(const char *command, const char *argument) {
    runner_t *runner = runner_for((const char *const[]){"/guest", command, argument, NULL});
    accepted(runner_set_unshare_flags(runner, userns_if_needed() | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS));
    accepted(runner_set_pivot_root(runner, root_point()));
    accepted(runner_add_bind(runner, guest_path(), "guest", RUNNER_BIND_RO));
    accepted(runner_add_tmpfs(runner, "tmp", 1 << 20, 01777));
    return runner;
}

static int run_held(const runner_t *runner) {
    runner_held_t *held = NULL;
    int result = runner_start_held(runner, &held, &last_error);
    if (result < 0)
        return result;
    pid_t pid = runner_held_resume(held, &last_error);
    return pid < 0 ? pid : child_status(pid);
}

static bool have_namespaces(void) {
    return is_root() || have_userns();
}

/* A success and a failure of each kind of start. */
static void every_kind_of_start(void) {
    runner_t *good = guest("exit", "3"), *bad = runner_for((const char *const[]){"/no/such/program", NULL});
    ok(exited(run(good), 3), "plain");
    ok_failed(run(bad), RUNNER_STAGE_EXEC, -1, ENOENT);
    ok(exited(run_held(good), 3), "held");
    runner_set_sync_func(good, agree, NULL);
    runner_set_sync_func(bad, agree, NULL);
    ok(exited(run(good), 3), "with a callback");
    ok_failed(run(bad), RUNNER_STAGE_EXEC, -1, ENOENT);
    runner_free(good);
    runner_free(bad);
    if (have_namespaces()) {
        good = rooted_guest("exit", "3");
        ok(exited(run(good), 3), "in a root of its own");
        runner_free(good);
    }
    if (is_root()) {
        good = guest("exit", "3");
        runner_set_credential(good, NOBODY, NOBODY, NULL, 0);
        ok(exited(run(good), 3), "as another user");
        runner_free(good);
    }
}

/* ------------------------------------------------------------------ memory and stacks */

static int64_t microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int compare_times(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t median_start(const runner_t *runner) {
    int64_t times[15];
    for (size_t i = 0; i < COUNT(times); i++) {
        int64_t begin = microseconds();
        ok(exited(run(runner), 0), "it starts");
        times[i] = microseconds() - begin;
    }
    qsort(times, COUNT(times), sizeof times[0], compare_times);
    return times[COUNT(times) / 2];
}

/* Copying the page tables of 2 GiB takes tens of milliseconds, a hundred times a small start. The bound is lax. */
static void big_in_child(void) {
    const size_t size = (size_t)2 << 30;
    runner_t *runners[3] = {guest("exit", "0"), guest("exit", "0"), guest("exit", "0")};
    int64_t small[3];
    runner_set_sync_func(runners[1], agree, NULL);
    if (have_namespaces())
        runner_set_unshare_flags(runners[2], userns_if_needed() | CLONE_NEWUTS);
    for (int i = 0; i < 3; i++)
        small[i] = median_start(runners[i]);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        SKIP("no 2 GiB of memory here");
    madvise(memory, size, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < size; at += 4096)
        memory[at] = 1;
    for (int i = 0; i < 3; i++) {
        int64_t big = median_start(runners[i]);
        ok(big < 10 * small[i] + 10000, "start %d takes %lld us in a big host, %lld in a small one", i, (long long)big,
           (long long)small[i]);
        runner_free(runners[i]);
    }
}

static void big_host(void) {
    long pages = sysconf(_SC_AVPHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages * (page / 1024) < 3L << 20)
        SKIP("less than 3 GiB of memory are free");
    in_child(big_in_child);
}

static void *start_on_small_stack(void *unused) {
    (void)unused;
    every_kind_of_start();
    return NULL;
}

static void small_stack(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    ok_int(pthread_attr_setstacksize(&attributes, 64 << 10), 0, "a stack of 64 KiB");
    if (ok_int(pthread_create(&thread, &attributes, start_on_small_stack, NULL), 0, "a thread"))
        pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

static void on_signal(int sig) { (void)sig; }

static void alternate_stack_in_child(void) {
    static char memory[1 << 16];
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory}, after;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
    struct itimerval thousand_hertz = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
    ok_int(sigaltstack(&stack, NULL), 0, "an alternate stack");
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
    setitimer(ITIMER_REAL, &thousand_hertz, NULL);
    for (int i = 0; i < 20; i++)
        every_kind_of_start();
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    sigaltstack(NULL, &after);
    ok(after.ss_sp == memory && after.ss_size == sizeof memory && after.ss_flags == 0, "it stays");
}

static void alternate_stack(void) {
    in_child(alternate_stack_in_child);
}

/* ------------------------------------------------------------------ nearly used up */

/* A user id of which this process is the only process, so that RLIMIT_NPROC counts it alone. */
#define LONELY_UID 3987654

static void set_process_limit(rlim_t limit) {
    struct rlimit both = {limit, 100};
    ok_int(setrlimit(RLIMIT_NPROC, &both), 0, "a process limit of %llu", (unsigned long long)limit);
}

static void no_processes_in_child(void) {
    if (is_root() && !ok_int(setresuid(LONELY_UID, LONELY_UID, LONELY_UID), 0, "a user id without processes"))
        return;
    bool lonely = geteuid() == LONELY_UID;
    runner_t *plain = guest("exit", "0"), *synced = guest("exit", "0");
    runner_set_sync_func(synced, agree, NULL);
    struct counts before = counts_now();
    set_process_limit(lonely ? 1 : 0);
    ok_failed(run(plain), RUNNER_STAGE_CLONE, -1, EAGAIN);
    int result = run(synced);
    ok(result == -EAGAIN && (last_error.stage == RUNNER_STAGE_THREAD || last_error.stage == RUNNER_STAGE_CLONE),
       "no process for a callback: %d, stage %s", result, runner_stage_name(last_error.stage));
    ok_int(run_held(synced), -EAGAIN, "nor held");
    ok_nothing_left(before);
    if (lonely) {
        set_process_limit(2);
        ok_int(run(plain), 0, "one process is enough for a plain start");
        result = run(synced); /* needs two where it takes a helper thread */
        ok(result == 0 || result == -EAGAIN, "with a callback it works or is refused cleanly: %d", result);
        ok_nothing_left(before);
        set_process_limit(3);
        ok_int(run(synced), 0, "two are enough with a callback");
    }
    set_process_limit(100);
    ok_nothing_left(before);
    runner_free(plain);
    runner_free(synced);
}

static void no_processes_left(void) {
    in_child(no_processes_in_child);
}

/* Opens fds until only `left` can be opened. */
static void leave_fds(int left) {
    struct rlimit limit = {80, 80};
    ok_int(setrlimit(RLIMIT_NOFILE, &limit), 0, "80 fds at most");
    int last = -1;
    for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
        last = fd;
    for (int i = 0; i < left; i++)
        close(last--);
}

static void three_fds_in_child(void) {
    runner_t *defaults = guest("exit", "0"), *table = guest("exit", "0");
    accepted(runner_set_files(table, (const int[]){2, 1, 0}, 3));
    leave_fds(3);
    ok_int(run(defaults), 0, "with the default files");
    ok_int(run(table), 0, "with a table");
    runner_set_sync_func(table, agree, NULL);
    ok_int(run(table), 0, "with a callback");
}

/* Not one is left: it works or says what is missing, and the host's fds stay as they are. */
static void no_fds_in_child(void) {
    runner_t *defaults = guest("exit", "0"), *table = guest("exit", "0");
    accepted(runner_set_files(table, (const int[]){0, 1, 2}, 3));
    leave_fds(0);
    runner_t *const runners[] = {defaults, table};
    for (size_t i = 0; i < COUNT(runners); i++) {
        int result = run(runners[i]);
        ok(result == 0 || (result == -EMFILE && last_error.message[0] != '\0'), "works or EMFILE: %d", result);
    }
    ok_int(open("/dev/null", O_RDONLY | O_CLOEXEC), -1, "no fd became free");
    for (int fd = 3; fd < 80; fd++)
        if (!ok(fcntl(fd, F_GETFD) == FD_CLOEXEC || fcntl(fd, F_GETFD) == 0, "fd %d is still open", fd))
            break;
}

static void fds_nearly_used_up(void) {
    in_child(three_fds_in_child);
    in_child(no_fds_in_child);
}

/* ------------------------------------------------------------------ without a cwd, without /proc */

static void enter_scratch(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/hosts.%d", getpid());
    ok_int(mkdir(path, 0700), 0, "a directory");
    ok_int(chdir(path), 0, "to be in");
}

static void deleted_cwd_in_child(void) {
    char path[64];
    enter_scratch();
    snprintf(path, sizeof path, "/tmp/hosts.%d", getpid());
    ok_int(rmdir(path), 0, "and gone");
    runner_t *runner = guest("cwd");
    ok_int(run_output(runner, out, sizeof out), 0, "it starts");
    ok(strstr(out, "cwd=!ENOENT") != NULL, "in the same place that is gone: %s", out);
    accepted(runner_set_workdir(runner, "/"));
    ok_int(run_output(runner, out, sizeof out), 0, "it starts elsewhere");
    ok_value(out, "cwd", "/");
    every_kind_of_start();
    runner_free(runner);
}

static void deleted_cwd(void) {
    in_child(deleted_cwd_in_child);
}

static bool write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return good;
}

/* A user namespace in which this process is who it was: without a map it could not make another one. */
static bool own_userns(void) {
    char uids[64], gids[64];
    snprintf(uids, sizeof uids, "%u %u 1", geteuid(), geteuid());
    snprintf(gids, sizeof gids, "%u %u 1", getegid(), getegid());
    return unshare(CLONE_NEWUSER) == 0 && write_text("/proc/self/uid_map", uids) &&
           write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/gid_map", gids);
}

/* Covers /proc in a mount namespace of this process's own. */
static bool hide_proc(void) {
    guest_path();
    self_path(); /* both look into /proc once */
    if ((!is_root() && !own_userns()) || unshare(CLONE_NEWNS) < 0)
        return false;
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return mount("none", "/proc", "tmpfs", 0, NULL) == 0 && access("/proc/self", F_OK) < 0;
}

static void leak_fds(void) {
    for (int i = 0; i < 30; i++)
        (void)!dup2(1, 200 + 7 * i);
}

static void without_proc_in_child(void) {
    if (!ok(hide_proc(), "a host without /proc"))
        return;
    leak_fds();
    runner_t *runner = guest("fds");
    ok_int(run_output(runner, out, sizeof out), 0, "plain");
    ok_value(out, "fds", "0,1,2");
    runner_set_sync_func(runner, agree, NULL);
    ok_int(run_output(runner, out, sizeof out), 0, "with a callback");
    ok_value(out, "fds", "0,1,2");
    runner_set_sync_func(runner, NULL, NULL);
    accepted(runner_set_oom_score_adj(runner, 500));
    ok_failed(run(runner), RUNNER_STAGE_OOM_SCORE_ADJ, -1, ENOENT);
    ok(strstr(last_error.message, "/proc") != NULL, "the message names it: %s", last_error.message);
    runner_free(runner);
    runner = guest("exit", "0");
    accepted(runner_set_unshare_flags(runner, CLONE_NEWUSER));
    ok_failed(run(runner), RUNNER_STAGE_ID_MAP, last_error.index, ENOENT);
    ok(strstr(last_error.message, "/proc") != NULL, "the message names it: %s", last_error.message);
    runner_free(runner);
    ok_int(waitpid(-1, NULL, WNOHANG | __WALL), -1, "no child is left");
}

static void without_proc(void) {
    if (!have_namespaces())
        SKIP("no user namespaces here");
    in_child(without_proc_in_child);
}

/* ------------------------------------------------------------------ under a filter */

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

/* Answers ENOSYS to the numbers, as an old kernel or a container's filter does. */
static bool deny_calls(const int *numbers, size_t count) {
    struct sock_filter filter[64];
    unsigned short length = 0;
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < count; i++) {
        filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[i], 0, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = length, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void check_under_filter(void) {
    leak_fds();
    every_kind_of_start();
    runner_t *runner = guest("fds");
    ok_int(run_output(runner, out, sizeof out), 0, "the inspector runs");
    ok_value(out, "fds", "0,1,2");
    runner_free(runner);
    int pidfd = -1;
    pid_t pid = -1;
    runner = guest("exit", "0");
    ok_int(runner_start_pidfd(runner, &pid, &pidfd, &last_error), 0, "with a pidfd");
    ok_int(child_status(pid), 0, "which runs");
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    ok(pidfd >= 0 && poll(&end, 1, 1000) == 1, "the pidfd is of that process");
    close(pidfd);
    runner_free(runner);
}

static void check_read_only_root(void) {
    if (!have_namespaces())
        return;
    runner_t *runner = rooted_guest("write", "/guest");
    accepted(runner_set_args(runner, (const char *const[]){"/guest", "write", "/guest", "x", "--", "write", "/new", "x",
                                                           "--", "write", "/tmp/new", "x", NULL}));
    ok_int(run_output(runner, out, sizeof out), 0, "in a root of its own");
    ok_str(out, "write=!EROFS\nwrite=!EROFS\nwrite=ok\n", "read-only as asked");
    runner_free(runner);
}

static void no_clone3_in_child(void) {
    const int denied[] = {SYS_clone3};
    if (ok(deny_calls(denied, 1), "a filter"))
        check_under_filter();
    ok(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS, "control: there is no clone3");
}

static void no_close_range_in_child(void) {
    const int denied[] = {SYS_close_range};
    if (ok(deny_calls(denied, 1), "a filter"))
        check_under_filter();
    ok(syscall(SYS_close_range, 900, 900, 0) < 0 && errno == ENOSYS, "control: there is no close_range");
}

static void no_new_mount_calls_in_child(void) {
    const int denied[] = {SYS_mount_setattr, SYS_openat2};
    if (ok(deny_calls(denied, COUNT(denied)), "a filter"))
        check_read_only_root();
    ok(syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno == ENOSYS, "control: there is no openat2");
}

/* Without the calls of Linux 5.2 that mounts are made with, it works by the old ones or says what is missing. */
static void check_root_works_or_is_refused(void) {
    if (!have_namespaces())
        return;
    runner_t *runner = rooted_guest("write", "/guest");
    accepted(runner_set_args(runner, (const char *const[]){"/guest", "write", "/guest", "x", NULL}));
    int result = run_output(runner, out, sizeof out);
    if (result == 0)
        ok_str(out, "write=!EROFS\n", "read-only as asked");
    else
        ok(result == -ENOSYS && last_error.stage == RUNNER_STAGE_MOUNT && strstr(last_error.message, "kernel") != NULL,
           "refused with its reason: %d", result);
    runner_free(runner);
}

/* No pidfd_open (5.3): only the pidfd of a held start may be missing. */
static void check_starts_of_an_old_kernel(void) {
    runner_t *runner = guest("exit", "3");
    ok(exited(run(runner), 3), "plain");
    runner_held_t *held = NULL;
    if (ok_int(runner_start_held(runner, &held, &last_error), 0, "a held start needs no pidfd")) {
        int pidfd = runner_held_pidfd(held);
        ok(pidfd >= 0 || pidfd == -ENOSYS, "there is one or there is none: %d", pidfd);
        pid_t pid = runner_held_resume(held, &last_error);
        ok(pid > 0 && exited(child_status(pid), 3), "it runs");
    }
    runner_set_sync_func(runner, agree, NULL);
    ok(exited(run(runner), 3), "with a callback");
    runner_free(runner);
}

/* A kernel of 2018, as far as these calls go. */
static void old_kernel_in_child(void) {
    const int denied[] = {SYS_clone3,    SYS_close_range, SYS_mount_setattr, SYS_openat2, SYS_open_tree, SYS_move_mount,
                          SYS_fsopen,    SYS_faccessat2,  SYS_pidfd_open,    SYS_pidfd_send_signal};
    if (ok(deny_calls(denied, COUNT(denied)), "a filter")) {
        check_starts_of_an_old_kernel();
        check_root_works_or_is_refused();
    }
}

/* No close_range and no /proc to list the fds either: without a complete way it has to refuse, not to leak. */
static void no_way_to_list_fds_in_child(void) {
    const int denied[] = {SYS_close_range};
    if (!ok(hide_proc() && deny_calls(denied, 1), "no /proc and no close_range"))
        return;
    leak_fds();
    runner_t *runner = guest("fds");
    int result = run_output(runner, out, sizeof out);
    if (result == 0)
        ok_value(out, "fds", "0,1,2");
    else
        ok(last_error.stage == RUNNER_STAGE_CLOSE && result < 0 && last_error.message[0] != '\0',
           "refused with its place: %d, stage %s", result, runner_stage_name(last_error.stage));
    runner_free(runner);
}

/* The filter comes after other starts: what the library has found out before is no longer true. */
static void without_clone3(void) {
    every_kind_of_start();
    in_child(no_clone3_in_child);
}

static void without_close_range(void) { in_child(no_close_range_in_child); }
static void without_new_mount_calls(void) {
    if (!have_namespaces())
        SKIP("no user namespaces here");
    check_read_only_root();
    in_child(no_new_mount_calls_in_child);
}
static void on_an_old_kernel(void) { in_child(old_kernel_in_child); }
static void without_a_way_to_list_fds(void) {
    if (!have_namespaces())
        SKIP("no user namespaces here");
    in_child(no_way_to_list_fds_in_child);
}

/* The same in a process where the library has not started anything before. */
static int fresh_process(void (*check)(void)) {
    check();
    return atomic_load(&tap->failures) == 0 ? 0 : 1;
}

static int guest_fresh(int argc, char **argv) {
    tap = mmap(NULL, sizeof *tap, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (argc < 2 || tap == MAP_FAILED)
        return 127;
    if (strcmp(argv[1], "clone3") == 0)
        return fresh_process(no_clone3_in_child);
    if (strcmp(argv[1], "old") == 0)
        return fresh_process(old_kernel_in_child);
    return fresh_process(no_close_range_in_child);
}

static void fresh_under_filter(void) {
    static const char *const kinds[] = {"clone3", "close_range", "old"};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execl(self_path(), self_path(), "guest", "fresh", kinds[i], (char *)NULL);
            _exit(126);
        }
        ok(exited(child_status(pid), 0), "a fresh host without %s", kinds[i]);
    }
}

/* ------------------------------------------------------------------ core dumps */

static void core_dumps_in_child(void) {
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY}, limit;
    getrlimit(RLIMIT_CORE, &limit);
    unlimited.rlim_cur = unlimited.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &unlimited);
    enter_scratch();
    every_kind_of_start();
    runner_t *bad = runner_for((const char *const[]){"/no/such/program", NULL}), *good = guest("exit", "0");
    for (int i = 0; i < 5; i++) {
        runner_set_sync_func(bad, i % 2 == 0 ? NULL : agree, NULL);
        ok_int(run(bad), -ENOENT, "a failed start");
        runner_held_t *held = NULL;
        if (ok_int(runner_start_held(good, &held, &last_error), 0, "a held start"))
            runner_held_abort(held);
    }
    runner_free(bad);
    runner_free(good);
    char path[64];
    snprintf(path, sizeof path, "/tmp/hosts.%d", getpid());
    ok_int(chdir("/"), 0, "out");
    ok_int(rmdir(path), 0, "the directory is empty: no core was dumped into it");
}

static void core_dumps(void) {
    in_child(core_dumps_in_child);
}

/* ------------------------------------------------------------------ a host that dies */

static int mark_and_wait(pid_t pid, void *ctx) {
    *(volatile pid_t *)ctx = pid;
    while (pid > 0)
        pause();
    return 0;
}

/* The host: starts a program that would write a file, and waits before its exec for ever. */
static void doomed_host(volatile pid_t *pid, bool held, const char *path) {
    runner_t *runner = guest("write", path, "ran");
    if (held) {
        runner_held_t *handle = NULL;
        runner_start_held(runner, &handle, NULL);
        *pid = runner_held_pid(handle);
    } else {
        runner_set_sync_func(runner, mark_and_wait, (void *)pid);
        runner_start(runner, NULL);
    }
    for (;;)
        pause();
}

static bool is_gone(pid_t pid) {
    char state = '?';
    return parent_of(pid, &state) < 0 || state == 'Z' || state == 'X';
}

static void kill_host_while_it_waits(bool held) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/hosts.%d.ran", getpid());
    volatile pid_t *pid = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t host = fork();
    if (host == 0)
        doomed_host(pid, held, path);
    for (int i = 0; i < 2000 && *pid == 0; i++)
        sleep_ms(5);
    if (ok(*pid > 0, "the process waits: %d", *pid)) {
        sleep_ms(20);
        ok(!is_gone(*pid), "control: it lives while the host does");
    }
    kill(host, SIGKILL);
    ok(killed_by(child_status(host), SIGKILL), "the host is killed");
    bool gone = false;
    for (int i = 0; *pid > 0 && i < 1000 && !(gone = is_gone(*pid)); i++)
        sleep_ms(5);
    ok(gone, "the process died with it");
    ok(access(path, F_OK) < 0, "and has not executed its program");
    if (!gone && *pid > 0)
        kill(*pid, SIGKILL);
    unlink(path);
    munmap((void *)pid, 4096);
}

static void host_killed_while_held(void) { kill_host_while_it_waits(true); }
static void host_killed_in_callback(void) { kill_host_while_it_waits(false); }

/* ------------------------------------------------------------------ two copies of the library */

/* The functions of one copy. */
struct copy {
    runner_t *(*make)(void);
    void (*drop)(runner_t *);
    int (*set_args)(runner_t *, const char *const *);
    int (*set_credential)(runner_t *, uint32_t, uint32_t, const uint32_t *, size_t);
    pid_t (*start)(const runner_t *, runner_error_t *);
    runner_t *runner;
};

#define find(field, handle, name) (*(void **)&(field) = dlsym((handle), (name)))

static bool load_copy(struct copy *copy, void *handle) {
    find(copy->make, handle, "runner_new");
    find(copy->drop, handle, "runner_free");
    find(copy->set_args, handle, "runner_set_args");
    find(copy->set_credential, handle, "runner_set_credential");
    find(copy->start, handle, "runner_start");
    if (copy->make == NULL || copy->start == NULL || copy->set_args == NULL || copy->set_credential == NULL)
        return false;
    copy->runner = copy->make();
    copy->set_args(copy->runner, (const char *const[]){guest_path(), "exit", "0", NULL});
    if (is_root())
        copy->set_credential(copy->runner, NOBODY, NOBODY, NULL, 0);
    return true;
}

static bool copy_file(const char *from, const char *to) {
    static char block[1 << 16];
    int in = open(from, O_RDONLY | O_CLOEXEC), to_fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    bool good = in >= 0 && to_fd >= 0;
    for (ssize_t got; good && (got = read(in, block, sizeof block)) > 0;)
        good = write(to_fd, block, (size_t)got) == got;
    close(in);
    close(to_fd);
    return good;
}

static void *start_copy(void *argument) {
    struct copy *copy = argument;
    for (int i = 0; i < 100; i++) {
        pid_t pid = copy->start(copy->runner, NULL);
        if (!ok(pid > 0 && exited(child_status(pid), 0), "start %d beside another copy", i))
            break;
    }
    return NULL;
}

static void two_copies_in_child(void) {
    Dl_info info;
    char path[64];
    snprintf(path, sizeof path, "/tmp/librunner.%d.so", getpid());
    void *self = dlsym(RTLD_DEFAULT, "runner_start");
    if (!ok(self != NULL && dladdr(self, &info) != 0 && copy_file(info.dli_fname, path), "the library is copied"))
        return;
    struct copy copies[2] = {{0}};
    void *second = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    unlink(path);
    if (!ok(second != NULL && load_copy(&copies[0], RTLD_DEFAULT) && load_copy(&copies[1], second), "both are there"))
        return;
    ok(copies[0].start != copies[1].start, "control: they are two");
    pthread_t threads[4];
    int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, start_copy, &copies[i % 2]);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    ok_int(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), dumpable, "the host's dumpable flag");
    ok_int(waitpid(-1, NULL, WNOHANG | __WALL), -1, "no child is left");
    for (int i = 0; i < 2; i++)
        copies[i].drop(copies[i].runner);
}

static void two_copies(void) {
    in_child(two_copies_in_child);
}

static const struct test tests[] = {
    {"a start would cost as much as the host is big", big_host},
    {"a start would overflow a small thread stack", small_stack},
    {"a start would meddle with an alternate signal stack", alternate_stack},
    {"a lack of processes would hang a start or leave something", no_processes_left},
    {"a lack of fds would fail a start that needs none", fds_nearly_used_up},
    {"a host whose cwd is deleted could not start anything", deleted_cwd},
    {"a host without /proc could not start, or would leak fds", without_proc},
    {"a filter that knows no clone3 would fail a start", without_clone3},
    {"a filter that knows no close_range would make fds leak", without_close_range},
    {"a filter that knows no new mount calls would leave a bind writable", without_new_mount_calls},
    {"an old kernel would fail a start", on_an_old_kernel},
    {"a first start under a filter would fail", fresh_under_filter},
    {"without a way to list the fds they would leak", without_a_way_to_list_fds},
    {"a failed start would dump the host's core", core_dumps},
    {"a held process would outlive its host, or run without it", host_killed_while_held},
    {"a process would outlive a host that is killed in its callback", host_killed_in_callback},
    {"two copies of the library would fight over the host", two_copies},
};

static const struct guest guests[] = {{"fresh", guest_fresh}};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), guests, COUNT(guests));
}
