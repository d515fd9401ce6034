//! Putting one thing at one path of the new root: the missing parts made, links kept inside.

use crate::compile::{certain, Emit, AT_FDCWD};
use crate::error::{reason, Result};
use crate::explain::{MOUNT, MOVE_MOUNT, OPEN, OPEN_TREE};
use crate::pieces::Piece;
use crate::program::{
    Act, Arg, Call, MountAttr, OpenHow, Slot, BRIEF, COVERED, ROOT, TARGET, TREE,
};
use crate::runner::{Runner, PROPAGATION};
use crate::stage::Stage;
use crate::sys::nr;
use crate::text::Text;
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Mount flags that can be put onto a bind mount.
pub const SETTABLE: u64 = libc::MS_RDONLY
    | libc::MS_NOSUID
    | libc::MS_NODEV
    | libc::MS_NOEXEC
    | libc::MS_NOATIME
    | libc::MS_NODIRATIME
    | MS_NOSYMFOLLOW;
/// mount(2), Linux 5.10.
const MS_NOSYMFOLLOW: u64 = 256;

/// What is bound, and the flags that it gets on top of its own.
pub struct Attach {
    pub source: Text,
    pub recursive: bool,
    pub add: u64,
}

/// The new root in the making.
pub struct Place<'e, 'a> {
    emit: &'e mut Emit<'a>,
    /// Directories that are known to be there.
    made: BTreeSet<Vec<u8>>,
    /// Where something of the host's was put: nothing beneath it is changed.
    foreign: BTreeSet<Vec<u8>>,
    /// openat2, open_tree, move_mount, mount_setattr.
    modern: bool,
    /// The host's working directory, where relative sources of binds begin.
    cwd: Option<Vec<u8>>,
}

/// A path below the root as its components, without empty ones and `.`.
fn components(path: &Text) -> Vec<Vec<u8>> {
    path.to_bytes()
        .split(|b| *b == b'/')
        .filter(|c| !c.is_empty() && *c != b".")
        .map(<[u8]>::to_vec)
        .collect()
}

fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    match parts.is_empty() {
        true => b".".to_vec(),
        false => parts.join(&b'/'),
    }
}

impl<'e, 'a> Place<'e, 'a> {
    pub fn new(emit: &'e mut Emit<'a>) -> Result<Place<'e, 'a>> {
        let modern = emit.host.features.mount_api;
        let cwd = std::env::current_dir().ok();
        let place = Place {
            emit,
            made: BTreeSet::new(),
            foreign: BTreeSet::new(),
            modern,
            cwd: cwd.map(|path| path.into_os_string().into_encoded_bytes()),
        };
        if !modern {
            // Paths are used as they are, from here.
            let enter = Call::new(nr::FCHDIR).slot(ROOT);
            place.emit.call(Stage::PivotRoot, None, enter);
        }
        Ok(place)
    }

    /// Whether the piece would be mounted over all of a new root, where nobody would see it.
    pub fn is_whole_root(&self, piece: &Piece) -> bool {
        let target = match piece {
            Piece::Bind { target, .. }
            | Piece::Tmpfs { target, .. }
            | Piece::Proc { target, .. }
            | Piece::Dev { target } => target,
            Piece::Mount { target, flags, .. } if flags & (libc::MS_REMOUNT | PROPAGATION) == 0 => {
                target
            }
            _ => return false,
        };
        self.emit.runner.pivot_root.is_some() && components(target).is_empty()
    }

    pub fn has_pid_namespace(&self) -> bool {
        self.emit.runner.has_namespace(libc::CLONE_NEWPID)
    }

    /// Makes the mount that is at `target` read-only, with `flags` beside.
    pub fn seal(&mut self, index: usize, target: &Text, flags: u64) {
        let flags = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | flags;
        self.mount(index, target, false, |at| change(&at, flags));
    }

    /// Mounts what is at `target` over itself, read-only.
    pub fn read_only_copy(&mut self, index: usize, target: &Text) {
        self.mount(index, target, false, |at| {
            Call::new(nr::MOUNT)
                .text(&at)
                .text(&at)
                .arg(Arg::Null)
                .flags(libc::MS_BIND, MOUNT)
                .arg(Arg::Null)
        });
        self.seal(
            index,
            target,
            libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
        );
    }

