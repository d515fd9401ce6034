/* What the threads of the soak share, and how each says in words what came of a start. Include after poke.h and
 * run.h. */

#ifndef OUTCOMES_H
#define OUTCOMES_H

/* What all threads share, made before them and dropped after them. */
static struct {
    char dir[64], root[80];
    int program, null;
    struct cgroup group;
    bool grouped, proc;
    runner_t *shared;
    uint64_t namespaces;
} place;

/* A thread that starts. */
struct worker {
    size_t number;
    char file[96];    /* of its own */
    char outcome[96]; /* of its last start */
    char detail[512]; /* for a person */
};

/* ------------------------------------------------------------------ outcomes */

TAP_PRINTF(2, 3) static void outcome(struct worker *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(w->outcome, sizeof w->outcome, format, args);
    va_end(args);
}

/* "exec: ENOENT", "mount[1]: ENOENT". */
static void refused(struct worker *w, int result) {
    const char *name = strerrorname_np(last_error.err);
    if (result != -last_error.err || last_error.err == 0)
        outcome(w, "result %d, errno %d", result, last_error.err);
    else if (last_error.index < 0)
        outcome(w, "%s: %s", runner_stage_name(last_error.stage), name);
    else
        outcome(w, "%s[%d]: %s", runner_stage_name(last_error.stage), last_error.index, name);
    runner_error_format(&last_error, w->detail, sizeof w->detail);
}

static void ended(struct worker *w, int status) {
    if (WIFEXITED(status))
        outcome(w, "exit %d", WEXITSTATUS(status));
    else
        outcome(w, "signal %d", WTERMSIG(status));
}

/* Waits for the end of a pid of which only this thread knows. */
static void reap(struct worker *w, pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, __WALL) < 0)
        if (errno != EINTR) {
            outcome(w, "waitpid: %s", strerrorname_np(errno));
            return;
        }
    ended(w, status);
}

static void start_and_reap(struct worker *w, const runner_t *runner) {
    pid_t pid = start(runner);
    if (pid < 0)
        refused(w, pid);
    else
        reap(w, pid);
}

static void start_and_free(struct worker *w, runner_t *runner) {
    start_and_reap(w, runner);
    runner_free(runner);
}

/* "exit 3", "wall_limit by wall timer". */
static void judged(struct worker *w, const runner_result_t *r) {
    if (r->verdict == RUNNER_VERDICT_FINISHED && r->evidence == RUNNER_EVIDENCE_EXIT_CODE)
        outcome(w, "exit %d", r->exit_code);
    else
        outcome(w, "%s by %s", runner_verdict_name(r->verdict), runner_evidence_name(r->evidence));
    snprintf(w->detail, sizeof w->detail,
             "exit code %d, signal %d, wall %.1f ms, CPU %.1f ms, memory %llu, missing %#x %s", r->exit_code,
             r->signal, (double)r->wall_ns / 1e6, (double)r->cpu_ns / 1e6, (unsigned long long)r->memory_peak,
             r->missing, r->reason);
}

/* To its end, with the result in `r`. */
static void watch(struct worker *w, const runner_t *runner, runner_result_t *r) {
    *r = (runner_result_t)RUNNER_RESULT_INIT;
    int result = runner_run(runner, r, &last_error);
    if (result < 0)
        refused(w, result);
    else
        judged(w, r);
}

static void watch_and_free(struct worker *w, runner_t *runner) {
    runner_result_t r;
    watch(w, runner, &r);
    runner_free(runner);
}

static void must(struct worker *w, bool good, const char *what) {
    if (!good)
        outcome(w, "wrong: %s", what);
}

#endif
