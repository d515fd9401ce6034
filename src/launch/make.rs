//! Making the child by each of the strategies, and the memory that must outlive it.

use super::channel::Memory;
use super::dumpable::Dumpable;
use super::signals::{self, Blocked};
use super::{reap, Begun};
use crate::child::{self, Channel, GoPipe, Start, OWNER, WAITING};
use crate::compile::CORE_DUMPS_ALONE_SINCE;
use crate::error::{reason, Error};
use crate::host::Host;
use crate::me::Me;
use crate::program::{Act, Birth, Op, Program, Strategy, Turn};
use crate::stage::Stage;
use crate::sys::nr::Sysno;
use crate::sys::{self, nr, CloneArgs};
use libc::c_void;
use nix::errno::Errno;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicIsize, Ordering::SeqCst};

/// Why there is no child.
pub enum CloneFailed {
    /// clone3 is not to be had: compile again without it.
    NoClone3,
    At(Stage, Errno),
    Error(Error),
}

/// How a child ended that did not become the program.
pub enum End {
    /// An op failed.
    Failed(Errno),
    /// It was killed, by this signal where it is known.
    Killed(Option<i32>),
}

/// A child before its exec, with all that it reads.
pub struct Child {
    parts: Box<Parts>,
    pid: i32,
    /// Whether there may be a process, or a zombie, to look after.
    alive: bool,
    /// The host. A fork of it has a copy of this value, but neither the child nor the helper thread.
    owner: Me,
}

struct Parts {
    program: Program,
    channel: Memory,
    start: Start,
    clone: CloneArgs,
    use_clone3: bool,
    want_pidfd: bool,
    /// What clone returned on the helper thread.
    cloned: AtomicIsize,
    stack: Option<Box<Stack>>,
    helper_stack: Option<Box<Stack>>,
    ends: Option<Ends>,
    _cgroup: Option<OwnedFd>,
    _dumpable: Option<Dumpable>,
}

/// The sockets through which a child with a copy of the memory is told to go on.
pub struct Sockets {
    pub child: OwnedFd,
    pub host: OwnedFd,
    /// Where the child finds its end once its fds are arranged.
    pub arranged: RawFd,
}

impl Sockets {
    fn split(self) -> (GoPipe, Ends) {
        let pipe = GoPipe {
            read: self.child.as_raw_fd(),
            write: self.host.as_raw_fd(),
            arranged: self.arranged,
        };
        let ends = Ends {
            child: Some(self.child),
            host: self.host,
        };
        (pipe, ends)
    }
}

struct Ends {
    /// Until the child has it.
    child: Option<OwnedFd>,
    host: OwnedFd,
}

// SAFETY: the raw pointers in it lead to parts of the same box, which are only read, or used through atomics.
unsafe impl Send for Parts {}
// SAFETY: as above.
unsafe impl Sync for Parts {}

/// Room for the interpreter: its largest frame holds one path of PATH_MAX.
#[repr(C, align(16))]
struct Stack([MaybeUninit<u8>; 32 * 1024]);

impl Stack {
    /// On the heap from the beginning: the caller's stack may be small.
    fn new() -> Box<Stack> {
        // SAFETY: a stack begins without contents, and its bytes are allowed to have none.
        unsafe { Box::<Stack>::new_uninit().assume_init() }
    }
}

const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// Since when clone3 knows CLONE_CLEAR_SIGHAND.
const CLEAR_SIGHAND_SINCE: (u32, u32) = (5, 5);

