//! Watched runs: a program with limits, in cgroups of its own, with its output kept, from its launch to a verdict.
//!
//! ```no_run
//! use runner::Runner;
//!
//! let mut runner = Runner::new();
//! runner.set_args(vec![c"/bin/echo".into(), c"hello".into()])?;
//! runner.set_wall_limit(Some(1_000_000_000));
//! runner.capture(1, 1 << 20)?;
//! let process = runner.spawn()?;
//! let outcome = process.wait(None);
//! # Ok::<(), runner::Error>(())
//! ```
//!
//! - `options`: the setters. `spawn`: from them to a running program.
//! - `live`: what happens until the outcome. `watch`: the one fd that a host waits for.
//! - `cgroup`: the groups of a run, and where they can be made. `tree`: killing. `procfs`: looks without cgroups.
//! - `figures`, `verdict`, `outcome`: from what was counted to what is told.

pub(crate) mod cgroup;
mod figures;
mod live;
pub mod missing;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod procfs;
mod spawn;
mod stdio;
mod tree;
mod verdict;
mod watch;

pub use outcome::{Evidence, Outcome, Source, Verdict};
pub(crate) use verdict::End;

use crate::error::{Error, Result};
use crate::me::Me;
use crate::runner::Runner;
use crate::stage::Stage;
use live::Run;
use nix::errno::Errno;
use nix::poll::{ppoll, PollFd, PollFlags};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{clock_gettime, ClockId};
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use verdict::Cause;

/// A watched run. Dropping it kills and reaps what still runs.
///
/// Nothing happens by itself: limits are enforced and output is taken in [`Process::step`], which is due whenever
/// [`Process::fd`] is readable, or in [`Process::wait`].
pub struct Process {
    pid: i32,
    fd: RawFd,
    /// The host. A fork of it has a copy of this value, but the run is not its child.
    owner: Me,
    run: Mutex<Run>,
}

impl Process {
    fn new(pid: i32, run: Run) -> Process {
        Process {
            pid,
            fd: run.live.watch.fd(),
            owner: Me::now(),
            run: Mutex::new(run),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first process of the run. The number may be another process's once the run has finished.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable when there is something to do, and for good when the run has finished. It belongs to the process.
    pub fn fd(&self) -> RawFd {
        self.fd
    }

    fn check_owner(&self) -> Result<()> {
        match self.owner == Me::now() {
            true => Ok(()),
            false => {
                let message = "the run belongs to the process that this one was forked from";
                Err(Error::new(Stage::Watch, None, Errno::ECHILD, message))
            }
        }
    }

    /// Does what is due, without blocking. Some: the run has finished.
    pub fn step(&self) -> Result<Option<Outcome>> {
        self.check_owner()?;
        let mut run = self.lock();
        run.step();
        Ok(run.outcome.clone())
    }

    /// Waits for the end, at most this long. None: for ever. Another thread may call [`Process::kill`] meanwhile.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Option<Outcome>> {
        let most = timeout.map(|t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX));
        let until = most.map(|most| now().saturating_add(most));
        loop {
            if let Some(outcome) = self.step()? {
                return Ok(Some(outcome));
            }
            let left = until.map(|until| until.saturating_sub(now()));
            if left == Some(0) {
                return Ok(None);
            }
            self.poll(left);
        }
    }

    fn poll(&self, ns: Option<u64>) {
        // SAFETY: the epoll is open as long as this value lives.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        let timeout = ns.map(|ns| TimeSpec::nanoseconds(ns.min(watch::FAR) as i64));
        // A signal of the host's ends it early, and whoever called looks again.
        let _ = ppoll(&mut fds, timeout, None);
    }

    /// Kills the whole tree, whatever it has forked. The end is told by `step` or `wait`. Nothing happens where the run
    /// has ended already.
    pub fn kill(&self) -> Result<()> {
        self.check_owner()?;
        let mut run = self.lock();
        // It may have ended by itself, unseen as yet.
        if !run.step() {
            run.end(Cause::Caller);
            run.arm();
        }
        Ok(())
    }

    /// What the program has written to this captured fd so far. None: it is not captured.
    pub fn output(&self, child_fd: RawFd) -> Option<Vec<u8>> {
        self.with_output(child_fd, <[u8]>::to_vec).ok().flatten()
    }

    /// None: the fd is not captured.
    pub(crate) fn with_output<T>(
        &self,
        fd: RawFd,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>> {
        // In a fork the lock may be held by a thread that is not there.
        self.check_owner()?;
        let run = self.lock();
        let pipe = run.live.pipes.iter().find(|pipe| pipe.child_fd == fd);
        Ok(pipe.map(|pipe| take(&pipe.data)))
    }

    /// The figures so far. The verdict is [`Verdict::None`] until the run has finished.
    pub fn usage(&self) -> Result<Outcome> {
        self.check_owner()?;
        Ok(self.lock().usage_now())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.owner != Me::now() {
            // Not our child, and another thread may have held the lock at the fork.
            let run = self.run.get_mut().unwrap_or_else(PoisonError::into_inner);
            run.live.group.disown();
            return;
        }
        let run = self.run.get_mut().unwrap_or_else(PoisonError::into_inner);
        run.end_now();
    }
}

impl Runner {
    /// Starts the program, waits for its end, and says what became of it.
    pub fn run(&self) -> Result<Outcome> {
        let process = self.spawn()?;
        Ok(process.wait(None)?.unwrap_or_default())
    }
}

/// CLOCK_MONOTONIC in ns.
pub(crate) fn now() -> u64 {
    clock(ClockId::CLOCK_MONOTONIC).unwrap_or(0)
}

fn clock(id: ClockId) -> Option<u64> {
    let time = clock_gettime(id).ok()?;
    Some(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}
