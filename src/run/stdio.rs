//! The input and the captured output of a run.

use super::options::{Capture, Watched};
use crate::error::{errno_of, reason, Error, Result};
use crate::stage::Stage;
use nix::errno::Errno;
use nix::fcntl::{fcntl, FcntlArg, OFlag, SealFlag};
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The host's ends, and the program's table of files with its ends in it.
pub struct Stdio {
    pub pipes: Vec<Pipe>,
    pub table: Vec<RawFd>,
    /// What stands in the table, until the program has it.
    _given: Vec<OwnedFd>,
}

/// One captured fd.
pub struct Pipe {
    pub child_fd: RawFd,
    most: u64,
    drops: bool,
    /// None: at its end.
    pub read: Option<OwnedFd>,
    pub data: Vec<u8>,
    /// More came than could be kept.
    pub cut: bool,
}

/// What came of a look at a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// There is no more for now.
    Empty,
    /// There may be more.
    More,
    /// Nobody can write any more, or nothing is kept any more.
    End,
}

impl Stdio {
    /// None: nothing is captured and no input is given, so that the table stays as the caller made it.
    pub fn make(files: Option<&[RawFd]>, watched: &Watched) -> Result<Option<Stdio>> {
        if watched.input.is_none() && watched.captures.is_empty() {
            return Ok(None);
        }
        let both = watched.captures.iter().any(|c| c.fd == 0) && watched.input.is_some();
        if both {
            return Err(Error::options("fd 0 cannot have input and be captured"));
        }
        let mut stdio = Stdio {
            pipes: Vec::new(),
            table: files.map_or(vec![], <[RawFd]>::to_vec),
            _given: Vec::new(),
        };
        if files.is_none() {
            let null = failed(
                None,
                nix::fcntl::open(
                    "/dev/null",
                    OFlag::O_RDWR | OFlag::O_CLOEXEC,
                    nix::sys::stat::Mode::empty(),
                ),
            )?;
            stdio.table = vec![null.as_raw_fd(); 3];
            stdio._given.push(null);
        }
        if let Some(bytes) = &watched.input {
            let file = input(bytes)?;
            stdio.give(0, file);
        }
        for capture in &watched.captures {
            stdio.capture(capture)?;
        }
        Ok(Some(stdio))
    }

    fn give(&mut self, fd: RawFd, file: OwnedFd) {
        let index = fd as usize;
        if self.table.len() <= index {
            self.table.resize(index + 1, -1);
        }
        self.table[index] = file.as_raw_fd();
        self._given.push(file);
    }

    fn capture(&mut self, capture: &Capture) -> Result<()> {
        let (read, write) = failed(Some(capture.fd), nix::unistd::pipe2(OFlag::O_CLOEXEC))?;
        // Only our end: the program's is an ordinary one.
        failed(
            Some(capture.fd),
            fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)),
        )?;
        self.give(capture.fd, write);
        self.pipes.push(Pipe {
            child_fd: capture.fd,
            most: capture.most,
            drops: capture.drops,
            read: Some(read),
            data: Vec::new(),
            cut: false,
        });
        Ok(())
    }
}

fn failed<T>(fd: Option<RawFd>, result: nix::Result<T>) -> Result<T> {
    result.map_err(|errno| {
        let message = match fd {
            Some(0) => format!("the input for fd 0: {}", reason(errno)),
            Some(fd) => format!("a pipe for fd {fd} of the program: {}", reason(errno)),
            None => format!("/dev/null for the program: {}", reason(errno)),
        };
        Error::new(Stage::Stdio, fd.map(|fd| fd as usize), errno, message)
    })
}

/// A sealed file in memory: it never blocks anybody, the program can seek in it and cannot change it, and it costs
/// the host no loop. MFD_NOEXEC_SEAL (Linux 6.3): nor can it be executed.
fn input(bytes: &[u8]) -> Result<OwnedFd> {
    // A write beyond this limit would raise SIGXFSZ in the host.
    let most = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_FSIZE);
    if most.is_ok_and(|(soft, _)| soft < bytes.len() as u64) {
        let message = "the input is larger than the host's own RLIMIT_FSIZE";
        return Err(Error::new(Stage::Stdio, Some(0), Errno::EFBIG, message));
    }
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let made = memory_file(flags | libc::MFD_NOEXEC_SEAL).or_else(|_| memory_file(flags));
    let mut file = std::fs::File::from(failed(Some(0), made)?);
    let fill = |file: &mut std::fs::File| {
        file.write_all(bytes)?;
        std::io::Seek::rewind(file)
    };
    failed(Some(0), fill(&mut file).map_err(errno_of))?;
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_SEAL;
    failed(Some(0), fcntl(&file, FcntlArg::F_ADD_SEALS(seals)))?;
    Ok(file.into())
}

