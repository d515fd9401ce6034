/* Watched runs: their cgroups, in v1, in v2 and in both. Each run has its own, where machine and caller say, with
 * its limits and nobody else's; they are gone when it has finished; and what cannot be had is told. */

#define _GNU_SOURCE
#include "tap.h"

#include "run.h"
#include <sched.h>

static const char *const hierarchies[] = {"", "memory", "pids", "cpu", "cpuacct", "freezer"};

/* The directory of a run's group in a hierarchy. False where the run has none of its own there. */
static bool run_group(runner_process_t *process, const char *hierarchy, char path[GROUP_PATH]) {
    char own[GROUP_PATH];
    return process != NULL && group_dir(runner_process_pid(process), hierarchy, path) &&
           group_dir(getpid(), hierarchy, own) && strcmp(path, own) != 0;
}

/* Where a controller of the run is: its v1 hierarchy, else v2. */
static bool controller_group(runner_process_t *process, const char *controller, char path[GROUP_PATH], bool *v2) {
    char point[1024];
    *v2 = !find_mount(controller, point, sizeof point);
    return run_group(process, *v2 ? "" : controller, path) &&
           (!*v2 || knob_has(path, "cgroup.controllers", controller));
}

static const char *knob_text(const char *dir, const char *knob) {
    static char text[4096];
    if (read_knob(dir, knob, text, sizeof text) < 0)
        return "(none)";
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* ------------------------------------------------------------------ what there is */

/* What the machine offers, by looking at it, is what a run has, what it says, and what the probe says. */
static void as_found(void) {
    runner_probe_t probe = RUNNER_PROBE_INIT;
    runner_t *runner = load("touch", "10", "spin", "20", "exit", "0");
    runner_result_t r = run_result(runner);
    ok_int(r.missing, expected_missing(), "what is missing");
    ok(r.missing == 0 || r.reason[0] != '\0', "and why: %s", r.reason);
    ok_int(runner_probe(&probe), 0, "probe");
    ok_int(probe.runs_miss,
           (expected_missing() & ~(uint32_t)RUNNER_MISSING_TREE) | (can_have("cpu") ? 0 : RUNNER_MISSING_QUOTA),
           "what the probe says");
    ok(probe.runs_miss == 0 || probe.blocker[0] != '\0', "and why: %s", probe.blocker);
    runner_free(runner);
    ok_all_gone();
}

/* Each figure comes from where it is counted, and says so. */
static void sources(void) {
    static const struct {
        const char *controller;
        uint32_t missing;
    } rows[] = {{"memory", RUNNER_MISSING_MEMORY}, {"pids", RUNNER_MISSING_PROCESSES}};
    runner_t *runner = load("touch", "10", "forks", "3", "spin", "20", "sleep", "60");
    runner_result_t r = run_result(runner);
    char point[1024];
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t source = i == 0 ? r.memory_source : r.processes_source, want = RUNNER_SOURCE_CGROUP_V2;
        bool v1 = find_mount(rows[i].controller, point, sizeof point);
        if (v1)
            want = RUNNER_SOURCE_CGROUP_V1;
        if (r.missing & rows[i].missing)
            ok(source == RUNNER_SOURCE_SAMPLED || source == RUNNER_SOURCE_RUSAGE, "%s: %s", rows[i].controller,
               runner_source_name(source));
        else if ((i == 1 && !kernel_since(6, 1)) || (i == 0 && !v1 && !kernel_since(5, 19)))
            ok(source == RUNNER_SOURCE_SAMPLED || source == RUNNER_SOURCE_RUSAGE, "%s: %s, on a kernel without a peak",
               rows[i].controller, runner_source_name(source));
        else
            ok_str(runner_source_name(source), runner_source_name(want), "%s", rows[i].controller);
    }
    if (can_have(""))
        ok_str(runner_source_name(r.cpu_source), "cgroup v2", "CPU");
    else if (can_have("cpuacct"))
        ok_str(runner_source_name(r.cpu_source), "cgroup v1", "CPU");
    else
        ok(r.cpu_source == RUNNER_SOURCE_RUSAGE || r.cpu_source == RUNNER_SOURCE_SAMPLED, "CPU: %s",
           runner_source_name(r.cpu_source));
    ok_between(&r, r.processes_peak, 4, 4, "processes");
    /* Looks count a page for each process that shares it. */
    ok_between(&r, r.memory_peak, 10 * MIB, r.missing & RUNNER_MISSING_MEMORY ? 50 * MIB : 20 * MIB, "memory");
    ok_between(&r, r.cpu_ns, 20 * MS, at_most(150) * MS, "CPU");
    runner_free(runner);
    ok_all_gone();
}

