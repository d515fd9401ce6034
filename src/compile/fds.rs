//! The program's files: exactly those that were asked for, everything else closed.

use super::{certain, Emit, AT_FDCWD};
use crate::error::{reason, Result};
use crate::explain::OPEN;
use crate::fdplan::{plan, Internal, Step};
use crate::program::{Act, Call};
use crate::stage::Stage;
use crate::sys::nr;
use nix::errno::Errno;
use nix::sys::stat::{fstat, SFlag};
use std::os::fd::{BorrowedFd, RawFd};

pub fn arrange(emit: &mut Emit) -> Result<()> {
    let runner = emit.runner;
    let nulls = [-1; 3];
    let files = runner.files.as_deref().unwrap_or(&nulls);
    if !runner.directory_files {
        refuse_directories(files)?;
    }
    let mut internals = Vec::new();
    if let Some(fd) = runner.exec_fd {
        let keep = is_script(fd)?;
        emit.exec_fd = Some(((files.len() + internals.len()) as RawFd, keep));
        internals.push(Internal { fd, keep });
    }
    if let Some(fd) = emit.go_pipe {
        emit.go_fd = Some((files.len() + internals.len()) as RawFd);
        internals.push(Internal { fd, keep: false });
    }
    if runner.files.is_none() && internals.is_empty() {
        // Nothing is kept, so all of it goes at once.
        emit.act(Stage::Close, None, Act::CloseFrom(0));
        open_null(emit);
        return Ok(());
    }
    let plan = plan(files, &internals);
    for step in &plan.steps {
        match step {
            // The copies of /dev/null go over what is there.
            Step::Close { fd: 1.. } if runner.files.is_none() => {}
            step => emit_step(emit, *step),
        }
    }
    if runner.files.is_none() {
        open_null(emit);
    }
    emit.act(Stage::Close, None, Act::CloseFrom(plan.end));
    Ok(())
}

fn emit_step(emit: &mut Emit, step: Step) {
    let index = |wanted: Option<u32>| wanted.map(|i| i as usize);
    match step {
        Step::Move {
            from,
            to,
            keep,
            wanted,
        } => {
            let flags = if keep { 0 } else { libc::O_CLOEXEC };
            let call = Call::new(nr::DUP3)
                .int(from)
                .int(to)
                .flags(flags as u64, OPEN);
            emit.call(Stage::Dup, index(wanted), call);
        }
        Step::Stay { fd, keep, wanted } => {
            let call = Call::new(nr::FCNTL).int(fd).name("F_SETFD", libc::F_SETFD);
            let call = match keep {
                true => call.int(0),
                false => call.name("FD_CLOEXEC", libc::FD_CLOEXEC),
            };
            emit.call(Stage::Dup, index(wanted), call);
        }
        Step::Close { fd } => {
            let call = Call::new(nr::CLOSE).int(fd).tolerate(&[Errno::EBADF]);
            emit.call(Stage::Close, usize::try_from(fd).ok(), call);
        }
    }
}

/// 0 is closed by now, so the open takes it.
fn open_null(emit: &mut Emit) {
    let open = Call::new(nr::OPENAT).arg(AT_FDCWD).lit(c"/dev/null");
    emit.call(Stage::Dup, Some(0), open.flags(libc::O_RDWR as u64, OPEN));
    for fd in 1..=2 {
        let copy = Call::new(nr::DUP3).int(0).int(fd).flags(0, OPEN);
        emit.call(Stage::Dup, Some(fd as usize), copy);
    }
}

/// A directory on 0, 1 or 2 is a way out of the root by openat(2), and never what a program expects there.
fn refuse_directories(files: &[RawFd]) -> Result<()> {
    for (index, fd) in files.iter().enumerate().take(3).filter(|(_, fd)| **fd >= 0) {
        // SAFETY: only its number is used, for one fstat; whether it is open is what that finds out.
        let borrowed = unsafe { BorrowedFd::borrow_raw(*fd) };
        let failed = |errno: Errno, message: &str| {
            let message = format!("fd {index} of the program is fd {fd} of the host: {message}");
            certain(Stage::Dup, Some(index), errno, message)
        };
        let found = fstat(borrowed).map_err(|errno| failed(errno, &reason(errno)))?;
        if SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFDIR {
            return Err(failed(
                Errno::EISDIR,
                "a directory; as a standard file it leads out of the root \
                 (runner_set_allow_directory_files() permits it)",
            ));
        }
    }
    Ok(())
}

/// Whether the file begins with `#!`, so that its interpreter has to open it again.
fn is_script(fd: RawFd) -> Result<bool> {
    // SAFETY: only its number is used, for calls that fail where it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let found = fstat(borrowed).map_err(|errno| {
        let message = format!("the exec fd {fd}: {}", reason(errno));
        certain(Stage::Exec, None, errno, message)
    })?;
    if found.st_mode & libc::S_IFMT != libc::S_IFREG {
        // The exec will refuse it; opening a FIFO or a device would do something.
        return Ok(false);
    }
    let mut start = [0; 2];
    // An O_PATH fd, or one open for writing only, is read through /proc. What cannot be read is no script either:
    // its interpreter could not read it.
    let read = nix::sys::uio::pread(borrowed, &mut start, 0).or_else(|_| {
        let path = format!("/proc/self/fd/{fd}");
        let file = std::fs::File::open(path).map_err(|_| Errno::EACCES)?;
        nix::sys::uio::pread(&file, &mut start, 0)
    });
    Ok(read == Ok(2) && &start == b"#!")
}
