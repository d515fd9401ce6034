//! System calls without libc: no errno, no cancellation points, no locks, usable in a child that shares the
//! host's memory.

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod arch;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("librunner knows how to clone on x86_64 and aarch64 only");

pub mod nr;

pub use arch::{clone_into, syscall, trap};

use libc::c_void;
use nix::errno::Errno;
use nr::Sysno;
use std::sync::atomic::AtomicU32;

/// struct clone_args of clone3(2), up to `cgroup` (Linux 5.7).
#[repr(C)]
#[derive(Default)]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

/// Where a child begins: on its own stack, never to return.
pub type Entry = unsafe extern "C" fn(*mut c_void) -> !;

/// A raw result as the kernel gives it: -errno or a value.
pub fn result(raw: isize) -> Result<usize, Errno> {
    match raw {
        -4095..=-1 => Err(match Errno::from_raw(-raw as i32) {
            // A filter may answer any number; as 0 it would read as success.
            Errno::UnknownErrno => Errno::EIO,
            known => known,
        }),
        value => Ok(value as usize),
    }
}

/// A system call whose arguments are plain numbers.
///
/// # Safety
/// The call must not write to memory or change what the host relies on.
pub unsafe fn call(sysno: Sysno, args: &[usize]) -> Result<usize, Errno> {
    let mut all = [0; 6];
    for (slot, arg) in all.iter_mut().zip(args) {
        *slot = *arg;
    }
    // SAFETY: the caller's promise.
    result(unsafe { syscall(sysno.nr, all) })
}

/// Sleeps while `word` is `expected`, until it is woken. Returns early on signals; the caller looks again.
/// Works between processes too: the futex is not a private one.
pub fn futex_wait(word: &AtomicU32, expected: u32, timeout: Option<libc::timespec>) {
    let timeout = timeout.as_ref().map_or(0, |t| t as *const _ as usize);
    let args = [
        word.as_ptr() as usize,
        libc::FUTEX_WAIT as usize,
        expected as usize,
        timeout,
    ];
    // SAFETY: FUTEX_WAIT reads the word and the timeout, both borrowed for the call.
    let _ = unsafe { call(nr::FUTEX, &args) };
}

/// Wakes everybody who waits on `word`.
pub fn futex_wake(word: &AtomicU32) {
    let args = [
        word.as_ptr() as usize,
        libc::FUTEX_WAKE as usize,
        i32::MAX as usize,
    ];
    // SAFETY: FUTEX_WAKE touches no memory.
    let _ = unsafe { call(nr::FUTEX, &args) };
}
