/* What the tests of watched runs share: programs that use a known amount of something (guest/load.c), results, and the
 * cgroups that this machine offers, found by looking rather than by assuming v1 or v2. Include after tap.h. */

#ifndef RUN_H
#define RUN_H

#include "groups.h"

#include <ftw.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define MS INT64_C(1000000)
#define MIB (UINT64_C(1) << 20)
/* How long a test waits for an end that has to come, in ms. */
#define PATIENCE 20000

/* ------------------------------------------------------------------ programs */

TAP_HELPER const char *load_path(void) {
#ifdef GUEST_DIR
    return GUEST_DIR "/load.static";
#else
    static char path[PATH_MAX];
    const char *slash = strrchr(guest_path(), '/');
    snprintf(path, sizeof path, "%.*s/load.static", slash ? (int)(slash - guest_path()) : 0, guest_path());
    return path;
#endif
}

/* An argument of every program of this test program, by which they and what they fork are found in /proc. */
TAP_HELPER const char *load_tag(void) {
    static char tag[32];
    if (tag[0] == '\0')
        snprintf(tag, sizeof tag, "load-%d", (int)getpid());
    return tag;
}

/* A runner for load.static: load("touch", "40", "exit", "3"). */
#define load(...) tap_guest_(load_path(), load_tag(), __VA_ARGS__, (const char *)NULL)

/* Puts more arguments behind those of a NULL-terminated list that has room for them. */
TAP_HELPER void append(const char **argv, const char *const *more) {
    while (*argv != NULL)
        argv++;
    while ((*argv++ = *more++) != NULL)
        continue;
}

/* Whether the tag is the second argument of the command line in this file. */
TAP_HELPER bool is_tagged(const char *path) {
    char text[PATH_MAX + 64] = "";
    if (read_file(path, text, sizeof text) <= 0)
        return false;
    size_t first = strlen(text) + 1;
    return first < sizeof text && strcmp(text + first, load_tag()) == 0;
}