/* In each hierarchy that has something for it the program is in a group of its own from its first instruction. */
static void groups_of_its_own(void) {
    char output[64], before[8192], text[8192], first[GROUP_PATH], second[GROUP_PATH];
    int seen = 0;
    read_file("/proc/self/cgroup", before, sizeof before);
    runner_t *runner = load("pause");
    runner_process_t *one = spawn(runner), *two = spawn(runner);
    for (size_t h = 0; h < COUNT(hierarchies); h++) {
        if (!run_group(one, hierarchies[h], first))
            continue;
        seen++;
        ok(run_group(two, hierarchies[h], second) && strcmp(first, second) != 0, "\"%s\": each run its own: %s",
           hierarchies[h], first);
        snprintf(output, sizeof output, "%d", runner_process_pid(one));
        ok_str(knob_text(first, "cgroup.procs"), output, "\"%s\": it is alone there", hierarchies[h]);
        ok_int(access(first, F_OK), 0, "it exists");
    }
    ok((seen == 0) == ((missing_here() & RUNNER_MISSING_TREE) != 0), "it has %d groups", seen);
    runner_process_free(one);
    runner_process_free(two);
    read_file("/proc/self/cgroup", text, sizeof text);
    ok_str(text, before, "the host stays where it is");
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ limits */

/* What the kernel has been told. */
static void limits_in_the_kernel(void) {
    char dir[GROUP_PATH];
    bool v2;
    runner_t *runner = load("pause");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_set_process_limit(runner, 17);
    runner_set_cpu_quota(runner, 150);
    runner_process_t *process = spawn(runner);
    if (controller_group(process, "memory", dir, &v2)) {
        ok_str(knob_text(dir, v2 ? "memory.max" : "memory.limit_in_bytes"), "67108864", "memory");
        const char *swap = knob_text(dir, v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
        if (!v2 && strcmp(swap, "(none)") == 0) /* without swap accounting */
            ok_str(knob_text(dir, "memory.swappiness"), "0", "no swapping");
        else if (strcmp(swap, "(none)") != 0)
            ok_str(swap, v2 ? "0" : "67108864", "no way out into swap");
    }
    if (controller_group(process, "pids", dir, &v2))
        ok_str(knob_text(dir, "pids.max"), "17", "processes");
    if (controller_group(process, "cpu", dir, &v2))
        ok_str(knob_text(dir, v2 ? "cpu.max" : "cpu.cfs_quota_us"), v2 ? "150000 100000" : "150000", "quota");
    ok(process != NULL, "it runs");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* A run's limits and counts are never those of the run before. */
static void limits_of_the_run_before(void) {
    if (missing_here() & (RUNNER_MISSING_MEMORY | RUNNER_MISSING_PROCESSES))
        SKIP("no memory and pids cgroups here");
    for (int i = 0; i < 4; i++) {
        runner_t *runner = load("touch", "40", "forks", "5", "exit", "0");
        runner_set_memory_limit(runner, 16 * MIB);
        runner_set_process_limit(runner, 2);
        runner_result_t r = run_result(runner);
        ok_ended(&r, MEMORY_LIMIT, OOM_KILLER, "run %d: 40 MiB under 16", i);
        runner_set_memory_limit(runner, 64 * MIB);
        r = run_result(runner);
        ok_ended(&r, PROCESS_LIMIT, PIDS_EVENTS, "run %d: 6 processes under 2", i);
        ok_int(r.oom_kills, 0, "run %d: no OOM kill of another run's", i);
        ok(r.process_limit_hits == 4 && r.processes_peak == 2, "run %d: its own hits", i);
        runner_clear_limits(runner);
        r = run_result(runner);
        ok_ended(&r, FINISHED, EXIT_CODE, "run %d: without limits", i);
        ok_int(r.exit_code, 0, "run %d: nothing was refused", i);
        ok(r.process_limit_hits == 0, "run %d: its own hits", i);
        ok(r.processes_peak == 6 || (r.processes_source == RUNNER_SOURCE_SAMPLED && r.processes_peak < 6),
           "run %d: its own peak", i);
        runner_free(runner);
    }
    ok_all_gone();
}

/* ------------------------------------------------------------------ limits further up */

static struct cgroup outer;

/* The OOM killer comes because of a group around the run's: not the run's limit, so not its verdict. */
static void outer_memory_limit(void) {
    NEED_GROUP(&outer, "memory");
    ok(write_knob(outer.path, outer.v2 ? "memory.max" : "memory.limit_in_bytes", "33554432"), "a limit of 32 MiB");
    write_knob(outer.path, outer.v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes", outer.v2 ? "0" : "33554432");
    for (int limited = 0; limited < 2; limited++) {
        runner_t *runner = load("touch", "60", "sleep", "500");
        runner_set_cgroup_root(runner, outer.path);
        if (limited)
            runner_set_memory_limit(runner, 256 * MIB);
        runner_result_t r = run_result(runner);
        ok_ended(&r, SIGNALLED, SIGNAL, "the limit around it, its own %d", limited);
        ok_int(r.signal, SIGKILL, "its signal");
        ok(r.oom_kills > 0, "the OOM kill is told");
        ok_between(&r, r.memory_peak, 24 * MIB, 36 * MIB, "its peak");
        runner_free(runner);
    }
    drop_dir(outer.path);
    ok_all_gone();
}

static void outer_pids_limit(void) {
    NEED_GROUP(&outer, "pids");
    ok(write_knob(outer.path, "pids.max", "4"), "a limit of 4");
    runner_t *runner = load("forks", "10", "exit", "0");
    runner_set_cgroup_root(runner, outer.path);
    for (int limited = 0; limited < 2; limited++) {
        for (int i = 0; i < 2000 && atoi(knob_text(outer.path, "pids.current")) > 0; i++)
            sleep_ms(1); /* the dead count until the machine's init has put them away */
        if (limited)
            runner_set_process_limit(runner, 8);
        runner_result_t r = run_result(runner);
        ok_ended(&r, FINISHED, EXIT_CODE, "the limit around it, its own %d", limited);
        ok_int(r.exit_code, 11, "it was refused");
        ok_int(r.process_limit_hits, 0, "not because of its own limit");
    }
    for (int i = 0; i < 2000 && atoi(knob_text(outer.path, "pids.current")) > 0; i++)
        sleep_ms(1);
    runner_set_process_limit(runner, 3);
    runner_result_t r = run_result(runner);
    ok_ended(&r, PROCESS_LIMIT, PIDS_EVENTS, "its own limit is the lower one");
    runner_free(runner);
    drop_dir(outer.path);
    ok_all_gone();
}

/* ------------------------------------------------------------------ roots */

/* Runs in a root of the test's own, one hierarchy after the other. */
static void root_of_each(void) {
    int roots = 0;
    for (size_t h = 0; h < COUNT(hierarchies); h++) {
        struct cgroup root;
        char dir[GROUP_PATH], point[1024];
        if ((*hierarchies[h] && !find_mount(hierarchies[h], point, sizeof point)) || !make_group(&root, hierarchies[h]))
            continue;
        roots++;
        runner_t *runner = load("pause");
        runner_set_memory_limit(runner, 64 * MIB);
        ok_int(runner_set_cgroup_root(runner, root.path), 0, "root in \"%s\"", hierarchies[h]);
        runner_process_t *process = spawn(runner);
        bool needed = strcmp(hierarchies[h], "cpu") && strcmp(hierarchies[h], "cpuacct") &&
                      strcmp(hierarchies[h], "freezer");
        /* cpu, cpuacct and freezer are used where nothing better is there. */
        if (needed)
            ok(run_group(process, hierarchies[h], dir) && strncmp(dir, root.path, strlen(root.path)) == 0 &&
                   dir[strlen(root.path)] == '/',
               "\"%s\": its group is beneath the root: %s", hierarchies[h], dir);
        runner_process_free(process);
        ok_int(groups_in(root.path, false), 0, "\"%s\": nothing is left in it", hierarchies[h]);
        runner_free(runner);
        drop_dir(root.path);
    }
    if (roots == 0)
        SKIP("no groups can be made here");
    ok_all_gone();
}

/* Several hierarchies at once; of the same one the last counts; a link and a slash at the end are as good. */
static void several_roots(void) {
    struct cgroup first, second, other;
    char dir[GROUP_PATH], link[64], slashed[GROUP_PATH + 4], point[1024];
    bool v1 = find_mount("memory", point, sizeof point) && find_mount("pids", point, sizeof point);
    NEED_GROUP(&first, "memory");
    NEED_GROUP(&second, "memory");
    runner_t *runner = load("pause");
    ok_int(runner_set_cgroup_root(runner, first.path), 0, "a root");
    if (v1 && ok(make_group(&other, "pids"), "another hierarchy"))
        ok_int(runner_set_cgroup_root(runner, other.path), 0, "a root of it");
    ok_int(runner_set_cgroup_root(runner, second.path), 0, "a second root");
    runner_process_t *process = spawn(runner);
    ok(run_group(process, second.v2 ? "" : "memory", dir) && strncmp(dir, second.path, strlen(second.path)) == 0,
       "the last one counts: %s", dir);
    if (v1)
        ok(run_group(process, "pids", dir) && strncmp(dir, other.path, strlen(other.path)) == 0,
           "the other hierarchy's too: %s", dir);
    runner_process_free(process);
    runner_clear_limits(runner);
    snprintf(link, sizeof link, "/tmp/runner-test-link-%d", (int)getpid());
    ok_int(symlink(first.path, link), 0, "a link");
    snprintf(slashed, sizeof slashed, "%s/", first.path);
    const char *const ways[] = {link, slashed};
    for (size_t i = 0; i < COUNT(ways); i++) {
        runner_set_cgroup_root(runner, ways[i]);
        process = spawn(runner);
        ok(run_group(process, first.v2 ? "" : "memory", dir) && strncmp(dir, first.path, strlen(first.path)) == 0,
           "by %s: %s", ways[i], dir);
        runner_process_free(process);
    }
    unlink(link);
    runner_free(runner);
    drop_dir(first.path);
    drop_dir(second.path);
    if (v1)
        drop_dir(other.path);
    ok_all_gone();
}

static void bad_roots(void) {
    static const char *const paths[] = {"/nonexistent", "/tmp", "/proc", "/proc/self/exe", "relative/path",
                                        "/proc/self/cgroup"};
    struct counts before = counts_now();
    for (size_t i = 0; i < COUNT(paths); i++) {
        runner_t *runner = load("exit", "0");
        ok_int(runner_set_cgroup_root(runner, paths[i]), 0, "%s is taken: it is judged at the start", paths[i]);
        runner_result_t r = RUNNER_RESULT_INIT;
        for (int again = 0; again < 2; again++) {
            int code = runner_run(runner, &r, &last_error);
            ok(code < 0 && last_error.stage == RUNNER_STAGE_CGROUP && strstr(last_error.message, paths[i]) != NULL,
               "%s is no root: %d, %s: %s", paths[i], code, runner_stage_name(last_error.stage), last_error.message);
            ok_ended(&r, LAUNCH_ERROR, LAUNCH, "%s", paths[i]);
        }
        runner_free(runner);
    }
    /* A root that is gone by the time of the next run, and one that is a file in a hierarchy. */
    struct cgroup root;
    if (make_group(&root, "memory") || make_group(&root, "")) {
        char file[GROUP_PATH + 32];
        runner_t *runner = load("exit", "3");
        runner_set_cgroup_root(runner, root.path);
        runner_result_t r = run_result(runner);
        ok_int(r.exit_code, 3, "a good root");
        drop_dir(root.path);
        int code = runner_run(runner, &r, &last_error);
        ok(code == -ENOENT && last_error.stage == RUNNER_STAGE_CGROUP, "a root that is gone: %d, %s", code,
           last_error.message);
        code = runner_run(runner, &r, &last_error);
        ok(code == -ENOENT && last_error.stage == RUNNER_STAGE_CGROUP, "and again: %d, %s", code, last_error.message);
        ok_int(mkdir(root.path, 0755), 0, "it is made anew");
        r = run_result(runner);
        ok_int(r.exit_code, 3, "a good root again");
        runner_clear_limits(runner);
        snprintf(file, sizeof file, "%s/cgroup.procs", root.path);
        runner_set_cgroup_root(runner, file);
        code = runner_run(runner, &r, &last_error);
        ok(code < 0 && last_error.stage == RUNNER_STAGE_CGROUP, "a file: %d, %s", code, last_error.message);
        runner_free(runner);
        drop_dir(root.path);
    }
    ok_nothing_left(before);
    ok_all_gone();
}

/* Somebody else's directory. */
static void foreign_root_checks(void) {
    become_user(65534);
    runner_t *runner = load("exit", "0");
    for (size_t h = 0; h < COUNT(hierarchies); h++) {
        char point[1024];
        if (!find_mount(hierarchies[h], point, sizeof point))
            continue;
        runner_clear_limits(runner);
        runner_set_cgroup_root(runner, point);
        int code = runner_run(runner, NULL, &last_error);
        ok((code == -EACCES || code == -EPERM) && last_error.stage == RUNNER_STAGE_CGROUP, "\"%s\": %d, %s",
           hierarchies[h], code, last_error.message);
    }
    ok(true, "the host lives");
    runner_free(runner);
}

static void foreign_root(void) {
    in_child(foreign_root_checks);
    ok_all_gone();
}

/* ------------------------------------------------------------------ an ordinary user */

/* A group, and the child `host` that the host of a run may be in. */
static void drop_with_host(const char *path) {
    if (access(beneath(path, "host"), F_OK) == 0)
        drop_dir(beneath(path, "host"));
    drop_dir(path);
}

static struct cgroup delegated[3];
static bool have_delegated[3];

static void ordinary_user_checks(void) {
    char text[32];
    snprintf(text, sizeof text, "%d", (int)getpid());
    runner_t *runner = load("touch", "20", "forks", "3", "spin", "30", "sleep", "60", "exit", "3");
    /* In v2 the host has to be beneath what was delegated: a process moves only where both ends are the user's. */
    for (size_t i = 0; i < COUNT(delegated); i++) {
        if (!have_delegated[i])
            continue;
        if (delegated[i].v2) {
            mkdir(beneath(delegated[i].path, "host"), 0755);
            ok(put_text(beneath(delegated[i].path, "host/cgroup.procs"), text), "the host is beneath %s",
               delegated[i].path);
        }
        ok_int(runner_set_cgroup_root(runner, delegated[i].path), 0, "a root");
    }
    become_user(65534);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "a run of an ordinary user");
    ok_int(r.missing & (RUNNER_MISSING_MEMORY | RUNNER_MISSING_PROCESSES | RUNNER_MISSING_TREE), 0,
           "nothing is missing: %#x, %s", r.missing, r.reason);
    ok_int(r.exit_code, 3, "its exit code");
    ok_between(&r, r.memory_peak, 20 * MIB, 30 * MIB, "its memory");
    ok_between(&r, r.cpu_ns, 30 * MS, at_most(150) * MS, "its CPU time");
    runner_set_memory_limit(runner, 10 * MIB);
    r = run_result(runner);
    ok_ended(&r, MEMORY_LIMIT, OOM_KILLER, "20 MiB under 10");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_set_process_limit(runner, 3);
    r = run_result(runner);
    ok_ended(&r, PROCESS_LIMIT, PIDS_EVENTS, "4 processes under 3");
    runner_free(runner);
    runner = load("daemon", "pause", "end", "exit", "0");
    for (size_t i = 0; i < COUNT(delegated); i++)
        if (have_delegated[i])
            runner_set_cgroup_root(runner, delegated[i].path);
    r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "a daemon");
    ok_int(survivors(), 0, "it is gone");
    runner_free(runner);
    for (size_t i = 0; i < COUNT(delegated); i++)
        if (have_delegated[i])
            ok_int(groups_in(delegated[i].path, false), 0, "nothing is left in %s", delegated[i].path);
}

/* As systemd delegates: the directory and the files by which it is managed belong to the user. */
static void give_to(const char *dir, uid_t id) {
    static const char *const files[] = {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks"};
    ok_int(chown(dir, id, id), 0, "%s is given away", dir);
    for (size_t i = 0; i < COUNT(files); i++) {
        const char *path = beneath(dir, files[i]);
        if (access(path, F_OK) == 0)
            ok_int(chown(path, id, id), 0, "%s", path);
    }
}

static void ordinary_user(void) {
    static const char *const wanted[] = {"memory", "pids", ""};
    char point[1024];
    if (!is_root())
        SKIP("needs root to delegate something");
    for (size_t i = 0; i < COUNT(wanted); i++) {
        /* In pure v2 one group is all three. */
        bool own = i == 0 || *wanted[i] == '\0' || find_mount(wanted[i], point, sizeof point);
        bool doubled = *wanted[i] == '\0' && have_delegated[0] && delegated[0].v2;
        have_delegated[i] = own && !doubled && make_group(&delegated[i], wanted[i]);
        if (have_delegated[i])
            give_to(delegated[i].path, 65534);
    }
    if (!have_delegated[0])
        SKIP("no memory group can be made here");
    in_child(ordinary_user_checks);
    for (size_t i = 0; i < COUNT(wanted); i++) {
        if (have_delegated[i])
            drop_with_host(delegated[i].path);
    }
    ok_all_gone();
}

/* The directory alone was given away, without cgroup.procs: groups can be made in it, but nothing can be moved into
 * them. That is as good as none, and no reason not to run. */
static struct cgroup half;

static void half_delegated_checks(void) {
    char text[32];
    snprintf(text, sizeof text, "%d", (int)getpid());
    ok(write_knob(half.path, "cgroup.procs", text), "the host is in the group");
    ok_int(chown(half.path, 65534, 65534), 0, "the directory is given away");
    become_user(65534);
    runner_t *runner = load("exit", "3");
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "it runs all the same");
    ok_int(r.exit_code, 3, "its exit code");
    ok(r.missing & RUNNER_MISSING_MEMORY && r.reason[0] != '\0', "what is missing is said: %#x, %s", r.missing,
       r.reason);
    runner_free(runner);
    ok_int(groups_in(half.path, false), 0, "no group is left");
}

static void half_delegated(void) {
    struct cgroup group;
    if (!is_root())
        SKIP("needs root to delegate something");
    NEED_GROUP(&group, "");
    half = group;
    in_child(half_delegated_checks);
    drop_dir(half.path);
    ok_all_gone();
}

/* A host that gives up its privileges after its first run: what was found out for root is no use then. */
static void privileges_dropped_checks(void) {
    runner_t *runner = load("exit", "3");
    runner_result_t r = run_result(runner);
    ok_int(r.exit_code, 3, "a run as root");
    become_user(65534);
    for (int i = 0; i < 2; i++) {
        r = run_result(runner);
        ok_ended(&r, FINISHED, EXIT_CODE, "run %d as an ordinary user", i);
        ok_int(r.exit_code, 3, "its exit code");
    }
    runner_free(runner);
}

static void privileges_dropped(void) {
    if (!is_root())
        SKIP("needs root");
    in_child(privileges_dropped_checks);
    ok_all_gone();
}

/* ------------------------------------------------------------------ no internal processes */

static struct cgroup home;

static void moved_checks(void) {
    char text[32], host[GROUP_PATH + 64];
    snprintf(text, sizeof text, "%d", (int)getpid());
    snprintf(host, sizeof host, "%s", beneath(home.path, "host"));
    ok(write_knob(home.path, "cgroup.procs", text), "the host is in the group that it names");
    pid_t other = fork();
    if (other == 0) {
        sleep_ms(60000);
        _exit(0);
    }
    runner_t *runner = load("touch", "20", "forks", "3", "exit", "3");
    ok_int(runner_set_cgroup_root(runner, home.path), 0, "the root");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_set_process_limit(runner, 8);
    for (int i = 0; i < 2; i++) {
        runner_result_t r = run_result(runner);
        ok_ended(&r, FINISHED, EXIT_CODE, "run %d", i);
        ok_int(r.exit_code, 3, "its exit code");
        ok_int(r.missing, 0, "nothing is missing: %s", r.reason);
        ok_between(&r, r.memory_peak, 20 * MIB, 30 * MIB, "its memory");
    }
    char dir[GROUP_PATH];
    ok(group_dir(getpid(), "", dir) && strcmp(dir, host) == 0, "the host was moved to its child `host`: %s", dir);
    ok(group_dir(other, "", dir) && strcmp(dir, host) == 0, "and the other process too: %s", dir);
    ok(knob_has(home.path, "cgroup.subtree_control", "memory"), "it gives memory to its children");
    runner_set_memory_limit(runner, 10 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, MEMORY_LIMIT, OOM_KILLER, "20 MiB under 10");
    runner_free(runner);
    kill(other, SIGKILL);
    child_status(other);
}

static void moved_to_host(void) {
    struct cgroup group;
    NEED_GROUP(&group, "memory");
    home = group;
    if (!home.v2) {
        drop_dir(home.path);
        SKIP("memory is not in v2 here");
    }
    in_child(moved_checks);
    drop_with_host(home.path);
    ok_all_gone();
}

/* Where the v2 hierarchy has nothing to give, moving processes would win nothing: they stay where they are. */
static void not_moved_checks(void) {
    char text[32], dir[GROUP_PATH];
    snprintf(text, sizeof text, "%d", (int)getpid());
    ok(write_knob(home.path, "cgroup.procs", text), "the host is in the group that it names");
    runner_t *runner = load("exit", "3");
    ok_int(runner_set_cgroup_root(runner, home.path), 0, "the root");
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "a run");
    ok(group_dir(getpid(), "", dir) && strcmp(dir, home.path) == 0, "the host stays: %s", dir);
    runner_free(runner);
}

static void not_moved(void) {
    struct cgroup group;
    NEED_GROUP(&group, "");
    home = group;
    if (knob_text(home.path, "cgroup.controllers")[0] != '\0') {
        drop_dir(home.path);
        SKIP("v2 has controllers here");
    }
    in_child(not_moved_checks);
    drop_with_host(home.path);
    ok_all_gone();
}

/* Without a root the host's own group is left as it is, though it holds processes: no controller is switched on in it,
 * which would make it a group of threads and its children unusable. */
static void own_group_untouched_checks(void) {
    char text[32];
    snprintf(text, sizeof text, "%d", (int)getpid());
    ok(write_knob(home.path, "cgroup.procs", text), "the host is in a group");
    uint32_t want = expected_missing();
    runner_t *runner = load("touch", "20", "forks", "3", "exit", "3");
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "a run");
    ok_int(r.exit_code, 3, "its exit code");
    ok_int(r.missing, want, "what is missing: %s", r.reason);
    ok_str(knob_text(home.path, "cgroup.type"), "domain", "the host's group is what it was");
    ok_str(knob_text(home.path, "cgroup.subtree_control"), "", "and gives nothing");
    runner_free(runner);
    ok_int(groups_left(false), 0, "no group is left");
}