impl Child {
    pub fn make(
        program: Program,
        sockets: Option<Sockets>,
        host: &Host,
        want_pidfd: bool,
    ) -> Result<Child, CloneFailed> {
        let features = &host.features;
        let use_clone3 = features.clone3 && features.kernel >= CLEAR_SIGHAND_SINCE;
        if program.needs_clone3 && !use_clone3 {
            return Err(CloneFailed::NoClone3);
        }
        let shares = program.strategy != Strategy::Copy;
        let (cgroup, _cgroup) = open_cgroup(program.birth.as_ref())?;
        let channel = match shares {
            true => Memory::heap(),
            false => Memory::mapped().map_err(|errno| CloneFailed::At(Stage::Memory, errno))?,
        };
        let filtered = program.filters() && features.kernel < CORE_DUMPS_ALONE_SINCE;
        let dumpable = (shares && (program.changes_ids || filtered)).then(Dumpable::hold);
        if let (Some(dumpable), true) = (&dumpable, filtered) {
            dumpable.clear();
        }
        let (pipe, ends) = sockets.map(Sockets::split).unzip();
        let mut parts = Box::new(Parts {
            start: Start {
                ops: std::ptr::slice_from_raw_parts(std::ptr::null(), 0),
                channel: std::ptr::null_mut(),
                // Without CLONE_CLEAR_SIGHAND the handlers came along too.
                reset: if use_clone3 {
                    signals::ignored()
                } else {
                    signals::ALL
                },
                pipe,
            },
            stack: shares.then(Stack::new),
            helper_stack: (program.strategy == Strategy::Helper).then(Stack::new),
            clone: CloneArgs::default(),
            cloned: AtomicIsize::new(0),
            use_clone3,
            want_pidfd,
            program,
            channel,
            ends,
            _cgroup,
            _dumpable: dumpable,
        });
        parts.start.channel = parts.channel.address();
        parts.start.ops = &raw const *parts.program.ops;
        parts.clone = parts.clone_args(cgroup);
        Child::clone(parts)
    }

    fn clone(mut parts: Box<Parts>) -> Result<Child, CloneFailed> {
        let strategy = parts.program.strategy;
        let result = {
            // A host may answer clone3 by a handler of SIGSYS; with CLONE_CLEAR_SIGHAND it does not reach the child.
            let _blocked = match parts.use_clone3 {
                true => Blocked::all_but(libc::SIGSYS),
                false => Blocked::all(),
            };
            match strategy {
                Strategy::Vfork | Strategy::Copy => parts.clone_here(),
                Strategy::Helper => parts.clone_on_helper(),
            }
        };
        match sys::result(result) {
            Ok(pid) if strategy != Strategy::Helper => {
                if strategy == Strategy::Vfork {
                    // Back from vfork: the child is beyond its exec, or dead.
                    parts.channel.get().word.store(0, SeqCst);
                }
                // The child has its own copy of its end.
                if let Some(ends) = &mut parts.ends {
                    ends.child = None;
                }
                Ok(Child {
                    parts,
                    pid: pid as i32,
                    alive: true,
                    owner: Me::now(),
                })
            }
            Ok(_) => Child::on_helper(parts),
            Err(Errno::ENOSYS) if parts.use_clone3 && strategy != Strategy::Helper => {
                Err(CloneFailed::NoClone3)
            }
            Err(errno) if strategy == Strategy::Helper => {
                Err(CloneFailed::At(Stage::Thread, errno))
            }
            Err(errno) => Err(CloneFailed::At(Stage::Clone, errno)),
        }
    }

    /// The helper thread has begun: its clone has either failed, or made a child that waits or has ended.
    fn on_helper(parts: Box<Parts>) -> Result<Child, CloneFailed> {
        let mut child = Child {
            parts,
            pid: 0,
            alive: false,
            owner: Me::now(),
        };
        child.next_event();
        let failed = sys::result(child.parts.cloned.load(SeqCst)).err();
        match failed {
            Some(Errno::ENOSYS) if child.parts.use_clone3 => Err(CloneFailed::NoClone3),
            Some(errno) => Err(CloneFailed::At(Stage::Clone, errno)),
            None => {
                child.pid = child.channel().pid.load(SeqCst);
                child.alive = true;
                Ok(child)
            }
        }
    }

