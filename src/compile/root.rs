//! The new root: a tmpfs, the pieces in their order, pivot_root(2).
//!
//! A target is never trusted: a directory that was bound in may hold symbolic links which an earlier program left there.
//! With openat2(2) they are resolved inside the new root only, and mounts are attached to fds; on kernels
//! without the mount API of 5.12 no link is followed at all, which makes the path itself safe to use.

mod dev;
mod place;
mod proc;

use super::{certain, Emit, AT_FDCWD};
use crate::error::{errno_of, reason, Result};
use crate::explain::{MOUNT, OPEN, UMOUNT};
use crate::pieces::{BindFlags, Piece};
use crate::program::{Arg, Call, Slot, COVERED, ROOT, UMASK};
use crate::runner::{Runner, PROPAGATION};
use crate::stage::Stage;
use crate::sys::nr;
use crate::text::Text;
use nix::errno::Errno;
use place::{Attach, Place};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

pub fn build(emit: &mut Emit) -> Result<()> {
    if !emit.runner.has_namespace(libc::CLONE_NEWNS) {
        return Ok(());
    }
    // Nothing that is mounted from here on reaches the host.
    let private = mount(Arg::Null, c"/", Arg::Null, libc::MS_REC | libc::MS_PRIVATE);
    emit.call(Stage::Mount, None, private.arg(Arg::Null));
    let pivot = covered_directory(emit.runner)?;
    if pivot.is_none() && emit.runner.pieces.is_empty() {
        return Ok(());
    }
    let umask = Call::new(nr::UMASK).arg(Arg::Octal(0)).into(UMASK);
    emit.call(Stage::Umask, None, umask);
    let sources_covered = place::any_covered(emit.runner);
    if let Some(path) = &pivot {
        if sources_covered {
            open_directory(emit, path, COVERED);
        }
        let tmpfs = Call::new(nr::MOUNT)
            .lit(c"tmpfs")
            .text(path)
            .lit(c"tmpfs")
            .flags(libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOATIME, MOUNT)
            .lit(c"mode=755");
        emit.call(Stage::PivotRoot, None, tmpfs);
    }
    open_directory(emit, &pivot.clone().unwrap_or(Text::Static(c"/")), ROOT);

    let runner = emit.runner;
    let mut place = Place::new(emit)?;
    for (index, piece) in runner.pieces.iter().enumerate() {
        put(&mut place, index, piece)?;
    }
    if sources_covered {
        emit.call(Stage::PivotRoot, None, Call::new(nr::CLOSE).slot(COVERED));
    }
    if pivot.is_some() {
        enter(emit);
    } else {
        emit.call(Stage::PivotRoot, None, Call::new(nr::CLOSE).slot(ROOT));
    }
    Ok(())
}

/// The directory that the new root covers, by its real path. One that names the root or the working directory without
/// a step (`.`, `/proc/self/cwd`) would be opened beneath the new mount, and the pieces made in the host's own tree.
fn covered_directory(runner: &Runner) -> Result<Option<Text>> {
    let Some(path) = &runner.pivot_root else {
        return Ok(None);
    };
    let refused = |errno: Errno, why: &str| {
        let message = format!("pivot_root {}: {why}", path.brief());
        Err(certain(Stage::PivotRoot, None, errno, message))
    };
    match std::fs::canonicalize(OsStr::from_bytes(path.to_bytes())) {
        Ok(real) if real == Path::new("/") => refused(Errno::EINVAL, "it is the host's own root"),
        Ok(real) => Ok(Some(Text::from_bytes(real.as_os_str().as_bytes()))),
        Err(error) => match errno_of(error) {
            // The child says so, at its step.
            Errno::ENOENT => Ok(Some(path.clone())),
            errno => refused(errno, &reason(errno)),
        },
    }
}

fn open_directory(emit: &mut Emit, path: &Text, into: Slot) {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let open = Call::new(nr::OPENAT).arg(AT_FDCWD).text(path);
    let open = open.flags(flags as u64, OPEN).into(into);
    emit.call(Stage::PivotRoot, None, open);
}

/// An inode takes about this much of the kernel's memory, so that what a tmpfs takes is at most twice its size.
const BYTES_AN_INODE: u64 = 1024;
/// Directories and empty files want some in a small one too.
const LEAST_INODES: u64 = 1024;

/// The options of a tmpfs of at most this many bytes.
fn limited(mode: u32, size: u64) -> String {
    let inodes = (size / BYTES_AN_INODE).max(LEAST_INODES);
    format!("mode={mode:o},size={size},nr_inodes={inodes}")
}

