//! The cgroups of one run: one directory in each hierarchy that is needed, made before it and removed after it.

pub mod files;
pub mod places;

use super::missing;
use super::options::Watched;
use super::outcome::Source;
use crate::error::{reason, Error, Result};
use crate::me::Me;
use crate::stage::Stage;
use files::{Dir, Failure, Item};
use nix::errno::Errno;
use places::{Place, Places};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// The groups of a run. Dropping it kills what is in them and removes them.
#[derive(Default)]
pub struct Group {
    /// Every directory, v2 first.
    dirs: Vec<Dir>,
    v2: Option<Dir>,
    memory: Option<Dir>,
    pids: Option<Dir>,
    cpuacct: Option<Dir>,
    freezer: Option<Dir>,
    /// Bits of [`missing`], but for TREE.
    pub missing: u32,
    /// Why.
    pub reason: String,
    owner: Me,
    /// What its directories are called, in every hierarchy.
    name: String,
}

/// CPU time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    pub total: u64,
    pub system: u64,
}

/// Which places a run needs for what.
struct Choice<'a> {
    v2: Option<&'a Place>,
    memory: Option<&'a Place>,
    pids: Option<&'a Place>,
    cpuacct: Option<&'a Place>,
    quota: Option<&'a Place>,
    freezer: Option<&'a Place>,
}

impl<'a> Choice<'a> {
    /// `taken`: the devices of hierarchies that the caller has a cgroup of his own in. `held`: a pid namespace keeps
    /// the run together.
    fn new(places: &'a Places, watched: &Watched, taken: &[u64], held: bool) -> Choice<'a> {
        let free = |place: &&Place| !taken.contains(&place.device);
        let with = |bits: u32| places.with(bits).filter(free);
        let v2 = places.v2().filter(free);
        let pids = with(places::PIDS);
        Choice {
            v2,
            memory: with(places::MEMORY),
            pids,
            // Every v2 group counts CPU time, whatever its controllers.
            cpuacct: with(places::CPUACCT).filter(|_| v2.is_none()),
            quota: with(places::CPU).filter(|_| watched.quota.is_some()),
            // The last of the ways to hold a run still while it is killed.
            freezer: with(places::FREEZER).filter(|_| v2.is_none() && pids.is_none() && !held),
        }
    }

    /// Each place once, v2 first.
    fn places(&self) -> Vec<&'a Place> {
        let all = [
            self.v2,
            self.memory,
            self.pids,
            self.cpuacct,
            self.quota,
            self.freezer,
        ];
        let mut once: Vec<&Place> = Vec::new();
        for place in all.into_iter().flatten() {
            if once.iter().all(|known| known.device != place.device) {
                once.push(place);
            }
        }
        once
    }

    fn missing(&self, watched: &Watched) -> u32 {
        let lacks = |place: Option<&Place>, bit| if place.is_none() { bit } else { 0 };
        let quota = match watched.quota {
            Some(_) => lacks(self.quota, missing::QUOTA),
            None => 0,
        };
        lacks(self.memory, missing::MEMORY)
            | lacks(self.pids, missing::PROCESSES)
            | lacks(self.v2.or(self.cpuacct), missing::CPU)
            | quota
    }
}

/// What runs have to do without here, whatever they ask for: bits of [`missing`], but for TREE.
pub fn missing_in(places: &Places) -> u32 {
    let all = Watched {
        quota: Some(100),
        ..Watched::default()
    };
    Choice::new(places, &all, &[], false).missing(&all)
}

/// Tells the runs of this process apart. Another copy of the library in it counts anew, and so goes on to a free name.
static SERIAL: AtomicU32 = AtomicU32::new(0);

impl Group {
    /// The directories in which a run would be, without making them, and what it would have to do without.
    pub fn sketch(
        places: &Places,
        watched: &Watched,
        taken: &[u64],
        held: bool,
    ) -> (Vec<Dir>, u32) {
        let choice = Choice::new(places, watched, taken, held);
        let name = format!("runner-{}-N", std::process::id());
        let dirs = choice.places().into_iter().map(|place| child(place, &name));
        (dirs.collect(), choice.missing(watched))
    }

