//! Test builds only (feature `faults`): one op of the coming programs fails, or hangs until somebody kills the child.
//! `c-tests/faults/` is built against it. A release library has neither this file nor its symbol (`make check-abi`).

use crate::sys::{self, nr};
use nix::errno::Errno;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};

static OP: AtomicU32 = AtomicU32::new(u32::MAX);
static ERRNO: AtomicI32 = AtomicI32::new(0);

/// Op number `op` of every program that starts from now on fails with `errno`; with 0 the child names itself "fault"
/// and sleeps there. UINT32_MAX: no op.
#[no_mangle]
pub extern "C" fn runner_test_fault(op: u32, errno: i32) {
    ERRNO.store(errno, SeqCst);
    OP.store(op, SeqCst);
}

/// In the child, before it takes this op.
pub fn before(op: usize) -> Result<(), Errno> {
    if OP.load(SeqCst) as usize != op {
        return Ok(());
    }
    match ERRNO.load(SeqCst) {
        0 => sleep(),
        errno => Err(Errno::from_raw(errno)),
    }
}

fn sleep() -> ! {
    let name = c"fault".as_ptr() as usize;
    // SAFETY: the name is a C string.
    let _ = unsafe { sys::call(nr::PRCTL, &[libc::PR_SET_NAME as usize, name]) };
    let long = libc::timespec {
        tv_sec: 1000,
        tv_nsec: 0,
    };
    loop {
        // SAFETY: reads the time.
        let _ = unsafe { sys::call(nr::NANOSLEEP, &[&raw const long as usize, 0]) };
    }
}
