/* Limits: what the program sees of them, what fails when they cannot be had, and that the host's stay as they are. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include <grp.h>

static const struct {
    const char *name;
    int resource;
    uint64_t soft, hard; /* low enough for any host, high enough for a static program */
} resources[] = {
    {"cpu", RLIMIT_CPU, 3, 4},
    {"fsize", RLIMIT_FSIZE, 1 << 20, 2 << 20},
    {"data", RLIMIT_DATA, 512 << 20, 600 << 20},
    {"stack", RLIMIT_STACK, 1 << 20, 2 << 20},
    {"core", RLIMIT_CORE, 0, 0},
    {"rss", RLIMIT_RSS, 1 << 20, 2 << 20},
    {"nproc", RLIMIT_NPROC, 4000, 4500},
    {"nofile", RLIMIT_NOFILE, 64, 100},
    {"memlock", RLIMIT_MEMLOCK, 4096, 8192},
    {"as", RLIMIT_AS, UINT64_C(1) << 30, UINT64_C(2) << 30},
    {"locks", RLIMIT_LOCKS, 10, 20},
    {"sigpending", RLIMIT_SIGPENDING, 100, 200},
    {"msgqueue", RLIMIT_MSGQUEUE, 1000, 2000},
    {"nice", RLIMIT_NICE, 0, 0},
    {"rtprio", RLIMIT_RTPRIO, 0, 0},
    {"rttime", RLIMIT_RTTIME, 100000, 200000},
};

static void format_limit(char *text, size_t size, uint64_t soft, uint64_t hard) {
    snprintf(text, size, "%llu %llu", (unsigned long long)soft, (unsigned long long)hard);
}

/* Every resource's limit as the host has it, to be compared. */
static void host_limits(struct rlimit limits[RLIM_NLIMITS]) {
    memset(limits, 0, sizeof(struct rlimit) * RLIM_NLIMITS);
    for (int i = 0; i < RLIM_NLIMITS; i++)
        getrlimit((__rlimit_resource_t)i, &limits[i]);
}

static void ok_host_limits(const struct rlimit before[RLIM_NLIMITS]) {
    struct rlimit now[RLIM_NLIMITS];
    host_limits(now);
    ok(memcmp(before, now, sizeof now) == 0, "the host's limits are as they were");
}

static void each_resource(void) {
    struct rlimit before[RLIM_NLIMITS];
    host_limits(before);
    for (size_t i = 0; i < COUNT(resources); i++) {
        char op[32], want[64];
        runner_t *runner = poke("pid");
        ok_int(runner_add_rlimit(runner, resources[i].resource, resources[i].soft, resources[i].hard), 0, "%s is taken",
               resources[i].name);
        snprintf(op, sizeof op, "rlimit %d", resources[i].resource);
        format_limit(want, sizeof want, resources[i].soft, resources[i].hard);
        if (!expect(runner, {op, want}))
            diag("  that was %s", resources[i].name);
        runner_free(runner);
    }
    ok_host_limits(before);
}

/* All sixteen in one run, so that none is lost by its place. */
static void all_resources(void) {
    char ops[COUNT(resources)][32], wants[COUNT(resources)][64];
    struct poke rows[COUNT(resources)];
    runner_t *runner = poke("pid");
    for (size_t i = 0; i < COUNT(resources); i++) {
        runner_add_rlimit(runner, resources[i].resource, resources[i].soft, resources[i].hard);
        snprintf(ops[i], sizeof ops[i], "rlimit %d", resources[i].resource);
        format_limit(wants[i], sizeof wants[i], resources[i].soft, resources[i].hard);
        rows[i] = (struct poke){ops[i], wants[i]};
    }
    poke_expect(runner, poke_path(), rows, COUNT(rows), __FILE__, __LINE__);
    runner_free(runner);
}

/* Without any, the program has the host's. */
static void untouched(void) {
    struct rlimit now[RLIM_NLIMITS];
    host_limits(now);
    runner_t *runner = poke("pid");
    runner_add_rlimit(runner, RLIMIT_NOFILE, 5, 5);
    ok_int(runner_clear_rlimits(runner), 0, "clear");
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        char op[32], want[64];
        snprintf(op, sizeof op, "rlimit %d", i);
        format_limit(want, sizeof want, now[i].rlim_cur, now[i].rlim_max);
        expect(runner, {op, want});
    }
    runner_free(runner);
}

