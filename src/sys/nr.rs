//! The system calls that a program can hold, with the names that `explain` prints.

/// A system call's number and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sysno {
    pub name: &'static str,
    pub nr: usize,
}

const fn sysno(name: &'static str, nr: libc::c_long) -> Sysno {
    Sysno {
        name,
        nr: nr as usize,
    }
}

pub const CAPGET: Sysno = sysno("capget", libc::SYS_capget);
pub const CAPSET: Sysno = sysno("capset", libc::SYS_capset);
pub const CHDIR: Sysno = sysno("chdir", libc::SYS_chdir);
pub const CLOCK_GETTIME: Sysno = sysno("clock_gettime", libc::SYS_clock_gettime);
pub const CLONE: Sysno = sysno("clone", libc::SYS_clone);
pub const CLONE3: Sysno = sysno("clone3", libc::SYS_clone3);
pub const CLOSE: Sysno = sysno("close", libc::SYS_close);
pub const CLOSE_RANGE: Sysno = sysno("close_range", libc::SYS_close_range);
pub const DUP3: Sysno = sysno("dup3", libc::SYS_dup3);
pub const EXECVE: Sysno = sysno("execve", libc::SYS_execve);
pub const EXECVEAT: Sysno = sysno("execveat", libc::SYS_execveat);
pub const EXIT: Sysno = sysno("exit", libc::SYS_exit);
pub const EXIT_GROUP: Sysno = sysno("exit_group", libc::SYS_exit_group);
pub const FACCESSAT: Sysno = sysno("faccessat", libc::SYS_faccessat);
pub const FCHDIR: Sysno = sysno("fchdir", libc::SYS_fchdir);
pub const FCNTL: Sysno = sysno("fcntl", libc::SYS_fcntl);
pub const FUTEX: Sysno = sysno("futex", libc::SYS_futex);
pub const GETCWD: Sysno = sysno("getcwd", libc::SYS_getcwd);
pub const GETDENTS64: Sysno = sysno("getdents64", libc::SYS_getdents64);
pub const GETTID: Sysno = sysno("gettid", libc::SYS_gettid);
pub const IOCTL: Sysno = sysno("ioctl", libc::SYS_ioctl);
pub const KILL: Sysno = sysno("kill", libc::SYS_kill);
pub const LANDLOCK_CREATE_RULESET: Sysno =
    sysno("landlock_create_ruleset", libc::SYS_landlock_create_ruleset);
pub const KEYCTL: Sysno = sysno("keyctl", libc::SYS_keyctl);
pub const LSEEK: Sysno = sysno("lseek", libc::SYS_lseek);
pub const MKDIRAT: Sysno = sysno("mkdirat", libc::SYS_mkdirat);
pub const MOUNT: Sysno = sysno("mount", libc::SYS_mount);
pub const MOUNT_SETATTR: Sysno = sysno("mount_setattr", libc::SYS_mount_setattr);
pub const MOVE_MOUNT: Sysno = sysno("move_mount", libc::SYS_move_mount);
pub const NANOSLEEP: Sysno = sysno("nanosleep", libc::SYS_nanosleep);
pub const OPEN_TREE: Sysno = sysno("open_tree", libc::SYS_open_tree);
pub const OPENAT: Sysno = sysno("openat", libc::SYS_openat);
pub const PREAD64: Sysno = sysno("pread64", libc::SYS_pread64);
pub const OPENAT2: Sysno = sysno("openat2", libc::SYS_openat2);
pub const PERSONALITY: Sysno = sysno("personality", libc::SYS_personality);
pub const PIDFD_OPEN: Sysno = sysno("pidfd_open", libc::SYS_pidfd_open);
pub const PIDFD_SEND_SIGNAL: Sysno = sysno("pidfd_send_signal", libc::SYS_pidfd_send_signal);
pub const PIVOT_ROOT: Sysno = sysno("pivot_root", libc::SYS_pivot_root);
pub const PRCTL: Sysno = sysno("prctl", libc::SYS_prctl);
pub const PRLIMIT64: Sysno = sysno("prlimit64", libc::SYS_prlimit64);
pub const PTRACE: Sysno = sysno("ptrace", libc::SYS_ptrace);
pub const READ: Sysno = sysno("read", libc::SYS_read);
pub const RT_SIGACTION: Sysno = sysno("rt_sigaction", libc::SYS_rt_sigaction);
pub const RT_SIGPROCMASK: Sysno = sysno("rt_sigprocmask", libc::SYS_rt_sigprocmask);
pub const SCHED_SETAFFINITY: Sysno = sysno("sched_setaffinity", libc::SYS_sched_setaffinity);
pub const SCHED_SETSCHEDULER: Sysno = sysno("sched_setscheduler", libc::SYS_sched_setscheduler);
pub const SECCOMP: Sysno = sysno("seccomp", libc::SYS_seccomp);
pub const SET_ROBUST_LIST: Sysno = sysno("set_robust_list", libc::SYS_set_robust_list);
pub const SETDOMAINNAME: Sysno = sysno("setdomainname", libc::SYS_setdomainname);
pub const SETGROUPS: Sysno = sysno("setgroups", libc::SYS_setgroups);
pub const SETHOSTNAME: Sysno = sysno("sethostname", libc::SYS_sethostname);
pub const SETPGID: Sysno = sysno("setpgid", libc::SYS_setpgid);
pub const SETPRIORITY: Sysno = sysno("setpriority", libc::SYS_setpriority);
pub const SETRESGID: Sysno = sysno("setresgid", libc::SYS_setresgid);
pub const SETRESUID: Sysno = sysno("setresuid", libc::SYS_setresuid);
pub const SETSID: Sysno = sysno("setsid", libc::SYS_setsid);
pub const SOCKET: Sysno = sysno("socket", libc::SYS_socket);
pub const SYMLINKAT: Sysno = sysno("symlinkat", libc::SYS_symlinkat);
pub const UMASK: Sysno = sysno("umask", libc::SYS_umask);
pub const UMOUNT2: Sysno = sysno("umount2", libc::SYS_umount2);
pub const UNSHARE: Sysno = sysno("unshare", libc::SYS_unshare);
pub const WAIT4: Sysno = sysno("wait4", libc::SYS_wait4);
pub const WAITID: Sysno = sysno("waitid", libc::SYS_waitid);
pub const WRITE: Sysno = sysno("write", libc::SYS_write);
pub const MKNODAT: Sysno = sysno("mknodat", libc::SYS_mknodat);
pub const FCHMODAT: Sysno = sysno("fchmodat", libc::SYS_fchmodat);
pub const STATFS: Sysno = sysno("statfs", libc::SYS_statfs);
pub const RT_SIGPENDING: Sysno = sysno("rt_sigpending", libc::SYS_rt_sigpending);
