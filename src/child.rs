//! The child: an interpreter of the program, and nothing else.
//!
//! It may share the host's memory while other threads of the host run, hold malloc's lock, or fork. So it allocates
//! nothing, takes no lock, calls no libc function, formats nothing, and writes to nothing but its own stack and the
//! channel to its parent. It reads the program, which nobody changes.

use crate::program::{Act, Arg, Call, Exec, ExecWhat, Image, Op, OpenHow, SLOTS};
use crate::sys::nr::Sysno;
use crate::sys::{self, nr};
use crate::text::Text;
use libc::c_void;
use nix::errno::Errno;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};

/// What parent and child say to each other. In memory that both see.
///
/// `word` is a futex with the owner part of a robust futex (set_robust_list(2)): the child's thread id while the child
/// is before its exec, 0 once it is beyond it or dead. The kernel itself takes the id away: when the helper thread ends
/// (CLONE_CHILD_CLEARTID), or, for a child with a copy of the memory, at its exec or death (the robust list). So
/// neither side can miss the other's end, and no fd is needed to see it.
#[repr(C)]
pub struct Channel {
    pub word: AtomicU32,
    /// The op that is being run.
    pub at: AtomicU32,
    /// The errno it failed with, or 0.
    pub errno: AtomicI32,
    /// Written by the kernel at the clone.
    pub pid: AtomicI32,
    pub pidfd: AtomicI32,
    /// In ns, right before the last steps, where that was asked for: CLOCK_MONOTONIC and CLOCK_PROCESS_CPUTIME_ID.
    pub begin: AtomicU64,
    pub cpu: AtomicU64,
    robust: RobustList,
}

/// struct robust_list_head with a list of one.
#[repr(C)]
struct RobustList {
    first: *const c_void,
    offset: isize,
    pending: *const c_void,
    entry: *const c_void,
}

/// The child waits for its parent: the bit that the kernel calls FUTEX_OWNER_DIED, beside an owner.
pub const WAITING: u32 = 0x4000_0000;
/// FUTEX_WAITERS: without it the kernel does not wake anybody at the owner's end.
pub const WATCHED: u32 = 0x8000_0000;
/// FUTEX_TID_MASK
pub const OWNER: u32 = 0x3fff_ffff;
/// A word before the child has run its first instruction, and the owner of a child that shares memory.
pub const RUNNING: u32 = WATCHED | 1;

impl Channel {
    pub fn new() -> Channel {
        Channel {
            word: AtomicU32::new(RUNNING),
            at: AtomicU32::new(0),
            errno: AtomicI32::new(0),
            pid: AtomicI32::new(0),
            pidfd: AtomicI32::new(-1),
            begin: AtomicU64::new(0),
            cpu: AtomicU64::new(0),
            robust: RobustList {
                first: ptr::null(),
                offset: 0,
                pending: ptr::null(),
                entry: ptr::null(),
            },
        }
    }
}

/// All that the child is given.
pub struct Start {
    pub ops: *const [Op],
    pub channel: *mut Channel,
    /// Signals to set back to the default: bit n - 1 is signal n.
    pub reset: u64,
    /// The pipe of a child with a copy of the memory: both ends as they are before the fds are arranged, and the
    /// place of the reading end afterwards.
    pub pipe: Option<GoPipe>,
}

/// The pipe through which a child with a copy of the memory is told to go on. Its end of file says that the host is
/// gone.
#[derive(Clone, Copy)]
pub struct GoPipe {
    pub read: RawFd,
    pub write: RawFd,
    pub arranged: RawFd,
}

/// Where the clone enters the child.
///
/// # Safety
/// `start` points to a [`Start`] whose pointers stay valid until the child's exec or exit, and nobody changes what they
/// lead to but through the channel's atomics.
pub unsafe extern "C" fn enter(start: *mut c_void) -> ! {
    // SAFETY: the caller's promise. The channel is only used through its atomics and, once, below.
    let start = unsafe { &*start.cast::<Start>() };
    let mut child = Child {
        // SAFETY: as above.
        ops: unsafe { &*start.ops },
        channel: start.channel,
        reset: start.reset,
        pipe: start.pipe,
        slots: [0; SLOTS],
    };
    child.run()
}

