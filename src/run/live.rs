//! A run while it lives: what is done when its fd is readable, from the first event to the outcome.

mod judge;

use super::cgroup::Group;
use super::figures::{Figures, Sampler};
use super::options::Watched;
use super::outcome::Outcome;
use super::stdio::{Pipe, Read};
use super::tree::{self, Mark};
use super::verdict::Cause;
use super::watch::{Token, Watch};
use super::{missing, now, procfs};
use crate::host::Host;
use crate::launch::reap::{self, Collected};
use crate::runner::Runner;
use once_cell::sync::Lazy;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// What a run consists of.
pub struct Live {
    pub pid: i32,
    /// Until the process is reaped.
    pub pidfd: Option<OwnedFd>,
    pub watch: Watch,
    pub pipes: Vec<Pipe>,
    pub group: Group,
    /// None: a pid namespace holds the run together.
    pub mark: Option<Mark>,
    /// The thread that made the run.
    pub maker: i32,
    /// By a cgroup.
    pub holds: bool,
    /// By a pid namespace.
    pub held_together: bool,
    pub missing: u32,
    /// When the caller asked for it, and when the program began.
    pub called: u64,
    pub begin: u64,
    /// CPU time of the launch, which is not the program's, and which all counted that count the program's.
    pub launch_cpu: u64,
}

pub struct Run {
    pub live: Live,
    limits: Watched,
    /// In ns: the RLIMIT_CPU that the program has.
    cpu_rlimit: Option<u64>,
    file_size_limited: bool,
    /// The caller has given a filter, or has one himself.
    filtered: bool,
    figures: Figures,
    sampler: Sampler,
    /// How much the captures together may still keep.
    left: u64,
    cpu_due: Option<u64>,
    sample_due: Option<u64>,
    armed: Option<u64>,
    cause: Option<Cause>,
    /// When it was killed, or ended by itself.
    ending_since: Option<u64>,
    ended: Option<Ended>,
    /// When it was seen to be dead, where its status cannot be had yet.
    died_at: Option<u64>,
    pub outcome: Option<Outcome>,
}

/// The end of the first process.
struct Ended {
    at: u64,
    collected: Collected,
    filtered: bool,
}

const MS: u64 = 1_000_000;
/// Between two attempts to put away what a run has left: at first, and later on.
const RETRY: (u64, u64) = (MS, 100 * MS);
/// After this, what still can't be killed (a process in an uninterruptible sleep, two that trace each other's exit) is
/// left behind.
const GIVE_UP: u64 = 5_000 * MS;
/// How often a finish is tried at once, before the timer is used.
const QUICK_TRIES: u32 = 20;
/// How many rounds of events one step takes, so that no program can keep the host in it.
const ROUNDS: u32 = 4;
/// How many turns each pipe has at the end. A pipe holds far less than they take.
const LAST_TURNS: u32 = 1000;
/// No look at the CPU time is due earlier than this. The kernel itself counts in ticks of 1 to 10 ms.
const SHORTEST_NAP: u64 = 2 * MS;

static CPUS: Lazy<u64> = Lazy::new(|| {
    // SAFETY: sysconf reads a number.
    (unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) }).max(1) as u64
});

impl Run {
    pub fn new(live: Live, asked: &Runner, prepared: &Runner) -> Run {
        let soft = |resource: libc::__rlimit_resource_t| {
            let limit = prepared
                .rlimits
                .iter()
                .rev()
                .find(|l| l.resource == resource);
            limit
                .map(|l| l.soft)
                .filter(|soft| *soft != libc::RLIM_INFINITY)
        };
        let limits = Watched {
            input: None,
            ..asked.watched.clone()
        };
        let enforces = limits.memory.filter(|_| live.misses(missing::MEMORY));
        Run {
            cpu_rlimit: soft(libc::RLIMIT_CPU).map(|s| s.saturating_mul(1000 * MS)),
            file_size_limited: soft(libc::RLIMIT_FSIZE).is_some(),
            filtered: asked.seccomp.is_some() || has_filter(),
            figures: Figures::default(),
            sampler: Sampler::new(&live, &Host::current(), enforces),
            left: limits.output.unwrap_or(u64::MAX),
            cpu_due: limits.cpu.map(|ns| aligned(live.begin, nap(ns, *CPUS))),
            sample_due: None,
            armed: None,
            cause: None,
            ending_since: None,
            ended: None,
            died_at: None,
            outcome: None,
            limits,
            live,
        }
    }

