//! Host and domain name, the loopback interface, and the working directory.

use super::Emit;
use crate::explain::SOCKET;
use crate::program::{Act, Arg, Call, Ifreq, BRIEF};
use crate::stage::Stage;
use crate::sys::nr;

pub fn set(emit: &mut Emit) {
    let names = [
        (&emit.runner.hostname, Stage::Sethostname, nr::SETHOSTNAME),
        (
            &emit.runner.domainname,
            Stage::Setdomainname,
            nr::SETDOMAINNAME,
        ),
    ];
    for (name, stage, call) in names {
        if let Some(name) = name {
            let length = name.to_bytes().len() as i64;
            emit.call(stage, None, Call::new(call).text(name).int(length));
        }
    }
    if emit.runner.loopback_up {
        raise_loopback(emit);
    }
}

fn raise_loopback(emit: &mut Emit) {
    let socket = Call::new(nr::SOCKET)
        .name("AF_INET", libc::AF_INET)
        .flags((libc::SOCK_DGRAM | libc::SOCK_CLOEXEC) as u64, SOCKET)
        .int(0)
        .into(BRIEF);
    let mut name = [0; 16];
    name[..2].copy_from_slice(b"lo");
    let up = Ifreq {
        name,
        flags: (libc::IFF_UP | libc::IFF_RUNNING) as i16,
        rest: [0; 22],
    };
    let ioctl = Call::new(nr::IOCTL)
        .slot(BRIEF)
        .name("SIOCSIFFLAGS", libc::SIOCSIFFLAGS as u32)
        .arg(Arg::Ifreq(Box::new(up)));
    emit.call(Stage::Loopback, None, socket);
    emit.call(Stage::Loopback, None, ioctl);
    emit.call(Stage::Loopback, None, Call::new(nr::CLOSE).slot(BRIEF));
}

pub fn enter_workdir(emit: &mut Emit) {
    let Some(workdir) = emit.runner.workdir.clone() else {
        return;
    };
    emit.call(Stage::Chdir, None, Call::new(nr::CHDIR).text(&workdir));
    if emit.runner.pivot_root.is_some() {
        emit.act(Stage::Chdir, None, Act::CheckCwd);
    }
}
