//! What holds for every program, whatever was asked for: it does all of what was asked, in an order that keeps each
//! step possible and none undone, and it ends with the filter and the exec.

use crate::model::{Model, Piece};
use runner::fuzz::{
    nr, strings, text, Act, Arg, Call, ExecWhat, Host, Op, Program, Setgroups, Slot, Strategy, Turn,
};
use runner::fuzz::{BRIEF, COVERED, ROOT, SLOTS, TARGET, TREE, UMASK};
use runner::Stage;
use std::collections::HashMap;

const CAP_SETPCAP: u32 = 8;
/// All securebits that take something away, and their locks (capabilities(7)).
const LOCKED: i64 = 0xef;
const MOUNT_ATTR_RDONLY: u64 = 1;
const MOUNT_ATTR_NOSUID: u64 = 2;
const MOUNT_ATTR_NODEV: u64 = 4;
const MOUNT_ATTR_NOEXEC: u64 = 8;
const CLONE_NEWCGROUP: u64 = libc::CLONE_NEWCGROUP as u64;

/// Of what the program was compiled.
pub struct Source<'a> {
    pub model: &'a Model,
    pub host: &'a Host,
    pub held: bool,
    pub go_pipe: Option<i32>,
}

pub fn check(program: &Program, source: &Source) {
    let ops = &program.ops;
    check_end(ops, source);
    check_sites(ops, source.model);
    check_order(ops);
    check_turns(program, source);
    check_ids(ops, program, source);
    check_privileges(ops, source);
    check_namespaces(ops, program, source);
    check_slots(ops);
    check_paths(ops, source);
    check_binds(ops, source);
    check_limits(ops, source.model);
    check_files(program, source);
}

fn calls(ops: &[Op]) -> impl Iterator<Item = (usize, &Op, &Call)> {
    ops.iter().enumerate().filter_map(|(at, op)| match &op.act {
        Act::Call(call) => Some((at, op, call)),
        _ => None,
    })
}

fn int(arg: &Arg) -> Option<i64> {
    match arg {
        Arg::Int(value) => Some(*value),
        Arg::Octal(value) => Some(i64::from(*value)),
        _ => None,
    }
}

fn flags(call: &Call) -> u64 {
    let flags = call.args.iter().find_map(|arg| match arg {
        Arg::Flags(value, _) => Some(*value),
        _ => None,
    });
    flags.unwrap_or(0)
}

/// Whether the call has an argument of this name, as in prctl(2).
fn names(call: &Call, wanted: &str) -> bool {
    call.args
        .iter()
        .any(|arg| matches!(arg, Arg::Name(name, _) if *name == wanted))
}

fn is(call: &Call, sysno: nr::Sysno) -> bool {
    call.sysno == sysno
}

/// The number of the only such op.
fn once<'a>(what: &str, mut found: impl Iterator<Item = usize> + 'a) -> Option<usize> {
    let first = found.next();
    assert!(found.next().is_none(), "{what} twice");
    first
}

fn count(ops: &[Op], which: impl Fn(&Op) -> bool) -> usize {
    ops.iter().filter(|op| which(op)).count()
}

/// The filter and the exec: nothing is between them, and nothing behind.
fn check_end(ops: &[Op], source: &Source) {
    let model = source.model;
    let is_exec = |op: &Op| matches!(op.act, Act::Exec(_));
    let is_filter = |op: &Op| matches!(op.act, Act::Filter(_));
    assert_eq!(count(ops, is_exec), 1, "one exec");
    let (last, before) = ops.split_last().expect("ops");
    let Act::Exec(exec) = &last.act else {
        panic!("the last op is not the exec");
    };
    let wanted: [&[_]; 2] = [&model.args, &model.env];
    assert_eq!(strings(exec), wanted, "arguments and environment");
    assert_eq!(
        exec.sleeps,
        model.seccomp.is_none(),
        "a sleep under a filter"
    );
    assert_eq!(
        count(ops, is_filter),
        usize::from(model.seccomp.is_some()),
        "filters"
    );
    let before = match (&model.seccomp, before.split_last()) {
        (Some(len), Some((filter, before))) => {
            let Act::Filter(filter) = &filter.act else {
                panic!("something between the filter and the exec");
            };
            assert_eq!(filter.len(), *len, "the filter");
            before
        }
        _ => before,
    };
    // Signals come in from here on, when nothing is left that they could interrupt.
    let unblocked = calls(ops).filter(|(_, _, call)| is(call, nr::RT_SIGPROCMASK));
    let unblocked = once("unblocking signals", unblocked.map(|(at, _, _)| at));
    assert_eq!(
        unblocked,
        Some(before.len() - 1),
        "signals are unblocked last"
    );
}

