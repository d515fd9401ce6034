/* Watched runs: nothing survives one. Daemons, orphans, sessions, threads, stopped processes, fork bombs, whatever the
 * program has made of itself, are gone when the run has finished, however it ended: with cgroups, and where none
 * are to be seen. */

#define _GNU_SOURCE
#include "tap.h"

#include "run.h"
#include <sys/prctl.h>

/* ------------------------------------------------------------------ what a program can leave */

/* Each begins by making something that lasts a minute, and says "x" on its fd 1 when it is there. */
static const struct tree {
    const char *name;
    const char *args[24];
} trees[] = {
    {"a child", {"bg", "pause", "end", NULL}},
    {"an orphan", {"orphan", "pause", "end", NULL}},
    {"a daemon", {"daemon", "pause", "end", NULL}},
    {"a daemon of a daemon", {"daemon", "daemon", "pause", "end", "pause", "end", NULL}},
    {"a daemon without fds", {"daemon", "close-all", "pause", "end", NULL}},
    {"a daemon that ignores signals", {"daemon", "ignore", "pause", "end", NULL}},
    {"a daemon that has stopped", {"daemon", "raise", "19", "pause", "end", "sleep", "20", NULL}},
    {"a daemon without its first thread", {"daemon", "leave-leader", "pause", "end", "sleep", "20", NULL}},
    {"a daemon that spins", {"daemon", "spin", "60000", "end", NULL}},
    {"many children", {"forks", "30", NULL}},
    {"a daemon with many threads and children", {"daemon", "threads", "10", "forks", "10", "pause", "end", NULL}},
    {"threads", {"threads", "10", NULL}},
    {"itself without its first thread", {"bg", "leave-leader", "pause", "end", "sleep", "20", NULL}},
    {"a name with a bracket", {"name", ") Z 1 (", "daemon", "pause", "end", NULL}},
};

/* What it does then. */
static runner_t *tree_runner(const struct tree *tree, const char *then, const char *arg) {
    const char *argv[32] = {load_path(), load_tag()};
    size_t n = 2;
    for (size_t i = 0; tree->args[i] != NULL; i++)
        argv[n++] = tree->args[i];
    argv[n++] = "say", argv[n++] = "1", argv[n++] = "x";
    argv[n++] = then, argv[n++] = arg;
    runner_t *runner = runner_for(argv);
    runner_capture(runner, 1, 10);
    return runner;
}

/* Until it has said so. */
static void tree_grown(runner_process_t *process, const char *name) {
    const void *data;
    size_t length = 0;
    for (int64_t end = now_ms() + PATIENCE; length == 0 && now_ms() < end;) {
        runner_process_step(process, NULL);
        runner_process_output(process, 1, &data, &length);
        usleep(200);
    }
    ok(length == 1, "%s is there", name);
}

/* Nothing of it lives. Now: not soon. */
static void ok_over(const struct lifeline *line, const char *name, const char *how) {
    ok(is_over(line, 0), "%s, %s: the lifeline is cut", name, how);
    int left = survivors();
    if (!ok(left == 0, "%s, %s: %d processes live on", name, how, left))
        clear_away();
}

/* ------------------------------------------------------------------ how a run can end */

static void by_itself(const struct tree *tree, runner_t *runner, const char *how) {
    struct lifeline line = lifeline(runner);
    runner_process_t *process = spawn(runner);
    lifeline_given(&line);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "%s, %s", tree->name, how);
    ok_int(r.exit_code, 7, "%s, %s: its exit code", tree->name, how);
    ok_over(&line, tree->name, how);
    runner_process_free(process);
    close(line.read);
}

static void by_kill(const struct tree *tree, runner_t *runner, const char *how) {
    struct lifeline line = lifeline(runner);
    runner_process_t *process = spawn(runner);
    lifeline_given(&line);
    tree_grown(process, tree->name);
    int64_t begin = now_ms();
    ok_int(runner_process_kill(process), 0, "kill");
    runner_result_t r = end_of_run(process);
    ok(now_ms() - begin < at_most(1000), "%s, %s: within a second", tree->name, how);
    ok_ended(&r, KILLED, CALLER, "%s, %s", tree->name, how);
    ok_over(&line, tree->name, how);
    runner_process_free(process);
    close(line.read);
}

