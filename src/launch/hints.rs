//! Messages: the place, the reason, and where it is known, what stands in the way and what to do.

use super::idmap;
use super::make::{Child, End};
use crate::error::{reason, Error};
use crate::host::Host;
use crate::pieces::Piece;
use crate::program::{Act, Arg, Op};
use crate::runner::{IdMap, Runner};
use crate::stage::Stage;
use crate::sys::nr;
use crate::text::brief;
use nix::errno::Errno;
use nix::sys::signal::Signal;

/// The errno of a child that was killed instead of failing by itself: its end of the line broke, as forkexec.Runner says it.
const KILLED: Errno = Errno::EPIPE;

pub fn before_the_child(stage: Stage, errno: Errno, runner: &Runner, host: &Host) -> Error {
    let hint = match (stage, errno) {
        (Stage::Clone, Errno::EPERM) => clone_not_permitted(runner),
        (Stage::Clone, Errno::EAGAIN) | (Stage::Thread, Errno::EAGAIN) => {
            "too many processes: RLIMIT_NPROC of this user, or the pids cgroup"
        }
        (Stage::Clone, Errno::ENOSPC | Errno::EUSERS) => {
            "too many namespaces: /proc/sys/user/max_*_namespaces, or nested too deep"
        }
        (Stage::Clone, Errno::EBUSY) => {
            "the cgroup has controllers enabled for its children, so it can hold no process itself"
        }
        (Stage::Clone, Errno::EOPNOTSUPP) => "the cgroup is threaded, or its domain is invalid",
        (Stage::Clone, Errno::EBADF) => "the cgroup fd is not one of a cgroup v2 directory",
        (Stage::Clone, Errno::ENODEV | Errno::ENOENT) => "the cgroup was removed",
        (Stage::Clone, Errno::EACCES) if joins_cgroups(runner) => {
            "no permission to put a process into the cgroup"
        }
        (Stage::Clone, Errno::EACCES) => {
            "a security module refuses the user namespace: AppArmor's profile of the container, SELinux"
        }
        (Stage::Clone, Errno::EINVAL) if host.features.kernel < (5, 6) => {
            "this kernel lacks one of the namespaces"
        }
        _ => "",
    };
    let what = match stage {
        Stage::Clone if runner.namespaces != 0 => "making the process and its namespaces",
        Stage::Clone => "making the process",
        Stage::Thread => "making the helper thread",
        _ => "memory to share with the process",
    };
    compose(stage, None, errno, what.into(), hint)
}

fn joins_cgroups(runner: &Runner) -> bool {
    runner.cgroup_fd.is_some() || !runner.cgroup_paths.is_empty() || !runner.run_groups.is_empty()
}

fn clone_not_permitted(runner: &Runner) -> &'static str {
    if !runner.has_namespace(libc::CLONE_NEWUSER) {
        return match runner.namespaces {
            0 => "",
            _ => "namespaces need CAP_SYS_ADMIN, or CLONE_NEWUSER beside them",
        };
    }
    user_namespace_blocker()
        .unwrap_or("user namespaces are refused here: a container's seccomp profile, or a chroot")
}

/// What this machine has against user namespaces.
pub fn user_namespace_blocker() -> Option<&'static str> {
    let sysctl = |path: &str| std::fs::read_to_string(path).ok();
    let says = |path: &str, value: &str| sysctl(path).is_some_and(|text| text.trim() == value);
    if says("/proc/sys/user/max_user_namespaces", "0") {
        return Some("user namespaces are switched off: sysctl user.max_user_namespaces is 0");
    }
    if says("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return Some(
            "user namespaces are for root only: sysctl kernel.unprivileged_userns_clone is 0",
        );
    }
    if says(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ) {
        return Some(
            "AppArmor restricts user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns is 1; \
             give the host program a profile with `userns,`",
        );
    }
    None
}

pub fn id_map(failure: idmap::Failure, runner: &Runner) -> Error {
    let lines = match failure.file {
        "uid_map" => runner.uid_map.as_slice(),
        "gid_map" => runner.gid_map.as_slice(),
        _ => &[],
    };
    let index = match lines.len() {
        1 => Some(0),
        _ => overlapping(lines),
    };
    let hint = match (failure.opening, failure.errno) {
        (true, Errno::ENOENT) => "the process is gone, or /proc is not mounted",
        (false, Errno::EPERM) if failure.file == "setgroups" && host_denies_setgroups() => {
            "it is denied in the host's own user namespace, and so in all beneath it"
        }
        (false, Errno::EPERM) => user_namespace_blocker().unwrap_or(
            "ids other than the caller's own need CAP_SETUID and CAP_SETGID, and have to be mapped in the caller's \
             own user namespace",
        ),
        (false, Errno::EINVAL) => "the lines overlap, or name ids that the caller's own user namespace lacks",
        _ => "",
    };
    let what = format!("writing {:?} to {}", failure.contents, failure.file);
    compose(Stage::IdMap, index, failure.errno, what, hint)
}