/// memfd_create(2), by its number: the C library has it only since glibc 2.27.
fn memory_file(flags: libc::c_uint) -> nix::Result<OwnedFd> {
    // SAFETY: the name is a C string; nothing else is read.
    let fd = unsafe { libc::syscall(libc::SYS_memfd_create, c"input".as_ptr(), flags) };
    // SAFETY: a new fd, owned by nobody else.
    Errno::result(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// How much is read at once.
const PART: usize = 16 * 1024;
/// How often one pipe is read before somebody else has a turn. Not how much: a pipe can be made to give a byte a read.
const TURN: usize = 64;

impl Pipe {
    /// Takes what is there. `left`: how much all the pipes of the run together may still keep.
    pub fn drain(&mut self, left: &mut u64) -> Read {
        for _ in 0..TURN {
            if self.is_full() {
                break;
            }
            match self.read_part(left) {
                Ok(0) => return Read::End,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Read::Empty,
                Err(_) => return Read::End,
            }
        }
        match self.is_full() {
            true => Read::End,
            false => Read::More,
        }
    }

    /// More came than is allowed.
    pub fn is_full(&self) -> bool {
        self.cut && !self.drops
    }

    /// One byte more than fits tells that something is cut off.
    fn read_part(&mut self, left: &mut u64) -> nix::Result<usize> {
        let Some(fd) = &self.read else { return Ok(0) };
        let mut all = u64::MAX;
        let left = if self.drops { &mut all } else { left };
        let room = (self.most - self.data.len() as u64).min(*left);
        let fits = usize::try_from(room).unwrap_or(PART).saturating_add(1);
        let wanted = if self.drops { PART } else { PART.min(fits) };
        let old = self.data.len();
        // With room for a NUL.
        if self.data.try_reserve(wanted + 1).is_err() {
            (self.cut, self.drops) = (true, false);
            return Ok(1);
        }
        self.data.resize(old + wanted, 0);
        let result = nix::unistd::read(fd, &mut self.data[old..]);
        let n = *result.as_ref().unwrap_or(&0);
        let kept = (n as u64).min(room);
        self.data.truncate(old + kept as usize);
        // Beyond the end, for those who take it for a C string.
        self.data.push(0);
        self.data.pop();
        self.cut |= n as u64 > room;
        *left -= kept;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn captured(written: &[u8], most: u64, all: u64) -> (Vec<u8>, bool) {
        let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
        let sent = nix::unistd::write(&write, written).unwrap_or(0);
        assert_eq!(sent, written.len());
        drop(write);
        let mut pipe = Pipe {
            child_fd: 1,
            most,
            drops: false,
            read: Some(read),
            data: Vec::new(),
            cut: false,
        };
        let mut left = all;
        assert_eq!(pipe.drain(&mut left), Read::End);
        assert_eq!(all - left, pipe.data.len() as u64);
        (pipe.data, pipe.cut)
    }

    proptest! {
        #[test]
        fn a_byte_at_the_limit_would_be_lost_or_taken_for_too_many(
            written in proptest::collection::vec(any::<u8>(), 0..3000), most in 0..3000u64, all in 0..3000u64,
        ) {
            let (data, cut) = captured(&written, most, all);
            let kept = written.len().min(most.min(all) as usize);
            prop_assert_eq!(&data[..], &written[..kept]);
            prop_assert_eq!(cut, kept < written.len());
        }
    }

    #[test]
    fn input_could_be_changed_for_whoever_reads_it_next() {
        let file = std::fs::File::from(input(b"abc").unwrap());
        assert!((&file).write(b"x").is_err());
        assert!(file.set_len(0).is_err());
        let mut text = String::new();
        std::io::Read::read_to_string(&mut &file, &mut text).unwrap();
        assert_eq!(text, "abc");
    }
}
