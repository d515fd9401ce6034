/* The cases of LTP's container and process tests that no other file has: docs/conformance.md lists all of them. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include "root.h"
#include <mqueue.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>

/* ------------------------------------------------------------------ pid namespaces */

static void ids_in_a_pid_namespace(void) {
    char output[1024];
    runner_t *runner = guest("session");
    runner_set_unshare_flags(runner, CLONE_NEWPID | userns_if_needed());
    ok(exited(run_output(runner, output, sizeof output), 0), "it runs");
    ok_value(output, "pid", "1");
    ok_value(output, "ppid", "0");
    ok_value(output, "pgid", "1");
    ok_value(output, "sid", "1");
    runner_free(runner);
}

/* What ends any other process does not reach it: it has no handler. */
static void own_signals(void) {
    static const char *const signals[] = {"9", "15", "19", "2"};
    for (size_t i = 0; i < COUNT(signals); i++) {
        runner_t *runner = guest("kill", "1", signals[i], "--", "exit", "6");
        runner_set_unshare_flags(runner, CLONE_NEWPID | userns_if_needed());
        ok(exited(run(runner), 6), "signal %s", signals[i]);
        runner_set_unshare_flags(runner, 0);
        runner_set_args(runner, (const char *const[]){guest_path(), "raise", signals[i], "--", "exit", "6", NULL});
        pid_t pid = start(runner);
        int status = -1;
        ok_int(waitpid(pid, &status, WUNTRACED), pid, "control: without the namespace");
        ok(!exited(status, 6), "signal %s ends or stops it", signals[i]);
        if (WIFSTOPPED(status))
            end_of(pid);
        runner_free(runner);
    }
}

/* A guest: which pid a signal of the host has, and one of its own. It blocks the signal first, and says so. */
static int senders(int argc, char **argv) {
    sigset_t set;
    siginfo_t info = {0};
    (void)argc, (void)argv;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("ready\n");
    fflush(stdout);
    sigwaitinfo(&set, &info);
    printf("from %d\n", info.si_pid);
    kill(getpid(), SIGUSR1);
    sigwaitinfo(&set, &info);
    printf("from %d\n", info.si_pid);
    return 0;
}

static const char *senders_told(uint64_t flags) {
    static char output[256];
    int ends[2];
    char ready[8] = "";
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe");
    runner_t *runner = self_guest("senders");
    runner_set_unshare_flags(runner, flags);
    runner_set_files(runner, (int[]){-1, ends[1], -1}, 3);
    pid_t pid = start(runner);
    close(ends[1]);
    ok_int(read(ends[0], ready, 6), 6, "it is ready");
    kill(pid, SIGUSR1);
    read_all(ends[0], output, sizeof output);
    ok(exited(child_status(pid), 0), "it ends");
    close(ends[0]);
    runner_free(runner);
    return output;
}

static void who_sends(void) {
    char want[64];
    ok_str(senders_told(CLONE_NEWPID | userns_if_needed()), "from 0\nfrom 1\n", "in a pid namespace");
    snprintf(want, sizeof want, "from %d\n", (int)getpid());
    ok(strncmp(senders_told(0), want, strlen(want)) == 0, "control: without one it knows the host");
}

/* ------------------------------------------------------------------ ipc, user and mount namespaces */

/* A guest: whether there is a message queue of this name. */
static int queue(int argc, char **argv) {
    mqd_t opened = mq_open(argc > 1 ? argv[1] : "", O_RDWR);
    return opened != (mqd_t)-1 ? 0 : errno == ENOENT ? 2 : 1;
}

static void queues(void) {
    char name[64];
    snprintf(name, sizeof name, "/runner-test-%d", (int)getpid());
    mqd_t opened = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, NULL);
    if (opened == (mqd_t)-1)
        SKIP("no POSIX message queues");
    runner_t *runner = self_guest("queue", name);
    ok(exited(run(runner), 0), "control: without a namespace it is there");
    runner_set_unshare_flags(runner, CLONE_NEWIPC | userns_if_needed());
    ok(exited(run(runner), 2), "in an ipc namespace it is not");
    runner_free(runner);
    mq_close(opened);
    mq_unlink(name);
}

