/* The callback and the held start: where they run, what they find, and that nothing is left whatever they do. And the
 * death signal, which is bound to the thread that starts. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include <grp.h>
#include <pthread.h>
#include <sys/prctl.h>

static bool runs_program(pid_t pid) {
    return strcmp(proc_link(pid, "exe"), poke_path()) == 0;
}

/* The kernel wakes a vfork's parent (exec_mm_release) a moment before the child has its new memory, and with it `exe`. */
static bool soon_runs_program(pid_t pid) {
    for (int i = 0; i < 1000 && !runs_program(pid); i++)
        sleep_ms(1);
    return runs_program(pid);
}

static pid_t this_thread(void) {
    return (pid_t)syscall(SYS_gettid);
}

/* ------------------------------------------------------------------ the callback */

struct call {
    int calls, result;
    pid_t pid, thread;
    bool ran_program;
    void (*look)(pid_t pid);
};

static int called(pid_t pid, void *ctx) {
    struct call *call = ctx;
    call->calls++;
    call->pid = pid;
    call->thread = this_thread();
    call->ran_program = runs_program(pid);
    if (call->look != NULL)
        call->look(pid);
    return call->result;
}

/* Starts with a callback and returns its pid, having checked what is true of every call. */
static pid_t start_called(runner_t *runner, struct call *call) {
    runner_set_sync_func(runner, called, call);
    pid_t pid = start(runner);
    ok_int(call->calls, 1, "calls of the callback");
    ok_int(call->thread, this_thread(), "its thread");
    ok(call->pid > 0 && !call->ran_program, "it came before the exec");
    return pid;
}

static void *call_in_thread(void *ctx) {
    struct call call = {0};
    pid_t pid = start_called(ctx, &call);
    ok_int(call.pid, pid, "the pid");
    ok(soon_runs_program(pid), "after the start it runs the program");
    end_of(pid);
    return NULL;
}

static void on_the_callers_thread(void) {
    pthread_t thread;
    runner_t *runner = poke("pause");
    call_in_thread(runner);
    pthread_create(&thread, NULL, call_in_thread, runner);
    pthread_join(thread, NULL);
    runner_free(runner);
}

static int never(pid_t pid, void *ctx) {
    (void)pid, (void)ctx;
    ok(false, "a callback that was taken away is called");
    return 0;
}

static void taken_away(void) {
    runner_t *runner = poke("exit 3");
    runner_set_sync_func(runner, never, NULL);
    ok_int(runner_set_sync_func(runner, NULL, NULL), 0, "NULL clears");
    ok(exited(run(runner), 3), "runs without it");
    runner_free(runner);
}

/* ------------------------------------------------------------------ what it finds */

/* Everything but the exec, and the filter, is done: the process of complete_process() below. */
static void look_at_process(pid_t pid) {
    const char *uid = is_root() ? "1000 1000 1000 1000" : status_line(getpid(), "Uid");
    ok_str(status_line(pid, "Uid"), uid, "its ids");
    ok_str(status_line(pid, "CapEff"), "0000000000000000", "its capabilities");
    ok_str(status_line(pid, "NoNewPrivs"), "1", "no_new_privs");
    ok_str(status_line(pid, "Umask"), "0026", "its umask");
    ok(atoi(status_line(pid, "NSpid")) == pid, "its pid: %s", status_line(pid, "NSpid"));
    ok(strstr(proc_text(pid, "limits"), "Max open files            37                   39") != NULL, "its limits: %s",
       proc_text(pid, "limits"));
    ok_str(proc_link(pid, "cwd"), "/usr", "its working directory");
    ok(*proc_link(pid, "ns/uts") && strcmp(proc_link(pid, "ns/uts"), proc_link(getpid(), "ns/uts")) != 0,
       "its uts namespace: %s", proc_link(pid, "ns/uts"));
    ok_int(getsid(pid), pid, "its session");
}