    pub fn make(places: &Places, watched: &Watched, taken: &[u64], held: bool) -> Result<Group> {
        let choice = Choice::new(places, watched, taken, held);
        let mut group = Group::default();
        group.missing = choice.missing(watched);
        group.owner = Me::now();
        if group.missing != 0 {
            group.reason = match taken.is_empty() {
                true => places.blockers.join("; "),
                false => "the caller has put the program into a cgroup of his own there".into(),
            };
        }
        let name = group.make_dirs(&choice.places())?;
        let dir = |place: Option<&Place>| place.map(|place| child(place, &name));
        group.v2 = dir(choice.v2);
        group.memory = dir(choice.memory);
        group.pids = dir(choice.pids);
        group.cpuacct = dir(choice.cpuacct);
        group.freezer = dir(choice.freezer);
        group.limit(watched, dir(choice.quota)).map_err(refused)?;
        group.name = name;
        Ok(group)
    }

    /// The same new name in every hierarchy; returns it.
    fn make_dirs(&mut self, places: &[&Place]) -> Result<String> {
        loop {
            let number = SERIAL.fetch_add(1, Relaxed);
            let name = format!("runner-{}-{number}", std::process::id());
            match self.try_name(places, &name) {
                Ok(()) => return Ok(name),
                // Left behind by a dead host with the same pid, or another copy of the library.
                Err(failure) if failure.errno == Errno::EEXIST => self.remove_all(),
                Err(failure) => return Err(refused(failure)),
            }
        }
    }

    fn try_name(&mut self, places: &[&Place], name: &str) -> std::result::Result<(), Failure> {
        for place in places {
            let dir = child(place, name);
            std::fs::create_dir(&dir.path).map_err(|e| files::failure(&dir.path, e))?;
            self.dirs.push(dir);
        }
        Ok(())
    }

    fn limit(&self, watched: &Watched, quota: Option<Dir>) -> std::result::Result<(), Failure> {
        if let (Some(dir), Some(bytes)) = (&self.memory, watched.memory) {
            limit_memory(dir, bytes)?;
        }
        if let (Some(dir), Some(n)) = (&self.pids, watched.processes) {
            // More than the kernel's own pid limit is not taken as a number.
            if n < PID_MAX_LIMIT {
                dir.set_number(files::PIDS_MAX, n)?;
            }
        }
        if let (Some(dir), Some(percent)) = (&quota, watched.quota) {
            limit_quota(dir, percent)?;
        }
        Ok(())
    }

    /// Where the program is to be born or to move to.
    pub fn dirs(&self) -> &[Dir] {
        &self.dirs
    }

    /// Whether the processes of the run are found by it.
    pub fn holds(&self) -> bool {
        !self.dirs.is_empty()
    }

    /// Whether this process, alive or a zombie, is or was in it, by its /proc/PID/cgroup.
    pub fn is_home_of(&self, pid: i32) -> bool {
        let table = files::read(Path::new(&format!("/proc/{pid}/cgroup"))).unwrap_or_default();
        let end = format!("/{}", self.name);
        let lies_there = |line: &str| line.trim_end_matches(" (deleted)").ends_with(&end);
        !self.name.is_empty() && table.lines().any(lies_there)
    }

    pub fn cpu(&self) -> Option<(Cpu, Source)> {
        if let Some(dir) = &self.v2 {
            let stat = dir.read("cpu.stat").ok()?;
            let ns = |key| Some(files::keyed(&stat, key)? * 1000);
            let cpu = Cpu {
                total: ns("usage_usec")?,
                system: ns("system_usec")?,
            };
            return Some((cpu, Source::CgroupV2));
        }
        let dir = self.cpuacct.as_ref()?;
        let total = files::keyed(&dir.read("cpuacct.usage").ok()?, "")?;
        // In ticks, so only their ratio is used.
        let stat = dir.read("cpuacct.stat").unwrap_or_default();
        let ticks = |key| files::keyed(&stat, key).unwrap_or(0);
        let (user, system) = (ticks("user"), ticks("system"));
        let share = u128::from(total) * u128::from(system);
        let cpu = Cpu {
            total,
            system: (share / u128::from((user + system).max(1))) as u64,
        };
        Some((cpu, Source::CgroupV1))
    }

