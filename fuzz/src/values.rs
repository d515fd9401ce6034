//! Arguments as a careless or hostile C caller passes them, with the right ones often enough.

use arbitrary::{Arbitrary, Result, Unstructured};
use std::ffi::{c_char, CString};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::ptr;
use std::sync::Once;

/// A number of any width; small ones are as likely as all the others.
#[derive(Clone, Copy, Debug)]
pub struct Num(pub i64);

impl<'a> Arbitrary<'a> for Num {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Num> {
        Ok(Num(match u8::arbitrary(u)? % 6 {
            0 => i64::from(u8::arbitrary(u)?),
            1 => i64::from(i8::arbitrary(u)?),
            2 => i64::from(u16::arbitrary(u)?),
            3 => i64::from(u32::arbitrary(u)?),
            4 => i64::arbitrary(u)?,
            _ => i64::from(u8::arbitrary(u)? % 4),
        }))
    }
}

impl Num {
    pub fn u32(self) -> u32 {
        self.0 as u32
    }
    pub fn i32(self) -> i32 {
        self.0 as i32
    }
    pub fn u64(self) -> u64 {
        self.0 as u64
    }
}

const KNOWN: [&str; 26] = [
    "/",
    ".",
    "..",
    "usr",
    "/usr",
    "proc",
    "/dev",
    "tmp/a",
    "tmp/a/b",
    "a/../b",
    "etc/passwd",
    "/bin/true",
    "",
    "/proc/self",
    "/dev/null",
    "././.",
    "a//b/",
    "tmpfs",
    "size=4k,mode=700",
    "/mnt",
    "/mnt/tmp",
    "..a/b..",
    "/nonexistent",
    "/sys/fs/cgroup/memory",
    "NAME=value",
    "new\nline",
];

/// A C string, or NULL.
#[derive(Arbitrary, Clone, Debug)]
pub enum Str {
    Null,
    Known(u8),
    Known2(u8),
    /// With a NUL in it, C sees a shorter one.
    Bytes(Vec<u8>),
    Long(u8, u16),
}

impl Str {
    pub fn owned(&self) -> Option<CString> {
        let bytes = match self {
            Str::Null => return None,
            Str::Known(i) | Str::Known2(i) => KNOWN[*i as usize % KNOWN.len()].as_bytes().to_vec(),
            Str::Bytes(bytes) => bytes.split(|b| *b == 0).next()?.to_vec(),
            Str::Long(byte, n) => vec![(*byte).max(1); usize::from(*n) % 5000],
        };
        CString::new(bytes).ok()
    }
}

pub fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
}

/// An array and its length.
#[derive(Arbitrary, Clone, Debug)]
pub enum Array<T> {
    Null(Num),
    /// A length that no object can have.
    Endless,
    Of(Vec<T>),
}

impl<T> Array<T> {
    pub fn parts(&self) -> (*const T, usize) {
        match self {
            Array::Null(n) => (ptr::null(), n.0 as usize),
            Array::Endless => (ptr::dangling(), usize::MAX),
            Array::Of(all) => (all.as_ptr(), all.len()),
        }
    }

    /// What a callee may read; None where it has to refuse.
    pub fn slice(&self) -> Option<&[T]> {
        match self {
            Array::Null(Num(0)) => Some(&[]),
            Array::Null(_) | Array::Endless => None,
            Array::Of(all) => Some(all),
        }
    }
}

/// A file descriptor of the host: open, closed, or none at all.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Fd {
    None,
    Known(u8),
    Small(u8),
    Any(i32),
}

/// Where the host's files are, whatever else this process has open.
const FIRST: i32 = 500;
const FILES: i32 = 5;

impl Fd {
    pub fn number(self) -> i32 {
        match self {
            Fd::None => -1,
            Fd::Known(i) => FIRST + i32::from(i) % FILES,
            Fd::Small(i) => i32::from(i) % 16,
            Fd::Any(any) => any,
        }
    }
}

/// A script, an ordinary file, a directory, a FIFO and a device.
pub fn open_files() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let place = |fd: i32, at: i32| {
            // SAFETY: numbers only; nothing else is open there.
            assert_eq!(unsafe { libc::dup2(fd, FIRST + at) }, FIRST + at);
        };
        for (at, text) in [(0, c"#!/bin/sh\n"), (1, c"\x7fELF")] {
            // SAFETY: a C string, and as many bytes as it has.
            let fd = unsafe {
                let fd = libc::memfd_create(c"file".as_ptr(), libc::MFD_CLOEXEC);
                libc::write(fd, text.as_ptr().cast(), text.to_bytes().len());
                fd
            };
            place(fd, at);
        }
        let directory = std::fs::File::open("/").expect("a root");
        place(directory.as_raw_fd(), 2);
        let (read, write) = std::io::pipe().expect("a pipe");
        place(read.as_raw_fd(), 3);
        // The other end stays open: a look at the pipe would hang, not end.
        let _ = write.into_raw_fd();
        let null = std::fs::File::open("/dev/null").expect("/dev/null");
        place(null.as_raw_fd(), 4);
    });
}
