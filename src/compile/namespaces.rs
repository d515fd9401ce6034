//! First of all: the cgroups, then the id maps of the new user namespace. The namespaces themselves are flags of the
//! clone.

use super::{certain, Emit, AT_FDCWD};
use crate::error::{reason, Result};
use crate::explain::OPEN;
use crate::host::{Host, CAP_SETGID};
use crate::program::{Act, Birth, Call, Maps, Setgroups, Turn, BRIEF};
use crate::runner::{IdMap, Runner};
use crate::stage::Stage;
use crate::sys::nr;
use crate::text::Text;
use nix::errno::Errno;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Born in a v2 cgroup where the kernel can do that; the rest is joined by writing 0 to cgroup.procs, which means
/// the writer itself.
pub fn join_cgroups(emit: &mut Emit) -> Result<()> {
    let born = emit.host.features.clone3 && emit.host.features.kernel >= (5, 7);
    if let Some(fd) = emit.runner.cgroup_fd {
        match born {
            true => emit.birth = Some(Birth::Fd(fd)),
            false => {
                let procs = Call::new(nr::OPENAT).int(fd).lit(c"cgroup.procs");
                join(emit, None, procs);
            }
        }
    }
    for (index, path) in one_of_each_hierarchy(&emit.runner.cgroup_paths)? {
        if path.v2 && emit.runner.cgroup_fd.is_some() {
            let message = "a cgroup fd and a path in the same (v2) hierarchy: a process is in one cgroup of it";
            return Err(certain(Stage::Options, Some(index), Errno::EINVAL, message));
        }
        if path.v2 && born {
            emit.birth = Some(Birth::Path(path.path.clone()));
            continue;
        }
        let procs = [path.path.to_bytes(), b"/cgroup.procs"].concat();
        let procs = Call::new(nr::OPENAT)
            .arg(AT_FDCWD)
            .text(&Text::from_bytes(&procs));
        join(emit, Some(index), procs);
    }
    join_run_groups(emit, born);
    Ok(())
}

/// The cgroups that were made for this run, which share no hierarchy with those of the caller.
fn join_run_groups(emit: &mut Emit, born: bool) {
    for dir in &emit.runner.run_groups {
        if dir.v2 && born {
            let path = Text::from_bytes(dir.path.as_os_str().as_bytes());
            emit.birth = Some(Birth::Path(path));
            continue;
        }
        let procs = dir.path.join("cgroup.procs");
        let procs = Text::from_bytes(procs.as_os_str().as_bytes());
        join(emit, None, Call::new(nr::OPENAT).arg(AT_FDCWD).text(&procs));
    }
}

fn join(emit: &mut Emit, index: Option<usize>, open: Call) {
    let open = open
        .flags((libc::O_WRONLY | libc::O_CLOEXEC) as u64, OPEN)
        .into(BRIEF);
    emit.call(Stage::Cgroup, index, open);
    write_and_close(emit, Stage::Cgroup, index, b"0");
}

/// Writes to the fd in BRIEF, and closes it.
pub fn write_and_close(emit: &mut Emit, stage: Stage, index: Option<usize>, bytes: &[u8]) {
    emit.act(stage, index, Act::WriteAll(BRIEF, Arc::from(bytes)));
    emit.call(stage, index, Call::new(nr::CLOSE).slot(BRIEF));
}

struct CgroupPath<'a> {
    path: &'a Text,
    device: u64,
    v2: bool,
}

/// Of several paths in one hierarchy, the last. A hierarchy is one superblock, so one device number.
fn one_of_each_hierarchy(paths: &[Text]) -> Result<Vec<(usize, CgroupPath<'_>)>> {
    let mut kept: Vec<(usize, CgroupPath)> = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let failed = |errno: Errno| {
            let message = format!("cgroup #{index} {}: {}", path.brief(), reason(errno));
            certain(Stage::Cgroup, Some(index), errno, message)
        };
        let found = nix::sys::stat::stat(path.as_cstr()).map_err(failed)?;
        let fs = nix::sys::statfs::statfs(path.as_cstr()).map_err(failed)?;
        let v2 = fs.filesystem_type() == nix::sys::statfs::CGROUP2_SUPER_MAGIC;
        if !v2 && fs.filesystem_type() != nix::sys::statfs::CGROUP_SUPER_MAGIC {
            let path = path.brief();
            let message = format!("cgroup #{index} {path}: this is not in a cgroup file system");
            return Err(certain(Stage::Cgroup, Some(index), Errno::EINVAL, message));
        }
        kept.retain(|(_, earlier)| earlier.device != found.st_dev);
        let device = found.st_dev;
        kept.push((index, CgroupPath { path, device, v2 }));
    }
    Ok(kept)
}

