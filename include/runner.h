/* librunner: starts untrusted programs in Linux namespaces, from inside a multi-threaded host.
 *
 * Made by cbindgen from the Rust sources (`make header`); do not edit.
 *
 * CONVENTIONS
 *
 * Results. Functions that return int give 0 (or a count, where they say so) or a negative errno. The ones that launch
 * give more in a runner_error_t: the stage, which element of it, the errno, and a sentence for a person.
 *
 * Setters. set_ replaces, add_ appends, clear_ resets. What cannot succeed (NULL, out of range, unknown flag
 * bits) is -EINVAL at once, and leaves the runner as it was. What only the kernel can judge is judged when the
 * run starts. The order of setters does not matter, but for the pieces of the root, which are made in their order.
 *
 * Memory. Everything passed in is copied before the call returns. File descriptors are borrowed: they have to
 * stay open until the start returns, and are never closed. Handles are opaque and yours to free, once; the free
 * functions take NULL. Strings are NUL-terminated bytes.
 *
 * Threads. A runner may be changed by one thread at a time, and while nobody starts it. Any number of threads may
 * start runners, the same one too, at any time. A watched run may be used by several threads at once, but for its
 * free. Nothing is called from a signal handler.
 *
 * The host. Nothing of it is changed: no signal handler, mask, timer, limit, cwd, umask or fd; no thread stays,
 * but for one a held start; errno is kept. The program starts with every signal at its default, whatever the host
 * ignores. (One limit of that: after 16 starts in a row that found the same signals ignored, an uncommon one, none of
 * HUP INT QUIT PIPE TERM CHLD, that the host begins to ignore is noticed within
 * 10 ms only, or at once by a new runner.)
 * No function prints, exits or aborts, except that the Rust runtime aborts where no memory can be had at all.
 *
 * Sources. What a text ends with says where more is told: man pages, the kernel since when, and, as `forkexec:`, the
 * field of Go's forkexec.Runner (go-sandbox) that is for the same.
 *
 * Growth. Structs that the library fills begin with their size and grow at the end only. Numbers (stages, flags)
 * are never changed or reused.
 */

#ifndef RUNNER_H
#define RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* <linux/filter.h> has it; a pointer is all that is needed here. */
struct sock_filter;

/** The version of this header, as runner_version() says that of the library. */
#define RUNNER_VERSION 0x000100

/** The options of a run. Made by runner_new() or runner_clone(), freed by runner_free(). */
typedef struct runner_t runner_t;

/** A held start. Made by runner_start_held(), ended by runner_held_resume() or runner_held_abort(). */
typedef struct runner_held_t runner_held_t;

/** An initialiser for runner_error_t. */
#define RUNNER_ERROR_INIT { (uint32_t)sizeof(runner_error_t), 0, 0, 0, { 0 } }

/** A watched run. Made by runner_spawn(), freed by runner_process_free(). */
typedef struct runner_process_t runner_process_t;

/** An initialiser for runner_result_t. */
#define RUNNER_RESULT_INIT { (uint32_t)sizeof(runner_result_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 } }

/** An initialiser for runner_probe_t. */
#define RUNNER_PROBE_INIT { (uint32_t)sizeof(runner_probe_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 } }


/**
 * runner_set_session: a new session (setsid(2)) without a controlling terminal. The default.
 */
#define RUNNER_SESSION_NEW 0

/**
 * runner_set_session: a new process group in the host's session (setpgid(2)).
 */
#define RUNNER_SESSION_GROUP 1

/**
 * runner_set_session: the host's own session and process group.
 */
#define RUNNER_SESSION_KEEP 2

/**
 * runner_add_bind: read-only, and really so, with everything beneath where RUNNER_BIND_REC is given.
 */
#define RUNNER_BIND_RO 1

/**
 * runner_add_bind: also what is mounted beneath the source.
 */
#define RUNNER_BIND_REC 2

/**
 * runner_add_bind: skipped where the source does not exist when the run starts.
 */
#define RUNNER_BIND_OPTIONAL 4

/**
 * runner_add_bind: nothing beneath it can be executed.
 */
#define RUNNER_BIND_NOEXEC 8

/**
 * runner_add_bind: device files beneath it work; without this they cannot be opened.
 */
#define RUNNER_BIND_DEV 16

/**
 * runner_add_bind: set-user-ID bits and file capabilities beneath it work; without this they are ignored.
 */
#define RUNNER_BIND_SUID 32

/**
 * runner_add_proc: only the processes, nothing about the machine (`subset=pid`, Linux 5.8).
 */
#define RUNNER_PROC_SUBSET 1

/**
 * runner_add_proc: processes of other users are invisible (`hidepid=2`).
 */
#define RUNNER_PROC_HIDEPID 2

/**
 * runner_add_proc: kcore, keys, sysrq-trigger and their like are covered; sys, bus, fs and irq are read-only.
 */
#define RUNNER_PROC_MASK 4

/**
 * runner_add_proc: all of it is read-only.
 */
#define RUNNER_PROC_RO 8

/**
 * runner_result_t.missing: no memory cgroup. RLIMIT_AS and looks at the processes stand in.
 */
#define RUNNER_MISSING_MEMORY 1

/**
 * runner_result_t.missing: no pids cgroup. RLIMIT_NPROC stands in.
 */
#define RUNNER_MISSING_PROCESSES 2

/**
 * runner_result_t.missing: no cgroup counts CPU time. Looks at the processes stand in.
 */
#define RUNNER_MISSING_CPU 4

/**
 * runner_result_t.missing: the CPU quota is not enforced.
 */
#define RUNNER_MISSING_QUOTA 8

/**
 * runner_result_t.missing: neither a cgroup nor a pid namespace holds the processes of the run together. What leaves
 * its family is found by the limits that it inherited, as long as it does not lower them.
 */
#define RUNNER_MISSING_TREE 16

/**
 * runner_probe_t: the cpu controller.
 */
#define RUNNER_CONTROLLER_CPU 1

/**
 * runner_probe_t: the cpuacct controller (v1 only).
 */
#define RUNNER_CONTROLLER_CPUACCT 2

/**
 * runner_probe_t: the memory controller.
 */
#define RUNNER_CONTROLLER_MEMORY 4

/**
 * runner_probe_t: the pids controller.
 */
#define RUNNER_CONTROLLER_PIDS 8

/**
 * runner_probe_t: the cpuset controller.
 */
#define RUNNER_CONTROLLER_CPUSET 16

/**
 * runner_probe_t: the io (v2) or blkio (v1) controller.
 */
#define RUNNER_CONTROLLER_IO 32

/**
 * runner_probe_t: the freezer (v1; part of every v2 cgroup).
 */
#define RUNNER_CONTROLLER_FREEZER 64

/**
 * Where a start was when it failed.
 *
 * The numbers are part of the ABI: they are never changed or reused, new stages go to the end.
 */
