//! The limits of a watched run, its input and its captures.

use super::options::flag;
use super::{array, set, string};
use crate::runner::Runner;
use std::ffi::{c_char, c_int, c_void};

/// UINT64_MAX of a limit: there is none.
const fn or_none(value: u64) -> Option<u64> {
    match value {
        u64::MAX => None,
        value => Some(value),
    }
}

/// Sets how long the run may last, in nanoseconds of CLOCK_MONOTONIC from the program's exec. UINT64_MAX: for ever, the
/// default.
///
/// The verdict is then RUNNER_VERDICT_WALL_LIMIT. A run that had ended by itself when the host came to look is not
/// killed and not blamed; wall_ns says when it was seen.
///
/// This and all that follows of limits, input and captures is for runner_spawn() and runner_run(), which watch what
/// they start. The other ways to start refuse a runner with them (EINVAL, stage options).
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. timerfd_create(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_wall_limit(runner: *mut Runner, ns: u64) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_wall_limit(or_none(ns))) }
}

/// Sets how much CPU time the run may use, user and system, of all its processes and threads together, in
/// nanoseconds. UINT64_MAX: any, the default.
///
/// It is counted from the program's exec by the run's cgroup, and looked at when the budget could at the earliest be
/// used up: precise to a tick of the kernel, 1 to 10 ms (4 ms with CONFIG_HZ=250), where the host steps in time. The
/// figure at the end is exact, and one beyond the limit is RUNNER_VERDICT_TIME_LIMIT also where the program had ended
/// by itself. RLIMIT_CPU one second above it is set as well (unless runner_add_rlimit() has set one), for hosts that
/// do not. Without a cgroup the living processes are looked at, and those that were waited for count with who did: a
/// program that has its children reaped unseen gets more (RUNNER_MISSING_CPU), so set a wall limit too.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. cgroups(7), cpu.stat, cpuacct.usage.
#[no_mangle]
pub unsafe extern "C" fn runner_set_cpu_limit(runner: *mut Runner, ns: u64) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_cpu_limit(or_none(ns))) }
}

/// Sets how much memory the run may use, all its processes together, in bytes, with no way out into swap. UINT64_MAX:
/// any, the default. The kernel rounds to pages. A few hundred KiB are the kernel's own for a process; with less than
/// that the launch fails.
///
/// Enforced by the run's memory cgroup, which counts what is touched, page cache and tmpfs files included. Without
/// one RLIMIT_AS of twice the limit and 16 MiB is set on each process, and looks at the resident memory of all of
/// them end the run; tmpfs files do not count then. The result says so (RUNNER_MISSING_MEMORY).
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. cgroups(7), memory.max, memory.limit_in_bytes.
#[no_mangle]
pub unsafe extern "C" fn runner_set_memory_limit(runner: *mut Runner, bytes: u64) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_memory_limit(or_none(bytes))) }
}

/// Sets how many processes and threads the run may have at once. UINT64_MAX: any number, the default. Beyond it fork
/// and clone fail with EAGAIN; the run goes on.
///
/// Enforced by the run's pids cgroup. Without one RLIMIT_NPROC stands in, which counts all processes of the user, so
/// that it is approximate while other runs of that user come and go, and does not bind root (RUNNER_MISSING_PROCESSES).
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. cgroups(7), pids.max.
#[no_mangle]
pub unsafe extern "C" fn runner_set_process_limit(runner: *mut Runner, n: u64) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_process_limit(or_none(n))) }
}

/// Sets how many bytes the run may write: to all captured fds together, and to any one file (RLIMIT_FSIZE, unless
/// runner_add_rlimit() has set one). UINT64_MAX: any, the default. More ends the run; but the first process of a pid
/// namespace is deaf to SIGXFSZ, so its write to a file fails with EFBIG, it goes on, and no verdict tells.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. getrlimit(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_output_limit(runner: *mut Runner, bytes: u64) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_output_limit(or_none(bytes))) }
}

