/* Threads: any number of them start the same runner or their own, while others fork, open fds, allocate memory.
 * No start gets another's program, error or files, and after a thousand of them nothing is left. */

#define _GNU_SOURCE
#include "tap.h"

#include <locale.h>
#include <pthread.h>
#include <sys/prctl.h>

#define accepted(call) tap_ok((call) == 0, __FILE__, __LINE__, #call, "want 0")
#define STARTERS 6

static int agree(pid_t pid, void *ctx) {
    (void)pid;
    atomic_fetch_add((atomic_int *)ctx, 1);
    return 0;
}

/* Runs `fn` on STARTERS threads, each with its number, and waits for them. */
static void on_threads(void *(*fn)(void *)) {
    pthread_t threads[STARTERS];
    for (size_t i = 0; i < STARTERS; i++)
        ok_int(pthread_create(&threads[i], NULL, fn, (void *)i), 0, "a thread");
    for (size_t i = 0; i < STARTERS; i++)
        pthread_join(threads[i], NULL);
}

static const char *explained(const runner_t *runner, char *buf, size_t size) {
    ok(runner_explain(runner, buf, size) > 0, "it can be explained");
    return buf;
}

/* ------------------------------------------------------------------ noise */

static atomic_bool noise_stop;
static atomic_int noise_forks, noise_fds, noise_allocations;

/* Forks that live for a moment hold copies of every fd that is open meanwhile. */
static void *fork_noise(void *unused) {
    while (!atomic_load(&noise_stop)) {
        pid_t pid = fork();
        if (pid == 0) {
            usleep(3000);
            _exit(0);
        }
        if (pid > 0 && waitpid(pid, NULL, 0) == pid)
            atomic_fetch_add(&noise_forks, 1);
    }
    return unused;
}

static void *fd_noise(void *unused) {
    while (!atomic_load(&noise_stop)) {
        int fd = open("/dev/null", O_RDONLY); /* without close-on-exec */
        if (fd >= 0 && close(fd) == 0)
            atomic_fetch_add(&noise_fds, 1);
        usleep(20);
    }
    return unused;
}

/* Holds the locks of malloc and of the locale most of the time. */
static void *memory_noise(void *unused) {
    while (!atomic_load(&noise_stop)) {
        void *block = malloc((size_t)rand_r(&(unsigned){1}) % 100000 + 1);
        block = realloc(block, 300000);
        free(block);
        setlocale(LC_ALL, "C");
        if (atomic_fetch_add(&noise_allocations, 1) % 16 == 0)
            usleep(50);
    }
    return unused;
}

static pthread_t noise_threads[3];

static void start_noise(void) {
    void *(*const kinds[])(void *) = {fork_noise, fd_noise, memory_noise};
    atomic_store(&noise_stop, false);
    atomic_store(&noise_forks, 0);
    atomic_store(&noise_fds, 0);
    atomic_store(&noise_allocations, 0);
    for (size_t i = 0; i < COUNT(kinds); i++)
        ok_int(pthread_create(&noise_threads[i], NULL, kinds[i], NULL), 0, "a thread");
}

static void stop_noise(void) {
    atomic_store(&noise_stop, true);
    for (size_t i = 0; i < COUNT(noise_threads); i++)
        pthread_join(noise_threads[i], NULL);
    ok(atomic_load(&noise_forks) > 3 && atomic_load(&noise_fds) > 10 && atomic_load(&noise_allocations) > 10,
       "control: there was noise: %d forks, %d fds, %d allocations", atomic_load(&noise_forks),
       atomic_load(&noise_fds), atomic_load(&noise_allocations));
}

/* ------------------------------------------------------------------ one runner, many threads */

static const runner_t *shared_runner;
static atomic_int callbacks;

static void *start_shared(void *number) {
    for (int i = 0; i < 60; i++)
        if (!ok(exited(run(shared_runner), 42), "start %d of thread %zu", i, (size_t)number))
            break;
    return NULL;
}

static void check_shared(runner_t *runner) {
    static char before[1 << 14], after[1 << 14];
    shared_runner = runner;
    explained(runner, before, sizeof before);
    on_threads(start_shared);
    explained(runner, after, sizeof after);
    ok_str(after, before, "the starts did not change the runner");
    runner_free(runner);
}

static void same_runner(void) {
    check_shared(guest("exit", "42"));
}

