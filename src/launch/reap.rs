//! Waiting for a child that never became the program, and for nobody else's.
//!
//! Such a child has no exit signal: it sends no SIGCHLD, is not seen by a waitpid(-1) of the host, and is not reaped where
//! the host ignores SIGCHLD. An exec gives it SIGCHLD (wait(2), __WCLONE), which also tells the two apart.

use crate::sys::{self, nr};
use nix::errno::Errno;

/// Waits for the child's end; returns its wait status, or None where somebody else was faster.
pub fn reap(pid: i32) -> Option<i32> {
    let mut status = 0i32;
    let args = [
        pid as usize,
        &raw mut status as usize,
        libc::__WALL as usize,
        0,
    ];
    loop {
        // SAFETY: wait4 writes the status.
        match unsafe { sys::call(nr::WAIT4, &args) } {
            Ok(_) => return Some(status),
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

/// Whether a child that is not there to be waited on by its parent any more has executed its program: it has an exit
/// signal then. One that has none is dead, or about to be: it lets go of the memory before it is a zombie.
pub fn has_executed(pid: i32) -> bool {
    ended(pid, libc::__WCLONE).is_none()
}

/// Whether the child is dead, in whatever state; true also where it is not there any more.
pub fn is_dead(pid: i32) -> bool {
    ended(pid, libc::__WALL).unwrap_or(true)
}

/// None: there is no such child. A traced one is always of the kind, and its stops are told too.
fn ended(pid: i32, kind: i32) -> Option<bool> {
    // SAFETY: siginfo_t is plain data, for which zeroes are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | kind;
    let args = [
        libc::P_PID as usize,
        pid as usize,
        &raw mut info as usize,
        options as usize,
        0,
    ];
    // SAFETY: waitid writes the info.
    match unsafe { sys::call(nr::WAITID, &args) } {
        Ok(_) => Some(matches!(
            info.si_code,
            libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED
        )),
        Err(_) => None,
    }
}
