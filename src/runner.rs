//! The options of a run, as plain data. Every setter checks what can be checked without the kernel and
//! leaves the options as they were when it refuses.

use crate::error::{Error, Result};
use crate::pieces::{inside, path_text, BindFlags, Piece, ProcFlags};
use crate::run::cgroup::files::Dir;
use crate::run::options::Watched;
use crate::text::{StrArray, Text};
use std::ffi::{CStr, CString};
use std::os::fd::RawFd;
use std::sync::Arc;

/// How to start a program: what `runner_t` is in C.
///
/// Starting takes `&self`, so one runner may be started from many threads at once. File descriptors are
/// borrowed: they have to stay open until the start returns.
#[derive(Clone, Default)]
pub struct Runner {
    pub(crate) args: Arc<StrArray>,
    pub(crate) env: Arc<StrArray>,
    pub(crate) exec_fd: Option<RawFd>,
    /// None: 0, 1 and 2 are /dev/null.
    pub(crate) files: Option<Vec<RawFd>>,
    pub(crate) directory_files: bool,
    pub(crate) workdir: Option<Text>,
    pub(crate) hostname: Option<Text>,
    pub(crate) domainname: Option<Text>,
    pub(crate) namespaces: u64,
    pub(crate) uid_map: Vec<IdMap>,
    pub(crate) gid_map: Vec<IdMap>,
    /// None: allowed only where the credential needs it and the caller may grant it.
    pub(crate) allow_setgroups: Option<bool>,
    pub(crate) credential: Option<Credential>,
    pub(crate) pivot_root: Option<Text>,
    pub(crate) root_writable: bool,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) rlimits: Vec<Rlimit>,
    pub(crate) no_new_privs: bool,
    pub(crate) drop_caps: bool,
    pub(crate) keep_caps: Option<u64>,
    pub(crate) seccomp: Option<Arc<[libc::sock_filter]>>,
    pub(crate) ptrace: bool,
    pub(crate) stop_before_seccomp: bool,
    pub(crate) sync: Option<SyncFunc>,
    pub(crate) cgroup_fd: Option<RawFd>,
    pub(crate) cgroup_paths: Vec<Text>,
    pub(crate) unshare_cgroup_after_sync: bool,
    pub(crate) ctty: bool,
    pub(crate) session: Session,
    pub(crate) death_signal: Option<i32>,
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i32>,
    pub(crate) oom_score_adj: Option<i32>,
    /// A bit a CPU, as sched_setaffinity(2) takes it.
    pub(crate) cpu_affinity: Option<Arc<[u8]>>,
    pub(crate) personality: Option<u64>,
    pub(crate) scheduler: Option<(i32, i32)>,
    pub(crate) loopback_up: bool,
    pub(crate) new_keyring: bool,
    pub(crate) watched: Watched,
    /// The cgroups of the watched run that this is for.
    pub(crate) run_groups: Vec<Dir>,
    /// Whether the child notes when the program begins.
    pub(crate) stamped: bool,
}

/// The callback of [`Runner::set_sync_func`]. It gets the program's pid; an error fails the start.
pub type SyncFunc =
    Arc<dyn Fn(i32) -> std::result::Result<(), nix::errno::Errno> + Send + Sync + 'static>;

/// One extent of a user namespace's id map (user_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdMap {
    pub inside: u32,
    pub outside: u32,
    pub count: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub uid: u32,
    pub gid: u32,
    pub groups: Arc<[u32]>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rlimit {
    pub resource: u32,
    pub soft: u64,
    pub hard: u64,
}

/// Whom the program's process group and session belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Session {
    /// A new session, without a controlling terminal. The program cannot type into the host's terminal.
    #[default]
    New,
    /// A new process group in the host's session, as the Go original does.
    Group,
    /// The host's own process group.
    Keep,
}

/// Every namespace flag of clone(2).
pub(crate) const NAMESPACES: u64 = libc::CLONE_NEWUSER as u64
    | libc::CLONE_NEWNS as u64
    | libc::CLONE_NEWPID as u64
    | libc::CLONE_NEWNET as u64
    | libc::CLONE_NEWIPC as u64
    | libc::CLONE_NEWUTS as u64
    | libc::CLONE_NEWCGROUP as u64
    | CLONE_NEWTIME;
