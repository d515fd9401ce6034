//! The memory that parent and child share, and the pair of sockets of a child with a copy of the memory.

use crate::child::Channel;
use nix::errno::Errno;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

/// A channel at a fixed address: on the heap where the child shares the memory anyway, else in a mapping that stays
/// shared.
pub enum Memory {
    Heap(Box<Channel>),
    Mapped(*mut Channel),
}

// SAFETY: the mapping belongs to this value alone, and a channel is used through atomics.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    pub fn heap() -> Memory {
        Memory::Heap(Box::new(Channel::new()))
    }

    pub fn mapped() -> Result<Memory, Errno> {
        // SAFETY: a new anonymous mapping touches nothing that exists.
        let at = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<Channel>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let channel = at.cast::<Channel>();
        // SAFETY: the mapping is fresh, page aligned and large enough.
        unsafe { channel.write(Channel::new()) };
        Ok(Memory::Mapped(channel))
    }

    pub fn get(&self) -> &Channel {
        match self {
            Memory::Heap(channel) => channel,
            // SAFETY: mapped until this value is dropped, and initialised when it was made.
            Memory::Mapped(channel) => unsafe { &**channel },
        }
    }

    /// The address that the child gets. It writes through the atomics, and to its own part.
    pub fn address(&mut self) -> *mut Channel {
        match self {
            Memory::Heap(channel) => &raw mut **channel,
            Memory::Mapped(channel) => *channel,
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Memory::Mapped(channel) = self {
            // SAFETY: mapped by `mapped`, unmapped once.
            unsafe { libc::munmap(channel.cast(), size_of::<Channel>()) };
        }
    }
}

/// The child's end and the host's end. Sockets, since writing to them raises no SIGPIPE where one asks for that.
pub fn pair() -> Result<[OwnedFd; 2], Errno> {
    let mut fds = [-1; 2];
    // SAFETY: socketpair writes the two fds.
    let made = unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        )
    };
    Errno::result(made)?;
    // SAFETY: both are new and ours.
    Ok(fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }))
}
