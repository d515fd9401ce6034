/* Cgroups: the program is in its groups from its first instruction, and a group that cannot be joined is an error.
 *
 * All of it happens in groups of the test's own, beneath the one in which it runs, and they are gone afterwards. */

#define _GNU_SOURCE
#include "tap.h"

#include "groups.h"
#include "poke.h"
#include <grp.h>
#include <pthread.h>

/* A group of the test's own: where its directory is, and how /proc names it. */
struct cgroup {
    const char *controller;
    char path[2304], name[1200];
};

/* Makes it beneath the group of this process. False where the machine or the user's privilege does not allow it. */
static bool make_group(struct cgroup *group, const char *controller) {
    static int number;
    char mount_point[1024], own[1024];
    if (!find_mount(controller, mount_point, sizeof mount_point))
        return false;
    snprintf(own, sizeof own, "%s", group_of(getpid(), controller));
    group->controller = controller;
    snprintf(group->name, sizeof group->name, "%s/runner-test-%d-%d", strcmp(own, "/") == 0 ? "" : own, (int)getpid(),
             ++number);
    snprintf(group->path, sizeof group->path, "%s%s", mount_point, group->name);
    return mkdir(group->path, 0755) == 0;
}

static void drop_group(const struct cgroup *group) {
    drop_dir(group->path);
}

static bool set_knob(const struct cgroup *group, const char *knob, const char *value) {
    char path[2400];
    snprintf(path, sizeof path, "%s/%s", group->path, knob);
    return put_text(path, value);
}

/* Ends the case where there is no such group to be had. */
#define NEED_GROUP(group, controller)                                                                     \
    do {                                                                                                  \
        if (!make_group((group), (controller)))                                                           \
            SKIP("no %s group can be made here: %s", *(controller) ? (controller) : "v2", strerror(errno)); \
    } while (0)

/* What the program itself reads at its start has to be the group. */
static void ok_born_in(runner_t *runner, const struct cgroup *group) {
    char output[8192], wanted[1300];
    set_pokes(runner, poke_path(), &(struct poke){"cat /proc/self/cgroup", NULL}, 1);
    ok(exited(run_output(runner, output, sizeof output), 0), "runs");
    snprintf(wanted, sizeof wanted, ":%s\n", group->name);
    const char *colon = strstr(output, wanted);
    ok(colon != NULL, "the program is in %s: %s", group->name, output);
    set_pokes(runner, poke_path(), &(struct poke){"pause", NULL}, 1);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_str(group_of(pid, group->controller), group->name, "its group of \"%s\"", group->controller);
    end_of(pid);
}

/* ------------------------------------------------------------------ v2 */

static void by_path(void) {
    struct cgroup group;
    NEED_GROUP(&group, "");
    runner_t *runner = poke("pause");
    ok_int(runner_set_cgroup_path(runner, group.path), 0, "path");
    ok_born_in(runner, &group);
    ok_int(runner_clear_cgroups(runner), 0, "clear");
    pid_t pid = start(runner);
    ok_str(group_of(pid, ""), group_of(getpid(), ""), "control: without it the program is in the host's");
    end_of(pid);
    runner_free(runner);
    drop_group(&group);
}

static void by_fd(void) {
    static const int flags[] = {O_PATH, O_RDONLY};
    struct cgroup group;
    NEED_GROUP(&group, "");
    for (size_t i = 0; i < COUNT(flags); i++) {
        int fd = open(group.path, flags[i] | O_DIRECTORY | O_CLOEXEC);
        runner_t *runner = poke("pause");
        ok_int(runner_set_cgroup_fd(runner, fd), 0, "fd");
        ok_born_in(runner, &group);
        ok_int(fcntl(fd, F_GETFD), FD_CLOEXEC, "the fd is still the host's");
        ok_int(runner_set_cgroup_fd(runner, -1), 0, "-1");
        pid_t pid = start(runner);
        ok_str(group_of(pid, ""), group_of(getpid(), ""), "-1 takes it back");
        end_of(pid);
        runner_free(runner);
        close(fd);
    }
    drop_group(&group);
}

static int returns_zero(pid_t pid, void *ctx) {
    (void)pid, (void)ctx;
    return 0;
}

static void with_namespaces(runner_t *r) { runner_set_unshare_flags(r, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID); }
static void with_credential(runner_t *r) { runner_set_credential(r, 1000, 1000, NULL, 0); }
static void with_callback(runner_t *r) { runner_set_sync_func(r, returns_zero, NULL); }
static void with_stop(runner_t *r) { runner_set_stop_before_seccomp(r, true); }
static void with_drop(runner_t *r) { runner_set_drop_caps(r, true), runner_add_rlimit(r, RLIMIT_NOFILE, 3, 3); }

