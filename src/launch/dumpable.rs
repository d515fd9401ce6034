//! The host's dumpable flag (PR_SET_DUMPABLE(2const)) over a start whose child changes its ids.
//!
//! The flag belongs to the memory, which host and child share until the exec: the child's setresuid clears it for both.
//! That is right while the child is there, since its new user could otherwise look into the host's memory by ptrace.
//! Afterwards it is put back, by the last of all the starts that are under way at once.
//!
//! "All" is meant across every copy of this library in the process: each would otherwise take the other's 0 for the
//! host's own. What they have in common is the address space, so they meet at one page of it.

use crate::sys::{self, nr};
use once_cell::sync::OnceCell;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// What the copies share. Its layout never changes; another layout gets another page. Zeroes are its beginning.
#[repr(C)]
struct Holders {
    magic: AtomicU32,
    lock: AtomicU32,
    count: AtomicU32,
    /// What the host had before the first of them.
    before: AtomicU32,
    /// The process that these are of. A fork has a copy of the page, but none of the starts.
    owner: AtomicU32,
}

/// Where the page is: away from heaps, stacks and what is linked, and from what the sanitizers keep for themselves on
/// x86-64; within 39 bits elsewhere.
const MEETING_PLACE: usize = match cfg!(target_arch = "x86_64") {
    true => 0x2f5e_5000_0000,
    false => 0x2f_5e50_0000,
};
const MAGIC: u32 = 0x726e_7232;

/// Where no page can be had there (something else is): this copy alone.
static OWN: Holders = Holders {
    magic: AtomicU32::new(MAGIC),
    lock: AtomicU32::new(0),
    count: AtomicU32::new(0),
    before: AtomicU32::new(0),
    owner: AtomicU32::new(0),
};

/// While this lives, the flag may be cleared.
pub struct Dumpable(());

impl Dumpable {
    pub fn hold() -> Dumpable {
        let holders = Locked::new();
        if holders.0.count.fetch_add(1, SeqCst) == 0 {
            let before = prctl(libc::PR_GET_DUMPABLE, 0);
            holders.0.before.store(before as u32, SeqCst);
        }
        Dumpable(())
    }

    /// Clears it now, instead of leaving that to the child.
    pub fn clear(&self) {
        prctl(libc::PR_SET_DUMPABLE, 0);
    }
}

impl Drop for Dumpable {
    fn drop(&mut self) {
        let holders = Locked::new();
        let last = holders.0.count.fetch_sub(1, SeqCst) == 1;
        // 2 (suid_dumpable) can't be set by prctl, but then it is what the kernel left.
        if last && holders.0.before.load(SeqCst) == 1 {
            prctl(libc::PR_SET_DUMPABLE, 1);
        }
    }
}

impl Holders {
    /// In a fork, whose memory was copied while starts of its parent were under way: their locks and their flag too.
    fn begin_anew(&self) {
        self.lock.store(0, SeqCst);
        if self.count.swap(0, SeqCst) > 0 && self.before.load(SeqCst) == 1 {
            prctl(libc::PR_SET_DUMPABLE, 1);
        }
    }
}

/// The holders, for one thread at a time.
struct Locked(&'static Holders);

impl Locked {
    fn new() -> Locked {
        const A_MOMENT: libc::timespec = libc::timespec {
            tv_sec: 0,
            tv_nsec: 1_000_000,
        };
        let holders = holders();
        let me = std::process::id();
        if holders.owner.swap(me, SeqCst) != me {
            holders.begin_anew();
        }
        while holders.lock.swap(1, SeqCst) != 0 {
            sys::futex_wait(&holders.lock, 1, Some(A_MOMENT));
        }
        Locked(holders)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.lock.store(0, SeqCst);
        sys::futex_wake(&self.0.lock);
    }
}

fn holders() -> &'static Holders {
    static FOUND: OnceCell<&'static Holders> = OnceCell::new();
    FOUND.get_or_init(|| meet().unwrap_or(&OWN))
}

/// The page, made by the first copy that comes here and never unmapped.
fn meet() -> Option<&'static Holders> {
    let size = size_of::<Holders>();
    let at = map(MEETING_PLACE, size);
    if at != Some(MEETING_PLACE) {
        if let Some(elsewhere) = at {
            // A kernel before 4.17 takes the address for a wish.
            // SAFETY: mapped just now, and used by nobody.
            unsafe { libc::munmap(elsewhere as *mut libc::c_void, size) };
        }
        // Another copy may have mapped it this instant, and not have signed it yet.
        let signed = (0..100).any(|_| {
            is_ours() || {
                std::thread::sleep(std::time::Duration::from_micros(50));
                false
            }
        });
        if !signed {
            return None;
        }
    }
    // SAFETY: mapped by this copy or another, zeroed at first, never unmapped, and used through atomics only.
    let page = unsafe { &*(MEETING_PLACE as *const Holders) };
    page.magic.store(MAGIC, SeqCst);
    Some(page)
}

fn map(at: usize, size: usize) -> Option<usize> {
    // SAFETY: MAP_FIXED_NOREPLACE replaces nothing that is mapped.
    let got = unsafe {
        libc::mmap(
            at as *mut libc::c_void,
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
            -1,
            0,
        )
    };
    (got != libc::MAP_FAILED).then_some(got as usize)
}

/// Whether what is mapped there is the page of another copy: read by the kernel, which does not fault.
fn is_ours() -> bool {
    let mut magic = 0u32;
    let local = libc::iovec {
        iov_base: (&raw mut magic).cast(),
        iov_len: size_of::<u32>(),
    };
    let remote = libc::iovec {
        iov_base: MEETING_PLACE as *mut libc::c_void,
        iov_len: size_of::<u32>(),
    };
    // SAFETY: writes to `magic` only, and fails where the other address is not readable.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    read == size_of::<u32>() as isize && magic == MAGIC
}

fn prctl(option: libc::c_int, value: usize) -> usize {
    // SAFETY: both options take and return numbers only.
    unsafe { sys::call(nr::PRCTL, &[option as usize, value, 0, 0, 0]) }.unwrap_or(0)
}