    /// Takes in everything that is ready. True: the outcome is there.
    pub fn step(&mut self) -> bool {
        if self.outcome.is_some() {
            return true;
        }
        let mut more = true;
        for _ in 0..ROUNDS {
            let mut ready = self.live.watch.ready();
            // A run that has ended by itself is not to be blamed for a host that comes late.
            ready.sort_by_key(|token| *token != Token::Process);
            more = ready.len() == Watch::AT_ONCE;
            for token in ready {
                more |= self.take(token) == Read::More;
            }
            if !more || self.outcome.is_some() {
                break;
            }
        }
        match self.outcome {
            // The fd stays readable.
            Some(_) => self.live.watch.set_timer(1),
            // A host that is told of edges only has to be told again.
            None if more => self.set_timer(1),
            None => self.arm(),
        }
        self.outcome.is_some()
    }

    fn take(&mut self, token: Token) -> Read {
        match token {
            // The end, which has come just before it in the same list, has seen to everything.
            _ if self.outcome.is_some() => {}
            Token::Timer => {
                self.live.watch.clear_timer();
                self.armed = None;
                self.go_on();
            }
            Token::Process => self.process_ended(),
            Token::Pipe(i) => return self.output(i),
        }
        Read::Empty
    }

    /// Whatever is due, told by no event.
    fn go_on(&mut self) {
        match self.ended {
            Some(_) => self.finish(),
            None if self.has_ended() => self.process_ended(),
            None => self.look(),
        }
    }

    /// Whether its first process is dead, seen or unseen.
    fn has_ended(&self) -> bool {
        self.live.pidfd.as_ref().is_some_and(reap::has_ended)
    }

    /// Wakes the host when something is due.
    pub fn arm(&mut self) {
        let due = self.due();
        if due != self.armed {
            self.set_timer(due.unwrap_or(u64::MAX));
            self.armed = due;
        }
    }

    fn set_timer(&mut self, at: u64) {
        self.live.watch.set_timer(at);
        self.armed = Some(at);
    }

    fn due(&mut self) -> Option<u64> {
        if let Some(since) = self.ending_since {
            let time = now();
            let retry = time + ((time - since) / 4).clamp(RETRY.0, RETRY.1);
            // Not put off by each step of a host that steps all the time.
            return Some(self.armed.map_or(retry, |at| at.min(retry)));
        }
        let begin = self.live.begin;
        if self.sampler.needed && self.sample_due.is_none() {
            let time = now();
            self.sample_due = Some(aligned(time, self.sampler.pause(time - begin)));
        }
        let wall = self.limits.wall.map(|ns| begin.saturating_add(ns));
        [wall, self.cpu_due, self.sample_due]
            .into_iter()
            .flatten()
            .min()
    }

    /// A limit may have been passed.
    fn look(&mut self) {
        if self.ending_since.is_some() {
            self.kill_tree();
            return self.give_up_if_late();
        }
        let time = now();
        if self
            .limits
            .wall
            .is_some_and(|ns| time >= self.live.begin.saturating_add(ns))
        {
            return self.end(Cause::Wall);
        }
        if self.sample_due.is_some_and(|due| time >= due) {
            self.sample_due = None;
            let seen = self.sampler.look(&self.live);
            if self.sampler.enforces.is_some_and(|most| seen.memory > most) {
                return self.end(Cause::Memory);
            }
        }
        if self.cpu_due.is_some_and(|due| time >= due) {
            self.look_at_cpu(time);
        }
    }