/* The mapped fds, and beside them only what will be closed by the exec. */
static void look_at_fds(pid_t pid) {
    char path[64], info[512];
    ok_str(proc_link(pid, "fd/0"), "/dev/null", "fd 0");
    ok_str(proc_link(pid, "fd/1"), "/dev/zero", "fd 1");
    ok_str(proc_link(pid, "fd/2"), "", "fd 2");
    ok_str(proc_link(pid, "fd/3"), "/dev/null", "fd 3");
    snprintf(path, sizeof path, "/proc/%d/fdinfo", (int)pid);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (fd <= 3)
            continue;
        snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
        read_file(path, info, sizeof info);
        const char *flags = strstr(info, "flags:");
        ok(flags && strtoul(flags + 6, NULL, 8) & O_CLOEXEC, "fd %d is closed by the exec: %s", fd, info);
    }
    ok(dir != NULL, "its fds are readable");
    if (dir)
        closedir(dir);
}

static void look(pid_t pid) {
    look_at_process(pid);
    look_at_fds(pid);
}

static void complete_process(void) {
    if (!is_root() && !have_userns())
        SKIP("no user namespaces for this user");
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
    int leaked = open("/dev/full", O_RDONLY); /* not close-on-exec: it must be gone already, or marked */
    struct call call = {.look = look};
    runner_t *runner = poke("pause");
    runner_set_unshare_flags(runner, CLONE_NEWUTS | userns_if_needed());
    runner_set_files(runner, (int[]){null, zero, -1, null}, 4);
    runner_set_workdir(runner, "/usr");
    runner_add_rlimit(runner, RLIMIT_NOFILE, 37, 39);
    runner_set_umask(runner, 0026);
    runner_set_no_new_privs(runner, true);
    runner_set_drop_caps(runner, true);
    if (is_root())
        runner_set_credential(runner, 1000, 1000, NULL, 0);
    pid_t pid = start_called(runner, &call);
    ok(pid > 0, "starts");
    end_of(pid);
    runner_free(runner);
    close(null);
    close(zero);
    close(leaked);
}

static void look_at_maps(pid_t pid) {
    ok(strstr(proc_text(pid, "uid_map"), "200000") != NULL, "the map is written: %s", proc_text(pid, "uid_map"));
    ok_str(status_line(pid, "Uid"), "200002 200002 200002 200002", "its ids");
    ok_str(status_line(pid, "Gid"), "300001 300001 300001 300001", "its group");
    ok_str(proc_text(pid, "setgroups"), "allow", "setgroups, for the credential");
}

static void with_maps(void) {
    if (!is_root())
        SKIP("needs root");
    struct call call = {.look = look_at_maps};
    runner_t *runner = poke("pause");
    runner_set_unshare_flags(runner, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS);
    runner_add_uid_mapping(runner, 0, 100000, 10);
    runner_add_uid_mapping(runner, 10, 200000, 10);
    runner_add_gid_mapping(runner, 0, 300000, 10);
    runner_set_credential(runner, 12, 1, (uint32_t[]){3}, 1);
    pid_t pid = start_called(runner, &call);
    ok_int(call.pid, pid, "the pid, as the host sees it");
    end_of(pid);
    runner_free(runner);
}

/* ------------------------------------------------------------------ what it may do */

static void refuses(void) {
    const int results[] = {EDOM, -EDOM, EPERM, -ENOTSUP, 1, -1};
    runner_t *runner = poke("exit 0");
    for (size_t i = 0; i < COUNT(results); i++) {
        struct counts before = counts_now();
        struct call call = {.result = results[i]};
        runner_set_sync_func(runner, called, &call);
        ok_failed(start(runner), RUNNER_STAGE_SYNC, -1, abs(results[i]));
        ok(kill(call.pid, 0) < 0 && errno == ESRCH, "result %d: the process is gone", results[i]);
        ok_nothing_left(before);
    }
    struct call call = {0};
    runner_set_sync_func(runner, called, &call);
    ok(exited(run(runner), 0), "the same runner starts when the callback agrees");
    runner_free(runner);
}

/* What is no errno is a failure all the same, not a crash and not a success. */
static void refuses_strangely(void) {
    const int results[] = {INT_MAX, INT_MIN, 5000, -5000};
    runner_t *runner = poke("exit 0");
    for (size_t i = 0; i < COUNT(results); i++) {
        struct call call = {.result = results[i]};
        runner_set_sync_func(runner, called, &call);
        int result = run(runner);
        ok(result < 0 && last_error.stage == RUNNER_STAGE_SYNC, "result %d fails the start: %d", results[i], result);
    }
    runner_free(runner);
}

