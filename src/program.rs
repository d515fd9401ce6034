//! What the child will do: a flat list of ops, each a system call with ready arguments and the place to name if it
//! fails. Made before the clone, and only read after it.

use crate::stage::Stage;
use crate::sys::nr::Sysno;
use crate::text::{StrArray, Text};
use nix::errno::Errno;
use std::os::fd::RawFd;
use std::sync::Arc;

/// The stage and element that an error of this op is reported at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    pub stage: Stage,
    pub index: Option<u32>,
}

/// One step of the child.
#[derive(Debug)]
pub struct Op {
    pub site: Site,
    pub act: Act,
}

/// What a step does. Nearly all are plain calls; the rest are the few things that take a loop or a second look.
///
/// Most are `Call`, so a box around it would cost an allocation an op and save nothing.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Act {
    Call(Call),
    /// Signals that the host ignores, or all where their handlers came along too, back to the default.
    ResetSignals,
    /// Forgets signals that were sent to the host's process group before this process left it.
    DropPending,
    /// Closes every fd from this one up, by close_range(2) or, without it, by walking /proc/self/fd.
    CloseFrom(u32),
    /// Writes all of the bytes to the fd in the slot.
    WriteAll(Slot, Arc<[u8]>),
    /// Adds flags to the mount at this path, keeping those it has (before mount_setattr(2)).
    Remount {
        path: Text,
        add: u64,
    },
    /// Fails where the cwd cannot be reached from the root.
    CheckCwd,
    /// Fails where the program, or the interpreter that a script names, is behind a magic link of /proc: in a root of
    /// somebody's making `/proc/self/exe` would run the host's own binary there (CVE-2019-5736).
    CheckProgram(Image),
    /// Waits until the parent has done its part.
    Wait(Turn),
    /// Notes when the program begins and how much CPU time the launch has used.
    Stamp,
    /// Loads the seccomp filter.
    Filter(Arc<[libc::sock_filter]>),
    Exec(Exec),
}

/// What the parent does while the child waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Writes the id maps.
    MapIds,
    /// Calls the callback.
    Callback,
    /// Returns the held start to the caller, to be resumed later.
    Hold,
    /// Stops the child with SIGSTOP and returns; control passes to the tracer.
    Stop,
}

/// A register of the child, for the result of one call that another one takes: an fd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub u8);

/// How many slots there are.
pub const SLOTS: usize = 6;
/// The new root, while things are put into it.
pub const ROOT: Slot = Slot(0);
/// The directory or file that is being worked on.
pub const TARGET: Slot = Slot(1);
/// A detached mount.
pub const TREE: Slot = Slot(2);
/// Anything that lives for two or three ops.
pub const BRIEF: Slot = Slot(3);

/// The host's umask, while the root is built without one.
pub const UMASK: Slot = Slot(4);

/// The directory that the new root covers.
pub const COVERED: Slot = Slot(5);

/// A plain system call.
#[derive(Debug)]
pub struct Call {
    pub sysno: Sysno,
    pub args: [Arg; 6],
    pub into: Option<Slot>,
    /// Errnos that are as good as success.
    pub tolerate: &'static [Errno],
}

/// One argument, printable and ready: the pointer kinds own what they point to.
#[derive(Debug)]
pub enum Arg {
    /// Not an argument; the call takes fewer.
    Absent,
    Int(i64),
    Octal(u32),
    Signal(i32),
    AtFdCwd,
    Null,
    Name(&'static str, usize),
    Flags(u64, &'static [(u64, &'static str)]),
    Slot(Slot),
    Text(Text),
    Rlimit(Box<libc::rlimit64>),
    OpenHow(Box<OpenHow>),
    MountAttr(Box<MountAttr>),
    CapHeader(&'static CapHeader),
    /// Version 3 reads two elements: the lower and the upper 32 capabilities.
    CapData(Box<[CapData; 2]>),
    Groups(Arc<[u32]>),
    /// A kernel signal set: 64 bits.
    SigSet(&'static u64),
    CpuMask(Arc<[u8]>),
    SchedParam(Box<libc::c_int>),
    /// A network interface's name and flags.
    Ifreq(Box<Ifreq>),
}

/// struct open_how of openat2(2).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct OpenHow {
    pub flags: u64,
    pub mode: u64,
    pub resolve: u64,
}

/// struct mount_attr of mount_setattr(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MountAttr {
    pub set: u64,
    pub clear: u64,
    pub propagation: u64,
    pub userns_fd: u64,
}

/// struct __user_cap_header_struct of capset(2); pid 0 is the caller.
#[repr(C)]
#[derive(Debug)]
pub struct CapHeader {
    pub version: u32,
    pub pid: i32,
}

