/* Attacks on the kernel from inside: doors that a filter by number does not watch, new namespaces, the machine's
 * settings and its clock. */

#define _GNU_SOURCE
#include "tap.h"

#include "attack.h"
#include "filters.h"
#include "judge.h"

/* ------------------------------------------------------------------ doors beside the numbers */

#ifdef __x86_64__
enum { GETPPID_OF_I386 = 64 };

/* A filter that refuses getppid(2) by its number alone. */
static runner_t *naive(void) {
    struct filter filter = filter_on(SECCOMP_RET_ERRNO | ELOOP, SYS_getppid);
    runner_t *runner = hostile();
    set_filter(runner, &filter);
    return runner;
}

static void int80(void) {
    runner_t *runner = naive();
    char output[64];
    set_pokes(runner, hostile_path(), &(struct poke){op("int80 %d", GETPPID_OF_I386), NULL}, 1);
    run_output(runner, output, sizeof output);
    if (strcmp(output, "killed 11\n") == 0) {
        runner_free(runner);
        SKIP("this kernel has no 32-bit entry");
    }
    attacks(runner, {op("call %d", SYS_getppid), "ELOOP"}, {op("int80 %d", GETPPID_OF_I386), "got"});
    set_judges_filter(runner);
    attacks(runner, {op("int80 %d", GETPPID_OF_I386), "killed 31"});
    runner_free(runner);
}

/* A kernel without x32 has no call behind these numbers; it is the filter all the same that has to answer first. */
static void x32(void) {
    runner_t *runner = naive();
    char output[64];
    set_pokes(runner, hostile_path(), &(struct poke){op("x32 %d", SYS_getppid), NULL}, 1);
    run_output(runner, output, sizeof output);
    bool known = strcmp(output, "got\n") == 0;
    attacks(runner, {op("call %d", SYS_getppid), "ELOOP"}, {op("x32 %d", SYS_getppid), known ? "got" : "ENOSYS"});
    set_judges_filter(runner);
    attacks(runner, {op("x32 %d", SYS_getppid), "killed 31"});
    runner_free(runner);
    if (!known)
        SKIP("this kernel has no x32: the filter kills the call, without it the kernel knows none");
}

static void vsyscall(void) {
    runner_t *runner = hostile();
    char output[64];
    set_pokes(runner, hostile_path(), &(struct poke){"vsyscall", NULL}, 1);
    run_output(runner, output, sizeof output);
    if (strcmp(output, "got\n") != 0) {
        runner_free(runner);
        SKIP("this kernel has no vsyscall page");
    }
    struct filter filter = filter_on(SECCOMP_RET_ERRNO | ELOOP, SYS_time);
    set_filter(runner, &filter);
    attacks(runner, {"vsyscall", "ELOOP"});
    filter = filter_on(SECCOMP_RET_KILL_PROCESS, SYS_time);
    set_filter(runner, &filter);
    attacks(runner, {"vsyscall", "killed 31"});
    runner_free(runner);
}
#else
static void int80(void) { SKIP("the entry is x86-64's"); }
static void x32(void) { SKIP("the entry is x86-64's"); }
static void vsyscall(void) { SKIP("the page is x86-64's"); }
#endif

/* What a ring does is no system call of that number: only the ring itself can be refused. */
static void uring(void) {
    struct filter no_open = filter_on(SECCOMP_RET_ERRNO | ELOOP, SYS_openat);
    runner_t *runner = hostile();
    char output[64];
    set_pokes(runner, hostile_path(), &(struct poke){"uring /dev/null", NULL}, 1);
    run_output(runner, output, sizeof output);
    if (strcmp(output, "got\n") != 0) {
        runner_free(runner);
        output[strcspn(output, "\n")] = '\0';
        SKIP("no io_uring for this user here: %s", output);
    }
    set_filter(runner, &no_open);
    attacks(runner, {"openat /dev/null", "ELOOP"}, {"uring /dev/null", "got"});
    set_judges_filter(runner);
    attacks(runner, {"uring /dev/null", "EPERM"});
    runner_free(runner);
}

/* ------------------------------------------------------------------ namespaces in namespaces */