static void look_slowly(pid_t pid) {
    (void)pid;
    sleep_ms(200);
}

static void slow(void) {
    struct call call = {.look = look_slowly};
    int64_t begin = now_ms();
    runner_t *runner = poke("exit 9");
    pid_t pid = start_called(runner, &call);
    ok(now_ms() - begin >= 200, "the start takes as long as its callback");
    ok(exited(child_status(pid), 9), "the program runs after it");
    runner_free(runner);
}

/* A lock that the library held over the callback would make this hang. */
static void look_and_start(pid_t pid) {
    (void)pid;
    struct call inner = {0};
    runner_t *runner = poke("exit 4");
    pid_t other = start_called(runner, &inner);
    ok(exited(child_status(other), 4), "a start within a callback");
    runner_set_sync_func(runner, NULL, NULL);
    ok(exited(run(runner), 4), "and one without a callback of its own");
    runner_held_t *held = NULL;
    ok_int(runner_start_held(runner, &held, &last_error), 0, "and a held one");
    ok(exited(child_status(runner_held_resume(held, &last_error)), 4), "resumed");
    runner_free(runner);
}

static void starts_another(void) {
    struct call call = {.look = look_and_start};
    runner_t *runner = poke("exit 5");
    pid_t pid = start_called(runner, &call);
    ok_int(call.pid, pid, "the pid");
    ok(exited(child_status(pid), 5), "the outer one runs");
    runner_free(runner);
}

static void look_and_kill(pid_t pid) {
    kill(pid, SIGKILL);
}

static void kills(void) {
    for (int pidns = 0; pidns < 2; pidns++) {
        struct counts before = counts_now();
        struct call call = {.look = look_and_kill};
        runner_t *runner = poke("exit 5");
        if (pidns && (is_root() || have_userns()))
            runner_set_unshare_flags(runner, CLONE_NEWPID | userns_if_needed());
        runner_set_sync_func(runner, called, &call);
        int result = run(runner);
        ok(result < 0 && last_error.stage == RUNNER_STAGE_SYNC && last_error.message[0],
           "a process killed in its callback fails the start: %d, stage %s", result,
           runner_stage_name(last_error.stage));
        ok_nothing_left(before);
        runner_free(runner);
    }
}

/* A failure before it: the callback is not called. One after it: it is, and the failure is the start's. */
static void failures_around(void) {
    struct call call = {0};
    runner_t *runner = poke("exit 0");
    runner_set_sync_func(runner, called, &call);
    runner_set_workdir(runner, "/nonexistent");
    ok_failed(start(runner), RUNNER_STAGE_CHDIR, -1, ENOENT);
    ok_int(call.calls, 0, "calls");
    runner_set_workdir(runner, "/");
    runner_set_args(runner, (const char *[]){"/nonexistent", NULL});
    ok_failed(start(runner), RUNNER_STAGE_EXEC, -1, ENOENT);
    ok_int(call.calls, 1, "calls");
    runner_free(runner);
}

/* ------------------------------------------------------------------ held starts */

static runner_held_t *hold(const runner_t *runner) {
    runner_held_t *held = NULL;
    ok_int(runner_start_held(runner, &held, &last_error), 0, "held");
    ok(held != NULL, "a handle");
    return held;
}

static void hold_and_resume(void) {
    runner_t *runner = poke("exit 8");
    runner_held_t *held = hold(runner);
    pid_t pid = runner_held_pid(held);
    ok(pid > 0 && kill(pid, 0) == 0, "the pid: %d", (int)pid);
    char state = '?';
    ok_int(parent_of(pid, &state), getpid(), "it is the caller's child");
    sleep_ms(20);
    ok(!runs_program(pid), "it waits before its exec");
    ok_int(runner_held_resume(held, &last_error), pid, "resume gives the pid");
    ok_int(last_error.stage, RUNNER_STAGE_NONE, "no error");
    ok(exited(child_status(pid), 8), "the program ran");
    runner_free(runner);
}

