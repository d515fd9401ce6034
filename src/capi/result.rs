//! `runner_result_t`: what became of a watched run.

use super::error::copy_text;
use super::name;
use super::sized::Sized32;
use crate::run::outcome::{EVIDENCE, SOURCES, VERDICTS};
use crate::run::{missing, Evidence, Outcome, Verdict};
use crate::Error;
use std::ffi::c_char;

/// What became of a watched run, and its figures. Set `size` before use: `runner_result_t r = RUNNER_RESULT_INIT;`; 0
/// means this first published layout.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct runner_result_t {
    /// In: sizeof(runner_result_t), or 0. The library leaves it as it is.
    pub size: u32,
    /// How it ended: RUNNER_VERDICT_*; RUNNER_VERDICT_NONE while it runs.
    pub verdict: u32,
    /// The exit code of the first process, 0 to 255; -1 where it has none.
    pub exit_code: i32,
    /// The signal that ended the first process; 0 for none.
    pub signal: i32,
    /// From the program's exec to its end as it was seen, CLOCK_MONOTONIC.
    pub wall_ns: u64,
    /// CPU time in user mode, of the whole tree where cpu_source is a cgroup, without the launch.
    pub user_ns: u64,
    /// CPU time in the kernel, as user_ns. The sum of both is precise; the kernel divides it by sampling.
    pub system_ns: u64,
    /// The most memory at once, in bytes: see memory_source.
    pub memory_peak: u64,
    /// RUNNER_SOURCE_*: where memory_peak comes from. A cgroup: all that the run was charged for, with its page
    /// cache, tmpfs files and the kernel's own for it. RUSAGE: the resident memory of its largest process. SAMPLED:
    /// the highest resident memory of all its processes that was seen.
    pub memory_source: u32,
    /// RUNNER_SOURCE_*: where user_ns and system_ns come from. RUSAGE: of the first process and of those that it
    /// waited for.
    pub cpu_source: u32,
    /// What decided the verdict: RUNNER_EVIDENCE_*.
    pub evidence: u32,
    /// How many processes the kernel's OOM killer took, by whichever limit; in v2 with a limit the whole run.
    pub oom_kills: u32,
    /// How often a fork or a thread was refused because of the process limit. 0 also where only RLIMIT_NPROC limits
    /// them, which nobody counts.
    pub process_limit_hits: u64,
    /// The most processes and threads at once, from processes_source.
    pub processes_peak: u64,
    /// Bytes kept, of all captured fds together.
    pub output_bytes: u64,
    /// From the call of runner_spawn() to the program's exec: cgroups, pipes, namespaces, root.
    pub setup_ns: u64,
    /// RUNNER_SOURCE_*: where processes_peak comes from.
    pub processes_source: u32,
    /// 1: the program wrote more to a captured fd than was to be kept.
    pub output_cut: u32,
    /// What the limits and figures had to do without: RUNNER_MISSING_* or'ed together; 0 is the best.
    pub missing: u32,
    /// The first captured fd of which more was written than was to be kept; -1 for none.
    pub output_fd: i32,
    /// user_ns and system_ns together.
    pub cpu_ns: u64,
    /// Why something is missing, or why the launch failed: NUL-terminated UTF-8, empty where there is nothing to say.
    pub reason: [c_char; 392],
}

const _: () = assert!(size_of::<runner_result_t>() == 512);

/// runner_result_t.missing: no memory cgroup. RLIMIT_AS and looks at the processes stand in.
pub const RUNNER_MISSING_MEMORY: u32 = 1;
/// runner_result_t.missing: no pids cgroup. RLIMIT_NPROC stands in.
pub const RUNNER_MISSING_PROCESSES: u32 = 2;
/// runner_result_t.missing: no cgroup counts CPU time. Looks at the processes stand in.
pub const RUNNER_MISSING_CPU: u32 = 4;
/// runner_result_t.missing: the CPU quota is not enforced.
pub const RUNNER_MISSING_QUOTA: u32 = 8;
/// runner_result_t.missing: neither a cgroup nor a pid namespace holds the processes of the run together. What leaves
/// its family is found by the limits that it inherited, as long as it does not lower them.
pub const RUNNER_MISSING_TREE: u32 = 16;
const _: () =
    assert!(RUNNER_MISSING_MEMORY == missing::MEMORY && RUNNER_MISSING_TREE == missing::TREE);

// SAFETY: the size is its first field.
unsafe impl Sized32 for runner_result_t {
    fn set_size(&mut self, size: u32) {
        self.size = size;
    }
}

pub(super) fn convert(outcome: &Outcome) -> runner_result_t {
    let mut reason = [0; 392];
    copy_text(&outcome.reason, &mut reason);
    runner_result_t {
        size: 0,
        verdict: outcome.verdict as u32,
        exit_code: outcome.exit_code,
        signal: outcome.signal,
        wall_ns: outcome.wall_ns,
        user_ns: outcome.user_ns,
        system_ns: outcome.system_ns,
        memory_peak: outcome.memory_peak,
        memory_source: outcome.memory_source as u32,
        cpu_source: outcome.cpu_source as u32,
        evidence: outcome.evidence as u32,
        oom_kills: outcome.oom_kills,
        process_limit_hits: outcome.process_limit_hits,
        processes_peak: outcome.processes_peak,
        output_bytes: outcome.output_bytes,
        setup_ns: outcome.setup_ns,
        processes_source: outcome.processes_source as u32,
        output_cut: outcome.output_cut.into(),
        missing: outcome.missing,
        output_fd: outcome.output_fd.unwrap_or(-1),
        cpu_ns: outcome.cpu_ns,
        reason,
    }
}

/// The result of a run that never began.
pub(super) fn of_launch_error(error: &Error) -> runner_result_t {
    convert(&Outcome {
        verdict: Verdict::LaunchError,
        evidence: Evidence::Launch,
        exit_code: -1,
        reason: error.message().into(),
        ..Outcome::default()
    })
}

/// The name of one RUNNER_MISSING_* bit: "memory", "processes", "CPU time", "CPU quota", "tree". A static string;
/// "unknown" for any other number. Never NULL. Since 0.1.0.
#[no_mangle]
pub extern "C" fn runner_missing_name(bit: u32) -> *const c_char {
    match missing::NAMES.iter().find(|(known, _)| *known == bit) {
        Some((_, name)) => name.as_ptr(),
        None => c"unknown".as_ptr(),
    }
}

/// The name of a verdict: "finished", "time_limit", ... A static string; "unknown" for a number that is no verdict.
/// Never NULL. Since 0.1.0.
#[no_mangle]
pub extern "C" fn runner_verdict_name(verdict: u32) -> *const c_char {
    name(&VERDICTS, verdict)
}

/// What RUNNER_EVIDENCE_* says, in words: "OOM killer", "wall timer", ... A static string; "unknown" for any other
/// number. Never NULL. Since 0.1.0.
#[no_mangle]
pub extern "C" fn runner_evidence_name(evidence: u32) -> *const c_char {
    name(&EVIDENCE, evidence)
}

/// What RUNNER_SOURCE_* says, in words: "cgroup v2", "rusage", ... A static string; "unknown" for any other number.
/// Never NULL. Since 0.1.0.
#[no_mangle]
pub extern "C" fn runner_source_name(source: u32) -> *const c_char {
    name(&SOURCES, source)
}