    /// A file system of its own at `target`.
    pub fn file_system(
        &mut self,
        index: usize,
        target: &Text,
        fstype: &'static std::ffi::CStr,
        flags: u64,
        data: String,
    ) {
        let data = Text::from_bytes(data.as_bytes());
        self.mount(index, target, true, |at| {
            Call::new(nr::MOUNT)
                .lit(fstype)
                .text(&at)
                .lit(fstype)
                .flags(flags, MOUNT)
                .text(&data)
        });
    }

    /// A mount(2) whose target is handed to `call`: `.` after the directory was entered, or the path where no link can
    /// be on it. `new`: something is put there, as opposed to a change of what is there.
    pub fn mount(
        &mut self,
        index: usize,
        target: &Text,
        new: bool,
        call: impl FnOnce(Text) -> Call,
    ) {
        let parts = components(target);
        self.directories(index, &parts);
        if self.modern {
            self.open(index, Stage::Mount, &parts, TARGET);
            self.step(index, Stage::Mount, Call::new(nr::FCHDIR).slot(TARGET));
            self.close(index, Stage::Mount, TARGET);
            self.step(index, Stage::Mount, call(Text::Static(c".")));
        } else {
            self.step(index, Stage::Mount, call(Text::from_bytes(&joined(&parts))));
        }
        if new {
            self.covered(&parts);
        }
    }

    /// A file or directory of the host at `target`.
    pub fn bind(&mut self, index: usize, target: &Text, attach: Attach) -> Result<()> {
        let source = self.absolute(&attach.source);
        let parts = components(target);
        match is_directory(&source) {
            true => self.directories(index, &parts),
            false => self.mount_point_file(index, &parts),
        }
        match self.modern {
            true => self.attach_tree(index, &parts, &source, &attach),
            false => self.bind_by_path(index, &parts, &source, &attach)?,
        }
        self.covered(&parts);
        self.foreign.insert(joined(&parts));
        Ok(())
    }

    fn attach_tree(&mut self, index: usize, parts: &[Vec<u8>], source: &Text, attach: &Attach) {
        let recursive = match attach.recursive {
            true => AT_RECURSIVE,
            false => 0,
        };
        // What lies beneath the directory of the new root is under the tmpfs by now.
        let (from, path) = match tail_beneath(&self.emit.runner.pivot_root, source) {
            Some(tail) => (Arg::Slot(COVERED), tail),
            None => (AT_FDCWD, source.clone()),
        };
        let clone = Call::new(nr::OPEN_TREE).arg(from).text(&path).flags(
            OPEN_TREE_CLONE | libc::O_CLOEXEC as u64 | recursive,
            OPEN_TREE,
        );
        self.step(index, Stage::Mount, clone.into(TREE));
        self.set_attributes(index, attach.add, recursive);
        self.open(index, Stage::Mount, parts, TARGET);
        let attach = Call::new(nr::MOVE_MOUNT)
            .slot(TREE)
            .lit(c"")
            .slot(TARGET)
            .lit(c"")
            .flags(
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH,
                MOVE_MOUNT,
            );
        self.step(index, Stage::Mount, attach);
        self.close(index, Stage::Mount, TARGET);
        self.close(index, Stage::Mount, TREE);
    }

    /// mount_setattr(2) adds to the mount's flags; what the source has locked stays.
    fn set_attributes(&mut self, index: usize, add: u64, recursive: u64) {
        if add == 0 {
            return;
        }
        let atime = add & libc::MS_NOATIME != 0;
        let attr = MountAttr {
            set: mount_attributes(add),
            clear: if atime { MOUNT_ATTR__ATIME } else { 0 },
            ..MountAttr::default()
        };
        let call = Call::new(nr::MOUNT_SETATTR)
            .slot(TREE)
            .lit(c"")
            .flags(libc::AT_EMPTY_PATH as u64 | recursive, OPEN_TREE)
            .arg(Arg::MountAttr(Box::new(attr)))
            .int(size_of::<MountAttr>() as i64);
        self.step(index, Stage::Mount, call);
    }