struct Child<'a> {
    ops: &'a [Op],
    channel: *mut Channel,
    reset: u64,
    pipe: Option<GoPipe>,
    slots: [usize; SLOTS],
}

type Step = Result<(), Errno>;

impl Child<'_> {
    fn run(&mut self) -> ! {
        if let Some(pipe) = self.pipe {
            self.own_the_word();
            // The host's end: while this process holds it, it would not see the host end.
            let _ = call(nr::CLOSE, &[pipe.write as usize]);
        }
        for (number, op) in self.ops.iter().enumerate() {
            self.channel().at.store(number as u32, SeqCst);
            #[cfg(feature = "faults")]
            let done = crate::fault::before(number).and_then(|()| self.step(&op.act));
            #[cfg(not(feature = "faults"))]
            let done = self.step(&op.act);
            if let Err(errno) = done {
                self.channel().errno.store(errno as i32, SeqCst);
                break;
            }
        }
        exit()
    }

    fn channel(&self) -> &Channel {
        // SAFETY: it outlives the child, and what changes in it meanwhile is atomic.
        unsafe { &*self.channel }
    }

    /// Makes the kernel clear the word when this process executes or dies.
    fn own_the_word(&self) {
        let channel = self.channel;
        // SAFETY: the robust list is written by nobody else, and read by the kernel at this process's end only. The
        // memory is shared, at the same address in both processes.
        let done = unsafe {
            let list = ptr::addr_of_mut!((*channel).robust);
            let entry = ptr::addr_of_mut!((*list).entry);
            (*list).offset = ptr::addr_of!((*channel).word)
                .cast::<u8>()
                .offset_from(entry.cast());
            (*list).first = entry.cast();
            *entry = list.cast();
            call(
                nr::SET_ROBUST_LIST,
                &[list as usize, size_of::<[usize; 3]>()],
            )
        };
        let tid = call(nr::GETTID, &[]);
        if let (Ok(_), Ok(tid)) = (done, tid) {
            self.channel().word.store(WATCHED | tid as u32, SeqCst);
        } else {
            exit()
        }
    }

    fn step(&mut self, act: &Act) -> Step {
        match act {
            Act::Call(call) => self.call(call),
            Act::ResetSignals => set_actions(self.reset, libc::SIG_DFL),
            Act::DropPending => drop_pending(),
            Act::CloseFrom(first) => self.close_from(*first),
            Act::WriteAll(slot, bytes) => write_all(self.slot(slot.0), bytes),
            Act::Remount { path, add } => remount(path, *add),
            Act::CheckCwd => check_cwd(),
            Act::CheckProgram(image) => check_program(image),
            Act::Wait(_) => self.wait(),
            Act::Stamp => self.stamp(),
            Act::Filter(filter) => load_filter(filter),
            Act::Exec(exec) => self.exec(exec),
        }
    }

    fn call(&mut self, op: &Call) -> Step {
        let mut args = [0; 6];
        for (arg, value) in args.iter_mut().zip(&op.args) {
            *arg = self.value(value);
        }
        match call(op.sysno, &args) {
            Ok(value) => {
                if let Some(slot) = op.into.and_then(|s| self.slots.get_mut(s.0 as usize)) {
                    *slot = value;
                }
                Ok(())
            }
            Err(errno) if op.tolerate.contains(&errno) => {
                // What is closed later must not be an fd of another time.
                if let Some(slot) = op.into.and_then(|s| self.slots.get_mut(s.0 as usize)) {
                    *slot = usize::MAX;
                }
                Ok(())
            }
            Err(errno) => Err(errno),
        }
    }

    fn slot(&self, number: u8) -> usize {
        self.slots
            .get(number as usize)
            .copied()
            .unwrap_or(usize::MAX)
    }

    fn value(&self, arg: &Arg) -> usize {
        match arg {
            Arg::Absent | Arg::Null => 0,
            Arg::Int(value) => *value as usize,
            Arg::Octal(value) => *value as usize,
            Arg::Signal(signal) => *signal as usize,
            Arg::AtFdCwd => libc::AT_FDCWD as usize,
            Arg::Name(_, value) => *value,
            Arg::Flags(value, _) => *value as usize,
            Arg::Slot(slot) => self.slot(slot.0),
            Arg::Text(text) => text.as_ptr() as usize,
            Arg::Rlimit(limit) => &raw const **limit as usize,
            Arg::OpenHow(how) => &raw const **how as usize,
            Arg::MountAttr(attr) => &raw const **attr as usize,
            Arg::CapHeader(header) => &raw const **header as usize,
            Arg::CapData(data) => data.as_ptr() as usize,
            Arg::Groups(groups) => groups.as_ptr() as usize,
            Arg::SigSet(set) => &raw const **set as usize,
            Arg::CpuMask(mask) => mask.as_ptr() as usize,
            Arg::SchedParam(priority) => &raw const **priority as usize,
            Arg::Ifreq(request) => &raw const **request as usize,
        }
    }

    /// A clock that cannot be read leaves its 0.
    fn stamp(&self) -> Step {
        let channel = self.channel();
        let stamps = [
            (libc::CLOCK_MONOTONIC, &channel.begin),
            (libc::CLOCK_PROCESS_CPUTIME_ID, &channel.cpu),
        ];
        for (clock, stamp) in stamps {
            let mut time = [0u64; 2];
            let args = [clock as usize, time.as_mut_ptr() as usize];
            if call(nr::CLOCK_GETTIME, &args).is_ok() {
                stamp.store(time[0] * 1_000_000_000 + time[1], SeqCst);
            }
        }
        Ok(())
    }

    /// Tells the parent that it is its turn, and sleeps until it is done.
    fn wait(&self) -> Step {
        let word = &self.channel().word;
        // Only this bit: a 0 that the kernel has written because the host is gone has to stay.
        word.fetch_or(WAITING, SeqCst);
        sys::futex_wake(word);
        match self.pipe {
            Some(pipe) => self.wait_on_pipe(pipe),
            None => loop {
                match word.load(SeqCst) {
                    now if now & OWNER == 0 => exit(), // The host is gone.
                    now if now & WAITING == 0 => return Ok(()),
                    now => sys::futex_wait(word, now, None),
                }
            },
        }
    }

    fn wait_on_pipe(&self, pipe: GoPipe) -> Step {
        // Turns before the fds are arranged find the pipe where the parent made it.
        let at = self.channel().at.load(SeqCst) as usize;
        let before = self.ops.get(at..).unwrap_or(&[]);
        let early = before.iter().any(|op| matches!(op.act, Act::CloseFrom(_)));
        let fd = if early { pipe.read } else { pipe.arranged };
        let mut go = 0u8;
        loop {
            match call(nr::READ, &[fd as usize, &raw mut go as usize, 1]) {
                Ok(1) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
                Ok(_) => exit(), // The host is gone.
            }
        }
    }

    fn close_from(&self, first: u32) -> Step {
        let range = [first as usize, u32::MAX as usize, 0];
        match call(nr::CLOSE_RANGE, &range) {
            Ok(_) => Ok(()),
            Err(_) => close_each_from(first),
        }
    }

    fn exec(&self, exec: &Exec) -> Step {
        let argv = exec.args.as_ptr() as usize;
        let envp = exec.env.as_ptr() as usize;
        let empty = c"".as_ptr() as usize;
        let path = exec
            .args
            .strings()
            .first()
            .map_or(empty, |path| path.as_ptr() as usize);
        for attempt in 0..=BUSY_ATTEMPTS {
            let result = match exec.what {
                ExecWhat::Path => call(nr::EXECVE, &[path, argv, envp]),
                ExecWhat::Fd(fd) => {
                    let args = [fd as usize, empty, argv, envp, libc::AT_EMPTY_PATH as usize];
                    call(nr::EXECVEAT, &args)
                }
            };
            match result {
                // Somebody has it open for writing: often an unrelated fork of the host that is about to execute.
                Err(Errno::ETXTBSY) if attempt < BUSY_ATTEMPTS => back_off(attempt, exec.sleeps),
                Err(errno) => return Err(errno),
                Ok(_) => return Ok(()),
            }
        }
        Err(Errno::ETXTBSY)
    }
}

