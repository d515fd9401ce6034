//! Every setter of the C interface, called with any arguments. What the header says of them decides whether the model
//! takes them over; the library has to be of the same opinion.

use crate::model::{is_inside, is_mapping, is_name, is_path, is_whole_root};
use crate::model::{Credential, Model, Piece, Watched};
use crate::values::{pointer, Array, Fd, Num, Str};
use arbitrary::Arbitrary;
use libc::sock_filter;
use runner::capi::{limits::*, options::*, root::*};
use runner::Runner;
use std::ffi::{c_char, c_int, c_void, CString};
use std::ptr;

/// A NULL-terminated array of strings, or NULL.
type Strings = Option<Vec<Str>>;
/// code, jt, jf, k
type Instruction = (u16, u8, u8, u32);

#[derive(Arbitrary, Clone, Debug)]
pub enum Call {
    Args(Strings),
    Env(Strings),
    ExecFd(Fd),
    Files(Array<u8>, Fd),
    TooManyFiles,
    DirectoryFiles(bool),
    Workdir(Str),
    Hostname(Str),
    Domainname(Str),
    Namespaces(u8),
    UnshareFlags(Num),
    UidMapping(Num, Num, Num),
    GidMapping(Num, Num, Num),
    ClearMappings,
    AllowSetgroups(bool),
    Credential(Num, Num, Array<u32>),
    TooManyGroups,
    ClearCredential,
    Rlimit(Num, Num, Num),
    ClearRlimits,
    NoNewPrivs(bool),
    DropCaps(bool),
    KeepCaps(Num),
    Seccomp(Option<Vec<Instruction>>, u16),
    ClearSeccomp,
    Ptrace(bool),
    Stop(bool),
    SyncFunc(bool),
    CgroupFd(Fd),
    CgroupPath(Str),
    ClearCgroups,
    LateCgroup(bool),
    Ctty(bool),
    Session(Num),
    DeathSignal(Num),
    Umask(Num),
    Nice(Num),
    OomScoreAdj(Num),
    Affinity(Array<u16>, Num),
    Personality(Num),
    Scheduler(Num, Num),
    Keyring(bool),
    Loopback(bool),
    PivotRoot(Str),
    RootWritable(bool),
    Mount(Str, Str, Str, Num, Str),
    Bind(Str, Str, Num),
    Tmpfs(Str, Num, Num),
    Proc(Str, Num),
    Dev(Str),
    Dir(Str, Num),
    Symlink(Str, Str),
    File(Str, Array<u8>, Num),
    ClearRoot,
    Limit(u8, Num),
    Quota(Num),
    Input(Array<u8>),
    Capture(Num, Num, bool),
    CgroupRoot(Str),
    ClearLimits,
}

const NAMESPACES: [i32; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    0x80,
];

/// The namespaces of a set of bits.
pub fn namespaces(bits: u8) -> u64 {
    let chosen = NAMESPACES
        .iter()
        .enumerate()
        .filter(|(i, _)| bits >> i & 1 == 1);
    chosen.map(|(_, flag)| *flag as u64).sum()
}

/// The MS_* that a caller may pass: all up to MS_LAZYTIME but MS_MANDLOCK's unused neighbours and the kernel's own.
const MOUNT_FLAGS: u64 = 0x03bf_fdff;
const CHANGES: u64 = libc::MS_REMOUNT
    | libc::MS_MOVE
    | libc::MS_SHARED
    | libc::MS_PRIVATE
    | libc::MS_SLAVE
    | libc::MS_UNBINDABLE;

/// More than a runner takes of anything. Not the limit itself: it would be accepted, and compiled again and again.
static ZEROES: [u32; (1 << 20) + 1] = [0; (1 << 20) + 1];

unsafe extern "C" fn callback(_: libc::pid_t, _: *mut c_void) -> c_int {
    unreachable!("nothing is started")
}

/// Strings as C passes them: the strings, and the array of pointers into them.
fn c_array(list: &Strings) -> (Vec<CString>, Option<Vec<*const c_char>>) {
    let strings: Vec<CString> = list.iter().flatten().filter_map(Str::owned).collect();
    let pointers = list.as_ref().map(|_| {
        let pointers = strings.iter().map(|s| s.as_ptr());
        pointers.chain([ptr::null()]).collect()
    });
    (strings, pointers)
}

fn list_pointer(list: &Option<Vec<*const c_char>>) -> *const *const c_char {
    list.as_ref().map_or(ptr::null(), |list| list.as_ptr())
}