static void own_group_untouched(void) {
    struct cgroup group;
    NEED_GROUP(&group, "");
    home = group;
    in_child(own_group_untouched_checks);
    drop_dir(home.path);
    ok_all_gone();
}

/* A root in which no group can be made any more. */
static void full_root(void) {
    struct cgroup root;
    NEED_GROUP(&root, "");
    ok(write_knob(root.path, "cgroup.max.descendants", "0"), "no groups beneath it");
    struct counts before = counts_now();
    runner_t *runner = load("exit", "3");
    runner_set_cgroup_root(runner, root.path);
    runner_result_t r = RUNNER_RESULT_INIT;
    int code = runner_run(runner, &r, &last_error);
    ok(code < 0 && last_error.stage == RUNNER_STAGE_CGROUP && r.verdict == RUNNER_VERDICT_LAUNCH_ERROR,
       "a full root: %d, %s", code, last_error.message);
    ok_nothing_left(before);
    ok(write_knob(root.path, "cgroup.max.descendants", "1"), "one group");
    runner_process_t *process = spawn(runner);
    code = runner_run(runner, &r, &last_error);
    ok(code < 0 && last_error.stage == RUNNER_STAGE_CGROUP, "the second run: %d, %s", code, last_error.message);
    end_of_run(process);
    runner_process_free(process);
    r = run_result(runner);
    ok_int(r.exit_code, 3, "the next one has room again");
    runner_free(runner);
    drop_dir(root.path);
    ok_all_gone();
}

