//! Real starts of /bin/true in namespaces of its own, with harmless options only: each returns, with a process that
//! can be waited for or an error that says why, and leaves nothing behind.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use runner::capi::error::runner_error_t;
use runner::capi::held::{runner_held_abort, runner_held_resume, runner_start_held};
use runner::capi::options::{
    runner_free, runner_new, runner_set_args, runner_set_sync_func, runner_set_unshare_flags,
};
use runner::capi::root::{runner_add_bind, runner_set_pivot_root};
use runner::capi::start::{runner_start, runner_start_pidfd};
use runner::Runner;
use runner_fuzz::calls::{namespaces, Call};
use runner_fuzz::model::Model;
use runner_fuzz::values::open_files;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::time::{Duration, Instant};

/// runner_add_bind: read-only, and with what is mounted beneath.
const RO_REC: u32 = 3;

#[derive(Arbitrary, Debug)]
enum Kind {
    Start,
    Pidfd,
    Resumed,
    Aborted,
}

#[derive(Arbitrary, Debug)]
struct Input {
    kind: Kind,
    /// CLONE_NEW* beside those that are always there.
    namespaces: u8,
    /// A root in which /bin/true works.
    own_root: bool,
    /// What the callback answers.
    callback: Option<u8>,
    calls: Vec<Call>,
}

/// What changes nothing but the program's own state. Writable binds and other mounts would reach the host's files.
fn is_harmless(call: &Call) -> bool {
    match call {
        Call::CgroupFd(_) | Call::CgroupPath(_) | Call::CgroupRoot(_) => false,
        Call::Limit(..) | Call::Quota(_) | Call::Input(_) | Call::Capture(..) => false,
        Call::Ptrace(_) | Call::Stop(_) | Call::SyncFunc(_) => false,
        Call::Mount(..) | Call::PivotRoot(_) | Call::Namespaces(_) | Call::UnshareFlags(_) => false,
        // The machine is shared.
        Call::Scheduler(..) | Call::TooManyFiles | Call::TooManyGroups => false,
        Call::Bind(_, _, flags) => flags.0 & 1 == 1,
        _ => true,
    }
}

unsafe extern "C" fn answer(_: libc::pid_t, ctx: *mut c_void) -> c_int {
    ctx as usize as c_int
}

/// The runner, and whether it was told to.
///
/// # Safety
/// It is to be freed once.
unsafe fn prepared(input: &Input) -> *mut Runner {
    let runner = runner_new();
    let argv = [c"/bin/true".as_ptr(), ptr::null()];
    assert_eq!(runner_set_args(runner, argv.as_ptr()), 0);
    let always = (libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWNS) as u64;
    assert_eq!(
        runner_set_unshare_flags(runner, always | namespaces(input.namespaces)),
        0
    );
    // Always, so that no piece is made in the host's tree.
    assert_eq!(runner_set_pivot_root(runner, c"/tmp".as_ptr()), 0);
    if input.own_root {
        for path in [c"/bin", c"/lib", c"/lib64", c"/usr", c"/dev", c"/proc"] {
            assert_eq!(
                runner_add_bind(runner, path.as_ptr(), path.as_ptr(), RO_REC | 4),
                0
            );
        }
    }
    let mut model = Model::default();
    for call in input.calls.iter().take(16).filter(|call| is_harmless(call)) {
        call.make(runner, &mut model);
    }
    if let Some(refusal) = input.callback {
        let ctx = ptr::without_provenance_mut(usize::from(refusal));
        runner_set_sync_func(runner, Some(answer), ctx);
    }
    runner
}

