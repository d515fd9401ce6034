"""Made by bindings/declarations.py from include/runner.h; do not edit."""

from enum import IntFlag

from ._number import Named, Number

VERSION = "0.1.0"

CDEF = """\
typedef int pid_t;
typedef struct runner_t runner_t;
typedef struct runner_held_t runner_held_t;
typedef struct runner_process_t runner_process_t;
typedef struct runner_error_t {
    uint32_t size;
    uint32_t stage;
    int32_t index;
    int32_t err;
    char message[240];
} runner_error_t;
typedef struct runner_result_t {
    uint32_t size;
    uint32_t verdict;
    int32_t exit_code;
    int32_t signal;
    uint64_t wall_ns;
    uint64_t user_ns;
    uint64_t system_ns;
    uint64_t memory_peak;
    uint32_t memory_source;
    uint32_t cpu_source;
    uint32_t evidence;
    uint32_t oom_kills;
    uint64_t process_limit_hits;
    uint64_t processes_peak;
    uint64_t output_bytes;
    uint64_t setup_ns;
    uint32_t processes_source;
    uint32_t output_cut;
    uint32_t missing;
    int32_t output_fd;
    uint64_t cpu_ns;
    char reason[392];
} runner_result_t;
typedef struct runner_probe_t {
    uint32_t size;
    uint32_t kernel;
    uint32_t clone3;
    uint32_t into_cgroup;
    uint32_t pidfd;
    uint32_t close_range;
    uint32_t mount_setattr;
    uint32_t openat2;
    uint32_t time_namespace;
    uint32_t user_namespace;
    uint32_t privileged_namespaces;
    uint32_t seccomp;
    uint32_t landlock;
    uint32_t cgroup_v2;
    uint32_t cgroup_v1;
    uint32_t cgroup_v2_writable;
    uint32_t controllers_v2;
    uint32_t controllers_v1;
    uint32_t controllers_v1_writable;
    uint32_t runs_miss;
    char blocker[944];
} runner_probe_t;
runner_t *runner_new(void);
runner_t *runner_clone(const runner_t *runner);
void runner_free(runner_t *runner);
int runner_set_args(runner_t *runner, const char *const *argv);
int runner_set_env(runner_t *runner, const char *const *envp);
int runner_set_exec_fd(runner_t *runner, int fd);
int runner_set_files(runner_t *runner, const int *fds, size_t n);
int runner_set_allow_directory_files(runner_t *runner, bool allow);
int runner_set_workdir(runner_t *runner, const char *path);
int runner_set_hostname(runner_t *runner, const char *name);
int runner_set_domainname(runner_t *runner, const char *name);
int runner_set_unshare_flags(runner_t *runner, uint64_t flags);
int runner_add_uid_mapping(runner_t *runner, uint32_t inside, uint32_t outside, uint32_t count);
int runner_add_gid_mapping(runner_t *runner, uint32_t inside, uint32_t outside, uint32_t count);
int runner_clear_mappings(runner_t *runner);
int runner_set_allow_setgroups(runner_t *runner, bool allow);
int runner_set_credential(runner_t *runner, uint32_t uid, uint32_t gid, const uint32_t *groups, size_t n);
int runner_clear_credential(runner_t *runner);
int runner_add_rlimit(runner_t *runner, int resource, uint64_t soft, uint64_t hard);
int runner_clear_rlimits(runner_t *runner);
int runner_set_no_new_privs(runner_t *runner, bool on);
int runner_set_drop_caps(runner_t *runner, bool on);
int runner_keep_caps(runner_t *runner, uint64_t mask);
int runner_set_seccomp(runner_t *runner, const struct sock_filter *filter, uint16_t len);
int runner_clear_seccomp(runner_t *runner);
int runner_set_ptrace(runner_t *runner, bool on);
int runner_set_stop_before_seccomp(runner_t *runner, bool on);
int runner_set_sync_func(runner_t *runner, int (*func)(pid_t pid, void *ctx), void *ctx);
int runner_set_cgroup_fd(runner_t *runner, int fd);
int runner_set_cgroup_path(runner_t *runner, const char *path);
int runner_clear_cgroups(runner_t *runner);
int runner_set_unshare_cgroup_after_sync(runner_t *runner, bool on);
int runner_set_ctty(runner_t *runner, bool on);
int runner_set_session(runner_t *runner, uint32_t session);
int runner_set_death_signal(runner_t *runner, int signal);
int runner_set_umask(runner_t *runner, uint32_t mask);
int runner_set_nice(runner_t *runner, int nice);
int runner_set_oom_score_adj(runner_t *runner, int adj);
int runner_set_cpu_affinity(runner_t *runner, const uint32_t *cpus, size_t n);
int runner_set_personality(runner_t *runner, uint64_t persona);
int runner_set_scheduler(runner_t *runner, int policy, int priority);
int runner_set_new_session_keyring(runner_t *runner, bool on);
int runner_set_loopback_up(runner_t *runner, bool on);
int runner_set_pivot_root(runner_t *runner, const char *path);
int runner_set_root_writable(runner_t *runner, bool writable);
int runner_add_mount(runner_t *runner, const char *source, const char *target, const char *fstype, uint64_t flags, const char *data);
int runner_add_bind(runner_t *runner, const char *source, const char *target, uint32_t flags);
int runner_add_tmpfs(runner_t *runner, const char *target, uint64_t size_bytes, uint32_t mode);
int runner_add_proc(runner_t *runner, const char *target, uint32_t flags);
int runner_add_dev(runner_t *runner, const char *target);
int runner_add_dir(runner_t *runner, const char *path, uint32_t mode);
int runner_add_symlink(runner_t *runner, const char *to, const char *path);
int runner_add_file(runner_t *runner, const char *path, const void *contents, size_t len, uint32_t mode);
int runner_clear_root(runner_t *runner);
const char *runner_stage_name(uint32_t stage);
int runner_error_format(const runner_error_t *error, char *buf, size_t len);
pid_t runner_start(const runner_t *runner, runner_error_t *err);
int runner_start_pidfd(const runner_t *runner, pid_t *pid, int *pidfd, runner_error_t *err);
int runner_explain(const runner_t *runner, char *buf, size_t len);
int runner_start_held(const runner_t *runner, runner_held_t **out, runner_error_t *err);
pid_t runner_held_pid(const runner_held_t *held);
int runner_held_pidfd(const runner_held_t *held);
pid_t runner_held_resume(runner_held_t *held, runner_error_t *err);
void runner_held_abort(runner_held_t *held);
int runner_set_wall_limit(runner_t *runner, uint64_t ns);
int runner_set_cpu_limit(runner_t *runner, uint64_t ns);
int runner_set_memory_limit(runner_t *runner, uint64_t bytes);
int runner_set_process_limit(runner_t *runner, uint64_t n);
int runner_set_output_limit(runner_t *runner, uint64_t bytes);
int runner_set_cpu_quota(runner_t *runner, uint32_t percent);
int runner_set_stdin_bytes(runner_t *runner, const void *data, size_t len);
int runner_capture(runner_t *runner, int child_fd, uint64_t max_bytes);
int runner_capture_head(runner_t *runner, int child_fd, uint64_t max_bytes);
int runner_set_cgroup_root(runner_t *runner, const char *path);
int runner_clear_limits(runner_t *runner);
const char *runner_missing_name(uint32_t bit);
const char *runner_verdict_name(uint32_t verdict);
const char *runner_evidence_name(uint32_t evidence);
const char *runner_source_name(uint32_t source);
runner_process_t *runner_spawn(const runner_t *runner, runner_error_t *err);
pid_t runner_process_pid(const runner_process_t *process);
int runner_process_fd(const runner_process_t *process);
int runner_process_step(runner_process_t *process, runner_result_t *result);
int runner_process_wait(runner_process_t *process, int64_t timeout_ns, runner_result_t *result);
int runner_process_kill(runner_process_t *process);
int runner_process_output(const runner_process_t *process, int child_fd, const void **data, size_t *len);
int runner_process_usage(const runner_process_t *process, runner_result_t *result);
void runner_process_free(runner_process_t *process);
int runner_run(const runner_t *runner, runner_result_t *result, runner_error_t *err);
int runner_probe(runner_probe_t *probe);
uint32_t runner_version(void);
"""


