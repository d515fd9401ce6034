/* The cases of go-sandbox's own tests that no other file has: docs/conformance.md lists all of them. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include "root.h"
#include "run.h"

/* ------------------------------------------------------------------ forkexec */

/* Whether this kernel refuses to execute what is open for writing: 6.11 did not. */
static bool refuses_busy(const char *path, int fd) {
    pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_execveat, fd, "", (char *[]){(char *)path, "exit 0", NULL}, (char *[]){NULL}, AT_EMPTY_PATH);
        _exit(errno == ETXTBSY ? 99 : 1);
    }
    return exited(child_status(pid), 99);
}

/* A copy of a program, executed by an fd that can write to it, and by its path once that is closed. */
static void busy_by_fd(void) {
    char path[96];
    snprintf(path, sizeof path, "%s/copy", scratch_dir());
    ok(copy_file(poke_path(), path, 0755), "a copy");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    runner_t *runner = runner_for((const char *const[]){path, "exit 4", NULL});
    if (refuses_busy(path, fd)) {
        runner_set_exec_fd(runner, fd);
        ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, ETXTBSY);
        runner_set_exec_fd(runner, -1);
    }
    close(fd);
    ok(exited(run(runner), 4), "the copy is executed");
    runner_free(runner);
    *strrchr(path, '/') = '\0';
    remove_dir(path);
}

/* ------------------------------------------------------------------ container */

static int agrees(pid_t pid, void *ctx) {
    (void)pid, (void)ctx;
    return 0;
}

static int refuses(pid_t pid, void *ctx) {
    (void)pid, (void)ctx;
    return EIO;
}

/* Each of the runs is followed by a good one of the same runner. */
static void runs_of_one_runner(void) {
    static const struct {
        const char *what, *program;
        int (*sync)(pid_t pid, void *ctx);
        uint32_t verdict, stage;
    } rows[] = {
        {"success", "/poke", NULL, RUNNER_VERDICT_FINISHED, RUNNER_STAGE_NONE},
        {"success with a callback", "/poke", agrees, RUNNER_VERDICT_FINISHED, RUNNER_STAGE_NONE},
        {"no such program", "not_exists", NULL, RUNNER_VERDICT_LAUNCH_ERROR, RUNNER_STAGE_EXEC},
        {"no such program with a callback", "not_exists", agrees, RUNNER_VERDICT_LAUNCH_ERROR, RUNNER_STAGE_EXEC},
        {"a callback that refuses", "/poke", refuses, RUNNER_VERDICT_LAUNCH_ERROR, RUNNER_STAGE_SYNC},
    };
    runner_t *runner = rooted(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
    if (!have_userns()) {
        runner_free(runner);
        SKIP("no user namespaces that give capabilities");
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        runner_result_t result = RUNNER_RESULT_INIT;
        set_pokes(runner, rows[i].program, &(struct poke){"exit 0", NULL}, 1);
        runner_set_sync_func(runner, rows[i].sync, NULL);
        runner_run(runner, &result, &last_error);
        ok_int(result.verdict, rows[i].verdict, "%s", rows[i].what);
        ok_int(last_error.stage, rows[i].stage, "%s: the stage", rows[i].what);
        set_pokes(runner, "/poke", &(struct poke){"exit 0", NULL}, 1);
        runner_set_sync_func(runner, NULL, NULL);
        ok(exited(run(runner), 0), "a good one after it");
    }
    runner_free(runner);
}

/* ------------------------------------------------------------------ cgroup, pipe, memfd */

/* One CPU, 4 KiB and one process are set, and the figures are there. The program dies of the memory. */
static void smallest_limits(void) {
    uint32_t cpu = 0;
    runner_result_t result = RUNNER_RESULT_INIT;
    if (!can_have("memory") || !can_have("pids"))
        SKIP("no memory and pids cgroups for this user");
    runner_t *runner = load("exit", "0");
    runner_set_cpu_affinity(runner, &cpu, 1);
    runner_set_memory_limit(runner, 4096);
    runner_set_process_limit(runner, 1);
    runner_run(runner, &result, &last_error);
    ok(result.verdict == RUNNER_VERDICT_LAUNCH_ERROR || result.verdict == RUNNER_VERDICT_MEMORY_LIMIT,
       "4 KiB are too few: %s", runner_verdict_name(result.verdict));
    runner_set_memory_limit(runner, 16 * MIB);
    result = run_result(runner);
    ok_ended(&result, FINISHED, EXIT_CODE, "16 MiB are not");
    ok(result.cpu_ns > 0 && result.memory_peak > 0 && result.processes_peak <= 1, "and there are figures");
    runner_free(runner);
    ok_all_gone();
}

/* What is kept of an output: never more than was asked for, and whether there was more is told apart. */
static void kept_output(void) {
    static const struct {
        uint64_t limit;
        const char *output, *kept;
        uint32_t cut;
    } rows[] = {{10, "hello", "hello\n", 0},
                {6, "hello", "hello\n", 0},
                {5, "toolonginput", "toolo", 1},
                {0, "x", "", 1}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char op[64];
        const void *data = NULL;
        size_t len = 0;
        runner_result_t result = RUNNER_RESULT_INIT;
        snprintf(op, sizeof op, "echo %s", rows[i].output);
        runner_t *runner = poke(op);
        runner_capture_head(runner, 1, rows[i].limit);
        runner_process_t *process = runner_spawn(runner, &last_error);
        ok_int(runner_process_wait(process, -1, &result), 1, "it ends");
        ok_int(runner_process_output(process, 1, &data, &len), 0, "what was kept");
        ok_str(data, rows[i].kept, "of %s", rows[i].output);
        ok_int(len, strlen(rows[i].kept), "its length");
        ok_int(result.output_cut, rows[i].cut, "whether there was more");
        runner_process_free(process);
        runner_free(runner);
    }
}

static const struct test tests[] = {
    {"a program by an fd that can write to it is busy; once that is closed it is executed", busy_by_fd},
    {"a run, good or bad, is followed by a good one of the same runner", runs_of_one_runner},
    {"a run on one CPU with limits of a page and a process", smallest_limits},
    {"as many bytes of an output are kept as were asked for", kept_output},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