/// An index names an element that there is.
fn check_sites(ops: &[Op], model: &Model) {
    for op in ops {
        let Some(index) = op.site.index else { continue };
        let there_are = match op.site.stage {
            Stage::Dup | Stage::Close => model.files.as_ref().map_or(3, Vec::len),
            Stage::Mount | Stage::Mkdir | Stage::File | Stage::Symlink => model.pieces.len(),
            Stage::Rlimit => model.rlimits.len(),
            Stage::Cgroup => model.cgroup_paths,
            stage => panic!("an index at stage {stage}"),
        };
        assert!(
            (index as usize) < there_are,
            "{}[{index}] of {there_are}",
            op.site.stage
        );
    }
}

/// The parts of a launch, by the stages that their errors name. A part never comes after a later one.
fn part(op: &Op) -> Option<u32> {
    Some(match op.site.stage {
        Stage::Cgroup => 0,
        Stage::IdMap | Stage::OomScoreAdj => 1,
        // What is made afterwards belongs to these ids.
        Stage::Setgroups | Stage::Setgid | Stage::Setuid => 2,
        // Nothing of the host's is open any more while the paths of others are walked.
        Stage::Dup | Stage::Close => 3,
        Stage::Setsid | Stage::Setpgid | Stage::Ctty | Stage::Keyring => 4,
        Stage::Mount | Stage::Mkdir | Stage::File | Stage::Symlink | Stage::PivotRoot => 5,
        Stage::Sethostname | Stage::Setdomainname | Stage::Loopback => 6,
        Stage::Chdir => 7,
        // A look at the program, while there is the right to look.
        Stage::Exec if matches!(op.act, Act::CheckProgram(_)) => 7,
        Stage::Nice | Stage::Scheduler | Stage::Affinity | Stage::Personality => 8,
        Stage::Rlimit => 8,
        Stage::NoNewPrivs | Stage::Unshare | Stage::Sync => 9,
        // A change of ids clears the signal.
        Stage::DeathSignal | Stage::Ptrace | Stage::Stop => 10,
        Stage::Seccomp | Stage::Exec => 11,
        // Twice: where they are made ready, and where they end.
        Stage::Capabilities | Stage::Umask | Stage::Signals => return None,
        stage => panic!("an op of stage {stage}"),
    })
}

fn check_order(ops: &[Op]) {
    let mut latest = 0;
    for op in ops {
        let part = part(op).unwrap_or(latest);
        assert!(part >= latest, "{} comes too late", op.site.stage);
        latest = part;
    }
}

/// Each wait is one that the parent knows of, on a thread that can take it.
fn check_turns(program: &Program, source: &Source) {
    let model = source.model;
    let waits = program.ops.iter().filter_map(|op| match op.act {
        Act::Wait(turn) => Some(turn),
        _ => None,
    });
    let waits: Vec<Turn> = waits.collect();
    assert_eq!(waits, program.turns, "turns");
    let has = |turn| waits.contains(&turn);
    assert_eq!(has(Turn::Callback), model.sync, "the callback");
    assert_eq!(has(Turn::Hold), source.held, "the hold");
    assert_eq!(has(Turn::MapIds), program.maps.is_some(), "the id maps");
    let stops = model.stop || model.ptrace && model.seccomp.is_some();
    assert_eq!(has(Turn::Stop), stops, "the stop");
    assert!(
        waits.is_empty() || program.strategy != Strategy::Vfork,
        "nobody to take the turns"
    );
    assert_eq!(program.traced, model.ptrace);
    assert_eq!(
        program.strategy == Strategy::Copy,
        program.go_fd.is_some(),
        "the go pipe"
    );
    if model.ptrace || stops {
        assert_eq!(program.strategy, Strategy::Copy, "the tracer would sleep");
    }
    let traces = calls(&program.ops)
        .filter(|(_, _, call)| is(call, nr::PTRACE))
        .count();
    assert_eq!(traces, usize::from(model.ptrace), "ptrace");
    let signal = calls(&program.ops)
        .filter(|(_, _, call)| names(call, "PR_SET_PDEATHSIG"))
        .count();
    assert_eq!(
        signal,
        usize::from(model.death_signal != 0),
        "the death signal"
    );
}

