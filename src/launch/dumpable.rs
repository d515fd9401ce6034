//! The host's dumpable flag (PR_SET_DUMPABLE(2const)) over a start whose child changes its ids.
//!
//! The flag belongs to the memory, which host and child share until the exec: the child's setresuid clears it for both.
//! That is right while the child is there, since its new user could otherwise look into the host's memory by ptrace.
//! Afterwards it is put back, by the last of all the starts that are under way at once.

use crate::sys::{self, nr};
use std::sync::{Mutex, MutexGuard};

struct Holders {
    count: usize,
    /// What the host had before the first of them.
    before: usize,
}

static HOLDERS: Mutex<Holders> = Mutex::new(Holders {
    count: 0,
    before: 0,
});

/// While this lives, the flag may be cleared.
pub struct Dumpable(());

impl Dumpable {
    pub fn hold() -> Dumpable {
        let mut holders = lock();
        if holders.count == 0 {
            holders.before = prctl(libc::PR_GET_DUMPABLE, 0);
        }
        holders.count += 1;
        Dumpable(())
    }

    /// Clears it now, instead of leaving that to the child.
    pub fn clear(&self) {
        prctl(libc::PR_SET_DUMPABLE, 0);
    }
}

impl Drop for Dumpable {
    fn drop(&mut self) {
        let mut holders = lock();
        holders.count -= 1;
        // 2 (suid_dumpable) can't be set by prctl, but then it is what the kernel left.
        if holders.count == 0 && holders.before == 1 {
            prctl(libc::PR_SET_DUMPABLE, 1);
        }
    }
}

fn lock() -> MutexGuard<'static, Holders> {
    HOLDERS
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn prctl(option: libc::c_int, value: usize) -> usize {
    // SAFETY: both options take and return numbers only.
    unsafe { sys::call(nr::PRCTL, &[option as usize, value, 0, 0, 0]) }.unwrap_or(0)
}
