package runner

// #include <runner.h>
import "C"

import (
	"syscall"
	"time"
)

// Result is what became of a run, and its figures.
type Result struct {
	// Verdict is how it ended; VerdictNone while it runs.
	Verdict Verdict
	// Evidence is what decided the verdict.
	Evidence Evidence
	// ExitCode of the first process, 0 to 255; -1 where it has none.
	ExitCode int
	// Signal that ended the first process; 0 for none.
	Signal syscall.Signal
	// Wall is the time from the program's exec to its end as it was seen.
	Wall time.Duration
	// CPU time, User and System together, of the whole tree where CPUSource is a cgroup.
	CPU time.Duration
	// User and System are CPU's parts. Their sum is precise; the kernel divides it by sampling.
	User, System time.Duration
	// CPUSource is where these come from.
	CPUSource Source
	// MemoryPeak is the most memory at once, in bytes.
	MemoryPeak int64
	// MemorySource is where it comes from.
	MemorySource Source
	// ProcessesPeak is the most processes and threads at once.
	ProcessesPeak int64
	// ProcessesSource is where it comes from.
	ProcessesSource Source
	// OOMKills is how many processes the kernel's OOM killer took, by whichever limit.
	OOMKills int
	// ProcessLimitHits is how often a fork or a thread was refused because of the process limit.
	ProcessLimitHits int64
	// Setup is the time from the call to the program's exec: cgroups, pipes, namespaces, root.
	Setup time.Duration
	// Output is what was captured: the fds of Cmd.Capture and Cmd.CaptureHead. nil while the run goes on: see
	// [Process.Output]. All who wait for a run share it.
	Output map[int][]byte
	// OutputBytes is how much was kept, of all captured fds together.
	OutputBytes int64
	// OutputCut: the program wrote more to a captured fd than was to be kept.
	OutputCut bool
	// OutputFD is the first such fd; -1 for none.
	OutputFD int
	// Missing is what the limits and figures had to do without.
	Missing Missing
	// Reason is why something is missing; "" where there is nothing to say.
	Reason string
}

func convert(r *C.runner_result_t) *Result {
	return &Result{
		Verdict:          Verdict(r.verdict),
		Evidence:         Evidence(r.evidence),
		ExitCode:         int(r.exit_code),
		Signal:           syscall.Signal(r.signal),
		Wall:             time.Duration(r.wall_ns),
		CPU:              time.Duration(r.cpu_ns),
		User:             time.Duration(r.user_ns),
		System:           time.Duration(r.system_ns),
		CPUSource:        Source(r.cpu_source),
		MemoryPeak:       int64(r.memory_peak),
		MemorySource:     Source(r.memory_source),
		ProcessesPeak:    int64(r.processes_peak),
		ProcessesSource:  Source(r.processes_source),
		OOMKills:         int(r.oom_kills),
		ProcessLimitHits: int64(r.process_limit_hits),
		Setup:            time.Duration(r.setup_ns),
		OutputBytes:      int64(r.output_bytes),
		OutputCut:        r.output_cut != 0,
		OutputFD:         int(r.output_fd),
		Missing:          Missing(r.missing),
		Reason:           C.GoString(&r.reason[0]),
	}
}