pub(crate) const CLONE_NEWTIME: u64 = 0x80;

/// user_namespaces(7): at most this many lines in a map (Linux 4.15).
const MAX_MAPPINGS: usize = 340;
/// More than any RLIMIT_NOFILE that is in use; a table of this size is a mistake.
pub(crate) const MAX_FILES: usize = 1 << 20;
/// NGROUPS_MAX.
const MAX_GROUPS: usize = 65536;
/// RLIM_NLIMITS of getrlimit(2): RLIMIT_CPU to RLIMIT_RTTIME.
const RLIM_NLIMITS: u32 = 16;
/// __NEW_UTS_LEN of uname(2).
const UTS_LEN: usize = 64;
/// BPF_MAXINSNS.
const MAX_FILTER: usize = 4096;
/// The kernel's own NR_CPUS limit on x86-64.
const MAX_CPU: u32 = 8192;
/// mount(2) flags that a caller may pass: MS_RDONLY to MS_LAZYTIME, without the kernel's own.
const MOUNT_FLAGS: u64 = 0x03bf_fdff;

fn refuse_if(wrong: bool, message: &str) -> Result<()> {
    if wrong {
        return Err(Error::options(message));
    }
    Ok(())
}

impl Runner {
    /// No program, no namespaces, /dev/null as stdin, stdout and stderr, an empty environment, a new
    /// session; everything else as the caller has it.
    pub fn new() -> Runner {
        crate::launch::signals::forget();
        Runner::default()
    }

    /// The program and its arguments. `args[0]` is the path that is executed, unless an exec fd is set.
    pub fn set_args(&mut self, args: Vec<CString>) -> Result<()> {
        refuse_if(args.is_empty(), "the argument list is empty")?;
        self.args = Arc::new(StrArray::new(args));
        Ok(())
    }

    /// The environment, `NAME=value` each. Empty unless set.
    pub fn set_env(&mut self, env: Vec<CString>) {
        self.env = Arc::new(StrArray::new(env));
    }

    /// Executes this file instead of the path in `args[0]`.
    pub fn set_exec_fd(&mut self, fd: Option<RawFd>) -> Result<()> {
        refuse_if(fd.is_some_and(|fd| fd < 0), "a negative fd")?;
        self.exec_fd = fd;
        Ok(())
    }

    /// The program's files: its fd i is `files[i]`, closed where that is -1. All else is closed.
    pub fn set_files(&mut self, files: &[RawFd]) -> Result<()> {
        refuse_if(files.len() > MAX_FILES, "more files than any limit allows")?;
        refuse_if(
            files.iter().any(|fd| *fd < -1),
            "a negative fd other than -1",
        )?;
        self.files = Some(files.to_vec());
        Ok(())
    }

    /// Allows a directory as fd 0, 1 or 2, which is refused otherwise: it is a way out of the root.
    pub fn set_allow_directory_files(&mut self, allow: bool) {
        self.directory_files = allow;
    }

    /// The working directory, entered after the new root.
    pub fn set_workdir(&mut self, path: &CStr) -> Result<()> {
        self.workdir = Some(path_text(path)?);
        Ok(())
    }

    /// The host name; needs CLONE_NEWUTS.
    pub fn set_hostname(&mut self, name: &CStr) -> Result<()> {
        self.hostname = Some(uts_name(name)?);
        Ok(())
    }

    /// The NIS domain name; needs CLONE_NEWUTS.
    pub fn set_domainname(&mut self, name: &CStr) -> Result<()> {
        self.domainname = Some(uts_name(name)?);
        Ok(())
    }

    /// New namespaces, by the CLONE_NEW* flags of clone(2).
    pub fn set_unshare_flags(&mut self, flags: u64) -> Result<()> {
        refuse_if(flags & !NAMESPACES != 0, "a flag that makes no namespace")?;
        self.namespaces = flags;
        Ok(())
    }

    /// Adds one line to the user id map of the new user namespace.
    pub fn add_uid_mapping(&mut self, inside: u32, outside: u32, count: u32) -> Result<()> {
        push_mapping(&mut self.uid_map, inside, outside, count)
    }

    /// Adds one line to the group id map of the new user namespace.
    pub fn add_gid_mapping(&mut self, inside: u32, outside: u32, count: u32) -> Result<()> {
        push_mapping(&mut self.gid_map, inside, outside, count)
    }

