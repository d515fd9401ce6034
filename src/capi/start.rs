//! Starting, and explaining what a start would do.

use super::error::{self, print, runner_error_t};
use super::sized::Out;
use super::{guarded, EINVAL};
use crate::error::{Error, Result};
use crate::stage::Stage;
use crate::Runner;
use nix::errno::Errno;
use std::ffi::{c_char, c_int};
use std::os::fd::IntoRawFd;

/// Starts the program.
///
/// When it returns a pid, the program runs: its exec has happened. With runner_set_ptrace() and
/// runner_set_stop_before_seccomp() it returns when the process stops, or is about to. The pid is a child of the
/// calling process, to be waited for with waitpid(2). On failure nothing is left: no process, no zombie, no SIGCHLD
/// (but for one of a process that stops without a tracer, which is an ordinary child from the beginning). A process
/// that was killed before its exec is EPIPE at the stage where it was. After a stop nobody can be told any more: a
/// step that fails then ends the process with status 127.
///
/// `err` may be NULL; it is filled on success too (stage 0, err 0).
///
/// Returns the pid, or a negative errno. Any thread may start any runner, and several threads the same one.
/// Since 0.1.0. forkexec: Start.
#[no_mangle]
pub unsafe extern "C" fn runner_start(
    runner: *const Runner,
    err: *mut runner_error_t,
) -> libc::pid_t {
    // SAFETY: both by the header's conventions.
    match unsafe { launch(runner, err, Runner::start) } {
        Ok(pid) => pid,
        Err(errno) => errno,
    }
}

/// Starts the program as runner_start() does, and gives a pidfd beside the pid: close-on-exec, yours to close. With
/// it the process can be waited for (poll(2), waitid(2) with P_PIDFD) and signalled without a race.
///
/// Both `pid` and `pidfd` are written on success only; `pid` may be NULL, `err` too.
///
/// Returns 0, or a negative errno; -EINVAL: `pidfd` is NULL. Since 0.1.0. pidfd_open(2), Linux 5.2.
#[no_mangle]
pub unsafe extern "C" fn runner_start_pidfd(
    runner: *const Runner,
    pid: *mut libc::pid_t,
    pidfd: *mut c_int,
    err: *mut runner_error_t,
) -> c_int {
    let start = |runner: &Runner| match pidfd.is_null() {
        true => Err(Error::options("the place for the pidfd is NULL")),
        false => runner.start_pidfd(),
    };
    // SAFETY: both by the header's conventions.
    match unsafe { launch(runner, err, start) } {
        Ok((started, fd)) => {
            // SAFETY: not NULL (checked above and here), writable by the header's conventions.
            unsafe {
                pidfd.write(fd.into_raw_fd());
                if !pid.is_null() {
                    pid.write(started);
                }
            }
            0
        }
        Err(errno) => errno,
    }
}

/// Prints the program of system calls that a start would run, one step a line, beneath a line that names the strategy,
/// into `buf` of `len` bytes, by the rules of snprintf(3). Nothing is started. What the steps are depends on the
/// calling process too: its ids, its kernel.
///
/// Returns the length of the whole text without the NUL, or a negative errno: -EINVAL for NULL or options with
/// which no start is possible; `buf` then holds the stage and a sentence that says why. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_explain(
    runner: *const Runner,
    buf: *mut c_char,
    len: usize,
) -> c_int {
    guarded(-libc::EFAULT, || {
        // SAFETY: NULL or a live runner, by the header's conventions.
        let Some(runner) = (unsafe { runner.as_ref() }) else {
            return EINVAL;
        };
        match runner.explain() {
            // SAFETY: the caller's buffer, by the header's conventions.
            Ok(text) => unsafe { print(&text, buf, len) },
            Err(error) => {
                let why = format!("{}: {}", error.stage(), error.message());
                // SAFETY: as above.
                match unsafe { print(&why, buf, len) } {
                    refused if refused < 0 => refused,
                    _ => -(error.errno() as c_int),
                }
            }
        }
    })
}

/// What every launching call does around the core: check, run, report.
///
/// # Safety
/// `runner` is NULL or live, `err` is NULL or points to a struct of the size that stands in it.
pub(super) unsafe fn launch<T>(
    runner: *const Runner,
    err: *mut runner_error_t,
    start: impl FnOnce(&Runner) -> Result<T>,
) -> std::result::Result<T, c_int> {
    // SAFETY: the caller's promise.
    let Some(out) = (unsafe { Out::new(err) }) else {
        return Err(EINVAL);
    };
    let panicked = || {
        Err(Error::new(
            Stage::Memory,
            None,
            Errno::EFAULT,
            "the library panicked; please report it",
        ))
    };
    let result = guarded(panicked(), || {
        // SAFETY: the caller's promise.
        match unsafe { runner.as_ref() } {
            Some(runner) => start(runner),
            None => Err(Error::options("the runner is NULL")),
        }
    });
    out.fill(error::convert(result.as_ref().err()));
    result.map_err(|error| -(error.errno() as c_int))
}
