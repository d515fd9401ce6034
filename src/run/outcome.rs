//! What became of a run: the verdict, what decided it, and figures with their sources.

use std::ffi::CStr;

/// How a run ended, as a judge sees it.
///
/// The numbers are part of the ABI: they are never changed or reused, new ones go to the end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// None yet: the run goes on.
    #[default]
    None = 0,
    /// It ended by itself, with an exit code, 0 or not.
    Finished = 1,
    /// A signal ended it, for none of the reasons below.
    Signalled = 2,
    /// It used more CPU time than its limit.
    TimeLimit = 3,
    /// It lasted longer than its wall limit.
    WallLimit = 4,
    /// It needed more memory than its limit.
    MemoryLimit = 5,
    /// It wrote more than a capture or its output limit allow.
    OutputLimit = 6,
    /// It failed, and processes or threads had been refused to it because of its limit.
    ProcessLimit = 7,
    /// A seccomp filter ended it (SIGSYS).
    ForbiddenSyscall = 8,
    /// The caller ended it.
    Killed = 9,
    /// It never began: the error says why.
    LaunchError = 10,
}

/// What decided a verdict.
///
/// The numbers are part of the ABI: they are never changed or reused, new ones go to the end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Nothing yet.
    #[default]
    None = 0,
    /// Its exit status: an exit code.
    ExitCode = 1,
    /// Its exit status: a signal.
    Signal = 2,
    /// Its CPU time, as measured.
    CpuTime = 3,
    /// Its wall timer went off.
    WallTimer = 4,
    /// The kernel's OOM killer struck at the limit of the run's own memory cgroup.
    OomKiller = 5,
    /// A look at its memory, or its own peak, beyond the limit; no cgroup limits the memory.
    MemoryFigure = 6,
    /// A captured fd had more than its limit.
    Capture = 7,
    /// SIGXFSZ under a limit on the size of files.
    FileSize = 8,
    /// The kernel counted refused forks in the run's own pids cgroup.
    PidsEvents = 9,
    /// SIGSYS of a process under a seccomp filter.
    Seccomp = 10,
    /// The caller killed it.
    Caller = 11,
    /// The launch failed.
    Launch = 12,
    /// Somebody else waited for the process (waitpid(-1) of the host, or an ignored SIGCHLD), so its exit status is
    /// lost: exit_code is -1.
    StatusLost = 13,
}

/// Where a figure comes from.
///
/// The numbers are part of the ABI: they are never changed or reused, new ones go to the end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Source {
    /// There is no such figure; it is 0.
    #[default]
    None = 0,
    /// The run's cgroup v2: exact, of all its processes.
    CgroupV2 = 1,
    /// The run's cgroup v1: exact, of all its processes.
    CgroupV1 = 2,
    /// wait4(2): CPU time of the first process and those that were waited for; memory of the largest one of them.
    Rusage = 3,
    /// The highest of several looks at the living processes: what it really was is as much or more.
    Sampled = 4,
}

/// The answer of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// What decided that.
    pub evidence: Evidence,
    /// The program's exit code; -1 where it has none.
    pub exit_code: i32,
    /// The signal that ended the program, 0 for none.
    pub signal: i32,
    /// From the program's exec to its end.
    pub wall_ns: u64,
    /// CPU time in user mode.
    pub user_ns: u64,
    /// CPU time in the kernel.
    pub system_ns: u64,
    /// Both together.
    pub cpu_ns: u64,
    /// Where the CPU times come from.
    pub cpu_source: Source,
    /// The most memory at once, in bytes.
    pub memory_peak: u64,
    /// Where that comes from.
    pub memory_source: Source,
    /// How many of its processes the kernel's OOM killer took.
    pub oom_kills: u32,
    /// The most processes and threads at once.
    pub processes_peak: u64,
    /// Where that comes from.
    pub processes_source: Source,
    /// How often a fork or thread was refused because of the limit.
    pub process_limit_hits: u64,
    /// Bytes that were captured, of all fds together.
    pub output_bytes: u64,
    /// More was written than could be kept.
    pub output_cut: bool,
    /// The first captured fd of which that is true.
    pub output_fd: Option<i32>,
    /// From the call to the program's exec.
    pub setup_ns: u64,
    /// Limits that could not be fully enforced: bits of [`super::missing`].
    pub missing: u32,
    /// Why something is missing, or why the launch failed.
    pub reason: String,
}

type Name = &'static CStr;

pub(crate) const VERDICTS: [(Verdict, Name); 11] = [
    (Verdict::None, c"none"),
    (Verdict::Finished, c"finished"),
    (Verdict::Signalled, c"signalled"),
    (Verdict::TimeLimit, c"time_limit"),
    (Verdict::WallLimit, c"wall_limit"),
    (Verdict::MemoryLimit, c"memory_limit"),
    (Verdict::OutputLimit, c"output_limit"),
    (Verdict::ProcessLimit, c"process_limit"),
    (Verdict::ForbiddenSyscall, c"forbidden_syscall"),
    (Verdict::Killed, c"killed"),
    (Verdict::LaunchError, c"launch_error"),
];

pub(crate) const EVIDENCE: [(Evidence, Name); 14] = [
    (Evidence::None, c"none"),
    (Evidence::ExitCode, c"exit code"),
    (Evidence::Signal, c"signal"),
    (Evidence::CpuTime, c"CPU time"),
    (Evidence::WallTimer, c"wall timer"),
    (Evidence::OomKiller, c"OOM killer"),
    (Evidence::MemoryFigure, c"memory figure"),
    (Evidence::Capture, c"capture"),
    (Evidence::FileSize, c"file size"),
    (Evidence::PidsEvents, c"pids events"),
    (Evidence::Seccomp, c"seccomp filter"),
    (Evidence::Caller, c"caller"),
    (Evidence::Launch, c"launch"),
    (Evidence::StatusLost, c"status lost"),
];

pub(crate) const SOURCES: [(Source, Name); 5] = [
    (Source::None, c"none"),
    (Source::CgroupV2, c"cgroup v2"),
    (Source::CgroupV1, c"cgroup v1"),
    (Source::Rusage, c"rusage"),
    (Source::Sampled, c"sampled"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_moved_would_break_the_abi() {
        let verdicts = VERDICTS.iter().map(|(v, _)| *v as usize);
        assert!(verdicts.eq(0..VERDICTS.len()));
        let evidence = EVIDENCE.iter().map(|(e, _)| *e as usize);
        assert!(evidence.eq(0..EVIDENCE.len()));
        let sources = SOURCES.iter().map(|(s, _)| *s as usize);
        assert!(sources.eq(0..SOURCES.len()));
    }
}
