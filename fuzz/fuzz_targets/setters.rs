//! Any calls of the C interface in any order, on runners that are copied and freed in between: each is accepted or
//! refused as the header says, and what comes of them is a sound program or an error. Nothing is started.

#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use runner::capi::options::{runner_clone, runner_free, runner_new};
use runner::capi::start::runner_explain;
use runner::fuzz::{compile, explain, strategy, Features, Host, Strategy};
use runner::Runner;
use runner_fuzz::calls::Call;
use runner_fuzz::model::Model;
use runner_fuzz::sound::{check, check_text, Source};
use runner_fuzz::values::{open_files, Str};
use std::ptr;

const RUNNERS: usize = 3;
const STEPS: usize = 64;
/// What errno is to stay.
const ERRNO: i32 = 4077;

#[derive(Debug)]
enum Step {
    New(u8),
    Clone(u8, u8),
    Free(u8),
    Set(u8, Call),
    OnNull(Call),
    Explain(u8, u16),
    Compile(u8, Machine),
}

impl<'a> Arbitrary<'a> for Step {
    /// Mostly setters of the first runner.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Step> {
        Ok(match u8::arbitrary(u)? {
            0..=7 => Step::New(u.arbitrary()?),
            8..=23 => Step::Clone(u.arbitrary()?, u.arbitrary()?),
            24..=31 => Step::Free(u.arbitrary()?),
            32..=63 => Step::Set(u.arbitrary()?, u.arbitrary()?),
            64..=71 => Step::OnNull(u.arbitrary()?),
            72..=79 => Step::Explain(u.arbitrary()?, u.arbitrary()?),
            80..=87 => Step::Compile(u.arbitrary()?, u.arbitrary()?),
            _ => Step::Set(0, u.arbitrary()?),
        })
    }
}

/// A runner to begin with, the machine to compile for in the end, and what is done in between.
#[derive(Debug)]
struct Input {
    bare: bool,
    namespaces: u8,
    root: bool,
    machine: Machine,
    steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Input {
    /// As many steps as there are bytes for.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Input> {
        let mut input = Input {
            bare: u.ratio(1, 16)?,
            namespaces: u.arbitrary()?,
            root: u.arbitrary()?,
            machine: u.arbitrary()?,
            steps: Vec::new(),
        };
        while !u.is_empty() && input.steps.len() < STEPS {
            let Ok(step) = u.arbitrary() else { break };
            input.steps.push(step);
        }
        Ok(input)
    }
}

impl Input {
    /// Without these few a runner is refused for what it lacks, whatever else it holds.
    fn first(&self) -> Vec<Call> {
        if self.bare {
            return vec![];
        }
        let path = |path: &[u8]| Str::Bytes(path.to_vec());
        let mut calls = vec![
            Call::Args(Some(vec![path(b"/bin/true")])),
            Call::Namespaces(self.namespaces),
        ];
        if self.root {
            calls.push(Call::Namespaces(0xff));
            calls.push(Call::PivotRoot(path(b"/mnt")));
        }
        calls
    }
}

/// Another kernel than this one, and a held start.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Machine {
    kernel: (u8, u8),
    clone3: bool,
    mount_api: bool,
    last_cap: u8,
    held: bool,
    pipe: u8,
}

/// A runner and what it should hold.
struct Held {
    runner: *mut Runner,
    model: Model,
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: it came from runner_new or runner_clone, and this is its only owner.
        keeping_errno(|| unsafe { runner_free(self.runner) });
    }
}

/// The library leaves errno alone.
fn keeping_errno<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: this thread's errno.
    let errno = unsafe { &mut *libc::__errno_location() };
    *errno = ERRNO;
    let result = call();
    assert_eq!(*errno, ERRNO, "errno is not kept");
    result
}

fn make(runner: *mut Runner, call: &Call, model: &mut Model) {
    let mut right = false;
    // SAFETY: NULL or a live runner.
    let result = keeping_errno(|| {
        let (result, ok) = unsafe { call.make(runner, model) };
        right = ok && !runner.is_null();
        result
    });
    let expected = if right { 0 } else { -libc::EINVAL };
    assert_eq!(result, expected, "{call:?}");
}

/// By the rules of snprintf(3), into a buffer that is no byte longer than it says.
fn explained(held: &Held, room: usize) -> (i32, Vec<u8>) {
    let mut buf = vec![0xaau8; room];
    // SAFETY: a live runner, and a buffer of this length.
    let print = || unsafe { runner_explain(held.runner, buf.as_mut_ptr().cast(), room) };
    (keeping_errno(print), buf)
}