static void hold_and_abort(void) {
    struct counts before = counts_now();
    runner_t *runner = poke("exit 8");
    runner_held_t *held = hold(runner);
    pid_t pid = runner_held_pid(held);
    runner_held_abort(held);
    ok(kill(pid, 0) < 0 && errno == ESRCH, "the process is dead and reaped");
    runner_free(runner);
    ok_nothing_left(before);
}

static bool readable(int fd, int ms) {
    struct pollfd end = {.fd = fd, .events = POLLIN};
    return poll(&end, 1, ms) == 1;
}

static void held_pidfd(void) {
    runner_t *runner = poke("exit 0");
    runner_held_t *held = hold(runner);
    int pidfd = runner_held_pidfd(held);
    ok(pidfd >= 0 && (fcntl(pidfd, F_GETFD) & FD_CLOEXEC), "a pidfd, close-on-exec: %d", pidfd);
    ok(!readable(pidfd, 30), "it is not over while it is held");
    int own = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
    pid_t pid = runner_held_resume(held, &last_error);
    ok(readable(own, 5000), "it says when the program is over");
    siginfo_t info = {0};
    ok_int(waitid(P_PIDFD, (id_t)own, &info, WEXITED), 0, "waitid by it");
    ok_int(info.si_pid, pid, "the pid");
    close(own);
    runner_free(runner);
}

static void *resume_in_thread(void *held) {
    pid_t pid = runner_held_resume(held, &last_error);
    return (void *)(intptr_t)pid;
}

static void *abort_in_thread(void *held) {
    runner_held_abort(held);
    return NULL;
}

static void other_thread(void) {
    pthread_t thread;
    void *pid;
    runner_t *runner = poke("exit 8");
    pthread_create(&thread, NULL, resume_in_thread, hold(runner));
    pthread_join(thread, &pid);
    ok(exited(child_status((pid_t)(intptr_t)pid), 8), "resumed by another thread, a child of this process");
    struct counts before = counts_now();
    pthread_create(&thread, NULL, abort_in_thread, hold(runner));
    pthread_join(thread, NULL);
    ok_nothing_left(before);
    runner_free(runner);
}

/* The thread that held is gone when it is resumed. */
static void *hold_in_thread(void *runner) {
    return hold(runner);
}

static void holder_gone(void) {
    pthread_t thread;
    void *held;
    runner_t *runner = poke("exit 8");
    pthread_create(&thread, NULL, hold_in_thread, runner);
    pthread_join(thread, &held);
    sleep_ms(20);
    ok(exited(child_status(runner_held_resume(held, &last_error)), 8), "it outlives its thread");
    runner_free(runner);
}

static void runner_gone(void) {
    runner_t *runner = poke("exit 8");
    runner_held_t *held = hold(runner), *other = hold(runner);
    runner_free(runner);
    ok(exited(child_status(runner_held_resume(held, &last_error)), 8), "it outlives its runner");
    runner_held_abort(other);
}

/* What was borrowed may be closed when start_held returns, and its number reused. */
static void fds_gone(void) {
    int ends[2], exec = open(poke_path(), O_RDONLY | O_CLOEXEC);
    char text[32] = "";
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe");
    runner_t *runner = runner_for((const char *[]){"poke", "echo through", NULL});
    runner_set_exec_fd(runner, exec);
    runner_set_files(runner, (int[]){-1, ends[1]}, 2);
    runner_held_t *held = hold(runner);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup3(null, ends[1], O_CLOEXEC);
    dup3(null, exec, O_CLOEXEC);
    close(exec);
    pid_t pid = runner_held_resume(held, &last_error);
    ok(pid > 0, "resumes");
    ok(read_all(ends[0], text, sizeof text) && strcmp(text, "through\n") == 0, "its output is where it was sent: %s",
       text);
    ok(exited(child_status(pid), 0), "it ran");
    close(ends[0]);
    close(ends[1]);
    close(null);
    runner_free(runner);
}