    /// Forgets both id maps.
    pub fn clear_mappings(&mut self) {
        self.uid_map.clear();
        self.gid_map.clear();
    }

    /// Whether setgroups(2) may be called in the new user namespace.
    pub fn set_allow_setgroups(&mut self, allow: bool) {
        self.allow_setgroups = Some(allow);
    }

    /// Who the program runs as; its supplementary groups are exactly `groups`.
    pub fn set_credential(&mut self, uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
        let unset = |id: &u32| *id == u32::MAX;
        refuse_if(unset(&uid) || unset(&gid), "an id of -1 means no id")?;
        refuse_if(groups.iter().any(unset), "a group of -1 means no group")?;
        refuse_if(groups.len() > MAX_GROUPS, "more groups than NGROUPS_MAX")?;
        self.credential = Some(Credential {
            uid,
            gid,
            groups: groups.into(),
        });
        Ok(())
    }

    /// The program runs as the caller.
    pub fn clear_credential(&mut self) {
        self.credential = None;
    }

    /// Makes a tmpfs over this directory the program's root.
    pub fn set_pivot_root(&mut self, path: &CStr) -> Result<()> {
        self.pivot_root = Some(path_text(path)?);
        Ok(())
    }

    /// Leaves that tmpfs writable.
    pub fn set_root_writable(&mut self, writable: bool) {
        self.root_writable = writable;
    }

    /// Adds a mount(2), with the missing parts of its target made first.
    pub fn add_mount(
        &mut self,
        source: Option<&CStr>,
        target: &CStr,
        fstype: Option<&CStr>,
        flags: u64,
        data: Option<&CStr>,
    ) -> Result<()> {
        refuse_if(flags & !MOUNT_FLAGS != 0, "an unknown mount flag")?;
        let bind = flags & libc::MS_BIND != 0;
        refuse_if(bind && source.is_none(), "a bind mount without a source")?;
        let changes = flags & (libc::MS_REMOUNT | libc::MS_MOVE | PROPAGATION) != 0;
        refuse_if(
            !bind && !changes && fstype.is_none(),
            "a mount without a file system type",
        )?;
        self.pieces.push(Piece::Mount {
            source: source.map(Text::from),
            target: inside(target)?,
            fstype: fstype.map(Text::from),
            flags,
            data: data.map(Text::from),
        });
        Ok(())
    }

    /// Adds a file or directory of the host.
    pub fn add_bind(&mut self, source: &CStr, target: &CStr, flags: BindFlags) -> Result<()> {
        self.pieces.push(Piece::Bind {
            source: path_text(source)?,
            target: inside(target)?,
            flags,
        });
        Ok(())
    }

    /// Adds an empty tmpfs that belongs to the program. A size of 0: the kernel's default.
    pub fn add_tmpfs(&mut self, target: &CStr, size: u64, mode: u32) -> Result<()> {
        self.pieces.push(Piece::Tmpfs {
            target: inside(target)?,
            size,
            mode: permissions(mode)?,
        });
        Ok(())
    }

    /// Adds the proc of the new pid namespace.
    pub fn add_proc(&mut self, target: &CStr, flags: ProcFlags) -> Result<()> {
        self.pieces.push(Piece::Proc {
            target: inside(target)?,
            flags,
        });
        Ok(())
    }

    /// Adds a minimal /dev.
    pub fn add_dev(&mut self, target: &CStr) -> Result<()> {
        self.pieces.push(Piece::Dev {
            target: inside(target)?,
        });
        Ok(())
    }

    /// Adds a directory.
    pub fn add_dir(&mut self, path: &CStr, mode: u32) -> Result<()> {
        self.pieces.push(Piece::Dir {
            path: inside(path)?,
            mode: permissions(mode)?,
        });
        Ok(())
    }

    /// Adds a symbolic link at `path` that leads to `to`.
    pub fn add_symlink(&mut self, to: &CStr, path: &CStr) -> Result<()> {
        self.pieces.push(Piece::Symlink {
            to: path_text(to)?,
            path: inside(path)?,
        });
        Ok(())
    }

