//! The program as text, one op a line, in the manner of strace(1).

use crate::program::{
    Act, Arg, Birth, Call, ExecWhat, Image, Op, Program, Setgroups, Strategy, Turn,
};
use crate::sys::nr;
use std::fmt::Write;

/// Names for the bits of a flags argument. A bit without a name is printed in hexadecimal.
pub type Names = &'static [(u64, &'static str)];

pub const CLONE: Names = &[
    (0x100, "CLONE_VM"),
    (0x4000, "CLONE_VFORK"),
    (0x80, "CLONE_NEWTIME"),
    (0x2_0000, "CLONE_NEWNS"),
    (0x200_0000, "CLONE_NEWCGROUP"),
    (0x400_0000, "CLONE_NEWUTS"),
    (0x800_0000, "CLONE_NEWIPC"),
    (0x1000_0000, "CLONE_NEWUSER"),
    (0x2000_0000, "CLONE_NEWPID"),
    (0x4000_0000, "CLONE_NEWNET"),
    (0x1_0000_0000, "CLONE_CLEAR_SIGHAND"),
    (0x2_0000_0000, "CLONE_INTO_CGROUP"),
];
pub const OPEN: Names = &[
    (libc::O_WRONLY as u64, "O_WRONLY"),
    (libc::O_RDWR as u64, "O_RDWR"),
    (libc::O_CREAT as u64, "O_CREAT"),
    (libc::O_EXCL as u64, "O_EXCL"),
    (libc::O_NONBLOCK as u64, "O_NONBLOCK"),
    (libc::O_DIRECTORY as u64, "O_DIRECTORY"),
    (libc::O_NOFOLLOW as u64, "O_NOFOLLOW"),
    (libc::O_CLOEXEC as u64, "O_CLOEXEC"),
    (libc::O_PATH as u64, "O_PATH"),
];
pub const MOUNT: Names = &[
    (1, "MS_RDONLY"),
    (2, "MS_NOSUID"),
    (4, "MS_NODEV"),
    (8, "MS_NOEXEC"),
    (16, "MS_SYNCHRONOUS"),
    (32, "MS_REMOUNT"),
    (64, "MS_MANDLOCK"),
    (128, "MS_DIRSYNC"),
    (256, "MS_NOSYMFOLLOW"),
    (1024, "MS_NOATIME"),
    (2048, "MS_NODIRATIME"),
    (4096, "MS_BIND"),
    (8192, "MS_MOVE"),
    (1 << 14, "MS_REC"),
    (1 << 15, "MS_SILENT"),
    (1 << 16, "MS_POSIXACL"),
    (1 << 17, "MS_UNBINDABLE"),
    (1 << 18, "MS_PRIVATE"),
    (1 << 19, "MS_SLAVE"),
    (1 << 20, "MS_SHARED"),
    (1 << 21, "MS_RELATIME"),
    (1 << 23, "MS_I_VERSION"),
    (1 << 24, "MS_STRICTATIME"),
    (1 << 25, "MS_LAZYTIME"),
];
pub const UMOUNT: Names = &[(2, "MNT_DETACH")];
pub const OPEN_TREE: Names = &[
    (1, "OPEN_TREE_CLONE"),
    (libc::O_CLOEXEC as u64, "OPEN_TREE_CLOEXEC"),
    (0x1000, "AT_EMPTY_PATH"),
    (0x8000, "AT_RECURSIVE"),
];
pub const MOVE_MOUNT: Names = &[
    (0x4, "MOVE_MOUNT_F_EMPTY_PATH"),
    (0x40, "MOVE_MOUNT_T_EMPTY_PATH"),
];
pub const SOCKET: Names = &[
    (libc::SOCK_DGRAM as u64, "SOCK_DGRAM"),
    (libc::SOCK_CLOEXEC as u64, "SOCK_CLOEXEC"),
];
const MOUNT_ATTR: Names = &[
    (0x1, "MOUNT_ATTR_RDONLY"),
    (0x2, "MOUNT_ATTR_NOSUID"),
    (0x4, "MOUNT_ATTR_NODEV"),
    (0x8, "MOUNT_ATTR_NOEXEC"),
    (0x10, "MOUNT_ATTR_NOATIME"),
    (0x80, "MOUNT_ATTR_NODIRATIME"),
    (0x20_0000, "MOUNT_ATTR_NOSYMFOLLOW"),
];

