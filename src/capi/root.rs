//! The new root and what is put into it.

use super::{array, set, string};
use crate::pieces::{BindFlags, ProcFlags};
use crate::Runner;
use std::ffi::{c_char, c_int, c_void};

/// runner_add_bind: read-only, and really so, with everything beneath where RUNNER_BIND_REC is given.
pub const RUNNER_BIND_RO: u32 = 1;
/// runner_add_bind: also what is mounted beneath the source.
pub const RUNNER_BIND_REC: u32 = 2;
/// runner_add_bind: skipped where the source does not exist when the run starts.
pub const RUNNER_BIND_OPTIONAL: u32 = 4;
/// runner_add_bind: nothing beneath it can be executed.
pub const RUNNER_BIND_NOEXEC: u32 = 8;
/// runner_add_bind: device files beneath it work; without this they cannot be opened.
pub const RUNNER_BIND_DEV: u32 = 16;
/// runner_add_bind: set-user-ID bits and file capabilities beneath it work; without this they are ignored.
pub const RUNNER_BIND_SUID: u32 = 32;

/// runner_add_proc: only the processes, nothing about the machine (`subset=pid`, Linux 5.8).
pub const RUNNER_PROC_SUBSET: u32 = 1;
/// runner_add_proc: processes of other users are invisible (`hidepid=2`).
pub const RUNNER_PROC_HIDEPID: u32 = 2;
/// runner_add_proc: kcore, keys, sysrq-trigger and their like are covered; sys, bus, fs and irq are read-only.
pub const RUNNER_PROC_MASK: u32 = 4;
/// runner_add_proc: all of it is read-only.
pub const RUNNER_PROC_RO: u32 = 8;

const _: () = {
    assert!(RUNNER_BIND_RO == BindFlags::RO.0 && RUNNER_BIND_REC == BindFlags::REC.0);
    assert!(RUNNER_BIND_OPTIONAL == BindFlags::OPTIONAL.0);
    assert!(RUNNER_BIND_NOEXEC == BindFlags::NOEXEC.0 && RUNNER_BIND_DEV == BindFlags::DEV.0);
    assert!(RUNNER_BIND_SUID == BindFlags::SUID.0 && RUNNER_PROC_SUBSET == ProcFlags::SUBSET.0);
    assert!(RUNNER_PROC_HIDEPID == ProcFlags::HIDEPID.0 && RUNNER_PROC_RO == ProcFlags::RO.0);
    assert!(RUNNER_PROC_MASK == ProcFlags::MASK.0);
};

/// Gives the program a root of its own: a tmpfs is mounted over the directory `path`, the pieces that were added
/// go into it, it becomes the root, and the old one is let go. It is read-only, nosuid, nodev and noatime.
///
/// `path` is any existing directory of the host but `/`; what is in it is not touched, only covered in the new mount
/// namespace. A program that is behind a magic link of /proc there, or a script whose interpreter is, would be the
/// host's own binary, and is refused (ELOOP, stage exec; Linux 5.12). The start needs CLONE_NEWNS, and CAP_SYS_ADMIN or
/// CLONE_NEWUSER.
///
/// Returns 0, or -EINVAL: NULL, empty, PATH_MAX or longer. Since 0.1.0. forkexec: PivotRoot. pivot_root(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_pivot_root(runner: *mut Runner, path: *const c_char) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_pivot_root(string(path)?))) }
}

/// Leaves the root's tmpfs writable. What is written there takes memory, up to half of the machine's where no
/// memory cgroup says otherwise.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_set_root_writable(runner: *mut Runner, writable: bool) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe {
        set(runner, |r| {
            r.set_root_writable(writable);
            Some(Ok(()))
        })
    }
}

/// Adds a mount, as mount(2) takes it. The start needs CLONE_NEWNS.
///
/// This and every other runner_add_* function of this section adds one piece of the root. The pieces are made in the
/// order in which they were added, and errors name a piece by its number in that order, from 0.
///
/// `target` lies inside the new root (a leading slash changes nothing; no ".."); symbolic links on the way are
/// followed inside the new root only (before Linux 5.12: refused). Without runner_set_pivot_root() it is a path of
/// the host's tree as the new mount namespace sees it. Missing parts of it are made, directories with mode 0755, the
/// last one an empty file where the source of a bind is not a directory. MS_BIND with MS_RDONLY is really read-only,
/// beneath it too with MS_REC, and keeps what its source has locked. `flags` are the MS_* of <sys/mount.h>; `source`,
/// `fstype` and `data` may be NULL where mount(2) ignores them. A relative `source` of a bind starts at the host's
/// working directory.
///
/// Returns 0, or -EINVAL: NULL or empty target, ".." in it, PATH_MAX or longer, unknown flags, a bind without a
/// source, a new mount without a type. Since 0.1.0. forkexec: Mounts. mount(2).
#[no_mangle]
pub unsafe extern "C" fn runner_add_mount(
    runner: *mut Runner,
    source: *const c_char,
    target: *const c_char,
    fstype: *const c_char,
    flags: u64,
    data: *const c_char,
) -> c_int {
    // SAFETY: all by the header's conventions.
    unsafe {
        set(runner, |r| {
            Some(r.add_mount(
                string(source),
                string(target)?,
                string(fstype),
                flags,
                string(data),
            ))
        })
    }
}