/* ------------------------------------------------------------------ groups of the caller's */

/* The caller has put the program into a group of his own: it stays there, with whoever else is in it. */
static void callers_group(void) {
    static const char *const wanted[] = {"", "memory", "pids"};
    for (size_t i = 0; i < COUNT(wanted); i++) {
        struct cgroup group;
        char dir[GROUP_PATH], point[1024], text[32];
        if ((*wanted[i] && !find_mount(wanted[i], point, sizeof point)) || !make_group(&group, wanted[i]))
            continue;
        pid_t other = fork();
        if (other == 0) {
            sleep_ms(60000);
            _exit(0);
        }
        snprintf(text, sizeof text, "%d", (int)other);
        ok(write_knob(group.path, "cgroup.procs", text), "another process is in the group");
        runner_t *runner = load("daemon", "pause", "end", "pause");
        ok_int(runner_set_cgroup_path(runner, group.path), 0, "a group of the caller's");
        runner_process_t *process = spawn(runner);
        ok(group_dir(runner_process_pid(process), wanted[i], dir) && strcmp(dir, group.path) == 0,
           "\"%s\": the program is there: %s", wanted[i], dir);
        runner_result_t r = RUNNER_RESULT_INIT;
        ok_int(runner_process_usage(process, &r), 0, "usage");
        if (strcmp(wanted[i], "memory") == 0)
            ok(r.missing & RUNNER_MISSING_MEMORY && r.reason[0] != '\0', "its figures are not the run's: %s", r.reason);
        runner_process_kill(process);
        r = end_of_run(process);
        ok_ended(&r, KILLED, CALLER, "\"%s\"", wanted[i]);
        ok_int(survivors(), 0, "\"%s\": its daemon is gone", wanted[i]);
        ok(kill(other, 0) == 0 && waitpid(other, NULL, WNOHANG) == 0, "\"%s\": the other process lives", wanted[i]);
        ok_int(access(group.path, F_OK), 0, "\"%s\": the group is the caller's to remove", wanted[i]);
        runner_process_free(process);
        runner_free(runner);
        kill(other, SIGKILL);
        child_status(other);
        drop_dir(group.path);
    }
    ok_all_gone();
}