/// Groups, group, user: the other way round the right to change the rest is gone.
fn check_ids(ops: &[Op], program: &Program, source: &Source) {
    let ids: Vec<&Call> = calls(ops)
        .map(|(_, _, call)| call)
        .filter(|call| [nr::SETGROUPS, nr::SETRESGID, nr::SETRESUID].contains(&call.sysno))
        .collect();
    assert_eq!(program.changes_ids, source.model.credential.is_some());
    let Some(credential) = &source.model.credential else {
        assert!(ids.is_empty(), "ids change without a credential");
        return;
    };
    let (setgroups, rest) = match ids.as_slice() {
        [groups, rest @ ..] if is(groups, nr::SETGROUPS) => (Some(groups), rest),
        rest => (None, rest),
    };
    let [gid, uid] = rest else {
        panic!("{} calls that change ids", ids.len())
    };
    assert!(
        is(gid, nr::SETRESGID) && is(uid, nr::SETRESUID),
        "the order of the ids"
    );
    for (call, id) in [(gid, credential.gid), (uid, credential.uid)] {
        let all = call.args[..3]
            .iter()
            .all(|arg| int(arg) == Some(i64::from(id)));
        assert!(all, "not {id} three times");
    }
    match setgroups.map(|call| &call.args[..2]) {
        Some([n, Arg::Groups(groups)]) => {
            assert_eq!(**groups, *credential.groups, "groups");
            assert_eq!(int(n), Some(groups.len() as i64), "the number of groups");
        }
        Some(_) => panic!("setgroups without groups"),
        // Where setgroups(2) is denied nothing else can be asked for.
        None => {
            assert!(
                source.model.has(libc::CLONE_NEWUSER),
                "the host's groups stay"
            );
            assert!(credential.groups.is_empty(), "groups forgotten");
            let denied = program
                .maps
                .as_ref()
                .is_none_or(|m| m.setgroups == Setgroups::Deny);
            assert!(denied, "setgroups is allowed, and not called");
        }
    }
}

/// Capabilities go after everything that needs them, and what goes does not come back.
fn check_privileges(ops: &[Op], source: &Source) {
    let model = source.model;
    let last_cap = source.host.features.last_cap;
    let may_drop = model.has(libc::CLONE_NEWUSER) || source.host.has_cap(CAP_SETPCAP);
    let no_new_privs = calls(ops).filter(|(_, _, call)| names(call, "PR_SET_NO_NEW_PRIVS"));
    let no_new_privs = once("no_new_privs", no_new_privs.map(|(at, _, _)| at)).is_some();
    let stands_in = model.kept_caps().is_some() && !may_drop;
    let wanted = model.no_new_privs || model.seccomp.is_some() || stands_in;
    assert_eq!(no_new_privs, wanted, "no_new_privs");

    let sets: Vec<(usize, u64)> = calls(ops)
        .filter_map(|(at, _, call)| capset(at, call))
        .collect();
    let from_user = model.credential.as_ref().is_some_and(|c| c.uid != 0);
    let Some(keep) = model.kept_caps() else {
        let ends_empty = sets.last().is_some_and(|(_, caps)| *caps == 0);
        assert_eq!(
            ends_empty, from_user,
            "the capabilities of another user than root"
        );
        return;
    };
    let (last, caps) = *sets.last().expect("capabilities are dropped");
    assert_eq!(caps, keep, "the capabilities that stay");
    let bounding: Vec<(usize, i64)> = calls(ops)
        .filter(|(_, _, call)| names(call, "PR_CAPBSET_DROP"))
        .map(|(at, _, call)| (at, int(&call.args[1]).expect("a capability")))
        .collect();
    let dropped: Vec<i64> = bounding.iter().map(|(_, cap)| *cap).collect();
    let gone = (0..=i64::from(last_cap)).filter(|cap| may_drop && keep >> cap & 1 == 0);
    assert_eq!(dropped, gone.collect::<Vec<i64>>(), "the bounding set");
    let cleared =
        calls(ops).any(|(at, _, call)| at < last && names(call, "PR_CAP_AMBIENT_CLEAR_ALL"));
    assert!(cleared, "the ambient set stays");
    let locks = calls(ops).filter(|(_, _, call)| names(call, "PR_SET_SECUREBITS"));
    let locks = locks.filter(|(_, _, call)| int(&call.args[1]) == Some(LOCKED));
    let locked = once("locking securebits", locks.map(|(at, _, _)| at));
    assert_eq!(locked.is_some(), may_drop, "securebits");

    let first = bounding.first().map_or(last, |(at, _)| *at);
    for op in &ops[first..] {
        assert!(
            needs_no_caps(op),
            "{} after the capabilities are gone",
            op.site.stage
        );
    }
}

