//! The stages of a start: what was being done when it failed.

/// Where a start was when it failed.
///
/// The numbers are part of the ABI: they are never changed or reused, new stages go to the end.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// No stage: nothing failed.
    None = 0,
    /// The options contradict each other, or lack something; nothing was started.
    Options = 1,
    /// Memory for the start could not be had; nothing was started.
    Memory = 2,
    /// The short-lived helper thread could not be made (EAGAIN: RLIMIT_NPROC, pids cgroup).
    Thread = 3,
    /// clone(2) itself: namespaces refused, too many processes, the cgroup is full or gone.
    Clone = 4,
    /// Writing uid_map, gid_map or setgroups of the new user namespace. index: which line of the map that the message
    /// names, where it is known.
    IdMap = 5,
    /// setgroups(2).
    Setgroups = 6,
    /// setresgid(2).
    Setgid = 7,
    /// setresuid(2).
    Setuid = 8,
    /// Opening or duplicating the program's files. index: the program's fd.
    Dup = 9,
    /// Closing everything that the program was not given. index: the program's fd, or -1.
    Close = 10,
    /// setsid(2).
    Setsid = 11,
    /// setpgid(2).
    Setpgid = 12,
    /// Making fd 0 the controlling terminal (TIOCSCTTY).
    Ctty = 13,
    /// A mount. index: which piece of the root, counted over all `runner_add_*` calls that make one.
    Mount = 14,
    /// Making a directory or a mount point. index: which piece of the root.
    Mkdir = 15,
    /// Making or writing a file. index: which piece of the root.
    File = 16,
    /// Making a symbolic link. index: which piece of the root.
    Symlink = 17,
    /// Making the new root, entering it and letting go of the old one.
    PivotRoot = 18,
    /// sethostname(2).
    Sethostname = 19,
    /// setdomainname(2).
    Setdomainname = 20,
    /// chdir(2) to the working directory, or it lies outside the root.
    Chdir = 21,
    /// prlimit(2). index: which limit.
    Rlimit = 22,
    /// prctl(PR_SET_NO_NEW_PRIVS).
    NoNewPrivs = 23,
    /// Capability sets, bounding set and securebits.
    Capabilities = 24,
    /// ptrace(PTRACE_TRACEME).
    Ptrace = 25,
    /// Stopping before the filter is loaded.
    Stop = 26,
    /// Loading the seccomp filter.
    Seccomp = 27,
    /// The callback refused, or the held start was aborted or killed while it waited.
    Sync = 28,
    /// Joining a cgroup. index: which cgroup path.
    Cgroup = 29,
    /// execve(2) or execveat(2).
    Exec = 30,
    /// Signal dispositions and mask.
    Signals = 31,
    /// unshare(CLONE_NEWCGROUP) after the callback.
    Unshare = 32,
    /// Bringing the loopback interface up.
    Loopback = 33,
    /// umask(2).
    Umask = 34,
    /// setpriority(2).
    Nice = 35,
    /// Writing oom_score_adj.
    OomScoreAdj = 36,
    /// sched_setaffinity(2).
    Affinity = 37,
    /// personality(2).
    Personality = 38,
    /// sched_setscheduler(2).
    Scheduler = 39,
    /// prctl(PR_SET_PDEATHSIG).
    DeathSignal = 40,
    /// Making the pidfd (kernels before 5.2).
    Pidfd = 41,
    /// The input and the pipes of a watched run. index: the program's fd.
    Stdio = 42,
    /// The epoll and the timer of a watched run.
    Watch = 43,
    /// Making a session keyring (EDQUOT: the user has as many keys as kernel.keys.maxkeys allows).
    Keyring = 44,
}

/// Every stage with its name, in the order of its number.
pub(crate) const NAMES: [(Stage, &std::ffi::CStr); 45] = [
    (Stage::None, c"none"),
    (Stage::Options, c"options"),
    (Stage::Memory, c"memory"),
    (Stage::Thread, c"thread"),
    (Stage::Clone, c"clone"),
    (Stage::IdMap, c"id_map"),
    (Stage::Setgroups, c"setgroups"),
    (Stage::Setgid, c"setgid"),
    (Stage::Setuid, c"setuid"),
    (Stage::Dup, c"dup"),
    (Stage::Close, c"close"),
    (Stage::Setsid, c"setsid"),
    (Stage::Setpgid, c"setpgid"),
    (Stage::Ctty, c"ctty"),
    (Stage::Mount, c"mount"),
    (Stage::Mkdir, c"mkdir"),
    (Stage::File, c"file"),
    (Stage::Symlink, c"symlink"),
    (Stage::PivotRoot, c"pivot_root"),
    (Stage::Sethostname, c"sethostname"),
    (Stage::Setdomainname, c"setdomainname"),
    (Stage::Chdir, c"chdir"),
    (Stage::Rlimit, c"rlimit"),
    (Stage::NoNewPrivs, c"no_new_privs"),
    (Stage::Capabilities, c"capabilities"),
    (Stage::Ptrace, c"ptrace"),
    (Stage::Stop, c"stop"),
    (Stage::Seccomp, c"seccomp"),
    (Stage::Sync, c"sync"),
    (Stage::Cgroup, c"cgroup"),
    (Stage::Exec, c"exec"),
    (Stage::Signals, c"signals"),
    (Stage::Unshare, c"unshare"),
    (Stage::Loopback, c"loopback"),
    (Stage::Umask, c"umask"),
    (Stage::Nice, c"nice"),
    (Stage::OomScoreAdj, c"oom_score_adj"),
    (Stage::Affinity, c"affinity"),
    (Stage::Personality, c"personality"),
    (Stage::Scheduler, c"scheduler"),
    (Stage::DeathSignal, c"death_signal"),
    (Stage::Pidfd, c"pidfd"),
    (Stage::Stdio, c"stdio"),
    (Stage::Watch, c"watch"),
    (Stage::Keyring, c"keyring"),
];

impl Stage {
    /// The stage's name, as `runner_stage_name` gives it.
    pub fn name(self) -> &'static str {
        // Every name is ASCII, so the fallback is never taken.
        NAMES[self as usize].1.to_str().unwrap_or("?")
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_number_that_moved_would_break_the_abi() {
        for (position, (stage, _)) in NAMES.iter().enumerate() {
            assert_eq!(*stage as usize, position);
        }
    }
}
