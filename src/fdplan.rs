//! From the fd table that is wanted to the steps that make it. Pure; tested against a model.
//!
//! All the moves are to happen at once, but dup3(2) does one after the other: a move may only overwrite an fd that no
//! other move still has to read. Moves that wait for each other in a ring are opened by one copy to a spare fd.

use std::collections::{HashMap, HashSet};
use std::os::fd::RawFd;

/// One step of the child, on its own copy of the fd table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// dup3(2).
    Move {
        from: RawFd,
        to: RawFd,
        keep: bool,
        wanted: Option<u32>,
    },
    /// It is in place already: only its close-on-exec flag is set right.
    Stay {
        fd: RawFd,
        keep: bool,
        wanted: Option<u32>,
    },
    /// A hole in the wanted table.
    Close { fd: RawFd },
}

/// The library's own fds: they go right behind the program's.
#[derive(Clone, Copy, Debug)]
pub struct Internal {
    pub fd: RawFd,
    /// Whether it survives the exec.
    pub keep: bool,
}

/// The steps, and the first fd above everything that is in use.
#[derive(Debug)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub end: u32,
}

#[derive(Clone, Copy)]
struct Job {
    from: RawFd,
    to: RawFd,
    keep: bool,
    wanted: Option<u32>,
}

/// Plans the table: fd i is `files[i]` (closed where negative), then come the internals, in their order.
pub fn plan(files: &[RawFd], internals: &[Internal]) -> Plan {
    let end = files.len() + internals.len();
    let jobs = files
        .iter()
        .enumerate()
        .filter(|(_, from)| **from >= 0)
        .map(|(i, from)| Job {
            from: *from,
            to: i as RawFd,
            keep: true,
            wanted: Some(i as u32),
        })
        .chain(internals.iter().enumerate().map(|(i, internal)| Job {
            from: internal.fd,
            to: (files.len() + i) as RawFd,
            keep: internal.keep,
            wanted: None,
        }));

    let mut steps = Vec::with_capacity(end + 1);
    let mut moves = Vec::with_capacity(end);
    for job in jobs {
        if job.from == job.to {
            steps.push(Step::Stay {
                fd: job.to,
                keep: job.keep,
                wanted: job.wanted,
            });
        } else {
            moves.push(job);
        }
    }
    order(moves, end as RawFd, &mut steps);
    let holes = files.iter().enumerate().filter(|(_, from)| **from < 0);
    steps.extend(holes.map(|(i, _)| Step::Close { fd: i as RawFd }));
    Plan {
        steps,
        end: end as u32,
    }
}

/// Puts the moves into an order in which none overwrites what another still reads.
fn order(mut moves: Vec<Job>, end: RawFd, steps: &mut Vec<Step>) {
    let emit = |job: &Job, steps: &mut Vec<Step>| {
        steps.push(Step::Move {
            from: job.from,
            to: job.to,
            keep: job.keep,
            wanted: job.wanted,
        })
    };
    // The usual case: nothing that is read lies where something is written.
    if moves.iter().all(|job| job.from >= end) {
        moves.iter().for_each(|job| emit(job, steps));
        return;
    }

    let mut readers: HashMap<RawFd, usize> = HashMap::new();
    for job in &moves {
        *readers.entry(job.from).or_default() += 1;
    }
    let by_target: HashMap<RawFd, usize> = moves.iter().map(|j| j.to).zip(0..).collect();
    let mut done = vec![false; moves.len()];
    let mut free: Vec<usize> = (0..moves.len())
        .filter(|i| !readers.contains_key(&moves[*i].to))
        .collect();
    let mut rest = 0..moves.len();
    loop {
        while let Some(i) = free.pop() {
            let job = moves[i];
            emit(&job, steps);
            done[i] = true;
            let left = readers.entry(job.from).or_insert(1);
            *left -= 1;
            // The last reader is gone: what was to be written there can be.
            if *left == 0 {
                free.extend(by_target.get(&job.from).filter(|waiting| !done[**waiting]));
            }
        }
        // What is left is rings. Each fd in one has exactly one reader left.
        let Some(i) = rest.find(|i| !done[*i]) else {
            return;
        };
        let target = moves[i].to;
        let spare = spare(&moves, end);
        let reader = (0..moves.len()).find(|r| !done[*r] && moves[*r].from == target);
        let wanted = reader.and_then(|r| moves[r].wanted);
        steps.push(Step::Move {
            from: target,
            to: spare,
            keep: false,
            wanted,
        });
        if let Some(reader) = reader {
            moves[reader].from = spare;
            readers.insert(spare, 1);
        }
        readers.remove(&target);
        free.push(i);
    }
}

/// The lowest fd above the table that no move reads.
fn spare(moves: &[Job], end: RawFd) -> RawFd {
    let used: HashSet<RawFd> = moves.iter().map(|job| job.from).collect();
    (end..).find(|fd| !used.contains(fd)).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the steps do to a table in which every fd below 64 is open on a file of its own number.
    fn run(plan: &Plan) -> HashMap<RawFd, (RawFd, bool)> {
        let mut table: HashMap<RawFd, (RawFd, bool)> = (0..64).map(|fd| (fd, (fd, true))).collect();
        for step in &plan.steps {
            match *step {
                Step::Move { from, to, keep, .. } => {
                    assert_ne!(from, to, "dup3 refuses equal fds");
                    let file = table[&from].0;
                    table.insert(to, (file, keep));
                }
                Step::Stay { fd, keep, .. } => table.get_mut(&fd).unwrap().1 = keep,
                Step::Close { fd } => {
                    table.remove(&fd);
                }
            }
        }
        table.retain(|fd, _| (*fd as u32) < plan.end);
        table
    }

    fn check(files: &[RawFd], internals: &[Internal]) {
        let table = run(&plan(files, internals));
        for (i, from) in files.iter().enumerate() {
            let want = (*from >= 0).then_some((*from, true));
            assert_eq!(
                table.get(&(i as RawFd)).copied(),
                want,
                "fd {i} of {files:?}"
            );
        }
        for (i, internal) in internals.iter().enumerate() {
            let at = (files.len() + i) as RawFd;
            assert_eq!(table[&at], (internal.fd, internal.keep), "internal {i}");
        }
    }

    #[test]
    fn swaps_and_rings_would_lose_a_file() {
        check(&[1, 0], &[]);
        check(&[1, 2, 0], &[]);
        check(&[1, 0, 3, 2], &[]);
        check(&[1, 2, 0, 0, 1], &[]);
    }

    #[test]
    fn the_librarys_own_fds_in_the_way_would_be_overwritten() {
        let internal = |fd| Internal { fd, keep: false };
        check(&[5, 6, 7], &[internal(0), internal(1)]);
        check(&[3, 4, 3], &[internal(2), internal(3)]);
        check(&[], &[internal(1), internal(0)]);
    }

    #[test]
    fn a_plain_table_takes_one_call_an_fd() {
        assert_eq!(plan(&[9, 10, 11], &[]).steps.len(), 3);
        assert_eq!(plan(&[0, 1, 2], &[]).steps.len(), 3);
    }

    proptest! {
        #[test]
        fn any_table_is_made_as_wanted(
            files in prop::collection::vec(-1..20i32, 0..16),
            internals in prop::collection::vec((0..24i32, any::<bool>()), 0..3),
        ) {
            let internals: Vec<Internal> =
                internals.into_iter().map(|(fd, keep)| Internal { fd, keep }).collect();
            check(&files, &internals);
        }
    }
}