/// mount(source, target, type, flags); the data is still to be added.
fn mount(source: Arg, target: &'static std::ffi::CStr, fstype: Arg, flags: u64) -> Call {
    let call = Call::new(nr::MOUNT).arg(source).lit(target).arg(fstype);
    call.flags(flags, MOUNT)
}

/// The old root ends up mounted over the new one, at the same place, and is taken away from there.
fn enter(emit: &mut Emit) {
    let mut step = |call| emit.call(Stage::PivotRoot, None, call);
    step(Call::new(nr::FCHDIR).slot(ROOT));
    step(Call::new(nr::PIVOT_ROOT).lit(c".").lit(c"."));
    step(
        Call::new(nr::UMOUNT2)
            .lit(c".")
            .flags(libc::MNT_DETACH as u64, UMOUNT),
    );
    step(Call::new(nr::CLOSE).slot(ROOT));
    step(Call::new(nr::CHDIR).lit(c"/"));
    if !emit.runner.root_writable {
        let flags = libc::MS_REMOUNT
            | libc::MS_BIND
            | libc::MS_RDONLY
            | libc::MS_NOSUID
            | libc::MS_NODEV
            | libc::MS_NOATIME;
        let seal = mount(Arg::Null, c"/", Arg::Null, flags).arg(Arg::Null);
        emit.call(Stage::PivotRoot, None, seal);
    }
}

fn put(place: &mut Place, index: usize, piece: &Piece) -> Result<()> {
    if place.is_whole_root(piece) {
        let message = format!(
            "mount #{index} {}: it would hide the new root itself",
            piece.describe()
        );
        return Err(certain(Stage::Mount, Some(index), Errno::EINVAL, message));
    }
    match piece {
        Piece::Mount {
            source,
            target,
            fstype,
            flags,
            data,
        } => {
            let source = source.clone();
            if flags & libc::MS_BIND != 0 && flags & libc::MS_REMOUNT == 0 {
                let attach = Attach {
                    source: source.unwrap_or(Text::Static(c"none")),
                    recursive: flags & libc::MS_REC != 0,
                    add: flags & place::SETTABLE,
                };
                return place.bind(index, target, attach);
            }
            let opt = |text: &Option<Text>| text.clone().map_or(Arg::Null, Arg::Text);
            let new = flags & (libc::MS_REMOUNT | libc::MS_MOVE | PROPAGATION) == 0;
            place.mount(index, target, new, |at| {
                Call::new(nr::MOUNT)
                    .arg(source.map_or(Arg::Null, Arg::Text))
                    .text(&at)
                    .arg(opt(fstype))
                    .flags(*flags, MOUNT)
                    .arg(opt(data))
            });
        }
        Piece::Bind {
            source,
            target,
            flags,
        } => {
            if flags.has(BindFlags::OPTIONAL) && !exists(source) {
                return Ok(());
            }
            let attach = Attach {
                source: source.clone(),
                recursive: flags.has(BindFlags::REC),
                add: bind_attributes(*flags),
            };
            return place.bind(index, target, attach);
        }
        Piece::Tmpfs { target, size, mode } => {
            let data = match size {
                0 => format!("mode={mode:o}"),
                size => limited(*mode, *size),
            };
            place.file_system(
                index,
                target,
                c"tmpfs",
                libc::MS_NOSUID | libc::MS_NODEV,
                data,
            );
        }
        Piece::Proc { target, flags } => return proc::add(place, index, target, *flags),
        Piece::Dev { target } => return dev::add(place, index, target),
        Piece::Dir { path, mode } => place.directory(index, path, *mode),
        Piece::Symlink { to, path } => place.symlink(index, to, path),
        Piece::File {
            path,
            contents,
            mode,
        } => place.file(index, path, Arc::clone(contents), *mode),
    }
    Ok(())
}

fn bind_attributes(flags: BindFlags) -> u64 {
    let when = |on: bool, flag: u64| if on { flag } else { 0 };
    when(flags.has(BindFlags::RO), libc::MS_RDONLY)
        | when(flags.has(BindFlags::NOEXEC), libc::MS_NOEXEC)
        | when(!flags.has(BindFlags::DEV), libc::MS_NODEV)
        | when(!flags.has(BindFlags::SUID), libc::MS_NOSUID)
}

/// Whether there is something at this path of the host. Only ENOENT and ENOTDIR say no.
fn exists(path: &Text) -> bool {
    use nix::errno::Errno;
    let found = nix::sys::stat::stat(path.as_cstr());
    !matches!(found, Err(Errno::ENOENT | Errno::ENOTDIR))
}