/// 0.1, 0.2, 0.4 ... ms: together 205 ms.
const BUSY_ATTEMPTS: u32 = 11;

fn back_off(attempt: u32, sleeps: bool) {
    let pause = libc::timespec {
        tv_sec: 0,
        tv_nsec: 100_000 << attempt,
    };
    if sleeps {
        let _ = call(nr::NANOSLEEP, &[&raw const pause as usize, 0]);
    } else {
        // The filter may allow nothing but the exec. Some 10 ns a turn.
        for _ in 0..pause.tv_nsec / 10 {
            std::hint::spin_loop();
        }
    }
}

/// A system call of the child's own.
fn call(sysno: Sysno, args: &[usize]) -> Result<usize, Errno> {
    // SAFETY: the arguments come from the program, whose pointers lead to what it owns, or from this file, where they
    // lead to the stack. What the calls change is the child's own: its fds, namespaces, credentials.
    unsafe { sys::call(sysno, args) }
}

fn exit() -> ! {
    let _ = call(nr::EXIT_GROUP, &[127]);
    let _ = call(nr::EXIT, &[127]);
    // A filter that allows not even that.
    sys::trap()
}

/// Gives each of the signals (bit n - 1: signal n) this handler, SIG_DFL or SIG_IGN.
fn set_actions(signals: u64, handler: usize) -> Step {
    // struct sigaction of the kernel: the handler, no flags, no restorer, an empty mask.
    let action = [handler, 0, 0, 0];
    for signal in 1..=64usize {
        let fixed = signal == libc::SIGKILL as usize || signal == libc::SIGSTOP as usize;
        if signals >> (signal - 1) & 1 == 1 && !fixed {
            call(nr::RT_SIGACTION, &[signal, action.as_ptr() as usize, 0, 8])?;
        }
    }
    Ok(())
}

