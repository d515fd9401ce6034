//! Error texts: a runner_error_t printed by runner_error_format(), names cut by `brief`, and a message on its way
//! from the core into the 240 bytes of the struct.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use runner::capi::error::{runner_error_format, runner_error_t, runner_stage_name};
use runner::capi::start::{runner_start, runner_start_pidfd};
use runner::fuzz::brief;
use runner::Runner;
use std::ffi::{c_char, CStr, CString};

/// The message's room.
const ROOM: usize = 240;
/// The first published layout.
const SIZE: usize = size_of::<runner_error_t>();

#[derive(Arbitrary, Debug)]
enum Input {
    Format(Fields),
    Brief(Vec<u8>),
    Start(Vec<u8>, Declared),
}

/// A runner_error_t that no library filled.
#[derive(Arbitrary, Debug)]
struct Fields {
    stage: u32,
    index: i32,
    err: i32,
    message: Vec<u8>,
    /// All 240 bytes without a NUL.
    endless: bool,
    room: u16,
}

/// What the caller says of the size of its struct.
#[derive(Arbitrary, Debug)]
enum Declared {
    Zero,
    Small(u8),
    Beyond(u16),
}

/// By the rules of snprintf(3), into a buffer that is no byte longer than it says.
fn printed(error: &runner_error_t, room: usize) -> (usize, Vec<u8>) {
    let mut buf = vec![0xaau8; room];
    // SAFETY: a whole struct, and a buffer of this length.
    let n = unsafe { runner_error_format(error, buf.as_mut_ptr().cast(), room) };
    (usize::try_from(n).expect("a length"), buf)
}

fn check_format(fields: &Fields) {
    let fill = if fields.endless { b'x' } else { 0 };
    let mut message = [fill; ROOM];
    for (to, from) in message.iter_mut().zip(&fields.message) {
        *to = *from;
    }
    let error = runner_error_t {
        size: SIZE as u32,
        stage: fields.stage,
        index: fields.index,
        err: fields.err,
        message: message.map(|byte| byte as c_char),
    };
    let (length, whole) = printed(&error, 4096);
    assert!(length < whole.len(), "a line of {length} bytes");
    let whole = &whole[..length + 1];
    assert_eq!(whole.iter().position(|b| *b == 0), Some(length), "the NUL");
    let line = std::str::from_utf8(&whole[..length]).expect("UTF-8");
    assert_eq!(line, expected(&error, &message));

    let room = usize::from(fields.room) % 600;
    let (again, cut) = printed(&error, room);
    assert_eq!(again, length, "the length depends on the room");
    if room > 0 {
        let kept = length.min(room - 1);
        assert_eq!(cut[..kept], whole[..kept]);
        assert_eq!(cut[kept], 0, "no NUL");
        assert!(cut[kept + 1..].iter().all(|b| *b == 0xaa), "written beyond");
    }
}

/// The line that the header promises.
fn expected(error: &runner_error_t, message: &[u8; ROOM]) -> String {
    if error.err == 0 {
        return "success".into();
    }
    // SAFETY: a static string, as the header says.
    let name = unsafe { CStr::from_ptr(runner_stage_name(error.stage)) };
    let name = name.to_str().expect("a name in ASCII");
    let index = match error.index {
        -1 => String::new(),
        index => format!("[{index}]"),
    };
    let text = message[..ROOM - 1].split(|b| *b == 0).next().unwrap();
    let text = String::from_utf8_lossy(text);
    format!("{name}{index}: {text} (errno {})", error.err)
}

fn check_brief(bytes: &[u8]) {
    let name = c_string(bytes);
    let (whole, cut) = (format!("{name:?}"), brief(&name));
    if whole.chars().count() <= 80 {
        assert_eq!(cut, whole);
        return;
    }
    assert!(cut.chars().count() <= 80, "longer than it may be");
    let ends_are_kept = cut.match_indices('.').any(|(at, _)| {
        let tail = cut[at..].strip_prefix("...");
        whole.starts_with(&cut[..at]) && tail.is_some_and(|tail| whole.ends_with(tail))
    });
    assert!(ends_are_kept, "{cut} of {whole}");
    assert!(cut.starts_with('"') && cut.ends_with('"'), "quotes");
}