    /// Perhaps without an end of its first process, which nothing can bring about.
    fn give_up_if_late(&mut self) {
        if self
            .ending_since
            .is_none_or(|since| now() <= since + GIVE_UP)
        {
            return;
        }
        self.live.missing |= missing::TREE;
        self.live.group.reason = "what the program has left cannot be killed".into();
        if self.ended.is_none() {
            self.ended = Some(Ended {
                at: now(),
                collected: Collected::lost(),
                filtered: false,
            });
        }
        self.conclude();
    }

    fn look_at_cpu(&mut self, time: u64) {
        let Some(limit) = self.limits.cpu else { return };
        let used = self.cpu_so_far();
        if used > limit {
            return self.end(Cause::Cpu);
        }
        self.cpu_due = Some(aligned(time, nap(limit - used, self.most_threads())));
    }

    /// How many can run at once, where that is enforced.
    fn most_threads(&self) -> u64 {
        match self.limits.processes {
            Some(most) if !self.live.misses(missing::PROCESSES) => most.min(*CPUS),
            _ => *CPUS,
        }
    }

    /// What the kernel says of a thread that runs is of its last tick, whichever way one asks (tried on 6.18: cgroup,
    /// process clock).
    fn cpu_so_far(&mut self) -> u64 {
        let live = &self.live;
        let total = match live.group.cpu() {
            Some((cpu, _)) => cpu.total,
            None if live.misses(missing::CPU) => self.sampler.look(live).cpu_ns,
            // The host has no free fd to read it with.
            None => procfs::own_cpu(live.pid).unwrap_or(0),
        };
        total.saturating_sub(self.live.launch_cpu)
    }

    fn output(&mut self, i: usize) -> Read {
        let read = self.drain(i);
        if self.live.pipes[i].is_full() {
            self.end(Cause::Capture);
        }
        read
    }

    fn drain(&mut self, i: usize) -> Read {
        let pipe = &mut self.live.pipes[i];
        let read = pipe.drain(&mut self.left);
        if let (Read::End, Some(fd)) = (read, &pipe.read) {
            self.live.watch.remove(fd);
            // A full one stays open until the program is killed, who would die of SIGPIPE else.
            if !pipe.is_full() {
                pipe.read = None;
            }
        }
        read
    }

    /// Ends the run, unless it has ended already, seen or unseen.
    pub fn end(&mut self, cause: Cause) {
        if self.ended.is_some() || self.outcome.is_some() || self.died_at.is_some() {
            return;
        }
        if self.has_ended() {
            return self.process_ended();
        }
        self.cause.get_or_insert(cause);
        self.ending_since.get_or_insert_with(now);
        // What is in no group is looked for once this is seen to be dead: that takes milliseconds, which would be the
        // run's.
        self.kill_group();
    }

    fn kill_group(&mut self) {
        // Forks that are refused from now on are refused by the killing.
        if !self.figures.forks_refused_is_final {
            self.figures.update(&self.live.group, &self.limits);
            self.figures.forks_refused_is_final = true;
        }
        let live = &self.live;
        if self.ended.is_none() {
            tree::kill(live.pid, live.pidfd.as_ref());
        }
        live.group.kill();
    }

    fn kill_tree(&mut self) {
        self.kill_group();
        let live = &self.live;
        if let (Some(mark), false) = (live.mark, live.holds) {
            mark.kill_all();
        }
    }

    fn process_ended(&mut self) {
        let at = now();
        let Some(pidfd) = &self.live.pidfd else {
            return;
        };
        // While it is a zombie, /proc still knows.
        let filtered = self.filtered
            && reap::ended_by(pidfd) == Some(libc::SIGSYS)
            && procfs::is_filtered(self.live.pid).unwrap_or(true);
        self.live.watch.remove(pidfd);
        let Some(collected) = reap::collect(pidfd) else {
            return self.await_tracer();
        };
        // This one fd may be all that there is to read the figures with.
        self.live.pidfd = None;
        self.ending_since.get_or_insert(at);
        self.ended = Some(Ended {
            at: self.died_at.unwrap_or(at),
            collected,
            filtered,
        });
        self.finish();
    }