static void later_wins(void) {
    runner_t *runner = poke("pid");
    runner_add_rlimit(runner, RLIMIT_NOFILE, 30, 60);
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    runner_add_rlimit(runner, RLIMIT_NOFILE, 20, 50);
    expect(runner, {"rlimit 7", "20 50"});
    runner_free(runner);
}

/* The later one wins though it is above the earlier: a hard limit once lowered could not be raised again. */
static void later_higher_wins(void) {
    runner_t *runner = poke("pid");
    runner_add_rlimit(runner, RLIMIT_NOFILE, 30, 60);
    runner_add_rlimit(runner, RLIMIT_NOFILE, 90, 95);
    expect(runner, {"rlimit 7", "90 95"});
    runner_free(runner);
}

static void no_limit(void) {
    struct rlimit fsize;
    getrlimit(RLIMIT_FSIZE, &fsize);
    if (fsize.rlim_max != RLIM_INFINITY)
        SKIP("the host itself has a limit on files");
    runner_t *runner = poke("pid");
    runner_add_rlimit(runner, RLIMIT_FSIZE, UINT64_MAX, UINT64_MAX);
    expect(runner, {"rlimit 1", "18446744073709551615 18446744073709551615"});
    runner_add_rlimit(runner, RLIMIT_FSIZE, 4096, UINT64_MAX);
    expect(runner, {"rlimit 1", "4096 18446744073709551615"});
    runner_free(runner);
}

/* More than 32 bits: prlimit64, whatever the C library's rlim_t. */
static void large_values(void) {
    struct rlimit fsize;
    getrlimit(RLIMIT_FSIZE, &fsize);
    if (fsize.rlim_max != RLIM_INFINITY)
        SKIP("the host itself has a limit on files");
    runner_t *runner = poke("pid");
    runner_add_rlimit(runner, RLIMIT_FSIZE, UINT64_C(0x100000002), UINT64_C(0x7000000000000003));
    expect(runner, {"rlimit 1", "4294967298 8070450532247928835"});
    runner_free(runner);
}

/* ------------------------------------------------------------------ what cannot be had */

static void become_ordinary(void) {
    if (geteuid() == 0)
        ok_int(setgroups(0, NULL) | setresgid(65534, 65534, 65534) | setresuid(65534, 65534, 65534), 0,
               "becomes an ordinary user");
}

static void above_hard_checks(void) {
    become_ordinary();
    struct rlimit low = {100, 100};
    struct counts before = counts_now();
    ok_int(setrlimit(RLIMIT_NOFILE, &low), 0, "the host has a hard limit");
    runner_t *runner = poke("pid");
    runner_add_rlimit(runner, RLIMIT_CORE, 0, 0);
    runner_add_rlimit(runner, RLIMIT_FSIZE, 1, 1);
    runner_add_rlimit(runner, RLIMIT_NOFILE, 50, 101);
    ok_failed(run(runner), RUNNER_STAGE_RLIMIT, 2, EPERM);
    runner_clear_rlimits(runner);
    runner_add_rlimit(runner, RLIMIT_NOFILE, 50, UINT64_MAX);
    ok_failed(run(runner), RUNNER_STAGE_RLIMIT, 0, EPERM);
    runner_clear_rlimits(runner);
    runner_add_rlimit(runner, RLIMIT_NOFILE, 50, 100);
    expect(runner, {"rlimit 7", "50 100"});
    runner_free(runner);
    ok_nothing_left(before);
}

static void above_hard(void) {
    in_child(above_hard_checks);
}

/* ------------------------------------------------------------------ that they bite */

static void memory_limited(void) {
    runner_t *runner = poke("pid");
    expect(runner, {"touch-memory 0x8000000", "ok"});
    runner_add_rlimit(runner, RLIMIT_AS, 64 << 20, 64 << 20);
    expect(runner, {"touch-memory 0x8000000", "ENOMEM"}, {"touch-memory 0x100000", "ok"});
    runner_free(runner);
}

