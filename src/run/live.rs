//! A run while it lives: what is done when its fd is readable, from the first event to the outcome.

use super::cgroup::{Cpu, Group};
use super::figures::{larger, Figure, Figures, Sampler};
use super::options::Watched;
use super::outcome::{Outcome, Source};
use super::stdio::{Pipe, Read};
use super::tree::{self, Mark};
use super::verdict::{decide, Cause, End, Seen};
use super::watch::{Token, Watch};
use super::{now, procfs};
use crate::host::Host;
use crate::launch::reap::{self, Collected};
use crate::runner::Runner;
use nix::sys::resource::{getrusage, UsageWho};
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
    /// It is dead, and its status cannot be had yet.
    leader_is_dead: bool,
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
        let unlimited = live.group.missing & super::missing::MEMORY != 0;
        let enforces = limits.memory.filter(|_| unlimited);
        Run {
            cpu_rlimit: soft(libc::RLIMIT_CPU).map(|s| s.saturating_mul(1000 * MS)),
            file_size_limited: soft(libc::RLIMIT_FSIZE).is_some(),
            filtered: asked.seccomp.is_some() || has_filter(),
            figures: Figures::default(),
            sampler: Sampler::new(&live.group, &Host::current(), enforces),
            left: limits.output.unwrap_or(u64::MAX),
            cpu_due: limits.cpu.map(|ns| aligned(live.begin, nap(ns, *CPUS))),
            sample_due: None,
            armed: None,
            cause: None,
            ending_since: None,
            ended: None,
            leader_is_dead: false,
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
                match (&self.ended, self.leader_is_dead) {
                    (Some(_), _) => self.finish(),
                    (None, true) => self.process_ended(),
                    (None, false) => self.look(),
                }
            }
            Token::Process => self.process_ended(),
            Token::Pipe(i) => return self.output(i),
        }
        Read::Empty
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
            return Some(time + ((time - since) / 4).clamp(RETRY.0, RETRY.1));
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
        let time = now();
        if let (Some(_), Some(since)) = (self.cause, self.ending_since) {
            self.kill_tree();
            if time > since + GIVE_UP {
                self.give_up();
            }
            return;
        }
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

    /// Without an end of its first process, which nothing can bring about.
    fn give_up(&mut self) {
        self.live.missing |= super::missing::TREE;
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
        match self.live.missing & super::missing::PROCESSES {
            0 => self.limits.processes.unwrap_or(*CPUS).min(*CPUS),
            _ => *CPUS,
        }
    }

    /// What the kernel says of a thread that runs is of its last tick, whichever way one asks (tried on 6.18: cgroup,
    /// process clock).
    fn cpu_so_far(&mut self) -> u64 {
        let live = &self.live;
        let total = match live.group.cpu() {
            Some((cpu, _)) => cpu.total,
            None if live.missing & super::missing::CPU != 0 => self.sampler.look(live).cpu_ns,
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
        if self.ended.is_some() || self.outcome.is_some() || self.leader_is_dead {
            return;
        }
        if self.live.pidfd.as_ref().is_some_and(reap::has_ended) {
            return self.process_ended();
        }
        self.cause.get_or_insert(cause);
        self.begin_ending();
        // What is in no group is looked for once this is seen to be dead: that takes milliseconds, which would be the
        // run's.
        self.kill_group();
    }

    /// Forks that are refused from now on are refused by the killing.
    fn begin_ending(&mut self) {
        if self.ending_since.is_none() {
            self.ending_since = Some(now());
            self.figures.update(&self.live.group, &self.limits);
            self.figures.forks_refused_is_final = true;
        }
    }

    fn kill_group(&self) {
        let live = &self.live;
        if self.ended.is_none() {
            tree::kill(live.pid, live.pidfd.as_ref());
        }
        live.group.kill();
    }

    fn kill_tree(&self) {
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
        let filtered = match reap::ended_by(pidfd) {
            Some(libc::SIGSYS) => procfs::is_filtered(self.live.pid).unwrap_or(true),
            _ => false,
        };
        self.live.watch.remove(pidfd);
        let Some(collected) = reap::collect(pidfd) else {
            return self.await_tracer();
        };
        // This one fd may be all that there is to read the figures with.
        self.live.pidfd = None;
        self.begin_ending();
        self.ended = Some(Ended {
            at: self.died_at.unwrap_or(at),
            collected,
            filtered: filtered && self.filtered,
        });
        self.finish();
    }

    /// It is dead, but the status goes to its tracer first, which is one of the run and has to die before.
    fn await_tracer(&mut self) {
        self.leader_is_dead = true;
        self.died_at.get_or_insert_with(now);
        self.begin_ending();
        self.kill_tree();
        if self
            .ending_since
            .is_some_and(|since| now() > since + GIVE_UP)
        {
            self.give_up();
        }
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
        if self
            .ending_since
            .is_some_and(|since| now() > since + GIVE_UP)
        {
            self.give_up();
        }
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
            match self.ended {
                Some(_) => self.finish(),
                None if self.live.pidfd.as_ref().is_some_and(reap::has_ended) => {
                    self.process_ended()
                }
                None => self.look(),
            }
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

    fn judge(&self) -> Outcome {
        let mut outcome = self.usage();
        let Some(ended) = &self.ended else {
            return outcome;
        };
        let memory_unlimited = self.live.missing & super::missing::MEMORY != 0;
        let beyond = |figure: u64, limit: Option<u64>| limit.is_some_and(|most| figure > most);
        let cpu = outcome.cpu_ns;
        let figures = &self.figures;
        let (hits, peak) = (figures.memory_limit_hits, outcome.memory_peak);
        let met = |most| self.live.group.met_memory_limit(most, hits, peak);
        let at_own_limit = self.limits.memory.is_some_and(met);
        let seen = Seen {
            end: ended.collected.end,
            cause: self.cause,
            oom_at_own_limit: figures.oom_kills > 0 && at_own_limit,
            memory_refused: at_own_limit && hits > 0,
            memory_exceeded: memory_unlimited && beyond(outcome.memory_peak, self.limits.memory),
            cpu_exceeded: beyond(cpu, self.limits.cpu),
            // The kernel counts in ticks of up to 10 ms.
            at_cpu_rlimit: self.cpu_rlimit.is_some_and(|ns| cpu + 10 * MS >= ns),
            output_cut: self.live.pipes.iter().any(Pipe::is_full),
            file_size_limited: self.file_size_limited,
            forks_refused: outcome.process_limit_hits > 0,
            filtered: ended.filtered,
        };
        (outcome.verdict, outcome.evidence) = decide(&seen);
        (outcome.exit_code, outcome.signal) = match ended.collected.end {
            End::Code(code) => (code, 0),
            End::Signal(signal) => (-1, signal),
            End::Lost => (-1, 0),
        };
        outcome
    }

    /// The figures now, without a look at the cgroups.
    fn usage(&self) -> Outcome {
        let live = &self.live;
        let end = self.ended.as_ref().map_or_else(now, |ended| ended.at);
        let (cpu, cpu_source) = self.cpu();
        let memory = self.memory().unwrap_or_default();
        let processes = self.processes().unwrap_or_default();
        let own_limit = self.limits.processes.is_some_and(|most| {
            // A peak below the limit: another one, further up, was in the way.
            processes.1 == Source::Sampled || processes.0 >= most
        });
        let cut = live.pipes.iter().find(|pipe| pipe.cut);
        let kept = live.pipes.iter().map(|pipe| pipe.data.len() as u64).sum();
        Outcome {
            exit_code: -1,
            wall_ns: end - live.begin,
            user_ns: cpu.total - cpu.system,
            system_ns: cpu.system,
            cpu_ns: cpu.total,
            cpu_source,
            memory_peak: memory.0,
            memory_source: memory.1,
            oom_kills: self.figures.oom_kills.try_into().unwrap_or(u32::MAX),
            processes_peak: processes.0,
            processes_source: processes.1,
            process_limit_hits: if own_limit {
                self.figures.forks_refused
            } else {
                0
            },
            output_bytes: kept,
            output_cut: cut.is_some(),
            output_fd: cut.map(|pipe| pipe.child_fd),
            setup_ns: live.begin - live.called,
            missing: live.missing,
            reason: live.group.reason.clone(),
            ..Outcome::default()
        }
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

    fn cpu(&self) -> (Cpu, Source) {
        let since_begin = |now: Cpu| {
            let total = now.total.saturating_sub(self.live.launch_cpu);
            Cpu {
                total,
                system: now.system.saturating_sub(self.live.launch_cpu).min(total),
            }
        };
        if let Some((cpu, source)) = self.figures.cpu {
            return (since_begin(cpu), source);
        }
        let sampled = Cpu {
            total: self.sampler.highest().cpu_ns,
            system: 0,
        };
        match self.ended.as_ref().and_then(|ended| ended.collected.cpu) {
            Some(rusage) if rusage.total >= sampled.total => (since_begin(rusage), Source::Rusage),
            _ if sampled.total > 0 => (since_begin(sampled), Source::Sampled),
            _ => (Cpu::default(), Source::None),
        }
    }

    fn memory(&self) -> Option<Figure> {
        let group = &self.live.group;
        if self.figures.memory.is_some() {
            return self.figures.memory;
        }
        // Without a peak from the kernel: the limit, where it was met.
        if let (Some(most), 1..) = (self.limits.memory, self.figures.memory_limit_hits) {
            return Some((most, group.memory_source()));
        }
        let rusage = self.ended.as_ref().and_then(|ended| ended.collected.memory);
        let own = rusage.filter(|peak| *peak > host_peak());
        larger(
            self.sampler.highest().memory,
            own.map(|peak| (peak, Source::Rusage)),
        )
    }

    fn processes(&self) -> Option<Figure> {
        if self.figures.processes.is_some() {
            return self.figures.processes;
        }
        match self.limits.processes {
            Some(most) if self.figures.forks_refused > 0 => {
                Some((most, self.live.group.pids_source()))
            }
            _ => larger(self.sampler.highest().processes, None),
        }
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

/// Where the process's peak is not above this one, it may be this one: until its exec it had the host's memory.
fn host_peak() -> u64 {
    let peak = getrusage(UsageWho::RUSAGE_SELF).map(|usage| usage.max_rss());
    peak.unwrap_or(i64::MAX / 1024).max(0) as u64 * 1024
}
