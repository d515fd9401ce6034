//! From options to a program: all decisions and all allocation happen here, before the clone.
//!
//! `compile` is the order of the whole launch. Each verb is a file; it looks at the options and appends ops.

mod credentials;
mod exec;
mod fds;
mod limits;
mod names;
mod namespaces;
mod privileges;
mod root;
mod session;
mod sync;
#[cfg(test)]
mod tests;

pub use namespaces::hierarchies;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::program::{Act, Birth, Call, Maps, Op, Program, Site, Strategy, Turn};
use crate::runner::{Runner, CLONE_NEWTIME};
use crate::stage::Stage;
use nix::errno::Errno;
use std::os::fd::RawFd;

/// The program of this runner in this process. `held`: it waits before its exec until it is resumed. `go_pipe`: the
/// end of a pipe on which a child with a copy of the memory waits for its parent.
pub fn compile(
    runner: &Runner,
    host: &Host,
    held: bool,
    go_pipe: Option<RawFd>,
) -> Result<Program> {
    check(runner)?;
    let mut emit = Emit::new(runner, host, held, go_pipe);
    namespaces::join_cgroups(&mut emit)?;
    namespaces::enter(&mut emit)?;
    credentials::take(&mut emit)?;
    fds::arrange(&mut emit)?;
    session::start(&mut emit);
    root::build(&mut emit)?;
    names::set(&mut emit);
    names::enter_workdir(&mut emit);
    exec::check(&mut emit);
    limits::apply(&mut emit);
    if runner.unshare_cgroup_after_sync {
        // The namespace needs a capability, so the capabilities go after it.
        sync::wait(&mut emit);
        sync::unshare_cgroup(&mut emit);
        privileges::drop_all(&mut emit)?;
    } else {
        privileges::drop_all(&mut emit)?;
        sync::wait(&mut emit);
    }
    sync::hand_over(&mut emit);
    sync::stamp(&mut emit);
    exec::filter(&mut emit);
    exec::exec(&mut emit);
    Ok(emit.finish())
}

/// What contradicts itself, whatever the machine.
fn check(runner: &Runner) -> Result<()> {
    let needs = |wrong: bool, message: &str| match wrong {
        true => Err(Error::options(message)),
        false => Ok(()),
    };
    let without = |flag: i32| !runner.has_namespace(flag);
    needs(
        runner.args.strings().is_empty(),
        "no program: the arguments are not set",
    )?;
    needs(
        without(libc::CLONE_NEWNS) && (runner.pivot_root.is_some() || !runner.pieces.is_empty()),
        "a new root and mounts need CLONE_NEWNS: they would change the host's own mounts",
    )?;
    needs(
        without(libc::CLONE_NEWUTS) && (runner.hostname.is_some() || runner.domainname.is_some()),
        "a host or domain name needs CLONE_NEWUTS: it would change the host's own",
    )?;
    needs(
        without(libc::CLONE_NEWNET) && runner.loopback_up,
        "loopback_up needs CLONE_NEWNET",
    )?;
    needs(
        without(libc::CLONE_NEWUSER) && (!runner.uid_map.is_empty() || !runner.gid_map.is_empty()),
        "id mappings need CLONE_NEWUSER",
    )?;
    needs(
        without(libc::CLONE_NEWUSER) && runner.allow_setgroups == Some(true),
        "allow_setgroups needs CLONE_NEWUSER",
    )?;
    needs(
        runner.ctty && runner.session != crate::runner::Session::New,
        "a controlling terminal needs a new session",
    )
}

/// A program in the making.
pub(crate) struct Emit<'a> {
    pub runner: &'a Runner,
    pub host: &'a Host,
    pub held: bool,
    ops: Vec<Op>,
    turns: Vec<Turn>,
    maps: Option<Maps>,
    birth: Option<Birth>,
    go_pipe: Option<RawFd>,
    go_fd: Option<RawFd>,
    /// Whether setgroups(2) works after the namespaces are entered.
    setgroups_denied: bool,
    /// Where the exec fd is in the child, and whether it is a script.
    exec_fd: Option<(RawFd, bool)>,
}