/// The sets of a capset(2) where all three are the same; None for one that only makes ready.
fn capset(at: usize, call: &Call) -> Option<(usize, u64)> {
    let data = call.args.iter().find_map(|arg| match arg {
        Arg::CapData(data) => Some(data),
        _ => None,
    })?;
    let whole = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    let effective = whole(data[0].effective, data[1].effective);
    let same = effective == whole(data[0].permitted, data[1].permitted)
        && effective == whole(data[0].inheritable, data[1].inheritable);
    same.then_some((at, effective))
}

fn needs_no_caps(op: &Op) -> bool {
    use Stage::{
        Capabilities, DeathSignal, Exec, NoNewPrivs, Ptrace, Seccomp, Signals, Stop, Sync,
    };
    let harmless = [
        Capabilities,
        DeathSignal,
        Exec,
        NoNewPrivs,
        Ptrace,
        Seccomp,
        Signals,
        Stop,
        Sync,
    ];
    harmless.contains(&op.site.stage)
}

const MOUNTING: [nr::Sysno; 7] = [
    nr::MOUNT,
    nr::UMOUNT2,
    nr::PIVOT_ROOT,
    nr::OPEN_TREE,
    nr::MOVE_MOUNT,
    nr::MOUNT_SETATTR,
    nr::MKDIRAT,
];

/// Nothing of the host's is changed: what a namespace holds is touched in a new one only.
fn check_namespaces(ops: &[Op], program: &Program, source: &Source) {
    let model = source.model;
    let late = if model.late_cgroup {
        CLONE_NEWCGROUP
    } else {
        0
    };
    assert_eq!(program.namespaces, model.namespaces & !late, "namespaces");
    let unshared = calls(ops).filter(|(_, _, call)| is(call, nr::UNSHARE));
    let unshared = once("unshare", unshared.map(|(at, _, _)| at));
    assert_eq!(
        unshared.is_some(),
        model.late_cgroup,
        "the late cgroup namespace"
    );
    let waits = |op: &Op| matches!(op.act, Act::Wait(Turn::Callback | Turn::Hold));
    if let (Some(at), Some(waited)) = (unshared, ops.iter().rposition(waits)) {
        assert!(at > waited, "the cgroup namespace before the callback");
    }

    let mut mounting = calls(ops)
        .filter(|(_, _, call)| MOUNTING.contains(&call.sysno))
        .peekable();
    if model.has(libc::CLONE_NEWNS) {
        let (_, _, first) = mounting.peek().expect("the mounts are made private");
        let private = libc::MS_REC | libc::MS_PRIVATE;
        let on_root = text(&first.args[1]) == Some(b"/");
        assert!(on_root && flags(first) == private, "mounts reach the host");
    } else {
        assert!(mounting.peek().is_none(), "mounts in the host's namespace");
        let remounts = |op: &Op| matches!(op.act, Act::Remount { .. });
        assert_eq!(count(ops, remounts), 0, "a remount in the host's namespace");
    }
    for (call, namespace) in [
        (nr::SETHOSTNAME, libc::CLONE_NEWUTS),
        (nr::SETDOMAINNAME, libc::CLONE_NEWUTS),
        (nr::SOCKET, libc::CLONE_NEWNET),
    ] {
        let called = calls(ops).any(|(_, _, c)| is(c, call));
        assert!(
            !called || model.has(namespace),
            "{} in the host's namespace",
            call.name
        );
    }
    check_pivot(ops, source);
}

