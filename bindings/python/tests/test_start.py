"""Starts that nobody watches, held ones, and each option in a program's own eyes."""

import gc
import os
import select
import signal
import stat
import threading
from pathlib import Path

import pytest
from conftest import lives, open_fds, soon, threads

import librunner
from librunner import Bind, Command, MountFlag, Namespace, Proc, Rlimit, Root, Session, run

PROBE = librunner.probe()
needs_user_namespace = pytest.mark.skipif(not PROBE.user_namespace, reason=PROBE.blocker)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="not root")
OWN = {"uid_mappings": [(0, os.geteuid(), 1)], "gid_mappings": [(0, os.getegid(), 1)]}
SYSTEM = Bind.RO | Bind.REC | Bind.OPTIONAL


def said(script, **options):
    result = run(["/bin/sh", "-c", script], **options)
    assert result.ok, result
    return result.text().split()


def test_start_with_a_pidfd():
    pid, pidfd = Command(["/bin/sh", "-c", "exit 5"]).start_pidfd()
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    assert poller.poll(20_000)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    os.close(pidfd)


def test_a_held_start():
    with Command(["/bin/sleep", "100"]).hold() as held:
        pid = held.pid
        assert lives(pid) and os.readlink(f"/proc/{pid}/exe") != os.path.realpath("/bin/sleep")
        assert stat.S_ISREG(os.fstat(held.pidfd).st_mode) or held.pidfd > 2
        assert held.resume() == pid
        assert os.readlink(f"/proc/{pid}/exe") == os.path.realpath("/bin/sleep")
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for use in (held.resume, lambda: held.pidfd):
        with pytest.raises(ValueError, match="not held"):
            use()
    held.abort()


def test_a_held_start_is_aborted_at_the_end_of_with_and_as_garbage():
    fds, count = open_fds(), threads()
    with pytest.raises(KeyError), Command(["/bin/true"]).hold() as held:
        raise KeyError
    assert not lives(held.pid)
    held = Command(["/bin/true"]).hold()
    pid = held.pid
    del held
    gc.collect()
    assert not lives(pid)
    assert soon(lambda: open_fds() == fds and threads() <= count)