/// Starts it, and gives the pid of a program that runs, or the negative errno; None for a start that was aborted.
///
/// # Safety
/// A live runner.
unsafe fn started(kind: &Kind, runner: *const Runner, error: &mut runner_error_t) -> Option<c_int> {
    match kind {
        Kind::Start => Some(runner_start(runner, error)),
        Kind::Pidfd => {
            let (mut pid, mut pidfd) = (-1, -1);
            match runner_start_pidfd(runner, &mut pid, &mut pidfd, error) {
                0 => {
                    assert_eq!(libc::close(pidfd), 0, "the pidfd");
                    Some(pid)
                }
                errno => Some(errno),
            }
        }
        Kind::Resumed | Kind::Aborted => {
            let mut held = ptr::null_mut();
            let result = runner_start_held(runner, &mut held, error);
            assert_eq!(held.is_null(), result != 0, "the handle");
            match (result, kind) {
                (0, Kind::Resumed) => Some(runner_held_resume(held, error)),
                (0, _) => {
                    runner_held_abort(held);
                    None
                }
                (errno, _) => Some(errno),
            }
        }
    }
}

/// What a start must leave as it was.
#[derive(Debug, PartialEq)]
struct State {
    fds: Vec<std::ffi::OsString>,
    threads: usize,
    /// The symbolizer of the sanitizer may be one.
    children: Vec<u8>,
    mounts: usize,
    dumpable: c_int,
    umask: libc::mode_t,
    cwd: std::path::PathBuf,
    nice: c_int,
}

fn names(directory: &str) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(directory).expect("/proc");
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

impl State {
    fn now() -> State {
        let mounts = std::fs::read("/proc/self/mountinfo").expect("/proc");
        let threads = names("/proc/self/task");
        let children = |thread: &std::ffi::OsString| {
            let thread = std::path::Path::new("/proc/self/task").join(thread);
            let children = std::fs::read(thread.join("children"));
            // A thread may have ended meanwhile.
            assert!(
                children.is_ok() || !thread.exists(),
                "a kernel without CONFIG_PROC_CHILDREN"
            );
            children.unwrap_or_default()
        };
        // SAFETY: numbers only; the umask is put back at once, and no other thread makes files.
        let (umask, dumpable, nice) = unsafe {
            let umask = libc::umask(0);
            libc::umask(umask);
            let nice = libc::getpriority(libc::PRIO_PROCESS, 0);
            (umask, libc::prctl(libc::PR_GET_DUMPABLE), nice)
        };
        State {
            fds: names("/proc/self/fd"),
            children: threads.iter().flat_map(children).collect(),
            threads: threads.len(),
            mounts: mounts.iter().filter(|b| **b == b'\n').count(),
            dumpable,
            umask,
            cwd: std::env::current_dir().expect("a working directory"),
            nice,
        }
    }
}

/// A thread that has returned is in /proc for a moment more.
fn check_left(before: &State) {
    let begin = Instant::now();
    loop {
        let now = State::now();
        if now == *before {
            return;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(2),
            "{now:?} instead of {before:?}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn check_error(error: &runner_error_t, result: c_int) {
    if result > 0 {
        assert_eq!(
            (error.stage, error.err, error.message[0]),
            (0, 0, 0),
            "an error after success"
        );
        return;
    }
    assert!((-133..0).contains(&result), "{result} is no errno");
    assert_eq!(error.err, -result);
    assert!((1..=44).contains(&error.stage), "stage {}", error.stage);
    assert_ne!(error.message[0], 0, "nothing is said");
}

fuzz_target!(|input: Input| {
    open_files();
    let before = State::now();
    let mut error = runner_error_t {
        size: size_of::<runner_error_t>() as u32,
        stage: 77,
        index: 77,
        err: 77,
        message: [77; 240],
    };
    // SAFETY: the runner lives until it is freed, and the callback's context is a number.
    let result = unsafe {
        let runner = prepared(&input);
        let result = started(&input.kind, runner, &mut error);
        runner_free(runner);
        result
    };
    if let Some(result) = result {
        check_error(&error, result);
    }
    let mut status = 0;
    if let Some(pid) = result.filter(|result| *result > 0) {
        // SAFETY: waits for the program, which ends by itself.
        assert_eq!(
            unsafe { libc::waitpid(pid, &mut status, 0) },
            pid,
            "no such child"
        );
    }
    check_left(&before);
});