typedef enum runner_stage {
    /**
     * No stage: nothing failed.
     */
    RUNNER_STAGE_NONE = 0,
    /**
     * The options contradict each other, or lack something; nothing was started.
     */
    RUNNER_STAGE_OPTIONS = 1,
    /**
     * Memory for the start could not be had; nothing was started.
     */
    RUNNER_STAGE_MEMORY = 2,
    /**
     * The short-lived helper thread could not be made (EAGAIN: RLIMIT_NPROC, pids cgroup).
     */
    RUNNER_STAGE_THREAD = 3,
    /**
     * clone(2) itself: namespaces refused, too many processes, the cgroup is full or gone.
     */
    RUNNER_STAGE_CLONE = 4,
    /**
     * Writing uid_map, gid_map or setgroups of the new user namespace. index: which line of the map that the message
     * names, where it is known.
     */
    RUNNER_STAGE_ID_MAP = 5,
    /**
     * setgroups(2).
     */
    RUNNER_STAGE_SETGROUPS = 6,
    /**
     * setresgid(2).
     */
    RUNNER_STAGE_SETGID = 7,
    /**
     * setresuid(2).
     */
    RUNNER_STAGE_SETUID = 8,
    /**
     * Opening or duplicating the program's files. index: the program's fd.
     */
    RUNNER_STAGE_DUP = 9,
    /**
     * Closing everything that the program was not given. index: the program's fd, or -1.
     */
    RUNNER_STAGE_CLOSE = 10,
    /**
     * setsid(2).
     */
    RUNNER_STAGE_SETSID = 11,
    /**
     * setpgid(2).
     */
    RUNNER_STAGE_SETPGID = 12,
    /**
     * Making fd 0 the controlling terminal (TIOCSCTTY).
     */
    RUNNER_STAGE_CTTY = 13,
    /**
     * A mount. index: which piece of the root, counted over all `runner_add_*` calls that make one.
     */
    RUNNER_STAGE_MOUNT = 14,
    /**
     * Making a directory or a mount point. index: which piece of the root.
     */
    RUNNER_STAGE_MKDIR = 15,
    /**
     * Making or writing a file. index: which piece of the root.
     */
    RUNNER_STAGE_FILE = 16,
    /**
     * Making a symbolic link. index: which piece of the root.
     */
    RUNNER_STAGE_SYMLINK = 17,
    /**
     * Making the new root, entering it and letting go of the old one.
     */
    RUNNER_STAGE_PIVOT_ROOT = 18,
    /**
     * sethostname(2).
     */
    RUNNER_STAGE_SETHOSTNAME = 19,
    /**
     * setdomainname(2).
     */
    RUNNER_STAGE_SETDOMAINNAME = 20,
    /**
     * chdir(2) to the working directory, or it lies outside the root.
     */
    RUNNER_STAGE_CHDIR = 21,
    /**
     * prlimit(2). index: which limit.
     */
    RUNNER_STAGE_RLIMIT = 22,
    /**
     * prctl(PR_SET_NO_NEW_PRIVS).
     */
    RUNNER_STAGE_NO_NEW_PRIVS = 23,
    /**
     * Capability sets, bounding set and securebits.
     */
    RUNNER_STAGE_CAPABILITIES = 24,
    /**
     * ptrace(PTRACE_TRACEME).
     */
    RUNNER_STAGE_PTRACE = 25,
    /**
     * Stopping before the filter is loaded.
     */
    RUNNER_STAGE_STOP = 26,
    /**
     * Loading the seccomp filter.
     */
    RUNNER_STAGE_SECCOMP = 27,
    /**
     * The callback refused, or the held start was aborted or killed while it waited.
     */
    RUNNER_STAGE_SYNC = 28,
    /**
     * Joining a cgroup. index: which cgroup path.
     */
    RUNNER_STAGE_CGROUP = 29,
    /**
     * execve(2) or execveat(2).
     */
    RUNNER_STAGE_EXEC = 30,
    /**
     * Signal dispositions and mask.
     */
    RUNNER_STAGE_SIGNALS = 31,
    /**
     * unshare(CLONE_NEWCGROUP) after the callback.
     */
    RUNNER_STAGE_UNSHARE = 32,
    /**
     * Bringing the loopback interface up.
     */
    RUNNER_STAGE_LOOPBACK = 33,
    /**
     * umask(2).
     */
    RUNNER_STAGE_UMASK = 34,
    /**
     * setpriority(2).
     */
    RUNNER_STAGE_NICE = 35,
    /**
     * Writing oom_score_adj.
     */
    RUNNER_STAGE_OOM_SCORE_ADJ = 36,
    /**
     * sched_setaffinity(2).
     */
    RUNNER_STAGE_AFFINITY = 37,
    /**
     * personality(2).
     */
    RUNNER_STAGE_PERSONALITY = 38,
    /**
     * sched_setscheduler(2).
     */
    RUNNER_STAGE_SCHEDULER = 39,
    /**
     * prctl(PR_SET_PDEATHSIG).
     */
    RUNNER_STAGE_DEATH_SIGNAL = 40,
    /**
     * Making the pidfd (kernels before 5.2).
     */
    RUNNER_STAGE_PIDFD = 41,
    /**
     * The input and the pipes of a watched run. index: the program's fd.
     */
    RUNNER_STAGE_STDIO = 42,
    /**
     * The epoll and the timer of a watched run.
     */
    RUNNER_STAGE_WATCH = 43,
    /**
     * Making a session keyring (EDQUOT: the user has as many keys as kernel.keys.maxkeys allows).
     */
    RUNNER_STAGE_KEYRING = 44,
} runner_stage;

/**
 * How a run ended, as a judge sees it.
 *
 * The numbers are part of the ABI: they are never changed or reused, new ones go to the end.
 */
typedef enum runner_verdict {
    /**
     * None yet: the run goes on.
     */
    RUNNER_VERDICT_NONE = 0,
    /**
     * It ended by itself, with an exit code, 0 or not.
     */
    RUNNER_VERDICT_FINISHED = 1,
    /**
     * A signal ended it, for none of the reasons below.
     */
    RUNNER_VERDICT_SIGNALLED = 2,
    /**
     * It used more CPU time than its limit.
     */
    RUNNER_VERDICT_TIME_LIMIT = 3,
    /**
     * It lasted longer than its wall limit.
     */
    RUNNER_VERDICT_WALL_LIMIT = 4,
    /**
     * It needed more memory than its limit.
     */
    RUNNER_VERDICT_MEMORY_LIMIT = 5,
    /**
     * It wrote more than a capture or its output limit allow.
     */
    RUNNER_VERDICT_OUTPUT_LIMIT = 6,
    /**
     * It failed, and processes or threads had been refused to it because of its limit.
     */
    RUNNER_VERDICT_PROCESS_LIMIT = 7,
    /**
     * A seccomp filter ended it (SIGSYS).
     */
    RUNNER_VERDICT_FORBIDDEN_SYSCALL = 8,
    /**
     * The caller ended it.
     */
    RUNNER_VERDICT_KILLED = 9,
    /**
     * It never began: the error says why.
     */
    RUNNER_VERDICT_LAUNCH_ERROR = 10,
} runner_verdict;

/**
 * What decided a verdict.
 *
 * The numbers are part of the ABI: they are never changed or reused, new ones go to the end.
 */
typedef enum runner_evidence {
    /**
     * Nothing yet.
     */
    RUNNER_EVIDENCE_NONE = 0,
    /**
     * Its exit status: an exit code.
     */
    RUNNER_EVIDENCE_EXIT_CODE = 1,
    /**
     * Its exit status: a signal.
     */
    RUNNER_EVIDENCE_SIGNAL = 2,
    /**
     * Its CPU time, as measured.
     */
    RUNNER_EVIDENCE_CPU_TIME = 3,
    /**
     * Its wall timer went off.
     */
    RUNNER_EVIDENCE_WALL_TIMER = 4,
    /**
     * The kernel's OOM killer struck at the limit of the run's own memory cgroup.
     */
    RUNNER_EVIDENCE_OOM_KILLER = 5,
    /**
     * A look at its memory, or its own peak, beyond the limit; no cgroup limits the memory.
     */
    RUNNER_EVIDENCE_MEMORY_FIGURE = 6,
    /**
     * A captured fd had more than its limit.
     */
    RUNNER_EVIDENCE_CAPTURE = 7,
    /**
     * SIGXFSZ under a limit on the size of files.
     */
    RUNNER_EVIDENCE_FILE_SIZE = 8,
    /**
     * The kernel counted refused forks in the run's own pids cgroup.
     */
    RUNNER_EVIDENCE_PIDS_EVENTS = 9,
    /**
     * SIGSYS of a process under a seccomp filter.
     */
    RUNNER_EVIDENCE_SECCOMP = 10,
    /**
     * The caller killed it.
     */
    RUNNER_EVIDENCE_CALLER = 11,
    /**
     * The launch failed.
     */
    RUNNER_EVIDENCE_LAUNCH = 12,
    /**
     * Somebody else waited for the process (waitpid(-1) of the host, or an ignored SIGCHLD), so its exit status is
     * lost: exit_code is -1.
     */
    RUNNER_EVIDENCE_STATUS_LOST = 13,
} runner_evidence;

/**
 * Where a figure comes from.
 *
 * The numbers are part of the ABI: they are never changed or reused, new ones go to the end.
 */
typedef enum runner_source {
    /**
     * There is no such figure; it is 0.
     */
    RUNNER_SOURCE_NONE = 0,
    /**
     * The run's cgroup v2: exact, of all its processes.
     */
    RUNNER_SOURCE_CGROUP_V2 = 1,
    /**
     * The run's cgroup v1: exact, of all its processes.
     */
    RUNNER_SOURCE_CGROUP_V1 = 2,
    /**
     * wait4(2): CPU time of the first process and those that were waited for; memory of the largest one of them.
     */
    RUNNER_SOURCE_RUSAGE = 3,
    /**
     * The highest of several looks at the living processes: what it really was is as much or more.
     */
    RUNNER_SOURCE_SAMPLED = 4,
} runner_source;

