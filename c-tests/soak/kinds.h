/* The table of every kind of start: what it does, how often, and what has to come of it, in words. Include after
 * starts.h and runs.h. */

#ifndef KINDS_H
#define KINDS_H

/* ------------------------------------------------------------------ obstacles */

/* Why a kind cannot be had here; NULL where it can. */
static const char *no_root(void) {
    return is_root() ? NULL : "needs root";
}

static const char *no_userns(void) {
    return have_userns() ? NULL : "no user namespaces here";
}

static const char *no_mounts(void) {
    return is_root() ? NULL : no_userns();
}

static const char *no_group(void) {
    return place.grouped ? NULL : "no cgroup can be made here";
}

static const char *no_memory_group(void) {
    return expected_missing() & RUNNER_MISSING_MEMORY ? "no memory cgroup can be made here" : NULL;
}

static const char *memory_group(void) {
    return no_memory_group() == NULL ? "there is a memory cgroup" : NULL;
}

static const char *no_pids_group(void) {
    return expected_missing() & RUNNER_MISSING_PROCESSES ? "no pids cgroup can be made here" : NULL;
}

/* It does not bind root. */
static const char *pids_group(void) {
    return no_pids_group() == NULL ? "there is a pids cgroup" : is_root() ? "RLIMIT_NPROC does not bind root" : NULL;
}

/* ------------------------------------------------------------------ the table */

enum { OUTCOMES = 4 };
/* load's `uname` where the filter refuses the call. */
#define REFUSED_UNAME "exit 1"

/* `often` in a hundred thousand. `starts`: how many processes the library starts by it. */
static const struct kind {
    const char *name;
    void (*run)(struct worker *);
    unsigned often, starts;
    const char *wanted[OUTCOMES]; /* one of them */
    const char *(*obstacle)(void);
} kinds[] = {
    {"plain", plain, 16000, 1, {"exit 3"}, NULL},
    {"one runner of all threads", shared, 12000, 1, {"exit 3"}, NULL},
    {"pidfd", pidfd, 8000, 1, {"exit 3"}, NULL},
    {"many options", options, 5000, 1, {"exit 3"}, NULL},
    {"clone of a clone", clones, 5000, 1, {"exit 4"}, NULL},
    {"exec fd", exec_fd, 4000, 1, {"exit 3"}, NULL},
    {"death signal", death_signal, 1000, 1, {"exit 3"}, NULL},
    {"cgroup path", in_cgroup, 500, 1, {"exit 3"}, no_group},
    {"credential", credential, 3000, 1, {"exit 3"}, no_root},
    {"filter", filter, 4000, 1, {REFUSED_UNAME}, NULL},
    {"filter that kills", filter_kills, 1000, 1, {"signal 31"}, NULL},
    {"session keyring", keyring, 300, 1, {"exit 3", "keyring: EDQUOT"}, NULL},
    {"callback", callback, 4000, 1, {"exit 3"}, NULL},
    {"callback that refuses", callback_refuses, 2000, 1, {"sync: EACCES"}, NULL},
    {"callback that kills", callback_kills, 1000, 1, {"sync: EPIPE"}, NULL},
    {"held, resumed", held_resumed, 3000, 1, {"exit 3"}, NULL},
    {"held, aborted", held_aborted, 2000, 1, {"aborted"}, NULL},
    {"held, killed", held_killed, 1000, 1, {"sync: EPIPE"}, NULL},
    {"held, by another thread", held_by_another, 1000, 1, {"exit 3", "handed on"}, NULL},
    {"traced", traced, 1000, 1, {"1 stop, exit 3"}, NULL},
    {"traced, filter", traced_filter, 500, 1, {"2 stops, " REFUSED_UNAME}, NULL},
    {"traced, detached", detached, 500, 1, {"exit 3"}, NULL},
    {"traced, missing file", traced_missing, 500, 1, {"exec: ENOENT"}, NULL},
    {"stop before the filter", stopped, 500, 1, {"1 stop, exit 3"}, NULL},
    {"user namespace", user_namespace, 1500, 1, {"exit 3"}, no_userns},
    {"small root", small_root, 1000, 1, {"exit 3"}, no_mounts},
    {"all namespaces, a root", all_namespaces, 300, 1, {"exit 3"}, no_userns},
    {"missing source of a bind", bad_mount, 500, 1, {"mount[1]: ENOENT"}, no_mounts},
    {"unknown file system", bad_file_system, 500, 1, {"mount[3]: ENODEV"}, no_mounts},
    {"missing file", missing_file, 5000, 1, {"exec: ENOENT"}, NULL},
    {"rlimit too high", bad_rlimit, 2000, 1, {"rlimit[1]: EPERM"}, NULL},
    {"file not open", bad_file, 2000, 1, {"dup[1]: EBADF"}, NULL},
    {"options that contradict", bad_options, 500, 1, {"options: EINVAL"}, NULL},
    {"missing cgroup", bad_cgroup, 500, 1, {"cgroup[0]: ENOENT"}, NULL},
    {"watched", watched, 1500, 1, {"exit 3"}, NULL},
    {"watched, input", input, 1000, 1, {"exit 3"}, NULL},
    {"watched, 1 MiB of input", large_input, 300, 1, {"exit 3"}, NULL},
    {"watched, stepped", stepped, 500, 1, {"exit 3"}, NULL},
    {"watched, by another thread", watched_by_another, 500, 1, {"exit 3", "handed on"}, NULL},
    {"wall limit", wall_limit, 300, 1, {"wall_limit by wall timer"}, NULL},
    {"CPU limit", cpu_limit, 300, 1, {"time_limit by CPU time", "wall_limit by wall timer"}, NULL},
    {"memory limit", memory_limit, 300, 1, {"memory_limit by OOM killer"}, no_memory_group},
    {"memory limit, looked at", memory_limit, 300, 1, {"memory_limit by memory figure"}, memory_group},
    {"process limit", process_limit, 300, 1, {"process_limit by pids events"}, no_pids_group},
    {"process limit, by rlimit", process_rlimit, 300, 1, {"exit 11"}, pids_group},
    {"output limit", output_limit, 300, 1, {"output_limit by capture"}, NULL},
    {"capture limit", capture_limit, 300, 1, {"output_limit by capture"}, NULL},
    {"head of the output", capture_head, 300, 1, {"exit 3"}, NULL},
    {"file size limit", file_limit, 300, 1, {"output_limit by file size"}, NULL},
    {"watched, forbidden call", forbidden, 300, 1, {"forbidden_syscall by seccomp filter"}, NULL},
    {"watched, crashed", crashed, 300, 1, {"signalled by signal"}, NULL},
    {"watched, missing file", watched_missing, 300, 1, {"exec: ENOENT"}, NULL},
    {"watched, orphans", orphans, 300, 1, {"exit 3"}, NULL},
    {"watched, killed", killed, 300, 1, {"killed by caller"}, NULL},
    {"watched, freed", freed, 300, 1, {"freed"}, NULL},
    {"watched, freed at once", freed_at_once, 300, 1, {"freed"}, NULL},
    {"judge", judge, 500, 1, {REFUSED_UNAME}, no_mounts},
    {"explain", explain, 500, 0, {"explained"}, NULL},
    {"probe", probe, 100, 2, {"probed"}, NULL},
};

#endif
