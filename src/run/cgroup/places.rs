//! Where the cgroups of runs are made: one directory in each hierarchy that offers something, found by looking at the
//! mounts, this process's own cgroups and what its user may do there.

use super::files::{self, Dir};
use crate::error::{reason, Error, Result};
use crate::stage::Stage;
use crate::text::Text;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::stat;
use nix::unistd::AccessFlags;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

/// Controllers as bits, as RUNNER_CONTROLLER_* of the header.
pub const CPU: u32 = 1;
pub const CPUACCT: u32 = 2;
pub const MEMORY: u32 = 4;
pub const PIDS: u32 = 8;
pub const FREEZER: u32 = 64;
const NAMES: [(&str, u32); 8] = [
    ("cpu", CPU),
    ("cpuacct", CPUACCT),
    ("memory", MEMORY),
    ("pids", PIDS),
    ("cpuset", 16),
    ("io", 32),
    ("blkio", 32),
    ("freezer", FREEZER),
];
/// What a run wants of v2.
const WANTED: u32 = MEMORY | PIDS | CPU;

/// A directory under which run cgroups can be made, and what they get there.
#[derive(Clone, Debug)]
pub struct Place {
    pub dir: Dir,
    pub device: u64,
    pub controllers: u32,
}

/// All of them, and what stands in the way of the rest.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub list: Vec<Place>,
    pub blockers: Vec<String>,
}

impl Places {
    pub fn with(&self, controllers: u32) -> Option<&Place> {
        let gives = |place: &&Place| place.controllers & controllers != 0;
        self.list.iter().find(gives)
    }

    pub fn v2(&self) -> Option<&Place> {
        self.list.iter().find(|place| place.dir.v2)
    }
}

/// A mounted hierarchy.
#[derive(Clone, Debug)]
pub struct Mount {
    /// The cgroup that the mount shows as its root.
    root: PathBuf,
    point: PathBuf,
    pub v2: bool,
    device: u64,
    /// v1 only.
    pub controllers: u32,
}

/// Names to bits; what is not known is left out.
fn controllers<'a>(names: impl Iterator<Item = &'a str>) -> u32 {
    let bit = |name: &str| NAMES.iter().find(|(known, _)| *known == name);
    names.filter_map(bit).fold(0, |all, (_, bit)| all | bit)
}

/// The controllers in one of the lists of a v2 directory.
pub fn listed(dir: &Dir, list: &str) -> u32 {
    controllers(dir.read(list).unwrap_or_default().split_whitespace())
}

/// The hierarchies that this process sees. A mount that another one covers is not what its path leads to.
pub fn mounts() -> Vec<Mount> {
    let table = files::read(Path::new("/proc/self/mountinfo")).unwrap_or_default();
    let shown = |mount: &Mount| stat(&mount.point).is_ok_and(|s| s.st_dev == mount.device);
    table.lines().filter_map(mount).filter(shown).collect()
}

/// proc_pid_mountinfo(5): id parent major:minor root point options tags - type source options
fn mount(line: &str) -> Option<Mount> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(2);
    let (device, root, point) = (fields.next()?, fields.next()?, fields.next()?);
    let mut kind = kind.split(' ');
    let v2 = match kind.next()? {
        "cgroup2" => true,
        "cgroup" => false,
        _ => return None,
    };
    let options = kind.nth(1)?;
    let (high, low) = device.split_once(':')?;
    Some(Mount {
        root: unescape(root),
        point: unescape(point),
        v2,
        device: nix::sys::stat::makedev(high.parse().ok()?, low.parse().ok()?),
        controllers: if v2 {
            0
        } else {
            controllers(options.split(','))
        },
    })
}