/**
 * Where and why a start failed. Set `size` before use: `runner_error_t e = RUNNER_ERROR_INIT;`. A size of 0, as in
 * `runner_error_t e = {0};`, means this first published layout; a smaller one that is not 0 is refused (-EINVAL, and
 * nothing is started). The library writes no more than `size` bytes.
 */
typedef struct runner_error_t {
    /**
     * In: sizeof(runner_error_t), or 0. The library leaves it as it is.
     */
    uint32_t size;
    /**
     * What was being done: RUNNER_STAGE_*; RUNNER_STAGE_NONE after success.
     */
    uint32_t stage;
    /**
     * Which element of it, from 0; -1 where there is none.
     */
    int32_t index;
    /**
     * The errno, positive; 0 after success.
     */
    int32_t err;
    /**
     * A sentence for a person, NUL-terminated UTF-8; empty after success.
     */
    char message[240];
} runner_error_t;

/**
 * What became of a watched run, and its figures. Set `size` before use: `runner_result_t r = RUNNER_RESULT_INIT;`; 0
 * means this first published layout.
 */
typedef struct runner_result_t {
    /**
     * In: sizeof(runner_result_t), or 0. The library leaves it as it is.
     */
    uint32_t size;
    /**
     * How it ended: RUNNER_VERDICT_*; RUNNER_VERDICT_NONE while it runs.
     */
    uint32_t verdict;
    /**
     * The exit code of the first process, 0 to 255; -1 where it has none.
     */
    int32_t exit_code;
    /**
     * The signal that ended the first process; 0 for none.
     */
    int32_t signal;
    /**
     * From the program's exec to its end as it was seen, CLOCK_MONOTONIC.
     */
    uint64_t wall_ns;
    /**
     * CPU time in user mode, of the whole tree where cpu_source is a cgroup, without the launch.
     */
    uint64_t user_ns;
    /**
     * CPU time in the kernel, as user_ns. The sum of both is precise; the kernel divides it by sampling.
     */
    uint64_t system_ns;
    /**
     * The most memory at once, in bytes: see memory_source.
     */
    uint64_t memory_peak;
    /**
     * RUNNER_SOURCE_*: where memory_peak comes from. A cgroup: all that the run was charged for, with its page
     * cache, tmpfs files and the kernel's own for it. RUSAGE: the resident memory of its largest process. SAMPLED:
     * the highest resident memory of all its processes that was seen.
     */
    uint32_t memory_source;
    /**
     * RUNNER_SOURCE_*: where user_ns and system_ns come from. RUSAGE: of the first process and of those that it
     * waited for.
     */
    uint32_t cpu_source;
    /**
     * What decided the verdict: RUNNER_EVIDENCE_*.
     */
    uint32_t evidence;
    /**
     * How many processes the kernel's OOM killer took, by whichever limit; in v2 with a limit the whole run.
     */
    uint32_t oom_kills;
    /**
     * How often a fork or a thread was refused because of the process limit. 0 also where only RLIMIT_NPROC limits
     * them, which nobody counts.
     */
    uint64_t process_limit_hits;
    /**
     * The most processes and threads at once, from processes_source.
     */
    uint64_t processes_peak;
    /**
     * Bytes kept, of all captured fds together.
     */
    uint64_t output_bytes;
    /**
     * From the call of runner_spawn() to the program's exec: cgroups, pipes, namespaces, root.
     */
    uint64_t setup_ns;
    /**
     * RUNNER_SOURCE_*: where processes_peak comes from.
     */
    uint32_t processes_source;
    /**
     * 1: the program wrote more to a captured fd than was to be kept.
     */
    uint32_t output_cut;
    /**
     * What the limits and figures had to do without: RUNNER_MISSING_* or'ed together; 0 is the best.
     */
    uint32_t missing;
    /**
     * The first captured fd of which more was written than was to be kept; -1 for none.
     */
    int32_t output_fd;
    /**
     * user_ns and system_ns together.
     */
    uint64_t cpu_ns;
    /**
     * Why something is missing, or why the launch failed: NUL-terminated UTF-8, empty where there is nothing to say.
     */
    char reason[392];
} runner_result_t;

/**
 * What the machine offers to the calling process. Set `size` before use: `runner_probe_t p = RUNNER_PROBE_INIT;`;
 * 0 means this first published layout. A 1 is yes, a 0 is no; for what is no, `blocker` says why where it is known.
 */
typedef struct runner_probe_t {
    /**
     * In: sizeof(runner_probe_t), or 0.
     */
    uint32_t size;
    /**
     * The kernel's version: major << 16 | minor.
     */
    uint32_t kernel;
    /**
     * clone3(2), Linux 5.3.
     */
    uint32_t clone3;
    /**
     * A process can be born in its cgroup (CLONE_INTO_CGROUP), Linux 5.7.
     */
    uint32_t into_cgroup;
    /**
     * pidfds from clone, Linux 5.2.
     */
    uint32_t pidfd;
    /**
     * close_range(2), Linux 5.9.
     */
    uint32_t close_range;
    /**
     * mount_setattr(2), Linux 5.12: read-only binds with everything beneath them.
     */
    uint32_t mount_setattr;
    /**
     * openat2(2), Linux 5.6: targets that cannot lead out of the new root.
     */
    uint32_t openat2;
    /**
     * Time namespaces, Linux 5.6.
     */
    uint32_t time_namespace;
    /**
     * A user namespace can be made, and gives capabilities, by this process now (tried).
     */
    uint32_t user_namespace;
    /**
     * All namespaces but the user one can be made without a user namespace (CAP_SYS_ADMIN; tried).
     */
    uint32_t privileged_namespaces;
    /**
     * seccomp filters.
     */
    uint32_t seccomp;
    /**
     * Landlock's ABI version, 0 where there is none. Linux 5.13.
     */
    uint32_t landlock;
    /**
     * A cgroup v2 hierarchy is mounted.
     */
    uint32_t cgroup_v2;
    /**
     * At least one cgroup v1 hierarchy with a controller is mounted.
     */
    uint32_t cgroup_v1;
    /**
     * This process may make cgroups beneath its own v2 cgroup.
     */
    uint32_t cgroup_v2_writable;
    /**
     * v2 controllers that children of this process's cgroup can be given, RUNNER_CONTROLLER_* or'ed together.
     */
    uint32_t controllers_v2;
    /**
     * v1 controllers with a mounted hierarchy, RUNNER_CONTROLLER_* or'ed together.
     */
    uint32_t controllers_v1;
    /**
     * v1 controllers beneath whose current cgroup this process may make cgroups.
     */
    uint32_t controllers_v1_writable;
    /**
     * What watched runs would have to do without, where no runner_set_cgroup_root() says otherwise: RUNNER_MISSING_*
     * or'ed together, but for RUNNER_MISSING_TREE.
     */
    uint32_t runs_miss;
    /**
     * Why something above is missing and what to do, a sentence a line, NUL-terminated UTF-8.
     */
    char blocker[944];
} runner_probe_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes the options of a run.
 *
 * They begin as: no program, no namespaces, fds 0 to 2 on /dev/null, an empty environment, a new session,
 * and all else as the host has it.
 *
 * Returns the runner, to be freed with runner_free(), or NULL where there is no memory. Since 0.1.0.
 */
runner_t *runner_new(void);

/**
 * Copies a runner; the copy is independent of the original, but names the same fds and callback.
 *
 * Returns the copy, to be freed with runner_free(), or NULL where `runner` is NULL. Since 0.1.0.
 */
runner_t *runner_clone(const runner_t *runner);

/**
 * Frees a runner. NULL is a no-op.
 *
 * What was started with it is not touched, and a held start goes on. Since 0.1.0.
 */
void runner_free(runner_t *runner);

/**
 * Sets the program and its arguments.
 *
 * `argv` ends with NULL and has at least one entry. `argv[0]` is the path that is executed, seen from inside the
 * new root and working directory; there is no search of PATH. Where runner_set_exec_fd() is set, `argv[0]` is
 * only a name.
 *
 * Returns 0, or -EINVAL: NULL or empty. Since 0.1.0. forkexec: Args. execve(2).
 */
