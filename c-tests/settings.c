/* The small settings of a process, each looked at from inside the program: umask, nice, OOM score, CPUs, personality,
 * scheduler, working directory, session, terminal, death signal. */

#define _GNU_SOURCE
#include "tap.h"

#include <pthread.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define accepted(call) tap_ok((call) == 0, __FILE__, __LINE__, #call, "want 0")

static char out[1 << 16];

static int no_callback(pid_t pid, void *ctx) {
    (void)pid;
    (void)ctx;
    return 0;
}

/* ------------------------------------------------------------------ one setting each */

static void umask_of_program(void) {
    static const struct { uint32_t mask; const char *seen; } masks[] = {{0, "0000"}, {077, "0077"}, {0777, "0777"}};
    mode_t host = umask(022);
    umask(host);
    for (size_t i = 0; i < COUNT(masks); i++) {
        runner_t *runner = guest("misc");
        accepted(runner_set_umask(runner, masks[i].mask));
        ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
        ok_value(out, "umask", masks[i].seen);
        runner_free(runner);
    }
    mode_t after = umask(host);
    ok_int(after, host, "the host's umask stays");
}

static void nice_of_program(void) {
    runner_t *runner = guest("sched");
    accepted(runner_set_nice(runner, 7));
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok_value(out, "nice", "7");
    accepted(runner_set_nice(runner, 19));
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok_value(out, "nice", "19");
    ok_int(getpriority(PRIO_PROCESS, 0), 0, "the host's nice value stays");
    accepted(runner_set_nice(runner, -5));
    if (is_root()) {
        ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
        ok_value(out, "nice", "-5");
    } else {
        ok_failed(run(runner), RUNNER_STAGE_NICE, -1, EACCES);
    }
    runner_free(runner);
}

static void oom_score_of_program(void) {
    runner_t *runner = guest("misc");
    char host[32];
    accepted(runner_set_oom_score_adj(runner, 345));
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok_value(out, "oom_score_adj", "345");
    read_file("/proc/self/oom_score_adj", host, sizeof host);
    ok_int(atoi(host), 0, "the host's own stays");
    runner_free(runner);
}

/* Whether a forked child may write this value itself: the control. */
static int oom_score_errno(const char *value) {
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        _exit(fd >= 0 && write(fd, value, strlen(value)) > 0 ? 0 : errno);
    }
    int status = child_status(pid);
    return WEXITSTATUS(status);
}

static void oom_score_below_the_hosts(void) {
    runner_t *runner = guest("misc");
    int expected = oom_score_errno("-1000");
    accepted(runner_set_oom_score_adj(runner, -1000));
    if (expected != 0) {
        ok_failed(run(runner), RUNNER_STAGE_OOM_SCORE_ADJ, -1, expected);
    } else {
        ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
        ok_value(out, "oom_score_adj", "-1000");
    }
    runner_free(runner);
}

static void affinity_of_program(void) {
    cpu_set_t host;
    ok_int(sched_getaffinity(0, sizeof host, &host), 0, "the host's CPUs");
    int last = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        last = CPU_ISSET(cpu, &host) ? cpu : last;
    const uint32_t cpus[] = {8191, (uint32_t)last};
    char want[16];
    snprintf(want, sizeof want, "%d", last);
    runner_t *runner = guest("sched");
    accepted(runner_set_cpu_affinity(runner, cpus, 2)); /* one that is not there is left out by the kernel */
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok_value(out, "affinity", want);
    accepted(runner_set_cpu_affinity(runner, cpus, 1));
    ok_failed(run(runner), RUNNER_STAGE_AFFINITY, -1, EINVAL);
    runner_free(runner);
}

static const char *address_of(const runner_t *runner) {
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    return value_of(out, "stack");
}

static void personality_of_program(void) {
    runner_t *runner = guest("addresses", "--", "misc");
    const char *one = address_of(runner), *other = address_of(runner), *third = address_of(runner);
    ok(one && other && third && !(strcmp(one, other) == 0 && strcmp(other, third) == 0),
       "control: without it addresses differ");
    accepted(runner_set_personality(runner, ADDR_NO_RANDOMIZE));
    one = address_of(runner);
    other = address_of(runner);
    ok_str(one, other, "the same addresses in every run");
    ok_value(out, "personality", "0x40000");
    ok_int(personality(0xffffffff), 0, "the host's own stays");
    runner_free(runner);
}

static void scheduler_of_program(void) {
    static const struct { int policy; const char *seen; } policies[] = {{SCHED_BATCH, "3"}, {SCHED_IDLE, "5"}};
    for (size_t i = 0; i < COUNT(policies); i++) {
        runner_t *runner = guest("sched");
        accepted(runner_set_scheduler(runner, policies[i].policy, 0));
        ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
        ok_value(out, "policy", policies[i].seen);
        runner_free(runner);
    }
    ok_int(sched_getscheduler(0), SCHED_OTHER, "the host's own stays");
}

