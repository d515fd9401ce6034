//! Which process this is, told apart from its forks. A pid does not do: a fork into another pid namespace may have the
//! same one.

use once_cell::sync::Lazy;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// This process. A fork of it is another one; what shares its memory is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Me(u64);

/// A page that a fork finds empty (MADV_WIPEONFORK, Linux 4.14). None: there is no such thing here.
static PAGE: Lazy<Option<&'static AtomicU64>> = Lazy::new(|| {
    const SIZE: usize = 4096;
    const MADV_WIPEONFORK: libc::c_int = 18;
    // SAFETY: a new anonymous mapping touches nothing that exists; the advice is about that mapping alone.
    let page = unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            SIZE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return None;
        }
        if libc::madvise(page, SIZE, MADV_WIPEONFORK) != 0 {
            libc::munmap(page, SIZE);
            return None;
        }
        page
    };
    // SAFETY: the mapping is page aligned, filled with zeroes, and never unmapped.
    Some(unsafe { &*page.cast() })
});

impl Me {
    pub fn now() -> Me {
        let Some(page) = *PAGE else {
            return Me(std::process::id().into());
        };
        match page.load(SeqCst) {
            0 => Me(name(page)),
            known => Me(known),
        }
    }
}

/// A number that no ancestor of this process has, since they began earlier. Several threads agree on one.
fn name(page: &AtomicU64) -> u64 {
    let time = crate::run::now().max(1);
    match page.compare_exchange(0, time, SeqCst, SeqCst) {
        Ok(_) => time,
        Err(other) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_would_take_itself_for_the_host() {
        let host = Me::now();
        assert_eq!(host, Me::now());
        // SAFETY: the child calls nothing but a few system calls, and ends.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let same = Me::now() == host;
            // SAFETY: ends this process at once.
            unsafe { libc::_exit(same.into()) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(pid, &mut status, 0) };
        assert_eq!(status, 0);
    }
}
