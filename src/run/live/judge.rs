//! What is told of a run: the best of the figures that there are, and the verdict.

use super::Run;
use crate::run::cgroup::Cpu;
use crate::run::figures::{larger, Figure};
use crate::run::outcome::{Outcome, Source};
use crate::run::stdio::Pipe;
use crate::run::verdict::{decide, End, Seen};
use crate::run::{missing, now};
use nix::sys::resource::{getrusage, UsageWho};

/// The kernel counts RLIMIT_CPU in ticks of up to this, in ns.
const TICK: u64 = 10_000_000;

impl Run {
    pub(super) fn judge(&self) -> Outcome {
        let mut outcome = self.usage();
        let Some(ended) = &self.ended else {
            return outcome;
        };
        let memory_unlimited = self.live.misses(missing::MEMORY);
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
            at_cpu_rlimit: self.cpu_rlimit.is_some_and(|ns| cpu + TICK >= ns),
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
    pub(super) fn usage(&self) -> Outcome {
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

/// Where the process's peak is not above this one, it may be this one: until its exec it had the host's memory.
fn host_peak() -> u64 {
    let peak = getrusage(UsageWho::RUSAGE_SELF).map(|usage| usage.max_rss());
    peak.unwrap_or(i64::MAX / 1024).max(0) as u64 * 1024
}
