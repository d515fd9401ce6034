//! Starts untrusted programs in Linux namespaces, file systems, limits and filters of their own, from inside a big
//! multi-threaded process, at vfork speed, without harming that process.
//!
//! ```no_run
//! use runner::Runner;
//!
//! let mut runner = Runner::new();
//! runner.set_args(vec![c"/bin/true".into()])?;
//! runner.set_unshare_flags((libc::CLONE_NEWUSER | libc::CLONE_NEWPID) as u64)?;
//! let pid = runner.start()?;
//! # Ok::<(), runner::Error>(())
//! ```
//!
//! The map of the house, in the order in which data flows:
//!
//! - [`capi`]: the C surface, `runner.h`; checks pointers and calls the rest.
//! - `runner`, `pieces`: the options, as plain data.
//! - `host`: what a compile has to know of the calling process.
//! - `compile`: options to program, one verb a file; all decisions and all allocation. `fdplan` is its pure part.
//! - `program`: the flat list of ops; `explain` prints it.
//! - `launch`: the parent's side: make the child, take its turns, find out what became of it.
//! - `child`: the interpreter that runs the program after the clone. `sys`: raw system calls and the clone entry.
//! - `run`: a watched run from its launch to its verdict: limits, cgroups, captured output, figures.
//! - `me`: which process this is, told apart from its forks.
//! - `stage`, `error`: what is reported where. `probe`: what the machine offers.

#![cfg_attr(not(feature = "fuzzing"), deny(missing_docs))]
#![cfg_attr(feature = "fuzzing", allow(private_interfaces))]
#![deny(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks)]

#[allow(unsafe_code)]
pub mod capi;
#[allow(unsafe_code)]
mod child;
#[allow(unsafe_code)]
mod compile;
mod error;
mod explain;
#[cfg(feature = "faults")]
#[allow(unsafe_code)]
mod fault;
mod fdplan;
#[allow(unsafe_code)]
mod host;
#[allow(unsafe_code)]
mod launch;
#[allow(unsafe_code)]
mod me;
mod pieces;
#[allow(unsafe_code)]
mod probe;
mod program;
#[allow(unsafe_code)]
pub mod run;
mod runner;
mod stage;
#[allow(unsafe_code)]
mod sys;
#[allow(unsafe_code)]
mod text;

pub use error::{Error, Result};
pub use launch::held::Held;
pub use nix::errno::Errno;
pub use pieces::{BindFlags, ProcFlags};
pub use probe::{probe, Probe};
pub use run::{Evidence, Outcome, Process, Source, Verdict};
pub use runner::{Runner, Session, SyncFunc};
pub use stage::Stage;

/// The insides that the targets in `fuzz/` check; not for anybody else.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz {
    pub use crate::compile::{compile, strategy};
    pub use crate::explain::explain;
    pub use crate::fdplan::{plan, Internal, Plan, Step};
    pub use crate::host::{Features, Host};
    pub use crate::program::*;
    pub use crate::sys::nr;

    /// A path or another string among a call's arguments.
    pub fn text(arg: &Arg) -> Option<&[u8]> {
        match arg {
            Arg::Text(text) => Some(text.to_bytes()),
            _ => None,
        }
    }

    /// The arguments and the environment.
    pub fn strings(exec: &Exec) -> [&[std::ffi::CString]; 2] {
        [exec.args.strings(), exec.env.strings()]
    }

    /// A long name as messages show it.
    pub fn brief(text: &std::ffi::CStr) -> String {
        crate::text::brief(text)
    }
}
