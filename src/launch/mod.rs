//! The parent's side of a start: make the child, take the turns it waits for, find out what became of it, and leave
//! nothing behind where it failed.

mod channel;
mod dumpable;
pub mod held;
mod hints;
mod idmap;
mod make;
mod reap;
pub mod signals;

pub use hints::user_namespace_blocker;

use crate::child::{OWNER, WAITING};
use crate::compile::{compile, strategy};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::program::{Act, Program, Strategy, Turn};
use crate::runner::Runner;
use crate::stage::Stage;
use held::Held;
use make::{Child, CloneFailed, Sockets};
use nix::errno::Errno;
use std::os::fd::{AsRawFd, OwnedFd};

impl Runner {
    /// Starts the program and returns its pid: its exec has happened, or, with ptrace and stops, the process has
    /// stopped or is about to.
    pub fn start(&self) -> Result<i32> {
        match Launch::begin(self, false, false)?.advance(self)? {
            Progress::Started { pid, .. } => Ok(pid),
            Progress::Held(launch) => Held::new(launch, self.clone()).resume(),
        }
    }

    /// As [`Runner::start`], with a pidfd beside the pid.
    pub fn start_pidfd(&self) -> Result<(i32, OwnedFd)> {
        match Launch::begin(self, false, true)?.advance(self)? {
            Progress::Started {
                pid,
                pidfd: Some(fd),
            } => Ok((pid, fd)),
            _ => Err(Error::new(
                Stage::Pidfd,
                None,
                Errno::ENOSYS,
                "the kernel gave no pidfd",
            )),
        }
    }

    /// Starts the program up to right before its exec, and holds it there.
    pub fn start_held(&self) -> Result<Held> {
        match Launch::begin(self, true, true)?.advance(self)? {
            Progress::Held(launch) => Ok(Held::new(launch, self.clone())),
            Progress::Started { .. } => Err(Error::options("a held start that does not hold")),
        }
    }

    /// The program of system calls that a start would run, a step a line.
    pub fn explain(&self) -> Result<String> {
        let host = Host::current();
        // No pipe is made for this; the number stands for one.
        let pipe = (strategy(self, &host, false) == Strategy::Copy).then_some(1000);
        let program = compile(self, &host, false, pipe)?;
        Ok(crate::explain::explain(&program))
    }
}

/// A start that is under way.
pub(crate) struct Launch {
    child: Child,
    pidfd: Option<OwnedFd>,
    kernel: (u32, u32),
}

/// How far a start has come.
enum Progress {
    Started { pid: i32, pidfd: Option<OwnedFd> },
    Held(Launch),
}

impl Launch {
    fn begin(runner: &Runner, held: bool, want_pidfd: bool) -> Result<Launch> {
        let mut host = Host::current();
        if want_pidfd && !host.features.pidfd_open {
            let message = "pidfds need Linux 5.3";
            return Err(Error::new(Stage::Pidfd, None, Errno::ENOSYS, message));
        }
        loop {
            let (program, sockets) = program(runner, &host, held)?;
            match Child::make(program, sockets, &host, want_pidfd) {
                Ok(child) => {
                    return Ok(Launch {
                        child,
                        pidfd: None,
                        kernel: host.features.kernel,
                    })
                }
                // A filter that was put onto the host after the first look at it.
                Err(CloneFailed::NoClone3) if host.features.clone3 => host.features.clone3 = false,
                Err(CloneFailed::NoClone3) => return Err(needs_clone3(runner)),
                Err(CloneFailed::At(stage, errno)) => {
                    return Err(hints::before_the_child(stage, errno, runner, &host))
                }
                Err(CloneFailed::Error(error)) => return Err(error),
            }
        }
    }