static void (*const ways[])(runner_t *) = {with_namespaces, with_credential, with_callback, with_stop, with_drop};

/* However it is started: the group comes before everything that could take the right to join it away. */
static void every_way(void) {
    static const char *const controllers[] = {"", "pids"};
    if (!is_root())
        SKIP("needs root");
    for (size_t k = 0; k < COUNT(controllers); k++)
        for (size_t i = 0; i < COUNT(ways); i++) {
            struct cgroup group;
            NEED_GROUP(&group, controllers[k]);
            runner_t *runner = poke("pause");
            runner_set_cgroup_path(runner, group.path);
            ways[i](runner);
            pid_t pid = start(runner);
            ok(pid > 0, "way %zu starts", i);
            ok_str(group_of(pid, controllers[k]), group.name, "way %zu, \"%s\"", i, controllers[k]);
            end_of(pid);
            runner_free(runner);
            drop_group(&group);
        }
}

/* A path of the same hierarchy replaces the earlier one. */
static void replaced(void) {
    static const char *const controllers[] = {"", "pids"};
    for (size_t k = 0; k < COUNT(controllers); k++) {
        struct cgroup first, second;
        NEED_GROUP(&first, controllers[k]);
        NEED_GROUP(&second, controllers[k]);
        runner_t *runner = poke("pause");
        runner_set_cgroup_path(runner, first.path);
        runner_set_cgroup_path(runner, second.path);
        ok_born_in(runner, &second);
        runner_free(runner);
        drop_group(&first);
        drop_group(&second);
    }
}

/* ------------------------------------------------------------------ v1 */

static void several_hierarchies(void) {
    static const char *const controllers[] = {"memory", "pids", "cpuacct"};
    struct cgroup groups[COUNT(controllers)];
    size_t made = 0;
    runner_t *runner = poke("pause");
    for (size_t i = 0; i < COUNT(controllers); i++)
        if (make_group(&groups[made], controllers[i]))
            ok_int(runner_set_cgroup_path(runner, groups[made++].path), 0, "%s", controllers[i]);
    if (made < COUNT(controllers))
        skip("not all of memory, pids and cpuacct are v1 hierarchies in which groups can be made");
    for (size_t i = 0; i < made; i++) {
        ok_born_in(runner, &groups[i]);
        ok_str(group_of(getpid(), groups[i].controller), group_of(getppid(), groups[i].controller), "the host stays");
    }
    runner_free(runner);
    for (size_t i = 0; i < made; i++)
        drop_group(&groups[i]);
}

static void v1_and_v2(void) {
    struct cgroup one, two;
    NEED_GROUP(&one, "pids");
    if (!make_group(&two, "")) {
        drop_group(&one);
        SKIP("no v2 group can be made here");
    }
    runner_t *runner = poke("pause");
    runner_set_cgroup_path(runner, one.path);
    runner_set_cgroup_path(runner, two.path);
    ok_born_in(runner, &one);
    ok_born_in(runner, &two);
    runner_free(runner);
    drop_group(&one);
    drop_group(&two);
}

/* ------------------------------------------------------------------ groups that cannot be joined */

static void missing(void) {
    struct counts before = counts_now();
    struct cgroup group;
    NEED_GROUP(&group, "pids");
    runner_t *runner = poke("pid");
    runner_set_cgroup_path(runner, "/nonexistent/group");
    ok_failed(run(runner), RUNNER_STAGE_CGROUP, 0, ENOENT);
    runner_clear_cgroups(runner);
    runner_set_cgroup_path(runner, group.path);
    runner_set_cgroup_path(runner, "/nonexistent/group");
    ok_failed(run(runner), RUNNER_STAGE_CGROUP, 1, ENOENT);
    ok(strstr(last_error.message, "/nonexistent/group") != NULL, "the message names it: %s", last_error.message);
    runner_free(runner);
    drop_group(&group);
    ok_nothing_left(before);
}

