//! Resource limits, and the other attributes of a process that an exec keeps.

use super::Emit;
use crate::program::{Arg, Call, UMASK};
use crate::stage::Stage;
use crate::sys::nr;

pub fn apply(emit: &mut Emit) {
    let runner = emit.runner;
    match runner.umask {
        Some(mask) => {
            let call = Call::new(nr::UMASK).arg(Arg::Octal(mask));
            emit.call(Stage::Umask, None, call);
        }
        // The root was built without one.
        None if !runner.pieces.is_empty() || runner.pivot_root.is_some() => {
            emit.call(Stage::Umask, None, Call::new(nr::UMASK).slot(UMASK));
        }
        None => {}
    }
    if let Some(nice) = runner.nice {
        let call = Call::new(nr::SETPRIORITY)
            .name("PRIO_PROCESS", 0u32)
            .int(0)
            .int(nice);
        emit.call(Stage::Nice, None, call);
    }
    if let Some((policy, priority)) = runner.scheduler {
        let call = Call::new(nr::SCHED_SETSCHEDULER)
            .int(0)
            .int(policy)
            .arg(Arg::SchedParam(Box::new(priority)));
        emit.call(Stage::Scheduler, None, call);
    }
    if let Some(mask) = &runner.cpu_affinity {
        let call = Call::new(nr::SCHED_SETAFFINITY)
            .int(0)
            .int(mask.len() as i64)
            .arg(Arg::CpuMask(mask.clone()));
        emit.call(Stage::Affinity, None, call);
    }
    if let Some(persona) = runner.personality {
        let call = Call::new(nr::PERSONALITY).int(persona as i64);
        emit.call(Stage::Personality, None, call);
    }
    for (index, limit) in runner.rlimits.iter().enumerate() {
        let later = &runner.rlimits[index + 1..];
        if later.iter().any(|l| l.resource == limit.resource) {
            continue;
        }
        let value = libc::rlimit64 {
            rlim_cur: limit.soft,
            rlim_max: limit.hard,
        };
        let call = Call::new(nr::PRLIMIT64)
            .int(0)
            .arg(Arg::Name(
                rlimit_name(limit.resource),
                limit.resource as usize,
            ))
            .arg(Arg::Rlimit(Box::new(value)))
            .arg(Arg::Null);
        emit.call(Stage::Rlimit, Some(index), call);
    }
}

/// In the order of their numbers, which are the same on x86-64 and AArch64.
fn rlimit_name(resource: u32) -> &'static str {
    const NAMES: [&str; 16] = [
        "RLIMIT_CPU",
        "RLIMIT_FSIZE",
        "RLIMIT_DATA",
        "RLIMIT_STACK",
        "RLIMIT_CORE",
        "RLIMIT_RSS",
        "RLIMIT_NPROC",
        "RLIMIT_NOFILE",
        "RLIMIT_MEMLOCK",
        "RLIMIT_AS",
        "RLIMIT_LOCKS",
        "RLIMIT_SIGPENDING",
        "RLIMIT_MSGQUEUE",
        "RLIMIT_NICE",
        "RLIMIT_RTPRIO",
        "RLIMIT_RTTIME",
    ];
    NAMES.get(resource as usize).copied().unwrap_or("RLIMIT_?")
}
