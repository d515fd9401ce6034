/* Attacks on the end of a run: programs that outlive their host, hold its pipes, stop themselves, or run away from
 * who kills them. */

#define _GNU_SOURCE
#include "tap.h"

#include "attack.h"
#include "filters.h"
#include "run.h"
#include <sys/prctl.h>

/* How long a program goes on that nobody ends, and what is much less. */
enum { GOES_ON = 1500, SOON = 500 };

/* prctl(PR_SET_PDEATHSIG) refused. */
static void refuse_death_signal(runner_t *runner) {
    const struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_PDEATHSIG, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    ok_int(runner_set_seccomp(runner, code, COUNT(code)), 0, "a filter");
}

/* A host that starts it, and dies when the program has said that it goes. Whether anything of it lives on. */
static bool outlives(runner_t *runner, const char *attack) {
    struct lifeline line = lifeline(runner);
    set_pokes(runner, hostile_path(), &(struct poke){attack, NULL}, 1);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int ends[2] = {-1, -1};
        char said[4];
        ok(pipe2(ends, O_CLOEXEC) == 0, "a pipe");
        runner_set_files(runner, (int[]){line.null, ends[1], ends[1], line.write}, 4);
        ok(start(runner) > 0, "\"%s\" starts", attack);
        close(ends[1]);
        ok(read(ends[0], said, sizeof said) > 0, "\"%s\" goes", attack);
        kill(getpid(), SIGKILL);
    }
    lifeline_given(&line);
    ok(killed_by(child_status(pid), SIGKILL), "the host dies");
    bool lives = !is_over(&line, SOON);
    ok(is_over(&line, 10 * GOES_ON), "it is over in the end");
    close(line.read);
    runner_free(runner);
    return lives;
}

static runner_t *with_death_signal(uint64_t flags) {
    runner_t *runner = hostile();
    runner_set_death_signal(runner, SIGKILL);
    runner_set_unshare_flags(runner, flags ? flags | userns_if_needed() : 0);
    return runner;
}

static void host_dies(void) {
    ok(outlives(hostile(), op("leave-child %d", GOES_ON)), "control: nothing is asked for");
    ok(!outlives(with_death_signal(0), op("stay %d", GOES_ON)), "the signal ends who lets it");
    ok(outlives(with_death_signal(0), op("leave-child %d", GOES_ON)), "the signal is the first process's alone");
    ok(outlives(with_death_signal(0), op("outlive %d", GOES_ON)), "and it can be taken back");
    if (!is_root() && !have_userns())
        SKIP("no pid namespaces for this user");
    ok(outlives(with_death_signal(CLONE_NEWPID), op("outlive %d", GOES_ON)), "in a pid namespace too");
    runner_t *runner = with_death_signal(CLONE_NEWPID);
    refuse_death_signal(runner);
    ok(!outlives(runner, op("outlive %d", GOES_ON)), "with a pid namespace, and a filter that keeps the signal");
}

/* Who reads a pipe to its end waits for all that have it. */
static void held_pipe(void) {
    const char *attack = op("leave-child %d", GOES_ON);
    int ends[2];
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe");
    runner_t *runner = runner_for((const char *const[]){hostile_path(), attack, NULL});
    runner_set_files(runner, (int[]){ends[1], ends[1], ends[1]}, 3);
    ok(exited(run(runner), 0), "the program ends");
    close(ends[1]);
    struct lifeline line = {.read = ends[0]};
    ok(!is_over(&line, SOON), "control: the pipe does not, and who reads it waits");
    ok(is_over(&line, 10 * GOES_ON), "it is over in the end");
    close(ends[0]);
    runner_clear_limits(runner);
    runner_set_unshare_flags(runner, have_userns() || is_root() ? CLONE_NEWPID | userns_if_needed() : 0);
    runner_capture(runner, 1, 1000);
    int64_t begin = now_ms();
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "a watched run");
    ok(now_ms() - begin < SOON, "and it is over");
    runner_free(runner);
}

static void stopped(void) {
    runner_t *runner = runner_for((const char *const[]){hostile_path(), op("stop %d", GOES_ON), NULL});
    int64_t begin = now_ms();
    runner_result_t r = run_result(runner);
    ok(now_ms() - begin > SOON, "control: nobody ends it");
    ok_ended(&r, SIGNALLED, SIGNAL, "control: but its own child");
    runner_set_wall_limit(runner, 100 * MS);
    begin = now_ms();
    r = run_result(runner);
    ok_ended(&r, WALL_LIMIT, WALL_TIMER, "with a wall limit");
    ok(now_ms() - begin < SOON, "it is over");
    runner_free(runner);
}

static runner_t *runaway(struct lifeline *line, uint64_t flags) {
    runner_t *runner = runner_for((const char *const[]){hostile_path(), op("run-away %d", GOES_ON), NULL});
    runner_set_unshare_flags(runner, flags ? flags | userns_if_needed() : 0);
    *line = lifeline(runner);
    return runner;
}

/* Who kills the pid that he knows, or its group, kills somebody who is gone. */
static void racing(void) {
    struct lifeline line;
    runner_t *runner = runaway(&line, 0);
    pid_t pid = start(runner);
    lifeline_given(&line);
    sleep_ms(50);
    kill(-pid, SIGKILL);
    end_of(pid);
    ok(!is_over(&line, SOON), "control: it runs on");
    ok(is_over(&line, 10 * GOES_ON), "it is over in the end");
    close(line.read);
    runner_free(runner);
    if (!is_root() && !have_userns())
        SKIP("no pid namespaces for this user");
    runner = runaway(&line, CLONE_NEWPID);
    int64_t begin = now_ms();
    pid = start(runner);
    lifeline_given(&line);
    ok(end_of(pid) >= 0 && is_over(&line, SOON), "with a pid namespace one kill ends all");
    ok(now_ms() - begin < SOON, "soon");
    close(line.read);
    runner_free(runner);
}

static void racing_a_run(void) {
    if (missing_here() & RUNNER_MISSING_TREE)
        SKIP("no cgroup holds the run together here");
    struct lifeline line;
    runner_t *runner = runaway(&line, 0);
    runner_process_t *process = spawn(runner);
    lifeline_given(&line);
    sleep_ms(50);
    runner_process_free(process);
    ok(is_over(&line, 0), "a watched run in a cgroup: over when it is freed");
    close(line.read);
    runner_free(runner);
    ok_all_gone();
}

static const struct test tests[] = {
    {"outliving a host that dies: neither by default nor with a death signal, which can be taken back; with one and a "
     "pid namespace and a filter", host_dies},
    {"a pipe held open after the end: not by default; with a watched run", held_pipe},
    {"stopping itself: not by default; with a wall limit", stopped},
    {"running away from a killer: not by default; with a pid namespace", racing},
    {"running away from a killer: with a watched run in a cgroup", racing_a_run},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