    /// It is dead, but the status goes to its tracer first, which is one of the run and has to die before.
    fn await_tracer(&mut self) {
        let at = *self.died_at.get_or_insert_with(now);
        self.ending_since.get_or_insert(at);
        self.kill_tree();
        self.give_up_if_late();
    }

    /// The first process is gone: so goes the rest of the tree, and when that is gone too, there is an outcome.
    fn finish(&mut self) {
        // A look at every process of the machine is not quick.
        let quick = self.live.holds || self.live.mark.is_none();
        for _ in 0..if quick { QUICK_TRIES } else { 2 } {
            self.figures.update(&self.live.group, &self.limits);
            if self.is_gone() {
                return self.conclude();
            }
            self.kill_tree();
            std::thread::yield_now();
        }
        self.give_up_if_late();
    }

    fn is_gone(&mut self) -> bool {
        // While the groups still are there to tell whose they are.
        let no_siblings = self.reap_siblings();
        let live = &mut self.live;
        let loose = live.mark.filter(|_| !live.holds);
        no_siblings && live.group.remove() && !loose.is_some_and(Mark::is_anywhere)
    }

    /// Children that the program has made this process's own. True: there are none left.
    fn reap_siblings(&self) -> bool {
        // In a pid namespace there can be none, and of a program that never forked there are none.
        let alone = self.figures.processes.is_some_and(|(peak, _)| peak == 1);
        if self.live.held_together || alone {
            return true;
        }
        let mut all = true;
        for pid in self.live.siblings() {
            tree::kill(pid, tree::open(pid).as_ref());
            all &= reap::reap_now(pid);
        }
        all
    }

    /// Kills the run and waits for its end, a few seconds at most, whatever its fd says.
    pub fn end_now(&mut self) {
        self.step();
        self.end(Cause::Caller);
        let until = now() + GIVE_UP + GIVE_UP / 10;
        let mut pause = Duration::from_micros(50);
        while self.outcome.is_none() && now() < until {
            self.go_on();
            if self.outcome.is_none() {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(20));
            }
        }
    }

    fn conclude(&mut self) {
        for i in 0..self.live.pipes.len() {
            // Nobody writes any more, so it ends; but who knows who else has the pipe.
            for _ in 0..LAST_TURNS {
                if self.drain(i) != Read::More {
                    break;
                }
            }
            if let Some(fd) = self.live.pipes[i].read.take() {
                self.live.watch.remove(fd);
            }
        }
        self.outcome = Some(self.judge());
    }

    /// The figures now.
    pub fn usage_now(&mut self) -> Outcome {
        if let Some(outcome) = &self.outcome {
            return outcome.clone();
        }
        self.figures.update(&self.live.group, &self.limits);
        if self.sampler.needed && self.ended.is_none() {
            self.sampler.look(&self.live);
        }
        self.usage()
    }
}

/// A budget cannot be used up before it has passed on every CPU that it can be used on, so the next look is due then.
fn nap(budget: u64, threads: u64) -> u64 {
    (budget / threads.max(1)).max(SHORTEST_NAP)
}

/// Whether this process is under a seccomp filter, which the program inherits.
fn has_filter() -> bool {
    // SAFETY: PR_GET_SECCOMP only returns a number.
    unsafe { libc::prctl(libc::PR_GET_SECCOMP) == libc::SECCOMP_MODE_FILTER as i32 }
}

impl Live {
    /// Whether it has to do without one of these.
    pub fn misses(&self, bits: u32) -> bool {
        self.missing & bits != 0
    }

    /// Children of this process that belong to the run, but for its first process.
    pub fn siblings(&self) -> Vec<i32> {
        tree::siblings(self.pid, self.maker, self.mark, &self.group)
    }
}

/// The end of a nap, up to an eighth earlier than it need be: then many runs share a wake-up of the host, instead of
/// each having its own.
fn aligned(time: u64, nap: u64) -> u64 {
    let grid = (nap / 8).checked_ilog2().map_or(1, |bits| 1 << bits);
    time.saturating_add(nap) & !(grid - 1)
}