    /// The exact peak; None where the kernel does not keep one.
    pub fn memory_peak(&self) -> Option<(u64, Source)> {
        let dir = self.memory.as_ref()?;
        Some((dir.number(files::MEMORY_PEAK)?, source(dir)))
    }

    pub fn memory_now(&self) -> Option<u64> {
        self.memory.as_ref()?.number(files::MEMORY_NOW)
    }

    /// How many processes the OOM killer took, and, in v2 only, how often this group's own limit stood in the way to
    /// the point of failing. v1 has nothing like it: its failcnt counts reclaim too, and stays 0 on newer kernels
    /// (seen on 6.18).
    pub fn memory_events(&self) -> (u64, u64) {
        let Some(dir) = &self.memory else {
            return (0, 0);
        };
        let (file, hits) = match dir.v2 {
            true => ("memory.events", "oom"),
            false => ("memory.oom_control", "no such thing"),
        };
        let text = dir.read(file).unwrap_or_default();
        let count = |key| files::keyed(&text, key).unwrap_or(0);
        (count("oom_kill"), count(hits))
    }

    /// Whether memory was refused at this limit, which is the run's own. In v1 only the peak says so; the kernel
    /// charges in batches, so it may stay a little below.
    pub fn met_memory_limit(&self, limit: u64, hits: u64, peak: u64) -> bool {
        match self.memory_source() {
            Source::CgroupV2 => hits > 0,
            Source::CgroupV1 => peak.saturating_add(CHARGE_BATCH) >= limit,
            _ => false,
        }
    }

    pub fn processes_peak(&self) -> Option<(u64, Source)> {
        let dir = self.pids.as_ref()?;
        Some((dir.number(files::PIDS_PEAK)?, source(dir)))
    }

    pub fn processes_now(&self) -> Option<u64> {
        self.pids.as_ref()?.number(files::PIDS_NOW)
    }

    pub fn forks_refused(&self) -> u64 {
        number(&self.pids, files::PIDS_REFUSED)
    }

    pub fn pids_source(&self) -> Source {
        self.pids.as_ref().map_or(Source::None, source)
    }

    pub fn memory_source(&self) -> Source {
        self.memory.as_ref().map_or(Source::None, source)
    }

    /// Kills everything that is in it now. What forks meanwhile may need another pass, where the kernel has no
    /// cgroup.kill.
    pub fn kill(&self) {
        let Some(dir) = self.dirs.first() else {
            return;
        };
        // Linux 5.14. It misses a process whose first thread has ended before the others (seen on 6.18), which the
        // list has.
        if dir.v2 && dir.write("cgroup.kill", "1").is_ok() {
            return kill_listed(dir);
        }
        self.stop_forks(true);
        kill_listed(dir);
        self.stop_forks(false);
    }

    /// The dead can only leave a frozen group once it is thawed; a limit on processes can stay.
    fn stop_forks(&self, stop: bool) {
        if let Some(dir) = &self.pids {
            if stop {
                let _ = dir.set_number(files::PIDS_MAX, 0);
            }
        } else if let Some(dir) = &self.v2 {
            let _ = dir.write("cgroup.freeze", if stop { "1" } else { "0" });
        } else if let Some(dir) = &self.freezer {
            let _ = dir.write("freezer.state", if stop { "FROZEN" } else { "THAWED" });
        }
    }

    /// Removes its directories. False: something in them still lives, or is not put away yet.
    pub fn remove(&mut self) -> bool {
        self.dirs.retain(|dir| !is_removed(dir));
        self.dirs.is_empty()
    }