int runner_set_args(runner_t *runner,
                    const char *const *argv);

/**
 * Sets the whole environment, `NAME=value` each, ended by NULL. The default is an empty environment: nothing
 * of the host's is inherited.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: Env. environ(7).
 */
int runner_set_env(runner_t *runner,
                   const char *const *envp);

/**
 * Executes the file behind `fd` instead of the path in `argv[0]` (execveat(2) with AT_EMPTY_PATH); -1 clears.
 *
 * The fd may be O_PATH, and need not be reachable inside the new root. The program does not get it, with one
 * exception: where the file is a script (`#!`), its interpreter opens it as /dev/fd/N, so N stays open in the
 * program, and /dev/fd and /proc have to exist inside the root; the start fails with ENOENT where they do not.
 *
 * Returns 0, or -EINVAL: below -1. Since 0.1.0. forkexec: ExecFile. Linux 3.19.
 */
int runner_set_exec_fd(runner_t *runner,
                       int fd);

/**
 * Sets the program's file descriptors: its fd i is the host's `fds[i]`, or closed where that is -1.
 *
 * Everything else is closed, whatever the host left without close-on-exec. An fd may stand at several places.
 * The default, without this call: 0, 1 and 2 are /dev/null. n = 0: the program has no files at all. A directory
 * at 0, 1 or 2 is refused when the run starts (see runner_set_allow_directory_files()).
 *
 * Returns 0, or -EINVAL: NULL with n above 0, an entry below -1, n above 1048576. Since 0.1.0. forkexec: Files.
 */
int runner_set_files(runner_t *runner,
                     const int *fds,
                     size_t n);

/**
 * Allows a directory as the program's fd 0, 1 or 2, which is refused otherwise (EISDIR): by openat(2) it leads
 * out of the new root.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0.
 */
int runner_set_allow_directory_files(runner_t *runner,
                                     bool allow);

/**
 * Sets the working directory, entered after the new root. Without it: `/` in a new root, else the host's own.
 *
 * Returns 0, or -EINVAL: NULL, empty, PATH_MAX or longer. Since 0.1.0. forkexec: WorkDir. chdir(2).
 */
int runner_set_workdir(runner_t *runner,
                       const char *path);

/**
 * Sets the host name, 1 to 64 bytes. The start needs CLONE_NEWUTS, and fails where the name cannot be set.
 *
 * Returns 0, or -EINVAL: NULL, empty, longer than 64 bytes. Since 0.1.0. forkexec: HostName. sethostname(2).
 */
int runner_set_hostname(runner_t *runner,
                        const char *name);

/**
 * Sets the NIS domain name, 1 to 64 bytes. The start needs CLONE_NEWUTS, and fails where it cannot be set.
 *
 * Returns 0, or -EINVAL: NULL, empty, longer than 64 bytes. Since 0.1.0. forkexec: DomainName. setdomainname(2).
 */
int runner_set_domainname(runner_t *runner,
                          const char *name);

/**
 * Sets which namespaces are new: CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC,
 * CLONE_NEWUTS, CLONE_NEWCGROUP and CLONE_NEWTIME of <sched.h>, or'ed together. 0: none.
 *
 * An ordinary user needs CLONE_NEWUSER for any of the others. With CLONE_NEWPID the program is pid 1 of its
 * namespace: signals without a handler, SIGKILL and SIGSTOP from inside among them, do not reach it, and
 * everything in the namespace dies with it; abort(3) ends it by SIGSEGV. CLONE_NEWTIME needs clone3 (Linux 5.6). The
 * root of a cgroup namespace is the host's own cgroup, also where the run has one of its own: for that one use
 * runner_set_unshare_cgroup_after_sync().
 *
 * Returns 0, or -EINVAL: any other flag. Since 0.1.0. forkexec: UnshareFlags. namespaces(7).
 */
int runner_set_unshare_flags(runner_t *runner,
                             uint64_t flags);

/**
 * Adds a line to the user id map of the new user namespace: `count` ids from `inside` are `outside` and up.
 *
 * Without any line, 0 inside is the caller's effective user id. A map other than one line of count 1 that names
 * the caller needs CAP_SETUID in the caller's own user namespace. The start needs CLONE_NEWUSER.
 *
 * Started by root without any line, the program is the real root to every file that it can reach: map it to an
 * unprivileged id, or drop capabilities and mask /proc.
 *
 * Returns 0, or -EINVAL: a count of 0, ids beyond 2^32 - 2, more than 340 lines. Since 0.1.0. forkexec: UIDMappings.
 * user_namespaces(7).
 */
int runner_add_uid_mapping(runner_t *runner,
                           uint32_t inside,
                           uint32_t outside,
                           uint32_t count);

/**
 * Adds a line to the group id map: the same as runner_add_uid_mapping(), for groups (CAP_SETGID).
 *
 * Returns 0, or -EINVAL: a count of 0, ids beyond 2^32 - 2, more than 340 lines. Since 0.1.0. forkexec: GIDMappings.
 * user_namespaces(7).
 */
int runner_add_gid_mapping(runner_t *runner,
                           uint32_t inside,
                           uint32_t outside,
                           uint32_t count);

/**
 * Forgets every line of both id maps.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0.
 */
int runner_clear_mappings(runner_t *runner);

/**
 * Says whether setgroups(2) is allowed in the new user namespace (/proc/PID/setgroups). true needs CAP_SETGID in
 * the caller's own user namespace.
 *
 * Without this call it is denied, except where runner_set_credential() needs it and the caller may grant it.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: GIDMappingsEnableSetgroups. user_namespaces(7).
 */
int runner_set_allow_setgroups(runner_t *runner,
                               bool allow);

/**
 * Sets who the program runs as: real, effective and saved ids, as they are inside the new user namespace where
 * there is one. Its supplementary groups are exactly the `n` groups, none where n is 0.
 *
 * The process takes these ids first of all, so what it makes in its root belongs to them; capabilities that the
 * later steps need are kept until the exec. The start fails (stage setgroups) where the groups cannot be made
 * exactly these: an ordinary user's can not, in a user namespace either. Without a credential the program keeps the
 * caller's ids and supplementary groups. While a start with a credential is under way, held starts too, the host's
 * memory is not dumpable (PR_GET_DUMPABLE), which keeps the new user out of it; afterwards it is as before.
 *
 * Returns 0, or -EINVAL: an id of (uint32_t)-1, NULL with n above 0, n above 65536. Since 0.1.0.
 * forkexec: Credential. credentials(7).
 */
int runner_set_credential(runner_t *runner,
                          uint32_t uid,
                          uint32_t gid,
                          const uint32_t *groups,
                          size_t n);

/**
 * Forgets the credential: the program runs as the caller.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0.
 */
int runner_clear_credential(runner_t *runner);

/**
 * Adds a resource limit. `resource` is a RLIMIT_* of <sys/resource.h>; UINT64_MAX is no limit.
 *
 * A hard limit above the caller's own needs CAP_SYS_RESOURCE. A resource that stands twice gets the later one.
 * RLIMIT_NPROC counts every process of the user id, not those of the run; RLIMIT_CPU is in seconds.
 *
 * Returns 0, or -EINVAL: an unknown resource, soft above hard. Since 0.1.0. forkexec: RLimits. getrlimit(2).
 */
int runner_add_rlimit(runner_t *runner,
                      int resource,
                      uint64_t soft,
                      uint64_t hard);

/**
 * Forgets every resource limit that was added.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0.
 */
int runner_clear_rlimits(runner_t *runner);

/**
 * Sets whether an exec, the program's own included, can gain no privileges: set-user-ID bits and file
 * capabilities are ignored from then on. runner_set_seccomp() implies it.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: NoNewPrivs. PR_SET_NO_NEW_PRIVS(2const), Linux 3.5.
 */
int runner_set_no_new_privs(runner_t *runner,
                            bool on);

/**
 * Sets whether every capability is dropped for good: effective, permitted, inheritable, ambient and bounding
 * set are empty, and the securebits are locked so that user id 0 means nothing to an exec.
 *
 * Emptying the bounding set needs CAP_SETPCAP; where the caller has none to drop it with, no_new_privs is set
 * instead, so that no exec brings them back. (A new user namespace inside gives capabilities over itself: a filter or
 * user.max_user_namespaces keeps the program from making one.) false: nothing is dropped, and runner_keep_caps() is
 * forgotten.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: DropCaps. capabilities(7).
 */
