//! Waiting for a child that never became the program, and for nobody else's.
//!
//! Such a child has no exit signal: it sends no SIGCHLD, is not seen by a waitpid(-1) of the host, and is not reaped where
//! the host ignores SIGCHLD. An exec gives it SIGCHLD (wait(2), __WCLONE), which also tells the two apart.

use crate::sys::{self, nr};
use nix::errno::Errno;

/// Waits for the end of a child of this kind (__WCLONE, __WALL); returns its wait status, or None where somebody else
/// was faster.
pub fn reap(pid: i32, kind: i32) -> Option<i32> {
    let mut status = 0i32;
    let args = [pid as usize, &raw mut status as usize, kind as usize, 0];
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

/// Whether a traced child is stopped.
pub fn is_stopped(pid: i32) -> bool {
    let stops = [libc::CLD_TRAPPED, libc::CLD_STOPPED];
    event(pid, libc::WSTOPPED | libc::__WALL).is_some_and(|code| stops.contains(&code))
}

/// None: there is no such child. A traced one is always of the kind, and its stops are told too.
fn ended(pid: i32, kind: i32) -> Option<bool> {
    let ends = [libc::CLD_EXITED, libc::CLD_KILLED, libc::CLD_DUMPED];
    event(pid, libc::WEXITED | kind).map(|code| ends.contains(&code))
}

/// The si_code of what waitid(2) would tell, without taking it away; 0 for nothing, None for no such child.
fn event(pid: i32, options: i32) -> Option<i32> {
    // SAFETY: siginfo_t is plain data, for which zeroes are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = options | libc::WNOHANG | libc::WNOWAIT;
    let args = [
        libc::P_PID as usize,
        pid as usize,
        &raw mut info as usize,
        options as usize,
        0,
    ];
    // SAFETY: waitid writes the info.
    unsafe { sys::call(nr::WAITID, &args) }.ok()?;
    Some(info.si_code)
}
