//! Programs as text, against golden files: the order of every launch, without root and without running it.
//!
//! `RUNNER_GOLDEN=write cargo test` writes the files anew; read the difference before committing it.

use super::{compile, strategy};
use crate::explain::explain;
use crate::host::{Features, Host, Ids};
use crate::pieces::{BindFlags, ProcFlags};
use crate::program::Strategy;
use crate::runner::{Runner, Session, NAMESPACES};
use std::sync::Arc;

const LATEST: Features = Features {
    kernel: (6, 12),
    clone3: true,
    pidfd_open: true,
    mount_api: true,
    last_cap: 40,
};
const OLD: Features = Features {
    kernel: (5, 10),
    mount_api: false,
    ..LATEST
};

fn host(features: Features, euid: u32, caps: u64) -> Host {
    let ids = Ids {
        euid,
        egid: euid,
        groups: Vec::new(),
        caps,
        securebits: 0,
    };
    Host::pretend(features, ids)
}

fn root() -> Host {
    host(LATEST, 0, u64::MAX >> 23)
}

fn user() -> Host {
    host(LATEST, 1000, 0)
}

fn runner(change: impl FnOnce(&mut Runner)) -> Runner {
    let mut runner = Runner::new();
    runner
        .set_args(vec![c"/bin/prog".into(), c"arg".into()])
        .unwrap();
    change(&mut runner);
    runner
}