static void nested_by_default(void) {
    if (!have_userns())
        SKIP("no user namespaces here");
    runner_t *runner = hostile();
    runner_set_unshare_flags(runner, CLONE_NEWUSER);
    runner_set_drop_caps(runner, true);
    attacks(runner, {"userns", "got"}, {"userns-clone", "got"}, {"userns-clone3", "got"});
    set_judges_filter(runner);
    attacks(runner, {"userns", "EPERM"}, {"userns-clone", "EPERM"}, {"userns-clone3", "ENOSYS"});
    runner_free(runner);
}

/* The host in a user namespace of its own, as it may be in a container, with a limit that belongs to it. */
static bool host_in_userns(void) {
    unsigned uid = geteuid(), gid = getegid();
    return unshare(CLONE_NEWUSER) == 0 && write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/uid_map", op("0 %u 1", uid)) && write_text("/proc/self/gid_map", op("0 %u 1", gid));
}

static void counted_checks(void) {
    if (!ok(host_in_userns(), "a user namespace for the host"))
        return;
    runner_t *runner = hostile();
    runner_set_unshare_flags(runner, CLONE_NEWUSER);
    runner_set_drop_caps(runner, true);
    ok(write_text("/proc/sys/user/max_user_namespaces", "1"), "one below it is allowed, which the run takes");
    attacks(runner, {"userns", "ENOSPC"}, {"userns-clone", "ENOSPC"}, {"userns-clone3", "ENOSPC"});
    ok(write_text("/proc/sys/user/max_user_namespaces", "100"), "control: many are");
    attacks(runner, {"userns", "got"});
    runner_free(runner);
}

static void nested_counted(void) {
    if (!have_userns())
        SKIP("no user namespaces here");
    in_child(counted_checks);
}

/* ------------------------------------------------------------------ the machine's settings */

#define CORE_PATTERN "/proc/sys/kernel/core_pattern"

static runner_t *with_proc_of(uint32_t flags) {
    runner_t *runner = hostile_in_root(CLONE_NEWPID);
    runner_add_proc(runner, "/proc", flags);
    runner_set_drop_caps(runner, true);
    return runner;
}

/* Root without any capability is still who these files belong to. */
static void settings(void) {
    static const struct {
        uint32_t flags;
        const char *want;
    } rows[] = {{RUNNER_PROC_MASK, "EROFS"}, {RUNNER_PROC_RO, "EROFS"}, {RUNNER_PROC_SUBSET, "ENOENT"}};
    if (!is_root())
        SKIP("the files are root's: an ordinary user's program meets EACCES, whatever the library does");
    runner_t *runner = with_proc_of(0);
    attacks_inside(runner, {"sysctl " CORE_PATTERN, "got"});
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    attacks_inside(runner, {"sysctl " CORE_PATTERN, "EACCES"});
    runner_clear_credential(runner);
    for (size_t i = 0; i < COUNT(rows); i++) {
        runner_free(runner);
        runner = with_proc_of(rows[i].flags);
        attacks_inside(runner, {"sysctl " CORE_PATTERN, rows[i].want});
    }
    runner_free(runner);
}

static void settings_in_userns(void) {
    if (!is_root())
        SKIP("an ordinary user has no other id to give");
    runner_t *runner = with_proc_of(0);
    runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER);
    attacks_inside(runner, {"sysctl " CORE_PATTERN, "got"});
    runner_add_uid_mapping(runner, 0, 100000, 1);
    runner_add_gid_mapping(runner, 0, 100000, 1);
    runner_set_credential(runner, 0, 0, NULL, 0);
    attacks_inside(runner, {"sysctl " CORE_PATTERN, "EACCES"});
    runner_free(runner);
}

/* A new proc is the whole one, however little the old one shows: the kernel only asks whether what there is of the
 * old one is covered by mounts (then none can be had), or read-only (then the new one is too). */
static void new_proc(void) {
    const char *changed = as_root_else("got", "EACCES");
    const struct {
        uint32_t flags;
        const char *reads, *writes;
    } rows[] = {
        {0, "got", changed},
        {RUNNER_PROC_SUBSET, "got", changed},
        {RUNNER_PROC_SUBSET | RUNNER_PROC_MASK, "got", changed},
        {RUNNER_PROC_RO, "got", "EPERM"},
        {RUNNER_PROC_SUBSET | RUNNER_PROC_RO, "got", "EPERM"},
        {RUNNER_PROC_MASK, "EPERM", "EPERM"},
    };
    if (!have_userns())
        SKIP("no user namespaces here");
    for (size_t i = 0; i < COUNT(rows); i++) {
        runner_t *runner = with_proc_of(rows[i].flags);
        if (!attacks_inside(runner, {"nested-proc /proc/meminfo read", rows[i].reads},
                            {"nested-proc " CORE_PATTERN " write", rows[i].writes}))
            diag("  that was with flags %#x", rows[i].flags);
        set_judges_filter(runner);
        attacks_inside(runner, {"nested-proc /proc/meminfo read", "EPERM"});
        runner_free(runner);
    }
}