/// The old root is let go of, all of it, after everything was put into the new one, which then is sealed.
fn check_pivot(ops: &[Op], source: &Source) {
    let model = source.model;
    let looks = count(ops, |op| matches!(op.act, Act::CheckProgram(_)));
    let may_mislead = model.pivot_root.is_some() && source.host.features.mount_api;
    assert_eq!(looks, usize::from(may_mislead), "looks at the program");
    let pivots = calls(ops).filter(|(_, _, call)| is(call, nr::PIVOT_ROOT));
    let pivot = once("pivot_root", pivots.map(|(at, _, _)| at));
    assert_eq!(pivot.is_some(), model.pivot_root.is_some(), "the new root");
    let Some(pivot) = pivot else { return };
    let detached = match &ops[pivot + 1].act {
        Act::Call(call) => is(call, nr::UMOUNT2) && flags(call) == libc::MNT_DETACH as u64,
        _ => false,
    };
    assert!(detached, "the old root stays");
    let rest = &ops[pivot..];
    let entered = |call: &Call| text(&call.args[0]) == Some(b"/");
    let enters = calls(rest).find(|(_, _, call)| is(call, nr::CHDIR));
    assert!(
        enters.is_some_and(|(_, _, call)| entered(call)),
        "the working directory is outside"
    );
    let pieces = count(rest, |op| {
        op.site.index.is_some() && op.site.stage != Stage::Rlimit
    });
    assert_eq!(pieces, 0, "a piece after the new root was entered");
    let sealed =
        calls(rest).any(|(_, _, call)| is(call, nr::MOUNT) && flags(call) & libc::MS_RDONLY != 0);
    assert_eq!(sealed, !model.root_writable, "the seal of the root");
    if model.workdir.is_some() {
        assert_eq!(
            count(rest, |op| matches!(op.act, Act::CheckCwd)),
            1,
            "the workdir is not looked at"
        );
    }
}

/// Each fd of the launch's own is opened close-on-exec, used while it is open, and closed again.
fn check_slots(ops: &[Op]) {
    let mut open = [false; SLOTS];
    for op in ops {
        let used: Vec<Slot> = match &op.act {
            Act::Call(call) => call.args.iter().filter_map(as_slot).collect(),
            Act::WriteAll(slot, _) => vec![*slot],
            _ => vec![],
        };
        for slot in used {
            assert!(open[slot.0 as usize], "{slot:?} is used while it is closed");
        }
        let Act::Call(call) = &op.act else { continue };
        if let (true, Some(slot)) = (is(call, nr::CLOSE), as_slot(&call.args[0])) {
            open[slot.0 as usize] = false;
        }
        let Some(slot) = call.into else { continue };
        assert!(!open[slot.0 as usize], "{slot:?} is opened twice");
        open[slot.0 as usize] = true;
        if slot != UMASK {
            let how = call.args.iter().find_map(|arg| match arg {
                Arg::OpenHow(how) => Some(how.flags),
                _ => None,
            });
            let cloexec = how.unwrap_or(flags(call)) & libc::O_CLOEXEC as u64 != 0;
            assert!(cloexec, "{} without close-on-exec", call.sysno.name);
        }
    }
    for slot in [ROOT, TARGET, TREE, BRIEF, COVERED] {
        assert!(!open[slot.0 as usize], "{slot:?} stays open");
    }
}

fn as_slot(arg: &Arg) -> Option<Slot> {
    match arg {
        Arg::Slot(slot) => Some(*slot),
        _ => None,
    }
}

/// What is made in the new root is named by one component in a directory that was reached inside of it.
fn check_paths(ops: &[Op], source: &Source) {
    let in_pieces = |op: &Op| op.site.index.is_some() && part(op) == Some(5);
    for (_, op, call) in calls(ops).filter(|(_, op, _)| in_pieces(op)) {
        let name = match call.sysno {
            nr::MKDIRAT | nr::MKNODAT | nr::FCHMODAT => &call.args[1],
            nr::SYMLINKAT => &call.args[2],
            nr::OPENAT if flags(call) & libc::O_CREAT as u64 != 0 => &call.args[1],
            nr::OPENAT => {
                assert_eq!(as_slot(&call.args[0]), Some(ROOT), "from where");
                assert!(
                    flags(call) & libc::O_NOFOLLOW as u64 != 0,
                    "a link is followed"
                );
                assert!(!source.host.features.mount_api, "openat instead of openat2");
                check_relative(&call.args[1], op);
                continue;
            }
            nr::OPENAT2 => {
                assert_eq!(as_slot(&call.args[0]), Some(ROOT), "from where");
                let Arg::OpenHow(how) = &call.args[2] else {
                    panic!("openat2 without how")
                };
                assert_eq!(how.resolve, libc::RESOLVE_IN_ROOT, "links lead out");
                check_relative(&call.args[1], op);
                continue;
            }
            _ => continue,
        };
        let name = text(name).expect("a name");
        assert!(
            !name.is_empty() && name != b"..",
            "{} of {name:?}",
            call.sysno.name
        );
        assert!(
            !name.contains(&b'/'),
            "{} through a directory that was not looked at",
            call.sysno.name
        );
    }
}