static void no_group_of_the_callers(void) {
    static const char *const paths[] = {"/", "/tmp", "/proc/self/exe"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        runner_t *runner = load("exit", "0");
        int fd = open(paths[i], O_PATH | O_CLOEXEC);
        ok_int(runner_set_cgroup_fd(runner, fd), 0, "%s is taken: it is judged at the start", paths[i]);
        runner_set_memory_limit(runner, 64 * MIB);
        int code = runner_run(runner, NULL, &last_error);
        ok(code == -EBADF && last_error.stage == RUNNER_STAGE_CGROUP, "%s is no cgroup: %d, %s", paths[i], code,
           last_error.message);
        runner_free(runner);
        close(fd);
    }
    runner_t *runner = load("exit", "0");
    runner_set_cgroup_path(runner, "/nonexistent/group");
    int code = runner_run(runner, NULL, &last_error);
    ok(code == -ENOENT && last_error.stage == RUNNER_STAGE_CGROUP && last_error.index == 0 &&
           strstr(last_error.message, "/nonexistent/group"),
       "which path is none: %d, %s", code, last_error.message);
    runner_free(runner);
}

/* ------------------------------------------------------------------ fewer hierarchies */

/* For a child with checks: these hierarchies are not to be seen ("": v2). */
static bool hide(const char *const *names) {
    char point[1024];
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return false;
    for (; *names != NULL; names++)
        if (!find_mount(*names, point, sizeof point) || mount("hidden", point, "tmpfs", 0, NULL) != 0)
            return false;
    return true;
}

