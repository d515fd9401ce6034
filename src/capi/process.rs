//! `runner_process_t`: a watched run.

use super::error::{convert as convert_error, runner_error_t};
use super::result::{convert, of_launch_error, runner_result_t};
use super::sized::Out;
use super::start::launch;
use super::{guarded, EINVAL};
use crate::error::Result;
use crate::run::{Outcome, Process};
use crate::{Error, Runner};
use std::ffi::{c_int, c_void};
use std::time::Duration;

/// Starts the program and watches it: its limits, its output, its end.
///
/// Each run has cgroups of its own, where they can be had, made before it and removed after it. Nothing happens
/// behind the host's back: no thread, no signal handler, no timer of the process. Instead there is one fd,
/// runner_process_fd(): put it into a poll, epoll or event loop, and call runner_process_step() whenever it is
/// readable, since that is when limits are enforced and output is taken in; or call runner_process_wait(), which is
/// that loop. Needs Linux 5.4.
///
/// If the host dies, the program goes on, with nobody to enforce its wall limit: see runner_set_death_signal().
///
/// The host may call waitpid(-1) or ignore SIGCHLD; but before Linux 6.15 the exit status of a run is lost by that
/// (RUNNER_EVIDENCE_STATUS_LOST).
///
/// Returns the run, to be freed with runner_process_free(), or NULL with `err` filled: as runner_start(), and stages
/// cgroup, stdio and watch. Nothing is left behind then. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_spawn(
    runner: *const Runner,
    err: *mut runner_error_t,
) -> *mut Process {
    // SAFETY: both by the header's conventions.
    match unsafe { launch(runner, err, Runner::spawn) } {
        Ok(process) => Box::into_raw(Box::new(process)),
        Err(_) => std::ptr::null_mut(),
    }
}

/// The pid of the run's first process, or -EINVAL: NULL. Once the run has finished, the number may be another
/// process's. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_process_pid(process: *const Process) -> libc::pid_t {
    // SAFETY: NULL or a live handle, by the header's conventions.
    unsafe { process.as_ref() }.map_or(EINVAL, Process::pid)
}

/// The fd to wait for: readable when runner_process_step() has something to do, and for good once the run has
/// finished. It belongs to the handle: do not read, change or close it, and take it out of your loop before you free
/// the handle.
///
/// Returns the fd, or -EINVAL: NULL. Since 0.1.0. epoll(7).
#[no_mangle]
pub unsafe extern "C" fn runner_process_fd(process: *const Process) -> c_int {
    // SAFETY: NULL or a live handle, by the header's conventions.
    unsafe { process.as_ref() }.map_or(EINVAL, Process::fd)
}

/// Does what is due, without blocking: takes in output, enforces limits, sees to the end.
///
/// Returns 1: the run has finished, with `result` filled (now and on every later call); 0: it goes on, and `result` is
/// untouched; -EINVAL: NULL for `process`, or a result of an impossible size; -ECHILD: the run belongs to the process
/// that this one was forked from. `result` may be NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_process_step(
    process: *mut Process,
    result: *mut runner_result_t,
) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { answer(process, result, Process::step) }
}

/// Waits for the run to finish, at most `timeout_ns` nanoseconds; a negative number: for ever; 0: as
/// runner_process_step(). Limits are enforced meanwhile. Signals of the host are handled and do not end it: a host
/// that waits for both uses ppoll(2) on runner_process_fd(). Another thread may call runner_process_kill().
///
/// Returns 1: finished, with `result` filled; 0: the time is over and the run goes on; or a negative errno as
/// runner_process_step(). Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_process_wait(
    process: *mut Process,
    timeout_ns: i64,
    result: *mut runner_result_t,
) -> c_int {
    let timeout = u64::try_from(timeout_ns).ok().map(Duration::from_nanos);
    // SAFETY: both by the header's conventions.
    unsafe { answer(process, result, |process| process.wait(timeout)) }
}

/// Kills the whole tree of the run, whatever it has forked. The run then finishes with RUNNER_VERDICT_KILLED, which
/// is told by runner_process_step() or runner_process_wait(); one that had finished by itself keeps its verdict. Any
/// thread may call it at any time before the handle is freed.
///
/// Returns 0, also where there is nothing to kill any more; -EINVAL: NULL; -ECHILD as runner_process_step(). Since
/// 0.1.0. cgroups(7), cgroup.kill.
#[no_mangle]
pub unsafe extern "C" fn runner_process_kill(process: *mut Process) -> c_int {
    guarded(-libc::EFAULT, || {
        // SAFETY: NULL or a live handle, by the header's conventions.
        match unsafe { process.as_ref() } {
            Some(process) => process.kill().map_or_else(code, |()| 0),
            None => EINVAL,
        }
    })
}