static void killed_while_held(void) {
    for (int end = 0; end < 2; end++) {
        struct counts before = counts_now();
        runner_t *runner = poke("exit 8");
        runner_held_t *held = hold(runner);
        ok_int(kill(runner_held_pid(held), SIGKILL), 0, "killed");
        sleep_ms(20);
        if (end == 0)
            runner_held_abort(held);
        else {
            pid_t pid = runner_held_resume(held, &last_error);
            ok(pid < 0 && last_error.stage == RUNNER_STAGE_SYNC && last_error.err == -pid && last_error.message[0],
               "resume says that it is gone: %d, stage %s", (int)pid, runner_stage_name(last_error.stage));
        }
        runner_free(runner);
        ok_nothing_left(before);
    }
}

static void failing_held(void) {
    struct counts before = counts_now();
    runner_held_t *held = (runner_held_t *)&before;
    runner_t *runner = poke("exit 8");
    runner_set_workdir(runner, "/nonexistent");
    ok_failed(runner_start_held(runner, &held, &last_error), RUNNER_STAGE_CHDIR, -1, ENOENT);
    ok(held == NULL, "no handle");
    runner_set_workdir(runner, "/");
    runner_set_args(runner, (const char *[]){"/nonexistent", NULL});
    held = hold(runner);
    ok_failed(runner_held_resume(held, &last_error), RUNNER_STAGE_EXEC, -1, ENOENT);
    runner_free(runner);
    ok_nothing_left(before);
}

static void held_with_callback(void) {
    struct call call = {0};
    runner_t *runner = poke("exit 8");
    runner_set_sync_func(runner, called, &call);
    runner_held_t *held = hold(runner);
    ok_int(call.calls, 1, "the callback came before the hold");
    ok_int(call.thread, this_thread(), "on this thread");
    ok_int(call.pid, runner_held_pid(held), "with the same pid");
    ok(exited(child_status(runner_held_resume(held, &last_error)), 8), "and it runs");
    ok_int(call.calls, 1, "the callback came once");
    call = (struct call){.result = EDOM};
    held = (runner_held_t *)&call;
    ok_failed(runner_start_held(runner, &held, &last_error), RUNNER_STAGE_SYNC, -1, EDOM);
    ok(held == NULL, "no handle");
    runner_free(runner);
}

enum { MANY = 50 };

/* Ended in another order than they began, every third one by abort. */
static void many_held(void) {
    struct counts before = counts_now();
    runner_held_t *held[MANY];
    runner_t *runner = poke("exit 8");
    for (int i = 0; i < MANY; i++)
        held[i] = hold(runner);
    ok(exited(run(runner), 8), "a plain start goes on meanwhile");
    ok_int(counts_now().children - before.children, MANY, "as many children");
    for (int k = 0; k < MANY; k++) {
        int i = k * 17 % MANY;
        if (i % 3 == 0)
            runner_held_abort(held[i]);
        else
            ok(exited(child_status(runner_held_resume(held[i], &last_error)), 8), "held start %d runs", i);
    }
    runner_free(runner);
    ok_nothing_left(before);
}

/* setresuid(2) in a process that shares the host's memory makes the host undumpable. */
static void dumpable_kept(void) {
    if (!is_root())
        SKIP("needs root");
    int before = prctl(PR_GET_DUMPABLE);
    ok_int(before, 1, "the host is dumpable");
    runner_t *runner = poke("pause");
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    runner_held_t *first = hold(runner), *second = hold(runner);
    pid_t pid = runner_held_resume(first, &last_error);
    ok_str(status_line(pid, "Uid"), "1000 1000 1000 1000", "its ids");
    runner_held_abort(second);
    ok_int(prctl(PR_GET_DUMPABLE), before, "the host afterwards");
    end_of(pid);
    struct call call = {0};
    pid = start_called(runner, &call);
    ok_int(prctl(PR_GET_DUMPABLE), before, "the host after a callback");
    end_of(pid);
    runner_free(runner);
}

/* A memory that another user's process could trace, while it waits, would be the host's. */
static void not_traceable_checks(void) {
    runner_t *runner = poke("exit 0");
    char mem[64];
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    runner_held_t *held = hold(runner);
    snprintf(mem, sizeof mem, "/proc/%d/mem", (int)runner_held_pid(held));
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) != 0 || setresgid(1000, 1000, 1000) != 0 || setresuid(1000, 1000, 1000) != 0)
            _exit(2);
        _exit(open(mem, O_RDWR) >= 0);
    }
    ok(exited(child_status(pid), 0), "its user cannot open the memory of the held process");
    runner_held_abort(held);
    runner_free(runner);
}