fn host_denies_setgroups() -> bool {
    std::fs::read("/proc/self/setgroups").is_ok_and(|text| text.starts_with(b"deny"))
}

/// The first line that overlaps an earlier one, on either side.
fn overlapping(lines: &[IdMap]) -> Option<usize> {
    let meet = |a: u32, b: u32, a_count: u32, b_count: u32| {
        u64::from(a) < u64::from(b) + u64::from(b_count)
            && u64::from(b) < u64::from(a) + u64::from(a_count)
    };
    let clash = |a: &IdMap, b: &IdMap| {
        meet(a.inside, b.inside, a.count, b.count) || meet(a.outside, b.outside, a.count, b.count)
    };
    (1..lines.len()).find(|i| lines[..*i].iter().any(|earlier| clash(earlier, &lines[*i])))
}

pub fn in_the_child(child: &Child, end: End, runner: &Runner, kernel: (u32, u32)) -> Error {
    let Some(op) = child.current_op() else {
        return Error::new(
            Stage::Clone,
            None,
            KILLED,
            "the process ended before it began",
        );
    };
    let index = op.site.index.map(|i| i as usize);
    let stage = op.site.stage;
    let what = describe(op, runner);
    match end {
        End::Failed(errno) => {
            let hint = hint(op, errno, runner, kernel);
            compose(stage, index, errno, what, &hint)
        }
        End::Killed(signal) => {
            let by = match signal.and_then(|s| Signal::try_from(s).ok()) {
                Some(signal) => format!("killed by {signal}"),
                None => "the process ended".into(),
            };
            let hint = match (stage, signal) {
                (Stage::Exec, Some(libc::SIGSYS)) => {
                    "the seccomp filter does not allow the exec itself"
                }
                (Stage::Exec, Some(libc::SIGKILL)) => {
                    "from outside, or out of memory in its cgroup"
                }
                _ => "",
            };
            let hint = if hint.is_empty() {
                String::new()
            } else {
                format!(" ({hint})")
            };
            Error::new(
                stage,
                index,
                KILLED,
                format!("{what}: {by} before the exec{hint}"),
            )
        }
    }
}

fn compose(stage: Stage, index: Option<usize>, errno: Errno, what: String, hint: &str) -> Error {
    let message = match hint {
        "" => format!("{what}: {}", reason(errno)),
        hint => format!("{what}: {} ({hint})", reason(errno)),
    };
    Error::new(stage, index, errno, message)
}

/// What an op was doing, for a person.
fn describe(op: &Op, runner: &Runner) -> String {
    let stage = op.site.stage;
    let Some(index) = op.site.index.map(|i| i as usize) else {
        return without_index(op, runner);
    };
    match stage {
        Stage::Mount | Stage::Mkdir | Stage::File | Stage::Symlink => {
            let piece = runner.pieces.get(index).map(|piece| piece.describe());
            format!(
                "{stage} #{index} {}{}",
                piece.unwrap_or_default(),
                call_name(op)
            )
        }
        Stage::Cgroup => {
            let path = runner.cgroup_paths.get(index);
            format!(
                "cgroup #{index} {}",
                path.map_or(String::new(), |p| p.brief())
            )
        }
        Stage::Rlimit => match runner.rlimits.get(index) {
            Some(limit) => format!(
                "rlimit #{index} (resource {}: {} {})",
                limit.resource, limit.soft, limit.hard
            ),
            None => format!("rlimit #{index}"),
        },
        Stage::Dup => match runner.files.as_ref().and_then(|files| files.get(index)) {
            Some(fd) => format!("fd {index} of the program is fd {fd} of the host"),
            None => format!("fd {index} of the program is /dev/null"),
        },
        _ => format!("{stage} #{index}"),
    }
}

fn without_index(op: &Op, runner: &Runner) -> String {
    let quoted = |text: &Option<crate::text::Text>| match text {
        Some(text) => text.brief(),
        None => String::new(),
    };
    match op.site.stage {
        Stage::Exec => match (&op.act, runner.exec_fd) {
            (Act::Exec(_), Some(fd)) => format!("exec of fd {fd}"),
            (Act::Call(_), _) => "exec of a script by its fd".into(),
            _ => format!(
                "exec {}",
                runner
                    .args
                    .strings()
                    .first()
                    .map_or(String::new(), |p| brief(p))
            ),
        },
        Stage::PivotRoot => format!("pivot_root {}{}", quoted(&runner.pivot_root), call_name(op)),
        Stage::Chdir => format!("chdir {}", quoted(&runner.workdir)),
        Stage::Sethostname => format!("sethostname {}", quoted(&runner.hostname)),
        Stage::Setdomainname => format!("setdomainname {}", quoted(&runner.domainname)),
        Stage::Setgid | Stage::Setuid => match &runner.credential {
            Some(c) => format!(
                "{} {}",
                op.site.stage,
                if op.site.stage == Stage::Setuid {
                    c.uid
                } else {
                    c.gid
                }
            ),
            None => op.site.stage.to_string(),
        },
        stage => format!("{stage}{}{}", path_of(op), call_name(op)),
    }
}

