/* Attacks on what a machine has only so much of: disks and their inodes, core dumps, processes, and memory that is no
 * process's. What a control takes is little: tens of MiB, thousands of files, dozens of processes. */

#define _GNU_SOURCE
#include "tap.h"

#include "attack.h"
#include "run.h"

/* ------------------------------------------------------------------ disks */

static void inodes(void) {
    runner_t *runner = hostile_in_root(0);
    runner_add_tmpfs(runner, "/limited", MIB, 0777);
    runner_add_mount(runner, "tmpfs", "/counted", "tmpfs", 0, "size=1m,nr_inodes=1000");
    attacks_inside(runner, {"inodes /limited 20000", "1023 ENOSPC"}, {"inodes /counted 20000", "999 ENOSPC"});
    runner_free(runner);
}

/* In the run's memory cgroup inodes are memory. */
static void inodes_as_memory(void) {
    if (missing_here() & RUNNER_MISSING_MEMORY)
        SKIP("no memory cgroup here");
    runner_t *runner = hostile_in_root(0);
    runner_add_mount(runner, "tmpfs", "/limited", "tmpfs", 0, "size=1m,nr_inodes=0");
    set_pokes(runner, "/hostile", &(struct poke){"inodes /limited 100000", NULL}, 1);
    runner_set_memory_limit(runner, 16 * MIB);
    runner_result_t r = run_result(runner);
    ok_ended(&r, MEMORY_LIMIT, OOM_KILLER, "100000 inodes with 16 MiB");
    runner_free(runner);
    ok_all_gone();
}

/* A limit on the size of files is none on their number. */
static void disk(void) {
    char dir[64];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    runner_t *runner = hostile_in_root(0);
    runner_add_rlimit(runner, RLIMIT_FSIZE, MIB, MIB);
    runner_add_bind(runner, dir, "/writable", 0);
    runner_add_bind(runner, dir, "/read-only", RUNNER_BIND_RO);
    runner_add_tmpfs(runner, "/limited", 2 * MIB, 0777);
    attacks_inside(runner, {"files /writable 8 4", "8 MiB ok"}, {"files /read-only 8 4", "0 MiB EROFS"},
                   {"files /limited 8 4", "2 MiB ENOSPC"}, {"files / 8 4", "0 MiB EROFS"});
    ok(exists(join(dir, "f7")), "control: the host's disk is filled");
    runner_free(runner);
    remove_dir(dir);
}

/* ------------------------------------------------------------------ core dumps */

static off_t bytes_in(const char *dir) {
    off_t total = 0;
    DIR *files = opendir(dir);
    for (struct dirent *entry; files && (entry = readdir(files)) != NULL;) {
        struct stat st;
        if (lstat(join(dir, entry->d_name), &st) == 0 && S_ISREG(st.st_mode)) {
            total += st.st_size;
            unlink(join(dir, entry->d_name));
        }
    }
    if (files)
        closedir(files);
    return total;
}

static void core_dumps(void) {
    static const struct {
        const char *what;
        int resource;
        uint64_t limit;
        const char *says;
        off_t most;
    } rows[] = {
        {"no core", RLIMIT_CORE, 0, "died", 0},
        {"none where a pipe takes them, either", RLIMIT_CORE, 1, "died", 0},
        {"small files", RLIMIT_FSIZE, MIB, NULL, MIB},
    };
    char dir[64], pattern[256];
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    if (read_file("/proc/sys/kernel/core_pattern", pattern, sizeof pattern) <= 0 || strpbrk(pattern, "|/@") != NULL)
        SKIP("core dumps go elsewhere here: %.200s", pattern);
    if (limit.rlim_max < 8 * MIB)
        SKIP("the host's own hard limit on core dumps is that low");
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    runner_t *runner = hostile();
    runner_set_workdir(runner, dir);
    attacks(runner, {"core 8", "dumped"});
    ok(bytes_in(dir) >= (off_t)(8 * MIB), "control: it fills the disk");
    for (size_t i = 0; i < COUNT(rows); i++) {
        runner_clear_rlimits(runner);
        runner_add_rlimit(runner, rows[i].resource, rows[i].limit, rows[i].limit);
        const char *says = answer_with(runner, hostile_path(), "core 8", NULL, 0);
        if (rows[i].says != NULL)
            ok_str(says, rows[i].says, "%s", rows[i].what);
        ok(bytes_in(dir) <= rows[i].most, "%s: what is dumped", rows[i].what);
    }
    runner_free(runner);
    runner = hostile_in_root(0);
    attacks_inside(runner, {"core 8", "died"});
    runner_free(runner);
    remove_dir(dir);
}