/// Up to the first NUL, as C sees it.
fn c_string(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap()
}

/// Options that are refused before anything is started, with a message that quotes them.
fn refused(bytes: &[u8]) -> Option<Runner> {
    let mut runner = Runner::new();
    runner.set_args(vec![c"/nonexistent".into()]).ok()?;
    let name = c_string(bytes);
    if bytes.len().is_multiple_of(2) {
        let path = [b"/nonexistent/", name.as_bytes()].concat();
        runner.set_cgroup_path(&c_string(&path)).ok()?;
    } else {
        runner.set_unshare_flags(libc::CLONE_NEWNS as u64).ok()?;
        runner.set_pivot_root(c"/nonexistent").ok()?;
        let whole_root = runner.add_mount(Some(&name), c"/", Some(&name), 0, None);
        whole_root.ok()?;
    }
    Some(runner)
}

fn check_start(bytes: &[u8], declared: &Declared) {
    let Some(runner) = refused(bytes) else {
        return;
    };
    let error = runner
        .explain()
        .expect_err("options that cannot be started");
    let (size, room) = match declared {
        Declared::Zero => (0, SIZE),
        Declared::Small(size) => (usize::from(*size).clamp(1, SIZE - 1), SIZE),
        Declared::Beyond(more) => (SIZE + usize::from(*more), SIZE + usize::from(*more)),
    };
    let mut place = vec![0xaaaa_aaaa_u32; room.div_ceil(4)];
    place[0] = size as u32;
    let (before, to) = (place.clone(), place.as_mut_ptr().cast::<runner_error_t>());
    // SAFETY: a live runner, and a place as large as it says.
    let result = unsafe {
        match bytes.len() % 4 {
            0 | 1 => runner_start(&runner, to),
            _ => {
                let (mut pid, mut pidfd) = (-7, -7);
                let result = runner_start_pidfd(&runner, &mut pid, &mut pidfd, to);
                assert_eq!((pid, pidfd), (-7, -7), "written in spite of a failure");
                result
            }
        }
    };
    if size > 0 && size < SIZE {
        assert_eq!(result, -libc::EINVAL);
        assert_eq!(place, before, "a struct that is too small was written");
        return;
    }
    assert_eq!(result, -(error.errno() as i32));
    // SAFETY: the place is as large as the struct, and u32 has its alignment.
    let filled = unsafe { &*place.as_ptr().cast::<runner_error_t>() };
    assert_eq!(filled.size as usize, size, "the size is the caller's");
    assert_eq!(filled.stage, error.stage() as u32);
    assert_eq!(filled.err, error.errno() as i32);
    assert_eq!(filled.index, error.index().map_or(-1, |i| i as i32));
    check_message(&filled.message.map(|c| c as u8), error.message());
    let beyond: Vec<u8> = place.iter().flat_map(|w| w.to_ne_bytes()).collect();
    assert!(
        beyond[SIZE..size.max(SIZE)].iter().all(|b| *b == 0),
        "not zeroed"
    );
}

/// As much of the text as there is room for, whole characters only, and nothing behind it.
fn check_message(message: &[u8; ROOM], text: &str) {
    let end = message.iter().position(|b| *b == 0).expect("a NUL");
    assert!(message[end..].iter().all(|b| *b == 0), "behind the NUL");
    let kept = std::str::from_utf8(&message[..end]).expect("UTF-8");
    let text = text.split('\0').next().unwrap();
    assert!(text.starts_with(kept), "{kept:?} of {text:?}");
    if let Some(next) = text[kept.len()..].chars().next() {
        assert!(
            end + next.len_utf8() > ROOM - 1,
            "cut at {end} with room left"
        );
    }
}

fuzz_target!(|input: Input| match input {
    Input::Format(fields) => check_format(&fields),
    Input::Brief(bytes) => check_brief(&bytes),
    Input::Start(bytes, declared) => check_start(&bytes, &declared),
});
