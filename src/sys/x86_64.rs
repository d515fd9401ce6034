//! x86-64: syscall(2) and clone(2).

use super::Entry;
use libc::c_void;
use std::arch::asm;

/// One raw system call.
///
/// # Safety
/// Whatever the system call does to memory and to the process is the caller's to answer for.
pub unsafe fn syscall(nr: usize, args: [usize; 6]) -> isize {
    let ret: isize;
    // SAFETY: the kernel clobbers rax, rcx and r11 only; memory is not assumed to be unchanged.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") nr => ret,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
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
/// with a copy of the memory, the current one) has room for `entry`.
pub unsafe fn clone_into(nr: usize, args: [usize; 5], entry: Entry, arg: *mut c_void) -> isize {
    let ret: isize;
    // SAFETY: in the parent this is a plain system call. In the child rsp is the new stack (aligned here as the ABI
    // asks at a call), r12 and r13 came over with the other registers, and `entry` does not return.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "and rsp, -16",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") nr => ret,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r12") arg,
            in("r13") entry,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    ret
}

/// Ends this process by a fault, where no system call does. All signals but the fault's own may be blocked.
pub fn trap() -> ! {
    // SAFETY: the instruction raises a fault and nothing else.
    unsafe { asm!("ud2", options(noreturn)) }
}
