/* The cases of nsjail's `make test` that no other file has: docs/conformance.md lists all of them. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include "root.h"
#include "filters.h"
#include "host_tree.h"
#include <sys/ptrace.h>

#define ALL_BUT_TIME \
    (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static void map_self(runner_t *runner, uint32_t inside) {
    runner_add_uid_mapping(runner, inside, geteuid(), 1);
    runner_add_gid_mapping(runner, inside, getegid(), 1);
}

#define NEED_USERNS()                                       \
    do {                                                    \
        if (!have_userns())                                 \
            SKIP("no user namespaces that give capabilities"); \
    } while (0)

static void true_and_false(void) {
    static const char *const ends[] = {"exit 0", "exit 1"};
    NEED_USERNS();
    runner_t *runner = in_host_tree(ALL_BUT_TIME, RUNNER_BIND_RO);
    map_self(runner, 99999);
    for (int code = 0; code < 2; code++) {
        set_pokes(runner, poke_path(), &(struct poke){ends[code], NULL}, 1);
        ok(exited(run(runner), code), "%s", ends[code]);
    }
    expect(runner, {"status Uid", "99999 99999 99999 99999"}, {"status Gid", "99999 99999 99999 99999"});
    runner_free(runner);
}

/* ------------------------------------------------------------------ filters */

enum { NO_ERRNO = 1337 };

/* A guest: whether the filter below is in the way. */
static int calls(int argc, char **argv) {
    errno = 0;
    bool id = syscall(SYS_geteuid) == -1 && errno == NO_ERRNO;
    errno = 0;
    bool trace = ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1 && errno == EPERM;
    unsigned long mask = ~0UL;
    bool cpus = syscall(SYS_sched_setaffinity, 0, sizeof mask, &mask) == -1 && errno == EPERM;
    if (argc > 1 && strcmp(argv[1], "log") == 0)
        syscall(SYS_syslog, 10, NULL, 0);
    return id << 0 | trace << 1 | cpus << 2;
}

/* A guest: what strace's child does, without strace. */
static int trace_me(int argc, char **argv) {
    (void)argc, (void)argv;
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 77 : 1;
}

/* Whenever it asks, also before the start has returned: it is the program, and has begun. */
static void traced_by_wish(void) {
    int wrong = 0;
    runner_t *runner = self_guest("trace_me");
    for (int i = 0; i < 100; i++)
        wrong += !exited(run(runner), 77);
    ok_int(wrong, 0, "started, and ended as it should, but for");
    for (int i = wrong = 0; i < 100; i++) {
        runner_result_t result = RUNNER_RESULT_INIT;
        wrong += runner_run(runner, &result, &last_error) != 0 || result.exit_code != 77;
    }
    ok_int(wrong, 0, "the same, watched, but for");
    runner_free(runner);
}

