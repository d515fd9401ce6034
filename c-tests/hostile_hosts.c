/* What a host can do to a start in the middle of it: cancel the thread, answer clone3 by a signal handler, send signals to a
 * traced child, have something else mapped where the library meets its copies, hand it a FIFO to execute. Each of
 * these has once killed or hung the host. A hang is a death by SIGALRM. */

#define _GNU_SOURCE
#include "tap.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <ucontext.h>

#define accepted(call) tap_ok((call) == 0, __FILE__, __LINE__, #call, "want 0")

static int agree(pid_t pid, void *ctx) {
    (void)pid;
    (void)ctx;
    return 0;
}

static runner_t *exits(const char *code) {
    return runner_for((const char *const[]){guest_path(), "exit", code, NULL});
}

/* ------------------------------------------------------------------ pthread_cancel */

/* The start runs with the cancellation pending; it takes effect at the first cancellation point after it. */
static void *cancelled_start(void *kind) {
    runner_t *runner = exits("0");
    if (*(int *)kind == 1) {
        runner_set_sync_func(runner, agree, NULL);
        runner_set_death_signal(runner, SIGKILL); /* a copy of the memory, with sockets to close */
    }
    if (*(int *)kind == 2)
        runner_set_unshare_flags(runner, CLONE_NEWUSER);
    pthread_cancel(pthread_self());
    pid_t pid = runner_start(runner, NULL);
    int status = -1;
    if (pid > 0)
        waitpid(pid, &status, 0); /* a cancellation point */
    return NULL;
}

static void cancelled_in_child(void) {
    for (int kind = 0; kind < 3; kind++) {
        pthread_t thread;
        void *result = NULL;
        ok_int(pthread_create(&thread, NULL, cancelled_start, &kind), 0, "a thread");
        pthread_join(thread, &result);
        ok(result == PTHREAD_CANCELED, "kind %d: it is cancelled after the start, not in it", kind);
    }
}

static void cancelled(void) {
    in_child(cancelled_in_child);
}

/* ------------------------------------------------------------------ a handler of SIGSYS */

static void answer_enosys(int sig, siginfo_t *info, void *context) {
    (void)sig;
    (void)info;
#if defined(__x86_64__)
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#else
    ((ucontext_t *)context)->uc_mcontext.regs[0] = (unsigned long long)-ENOSYS;
#endif
}

static bool trap_clone3(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = COUNT(filter), .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void sigsys_in_child(void) {
    runner_t *runner = exits("3");
    ok(exited(run(runner), 3), "a start before the filter");
    struct sigaction action = {.sa_sigaction = answer_enosys, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    if (!ok(trap_clone3(), "a filter"))
        return;
    ok(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS, "control: the host's handler answers");
    ok(exited(run(runner), 3), "a start under it");
    runner_set_sync_func(runner, agree, NULL);
    ok(exited(run(runner), 3), "with a callback");
    runner_free(runner);
}

static void sigsys_handler(void) {
    in_child(sigsys_in_child);
}

/* ------------------------------------------------------------------ signals to a traced child */

static atomic_bool storm_over;

static void nothing(int sig) {
    (void)sig;
}

static void *signals_to_group(void *unused) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!atomic_load(&storm_over)) {
        kill(0, SIGUSR1);
        usleep(200);
    }
    return unused;
}

/* A signal that stops the child before its exec is its tracer's to see, so the tracer must be awake. */
static void traced_in_child(void) {
    setpgid(0, 0);
    signal(SIGUSR1, nothing);
    alarm(20);
    pthread_t thread;
    ok_int(pthread_create(&thread, NULL, signals_to_group, NULL), 0, "a thread");
    runner_t *runner = exits("0");
    runner_set_ptrace(runner, true);
    runner_set_session(runner, RUNNER_SESSION_KEEP);
    int started = 0;
    for (int i = 0; i < 60; i++) {
        pid_t pid = runner_start(runner, &last_error);
        if (pid > 0) {
            started++;
            kill(pid, SIGKILL);
            while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
                continue;
        }
    }
    atomic_store(&storm_over, true);
    pthread_join(thread, NULL);
    ok(started > 0, "%d of 60 traced starts in a storm of signals", started);
    runner_free(runner);
}

static void traced_in_a_storm(void) {
    in_child(traced_in_child);
}

/* ------------------------------------------------------------------ the page where copies meet */

/* A page of the host's at the address that the library uses for itself (src/launch/dumpable.rs): not to be touched. */
static void foreign_page_in_child(void) {
#if defined(__x86_64__)
    void *place = (void *)0x2f5e50000000;
#else
    void *place = (void *)0x2f5e500000;
#endif
    void *page = mmap(place, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (!ok(page == place, "a page of the host's is there first"))
        return;
    runner_t *runner = exits("4");
    accepted(runner_set_credential(runner, 65534, 65534, NULL, 0));
    ok(exited(run(runner), 4), "a start with a credential");
    ok_int(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1, "the host is dumpable as before");
    ok_int(*(int *)page, 0, "the page is as it was");
    runner_free(runner);
}

static void foreign_page(void) {
    if (!is_root())
        SKIP("a credential needs root");
    in_child(foreign_page_in_child);
}

/* ------------------------------------------------------------------ a FIFO as the program */

static void fifo_in_child(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/fifo.%d", getpid());
    alarm(10);
    if (!ok_int(mkfifo(path, 0755), 0, "a FIFO"))
        return;
    int fd = open(path, O_PATH | O_CLOEXEC);
    unlink(path);
    runner_t *runner = exits("0");
    accepted(runner_set_exec_fd(runner, fd));
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, EACCES);
    runner_free(runner);
}

static void fifo_as_program(void) {
    in_child(fifo_in_child);
}

static const struct test tests[] = {
    {"a cancelled thread would end the host", cancelled},
    {"a host that answers clone3 by a SIGSYS handler would be killed", sigsys_handler},
    {"a signal to a traced child would hang its tracer", traced_in_a_storm},
    {"a page of the host's would be taken for the library's", foreign_page},
    {"a FIFO as the program would hang the host", fifo_as_program},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