fn check_relative(path: &Arg, op: &Op) {
    let path = text(path).unwrap_or_else(|| panic!("no path at {}", op.site.stage));
    assert!(
        !path.starts_with(b"/") && !path.is_empty(),
        "{path:?} is not below the root"
    );
    assert!(
        path.split(|b| *b == b'/').all(|part| part != b".."),
        "{path:?} climbs"
    );
}

/// A bind gets the flags that it was added with, and no device or set-user-ID file without being asked.
fn check_binds(ops: &[Op], source: &Source) {
    for (index, piece) in source.model.pieces.iter().enumerate() {
        let wanted = match piece {
            Piece::Bind { flags, .. } => {
                let when = |on: bool, attr: u64| if on { attr } else { 0 };
                when(flags & 1 != 0, MOUNT_ATTR_RDONLY)
                    | when(flags & 8 != 0, MOUNT_ATTR_NOEXEC)
                    | when(flags & 16 == 0, MOUNT_ATTR_NODEV)
                    | when(flags & 32 == 0, MOUNT_ATTR_NOSUID)
            }
            // The first four MS_* have the numbers of their attributes.
            Piece::Mount { flags, .. }
                if flags & (libc::MS_BIND | libc::MS_REMOUNT) == libc::MS_BIND =>
            {
                flags & 15
            }
            _ => continue,
        };
        let own: Vec<&Op> = ops
            .iter()
            .filter(|op| op.site.index == Some(index as u32) && op.site.stage == Stage::Mount)
            .collect();
        let skipped =
            matches!(piece, Piece::Bind { flags, .. } if flags & 4 != 0) && own.is_empty();
        if skipped || wanted == 0 {
            continue;
        }
        let set = own.iter().any(|op| match &op.act {
            Act::Remount { add, .. } => add & 15 == wanted,
            Act::Call(call) => call.args.iter().any(|arg| {
                matches!(arg, Arg::MountAttr(attr) if attr.set & 15 == wanted && attr.clear & 15 == 0)
            }),
            _ => false,
        });
        assert!(set, "bind #{index} without the flags {wanted:#x}");
    }
}

/// Of each resource the last limit; the umask that was asked for, or the host's, after the root was built without.
fn check_limits(ops: &[Op], model: &Model) {
    let last: HashMap<u32, (u64, u64)> = model
        .rlimits
        .iter()
        .map(|(resource, soft, hard)| (*resource, (*soft, *hard)))
        .collect();
    let mut set = HashMap::new();
    for (_, _, call) in calls(ops).filter(|(_, _, call)| is(call, nr::PRLIMIT64)) {
        let [_, Arg::Name(_, resource), Arg::Rlimit(limit), ..] = &call.args else {
            panic!("prlimit of something else");
        };
        let value = (limit.rlim_cur, limit.rlim_max);
        assert!(
            set.insert(*resource as u32, value).is_none(),
            "a limit twice"
        );
    }
    assert_eq!(set, last, "the limits");

    let umask = calls(ops).filter(|(_, _, call)| is(call, nr::UMASK)).last();
    let umask = umask.map(|(_, _, call)| &call.args[0]);
    match (umask, model.umask) {
        (Some(Arg::Octal(mask)), Some(wanted)) => assert_eq!(*mask, wanted, "the umask"),
        (Some(Arg::Slot(UMASK)), None) | (None, None) => {}
        (last, _) => panic!("the umask ends as {last:?}"),
    }
}

/// An open fd of the child.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    /// The host's fd; None: /dev/null.
    file: Option<i32>,
    kept: bool,
}

/// The child's table of fds. What is not in the map is as the host has it: open, each on its own file.
struct Table {
    changed: HashMap<i32, Option<Entry>>,
    closed_from: i32,
}

impl Table {
    fn get(&self, fd: i32) -> Option<Entry> {
        let host = Entry {
            file: Some(fd),
            kept: true,
        };
        let unchanged = (fd < self.closed_from).then_some(host);
        self.changed.get(&fd).copied().unwrap_or(unchanged)
    }