int runner_set_drop_caps(runner_t *runner,
                         bool on);

/**
 * Drops every capability as runner_set_drop_caps() does, except those in `mask` (bit n: capability n of
 * <linux/capability.h>), which survive the exec: exactly they are in all five sets of the program.
 *
 * Returns 0, or -EINVAL: NULL. The start fails (stage capabilities) with EPERM where the caller does not have one of
 * them, and with EINVAL where the kernel knows none of that number. Since 0.1.0. capabilities(7), ambient set: Linux
 * 4.3.
 */
int runner_keep_caps(runner_t *runner,
                     uint64_t mask);

/**
 * Loads a seccomp filter, `len` instructions of classic BPF, as the last step before the exec: it has to allow
 * execve (execveat where an exec fd is set). Implies no_new_privs.
 *
 * The program is copied. A filter by system call number should also refuse the x32 and 32-bit entries, by
 * checking the architecture and the number's bit 30.
 *
 * Returns 0, or -EINVAL: NULL, a length of 0 or above 4096. The start fails with EINVAL (stage seccomp) where the
 * kernel refuses the program. Since 0.1.0. forkexec: Seccomp. seccomp(2), Linux 3.17.
 */
int runner_set_seccomp(runner_t *runner,
                       const struct sock_filter *filter,
                       uint16_t len);

/**
 * Forgets the seccomp filter.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0.
 */
int runner_clear_seccomp(runner_t *runner);

/**
 * Sets whether the calling thread traces the program (PTRACE_TRACEME).
 *
 * Of the memory's size such a start is not independent: the process is made with a copy of it, as fork(2) does.
 * Without a filter the start returns with the program about to stop with SIGTRAP at its exec. With a filter the
 * process stops with SIGSTOP before the filter is loaded, so that the tracer can set its options
 * (PTRACE_O_TRACESECCOMP) first; the exec happens after the tracer continues it. Only the thread that
 * started it can wait for it and continue it: in Go, runtime.LockOSThread().
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: Ptrace. ptrace(2).
 */
int runner_set_ptrace(runner_t *runner,
                      bool on);

/**
 * Sets whether the process stops (SIGSTOP) after every other step, before the filter is loaded and the program
 * is executed. The start returns then; SIGCONT, or the tracer, lets it go on. waitpid(2) with WUNTRACED sees
 * the stop.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: StopBeforeSeccomp.
 */
int runner_set_stop_before_seccomp(runner_t *runner,
                                   bool on);

/**
 * Sets a function that is called with the pid, on the thread that starts, while the process waits complete and
 * right before its exec: to put it into cgroups, to look at it, to attach to it. NULL clears.
 *
 * Anything but 0 that it returns, an errno of either sign, fails the start with that errno (stage sync; ECANCELED
 * for a number that is no errno), and the process is gone when the start returns. It must return, not jump or throw.
 * `ctx` is passed on and has to live as long as the runner can be started, its copies included. Where a callback is
 * a burden, use runner_start_held() instead. In a held start the callback runs before the hold.
 *
 * Returns 0, or -EINVAL: NULL runner. Since 0.1.0. forkexec: SyncFunc.
 */
int runner_set_sync_func(runner_t *runner,
                         int (*func)(pid_t pid, void *ctx),
                         void *ctx);

/**
 * Sets the cgroup v2 directory, by an fd (O_PATH will do), in which the program is born (CLONE_INTO_CGROUP,
 * Linux 5.7; on older kernels it joins by writing cgroup.procs). -1 clears.
 *
 * Returns 0, or -EINVAL: below -1. Since 0.1.0. forkexec: CgroupFd. cgroups(7).
 */
int runner_set_cgroup_fd(runner_t *runner,
                         int fd);

/**
 * Sets a cgroup by the path of its directory. In a v2 hierarchy the program is born there; a v1 cgroup is joined
 * before anything else is done.
 *
 * A process is in one cgroup of each hierarchy: a path of the same hierarchy as an earlier one replaces it, paths
 * of other hierarchies (v1: memory, pids, cpuacct, ...) are kept beside it. A v2 path beside runner_set_cgroup_fd() is
 * refused when the run starts. runner_clear_cgroups() forgets all.
 *
 * Returns 0, or -EINVAL: NULL, empty, PATH_MAX or longer. Since 0.1.0. cgroups(7).
 */
int runner_set_cgroup_path(runner_t *runner,
                           const char *path);

/**
 * Forgets the cgroup fd and every cgroup path.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0.
 */
int runner_clear_cgroups(runner_t *runner);

/**
 * Sets whether a cgroup namespace is made after the callback or hold, instead of with the others, so that its
 * root is the cgroup into which the process was put meanwhile. CLONE_NEWCGROUP need not be set.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: UnshareCgroupAfterSync. cgroup_namespaces(7).
 */
int runner_set_unshare_cgroup_after_sync(runner_t *runner,
                                         bool on);

/**
 * Sets whether the program's fd 0, a terminal, becomes its controlling terminal. Needs a new session, which is
 * the default.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: CTTY. TIOCSCTTY(2const).
 */
int runner_set_ctty(runner_t *runner,
                    bool on);

/**
 * Sets the program's session: RUNNER_SESSION_NEW (default), RUNNER_SESSION_GROUP or RUNNER_SESSION_KEEP.
 *
 * Without a new session a program that has the host's terminal open can type into it (TIOCSTI).
 *
 * Returns 0, or -EINVAL: any other number. Since 0.1.0. setsid(2), setpgid(2).
 */
int runner_set_session(runner_t *runner,
                       uint32_t session);

/**
 * Sets the signal, 1 to 64, that the program gets when the thread that started it ends; 0: none.
 *
 * It is that thread's end that counts, not the process's: do not start from a thread of a pool that shrinks. The
 * program can take it back, and its children do not have it: against a hostile one it holds for the first process of
 * a pid namespace, under a filter that refuses prctl(PR_SET_PDEATHSIG).
 *
 * Returns 0, or -EINVAL: not a signal. Since 0.1.0. PR_SET_PDEATHSIG(2const).
 */
int runner_set_death_signal(runner_t *runner,
                            int signal);

/**
 * Sets the file mode creation mask, 0 to 0777. Without it: the host's.
 *
 * Returns 0, or -EINVAL: out of range. Since 0.1.0. umask(2).
 */
int runner_set_umask(runner_t *runner, uint32_t mask);

/**
 * Sets the nice value, -20 to 19; below the host's own it needs CAP_SYS_NICE. Without it: the host's.
 *
 * Returns 0, or -EINVAL: out of range. Since 0.1.0. setpriority(2).
 */
int runner_set_nice(runner_t *runner,
                    int nice);

/**
 * Sets how willingly the kernel's OOM killer takes the program, -1000 (never) to 1000 (first); below the host's
 * own it needs CAP_SYS_RESOURCE. Without it: the host's. Needs /proc in the host.
 *
 * Returns 0, or -EINVAL: out of range. Since 0.1.0. proc_pid_oom_score_adj(5).
 */
int runner_set_oom_score_adj(runner_t *runner,
                             int adj);

/**
 * Sets the CPUs on which the program may run: `n` CPU numbers, each below 8192. Without it: the host's.
 *
 * Returns 0, or -EINVAL: NULL, n = 0, a number out of range. The start fails with EINVAL (stage affinity) where
 * none of them is online and allowed. Since 0.1.0. sched_setaffinity(2).
 */
int runner_set_cpu_affinity(runner_t *runner,
                            const uint32_t *cpus,
                            size_t n);

/**
 * Sets the execution domain: ADDR_NO_RANDOMIZE of <sys/personality.h> switches address randomisation off, which
 * makes runs repeatable. Without it: the host's.
 *
 * Returns 0, or -EINVAL: above 0xfffffffe. Since 0.1.0. personality(2).
 */
int runner_set_personality(runner_t *runner,
                           uint64_t persona);

/**
 * Sets the scheduling policy (SCHED_OTHER, SCHED_BATCH, SCHED_IDLE with priority 0; SCHED_FIFO, SCHED_RR with
 * 1 to 99, which need CAP_SYS_NICE or RLIMIT_RTPRIO). Without it: the host's.
 *
 * Returns 0, or -EINVAL: an unknown policy or a priority that it does not have. Since 0.1.0.
 * sched_setscheduler(2).
 */
int runner_set_scheduler(runner_t *runner,
                         int policy,
                         int priority);

