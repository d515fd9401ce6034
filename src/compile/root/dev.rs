//! A minimal /dev. The nodes are the host's, bound one by one: an ordinary user may make none.

use super::place::{Attach, Place};
use super::{exists, limited, Text};
use crate::error::Result;

const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const LINKS: [(&str, &std::ffi::CStr); 5] = [
    ("fd", c"/proc/self/fd"),
    ("stdin", c"/proc/self/fd/0"),
    ("stdout", c"/proc/self/fd/1"),
    ("stderr", c"/proc/self/fd/2"),
    ("ptmx", c"pts/ptmx"),
];
/// Shared memory that programs make is memory of the machine.
const SHM_SIZE: u64 = 64 << 20;

pub fn add(place: &mut Place, index: usize, target: &Text) -> Result<()> {
    let beneath =
        |name: &str| Text::from_bytes(&[target.to_bytes(), b"/", name.as_bytes()].concat());
    let base = libc::MS_NOSUID | libc::MS_NOEXEC;
    let plain = base | libc::MS_NODEV;
    place.file_system(index, target, c"tmpfs", plain, "mode=755".into());
    for name in NODES {
        let source = Text::from_bytes(format!("/dev/{name}").as_bytes());
        if exists(&source) {
            let attach = Attach {
                source,
                recursive: false,
                add: base,
            };
            place.bind(index, &beneath(name), attach)?;
        }
    }
    for (name, to) in LINKS {
        place.symlink(index, &Text::Static(to), &beneath(name));
    }
    place.file_system(
        index,
        &beneath("shm"),
        c"tmpfs",
        plain,
        limited(0o1777, SHM_SIZE),
    );
    let pts = "newinstance,ptmxmode=0666,mode=620".into();
    place.file_system(index, &beneath("pts"), c"devpts", base, pts);
    place.seal(index, target, plain);
    Ok(())
}
