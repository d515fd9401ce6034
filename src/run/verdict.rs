//! From evidence to a verdict. Pure: everything that was seen goes in, and nothing is guessed from a signal number
//! alone.

use super::outcome::{Evidence, Verdict};

/// Why the library itself ended the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Caller,
    Wall,
    Cpu,
    /// A look at the memory, where no cgroup limits it.
    Memory,
    Capture,
}

/// How the first process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Code(i32),
    Signal(i32),
    /// Somebody else took the status.
    Lost,
}

/// All that is known at the end.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub end: End,
    pub cause: Option<Cause>,
    /// The OOM killer struck, and it was the limit of the run's own cgroup that called it.
    pub oom_at_own_limit: bool,
    /// Memory was refused at the limit of the run's own cgroup, without a kill.
    pub memory_refused: bool,
    /// Where no cgroup limits the memory: the peak is beyond the limit.
    pub memory_exceeded: bool,
    /// The CPU time is beyond the limit.
    pub cpu_exceeded: bool,
    /// Its CPU time has reached the RLIMIT_CPU that the library set.
    pub at_cpu_rlimit: bool,
    pub output_cut: bool,
    /// A limit on the size of files is in force.
    pub file_size_limited: bool,
    pub forks_refused: bool,
    /// The process that SIGSYS ended had a filter.
    pub filtered: bool,
}

/// The surest evidence first.
pub fn decide(seen: &Seen) -> (Verdict, Evidence) {
    let failed = !matches!(seen.end, End::Code(0) | End::Lost);
    let signal = match seen.end {
        End::Signal(signal) => signal,
        _ => 0,
    };
    let rows = [
        (
            seen.cause == Some(Cause::Caller),
            (Verdict::Killed, Evidence::Caller),
        ),
        (
            seen.oom_at_own_limit,
            (Verdict::MemoryLimit, Evidence::OomKiller),
        ),
        (
            seen.cause == Some(Cause::Memory) || seen.memory_exceeded,
            (Verdict::MemoryLimit, Evidence::MemoryFigure),
        ),
        (
            seen.cause == Some(Cause::Capture) || seen.output_cut,
            (Verdict::OutputLimit, Evidence::Capture),
        ),
        (
            seen.cause == Some(Cause::Cpu)
                || seen.cpu_exceeded
                || signal == libc::SIGXCPU && seen.at_cpu_rlimit,
            (Verdict::TimeLimit, Evidence::CpuTime),
        ),
        (
            seen.cause == Some(Cause::Wall),
            (Verdict::WallLimit, Evidence::WallTimer),
        ),
        (
            signal == libc::SIGXFSZ && seen.file_size_limited,
            (Verdict::OutputLimit, Evidence::FileSize),
        ),
        (
            signal == libc::SIGSYS && seen.filtered,
            (Verdict::ForbiddenSyscall, Evidence::Seccomp),
        ),
        (
            failed && seen.memory_refused,
            (Verdict::MemoryLimit, Evidence::OomKiller),
        ),
        (
            failed && seen.forks_refused,
            (Verdict::ProcessLimit, Evidence::PidsEvents),
        ),
        (signal != 0, (Verdict::Signalled, Evidence::Signal)),
        (
            seen.end == End::Lost,
            (Verdict::Finished, Evidence::StatusLost),
        ),
    ];
    rows.iter()
        .find(|(holds, _)| *holds)
        .map_or((Verdict::Finished, Evidence::ExitCode), |(_, answer)| {
            *answer
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUIET: Seen = Seen {
        end: End::Code(0),
        cause: None,
        oom_at_own_limit: false,
        memory_refused: false,
        memory_exceeded: false,
        cpu_exceeded: false,
        at_cpu_rlimit: false,
        output_cut: false,
        file_size_limited: false,
        forks_refused: false,
        filtered: false,
    };

    fn ended(end: End) -> Seen {
        Seen { end, ..QUIET }
    }

    #[test]
    fn a_signal_number_alone_would_be_taken_for_a_limit() {
        for signal in [
            libc::SIGKILL,
            libc::SIGXCPU,
            libc::SIGXFSZ,
            libc::SIGSYS,
            libc::SIGSEGV,
        ] {
            let verdict = decide(&ended(End::Signal(signal)));
            assert_eq!(verdict, (Verdict::Signalled, Evidence::Signal));
        }
    }

    #[test]
    fn refused_forks_would_spoil_a_run_that_coped() {
        let coped = Seen {
            forks_refused: true,
            memory_refused: true,
            ..QUIET
        };
        assert_eq!(decide(&coped).0, Verdict::Finished);
        let failed = Seen {
            forks_refused: true,
            ..ended(End::Code(1))
        };
        assert_eq!(decide(&failed).0, Verdict::ProcessLimit);
    }

    #[test]
    fn a_timer_would_hide_the_oom_kill_that_it_waited_out() {
        let seen = Seen {
            cause: Some(Cause::Wall),
            oom_at_own_limit: true,
            ..ended(End::Signal(libc::SIGKILL))
        };
        assert_eq!(decide(&seen).0, Verdict::MemoryLimit);
    }

    fn any_end() -> impl Strategy<Value = End> {
        prop_oneof![
            (0..256i32).prop_map(End::Code),
            (1..65i32).prop_map(End::Signal),
            Just(End::Lost)
        ]
    }

    proptest! {
        #[test]
        fn without_evidence_a_limit_would_be_blamed(end in any_end(), limited: bool, at_rlimit: bool) {
            prop_assume!(end != End::Signal(libc::SIGXFSZ) && end != End::Signal(libc::SIGXCPU));
            let seen = Seen { file_size_limited: limited, at_cpu_rlimit: at_rlimit, ..ended(end) };
            let verdict = decide(&seen).0;
            prop_assert!(matches!(verdict, Verdict::Finished | Verdict::Signalled));
        }

        #[test]
        fn the_callers_kill_would_be_called_a_limit(end in any_end(), oom: bool, cpu: bool, cut: bool) {
            let seen = Seen {
                cause: Some(Cause::Caller), oom_at_own_limit: oom, cpu_exceeded: cpu, output_cut: cut, ..ended(end)
            };
            prop_assert_eq!(decide(&seen), (Verdict::Killed, Evidence::Caller));
        }
    }
}
