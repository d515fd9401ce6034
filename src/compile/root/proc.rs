//! The proc of the new pid namespace.

use super::place::{Attach, Place};
use super::{exists, Text};
use crate::compile::certain;
use crate::error::Result;
use crate::pieces::ProcFlags;
use crate::stage::Stage;
use nix::errno::Errno;

/// Files that tell about the machine or act on it: covered by /dev/null.
const COVERED: [&str; 6] = [
    "kcore",
    "keys",
    "latency_stats",
    "timer_list",
    "sched_debug",
    "sysrq-trigger",
];
/// Directories of the same kind: covered by an empty tmpfs.
const EMPTIED: [&str; 3] = ["acpi", "scsi", "asound"];
/// Writable by root of the host, and so read-only here.
const READ_ONLY: [&str; 4] = ["sys", "bus", "fs", "irq"];

pub fn add(place: &mut Place, index: usize, target: &Text, flags: ProcFlags) -> Result<()> {
    if !place.has_pid_namespace() {
        let message = format!(
            "proc #{index} {} needs CLONE_NEWPID: it would show the host's processes",
            target.brief()
        );
        return Err(certain(Stage::Options, Some(index), Errno::EINVAL, message));
    }
    let mut mount_flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    if flags.has(ProcFlags::RO) {
        mount_flags |= libc::MS_RDONLY;
    }
    let options = [
        (ProcFlags::SUBSET, "subset=pid"),
        (ProcFlags::HIDEPID, "hidepid=2"),
    ];
    let data: Vec<&str> = options
        .iter()
        .filter(|(flag, _)| flags.has(*flag))
        .map(|(_, option)| *option)
        .collect();
    place.file_system(index, target, c"proc", mount_flags, data.join(","));
    // With subset=pid there is nothing left to cover.
    if flags.has(ProcFlags::MASK) && !flags.has(ProcFlags::SUBSET) {
        mask(place, index, target)?;
    }
    Ok(())
}

fn mask(place: &mut Place, index: usize, target: &Text) -> Result<()> {
    let beneath =
        |name: &str| Text::from_bytes(&[target.to_bytes(), b"/", name.as_bytes()].concat());
    // What the host's kernel does not have is not there inside either.
    let here = |name: &&str| exists(&Text::from_bytes(format!("/proc/{name}").as_bytes()));
    for name in COVERED.into_iter().filter(here) {
        let null = Attach {
            source: Text::Static(c"/dev/null"),
            recursive: false,
            add: libc::MS_NOSUID | libc::MS_NOEXEC,
        };
        place.bind(index, &beneath(name), null)?;
    }
    for name in EMPTIED.into_iter().filter(here) {
        let flags = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        place.file_system(index, &beneath(name), c"tmpfs", flags, "mode=555".into());
    }
    for name in READ_ONLY.into_iter().filter(here) {
        place.read_only_copy(index, &beneath(name));
    }
    Ok(())
}