/// The file that it was about, where the stage does not say it.
fn path_of(op: &Op) -> String {
    let Act::Call(call) = &op.act else {
        return String::new();
    };
    let path = call.args.iter().find_map(|arg| match arg {
        Arg::Text(text) if text.as_cstr().to_bytes().contains(&b'/') => Some(text.brief()),
        _ => None,
    });
    path.map_or(String::new(), |path| format!(" {path}"))
}

/// Which call it was, where the stage does not say it.
fn call_name(op: &Op) -> String {
    match &op.act {
        Act::Call(call) if call.sysno.name != op.site.stage.name() => {
            format!(" ({})", call.sysno.name)
        }
        _ => String::new(),
    }
}

fn hint(op: &Op, errno: Errno, runner: &Runner, kernel: (u32, u32)) -> String {
    let fixed = match (op.site.stage, errno) {
        (Stage::Exec, _) => return exec_hint(op, errno, runner).into(),
        (Stage::Mount, Errno::EPERM) => mount_not_permitted(op, runner),
        (Stage::Mount, Errno::EINVAL) => mount_invalid(op, runner, kernel),
        (Stage::Mount | Stage::Mkdir | Stage::File, Errno::ELOOP | Errno::ENOTDIR)
            if kernel < (5, 12) =>
        {
            "a symbolic link or a file is on the way; before Linux 5.12 no link is followed"
        }
        (Stage::Mount, Errno::ENODEV) => "this kernel has no file system of that type",
        (Stage::Mkdir | Stage::File | Stage::Symlink, Errno::EROFS) => {
            "its parent was bound read-only: make it before, or in the source"
        }
        (Stage::PivotRoot, Errno::EINVAL) => {
            "the host's root is the initial ramfs, or not a mount point"
        }
        (Stage::PivotRoot | Stage::Mount, Errno::EACCES) if is_user_namespace(runner) => {
            "a directory on the way is not open to the ids of the user namespace, or a LSM forbids mounts there"
        }
        (Stage::PivotRoot | Stage::Mount, Errno::EACCES) => {
            "a security module refuses mounts: AppArmor's profile of the container, SELinux"
        }
        (Stage::IdMap, Errno::EPERM) => user_namespace_blocker()
            .unwrap_or("mapping root needs CAP_SETFCAP in the host (Linux 5.12)"),
        (Stage::IdMap | Stage::OomScoreAdj, Errno::ENOENT) => "/proc is not mounted in the host",
        (Stage::OomScoreAdj, Errno::EACCES) if matches!(&op.act, Act::Call(_)) => {
            "the host's memory is not dumpable, so its /proc/self belongs to root"
        }
        (Stage::IdMap, Errno::EACCES) => {
            "the host's memory is not dumpable, so its /proc/self belongs to root"
        }
        (Stage::Setgroups, Errno::EPERM) => {
            "needs CAP_SETGID, and in a user namespace runner_set_allow_setgroups(true)"
        }
        (Stage::Setgid | Stage::Setuid | Stage::Setgroups, Errno::EINVAL) => {
            "this id is not mapped in the user namespace"
        }
        (Stage::Setgid | Stage::Setuid, Errno::EPERM) => "needs CAP_SETGID and CAP_SETUID",
        (Stage::Setuid, Errno::EAGAIN) => "RLIMIT_NPROC of that user is reached",
        (Stage::Dup, Errno::EBADF) => {
            "it is not open, or the program's number is beyond RLIMIT_NOFILE"
        }
        (Stage::Dup, Errno::EMFILE) => "RLIMIT_NOFILE is reached",
        (Stage::Close, Errno::ENOENT) => {
            "without close_range (Linux 5.9) /proc has to be mounted in the host"
        }
        (Stage::Rlimit, Errno::EPERM) => {
            "above the caller's hard limit: needs CAP_SYS_RESOURCE in the initial user namespace"
        }
        (Stage::Capabilities, Errno::EPERM) => {
            "the caller does not have a capability that it is to keep, or CAP_SETPCAP"
        }
        (Stage::Seccomp, Errno::EINVAL) => "the kernel refuses the filter program",
        (Stage::Ptrace, Errno::EPERM) => "it is being traced already",
        (Stage::Chdir, Errno::ENOENT) if matches!(op.act, Act::CheckCwd) => {
            "the directory lies outside the new root"
        }
        (Stage::Ctty, Errno::ENOTTY) => "fd 0 is not a terminal",
        (Stage::Ctty, Errno::EPERM) => "the terminal is another session's",
        (Stage::Cgroup, Errno::EACCES | Errno::EPERM) => {
            "no permission: the cgroup is not delegated to this user, or the hierarchy is read-only"
        }
        (Stage::Cgroup, Errno::EBUSY) => {
            "it has controllers enabled for its children, so it can hold no process itself"
        }
        (Stage::Cgroup, Errno::EAGAIN) => "its pids.max is reached",
        (Stage::Nice, Errno::EACCES) => "a nice value below the caller's needs CAP_SYS_NICE",
        (Stage::OomScoreAdj, Errno::EACCES) => "below the caller's own it needs CAP_SYS_RESOURCE",
        (Stage::Scheduler, Errno::EPERM) => {
            "a real-time policy needs CAP_SYS_NICE or RLIMIT_RTPRIO"
        }
        (Stage::Affinity, Errno::EINVAL) => "none of these CPUs is online and allowed",
        (_, Errno::ENOSYS) => {
            "this kernel, or the container's seccomp profile, does not have the call"
        }
        _ => "",
    };
    fixed.into()
}

