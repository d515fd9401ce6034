//! From options to a running program that is watched: its cgroups, its pipes, its limits, and the launch.

use super::cgroup::places;
use super::cgroup::{files::Dir, Group};
use super::live::{Live, Run};
use super::missing;
use super::procfs;
use super::stdio::Stdio;
use super::tree::{Mark, RLIMIT_LOCKS};
use super::watch::{Token, Watch};
use super::{now, Process};
use crate::compile::hierarchies;
use crate::error::{reason, Error, Result};
use crate::host::Host;
use crate::launch::{Started, WantPidfd};
use crate::runner::{Rlimit, Runner};
use crate::stage::Stage;
use nix::errno::Errno;
use nix::sys::resource::{getrlimit, Resource};
use std::os::fd::BorrowedFd;

impl Runner {
    /// Starts the program and watches it.
    pub fn spawn(&self) -> Result<Process> {
        let called = now();
        self.check_watchable()?;
        let group = self.group()?;
        let stdio = Stdio::make(self.files.as_deref(), &self.watched)?;
        let watch = Watch::new()?;
        let mark = self.mark();
        let prepared = self.prepared(stdio.as_ref(), group.dirs().to_vec(), group.missing, mark);
        let Started { pid, pidfd, begun } = prepared
            .launch(WantPidfd::Yes)
            .map_err(|error| self.explain_memory(error, &group))
            .inspect_err(|error| {
                if error.stage() == Stage::Cgroup {
                    places::forget();
                }
            })?;
        let live = Live {
            pid,
            pidfd,
            called,
            begin: begun.map_or_else(now, |begun| begun.at),
            launch_cpu: begun.map_or(0, |begun| begun.cpu),
            pipes: stdio.map_or(Vec::new(), |stdio| stdio.pipes),
            missing: group.missing | self.lost_tree(&group),
            holds: group.holds(),
            held_together: self.is_held_together(),
            group,
            mark,
            // SAFETY: gettid(2) only returns a number; by its number, since glibc has the function only since 2.30.
            maker: unsafe { libc::syscall(libc::SYS_gettid) as libc::pid_t },
            watch,
        };
        let mut run = Run::new(live, self, &prepared);
        run.register().inspect_err(|_| run.end_now())?;
        Ok(Process::new(pid, run))
    }

    fn check_watchable(&self) -> Result<()> {
        if self.watched.processes == Some(0) {
            let message = "a process limit of 0: there is no room for the program itself";
            return Err(Error::new(Stage::Clone, None, Errno::EAGAIN, message));
        }
        if Host::current().features.kernel < WAIT_BY_PIDFD_SINCE {
            let message = "a watched run needs to wait by a pidfd: Linux 5.4";
            return Err(Error::new(Stage::Pidfd, None, Errno::ENOSYS, message));
        }
        Ok(())
    }

    fn group(&self) -> Result<Group> {
        let taken = self.own_hierarchies()?;
        let make = || {
            let places = places::find(&self.watched.cgroup_roots)?;
            Group::make(&places, &self.watched, &taken, self.is_held_together())
        };
        match make() {
            // The places are remembered, and one of them has gone, or the host has changed its ids: looked for anew.
            Err(error) if GONE.contains(&error.errno()) => make(),
            made => made,
        }
    }

    /// What a watched run would start, without its cgroups and with pipes that lead nowhere.
    pub(crate) fn sketched(&self) -> Result<(Runner, Option<Stdio>)> {
        let places = places::find(&self.watched.cgroup_roots)?;
        let taken = self.own_hierarchies()?;
        let held = self.is_held_together();
        let (dirs, lacks) = Group::sketch(&places, &self.watched, &taken, held);
        let stdio = Stdio::make(self.files.as_deref(), &self.watched)?;
        let mark = self.mark();
        let prepared = self.prepared(stdio.as_ref(), dirs, lacks, mark);
        Ok((prepared, stdio))
    }

    /// The death of the first process of a pid namespace is the death of all.
    fn is_held_together(&self) -> bool {
        self.has_namespace(libc::CLONE_NEWPID)
    }

    fn lost_tree(&self, group: &Group) -> u32 {
        match group.holds() || self.is_held_together() {
            true => 0,
            false => missing::TREE,
        }
    }

    fn mark(&self) -> Option<Mark> {
        let own = self.has_rlimit(RLIMIT_LOCKS);
        (!self.is_held_together() && !own).then(new_mark)
    }

