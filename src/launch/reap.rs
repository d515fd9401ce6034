//! Waiting for a child that never became the program, and for nobody else's.
//!
//! Such a child has no exit signal: it sends no SIGCHLD, is not seen by a waitpid(-1) of the host, and is not reaped
//! where the host ignores SIGCHLD. An exec gives it SIGCHLD (wait(2), __WCLONE), which also tells the two apart.

use crate::run::cgroup::Cpu;
use crate::run::{procfs, End};
use crate::sys::{self, nr};
use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

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
///
/// Both ways are asked: a program that has asked its parent to trace it is found by each of them.
pub fn has_executed(pid: i32) -> bool {
    ended(pid, libc::__WCLONE).is_none() || ended(pid, 0).is_some()
}

/// Whether the child is dead, in whatever state; true also where it is not there any more.
pub fn is_dead(pid: i32) -> bool {
    ended(pid, libc::__WALL).unwrap_or(true)
}

const STOPS: [i32; 2] = [libc::CLD_TRAPPED, libc::CLD_STOPPED];

/// Whether a traced child is stopped.
pub fn is_stopped(pid: i32) -> bool {
    event(pid, libc::WSTOPPED | libc::__WALL).is_some_and(|code| STOPS.contains(&code))
}

/// Whether a traced child, which has let go of the memory, is stopped for its tracer; else it is dead. It comes to one
/// of both: an exec stops it, and before it is a zombie a dying one is neither for a while.
pub fn is_handed_over(pid: i32) -> bool {
    for look in 0..LOOKS {
        match event(pid, libc::WEXITED | libc::WSTOPPED | libc::__WALL) {
            None => return false,
            Some(0) => {}
            Some(code) => return STOPS.contains(&code),
        }
        // A wait of another thread may have taken the stop, but not the state.
        if procfs::stat(pid).is_some_and(|stat| "tT".contains(stat.state)) {
            return true;
        }
        // Nearly always it stops at once.
        match look < LOOKS_AT_ONCE {
            true => std::thread::yield_now(),
            false => std::thread::sleep(std::time::Duration::from_micros(100)),
        }
    }
    true
}

/// Some seconds. Only where /proc is not mounted and somebody else's wait has taken the stop does it come to this.
const LOOKS: u32 = 20_000;
/// How many of them without a pause.
const LOOKS_AT_ONCE: u32 = 20;

/// None: there is no such child. A traced one is always of the kind, and its stops are told too.
fn ended(pid: i32, kind: i32) -> Option<bool> {
    let ends = [libc::CLD_EXITED, libc::CLD_KILLED, libc::CLD_DUMPED];
    event(pid, libc::WEXITED | kind).map(|code| ends.contains(&code))
}

/// The si_code of what waitid(2) would tell, without taking it away; 0 for nothing, None for no such child.
fn event(pid: i32, options: i32) -> Option<i32> {
    let told = waitid(libc::P_PID, pid, options | libc::WNOWAIT, None).ok()?;
    Some(told.code)
}

/// Of siginfo_t, where it is about a child; both 0 for nothing.
struct Told {
    code: i32,
    status: i32,
}

fn waitid(
    kind: libc::idtype_t,
    id: i32,
    options: i32,
    usage: Option<&mut libc::rusage>,
) -> Result<Told, Errno> {
    // SAFETY: siginfo_t is plain data, for which zeroes are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let args = [
        kind as usize,
        id as usize,
        &raw mut info as usize,
        (options | libc::WNOHANG) as usize,
        usage.map_or(0, |usage| &raw mut *usage as usize),
    ];
    // SAFETY: waitid writes the info and the usage.
    unsafe { sys::call(nr::WAITID, &args) }?;
    Ok(Told {
        code: info.si_code,
        // SAFETY: after a wait that found something it is the status of a child, before that it is 0.
        status: unsafe { info.si_status() },
    })
}

/// The end of a program, as it is known when it has been waited for.
pub struct Collected {
    pub end: End,
    /// Of it and the children that it waited for.
    pub cpu: Option<Cpu>,
    /// The most resident memory of one of them in bytes, or of the host before the exec.
    pub memory: Option<u64>,
}

/// Reaps the program that the pidfd holds. None: it has not ended.
///
/// Somebody else may have waited for it; then its status is lost, except that Linux 6.15 keeps it with the pidfd.
pub fn collect(pidfd: &OwnedFd) -> Option<Collected> {
    // SAFETY: it is plain data, for which zeroes are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::__WALL;
    let told = waitid(libc::P_PIDFD, pidfd.as_raw_fd(), options, Some(&mut usage));
    let Ok(told) = told else {
        return Some(Collected {
            end: status_by_pidfd(pidfd).unwrap_or(End::Lost),
            ..Collected::lost()
        });
    };
    let end = match told.code {
        0 => return None,
        libc::CLD_EXITED => End::Code(told.status),
        _ => End::Signal(told.status),
    };
    let ns = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1000;
    let (user, system) = (ns(usage.ru_utime), ns(usage.ru_stime));
    Some(Collected {
        end,
        cpu: Some(Cpu {
            total: user + system,
            system,
        }),
        memory: Some(usage.ru_maxrss as u64 * 1024),
    })
}

impl Collected {
    /// Nothing is known.
    pub fn lost() -> Collected {
        Collected {
            end: End::Lost,
            cpu: None,
            memory: None,
        }
    }
}

/// Reaps any child, if it is dead. False: it is not.
pub fn reap_now(pid: i32) -> bool {
    let options = libc::__WALL | libc::WNOHANG;
    let args = [pid as usize, 0, options as usize, 0];
    // SAFETY: without places for a status and a usage nothing is written.
    !matches!(unsafe { sys::call(nr::WAIT4, &args) }, Ok(0))
}

/// Whether the program has ended, reaped or not. A pidfd is readable then.
pub fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// The signal that ended the program, which is not reaped.
pub fn ended_by(pidfd: &OwnedFd) -> Option<i32> {
    let options = libc::WEXITED | libc::WNOWAIT | libc::__WALL;
    let told = waitid(libc::P_PIDFD, pidfd.as_raw_fd(), options, None).ok()?;
    let killed = [libc::CLD_KILLED, libc::CLD_DUMPED].contains(&told.code);
    killed.then_some(told.status)
}

/// struct pidfd_info of <linux/pidfd.h>, its first layout.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

const PIDFD_GET_INFO: usize = 0xC040_FF0B;
const PIDFD_INFO_EXIT: u64 = 8;

fn status_by_pidfd(pidfd: &OwnedFd) -> Option<End> {
    let mut info = PidfdInfo {
        mask: PIDFD_INFO_EXIT,
        ..PidfdInfo::default()
    };
    let args = [
        pidfd.as_raw_fd() as usize,
        PIDFD_GET_INFO,
        &raw mut info as usize,
    ];
    // SAFETY: the ioctl writes the struct, whose size is part of its number.
    unsafe { sys::call(nr::IOCTL, &args) }.ok()?;
    let status = info.exit_code;
    match info.mask & PIDFD_INFO_EXIT != 0 {
        true if libc::WIFEXITED(status) => Some(End::Code(libc::WEXITSTATUS(status))),
        true => Some(End::Signal(libc::WTERMSIG(status))),
        false => None,
    }
}