/// Blanks and backslashes stand as \ooo.
fn unescape(text: &str) -> PathBuf {
    let (bytes, mut plain, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let octal = (bytes[at] == b'\\')
            .then(|| text.get(at + 1..at + 4))
            .flatten();
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 4;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    PathBuf::from(OsString::from_vec(plain))
}

/// The lines of /proc/self/cgroup.
pub fn own_table() -> String {
    files::read(Path::new("/proc/self/cgroup")).unwrap_or_default()
}

impl Mount {
    /// This process's own cgroup. In a container its name may lie outside of what is mounted: then the top of that.
    pub fn own_dir(&self, table: &str) -> Dir {
        let path = table.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (number, names, path) = (fields.next()?, fields.next()?, fields.next()?);
            let mine = match self.v2 {
                true => number == "0" && names.is_empty(),
                false => controllers(names.split(',')) & self.controllers != 0,
            };
            mine.then_some(path)
        });
        let beneath = path.and_then(|path| Path::new(path).strip_prefix(&self.root).ok());
        let path = match beneath {
            Some(tail) if !tail.as_os_str().is_empty() => self.point.join(tail),
            _ => self.point.clone(),
        };
        Dir {
            path: if path.exists() {
                path
            } else {
                self.point.clone()
            },
            v2: self.v2,
        }
    }

    /// Whether run cgroups can be made there, and what they get.
    fn place(&self, dir: Dir, blockers: &mut Blockers) -> Option<Place> {
        // v2: a process is put into a child only by who may write to the processes of the parent too.
        let procs = dir.path.join("cgroup.procs");
        let allowed = writable(&dir.path).and_then(|()| match dir.v2 {
            true => writable(&procs),
            false => Ok(()),
        });
        if let Err(errno) = allowed {
            blockers.refused.push((dir.path, errno));
            return None;
        }
        let controllers = match self.v2 {
            true => enable(&dir),
            false => self.controllers,
        };
        Some(Place {
            dir,
            device: self.device,
            controllers,
        })
    }

    /// v2: a cgroup with processes of its own gives its children no controllers ("no internal processes"), but one of
    /// its ancestors may do so already. The nearest one that gives the most.
    fn v2_place(&self, own: Dir, blockers: &mut Blockers) -> Option<Place> {
        let (mut best, mut in_a_run) = (None::<Place>, false);
        let mut ignored = Blockers::default();
        for path in own.path.ancestors() {
            if !path.starts_with(&self.point) || best.as_ref().is_some_and(is_complete) || in_a_run
            {
                break;
            }
            // A run within a run stays in it, whatever it has to do without.
            in_a_run = path
                .file_name()
                .is_some_and(|name| name.as_bytes().starts_with(b"runner-"));
            let dir = Dir {
                path: path.into(),
                v2: true,
            };
            let Some(place) = is_domain(&dir)
                .then(|| self.place(dir, &mut ignored))
                .flatten()
            else {
                continue;
            };
            let weight = |place: &Place| (place.controllers & (MEMORY | PIDS)).count_ones();
            if best
                .as_ref()
                .is_none_or(|best| weight(best) < weight(&place))
            {
                best = Some(place);
            }
        }
        match &best {
            // The first one is its own.
            None => blockers.refused.extend(ignored.refused.into_iter().take(1)),
            Some(place) if !is_complete(place) => blockers.lacking.push(lacking(place, &own)),
            Some(_) => {}
        }
        best
    }
}

/// What is in the way.
#[derive(Default)]
struct Blockers {
    /// Directories in which nothing can be made.
    refused: Vec<(PathBuf, Errno)>,
    lacking: Vec<String>,
}

impl Blockers {
    fn sentences(self) -> Vec<String> {
        let mut all = self.lacking;
        let reasons = [
            (true, "mounted read-only"),
            (false, "not delegated to this user"),
        ];
        for (read_only, why) in reasons {
            let with = self
                .refused
                .iter()
                .filter(|(_, e)| (*e == Errno::EROFS) == read_only);
            let paths: Vec<String> = with.map(|(path, _)| path.display().to_string()).collect();
            if !paths.is_empty() {
                all.push(format!(
                    "no cgroup can be made in {}: {why}",
                    paths.join(", ")
                ));
            }
        }
        all
    }
}

fn is_complete(place: &Place) -> bool {
    place.controllers & (MEMORY | PIDS) == MEMORY | PIDS
}

/// Why a v2 directory gives its children less than was hoped for.
fn lacking(place: &Place, own: &Dir) -> String {
    let path = place.dir.path.display();
    let hint = match listed(&place.dir, "cgroup.controllers") & (MEMORY | PIDS) {
        0 => "it has no memory and pids controllers itself (v1 has them, or its parent does not give them)",
        _ if own.path == place.dir.path => {
            "it holds processes itself, this one among them, and so cannot give controllers to children (no internal \
             processes, cgroups(7)); start the host in a child of it, or name a cgroup root"
        }
        _ => "it cannot give its controllers to children",
    };
    format!("cgroups under {path} have not all controllers: {hint}")
}

