//! The pieces of the new root, in the order in which they are put there.

use crate::error::{Error, Result};
use crate::text::Text;
use std::ffi::CStr;
use std::sync::Arc;

/// How a path of the host appears inside (`Runner::add_bind`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindFlags(pub(crate) u32);

impl BindFlags {
    /// Read-only, with everything mounted beneath it where `REC` is given too.
    pub const RO: BindFlags = BindFlags(1);
    /// Also what is mounted beneath the source.
    pub const REC: BindFlags = BindFlags(1 << 1);
    /// Skipped where the source does not exist.
    pub const OPTIONAL: BindFlags = BindFlags(1 << 2);
    /// Nothing beneath it can be executed.
    pub const NOEXEC: BindFlags = BindFlags(1 << 3);
    /// Device files work. Without it they cannot be opened.
    pub const DEV: BindFlags = BindFlags(1 << 4);
    /// Set-user-ID bits and file capabilities work. Without it they are ignored.
    pub const SUID: BindFlags = BindFlags(1 << 5);

    const ALL: u32 = (1 << 6) - 1;

    /// The flags with these bits, if all of them are known.
    pub fn from_bits(bits: u32) -> Option<BindFlags> {
        (bits & !Self::ALL == 0).then_some(BindFlags(bits))
    }

    /// Whether all of `other` is set.
    pub fn has(self, other: BindFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for BindFlags {
    type Output = BindFlags;
    fn bitor(self, other: BindFlags) -> BindFlags {
        BindFlags(self.0 | other.0)
    }
}

/// How much a proc file system shows (`Runner::add_proc`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcFlags(pub(crate) u32);

impl ProcFlags {
    /// Only the process directories: no /proc/sys, /proc/meminfo, ... (`subset=pid`, Linux 5.8).
    pub const SUBSET: ProcFlags = ProcFlags(1);
    /// Processes of other users are invisible (`hidepid=2`).
    pub const HIDEPID: ProcFlags = ProcFlags(1 << 1);
    /// /proc/kcore, keys, sysrq-trigger and the like are covered; /proc/sys and others are read-only.
    pub const MASK: ProcFlags = ProcFlags(1 << 2);
    /// The whole of it is read-only.
    pub const RO: ProcFlags = ProcFlags(1 << 3);

    const ALL: u32 = (1 << 4) - 1;

    /// The flags with these bits, if all of them are known.
    pub fn from_bits(bits: u32) -> Option<ProcFlags> {
        (bits & !Self::ALL == 0).then_some(ProcFlags(bits))
    }

    /// Whether all of `other` is set.
    pub fn has(self, other: ProcFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for ProcFlags {
    type Output = ProcFlags;
    fn bitor(self, other: ProcFlags) -> ProcFlags {
        ProcFlags(self.0 | other.0)
    }
}

/// One `add_*` call that shapes the root. Its position in the list is the index that errors name.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Mount {
        source: Option<Text>,
        target: Text,
        fstype: Option<Text>,
        flags: u64,
        data: Option<Text>,
    },
    Bind {
        source: Text,
        target: Text,
        flags: BindFlags,
    },
    Tmpfs {
        target: Text,
        size: u64,
        mode: u32,
    },
    Proc {
        target: Text,
        flags: ProcFlags,
    },
    Dev {
        target: Text,
    },
    Dir {
        path: Text,
        mode: u32,
    },
    Symlink {
        to: Text,
        path: Text,
    },
    File {
        path: Text,
        contents: Arc<[u8]>,
        mode: u32,
    },
}

impl Piece {
    /// The piece as an error names it: `"/opt/jdk" -> "opt/jdk"`.
    pub fn describe(&self) -> String {
        match self {
            Piece::Mount {
                source,
                target,
                fstype,
                ..
            } => {
                let kind = fstype.as_ref().map(|t| format!("{} ", t.brief()));
                let from = source.as_ref().map(|s| format!("{} -> ", s.brief()));
                let (kind, from) = (kind.unwrap_or_default(), from.unwrap_or_default());
                format!("{kind}{from}{}", target.brief())
            }
            Piece::Bind { source, target, .. } => {
                format!("{} -> {}", source.brief(), target.brief())
            }
            Piece::Tmpfs { target, .. } => format!("tmpfs -> {}", target.brief()),
            Piece::Proc { target, .. } => format!("proc -> {}", target.brief()),
            Piece::Dev { target } => format!("dev -> {}", target.brief()),
            Piece::Dir { path, .. } | Piece::File { path, .. } => path.brief(),
            Piece::Symlink { to, path } => format!("{} -> {}", path.brief(), to.brief()),
        }
    }
}

/// A path inside the new root: not empty, shorter than PATH_MAX, without `..`.
pub(crate) fn inside(path: &CStr) -> Result<Text> {
    let text = path_text(path)?;
    if text.to_bytes().split(|b| *b == b'/').any(|c| c == b"..") {
        return Err(Error::options(format!(
            "{text:?}: a path inside the root must not contain \"..\""
        )));
    }
    Ok(text)
}

/// Any path: not empty, shorter than PATH_MAX.
pub(crate) fn path_text(path: &CStr) -> Result<Text> {
    match path.to_bytes().len() {
        0 => Err(Error::options("the path is empty")),
        n if n >= libc::PATH_MAX as usize => Err(Error::options(format!(
            "the path is {n} bytes long, PATH_MAX is {}",
            libc::PATH_MAX
        ))),
        _ => Ok(Text::from(path)),
    }
}