static void not_traceable(void) {
    if (!is_root())
        SKIP("needs root");
    in_child(not_traceable_checks);
}

static void held_with_namespaces(void) {
    if (!is_root() && !have_userns())
        SKIP("no user namespaces for this user");
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | userns_if_needed());
    runner_set_hostname(runner, "held");
    set_pokes(runner, poke_path(), &(struct poke){"exit 3", NULL}, 1);
    runner_held_t *held = hold(runner);
    pid_t pid = runner_held_pid(held);
    ok(strcmp(proc_link(pid, "ns/uts"), proc_link(getpid(), "ns/uts")) != 0, "its namespaces are there to be joined");
    ok(exited(child_status(runner_held_resume(held, &last_error)), 3), "runs");
    runner_free(runner);
}

/* The host is killed with a start held: nobody could ever resume it. */
static void host_dies(void) {
    int ends[2];
    pid_t held_pid = 0;
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe");
    pid_t host = fork();
    if (host == 0) {
        runner_held_t *held = hold(poke("pause"));
        pid_t pid = runner_held_pid(held);
        if (write(ends[1], &pid, sizeof pid) == sizeof pid)
            pause();
        _exit(1);
    }
    close(ends[1]);
    ok(readable(ends[0], 5000) && read(ends[0], &held_pid, sizeof held_pid) == sizeof held_pid, "a host that holds");
    int pidfd = (int)syscall(SYS_pidfd_open, held_pid, 0);
    ok(pidfd >= 0 && !readable(pidfd, 20), "the held process lives");
    end_of(host);
    ok(readable(pidfd, 5000), "and dies with the host");
    close(pidfd);
    close(ends[0]);
}

/* ------------------------------------------------------------------ the death signal */

static void dies_plain(runner_t *r) { (void)r; }
static void dies_called(runner_t *r) {
    static struct call call;
    runner_set_sync_func(r, called, &call);
}
static void dies_credential(runner_t *r) {
    if (is_root())
        runner_set_credential(r, 1000, 1000, NULL, 0);
}
static void dies_called_credential(runner_t *r) { dies_called(r), dies_credential(r); }
static void dies_userns(runner_t *r) {
    runner_set_unshare_flags(r, have_userns() ? CLONE_NEWUSER : 0);
    dies_called(r);
}
static void dies_capless(runner_t *r) { runner_set_drop_caps(r, true); }

static void (*const dying[])(runner_t *) = {
    dies_plain, dies_called, dies_credential, dies_called_credential, dies_userns, dies_capless,
};

/* A thread that starts the runner, says so, and ends when it is told to. */
struct starter {
    const runner_t *runner;
    pid_t pid;
    bool held;
    atomic_int started, end;
};

static void *start_and_wait(void *ctx) {
    struct starter *starter = ctx;
    if (starter->held) {
        runner_held_t *held = hold(starter->runner);
        starter->pid = runner_held_resume(held, &last_error);
    } else {
        starter->pid = start(starter->runner);
    }
    atomic_store(&starter->started, 1);
    while (!atomic_load(&starter->end))
        sleep_ms(1);
    return NULL;
}

/* Whether the program of a thread is dead within 300 ms, before and after the thread ends. */
static void watch_thread_end(const runner_t *runner, bool held, bool *before, bool *after) {
    struct starter starter = {.runner = runner, .held = held};
    pthread_t thread;
    pthread_create(&thread, NULL, start_and_wait, &starter);
    while (!atomic_load(&starter.started))
        sleep_ms(1);
    ok(starter.pid > 0, "starts");
    int pidfd = (int)syscall(SYS_pidfd_open, starter.pid, 0);
    *before = readable(pidfd, 50);
    atomic_store(&starter.end, 1);
    pthread_join(thread, NULL);
    *after = readable(pidfd, 300);
    close(pidfd);
    int status = end_of(starter.pid);
    ok(killed_by(status, *after ? SIGTERM : SIGKILL), "by the asked signal: %#x", status);
}