/// The names of the slots, as they stand for an fd in the text.
const SLOTS: [&str; 6] = ["$root", "$target", "$tree", "$fd", "$umask", "$covered"];

/// The whole program.
pub fn explain(program: &Program) -> String {
    let mut text = String::new();
    let strategy = match program.strategy {
        Strategy::Vfork => "vfork on the calling thread",
        Strategy::Helper => "vfork on a helper thread, the calling thread takes the parent's turns",
        Strategy::Copy => {
            "a copy of the memory, because the calling thread is bound and has turns to take"
        }
    };
    // Writing to a String does not fail.
    let _ = writeln!(text, "strategy: {strategy}");
    let _ = writeln!(text, "{}", clone_line(program));
    for (number, op) in program.ops.iter().enumerate() {
        let _ = writeln!(text, "{number:3} {:14} {}", site(op), act(&op.act, program));
    }
    text
}

fn clone_line(program: &Program) -> String {
    let mut flags = program.namespaces;
    if program.strategy != Strategy::Copy {
        flags |= (libc::CLONE_VM | libc::CLONE_VFORK) as u64;
    }
    let born = match &program.birth {
        None => String::new(),
        Some(Birth::Fd(fd)) => format!(", born in cgroup fd {fd}"),
        Some(Birth::Path(path)) => format!(", born in cgroup {path:?}"),
    };
    if program.birth.is_some() {
        flags |= 0x2_0000_0000;
    }
    format!("clone({}){born}", bits(flags, CLONE))
}

fn site(op: &Op) -> String {
    match op.site.index {
        Some(index) => format!("{}[{index}]", op.site.stage),
        None => op.site.stage.to_string(),
    }
}

fn act(act: &Act, program: &Program) -> String {
    match act {
        Act::Call(call) => call_line(call),
        Act::ResetSignals => "rt_sigaction(each signal the host ignores, SIG_DFL)".into(),
        Act::DropPending => "rt_sigpending(), and what it shows is dropped".into(),
        Act::CloseFrom(first) => format!("close_range({first}, ~0, 0)"),
        Act::WriteAll(slot, bytes) => {
            format!("write({}, {})", SLOTS[slot.0 as usize], quoted(bytes))
        }
        Act::Remount { path, add } => {
            format!(
                "mount(NULL, {path:?}, NULL, MS_REMOUNT|MS_BIND|{}|its own, NULL)",
                bits(*add, MOUNT)
            )
        }
        Act::CheckCwd => "getcwd() begins with \"/\"".into(),
        Act::CheckProgram(image) => {
            let what = match image {
                Image::Path(path) => quoted(path.to_bytes()),
                Image::Fd(fd) => format!("fd {fd}"),
            };
            format!("check({what}): it and a script's interpreters, openat2(RESOLVE_NO_MAGICLINKS)")
        }
        Act::Wait(turn) => wait_line(*turn, program),
        Act::Stamp => "clock_gettime(CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID)".into(),
        Act::Filter(filter) => format!(
            "seccomp(SECCOMP_SET_MODE_FILTER, 0, {{len={}}})",
            filter.len()
        ),
        Act::Exec(exec) => {
            let list = |strings: &[std::ffi::CString]| {
                let quoted: Vec<String> = strings.iter().map(|s| format!("{s:?}")).collect();
                format!("[{}]", quoted.join(", "))
            };
            let args = list(exec.args.strings());
            let env = list(exec.env.strings());
            match exec.what {
                ExecWhat::Path => {
                    let path = exec.args.strings().first();
                    format!(
                        "execve({:?}, {args}, {env})",
                        path.cloned().unwrap_or_default()
                    )
                }
                ExecWhat::Fd(fd) => format!("execveat({fd}, \"\", {args}, {env}, AT_EMPTY_PATH)"),
            }
        }
    }
}