/// Ignoring a signal drops what is pending of it.
fn drop_pending() -> Step {
    let mut pending = 0u64;
    call(nr::RT_SIGPENDING, &[&raw mut pending as usize, 8])?;
    if pending == 0 {
        return Ok(());
    }
    set_actions(pending, libc::SIG_IGN)?;
    set_actions(pending, libc::SIG_DFL)
}

fn write_all(fd: usize, bytes: &[u8]) -> Step {
    let mut rest = bytes;
    while !rest.is_empty() {
        match call(nr::WRITE, &[fd, rest.as_ptr() as usize, rest.len()]) {
            Ok(0) => return Err(Errno::EIO),
            Ok(n) => rest = rest.get(n..).unwrap_or(&[]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// mount(2) replaces all flags of a bind, so those it has are read first: some may be locked.
fn remount(path: &Text, add: u64) -> Step {
    // struct statfs of 64-bit machines: 15 words, the flags at 10.
    let mut found = [0u64; 15];
    let path = path.as_ptr() as usize;
    call(nr::STATFS, &[path, found.as_mut_ptr() as usize])?;
    let has = found[10];
    // ST_RDONLY to ST_NOEXEC and ST_NOATIME, ST_NODIRATIME are the MS_* of the same name; ST_RELATIME is not.
    let mut flags = has & (libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC);
    flags |= has & (libc::MS_NOATIME | libc::MS_NODIRATIME);
    if has & ST_RELATIME != 0 {
        flags |= libc::MS_RELATIME;
    }
    flags |= libc::MS_REMOUNT | libc::MS_BIND | add;
    call(nr::MOUNT, &[0, path, 0, flags as usize, 0]).map(drop)
}

/// statfs(2)
const ST_RELATIME: u64 = 4096;

/// A working directory outside the root shows as `(unreachable)/...`.
fn check_cwd() -> Step {
    let mut path = [0u8; libc::PATH_MAX as usize];
    call(nr::GETCWD, &[path.as_mut_ptr() as usize, path.len()])?;
    match path.first() {
        Some(b'/') => Ok(()),
        _ => Err(Errno::ENOENT),
    }
}

/// What the kernel reads of a program to see what it is, and a NUL.
type Head = [u8; 257];
/// How many interpreters the kernel follows (exec.c).
const INTERPRETERS: usize = 5;

fn check_program(image: &Image) -> Step {
    let mut head: Head = [0; 257];
    match image {
        Image::Path(path) => read_head(path.as_ptr() as usize, &mut head)?,
        Image::Fd(fd) => {
            // One that cannot be read, as an O_PATH one, is no script that works either.
            let _ = call(
                nr::PREAD64,
                &[*fd as usize, head.as_mut_ptr() as usize, head.len() - 1, 0],
            );
        }
    }
    for _ in 0..INTERPRETERS {
        let Some(path) = interpreter(&mut head) else {
            break;
        };
        read_head(path, &mut head)?;
    }
    Ok(())
}

/// The beginning of the file, or nothing where the exec will fail anyway. `path` may lie in `head`.
fn read_head(path: usize, head: &mut Head) -> Step {
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = match open_plainly(path, flags) {
        // It need not be readable to be executed.
        Err(errno) if errno != Errno::ELOOP => open_plainly(path, libc::O_PATH),
        opened => opened,
    };
    head.fill(0);
    match opened {
        Ok(fd) => {
            let _ = call(nr::READ, &[fd, head.as_mut_ptr() as usize, head.len() - 1]);
            let _ = call(nr::CLOSE, &[fd]);
            Ok(())
        }
        Err(Errno::ELOOP) => Err(Errno::ELOOP),
        Err(_) => Ok(()),
    }
}

fn open_plainly(path: usize, flags: i32) -> Result<usize, Errno> {
    let how = OpenHow {
        flags: (flags | libc::O_CLOEXEC) as u64,
        mode: 0,
        resolve: libc::RESOLVE_NO_MAGICLINKS,
    };
    let size = size_of::<OpenHow>();
    call(
        nr::OPENAT2,
        &[libc::AT_FDCWD as usize, path, &raw const how as usize, size],
    )
}

/// The path after `#!`, which is ended by a NUL in place.
fn interpreter(head: &mut Head) -> Option<usize> {
    if !head.starts_with(b"#!") {
        return None;
    }
    let line = head.get_mut(2..)?;
    let blanks = line
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let path = line.get_mut(blanks..)?;
    let length = path
        .iter()
        .take_while(|b| !matches!(b, b' ' | b'\t' | b'\n' | 0))
        .count();
    *path.get_mut(length)? = 0;
    (length > 0).then_some(path.as_ptr() as usize)
}

fn load_filter(filter: &[libc::sock_filter]) -> Step {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    let args = [
        libc::SECCOMP_SET_MODE_FILTER as usize,
        0,
        &raw const program as usize,
    ];
    call(nr::SECCOMP, &args).map(drop)
}

/// Without close_range(2): /proc/self/fd is read until it holds nothing more to close.
fn close_each_from(first: u32) -> Step {
    let path = c"/proc/self/fd".as_ptr() as usize;
    let flags = (libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) as usize;
    let list = call(nr::OPENAT, &[libc::AT_FDCWD as usize, path, flags, 0])?;
    loop {
        call(nr::LSEEK, &[list, 0, libc::SEEK_SET as usize])?;
        if !close_listed(list, first)? {
            break;
        }
    }
    call(nr::CLOSE, &[list]).map(drop)
}

/// Closes what one reading of the list shows. Returns whether there was anything.
fn close_listed(list: usize, first: u32) -> Result<bool, Errno> {
    #[repr(align(8))]
    struct Entries([u8; 1024]);
    let mut entries = Entries([0; 1024]);
    let mut any = false;
    loop {
        let args = [list, entries.0.as_mut_ptr() as usize, entries.0.len()];
        let filled = call(nr::GETDENTS64, &args)?;
        let mut rest = entries.0.get(..filled).unwrap_or(&[]);
        if rest.is_empty() {
            return Ok(any);
        }
        // struct linux_dirent64: d_reclen at 16, d_name at 19.
        while let Some(&[low, high]) = rest.get(16..18) {
            let length = usize::from(u16::from_le_bytes([low, high]));
            let name = rest.get(19..length).unwrap_or(&[]);
            if let Some(fd) = number(name).filter(|fd| *fd >= first as usize && *fd != list) {
                let _ = call(nr::CLOSE, &[fd]);
                any = true;
            }
            rest = rest.get(length..).unwrap_or(&[]);
        }
    }
}

/// The decimal number before the NUL; None for `.` and `..`.
fn number(name: &[u8]) -> Option<usize> {
    let mut value = None;
    for byte in name.iter().take_while(|b| **b != 0) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = Some(
            value
                .unwrap_or(0usize)
                .wrapping_mul(10)
                .wrapping_add(digit as usize),
        );
    }
    value
}