/* Whatever is left, verdicts are right and nothing survives. */
static void fewer_checks(const char *const *hidden, uint32_t missing) {
    if (!ok(hide(hidden), "hidden"))
        return;
    runner_t *runner = load("touch", "20", "spin", "50", "sleep", "30", "exit", "3");
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "a run");
    ok_int(r.missing, missing, "what is missing: %s", r.reason);
    ok_between(&r, r.cpu_ns, 50 * MS, at_most(150) * MS, "its CPU time, from %s", runner_source_name(r.cpu_source));
    ok_between(&r, r.memory_peak, 20 * MIB, 30 * MIB, "its memory, from %s", runner_source_name(r.memory_source));
    if (!(missing & RUNNER_MISSING_CPU))
        ok(r.cpu_source == RUNNER_SOURCE_CGROUP_V1 || r.cpu_source == RUNNER_SOURCE_CGROUP_V2, "CPU by a cgroup");
    runner_set_cpu_limit(runner, 20 * MS);
    r = run_result(runner);
    ok_ended(&r, TIME_LIMIT, CPU_TIME, "50 ms under 20");
    runner_free(runner);
    static const char *const trees[][8] = {
        {"daemon", "pause", "end", "exit", "0", NULL},
        {"daemon", "leave-leader", "pause", "end", "sleep", "20", "exit", "0"},
        {"daemon", "spin", "60000", "end", "sleep", "60000", NULL},
        {"bg", "forks", "20", "pause", "end", "sleep", "60000", NULL},
    };
    for (size_t i = 0; i < COUNT(trees); i++) {
        const char *argv[12] = {load_path(), load_tag()};
        for (size_t k = 0; k < 8 && trees[i][k] != NULL; k++)
            argv[2 + k] = trees[i][k];
        runner = runner_for(argv);
        runner_set_wall_limit(runner, 150 * MS);
        struct lifeline line = lifeline(runner);
        runner_process_t *process = spawn(runner);
        lifeline_given(&line);
        end_of_run(process);
        if (!ok(is_over(&line, 0) && survivors() == 0, "tree %zu: nothing survives", i))
            clear_away();
        runner_process_free(process);
        runner_free(runner);
        close(line.read);
    }
    /* A fork bomb where something limits it; a chain of processes that never rests anywhere. */
    for (int way = missing & RUNNER_MISSING_PROCESSES ? 1 : 0; way < 2; way++) {
        runner = load("daemon", way == 0 ? "bomb" : "run-away", "end", "pause");
        runner_set_process_limit(runner, 40);
        struct lifeline line = lifeline(runner);
        runner_process_t *process = spawn(runner);
        lifeline_given(&line);
        runner_process_wait(process, 100 * MS, NULL);
        int64_t begin = now_ms();
        runner_process_free(process);
        int64_t took = now_ms() - begin;
        ok(took < at_most(1000), "way %d: dead within a second: %lld ms", way, (long long)took);
        ok(is_over(&line, 0), "way %d: nothing survives", way);
        runner_free(runner);
        close(line.read);
    }
    ok_all_gone();
}