    /// Before the mount API: a bind ignores all flags, so each mount beneath it is remounted with them.
    fn bind_by_path(
        &mut self,
        index: usize,
        parts: &[Vec<u8>],
        source: &Text,
        attach: &Attach,
    ) -> Result<()> {
        let path = joined(parts);
        let recursive = if attach.recursive { libc::MS_REC } else { 0 };
        let bind = |from: &Text, to: &[u8]| {
            Call::new(nr::MOUNT)
                .text(from)
                .text(&Text::from_bytes(to))
                .arg(Arg::Null)
                .flags(libc::MS_BIND | recursive, MOUNT)
                .arg(Arg::Null)
        };
        match (
            tail_beneath(&self.emit.runner.pivot_root, source),
            &self.emit.runner.pivot_root,
        ) {
            (Some(tail), Some(root)) => {
                let to = [root.to_bytes(), b"/", path.as_slice()].concat();
                self.step(index, Stage::Mount, Call::new(nr::FCHDIR).slot(COVERED));
                self.step(index, Stage::Mount, bind(&tail, &to));
                self.step(index, Stage::Mount, Call::new(nr::FCHDIR).slot(ROOT));
            }
            _ => self.step(index, Stage::Mount, bind(source, &path)),
        }
        if attach.add == 0 {
            return Ok(());
        }
        let mut mounts = vec![path.clone()];
        if attach.recursive {
            let beneath = mounts_beneath(source).map_err(|errno| {
                let message = format!(
                    "mount #{index} {source:?}: the mounts beneath it cannot be listed from /proc/self/mountinfo: {}",
                    reason(errno)
                );
                certain(Stage::Mount, Some(index), errno, message)
            })?;
            mounts.extend(beneath.iter().map(|tail| [path.as_slice(), tail].concat()));
        }
        for path in mounts {
            let path = Text::from_bytes(&path);
            let act = Act::Remount {
                path,
                add: attach.add,
            };
            self.emit.act(Stage::Mount, Some(index), act);
        }
        Ok(())
    }

    pub fn directory(&mut self, index: usize, path: &Text, mode: u32) {
        let parts = components(path);
        let Some((name, parent)) = parts.split_last() else {
            return;
        };
        let ours = self.made.contains(&joined(&parts)) && self.is_ours(&parts);
        self.directories(index, parent);
        self.at_parent(index, Stage::Mkdir, parent, |parent| {
            let name = Text::from_bytes(name);
            // One that was made on the way to something else gets its mode now. A directory of the host is left alone.
            match ours {
                true => Call::new(nr::FCHMODAT)
                    .slot(parent)
                    .text(&name)
                    .arg(Arg::Octal(mode)),
                false => Call::new(nr::MKDIRAT)
                    .slot(parent)
                    .text(&name)
                    .arg(Arg::Octal(mode))
                    .tolerate(&[Errno::EEXIST]),
            }
        });
        self.made.insert(joined(&parts));
    }

    pub fn symlink(&mut self, index: usize, to: &Text, path: &Text) {
        let parts = components(path);
        let (name, parent) = name_and_parent(&parts);
        self.directories(index, parent);
        self.at_parent(index, Stage::Symlink, parent, |parent| {
            Call::new(nr::SYMLINKAT).text(to).slot(parent).text(&name)
        });
    }

    pub fn file(&mut self, index: usize, path: &Text, contents: Arc<[u8]>, mode: u32) {
        let parts = components(path);
        let (name, parent) = name_and_parent(&parts);
        self.directories(index, parent);
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
        self.at_parent(index, Stage::File, parent, |parent| {
            Call::new(nr::OPENAT)
                .slot(parent)
                .text(&name)
                .flags(flags as u64, OPEN)
                .arg(Arg::Octal(mode))
                .into(BRIEF)
        });
        let write = Act::WriteAll(BRIEF, contents);
        self.emit.act(Stage::File, Some(index), write);
        self.close(index, Stage::File, BRIEF);
    }

    /// An empty file to mount a file over. One that is there already is as good.
    fn mount_point_file(&mut self, index: usize, parts: &[Vec<u8>]) {
        let (name, parent) = name_and_parent(parts);
        self.directories(index, parent);
        self.at_parent(index, Stage::File, parent, |parent| {
            Call::new(nr::MKNODAT)
                .slot(parent)
                .text(&name)
                .arg(Arg::Octal(libc::S_IFREG | 0o644))
                .int(0)
                .tolerate(&[Errno::EEXIST])
        });
        if !self.modern {
            // A link is refused (ELOOP). The open itself has no effect: it writes nothing, does not wait, and need not
            // be permitted.
            let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
            let open = Call::new(nr::OPENAT)
                .slot(ROOT)
                .text(&Text::from_bytes(&joined(parts)))
                .flags(flags as u64, OPEN)
                .tolerate(&[Errno::EACCES, Errno::EPERM]);
            self.step(index, Stage::Mount, open.into(BRIEF));
            let close = Call::new(nr::CLOSE).slot(BRIEF).tolerate(&[Errno::EBADF]);
            self.step(index, Stage::Mount, close);
        }
    }