def test_a_held_start_is_ended_once_by_many_threads():
    for _ in range(20):
        held = Command(["/bin/true"]).hold()
        ended = []

        def end():
            try:
                ended.append(held.resume())
            except ValueError:
                pass

        workers = [threading.Thread(target=end) for _ in range(4)] + [threading.Thread(target=held.abort)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if ended:
            os.waitpid(held.pid, 0)
        assert len(ended) <= 1 and not lives(held.pid)


def test_a_held_start_that_fails():
    with pytest.raises(librunner.LaunchError):
        Command(["/bin/true"], cwd="/nonexistent").hold()
    held = Command(["/nonexistent"]).hold()
    with pytest.raises(librunner.LaunchError) as raised:
        held.resume()
    assert raised.value.stage_name == "exec"
    held = Command(["/bin/true"]).hold()
    os.kill(held.pid, signal.SIGKILL)
    with pytest.raises(librunner.LaunchError) as raised:
        held.resume()
    assert raised.value.stage_name == "sync"


def test_explain():
    text = Command(["/bin/prog", "arg"], umask=0o77, session=Session.GROUP).explain()
    assert text.startswith("strategy:") and 'execve("/bin/prog", ["/bin/prog", "arg"], [])' in text
    assert "umask(077)" in text and "setpgid" in text and "setsid" not in text


def test_sessions():
    script = "cut -d' ' -f1,5,6 /proc/$$/stat"
    pid, group, session = said(script)
    assert pid == group == session
    pid, group, session = said(script, session=Session.GROUP)
    assert pid == group and int(session) == os.getsid(0)
    _, group, session = said(script, session=Session.KEEP)
    assert (int(group), int(session)) == (os.getpgrp(), os.getsid(0))


def test_rlimits():
    limits = {Rlimit.NOFILE: (20, 30), Rlimit.CORE: 0}
    assert said("ulimit -Sn; ulimit -Hn; ulimit -c", rlimits=limits) == ["20", "30", "0"]
    assert said("ulimit -Ss", rlimits={Rlimit.STACK: (1 << 20, 1 << 20)}) == ["1024"]
    hard = said("ulimit -Hv")
    assert said("ulimit -Sv", rlimits={Rlimit.AS: (-1, -1)}) == hard == ["unlimited"]


def test_scheduling():
    cpu = min(os.sched_getaffinity(0))
    assert said("grep Cpus_allowed_list /proc/self/status", cpu_affinity=[cpu])[1] == str(cpu)
    script = "grep policy /proc/self/sched || cut -d' ' -f41 /proc/self/stat"
    assert said(script, scheduler=(os.SCHED_BATCH, 0))[-1] == str(os.SCHED_BATCH)
    assert said("cat /proc/self/oom_score_adj", oom_score_adj=1000) == ["1000"]
    assert said("cat /proc/self/personality", personality=0x0040000) == ["00040000"]


def test_death_signal():
    """The thread that starts it ends, and so does the program."""
    started = []
    starter = threading.Thread(
        target=lambda: started.append(Command(["/bin/sleep", "100"], death_signal=signal.SIGKILL).start()))
    starter.start()
    starter.join()
    assert os.WTERMSIG(os.waitpid(started[0], 0)[1]) == signal.SIGKILL


@needs_user_namespace
def test_names():
    assert said("uname -n; cat /proc/sys/kernel/domainname", unshare=Namespace.USER | Namespace.UTS, hostname="box",
                domainname=b"dom") == ["box", "dom"]


@needs_user_namespace
def test_a_loopback_interface():
    script = "tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/fib_trie | grep -c 127.0.0.1"
    both = Namespace.USER | Namespace.NET
    assert said(script + " || :", unshare=both, loopback_up=True)[0] == "lo"
    assert int(said(script + " || :", unshare=both, loopback_up=True)[1]) > 0
    assert said(script + " || :", unshare=both)[1] == "0"


@needs_user_namespace
def test_capabilities():
    net_bind_service = 1 << 10
    script = "grep CapEff /proc/self/status"
    for options, expected in (
        ({"keep_caps": net_bind_service}, net_bind_service),
        ({"drop_caps": True}, 0),
        ({"keep_caps": net_bind_service, "drop_caps": True}, net_bind_service),
    ):
        assert int(said(script, unshare=Namespace.USER, **OWN, **options)[1], 16) == expected


@needs_user_namespace
def test_setgroups():
    assert said("cat /proc/self/setgroups", unshare=Namespace.USER, allow_setgroups=False, **OWN) == ["deny"]


@needs_root
def test_setgroups_of_root():
    assert said("cat /proc/self/setgroups", unshare=Namespace.USER, allow_setgroups=True, **OWN) == ["allow"]
    assert said("id -G", credential=librunner.Credential(5, 6, [7, 8])) == ["6", "7", "8"]


@needs_user_namespace
def test_a_root(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").write_text("x")
    empty = tmp_path / "root"
    empty.mkdir()
    root = (Root(empty)
            .bind("/bin").bind("/usr").bind("/lib").bind("/lib64", flags=SYSTEM)
            .bind(tmp_path / "data", "/data", 0)
            .tmpfs("/tmp", size=1 << 20).proc(flags=Proc.MASK | Proc.RO).dev()
            .dir("/empty", 0o700).symlink("/data/x", "/link").file("/etc/motto", b"be brief", 0o600)
            .mount(None, "/more", "tmpfs", MountFlag.NOSUID | MountFlag.NODEV, "size=64k"))
    script = ("cat /link /etc/motto; echo; touch /data/y /tmp/y /more/y; touch /y 2>/dev/null || echo read-only; "
              "stat -c %a /empty /tmp; ls /")
    both = Namespace.USER | Namespace.MOUNT | Namespace.PID
    assert said(script, root=root, unshare=both, **OWN) == [
        "xbe", "brief", "read-only", "700", "1777", "bin", "data", "dev", "empty", "etc", "lib",
        *(["lib64"] if os.path.exists("/lib64") else []), "link", "more", "proc", "tmp", "usr"]
    assert (tmp_path / "data/y").exists() and not any(empty.iterdir())


@needs_user_namespace
def test_a_writable_root(tmp_path):
    root = Root(tmp_path, writable=True).bind("/bin").bind("/usr").bind("/lib").bind("/lib64", flags=SYSTEM)
    assert said("touch /x && ls /x", root=root, unshare=Namespace.USER | Namespace.MOUNT, **OWN) == ["/x"]
    assert not any(tmp_path.iterdir())


@needs_user_namespace
def test_pieces_without_a_root_of_its_own(tmp_path):
    (tmp_path / "target").mkdir()
    root = Root().tmpfs(tmp_path / "target", 1 << 20)
    said(f"touch {tmp_path}/target/x", root=root, unshare=Namespace.USER | Namespace.MOUNT, **OWN)
    assert not any((tmp_path / "target").iterdir())


def test_a_stop_before_the_filter():
    command = Command(["/bin/sh", "-c", "exit 6"], stop_before_seccomp=True)
    pid = command.start()
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    os.kill(pid, signal.SIGCONT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6


def test_a_trace():
    pid = Command(["/bin/true"], ptrace=True).start()
    _, status = os.waitpid(pid, 0)
    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_controlling_terminal():
    ours, theirs = os.openpty()
    try:
        assert said("cut -d' ' -f7 /proc/$$/stat") == ["0"]
        assert said("cut -d' ' -f7 /proc/$$/stat", stdin=theirs, ctty=True) != ["0"]
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_cpu_quota():
    result = run(["/bin/sh", "-c", "while :; do :; done"], cpu_quota=20, wall_limit=0.5)
    if not result.missing & librunner.Missing.QUOTA:
        assert result.cpu < 0.4


@needs_root
@pytest.mark.skipif(not PROBE.controllers_v1_writable and not PROBE.cgroup_v2_writable, reason=PROBE.blocker)
def test_cgroups_of_a_run_are_ones_of_the_host(tmp_path):
    """A program starts in the very cgroups of another run: the library made them, so this makes none."""
    with Command(["/bin/sleep", "100"], memory_limit=64 << 20, process_limit=10).spawn() as process:
        groups = dict(line.split(":", 2)[1:] for line in lines_of(f"/proc/{process.pid}/cgroup"))
        paths = [path for path in map(lambda item: mounted(*item), groups.items()) if path and "runner-" in path]
        assert paths
        lines = "".join(said("cat /proc/self/cgroup", cgroup_paths=paths))
        for path in paths:
            assert os.path.basename(path) in lines
        v2 = [path for path in paths if os.path.exists(f"{path}/cgroup.type")]
        if v2:
            fd = os.open(v2[0], os.O_PATH)
            command = Command(["/bin/sleep", "100"], cgroup_fd=fd, unshare_cgroup_after_sync=True)
            pid = command.start()
            os.close(fd)
            assert os.path.basename(v2[0]) in "".join(lines_of(f"/proc/{pid}/cgroup"))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def lines_of(path):
    return Path(path).read_text().splitlines()


def mounted(controllers, path):
    """The directory of a cgroup, where its hierarchy is mounted."""
    for line in lines_of("/proc/self/mountinfo"):
        before, after = line.split(" - ")
        kind, _, options = after.split()[:3]
        has_them = kind == "cgroup" and set(controllers.split(",")) <= set(options.split(","))
        if has_them if controllers else kind == "cgroup2":
            root, where = before.split()[3:5]
            return where + (path if root == "/" else path[len(root):])
    return None