static void no_group(void) {
    struct counts before = counts_now();
    static const char *const paths[] = {"/proc/self/exe", "/tmp", "/proc"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        runner_t *runner = poke("pid");
        ok_int(runner_set_cgroup_path(runner, paths[i]), 0, "%s is taken: it is judged at the start", paths[i]);
        int result = run(runner);
        ok(result < 0 && last_error.stage == RUNNER_STAGE_CGROUP && last_error.index == 0 && last_error.message[0],
           "%s is no group: %d, stage %s[%d]", paths[i], result, runner_stage_name(last_error.stage), last_error.index);
        runner_free(runner);
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    runner_t *runner = poke("pid");
    runner_set_cgroup_fd(runner, null);
    int result = run(runner);
    ok(result < 0 && (last_error.stage == RUNNER_STAGE_CGROUP || last_error.stage == RUNNER_STAGE_CLONE),
       "an fd that is no group: %d, stage %s", result, runner_stage_name(last_error.stage));
    close(null);
    result = run(runner);
    ok(result == -EBADF, "an fd that is closed: %d, stage %s", result, runner_stage_name(last_error.stage));
    runner_free(runner);
    ok_nothing_left(before);
}

static void removed(void) {
    struct cgroup group;
    NEED_GROUP(&group, "");
    int fd = open(group.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    runner_t *runner = poke("pid");
    runner_set_cgroup_fd(runner, fd);
    drop_group(&group);
    int result = run(runner);
    ok(result < 0 && (last_error.stage == RUNNER_STAGE_CGROUP || last_error.stage == RUNNER_STAGE_CLONE),
       "a group that is gone: %d, stage %s", result, runner_stage_name(last_error.stage));
    runner_free(runner);
    close(fd);
}

/* As an ordinary user: somebody else's group. */
static void not_ones_own_checks(void) {
    char mount_point[1024];
    if (!find_mount("pids", mount_point, sizeof mount_point))
        find_mount("", mount_point, sizeof mount_point);
    if (geteuid() == 0)
        ok_int(setgroups(0, NULL) | setresgid(65534, 65534, 65534) | setresuid(65534, 65534, 65534), 0,
               "becomes an ordinary user");
    runner_t *runner = poke("pid");
    runner_set_cgroup_path(runner, mount_point);
    int result = run(runner);
    ok((result == -EACCES || result == -EPERM)
           && (last_error.stage == RUNNER_STAGE_CGROUP || last_error.stage == RUNNER_STAGE_CLONE),
       "it is refused: %d, stage %s: %s", result, runner_stage_name(last_error.stage), last_error.message);
    runner_free(runner);
}

static void not_ones_own(void) {
    char mount_point[1024];
    if (!find_mount("pids", mount_point, sizeof mount_point) && !find_mount("", mount_point, sizeof mount_point))
        SKIP("no cgroups here");
    in_child(not_ones_own_checks);
}

/* cgroups(7): in a pids group of limit n the n+1st process cannot be made. */
static void pids_limit(void) {
    struct cgroup group;
    char output[64];
    NEED_GROUP(&group, "pids");
    ok(set_knob(&group, "pids.max", "4"), "a limit of four");
    runner_t *runner = poke("forks 10");
    ok(killed_by(run_output(runner, output, sizeof output), SIGKILL), "it ends itself and its children");
    ok_str(output, "10 ok\n", "control: outside it can make ten");
    runner_set_cgroup_path(runner, group.path);
    ok(killed_by(run_output(runner, output, sizeof output), SIGKILL), "it ends itself and its children");
    ok_str(output, "3 EAGAIN\n", "itself and three more");
    runner_free(runner);
    drop_group(&group);
}

/* A v1 group that is full takes a process all the same when it joins: the limit is on fork(2). It must not hang. */
static void pids_full(void) {
    struct cgroup group;
    struct counts before = counts_now();
    NEED_GROUP(&group, "pids");
    ok(set_knob(&group, "pids.max", "0"), "a limit of none");
    runner_t *runner = poke("forks 1");
    char output[64];
    runner_set_cgroup_path(runner, group.path);
    int result = run_output(runner, output, sizeof output);
    ok(result < 0 ? last_error.message[0] != '\0' : strcmp(output, "0 EAGAIN\n") == 0,
       "it is refused or can make no process: %d, %s", result, output);
    runner_free(runner);
    drop_group(&group);
    ok_nothing_left(before);
}

/* The frozen program is killed by force, thawed or not; the start must not hang in it for ever. */
static void *start_in_thread(void *runner) {
    return (void *)(intptr_t)start(runner);
}

static void frozen(void) {
    pthread_t thread;
    void *pid;
    struct cgroup group;
    NEED_GROUP(&group, "freezer");
    ok(set_knob(&group, "freezer.state", "FROZEN"), "frozen");
    runner_t *runner = poke("exit 6");
    runner_set_cgroup_path(runner, group.path);
    pthread_create(&thread, NULL, start_in_thread, runner);
    sleep_ms(100);
    ok(set_knob(&group, "freezer.state", "THAWED"), "thawed");
    pthread_join(thread, &pid);
    int result = (int)(intptr_t)pid;
    ok(result < 0 ? last_error.message[0] != '\0' : exited(child_status(result), 6),
       "the start is refused, or goes on with its group: %d", result);
    runner_free(runner);
    drop_group(&group);
}

/* ------------------------------------------------------------------ memory */

/* The trap of a child that shares the host's memory: killed for want of memory, it must not take the host along. */
static void tiny_memory(void) {
    static const char *const limits[] = {"4096", "65536", "262144"};
    struct counts before = counts_now();
    struct cgroup group;
    NEED_GROUP(&group, "memory");
    for (size_t i = 0; i < COUNT(limits); i++)
        for (int callback = 0; callback < 2; callback++) {
            ok(set_knob(&group, "memory.limit_in_bytes", limits[i]), "a limit of %s bytes", limits[i]);
            runner_t *runner = poke("touch-memory 0x1000000");
            runner_set_cgroup_path(runner, group.path);
            if (callback)
                runner_set_sync_func(runner, returns_zero, NULL);
            int result = run(runner);
            ok(result < 0 ? last_error.message[0] != '\0' : killed_by(result, SIGKILL),
               "limit %s, callback %d: the start fails or the program is killed: %d", limits[i], callback, result);
            runner_free(runner);
        }
    ok(set_knob(&group, "memory.limit_in_bytes", "67108864"), "a limit that is enough");
    runner_t *runner = poke("pid");
    runner_set_cgroup_path(runner, group.path);
    expect(runner, {"touch-memory 0x1000000", "ok"});
    runner_free(runner);
    drop_group(&group);
    ok_nothing_left(before);
}

/* ------------------------------------------------------------------ put there by the callback */

static int join_group(pid_t pid, void *ctx) {
    char text[32];
    snprintf(text, sizeof text, "%d", (int)pid);
    return set_knob(ctx, "cgroup.procs", text) ? 0 : errno;
}

/* Checks what the program sees as its group: "/" where the namespace came after it was put there. */
static void ok_sees(runner_t *runner, const struct cgroup *group, const char *want) {
    char output[8192], line[1300], prefix[64];
    set_pokes(runner, poke_path(), &(struct poke){"cat /proc/self/cgroup", NULL}, 1);
    ok(exited(run_output(runner, output, sizeof output), 0), "runs");
    snprintf(prefix, sizeof prefix, "%s:", group->controller);
    snprintf(line, sizeof line, ":%s:%s\n", group->controller, want);
    ok(strstr(output, line) != NULL, "it sees %s as %s: %s", group->name, want, output);
}

static void namespace_after_callback(void) {
    static const char *const controllers[] = {"", "pids"};
    for (size_t k = 0; k < COUNT(controllers); k++) {
        struct cgroup group;
        NEED_GROUP(&group, controllers[k]);
        runner_t *runner = poke("pid");
        runner_set_sync_func(runner, join_group, &group);
        runner_set_unshare_flags(runner, userns_if_needed());
        ok_sees(runner, &group, group.name);
        ok_int(runner_set_unshare_cgroup_after_sync(runner, true), 0, "after the callback");
        ok_sees(runner, &group, "/");
        runner_free(runner);
        drop_group(&group);
    }
}

static void namespace_after_hold(void) {
    struct cgroup group;
    NEED_GROUP(&group, "");
    int ends[2];
    char output[8192] = "";
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe");
    runner_t *runner = poke("cat /proc/self/cgroup");
    runner_set_files(runner, (int[]){-1, ends[1]}, 2);
    runner_set_unshare_flags(runner, userns_if_needed());
    runner_set_unshare_cgroup_after_sync(runner, true);
    runner_held_t *held = NULL;
    ok_int(runner_start_held(runner, &held, &last_error), 0, "held");
    ok_int(join_group(runner_held_pid(held), &group), 0, "put there while it is held");
    pid_t pid = runner_held_resume(held, &last_error);
    close(ends[1]);
    ok(read_all(ends[0], output, sizeof output), "its output");
    ok(strstr(output, "0::/\n") != NULL, "it sees its group as the root: %s", output);
    ok(exited(child_status(pid), 0), "it ran");
    close(ends[0]);
    runner_free(runner);
    drop_group(&group);
}

static const struct test tests[] = {
    {"v2 by path: the program is in its group from the first instruction", by_path},
    {"v2 by fd, O_PATH too", by_fd},
    {"in its group however it is started", every_way},
    {"a path of the same hierarchy replaces the earlier one", replaced},
    {"v1: memory, pids and cpuacct together", several_hierarchies},
    {"v1 and v2 together", v1_and_v2},
    {"a missing group is an error with its number", missing},
    {"what is no group is an error", no_group},
    {"a group that was removed is an error", removed},
    {"a group of somebody else is refused", not_ones_own},
    {"the limit of a pids group holds", pids_limit},
    {"a full pids group: refused or held to its limit, no hang", pids_full},
    {"a frozen group: the start goes on when it is thawed", frozen},
    {"a memory limit of one page kills the program or its start, never the host", tiny_memory},
    {"a cgroup namespace after the callback that put it there", namespace_after_callback},
    {"a cgroup namespace after a hold in which it was put there", namespace_after_hold},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