/* A guest: whether there are semaphores of this key; it makes them where there are none. */
static int semaphores(int argc, char **argv) {
    key_t key = argc > 1 ? atoi(argv[1]) : 0;
    if (semget(key, 1, 0) >= 0)
        return 0;
    return errno == ENOENT && semget(key, 1, IPC_CREAT | IPC_EXCL | 0600) >= 0 ? 2 : 1;
}

/* Twice in a namespace of its own: neither has those of the host, nor the second those of the first. */
static void semaphores_of_the_host(void) {
    char key[32];
    snprintf(key, sizeof key, "%d", 0x52000000 + (int)getpid());
    int id = semget(atoi(key), 1, IPC_CREAT | IPC_EXCL | 0600);
    if (id < 0)
        SKIP("no System V semaphores");
    runner_t *runner = self_guest("semaphores", key);
    ok(exited(run(runner), 0), "control: without a namespace they are there");
    runner_set_unshare_flags(runner, CLONE_NEWIPC | userns_if_needed());
    ok(exited(run(runner), 2), "in an ipc namespace they are not");
    ok(exited(run(runner), 2), "nor in the next one");
    runner_free(runner);
    semctl(id, 0, IPC_RMID);
}

/* Of a user namespace's program user id 0 has all capabilities over it after an exec, and any other id none. */
static void capabilities_by_id(void) {
    static const struct {
        uint32_t id;
        bool all;
    } rows[] = {{0, true}, {1000, false}};
    char output[256], last[32] = "";
    if (!have_userns())
        SKIP("no user namespaces");
    read_file("/proc/sys/kernel/cap_last_cap", last, sizeof last);
    unsigned long long every = (UINT64_C(2) << atoi(last)) - 1;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[64];
        runner_t *runner = poke("status CapEff", "status CapPrm");
        runner_set_unshare_flags(runner, CLONE_NEWUSER);
        runner_add_uid_mapping(runner, rows[i].id, geteuid(), 1);
        runner_add_gid_mapping(runner, rows[i].id, getegid(), 1);
        snprintf(want, sizeof want, "%016llx\n%016llx\n", rows[i].all ? every : 0, rows[i].all ? every : 0);
        ok(exited(run_output(runner, output, sizeof output), 0), "it runs");
        ok_str(output, want, "capabilities of id %u", rows[i].id);
        runner_free(runner);
    }
}

/* For a child. The mark is of the host's mount namespace: in the program's every mount is made private first. */
static void unbindable_checks(void) {
    char dir[64];
    if (!become_mounter())
        return;
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    ok_int(mount("none", dir, "tmpfs", MS_NOEXEC, NULL), 0, "a mount");
    ok_int(mount(NULL, dir, NULL, MS_UNBINDABLE, NULL), 0, "which may not be bound");
    ok_int(mount(dir, dir, NULL, MS_BIND, NULL), -1, "control: by the host it is not");
    runner_t *runner = rooted(0);
    runner_set_unshare_flags(runner, CLONE_NEWNS);
    runner_add_bind(runner, dir, "/bound", 0);
    inside(runner, {"flags /bound", "rw,nosuid,nodev,noexec"});
    ok(strstr(proc_text(getpid(), "mountinfo"), " unbindable ") != NULL, "the host's mount is as it was");
    runner_free(runner);
    umount2(dir, MNT_DETACH);
    remove_dir(dir);
}

static void unbindable(void) {
    in_child(unbindable_checks);
}

static void names_of_two(void) {
    char answers[2][64];
    static const char *const names[] = {"first", "second"};
    int ends[2][2];
    pid_t pids[2];
    for (int i = 0; i < 2; i++) { /* both have set their names before either says what it has */
        ok_int(pipe2(ends[i], O_CLOEXEC), 0, "a pipe");
        runner_t *runner = poke("sleep 50", "uts");
        runner_set_unshare_flags(runner, CLONE_NEWUTS | userns_if_needed());
        runner_set_hostname(runner, names[i]);
        runner_set_files(runner, (int[]){-1, ends[i][1]}, 2);
        pids[i] = start(runner);
        close(ends[i][1]);
        runner_free(runner);
    }
    for (int i = 0; i < 2; i++) {
        char want[64];
        read_all(ends[i][0], answers[i], sizeof answers[i]);
        snprintf(want, sizeof want, "ok\n%s ", names[i]);
        ok(strncmp(answers[i], want, strlen(want)) == 0, "its own name: %s", answers[i]);
        ok(exited(child_status(pids[i]), 0), "it ends");
        close(ends[i][0]);
    }
}

