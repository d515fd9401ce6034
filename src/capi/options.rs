//! `runner_t`: making, copying, freeing it, and every option that is not a piece of the root.

use super::{array, guarded, set, string, strings, EINVAL};
use crate::runner::{Runner, Session};
use nix::errno::Errno;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

/// runner_set_session: a new session (setsid(2)) without a controlling terminal. The default.
pub const RUNNER_SESSION_NEW: u32 = 0;
/// runner_set_session: a new process group in the host's session (setpgid(2)).
pub const RUNNER_SESSION_GROUP: u32 = 1;
/// runner_set_session: the host's own session and process group.
pub const RUNNER_SESSION_KEEP: u32 = 2;

/// Makes the options of a run.
///
/// They begin as: no program, no namespaces, fds 0 to 2 on /dev/null, an empty environment, a new session,
/// and all else as the host has it.
///
/// Returns the runner, to be freed with runner_free(), or NULL where there is no memory. Since 0.1.0.
#[no_mangle]
pub extern "C" fn runner_new() -> *mut Runner {
    guarded(std::ptr::null_mut(), || {
        Box::into_raw(Box::new(Runner::new()))
    })
}

/// Copies a runner; the copy is independent of the original, but names the same fds and callback.
///
/// Returns the copy, to be freed with runner_free(), or NULL where `runner` is NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_clone(runner: *const Runner) -> *mut Runner {
    guarded(std::ptr::null_mut(), || {
        // SAFETY: NULL or a live runner, by the header's conventions.
        match unsafe { runner.as_ref() } {
            Some(runner) => {
                crate::launch::signals::forget();
                Box::into_raw(Box::new(runner.clone()))
            }
            None => std::ptr::null_mut(),
        }
    })
}

/// Frees a runner. NULL is a no-op.
///
/// What was started with it is not touched, and a held start goes on. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_free(runner: *mut Runner) {
    guarded((), || {
        if !runner.is_null() {
            // SAFETY: it came from Box::into_raw in runner_new or runner_clone and is freed once.
            drop(unsafe { Box::from_raw(runner) });
        }
    })
}

/// Sets the program and its arguments.
///
/// `argv` ends with NULL and has at least one entry. `argv[0]` is the path that is executed, seen from inside the
/// new root and working directory; there is no search of PATH. Where runner_set_exec_fd() is set, `argv[0]` is
/// only a name.
///
/// Returns 0, or -EINVAL: NULL or empty. Since 0.1.0. forkexec: Args. execve(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_args(runner: *mut Runner, argv: *const *const c_char) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_args(strings(argv)?))) }
}

/// Sets the whole environment, `NAME=value` each, ended by NULL. The default is an empty environment: nothing
/// of the host's is inherited.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: Env. environ(7).
#[no_mangle]
pub unsafe extern "C" fn runner_set_env(runner: *mut Runner, envp: *const *const c_char) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe {
        set(runner, |r| {
            r.set_env(strings(envp)?);
            Some(Ok(()))
        })
    }
}

/// Executes the file behind `fd` instead of the path in `argv[0]` (execveat(2) with AT_EMPTY_PATH); -1 clears.
///
/// The fd may be O_PATH, and need not be reachable inside the new root. The program does not get it, with one
/// exception: where the file is a script (`#!`), its interpreter opens it as /dev/fd/N, so N stays open in the
/// program, and /dev/fd and /proc have to exist inside the root; the start fails with ENOENT where they do not.
///
/// Returns 0, or -EINVAL: below -1. Since 0.1.0. forkexec: ExecFile. Linux 3.19.
#[no_mangle]
pub unsafe extern "C" fn runner_set_exec_fd(runner: *mut Runner, fd: c_int) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_exec_fd((fd != -1).then_some(fd)))) }
}