impl Call {
    /// Calls the library, and the model where the call has to succeed. Gives the result, and whether it had to.
    ///
    /// # Safety
    /// `r` is NULL or a live runner.
    #[allow(clippy::too_many_lines)]
    pub unsafe fn make(&self, r: *mut Runner, m: &mut Model) -> (c_int, bool) {
        // A refused call changes nothing.
        let mut ok = |right: bool, change: &mut dyn FnMut(&mut Model)| {
            if right {
                change(m);
            }
            right
        };
        match self {
            Call::Args(list) => {
                let (strings, pointers) = c_array(list);
                let result = runner_set_args(r, list_pointer(&pointers));
                (
                    result,
                    ok(!strings.is_empty(), &mut |m| m.args = strings.clone()),
                )
            }
            Call::Env(list) => {
                let (strings, pointers) = c_array(list);
                let result = runner_set_env(r, list_pointer(&pointers));
                (result, ok(list.is_some(), &mut |m| m.env = strings.clone()))
            }
            Call::ExecFd(fd) => {
                let fd = fd.number();
                let set = &mut |m: &mut Model| m.exec_fd = (fd >= 0).then_some(fd);
                (runner_set_exec_fd(r, fd), ok(fd >= -1, set))
            }
            Call::Files(list, odd) => {
                let fd = |raw: &u8| match raw {
                    0..=199 => i32::from(*raw) % 12 - 1,
                    200..=249 => Fd::Known(*raw).number(),
                    _ => odd.number(),
                };
                let (first, n) = list.parts();
                let fds: Option<Vec<i32>> = list.slice().map(|all| all.iter().map(fd).collect());
                let first = fds
                    .as_ref()
                    .filter(|_| !first.is_null())
                    .map_or(first.cast(), |f| f.as_ptr());
                let result = runner_set_files(r, first, n);
                let right = fds
                    .as_ref()
                    .is_some_and(|fds| fds.iter().all(|fd| *fd >= -1));
                (result, ok(right, &mut |m| m.files = fds.clone()))
            }
            Call::TooManyFiles => (
                runner_set_files(r, ZEROES.as_ptr().cast(), ZEROES.len()),
                false,
            ),
            Call::DirectoryFiles(on) => (
                runner_set_allow_directory_files(r, *on),
                ok(true, &mut |m| m.directory_files = *on),
            ),
            Call::Workdir(path) => {
                let path = path.owned();
                let set = &mut |m: &mut Model| m.workdir = path.clone();
                (
                    runner_set_workdir(r, pointer(&path)),
                    ok(is_path(&path), set),
                )
            }
            Call::Hostname(name) => {
                let name = name.owned();
                let result = runner_set_hostname(r, pointer(&name));
                (result, ok(is_name(&name), &mut |m| m.hostname = true))
            }
            Call::Domainname(name) => {
                let name = name.owned();
                let result = runner_set_domainname(r, pointer(&name));
                (result, ok(is_name(&name), &mut |m| m.domainname = true))
            }
            Call::Namespaces(bits) => {
                let flags = namespaces(*bits);
                (
                    runner_set_unshare_flags(r, flags),
                    ok(true, &mut |m| m.namespaces = flags),
                )
            }
            Call::UnshareFlags(flags) => {
                let flags = flags.u64();
                let right = flags & !namespaces(0xff) == 0;
                (
                    runner_set_unshare_flags(r, flags),
                    ok(right, &mut |m| m.namespaces = flags),
                )
            }
            Call::UidMapping(inside, outside, count) => {
                let (inside, outside, count) = (inside.u32(), outside.u32(), count.u32());
                let right = is_mapping(inside, outside, count, m.uid_lines);
                m.uid_lines += usize::from(right);
                (runner_add_uid_mapping(r, inside, outside, count), right)
            }
            Call::GidMapping(inside, outside, count) => {
                let (inside, outside, count) = (inside.u32(), outside.u32(), count.u32());
                let right = is_mapping(inside, outside, count, m.gid_lines);
                m.gid_lines += usize::from(right);
                (runner_add_gid_mapping(r, inside, outside, count), right)
            }
            Call::ClearMappings => {
                let clear = &mut |m: &mut Model| (m.uid_lines, m.gid_lines) = (0, 0);
                (runner_clear_mappings(r), ok(true, clear))
            }
            Call::AllowSetgroups(on) => (
                runner_set_allow_setgroups(r, *on),
                ok(true, &mut |m| m.allow_setgroups = Some(*on)),
            ),
            Call::Credential(uid, gid, groups) => {
                let (uid, gid, (first, n)) = (uid.u32(), gid.u32(), groups.parts());
                let result = runner_set_credential(r, uid, gid, first, n);
                let ids =
                    |groups: &[u32]| [uid, gid].iter().chain(groups).all(|id| *id != u32::MAX);
                let set = &mut |m: &mut Model| {
                    let groups = groups.slice().unwrap_or(&[]).to_vec();
                    m.credential = Some(Credential { uid, gid, groups });
                };
                (result, ok(groups.slice().is_some_and(ids), set))
            }
            Call::TooManyGroups => (
                runner_set_credential(r, 0, 0, ZEROES.as_ptr(), 65537),
                false,
            ),
            Call::ClearCredential => (
                runner_clear_credential(r),
                ok(true, &mut |m| m.credential = None),
            ),
            Call::Rlimit(resource, soft, hard) => {
                let (resource, soft, hard) = (resource.i32(), soft.u64(), hard.u64());
                let right = (0..16).contains(&resource) && soft <= hard;
                let add = &mut |m: &mut Model| m.rlimits.push((resource as u32, soft, hard));
                (runner_add_rlimit(r, resource, soft, hard), ok(right, add))
            }
            Call::ClearRlimits => (
                runner_clear_rlimits(r),
                ok(true, &mut |m| m.rlimits.clear()),
            ),
            Call::NoNewPrivs(on) => (
                runner_set_no_new_privs(r, *on),
                ok(true, &mut |m| m.no_new_privs = *on),
            ),
            Call::DropCaps(on) => {
                let set = &mut |m: &mut Model| {
                    m.drop_caps = *on;
                    m.keep_caps = m.keep_caps.filter(|_| *on);
                };
                (runner_set_drop_caps(r, *on), ok(true, set))
            }
            Call::KeepCaps(mask) => {
                let mask = mask.u64();
                (
                    runner_keep_caps(r, mask),
                    ok(true, &mut |m| m.keep_caps = Some(mask)),
                )
            }
            Call::Seccomp(filter, repeat) => {
                let one = |&(code, jt, jf, k): &Instruction| sock_filter { code, jt, jf, k };
                let filter = filter.as_ref().map(|list| {
                    let all: Vec<sock_filter> = list.iter().map(one).collect();
                    all.repeat(usize::from(*repeat) % 64 + 1)
                });
                let len = filter
                    .as_ref()
                    .map_or(usize::from(*repeat), |f| f.len().min(65535));
                let first = filter
                    .as_ref()
                    .map_or(ptr::null(), |filter| filter.as_ptr());
                let right = filter.is_some() && (1..=4096).contains(&len);
                let result = runner_set_seccomp(r, first, len as u16);
                (result, ok(right, &mut |m| m.seccomp = Some(len)))
            }
            Call::ClearSeccomp => (runner_clear_seccomp(r), ok(true, &mut |m| m.seccomp = None)),
            Call::Ptrace(on) => (runner_set_ptrace(r, *on), ok(true, &mut |m| m.ptrace = *on)),
            Call::Stop(on) => (
                runner_set_stop_before_seccomp(r, *on),
                ok(true, &mut |m| m.stop = *on),
            ),
            Call::SyncFunc(on) => {
                let func = on.then_some(callback as _);
                let result = runner_set_sync_func(r, func, ptr::null_mut());
                (result, ok(true, &mut |m| m.sync = *on))
            }
            Call::CgroupFd(fd) => {
                let fd = fd.number();
                let set = &mut |m: &mut Model| m.cgroup_fd = (fd >= 0).then_some(fd);
                (runner_set_cgroup_fd(r, fd), ok(fd >= -1, set))
            }
            Call::CgroupPath(path) => {
                let path = path.owned();
                let result = runner_set_cgroup_path(r, pointer(&path));
                (result, ok(is_path(&path), &mut |m| m.cgroup_paths += 1))
            }
            Call::ClearCgroups => {
                let clear = &mut |m: &mut Model| (m.cgroup_fd, m.cgroup_paths) = (None, 0);
                (runner_clear_cgroups(r), ok(true, clear))
            }
            Call::LateCgroup(on) => {
                let result = runner_set_unshare_cgroup_after_sync(r, *on);
                (result, ok(true, &mut |m| m.late_cgroup = *on))
            }
            Call::Ctty(on) => (runner_set_ctty(r, *on), ok(true, &mut |m| m.ctty = *on)),
            Call::Session(session) => {
                let session = session.u32();
                (
                    runner_set_session(r, session),
                    ok(session <= 2, &mut |m| m.session = session),
                )
            }
            Call::DeathSignal(signal) => {
                let signal = signal.i32();
                let set = &mut |m: &mut Model| m.death_signal = signal;
                (
                    runner_set_death_signal(r, signal),
                    ok((0..=64).contains(&signal), set),
                )
            }
            Call::Umask(mask) => {
                let mask = mask.u32();
                (
                    runner_set_umask(r, mask),
                    ok(mask <= 0o777, &mut |m| m.umask = Some(mask)),
                )
            }
            Call::Nice(nice) => {
                let nice = nice.i32();
                let right = (-20..=19).contains(&nice);
                (
                    runner_set_nice(r, nice),
                    ok(right, &mut |m| m.nice = Some(nice)),
                )
            }
            Call::OomScoreAdj(adj) => {
                let adj = adj.i32();
                let right = (-1000..=1000).contains(&adj);
                (
                    runner_set_oom_score_adj(r, adj),
                    ok(right, &mut |m| m.oom_score_adj = Some(adj)),
                )
            }
            Call::Affinity(list, odd) => {
                let cpu = |raw: &u16| {
                    if *raw < 60000 {
                        u32::from(*raw) % 8192
                    } else {
                        odd.u32()
                    }
                };
                let (first, n) = list.parts();
                let cpus: Option<Vec<u32>> = list.slice().map(|all| all.iter().map(cpu).collect());
                let first = cpus
                    .as_ref()
                    .filter(|_| !first.is_null())
                    .map_or(first.cast(), |c| c.as_ptr());
                let result = runner_set_cpu_affinity(r, first, n);
                let right = cpus.is_some_and(|c| !c.is_empty() && c.iter().all(|cpu| *cpu < 8192));
                (result, ok(right, &mut |m| m.affinity = true))
            }
            Call::Personality(persona) => {
                let persona = persona.u64();
                let set = &mut |m: &mut Model| m.personality = Some(persona);
                (
                    runner_set_personality(r, persona),
                    ok(persona <= 0xffff_fffe, set),
                )
            }
            Call::Scheduler(policy, priority) => {
                let (policy, priority) = (policy.i32(), priority.i32());
                let right = match policy {
                    libc::SCHED_FIFO | libc::SCHED_RR => (1..=99).contains(&priority),
                    libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE => priority == 0,
                    _ => false,
                };
                let set = &mut |m: &mut Model| m.scheduler = Some((policy, priority));
                (runner_set_scheduler(r, policy, priority), ok(right, set))
            }
            Call::Keyring(on) => (
                runner_set_new_session_keyring(r, *on),
                ok(true, &mut |m| m.keyring = *on),
            ),
            Call::Loopback(on) => (
                runner_set_loopback_up(r, *on),
                ok(true, &mut |m| m.loopback = *on),
            ),
            Call::PivotRoot(path) => {
                let path = path.owned();
                let set = &mut |m: &mut Model| m.pivot_root = path.clone();
                (
                    runner_set_pivot_root(r, pointer(&path)),
                    ok(is_path(&path), set),
                )
            }
            Call::RootWritable(on) => (
                runner_set_root_writable(r, *on),
                ok(true, &mut |m| m.root_writable = *on),
            ),
            Call::Mount(source, target, fstype, flags, data) => {
                let (source, target) = (source.owned(), target.owned());
                let (fstype, data) = (fstype.owned(), data.owned());
                let flags = flags.u64();
                let (s, t) = (pointer(&source), pointer(&target));
                let result = runner_add_mount(r, s, t, pointer(&fstype), flags, pointer(&data));
                let needed = match (flags & libc::MS_BIND != 0, flags & CHANGES != 0) {
                    (true, _) => source.is_some(),
                    (false, true) => true,
                    (false, false) => fstype.is_some(),
                };
                let right = is_inside(&target) && flags & !MOUNT_FLAGS == 0 && needed;
                let put = flags & (CHANGES & !libc::MS_MOVE) == 0;
                let add = &mut |m: &mut Model| {
                    let whole = put && target.as_ref().is_some_and(is_whole_root);
                    m.pieces.push(Piece::Mount { flags, whole });
                };
                (result, ok(right, add))
            }
            Call::Bind(source, target, flags) => {
                let (source, target, flags) = (source.owned(), target.owned(), flags.u32());
                let result = runner_add_bind(r, pointer(&source), pointer(&target), flags);
                let right = is_path(&source) && is_inside(&target) && flags < 1 << 6;
                let add = &mut |m: &mut Model| {
                    let whole = target.as_ref().is_some_and(is_whole_root);
                    m.pieces.push(Piece::Bind { flags, whole });
                };
                (result, ok(right, add))
            }
            Call::Tmpfs(target, size, mode) => {
                let (target, mode) = (target.owned(), mode.u32());
                let result = runner_add_tmpfs(r, pointer(&target), size.u64(), mode);
                let whole = target.as_ref().is_some_and(is_whole_root);
                let right = is_inside(&target) && mode <= 0o7777;
                (
                    result,
                    ok(right, &mut |m| m.pieces.push(Piece::Own { whole })),
                )
            }
            Call::Proc(target, flags) => {
                let (target, flags) = (target.owned(), flags.u32());
                let whole = target.as_ref().is_some_and(is_whole_root);
                let result = runner_add_proc(r, pointer(&target), flags);
                let right = is_inside(&target) && flags < 1 << 4;
                (
                    result,
                    ok(right, &mut |m| m.pieces.push(Piece::Proc { whole })),
                )
            }
            Call::Dev(target) => {
                let target = target.owned();
                let whole = target.as_ref().is_some_and(is_whole_root);
                let add = &mut |m: &mut Model| m.pieces.push(Piece::Own { whole });
                (
                    runner_add_dev(r, pointer(&target)),
                    ok(is_inside(&target), add),
                )
            }
            Call::Dir(path, mode) => {
                let (path, mode) = (path.owned(), mode.u32());
                let right = is_inside(&path) && mode <= 0o7777;
                let result = runner_add_dir(r, pointer(&path), mode);
                (result, ok(right, &mut |m| m.pieces.push(Piece::Plain)))
            }
            Call::Symlink(to, path) => {
                let (to, path) = (to.owned(), path.owned());
                let result = runner_add_symlink(r, pointer(&to), pointer(&path));
                let right = is_path(&to) && is_inside(&path);
                (result, ok(right, &mut |m| m.pieces.push(Piece::Plain)))
            }
            Call::File(path, contents, mode) => {
                let (path, mode, (first, n)) = (path.owned(), mode.u32(), contents.parts());
                let result = runner_add_file(r, pointer(&path), first.cast(), n, mode);
                let right = is_inside(&path) && contents.slice().is_some() && mode <= 0o7777;
                (result, ok(right, &mut |m| m.pieces.push(Piece::Plain)))
            }
            Call::ClearRoot => (runner_clear_root(r), ok(true, &mut |m| m.pieces.clear())),
            Call::Limit(which, value) => {
                let setters = [
                    runner_set_wall_limit,
                    runner_set_cpu_limit,
                    runner_set_memory_limit,
                    runner_set_process_limit,
                    runner_set_output_limit,
                ];
                let (which, value) = (usize::from(*which) % setters.len(), value.u64());
                let set = &mut |m: &mut Model| m.watched.limits[which] = value != u64::MAX;
                (setters[which](r, value), ok(true, set))
            }
            Call::Quota(percent) => {
                let percent = percent.u32();
                let set = &mut |m: &mut Model| m.watched.limits[5] = percent != u32::MAX;
                (runner_set_cpu_quota(r, percent), ok(percent != 0, set))
            }
            Call::Input(bytes) => {
                let (first, n) = bytes.parts();
                let set = &mut |m: &mut Model| m.watched.input = !first.is_null();
                (
                    runner_set_stdin_bytes(r, first.cast(), n),
                    ok(bytes.slice().is_some(), set),
                )
            }
            Call::Capture(fd, most, head) => {
                let setter = if *head {
                    runner_capture_head
                } else {
                    runner_capture
                };
                let right = (0..1 << 20).contains(&fd.i32());
                // A table of so many files would be compiled again and again.
                let fd = if right { fd.i32() % 64 } else { fd.i32() };
                (
                    setter(r, fd, most.u64()),
                    ok(right, &mut |m| m.watched.captures = true),
                )
            }
            Call::CgroupRoot(path) => {
                // Where one exists, the library rearranges the cgroups there.
                let nowhere = |path: CString| [b"/nonexistent/", path.as_bytes()].concat();
                let path = path
                    .owned()
                    .map(|path| CString::new(nowhere(path)).unwrap());
                let result = runner_set_cgroup_root(r, pointer(&path));
                (result, ok(is_path(&path), &mut |m| m.watched.roots = true))
            }
            Call::ClearLimits => (
                runner_clear_limits(r),
                ok(true, &mut |m| m.watched = Watched::default()),
            ),
        }
    }
}