class Session(Number):
    """The program's session and process group."""

    #: a new session (setsid(2)) without a controlling terminal. The default.
    NEW = 0
    #: a new process group in the host's session (setpgid(2)).
    GROUP = 1
    #: the host's own session and process group.
    KEEP = 2


class Bind(IntFlag):
    """How a file or directory of the host is bound."""

    #: read-only, and really so, with everything beneath where RUNNER_BIND_REC is given.
    RO = 1
    #: also what is mounted beneath the source.
    REC = 2
    #: skipped where the source does not exist when the run starts.
    OPTIONAL = 4
    #: nothing beneath it can be executed.
    NOEXEC = 8
    #: device files beneath it work; without this they cannot be opened.
    DEV = 16
    #: set-user-ID bits and file capabilities beneath it work; without this they are ignored.
    SUID = 32


class Proc(IntFlag):
    """What the program sees of /proc."""

    #: only the processes, nothing about the machine (`subset=pid`, Linux 5.8).
    SUBSET = 1
    #: processes of other users are invisible (`hidepid=2`).
    HIDEPID = 2
    #: kcore, keys, sysrq-trigger and their like are covered; sys, bus, fs and irq are read-only.
    MASK = 4
    #: all of it is read-only.
    RO = 8


class Missing(IntFlag):
    """What limits and figures had to do without."""

    #: no memory cgroup. RLIMIT_AS and looks at the processes stand in.
    MEMORY = 1
    #: no pids cgroup. RLIMIT_NPROC stands in.
    PROCESSES = 2
    #: no cgroup counts CPU time. Looks at the processes stand in.
    CPU = 4
    #: the CPU quota is not enforced.
    QUOTA = 8
    #: neither a cgroup nor a pid namespace holds the processes of the run together. What leaves its family is found
    #: by the limits that it inherited, as long as it does not lower them.
    TREE = 16