static void by_limit(const struct tree *tree, runner_t *runner, const char *how) {
    struct lifeline line = lifeline(runner);
    runner_set_wall_limit(runner, 60 * MS);
    runner_result_t r = run_result(runner);
    lifeline_given(&line);
    ok_ended(&r, WALL_LIMIT, WALL_TIMER, "%s, %s", tree->name, how);
    ok_over(&line, tree->name, how);
    close(line.read);
}

static void by_free(const struct tree *tree, runner_t *runner, const char *how) {
    struct lifeline line = lifeline(runner);
    runner_process_t *process = spawn(runner);
    lifeline_given(&line);
    tree_grown(process, tree->name);
    ok(!is_over(&line, 0), "control: the lifeline holds as long as something lives");
    int64_t begin = now_ms();
    runner_process_free(process);
    ok(now_ms() - begin < at_most(1000), "%s, %s: within a second", tree->name, how);
    ok_over(&line, tree->name, how);
    close(line.read);
}

static const struct {
    const char *name, *then, *arg;
    void (*run)(const struct tree *tree, runner_t *runner, const char *how);
} ends[] = {
    {"it exits", "exit", "7", by_itself},
    {"it is killed", "sleep", "60000", by_kill},
    {"its time is over", "sleep", "60000", by_limit},
    {"it is freed", "sleep", "60000", by_free},
};

static void every_tree(const char *where, uint64_t flags) {
    for (size_t t = 0; t < COUNT(trees); t++)
        for (size_t e = 0; e < COUNT(ends); e++) {
            char how[100];
            snprintf(how, sizeof how, "%s%s", ends[e].name, where);
            runner_t *runner = tree_runner(&trees[t], ends[e].then, ends[e].arg);
            runner_set_unshare_flags(runner, flags);
            ends[e].run(&trees[t], runner, how);
            runner_free(runner);
        }
    ok_all_gone();
}

static void nothing_survives(void) {
    every_tree("", 0);
}

static void nothing_survives_in_namespace(void) {
    if (!is_root() && !have_userns())
        SKIP("no pid namespaces here");
    every_tree(", in a pid namespace", CLONE_NEWPID | userns_if_needed());
}

static void hidden_checks(void) {
    runner_t *runner = load("exit", "0");
    runner_result_t r = run_result(runner);
    ok(r.missing & RUNNER_MISSING_TREE, "the result says that nothing holds the tree together: %#x", r.missing);
    ok(r.reason[0] != '\0', "and why");
    runner_free(runner);
    every_tree(", without cgroups", 0);
}

static void nothing_survives_without_cgroups(void) {
    if (!can_hide_cgroups())
        SKIP("cgroups cannot be hidden here");
    in_hidden_child(hidden_checks);
    ok_all_gone();
}

/* Another user's processes, which a host that is root can kill, and one that is not could not have started. */
static void other_user_checks(void) {
    runner_t *runner = tree_runner(&trees[2], "exit", "7");
    runner_set_credential(runner, 12345, 12345, NULL, 0);
    runner_set_drop_caps(runner, true);
    by_itself(&trees[2], runner, "of another user, without cgroups");
    runner_free(runner);
}

static void other_user(void) {
    if (!is_root() || !can_hide_cgroups())
        SKIP("needs root and cgroups that can be hidden");
    in_hidden_child(other_user_checks);
    ok_all_gone();
}

/* That the tests would see it: an ordinary start leaves its daemon behind. */
static void control(void) {
    runner_t *runner = load("daemon", "pause", "end", "exit", "7");
    struct lifeline line = lifeline(runner);
    pid_t pid = start(runner);
    lifeline_given(&line);
    ok(exited(child_status(pid), 7), "the program has ended");
    ok(!is_over(&line, 50), "the lifeline holds");
    ok_int(survivors(), 1, "the daemon is seen");
    signal_survivors(SIGKILL);
    ok(is_over(&line, PATIENCE), "the lifeline is cut");
    close(line.read);
    runner_free(runner);
    ok_all_gone();
}

/* A host whose own hard limit stands in the way of the mark by which processes without a cgroup are known. */
static void marked_host_checks(void) {
    struct rlimit limit = {1000, 1000};
    ok_int(setrlimit(RLIMIT_LOCKS, &limit), 0, "the host has a limit of its own");
    for (size_t e = 0; e < COUNT(ends); e++) {
        runner_t *runner = tree_runner(&trees[2], ends[e].then, ends[e].arg);
        ends[e].run(&trees[2], runner, "from a host with a hard RLIMIT_LOCKS");
        runner_free(runner);
    }
    ok(true, "the host lives");
}

