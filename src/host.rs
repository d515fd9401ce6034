//! What a compile has to know of the calling process and its kernel. Features are probed once; ids are read anew
//! for each start that needs them.

use nix::errno::Errno;
use once_cell::sync::Lazy;
use once_cell::unsync::OnceCell;

use crate::program::{CapData, CAP_V3};
use crate::sys::{self, nr};

/// What the kernel can do, as seen from this process.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    pub kernel: (u32, u32),
    pub clone3: bool,
    pub pidfd_open: bool,
    /// openat2, open_tree, move_mount and mount_setattr: Linux 5.12.
    pub mount_api: bool,
    /// The highest capability the kernel knows.
    pub last_cap: u32,
}

/// Who the caller is.
#[derive(Clone, Debug)]
pub struct Ids {
    pub euid: u32,
    pub egid: u32,
    pub groups: Vec<u32>,
    /// The effective capabilities, bit n is capability n.
    pub caps: u64,
    pub securebits: u32,
}

/// The calling process, as far as a compile looks at it.
pub struct Host {
    pub features: Features,
    ids: OnceCell<Ids>,
}

pub const CAP_SETGID: u32 = 6;
pub const CAP_SETPCAP: u32 = 8;

impl Host {
    pub fn current() -> Host {
        Host {
            features: *FEATURES,
            ids: OnceCell::new(),
        }
    }

    /// Takes it that this call is missing. False where that was known already.
    pub fn do_without(&mut self, call: nr::Sysno) -> bool {
        let feature = match call {
            nr::CLONE3 => &mut self.features.clone3,
            _ => &mut self.features.mount_api,
        };
        std::mem::take(feature)
    }

    #[cfg(test)]
    pub fn pretend(features: Features, ids: Ids) -> Host {
        Host {
            features,
            ids: OnceCell::with_value(ids),
        }
    }

    pub fn ids(&self) -> &Ids {
        self.ids.get_or_init(read_ids)
    }

    pub fn has_cap(&self, cap: u32) -> bool {
        self.ids().caps >> cap & 1 == 1
    }
}

static FEATURES: Lazy<Features> = Lazy::new(|| Features {
    kernel: kernel_version(),
    // With a size of 0 an existing clone3 says EINVAL.
    clone3: exists(nr::CLONE3, &[0, 0]),
    pidfd_open: exists(nr::PIDFD_OPEN, &[usize::MAX, 0]),
    mount_api: [
        nr::OPENAT2,
        nr::OPEN_TREE,
        nr::MOVE_MOUNT,
        nr::MOUNT_SETATTR,
    ]
    .into_iter()
    // An ordinary caller gets EPERM for any arguments, but has the right in its own user namespace.
    .all(|call| answer(call, &[usize::MAX, 0, 0, 0, 0]) != Err(Errno::ENOSYS)),
    last_cap: last_cap(),
});

/// Whether a call with these useless arguments is refused for them, and not because it does not exist. Container
/// seccomp profiles answer EPERM for calls that they do not know.
pub fn exists(call: nr::Sysno, args: &[usize]) -> bool {
    !matches!(answer(call, args), Err(Errno::ENOSYS | Errno::EPERM))
}

fn answer(call: nr::Sysno, args: &[usize]) -> Result<usize, Errno> {
    // SAFETY: the arguments are chosen so that the kernel refuses them before it does anything.
    unsafe { sys::call(call, args) }
}

fn kernel_version() -> (u32, u32) {
    // SAFETY: utsname is plain bytes, for which zeroes are valid, and uname only fills it.
    let release = unsafe {
        let mut names: libc::utsname = std::mem::zeroed();
        libc::uname(&mut names);
        names.release
    };
    let text: String = release
        .iter()
        .take_while(|c| **c != 0)
        .map(|c| *c as u8 as char)
        .collect();
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn last_cap() -> u32 {
    let known = |cap: &u32| {
        let args = [libc::PR_CAPBSET_READ as usize, *cap as usize, 0, 0, 0];
        // SAFETY: PR_CAPBSET_READ reads nothing but its arguments.
        unsafe { sys::call(nr::PRCTL, &args) }.is_ok()
    };
    (0..64).take_while(known).last().unwrap_or(0)
}

/// The supplementary groups of this process. (Not by nix's getgroups: that reads a file of /proc first.)
fn groups() -> Vec<u32> {
    let mut groups = vec![0; 64];
    loop {
        // SAFETY: at most as many as the buffer has room for are written.
        let found = unsafe { libc::getgroups(groups.len() as i32, groups.as_mut_ptr()) };
        match Errno::result(found) {
            Ok(count) => groups.truncate(count as usize),
            // More than there is room for; NGROUPS_MAX is 65536.
            Err(Errno::EINVAL) if groups.len() < 1 << 17 => {
                groups.resize(groups.len() * 4, 0);
                continue;
            }
            Err(_) => groups.clear(),
        }
        return groups;
    }
}

fn read_ids() -> Ids {
    let mut data = [CapData::default(); 2];
    let args = [&raw const CAP_V3 as usize, data.as_mut_ptr() as usize];
    // SAFETY: capget version 3 writes the two elements of `data`.
    let caps = match unsafe { sys::call(nr::CAPGET, &args) } {
        Ok(_) => u64::from(data[1].effective) << 32 | u64::from(data[0].effective),
        Err(_) => 0,
    };
    // SAFETY: PR_GET_SECUREBITS only returns a number.
    let bits = unsafe { sys::call(nr::PRCTL, &[libc::PR_GET_SECUREBITS as usize, 0, 0, 0, 0]) };
    Ids {
        euid: nix::unistd::geteuid().as_raw(),
        egid: nix::unistd::getegid().as_raw(),
        groups: groups(),
        caps,
        securebits: bits.unwrap_or(0) as u32,
    }
}