/* The control: whether a forked child may become real-time itself; 0 or the errno. */
static int real_time_errno(void) {
    pid_t pid = fork();
    if (pid == 0) {
        struct sched_param param = {.sched_priority = 2};
        _exit(sched_setscheduler(0, SCHED_FIFO, &param) == 0 ? 0 : errno);
    }
    return WEXITSTATUS(child_status(pid));
}

static void real_time_scheduler(void) {
    int expected = real_time_errno();
    runner_t *runner = guest("sched");
    accepted(runner_set_scheduler(runner, SCHED_FIFO, 2));
    if (expected != 0) {
        ok_failed(run(runner), RUNNER_STAGE_SCHEDULER, -1, expected);
    } else {
        ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
        ok_value(out, "policy", "1");
        ok_value(out, "priority", "2");
    }
    runner_free(runner);
}

static void workdir_of_program(void) {
    runner_t *runner = guest("cwd");
    accepted(runner_set_workdir(runner, "/proc"));
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok_value(out, "cwd", "/proc");
    accepted(runner_set_workdir(runner, "/no/such/directory"));
    ok_failed(run(runner), RUNNER_STAGE_CHDIR, -1, ENOENT);
    accepted(runner_set_workdir(runner, "/dev/null"));
    ok_failed(run(runner), RUNNER_STAGE_CHDIR, -1, ENOTDIR);
    runner_free(runner);
}

/* argv[0] is seen from the working directory. */
static void relative_program(void) {
    char dir[2 * PATH_MAX];
    snprintf(dir, sizeof dir, "%s", guest_path());
    char *slash = strrchr(dir, '/');
    char name[2 * PATH_MAX + 2];
    snprintf(name, sizeof name, "./%s", slash + 1);
    *slash = '\0';
    const char *const argv[] = {name, "exit", "4", NULL};
    runner_t *runner = runner_for(argv);
    accepted(runner_set_workdir(runner, "/"));
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, ENOENT);
    accepted(runner_set_workdir(runner, dir));
    ok(exited(run(runner), 4), "it is found from the working directory");
    runner_free(runner);
}

/* ------------------------------------------------------------------ sessions and terminals */

static void session_kinds(void) {
    char host_group[16], host_session[16];
    snprintf(host_group, sizeof host_group, "%d", getpgrp());
    snprintf(host_session, sizeof host_session, "%d", getsid(0));
    runner_t *runner = guest("session");
    accepted(runner_set_session(runner, RUNNER_SESSION_GROUP));
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok_str(value_of(out, "pgid"), value_of(out, "pid"), "a group of its own");
    ok_value(out, "sid", host_session);
    accepted(runner_set_session(runner, RUNNER_SESSION_KEEP));
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok_value(out, "pgid", host_group);
    ok_value(out, "sid", host_session);
    accepted(runner_set_session(runner, RUNNER_SESSION_NEW));
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    ok_str(value_of(out, "pgid"), value_of(out, "pid"), "a group of its own");
    ok_str(value_of(out, "sid"), value_of(out, "pid"), "a session of its own");
    runner_free(runner);
}

/* A new pseudo-terminal: its two ends. */
static bool open_terminal(int ends[2]) {
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ends[0] < 0 || unlockpt(ends[0]) < 0)
        return false;
    ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    return ends[1] >= 0;
}

/* Runs the guest with fd 0 on the terminal and fd 1 on a pipe into `out`. */
static int run_on_terminal(runner_t *runner, int terminal) {
    int pipe_ends[2];
    ok_int(pipe2(pipe_ends, O_CLOEXEC), 0, "pipe");
    const int files[] = {terminal, pipe_ends[1], pipe_ends[1]};
    accepted(runner_set_files(runner, files, 3));
    pid_t pid = start(runner);
    close(pipe_ends[1]);
    out[0] = '\0';
    if (pid > 0)
        read_all(pipe_ends[0], out, sizeof out);
    close(pipe_ends[0]);
    return pid < 0 ? pid : child_status(pid);
}

static void controlling_terminal(void) {
    int ends[2] = {-1, -1};
    if (!ok(open_terminal(ends), "a pseudo-terminal"))
        return;
    runner_t *runner = guest("session");
    ok(exited(run_on_terminal(runner, ends[1]), 0), "the guest runs");
    ok_value(out, "tty", "!ENXIO"); /* fd 0 alone does not make it so */
    accepted(runner_set_ctty(runner, true));
    ok(exited(run_on_terminal(runner, ends[1]), 0), "the guest runs");
    ok_value(out, "tty", "ok");
    ok_str(value_of(out, "foreground"), value_of(out, "pid"), "the program is in the foreground");
    runner_free(runner);
    close(ends[0]);
    close(ends[1]);
}

