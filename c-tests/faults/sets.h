/* The option sets: together they use every kind of op, in every kind of start. Include after filters.h, poke.h,
 * root.h and run.h. */

#ifndef SETS_H
#define SETS_H

#include <linux/capability.h>
#include <sys/personality.h>
#include <sys/resource.h>

/* What every program of a set ends with. */
#define GOOD_CODE 7

/* What a set has to have to be tried. */
enum { ROOT = 1, NAMESPACES = 2, GROUPS = 4, NO_OWN_GROUPS = 8 };
/* How it is started. */
enum how { STARTED, HELD, WATCHED };

struct set {
    const char *name;
    int needs;
    enum how how;
    void (*options)(runner_t *);
    const char *const *targets; /* of the pieces of its root, by their index */
};

/* What the sets name: the same for every start, but for the terminal, which is hung up when its session ends. */
static struct {
    int null, master, terminal, program, script, v2_fd;
    char dir[64], covered[80], here[80], there[80];
    struct cgroup pids, v2;
    bool groups;
} place;

static int open_script(void) {
    const char *path = join(place.dir, "script");
    ok(put_file(path, "#!/bin/sh\nexit 7\n", 0755), "a script");
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void make_places(void) {
    snprintf(place.dir, sizeof place.dir, "%s", scratch_dir());
    snprintf(place.covered, sizeof place.covered, "%s/inner", pivot_dir);
    snprintf(place.here, sizeof place.here, "%s/here", place.dir);
    snprintf(place.there, sizeof place.there, "%s/there", place.dir);
    ok_int(mkdir(place.covered, 0755) | mkdir(place.here, 0755) | mkdir(place.there, 0755), 0, "directories");
    place.null = open("/dev/null", O_RDWR | O_CLOEXEC);
    place.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ok(grantpt(place.master) == 0 && unlockpt(place.master) == 0, "a terminal");
    place.program = open(guest_path(), O_PATH | O_CLOEXEC);
    place.script = open_script();
    place.terminal = place.v2_fd = -1;
    if ((place.groups = is_root() && make_group(&place.pids, "pids") && !place.pids.v2)) {
        place.groups = make_group(&place.v2, "") && place.v2.v2;
        place.v2_fd = open(place.v2.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
}

static void drop_places(void) {
    const int fds[] = {place.null, place.master, place.terminal, place.program, place.script, place.v2_fd};
    for (size_t i = 0; i < COUNT(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (*place.pids.path != '\0')
        drop_dir(place.pids.path);
    if (*place.v2.path != '\0')
        drop_dir(place.v2.path);
    rmdir(place.covered);
    remove_dir(place.dir);
    memset(&place, 0, sizeof place);
}

/* ------------------------------------------------------------------ options */

static int agree(pid_t pid, void *ctx) {
    (void)pid, (void)ctx;
    return 0;
}

static void plain(runner_t *r) {
    (void)r;
}

static void group(runner_t *r) {
    runner_set_session(r, RUNNER_SESSION_GROUP);
    runner_set_no_new_privs(r, true);
}

/* Two that change places, one that stays, a hole, one file twice. */
static void files(runner_t *r) {
    runner_set_files(r, (int[]){1, 0, 2, -1, place.null, place.null}, 6);
}

static void user_namespace(runner_t *r) {
    runner_set_unshare_flags(r, CLONE_NEWUSER);
}

static void mapped_ids(runner_t *r) {
    user_namespace(r);
    runner_add_uid_mapping(r, 0, 100000, 10);
    runner_add_gid_mapping(r, 0, 100000, 10);
    runner_set_allow_setgroups(r, true);
    runner_set_credential(r, 5, 6, (const uint32_t[]){7, 8}, 2);
}

static void every_namespace(runner_t *r) {
    runner_set_unshare_flags(r, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                                    CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWTIME);
    runner_set_hostname(r, "host");
    runner_set_domainname(r, "domain");
    runner_set_loopback_up(r, true);
    if (geteuid() == 0) /* An ordinary user has 200 keys, which are freed late. */
        runner_set_new_session_keyring(r, true);
    runner_set_workdir(r, "/usr");
}

static void inside_root(runner_t *r) {
    runner_set_args(r, (const char *const[]){"/bin/guest", "exit", "7", NULL});
    runner_set_unshare_flags(r, CLONE_NEWNS | CLONE_NEWPID | userns_if_needed());
    runner_set_pivot_root(r, pivot_dir);
    runner_add_bind(r, guest_path(), "/bin/guest", RUNNER_BIND_RO);
}

static const char *const root_targets[] = {"/bin/guest", "/missing", "/devices", "/inner", "/tmp", "/proc",
                                           "/dev", "/home/deep", "/home", "/lib/link", "/etc/passwd", "/top",
                                           "/mnt", "/mnt/here", "/mnt", NULL};
static void whole_root(runner_t *r) {
    inside_root(r);
    runner_add_bind(r, "/no/such/source", "/missing", RUNNER_BIND_OPTIONAL);
    runner_add_bind(r, "/dev", "/devices", RUNNER_BIND_RO | RUNNER_BIND_REC | RUNNER_BIND_OPTIONAL);
    runner_add_bind(r, place.covered, "/inner", RUNNER_BIND_NOEXEC);
    runner_add_tmpfs(r, "/tmp", 1 << 20, 01777);
    runner_add_proc(r, "/proc", RUNNER_PROC_MASK);
    runner_add_dev(r, "/dev");
    runner_add_dir(r, "/home/deep", 0700);
    runner_add_dir(r, "/home", 0711); /* made on the way to the one before */
    runner_add_symlink(r, "to", "/lib/link");
    runner_add_file(r, "/etc/passwd", "root:x:0:0::/:\n", 15, 0644);
    runner_add_file(r, "/top", NULL, 0, 0600);
    runner_add_mount(r, "tmpfs", "/mnt", "tmpfs", MS_NODEV, "mode=755");
    runner_add_mount(r, place.here, "/mnt/here", NULL, MS_BIND | MS_RDONLY, NULL);
    runner_add_mount(r, NULL, "/mnt", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL);
    runner_set_workdir(r, "/home");
}

/* Without a root of its own; the targets are there already. */
static const char *const tree_targets[] = {place.there, place.there, NULL};
static void hosts_tree(runner_t *r) {
    runner_set_unshare_flags(r, CLONE_NEWNS | userns_if_needed());
    runner_add_tmpfs(r, place.there, 4096, 0755);
    runner_add_bind(r, place.here, place.there, RUNNER_BIND_RO);
}

static void credential(runner_t *r) {
    runner_set_credential(r, 1000, 1001, (const uint32_t[]){1002, 1003}, 2);
}

static void credential_in_namespace(runner_t *r) {
    user_namespace(r);
    runner_set_credential(r, 0, 0, NULL, 0);
}

static void no_capabilities(runner_t *r) {
    runner_set_drop_caps(r, true);
}

static void kept_capabilities(runner_t *r) {
    runner_set_unshare_flags(r, userns_if_needed());
    runner_keep_caps(r, UINT64_C(1) << CAP_NET_BIND_SERVICE | UINT64_C(1) << CAP_KILL);
}

static void limits(runner_t *r) {
    cpu_set_t cpus;
    uint32_t cpu = 0;
    sched_getaffinity(0, sizeof cpus, &cpus);
    while (!CPU_ISSET(cpu, &cpus))
        cpu++;
    runner_add_rlimit(r, RLIMIT_NOFILE, 100, 100);
    runner_add_rlimit(r, RLIMIT_CORE, 0, 0);
    runner_add_rlimit(r, RLIMIT_NOFILE, 64, 64); /* in the place of the first */
    runner_set_nice(r, 5);
    runner_set_oom_score_adj(r, 500);
    runner_set_cpu_affinity(r, &cpu, 1);
    runner_set_scheduler(r, SCHED_BATCH, 0);
    runner_set_umask(r, 027);
    runner_set_personality(r, ADDR_NO_RANDOMIZE);
}

static void terminal(runner_t *r) {
    if (place.terminal >= 0)
        close(place.terminal);
    place.terminal = open(ptsname(place.master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    runner_set_files(r, (int[]){place.terminal, place.null, place.null}, 3);
    runner_set_ctty(r, true);
}

static void filter(runner_t *r) {
    struct filter filter = filter_on(SECCOMP_RET_ERRNO | EXDEV, SYS_ptrace);
    set_filter(r, &filter);
}

/* Between the filter and the exec nothing is allowed, but for what the program itself needs. */
static void strict_filter(runner_t *r) {
    struct filter filter = filter_only(SECCOMP_RET_ERRNO | EXDEV, SYS_execve, STATIC_STARTUP);
    set_filter(r, &filter);
}

static void traced(runner_t *r) {
    runner_set_ptrace(r, true);
}

static void traced_filter(runner_t *r) {
    traced(r);
    filter(r);
}

static void stopped(runner_t *r) {
    runner_set_stop_before_seccomp(r, true);
    filter(r);
}

static void program_fd(runner_t *r) {
    runner_set_exec_fd(r, place.program);
}

static void script_fd(runner_t *r) {
    runner_set_exec_fd(r, place.script);
}

static void callback(runner_t *r) {
    runner_set_sync_func(r, agree, NULL);
}

static void death_signal(runner_t *r) {
    runner_set_death_signal(r, SIGKILL);
}

/* The child has a copy of the memory, and is told to go on through a socket. */
static void bound_callback(runner_t *r) {
    callback(r);
    death_signal(r);
}

static void cgroup_paths(runner_t *r) {
    runner_set_cgroup_path(r, place.v2.path);
    runner_set_cgroup_path(r, place.pids.path);
}

static void cgroup_fd(runner_t *r) {
    runner_set_cgroup_fd(r, place.v2_fd);
    credential(r);
}

static void late_cgroup(runner_t *r) {
    callback(r);
    runner_set_unshare_flags(r, userns_if_needed());
    runner_set_unshare_cgroup_after_sync(r, true);
}

static void watched(runner_t *r) {
    runner_set_wall_limit(r, UINT64_C(20000000000));
    runner_set_cpu_limit(r, UINT64_C(10000000000));
    runner_set_memory_limit(r, 64 << 20);
    runner_set_process_limit(r, 8);
    runner_set_output_limit(r, 1 << 20);
    runner_set_cpu_quota(r, 100);
    runner_set_stdin_bytes(r, "input", 5);
    runner_capture(r, 1, 1000);
    runner_capture_head(r, 2, 1000);
}

/* As a judge has it. */
static const char *const judge_targets[] = {"/bin/guest", "/tmp", NULL};
static void judge(runner_t *r) {
    watched(r);
    inside_root(r);
    runner_add_tmpfs(r, "/tmp", 1 << 20, 01777);
    if (is_root())
        credential(r);
    no_capabilities(r);
    filter(r);
    callback(r);
}

static void held_with_all(runner_t *r) {
    judge(r);
    runner_clear_limits(r);
}

static const struct set sets[] = {
    {"plain", 0, STARTED, plain, NULL},
    {"process group", 0, STARTED, group, NULL},
    {"files", 0, STARTED, files, NULL},
    {"user namespace", NAMESPACES, STARTED, user_namespace, NULL},
    {"mapped ids", ROOT, STARTED, mapped_ids, NULL},
    {"every namespace", NAMESPACES, STARTED, every_namespace, NULL},
    {"whole root", NAMESPACES, STARTED, whole_root, root_targets},
    {"mounts in the host's tree", NAMESPACES, STARTED, hosts_tree, tree_targets},
    {"credential", ROOT, STARTED, credential, NULL},
    {"credential in a user namespace", NAMESPACES | NO_OWN_GROUPS, STARTED, credential_in_namespace, NULL},
    {"no capabilities", 0, STARTED, no_capabilities, NULL},
    {"kept capabilities", NAMESPACES, STARTED, kept_capabilities, NULL},
    {"limits", 0, STARTED, limits, NULL},
    {"terminal", 0, STARTED, terminal, NULL},
    {"filter", 0, STARTED, filter, NULL},
    {"strict filter", 0, STARTED, strict_filter, NULL},
    {"traced", 0, STARTED, traced, NULL},
    {"traced, filter", 0, STARTED, traced_filter, NULL},
    {"stopped", 0, STARTED, stopped, NULL},
    {"exec fd", 0, STARTED, program_fd, NULL},
    {"exec fd of a script", 0, STARTED, script_fd, NULL},
    {"callback", 0, STARTED, callback, NULL},
    {"death signal", 0, STARTED, death_signal, NULL},
    {"callback, death signal", 0, STARTED, bound_callback, NULL},
    {"held", 0, HELD, plain, NULL},
    {"held in a root", NAMESPACES, HELD, held_with_all, judge_targets},
    {"cgroup paths", GROUPS, STARTED, cgroup_paths, NULL},
    {"cgroup fd", GROUPS, STARTED, cgroup_fd, NULL},
    {"late cgroup namespace", NAMESPACES, STARTED, late_cgroup, NULL},
    {"watched", 0, WATCHED, watched, NULL},
    {"judge", NAMESPACES, WATCHED, judge, judge_targets},
};

/* Why a set cannot be tried here; NULL where it can. */
static const char *obstacle(const struct set *set) {
    if ((set->needs & ROOT) != 0 && !is_root())
        return "needs root";
    if ((set->needs & NAMESPACES) != 0 && !is_root() && !have_userns())
        return "no user namespaces for this user";
    if ((set->needs & GROUPS) != 0 && !place.groups)
        return "no v1 and v2 cgroups can be made here";
    if ((set->needs & NO_OWN_GROUPS) != 0 && !is_root() && getgroups(0, NULL) > 0)
        return "this user has supplementary groups";
    return NULL;
}

static runner_t *runner_of(const struct set *set) {
    runner_t *runner = guest("exit", "7");
    set->options(runner);
    return runner;
}

#endif