/// Adds a file or directory of the host: RUNNER_BIND_* flags, or'ed together; 0: writable, without what is mounted
/// beneath it. Set-user-ID bits and device files do not work beneath it unless the flags say so. The source is looked up
/// by the child, which has closed the host's fds by then: no /proc/self/fd.
///
/// Read-only holds against any program without CAP_SYS_ADMIN in its user namespace; one that keeps it can remount:
/// runner_set_drop_caps(). What the pieces make beneath a writable bind is made in the host's directory, and stays.
///
/// In a user namespace a source that has other mounts beneath it needs RUNNER_BIND_REC (the kernel does not let
/// them be left out).
///
/// Returns 0, or -EINVAL: NULL or empty paths, ".." in the target, PATH_MAX or longer, unknown flags.
/// Since 0.1.0. mount(2), mount_setattr(2).
#[no_mangle]
pub unsafe extern "C" fn runner_add_bind(
    runner: *mut Runner,
    source: *const c_char,
    target: *const c_char,
    flags: u32,
) -> c_int {
    // SAFETY: all by the header's conventions.
    unsafe {
        set(runner, |r| {
            Some(r.add_bind(
                string(source)?,
                string(target)?,
                BindFlags::from_bits(flags)?,
            ))
        })
    }
}

/// Adds an empty tmpfs of at most `size_bytes` (0: the kernel's default, half of the memory) that belongs to the
/// program, its top directory with `mode` (0 to 07777). nosuid and nodev. With a size it has room for one file a KiB,
/// at least 1024, since each takes about that much of the kernel's memory.
///
/// Returns 0, or -EINVAL: NULL or empty target, ".." in it, PATH_MAX or longer, a mode out of range.
/// Since 0.1.0. tmpfs(5).
#[no_mangle]
pub unsafe extern "C" fn runner_add_tmpfs(
    runner: *mut Runner,
    target: *const c_char,
    size_bytes: u64,
    mode: u32,
) -> c_int {
    // SAFETY: all by the header's conventions.
    unsafe {
        set(runner, |r| {
            Some(r.add_tmpfs(string(target)?, size_bytes, mode))
        })
    }
}

/// Adds the proc file system of the new pid namespace: RUNNER_PROC_* flags, or'ed together; 0: all of it.
/// nosuid, nodev and noexec. The start needs CLONE_NEWPID: else it would show the host's processes.
///
/// To a program whose user id is root's outside, /proc/sys is writable even without capabilities, and some of it is the
/// whole machine's: RUNNER_PROC_MASK for such a one. RUNNER_PROC_SUBSET and _RO do not protect there: a program that may
/// make user namespaces mounts a whole proc anew, unless it sees a proc that is partly covered, as MASK without SUBSET
/// makes it.
///
/// Inside many containers the kernel refuses it in a user namespace (EPERM), because the container's own proc is
/// partly covered; the error's message says what to do.
///
/// Returns 0, or -EINVAL: NULL or empty target, ".." in it, PATH_MAX or longer, unknown flags. Since 0.1.0.
/// proc(5).
#[no_mangle]
pub unsafe extern "C" fn runner_add_proc(
    runner: *mut Runner,
    target: *const c_char,
    flags: u32,
) -> c_int {
    // SAFETY: all by the header's conventions.
    unsafe {
        set(runner, |r| {
            Some(r.add_proc(string(target)?, ProcFlags::from_bits(flags)?))
        })
    }
}

/// Adds a minimal, read-only /dev: null, zero, full, random, urandom and tty of the host, fd, stdin, stdout and
/// stderr as links into /proc/self/fd, an empty writable shm (64 MiB), and a pts of its own with ptmx.
///
/// Returns 0, or -EINVAL: NULL or empty target, ".." in it, PATH_MAX or longer. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_add_dev(runner: *mut Runner, target: *const c_char) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.add_dev(string(target)?))) }
}

/// Adds a directory with `mode` (0 to 07777), whatever the umask; its missing parents get 0755. A directory of the host
/// that a bind has put there is left as it is.
///
/// Returns 0, or -EINVAL: NULL or empty path, ".." in it, PATH_MAX or longer, a mode out of range.
/// Since 0.1.0. mkdir(2).
#[no_mangle]
pub unsafe extern "C" fn runner_add_dir(
    runner: *mut Runner,
    path: *const c_char,
    mode: u32,
) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.add_dir(string(path)?, mode))) }
}

/// Adds a symbolic link at `path` that leads to `to`, in the order of symlink(2). Its missing parents are made;
/// it fails (EEXIST) where something is there already.
///
/// Returns 0, or -EINVAL: NULL or empty, ".." in `path`, PATH_MAX or longer. Since 0.1.0. symlink(2).
#[no_mangle]
pub unsafe extern "C" fn runner_add_symlink(
    runner: *mut Runner,
    to: *const c_char,
    path: *const c_char,
) -> c_int {
    // SAFETY: all by the header's conventions.
    unsafe { set(runner, |r| Some(r.add_symlink(string(to)?, string(path)?))) }
}

/// Adds a small file at `path` with `len` bytes of contents and `mode` (0 to 07777), whatever the umask: an
/// /etc/passwd. The bytes are copied. Its missing parents are made; it fails (EEXIST) where something is there.
///
/// Returns 0, or -EINVAL: NULL or empty path, ".." in it, PATH_MAX or longer, NULL contents with len above 0,
/// a mode out of range. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_add_file(
    runner: *mut Runner,
    path: *const c_char,
    contents: *const c_void,
    len: usize,
    mode: u32,
) -> c_int {
    // SAFETY: all by the header's conventions.
    unsafe {
        set(runner, |r| {
            Some(r.add_file(string(path)?, array(contents.cast(), len)?, mode))
        })
    }
}

/// Forgets every piece of the root that was added; runner_set_pivot_root() stays.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_clear_root(runner: *mut Runner) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe {
        set(runner, |r| {
            r.clear_root();
            Some(Ok(()))
        })
    }
}
