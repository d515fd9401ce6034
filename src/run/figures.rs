//! What a run has used, from the best source there is, and the looks that stand in where no cgroup counts.

use super::cgroup::{Cpu, Group};
use super::live::Live;
use super::options::Watched;
use super::outcome::Source;
use super::procfs::{self, Look};
use super::{missing, now};
use crate::host::Host;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A figure with its source.
pub type Figure = (u64, Source);

/// All the figures of a run. What is not there is None.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub cpu: Option<(Cpu, Source)>,
    pub memory: Option<Figure>,
    pub processes: Option<Figure>,
    pub oom_kills: u64,
    pub memory_limit_hits: u64,
    pub forks_refused: u64,
    pub forks_refused_is_final: bool,
}

impl Figures {
    /// What the cgroups say now. A cgroup that is gone leaves the figures as they were.
    pub fn update(&mut self, group: &Group, limits: &Watched) {
        self.cpu = group.cpu().or(self.cpu);
        self.memory = group.memory_peak().or(self.memory);
        self.processes = group.processes_peak().or(self.processes);
        let (kills, hits) = group.memory_events();
        self.oom_kills = kills.max(self.oom_kills);
        self.memory_limit_hits = hits.max(self.memory_limit_hits);
        if limits.processes.is_some() && !self.forks_refused_is_final {
            self.forks_refused = group.forks_refused().max(self.forks_refused);
        }
    }
}

/// Looks at a run from time to time, because something is not counted for it.
pub struct Sampler {
    pub needed: bool,
    /// The memory limit that is enforced by it.
    pub enforces: Option<u64>,
    highest: Look,
    /// How long the last look took, in ns.
    cost: u64,
}

/// How many runs of this process are looked at.
static LOOKED_AT: AtomicU64 = AtomicU64::new(0);

/// What a cgroup counts, where there is one for it.
const COUNTED: u32 = missing::MEMORY | missing::PROCESSES | missing::CPU;
/// memory.peak of cgroup v2.
const MEMORY_PEAK_SINCE: (u32, u32) = (5, 19);
/// pids.peak.
const PIDS_PEAK_SINCE: (u32, u32) = (6, 1);

impl Sampler {
    pub fn new(live: &Live, host: &Host, enforces: Option<u64>) -> Sampler {
        let kernel = host.features.kernel;
        let v2 = live.group.memory_source() == Source::CgroupV2;
        let uncounted = live.misses(COUNTED) || kernel < PIDS_PEAK_SINCE;
        let needed = uncounted || v2 && kernel < MEMORY_PEAK_SINCE;
        LOOKED_AT.fetch_add(needed.into(), Relaxed);
        Sampler {
            needed,
            enforces,
            highest: Look::default(),
            cost: 0,
        }
    }

    /// How long until the next look, this long after the begin: often at first, since most runs are short.
    ///
    /// Where a look goes through all processes of the machine, many runs would cost the square of their number: then
    /// all of them together take a fifth of a CPU, until the looks would be too rare.
    pub fn pause(&self, elapsed: u64) -> u64 {
        const MS: u64 = 1_000_000;
        let (pause, rarest) = match self.enforces.is_some() {
            true => ((elapsed / 16).clamp(2 * MS, 100 * MS), 500 * MS),
            false => ((elapsed / 8).clamp(4 * MS, 250 * MS), 5000 * MS),
        };
        match LOOKED_AT.load(Relaxed) {
            runs if runs <= FEW => pause,
            runs => pause.max((5 * runs * self.cost).min(rarest)),
        }
    }

    /// Looks at what no cgroup says.
    pub fn look(&mut self, live: &Live) -> Look {
        let begin = now();
        let group = &live.group;
        let family = || {
            let siblings = if live.held_together {
                Vec::new()
            } else {
                live.siblings()
            };
            [vec![live.pid], siblings].concat()
        };
        let mut now = match live.misses(COUNTED) {
            true => procfs::look(family()),
            false => Look::default(),
        };
        if self.enforces.is_some_and(|most| now.memory > most) && now.processes > 1 {
            // Processes that were forked share pages, which have been counted for each of them.
            now.memory = procfs::shared_out(family()).min(now.memory);
        }
        now.memory = group.memory_now().unwrap_or(now.memory);
        now.processes = group.processes_now().unwrap_or(now.processes);
        let highest = &mut self.highest;
        highest.cpu_ns = highest.cpu_ns.max(now.cpu_ns);
        highest.memory = highest.memory.max(now.memory);
        highest.processes = highest.processes.max(now.processes);
        self.cost = self::now().saturating_sub(begin);
        now
    }

    pub fn highest(&self) -> Look {
        self.highest
    }
}

/// So few runs are looked at as often as is good for their figures.
const FEW: u64 = 8;

impl Drop for Sampler {
    fn drop(&mut self) {
        LOOKED_AT.fetch_sub(self.needed.into(), Relaxed);
    }
}

/// The larger of a sampled figure and another one.
pub fn larger(sampled: u64, other: Option<Figure>) -> Option<Figure> {
    let sampled = (sampled > 0).then_some((sampled, Source::Sampled));
    [other, sampled]
        .into_iter()
        .flatten()
        .max_by_key(|figure| figure.0)
}
