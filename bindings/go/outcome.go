package runner

// #include <runner.h>
import "C"

import "strings"

// Verdict is how a run ended, as a judge sees it.
type Verdict uint32

// String is the library's name of it: "finished", "time_limit".
func (v Verdict) String() string { return C.GoString(C.runner_verdict_name(C.uint32_t(v))) }

// The verdicts.
const (
	// None yet: the run goes on.
	VerdictNone Verdict = C.RUNNER_VERDICT_NONE
	// It ended by itself, with an exit code, 0 or not.
	VerdictFinished Verdict = C.RUNNER_VERDICT_FINISHED
	// A signal ended it, for none of the reasons below.
	VerdictSignalled Verdict = C.RUNNER_VERDICT_SIGNALLED
	// It used more CPU time than its limit.
	VerdictTimeLimit Verdict = C.RUNNER_VERDICT_TIME_LIMIT
	// It lasted longer than its wall limit.
	VerdictWallLimit Verdict = C.RUNNER_VERDICT_WALL_LIMIT
	// It needed more memory than its limit.
	VerdictMemoryLimit Verdict = C.RUNNER_VERDICT_MEMORY_LIMIT
	// It wrote more than a capture or its output limit allow.
	VerdictOutputLimit Verdict = C.RUNNER_VERDICT_OUTPUT_LIMIT
	// It failed, and processes or threads had been refused to it because of its limit.
	VerdictProcessLimit Verdict = C.RUNNER_VERDICT_PROCESS_LIMIT
	// A seccomp filter ended it (SIGSYS).
	VerdictForbiddenSyscall Verdict = C.RUNNER_VERDICT_FORBIDDEN_SYSCALL
	// The caller ended it.
	VerdictKilled Verdict = C.RUNNER_VERDICT_KILLED
	// It never began: the error says why.
	VerdictLaunchError Verdict = C.RUNNER_VERDICT_LAUNCH_ERROR
)

// Evidence is what decided a verdict.
type Evidence uint32

// String says it in the library's words: "OOM killer", "wall timer".
func (e Evidence) String() string { return C.GoString(C.runner_evidence_name(C.uint32_t(e))) }

// What may decide a verdict.
const (
	// Nothing yet.
	EvidenceNone Evidence = C.RUNNER_EVIDENCE_NONE
	// Its exit status: an exit code.
	EvidenceExitCode Evidence = C.RUNNER_EVIDENCE_EXIT_CODE
	// Its exit status: a signal.
	EvidenceSignal Evidence = C.RUNNER_EVIDENCE_SIGNAL
	// Its CPU time, as measured.
	EvidenceCPUTime Evidence = C.RUNNER_EVIDENCE_CPU_TIME
	// Its wall timer went off.
	EvidenceWallTimer Evidence = C.RUNNER_EVIDENCE_WALL_TIMER
	// The kernel's OOM killer struck at the limit of the run's own memory cgroup.
	EvidenceOOMKiller Evidence = C.RUNNER_EVIDENCE_OOM_KILLER
	// A look at its memory, or its own peak, beyond the limit; no cgroup limits the memory.
	EvidenceMemoryFigure Evidence = C.RUNNER_EVIDENCE_MEMORY_FIGURE
	// A captured fd had more than its limit.
	EvidenceCapture Evidence = C.RUNNER_EVIDENCE_CAPTURE
	// SIGXFSZ under a limit on the size of files.
	EvidenceFileSize Evidence = C.RUNNER_EVIDENCE_FILE_SIZE
	// The kernel counted refused forks in the run's own pids cgroup.
	EvidencePIDsEvents Evidence = C.RUNNER_EVIDENCE_PIDS_EVENTS
	// SIGSYS of a process under a seccomp filter.
	EvidenceSeccomp Evidence = C.RUNNER_EVIDENCE_SECCOMP
	// The caller killed it.
	EvidenceCaller Evidence = C.RUNNER_EVIDENCE_CALLER
	// The launch failed.
	EvidenceLaunch Evidence = C.RUNNER_EVIDENCE_LAUNCH
	// Somebody else waited for the process (waitpid(-1) of the host, or an ignored SIGCHLD), so its exit status is
	// lost: exit_code is -1.
	EvidenceStatusLost Evidence = C.RUNNER_EVIDENCE_STATUS_LOST
)

// Source is where a figure comes from.
type Source uint32

// String says it in the library's words: "cgroup v2", "rusage".
func (s Source) String() string { return C.GoString(C.runner_source_name(C.uint32_t(s))) }

// Where a figure may come from.
const (
	// There is no such figure; it is 0.
	SourceNone Source = C.RUNNER_SOURCE_NONE
	// The run's cgroup v2: exact, of all its processes.
	SourceCgroupV2 Source = C.RUNNER_SOURCE_CGROUP_V2
	// The run's cgroup v1: exact, of all its processes.
	SourceCgroupV1 Source = C.RUNNER_SOURCE_CGROUP_V1
	// wait4(2): CPU time of the first process and those that were waited for; memory of the largest one of them.
	SourceRusage Source = C.RUNNER_SOURCE_RUSAGE
	// The highest of several looks at the living processes: what it really was is as much or more.
	SourceSampled Source = C.RUNNER_SOURCE_SAMPLED
)

// Missing is what the limits and figures of a run had to do without, or'ed together; 0 is the best.
type Missing uint32

// What may be missing.
const (
	// no memory cgroup. RLIMIT_AS and looks at the processes stand in.
	MissingMemory Missing = C.RUNNER_MISSING_MEMORY
	// no pids cgroup. RLIMIT_NPROC stands in.
	MissingProcesses Missing = C.RUNNER_MISSING_PROCESSES
	// no cgroup counts CPU time. Looks at the processes stand in.
	MissingCPU Missing = C.RUNNER_MISSING_CPU
	// the CPU quota is not enforced.
	MissingQuota Missing = C.RUNNER_MISSING_QUOTA
	// neither a cgroup nor a pid namespace holds the processes of the run together. What leaves its family is found
	// by the limits that it inherited, as long as it does not lower them.
	MissingTree Missing = C.RUNNER_MISSING_TREE
)

// String has the library's name of each bit: "memory, CPU time"; "" for 0.
func (m Missing) String() string {
	var names []string
	for bit := Missing(1); bit != 0; bit <<= 1 {
		if m&bit != 0 {
			names = append(names, C.GoString(C.runner_missing_name(C.uint32_t(bit))))
		}
	}
	return strings.Join(names, ", ")
}