static void marked_host(void) {
    if (!can_hide_cgroups())
        SKIP("cgroups cannot be hidden here");
    in_hidden_child(marked_host_checks);
    ok_all_gone();
}

/* ------------------------------------------------------------------ runs in runs */

/* A host that is itself a program of a watched run: one watched run, whose verdict is its exit code. */
static int inner_host(int argc, char **argv) {
    runner_result_t r = RUNNER_RESULT_INIT;
    bool endless = argc > 2 && strcmp(argv[2], "endless") == 0;
    const char *args[] = {load_path(), argv[1], "daemon", "pause", "end", "say", "1", "x", "sleep",
                          endless ? "60000" : "20", NULL};
    runner_t *runner = runner_for(args);
    int one = dup(1);
    runner_set_files(runner, (int[]){-1, one}, 2);
    runner_set_wall_limit(runner, 30000 * MS);
    int code = runner_run(runner, &r, NULL);
    runner_free(runner);
    return code != 0 ? 100 : (int)r.verdict;
}

static void inner_run_finishes(void) {
    runner_t *runner = self_guest("inner", load_tag(), "short");
    struct lifeline line = lifeline(runner);
    runner_capture(runner, 1, 100);
    runner_process_t *process = spawn(runner);
    lifeline_given(&line);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "a host in a run");
    ok_int(r.exit_code, RUNNER_VERDICT_FINISHED, "its own run has finished");
    ok_over(&line, "a run in a run", "it exits");
    runner_process_free(process);
    runner_free(runner);
    close(line.read);
    ok_all_gone();
}

static void inner_run_is_killed(uint64_t flags) {
    runner_t *runner = self_guest("inner", load_tag(), "endless");
    struct lifeline line = lifeline(runner);
    runner_set_unshare_flags(runner, flags);
    runner_capture(runner, 1, 100);
    runner_process_t *process = spawn(runner);
    lifeline_given(&line);
    tree_grown(process, "a run in a run");
    runner_process_kill(process);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, KILLED, CALLER, "a host in a run is killed");
    ok_over(&line, "a run in a run", "it is killed");
    runner_process_free(process);
    runner_free(runner);
    close(line.read);
    ok_all_gone();
}

/* The inner run is in a group beneath the outer run's, and goes with it. */
static void run_in_a_run(void) {
    inner_run_finishes();
    if (missing_here() & RUNNER_MISSING_TREE)
        SKIP("without a cgroup the outer run knows its own by a limit, which the inner one lowers");
    char v1[1024];
    if (!is_root() && !find_mount("memory", v1, sizeof v1))
        SKIP("a subtree that is delegated to the user is the program's too: its runs are beside the outer one's");
    inner_run_is_killed(0);
}

static void run_in_a_namespaced_run(void) {
    if (!is_root() && !have_userns())
        SKIP("no pid namespaces here");
    inner_run_is_killed(CLONE_NEWPID | userns_if_needed());
}

static void hidden_inner_checks(void) {
    inner_run_finishes();
    inner_run_is_killed(CLONE_NEWPID);
}

static void run_in_a_run_without_cgroups(void) {
#ifdef __SANITIZE_ADDRESS__
    SKIP("the inner host, this program with AddressSanitizer, now and then aborts within 3 ms: not understood");
#endif
    if (!can_hide_cgroups())
        SKIP("cgroups cannot be hidden here");
    in_hidden_child(hidden_inner_checks);
    ok_all_gone();
}

/* ------------------------------------------------------------------ fork bombs */