fn check(name: &str, host: &Host, held: bool, runner: &Runner) {
    let pipe = (strategy(runner, host, held) == Strategy::Copy).then_some(1000);
    let text = explain(&compile(runner, host, held, pipe).unwrap());
    let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var("RUNNER_GOLDEN").is_ok_and(|v| v == "write") {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{name} is not what {path} says");
}

#[test]
fn plain() {
    check("plain", &root(), false, &runner(|_| {}));
}

#[test]
fn files_in_each_others_way() {
    let runner = runner(|r| {
        r.set_files(&[1, 0, -1, 2, 2]).unwrap();
        r.set_exec_fd(None).unwrap();
        r.set_allow_directory_files(true);
        r.set_session(Session::Group);
    });
    check("files", &root(), false, &runner);
}

#[test]
fn a_user_namespace_maps_itself_without_a_parent() {
    let runner = runner(|r| r.set_unshare_flags(libc::CLONE_NEWUSER as u64).unwrap());
    check("userns", &user(), false, &runner);
}

#[test]
fn other_ids_are_mapped_by_the_parent() {
    let runner = runner(|r| {
        r.set_unshare_flags(libc::CLONE_NEWUSER as u64).unwrap();
        r.add_uid_mapping(0, 100000, 1000).unwrap();
        r.add_uid_mapping(5000, 200000, 1).unwrap();
        r.add_gid_mapping(0, 100000, 1000).unwrap();
        r.set_credential(1, 2, &[3]).unwrap();
    });
    check("mapped", &root(), false, &runner);
}

fn sandbox(r: &mut Runner) {
    r.set_unshare_flags(NAMESPACES).unwrap();
    r.set_pivot_root(c"/mnt").unwrap();
    r.add_bind(c"/nowhere/usr", c"usr", BindFlags::RO | BindFlags::REC)
        .unwrap();
    r.add_bind(c"/no/such", c"x", BindFlags::OPTIONAL).unwrap();
    r.add_bind(
        c"/dev/null",
        c"/etc/empty",
        BindFlags::RO | BindFlags::NOEXEC,
    )
    .unwrap();
    r.add_symlink(c"usr/lib", c"lib").unwrap();
    r.add_tmpfs(c"tmp/work", 1 << 20, 0o700).unwrap();
    r.add_proc(c"proc", ProcFlags::SUBSET | ProcFlags::HIDEPID)
        .unwrap();
    r.add_dir(c"/var/a/b", 0o711).unwrap();
    r.add_dir(c"/var", 0o700).unwrap();
    r.add_file(
        c"etc/passwd",
        b"nobody:x:65534:65534::/:/bin/false\n",
        0o644,
    )
    .unwrap();
    r.add_mount(Some(c"tmpfs"), c"raw", Some(c"tmpfs"), 2, Some(c"size=4k"))
        .unwrap();
    r.add_mount(
        Some(c"/nowhere/usr"),
        c"/bound",
        None,
        libc::MS_BIND | libc::MS_RDONLY,
        None,
    )
    .unwrap();
    r.set_hostname(c"judge").unwrap();
    r.set_domainname(c"local").unwrap();
    r.set_loopback_up(true);
    r.set_new_session_keyring(true);
    r.set_workdir(c"/tmp/work").unwrap();
    r.set_umask(0o77).unwrap();
    r.add_rlimit(libc::RLIMIT_CPU, 1, 2).unwrap();
    r.add_rlimit(libc::RLIMIT_CORE, 0, u64::MAX).unwrap();
    r.set_drop_caps(true);
    r.set_seccomp(Some(&[allow_all()])).unwrap();
}

fn allow_all() -> libc::sock_filter {
    libc::sock_filter {
        code: 6,
        jt: 0,
        jf: 0,
        k: 0x7fff_0000,
    }
}

#[test]
fn a_whole_sandbox() {
    check("sandbox", &user(), false, &runner(sandbox));
}

#[test]
fn a_whole_sandbox_before_the_mount_api() {
    check("sandbox_5.10", &host(OLD, 1000, 0), false, &runner(sandbox));
}

#[test]
fn attributes() {
    let runner = runner(|r| {
        r.set_nice(5).unwrap();
        r.set_oom_score_adj(500).unwrap();
        r.set_cpu_affinity(&[0, 65]).unwrap();
        r.set_personality(0x0004_0000).unwrap();
        r.set_scheduler(libc::SCHED_BATCH, 0).unwrap();
        r.set_ctty(true);
        r.set_death_signal(Some(libc::SIGKILL)).unwrap();
        r.set_no_new_privs(true);
    });
    check("attributes", &root(), false, &runner);
}

#[test]
fn a_credential_outside_a_user_namespace() {
    let runner = runner(|r| r.set_credential(65534, 65534, &[]).unwrap());
    check("credential", &root(), false, &runner);
}

#[test]
fn kept_capabilities() {
    let runner = runner(|r| {
        r.set_credential(1000, 1000, &[1000]).unwrap();
        r.keep_caps(Some(1 << 10));
    });
    check("keep_caps", &root(), false, &runner);
}

#[test]
fn a_callback_and_a_hold_run_on_a_helper() {
    let runner = runner(|r| r.set_sync_func(Some(Arc::new(|_| Ok(())))));
    check("callback_held", &root(), true, &runner);
}

#[test]
fn a_tracer_with_a_filter_gets_a_stop() {
    let runner = runner(|r| {
        r.set_ptrace(true);
        r.set_seccomp(Some(&[allow_all()])).unwrap();
        r.set_sync_func(Some(Arc::new(|_| Ok(()))));
    });
    check("ptrace_seccomp", &root(), false, &runner);
}

#[test]
fn a_tracer_is_awake_before_the_exec() {
    check("ptrace", &root(), false, &runner(|r| r.set_ptrace(true)));
}

#[test]
fn the_cgroup_namespace_comes_after_the_callback() {
    let runner = runner(|r| {
        r.set_unshare_flags(libc::CLONE_NEWCGROUP as u64).unwrap();
        r.set_unshare_cgroup_after_sync(true);
        r.set_sync_func(Some(Arc::new(|_| Ok(()))));
        r.set_drop_caps(true);
        r.set_cgroup_fd(Some(7)).unwrap();
    });
    check("late_cgroup", &root(), false, &runner);
}

#[test]
fn a_time_namespace_before_6_1_would_not_be_entered_by_a_vfork() {
    let runner = runner(|r| r.set_unshare_flags(0x80).unwrap());
    let strategy_on = |kernel| strategy(&runner, &host(Features { kernel, ..LATEST }, 0, 0), false);
    assert_eq!(strategy_on((6, 1)), Strategy::Vfork);
    assert_eq!(strategy_on((5, 15)), Strategy::Copy);
}

#[test]
fn contradictions_are_refused() {
    let refused = |change: fn(&mut Runner)| {
        let error = compile(&runner(change), &root(), false, None).unwrap_err();
        error.stage().name()
    };
    assert_eq!(refused(|r| r.set_hostname(c"x").unwrap()), "options");
    assert_eq!(refused(|r| r.set_pivot_root(c"/mnt").unwrap()), "options");
    assert_eq!(refused(|r| r.add_dir(c"/mnt", 0o755).unwrap()), "options");
    assert_eq!(refused(|r| r.set_loopback_up(true)), "options");
    assert_eq!(refused(|r| r.add_uid_mapping(0, 0, 1).unwrap()), "options");
    assert_eq!(
        refused(|r| {
            r.set_ctty(true);
            r.set_session(Session::Keep);
        }),
        "options"
    );
}