/// _LINUX_CAPABILITY_VERSION_3
pub static CAP_V3: CapHeader = CapHeader {
    version: 0x2008_0522,
    pid: 0,
};

/// struct __user_cap_data_struct of capset(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapData {
    pub effective: u32,
    pub permitted: u32,
    pub inheritable: u32,
}

/// The part of struct ifreq (netdevice(7)) that SIOCSIFFLAGS reads.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Ifreq {
    pub name: [u8; 16],
    pub flags: i16,
    pub rest: [u8; 22],
}

impl Call {
    pub fn new(sysno: Sysno) -> Call {
        Call {
            sysno,
            args: [const { Arg::Absent }; 6],
            into: None,
            tolerate: &[],
        }
    }

    pub fn arg(mut self, arg: Arg) -> Call {
        if let Some(free) = self.args.iter_mut().find(|a| matches!(a, Arg::Absent)) {
            *free = arg;
        }
        self
    }

    pub fn int(self, value: impl Into<i64>) -> Call {
        self.arg(Arg::Int(value.into()))
    }

    pub fn text(self, text: &Text) -> Call {
        self.arg(Arg::Text(text.clone()))
    }

    pub fn lit(self, text: &'static std::ffi::CStr) -> Call {
        self.arg(Arg::Text(Text::Static(text)))
    }

    pub fn name(self, name: &'static str, value: impl TryInto<usize>) -> Call {
        self.arg(Arg::Name(name, value.try_into().unwrap_or(0)))
    }

    pub fn flags(self, value: u64, names: &'static [(u64, &'static str)]) -> Call {
        self.arg(Arg::Flags(value, names))
    }

    pub fn slot(self, slot: Slot) -> Call {
        self.arg(Arg::Slot(slot))
    }

    pub fn into(mut self, slot: Slot) -> Call {
        self.into = Some(slot);
        self
    }

    pub fn tolerate(mut self, errnos: &'static [Errno]) -> Call {
        self.tolerate = errnos;
        self
    }
}

/// The last op.
#[derive(Debug)]
pub struct Exec {
    pub what: ExecWhat,
    pub args: Arc<StrArray>,
    pub env: Arc<StrArray>,
    /// Whether it may sleep between tries while somebody has the file open for writing. Under a filter it may
    /// make no other call, so it spins.
    pub sleeps: bool,
}

/// Where the program is before it is executed.
#[derive(Debug)]
pub enum Image {
    Path(Text),
    /// Named by the host itself; only its interpreter, if it is a script, can mislead.
    Fd(RawFd),
}

#[derive(Debug)]
pub enum ExecWhat {
    /// args[0], by execve(2).
    Path,
    /// This fd, by execveat(2).
    Fd(RawFd),
}

/// How the child is made, and which thread waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// vfork on the calling thread.
    Vfork,
    /// vfork on a short-lived helper thread, while the calling thread does the parent's turns.
    Helper,
    /// A child with a copy of the memory, because ptrace or the death signal bind to the calling thread while that
    /// thread has turns to do.
    Copy,
}

/// The cgroup that the child is born in.
#[derive(Clone, Debug)]
pub enum Birth {
    Fd(RawFd),
    Path(Text),
}

/// Everything that a launch needs to know; independent of the runner it came from.
#[derive(Debug)]
pub struct Program {
    pub strategy: Strategy,
    /// CLONE_NEW* only; the launch adds its own.
    pub namespaces: u64,
    pub birth: Option<Birth>,
    pub ops: Vec<Op>,
    pub turns: Vec<Turn>,
    pub maps: Option<Maps>,
    /// The child changes its ids while it shares the host's memory, which clears the host's dumpable flag.
    pub changes_ids: bool,
    /// The child asks to be traced.
    pub traced: bool,
    /// Only clone3 can make what is asked for.
    pub needs_clone3: bool,
    /// Where the child with a copy of the memory finds the pipe on which it waits for its parent, once its fds
    /// are arranged.
    pub go_fd: Option<RawFd>,
}

/// What is written to /proc/PID/setgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setgroups {
    Deny,
    /// Nothing is written: allowed, unless it is denied around the new namespace.
    Inherit,
    /// Written where it was asked for: it changes nothing, but fails where it is denied around the new namespace.
    Allow,
}

/// What the parent writes to /proc/PID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maps {
    pub setgroups: Setgroups,
    pub uid_map: String,
    pub gid_map: String,
}

impl Program {
    /// Whether a seccomp filter is loaded.
    pub fn filters(&self) -> bool {
        self.ops.iter().any(|op| matches!(op.act, Act::Filter(_)))
    }
}