/* What lies over a proc, and what makes a bind read-only. */
static void own_mounts(void) {
    char dir[64];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    runner_t *runner = hostile_in_root(CLONE_NEWPID);
    runner_add_proc(runner, "/proc", RUNNER_PROC_MASK);
    runner_add_bind(runner, dir, "/box", RUNNER_BIND_RO);
    attacks_inside(runner, {"uncover /proc/sys", "got"}, {"remount /box", "got"});
    runner_set_drop_caps(runner, true);
    attacks_inside(runner, {"uncover /proc/sys", "EPERM"}, {"remount /box", "EPERM"});
    if (have_userns())
        attacks_inside(runner, {"nested-uncover /proc/sys", "EINVAL"}, {"nested-remount /box", "EPERM"});
    runner_free(runner);
    remove_dir(dir);
}

/* Nobody has a /sys who was not given one. */
#define SETTING_OF_SYS "/sys/kernel/mm/transparent_hugepage/enabled"

static void settings_of_sys(void) {
    if (!is_root() || access(SETTING_OF_SYS, W_OK) != 0)
        SKIP("no setting of /sys that this user may change");
    runner_t *runner = hostile_in_root(0);
    runner_set_drop_caps(runner, true);
    attacks_inside(runner, {"sysctl " SETTING_OF_SYS, "ENOENT"});
    runner_add_bind(runner, "/sys", "/sys", RUNNER_BIND_RO | RUNNER_BIND_REC);
    attacks_inside(runner, {"sysctl " SETTING_OF_SYS, "EROFS"});
    runner_free(runner);
    runner = hostile_in_root(0);
    runner_set_drop_caps(runner, true);
    runner_add_bind(runner, "/sys", "/sys", RUNNER_BIND_REC);
    attacks_inside(runner, {"sysctl " SETTING_OF_SYS, "got"});
    runner_free(runner);
}

static void set_userns(runner_t *r) { runner_set_unshare_flags(r, CLONE_NEWUSER); }
static void set_drop(runner_t *r) { runner_set_drop_caps(r, true); }
static void set_other(runner_t *r) { runner_set_credential(r, 1000, 1000, NULL, 0); }

static void machine_clock(void) {
    void (*const defences[])(runner_t *) = {set_drop, set_other, have_userns() ? set_userns : set_drop};
    if (!is_root())
        SKIP("an ordinary user's program has no capability for it, whatever the library does");
    runner_t *runner = hostile();
    attacks(runner, {"clock", "got"});
    runner_free(runner);
    for (size_t i = 0; i < COUNT(defences); i++) {
        runner = hostile();
        defences[i](runner);
        attacks(runner, {"clock", "EPERM"});
        runner_free(runner);
    }
}

static const struct test tests[] = {
    {"int 0x80: with a filter that checks the architecture", int80},
    {"x32: with a filter that checks the number's bit 30", x32},
    {"vsyscall: with a filter on the call that it emulates", vsyscall},
    {"io_uring: with a filter that refuses the ring", uring},
    {"nested user namespaces: not by default or with drop_caps; with a filter", nested_by_default},
    {"nested user namespaces: with user.max_user_namespaces", nested_counted},
    {"/proc/sys: root's program not by default; with a credential, or proc masked, read-only or a subset", settings},
    {"/proc/sys: root's in a user namespace not by default; with a map to another id", settings_in_userns},
    {"a whole /proc mounted in a new user namespace: with RUNNER_PROC_MASK, but not beside _SUBSET; with a filter",
     new_proc},
    {"read-only binds and masks of proc undone: not by default; with drop_caps", own_mounts},
    {"/sys: by default in a root; bound in, with RUNNER_BIND_RO", settings_of_sys},
    {"the machine's clock: root's program not by default; with drop_caps, a credential or a user namespace",
     machine_clock},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