    fn take(&mut self, op: &Op) {
        match &op.act {
            Act::CloseFrom(first) => {
                self.closed_from = *first as i32;
                self.changed.retain(|fd, _| *fd < *first as i32);
            }
            Act::Call(call) => self.call(call),
            _ => {}
        }
    }

    fn call(&mut self, call: &Call) {
        let fds: Vec<i32> = call
            .args
            .iter()
            .filter_map(int)
            .map(|fd| fd as i32)
            .collect();
        match (call.sysno, fds.as_slice()) {
            (nr::DUP3, [from, to]) => {
                assert_ne!(from, to, "dup3 refuses equal fds");
                let file = self.get(*from).expect("a copy of a closed fd").file;
                let kept = flags(call) & libc::O_CLOEXEC as u64 == 0;
                self.changed.insert(*to, Some(Entry { file, kept }));
            }
            (nr::FCNTL, [fd, ..]) => {
                let mut entry = self.get(*fd).expect("a flag of a closed fd");
                entry.kept = !names(call, "FD_CLOEXEC");
                self.changed.insert(*fd, Some(entry));
            }
            (nr::CLOSE, [fd]) => drop(self.changed.insert(*fd, None)),
            (nr::OPENAT, []) if call.into.is_none() => {
                let lowest = (0..).find(|fd| self.get(*fd).is_none()).expect("an fd");
                self.changed.insert(
                    lowest,
                    Some(Entry {
                        file: None,
                        kept: true,
                    }),
                );
            }
            _ => {}
        }
    }
}

/// The program's fds are exactly the ones that it was given.
fn check_files(program: &Program, source: &Source) {
    let mut table = Table {
        changed: HashMap::new(),
        closed_from: i32::MAX,
    };
    let closes = program
        .ops
        .iter()
        .enumerate()
        .filter(|(_, op)| matches!(op.act, Act::CloseFrom(_)));
    once("close_range", closes.map(|(at, _)| at)).expect("everything else is closed");
    program.ops.iter().for_each(|op| table.take(op));

    let files = source.model.files.as_deref();
    let program_has = files.map_or(3, <[i32]>::len);
    for fd in 0..program_has {
        let entry = match files.map(|files| files[fd]) {
            None => Some(Entry {
                file: None,
                kept: true,
            }),
            Some(-1) => None,
            Some(from) => Some(Entry {
                file: Some(from),
                kept: true,
            }),
        };
        assert_eq!(table.get(fd as i32), entry, "fd {fd} of the program");
    }
    let exec = program.ops.last().map(|op| &op.act);
    let exec_fd = match exec {
        Some(Act::Exec(exec)) => match exec.what {
            ExecWhat::Fd(fd) => Some(fd),
            ExecWhat::Path => None,
        },
        _ => None,
    };
    let mut end = program_has as i32;
    assert_eq!(
        exec_fd.is_some(),
        source.model.exec_fd.is_some(),
        "the exec fd"
    );
    for (fd, from) in [
        (exec_fd, source.model.exec_fd),
        (program.go_fd, source.go_pipe),
    ] {
        let Some(fd) = fd else { continue };
        let entry = table.get(fd).expect("a file of the launch's own is closed");
        assert_eq!((fd, entry.file), (end, from), "a file of the launch's own");
        assert!(
            !entry.kept || Some(fd) == exec_fd,
            "the program inherits the go pipe"
        );
        end += 1;
    }
    assert!(table.closed_from <= end, "fds from {end} stay open");
    assert!(
        table.changed.keys().all(|fd| *fd < end),
        "an fd more than there may be"
    );
}

/// One line an op, and nothing in it that could be taken for another line.
pub fn check_text(text: &str, ops: Option<usize>) {
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    assert!(
        text.ends_with('\n') && lines[0].starts_with("strategy: "),
        "the first line"
    );
    assert!(lines[1].starts_with("clone("), "the second line");
    for (number, line) in lines[2..].iter().enumerate() {
        assert!(
            line.trim_start().starts_with(&format!("{number} ")),
            "line {number}"
        );
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    let last = lines.last().expect("lines");
    assert!(
        last.contains("execve(") || last.contains("execveat("),
        "the last line"
    );
    assert!(
        ops.is_none_or(|ops| ops == lines.len() - 2),
        "the number of lines"
    );
}