/* ------------------------------------------------------------------ processes and memory */

/* What the hostile program says in a watched run, and the run's end. */
static runner_result_t watched_at(runner_t *runner, const char *program, const char *attack, char *says,
                                  size_t size) {
    const void *data;
    size_t length;
    set_pokes(runner, program, &(struct poke){attack, NULL}, 1);
    runner_capture(runner, 1, size - 1);
    runner_process_t *process = spawn(runner);
    runner_result_t r = end_of_run(process);
    says[0] = '\0';
    if (process != NULL && runner_process_output(process, 1, &data, &length) == 0)
        snprintf(says, size, "%.*s", (int)strcspn(data, "\n"), (const char *)data);
    runner_process_free(process);
    return r;
}

static runner_result_t watched(runner_t *runner, const char *attack, char *says, size_t size) {
    return watched_at(runner, "/hostile", attack, says, size);
}

static void fork_bomb(void) {
    char says[64];
    runner_t *runner = hostile_in_root(CLONE_NEWPID);
    watched(runner, "forks 60", says, sizeof says);
    ok_str(says, "60 ok", "control: without a limit");
    if (missing_here() & RUNNER_MISSING_PROCESSES) {
        runner_free(runner);
        SKIP("no pids cgroup here");
    }
    runner_set_process_limit(runner, 20);
    watched(runner, "forks 60", says, sizeof says);
    ok_str(says, "19 EAGAIN", "with a process limit");
    runner_free(runner);
    ok_all_gone();
}

/* RLIMIT_NPROC is no substitute: root does not meet it. */
static void rlimit_for_root(void) {
    char says[64];
    if (!is_root())
        SKIP("it is about root's programs");
    runner_t *runner = hostile_in_root(CLONE_NEWPID);
    runner_add_rlimit(runner, RLIMIT_NPROC, 20, 20);
    watched(runner, "forks 60", says, sizeof says);
    ok_str(says, "60 ok", "RLIMIT_NPROC alone");
    runner_set_credential(runner, 1000000 + (uid_t)getpid(), 1000000, NULL, 0);
    watched(runner, "forks 60", says, sizeof says);
    ok_str(says, "19 EAGAIN", "with a credential that nobody else has");
    runner_free(runner);
    ok_all_gone();
}

/* 40 MiB each, and how a run without a memory cgroup ends: it sees what its processes have mapped, and no more. */
static const struct {
    const char *what, *attack;
    bool root_only; /* RLIMIT_MEMLOCK is low */
    uint32_t without_cgroup;
} bombs[] = {
    {"locked memory", "locked 40", true, RUNNER_VERDICT_MEMORY_LIMIT},
    {"segments that nobody has attached", "segments 40", false, RUNNER_VERDICT_FINISHED},
    {"files in a tmpfs", "memory-files /tmp 40", false, RUNNER_VERDICT_FINISHED},
    {"pipes that nobody reads", "pipes 40", false, RUNNER_VERDICT_FINISHED},
};

static runner_t *with_tmpfs(void) {
    runner_t *runner = hostile_in_root(CLONE_NEWIPC | CLONE_NEWPID);
    runner_add_tmpfs(runner, "/tmp", 64 * MIB, 01777);
    return runner;
}

static void memory_bombs(void) {
    char says[64];
    if (missing_here() & RUNNER_MISSING_MEMORY)
        SKIP("no memory cgroup here");
    for (size_t i = 0; i < COUNT(bombs); i++) {
        if (bombs[i].root_only && !is_root())
            continue;
        runner_t *runner = with_tmpfs();
        runner_result_t r = watched(runner, bombs[i].attack, says, sizeof says);
        ok_str(says, "got", "control: %s without a limit", bombs[i].what);
        ok_ended(&r, FINISHED, EXIT_CODE, "control: %s without a limit", bombs[i].what);
        runner_set_memory_limit(runner, 24 * MIB);
        r = watched(runner, bombs[i].attack, says, sizeof says);
        ok_ended(&r, MEMORY_LIMIT, OOM_KILLER, "%s with a limit of 24 MiB", bombs[i].what);
        runner_free(runner);
    }
    ok_all_gone();
}