static void hidden_v2_checks(void) {
    fewer_checks((const char *const[]){"", NULL}, 0);
}

static void hidden_v2_pids_checks(void) {
    fewer_checks((const char *const[]){"", "pids", NULL}, RUNNER_MISSING_PROCESSES);
}

static void freezer_alone_checks(void) {
    fewer_checks((const char *const[]){"", "pids", "memory", "cpuacct", "cpu", NULL},
                 RUNNER_MISSING_PROCESSES | RUNNER_MISSING_MEMORY | RUNNER_MISSING_CPU);
}

static void hidden_v1_checks(void) {
    fewer_checks((const char *const[]){"pids", "memory", "cpuacct", "cpu", "freezer", NULL},
                 RUNNER_MISSING_PROCESSES | RUNNER_MISSING_MEMORY);
}

static void hidden_memory_checks(void) {
    fewer_checks((const char *const[]){"memory", NULL}, RUNNER_MISSING_MEMORY);
}

static void fewer(void (*checks)(void)) {
    if (!is_root())
        SKIP("needs root to hide hierarchies one by one");
    for (size_t h = 0; h < COUNT(hierarchies); h++)
        if (!can_have(hierarchies[h]) || (*hierarchies[h] && !find_mount(hierarchies[h], (char[1024]){0}, 1024)))
            SKIP("not all of v2 and v1's memory, pids, cpu, cpuacct and freezer are here");
    in_moved_child(checks);
    ok_all_gone();
}

static void v1_alone(void) { fewer(hidden_v2_checks); }
static void v1_without_pids(void) { fewer(hidden_v2_pids_checks); }
static void freezer_alone(void) { fewer(freezer_alone_checks); }
static void v2_alone(void) { fewer(hidden_v1_checks); }
static void without_memory(void) { fewer(hidden_memory_checks); }

/* Mounted, but read-only, as in many containers. */
static void read_only_checks(void) {
    static const char *const all[] = {"",     "memory",  "pids",  "cpu",     "cpuacct",
                                      "freezer", "devices", "blkio", "cpuset"};
    char point[1024];
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        ok(false, "a mount namespace");
    for (size_t i = 0; i < COUNT(all); i++)
        if (find_mount(all[i], point, sizeof point))
            ok_int(mount(NULL, point, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0, "%s is read-only", point);
    runner_t *runner = load("spin", "30", "exit", "3");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "it runs all the same");
    ok_int(r.exit_code, 3, "its exit code");
    ok_int(r.missing,
           RUNNER_MISSING_MEMORY | RUNNER_MISSING_PROCESSES | RUNNER_MISSING_CPU | RUNNER_MISSING_TREE,
           "all is missing");
    ok(strstr(r.reason, "read-only") != NULL, "and why: %s", r.reason);
    ok_between(&r, r.cpu_ns, 30 * MS, at_most(150) * MS, "its CPU time");
    runner_free(runner);
}

static void read_only(void) {
    if (!is_root())
        SKIP("needs root");
    in_moved_child(read_only_checks);
    ok_all_gone();
}

/* ------------------------------------------------------------------ names and namespaces */