    /// Every missing directory of the path.
    fn directories(&mut self, index: usize, parts: &[Vec<u8>]) {
        for depth in 1..=parts.len() {
            let path = joined(&parts[..depth]);
            if self.made.contains(&path) {
                continue;
            }
            let name = Text::from_bytes(&parts[depth - 1]);
            self.at_parent(index, Stage::Mkdir, &parts[..depth - 1], |parent| {
                Call::new(nr::MKDIRAT)
                    .slot(parent)
                    .text(&name)
                    .arg(Arg::Octal(0o755))
                    .tolerate(&[Errno::EEXIST])
            });
            if !self.modern {
                self.refuse_link(index, &path);
            }
            self.made.insert(path);
        }
    }

    /// O_NOFOLLOW sees a link in the last component only; the ones before it were looked at on the way here.
    fn refuse_link(&mut self, index: usize, path: &[u8]) {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let open = Call::new(nr::OPENAT)
            .slot(ROOT)
            .text(&Text::from_bytes(path))
            .flags(flags as u64, OPEN);
        self.step(index, Stage::Mkdir, open.into(BRIEF));
        self.close(index, Stage::Mkdir, BRIEF);
    }

    /// A call that works in a parent directory, given as an fd.
    fn at_parent(
        &mut self,
        index: usize,
        stage: Stage,
        parent: &[Vec<u8>],
        call: impl FnOnce(Slot) -> Call,
    ) {
        if parent.is_empty() {
            return self.step(index, stage, call(ROOT));
        }
        self.open(index, stage, parent, TARGET);
        self.step(index, stage, call(TARGET));
        self.close(index, stage, TARGET);
    }

    /// O_PATH, with every link resolved as if the new root were the root.
    fn open(&mut self, index: usize, stage: Stage, parts: &[Vec<u8>], into: Slot) {
        let path = Text::from_bytes(&joined(parts));
        let call = if self.modern {
            let how = OpenHow {
                flags: (libc::O_PATH | libc::O_CLOEXEC) as u64,
                mode: 0,
                resolve: libc::RESOLVE_IN_ROOT,
            };
            Call::new(nr::OPENAT2)
                .slot(ROOT)
                .text(&path)
                .arg(Arg::OpenHow(Box::new(how)))
                .int(size_of::<OpenHow>() as i64)
        } else {
            let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
            Call::new(nr::OPENAT)
                .slot(ROOT)
                .text(&path)
                .flags(flags as u64, OPEN)
        };
        self.step(index, stage, call.into(into));
    }

    fn close(&mut self, index: usize, stage: Stage, slot: Slot) {
        self.step(index, stage, Call::new(nr::CLOSE).slot(slot));
    }

    fn step(&mut self, index: usize, stage: Stage, call: Call) {
        self.emit.call(stage, Some(index), call);
    }

    /// Whether the directory is one of the new root's own, and not of something of the host's that was put there.
    fn is_ours(&self, parts: &[Vec<u8>]) -> bool {
        let foreign = (1..=parts.len()).any(|n| self.foreign.contains(&joined(&parts[..n])));
        self.emit.runner.pivot_root.is_some() && !foreign
    }

    /// What was made beneath a path is out of sight once something is mounted there.
    fn covered(&mut self, parts: &[Vec<u8>]) {
        let prefix = [joined(parts), b"/".to_vec()].concat();
        self.made.retain(|path| !path.starts_with(&prefix));
    }

    /// Sources begin at the host's working directory, wherever the child is by then.
    fn absolute(&self, source: &Text) -> Text {
        match &self.cwd {
            Some(cwd) if !source.to_bytes().starts_with(b"/") => {
                Text::from_bytes(&[cwd, b"/".as_slice(), source.to_bytes()].concat())
            }
            _ => source.clone(),
        }
    }
}

