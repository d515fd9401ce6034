//! The id maps of a new user namespace, written from outside (user_namespaces(7)).

use crate::program::{Maps, Setgroups};
use nix::errno::Errno;
use std::io::Write;

/// What could not be written.
pub struct Failure {
    pub file: &'static str,
    pub contents: String,
    pub errno: Errno,
    /// The open failed: there is no /proc, or the process is gone.
    pub opening: bool,
}

pub fn write(pid: i32, maps: &Maps) -> Result<(), Failure> {
    match maps.setgroups {
        Setgroups::Deny => write_file(pid, "setgroups", "deny")?,
        Setgroups::Inherit => {}
        Setgroups::Allow => write_file(pid, "setgroups", "allow")?,
    }
    write_file(pid, "uid_map", &maps.uid_map)?;
    write_file(pid, "gid_map", &maps.gid_map)
}

fn write_file(pid: i32, file: &'static str, contents: &str) -> Result<(), Failure> {
    let failed = |opening: bool| {
        move |error: std::io::Error| Failure {
            file,
            contents: contents.trim_end().into(),
            errno: Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
            opening,
        }
    };
    let path = format!("/proc/{pid}/{file}");
    let mut open = std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(failed(true))?;
    // The kernel takes a map in one write only.
    open.write(contents.as_bytes()).map_err(failed(false))?;
    Ok(())
}
