//! The parent's side of a start: make the child, take the turns it waits for, find out what became of it, and leave
//! nothing behind where it failed.

mod channel;
mod dumpable;
pub mod held;
mod hints;
mod idmap;
mod make;
pub mod reap;
pub mod signals;

pub use hints::user_namespace_blocker;

use crate::child::{OWNER, WAITING};
use crate::compile::{compile, strategy};
use crate::error::{reason, Error, Result};
use crate::host::Host;
use crate::program::{Act, Program, Strategy, Turn};
use crate::runner::Runner;
use crate::stage::Stage;
use crate::sys::nr::{self, Sysno};
use held::Held;
use make::{Child, CloneFailed, End, Sockets};
use nix::errno::Errno;
use std::os::fd::{AsRawFd, OwnedFd};

impl Runner {
    /// Starts the program and returns its pid: its exec has happened, or, with ptrace and stops, the process has
    /// stopped or is about to.
    pub fn start(&self) -> Result<i32> {
        self.check_unwatched()?;
        Ok(self.launch(WantPidfd::No)?.pid)
    }

    /// As [`Runner::start`], with a pidfd beside the pid.
    pub fn start_pidfd(&self) -> Result<(i32, OwnedFd)> {
        self.check_unwatched()?;
        let started = self.launch(WantPidfd::Yes)?;
        let pidfd = started.pidfd.ok_or_else(no_pidfd)?;
        Ok((started.pid, pidfd))
    }

    /// Starts the program up to right before its exec, and holds it there.
    pub fn start_held(&self) -> Result<Held> {
        self.check_unwatched()?;
        match self.begin(true, WantPidfd::IfPossible)? {
            Progress::Held(launch) => Ok(Held::new(launch, self.clone())),
            Progress::Started(_) => Err(Error::options("a held start that does not hold")),
        }
    }

    /// Nobody would see to these options.
    fn check_unwatched(&self) -> Result<()> {
        match self.watched.is_asked_by() {
            None => Ok(()),
            Some(option) => Err(Error::options(format!(
                "{option} needs a watched run: runner_spawn() or runner_run()"
            ))),
        }
    }

    pub(crate) fn launch(&self, want: WantPidfd) -> Result<Started> {
        match self.begin(false, want)? {
            Progress::Started(started) => Ok(started),
            Progress::Held(_) => Err(Error::options("held without being asked")),
        }
    }

    /// Features are looked at once, and a filter may have been put onto the host since: then without the call that
    /// turned out to be missing.
    fn begin(&self, held: bool, want: WantPidfd) -> Result<Progress> {
        let mut host = Host::current();
        loop {
            match Launch::begin(self, &host, held, want).and_then(|launch| launch.advance(self)) {
                Ok(progress) => return Ok(progress),
                Err(Setback::Failed(error)) => return Err(error),
                Err(Setback::Missing(call)) if host.do_without(call) => {}
                Err(Setback::Missing(call)) => return Err(missing(call, self)),
            }
        }
    }

    /// The program of system calls that a start would run, a step a line.
    pub fn explain(&self) -> Result<String> {
        let host = Host::current();
        let watched = self.watched.is_asked_by().map(|_| self.sketched());
        let sketch = watched.transpose()?;
        let runner = sketch.as_ref().map_or(self, |(prepared, _)| prepared);
        // No pipe is made for this; the number stands for one.
        let pipe = (strategy(runner, &host, false) == Strategy::Copy).then_some(1000);
        let program = compile(runner, &host, false, pipe)?;
        Ok(crate::explain::explain(&program))
    }
}

/// Whether a pidfd is to be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WantPidfd {
    No,
    IfPossible,
    Yes,
}

/// Why a start did not get on.
enum Setback {
    Failed(Error),
    /// This call does not exist for this process; nothing has been done that cannot be done again without it.
    Missing(Sysno),
}

impl From<Error> for Setback {
    fn from(error: Error) -> Setback {
        Setback::Failed(error)
    }
}

/// A start that is under way.
pub(crate) struct Launch {
    child: Child,
    want: WantPidfd,
    pidfd: Option<OwnedFd>,
    kernel: (u32, u32),
    mount_api: bool,
}

/// A program that runs.
pub(crate) struct Started {
    pub pid: i32,
    pub pidfd: Option<OwnedFd>,
    /// None: nobody noted it.
    pub begun: Option<Begun>,
}

/// When a program began.
#[derive(Clone, Copy)]
pub(crate) struct Begun {
    /// CLOCK_MONOTONIC, in ns.
    pub at: u64,
    /// CPU time of the launch, in ns.
    pub cpu: u64,
}

/// How far a start has come.
enum Progress {
    Started(Started),
    Held(Launch),
}

type Step<T> = std::result::Result<T, Setback>;