/// Sets the program's file descriptors: its fd i is the host's `fds[i]`, or closed where that is -1.
///
/// Everything else is closed, whatever the host left without close-on-exec. An fd may stand at several places.
/// The default, without this call: 0, 1 and 2 are /dev/null. n = 0: the program has no files at all. A directory
/// at 0, 1 or 2 is refused when the run starts (see runner_set_allow_directory_files()).
///
/// Returns 0, or -EINVAL: NULL with n above 0, an entry below -1, n above 1048576. Since 0.1.0. forkexec: Files.
#[no_mangle]
pub unsafe extern "C" fn runner_set_files(
    runner: *mut Runner,
    fds: *const c_int,
    n: usize,
) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_files(array(fds, n)?))) }
}

/// Allows a directory as the program's fd 0, 1 or 2, which is refused otherwise (EISDIR): by openat(2) it leads
/// out of the new root.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_set_allow_directory_files(
    runner: *mut Runner,
    allow: bool,
) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_allow_directory_files(allow)) }
}

/// Sets the working directory, entered after the new root. Without it: `/` in a new root, else the host's own.
///
/// Returns 0, or -EINVAL: NULL, empty, PATH_MAX or longer. Since 0.1.0. forkexec: WorkDir. chdir(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_workdir(runner: *mut Runner, path: *const c_char) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_workdir(string(path)?))) }
}

/// Sets the host name, 1 to 64 bytes. The start needs CLONE_NEWUTS, and fails where the name cannot be set.
///
/// Returns 0, or -EINVAL: NULL, empty, longer than 64 bytes. Since 0.1.0. forkexec: HostName. sethostname(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_hostname(runner: *mut Runner, name: *const c_char) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_hostname(string(name)?))) }
}

/// Sets the NIS domain name, 1 to 64 bytes. The start needs CLONE_NEWUTS, and fails where it cannot be set.
///
/// Returns 0, or -EINVAL: NULL, empty, longer than 64 bytes. Since 0.1.0. forkexec: DomainName. setdomainname(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_domainname(runner: *mut Runner, name: *const c_char) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_domainname(string(name)?))) }
}

/// Sets which namespaces are new: CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC,
/// CLONE_NEWUTS, CLONE_NEWCGROUP and CLONE_NEWTIME of <sched.h>, or'ed together. 0: none.
///
/// An ordinary user needs CLONE_NEWUSER for any of the others. With CLONE_NEWPID the program is pid 1 of its
/// namespace: signals without a handler, SIGKILL and SIGSTOP from inside among them, do not reach it, and
/// everything in the namespace dies with it; abort(3) ends it by SIGSEGV. CLONE_NEWTIME needs clone3 (Linux 5.6). The
/// root of a cgroup namespace is the host's own cgroup, also where the run has one of its own: for that one use
/// runner_set_unshare_cgroup_after_sync().
///
/// Returns 0, or -EINVAL: any other flag. Since 0.1.0. forkexec: UnshareFlags. namespaces(7).
#[no_mangle]
pub unsafe extern "C" fn runner_set_unshare_flags(runner: *mut Runner, flags: u64) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_unshare_flags(flags))) }
}

/// Adds a line to the user id map of the new user namespace: `count` ids from `inside` are `outside` and up.
///
/// Without any line, 0 inside is the caller's effective user id. A map other than one line of count 1 that names
/// the caller needs CAP_SETUID in the caller's own user namespace. The start needs CLONE_NEWUSER.
///
/// Started by root without any line, the program is the real root to every file that it can reach: map it to an
/// unprivileged id, or drop capabilities and mask /proc.
///
/// Returns 0, or -EINVAL: a count of 0, ids beyond 2^32 - 2, more than 340 lines. Since 0.1.0. forkexec: UIDMappings.
/// user_namespaces(7).
#[no_mangle]
pub unsafe extern "C" fn runner_add_uid_mapping(
    runner: *mut Runner,
    inside: u32,
    outside: u32,
    count: u32,
) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.add_uid_mapping(inside, outside, count))) }
}

/// Adds a line to the group id map: the same as runner_add_uid_mapping(), for groups (CAP_SETGID).
///
/// Returns 0, or -EINVAL: a count of 0, ids beyond 2^32 - 2, more than 340 lines. Since 0.1.0. forkexec: GIDMappings.
/// user_namespaces(7).
#[no_mangle]
pub unsafe extern "C" fn runner_add_gid_mapping(
    runner: *mut Runner,
    inside: u32,
    outside: u32,
    count: u32,
) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.add_gid_mapping(inside, outside, count))) }
}

