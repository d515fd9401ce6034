//! One pollable fd for a run: an epoll over its pidfd, a timer and its pipes.

use crate::error::{reason, Error, Result};
use crate::stage::Stage;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// What is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Timer,
    Process,
    Pipe(usize),
}

impl Token {
    fn number(self) -> u64 {
        match self {
            Token::Timer => 0,
            Token::Process => 1,
            Token::Pipe(i) => 2 + i as u64,
        }
    }

    fn from_number(number: u64) -> Token {
        match number {
            0 => Token::Timer,
            1 => Token::Process,
            n => Token::Pipe(n as usize - 2),
        }
    }
}

/// In ns: as far away as a time can be, but for the second that TimeSpec takes off.
pub const FAR: u64 = i64::MAX as u64 - 2_000_000_000;

pub struct Watch {
    epoll: Epoll,
    timer: TimerFd,
}

impl Watch {
    pub fn new() -> Result<Watch> {
        let make = || {
            let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
            let watch = Watch {
                epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
                timer: TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?,
            };
            watch.register(&watch.timer, Token::Timer)?;
            Ok(watch)
        };
        make().map_err(failed)
    }

    pub fn fd(&self) -> RawFd {
        self.epoll.0.as_raw_fd()
    }

    pub fn add(&self, fd: impl AsFd, token: Token) -> Result<()> {
        self.register(fd, token).map_err(failed)
    }

    fn register(&self, fd: impl AsFd, token: Token) -> nix::Result<()> {
        self.epoll
            .add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token.number()))
    }

    /// Before an fd is closed: a fork of the host has a copy of it, which would keep it registered.
    pub fn remove(&self, fd: impl AsFd) {
        let _ = self.epoll.delete(fd);
    }

    /// How many tokens are given at once at most.
    pub const AT_ONCE: usize = 8;

    /// What is ready now.
    pub fn ready(&self) -> Vec<Token> {
        let mut events = [EpollEvent::empty(); Self::AT_ONCE];
        let n = self
            .epoll
            .wait(&mut events, EpollTimeout::ZERO)
            .unwrap_or(0);
        events[..n]
            .iter()
            .map(|event| Token::from_number(event.data()))
            .collect()
    }

    /// Goes off once, at this time of CLOCK_MONOTONIC in ns.
    pub fn set_timer(&self, at: u64) {
        // 0 would switch it off.
        let at = TimeSpec::nanoseconds(at.clamp(1, FAR) as i64);
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
        let _ = self.timer.set(Expiration::OneShot(at), flags);
    }

    pub fn clear_timer(&self) {
        let _ = self.timer.wait();
    }
}

fn failed(errno: Errno) -> Error {
    let hint = match errno {
        Errno::ENOSPC => " (/proc/sys/fs/epoll/max_user_watches)",
        Errno::EMFILE => " (RLIMIT_NOFILE of the host)",
        _ => "",
    };
    let message = format!(
        "an epoll and a timer to watch the run with: {}{hint}",
        reason(errno)
    );
    Error::new(Stage::Watch, None, errno, message)
}