static void bombs_without_cgroup_checks(void) {
    char says[64];
    for (size_t i = 0; i < COUNT(bombs); i++) {
        if (bombs[i].root_only && !is_root())
            continue;
        runner_t *runner = with_tmpfs();
        runner_set_memory_limit(runner, 24 * MIB);
        runner_result_t r = watched(runner, bombs[i].attack, says, sizeof says);
        ok(r.missing & RUNNER_MISSING_MEMORY, "%s: the result says that there is no memory cgroup", bombs[i].what);
        ok_str(runner_verdict_name(r.verdict), runner_verdict_name(bombs[i].without_cgroup), "%s", bombs[i].what);
        runner_free(runner);
    }
}

static void bombs_without_cgroup(void) {
    if (missing_here() & RUNNER_MISSING_MEMORY)
        bombs_without_cgroup_checks();
    else if (can_hide_cgroups())
        in_hidden_child(bombs_without_cgroup_checks);
    else
        SKIP("cgroups cannot be hidden here");
    ok_all_gone();
}

/* The kernel's own for it: 40 MiB of page tables. Address space stands in. */
static void page_tables(void) {
    char says[64];
    runner_t *runner = with_tmpfs();
    watched(runner, "tables 80", says, sizeof says);
    ok_str(says, "got", "control: without a limit");
    runner_set_memory_limit(runner, 24 * MIB);
    runner_result_t r = watched(runner, "tables 80", says, sizeof says);
    if (r.missing & RUNNER_MISSING_MEMORY)
        ok_str(says, "ENOMEM", "with a limit");
    else
        ok_ended(&r, MEMORY_LIMIT, OOM_KILLER, "with a limit");
    runner_free(runner);
    ok_all_gone();
}

/* A program that may write to the files of cgroups has no limit. It moves to where its host is. */
static void leave_cgroup(void) {
    char says[64], group[GROUP_PATH];
    bool v2;
    if (!is_root() || !parent_with("memory", group, &v2))
        SKIP("no memory cgroup, or one that belongs to somebody else and needs no defence");
    const char *attack = op("leave-cgroup %s", group);
    for (int defence = 0; defence < 3; defence++) {
        runner_t *runner = defence == 1 ? hostile_in_root(0) : hostile();
        runner_set_memory_limit(runner, 64 * MIB);
        runner_set_drop_caps(runner, true);
        if (defence == 2)
            runner_set_credential(runner, 1000, 1000, NULL, 0);
        watched_at(runner, defence == 1 ? "/hostile" : hostile_path(), attack, says, sizeof says);
        ok_str(says, ((const char *const[]){"got", "ENOENT", "EACCES"})[defence], "defence %d", defence);
        runner_free(runner);
    }
    ok_all_gone();
}

/* With CAP_SYS_RESOURCE the OOM killer can be told to let a program live. */
static void unkillable(void) {
    char says[64];
    runner_t *runner = hostile_in_root(CLONE_NEWPID);
    runner_add_proc(runner, "/proc", 0);
    watched(runner, "unkillable", says, sizeof says);
    bool bites = strcmp(says, "got") == 0;
    runner_set_drop_caps(runner, true);
    watched(runner, "unkillable", says, sizeof says);
    ok_str(says, "EACCES", "with drop_caps");
    runner_free(runner);
    ok_all_gone();
    if (!bites)
        SKIP("no CAP_SYS_RESOURCE here, so no program has it");
}

static const struct test tests[] = {
    {"inodes: by the size of a tmpfs; by nr_inodes of a raw mount", inodes},
    {"inodes: with a memory limit", inodes_as_memory},
    {"a disk: not with a limit on files; with a read-only bind, or a tmpfs in its place", disk},
    {"core dumps: not by default; with RLIMIT_CORE or a root", core_dumps},
    {"a fork bomb: not by default; with a process limit", fork_bomb},
    {"a fork bomb: of root's program not with RLIMIT_NPROC; with it and a credential", rlimit_for_root},
    {"a memory bomb, locked, shared, in files or in pipes: not by default; with a memory limit", memory_bombs},
    {"a memory bomb without a memory cgroup: with a memory limit what is mapped is seen, nothing else",
     bombs_without_cgroup},
    {"a memory bomb of page tables: not by default; with a memory limit", page_tables},
    {"a limit left by leaving its cgroup: root's program not by default; with a root or a credential", leave_cgroup},
    {"a program that the OOM killer spares: root's not by default; with drop_caps", unkillable},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