/// Forgets every line of both id maps.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_clear_mappings(runner: *mut Runner) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, Runner::clear_mappings) }
}

/// Says whether setgroups(2) is allowed in the new user namespace (/proc/PID/setgroups). true needs CAP_SETGID in
/// the caller's own user namespace.
///
/// Without this call it is denied, except where runner_set_credential() needs it and the caller may grant it.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: GIDMappingsEnableSetgroups. user_namespaces(7).
#[no_mangle]
pub unsafe extern "C" fn runner_set_allow_setgroups(runner: *mut Runner, allow: bool) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_allow_setgroups(allow)) }
}

/// Sets who the program runs as: real, effective and saved ids, as they are inside the new user namespace where
/// there is one. Its supplementary groups are exactly the `n` groups, none where n is 0.
///
/// The process takes these ids first of all, so what it makes in its root belongs to them; capabilities that the
/// later steps need are kept until the exec. The start fails (stage setgroups) where the groups cannot be made
/// exactly these: an ordinary user's can not, in a user namespace either. Without a credential the program keeps the
/// caller's ids and supplementary groups. While a start with a credential is under way, held starts too, the host's
/// memory is not dumpable (PR_GET_DUMPABLE), which keeps the new user out of it; afterwards it is as before.
///
/// Returns 0, or -EINVAL: an id of (uint32_t)-1, NULL with n above 0, n above 65536. Since 0.1.0.
/// forkexec: Credential. credentials(7).
#[no_mangle]
pub unsafe extern "C" fn runner_set_credential(
    runner: *mut Runner,
    uid: u32,
    gid: u32,
    groups: *const u32,
    n: usize,
) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe {
        set(runner, |r| {
            Some(r.set_credential(uid, gid, array(groups, n)?))
        })
    }
}

/// Forgets the credential: the program runs as the caller.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_clear_credential(runner: *mut Runner) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, Runner::clear_credential) }
}

/// Adds a resource limit. `resource` is a RLIMIT_* of <sys/resource.h>; UINT64_MAX is no limit.
///
/// A hard limit above the caller's own needs CAP_SYS_RESOURCE. A resource that stands twice gets the later one.
/// RLIMIT_NPROC counts every process of the user id, not those of the run; RLIMIT_CPU is in seconds.
///
/// Returns 0, or -EINVAL: an unknown resource, soft above hard. Since 0.1.0. forkexec: RLimits. getrlimit(2).
#[no_mangle]
pub unsafe extern "C" fn runner_add_rlimit(
    runner: *mut Runner,
    resource: c_int,
    soft: u64,
    hard: u64,
) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe {
        set(runner, |r| {
            Some(r.add_rlimit(u32::try_from(resource).ok()?, soft, hard))
        })
    }
}

/// Forgets every resource limit that was added.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_clear_rlimits(runner: *mut Runner) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, Runner::clear_rlimits) }
}

/// Sets whether an exec, the program's own included, can gain no privileges: set-user-ID bits and file
/// capabilities are ignored from then on. runner_set_seccomp() implies it.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: NoNewPrivs. PR_SET_NO_NEW_PRIVS(2const), Linux 3.5.
#[no_mangle]
pub unsafe extern "C" fn runner_set_no_new_privs(runner: *mut Runner, on: bool) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_no_new_privs(on)) }
}

/// Sets whether every capability is dropped for good: effective, permitted, inheritable, ambient and bounding
/// set are empty, and the securebits are locked so that user id 0 means nothing to an exec.
///
/// Emptying the bounding set needs CAP_SETPCAP; where the caller has none to drop it with, no_new_privs is set
/// instead, so that no exec brings them back. (A new user namespace inside gives capabilities over itself: a filter or
/// user.max_user_namespaces keeps the program from making one.) false: nothing is dropped, and runner_keep_caps() is
/// forgotten.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: DropCaps. capabilities(7).
#[no_mangle]
pub unsafe extern "C" fn runner_set_drop_caps(runner: *mut Runner, on: bool) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_drop_caps(on)) }
}