class Controller(IntFlag):
    """Cgroup controllers."""

    #: the cpu controller.
    CPU = 1
    #: the cpuacct controller (v1 only).
    CPUACCT = 2
    #: the memory controller.
    MEMORY = 4
    #: the pids controller.
    PIDS = 8
    #: the cpuset controller.
    CPUSET = 16
    #: the io (v2) or blkio (v1) controller.
    IO = 32
    #: the freezer (v1; part of every v2 cgroup).
    FREEZER = 64


class Stage(Named):
    """Where a start was when it failed."""

    #: No stage: nothing failed.
    NONE = 0
    #: The options contradict each other, or lack something; nothing was started.
    OPTIONS = 1
    #: Memory for the start could not be had; nothing was started.
    MEMORY = 2
    #: The short-lived helper thread could not be made (EAGAIN: RLIMIT_NPROC, pids cgroup).
    THREAD = 3
    #: clone(2) itself: namespaces refused, too many processes, the cgroup is full or gone.
    CLONE = 4
    #: Writing uid_map, gid_map or setgroups of the new user namespace. index: which line of the map that the
    #: message names, where it is known.
    ID_MAP = 5
    #: setgroups(2).
    SETGROUPS = 6
    #: setresgid(2).
    SETGID = 7
    #: setresuid(2).
    SETUID = 8
    #: Opening or duplicating the program's files. index: the program's fd.
    DUP = 9
    #: Closing everything that the program was not given. index: the program's fd, or -1.
    CLOSE = 10
    #: setsid(2).
    SETSID = 11
    #: setpgid(2).
    SETPGID = 12
    #: Making fd 0 the controlling terminal (TIOCSCTTY).
    CTTY = 13
    #: A mount. index: which piece of the root, counted over all `runner_add_*` calls that make one.
    MOUNT = 14
    #: Making a directory or a mount point. index: which piece of the root.
    MKDIR = 15
    #: Making or writing a file. index: which piece of the root.
    FILE = 16
    #: Making a symbolic link. index: which piece of the root.
    SYMLINK = 17
    #: Making the new root, entering it and letting go of the old one.
    PIVOT_ROOT = 18
    #: sethostname(2).
    SETHOSTNAME = 19
    #: setdomainname(2).
    SETDOMAINNAME = 20
    #: chdir(2) to the working directory, or it lies outside the root.
    CHDIR = 21
    #: prlimit(2). index: which limit.
    RLIMIT = 22
    #: prctl(PR_SET_NO_NEW_PRIVS).
    NO_NEW_PRIVS = 23
    #: Capability sets, bounding set and securebits.
    CAPABILITIES = 24
    #: ptrace(PTRACE_TRACEME).
    PTRACE = 25
    #: Stopping before the filter is loaded.
    STOP = 26
    #: Loading the seccomp filter.
    SECCOMP = 27
    #: The callback refused, or the held start was aborted or killed while it waited.
    SYNC = 28
    #: Joining a cgroup. index: which cgroup path.
    CGROUP = 29
    #: execve(2) or execveat(2).
    EXEC = 30
    #: Signal dispositions and mask.
    SIGNALS = 31
    #: unshare(CLONE_NEWCGROUP) after the callback.
    UNSHARE = 32
    #: Bringing the loopback interface up.
    LOOPBACK = 33
    #: umask(2).
    UMASK = 34
    #: setpriority(2).
    NICE = 35
    #: Writing oom_score_adj.
    OOM_SCORE_ADJ = 36
    #: sched_setaffinity(2).
    AFFINITY = 37
    #: personality(2).
    PERSONALITY = 38
    #: sched_setscheduler(2).
    SCHEDULER = 39
    #: prctl(PR_SET_PDEATHSIG).
    DEATH_SIGNAL = 40
    #: Making the pidfd (kernels before 5.2).
    PIDFD = 41
    #: The input and the pipes of a watched run. index: the program's fd.
    STDIO = 42
    #: The epoll and the timer of a watched run.
    WATCH = 43
    #: Making a session keyring (EDQUOT: the user has as many keys as kernel.keys.maxkeys allows).
    KEYRING = 44


