//! no_new_privs and capabilities: what is dropped is dropped for good.

use super::{certain, Emit};
use crate::error::Result;
use crate::host::CAP_SETPCAP;
use crate::program::{Arg, Call, CapData, CAP_V3};
use crate::stage::Stage;
use crate::sys::nr;
use nix::errno::Errno;

/// capabilities(7), all locked: user id 0 gives nothing at an exec (NOROOT), ids may change without touching the sets
/// (NO_SETUID_FIXUP), nothing is kept over an id change (KEEP_CAPS locked off), nothing becomes ambient.
const LOCKED: u32 = 0b11 | 0b11 << 2 | 0b10 << 4 | 0b11 << 6;

pub fn drop_all(emit: &mut Emit) -> Result<()> {
    let runner = emit.runner;
    let mut no_new_privs = runner.no_new_privs || runner.seccomp.is_some();
    match (runner.keep_caps, runner.drop_caps) {
        (None, false) => forget_kept(emit),
        (keep, _) => no_new_privs |= keep_only(emit, keep.unwrap_or(0))?,
    }
    if no_new_privs {
        let call = Call::new(nr::PRCTL)
            .name("PR_SET_NO_NEW_PRIVS", libc::PR_SET_NO_NEW_PRIVS)
            .int(1)
            .int(0)
            .int(0)
            .int(0);
        emit.call(Stage::NoNewPrivs, None, call);
    }
    Ok(())
}

/// After a credential, what setresuid(2) would have done: the sets of another user than root end empty.
fn forget_kept(emit: &mut Emit) {
    let Some(credential) = &emit.runner.credential else {
        return;
    };
    let uid = credential.uid;
    let bits = emit.host.ids().securebits;
    set_securebits(emit, bits, &[Errno::EPERM]);
    if uid != 0 {
        clear_ambient(emit);
        capset(emit, 0);
    }
}

/// Exactly `keep` in all five sets. Returns whether no_new_privs has to do what the bounding set can't be made to.
fn keep_only(emit: &mut Emit, keep: u64) -> Result<bool> {
    let last = emit.host.features.last_cap;
    if last < 63 && keep >> (last + 1) != 0 {
        let message =
            format!("a capability to keep is above {last}, the highest this kernel knows");
        return Err(certain(Stage::Capabilities, None, Errno::EINVAL, message));
    }
    let in_new_namespace = emit.runner.has_namespace(libc::CLONE_NEWUSER);
    let may_drop = in_new_namespace || emit.host.has_cap(CAP_SETPCAP);
    clear_ambient(emit);
    if keep != 0 {
        // Ambient takes what is inheritable; the rest of the sets goes last.
        capset_raising(emit, keep);
        for cap in (0..=last).filter(|cap| keep >> cap & 1 == 1) {
            let call = ambient("PR_CAP_AMBIENT_RAISE", libc::PR_CAP_AMBIENT_RAISE, cap);
            emit.call(Stage::Capabilities, None, call);
        }
    }
    if may_drop {
        for cap in (0..=last).filter(|cap| keep >> cap & 1 == 0) {
            let call = Call::new(nr::PRCTL)
                .name("PR_CAPBSET_DROP", libc::PR_CAPBSET_DROP)
                .int(cap);
            emit.call(Stage::Capabilities, None, call);
        }
        set_securebits(emit, LOCKED, &[]);
    }
    capset(emit, keep);
    Ok(!may_drop)
}

fn set_securebits(emit: &mut Emit, bits: u32, tolerate: &'static [Errno]) {
    let call = Call::new(nr::PRCTL)
        .name("PR_SET_SECUREBITS", libc::PR_SET_SECUREBITS)
        .int(bits)
        .tolerate(tolerate);
    emit.call(Stage::Capabilities, None, call);
}

fn clear_ambient(emit: &mut Emit) {
    // EINVAL: a kernel before 4.3, which has no ambient set.
    let call = ambient(
        "PR_CAP_AMBIENT_CLEAR_ALL",
        libc::PR_CAP_AMBIENT_CLEAR_ALL,
        0,
    );
    emit.call(Stage::Capabilities, None, call.tolerate(&[Errno::EINVAL]));
}

fn ambient(name: &'static str, what: libc::c_int, cap: u32) -> Call {
    Call::new(nr::PRCTL)
        .name("PR_CAP_AMBIENT", libc::PR_CAP_AMBIENT)
        .name(name, what)
        .int(cap)
        .int(0)
        .int(0)
}

fn capset(emit: &mut Emit, caps: u64) {
    let half = |shift: u32| {
        let bits = (caps >> shift) as u32;
        CapData {
            effective: bits,
            permitted: bits,
            inheritable: bits,
        }
    };
    emit_capset(emit, [half(0), half(32)]);
}

/// `keep` made inheritable beside what the process has: all of the namespace's in a new one, else the caller's.
fn capset_raising(emit: &mut Emit, keep: u64) {
    let known = u64::MAX >> (63 - emit.host.features.last_cap.min(63));
    let has = match emit.runner.has_namespace(libc::CLONE_NEWUSER) {
        true => known,
        false => emit.host.ids().caps,
    };
    let half = |shift: u32| CapData {
        effective: (has >> shift) as u32,
        permitted: (has >> shift) as u32,
        inheritable: (keep >> shift) as u32,
    };
    emit_capset(emit, [half(0), half(32)]);
}

fn emit_capset(emit: &mut Emit, data: [CapData; 2]) {
    let call = Call::new(nr::CAPSET)
        .arg(Arg::CapHeader(&CAP_V3))
        .arg(Arg::CapData(Box::new(data)));
    emit.call(Stage::Capabilities, None, call);
}
