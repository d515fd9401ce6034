//! The one error type: which step, which element of it, which errno, and what a person can do.

use crate::stage::Stage;
use nix::errno::Errno;
use std::fmt;

/// Why a runner did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    stage: Stage,
    index: Option<usize>,
    errno: Errno,
    message: String,
}

/// What the library's functions return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(
        stage: Stage,
        index: Option<usize>,
        errno: Errno,
        message: impl Into<String>,
    ) -> Error {
        // A number that is no errno would read as 0, which is success to a C caller.
        let errno = match errno {
            Errno::UnknownErrno => Errno::ECANCELED,
            known => known,
        };
        Error {
            stage,
            index,
            errno,
            message: message.into(),
        }
    }

    /// Options that contradict each other, or a value that no start could use.
    pub(crate) fn options(message: impl Into<String>) -> Error {
        Error::new(Stage::Options, None, Errno::EINVAL, message)
    }

    /// Adds what stands behind it.
    pub(crate) fn because(mut self, cause: &str) -> Error {
        self.message = format!("{} ({cause})", self.message);
        self
    }

    /// What was being done.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Which element of it, counted from 0: a mount, a limit, an fd of the program.
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    /// The errno, always positive.
    pub fn errno(&self) -> Errno {
        self.errno
    }

    /// A sentence for a person: the place, the reason, and where it is known, the way out.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// What a call of std's failed with.
pub(crate) fn errno_of(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// The errno in the words of strerror(3).
pub(crate) fn reason(errno: Errno) -> String {
    let text = std::io::Error::from_raw_os_error(errno as i32).to_string();
    match text.rsplit_once(" (os error") {
        Some((words, _)) => words.into(),
        None => text,
    }
}

impl From<Error> for std::io::Error {
    fn from(e: Error) -> std::io::Error {
        std::io::Error::from_raw_os_error(e.errno as i32)
    }
}