    fn channel(&self) -> &Channel {
        self.parts.channel.get()
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it is waited for before its exec (wait(2)): as one without an exit signal, of which there are no others.
    fn kind(&self) -> i32 {
        match self.parts.clone.exit_signal {
            0 => libc::__WCLONE,
            _ => libc::__WALL,
        }
    }

    /// Whether this process made it, and not one of which this is a fork.
    pub fn is_own(&self) -> bool {
        self.owner == Me::now()
    }

    pub fn program(&self) -> &Program {
        &self.parts.program
    }

    pub fn current_op(&self) -> Option<&Op> {
        let at = self.channel().at.load(SeqCst) as usize;
        self.parts.program.ops.get(at)
    }

    /// Sleeps until the child waits for its parent, or is beyond its exec or dead (the owner part is 0).
    pub fn next_event(&self) -> u32 {
        let copy = self.parts.program.strategy == Strategy::Copy;
        // A child with a copy of the memory that dies before it owns the word leaves no sign on it.
        let look_again = copy.then_some(libc::timespec {
            tv_sec: 0,
            tv_nsec: 50_000_000,
        });
        let word = &self.channel().word;
        loop {
            let now = word.load(SeqCst);
            if now & OWNER == 0 || now & WAITING != 0 {
                return now;
            }
            sys::futex_wait(word, now, look_again);
            if copy && word.load(SeqCst) == now && self.has_come_to_rest() {
                word.store(0, SeqCst);
            }
        }
    }

    /// Dead, or stopped by a signal before its exec, which its tracer has to see to.
    fn has_come_to_rest(&self) -> bool {
        reap::is_dead(self.pid) || self.parts.program.traced && reap::is_stopped(self.pid)
    }

    /// The parent has done its part. `word`: what `next_event` returned.
    pub fn go_on(&self, word: u32) {
        let channel = self.channel();
        // Where the child died meanwhile, the kernel has changed the word, and that must stay.
        let _ = channel
            .word
            .compare_exchange(word, word & !WAITING, SeqCst, SeqCst);
        match &self.parts.ends {
            None => sys::futex_wake(&channel.word),
            Some(ends) => {
                let socket = ends.host.as_raw_fd();
                // SAFETY: one byte of a static is sent. Where nobody reads any more, nothing happens.
                let sent =
                    unsafe { libc::send(socket, b"g".as_ptr().cast(), 1, libc::MSG_NOSIGNAL) };
                if sent != 1 {
                    // So that the child sees an end instead of waiting for ever.
                    // SAFETY: acts on our own socket.
                    unsafe { libc::shutdown(socket, libc::SHUT_RDWR) };
                }
            }
        }
    }

    /// What became of it, once `next_event` said that it is beyond its exec or dead. The dead one is reaped.
    pub fn fate(&mut self) -> Result<i32, End> {
        let errno = self.channel().errno.load(SeqCst);
        let last = self.parts.program.ops.len().saturating_sub(1);
        let at_exec = self.channel().at.load(SeqCst) as usize == last;
        let traced = self.parts.program.traced;
        let executed = |pid| match traced {
            // Its tracer is one to be told, whatever its exit signal.
            true => reap::is_handed_over(pid),
            false => reap::has_executed(pid),
        };
        if errno == 0 && (at_exec || traced) && executed(self.pid) {
            return Ok(self.pid);
        }
        self.alive = false;
        let status = reap::reap(self.pid, self.kind());
        match errno {
            0 => Err(End::Killed(
                status
                    .filter(|s| libc::WIFSIGNALED(*s))
                    .map(|s| libc::WTERMSIG(s)),
            )),
            errno => Err(End::Failed(Errno::from_raw(errno))),
        }
    }

    /// The pidfd that the clone made, or one that is made now. None where none was asked for, or none is to be had.
    pub fn take_pidfd(&mut self) -> Option<OwnedFd> {
        if !self.parts.want_pidfd {
            return None;
        }
        let made = self.channel().pidfd.swap(-1, SeqCst);
        let fd = match made {
            // SAFETY: pidfd_open takes two numbers.
            -1 => unsafe { sys::call(nr::PIDFD_OPEN, &[self.pid as usize, 0]) }.ok()? as RawFd,
            made => made,
        };
        // SAFETY: made by the kernel for this child, and taken once.
        Some(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// When the program began, where the child noted it.
    pub fn begun(&self) -> Option<Begun> {
        let channel = self.channel();
        let at = channel.begin.load(SeqCst);
        let cpu = channel.cpu.load(SeqCst);
        (at > 0).then_some(Begun { at, cpu })
    }

    /// The call of the new mount API that the child was last at, if it was one.
    pub fn new_mount_call(&self) -> Option<Sysno> {
        let new = [
            nr::OPENAT2,
            nr::OPEN_TREE,
            nr::MOVE_MOUNT,
            nr::MOUNT_SETATTR,
        ];
        match &self.current_op()?.act {
            Act::Call(call) if new.contains(&call.sysno) => Some(call.sysno),
            _ => None,
        }
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: the child is not reaped, so the pid is its own.
        let _ = unsafe { sys::call(nr::KILL, &[self.pid as usize, signal as usize]) };
    }

    /// The program runs, or somebody else has control: it is not looked after any more.
    pub fn let_go(&mut self) {
        self.alive = false;
    }

    /// Kills and reaps it.
    pub fn destroy(&mut self) {
        if !std::mem::take(&mut self.alive) || !self.is_own() {
            return;
        }
        // Not there: a waitpid(-1, __WALL) of the host was faster, and the pid may be another child's by now.
        if self.kind() == libc::__WALL || !reap::has_executed(self.pid) {
            self.signal(libc::SIGKILL);
            reap::reap(self.pid, self.kind());
        }
        self.wait_for_the_end();
    }

    /// Until no thread and no process uses the memory any more.
    fn wait_for_the_end(&self) {
        let word = &self.channel().word;
        if self.parts.program.strategy == Strategy::Helper {
            loop {
                match word.load(SeqCst) {
                    now if now & OWNER == 0 => break,
                    now => sys::futex_wait(word, now, None),
                }
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.destroy();
        let fd = self.channel().pidfd.swap(-1, SeqCst);
        if fd >= 0 {
            // SAFETY: made by the kernel for this child, and not taken.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}

impl Parts {
    fn clone_args(&self, cgroup: Option<RawFd>) -> CloneArgs {
        let channel = self.channel.get();
        let mut flags = self.program.namespaces;
        if self.stack.is_some() {
            flags |= (libc::CLONE_VM | libc::CLONE_VFORK) as u64;
        }
        if self.use_clone3 {
            flags |= CLONE_CLEAR_SIGHAND;
            flags |= cgroup.map_or(0, |_| CLONE_INTO_CGROUP);
        }
        // clone has one place for both numbers; on the helper thread the pid is the one that is needed.
        let both = self.use_clone3 || self.program.strategy != Strategy::Helper;
        if self.want_pidfd && both {
            flags |= libc::CLONE_PIDFD as u64;
        }
        let pidfd = channel.pidfd.as_ptr() as u64;
        let mut parent_tid = channel.pid.as_ptr() as u64;
        match !self.use_clone3 && flags & libc::CLONE_PIDFD as u64 != 0 {
            true => parent_tid = pidfd,
            false => flags |= libc::CLONE_PARENT_SETTID as u64,
        }
        // Who stops before its exec is waited for by the caller, who expects an ordinary child. A tracer sees any.
        let stops = self.program.turns.contains(&Turn::Stop) && !self.program.traced;
        let stack = self.stack.as_ref().map_or(0, |s| &raw const **s as u64);
        CloneArgs {
            flags,
            pidfd: if self.want_pidfd { pidfd } else { 0 },
            parent_tid,
            exit_signal: if stops { libc::SIGCHLD as u64 } else { 0 },
            stack,
            stack_size: if stack == 0 {
                0
            } else {
                size_of::<Stack>() as u64
            },
            cgroup: cgroup.map_or(0, |fd| fd as u64),
            ..CloneArgs::default()
        }
    }

    /// clone3, or clone: on the calling thread, whichever that is.
    ///
    /// Runs on the helper thread too, so it uses nothing but this memory.
    fn clone_here(&self) -> isize {
        let args = &self.clone;
        let start = (&raw const self.start).cast_mut().cast::<c_void>();
        let (number, call) = match self.use_clone3 {
            true => {
                let size = size_of::<CloneArgs>();
                (nr::CLONE3, [&raw const *args as usize, size, 0, 0, 0])
            }
            false => {
                let flags = (args.flags | args.exit_signal) as usize;
                let top = (args.stack + args.stack_size) as usize;
                (nr::CLONE, [flags, top, args.parent_tid as usize, 0, 0])
            }
        };
        // SAFETY: the child gets a stack of its own, or a copy of this one. What `start` leads to stays until the
        // child is beyond its exec or dead: with CLONE_VFORK this thread sleeps until then, and whoever owns these
        // parts waits for this thread; with a copy of the memory the child has its own.
        unsafe { sys::clone_into(number.nr, call, child::enter, start) }
    }

    /// A thread that makes the child by vfork, sleeps until the child's exec, and ends. The kernel then clears the
    /// word.
    ///
    /// It is made by hand, since it needs nothing of what a thread of libc's has.
    fn clone_on_helper(&mut self) -> isize {
        let flags = libc::CLONE_VM
            | libc::CLONE_FS
            | libc::CLONE_FILES
            | libc::CLONE_SIGHAND
            | libc::CLONE_THREAD
            | libc::CLONE_SYSVSEM
            | libc::CLONE_CHILD_CLEARTID;
        let Some(stack) = &self.helper_stack else {
            return -(libc::EINVAL as isize);
        };
        let top = &raw const **stack as usize + size_of::<Stack>();
        let word = self.channel.get().word.as_ptr() as usize;
        let args = helper_args(flags as usize, top, word);
        let parts = (&raw const *self).cast_mut().cast::<c_void>();
        // SAFETY: the thread runs `help` on its own stack and uses only these parts, whose owner waits for the word to
        // be cleared before it frees them. It shares the caller's thread pointer and never uses it.
        unsafe { sys::clone_into(nr::CLONE.nr, args, help, parts) }
    }
}

/// clone(2): the last two arguments change places between the architectures.
fn helper_args(flags: usize, stack: usize, child_tid: usize) -> [usize; 5] {
    match cfg!(target_arch = "x86_64") {
        true => [flags, stack, 0, child_tid, 0],
        false => [flags, stack, 0, 0, child_tid],
    }
}

/// The helper thread. All signals are blocked on it.
unsafe extern "C" fn help(parts: *mut c_void) -> ! {
    // SAFETY: `clone_on_helper` passed its parts, which stay until this thread has ended.
    let parts = unsafe { &*parts.cast::<Parts>() };
    let result = parts.clone_here();
    parts.cloned.store(result, SeqCst);
    loop {
        // SAFETY: ends this thread only.
        let _ = unsafe { sys::call(nr::EXIT, &[0]) };
    }
}

/// The fd to be born in, and its owner where it was opened here.
type CgroupFd = (Option<RawFd>, Option<OwnedFd>);

fn open_cgroup(birth: Option<&Birth>) -> Result<CgroupFd, CloneFailed> {
    match birth {
        None => Ok((None, None)),
        Some(Birth::Fd(fd)) => Ok((Some(*fd), None)),
        Some(Birth::Path(path)) => {
            let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
            // SAFETY: open reads the path.
            let fd = unsafe { libc::open(path.as_ptr(), flags) };
            let fd = Errno::result(fd).map_err(|errno| {
                let message = format!("cgroup {path:?}: {}", reason(errno));
                CloneFailed::Error(Error::new(Stage::Cgroup, None, errno, message))
            })?;
            // SAFETY: it is new and ours.
            Ok((Some(fd), Some(unsafe { OwnedFd::from_raw_fd(fd) })))
        }
    }
}