static void bomb_with(const char *op, const char *where) {
    for (int way = 0; way < 3; way++) {
        runner_t *runner = load("daemon", op, "end", "say", "1", "x", "pause");
        struct lifeline line = lifeline(runner);
        runner_capture(runner, 1, 10);
        runner_set_process_limit(runner, 40);
        if (way == 2)
            runner_set_wall_limit(runner, 300 * MS);
        runner_process_t *process = spawn(runner);
        lifeline_given(&line);
        if (way < 2) {
            tree_grown(process, op);
            int64_t until = now_ms() + 150;
            while (now_ms() < until)
                runner_process_wait(process, 5 * MS, NULL);
        }
        int64_t begin = now_ms();
        if (way == 0) {
            runner_process_kill(process);
            end_of_run(process);
        }
        if (way == 2)
            end_of_run(process);
        if (way == 1)
            runner_process_free(process);
        int64_t took = now_ms() - begin - (way == 2 ? 300 : 0);
        /* Without cgroups they are looked for in /proc, again and again, which an emulated machine is very slow at. */
        int64_t most = at_most(*where && slowness() > 1 ? 4000 : 1000);
        ok(took < most, "%s, way %d%s: dead within a second: %lld ms", op, way, where, (long long)took);
        ok_over(&line, op, where);
        if (way != 1)
            runner_process_free(process);
        runner_free(runner);
        close(line.read);
    }
    ok_all_gone();
}

static void bombs(void) {
    if (missing_here() & RUNNER_MISSING_PROCESSES && is_root())
        SKIP("nothing would limit it");
    bomb_with("bomb", "");
    bomb_with("run-away", "");
}

static void bombs_in_namespace(void) {
    if ((missing_here() & RUNNER_MISSING_PROCESSES) && is_root())
        SKIP("nothing would limit it");
    if (!is_root() && !have_userns())
        SKIP("no pid namespaces here");
    runner_t *runner = load("say", "1", "x", "bomb");
    struct lifeline line = lifeline(runner);
    runner_set_unshare_flags(runner, CLONE_NEWPID | userns_if_needed());
    runner_capture(runner, 1, 10);
    runner_set_process_limit(runner, 40);
    runner_process_t *process = spawn(runner);
    lifeline_given(&line);
    tree_grown(process, "a bomb");
    sleep_ms(100);
    int64_t begin = now_ms();
    runner_process_free(process);
    ok(now_ms() - begin < at_most(1000), "dead within a second");
    ok_over(&line, "a bomb", "in a pid namespace");
    runner_free(runner);
    close(line.read);
    ok_all_gone();
}

/* Without a cgroup a process has to be caught before it has made the next one. RLIMIT_NPROC of a user that nobody else
 * is; root is not bound by it. */
static void hidden_bomb_checks(void) {
    become_user(1000000 + (uid_t)getpid());
    bomb_with("bomb", ", without cgroups");
}

static void hidden_chain_checks(void) {
    become_user(1000000 + (uid_t)getpid());
    bomb_with("run-away", ", without cgroups");
}

static void bombs_without_cgroups(void) {
    if (!can_hide_cgroups())
        SKIP("cgroups cannot be hidden here");
    in_hidden_child(hidden_bomb_checks);
    ok_all_gone();
    in_hidden_child(hidden_chain_checks);
    ok_all_gone();
}

/* ------------------------------------------------------------------ groups that the program has made itself */

/* Processes in groups beneath the run's own, several levels down. */
static void nested_groups(void) {
    static const char *const hierarchies[] = {"", "memory", "pids"};
    char path[GROUP_PATH], point[1024];
    for (size_t h = 0; h < COUNT(hierarchies); h++) {
        runner_t *runner = load("daemon", "pause", "end", "say", "1", "x", "pause");
        struct lifeline line = lifeline(runner);
        runner_capture(runner, 1, 10);
        runner_process_t *process = spawn(runner);
        lifeline_given(&line);
        tree_grown(process, "a daemon");
        bool own = find_mount(hierarchies[h], point, sizeof point) &&
                   strcmp(group_of(runner_process_pid(process), hierarchies[h]), group_of(getpid(), hierarchies[h]));
        if (own && group_dir(runner_process_pid(process), hierarchies[h], path) && is_writable(path)) {
            char deep[GROUP_PATH + 32], text[32];
            snprintf(deep, sizeof deep, "%s/a", path);
            ok_int(mkdir(deep, 0755), 0, "a group in the run's group");
            snprintf(deep, sizeof deep, "%s/a/b", path);
            ok_int(mkdir(deep, 0755), 0, "a group in that");
            snprintf(deep, sizeof deep, "%s/c", path);
            ok_int(mkdir(deep, 0755), 0, "a group beside it");
            snprintf(deep, sizeof deep, "%s/a/b", path);
            snprintf(text, sizeof text, "%d", runner_process_pid(process));
            ok(write_knob(deep, "cgroup.procs", text), "the program moves there");
        }
        runner_process_kill(process);
        runner_result_t r = end_of_run(process);
        ok_ended(&r, KILLED, CALLER, "\"%s\"", hierarchies[h]);
        ok_over(&line, "a tree of groups", hierarchies[h]);
        runner_process_free(process);
        ok_all_gone();
        runner_free(runner);
        close(line.read);
    }
}