/// Drops every capability as runner_set_drop_caps() does, except those in `mask` (bit n: capability n of
/// <linux/capability.h>), which survive the exec: exactly they are in all five sets of the program.
///
/// Returns 0, or -EINVAL: NULL. The start fails (stage capabilities) with EPERM where the caller does not have one of
/// them, and with EINVAL where the kernel knows none of that number. Since 0.1.0. capabilities(7), ambient set: Linux
/// 4.3.
#[no_mangle]
pub unsafe extern "C" fn runner_keep_caps(runner: *mut Runner, mask: u64) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.keep_caps(Some(mask))) }
}

/// Loads a seccomp filter, `len` instructions of classic BPF, as the last step before the exec: it has to allow
/// execve (execveat where an exec fd is set). Implies no_new_privs.
///
/// The program is copied. A filter by system call number should also refuse the x32 and 32-bit entries, by
/// checking the architecture and the number's bit 30.
///
/// Returns 0, or -EINVAL: NULL, a length of 0 or above 4096. The start fails with EINVAL (stage seccomp) where the
/// kernel refuses the program. Since 0.1.0. forkexec: Seccomp. seccomp(2), Linux 3.17.
#[no_mangle]
pub unsafe extern "C" fn runner_set_seccomp(
    runner: *mut Runner,
    filter: *const libc::sock_filter,
    len: u16,
) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe {
        set(runner, |r| {
            let filter = array(filter, usize::from(len))?;
            Some(r.set_seccomp(Some(filter)))
        })
    }
}

/// Forgets the seccomp filter.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_clear_seccomp(runner: *mut Runner) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_seccomp(None))) }
}

/// Sets whether the calling thread traces the program (PTRACE_TRACEME).
///
/// Of the memory's size such a start is not independent: the process is made with a copy of it, as fork(2) does.
/// Without a filter the start returns with the program about to stop with SIGTRAP at its exec. With a filter the
/// process stops with SIGSTOP before the filter is loaded, so that the tracer can set its options
/// (PTRACE_O_TRACESECCOMP) first; the exec happens after the tracer continues it. Only the thread that
/// started it can wait for it and continue it: in Go, runtime.LockOSThread().
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: Ptrace. ptrace(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_ptrace(runner: *mut Runner, on: bool) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_ptrace(on)) }
}

/// Sets whether the process stops (SIGSTOP) after every other step, before the filter is loaded and the program
/// is executed. The start returns then; SIGCONT, or the tracer, lets it go on. waitpid(2) with WUNTRACED sees
/// the stop.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: StopBeforeSeccomp.
#[no_mangle]
pub unsafe extern "C" fn runner_set_stop_before_seccomp(runner: *mut Runner, on: bool) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_stop_before_seccomp(on)) }
}

/// Sets a function that is called with the pid, on the thread that starts, while the process waits complete and
/// right before its exec: to put it into cgroups, to look at it, to attach to it. NULL clears.
///
/// Anything but 0 that it returns, an errno of either sign, fails the start with that errno (stage sync; ECANCELED
/// for a number that is no errno), and the process is gone when the start returns. It must return, not jump or throw.
/// `ctx` is passed on and has to live as long as the runner can be started, its copies included. Where a callback is
/// a burden, use runner_start_held() instead. In a held start the callback runs before the hold.
///
/// Returns 0, or -EINVAL: NULL runner. Since 0.1.0. forkexec: SyncFunc.
#[no_mangle]
pub unsafe extern "C" fn runner_set_sync_func(
    runner: *mut Runner,
    func: Option<unsafe extern "C" fn(pid: libc::pid_t, ctx: *mut c_void) -> c_int>,
    ctx: *mut c_void,
) -> c_int {
    let callback = func.map(|func| {
        let ctx = Context(ctx);
        let call = move |pid| {
            // SAFETY: the header asks for a function of this type and a context that outlives the runner.
            match unsafe { func(pid, ctx.get()) } {
                0 => Ok(()),
                refused => Err(Errno::from_raw(refused.saturating_abs())),
            }
        };
        Arc::new(call) as crate::runner::SyncFunc
    });
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_sync_func(callback)) }
}

