//! `runner_held_t`: a start that waits right before its exec.

use super::error::{self, runner_error_t};
use super::sized::Out;
use super::start::launch;
use super::{guarded, EINVAL};
use crate::launch::held::Held;
use crate::Runner;
use std::ffi::c_int;

/// Starts the program up to the step right before its exec and holds it there: the callback of
/// runner_set_sync_func() in two phases, for languages in which a C callback is a burden.
///
/// `*out` is the handle, ended by runner_held_resume() or runner_held_abort() on any thread, in any order with
/// runner_free(). Each held start occupies one blocked thread of the process until then. If the host dies, the
/// held process dies. A fork of the host has a copy of the handle that it can only free: abort does nothing else
/// there, and resume fails with ECHILD.
///
/// Returns 0, or a negative errno; `*out` is NULL then. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_start_held(
    runner: *const Runner,
    out: *mut *mut Held,
    err: *mut runner_error_t,
) -> c_int {
    if out.is_null() {
        return EINVAL;
    }
    // SAFETY: all by the header's conventions.
    unsafe {
        out.write(std::ptr::null_mut());
        match launch(runner, err, Runner::start_held) {
            Ok(held) => {
                out.write(Box::into_raw(Box::new(held)));
                0
            }
            Err(errno) => errno,
        }
    }
}

/// The pid of the held process, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_held_pid(held: *const Held) -> libc::pid_t {
    // SAFETY: NULL or a live handle, by the header's conventions.
    unsafe { held.as_ref() }.map_or(EINVAL, Held::pid)
}

/// A pidfd of the held process. It is the handle's own: duplicate it to keep it beyond the handle.
///
/// Returns the fd, or -EINVAL: NULL; -ENOSYS: the kernel has none (before 5.3). Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_held_pidfd(held: *const Held) -> c_int {
    // SAFETY: NULL or a live handle, by the header's conventions.
    match unsafe { held.as_ref() } {
        Some(held) => held.pidfd().unwrap_or(-libc::ENOSYS),
        None => EINVAL,
    }
}

/// Lets the held process execute its program, and frees the handle, whatever the result.
///
/// Returns the pid of the running program, or a negative errno as runner_start() does, with `err` filled; -EINVAL:
/// NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_held_resume(
    held: *mut Held,
    err: *mut runner_error_t,
) -> libc::pid_t {
    guarded(-libc::EFAULT, || {
        if held.is_null() {
            return EINVAL;
        }
        // SAFETY: it came from Box::into_raw in runner_start_held and is ended once.
        let held = unsafe { Box::from_raw(held) };
        // SAFETY: by the header's conventions. A struct too small to be one is not written.
        let out = unsafe { Out::new(err) };
        let result = held.resume();
        if let Some(out) = out {
            out.fill(error::convert(result.as_ref().err()));
        }
        result.unwrap_or_else(|error| -(error.errno() as c_int))
    })
}

/// Kills and reaps the held process, and frees the handle. NULL is a no-op. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_held_abort(held: *mut Held) {
    guarded((), || {
        if !held.is_null() {
            // SAFETY: it came from Box::into_raw in runner_start_held and is ended once.
            drop(unsafe { Box::from_raw(held) });
        }
    })
}
