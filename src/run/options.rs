//! What a watched run is given beside the options of a start: limits, input, what is captured, where its cgroups go.

use crate::error::{Error, Result};
use crate::pieces::path_text;
use crate::runner::{Runner, MAX_FILES};
use crate::text::Text;
use std::ffi::CStr;
use std::os::fd::RawFd;
use std::sync::Arc;

/// None: no such limit.
#[derive(Clone, Default)]
pub(crate) struct Watched {
    /// Nanoseconds.
    pub wall: Option<u64>,
    /// Nanoseconds.
    pub cpu: Option<u64>,
    /// Bytes.
    pub memory: Option<u64>,
    pub processes: Option<u64>,
    /// Bytes.
    pub output: Option<u64>,
    /// Percent of one CPU.
    pub quota: Option<u32>,
    pub input: Option<Arc<Vec<u8>>>,
    pub captures: Vec<Capture>,
    /// One of each hierarchy, the last one counts.
    pub cgroup_roots: Vec<Text>,
}

/// An fd of the program whose output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capture {
    pub fd: RawFd,
    pub most: u64,
    /// What is more than that is dropped, and the run goes on.
    pub drops: bool,
}

impl Watched {
    /// The name of an option that only a watched run can honour.
    pub fn is_asked_by(&self) -> Option<&'static str> {
        let asked = [
            (self.wall.is_some(), "a wall limit"),
            (self.cpu.is_some(), "a CPU limit"),
            (self.memory.is_some(), "a memory limit"),
            (self.processes.is_some(), "a process limit"),
            (self.output.is_some(), "an output limit"),
            (self.quota.is_some(), "a CPU quota"),
            (self.input.is_some(), "input"),
            (!self.captures.is_empty(), "a capture"),
            (!self.cgroup_roots.is_empty(), "a cgroup root"),
        ];
        asked.iter().find(|(set, _)| *set).map(|(_, name)| *name)
    }
}

impl Runner {
    /// How long the run may last, in nanoseconds of CLOCK_MONOTONIC from the program's exec. None: for ever.
    pub fn set_wall_limit(&mut self, ns: Option<u64>) {
        self.watched.wall = ns;
    }

    /// How much CPU time the run may use, all its processes and threads together, in nanoseconds. None: any.
    pub fn set_cpu_limit(&mut self, ns: Option<u64>) {
        self.watched.cpu = ns;
    }

    /// How much memory the run may use, all its processes together, in bytes. None: any.
    pub fn set_memory_limit(&mut self, bytes: Option<u64>) {
        self.watched.memory = bytes;
    }

    /// How many processes and threads the run may have at once. None: any number.
    pub fn set_process_limit(&mut self, n: Option<u64>) {
        self.watched.processes = n;
    }

    /// How much the run may write to a file, and to all captured fds together, in bytes. None: any.
    pub fn set_output_limit(&mut self, bytes: Option<u64>) {
        self.watched.output = bytes;
    }

    /// How much of a CPU the run gets at most, in percent: 200 is two CPUs. None: all there is.
    pub fn set_cpu_quota(&mut self, percent: Option<u32>) -> Result<()> {
        if percent == Some(0) {
            return Err(Error::options("a quota of 0 percent: nothing would run"));
        }
        self.watched.quota = percent;
        Ok(())
    }

    /// The program's fd 0 is a file with these bytes. None: what [`Runner::set_files`] says.
    pub fn set_stdin_bytes(&mut self, bytes: Option<Vec<u8>>) {
        self.watched.input = bytes.map(Arc::new);
    }

    /// Keeps what the program writes to this fd, up to `most` bytes; more than that ends the run.
    pub fn capture(&mut self, child_fd: RawFd, most: u64) -> Result<()> {
        self.add_capture(child_fd, most, false)
    }

    /// Keeps the first `most` bytes of what the program writes to this fd, and drops the rest.
    pub fn capture_head(&mut self, child_fd: RawFd, most: u64) -> Result<()> {
        self.add_capture(child_fd, most, true)
    }

    fn add_capture(&mut self, child_fd: RawFd, most: u64, drops: bool) -> Result<()> {
        if !(0..MAX_FILES as RawFd).contains(&child_fd) {
            return Err(Error::options("no fd that a program could have"));
        }
        self.watched.captures.retain(|c| c.fd != child_fd);
        self.watched.captures.push(Capture {
            fd: child_fd,
            most,
            drops,
        });
        Ok(())
    }

    /// Where the cgroups of runs are made. One path of each hierarchy: a later one replaces an earlier one.
    pub fn set_cgroup_root(&mut self, path: &CStr) -> Result<()> {
        self.watched.cgroup_roots.push(path_text(path)?);
        Ok(())
    }

    /// Forgets every limit of a watched run, its input, captures and cgroup roots.
    pub fn clear_limits(&mut self) {
        self.watched = Watched::default();
    }
}