/// The callback's context: the C caller answers for its use from any thread that starts.
struct Context(*mut c_void);

impl Context {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

// SAFETY: the library only hands the pointer back to the C caller's own function.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// Sets the cgroup v2 directory, by an fd (O_PATH will do), in which the program is born (CLONE_INTO_CGROUP,
/// Linux 5.7; on older kernels it joins by writing cgroup.procs). -1 clears.
///
/// Returns 0, or -EINVAL: below -1. Since 0.1.0. forkexec: CgroupFd. cgroups(7).
#[no_mangle]
pub unsafe extern "C" fn runner_set_cgroup_fd(runner: *mut Runner, fd: c_int) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_cgroup_fd((fd != -1).then_some(fd)))) }
}

/// Sets a cgroup by the path of its directory. In a v2 hierarchy the program is born there; a v1 cgroup is joined
/// before anything else is done.
///
/// A process is in one cgroup of each hierarchy: a path of the same hierarchy as an earlier one replaces it, paths
/// of other hierarchies (v1: memory, pids, cpuacct, ...) are kept beside it. A v2 path beside runner_set_cgroup_fd() is
/// refused when the run starts. runner_clear_cgroups() forgets all.
///
/// Returns 0, or -EINVAL: NULL, empty, PATH_MAX or longer. Since 0.1.0. cgroups(7).
#[no_mangle]
pub unsafe extern "C" fn runner_set_cgroup_path(runner: *mut Runner, path: *const c_char) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_cgroup_path(string(path)?))) }
}

/// Forgets the cgroup fd and every cgroup path.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0.
#[no_mangle]
pub unsafe extern "C" fn runner_clear_cgroups(runner: *mut Runner) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, Runner::clear_cgroups) }
}

/// Sets whether a cgroup namespace is made after the callback or hold, instead of with the others, so that its
/// root is the cgroup into which the process was put meanwhile. CLONE_NEWCGROUP need not be set.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: UnshareCgroupAfterSync. cgroup_namespaces(7).
#[no_mangle]
pub unsafe extern "C" fn runner_set_unshare_cgroup_after_sync(
    runner: *mut Runner,
    on: bool,
) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_unshare_cgroup_after_sync(on)) }
}

/// Sets whether the program's fd 0, a terminal, becomes its controlling terminal. Needs a new session, which is
/// the default.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. forkexec: CTTY. TIOCSCTTY(2const).
#[no_mangle]
pub unsafe extern "C" fn runner_set_ctty(runner: *mut Runner, on: bool) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_ctty(on)) }
}

/// Sets the program's session: RUNNER_SESSION_NEW (default), RUNNER_SESSION_GROUP or RUNNER_SESSION_KEEP.
///
/// Without a new session a program that has the host's terminal open can type into it (TIOCSTI).
///
/// Returns 0, or -EINVAL: any other number. Since 0.1.0. setsid(2), setpgid(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_session(runner: *mut Runner, session: u32) -> c_int {
    let session = match session {
        RUNNER_SESSION_NEW => Session::New,
        RUNNER_SESSION_GROUP => Session::Group,
        RUNNER_SESSION_KEEP => Session::Keep,
        _ => return EINVAL,
    };
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_session(session)) }
}

/// Sets the signal, 1 to 64, that the program gets when the thread that started it ends; 0: none.
///
/// It is that thread's end that counts, not the process's: do not start from a thread of a pool that shrinks. The
/// program can take it back, and its children do not have it: against a hostile one it holds for the first process of
/// a pid namespace, under a filter that refuses prctl(PR_SET_PDEATHSIG).
///
/// Returns 0, or -EINVAL: not a signal. Since 0.1.0. PR_SET_PDEATHSIG(2const).
#[no_mangle]
pub unsafe extern "C" fn runner_set_death_signal(runner: *mut Runner, signal: c_int) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe {
        set(runner, |r| {
            Some(r.set_death_signal((signal != 0).then_some(signal)))
        })
    }
}