/// What the program has written to its captured fd `child_fd` so far. `*data` is the handle's own memory, never NULL,
/// with a NUL behind its `*len` bytes, valid until the next call of runner_process_step(), _wait(), _kill() or
/// _free() for this run.
///
/// Returns 0, or -EINVAL: NULL, or an fd that is not captured; -ECHILD as runner_process_step(). `*data` and `*len`
/// are untouched then. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_process_output(
    process: *const Process,
    child_fd: c_int,
    data: *mut *const c_void,
    len: *mut usize,
) -> c_int {
    guarded(-libc::EFAULT, || {
        // SAFETY: NULL or a live handle, by the header's conventions.
        let (Some(process), false) = (unsafe { process.as_ref() }, data.is_null() || len.is_null())
        else {
            return EINVAL;
        };
        let place = |bytes: &[u8]| match bytes.len() {
            0 => (c"".as_ptr().cast(), 0),
            n => (bytes.as_ptr().cast::<c_void>(), n),
        };
        match process.with_output(child_fd, place) {
            Ok(Some((bytes, n))) => {
                // SAFETY: neither is NULL; writable by the header's conventions.
                unsafe {
                    data.write(bytes);
                    len.write(n);
                }
                0
            }
            Ok(None) => EINVAL,
            Err(error) => code(error),
        }
    })
}

/// The figures so far, of a run that goes on (verdict RUNNER_VERDICT_NONE) or has finished. It costs a few reads;
/// limits are not enforced by it.
///
/// Returns 0, or a negative errno: -EINVAL: NULL, or a result of an impossible size; -ECHILD as
/// runner_process_step(). Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_process_usage(
    process: *const Process,
    result: *mut runner_result_t,
) -> c_int {
    if result.is_null() {
        return EINVAL;
    }
    let usage = |process: &Process| process.usage().map(Some);
    // SAFETY: both by the header's conventions.
    match unsafe { answer(process, result, usage) } {
        1 => 0,
        errno => errno,
    }
}

/// Frees a run. What still runs is killed, the whole tree, and reaped; its cgroups are removed. NULL is a no-op.
///
/// A fork of the host only frees its copy of the memory. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_process_free(process: *mut Process) {
    guarded((), || {
        if !process.is_null() {
            // SAFETY: it came from Box::into_raw in runner_spawn and is freed once.
            drop(unsafe { Box::from_raw(process) });
        }
    })
}

/// Starts the program, waits for its end and says what became of it: runner_spawn(), runner_process_wait() and
/// runner_process_free(). What was captured is gone then, but for output_bytes: to have it, call those three and
/// runner_process_output() in between.
///
/// Returns 0, with `result` filled; or a negative errno with `err` filled and the verdict
/// RUNNER_VERDICT_LAUNCH_ERROR. Both may be NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_run(
    runner: *const Runner,
    result: *mut runner_result_t,
    err: *mut runner_error_t,
) -> c_int {
    // SAFETY: by the header's conventions.
    let Some(out) = (unsafe { Out::new(result) }) else {
        // SAFETY: by the header's conventions.
        if let Some(err) = unsafe { Out::new(err) } {
            let error = Error::options("the result's size is smaller than any published layout");
            err.fill(convert_error(Some(&error)));
        }
        return EINVAL;
    };
    let run = |runner: &Runner| {
        let ended = runner.run();
        out.fill(ended.as_ref().map_or_else(of_launch_error, convert));
        ended
    };
    if runner.is_null() {
        out.fill(of_launch_error(&Error::options("the runner is NULL")));
    }
    // SAFETY: both by the header's conventions.
    match unsafe { launch(runner, err, run) } {
        Ok(_) => 0,
        Err(errno) => errno,
    }
}

fn code(error: Error) -> c_int {
    -(error.errno() as c_int)
}

/// # Safety
/// `process` is NULL or live, `result` is NULL or points to a struct of the size that stands in it.
unsafe fn answer(
    process: *const Process,
    result: *mut runner_result_t,
    ask: impl FnOnce(&Process) -> Result<Option<Outcome>>,
) -> c_int {
    guarded(-libc::EFAULT, || {
        // SAFETY: the caller's promise.
        let (Some(process), Some(out)) = (unsafe { (process.as_ref(), Out::new(result)) }) else {
            return EINVAL;
        };
        match ask(process) {
            Ok(Some(outcome)) => {
                out.fill(convert(&outcome));
                1
            }
            Ok(None) => 0,
            Err(error) => code(error),
        }
    })
}