/// May this user make directories there? By the effective ids.
pub fn writable(path: &Path) -> std::result::Result<(), Errno> {
    let here = nix::fcntl::AT_FDCWD;
    nix::unistd::faccessat(here, path, AccessFlags::W_OK, AtFlags::AT_EACCESS)
}

/// Threaded cgroups and what lies beneath them can't have the memory controller. The topmost one has no such file.
fn is_domain(dir: &Dir) -> bool {
    dir.read("cgroup.type")
        .map_or(true, |kind| kind.trim() == "domain")
}

/// The root of the whole hierarchy: it may have processes and give controllers.
fn is_root(dir: &Dir) -> bool {
    dir.read("cgroup.type").is_err()
}

/// Gives the wanted controllers to the children of a v2 directory, as far as it can; returns those that they have.
///
/// Not where it has processes of its own, but for the root of all: memory would be refused, and cpu or pids would
/// make it a threaded cgroup, which changes it for those who are in it.
fn enable(dir: &Dir) -> u32 {
    let has = listed(dir, "cgroup.controllers");
    let given = listed(dir, "cgroup.subtree_control");
    if has & WANTED & !given == 0 || !is_root(dir) && !dir.processes().is_empty() {
        return given;
    }
    for (name, bit) in NAMES {
        if has & WANTED & !given & bit != 0 {
            let _ = dir.write("cgroup.subtree_control", &format!("+{name}"));
        }
    }
    listed(dir, "cgroup.subtree_control")
}

/// A directory that the caller named.
fn explicit(path: &Text, mounts: &[Mount]) -> Result<Place> {
    let failed = |errno: Errno, message: &str| {
        let message = format!("the cgroup root {}: {message}", path.brief());
        Error::new(Stage::Cgroup, None, errno, message)
    };
    let found = stat(path.as_cstr()).map_err(|errno| failed(errno, &reason(errno)))?;
    let Some(mount) = mounts.iter().find(|mount| mount.device == found.st_dev) else {
        return Err(failed(
            Errno::EINVAL,
            "this is not in a mounted cgroup hierarchy",
        ));
    };
    // As it is now: the host may change its working directory later.
    let named = Path::new(OsStr::from_bytes(path.to_bytes()));
    let dir = Dir {
        path: std::fs::canonicalize(named).unwrap_or_else(|_| named.into()),
        v2: mount.v2,
    };
    writable(&dir.path).map_err(|errno| failed(errno, &reason(errno)))?;
    if mount.v2 {
        delegate(&dir, &mount.point);
    }
    mount
        .place(dir, &mut Blockers::default())
        .ok_or_else(|| failed(Errno::EACCES, "no cgroup can be made there"))
}

/// Gives controllers all the way down to a directory that the caller named. Where that one holds processes itself,
/// they are moved into a child of it, `host`, without which it could give nothing.
fn delegate(dir: &Dir, top: &Path) {
    let mut way: Vec<&Path> = dir
        .path
        .ancestors()
        .take_while(|p| p.starts_with(top))
        .collect();
    way.reverse();
    for path in way {
        enable(&Dir {
            path: path.into(),
            v2: true,
        });
    }
    let could = listed(dir, "cgroup.controllers") & WANTED;
    // 0 is a process of another pid namespace; written, it would mean this one.
    let mut processes = dir.processes();
    processes.retain(|pid| *pid > 0);
    if is_root(dir) || processes.is_empty() || enable(dir) & could == could {
        return;
    }
    let leaf = dir.path.join("host");
    let _ = std::fs::create_dir(&leaf);
    for pid in processes {
        let _ = files::write(&leaf.join("cgroup.procs"), &pid.to_string());
    }
    enable(dir);
}