/// Whether a bind's source lies beneath the directory that the new root covers.
pub fn any_covered(runner: &Runner) -> bool {
    let covered = |source: &Text| tail_beneath(&runner.pivot_root, source).is_some();
    runner.pieces.iter().any(|piece| match piece {
        Piece::Bind { source, .. } => covered(source),
        Piece::Mount {
            source: Some(source),
            flags,
            ..
        } => flags & libc::MS_BIND != 0 && covered(source),
        _ => false,
    })
}

/// What is left of `path` below the directory `top`, as the two are written.
fn tail_beneath(top: &Option<Text>, path: &Text) -> Option<Text> {
    let top = top.as_ref()?.to_bytes();
    let top = top.strip_suffix(b"/").unwrap_or(top);
    let tail = path.to_bytes().strip_prefix(top)?;
    match tail.first() {
        None => Some(Text::Static(c".")),
        Some(b'/') => Some(Text::from_bytes(&[b".", tail].concat())),
        Some(_) => None,
    }
}

/// A mount(2) that changes what is there.
fn change(at: &Text, flags: u64) -> Call {
    Call::new(nr::MOUNT)
        .arg(Arg::Null)
        .text(at)
        .arg(Arg::Null)
        .flags(flags, MOUNT)
        .arg(Arg::Null)
}

fn name_and_parent(parts: &[Vec<u8>]) -> (Text, &[Vec<u8>]) {
    match parts.split_last() {
        Some((name, parent)) => (Text::from_bytes(name), parent),
        None => (Text::Static(c"."), parts),
    }
}

/// A source that cannot be looked at is taken for a directory; the bind will say what is wrong with it.
fn is_directory(source: &Text) -> bool {
    match nix::sys::stat::stat(source.as_cstr()) {
        Ok(found) => found.st_mode & libc::S_IFMT == libc::S_IFDIR,
        Err(_) => true,
    }
}

/// The mount points beneath a path, as what follows the path (`/proc`), from /proc/self/mountinfo.
fn mounts_beneath(source: &Text) -> std::result::Result<Vec<Vec<u8>>, Errno> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let to_errno = |e: std::io::Error| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
    let source = std::ffi::OsStr::from_bytes(source.to_bytes());
    let Ok(real) = std::fs::canonicalize(source) else {
        return Ok(Vec::new());
    };
    let mut prefix = real.into_os_string().into_vec();
    if prefix != b"/" {
        prefix.push(b'/');
    }
    let table = std::fs::read("/proc/self/mountinfo").map_err(to_errno)?;
    let points = table
        .split(|b| *b == b'\n')
        .filter_map(|line| line.split(|b| *b == b' ').nth(4))
        .map(unescape);
    Ok(points
        .filter(|point| point.starts_with(&prefix) && point.len() > prefix.len())
        .map(|point| point[prefix.len() - 1..].to_vec())
        .collect())
}

/// proc_pid_mountinfo(5): blanks, newlines and backslashes are `\ooo`.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let code = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (first, code) {
            (b'\\', Some(code)) => {
                plain.push(code);
                rest = &tail[3..];
            }
            _ => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    plain
}

fn mount_attributes(flags: u64) -> u64 {
    const PAIRS: [(u64, u64); 7] = [
        (libc::MS_RDONLY, 0x1),
        (libc::MS_NOSUID, 0x2),
        (libc::MS_NODEV, 0x4),
        (libc::MS_NOEXEC, 0x8),
        (libc::MS_NOATIME, 0x10),
        (libc::MS_NODIRATIME, 0x80),
        (MS_NOSYMFOLLOW, 0x20_0000),
    ];
    let set = PAIRS.iter().filter(|(flag, _)| flags & flag != 0);
    set.map(|(_, attr)| attr).sum()
}

/// <linux/mount.h>
const OPEN_TREE_CLONE: u64 = 1;
const AT_RECURSIVE: u64 = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH: u64 = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: u64 = 0x40;
const MOUNT_ATTR__ATIME: u64 = 0x70;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_with_a_blank_would_be_missed() {
        assert_eq!(unescape(b"/a\\040b\\134c"), b"/a b\\c");
        assert_eq!(unescape(b"/a\\04"), b"/a\\04");
    }
}
