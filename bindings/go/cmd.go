package runner

// #include <sys/resource.h>
// #include <runner.h>
import "C"

import (
	"io"
	"os"
	"syscall"
	"time"
)

// Cmd is a program and everything that it is given and denied. The zero value of a field is what the library does
// without that option.
//
// Any number of goroutines may start the same Cmd, again and again, as long as none of them changes it.
type Cmd struct {
	// Args are the program and its arguments. Args[0] is the path that is executed, seen from inside the new root and
	// working directory; there is no search of PATH.
	Args []string
	// Env is the whole environment, "NAME=value" each. nil is an empty one: nothing of the host's is inherited.
	Env []string
	// Dir is the working directory, entered after the new root. "": "/" in a new root, else the host's own.
	Dir string
	// ExecFile is executed in the place of the path in Args[0], which is only a name then. It may be O_PATH and need
	// not be reachable inside the new root.
	ExecFile *os.File

	// Stdin is the program's fd 0; nil: /dev/null.
	//
	// An *os.File is given as it is. The rest of a *bytes.Reader or *strings.Reader is given as a file in memory, which
	// the program may seek in; the reader does not move. Any other reader is copied into a pipe by a goroutine.
	Stdin io.Reader
	// Stdout and Stderr are the program's fds 1 and 2; nil: /dev/null.
	//
	// An *os.File is given as it is. For any other writer the program has a pipe, and a goroutine copies what it
	// writes. With OutputLimit it is the library that reads the pipe, so that the limit ends the run, and at most that
	// much is held in memory. Without one the pipe is read as fast as the writer takes it. A writer that fails does not
	// end the run; its error is told with the result.
	//
	// Where both are the same writer, one goroutine at a time calls Write. Without OutputLimit both share one pipe
	// then, so the order of what is written is kept.
	Stdout, Stderr io.Writer
	// ExtraFiles are the program's fds 3 and up; nil: closed. Everything else of the host is closed.
	ExtraFiles []*os.File
	// Files, where it is not nil, are all of the program's fds, from 0; nil: closed. It takes the place of Stdin,
	// Stdout, Stderr and ExtraFiles.
	Files []*os.File
	// AllowDirectoryFiles allows a directory as fd 0, 1 or 2, from which openat(2) leads out of the new root.
	AllowDirectoryFiles bool
	// Capture keeps what the program writes to an fd, at most so many bytes, for Result.Output. More ends the run:
	// VerdictOutputLimit.
	Capture map[int]int64
	// CaptureHead is as Capture, but what is more is dropped, and the run goes on. OutputLimit does not count it.
	CaptureHead map[int]int64
	// WaitDelay is how long, after the end of the run, its readers and writers may still block; 0: a second. Those that
	// take longer are left alone: their goroutine ends when their call returns. Wait returns ErrWaitDelay with the
	// result then.
	WaitDelay time.Duration

	// WallLimit is how long the run may last; 0: for ever.
	//
	// This and all that follows of limits, the captures, and readers and writers that are no files, are for Run and
	// Start; Launch and Hold refuse them.
	WallLimit time.Duration
	// CPULimit is how much CPU time the whole run may use; 0: any.
	CPULimit time.Duration
	// MemoryLimit is how many bytes of memory the whole run may use; 0: any.
	MemoryLimit int64
	// ProcessLimit is how many processes and threads the run may have at once; 0: any number.
	ProcessLimit int64
	// OutputLimit is how many bytes may be written to all captured fds together, and to any one file; 0: any.
	OutputLimit int64
	// CPUQuota is how much of a CPU the run gets at most, in percent: 200 are two; 0: all there is.
	CPUQuota int
	// CgroupRoots are directories of cgroup hierarchies in which the groups of runs are made, one for each hierarchy.
	CgroupRoots []string

	// Unshare says which namespaces are new. An ordinary user needs NewUser for any of the others.
	Unshare Namespaces
	// UIDMappings and GIDMappings are the id maps of the new user namespace. Without any, 0 inside is the caller.
	UIDMappings, GIDMappings []IDMapping
	// AllowSetgroups says whether setgroups(2) is allowed in the new user namespace; nil: where Credential needs it.
	AllowSetgroups *bool
	// Credential is who the program runs as; nil: the caller.
	Credential *Credential
	// Hostname and Domainname are of the new UTS namespace.
	Hostname, Domainname string
	// LoopbackUp brings up the interface lo of the new network namespace.
	LoopbackUp bool
	// NewSessionKeyring gives the program an empty session keyring instead of this process's.
	NewSessionKeyring bool
	// UnshareCgroupAfterHold makes the cgroup namespace after the hold (see Hold) instead of with the others, so that
	// its root is the cgroup into which the process was put meanwhile.
	UnshareCgroupAfterHold bool
	// CgroupDir is a cgroup v2 directory in which the program is born.
	CgroupDir *os.File
	// CgroupPaths are directories of cgroups in which the program is born or which it joins, one for each hierarchy.
	CgroupPaths []string

	// PivotRoot, an existing directory, gives the program a root of its own: a tmpfs over it with the pieces of Root,
	// read-only, nosuid, nodev. Needs NewMount.
	PivotRoot string
	// RootWritable leaves that tmpfs writable.
	RootWritable bool
	// Root are the pieces of the root, made in their order; Error.Index counts them.
	Root []Piece

	// NoNewPrivs: no exec, the program's own included, gains privileges.
	NoNewPrivs bool
	// DropCaps drops every capability for good.
	DropCaps bool
	// KeepCaps drops every capability but these: bit n is capability n.
	KeepCaps uint64
	// Seccomp is a filter, loaded as the last step before the exec. Implies NoNewPrivs.
	Seccomp []syscall.SockFilter
	// Ptrace makes the calling thread the tracer: see the package's notes on threads.
	Ptrace bool
	// StopBeforeSeccomp stops the process (SIGSTOP) before the filter is loaded and the program is executed.
	StopBeforeSeccomp bool

	// Rlimits are resource limits. A resource that stands twice gets the later one.
	//
	// Go itself raises its soft limit of open files to the hard one when it starts, and unlike os/exec this package
	// does not know what it was: programs inherit the raised one unless RlimitNofile stands here.
	Rlimits []Rlimit
	// CTTY makes fd 0, a terminal, the controlling terminal.
	CTTY bool
	// Session says whose session the program is in.
	Session Session
	// DeathSignal is sent to the program when the host dies: see the package's notes on threads. 0: none.
	DeathSignal syscall.Signal
	// Umask is the file mode creation mask, 0 to 0o777; nil: the host's.
	Umask *int
	// Nice is the nice value, -20 to 19; nil: the host's.
	Nice *int
	// OOMScoreAdj is how willingly the OOM killer takes the program, -1000 to 1000; nil: the host's.
	OOMScoreAdj *int
	// CPUAffinity are the CPUs on which the program may run; nil: the host's.
	CPUAffinity []int
	// Personality is the execution domain of personality(2); nil: the host's.
	Personality *uint64
	// Scheduler is the scheduling policy; nil: the host's.
	Scheduler *Scheduler
}