/* ------------------------------------------------------------------ processes */

/* Signals that wait for the host's thread are not the program's. */
static void pending(void) {
    sigset_t set, before;
    siginfo_t info;
    char output[1024];
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, &before);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR2);
    runner_t *runner = guest("signals");
    ok(exited(run_output(runner, output, sizeof output), 0), "it runs");
    ok_value(output, "pending", "0000000000000000");
    ok_int(sigwaitinfo(&set, &info) + sigwaitinfo(&set, &info), SIGUSR1 + SIGUSR2, "the host gets both");
    sigprocmask(SIG_SETMASK, &before, NULL);
    runner_free(runner);
}

static void small_stack(void) {
    runner_t *runner = guest("exit", "9");
    runner_add_rlimit(runner, RLIMIT_STACK, 512 << 10, 512 << 10);
    ok(exited(run(runner), 9), "it runs");
    runner_free(runner);
}

/* One second for the first signal, one more for the second. */
static void cpu_signals(void) {
    static const struct {
        uint64_t soft, hard;
        int signal;
    } rows[] = {{1, 2, SIGXCPU}, {1, 1, SIGKILL}};
    runner_t *runner = guest("spin", "5000");
    for (size_t i = 0; i < COUNT(rows); i++) {
        ok_int(runner_add_rlimit(runner, RLIMIT_CPU, rows[i].soft, rows[i].hard), 0, "a limit");
        ok(killed_by(run(runner), rows[i].signal), "signal %d ends it", rows[i].signal);
    }
    runner_free(runner);
}

/* Eight at once of one runner, all of which end as they should. */
static void many_at_once(void) {
    pid_t pids[8];
    runner_t *runner = guest("sleep", "20", "--", "exit", "8");
    for (size_t i = 0; i < COUNT(pids); i++)
        ok((pids[i] = start(runner)) > 0, "starts");
    for (size_t i = 0; i < COUNT(pids); i++)
        ok(exited(child_status(pids[i]), 8), "ends");
    runner_free(runner);
}

static char program_path[96];

/* For a child that is an ordinary user: what it may not execute, by path and by fd. */
static void not_executable_checks(void) {
    if (geteuid() == 0)
        ok_int(setgroups(0, NULL) | setresgid(65534, 65534, 65534) | setresuid(65534, 65534, 65534), 0, "a user");
    runner_t *runner = runner_for((const char *const[]){program_path, "exit", "0", NULL});
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, EACCES);
    int fd = open(program_path, O_PATH | O_CLOEXEC);
    runner_set_exec_fd(runner, fd);
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, EACCES);
    close(fd);
    runner_free(runner);
}

static void not_executable(void) {
    char dir[64];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    snprintf(program_path, sizeof program_path, "%s/program", dir);
    ok(copy_file(guest_path(), program_path, is_root() ? 0700 : 0600), "a program");
    in_child(not_executable_checks);
    remove_dir(dir);
}

static const struct test tests[] = {
    {"in a pid namespace it leads its session and group, all of them 1", ids_in_a_pid_namespace},
    {"the first process of a pid namespace survives its own signals", own_signals},
    {"a signal of the host comes from 0 in a pid namespace, one of its own from 1, blocked or not", who_sends},
    {"POSIX message queues of the host: not in an ipc namespace", queues},
    {"System V semaphores of the host and of another program: not in an ipc namespace", semaphores_of_the_host},
    {"in a user namespace id 0 has all capabilities, another id none", capabilities_by_id},
    {"a mount that the host may not bind can be bound by a start", unbindable},
    {"two programs at once have their own host names", names_of_two},
    {"signals that wait for the host do not reach the program, and the host gets them", pending},
    {"a program with a stack of 512 KiB", small_stack},
    {"RLIMIT_CPU: SIGXCPU at the soft limit, SIGKILL at the hard one", cpu_signals},
    {"eight programs of one runner at once", many_at_once},
    {"a program that its user may not execute, by path and by fd", not_executable},
};

static const struct guest guests[] = {{"senders", senders}, {"queue", queue}, {"semaphores", semaphores}};

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "guest") == 0)
        return tap_main(argc, argv, NULL, 0, guests, COUNT(guests));
    return root_main(argc, argv, tests, COUNT(tests));
}
