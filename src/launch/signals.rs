//! The host's signals: all blocked on this thread while a child is made, so that no handler of the host ever runs in
//! it; and which of them the host ignores, since an exec keeps that.

use crate::sys::{self, nr};
use once_cell::sync::OnceCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Every signal, SIGCANCEL and SIGSETXID of glibc among them.
pub const ALL: u64 = u64::MAX;

/// Blocks every signal on this thread until it is dropped.
pub struct Blocked {
    before: u64,
}

impl Blocked {
    pub fn all() -> Blocked {
        Blocked::these(ALL)
    }

    pub fn all_but(signal: libc::c_int) -> Blocked {
        Blocked::these(ALL & !(1 << (signal - 1)))
    }

    fn these(signals: u64) -> Blocked {
        let mut before = 0u64;
        set_mask(&signals, &mut before);
        Blocked { before }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let mut unused = 0u64;
        set_mask(&self.before, &mut unused);
    }
}

fn set_mask(mask: &u64, before: &mut u64) {
    let args = [
        libc::SIG_SETMASK as usize,
        &raw const *mask as usize,
        &raw mut *before as usize,
        size_of::<u64>(),
    ];
    // SAFETY: the kernel reads one set and writes the other, 64 bits each.
    let _ = unsafe { sys::call(nr::RT_SIGPROCMASK, &args) };
}

/// Asking for every signal takes 62 system calls, 14 us of a start of 70. So an answer that was the same for many
/// starts in a row is kept: until a runner is made, until one of the signals that hosts do ignore changes, and for 10
/// ms at most.
struct Known {
    ignored: AtomicU64,
    /// Nanoseconds after `EPOCH`.
    at: AtomicU64,
    /// How many times in a row the answer was the same.
    times: AtomicU32,
}

static KNOWN: Known = Known {
    ignored: AtomicU64::new(0),
    at: AtomicU64::new(0),
    times: AtomicU32::new(0),
};
const TRUSTED_AFTER: u32 = 16;
static EPOCH: OnceCell<Instant> = OnceCell::new();
const GOOD_FOR: Duration = Duration::from_millis(10);
/// What hosts do ignore, or have inherited ignored; looked at every time.
const WATCHED: [libc::c_int; 6] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGPIPE,
    libc::SIGTERM,
    libc::SIGCHLD,
];

/// The signals that the host ignores: bit n - 1 is signal n.
pub fn ignored() -> u64 {
    let now = EPOCH.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1;
    let at = KNOWN.at.load(Relaxed);
    let known = KNOWN.ignored.load(Relaxed);
    let times = KNOWN.times.load(Relaxed);
    let fresh = times >= TRUSTED_AFTER && now.saturating_sub(at) < GOOD_FOR.as_nanos() as u64;
    let same = |signal: &libc::c_int| is_ignored(*signal) == (known >> (signal - 1) & 1 == 1);
    if fresh && WATCHED.iter().all(same) {
        return known;
    }
    let ignored = (1..=64)
        .filter(|signal| is_ignored(*signal))
        .fold(0, |set, signal| set | 1 << (signal - 1));
    let again = if ignored == known {
        times.saturating_add(1)
    } else {
        0
    };
    KNOWN.times.store(again, Relaxed);
    KNOWN.ignored.store(ignored, Relaxed);
    KNOWN.at.store(now, Relaxed);
    ignored
}

/// The next starts ask for every signal.
pub fn forget() {
    KNOWN.times.store(0, Relaxed);
}

fn is_ignored(signal: libc::c_int) -> bool {
    if signal == libc::SIGKILL || signal == libc::SIGSTOP {
        return false;
    }
    // struct sigaction of the kernel: the handler comes first.
    let mut action = [0usize; 4];
    let args = [signal as usize, 0, action.as_mut_ptr() as usize, 8];
    // SAFETY: without a new action the kernel only writes the present one.
    let read = unsafe { sys::call(nr::RT_SIGACTION, &args) };
    read.is_ok() && action[0] == libc::SIG_IGN
}
