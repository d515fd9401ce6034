//! Killing the whole tree of a run, whatever it has become.

use super::cgroup::files::read;
use super::cgroup::Group;
use super::procfs;
use crate::sys::{self, nr};
use nix::errno::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

/// A pidfd of any process. None: there is no such process, no free fd, or no pidfds.
pub fn open(pid: i32) -> Option<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers.
    let fd = unsafe { sys::call(nr::PIDFD_OPEN, &[pid as usize, 0]) }.ok()?;
    // SAFETY: the fd is new and ours.
    Some(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Kills the process that the pidfd holds, or, where none could be had, the one with this pid.
pub fn kill(pid: i32, fd: Option<&OwnedFd>) {
    send(pid, fd, libc::SIGKILL);
}

fn send(pid: i32, fd: Option<&OwnedFd>, signal: i32) {
    let (call, target) = match fd {
        Some(fd) => (nr::PIDFD_SEND_SIGNAL, fd.as_raw_fd()),
        None => (nr::KILL, pid),
    };
    // SAFETY: both calls take numbers; the last two are 0 (no siginfo, no flags).
    let _ = unsafe { sys::call(call, &[target as usize, signal as usize, 0, 0]) };
}

/// A mark that every process of a run inherits and cannot shed upwards: a hard limit of RLIMIT_LOCKS, which the
/// kernel has not used since 2.4.25, with a number of the run's own. It finds the processes of a run that no pid
/// namespace holds together: children that became the host's own (CLONE_PARENT), and without a cgroup all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub u64);

/// How many looks in a row have to find nothing new.
const LOOKS: u32 = 3;
/// RLIMIT_LOCKS of <sys/resource.h>.
pub const RLIMIT_LOCKS: u32 = 10;

impl Mark {
    /// Unlike that of any other run on this machine: from the time and the pid. `most`: the hard limit that the host
    /// has itself.
    pub fn new(now: u64, most: u64) -> Mark {
        let value = (u64::from(std::process::id()) << 40 ^ now) & (u64::MAX >> 2) | 1 << 61;
        match value <= most {
            true => Mark(value),
            // The host bears a mark.
            false => Mark(most.saturating_sub(1 + value % 0x10_0000)),
        }
    }

    /// Whether a living process bears it, or nobody can tell. A chain of processes that fork and exit could slip
    /// through one look.
    pub fn is_anywhere(self) -> bool {
        let look = || {
            let pids = processes()?;
            Some(pids.into_iter().any(|pid| self.is_on(pid) && !is_dead(pid)))
        };
        (0..LOOKS).any(|_| look().unwrap_or(true))
    }

    /// Stops all that bear it until no new ones turn up, then kills them.
    pub fn kill_all(self) {
        let (mut stopped, mut quiet) = (0, 0);
        while quiet < LOOKS {
            let found = self.signal_all(libc::SIGSTOP);
            quiet = if found <= stopped { quiet + 1 } else { 0 };
            stopped = found.max(stopped);
        }
        if stopped > 0 {
            self.signal_all(libc::SIGKILL);
        }
    }

    fn signal_all(self, signal: i32) -> usize {
        let mut found = 0;
        for pid in processes().unwrap_or_default() {
            if !self.is_on(pid) {
                continue;
            }
            // Held, and looked at once more: so it is the one that was looked at.
            let fd = open(pid);
            if self.is_on(pid) && !is_dead(pid) {
                send(pid, fd.as_ref(), signal);
                found += 1;
            }
        }
        found
    }

    pub fn is_on(self, pid: i32) -> bool {
        match hard_limit(pid) {
            Ok(limit) => limit == self.0,
            // Another user's: open to everybody in /proc.
            Err(Errno::EPERM) => listed_limit(pid) == Some(self.0),
            Err(_) => false,
        }
    }
}

/// Children of this process that the first process of a run has made (CLONE_PARENT), dead or alive: they are this
/// process's to reap. `maker`: the thread that made the run, whose children they are as long as it lives.
pub fn siblings(first: i32, maker: i32, mark: Option<Mark>, group: &Group) -> Vec<i32> {
    let own = std::process::id() as i32;
    let known = procfs::children_of(own, maker).unwrap_or_else(|| procfs::children(own));
    let hosts = hard_limit(0);
    // Who has the host's own limit never had a mark; who has another one may have shed it.
    let is_ours = |pid: &i32| match hard_limit(*pid) {
        limit if mark.is_some() && limit == hosts => false,
        _ => mark.is_some_and(|mark| mark.is_on(*pid)) || group.is_home_of(*pid),
    };
    known
        .into_iter()
        .filter(|pid| *pid != first)
        .filter(is_ours)
        .collect()
}

fn hard_limit(pid: i32) -> Result<u64, Errno> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let args = [
        pid as usize,
        RLIMIT_LOCKS as usize,
        0,
        &raw mut limit as usize,
    ];
    // SAFETY: prlimit64 writes the limit.
    unsafe { sys::call(nr::PRLIMIT64, &args) }.map(|_| limit.rlim_max)
}

/// proc_pid_limits(5): "Max file locks  SOFT  HARD  locks".
fn listed_limit(pid: i32) -> Option<u64> {
    let text = read(Path::new(&format!("/proc/{pid}/limits"))).ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("Max file locks"))?;
    line.split_whitespace().nth(4)?.parse().ok()
}

/// A leader that has ended before its other threads is a zombie too, but lives.
fn is_dead(pid: i32) -> bool {
    let dead = |stat: procfs::Stat| "ZX".contains(stat.state) && stat.threads <= 1;
    procfs::stat(pid).is_some_and(dead)
}

/// Every process that /proc shows, and the numbers that are given next: a chain of processes that fork and exit is
/// ahead of any list. None: /proc cannot be read, for want of a free fd.
fn processes() -> Option<Vec<i32>> {
    const AHEAD: usize = 64;
    let listed = procfs::numbers("/proc")?;
    // proc_loadavg(5): the last field is the number that was given last.
    let load = read(Path::new("/proc/loadavg")).unwrap_or_default();
    let last = load.split_whitespace().last().and_then(|n| n.parse().ok());
    let next = || last.into_iter().flat_map(|last: i32| (last..).take(AHEAD));
    // Twice, since it moves on while they are looked at.
    Some(next().chain(listed).chain(next()).collect())
}
