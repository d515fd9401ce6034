//! What a runner should hold after the calls that were accepted, told by the header's words.

use std::ffi::CString;

#[derive(Clone, Debug)]
pub enum Piece {
    Mount {
        flags: u64,
        whole: bool,
    },
    Bind {
        flags: u32,
        whole: bool,
    },
    Proc {
        whole: bool,
    },
    /// tmpfs and dev.
    Own {
        whole: bool,
    },
    /// Directories, links, files.
    Plain,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub args: Vec<CString>,
    pub env: Vec<CString>,
    pub exec_fd: Option<i32>,
    pub files: Option<Vec<i32>>,
    pub directory_files: bool,
    pub workdir: Option<CString>,
    pub hostname: bool,
    pub domainname: bool,
    pub namespaces: u64,
    pub uid_lines: usize,
    pub gid_lines: usize,
    pub allow_setgroups: Option<bool>,
    pub credential: Option<Credential>,
    pub pivot_root: Option<CString>,
    pub root_writable: bool,
    pub pieces: Vec<Piece>,
    pub rlimits: Vec<(u32, u64, u64)>,
    pub no_new_privs: bool,
    pub drop_caps: bool,
    pub keep_caps: Option<u64>,
    pub seccomp: Option<usize>,
    pub ptrace: bool,
    pub stop: bool,
    pub sync: bool,
    pub cgroup_fd: Option<i32>,
    pub cgroup_paths: usize,
    pub late_cgroup: bool,
    pub ctty: bool,
    pub session: u32,
    pub death_signal: i32,
    pub umask: Option<u32>,
    pub nice: Option<i32>,
    pub oom_score_adj: Option<i32>,
    pub affinity: bool,
    pub personality: Option<u64>,
    pub scheduler: Option<(i32, i32)>,
    pub keyring: bool,
    pub loopback: bool,
    pub watched: Watched,
}

/// Which options need a watched run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watched {
    pub limits: [bool; 6],
    pub input: bool,
    pub captures: bool,
    pub roots: bool,
}

impl Model {
    pub fn has(&self, namespace: i32) -> bool {
        self.namespaces & namespace as u64 != 0
    }

    pub fn is_watched(&self) -> bool {
        self.watched != Watched::default()
    }

    /// Options with which no start is possible, on whatever machine.
    pub fn contradicts(&self) -> bool {
        let without = |namespace| !self.has(namespace);
        self.args.is_empty()
            || without(libc::CLONE_NEWNS) && (self.pivot_root.is_some() || !self.pieces.is_empty())
            || without(libc::CLONE_NEWUTS) && (self.hostname || self.domainname)
            || without(libc::CLONE_NEWNET) && self.loopback
            || without(libc::CLONE_NEWUSER) && self.uid_lines + self.gid_lines > 0
            || without(libc::CLONE_NEWUSER) && self.allow_setgroups == Some(true)
            || self.ctty && self.session != 0
    }

    /// A piece that would show the host's processes, or hide the new root.
    pub fn has_bad_piece(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Proc { .. } if !self.has(libc::CLONE_NEWPID) => true,
            Piece::Mount { whole, .. } | Piece::Proc { whole } | Piece::Own { whole } => {
                *whole && self.pivot_root.is_some()
            }
            // An optional one may have been skipped.
            Piece::Bind { whole, flags, .. } => {
                *whole && flags & 4 == 0 && self.pivot_root.is_some()
            }
            Piece::Plain => false,
        })
    }

    /// The capabilities of the program's, where it was said which.
    pub fn kept_caps(&self) -> Option<u64> {
        self.keep_caps.or(self.drop_caps.then_some(0))
    }
}

/// Below the root, as it is written: nothing but slashes and dots.
pub fn is_whole_root(path: &CString) -> bool {
    path.as_bytes()
        .split(|b| *b == b'/')
        .all(|part| matches!(part, b"" | b"."))
}

pub fn is_path(path: &Option<CString>) -> bool {
    path.as_ref()
        .is_some_and(|path| (1..libc::PATH_MAX as usize).contains(&path.as_bytes().len()))
}

/// A path inside the root: without "..".
pub fn is_inside(path: &Option<CString>) -> bool {
    let climbs = |path: &CString| {
        path.as_bytes()
            .split(|b| *b == b'/')
            .any(|part| part == b"..")
    };
    is_path(path) && !path.as_ref().is_some_and(climbs)
}

pub fn is_name(name: &Option<CString>) -> bool {
    name.as_ref()
        .is_some_and(|name| (1..=64).contains(&name.as_bytes().len()))
}

pub fn is_mapping(inside: u32, outside: u32, count: u32, lines: usize) -> bool {
    let fits = |first: u32| u64::from(first) + u64::from(count) <= u64::from(u32::MAX);
    count > 0 && fits(inside) && fits(outside) && lines < 340
}
