/* Every kind of watched run: each limit hit, killed, freed, handed to another thread. Include after starts.h. */

#ifndef RUNS_H
#define RUNS_H

/* ------------------------------------------------------------------ watched runs */

/* Generous: nothing of it is to be hit, on a loaded machine neither. */
static void limit_all(runner_t *runner) {
    runner_set_wall_limit(runner, UINT64_C(60000000000));
    runner_set_cpu_limit(runner, UINT64_C(10000000000));
    runner_set_memory_limit(runner, 64 << 20);
    runner_set_process_limit(runner, is_root() ? 16 : 10000); /* RLIMIT_NPROC counts all of the user's */
    runner_set_output_limit(runner, 4 << 20);
}

static void watched(struct worker *w) {
    runner_t *runner = load("exit", "3");
    limit_all(runner);
    watch_and_free(w, runner);
}

/* What goes in has to come out. */
static void echo(struct worker *w, size_t size) {
    const void *data = NULL;
    size_t length = 0;
    runner_result_t r = RUNNER_RESULT_INIT;
    runner_t *runner = load("cat", "say", "2", "done", "exit", "3");
    char *bytes = malloc(size + 1);
    memset(bytes, 'a' + (int)w->number % 26, size);
    limit_all(runner);
    runner_set_stdin_bytes(runner, bytes, size);
    runner_capture(runner, 1, size);
    runner_capture_head(runner, 2, 100);
    runner_process_t *process = runner_spawn(runner, &last_error);
    if (process == NULL) {
        refused(w, -last_error.err);
    } else if (runner_process_wait(process, -1, &r) == 1) {
        judged(w, &r);
        must(w, runner_process_output(process, 1, &data, &length) == 0 && length == size &&
                    memcmp(data, bytes, size) == 0, "its output");
        must(w, runner_process_output(process, 2, &data, &length) == 0 && strcmp(data, "done") == 0, "its errors");
    }
    runner_process_free(process);
    runner_free(runner);
    free(bytes);
}

static void input(struct worker *w) {
    echo(w, 1000);
}

static void large_input(struct worker *w) {
    echo(w, 1 << 20);
}

/* The host's own loop. */
static void stepped(struct worker *w) {
    runner_result_t r = RUNNER_RESULT_INIT;
    runner_t *runner = load("sleep", "2", "write", "1", "1000", "exit", "3");
    runner_capture(runner, 1, 1000);
    runner_set_wall_limit(runner, UINT64_C(60000000000));
    runner_process_t *process = runner_spawn(runner, &last_error);
    runner_free(runner);
    if (process == NULL) {
        refused(w, -last_error.err);
        return;
    }
    struct pollfd due = {.fd = runner_process_fd(process), .events = POLLIN};
    while (runner_process_step(process, &r) == 0)
        poll(&due, 1, -1);
    judged(w, &r);
    must(w, r.output_bytes == 1000, "the length of its output");
    runner_process_free(process);
}

static void wall_limit(struct worker *w) {
    runner_t *runner = load("bg", "pause", "end", "pause");
    runner_set_wall_limit(runner, 10 * MS);
    watch_and_free(w, runner);
}

static void cpu_limit(struct worker *w) {
    runner_t *runner = load("spin", "60000");
    runner_set_cpu_limit(runner, 20 * MS);
    runner_set_wall_limit(runner, UINT64_C(2000000000));
    watch_and_free(w, runner);
}

static void memory_limit(struct worker *w) {
    runner_t *runner = load("touch", "20", "pause"); /* without a cgroup it has to stay to be looked at */
    runner_set_memory_limit(runner, 8 << 20);
    watch_and_free(w, runner);
}

static void process_limit(struct worker *w) {
    runner_t *runner = load("forks", "20");
    runner_set_process_limit(runner, 6);
    watch_and_free(w, runner);
}

/* RLIMIT_NPROC is the limit and what the user has elsewhere as it begins: more than that ends meanwhile, but not so
 * many, if only one of these goes on at a time. Nobody counts what the kernel refuses. */
static void process_rlimit(struct worker *w) {
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    runner_t *runner = load("forks", "100");
    runner_set_process_limit(runner, 6);
    pthread_mutex_lock(&turn);
    watch_and_free(w, runner);
    pthread_mutex_unlock(&turn);
}

static void output_limit(struct worker *w) {
    runner_t *runner = load("write", "1", "100000000", "exit", "3");
    runner_capture(runner, 1, 1 << 20);
    runner_capture(runner, 2, 1 << 20);
    runner_set_output_limit(runner, 10000);
    watch_and_free(w, runner);
}

