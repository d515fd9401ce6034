//! Looks at the living processes of a run through /proc, where no cgroup counts for it.

use super::cgroup::files;
use std::path::Path;

/// What proc_pid_stat(5) says of a process.
pub struct Stat {
    pub state: char,
    /// CPU time of children that were waited for, in ns.
    pub children_ns: u64,
    pub threads: u64,
    /// Resident memory in bytes.
    pub resident: u64,
}

fn read(path: &str) -> Option<String> {
    files::read(Path::new(path)).ok()
}

pub fn stat(pid: i32) -> Option<Stat> {
    parse(&read(&format!("/proc/{pid}/stat"))?)
}

fn parse(text: &str) -> Option<Stat> {
    // The name may contain anything, blanks and brackets too; nothing after it does.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // proc_pid_stat(5) counts from 1, and the state is field 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    // USER_HZ is 100 on every architecture that this library knows.
    let ticks = |field| Some(number(field)? * 10_000_000);
    Some(Stat {
        state: fields.first()?.chars().next()?,
        children_ns: ticks(16)? + ticks(17)?,
        threads: number(20)?,
        resident: number(24)? * page_size(),
    })
}

fn page_size() -> u64 {
    // SAFETY: sysconf reads a constant.
    (unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).max(4096) as u64
}

/// The sum over a tree.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    pub cpu_ns: u64,
    pub memory: u64,
    pub processes: u64,
}

/// What memory the tree has when a page that several of its processes share counts once. Dear: the kernel walks over
/// all of it.
pub fn shared_out(family: Vec<i32>) -> u64 {
    let mut sum = 0;
    each(family, |pid, _| sum += proportional(pid).unwrap_or(0));
    sum
}

/// Pss of /proc/PID/smaps_rollup, in bytes.
fn proportional(pid: i32) -> Option<u64> {
    let text = read(&format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    kib(line)
}

fn kib(line: &str) -> Option<u64> {
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// More processes than this are not looked at one by one.
const MOST: usize = 1000;

/// These processes and their descendants, as far as they have not been cut off. In a pid namespace that is all of them.
pub fn look(family: Vec<i32>) -> Look {
    let mut sum = Look::default();
    let highest = family.iter().filter_map(|pid| peak(*pid)).max();
    each(family, |pid, stat| {
        sum.processes += stat.threads;
        sum.memory += stat.resident;
        sum.cpu_ns += own_cpu(pid).unwrap_or(0) + stat.children_ns;
    });
    sum.memory = sum.memory.max(highest.unwrap_or(0));
    sum
}

fn each(mut todo: Vec<i32>, mut see: impl FnMut(i32, Stat)) {
    let mut seen = 0;
    while let Some(pid) = todo.pop() {
        let Some(stat) = stat(pid) else { continue };
        see(pid, stat);
        seen += 1;
        if seen < MOST {
            todo.extend(children(pid));
        }
    }
}

/// The process's own CPU time so far, by its clock: clock_getcpuclockid(3), without the call that asks whether it is
/// there.
pub fn own_cpu(pid: i32) -> Option<u64> {
    const CPUCLOCK_SCHED: i32 = 2;
    super::clock(nix::time::ClockId::from_raw(!pid << 3 | CPUCLOCK_SCHED))
}

/// The highest resident memory of one process (VmHWM), which begins anew at an exec.
fn peak(pid: i32) -> Option<u64> {
    let text = read(&format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kib(line)
}

/// Children of every thread of it.
pub fn children(pid: i32) -> Vec<i32> {
    let threads = numbers(&format!("/proc/{pid}/task")).unwrap_or_default();
    let lists = threads.into_iter().filter_map(|tid| children_of(pid, tid));
    lists.flatten().collect()
}

/// Children of one of its threads. None: there is no such thread.
pub fn children_of(pid: i32, tid: i32) -> Option<Vec<i32>> {
    let list = read(&format!("/proc/{pid}/task/{tid}/children"))?;
    Some(
        list.split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect(),
    )
}

/// The entries of a directory of /proc that are numbers: processes, or threads of one. None: it cannot be read.
pub fn numbers(dir: &str) -> Option<Vec<i32>> {
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    Some(
        std::fs::read_dir(dir)
            .ok()?
            .flatten()
            .filter_map(number)
            .collect(),
    )
}

/// Whether a seccomp filter is on the process, dead or alive.
pub fn is_filtered(pid: i32) -> Option<bool> {
    let text = read(&format!("/proc/{pid}/status"))?;
    let mode = text
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"))?;
    // 2: a filter; 3: one that has killed it (Linux 6.18).
    Some(mode.trim() != "0")
}

/// Tasks of this user on the whole machine, which is what RLIMIT_NPROC counts.
pub fn tasks_of(uid: u32) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let tasks = |pid| {
        let owner = std::fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        (owner == uid)
            .then(|| stat(pid).map(|stat| stat.threads))
            .flatten()
    };
    let pids = numbers("/proc").unwrap_or_default();
    pids.into_iter().filter_map(tasks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_could_forge_its_figures_by_its_name() {
        let fields = "4 5 6 7 8 9 10 11 12 13 14 15 1 2 18 19 3 21 22 23 5 25";
        let stat = parse(&format!("7 (a) S 9 (b) c) R {fields}")).unwrap();
        assert_eq!((stat.state, stat.threads), ('R', 3));
        assert_eq!(stat.children_ns, 30_000_000);
        assert_eq!(stat.resident, 5 * page_size());
    }
}