static void output_limited(void) {
    char dir[64], op[128];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    chmod(dir, 0777);
    snprintf(op, sizeof op, "fill %s/out 65536", dir);
    runner_t *runner = poke(op);
    ok(exited(run(runner), 0), "control: without the limit it writes");
    struct stat st = {0};
    ok(stat(join(dir, "out"), &st) == 0 && st.st_size == 65536, "all of it");
    runner_add_rlimit(runner, RLIMIT_FSIZE, 8192, 8192);
    unlink(join(dir, "out"));
    ok(killed_by(run(runner), SIGXFSZ), "too large a file ends it");
    ok(stat(join(dir, "out"), &st) == 0 && st.st_size == 8192, "at its limit");
    runner_free(runner);
    remove_dir(dir);
}

/* RLIMIT_NPROC counts those of the user, hence an id that nobody else has. */
static void processes_limited(void) {
    char output[64];
    if (!is_root())
        SKIP("needs root for a user id that nobody else has");
    runner_t *runner = poke("forks 10");
    runner_set_credential(runner, 1234567, 1234567, NULL, 0);
    ok(killed_by(run_output(runner, output, sizeof output), SIGKILL), "it ends itself and its children");
    ok_str(output, "10 ok\n", "control: without the limit");
    /* Another id: the control's dead may still be counted. */
    runner_set_credential(runner, 1234568, 1234568, NULL, 0);
    runner_add_rlimit(runner, RLIMIT_NPROC, 4, 4);
    ok(killed_by(run_output(runner, output, sizeof output), SIGKILL), "it ends itself and its children");
    ok_str(output, "3 EAGAIN\n", "itself and three more");
    runner_free(runner);
}

/* ------------------------------------------------------------------ that they do not hit the library's own steps */

static void own_steps_unhit(void) {
    char dir[64];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), files[30];
    for (size_t i = 0; i < COUNT(files); i++)
        files[i] = null;
    runner_t *runner = poke("exit 0");
    if (is_root() || have_userns()) {
        runner_set_unshare_flags(runner, CLONE_NEWNS | userns_if_needed());
        runner_set_pivot_root(runner, dir);
        runner_add_bind(runner, poke_path(), "/poke", RUNNER_BIND_RO);
        runner_add_file(runner, "/file", "contents", 8, 0644);
        set_pokes(runner, "/poke", &(struct poke){"exit 0", NULL}, 1);
    }
    runner_set_files(runner, files, COUNT(files));
    runner_add_rlimit(runner, RLIMIT_NOFILE, 0, 0);
    runner_add_rlimit(runner, RLIMIT_FSIZE, 0, 0);
    ok(exited(run(runner), 0), "30 files and a file in the root, under limits of 0");
    runner_free(runner);
    close(null);
    remove_dir(dir);
}

/* So little that exec itself cannot go on: past its point of no return the kernel kills the process. */
static void too_little_to_exec(void) {
    static const struct {
        int resource;
        uint64_t limit;
        bool fatal; /* with the others the kernel lets a program begin that needs little */
    } rows[] = {{RLIMIT_AS, 4096, true}, {RLIMIT_STACK, 0, false}, {RLIMIT_DATA, 0, false}};
    struct rlimit before[RLIM_NLIMITS];
    struct counts counts = counts_now();
    host_limits(before);
    for (size_t i = 0; i < COUNT(rows); i++) {
        runner_t *runner = poke("touch-memory 0x100000");
        runner_add_rlimit(runner, rows[i].resource, rows[i].limit, rows[i].limit);
        int result = run(runner);
        ok(result < 0 ? last_error.stage == RUNNER_STAGE_EXEC && last_error.message[0] : result != -1,
           "resource %d: an error of exec or a program that fails: %d, stage %s", rows[i].resource, result,
           runner_stage_name(last_error.stage));
        ok(result < 0 || WIFSIGNALED(result) || !rows[i].fatal, "resource %d: it does not run on: %#x",
           rows[i].resource, result);
        runner_free(runner);
    }
    ok_host_limits(before);
    ok_nothing_left(counts);
}

/* ------------------------------------------------------------------ oom_score_adj, nice, umask */

static int returns_zero(pid_t pid, void *ctx) {
    (void)pid, (void)ctx;
    return 0;
}

static int host_oom_score(void) {
    return atoi(proc_text(getpid(), "oom_score_adj"));
}

static void start_plain(runner_t *runner) { (void)runner; }
static void start_with_callback(runner_t *runner) { runner_set_sync_func(runner, returns_zero, NULL); }
static void start_stopped(runner_t *runner) { runner_set_stop_before_seccomp(runner, true); }