/**
 * Gives the program an empty session keyring of its own. Without it, it has the host's: keys that the host, or who
 * logged in, keeps there can be read by it, whatever its namespaces and capabilities.
 *
 * The keyring counts as a key of the host's user until the program ends, and of those an ordinary user has 200
 * (kernel.keys.maxkeys): with as many runs at once, or in quick succession, since the kernel frees keys a little
 * later, the next start fails with EDQUOT. A filter that refuses keyctl(2),
 * add_key(2) and request_key(2) does as well without that limit.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. session-keyring(7), KEYCTL_JOIN_SESSION_KEYRING.
 */
int runner_set_new_session_keyring(runner_t *runner,
                                   bool on);

/**
 * Sets whether the interface `lo` is brought up in the new network namespace. Needs CLONE_NEWNET.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. netdevice(7).
 */
int runner_set_loopback_up(runner_t *runner, bool on);

/**
 * Gives the program a root of its own: a tmpfs is mounted over the directory `path`, the pieces that were added
 * go into it, it becomes the root, and the old one is let go. It is read-only, nosuid, nodev and noatime.
 *
 * `path` is any existing directory of the host but `/`; what is in it is not touched, only covered in the new mount
 * namespace. A program that is behind a magic link of /proc there, or a script whose interpreter is, would be the
 * host's own binary, and is refused (ELOOP, stage exec; Linux 5.12). The start needs CLONE_NEWNS, and CAP_SYS_ADMIN or
 * CLONE_NEWUSER.
 *
 * Returns 0, or -EINVAL: NULL, empty, PATH_MAX or longer. Since 0.1.0. forkexec: PivotRoot. pivot_root(2).
 */
int runner_set_pivot_root(runner_t *runner,
                          const char *path);

/**
 * Leaves the root's tmpfs writable. What is written there takes memory, up to half of the machine's where no
 * memory cgroup says otherwise.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0.
 */
int runner_set_root_writable(runner_t *runner,
                             bool writable);

/**
 * Adds a mount, as mount(2) takes it. The start needs CLONE_NEWNS.
 *
 * This and every other runner_add_* function of this section adds one piece of the root. The pieces are made in the
 * order in which they were added, and errors name a piece by its number in that order, from 0.
 *
 * `target` lies inside the new root (a leading slash changes nothing; no ".."); symbolic links on the way are
 * followed inside the new root only (before Linux 5.12: refused). Without runner_set_pivot_root() it is a path of
 * the host's tree as the new mount namespace sees it. Missing parts of it are made, directories with mode 0755, the
 * last one an empty file where the source of a bind is not a directory. MS_BIND with MS_RDONLY is really read-only,
 * beneath it too with MS_REC, and keeps what its source has locked. `flags` are the MS_* of <sys/mount.h>; `source`,
 * `fstype` and `data` may be NULL where mount(2) ignores them. A relative `source` of a bind starts at the host's
 * working directory.
 *
 * Returns 0, or -EINVAL: NULL or empty target, ".." in it, PATH_MAX or longer, unknown flags, a bind without a
 * source, a new mount without a type. Since 0.1.0. forkexec: Mounts. mount(2).
 */
int runner_add_mount(runner_t *runner,
                     const char *source,
                     const char *target,
                     const char *fstype,
                     uint64_t flags,
                     const char *data);

/**
 * Adds a file or directory of the host: RUNNER_BIND_* flags, or'ed together; 0: writable, without what is mounted
 * beneath it. Set-user-ID bits and device files do not work beneath it unless the flags say so. The source is looked up
 * by the child, which has closed the host's fds by then: no /proc/self/fd.
 *
 * Read-only holds against any program without CAP_SYS_ADMIN in its user namespace; one that keeps it can remount:
 * runner_set_drop_caps(). What the pieces make beneath a writable bind is made in the host's directory, and stays.
 *
 * In a user namespace a source that has other mounts beneath it needs RUNNER_BIND_REC (the kernel does not let
 * them be left out).
 *
 * Returns 0, or -EINVAL: NULL or empty paths, ".." in the target, PATH_MAX or longer, unknown flags.
 * Since 0.1.0. mount(2), mount_setattr(2).
 */
int runner_add_bind(runner_t *runner,
                    const char *source,
                    const char *target,
                    uint32_t flags);

/**
 * Adds an empty tmpfs of at most `size_bytes` (0: the kernel's default, half of the memory) that belongs to the
 * program, its top directory with `mode` (0 to 07777). nosuid and nodev. With a size it has room for one file a KiB,
 * at least 1024, since each takes about that much of the kernel's memory.
 *
 * Returns 0, or -EINVAL: NULL or empty target, ".." in it, PATH_MAX or longer, a mode out of range.
 * Since 0.1.0. tmpfs(5).
 */
int runner_add_tmpfs(runner_t *runner,
                     const char *target,
                     uint64_t size_bytes,
                     uint32_t mode);

/**
 * Adds the proc file system of the new pid namespace: RUNNER_PROC_* flags, or'ed together; 0: all of it.
 * nosuid, nodev and noexec. The start needs CLONE_NEWPID: else it would show the host's processes.
 *
 * To a program whose user id is root's outside, /proc/sys is writable even without capabilities, and some of it is the
 * whole machine's: RUNNER_PROC_MASK for such a one. RUNNER_PROC_SUBSET and _RO do not protect there: a program that may
 * make user namespaces mounts a whole proc anew, unless it sees a proc that is partly covered, as MASK without SUBSET
 * makes it.
 *
 * Inside many containers the kernel refuses it in a user namespace (EPERM), because the container's own proc is
 * partly covered; the error's message says what to do.
 *
 * Returns 0, or -EINVAL: NULL or empty target, ".." in it, PATH_MAX or longer, unknown flags. Since 0.1.0.
 * proc(5).
 */
int runner_add_proc(runner_t *runner,
                    const char *target,
                    uint32_t flags);

/**
 * Adds a minimal, read-only /dev: null, zero, full, random, urandom and tty of the host, fd, stdin, stdout and
 * stderr as links into /proc/self/fd, an empty writable shm (64 MiB), and a pts of its own with ptmx.
 *
 * Returns 0, or -EINVAL: NULL or empty target, ".." in it, PATH_MAX or longer. Since 0.1.0.
 */
int runner_add_dev(runner_t *runner,
                   const char *target);

/**
 * Adds a directory with `mode` (0 to 07777), whatever the umask; its missing parents get 0755. A directory of the host
 * that a bind has put there is left as it is.
 *
 * Returns 0, or -EINVAL: NULL or empty path, ".." in it, PATH_MAX or longer, a mode out of range.
 * Since 0.1.0. mkdir(2).
 */
int runner_add_dir(runner_t *runner,
                   const char *path,
                   uint32_t mode);

/**
 * Adds a symbolic link at `path` that leads to `to`, in the order of symlink(2). Its missing parents are made;
 * it fails (EEXIST) where something is there already.
 *
 * Returns 0, or -EINVAL: NULL or empty, ".." in `path`, PATH_MAX or longer. Since 0.1.0. symlink(2).
 */
int runner_add_symlink(runner_t *runner,
                       const char *to,
                       const char *path);

/**
 * Adds a small file at `path` with `len` bytes of contents and `mode` (0 to 07777), whatever the umask: an
 * /etc/passwd. The bytes are copied. Its missing parents are made; it fails (EEXIST) where something is there.
 *
 * Returns 0, or -EINVAL: NULL or empty path, ".." in it, PATH_MAX or longer, NULL contents with len above 0,
 * a mode out of range. Since 0.1.0.
 */
int runner_add_file(runner_t *runner,
                    const char *path,
                    const void *contents,
                    size_t len,
                    uint32_t mode);

/**
 * Forgets every piece of the root that was added; runner_set_pivot_root() stays.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0.
 */
int runner_clear_root(runner_t *runner);

/**
 * The name of a stage: "mount", "exec", ... A static string; "unknown" for a number that is no stage. Never NULL.
 * Since 0.1.0.
 */
const char *runner_stage_name(uint32_t stage);

/**
 * Prints an error as one line, `stage[index]: message (errno N)`, into `buf` of `len` bytes, by the rules of
 * snprintf(3): what does not fit is cut, the result ends with NUL where len is not 0, and buf may be NULL where it is.
 *
 * Returns the length of the whole line without the NUL, or -EINVAL: NULL. Since 0.1.0.
 */
