//! `runner_probe_t`: what this machine offers.

use super::sized::{Out, Sized32};
use super::{guarded, EINVAL};
use crate::probe;
use std::ffi::{c_char, c_int};

/// What the machine offers to the calling process. Set `size` before use: `runner_probe_t p = RUNNER_PROBE_INIT;`;
/// 0 means this first published layout. A 1 is yes, a 0 is no; for what is no, `blocker` says why where it is known.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct runner_probe_t {
    /// In: sizeof(runner_probe_t), or 0.
    pub size: u32,
    /// The kernel's version: major << 16 | minor.
    pub kernel: u32,
    /// clone3(2), Linux 5.3.
    pub clone3: u32,
    /// A process can be born in its cgroup (CLONE_INTO_CGROUP), Linux 5.7.
    pub into_cgroup: u32,
    /// pidfds from clone, Linux 5.2.
    pub pidfd: u32,
    /// close_range(2), Linux 5.9.
    pub close_range: u32,
    /// mount_setattr(2), Linux 5.12: read-only binds with everything beneath them.
    pub mount_setattr: u32,
    /// openat2(2), Linux 5.6: targets that cannot lead out of the new root.
    pub openat2: u32,
    /// Time namespaces, Linux 5.6.
    pub time_namespace: u32,
    /// A user namespace can be made, and gives capabilities, by this process now (tried).
    pub user_namespace: u32,
    /// All namespaces but the user one can be made without a user namespace (CAP_SYS_ADMIN; tried).
    pub privileged_namespaces: u32,
    /// seccomp filters.
    pub seccomp: u32,
    /// Landlock's ABI version, 0 where there is none. Linux 5.13.
    pub landlock: u32,
    /// A cgroup v2 hierarchy is mounted.
    pub cgroup_v2: u32,
    /// At least one cgroup v1 hierarchy with a controller is mounted.
    pub cgroup_v1: u32,
    /// This process may make cgroups beneath its own v2 cgroup.
    pub cgroup_v2_writable: u32,
    /// v2 controllers that children of this process's cgroup can be given, RUNNER_CONTROLLER_* or'ed together.
    pub controllers_v2: u32,
    /// v1 controllers with a mounted hierarchy, RUNNER_CONTROLLER_* or'ed together.
    pub controllers_v1: u32,
    /// v1 controllers beneath whose current cgroup this process may make cgroups.
    pub controllers_v1_writable: u32,
    /// What watched runs would have to do without, where no runner_set_cgroup_root() says otherwise: RUNNER_MISSING_*
    /// or'ed together, but for RUNNER_MISSING_TREE.
    pub runs_miss: u32,
    /// Why something above is missing and what to do, a sentence a line, NUL-terminated UTF-8.
    pub blocker: [c_char; 944],
}

/// runner_probe_t: the cpu controller.
pub const RUNNER_CONTROLLER_CPU: u32 = 1;
/// runner_probe_t: the cpuacct controller (v1 only).
pub const RUNNER_CONTROLLER_CPUACCT: u32 = 2;
/// runner_probe_t: the memory controller.
pub const RUNNER_CONTROLLER_MEMORY: u32 = 4;
/// runner_probe_t: the pids controller.
pub const RUNNER_CONTROLLER_PIDS: u32 = 8;
/// runner_probe_t: the cpuset controller.
pub const RUNNER_CONTROLLER_CPUSET: u32 = 16;
/// runner_probe_t: the io (v2) or blkio (v1) controller.
pub const RUNNER_CONTROLLER_IO: u32 = 32;
/// runner_probe_t: the freezer (v1; part of every v2 cgroup).
pub const RUNNER_CONTROLLER_FREEZER: u32 = 64;

const _: () = assert!(size_of::<runner_probe_t>() == 1024);

// SAFETY: the size is its first field.
unsafe impl Sized32 for runner_probe_t {
    fn set_size(&mut self, size: u32) {
        self.size = size;
    }
}

/// Finds out what this machine offers, by trying it where that is the only sure way: it starts two short-lived
/// processes, and changes nothing but that a cgroup v2 directory which may give controllers to its children does so
/// from now on.
///
/// Returns 0, or -EINVAL: NULL, or a size that is not 0 and smaller than the struct. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_probe(probe: *mut runner_probe_t) -> c_int {
    guarded(-libc::EFAULT, || {
        if probe.is_null() {
            return EINVAL;
        }
        // SAFETY: by the header's conventions.
        let Some(out) = (unsafe { Out::new(probe) }) else {
            return EINVAL;
        };
        out.fill(convert(&probe::probe()));
        0
    })
}

fn convert(found: &probe::Probe) -> runner_probe_t {
    let mut blocker = [0; 944];
    super::error::copy_text(&found.blockers.join("\n"), &mut blocker);
    runner_probe_t {
        size: 0,
        kernel: found.kernel.0 << 16 | found.kernel.1,
        clone3: found.clone3.into(),
        into_cgroup: found.into_cgroup.into(),
        pidfd: found.pidfd.into(),
        close_range: found.close_range.into(),
        mount_setattr: found.mount_setattr.into(),
        openat2: found.openat2.into(),
        time_namespace: found.time_namespace.into(),
        user_namespace: found.user_namespace.into(),
        privileged_namespaces: found.privileged_namespaces.into(),
        seccomp: found.seccomp.into(),
        landlock: found.landlock,
        cgroup_v2: found.cgroup_v2.into(),
        cgroup_v1: (found.controllers_v1 != 0).into(),
        cgroup_v2_writable: found.cgroup_v2_writable.into(),
        controllers_v2: found.controllers_v2,
        controllers_v1: found.controllers_v1,
        controllers_v1_writable: found.controllers_v1_writable,
        runs_miss: found.runs_miss,
        blocker,
    }
}

/// The library's version: major << 16 | minor << 8 | patch. Since 0.1.0.
#[no_mangle]
pub extern "C" fn runner_version() -> u32 {
    const fn number(text: &str) -> u32 {
        let (bytes, mut value, mut at) = (text.as_bytes(), 0, 0);
        while at < bytes.len() {
            value = value * 10 + (bytes[at] - b'0') as u32;
            at += 1;
        }
        value
    }
    const VERSION: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | number(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | number(env!("CARGO_PKG_VERSION_PATCH"));
    VERSION
}
