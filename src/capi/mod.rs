//! The C surface: check pointers, convert, call the core, convert the result. Nothing else is decided here,
//! and a panic never leaves.

// What makes a call sound is the same for all of them and stands once, in the header's conventions.
#![allow(clippy::missing_safety_doc)]

pub mod error;
pub mod held;
pub mod limits;
pub mod options;
pub mod probe;
pub mod process;
pub mod result;
pub mod root;
mod sized;
pub mod start;

use crate::error::Result;
use crate::Runner;
use std::ffi::{c_char, c_int, CStr, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};

const EINVAL: c_int = -libc::EINVAL;

extern "C" {
    /// pthread_setcancelstate(3)
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}
/// <pthread.h> of glibc and musl.
const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// Runs `body`; a panic becomes `on_panic`, and the host's errno stays what it was. The thread is not cancelled
/// meanwhile: that would unwind through Rust, which ends the process.
fn guarded<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    let mut cancel = 0;
    // SAFETY: both calls change this thread's state only, and write the old one to a local.
    unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &mut cancel) };
    let result = keeping_errno(on_panic, body);
    // SAFETY: as above.
    unsafe { pthread_setcancelstate(cancel, std::ptr::null_mut()) };
    result
}

fn keeping_errno<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    let errno = nix::errno::Errno::last_raw();
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or(on_panic);
    nix::errno::Errno::set_raw(errno);
    result
}

/// The name of a number of the ABI, from its table; "unknown" for one that is not there.
fn name<T>(table: &'static [(T, &'static CStr)], number: u32) -> *const c_char {
    table
        .get(number as usize)
        .map_or(c"unknown", |(_, name)| name)
        .as_ptr()
}

/// Every setter: a NULL runner or a refused value is -EINVAL and changes nothing.
///
/// # Safety
/// `runner` is NULL or came from `runner_new` or `runner_clone`, and no other thread uses it.
unsafe fn set(
    runner: *mut Runner,
    change: impl FnOnce(&mut Runner) -> Option<Result<()>>,
) -> c_int {
    guarded(-libc::EFAULT, || {
        // SAFETY: the caller's promise, which the header repeats to the C caller.
        let Some(runner) = (unsafe { runner.as_mut() }) else {
            return EINVAL;
        };
        match change(runner) {
            Some(Ok(())) => 0,
            Some(Err(_)) | None => EINVAL,
        }
    })
}

/// A C string, or None for NULL.
///
/// # Safety
/// `s` is NULL or points to a NUL-terminated string that lives as long as the result is used.
unsafe fn string<'a>(s: *const c_char) -> Option<&'a CStr> {
    // SAFETY: not NULL here; the rest is the caller's promise.
    (!s.is_null()).then(|| unsafe { CStr::from_ptr(s) })
}

/// A NULL-terminated array of strings, copied; None for NULL.
///
/// # Safety
/// `list` is NULL or points to C strings, the last entry being NULL.
unsafe fn strings(list: *const *const c_char) -> Option<Vec<CString>> {
    if list.is_null() {
        return None;
    }
    let mut copies = Vec::new();
    // SAFETY: the loop ends at the NULL entry that the caller promised, so it stays inside the array.
    while let Some(s) = unsafe { string(*list.add(copies.len())) } {
        copies.push(s.to_owned());
    }
    Some(copies)
}

/// An array of `n` elements; NULL is an empty one where `n` is 0, and None otherwise.
///
/// # Safety
/// `first` points to `n` initialised elements, or is NULL.
unsafe fn array<'a, T>(first: *const T, n: usize) -> Option<&'a [T]> {
    if n == 0 {
        return Some(&[]);
    }
    if first.is_null() || n > isize::MAX as usize / size_of::<T>() {
        return None;
    }
    // SAFETY: not NULL, not larger than an object can be; the rest is the caller's promise.
    Some(unsafe { std::slice::from_raw_parts(first, n) })
}