/// Looks anew.
fn look(roots: &[Text], table: &str) -> Result<Places> {
    let mounts = mounts();
    let mut places = Places::default();
    let mut blockers = Blockers::default();
    for root in roots.iter().rev() {
        let place = explicit(root, &mounts)?;
        if places.list.iter().all(|known| known.device != place.device) {
            places.list.push(place);
        }
    }
    // v2 first: a controller is in one hierarchy only, but what v2 always has is better than v1's.
    for v2 in [true, false] {
        for mount in mounts.iter().filter(|mount| mount.v2 == v2) {
            let known = places.list.iter().any(|p| p.device == mount.device);
            if known || !v2 && mount.controllers & (WANTED | CPUACCT | FREEZER) == 0 {
                continue;
            }
            let own = mount.own_dir(table);
            let place = match v2 {
                true => mount.v2_place(own, &mut blockers),
                false => mount.place(own, &mut blockers),
            };
            places.list.extend(place);
        }
    }
    // v2 without controllers is no obstacle where v1 has them.
    if places.with(MEMORY).is_none() || places.with(PIDS).is_none() {
        places.blockers = match mounts.is_empty() {
            true => vec!["no cgroup hierarchy is mounted".into()],
            false => blockers.sentences(),
        };
    }
    Ok(places)
}

/// What was found last, and for which question.
struct Found {
    table: String,
    roots: Vec<Text>,
    places: Arc<Places>,
    at: Instant,
}

static FOUND: Mutex<Vec<Found>> = Mutex::new(Vec::new());
/// A host uses few different roots.
const KEPT: usize = 8;
/// Where something was missing, it is looked for again after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Where run cgroups are to be made. Remembered as long as this process stays in its own cgroups.
pub fn find(roots: &[Text]) -> Result<Arc<Places>> {
    let table = own_table();
    if let Some(known) = recall(roots, &table) {
        return Ok(known);
    }
    let places = Arc::new(look(roots, &table)?);
    let found = Found {
        table,
        roots: roots.to_vec(),
        places: places.clone(),
        at: Instant::now(),
    };
    if let Some(mut all) = found_so_far() {
        all.retain(|f| f.roots != roots);
        all.truncate(KEPT - 1);
        all.insert(0, found);
    }
    Ok(places)
}

fn recall(roots: &[Text], table: &str) -> Option<Arc<Places>> {
    let fits = |f: &&Found| {
        f.table == table
            && f.roots == roots
            && (f.places.blockers.is_empty() || f.at.elapsed() < LOOK_AGAIN)
    };
    Some(found_so_far()?.iter().find(fits)?.places.clone())
}

/// Never waited for: in a fork of the host it may be locked by a thread that is not there.
fn found_so_far() -> Option<MutexGuard<'static, Vec<Found>>> {
    match FOUND.try_lock() {
        Ok(found) => Some(found),
        Err(TryLockError::Poisoned(found)) => Some(found.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// What was found does not hold any more.
pub fn forget() {
    if let Some(mut found) = found_so_far() {
        found.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::{major, minor};

    #[test]
    fn a_mount_with_a_blank_in_its_path_would_be_missed() {
        let line = r"41 31 0:38 /a /sys/fs/my\040groups rw,nosuid shared:7 - cgroup2 cgroup2 rw,nsdelegate";
        let found = mount(line).unwrap();
        assert_eq!(found.point, Path::new("/sys/fs/my groups"));
        assert_eq!(found.root, Path::new("/a"));
        assert!(found.v2 && (major(found.device), minor(found.device)) == (0, 38));
        let line = "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";
        let found = mount(line).unwrap();
        assert_eq!(found.controllers, CPU | CPUACCT);
        assert!(mount("31 23 0:28 / /tmp rw - tmpfs tmpfs rw,mode=755").is_none());
    }

    #[test]
    fn the_own_cgroup_would_be_looked_for_in_the_wrong_hierarchy() {
        let mount = |v2, controllers| Mount {
            root: "/box".into(),
            point: "/".into(),
            v2,
            device: 0,
            controllers,
        };
        let table =
            "4:memory:/box/tmp\n2:cpu,cpuacct:/elsewhere\n1:name=systemd:/box/usr\n0::/box/etc\n";
        let own = |v2, bits| mount(v2, bits).own_dir(table).path;
        assert_eq!(own(false, MEMORY), Path::new("/tmp"));
        assert_eq!(own(true, 0), Path::new("/etc"));
        // Outside of what is mounted, and not there at all.
        assert_eq!(own(false, CPUACCT), Path::new("/"));
        assert_eq!(own(false, PIDS), Path::new("/"));
    }
}