/// The devices of the hierarchies that these cgroups are in.
pub fn hierarchies(paths: &[Text]) -> Result<Vec<u64>> {
    let kept = one_of_each_hierarchy(paths)?;
    Ok(kept.into_iter().map(|(_, path)| path.device).collect())
}

/// The id maps: by the child itself where it is allowed to, since then nobody has to wait for anybody.
pub fn enter(emit: &mut Emit) -> Result<()> {
    emit.act(Stage::Signals, None, Act::ResetSignals);
    if let Some((maps, by_child)) = maps(emit.runner, emit.host) {
        emit.setgroups_denied = maps.setgroups == Setgroups::Deny;
        match by_child {
            true => write_own_maps(emit, &maps),
            false => {
                emit.maps = Some(maps);
                emit.wait(Stage::IdMap, Turn::MapIds);
            }
        }
    }
    // Written to /proc of the host, so before the root is exchanged.
    if let Some(adj) = emit.runner.oom_score_adj {
        let open = Call::new(nr::OPENAT)
            .arg(AT_FDCWD)
            .lit(c"/proc/self/oom_score_adj");
        let open = open.flags((libc::O_WRONLY | libc::O_CLOEXEC) as u64, OPEN);
        emit.call(Stage::OomScoreAdj, None, open.into(BRIEF));
        write_and_close(emit, Stage::OomScoreAdj, None, adj.to_string().as_bytes());
    }
    Ok(())
}

/// The maps of a new user namespace, and whether the child may write them: one id each, the caller's own, without
/// setgroups (user_namespaces(7)).
pub fn maps(runner: &Runner, host: &Host) -> Option<(Maps, bool)> {
    if !runner.has_namespace(libc::CLONE_NEWUSER) {
        return None;
    }
    let ids = host.ids();
    let own = |id| {
        vec![IdMap {
            inside: 0,
            outside: id,
            count: 1,
        }]
    };
    let or_own = |map: &Vec<IdMap>, id| match map.is_empty() {
        true => own(id),
        false => map.clone(),
    };
    let uid_map = or_own(&runner.uid_map, ids.euid);
    let gid_map = or_own(&runner.gid_map, ids.egid);
    let is_own = |map: &[IdMap], id| matches!(map, [one] if one.count == 1 && one.outside == id);
    let allow = runner
        .allow_setgroups
        .unwrap_or(runner.credential.is_some() && host.has_cap(CAP_SETGID));
    let by_child = is_own(&uid_map, ids.euid) && is_own(&gid_map, ids.egid) && !allow;
    let maps = Maps {
        setgroups: match (allow, runner.allow_setgroups) {
            (false, _) => Setgroups::Deny,
            (true, None) => Setgroups::Inherit,
            (true, Some(_)) => Setgroups::Allow,
        },
        uid_map: lines(&uid_map),
        gid_map: lines(&gid_map),
    };
    Some((maps, by_child))
}

fn lines(map: &[IdMap]) -> String {
    map.iter()
        .map(|m| format!("{} {} {}\n", m.inside, m.outside, m.count))
        .collect()
}

fn write_own_maps(emit: &mut Emit, maps: &Maps) {
    let files = [
        (c"/proc/self/setgroups", "deny"),
        (c"/proc/self/uid_map", maps.uid_map.as_str()),
        (c"/proc/self/gid_map", maps.gid_map.as_str()),
    ];
    for (path, contents) in files {
        let open = Call::new(nr::OPENAT).arg(AT_FDCWD).lit(path);
        let open = open.flags((libc::O_WRONLY | libc::O_CLOEXEC) as u64, OPEN);
        emit.call(Stage::IdMap, None, open.into(BRIEF));
        write_and_close(emit, Stage::IdMap, None, contents.as_bytes());
    }
}