/* ------------------------------------------------------------------ a reaper */

/* A host that adopts orphans: they are dead all the same, and its to reap. */
static void subreaper_checks(void) {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    for (size_t t = 1; t < 4; t++) {
        runner_t *runner = tree_runner(&trees[t], "exit", "7");
        by_itself(&trees[t], runner, "the host adopts orphans");
        runner_free(runner);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    int zombies = 0;
    ok_int(count_children(&zombies), 0, "all are dead");
}

static void subreaper(void) {
    in_child(subreaper_checks);
    if (can_hide_cgroups())
        in_hidden_child(subreaper_checks);
    ok_all_gone();
}

/* ------------------------------------------------------------------ no fds to kill with */

/* Not one fd is to be had, but for those that the handle gives up itself. */
static void one_fd(const struct tree *tree, const char *where) {
    for (size_t e = 0; e < COUNT(ends); e++) {
        if (ends[e].run == by_limit)
            continue;
        runner_t *runner = tree_runner(tree, ends[e].then, ends[e].arg);
        struct lifeline line = lifeline(runner);
        runner_process_t *process = spawn(runner);
        lifeline_given(&line);
        if (ends[e].run != by_itself)
            tree_grown(process, tree->name);
        struct rlimit before, low;
        getrlimit(RLIMIT_NOFILE, &before);
        low = before, low.rlim_cur = 256;
        setrlimit(RLIMIT_NOFILE, &low);
        int used[256], n = 0;
        while (n < 256 && (used[n] = dup(line.read)) >= 0)
            n++;
        if (ends[e].run == by_kill)
            runner_process_kill(process);
        if (ends[e].run == by_free)
            runner_process_free(process);
        else
            end_of_run(process);
        while (n > 0)
            close(used[--n]);
        setrlimit(RLIMIT_NOFILE, &before);
        ok_over(&line, tree->name, where);
        if (ends[e].run != by_free)
            runner_process_free(process);
        runner_free(runner);
        close(line.read);
    }
}

static void fds_used_up(void) {
    one_fd(&trees[0], "no fd is free");
    one_fd(&trees[2], "no fd is free");
    ok_all_gone();
}

static void hidden_fds_checks(void) {
    one_fd(&trees[0], "no fd is free, without cgroups");
    one_fd(&trees[2], "no fd is free, without cgroups");
}

static void fds_used_up_without_cgroups(void) {
    if (!can_hide_cgroups())
        SKIP("cgroups cannot be hidden here");
    in_hidden_child(hidden_fds_checks);
    ok_all_gone();
}

static const struct test tests[] = {
    {"control: what survives would be seen", control},
    {"something would survive its run", nothing_survives},
    {"something would survive its run in a pid namespace", nothing_survives_in_namespace},
    {"something would survive its run where there are no cgroups", nothing_survives_without_cgroups},
    {"another user's daemon would survive where there are no cgroups", other_user},
    {"a host's own limit would let daemons go", marked_host},
    {"a run in a run would survive it", run_in_a_run},
    {"a run in a run would survive its pid namespace", run_in_a_namespaced_run},
    {"a run in a run would survive it where there are no cgroups", run_in_a_run_without_cgroups},
    {"a fork bomb would outrun its end", bombs},
    {"a fork bomb would outrun its end in a pid namespace", bombs_in_namespace},
    {"a fork bomb would outrun its end where there are no cgroups", bombs_without_cgroups},
    {"groups that the program has made would keep it alive", nested_groups},
    {"a host that adopts orphans would never see the end", subreaper},
    {"a host without a free fd would let daemons go", fds_used_up},
    {"a host without a free fd would let daemons go where there are no cgroups", fds_used_up_without_cgroups},
};

static const struct guest guests[] = {{"inner", inner_host}};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), guests, COUNT(guests));
}