    /// Takes the parent's turns until the program runs, control passes to a tracer, or the start is held.
    fn advance(mut self, runner: &Runner) -> Result<Progress> {
        loop {
            let word = self.child.next_event();
            if word & OWNER == 0 {
                return self.finish(runner);
            }
            match self.turn() {
                Some(Turn::Hold) => {
                    self.pidfd = self.child.take_pidfd()?;
                    return Ok(Progress::Held(self));
                }
                Some(Turn::Stop) => return self.stop(word),
                Some(Turn::MapIds) => self.map_ids(runner)?,
                Some(Turn::Callback) => self.call_back(runner)?,
                None => {}
            }
            self.child.go_on(word);
        }
    }

    fn turn(&self) -> Option<Turn> {
        match self.child.current_op()?.act {
            Act::Wait(turn) => Some(turn),
            _ => None,
        }
    }

    fn map_ids(&mut self, runner: &Runner) -> Result<()> {
        let Some(maps) = self.child.program().maps.clone() else {
            return Ok(());
        };
        idmap::write(self.child.pid(), &maps).map_err(|failure| {
            self.child.destroy();
            hints::id_map(failure, runner)
        })
    }

    fn call_back(&mut self, runner: &Runner) -> Result<()> {
        let Some(callback) = &runner.sync else {
            return Ok(());
        };
        let pid = self.child.pid();
        let called = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| callback(pid)));
        let refused = match called {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(errno)) => (errno, format!("the callback refused: {}", errno.desc())),
            Err(_) => (Errno::EFAULT, "the callback panicked".into()),
        };
        self.child.destroy();
        Err(Error::new(Stage::Sync, None, refused.0, refused.1))
    }

    /// SIGSTOP from outside reaches also the first process of a pid namespace, which is deaf to its own.
    fn stop(mut self, word: u32) -> Result<Progress> {
        let pid = self.child.pid();
        let pidfd = self.child.take_pidfd()?;
        self.child.signal(libc::SIGSTOP);
        self.child.go_on(word);
        self.child.let_go();
        Ok(Progress::Started { pid, pidfd })
    }

    /// The child is beyond its exec, or dead.
    fn finish(mut self, runner: &Runner) -> Result<Progress> {
        match self.child.fate() {
            Ok(pid) => {
                let pidfd = match self.pidfd.take() {
                    Some(fd) => Some(fd),
                    None => self.child.take_pidfd()?,
                };
                self.child.let_go();
                Ok(Progress::Started { pid, pidfd })
            }
            Err(end) => Err(hints::in_the_child(&self.child, end, runner, self.kernel)),
        }
    }

    pub(crate) fn resume(self, runner: &Runner) -> Result<i32> {
        let word = self.child.next_event();
        if word & OWNER != 0 && word & WAITING != 0 {
            self.child.go_on(word);
        }
        match self.advance(runner)? {
            Progress::Started { pid, .. } => Ok(pid),
            Progress::Held(_) => Err(Error::options("held twice")),
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.pid()
    }

    pub(crate) fn pidfd(&self) -> Option<i32> {
        self.pidfd.as_ref().map(AsRawFd::as_raw_fd)
    }
}

fn program(runner: &Runner, host: &Host, held: bool) -> Result<(Program, Option<Sockets>)> {
    if strategy(runner, host, held) != Strategy::Copy {
        return Ok((compile(runner, host, held, None)?, None));
    }
    let [child, host_end] = channel::pair().map_err(|errno| {
        let message = format!("a socket pair: {}", errno.desc());
        Error::new(Stage::Memory, None, errno, message)
    })?;
    let program = compile(runner, host, held, Some(child.as_raw_fd()))?;
    let sockets = Sockets {
        arranged: program.go_fd.unwrap_or(-1),
        child,
        host: host_end,
    };
    Ok((program, Some(sockets)))
}

fn needs_clone3(runner: &Runner) -> Error {
    let message = match runner.namespaces & crate::runner::CLONE_NEWTIME {
        0 => "the start needs clone3",
        _ => "a time namespace needs clone3 (Linux 5.3), which this kernel or the container's seccomp profile refuses",
    };
    Error::new(Stage::Clone, None, Errno::ENOSYS, message)
}