static void death_signal(void) {
    bool before, after;
    for (size_t i = 0; i < COUNT(dying); i++)
        for (int held = 0; held < 2; held++) {
            runner_t *runner = poke("pause");
            ok_int(runner_set_death_signal(runner, SIGTERM), 0, "set");
            dying[i](runner);
            watch_thread_end(runner, held, &before, &after);
            ok(!before, "kind %zu, held %d: it lives as long as the thread that started it", i, held);
            ok(after, "kind %zu, held %d: it gets the signal when that ends", i, held);
            runner_free(runner);
        }
}

static void no_death_signal(void) {
    bool before, after;
    runner_t *runner = poke("pause");
    watch_thread_end(runner, false, &before, &after);
    ok(!before && !after, "control: without it the program outlives the thread");
    runner_set_death_signal(runner, SIGTERM);
    runner_set_death_signal(runner, 0);
    watch_thread_end(runner, false, &before, &after);
    ok(!before && !after, "0 takes it back");
    runner_free(runner);
}

static void death_signal_seen(void) {
    runner_t *runner = poke("deathsig");
    expect(runner, {"deathsig", "0"});
    runner_set_death_signal(runner, SIGUSR2);
    char want[16];
    snprintf(want, sizeof want, "%d", SIGUSR2);
    expect(runner, {"deathsig", want});
    runner_free(runner);
}

/* A fork of the host has copies of the handles, but neither the processes nor the threads behind them. */
static void forked_handle(void) {
    runner_t *runner = poke("exit 8");
    runner_held_t *held = hold(runner), *other = hold(runner);
    pid_t fork_of_host = fork();
    if (fork_of_host == 0) {
        alarm(5); /* a hang would be a death by SIGALRM */
        pid_t resumed = runner_held_resume(held, NULL);
        runner_held_abort(other);
        _exit(resumed == -ECHILD ? 0 : 1);
    }
    ok(exited(child_status(fork_of_host), 0), "the fork is refused, and does not hang");
    ok(exited(child_status(runner_held_resume(held, &last_error)), 8), "the host's own is resumed");
    ok(exited(child_status(runner_held_resume(other, &last_error)), 8), "what the fork aborted is alive");
    runner_free(runner);
}

static const struct test tests[] = {
    {"the callback runs once, on the caller's thread, before the exec", on_the_callers_thread},
    {"a callback that was taken away is not called", taken_away},
    {"the callback finds the process complete: ids, limits, fds, cwd, namespaces", complete_process},
    {"the callback finds maps that need privilege written", with_maps},
    {"a callback's errno of either sign is the start's, and nothing is left", refuses},
    {"a callback's result that is no errno fails the start", refuses_strangely},
    {"a callback of 200 ms", slow},
    {"a callback that starts others", starts_another},
    {"a callback that kills its process fails the start, and nothing is left", kills},
    {"failures before and after the callback are the start's", failures_around},
    {"held: it waits before its exec, and runs when resumed", hold_and_resume},
    {"held: abort leaves nothing", hold_and_abort},
    {"held: the pidfd says when it is over", held_pidfd},
    {"held: resumed and aborted by another thread", other_thread},
    {"held: it outlives the thread that held it", holder_gone},
    {"held: it outlives its runner", runner_gone},
    {"held: borrowed fds may be closed and reused meanwhile", fds_gone},
    {"held: killed while it waits is an error of resume, and nothing is left", killed_while_held},
    {"held: failures before the hold give no handle, those after it are resume's", failing_held},
    {"held: the callback comes before the hold, and can refuse", held_with_callback},
    {"held: a fork of the host would end or resume it", forked_handle},
    {"held: 50 at once, ended in another order", many_held},
    {"a credential leaves the host dumpable as it was", dumpable_kept},
    {"held: its user cannot reach the host's memory through it", not_traceable},
    {"held: with namespaces", held_with_namespaces},
    {"held: dies with the host", host_dies},
    {"death signal: when the starting thread ends, with callback, credential, held", death_signal},
    {"death signal: control without it", no_death_signal},
    {"death signal: the program sees it", death_signal_seen},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