impl Launch {
    fn begin(runner: &Runner, host: &Host, held: bool, want: WantPidfd) -> Step<Launch> {
        if want == WantPidfd::Yes && host.features.kernel < PIDFD_SINCE {
            return Err(no_pidfd().into());
        }
        let (program, sockets) = program(runner, host, held)?;
        match Child::make(program, sockets, host, want != WantPidfd::No) {
            Ok(child) => Ok(Launch {
                child,
                want,
                pidfd: None,
                kernel: host.features.kernel,
                mount_api: host.features.mount_api,
            }),
            Err(CloneFailed::NoClone3) => Err(Setback::Missing(nr::CLONE3)),
            Err(CloneFailed::At(stage, errno)) => {
                Err(hints::before_the_child(stage, errno, runner, host).into())
            }
            Err(CloneFailed::Error(error)) => Err(error.into()),
        }
    }

    /// Takes the parent's turns until the program runs, control passes to a tracer, or the start is held.
    fn advance(mut self, runner: &Runner) -> Step<Progress> {
        loop {
            let word = self.child.next_event();
            if word & OWNER == 0 {
                return self.finish(runner);
            }
            match self.turn() {
                Some(Turn::Hold) => {
                    self.pidfd = self.child.take_pidfd();
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
            Ok(Err(Errno::UnknownErrno)) => (Errno::ECANCELED, "the callback refused".into()),
            Ok(Err(errno)) => (errno, format!("the callback refused: {}", reason(errno))),
            Err(_) => (Errno::EFAULT, "the callback panicked".into()),
        };
        self.child.destroy();
        Err(Error::new(Stage::Sync, None, refused.0, refused.1))
    }

    /// SIGSTOP from outside reaches also the first process of a pid namespace, which is deaf to its own.
    fn stop(mut self, word: u32) -> Step<Progress> {
        let pid = self.child.pid();
        let pidfd = self.take_pidfd()?;
        self.child.signal(libc::SIGSTOP);
        self.child.go_on(word);
        self.child.let_go();
        Ok(Progress::Started(Started {
            pid,
            pidfd,
            begun: None,
        }))
    }

    /// The child is beyond its exec, or dead.
    fn finish(mut self, runner: &Runner) -> Step<Progress> {
        match self.child.fate() {
            Ok(pid) => {
                let pidfd = self.take_pidfd()?;
                let begun = self.child.begun();
                self.child.let_go();
                Ok(Progress::Started(Started { pid, pidfd, begun }))
            }
            Err(end) => match (&end, self.child.new_mount_call()) {
                // EPERM: the same by an older container profile. If it is a real one, the old calls get it too.
                (End::Failed(Errno::ENOSYS | Errno::EPERM), Some(call)) if self.mount_api => {
                    Err(Setback::Missing(call))
                }
                _ => Err(hints::in_the_child(&self.child, end, runner, self.kernel).into()),
            },
        }
    }

    fn take_pidfd(&mut self) -> Result<Option<OwnedFd>> {
        let pidfd = self.pidfd.take().or_else(|| self.child.take_pidfd());
        if pidfd.is_none() && self.want == WantPidfd::Yes {
            self.child.destroy();
            return Err(no_pidfd());
        }
        Ok(pidfd)
    }

    pub(crate) fn resume(self, runner: &Runner) -> Result<i32> {
        if !self.child.is_own() {
            let message = "the held process belongs to the process that this one was forked from";
            return Err(Error::new(Stage::Sync, None, Errno::ECHILD, message));
        }
        let word = self.child.next_event();
        if word & OWNER != 0 && word & WAITING != 0 {
            self.child.go_on(word);
        }
        match self.advance(runner) {
            Ok(Progress::Started(started)) => Ok(started.pid),
            Ok(Progress::Held(_)) => Err(Error::options("held twice")),
            Err(Setback::Failed(error)) => Err(error),
            Err(Setback::Missing(call)) => Err(missing(call, runner)),
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
        let message = format!("a socket pair: {}", reason(errno));
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

/// CLONE_PIDFD.
const PIDFD_SINCE: (u32, u32) = (5, 2);

fn no_pidfd() -> Error {
    let message = "there are no pidfds here: Linux before 5.2, or the container's seccomp profile refuses them";
    Error::new(Stage::Pidfd, None, Errno::ENOSYS, message)
}

fn missing(call: Sysno, runner: &Runner) -> Error {
    let message = match runner.namespaces & crate::runner::CLONE_NEWTIME {
        0 => format!("the start needs {}, which is refused here", call.name),
        _ => "a time namespace needs clone3 (Linux 5.3), which this kernel or the container's seccomp profile refuses"
            .into(),
    };
    Error::new(Stage::Clone, None, Errno::ENOSYS, message)
}
