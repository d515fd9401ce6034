//! `runner_error_t`: filling it by the kernel's rule for structs that grow, and printing it.

use super::sized::Sized32;
use super::{guarded, name, EINVAL};
use crate::error::Error;
use crate::stage::NAMES;
use std::ffi::{c_char, c_int};
use std::ptr;

/// Where and why a start failed. Set `size` before use: `runner_error_t e = RUNNER_ERROR_INIT;`. A size of 0, as in
/// `runner_error_t e = {0};`, means this first published layout; a smaller one that is not 0 is refused (-EINVAL, and
/// nothing is started). The library writes no more than `size` bytes.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct runner_error_t {
    /// In: sizeof(runner_error_t), or 0. The library leaves it as it is.
    pub size: u32,
    /// What was being done: RUNNER_STAGE_*; RUNNER_STAGE_NONE after success.
    pub stage: u32,
    /// Which element of it, from 0; -1 where there is none.
    pub index: i32,
    /// The errno, positive; 0 after success.
    pub err: i32,
    /// A sentence for a person, NUL-terminated UTF-8; empty after success.
    pub message: [c_char; 240],
}

const _: () = assert!(size_of::<runner_error_t>() == 256);

// SAFETY: the size is its first field.
unsafe impl Sized32 for runner_error_t {
    fn set_size(&mut self, size: u32) {
        self.size = size;
    }
}

/// The error, or success for None.
pub(super) fn convert(error: Option<&Error>) -> runner_error_t {
    let mut filled = runner_error_t {
        size: 0,
        stage: error.map_or(0, |e| e.stage() as u32),
        index: error.and_then(Error::index).map_or(-1, |i| i as i32),
        err: error.map_or(0, |e| e.errno() as i32),
        message: [0; 240],
    };
    if let Some(error) = error {
        copy_text(error.message(), &mut filled.message);
    }
    filled
}

/// Copies as much as fits with a NUL, cut at a character's boundary.
pub(super) fn copy_text(text: &str, to: &mut [c_char]) {
    let mut n = text.len().min(to.len() - 1);
    while !text.is_char_boundary(n) {
        n -= 1;
    }
    for (slot, byte) in to.iter_mut().zip(&text.as_bytes()[..n]) {
        *slot = *byte as c_char;
    }
}

/// The name of a stage: "mount", "exec", ... A static string; "unknown" for a number that is no stage. Never NULL.
/// Since 0.1.0.
#[no_mangle]
pub extern "C" fn runner_stage_name(stage: u32) -> *const c_char {
    name(&NAMES, stage)
}

/// Prints an error as one line, `stage[index]: message (errno N)`, into `buf` of `len` bytes, by the rules of
/// snprintf(3): what does not fit is cut, the result ends with NUL where len is not 0, and buf may be NULL where it is.
///
/// Returns the length of the whole line without the NUL, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_error_format(
    error: *const runner_error_t,
    buf: *mut c_char,
    len: usize,
) -> c_int {
    guarded(-libc::EFAULT, || {
        // SAFETY: NULL or a struct of at least the first layout, by the header's conventions.
        let Some(error) = (unsafe { error.as_ref() }) else {
            return EINVAL;
        };
        if error.err == 0 {
            // SAFETY: the caller's buffer, by the header's conventions.
            return unsafe { print("success", buf, len) };
        }
        let name = NAMES
            .get(error.stage as usize)
            .map_or("unknown", |(stage, _)| stage.name());
        let index = match error.index {
            -1 => String::new(),
            index => format!("[{index}]"),
        };
        let message: Vec<u8> = error.message[..239]
            .iter()
            .take_while(|c| **c != 0)
            .map(|c| *c as u8)
            .collect();
        let message = String::from_utf8_lossy(&message);
        let line = format!("{name}{index}: {message} (errno {})", error.err);
        // SAFETY: the caller's buffer, by the header's conventions.
        unsafe { print(&line, buf, len) }
    })
}

/// snprintf(3)'s rules for a ready text.
///
/// # Safety
/// `buf` points to `len` writable bytes, or `len` is 0.
pub(super) unsafe fn print(text: &str, buf: *mut c_char, len: usize) -> c_int {
    if len > 0 {
        if buf.is_null() {
            return EINVAL;
        }
        let n = text.len().min(len - 1);
        // SAFETY: n + 1 <= len bytes, which the caller promised are writable.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), buf.cast(), n);
            *buf.add(n) = 0;
        }
    }
    c_int::try_from(text.len()).unwrap_or(c_int::MAX)
}