fn is_user_namespace(runner: &Runner) -> bool {
    runner.has_namespace(libc::CLONE_NEWUSER)
}

fn mount_not_permitted(op: &Op, runner: &Runner) -> &'static str {
    let piece = op.site.index.and_then(|i| runner.pieces.get(i as usize));
    let proc = match piece {
        Some(Piece::Proc { .. }) => true,
        Some(Piece::Mount {
            fstype: Some(fstype),
            ..
        }) => fstype.to_bytes() == b"proc",
        _ => false,
    };
    if proc && is_user_namespace(runner) {
        return "the host's own /proc is partly covered, as in a container, so the kernel allows no new one in a user \
                namespace: start the container with its proc unmasked (Docker: systempaths=unconfined)";
    }
    if is_user_namespace(runner) {
        return user_namespace_blocker().unwrap_or("not allowed in a user namespace");
    }
    "needs CAP_SYS_ADMIN, or CLONE_NEWUSER"
}

fn mount_invalid(op: &Op, runner: &Runner, kernel: (u32, u32)) -> &'static str {
    let piece = op.site.index.and_then(|i| runner.pieces.get(i as usize));
    match piece {
        Some(Piece::Bind { .. }) if is_user_namespace(runner) => {
            "other mounts lie beneath the source, which a user namespace may not leave out: RUNNER_BIND_REC"
        }
        Some(Piece::Mount { flags, .. })
            if flags & libc::MS_BIND != 0 && is_user_namespace(runner) =>
        {
            "other mounts lie beneath the source, which a user namespace may not leave out: MS_REC"
        }
        _ if matches!(&op.act, Act::Call(call) if call.sysno == nr::MOVE_MOUNT) => {
            "a directory and a file: one is the source, the other the target"
        }
        Some(Piece::Proc { .. }) if kernel < (5, 8) => "RUNNER_PROC_SUBSET needs Linux 5.8",
        _ => "",
    }
}

fn exec_hint(op: &Op, errno: Errno, runner: &Runner) -> &'static str {
    let new_root = runner.pivot_root.is_some();
    if matches!(op.act, Act::Call(_)) {
        return "its interpreter opens it as /dev/fd/N, so the root needs /proc and /dev/fd";
    }
    match errno {
        Errno::ELOOP if matches!(op.act, Act::CheckProgram(_)) => {
            "it, or its interpreter, is behind a magic link of /proc, which leads out of the new root"
        }
        Errno::ENOENT if new_root => {
            "not there inside the new root, or the loader or interpreter that it names is not"
        }
        Errno::ENOENT => "not there, or the loader or interpreter that it names is not",
        Errno::EACCES => "a directory, not executable for this user, or mounted noexec",
        Errno::EPERM => "the seccomp filter or a LSM refuses the exec",
        Errno::ENOEXEC => "neither a program for this machine nor a script that begins with #!",
        Errno::ETXTBSY => "somebody has it open for writing",
        Errno::EAGAIN => "RLIMIT_NPROC is reached: it counts all processes of this user id",
        Errno::E2BIG => "arguments and environment are too large for RLIMIT_STACK",
        Errno::ENOMEM => "no memory: RLIMIT_AS, or the memory cgroup",
        Errno::EBADF => "the exec fd is not open",
        _ => "",
    }
}