    fn remove_all(&mut self) {
        for _ in 0..REMOVAL_TRIES {
            if self.remove() {
                return;
            }
            self.kill();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// For a fork of the host: this group belongs to the original.
    pub fn disown(&mut self) {
        self.dirs.clear();
    }
}

/// How long a drop waits for the dead to be put away, in milliseconds.
const REMOVAL_TRIES: u32 = 1000;
/// MEMCG_CHARGE_BATCH of the kernel, in bytes.
const CHARGE_BATCH: u64 = 64 * 4096;
/// PID_MAX_LIMIT of the kernel: pids.max takes no higher number.
const PID_MAX_LIMIT: u64 = 4 * 1024 * 1024;

impl Drop for Group {
    fn drop(&mut self) {
        if !self.dirs.is_empty() && self.owner == Me::now() {
            self.remove_all();
        }
    }
}

fn child(place: &Place, name: &str) -> Dir {
    Dir {
        path: place.dir.path.join(name),
        v2: place.dir.v2,
    }
}

fn source(dir: &Dir) -> Source {
    match dir.v2 {
        true => Source::CgroupV2,
        false => Source::CgroupV1,
    }
}

fn number(dir: &Option<Dir>, item: Item) -> u64 {
    dir.as_ref().and_then(|dir| dir.number(item)).unwrap_or(0)
}

/// Without a way out into swap. Files that a kernel without swap accounting lacks are no obstacle.
fn limit_memory(dir: &Dir, bytes: u64) -> std::result::Result<(), Failure> {
    let most = bytes.min(i64::MAX as u64);
    dir.set_number(files::MEMORY_MAX, most)?;
    if dir.v2 {
        let _ = dir.write("memory.swap.max", "0");
        // The whole run ends, not the largest of its processes. Linux 4.19.
        let _ = dir.write("memory.oom.group", "1");
    } else if dir
        .write("memory.memsw.limit_in_bytes", &most.to_string())
        .is_err()
    {
        let _ = dir.write("memory.swappiness", "0");
    }
    Ok(())
}

/// Periods of 100 ms, the kernel's default.
fn limit_quota(dir: &Dir, percent: u32) -> std::result::Result<(), Failure> {
    let quota = u64::from(percent) * 1000;
    match dir.v2 {
        true => dir.write("cpu.max", &format!("{quota} 100000")),
        false => dir.write("cpu.cfs_quota_us", &quota.to_string()),
    }
}

fn refused(failure: Failure) -> Error {
    let hint = match failure.errno {
        Errno::ENOSPC | Errno::EAGAIN => {
            " (too many cgroups: cgroup.max.descendants or the kernel's own limit)"
        }
        Errno::EROFS => " (the hierarchy is mounted read-only)",
        _ => "",
    };
    let path = failure.path.display();
    let message = format!("the run's cgroup {path}: {}{hint}", reason(failure.errno));
    // The places may have changed since they were looked for.
    places::forget();
    Error::new(Stage::Cgroup, None, failure.errno, message)
}

/// A pid may be another process by the time of its kill, so it is held by a pidfd while the list is read again.
fn kill_listed(dir: &Dir) {
    dir.children().iter().for_each(kill_listed);
    let held: Vec<_> = dir
        .processes()
        .into_iter()
        .filter(|pid| *pid > 0)
        .map(|pid| (pid, super::tree::open(pid)))
        .collect();
    if held.is_empty() {
        return;
    }
    // Unreadable for want of an fd: then what is held is killed, and the next pass finds the rest.
    let listed = dir.read("cgroup.procs").ok();
    let is_listed = |pid: i32| match &listed {
        Some(list) => list.lines().any(|line| line.parse() == Ok(pid)),
        None => true,
    };
    for (pid, fd) in held {
        if is_listed(pid) && (listed.is_some() || fd.is_some()) {
            super::tree::kill(pid, fd.as_ref());
        }
    }
}

fn is_removed(dir: &Dir) -> bool {
    match std::fs::remove_dir(&dir.path) {
        Ok(()) => true,
        Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {
            dir.children().iter().for_each(|child| {
                is_removed(child);
            });
            std::fs::remove_dir(&dir.path).is_ok()
        }
        // Somebody else has removed it.
        Err(_) => !Path::new(&dir.path).exists(),
    }
}
