//! Session, process group, controlling terminal, session keyring.

use super::Emit;
use crate::program::{Act, Arg, Call};
use crate::runner::Session;
use crate::stage::Stage;
use crate::sys::nr;

pub fn start(emit: &mut Emit) {
    match emit.runner.session {
        Session::New => emit.call(Stage::Setsid, None, Call::new(nr::SETSID)),
        Session::Group => emit.call(Stage::Setpgid, None, Call::new(nr::SETPGID).int(0).int(0)),
        Session::Keep => {}
    }
    if emit.runner.session != Session::Keep {
        emit.act(Stage::Signals, None, Act::DropPending);
    }
    if emit.runner.ctty {
        let call = Call::new(nr::IOCTL)
            .int(0)
            .name("TIOCSCTTY", libc::TIOCSCTTY)
            .int(0);
        emit.call(Stage::Ctty, None, call);
    }
    if emit.runner.new_keyring {
        let call = Call::new(nr::KEYCTL)
            .name(
                "KEYCTL_JOIN_SESSION_KEYRING",
                libc::KEYCTL_JOIN_SESSION_KEYRING,
            )
            .arg(Arg::Null);
        emit.call(Stage::Keyring, None, call);
    }
}