    /// Adds a small file with these contents.
    pub fn add_file(&mut self, path: &CStr, contents: &[u8], mode: u32) -> Result<()> {
        self.pieces.push(Piece::File {
            path: inside(path)?,
            contents: contents.into(),
            mode: permissions(mode)?,
        });
        Ok(())
    }

    /// Forgets every piece of the root that was added.
    pub fn clear_root(&mut self) {
        self.pieces.clear();
    }

    /// Adds a resource limit (getrlimit(2)).
    pub fn add_rlimit(&mut self, resource: u32, soft: u64, hard: u64) -> Result<()> {
        refuse_if(resource >= RLIM_NLIMITS, "an unknown resource")?;
        refuse_if(soft > hard, "the soft limit is above the hard one")?;
        self.rlimits.push(Rlimit {
            resource,
            soft,
            hard,
        });
        Ok(())
    }

    /// Forgets every resource limit that was added.
    pub fn clear_rlimits(&mut self) {
        self.rlimits.clear();
    }

    /// No exec of the program, or of what it starts, gains privileges (prctl(2), PR_SET_NO_NEW_PRIVS).
    pub fn set_no_new_privs(&mut self, on: bool) {
        self.no_new_privs = on;
    }

    /// Drops every capability for good: all five sets and the bounding set, securebits locked. Off: none is dropped,
    /// and [`Runner::keep_caps`] is forgotten.
    pub fn set_drop_caps(&mut self, on: bool) {
        self.drop_caps = on;
        if !on {
            self.keep_caps = None;
        }
    }

    /// Exactly these capabilities survive the exec; bit n is capability n. None: as `set_drop_caps` says.
    pub fn keep_caps(&mut self, mask: Option<u64>) {
        self.keep_caps = mask;
    }

    /// Loads this classic BPF program as the last thing before the exec. None: no filter.
    pub fn set_seccomp(&mut self, filter: Option<&[libc::sock_filter]>) -> Result<()> {
        refuse_if(
            filter.is_some_and(|f| f.is_empty() || f.len() > MAX_FILTER),
            "a filter has 1 to 4096 instructions",
        )?;
        self.seccomp = filter.map(Arc::from);
        Ok(())
    }

    /// The calling thread traces the program from its exec on.
    pub fn set_ptrace(&mut self, on: bool) {
        self.ptrace = on;
    }

    /// The program's process stops (SIGSTOP) before the filter is loaded.
    pub fn set_stop_before_seccomp(&mut self, on: bool) {
        self.stop_before_seccomp = on;
    }

    /// Called on the thread that starts, with the process complete and waiting right before its exec.
    pub fn set_sync_func(&mut self, func: Option<SyncFunc>) {
        self.sync = func;
    }

    /// The cgroup v2 directory in which the program is born.
    pub fn set_cgroup_fd(&mut self, fd: Option<RawFd>) -> Result<()> {
        refuse_if(fd.is_some_and(|fd| fd < 0), "a negative fd")?;
        self.cgroup_fd = fd;
        Ok(())
    }

    /// The cgroup in which the program is born (v2) or which it joins first of all (v1). One of each
    /// hierarchy: a later path replaces an earlier one of the same hierarchy.
    pub fn set_cgroup_path(&mut self, path: &CStr) -> Result<()> {
        self.cgroup_paths.push(path_text(path)?);
        Ok(())
    }

    /// Forgets the cgroup fd and every cgroup path.
    pub fn clear_cgroups(&mut self) {
        self.cgroup_fd = None;
        self.cgroup_paths.clear();
    }

    /// Makes the cgroup namespace after the callback, so that its root is where the callback put it.
    pub fn set_unshare_cgroup_after_sync(&mut self, on: bool) {
        self.unshare_cgroup_after_sync = on;
    }

    /// Makes fd 0, a terminal, the controlling terminal of the new session.
    pub fn set_ctty(&mut self, on: bool) {
        self.ctty = on;
    }

    /// A new session, a new process group, or neither.
    pub fn set_session(&mut self, session: Session) {
        self.session = session;
    }

    /// The signal the program gets when the thread that started it ends. None: no signal.
    pub fn set_death_signal(&mut self, signal: Option<i32>) -> Result<()> {
        refuse_if(
            signal.is_some_and(|s| !(1..=64).contains(&s)),
            "a signal is 1 to 64",
        )?;
        self.death_signal = signal;
        Ok(())
    }

