//! A start that waits right before its exec.

use super::Launch;
use crate::error::{Error, Result};
use crate::runner::Runner;
use crate::stage::Stage;
use nix::errno::Errno;

/// A held start. Dropping it kills and reaps the process.
pub struct Held {
    launch: Option<Launch>,
    runner: Runner,
}

impl Held {
    pub(crate) fn new(launch: Launch, runner: Runner) -> Held {
        Held {
            launch: Some(launch),
            runner,
        }
    }

    /// The held process.
    pub fn pid(&self) -> i32 {
        self.launch.as_ref().map_or(-1, Launch::pid)
    }

    /// Its pidfd, which belongs to the handle.
    pub fn pidfd(&self) -> Option<i32> {
        self.launch.as_ref().and_then(Launch::pidfd)
    }

    /// Lets it execute its program.
    pub fn resume(mut self) -> Result<i32> {
        match self.launch.take() {
            Some(launch) => launch.resume(&self.runner),
            None => Err(Error::new(Stage::Sync, None, Errno::ESRCH, "already ended")),
        }
    }

    /// Kills and reaps it.
    pub fn abort(self) {}
}