static void controlling_terminal_refused(void) {
    runner_t *runner = guest("session");
    accepted(runner_set_ctty(runner, true));
    ok_failed(run(runner), RUNNER_STAGE_CTTY, -1, ENOTTY); /* fd 0 is /dev/null */
    accepted(runner_set_session(runner, RUNNER_SESSION_KEEP));
    ok_failed(run(runner), RUNNER_STAGE_OPTIONS, -1, EINVAL);
    accepted(runner_set_session(runner, RUNNER_SESSION_GROUP));
    ok_failed(run(runner), RUNNER_STAGE_OPTIONS, -1, EINVAL);
    accepted(runner_set_ctty(runner, false));
    ok(exited(run(runner), 0), "the same runner starts without it");
    runner_free(runner);
}

/* ------------------------------------------------------------------ the death signal */

struct starter {
    const runner_t *runner;
    pid_t pid;
};

static void *start_in_thread(void *argument) {
    struct starter *starter = argument;
    starter->pid = runner_start(starter->runner, NULL);
    return NULL;
}

/* Starts on a thread that ends at once, and gives the wait status of the program. */
static int status_after_thread(const runner_t *runner) {
    struct starter starter = {.runner = runner, .pid = -1};
    pthread_t thread;
    ok_int(pthread_create(&thread, NULL, start_in_thread, &starter), 0, "a thread");
    pthread_join(thread, NULL);
    return ok(starter.pid > 0, "it starts: %d", starter.pid) ? child_status(starter.pid) : -1;
}

static void death_signal(void) {
    runner_t *runner = guest("sleep", "300", "--", "exit", "5");
    ok(exited(status_after_thread(runner), 5), "control: without it the program outlives the thread");
    accepted(runner_set_death_signal(runner, SIGUSR1));
    ok(killed_by(status_after_thread(runner), SIGUSR1), "the signal comes when the starting thread ends");
    ok(exited(run(runner), 5), "it does not come while the starting thread lives");
    accepted(runner_set_sync_func(runner, no_callback, NULL));
    ok(killed_by(status_after_thread(runner), SIGUSR1), "with a callback too");
    ok(exited(run(runner), 5), "with a callback it is the caller that counts, no helper of the library");
    accepted(runner_set_death_signal(runner, 0));
    ok(exited(status_after_thread(runner), 5), "0 is none");
    runner_free(runner);
}

/* KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING, in the program. */
static long keyring_of(runner_t *runner) {
    ok(exited(run_output(runner, out, sizeof out), 0), "the guest runs");
    return strtol(value_of(out, "syscall"), NULL, 10);
}

/* In a fork of its own: the host's keyring cannot be given back. */
static void session_keyring_checks(void) {
    char call[32];
    snprintf(call, sizeof call, "%d", SYS_keyctl);
    runner_t *runner = guest("syscall", call, "0", "-3", "0");
    long host = syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
    ok(host > 0, "the host has a session keyring");
    ok_int(keyring_of(runner), host, "control: by default the program has it too");
    accepted(runner_set_new_session_keyring(runner, true));
    long own = keyring_of(runner);
    ok(own > 0 && own != host, "the program has one of its own: %ld", own);
    ok(own != keyring_of(runner), "each run has another");
    ok_int(syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 0), host, "the host keeps its own");
    accepted(runner_set_new_session_keyring(runner, false));
    ok_int(keyring_of(runner), host, "false takes it back");
    runner_free(runner);
}

static void session_keyring(void) { in_child(session_keyring_checks); }

static const struct test tests[] = {
    {"the umask would be another, or change the host's", umask_of_program},
    {"the nice value would be another", nice_of_program},
    {"the OOM score would be another", oom_score_of_program},
    {"a refused OOM score would pass unseen", oom_score_below_the_hosts},
    {"the CPUs would be others", affinity_of_program},
    {"address randomisation could not be switched off", personality_of_program},
    {"the scheduler would be another", scheduler_of_program},
    {"a refused real-time scheduler would pass unseen", real_time_scheduler},
    {"the working directory would be another", workdir_of_program},
    {"a relative program would be looked up elsewhere", relative_program},
    {"a program would be in another session or group than asked", session_kinds},
    {"a program would not control its terminal", controlling_terminal},
    {"a missing terminal would pass unseen", controlling_terminal_refused},
    {"a program would have the host's session keyring", session_keyring},
    {"a program would outlive the thread it should die with, or die early", death_signal},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