impl<'a> Emit<'a> {
    fn new(runner: &'a Runner, host: &'a Host, held: bool, go_pipe: Option<RawFd>) -> Emit<'a> {
        Emit {
            runner,
            host,
            held,
            ops: Vec::with_capacity(24),
            turns: Vec::new(),
            maps: None,
            birth: None,
            go_pipe,
            go_fd: None,
            setgroups_denied: false,
            exec_fd: None,
        }
    }

    fn act(&mut self, stage: Stage, index: Option<usize>, act: Act) {
        let site = Site {
            stage,
            index: index.map(|i| i as u32),
        };
        self.ops.push(Op { site, act });
    }

    fn call(&mut self, stage: Stage, index: Option<usize>, call: Call) {
        self.act(stage, index, Act::Call(call));
    }

    fn wait(&mut self, stage: Stage, turn: Turn) {
        self.turns.push(turn);
        self.act(stage, None, Act::Wait(turn));
    }

    fn finish(self) -> Program {
        let runner = self.runner;
        let late_cgroup = runner.unshare_cgroup_after_sync;
        let namespaces = match late_cgroup {
            true => runner.namespaces & !(libc::CLONE_NEWCGROUP as u64),
            false => runner.namespaces,
        };
        Program {
            strategy: strategy(runner, self.host, self.held),
            namespaces,
            needs_clone3: self.birth.is_some() || namespaces & CLONE_NEWTIME != 0,
            birth: self.birth,
            ops: self.ops,
            turns: self.turns,
            maps: self.maps,
            changes_ids: runner.credential.is_some(),
            traced: runner.ptrace,
            go_fd: self.go_fd,
        }
    }
}

/// Which thread clones, and how. It is asked before the compile: a copy of the memory is told to go on through a pipe,
/// which is one fd more to arrange.
pub fn strategy(runner: &Runner, host: &Host, held: bool) -> Strategy {
    let maps_by_parent = || namespaces::maps(runner, host).is_some_and(|(_, by_child)| !by_child);
    let stops = runner.stop_before_seccomp || runner.ptrace && runner.seccomp.is_some();
    let turns = stops || held || runner.sync.is_some() || maps_by_parent();
    let binds_thread = runner.death_signal.is_some();
    // A child that shares memory enters its time namespace at the exec, which Linux 6.1 taught it.
    let early_time = runner.namespaces & CLONE_NEWTIME != 0 && host.features.kernel < (6, 1);
    match (turns, binds_thread) {
        _ if maps_while_undumpable(runner, host) => Strategy::Copy,
        // A signal may stop a traced child before its exec: its tracer must not be asleep in vfork then.
        _ if stops || early_time || runner.ptrace => Strategy::Copy,
        (false, _) => Strategy::Vfork,
        (true, false) => Strategy::Helper,
        (true, true) => Strategy::Copy,
    }
}

/// Before Linux 5.16 the host's memory is made non-dumpable for a start with a filter that shares it, and then /proc/self of
/// the child, with its id maps, belongs to root.
fn maps_while_undumpable(runner: &Runner, host: &Host) -> bool {
    host.features.kernel < CORE_DUMPS_ALONE_SINCE
        && runner.seccomp.is_some()
        && runner.has_namespace(libc::CLONE_NEWUSER)
        && host.ids().euid != 0
}

/// Before this the core dump of one process killed all that share its memory: a filter that kills the exec would
/// have taken the host along, were its memory dumpable.
pub const CORE_DUMPS_ALONE_SINCE: (u32, u32) = (5, 16);

/// The error of a stage that the compile already knows will fail.
fn certain(stage: Stage, index: Option<usize>, errno: Errno, message: impl Into<String>) -> Error {
    Error::new(stage, index, errno, message)
}

const AT_FDCWD: crate::program::Arg = crate::program::Arg::AtFdCwd;