/// Sets the file mode creation mask, 0 to 0777. Without it: the host's.
///
/// Returns 0, or -EINVAL: out of range. Since 0.1.0. umask(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_umask(runner: *mut Runner, mask: u32) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_umask(mask))) }
}

/// Sets the nice value, -20 to 19; below the host's own it needs CAP_SYS_NICE. Without it: the host's.
///
/// Returns 0, or -EINVAL: out of range. Since 0.1.0. setpriority(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_nice(runner: *mut Runner, nice: c_int) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_nice(nice))) }
}

/// Sets how willingly the kernel's OOM killer takes the program, -1000 (never) to 1000 (first); below the host's
/// own it needs CAP_SYS_RESOURCE. Without it: the host's. Needs /proc in the host.
///
/// Returns 0, or -EINVAL: out of range. Since 0.1.0. proc_pid_oom_score_adj(5).
#[no_mangle]
pub unsafe extern "C" fn runner_set_oom_score_adj(runner: *mut Runner, adj: c_int) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_oom_score_adj(adj))) }
}

/// Sets the CPUs on which the program may run: `n` CPU numbers, each below 8192. Without it: the host's.
///
/// Returns 0, or -EINVAL: NULL, n = 0, a number out of range. The start fails with EINVAL (stage affinity) where
/// none of them is online and allowed. Since 0.1.0. sched_setaffinity(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_cpu_affinity(
    runner: *mut Runner,
    cpus: *const u32,
    n: usize,
) -> c_int {
    // SAFETY: both by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_cpu_affinity(array(cpus, n)?))) }
}

/// Sets the execution domain: ADDR_NO_RANDOMIZE of <sys/personality.h> switches address randomisation off, which
/// makes runs repeatable. Without it: the host's.
///
/// Returns 0, or -EINVAL: above 0xfffffffe. Since 0.1.0. personality(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_personality(runner: *mut Runner, persona: u64) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_personality(persona))) }
}

/// Sets the scheduling policy (SCHED_OTHER, SCHED_BATCH, SCHED_IDLE with priority 0; SCHED_FIFO, SCHED_RR with
/// 1 to 99, which need CAP_SYS_NICE or RLIMIT_RTPRIO). Without it: the host's.
///
/// Returns 0, or -EINVAL: an unknown policy or a priority that it does not have. Since 0.1.0.
/// sched_setscheduler(2).
#[no_mangle]
pub unsafe extern "C" fn runner_set_scheduler(
    runner: *mut Runner,
    policy: c_int,
    priority: c_int,
) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { set(runner, |r| Some(r.set_scheduler(policy, priority))) }
}

/// Gives the program an empty session keyring of its own. Without it, it has the host's: keys that the host, or who
/// logged in, keeps there can be read by it, whatever its namespaces and capabilities.
///
/// The keyring counts as a key of the host's user until the program ends, and of those an ordinary user has 200
/// (kernel.keys.maxkeys): with as many runs at once, or in quick succession, since the kernel frees keys a little
/// later, the next start fails with EDQUOT. A filter that refuses keyctl(2),
/// add_key(2) and request_key(2) does as well without that limit.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. session-keyring(7), KEYCTL_JOIN_SESSION_KEYRING.
#[no_mangle]
pub unsafe extern "C" fn runner_set_new_session_keyring(runner: *mut Runner, on: bool) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_new_session_keyring(on)) }
}

/// Sets whether the interface `lo` is brought up in the new network namespace. Needs CLONE_NEWNET.
///
/// Returns 0, or -EINVAL: NULL. Since 0.1.0. netdevice(7).
#[no_mangle]
pub unsafe extern "C" fn runner_set_loopback_up(runner: *mut Runner, on: bool) -> c_int {
    // SAFETY: by the header's conventions.
    unsafe { flag(runner, |r| r.set_loopback_up(on)) }
}

/// A setter whose value can't be wrong.
///
/// # Safety
/// As for [`set`].
pub(super) unsafe fn flag(runner: *mut Runner, change: impl FnOnce(&mut Runner)) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        set(runner, |r| {
            change(r);
            Some(Ok(()))
        })
    }
}
