package runner

// #include <runner.h>
import "C"

// Stage is where a start was when it failed.
type Stage uint32

// String is the library's name of it: "mount", "exec".
func (s Stage) String() string { return C.GoString(C.runner_stage_name(C.uint32_t(s))) }

// Where a start may fail.
const (
	// No stage: nothing failed.
	StageNone Stage = C.RUNNER_STAGE_NONE
	// The options contradict each other, or lack something; nothing was started.
	StageOptions Stage = C.RUNNER_STAGE_OPTIONS
	// Memory for the start could not be had; nothing was started.
	StageMemory Stage = C.RUNNER_STAGE_MEMORY
	// The short-lived helper thread could not be made (EAGAIN: RLIMIT_NPROC, pids cgroup).
	StageThread Stage = C.RUNNER_STAGE_THREAD
	// clone(2) itself: namespaces refused, too many processes, the cgroup is full or gone.
	StageClone Stage = C.RUNNER_STAGE_CLONE
	// Writing uid_map, gid_map or setgroups of the new user namespace. index: which line of the map that the message
	// names, where it is known.
	StageIDMap Stage = C.RUNNER_STAGE_ID_MAP
	// setgroups(2).
	StageSetGroups Stage = C.RUNNER_STAGE_SETGROUPS
	// setresgid(2).
	StageSetGID Stage = C.RUNNER_STAGE_SETGID
	// setresuid(2).
	StageSetUID Stage = C.RUNNER_STAGE_SETUID
	// Opening or duplicating the program's files. index: the program's fd.
	StageDup Stage = C.RUNNER_STAGE_DUP
	// Closing everything that the program was not given. index: the program's fd, or -1.
	StageClose Stage = C.RUNNER_STAGE_CLOSE
	// setsid(2).
	StageSetSID Stage = C.RUNNER_STAGE_SETSID
	// setpgid(2).
	StageSetPGID Stage = C.RUNNER_STAGE_SETPGID
	// Making fd 0 the controlling terminal (TIOCSCTTY).
	StageCTTY Stage = C.RUNNER_STAGE_CTTY
	// A mount. index: which piece of the root.
	StageMount Stage = C.RUNNER_STAGE_MOUNT
	// Making a directory or a mount point. index: which piece of the root.
	StageMkdir Stage = C.RUNNER_STAGE_MKDIR
	// Making or writing a file. index: which piece of the root.
	StageFile Stage = C.RUNNER_STAGE_FILE
	// Making a symbolic link. index: which piece of the root.
	StageSymlink Stage = C.RUNNER_STAGE_SYMLINK
	// Making the new root, entering it and letting go of the old one.
	StagePivotRoot Stage = C.RUNNER_STAGE_PIVOT_ROOT
	// sethostname(2).
	StageSetHostname Stage = C.RUNNER_STAGE_SETHOSTNAME
	// setdomainname(2).
	StageSetDomainname Stage = C.RUNNER_STAGE_SETDOMAINNAME
	// chdir(2) to the working directory, or it lies outside the root.
	StageChdir Stage = C.RUNNER_STAGE_CHDIR
	// prlimit(2). index: which limit.
	StageRlimit Stage = C.RUNNER_STAGE_RLIMIT
	// prctl(PR_SET_NO_NEW_PRIVS).
	StageNoNewPrivs Stage = C.RUNNER_STAGE_NO_NEW_PRIVS
	// Capability sets, bounding set and securebits.
	StageCapabilities Stage = C.RUNNER_STAGE_CAPABILITIES
	// ptrace(PTRACE_TRACEME).
	StagePtrace Stage = C.RUNNER_STAGE_PTRACE
	// Stopping before the filter is loaded.
	StageStop Stage = C.RUNNER_STAGE_STOP
	// Loading the seccomp filter.
	StageSeccomp Stage = C.RUNNER_STAGE_SECCOMP
	// The callback refused, or the held start was aborted or killed while it waited.
	StageSync Stage = C.RUNNER_STAGE_SYNC
	// Joining a cgroup. index: which cgroup path.
	StageCgroup Stage = C.RUNNER_STAGE_CGROUP
	// execve(2) or execveat(2).
	StageExec Stage = C.RUNNER_STAGE_EXEC
	// Signal dispositions and mask.
	StageSignals Stage = C.RUNNER_STAGE_SIGNALS
	// unshare(CLONE_NEWCGROUP) after the callback.
	StageUnshare Stage = C.RUNNER_STAGE_UNSHARE
	// Bringing the loopback interface up.
	StageLoopback Stage = C.RUNNER_STAGE_LOOPBACK
	// umask(2).
	StageUmask Stage = C.RUNNER_STAGE_UMASK
	// setpriority(2).
	StageNice Stage = C.RUNNER_STAGE_NICE
	// Writing oom_score_adj.
	StageOOMScoreAdj Stage = C.RUNNER_STAGE_OOM_SCORE_ADJ
	// sched_setaffinity(2).
	StageAffinity Stage = C.RUNNER_STAGE_AFFINITY
	// personality(2).
	StagePersonality Stage = C.RUNNER_STAGE_PERSONALITY
	// sched_setscheduler(2).
	StageScheduler Stage = C.RUNNER_STAGE_SCHEDULER
	// prctl(PR_SET_PDEATHSIG).
	StageDeathSignal Stage = C.RUNNER_STAGE_DEATH_SIGNAL
	// Making the pidfd (kernels before 5.2).
	StagePidFD Stage = C.RUNNER_STAGE_PIDFD
	// The input and the pipes of a watched run. index: the program's fd.
	StageStdio Stage = C.RUNNER_STAGE_STDIO
	// The epoll and the timer of a watched run.
	StageWatch Stage = C.RUNNER_STAGE_WATCH
	// Making a session keyring.
	StageKeyring Stage = C.RUNNER_STAGE_KEYRING
)
