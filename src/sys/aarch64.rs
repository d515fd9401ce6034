//! AArch64: syscall(2) and clone(2).

use super::Entry;
use libc::c_void;
use std::arch::asm;

/// One raw system call.
///
/// # Safety
/// Whatever the system call does to memory and to the process is the caller's to answer for.
pub unsafe fn syscall(nr: usize, args: [usize; 6]) -> isize {
    let ret: isize;
    // SAFETY: the kernel changes x0 only; memory is not assumed to be unchanged.
    unsafe {
        asm!(
            "svc 0",
            in("x8") nr,
            inlateout("x0") args[0] => ret,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x5") args[5],
            options(nostack),
        );
    }
    ret
}

/// A clone or clone3 whose child runs `entry(arg)` on the stack that the call itself names.
///
/// The child never returns into the caller's frame, which the parent may be using at the same time.
///
/// # Safety
/// `nr` and `args` are a clone or clone3 call that is right for this process; the stack it names (or, for a child
/// with a copy of the memory, the current one) is 16-byte aligned and has room for `entry`.
pub unsafe fn clone_into(nr: usize, args: [usize; 5], entry: Entry, arg: *mut c_void) -> isize {
    let ret: isize;
    // SAFETY: in the parent this is a plain system call. In the child sp is the new stack, x20 and x21 came over with
    // the other registers, and `entry` does not return.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x20",
            "blr x21",
            "brk 1",
            "2:",
            in("x8") nr,
            inlateout("x0") args[0] => ret,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x20") arg,
            in("x21") entry,
        );
    }
    ret
}

/// Ends this process by a fault, where no system call does. All signals but the fault's own may be blocked.
pub fn trap() -> ! {
    // SAFETY: the instruction raises a fault and nothing else.
    unsafe { asm!("brk 1", options(noreturn)) }
}
