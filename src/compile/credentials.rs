//! Who the program is. Taken early, so that what is made afterwards belongs to it; the capabilities for the later
//! steps are kept, and go in `privileges`.

use super::{certain, Emit};
use crate::error::Result;
use crate::program::{Arg, Call};
use crate::runner::Credential;
use crate::stage::Stage;
use crate::sys::nr;
use nix::errno::Errno;

/// capabilities(7): set-user-ID calls leave the capability sets alone.
pub const SECBIT_NO_SETUID_FIXUP: u32 = 1 << 2;

pub fn take(emit: &mut Emit) -> Result<()> {
    let Some(credential) = emit.runner.credential.clone() else {
        return Ok(());
    };
    let bits = emit.host.ids().securebits | SECBIT_NO_SETUID_FIXUP;
    // Without CAP_SETPCAP the sets shrink at setresuid; whatever needs them later reports that.
    let keep = Call::new(nr::PRCTL)
        .name("PR_SET_SECUREBITS", libc::PR_SET_SECUREBITS)
        .int(bits)
        .tolerate(&[Errno::EPERM]);
    emit.call(Stage::Capabilities, None, keep);
    set_groups(emit, &credential)?;
    let thrice = |call, id: u32| Call::new(call).int(id).int(id).int(id);
    emit.call(Stage::Setgid, None, thrice(nr::SETRESGID, credential.gid));
    emit.call(Stage::Setuid, None, thrice(nr::SETRESUID, credential.uid));
    Ok(())
}

fn set_groups(emit: &mut Emit, credential: &Credential) -> Result<()> {
    let ids = emit.host.ids();
    if !emit.setgroups_denied {
        let count = credential.groups.len() as i64;
        let groups = Arg::Groups(credential.groups.clone());
        let call = Call::new(nr::SETGROUPS).int(count).arg(groups);
        // Nothing to do, and perhaps no right to do it.
        let same = ids.groups.is_empty() && credential.groups.is_empty();
        let call = match same {
            true => call.tolerate(&[Errno::EPERM]),
            false => call,
        };
        emit.call(Stage::Setgroups, None, call);
        return Ok(());
    }
    // Denied: the caller's groups stay. That is right only where they give nothing beyond the group id itself.
    let extra = ids.groups.iter().any(|g| *g != ids.egid);
    if extra || !credential.groups.is_empty() {
        return Err(certain(
            Stage::Setgroups,
            None,
            Errno::EPERM,
            "setgroups is denied in this user namespace, so the program would keep the caller's supplementary \
             groups: runner_set_allow_setgroups(true) with CAP_SETGID, or start from a process without \
             supplementary groups",
        ));
    }
    Ok(())
}