int runner_error_format(const struct runner_error_t *error,
                        char *buf,
                        size_t len);

/**
 * Starts the program.
 *
 * When it returns a pid, the program runs: its exec has happened. With runner_set_ptrace() and
 * runner_set_stop_before_seccomp() it returns when the process stops, or is about to. The pid is a child of the
 * calling process, to be waited for with waitpid(2). On failure nothing is left: no process, no zombie, no SIGCHLD
 * (but for one of a process that stops without a tracer, which is an ordinary child from the beginning). A process
 * that was killed before its exec is EPIPE at the stage where it was. After a stop nobody can be told any more: a
 * step that fails then ends the process with status 127.
 *
 * `err` may be NULL; it is filled on success too (stage 0, err 0).
 *
 * Returns the pid, or a negative errno. Any thread may start any runner, and several threads the same one.
 * Since 0.1.0. forkexec: Start.
 */
pid_t runner_start(const runner_t *runner,
                   struct runner_error_t *err);

/**
 * Starts the program as runner_start() does, and gives a pidfd beside the pid: close-on-exec, yours to close. With
 * it the process can be waited for (poll(2), waitid(2) with P_PIDFD) and signalled without a race.
 *
 * Both `pid` and `pidfd` are written on success only; `pid` may be NULL, `err` too.
 *
 * Returns 0, or a negative errno; -EINVAL: `pidfd` is NULL. Since 0.1.0. pidfd_open(2), Linux 5.2.
 */
int runner_start_pidfd(const runner_t *runner,
                       pid_t *pid,
                       int *pidfd,
                       struct runner_error_t *err);

/**
 * Prints the program of system calls that a start would run, one step a line, beneath a line that names the strategy,
 * into `buf` of `len` bytes, by the rules of snprintf(3). Nothing is started. What the steps are depends on the
 * calling process too: its ids, its kernel.
 *
 * Returns the length of the whole text without the NUL, or a negative errno: -EINVAL for NULL or options with
 * which no start is possible; `buf` then holds the stage and a sentence that says why. Since 0.1.0.
 */
int runner_explain(const runner_t *runner,
                   char *buf,
                   size_t len);

/**
 * Starts the program up to the step right before its exec and holds it there: the callback of
 * runner_set_sync_func() in two phases, for languages in which a C callback is a burden.
 *
 * `*out` is the handle, ended by runner_held_resume() or runner_held_abort() on any thread, in any order with
 * runner_free(). Each held start occupies one blocked thread of the process until then. If the host dies, the
 * held process dies. A fork of the host has a copy of the handle that it can only free: abort does nothing else
 * there, and resume fails with ECHILD.
 *
 * Returns 0, or a negative errno; `*out` is NULL then. Since 0.1.0.
 */
int runner_start_held(const runner_t *runner,
                      runner_held_t **out,
                      struct runner_error_t *err);

/**
 * The pid of the held process, or -EINVAL: NULL. Since 0.1.0.
 */
pid_t runner_held_pid(const runner_held_t *held);

/**
 * A pidfd of the held process. It is the handle's own: duplicate it to keep it beyond the handle.
 *
 * Returns the fd, or -EINVAL: NULL; -ENOSYS: the kernel has none (before 5.3). Since 0.1.0.
 */
int runner_held_pidfd(const runner_held_t *held);

/**
 * Lets the held process execute its program, and frees the handle, whatever the result.
 *
 * Returns the pid of the running program, or a negative errno as runner_start() does, with `err` filled; -EINVAL:
 * NULL. Since 0.1.0.
 */
pid_t runner_held_resume(runner_held_t *held,
                         struct runner_error_t *err);

/**
 * Kills and reaps the held process, and frees the handle. NULL is a no-op. Since 0.1.0.
 */
void runner_held_abort(runner_held_t *held);

/**
 * Sets how long the run may last, in nanoseconds of CLOCK_MONOTONIC from the program's exec. UINT64_MAX: for ever, the
 * default.
 *
 * The verdict is then RUNNER_VERDICT_WALL_LIMIT. A run that had ended by itself when the host came to look is not
 * killed and not blamed; wall_ns says when it was seen.
 *
 * This and all that follows of limits, input and captures is for runner_spawn() and runner_run(), which watch what
 * they start. The other ways to start refuse a runner with them (EINVAL, stage options).
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. timerfd_create(2).
 */
int runner_set_wall_limit(runner_t *runner,
                          uint64_t ns);

/**
 * Sets how much CPU time the run may use, user and system, of all its processes and threads together, in
 * nanoseconds. UINT64_MAX: any, the default.
 *
 * It is counted from the program's exec by the run's cgroup, and looked at when the budget could at the earliest be
 * used up: precise to a tick of the kernel, 1 to 10 ms (4 ms with CONFIG_HZ=250), where the host steps in time. The
 * figure at the end is exact, and one beyond the limit is RUNNER_VERDICT_TIME_LIMIT also where the program had ended
 * by itself. RLIMIT_CPU one second above it is set as well (unless runner_add_rlimit() has set one), for hosts that
 * do not. Without a cgroup the living processes are looked at, and those that were waited for count with who did: a
 * program that has its children reaped unseen gets more (RUNNER_MISSING_CPU), so set a wall limit too.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. cgroups(7), cpu.stat, cpuacct.usage.
 */
int runner_set_cpu_limit(runner_t *runner,
                         uint64_t ns);

/**
 * Sets how much memory the run may use, all its processes together, in bytes, with no way out into swap. UINT64_MAX:
 * any, the default. The kernel rounds to pages. A few hundred KiB are the kernel's own for a process; with less than
 * that the launch fails.
 *
 * Enforced by the run's memory cgroup, which counts what is touched, page cache and tmpfs files included. Without
 * one RLIMIT_AS of twice the limit and 16 MiB is set on each process, and looks at the resident memory of all of
 * them end the run; tmpfs files do not count then. The result says so (RUNNER_MISSING_MEMORY).
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. cgroups(7), memory.max, memory.limit_in_bytes.
 */
int runner_set_memory_limit(runner_t *runner,
                            uint64_t bytes);

/**
 * Sets how many processes and threads the run may have at once. UINT64_MAX: any number, the default. Beyond it fork
 * and clone fail with EAGAIN; the run goes on.
 *
 * Enforced by the run's pids cgroup. Without one RLIMIT_NPROC stands in, which counts all processes of the user, so
 * that it is approximate while other runs of that user come and go, and does not bind root (RUNNER_MISSING_PROCESSES).
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. cgroups(7), pids.max.
 */
int runner_set_process_limit(runner_t *runner,
                             uint64_t n);

/**
 * Sets how many bytes the run may write: to all captured fds together, and to any one file (RLIMIT_FSIZE, unless
 * runner_add_rlimit() has set one). UINT64_MAX: any, the default. More ends the run; but the first process of a pid
 * namespace is deaf to SIGXFSZ, so its write to a file fails with EFBIG, it goes on, and no verdict tells.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0. getrlimit(2).
 */
int runner_set_output_limit(runner_t *runner,
                            uint64_t bytes);

/**
 * Sets how much of a CPU the run gets at most, in percent: 50 is half of one, 200 are two. UINT32_MAX: all there is,
 * the default. It slows the run down; it ends nothing. Needs a cpu cgroup; without one the result says so
 * (RUNNER_MISSING_QUOTA).
 *
 * Returns 0, or -EINVAL: NULL or 0. Since 0.1.0. cpu.max (v2), cpu.cfs_quota_us (v1).
 */
int runner_set_cpu_quota(runner_t *runner,
                         uint32_t percent);

/**
 * Gives the program these bytes as its fd 0, in the place of what runner_set_files() says for it: `len` bytes,
 * copied, any of them. NULL with len 0: what runner_set_files() says, the default; an empty input is any other
 * pointer with len 0.
 *
 * The program gets a sealed memory file, so it may seek in it but not change it, and need not read it.
 *
 * Returns 0, or -EINVAL: NULL with a length; -ENOMEM: no memory for the copy. Since 0.1.0. memfd_create(2).
 */
int runner_set_stdin_bytes(runner_t *runner,
                           const void *data,
                           size_t len);

