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

/// Whether the child is dead without having executed anything. Does not reap it.
pub fn died_before_exec(pid: i32) -> bool {
    ended(pid, libc::__WCLONE).unwrap_or(false)
}

/// Whether the child is dead, in whatever state; true also where it is not there any more.
pub fn is_dead(pid: i32) -> bool {
    ended(pid, libc::__WALL).unwrap_or(true)
}

/// None: there is no such child.
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
        Ok(_) => Some(info.si_signo != 0),
        Err(_) => None,
    }
}