/* Directories that a dead host with the same pid, or another copy of the library, has left: stepped over, not used. */
static void names_in_use(void) {
    char dir[GROUP_PATH], taken[8][GROUP_PATH + 32];
    runner_t *runner = load("pause");
    runner_process_t *process = spawn(runner);
    bool found = false;
    size_t h = 0;
    for (; h < COUNT(hierarchies) && !found; h++)
        found = run_group(process, hierarchies[h], dir);
    runner_process_free(process);
    runner_free(runner);
    if (!found)
        SKIP("no groups here");
    char *dash = strrchr(dir, '-');
    int number = dash == NULL ? 0 : atoi(dash + 1);
    if (!ok(dash != NULL && number >= 0, "its name ends with a number: %s", dir))
        return;
    for (size_t i = 0; i < COUNT(taken); i++) {
        snprintf(taken[i], sizeof taken[i], "%.*s%d", (int)(dash + 1 - dir), dir, number + 1 + (int)i);
        ok_int(mkdir(taken[i], 0755), 0, "a name is taken");
    }
    runner = load("exit", "3");
    runner_result_t r = run_result(runner);
    ok_int(r.exit_code, 3, "it runs all the same");
    runner_free(runner);
    for (size_t i = 0; i < COUNT(taken); i++)
        ok_int(rmdir(taken[i]), 0, "it has not been touched");
    ok_all_gone();
}

/* In a cgroup namespace of its own the program's group is the top. In v1 it joins its groups after it was made, so
 * there the namespace has to come late. */
static void in_a_namespace(void) {
    if (!is_root() && !have_userns())
        SKIP("no cgroup namespaces here");
    if (missing_here() & RUNNER_MISSING_TREE)
        SKIP("no groups here");
    for (int late = 0; late < 2; late++) {
        const void *data = "";
        size_t length = 0;
        runner_t *runner = guest("read", "/proc/self/cgroup");
        runner_set_unshare_flags(runner, (late ? 0 : CLONE_NEWCGROUP) | userns_if_needed());
        runner_set_unshare_cgroup_after_sync(runner, late);
        runner_capture(runner, 1, 8192);
        runner_process_t *process = spawn(runner);
        runner_result_t r = end_of_run(process);
        ok_ended(&r, FINISHED, EXIT_CODE, "late %d", late);
        runner_process_output(process, 1, &data, &length);
        if (late)
            ok(strstr(data, "runner-") == NULL, "it does not see where it is: %s", (const char *)data);
        else if (can_have(""))
            ok(strstr(data, "0::/\n") != NULL, "it does not see where it is in v2: %s", (const char *)data);
        runner_process_free(process);
        runner_free(runner);
    }
    ok_all_gone();
}

/* Many runs, one after the other and at once: nothing is left of any. */
static void nothing_left_of_many(void) {
    runner_process_t *processes[30];
    runner_t *runner = load("daemon", "pause", "end", "exit", "3");
    runner_set_memory_limit(runner, 64 * MIB);
    runner_set_process_limit(runner, 20);
    for (int i = 0; i < 40; i++)
        run_result(runner);
    for (size_t i = 0; i < COUNT(processes); i++)
        processes[i] = spawn(runner);
    for (size_t i = 0; i < COUNT(processes); i += 2)
        end_of_run(processes[i]);
    for (size_t i = COUNT(processes); i > 0; i--)
        runner_process_free(processes[i - 1]);
    runner_free(runner);
    runner = runner_for((const char *const[]){"/nonexistent", NULL});
    runner_set_memory_limit(runner, 64 * MIB);
    for (int i = 0; i < 10; i++)
        ok_int(runner_run(runner, NULL, NULL), -ENOENT, "a launch that fails");
    runner_free(runner);
    ok_all_gone();
}

static const struct test tests[] = {
    {"the machine's hierarchies would not be found, or found where they are not", as_found},
    {"a figure would come from elsewhere than it says", sources},
    {"two runs, or a run and the host, would share a group", groups_of_its_own},
    {"the kernel would be told other limits", limits_in_the_kernel},
    {"a run would have the limits or counts of the one before", limits_of_the_run_before},
    {"an OOM kill by a limit around the run's would be its verdict", outer_memory_limit},
    {"forks refused by a limit around the run's would be its verdict", outer_pids_limit},
    {"a root would not be used", root_of_each},
    {"of several roots the wrong one would be used", several_roots},
    {"a bad root would be taken, or leave something", bad_roots},
    {"somebody else's root would be taken", foreign_root},
    {"an ordinary user could not use what was delegated to him", ordinary_user},
    {"a group that was delegated by half would keep programs from running", half_delegated},
    {"a host that drops its privileges would have a failing run", privileges_dropped},
    {"v2: processes in a root would keep its controllers from runs", moved_to_host},
    {"v2: processes would be moved where nothing is to be won", not_moved},
    {"v2: the host's own group would be changed", own_group_untouched},
    {"a full root would crash, or leave something", full_root},
    {"a caller's own group would be left, or emptied", callers_group},
    {"a cgroup fd that is none would be ignored", no_group_of_the_callers},
    {"v1 alone: verdicts would be wrong, or something survive", v1_alone},
    {"v1 without pids: verdicts would be wrong, or something survive", v1_without_pids},
    {"v1's freezer alone: verdicts would be wrong, or something survive", freezer_alone},
    {"v2 without controllers alone: verdicts would be wrong, or something survive", v2_alone},
    {"no memory group: verdicts would be wrong, or something survive", without_memory},
    {"hierarchies that are read-only would keep programs from running", read_only},
    {"names in use would be taken again", names_in_use},
    {"a program in a cgroup namespace would see where it is", in_a_namespace},
    {"groups of some of many runs would be left", nothing_left_of_many},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