/**
 * Keeps what the program writes to its fd `child_fd`, in the place of what runner_set_files() says for it: the
 * program has a pipe there. A second call for the same fd replaces `max_bytes`.
 *
 * A program that writes more than `max_bytes` is ended (RUNNER_VERDICT_OUTPUT_LIMIT); the first max_bytes are kept.
 * runner_process_output() gives them. The host's memory is what holds them, as they come.
 *
 * Returns 0, or -EINVAL: NULL or an fd out of range (0 to 1048575). Since 0.1.0. pipe(7).
 */
int runner_capture(runner_t *runner,
                   int child_fd,
                   uint64_t max_bytes);

/**
 * As runner_capture(), but what is more than `max_bytes` is dropped, and the run goes on: for diagnostics. It does
 * not count towards runner_set_output_limit(); output_cut and output_fd of the result tell that something was
 * dropped.
 *
 * Returns 0, or -EINVAL as runner_capture(). Since 0.1.0.
 */
int runner_capture_head(runner_t *runner,
                        int child_fd,
                        uint64_t max_bytes);

/**
 * Sets where the cgroups of runs are made: an existing directory in a mounted cgroup v2 hierarchy or in one of v1.
 * Of each hierarchy the last such path counts, so call it once for each of v1.
 *
 * By default they are made in this process's own cgroup, or, in v2, where that one holds processes and so may not
 * give its controllers on ("no internal processes"), in the nearest ancestor that does and in which this user may. A
 * v2 directory that is named here is made to give memory, pids and cpu to its children; processes that stand in the
 * way of that, the host among them, are moved into a child group `host` of it: in a container, name its own cgroup.
 *
 * Returns 0, or -EINVAL: NULL or empty. What is wrong with the directory is said when a run starts (stage cgroup).
 * Since 0.1.0. cgroups(7).
 */
int runner_set_cgroup_root(runner_t *runner,
                           const char *path);

/**
 * Forgets every limit of a watched run, its input, its captures and its cgroup roots.
 *
 * Returns 0, or -EINVAL: NULL. Since 0.1.0.
 */
int runner_clear_limits(runner_t *runner);

/**
 * The name of one RUNNER_MISSING_* bit: "memory", "processes", "CPU time", "CPU quota", "tree". A static string;
 * "unknown" for any other number. Never NULL. Since 0.1.0.
 */
const char *runner_missing_name(uint32_t bit);

/**
 * The name of a verdict: "finished", "time_limit", ... A static string; "unknown" for a number that is no verdict.
 * Never NULL. Since 0.1.0.
 */
const char *runner_verdict_name(uint32_t verdict);

/**
 * What RUNNER_EVIDENCE_* says, in words: "OOM killer", "wall timer", ... A static string; "unknown" for any other
 * number. Never NULL. Since 0.1.0.
 */
const char *runner_evidence_name(uint32_t evidence);

/**
 * What RUNNER_SOURCE_* says, in words: "cgroup v2", "rusage", ... A static string; "unknown" for any other number.
 * Never NULL. Since 0.1.0.
 */
const char *runner_source_name(uint32_t source);

/**
 * Starts the program and watches it: its limits, its output, its end.
 *
 * Each run has cgroups of its own, where they can be had, made before it and removed after it. Nothing happens
 * behind the host's back: no thread, no signal handler, no timer of the process. Instead there is one fd,
 * runner_process_fd(): put it into a poll, epoll or event loop, and call runner_process_step() whenever it is
 * readable, since that is when limits are enforced and output is taken in; or call runner_process_wait(), which is
 * that loop. Needs Linux 5.4.
 *
 * If the host dies, the program goes on, with nobody to enforce its wall limit: see runner_set_death_signal().
 *
 * The host may call waitpid(-1) or ignore SIGCHLD; but before Linux 6.15 the exit status of a run is lost by that
 * (RUNNER_EVIDENCE_STATUS_LOST).
 *
 * Returns the run, to be freed with runner_process_free(), or NULL with `err` filled: as runner_start(), and stages
 * cgroup, stdio and watch. Nothing is left behind then. Since 0.1.0.
 */
runner_process_t *runner_spawn(const runner_t *runner,
                               struct runner_error_t *err);

/**
 * The pid of the run's first process, or -EINVAL: NULL. Once the run has finished, the number may be another
 * process's. Since 0.1.0.
 */
pid_t runner_process_pid(const runner_process_t *process);

/**
 * The fd to wait for: readable when runner_process_step() has something to do, and for good once the run has
 * finished. It belongs to the handle: do not read, change or close it, and take it out of your loop before you free
 * the handle.
 *
 * Returns the fd, or -EINVAL: NULL. Since 0.1.0. epoll(7).
 */
int runner_process_fd(const runner_process_t *process);

/**
 * Does what is due, without blocking: takes in output, enforces limits, sees to the end.
 *
 * Returns 1: the run has finished, with `result` filled (now and on every later call); 0: it goes on, and `result` is
 * untouched; -EINVAL: NULL for `process`, or a result of an impossible size; -ECHILD: the run belongs to the process
 * that this one was forked from. `result` may be NULL. Since 0.1.0.
 */
int runner_process_step(runner_process_t *process,
                        struct runner_result_t *result);

/**
 * Waits for the run to finish, at most `timeout_ns` nanoseconds; a negative number: for ever; 0: as
 * runner_process_step(). Limits are enforced meanwhile. Signals of the host are handled and do not end it: a host
 * that waits for both uses ppoll(2) on runner_process_fd(). Another thread may call runner_process_kill().
 *
 * Returns 1: finished, with `result` filled; 0: the time is over and the run goes on; or a negative errno as
 * runner_process_step(). Since 0.1.0.
 */
int runner_process_wait(runner_process_t *process,
                        int64_t timeout_ns,
                        struct runner_result_t *result);

/**
 * Kills the whole tree of the run, whatever it has forked. The run then finishes with RUNNER_VERDICT_KILLED, which
 * is told by runner_process_step() or runner_process_wait(); one that had finished by itself keeps its verdict. Any
 * thread may call it at any time before the handle is freed.
 *
 * Returns 0, also where there is nothing to kill any more; -EINVAL: NULL; -ECHILD as runner_process_step(). Since
 * 0.1.0. cgroups(7), cgroup.kill.
 */
int runner_process_kill(runner_process_t *process);

/**
 * What the program has written to its captured fd `child_fd` so far. `*data` is the handle's own memory, never NULL,
 * with a NUL behind its `*len` bytes, valid until the next call of runner_process_step(), _wait(), _kill() or
 * _free() for this run.
 *
 * Returns 0, or -EINVAL: NULL, or an fd that is not captured; -ECHILD as runner_process_step(). `*data` and `*len`
 * are untouched then. Since 0.1.0.
 */
int runner_process_output(const runner_process_t *process,
                          int child_fd,
                          const void **data,
                          size_t *len);

/**
 * The figures so far, of a run that goes on (verdict RUNNER_VERDICT_NONE) or has finished. It costs a few reads;
 * limits are not enforced by it.
 *
 * Returns 0, or a negative errno: -EINVAL: NULL, or a result of an impossible size; -ECHILD as
 * runner_process_step(). Since 0.1.0.
 */
int runner_process_usage(const runner_process_t *process,
                         struct runner_result_t *result);

/**
 * Frees a run. What still runs is killed, the whole tree, and reaped; its cgroups are removed. NULL is a no-op.
 *
 * A fork of the host only frees its copy of the memory. Since 0.1.0.
 */
void runner_process_free(runner_process_t *process);

/**
 * Starts the program, waits for its end and says what became of it: runner_spawn(), runner_process_wait() and
 * runner_process_free(). What was captured is gone then, but for output_bytes: to have it, call those three and
 * runner_process_output() in between.
 *
 * Returns 0, with `result` filled; or a negative errno with `err` filled and the verdict
 * RUNNER_VERDICT_LAUNCH_ERROR. Both may be NULL. Since 0.1.0.
 */
int runner_run(const runner_t *runner,
               struct runner_result_t *result,
               struct runner_error_t *err);

/**
 * Finds out what this machine offers, by trying it where that is the only sure way: it starts two short-lived
 * processes, and changes nothing but that a cgroup v2 directory which may give controllers to its children does so
 * from now on.
 *
 * Returns 0, or -EINVAL: NULL, or a size that is not 0 and smaller than the struct. Since 0.1.0.
 */
int runner_probe(struct runner_probe_t *probe);

/**
 * The library's version: major << 16 | minor << 8 | patch. Since 0.1.0.
 */
uint32_t runner_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RUNNER_H */