fn check_explain(held: &Held, room: usize) {
    let (length, none) = explained(held, 0);
    assert!(none.is_empty());
    if held.model.contradicts() {
        // Of two reasons either is right: a watched run looks for its cgroups first.
        let right = length == -libc::EINVAL || held.model.is_watched() && length < 0;
        assert!(
            right,
            "{length} for options with which no start is possible"
        );
        return;
    }
    if length < 0 {
        assert!((-133..0).contains(&length), "{length} is no errno");
        return;
    }
    assert!(
        !held.model.has_bad_piece(),
        "a piece that should be refused"
    );
    let (again, whole) = explained(held, length as usize + 1);
    if held.model.is_watched() {
        // A watched run is told by a number of its own, and has pipes. Its text is as long, give or take some digits.
        let (_, whole) = explained(held, length as usize + 64);
        let text = whole.split(|b| *b == 0).next().unwrap();
        check_text(std::str::from_utf8(text).expect("UTF-8"), None);
        return;
    }
    assert_eq!(again, length, "it depends on the room");
    let text = whole.strip_suffix(&[0]).expect("a NUL at the end");
    check_text(std::str::from_utf8(text).expect("UTF-8"), None);
    let (again, cut) = explained(held, room);
    assert_eq!(again, length, "it depends on the room");
    if let Some(last) = room.checked_sub(1) {
        let kept = last.min(text.len());
        assert!(
            cut[..kept] == text[..kept] && cut[kept] == 0,
            "cut otherwise than by snprintf(3)"
        );
        assert!(cut[kept + 1..].iter().all(|b| *b == 0xaa), "written beyond");
    }
}

fn check_compile(held: &Held, machine: Machine) {
    let mut host = Host::current();
    host.features = Features {
        kernel: (
            u32::from(machine.kernel.0) % 4 + 3,
            u32::from(machine.kernel.1) % 20,
        ),
        clone3: machine.clone3,
        mount_api: machine.mount_api,
        last_cap: u32::from(machine.last_cap) % 64,
        ..host.features
    };
    // SAFETY: live, and not changed meanwhile.
    let runner = unsafe { &*held.runner };
    let copies = strategy(runner, &host, machine.held) == Strategy::Copy;
    let go_pipe = copies.then_some(i32::from(machine.pipe));
    let compiled = compile(runner, &host, machine.held, go_pipe);
    assert!(
        compiled.is_err() || !held.model.contradicts(),
        "a contradiction is compiled"
    );
    let Ok(program) = compiled else { return };
    let source = Source {
        model: &held.model,
        host: &host,
        held: machine.held,
        go_pipe,
    };
    check(&program, &source);
    check_text(&explain(&program), Some(program.ops.len()));
}

fn step(step: &Step, runners: &mut [Option<Held>; RUNNERS]) {
    let at = |raw: &u8| usize::from(*raw) % RUNNERS;
    match step {
        Step::New(to) => {
            let (runner, model) = (keeping_errno(|| runner_new()), Model::default());
            assert!(!runner.is_null());
            runners[at(to)] = Some(Held { runner, model });
        }
        Step::Clone(from, to) => {
            let from = runners[at(from)].as_ref();
            let original = from.map_or(ptr::null_mut(), |held| held.runner);
            // SAFETY: NULL or a live runner.
            let runner = keeping_errno(|| unsafe { runner_clone(original) });
            assert_eq!(runner.is_null(), original.is_null());
            let copy = from.map(|held| Held {
                runner,
                model: held.model.clone(),
            });
            runners[at(to)] = copy;
        }
        Step::Free(which) => runners[at(which)] = None,
        Step::Set(which, call) => {
            if let Some(held) = &mut runners[at(which)] {
                make(held.runner, call, &mut held.model);
            }
        }
        Step::OnNull(call) => make(ptr::null_mut(), call, &mut Model::default()),
        Step::Explain(which, room) => {
            if let Some(held) = &runners[at(which)] {
                check_explain(held, usize::from(*room));
            }
        }
        Step::Compile(which, machine) => {
            if let Some(held) = &runners[at(which)] {
                check_compile(held, *machine);
            }
        }
    }
}

fuzz_target!(|input: Input| {
    open_files();
    let mut runners = [const { None }; RUNNERS];
    step(&Step::New(0), &mut runners);
    for call in input.first() {
        step(&Step::Set(0, call), &mut runners);
    }
    for one in &input.steps {
        step(one, &mut runners);
    }
    for held in runners.iter().flatten() {
        check_explain(held, 100);
        check_compile(held, input.machine);
    }
});