/* A process that shares the host's memory could change the host's score with its own; in every way of starting. */
static void (*const ways[])(runner_t *) = {start_plain, start_with_callback, start_stopped};

static void oom_score(void) {
    int before = host_oom_score();
    for (size_t i = 0; i < COUNT(ways); i++) {
        runner_t *runner = poke("pause");
        ok_int(runner_set_oom_score_adj(runner, 777), 0, "set");
        ways[i](runner);
        pid_t pid = start(runner);
        ok(pid > 0, "way %zu starts", i);
        ok_str(proc_text(pid, "oom_score_adj"), "777", "way %zu: the program's", i);
        ok_int(host_oom_score(), before, "way %zu: the host's", i);
        end_of(pid);
        ok_int(host_oom_score(), before, "way %zu: the host's afterwards", i);
        runner_free(runner);
    }
}

static void oom_score_refused_checks(void) {
    become_ordinary();
    int before = host_oom_score();
    runner_t *runner = poke("pid");
    runner_set_oom_score_adj(runner, -1000);
    ok_failed(run(runner), RUNNER_STAGE_OOM_SCORE_ADJ, -1, EACCES);
    ok_int(host_oom_score(), before, "the host's");
    runner_free(runner);
}

static void oom_score_refused(void) {
    in_child(oom_score_refused_checks);
}

static void nice_value(void) {
    int before = getpriority(PRIO_PROCESS, 0);
    char want[16];
    runner_t *runner = poke("nice");
    snprintf(want, sizeof want, "%d", before);
    expect(runner, {"nice", want});
    ok_int(runner_set_nice(runner, 19), 0, "set");
    expect(runner, {"nice", "19"});
    ok_int(getpriority(PRIO_PROCESS, 0), before, "the host's");
    runner_free(runner);
}

static void nice_raised(void) {
    if (!is_root())
        SKIP("needs CAP_SYS_NICE");
    int before = getpriority(PRIO_PROCESS, 0);
    runner_t *runner = poke("nice");
    runner_set_nice(runner, -20);
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    runner_set_drop_caps(runner, true);
    expect(runner, {"nice", "-20"});
    ok_int(getpriority(PRIO_PROCESS, 0), before, "the host's");
    runner_free(runner);
}

static void nice_refused_checks(void) {
    become_ordinary();
    runner_t *runner = poke("nice");
    runner_set_nice(runner, -1);
    ok_failed(run(runner), RUNNER_STAGE_NICE, -1, EACCES);
    runner_free(runner);
}

static void nice_refused(void) {
    in_child(nice_refused_checks);
}

static void umask_checks(void) {
    umask(0027);
    runner_t *runner = poke("umask");
    expect(runner, {"umask", "0027"});
    ok_int(runner_set_umask(runner, 0751), 0, "set");
    expect(runner, {"umask", "0751"});
    ok_int(runner_set_umask(runner, 0), 0, "set");
    expect(runner, {"umask", "0000"});
    ok_int(umask(0), 0027, "the host's");
    runner_free(runner);
}

static void file_mask(void) {
    in_child(umask_checks);
}

static const struct test tests[] = {
    {"each resource's limit is what the program sees, the host's stay", each_resource},
    {"all resources in one run", all_resources},
    {"without limits the program has the host's; clear forgets", untouched},
    {"a resource that stands twice gets the later limit", later_wins},
    {"a later limit may be above an earlier one", later_higher_wins},
    {"UINT64_MAX is no limit", no_limit},
    {"limits of more than 32 bits arrive whole", large_values},
    {"a limit above the host's hard one is an error with its number", above_hard},
    {"memory: the limit bites", memory_limited},
    {"file size: the limit bites", output_limited},
    {"processes: the limit bites", processes_limited},
    {"limits of 0 do not hit what the library does before the exec", own_steps_unhit},
    {"limits under which nothing can be executed: an error or a dead program, and the host lives", too_little_to_exec},
    {"oom_score_adj is the program's, the host's stays in every way of starting", oom_score},
    {"oom_score_adj below the host's is refused by its stage", oom_score_refused},
    {"nice is the program's, the host's stays", nice_value},
    {"nice below the host's, as root", nice_raised},
    {"nice below the host's is refused by its stage", nice_refused},
    {"umask is the program's, the host's stays", file_mask},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