    /// The file mode creation mask (umask(2)).
    pub fn set_umask(&mut self, mask: u32) -> Result<()> {
        refuse_if(mask > 0o777, "a umask is 0 to 0777")?;
        self.umask = Some(mask);
        Ok(())
    }

    /// The nice value, -20 to 19 (setpriority(2)).
    pub fn set_nice(&mut self, nice: i32) -> Result<()> {
        refuse_if(!(-20..=19).contains(&nice), "a nice value is -20 to 19")?;
        self.nice = Some(nice);
        Ok(())
    }

    /// How much the kernel's OOM killer likes the program, -1000 to 1000 (proc(5), oom_score_adj).
    pub fn set_oom_score_adj(&mut self, adj: i32) -> Result<()> {
        refuse_if(!(-1000..=1000).contains(&adj), "it is -1000 to 1000")?;
        self.oom_score_adj = Some(adj);
        Ok(())
    }

    /// The CPUs on which the program may run.
    pub fn set_cpu_affinity(&mut self, cpus: &[u32]) -> Result<()> {
        let Some(highest) = cpus.iter().max() else {
            return Err(Error::options("no CPU"));
        };
        refuse_if(*highest >= MAX_CPU, "a CPU number above 8191")?;
        // sched_setaffinity(2) wants whole unsigned longs.
        let mut mask = vec![0u8; (*highest as usize / 64 + 1) * 8];
        for cpu in cpus {
            mask[*cpu as usize / 8] |= 1 << (cpu % 8);
        }
        self.cpu_affinity = Some(mask.into());
        Ok(())
    }

    /// The execution domain, as personality(2) takes it: ADDR_NO_RANDOMIZE switches ASLR off.
    pub fn set_personality(&mut self, persona: u64) -> Result<()> {
        refuse_if(persona > 0xffff_fffe, "a personality has 32 bits")?;
        self.personality = Some(persona);
        Ok(())
    }

    /// The scheduling policy and its priority (sched_setscheduler(2)).
    pub fn set_scheduler(&mut self, policy: i32, priority: i32) -> Result<()> {
        let right = match policy {
            libc::SCHED_FIFO | libc::SCHED_RR => (1..=99).contains(&priority),
            libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE => priority == 0,
            _ => false,
        };
        refuse_if(!right, "an unknown policy, or a priority it does not have")?;
        self.scheduler = Some((policy, priority));
        Ok(())
    }

    /// Brings `lo` up in the new network namespace.
    pub fn set_loopback_up(&mut self, on: bool) {
        self.loopback_up = on;
    }

    /// An empty session keyring instead of the host's (session-keyring(7)).
    pub fn set_new_session_keyring(&mut self, on: bool) {
        self.new_keyring = on;
    }

    /// Whether the caller limits this resource himself.
    pub(crate) fn has_rlimit(&self, resource: u32) -> bool {
        self.rlimits.iter().any(|l| l.resource == resource)
    }

    pub(crate) fn has_namespace(&self, flag: i32) -> bool {
        self.namespaces & flag as u64 != 0
    }
}

/// The four propagation types of mount_namespaces(7).
pub(crate) const PROPAGATION: u64 =
    libc::MS_SHARED | libc::MS_PRIVATE | libc::MS_SLAVE | libc::MS_UNBINDABLE;

fn uts_name(name: &CStr) -> Result<Text> {
    let n = name.to_bytes().len();
    refuse_if(n == 0 || n > UTS_LEN, "a name has 1 to 64 bytes")?;
    Ok(Text::from(name))
}

fn permissions(mode: u32) -> Result<u32> {
    refuse_if(mode > 0o7777, "a mode is 0 to 07777")?;
    Ok(mode)
}

fn push_mapping(map: &mut Vec<IdMap>, inside: u32, outside: u32, count: u32) -> Result<()> {
    let overflows = |first: u32| first.checked_add(count).is_none();
    refuse_if(count == 0, "a mapping of no ids")?;
    refuse_if(
        overflows(inside) || overflows(outside),
        "ids above 2^32 - 2",
    )?;
    refuse_if(map.len() >= MAX_MAPPINGS, "more than 340 mappings")?;
    map.push(IdMap {
        inside,
        outside,
        count,
    });
    Ok(())
}
