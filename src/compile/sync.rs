//! Where the process waits for its parent, and where control passes to a tracer.

use super::Emit;
use crate::explain::CLONE;
use crate::program::{Act, Call, Turn};
use crate::stage::Stage;
use crate::sys::nr;

/// The callback, then the hold.
pub fn wait(emit: &mut Emit) {
    if emit.runner.sync.is_some() {
        emit.wait(Stage::Sync, Turn::Callback);
    }
    if emit.held {
        emit.wait(Stage::Sync, Turn::Hold);
    }
}

/// The cgroup namespace whose root is where the callback put the process.
pub fn unshare_cgroup(emit: &mut Emit) {
    let call = Call::new(nr::UNSHARE).flags(libc::CLONE_NEWCGROUP as u64, CLONE);
    emit.call(Stage::Unshare, None, call);
}

/// Before the filter, which need not allow it.
pub fn stamp(emit: &mut Emit) {
    if emit.runner.stamped {
        emit.act(Stage::Watch, None, Act::Stamp);
    }
}

/// The death signal (which a change of ids would have cleared), the tracer, the stop.
pub fn hand_over(emit: &mut Emit) {
    let runner = emit.runner;
    if let Some(signal) = runner.death_signal {
        let call = Call::new(nr::PRCTL)
            .name("PR_SET_PDEATHSIG", libc::PR_SET_PDEATHSIG)
            .arg(crate::program::Arg::Signal(signal));
        emit.call(Stage::DeathSignal, None, call);
    }
    if runner.ptrace {
        let call = Call::new(nr::PTRACE)
            .name("PTRACE_TRACEME", 0u32)
            .int(0)
            .int(0)
            .int(0);
        emit.call(Stage::Ptrace, None, call);
    }
    if runner.stop_before_seccomp || runner.ptrace && runner.seccomp.is_some() {
        emit.wait(Stage::Stop, Turn::Stop);
    }
}