/// Sets how much of a CPU the run gets at most, in percent: 50 is half of one, 200 are two. UINT32_MAX: all there is,
/// the default. It slows the run down; it ends nothing. Needs a cpu cgroup; without one the result says so
/// (RUNNER_MISSING_QUOTA).
///
/// Returns 0, or -EINVAL: NULL or 0. Since 0.1.0. cpu.max (v2), cpu.cfs_quota_us (v1).
#[no_mangle]
pub unsafe extern "C" fn runner_set_cpu_quota(runner: *mut Runner, percent: u32) -> c_int {
    let percent = (percent != u32::MAX).then_some(percent);
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_cpu_quota(percent))) }
}

/// Gives the program these bytes as its fd 0, in the place of what runner_set_files() says for it: `len` bytes,
/// copied, any of them. NULL with len 0: what runner_set_files() says, the default; an empty input is any other
/// pointer with len 0.
///
/// The program gets a sealed memory file, so it may seek in it but not change it, and need not read it.
///
/// Returns 0, or -EINVAL: NULL with a length; -ENOMEM: no memory for the copy. Since 0.1.0. memfd_create(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_stdin_bytes(
    runner: *mut Runner,
    data: *const c_void,
    len: usize,
) -> c_int {
    let mut no_room = false;
    // SAFETY: both by the header's conventions.
    let result = unsafe {
        set(runner, |r| {
            let bytes = array(data.cast::<u8>(), len)?;
            let mut copy = Vec::new();
            no_room = copy.try_reserve_exact(len).is_err();
            if !no_room {
                copy.extend_from_slice(bytes);
                r.set_stdin_bytes((!data.is_null()).then_some(copy));
            }
            Some(Ok(()))
        })
    };
    if no_room {
        -libc::ENOMEM
    } else {
        result
    }
}

/// Keeps what the program writes to its fd `child_fd`, in the place of what runner_set_files() says for it: the
/// program has a pipe there. A second call for the same fd replaces `max_bytes`.
///
/// A program that writes more than `max_bytes` is ended (RUNNER_VERDICT_OUTPUT_LIMIT); the first max_bytes are kept.
/// runner_process_output() gives them. The host's memory is what holds them, as they come.
///
/// Returns 0, or -EINVAL: NULL or an fd out of range (0 to 1048575). Since 0.1.0. pipe(7).
#[no_mangle]
pub unsafe extern "C" fn runner_capture(
    runner: *mut Runner,
    child_fd: c_int,
    max_bytes: u64,
) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.capture(child_fd, max_bytes))) }
}

/// As runner_capture(), but what is more than `max_bytes` is dropped, and the run goes on: for diagnostics. It does
/// not count towards runner_set_output_limit(); output_cut and output_fd of the result tell that something was
/// dropped.
///
/// Returns 0, or -EINVAL as runner_capture(). Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_capture_head(
    runner: *mut Runner,
    child_fd: c_int,
    max_bytes: u64,
) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.capture_head(child_fd, max_bytes))) }
}

/// Sets where the cgroups of runs are made: an existing directory in a mounted cgroup v2 hierarchy or in one of v1.
/// Of each hierarchy the last such path counts, so call it once for each of v1.
///
/// By default they are made in this process's own cgroup, or, in v2, where that one holds processes and so may not
/// give its controllers on ("no internal processes"), in the nearest ancestor that does and in which this user may. A
/// v2 directory that is named here is made to give memory, pids and cpu to its children; processes that stand in the
/// way of that, the host among them, are moved into a child group `host` of it: in a container, name its own cgroup.
///
/// Returns 0, or -EINVAL: NULL or empty. What is wrong with the directory is said when a run starts (stage cgroup).
/// Since 0.1.0. cgroups(7).
#[no_mangle]
pub unsafe extern "C" fn runner_set_cgroup_root(runner: *mut Runner, path: *const c_char) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_cgroup_root(string(path)?))) }
}

/// Forgets every limit of a watched run, its input, its captures and its cgroup roots.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_clear_limits(runner: *mut Runner) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, Runner::clear_limits) }
}
