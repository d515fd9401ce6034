//! The files of a cgroup (cgroups(7)): what each is called in v1 and in v2, reading and writing them.

use crate::error::errno_of;
use nix::errno::Errno;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// One directory in one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dir {
    pub path: PathBuf,
    pub v2: bool,
}

/// The same thing has another name in v1 and in v2. `key`: the word at the start of its line; "" where the file is one
/// number.
#[derive(Clone, Copy)]
pub struct Item {
    v1: (&'static str, &'static str),
    v2: (&'static str, &'static str),
}

pub const MEMORY_MAX: Item = Item {
    v1: ("memory.limit_in_bytes", ""),
    v2: ("memory.max", ""),
};
/// v2 from Linux 5.19.
pub const MEMORY_PEAK: Item = Item {
    v1: ("memory.max_usage_in_bytes", ""),
    v2: ("memory.peak", ""),
};
pub const MEMORY_NOW: Item = Item {
    v1: ("memory.usage_in_bytes", ""),
    v2: ("memory.current", ""),
};
pub const PIDS_MAX: Item = Item::same("pids.max", "");
/// Linux 6.1.
pub const PIDS_PEAK: Item = Item::same("pids.peak", "");
pub const PIDS_NOW: Item = Item::same("pids.current", "");
pub const PIDS_REFUSED: Item = Item::same("pids.events", "max");

impl Item {
    const fn same(file: &'static str, key: &'static str) -> Item {
        Item {
            v1: (file, key),
            v2: (file, key),
        }
    }

    fn of(self, dir: &Dir) -> (&'static str, &'static str) {
        match dir.v2 {
            true => self.v2,
            false => self.v1,
        }
    }
}

impl Dir {
    /// The number of this item; None where the kernel does not have it.
    pub fn number(&self, item: Item) -> Option<u64> {
        let (file, key) = item.of(self);
        keyed(&self.read(file).ok()?, key)
    }

    pub fn set_number(&self, item: Item, value: u64) -> Result<(), Failure> {
        self.write(item.of(self).0, &value.to_string())
    }

    pub fn read(&self, file: &str) -> Result<String, Errno> {
        read(&self.path.join(file))
    }

    /// One write(2) is one command to a cgroup.
    pub fn write(&self, file: &str, text: &str) -> Result<(), Failure> {
        write(&self.path.join(file), text)
    }

    /// The processes in it, not those in its children. 0: one that this pid namespace does not know.
    pub fn processes(&self) -> Vec<i32> {
        let list = self.read("cgroup.procs").unwrap_or_default();
        list.lines().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Its child groups, which only the program itself can have made.
    pub fn children(&self) -> Vec<Dir> {
        let Ok(entries) = std::fs::read_dir(&self.path) else {
            return Vec::new();
        };
        let is_dir = |e: &std::fs::DirEntry| e.file_type().is_ok_and(|t| t.is_dir());
        let child = |e: std::fs::DirEntry| Dir {
            path: e.path(),
            v2: self.v2,
        };
        entries.flatten().filter(is_dir).map(child).collect()
    }
}

/// The number behind `key`, or the whole text's.
pub fn keyed(text: &str, key: &str) -> Option<u64> {
    if key.is_empty() {
        return text.trim().parse().ok();
    }
    let value = |line: &str| {
        line.strip_prefix(key)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    };
    text.lines().find_map(value)
}

/// A write that the kernel refused.
#[derive(Clone, Debug)]
pub struct Failure {
    pub path: PathBuf,
    pub errno: Errno,
}

pub fn failure(path: &Path, error: std::io::Error) -> Failure {
    Failure {
        path: path.into(),
        errno: errno_of(error),
    }
}

/// What is not UTF-8 (a name that somebody chose) is replaced, and does no harm to the rest.
///
/// By hand, since read_to_string asks for the size first, which such a file does not have, and reads until there is
/// nothing: here what is far from filling the buffer is all, as the kernel only holds back a line that does not fit.
pub fn read(path: &Path) -> Result<String, Errno> {
    let mut file = File::open(path).map_err(errno_of)?;
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let n = file.read(&mut part).map_err(errno_of)?;
        bytes.extend_from_slice(&part[..n]);
        if n < part.len() / 2 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let open = || std::fs::OpenOptions::new().write(true).open(path);
    let write = |mut file: File| file.write_all(text.as_bytes());
    open().and_then(write).map_err(|e| failure(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_begins_another_would_be_read_for_it() {
        let events = "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 3\n";
        assert_eq!(keyed(events, "oom"), Some(2));
        assert_eq!(keyed(events, "oom_kill"), Some(1));
        assert_eq!(keyed(events, "oom_k"), None);
        assert_eq!(keyed("4096\n", ""), Some(4096));
        assert_eq!(keyed("max\n", ""), None);
    }
}