static struct filter fake_ids(void) {
    struct filter filter = {.len = 0};
    filter_add(&filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    filter_add(&filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_geteuid, 4, 0);
    filter_add(&filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 4, 0);
    filter_add(&filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setaffinity, 3, 0);
    filter_add(&filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_syslog, 3, 0);
    filter_add(&filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    filter_add(&filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | NO_ERRNO, 0, 0);
    filter_add(&filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    filter_add(&filter, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    return filter;
}

static void filter_with_errnos(void) {
    struct filter filter = fake_ids();
    runner_t *runner = self_guest("calls");
    set_filter(runner, &filter);
    ok(exited(run(runner), 7), "with it an errno that does not exist, and EPERM twice");
    runner_free(runner);
    runner = self_guest("calls", "log");
    set_filter(runner, &filter);
    ok(killed_by(run(runner), SIGSYS), "and an end");
    runner_result_t result = RUNNER_RESULT_INIT;
    ok_int(runner_run(runner, &result, &last_error), 0, "the same, watched");
    ok_int(result.verdict, RUNNER_VERDICT_FORBIDDEN_SYSCALL, "verdict");
    runner_free(runner);
}

/* ------------------------------------------------------------------ what can be written to */

/* A directory of the host in /tmp, in a tree that is read-only or not, with one more piece over /tmp. */
enum piece { NO_PIECE, BIND, BIND_RO, TMPFS, TMPFS_RO };

static runner_t *tree_with(uint32_t flags, enum piece piece) {
    runner_t *runner = in_host_tree(CLONE_NEWPID, flags);
    switch (piece) {
    case NO_PIECE: break;
    case BIND: runner_add_bind(runner, "/tmp", "/tmp", RUNNER_BIND_REC); break;
    case BIND_RO: runner_add_bind(runner, "/tmp", "/tmp", RUNNER_BIND_REC | RUNNER_BIND_RO); break;
    case TMPFS: runner_add_mount(runner, "none", "/tmp", "tmpfs", 0, NULL); break;
    case TMPFS_RO: runner_add_mount(runner, "none", "/tmp", "tmpfs", MS_RDONLY, NULL); break;
    }
    return runner;
}

static void writable_and_not(void) {
    static const struct {
        const char *what;
        uint32_t flags;
        enum piece piece;
        bool in_tmp, of_host; /* it is made in /tmp, or in the host's directory there */
        const char *want;
    } rows[] = {
        {"a writable tree", 0, NO_PIECE, false, true, "ok"},
        {"a read-only tree", RUNNER_BIND_RO, NO_PIECE, false, false, "EROFS"},
        {"a tmpfs in it", RUNNER_BIND_RO, TMPFS, true, false, "ok"},
        {"a read-only tmpfs in it", RUNNER_BIND_RO, TMPFS_RO, true, false, "EROFS"},
        {"a read-only bind in a writable tree", 0, BIND_RO, false, false, "EROFS"},
        {"a writable bind in a read-only tree", RUNNER_BIND_RO, BIND, false, true, "ok"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char dir[64], op[128];
        snprintf(dir, sizeof dir, "%s", scratch_dir());
        snprintf(op, sizeof op, "create %s/made", rows[i].in_tmp ? "/tmp" : dir);
        runner_t *runner = tree_with(rows[i].flags, rows[i].piece);
        if (!expect(runner, {op, rows[i].want}))
            diag("%s", rows[i].what);
        ok(exists(join(dir, "made")) == rows[i].of_host, "%s: the host's directory", rows[i].what);
        runner_free(runner);
        remove_dir(dir);
    }
}

/* For a child: a tmpfs of the host beneath a directory that is bound read-only. */
static void beneath_checks(void) {
    char dir[64];
    if (!become_mounter())
        return;
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    ok_int(mkdir(join(dir, "run"), 0755), 0, "a directory");
    ok_int(mount("none", join(dir, "run"), "tmpfs", 0, NULL), 0, "a tmpfs of the host");
    runner_t *runner = rooted(0);
    runner_set_unshare_flags(runner, CLONE_NEWNS);
    runner_add_bind(runner, dir, "/host", RUNNER_BIND_RO | RUNNER_BIND_REC);
    inside(runner, {"create /host/x", "EROFS"}, {"create /host/run/x", "EROFS"});
    runner_clear_root(runner);
    runner_add_bind(runner, poke_path(), "/poke", RUNNER_BIND_RO);
    runner_add_bind(runner, dir, "/host", RUNNER_BIND_RO);
    runner_add_bind(runner, join(dir, "run"), "/host/run", 0);
    inside(runner, {"create /host/x", "EROFS"}, {"create /host/run/x", "ok"});
    runner_free(runner);
    umount2(join(dir, "run"), MNT_DETACH);
    remove_dir(dir);
}

static void tmpfs_beneath(void) {
    in_child(beneath_checks);
}

/* ------------------------------------------------------------------ whole configurations */

/* A shell's sandbox, its pieces one of each kind. */
static void a_shells_sandbox(void) {
    NEED_USERNS();
    struct filter filter = fake_ids();
    runner_t *runner = rooted(ALL_BUT_TIME);
    map_self(runner, 1000);
    runner_set_hostname(runner, "BASH-FAKE-EUID");
    runner_set_workdir(runner, "/tmp");
    runner_add_mount(runner, "none", "/tmp", "tmpfs", MS_NOEXEC | MS_NODEV | MS_NOSUID, "size=4194304");
    runner_add_bind(runner, "/dev/null", "/dev/null", RUNNER_BIND_DEV);
    runner_add_proc(runner, "/proc", RUNNER_PROC_RO);
    runner_add_file(runner, "/etc/resolv.conf", "nameserver 8.8.8.8\n", 19, 0644);
    runner_add_file(runner, "/DYNAMIC_FILE", "This file was created dynamically", 33, 0644);
    runner_add_bind(runner, "/nonexistent_777", "/nonexistent_777", RUNNER_BIND_OPTIONAL);
    runner_add_symlink(runner, "/proc/self/fd", "/dev/fd");
    set_filter(runner, &filter);
    inside(runner, {"ls /", "DYNAMIC_FILE dev etc poke proc tmp"},
           {"cat /DYNAMIC_FILE", "This file was created dynamically"},
           {"cat /etc/resolv.conf", "nameserver 8.8.8.8"}, {"cwd", "/tmp"}, {"uts", "BASH-FAKE-EUID (none)"},
           {"fill /tmp/x 8388608", "4194304 ENOSPC"}, {"flags /tmp", "rw,nosuid,nodev,noexec"},
           {"write /dev/null x", "ok"}, {"ls /dev/fd/", "0 1 2 3"}, {"write /proc/self/oom_score_adj 1", "EROFS"},
           {"create /x", "EROFS"}, {"pid", "1"});
    /* No link can be made in proc; nothing but a bind can be left out where it fails. */
    runner_add_symlink(runner, "/some/unimportant/target", "/proc/no/symlinks/can/be/created/in/proc");
    int result = run(runner);
    ok(result < 0 && last_error.index == 8, "a link in proc fails the start: %d, %s", result, last_error.message);
    runner_free(runner);
}

/* A program that its root does not hold. */
static void program_by_fd(void) {
    NEED_USERNS();
    struct filter filter = filter_on(SECCOMP_RET_ERRNO, SYS_ptrace);
    int program = open(poke_path(), O_RDONLY | O_CLOEXEC);
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, ALL_BUT_TIME | CLONE_NEWNS);
    map_self(runner, 999999);
    runner_set_pivot_root(runner, pivot_dir);
    runner_set_hostname(runner, "BUSYBOX");
    runner_set_exec_fd(runner, program);
    runner_add_mount(runner, "none", "/proc", "proc", MS_RDONLY, NULL);
    set_filter(runner, &filter);
    expect_at(runner, "busybox", {"ls /", "proc"}, {"status Uid", "999999 999999 999999 999999"},
              {"flags /proc", "ro"}, {"ls /proc/self/fd", "0 1 2 3"});
    set_pokes(runner, "busybox", &(struct poke){"sleep 60000", NULL}, 1);
    runner_set_wall_limit(runner, 200000000);
    runner_result_t result = RUNNER_RESULT_INIT;
    ok_int(runner_run(runner, &result, &last_error), 0, "it runs");
    ok_int(result.verdict, RUNNER_VERDICT_WALL_LIMIT, "verdict");
    ok_int(result.signal, SIGKILL, "what a shell would call 137");
    runner_free(runner);
    close(program);
}

/* ------------------------------------------------------------------ */

static const struct test tests[] = {
    {"true and false, as an id that exists only inside, in the host's tree", true_and_false},
    {"a filter that gives errnos, one that does not exist too, and kills", filter_with_errnos},
    {"a program that asks its parent to trace it is started like any other", traced_by_wish},
    {"trees, binds and tmpfs, writable and not", writable_and_not},
    {"a tmpfs of the host's beneath a read-only bind is read-only too; bound again it is writable", tmpfs_beneath},
    {"a shell's sandbox with one piece of each kind", a_shells_sandbox},
    {"a program that its root does not hold, ended by its wall limit", program_by_fd},
};

static const struct guest guests[] = {{"calls", calls}, {"trace_me", trace_me}};

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "guest") == 0)
        return tap_main(argc, argv, NULL, 0, guests, COUNT(guests));
    return root_main(argc, argv, tests, COUNT(tests));
}