static void capture_limit(struct worker *w) {
    runner_t *runner = load("write", "1", "100000000", "exit", "3");
    runner_capture(runner, 1, 10000);
    watch_and_free(w, runner);
}

static void capture_head(struct worker *w) {
    runner_result_t r;
    runner_t *runner = load("write", "1", "200000", "exit", "3");
    runner_capture_head(runner, 1, 10000);
    watch(w, runner, &r);
    must(w, r.output_bytes == 10000 && r.output_cut == 1, "what is kept");
    runner_free(runner);
}

static void file_limit(struct worker *w) {
    runner_t *runner = load("file", w->file, "200000", "exit", "3");
    runner_set_output_limit(runner, 10000);
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    watch_and_free(w, runner);
}

static void forbidden(struct worker *w) {
    runner_t *runner = load("uname", "exit", "3");
    filtered(runner, SECCOMP_RET_KILL_PROCESS);
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    runner_set_wall_limit(runner, UINT64_C(60000000000));
    watch_and_free(w, runner);
}

static void crashed(struct worker *w) {
    runner_t *runner = load("raise", "11");
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    runner_set_wall_limit(runner, UINT64_C(60000000000));
    watch_and_free(w, runner);
}

static void watched_missing(struct worker *w) {
    runner_t *runner = runner_for((const char *const[]){"/no/such/program", NULL});
    limit_all(runner);
    runner_capture(runner, 1, 1000);
    runner_set_stdin_bytes(runner, "input", 5);
    watch_and_free(w, runner);
}

/* All of them would stay for a minute. */
static runner_process_t *spawn_tree(struct worker *w) {
    runner_t *runner = load("bg", "pause", "end", "daemon", "pause", "end", "say", "1", "up", "pause");
    runner_capture(runner, 1, 1000);
    runner_set_wall_limit(runner, UINT64_C(60000000000));
    runner_process_t *process = runner_spawn(runner, &last_error);
    if (process == NULL)
        refused(w, -last_error.err);
    runner_free(runner);
    return process;
}

/* Until its whole tree is there. */
static void await_tree(runner_process_t *process) {
    const void *data = NULL;
    size_t length = 0;
    while (runner_process_wait(process, 1 * MS, NULL) == 0 &&
           runner_process_output(process, 1, &data, &length) == 0 && length == 0)
        continue;
}

static void killed(struct worker *w) {
    runner_result_t r = RUNNER_RESULT_INIT;
    runner_process_t *process = spawn_tree(w);
    if (process == NULL)
        return;
    await_tree(process);
    int result = runner_process_kill(process);
    if (runner_process_wait(process, -1, &r) == 1)
        judged(w, &r);
    must(w, result == 0, "runner_process_kill");
    runner_process_free(process);
}

static void freed(struct worker *w) {
    runner_process_t *process = spawn_tree(w);
    if (process == NULL)
        return;
    await_tree(process);
    runner_process_free(process);
    outcome(w, "freed");
}

static void freed_at_once(struct worker *w) {
    runner_process_t *process = spawn_tree(w);
    if (process == NULL)
        return;
    runner_process_free(process);
    outcome(w, "freed");
}

/* What the first process leaves behind goes with it. */
static void orphans(struct worker *w) {
    runner_t *runner = load("bg", "pause", "end", "daemon", "pause", "end", "exit", "3");
    limit_all(runner);
    watch_and_free(w, runner);
}

/* As held_by_another(). */
static _Atomic(runner_process_t *) handed_process;

static void watched_by_another(struct worker *w) {
    runner_result_t r = RUNNER_RESULT_INIT;
    runner_t *runner = load("exit", "3");
    limit_all(runner);
    runner_process_t *process = runner_spawn(runner, &last_error);
    runner_free(runner);
    if (process == NULL) {
        refused(w, -last_error.err);
        return;
    }
    outcome(w, "handed on");
    if ((process = atomic_exchange(&handed_process, process)) == NULL)
        return;
    if (runner_process_wait(process, -1, &r) == 1)
        judged(w, &r);
    runner_process_free(process);
}

/* As a judge has it. */
static void judge(struct worker *w) {
    runner_t *runner = inside(CLONE_NEWIPC | CLONE_NEWUTS, "uname", "exit", "3");
    furnish(runner);
    limit_all(runner);
    runner_set_stdin_bytes(runner, "input", 5);
    runner_capture(runner, 1, 1000);
    runner_capture_head(runner, 2, 1000);
    runner_set_drop_caps(runner, true);
    filtered(runner, SECCOMP_RET_ERRNO | EXDEV);
    if (is_root())
        runner_set_credential(runner, 1000, 1000, NULL, 0);
    watch_and_free(w, runner);
}

#endif