fn wait_line(turn: Turn, program: &Program) -> String {
    match (turn, &program.maps) {
        (Turn::MapIds, Some(maps)) => format!(
            "wait: the parent writes setgroups {}, uid_map {:?}, gid_map {:?}",
            if maps.setgroups == Setgroups::Deny {
                "deny"
            } else {
                "allow"
            },
            maps.uid_map.trim_end(),
            maps.gid_map.trim_end(),
        ),
        (Turn::MapIds, None) => "wait: the parent writes the id maps".into(),
        (Turn::Callback, _) => "wait: the parent calls the callback".into(),
        (Turn::Hold, _) => "wait: held until it is resumed".into(),
        (Turn::Stop, _) => "wait: the parent stops this process with SIGSTOP and returns".into(),
    }
}

fn call_line(call: &Call) -> String {
    let args: Vec<String> = call
        .args
        .iter()
        .filter(|a| !matches!(a, Arg::Absent))
        .map(|a| arg(a, call))
        .collect();
    let mut line = format!("{}({})", call.sysno.name, args.join(", "));
    if let Some(slot) = call.into {
        let _ = write!(line, " = {}", SLOTS[slot.0 as usize]);
    }
    if !call.tolerate.is_empty() {
        let _ = write!(line, " or {:?}", call.tolerate);
    }
    line
}

fn arg(arg: &Arg, call: &Call) -> String {
    match arg {
        Arg::Absent => String::new(),
        Arg::Int(value) => value.to_string(),
        Arg::Octal(value) => format!("0{value:o}"),
        Arg::Signal(signal) => signal.to_string(),
        Arg::AtFdCwd => "AT_FDCWD".into(),
        Arg::Null => "NULL".into(),
        Arg::Name(name, _) => (*name).into(),
        Arg::Flags(0, _) if call.sysno == nr::OPENAT => "O_RDONLY".into(),
        Arg::Flags(value, names) => bits(*value, names),
        Arg::Slot(slot) => SLOTS[slot.0 as usize].into(),
        Arg::Text(text) => quoted(text.to_bytes()),
        Arg::Rlimit(limit) => format!(
            "{{rlim_cur={}, rlim_max={}}}",
            limit_value(limit.rlim_cur),
            limit_value(limit.rlim_max)
        ),
        Arg::OpenHow(how) => format!(
            "{{flags={}, resolve=RESOLVE_IN_ROOT}}",
            bits(how.flags, OPEN)
        ),
        Arg::MountAttr(attr) => format!("{{attr_set={}}}", bits(attr.set, MOUNT_ATTR)),
        Arg::CapHeader(_) => "{version=3, pid=0}".into(),
        Arg::CapData(data) => {
            let whole = |pick: fn(&crate::program::CapData) -> u32| {
                u64::from(pick(&data[1])) << 32 | u64::from(pick(&data[0]))
            };
            format!(
                "{{effective={:#x}, permitted={:#x}, inheritable={:#x}}}",
                whole(|d| d.effective),
                whole(|d| d.permitted),
                whole(|d| d.inheritable)
            )
        }
        Arg::Groups(groups) => format!("{groups:?}"),
        Arg::SigSet(0) => "[]".into(),
        Arg::SigSet(set) => format!("[{set:#x}]"),
        Arg::CpuMask(mask) => {
            let digits: String = mask
                .iter()
                .rev()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("0x{}", digits.trim_start_matches('0'))
        }
        Arg::SchedParam(priority) => format!("{{{priority}}}"),
        Arg::Ifreq(_) => "{ifr_name=\"lo\", ifr_flags=IFF_UP|IFF_RUNNING}".into(),
    }
}

fn limit_value(value: u64) -> String {
    match value {
        u64::MAX => "RLIM64_INFINITY".into(),
        value => value.to_string(),
    }
}

fn bits(value: u64, names: Names) -> String {
    let mut rest = value;
    let mut parts = Vec::new();
    for (bit, name) in names {
        if rest & bit == *bit {
            parts.push((*name).to_string());
            rest &= !bit;
        }
    }
    if rest != 0 || parts.is_empty() {
        parts.push(if rest == 0 {
            "0".into()
        } else {
            format!("{rest:#x}")
        });
    }
    parts.join("|")
}

/// A string or small file, cut where it is long.
fn quoted(bytes: &[u8]) -> String {
    const MOST: usize = 256;
    match bytes.len() {
        0..=MOST => format!("\"{}\"", bytes.escape_ascii()),
        n => format!("\"{}\"... ({n} bytes)", bytes[..MOST].escape_ascii()),
    }
}