    /// The devices of the hierarchies in which the caller has put the program into a cgroup of his own.
    fn own_hierarchies(&self) -> Result<Vec<u64>> {
        let mut devices = hierarchies(&self.cgroup_paths)?;
        let failed = |errno: Errno| {
            let message = format!("the cgroup fd: {}", reason(errno));
            Error::new(Stage::Cgroup, None, errno, message)
        };
        if let Some(fd) = self.cgroup_fd {
            // SAFETY: only its number is used, for one fstat; whether it is open is what that finds out.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            // A plain start learns this from clone3; here a group of the run's own would hide it.
            let system = nix::sys::statfs::fstatfs(fd).map_err(failed)?;
            if system.filesystem_type() != nix::sys::statfs::CGROUP2_SUPER_MAGIC {
                return Err(failed(Errno::EBADF).because("the fd is no directory of cgroup v2"));
            }
            devices.push(nix::sys::stat::fstat(fd).map_err(failed)?.st_dev);
        }
        Ok(devices)
    }

    /// The same options as an ordinary start takes them.
    fn prepared(
        &self,
        stdio: Option<&Stdio>,
        groups: Vec<Dir>,
        lacks: u32,
        mark: Option<Mark>,
    ) -> Runner {
        let mut runner = self.clone();
        runner.watched = Default::default();
        runner.run_groups = groups;
        runner.stamped = true;
        if let Some(stdio) = stdio {
            runner.files = Some(stdio.table.clone());
        }
        for (resource, soft, hard) in self.stand_ins(lacks, mark) {
            // What the caller has set himself stays.
            if self.has_rlimit(resource as u32) {
                continue;
            }
            // The host's own hard limit can't be passed.
            let most = getrlimit(resource).map_or(u64::MAX, |(_, hard)| hard);
            runner.rlimits.push(Rlimit {
                resource: resource as u32,
                soft: soft.min(most),
                hard: hard.min(most),
            });
        }
        runner
    }

    /// The rlimits that go with the limits of a watched run. Each is the second line behind something better, or
    /// stands in for what is missing here.
    fn stand_ins(&self, lacks: u32, mark: Option<Mark>) -> Vec<(Resource, u64, u64)> {
        let mut limits = Vec::new();
        if let Some(ns) = self.watched.cpu {
            // Beyond the limit, so that it matters only where nobody looks in time.
            let seconds = ns.div_ceil(1_000_000_000).saturating_add(1);
            limits.push((Resource::RLIMIT_CPU, seconds, seconds.saturating_add(1)));
        }
        if let Some(bytes) = self.watched.output {
            limits.push((Resource::RLIMIT_FSIZE, bytes, bytes));
        }
        if let (Some(bytes), true) = (self.watched.memory, lacks & missing::MEMORY != 0) {
            // Address space is more than memory: what is mapped and never touched counts too.
            let space = bytes.saturating_mul(2).saturating_add(SPARE_SPACE);
            limits.push((Resource::RLIMIT_AS, space, space));
        }
        if let (Some(n), true) = (self.watched.processes, lacks & missing::PROCESSES != 0) {
            let n = n.saturating_add(self.tasks_elsewhere());
            limits.push((Resource::RLIMIT_NPROC, n, n));
        }
        if let Some(Mark(value)) = mark {
            limits.push((Resource::RLIMIT_LOCKS, value, value));
        }
        limits
    }

    /// RLIMIT_NPROC counts all that a user has on the machine; since Linux 5.14 anew in each user namespace.
    fn tasks_elsewhere(&self) -> u64 {
        let anew = Host::current().features.kernel >= (5, 14);
        if anew && self.has_namespace(libc::CLONE_NEWUSER) {
            return 0;
        }
        let own = nix::unistd::geteuid().as_raw();
        procfs::tasks_of(self.credential.as_ref().map_or(own, |c| c.uid))
    }

    /// What a program needs to be started at all counts too.
    fn explain_memory(&self, error: Error, group: &Group) -> Error {
        let Some(bytes) = self.watched.memory else {
            return error;
        };
        let peak = group.memory_peak().map_or(0, |(peak, _)| peak);
        match group.met_memory_limit(bytes, group.memory_events().1, peak) {
            true => error.because(&format!("the memory limit is {bytes} bytes")),
            false => error,
        }
    }
}

fn new_mark() -> Mark {
    let most = getrlimit(Resource::RLIMIT_LOCKS).map_or(u64::MAX, |(_, hard)| hard);
    Mark::new(now(), most)
}

const GONE: [Errno; 4] = [Errno::ENOENT, Errno::EACCES, Errno::EPERM, Errno::EROFS];
/// waitid(P_PIDFD).
const WAIT_BY_PIDFD_SINCE: (u32, u32) = (5, 4);
/// For the program's own text, its libraries and stacks.
const SPARE_SPACE: u64 = 16 << 20;

impl Run {
    /// Everything into the epoll, and the first timer.
    pub fn register(&mut self) -> Result<()> {
        let live = &self.live;
        for (i, pipe) in live.pipes.iter().enumerate() {
            if let Some(fd) = &pipe.read {
                live.watch.add(fd, Token::Pipe(i))?;
            }
        }
        if let Some(pidfd) = &live.pidfd {
            live.watch.add(pidfd, Token::Process)?;
        }
        self.arm();
        Ok(())
    }
}