/* A process whose first thread has ended has a command line in the others only. */
TAP_HELPER bool is_survivor(int pid) {
    char path[300];
    bool found;
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    if ((found = is_tagged(path)))
        return true;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *dir = count_numbered(path) > 1 ? opendir(path) : NULL;
    for (struct dirent *entry; !found && dir != NULL && (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/cmdline", pid, entry->d_name);
        found = is_tagged(path);
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* How many processes of this test program live, however far they have run. Each gets the signal, unless that is 0. */
TAP_HELPER int signal_survivors(int signal) {
    DIR *dir = opendir("/proc");
    int count = 0;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        int pid = atoi(entry->d_name);
        if (pid <= 0 || !is_survivor(pid))
            continue;
        count++;
        if (signal != 0)
            kill(pid, signal);
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

TAP_HELPER int survivors(void) {
    return signal_survivors(0);
}

/* The write end of a pipe, as the program's fd 3: while any process of the run lives and has not closed it, the
 * read end does not hang up. */
struct lifeline {
    int read, write, null;
};

TAP_HELPER struct lifeline lifeline(runner_t *runner) {
    int ends[2] = {-1, -1};
    struct lifeline line = {.null = open("/dev/null", O_RDWR | O_CLOEXEC)};
    if (pipe2(ends, O_CLOEXEC) < 0 || line.null < 0)
        diag("no pipe");
    line.read = ends[0], line.write = ends[1];
    runner_set_files(runner, (int[]){line.null, line.null, line.null, line.write}, 4);
    return line;
}

/* After the start: the program has its end. */
TAP_HELPER void lifeline_given(struct lifeline *line) {
    close(line->write);
    close(line->null);
    line->write = line->null = -1;
}

/* Whether it hangs up within `ms`. */
TAP_HELPER bool is_over(const struct lifeline *line, int ms) {
    struct pollfd wait = {.fd = line->read, .events = 0};
    return poll(&wait, 1, ms) == 1 && (wait.revents & POLLHUP) != 0;
}

/* ------------------------------------------------------------------ results */

TAP_HELPER void diag_result(const runner_result_t *r) {
    diag("  result: %s by %s, exit code %d, signal %d, wall %.3f ms, user %.3f ms, system %.3f ms (%s), "
         "memory %.2f MiB (%s), %u OOM kills, processes %llu (%s), %llu hits, output %llu cut %u (fd %d), "
         "set-up %.3f ms, missing %#x",
         runner_verdict_name(r->verdict), runner_evidence_name(r->evidence), r->exit_code, r->signal,
         (double)r->wall_ns / 1e6, (double)r->user_ns / 1e6, (double)r->system_ns / 1e6,
         runner_source_name(r->cpu_source), (double)r->memory_peak / (double)MIB, runner_source_name(r->memory_source),
         r->oom_kills, (unsigned long long)r->processes_peak, runner_source_name(r->processes_source),
         (unsigned long long)r->process_limit_hits, (unsigned long long)r->output_bytes, r->output_cut, r->output_fd,
         (double)r->setup_ns / 1e6, r->missing);
    if (r->reason[0] != '\0')
        diag("  reason: %s", r->reason);
}

TAP_HELPER TAP_PRINTF(6, 7) bool run_ended(const runner_result_t *r, uint32_t verdict, uint32_t evidence,
                                           const char *file, int line, const char *format, ...) {
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    bool good = tap_ok(r->verdict == verdict && r->evidence == evidence, file, line, "the verdict",
                       "%s: got %s by %s, want %s by %s", what, runner_verdict_name(r->verdict),
                       runner_evidence_name(r->evidence), runner_verdict_name(verdict), runner_evidence_name(evidence));
    if (!good)
        diag_result(r);
    return good;
}
/* ok_ended(&result, FINISHED, EXIT_CODE, "what"): the verdict and what decided it. */
#define ok_ended(result, verdict, evidence, ...) \
    run_ended((result), RUNNER_VERDICT_##verdict, RUNNER_EVIDENCE_##evidence, __FILE__, __LINE__, __VA_ARGS__)

TAP_HELPER TAP_PRINTF(7, 8) bool run_between(const runner_result_t *r, uint64_t got, int64_t low, int64_t high,
                                             const char *file, int line, const char *format, ...) {
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    bool good = (int64_t)got >= low && (int64_t)got <= high;
    tap_ok(good, file, line, "within bounds", "%s: got %lld, want %lld to %lld", what, (long long)got, (long long)low,
           (long long)high);
    if (!good)
        diag_result(r);
    return good;
}
/* A figure within bounds; the result is shown where it is not. */
#define ok_between(result, got, low, high, ...) \
    run_between((result), (got), (int64_t)(low), (int64_t)(high), __FILE__, __LINE__, __VA_ARGS__)

/* runner_run() with the error in last_error; a run that cannot be started is a failure. */
TAP_HELPER runner_result_t run_at(const runner_t *runner, const char *file, int line) {
    runner_result_t result = RUNNER_RESULT_INIT;
    int code = runner_run(runner, &result, &last_error);
    tap_ok(code == 0, file, line, "runner_run", "the run starts: %d, %s", code, result.reason);
    return result;
}
#define run_result(runner) run_at((runner), __FILE__, __LINE__)

TAP_HELPER runner_process_t *spawn_at(const runner_t *runner, const char *file, int line) {
    runner_process_t *process = runner_spawn(runner, &last_error);
    tap_ok(process != NULL, file, line, "runner_spawn", "the run starts");
    return process;
}
#define spawn(runner) spawn_at((runner), __FILE__, __LINE__)

/* Waits for the end, which has to come in time. */
TAP_HELPER runner_result_t end_at(runner_process_t *process, const char *file, int line) {
    runner_result_t result = RUNNER_RESULT_INIT;
    int code = process == NULL ? -1 : runner_process_wait(process, PATIENCE * MS, &result);
    tap_ok(code == 1, file, line, "runner_process_wait", "the run ends: %d", code);
    return result;
}
#define end_of_run(process) end_at((process), __FILE__, __LINE__)

/* How much slower this machine is than a real one, from 1: an emulated one takes its time for a start and a fork. */
TAP_HELPER int slowness(void) {
    static int known;
    for (int i = 0; i < 3 && known == 0; i++) {
        struct timespec before, after;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        for (int k = 0; k < 20; k++) {
            pid_t pid = fork();
            if (pid == 0)
                _exit(0);
            waitpid(pid, NULL, 0);
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        int64_t us = ((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec) / 20000;
        known = us / 200 > 9 ? 10 : 1 + (int)(us / 200);
    }
    return known;
}

/* Milliseconds that something may take, here. */
TAP_HELPER int64_t at_most(int64_t ms) {
    return ms * slowness();
}

TAP_HELPER bool kernel_since(int major, int minor) {
    char text[64];
    int a = 0, b = 0;
    read_file("/proc/sys/kernel/osrelease", text, sizeof text);
    return sscanf(text, "%d.%d", &a, &b) == 2 && (a > major || (a == major && b >= minor));
}

/* ------------------------------------------------------------------ the machine's cgroups */

enum { GROUP_PATH = 2304 };

/* A name in a directory; valid for 7 more calls. */
TAP_HELPER const char *beneath(const char *dir, const char *name) {
    static _Thread_local char paths[8][GROUP_PATH + 64];
    static _Thread_local unsigned next;
    char *path = paths[next++ % COUNT(paths)];
    snprintf(path, sizeof paths[0], "%.*s/%.60s", GROUP_PATH, dir, name);
    return path;
}

/* The directory of a process's group. False where there is no such hierarchy. */
TAP_HELPER bool group_dir(pid_t pid, const char *controller, char path[GROUP_PATH]) {
    char point[1024];
    const char *group = group_of(pid, controller);
    if (!find_mount(controller, point, sizeof point) || *group == '\0')
        return false;
    snprintf(path, GROUP_PATH, "%s%s", point, strcmp(group, "/") == 0 ? "" : group);
    return true;
}

/* A group in which this user can make others. */
TAP_HELPER bool is_writable(const char *dir) {
    return access(beneath(dir, "cgroup.procs"), F_OK) == 0 && faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0;
}

/* A file of a group into `text`; the length or -1. */
TAP_HELPER ssize_t read_knob(const char *dir, const char *knob, char *text, size_t size) {
    return read_file(beneath(dir, knob), text, size);
}

TAP_HELPER bool write_knob(const char *dir, const char *knob, const char *value) {
    return put_text(beneath(dir, knob), value);
}

/* Whether a word stands in a file of blank-separated words. */
TAP_HELPER bool knob_has(const char *dir, const char *knob, const char *word) {
    char text[1024];
    if (read_knob(dir, knob, text, sizeof text) <= 0)
        return false;
    for (char *save, *name = strtok_r(text, " \n", &save); name; name = strtok_r(NULL, " \n", &save))
        if (strcmp(name, word) == 0)
            return true;
    return false;
}

/* Whether the children of this v2 directory have the controller, or could have it. "": any child could be made. */
TAP_HELPER bool v2_gives(const char *dir, const char *controller) {
    char text[64];
    if (!is_writable(dir) || *controller == '\0' || knob_has(dir, "cgroup.subtree_control", controller))
        return is_writable(dir);
    bool top = read_knob(dir, "cgroup.type", text, sizeof text) < 0;
    bool free = top || read_knob(dir, "cgroup.procs", text, sizeof text) == 0;
    return free && knob_has(dir, "cgroup.controllers", controller) &&
           faccessat(AT_FDCWD, beneath(dir, "cgroup.subtree_control"), W_OK, AT_EACCESS) == 0;
}

/* The nearest v2 directory, from this process's own upwards, whose children have the controller. */
TAP_HELPER bool v2_parent(const char *controller, char path[GROUP_PATH]) {
    char point[1024];
    if (!find_mount("", point, sizeof point) || !group_dir(getpid(), "", path))
        return false;
    while (!v2_gives(path, controller)) {
        char *slash = strrchr(path, '/');
        if (strcmp(path, point) == 0 || slash == NULL)
            return false;
        *slash = '\0';
    }
    return true;
}

/* Where this process can make groups with a controller, in v1 or in v2 ("": v2 itself). */
TAP_HELPER bool parent_with(const char *controller, char path[GROUP_PATH], bool *v2) {
    *v2 = *controller == '\0' || !group_dir(getpid(), controller, path);
    return *v2 ? v2_parent(controller, path) : is_writable(path);
}

TAP_HELPER bool can_have(const char *controller) {
    char path[GROUP_PATH];
    bool v2;
    return parent_with(controller, path, &v2);
}

/* What a run has to do without here, by what the machine offers; its tree is held together by any group. */
TAP_HELPER uint32_t expected_missing(void) {
    bool memory = can_have("memory"), pids = can_have("pids"), cpu = can_have("") || can_have("cpuacct");
    return (memory ? 0 : RUNNER_MISSING_MEMORY) | (pids ? 0 : RUNNER_MISSING_PROCESSES) |
           (cpu ? 0 : RUNNER_MISSING_CPU) |
           (memory || pids || cpu || can_have("freezer") ? 0 : RUNNER_MISSING_TREE);
}

/* The same, but believed: what a plain run says. */
TAP_HELPER uint32_t missing_here(void) {
    static uint32_t known = UINT32_MAX;
    if (known == UINT32_MAX) {
        runner_t *runner = load("exit", "0");
        known = run_result(runner).missing;
        runner_free(runner);
    }
    return known;
}

/* ------------------------------------------------------------------ groups of the test's own */

struct cgroup {
    char path[GROUP_PATH];
    bool v2;
};

/* Makes one. False where the machine or the user's privilege does not allow it. */
TAP_HELPER bool make_group(struct cgroup *group, const char *controller) {
    static int number;
    char parent[GROUP_PATH];
    if (!parent_with(controller, parent, &group->v2))
        return false;
    if (snprintf(group->path, sizeof group->path, "%s/test-run-%d-%d", parent, (int)getpid(), ++number) >= GROUP_PATH)
        return false;
    if (group->v2 && *controller != '\0' && !knob_has(parent, "cgroup.subtree_control", controller)) {
        char enable[64];
        snprintf(enable, sizeof enable, "+%s", controller);
        write_knob(parent, "cgroup.subtree_control", enable);
    }
    return mkdir(group->path, 0755) == 0;
}

#define NEED_GROUP(group, controller)                                                            \
    do {                                                                                         \
        if (!make_group((group), (controller)))                                                  \
            SKIP("no %s group can be made here", *(controller) ? (controller) : "cgroup v2"); \
    } while (0)

/* ------------------------------------------------------------------ nothing is left */

/* Groups of runs of this process in one directory. */
TAP_HELPER int groups_in(const char *path, bool remove) {
    char prefix[32], group[GROUP_PATH + 300];
    int count = 0;
    snprintf(prefix, sizeof prefix, "runner-%d-", (int)getpid());
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        count++;
        snprintf(group, sizeof group, "%s/%s", path, entry->d_name);
        if (remove)
            rmdir(group);
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

/* In every hierarchy, in this process's own group and above it. */
TAP_HELPER int groups_left(bool remove) {
    static const char *const hierarchies[] = {"", "memory", "pids", "cpu", "cpuacct", "freezer"};
    char path[GROUP_PATH], point[1024];
    int count = 0;
    for (size_t i = 0; i < COUNT(hierarchies); i++) {
        if (!group_dir(getpid(), hierarchies[i], path) || !find_mount(hierarchies[i], point, sizeof point))
            continue;
        for (char *slash = path; slash != NULL && strlen(path) >= strlen(point);) {
            count += groups_in(path, remove);
            if ((slash = strrchr(path, '/')) != NULL)
                *slash = '\0';
        }
    }
    return count;
}

/* What is left would be found again by the next case. */
TAP_HELPER void clear_away(void) {
    for (int i = 0; i < 100 && signal_survivors(SIGKILL) > 0; i++)
        sleep_ms(10);
    for (int i = 0; i < 100 && groups_left(true) > 0; i++)
        sleep_ms(10);
}

TAP_HELPER void all_gone_at(const char *file, int line) {
    int living = survivors(), groups = groups_left(false);
    if (!tap_ok(living == 0 && groups == 0, file, line, "nothing is left", "%d processes and %d groups are left",
                living, groups))
        clear_away();
}
/* No process and no group of a run is left. Now, not soon. */
#define ok_all_gone() all_gone_at(__FILE__, __LINE__)

/* ------------------------------------------------------------------ other hosts */

/* For a child with checks: no cgroup hierarchy is to be seen from here on, as on a machine without any. */
TAP_HELPER bool hide_cgroups(void) {
    char map[64], groups[64];
    bool root = is_root();
    snprintf(map, sizeof map, "%u %u 1", geteuid(), geteuid());
    snprintf(groups, sizeof groups, "%u %u 1", getegid(), getegid());
    if (unshare(CLONE_NEWNS | (root ? 0 : CLONE_NEWUSER)) != 0)
        return false;
    if (!root && !(put_text("/proc/self/setgroups", "deny") && put_text("/proc/self/uid_map", map) &&
                   put_text("/proc/self/gid_map", groups)))
        return false;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("hidden", "/sys/fs/cgroup", "tmpfs", 0, NULL) == 0;
}

/* Whether that will work. */
TAP_HELPER bool can_hide_cgroups(void) {
    char path[1024];
    if (!is_root() && !have_userns())
        return false;
    return !find_mount("", path, sizeof path) || strncmp(path, "/sys/fs/cgroup", 14) == 0;
}

/* What was found out for a host holds as long as it stays in its groups. So a child whose checks see other hierarchies
 * than this process moves into a group that is of no use but for that. */
TAP_HELPER void moved_child(void (*checks)(void), bool hidden, const char *file, int line) {
    static struct cgroup elsewhere;
    char text[32];
    bool made = make_group(&elsewhere, "devices") || make_group(&elsewhere, "");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        snprintf(text, sizeof text, "%d", (int)getpid());
        if (made)
            tap_ok(write_knob(elsewhere.path, "cgroup.procs", text), file, line, "cgroup.procs", "it moves");
        if (!hidden || tap_ok(hide_cgroups(), file, line, "hide_cgroups()", "cgroups are hidden"))
            checks();
        fflush(stdout);
        _exit(0);
    }
    int status = child_status(pid);
    tap_ok(exited(status, 0), file, line, "exited(status, 0)", "the child with the checks: wait status %#x", status);
    if (made)
        drop_dir(elsewhere.path);
}
#define in_moved_child(checks) moved_child((checks), false, __FILE__, __LINE__)
#define in_hidden_child(checks) moved_child((checks), true, __FILE__, __LINE__)

/* For a child with checks. */
TAP_HELPER void become_user(uid_t id) {
    if (geteuid() == 0)
        ok_int(setgroups(0, NULL) | setresgid(id, id, id) | setresuid(id, id, id), 0, "becomes an ordinary user");
}

#endif