// New is a program with its arguments, and nothing else set.
func New(program string, args ...string) *Cmd {
	return &Cmd{Args: append([]string{program}, args...)}
}

// Ptr is a pointer to a value, for the fields where 0 is not the same as nothing: cmd.Nice = runner.Ptr(5).
func Ptr[T any](value T) *T { return &value }

// Namespaces are flags of clone(2), or'ed together; those of package syscall do as well.
type Namespaces uint64

// The namespaces.
const (
	// NewUser: ids and capabilities.
	NewUser Namespaces = syscall.CLONE_NEWUSER
	// NewMount: mounts.
	NewMount Namespaces = syscall.CLONE_NEWNS
	// NewPID: processes. The program is pid 1, and everything in the namespace dies with it.
	NewPID Namespaces = syscall.CLONE_NEWPID
	// NewNet: network interfaces.
	NewNet Namespaces = syscall.CLONE_NEWNET
	// NewIPC: System V IPC and POSIX message queues.
	NewIPC Namespaces = syscall.CLONE_NEWIPC
	// NewUTS: host and domain name.
	NewUTS Namespaces = syscall.CLONE_NEWUTS
	// NewCgroup: the root of the cgroups.
	NewCgroup Namespaces = syscall.CLONE_NEWCGROUP
	// NewTime: boot and monotonic clocks. Linux 5.6.
	NewTime Namespaces = syscall.CLONE_NEWTIME
)

// IDMapping is a line of an id map: Count ids from Inside are Outside and up.
type IDMapping struct {
	Inside, Outside, Count uint32
}

// Credential is who a program runs as, by ids inside its user namespace. Its supplementary groups are exactly Groups.
type Credential struct {
	UID, GID uint32
	Groups   []uint32
}

// Scheduler is a policy of sched_setscheduler(2) (SCHED_OTHER 0, FIFO 1, RR 2, BATCH 3, IDLE 5) and its priority.
type Scheduler struct {
	Policy, Priority int
}

// Session is whose session a program is in.
type Session uint32

// The sessions.
const (
	// A new session (setsid(2)) without a controlling terminal. The default.
	SessionNew Session = C.RUNNER_SESSION_NEW
	// A new process group in the host's session (setpgid(2)).
	SessionGroup Session = C.RUNNER_SESSION_GROUP
	// The host's own session and process group.
	SessionKeep Session = C.RUNNER_SESSION_KEEP
)

// Rlimit is a resource limit.
type Rlimit struct {
	Resource   Resource
	Soft, Hard uint64
}

// Unlimited is no limit, for Rlimit.
const Unlimited = ^uint64(0)

// Resource is a RLIMIT_* of getrlimit(2).
type Resource int

// The resources.
const (
	// RlimitCPU is in seconds.
	RlimitCPU Resource = C.RLIMIT_CPU
	// RlimitFsize: bytes of a file.
	RlimitFsize Resource = C.RLIMIT_FSIZE
	// RlimitData: bytes of the heap.
	RlimitData Resource = C.RLIMIT_DATA
	// RlimitStack: bytes of the stack.
	RlimitStack Resource = C.RLIMIT_STACK
	// RlimitCore: bytes of a core dump.
	RlimitCore Resource = C.RLIMIT_CORE
	// RlimitNproc counts every process of the user id, not those of the run.
	RlimitNproc Resource = C.RLIMIT_NPROC
	// RlimitNofile: open files.
	RlimitNofile Resource = C.RLIMIT_NOFILE
	// RlimitMemlock: bytes of locked memory.
	RlimitMemlock Resource = C.RLIMIT_MEMLOCK
	// RlimitAS: bytes of address space.
	RlimitAS Resource = C.RLIMIT_AS
	// RlimitSigpending: queued signals.
	RlimitSigpending Resource = C.RLIMIT_SIGPENDING
	// RlimitMsgqueue: bytes of POSIX message queues.
	RlimitMsgqueue Resource = C.RLIMIT_MSGQUEUE
	// RlimitNice: how far the nice value may be lowered.
	RlimitNice Resource = C.RLIMIT_NICE
	// RlimitRtprio: the highest real-time priority.
	RlimitRtprio Resource = C.RLIMIT_RTPRIO
	// RlimitRttime: microseconds of real-time CPU time without a blocking call.
	RlimitRttime Resource = C.RLIMIT_RTTIME
)
