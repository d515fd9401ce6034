//! The fd plan against a model: its steps, done on a table of fds, make it the one that was asked for.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use runner::fuzz::{plan, Internal, Step};

/// The host's table: every fd below this is open, on a file of its own number.
const OPEN: i32 = 2048;
/// With the fds of `Wanted::fd` fewer than half of it, so that there is room for the plan's spare ones.
const FILES: usize = 500;

#[derive(Arbitrary, Debug)]
struct Wanted {
    /// Small numbers get into each other's way more often.
    spread: u8,
    files: Vec<i16>,
    internals: [Option<(i16, bool)>; 3],
}

impl Wanted {
    fn fd(&self, raw: i16) -> i32 {
        i32::from(raw).rem_euclid(i32::from(self.spread) * 2 + 1)
    }

    fn files(&self) -> Vec<i32> {
        let one = |raw: &i16| if *raw % 8 == -1 { -1 } else { self.fd(*raw) };
        self.files.iter().take(FILES).map(one).collect()
    }

    fn internals(&self) -> Vec<Internal> {
        let one = |(raw, keep): &(i16, bool)| Internal {
            fd: self.fd(*raw),
            keep: *keep,
        };
        self.internals.iter().flatten().map(one).collect()
    }
}

/// An open fd: which of the host's files it is, and whether it survives an exec.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    file: i32,
    kept: bool,
}

/// dup3(2), fcntl(2) and close(2), on a table of fds.
fn take(step: &Step, table: &mut [Option<Entry>], files: &[i32]) {
    match *step {
        Step::Move {
            from,
            to,
            keep,
            wanted,
        } => {
            assert_ne!(from, to, "dup3 refuses equal fds");
            let file = table[from as usize].expect("a move from a closed fd").file;
            check_wanted(wanted, file, files);
            table[to as usize] = Some(Entry { file, kept: keep });
        }
        Step::Stay { fd, keep, wanted } => {
            let entry = table[fd as usize].as_mut().expect("a flag of a closed fd");
            check_wanted(wanted, entry.file, files);
            entry.kept = keep;
        }
        Step::Close { fd } => table[fd as usize] = None,
    }
}

/// An error of a step names the program's fd that it is for.
fn check_wanted(wanted: Option<u32>, file: i32, files: &[i32]) {
    if let Some(index) = wanted {
        assert_eq!(
            files[index as usize], file,
            "a step for another fd than it names"
        );
    }
}

fuzz_target!(|wanted: Wanted| {
    let (files, internals) = (wanted.files(), wanted.internals());
    let plan = plan(&files, &internals);
    let end = files.len() + internals.len();
    assert_eq!(plan.end as usize, end);
    assert!(
        plan.steps.len() <= end + end / 2,
        "more than one call an fd, and one a ring"
    );

    let open = |file| Some(Entry { file, kept: true });
    let mut table: Vec<Option<Entry>> = (0..OPEN).map(open).collect();
    for step in &plan.steps {
        take(step, &mut table, &files);
    }
    for (i, from) in files.iter().enumerate() {
        let entry = if *from >= 0 { open(*from) } else { None };
        assert_eq!(table[i], entry, "fd {i}");
    }
    for (i, internal) in internals.iter().enumerate() {
        let (file, kept) = (internal.fd, internal.keep);
        let at = files.len() + i;
        assert_eq!(table[at], Some(Entry { file, kept }), "internal {i}");
    }
});
