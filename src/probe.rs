//! What this machine offers, found by trying where that is the only sure way.

use crate::host::{self, Host};
use crate::launch::user_namespace_blocker;
use crate::run::cgroup::{self, places};
use crate::runner::Runner;
use crate::sys::{self, nr};
use std::path::Path;

/// The answers; see `runner_probe_t` of the C header for what each means.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    /// Major and minor version.
    pub kernel: (u32, u32),
    /// clone3(2).
    pub clone3: bool,
    /// CLONE_INTO_CGROUP.
    pub into_cgroup: bool,
    /// Pidfds.
    pub pidfd: bool,
    /// close_range(2).
    pub close_range: bool,
    /// mount_setattr(2).
    pub mount_setattr: bool,
    /// openat2(2).
    pub openat2: bool,
    /// Time namespaces.
    pub time_namespace: bool,
    /// User namespaces can be made, and give capabilities.
    pub user_namespace: bool,
    /// The other namespaces can be made without one.
    pub privileged_namespaces: bool,
    /// seccomp filters.
    pub seccomp: bool,
    /// Landlock's ABI, 0 for none.
    pub landlock: u32,
    /// A cgroup v2 hierarchy is mounted.
    pub cgroup_v2: bool,
    /// Cgroups can be made beneath this process's own v2 cgroup.
    pub cgroup_v2_writable: bool,
    /// Controllers for children of it, as RUNNER_CONTROLLER_* bits.
    pub controllers_v2: u32,
    /// Controllers with a v1 hierarchy.
    pub controllers_v1: u32,
    /// Those of them beneath whose current cgroup this process can make others.
    pub controllers_v1_writable: u32,
    /// What watched runs would have to do without, by default: bits of [`crate::run::missing`].
    pub runs_miss: u32,
    /// A sentence for what is missing.
    pub blockers: Vec<String>,
}

/// Looks and tries.
pub fn probe() -> Probe {
    let host = Host::current();
    let features = host.features;
    let exists = |call, args: &[usize]| host::exists(call, args);
    let mut found = Probe {
        kernel: features.kernel,
        clone3: features.clone3,
        into_cgroup: features.clone3 && features.kernel >= (5, 7),
        pidfd: features.pidfd_open,
        close_range: exists(nr::CLOSE_RANGE, &[1, 0, 0]),
        mount_setattr: features.mount_api,
        openat2: exists(nr::OPENAT2, &[usize::MAX, 0, 0, 0]),
        time_namespace: Path::new("/proc/self/ns/time").exists(),
        seccomp: has_seccomp(),
        landlock: landlock_abi(),
        ..Probe::default()
    };
    try_namespaces(&mut found);
    look_at_cgroups(&mut found);
    if !found.clone3 {
        found.blockers.push("clone3 is refused (kernel before 5.3, or the container's seccomp profile): cgroups are joined by a write, and time namespaces can't be made".into());
    }
    if !found.mount_setattr {
        found.blockers.push("the mount API of Linux 5.12 is missing: symbolic links in mount targets are refused instead of resolved inside the root".into());
    }
    found
}

fn has_seccomp() -> bool {
    const SECCOMP_GET_ACTION_AVAIL: usize = 2;
    let action = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: the call reads one action.
    let answer = unsafe {
        sys::call(
            nr::SECCOMP,
            &[SECCOMP_GET_ACTION_AVAIL, 0, &raw const action as usize],
        )
    };
    answer.is_ok()
}

fn landlock_abi() -> u32 {
    const LANDLOCK_CREATE_RULESET_VERSION: usize = 1;
    // SAFETY: with this flag the call only returns a number.
    let answer = unsafe {
        sys::call(
            nr::LANDLOCK_CREATE_RULESET,
            &[0, 0, LANDLOCK_CREATE_RULESET_VERSION],
        )
    };
    answer.unwrap_or(0) as u32
}

/// Each trial is a held start that is given up before its exec, so that no program is needed for it.
fn try_namespaces(found: &mut Probe) {
    let others = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS;
    let attempt = |flags: i32| {
        let mut runner = Runner::new();
        runner.set_args(vec![c"/".into()])?;
        runner.set_unshare_flags(flags as u64)?;
        // Needs a capability inside, so that a namespace that gives none is seen.
        runner.set_hostname(c"probe")?;
        runner.start_held().map(drop)
    };
    match attempt(libc::CLONE_NEWUSER | others) {
        Ok(()) => found.user_namespace = true,
        Err(error) => {
            let blocker = user_namespace_blocker();
            let reason = blocker.map_or_else(|| error.to_string(), str::to_string);
            found.blockers.push(format!("no user namespaces: {reason}"));
        }
    }
    match attempt(others) {
        Ok(()) => found.privileged_namespaces = true,
        Err(error) if !found.user_namespace => found
            .blockers
            .push(format!("no namespaces without a user namespace: {error}")),
        Err(_) => {}
    }
}

fn look_at_cgroups(found: &mut Probe) {
    let table = places::own_table();
    for mount in places::mounts() {
        let own = mount.own_dir(&table);
        let writable = places::writable(&own.path).is_ok();
        if mount.v2 {
            found.cgroup_v2 = true;
            found.cgroup_v2_writable = writable;
            found.controllers_v2 = places::listed(&own, "cgroup.controllers");
        } else {
            found.controllers_v1 |= mount.controllers;
            found.controllers_v1_writable |= if writable { mount.controllers } else { 0 };
        }
    }
    match places::find(&[]) {
        Ok(places) => {
            found.runs_miss = cgroup::missing_in(&places);
            found.blockers.extend(places.blockers.iter().cloned());
        }
        Err(error) => found.blockers.push(error.to_string()),
    }
}