/* An exec fd in the way of the table: the Go original wrote the moved fd into its options. */
static void same_runner_with_files(void) {
    int program = open(guest_path(), O_PATH | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int files[24];
    for (size_t i = 0; i < COUNT(files); i++)
        files[i] = i % 5 == 4 ? -1 : null;
    runner_t *runner = guest("exit", "42");
    accepted(runner_set_exec_fd(runner, program));
    accepted(runner_set_files(runner, files, COUNT(files)));
    check_shared(runner);
    close(program);
    close(null);
}

static void same_runner_with_callback(void) {
    runner_t *runner = guest("exit", "42");
    atomic_store(&callbacks, 0);
    accepted(runner_set_sync_func(runner, agree, &callbacks));
    check_shared(runner);
    ok_int(atomic_load(&callbacks), STARTERS * 60, "one callback a start");
}

static void same_runner_in_namespaces(void) {
    if (!is_root() && !have_userns())
        SKIP("no user namespaces here");
    runner_t *runner = runner_for((const char *const[]){"/guest", "exit", "42", NULL});
    accepted(runner_set_unshare_flags(runner, userns_if_needed() | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS));
    accepted(runner_set_hostname(runner, "guest"));
    accepted(runner_set_pivot_root(runner, root_point()));
    accepted(runner_add_bind(runner, guest_path(), "guest", RUNNER_BIND_RO));
    if (is_root())
        accepted(runner_set_credential(runner, 65534, 65534, NULL, 0));
    check_shared(runner);
}

/* ------------------------------------------------------------------ different runners at once */

/* Each thread has a program with an output, a umask and an exit code of its own. */
static void *start_own(void *number) {
    char word[32], code[16], mask[8], out[512];
    int id = (int)(size_t)number + 1;
    snprintf(word, sizeof word, "thread-%d", id);
    snprintf(code, sizeof code, "%d", id);
    snprintf(mask, sizeof mask, "%04o", (unsigned)id);
    runner_t *runner = guest("echo", word, "--", "misc", "--", "exit", code);
    accepted(runner_set_umask(runner, (uint32_t)id));
    for (int i = 0; i < 40; i++) {
        bool good = ok(exited(run_output(runner, out, sizeof out), id), "thread %d gets its exit code", id);
        good &= ok(strncmp(out, word, strlen(word)) == 0, "thread %d gets its output: %s", id, out);
        good &= ok_value(out, "umask", mask);
        if (!good)
            break;
    }
    runner_free(runner);
    return NULL;
}

static void different_runners(void) {
    on_threads(start_own);
}

/* Each thread fails in a way of its own, and gets its own error. */
static void *fail_own(void *number) {
    static const struct { uint32_t stage; int index, err; } wanted[STARTERS] = {
        {RUNNER_STAGE_EXEC, -1, ENOENT}, {RUNNER_STAGE_CHDIR, -1, ENOENT}, {RUNNER_STAGE_DUP, 1, EBADF},
        {RUNNER_STAGE_CTTY, -1, ENOTTY}, {RUNNER_STAGE_CHDIR, -1, ENOTDIR}, {RUNNER_STAGE_DUP, 0, EBADF},
    };
    size_t id = (size_t)number;
    runner_t *runner = guest("exit", "0");
    switch (id) {
    case 0: runner_set_args(runner, (const char *const[]){"/no/such/program", NULL}); break;
    case 1: runner_set_workdir(runner, "/no/such/place"); break;
    case 2: runner_set_files(runner, (const int[]){0, 3000}, 2); break;
    case 3: runner_set_ctty(runner, true); break;
    case 4: runner_set_workdir(runner, "/dev/null/x"); break;
    default: runner_set_files(runner, (const int[]){3001}, 1); break;
    }
    for (int i = 0; i < 100; i++) {
        if (i == 50)
            runner_set_sync_func(runner, agree, &callbacks);
        if (!ok_failed(run(runner), wanted[id].stage, wanted[id].index, wanted[id].err))
            break;
    }
    runner_free(runner);
    return NULL;
}

static void parallel_failures(void) {
    atomic_store(&callbacks, 0);
    on_threads(fail_own);
    /* Of all these only the missing program is found missing after the callback. */
    ok_int(atomic_load(&callbacks), 50, "callbacks");
    ok_int(waitpid(-1, NULL, WNOHANG | __WALL), -1, "no child is left");
}

/* ------------------------------------------------------------------ beside a busy host */

static void *start_amid_noise(void *number) {
    char out[1 << 14];
    runner_t *runner = guest("fds", "--", "signals");
    runner_t *bad = runner_for((const char *const[]){"/no/such/program", NULL});
    for (int i = 0; i < 30; i++) {
        runner_set_sync_func(runner, i % 2 == 0 ? NULL : agree, &callbacks);
        bool good = ok(exited(run_output(runner, out, sizeof out), 0), "thread %zu starts amid noise", (size_t)number);
        good &= ok_value(out, "fds", "0,1,2") && ok_value(out, "blocked", "0000000000000000");
        good &= ok_failed(run(bad), RUNNER_STAGE_EXEC, -1, ENOENT);
        if (!good)
            break;
    }
    runner_free(runner);
    runner_free(bad);
    return NULL;
}

static void amid_noise(void) {
    start_noise();
    on_threads(start_amid_noise);
    stop_noise();
}

/* The threads change and copy runners of their own from one that all read. */
static void *clone_and_change(void *number) {
    char code[16];
    snprintf(code, sizeof code, "%zu", (size_t)number);
    for (int i = 0; i < 40; i++) {
        runner_t *copy = runner_clone(shared_runner);
        accepted(runner_set_args(copy, (const char *const[]){guest_path(), "exit", code, NULL}));
        bool good = ok(exited(run(copy), (int)(size_t)number), "a copy starts its own program");
        runner_free(copy);
        if (!good || !ok(exited(run(shared_runner), 42), "and the original its own"))
            break;
    }
    return NULL;
}

static void copies_in_threads(void) {
    runner_t *runner = guest("exit", "42");
    shared_runner = runner;
    on_threads(clone_and_change);
    runner_free(runner);
}

/* ------------------------------------------------------------------ held starts */

static runner_held_t *handed[STARTERS];

static void *hold(void *number) {
    size_t id = (size_t)number;
    ok_int(runner_start_held(shared_runner, &handed[id], &last_error), 0, "held start %zu", id);
    return NULL;
}

/* Another thread than the one that started it. */
static void *let_go(void *number) {
    size_t id = (size_t)number;
    runner_held_t *held = handed[(id + 1) % STARTERS];
    if (held == NULL)
        return NULL;
    if (id % 3 == 2) {
        runner_held_abort(held);
        return NULL;
    }
    pid_t want = runner_held_pid(held), pid = runner_held_resume(held, &last_error);
    ok_int(pid, want, "the pid stays");
    ok(pid > 0 && exited(child_status(pid), 42), "it runs");
    return NULL;
}

static void held_across_threads(void) {
    runner_t *runner = guest("exit", "42");
    shared_runner = runner;
    for (int round = 0; round < 5; round++) {
        memset(handed, 0, sizeof handed);
        on_threads(hold);
        on_threads(let_go);
    }
    ok_int(waitpid(-1, NULL, WNOHANG | __WALL), -1, "no child is left");
    runner_free(runner);
}

/* ------------------------------------------------------------------ a thousand */

static void *many_of_every_kind(void *number) {
    runner_t *good = guest("exit", "42"), *bad = runner_for((const char *const[]){"/no/such/program", NULL});
    for (int i = 0; i < 1000 / STARTERS / 2; i++) {
        runner_set_sync_func(good, i % 3 == 0 ? agree : NULL, &callbacks);
        runner_set_sync_func(bad, i % 2 == 0 ? agree : NULL, &callbacks);
        if (!ok(exited(run(good), 42), "start %d of thread %zu", i, (size_t)number) ||
            !ok_failed(run(bad), RUNNER_STAGE_EXEC, -1, ENOENT))
            break;
        int pidfd = -1;
        pid_t pid = -1;
        if (i % 4 == 0 && ok_int(runner_start_pidfd(good, &pid, &pidfd, &last_error), 0, "with a pidfd")) {
            child_status(pid);
            close(pidfd);
        }
        runner_held_t *held = NULL;
        if (i % 8 == 0 && ok_int(runner_start_held(good, &held, &last_error), 0, "held"))
            runner_held_abort(held);
    }
    runner_free(good);
    runner_free(bad);
    return NULL;
}

/* The pages of this process, without what it shares. */
static long private_pages(void) {
    char text[256];
    long size = 0, resident = 0, shared = 0;
    read_file("/proc/self/statm", text, sizeof text);
    return sscanf(text, "%ld %ld %ld", &size, &resident, &shared) == 3 ? resident - shared : -1;
}

static void a_thousand_starts(void) {
    struct counts before = counts_now();
    int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), zombies = -1;
    on_threads(many_of_every_kind);
    ok_nothing_left(before);
    count_children(&zombies);
    ok_int(zombies, 0, "zombies");
    long after_first = private_pages();
    on_threads(many_of_every_kind);
    ok_nothing_left(before);
    long after_second = private_pages();
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed for a while */
    ok(after_second - after_first < 1024, "memory does not grow: %ld -> %ld pages", after_first, after_second);
#else
    (void)after_first;
    (void)after_second;
#endif
    ok_int(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), dumpable, "the host's dumpable flag");
}

static const struct test tests[] = {
    {"threads that start one runner would disturb each other", same_runner},
    {"a start would write the moved exec fd into the shared runner", same_runner_with_files},
    {"threads would share a callback's state", same_runner_with_callback},
    {"threads that start one runner in namespaces would disturb each other", same_runner_in_namespaces},
    {"a thread would get another's program, output or settings", different_runners},
    {"a thread would get another's error, or a failure leave something", parallel_failures},
    {"forks, fds or locks of other threads would hang a start or leak into it", amid_noise},
    {"copies made by many threads would share state", copies_in_threads},
    {"a held start could not be ended by another thread", held_across_threads},
    {"a thousand starts would leave fds, threads, children or memory", a_thousand_starts},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
