//! The end: signals unblocked, the filter loaded, the program executed.

use super::{Emit, AT_FDCWD};
use crate::program::{Act, Arg, Call, Exec, ExecWhat, Image};
use crate::stage::Stage;
use crate::sys::nr;
use crate::text::Text;

/// In a root that somebody else has filled, while there are fds and capabilities to look with.
pub fn check(emit: &mut Emit) {
    let runner = emit.runner;
    let Some(path) = runner.args.strings().first() else {
        return;
    };
    if runner.pivot_root.is_none() || !emit.host.features.mount_api {
        return;
    }
    let image = match emit.exec_fd {
        Some((fd, _)) => Image::Fd(fd),
        None => Image::Path(Text::from_bytes(path.to_bytes())),
    };
    emit.act(Stage::Exec, None, Act::CheckProgram(image));
}

pub fn filter(emit: &mut Emit) {
    if let Some((fd, true)) = emit.exec_fd {
        // Else its interpreter would fail where nobody sees why.
        let path = Text::from_bytes(format!("/dev/fd/{fd}").as_bytes());
        let call = Call::new(nr::FACCESSAT)
            .arg(AT_FDCWD)
            .text(&path)
            .name("R_OK", libc::R_OK);
        emit.call(Stage::Exec, None, call);
    }
    // Before the filter: it need not allow this.
    let unblock = Call::new(nr::RT_SIGPROCMASK)
        .name("SIG_SETMASK", libc::SIG_SETMASK)
        .arg(Arg::SigSet(&0))
        .arg(Arg::Null)
        .int(8);
    emit.call(Stage::Signals, None, unblock);
    if let Some(filter) = &emit.runner.seccomp {
        emit.act(Stage::Seccomp, None, Act::Filter(filter.clone()));
    }
}

pub fn exec(emit: &mut Emit) {
    let what = match emit.exec_fd {
        Some((fd, _)) => ExecWhat::Fd(fd),
        None => ExecWhat::Path,
    };
    let exec = Exec {
        what,
        args: emit.runner.args.clone(),
        env: emit.runner.env.clone(),
        sleeps: emit.runner.seccomp.is_none(),
    };
    emit.act(Stage::Exec, None, Act::Exec(exec));
}