class Verdict(Named):
    """How a run ended."""

    #: None yet: the run goes on.
    NONE = 0
    #: It ended by itself, with an exit code, 0 or not.
    FINISHED = 1
    #: A signal ended it, for none of the reasons below.
    SIGNALLED = 2
    #: It used more CPU time than its limit.
    TIME_LIMIT = 3
    #: It lasted longer than its wall limit.
    WALL_LIMIT = 4
    #: It needed more memory than its limit.
    MEMORY_LIMIT = 5
    #: It wrote more than a capture or its output limit allow.
    OUTPUT_LIMIT = 6
    #: It failed, and processes or threads had been refused to it because of its limit.
    PROCESS_LIMIT = 7
    #: A seccomp filter ended it (SIGSYS).
    FORBIDDEN_SYSCALL = 8
    #: The caller ended it.
    KILLED = 9
    #: It never began: the error says why.
    LAUNCH_ERROR = 10


class Evidence(Named):
    """What decided a verdict."""

    #: Nothing yet.
    NONE = 0
    #: Its exit status: an exit code.
    EXIT_CODE = 1
    #: Its exit status: a signal.
    SIGNAL = 2
    #: Its CPU time, as measured.
    CPU_TIME = 3
    #: Its wall timer went off.
    WALL_TIMER = 4
    #: The kernel's OOM killer struck at the limit of the run's own memory cgroup.
    OOM_KILLER = 5
    #: A look at its memory, or its own peak, beyond the limit; no cgroup limits the memory.
    MEMORY_FIGURE = 6
    #: A captured fd had more than its limit.
    CAPTURE = 7
    #: SIGXFSZ under a limit on the size of files.
    FILE_SIZE = 8
    #: The kernel counted refused forks in the run's own pids cgroup.
    PIDS_EVENTS = 9
    #: SIGSYS of a process under a seccomp filter.
    SECCOMP = 10
    #: The caller killed it.
    CALLER = 11
    #: The launch failed.
    LAUNCH = 12
    #: Somebody else waited for the process (waitpid(-1) of the host, or an ignored SIGCHLD), so its exit status is
    #: lost: exit_code is -1.
    STATUS_LOST = 13


class Source(Named):
    """Where a figure comes from."""

    #: There is no such figure; it is 0.
    NONE = 0
    #: The run's cgroup v2: exact, of all its processes.
    CGROUP_V2 = 1
    #: The run's cgroup v1: exact, of all its processes.
    CGROUP_V1 = 2
    #: wait4(2): CPU time of the first process and those that were waited for; memory of the largest one of them.
    RUSAGE = 3
    #: The highest of several looks at the living processes: what it really was is as much or more.
    SAMPLED = 4


class Namespace(IntFlag):
    """Which namespaces are new (namespaces(7))."""

    TIME = 128
    MOUNT = 131072
    CGROUP = 33554432
    UTS = 67108864
    IPC = 134217728
    USER = 268435456
    PID = 536870912
    NET = 1073741824


class MountFlag(IntFlag):
    """The flags of mount(2)."""

    RDONLY = 1
    NOSUID = 2
    NODEV = 4
    NOEXEC = 8
    SYNCHRONOUS = 16
    REMOUNT = 32
    MANDLOCK = 64
    DIRSYNC = 128
    NOSYMFOLLOW = 256
    NOATIME = 1024
    NODIRATIME = 2048
    BIND = 4096
    MOVE = 8192
    REC = 16384
    SILENT = 32768
    UNBINDABLE = 131072
    PRIVATE = 262144
    SLAVE = 524288
    SHARED = 1048576
    RELATIME = 2097152
    STRICTATIME = 16777216
    LAZYTIME = 33554432


class Rlimit(Number):
    """The resources of getrlimit(2)."""

    CPU = 0
    FSIZE = 1
    DATA = 2
    STACK = 3
    CORE = 4
    RSS = 5
    NPROC = 6
    NOFILE = 7
    MEMLOCK = 8
    AS = 9
    LOCKS = 10
    SIGPENDING = 11
    MSGQUEUE = 12
    NICE = 13
    RTPRIO = 14
    RTTIME = 15
