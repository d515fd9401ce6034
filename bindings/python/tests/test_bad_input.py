"""Whatever is passed, it is an ordinary error of Python's, and nothing was started."""

import io
import os
import threading

import pytest

import librunner
from librunner import Command, Root, run

TRUE = ["/bin/true"]
BAD = (TypeError, ValueError, OverflowError)


class Hostile:
    """Raises whenever it is looked at."""

    def __index__(self):
        raise ZeroDivisionError

    def __iter__(self):
        raise ZeroDivisionError

    def __fspath__(self):
        raise ZeroDivisionError

    def fileno(self):
        raise ZeroDivisionError


ARGS = ["/bin/true", b"/bin/true", 7, [7], [None], [["x"]], [], ["x", "\0"], ["a\0b"], {1: 2}, ["\ud800"], 1.5]


@pytest.mark.parametrize("args", ARGS, ids=repr)
def test_args(args):
    with pytest.raises(BAD):
        Command(args)


OPTIONS = [
    ("nonsense", 1),
    ("env", ["A=1"]), ("env", {"A": 1}), ("env", {"": "x"}), ("env", {"A=B": "x"}), ("env", {"A": "\0"}),
    ("env", "A=1"),
    ("cwd", 7), ("cwd", ""), ("cwd", "x" * 5000), ("cwd", b"a\0"),
    ("hostname", ""), ("hostname", "x" * 65), ("hostname", []),
    ("domainname", "x" * 65),
    ("wall_limit", -1), ("wall_limit", float("nan")), ("wall_limit", float("inf")), ("wall_limit", 1e300),
    ("wall_limit", "1"), ("wall_limit", []), ("wall_limit", True),
    ("cpu_limit", -0.5), ("cpu_limit", 1e11),
    ("memory_limit", -1), ("memory_limit", 1.5), ("memory_limit", 1 << 64), ("memory_limit", "64M"),
    ("memory_limit", True),
    ("process_limit", -1), ("process_limit", 10 ** 100),
    ("output_limit", -1), ("output_limit", "x"),
    ("cpu_quota", 0), ("cpu_quota", -1), ("cpu_quota", 1 << 32),
    ("input", "text"), ("input", 7), ("input", [1, 2]), ("input", object()),
    ("stdin", "text"), ("stdin", -1), ("stdin", -3), ("stdin", io.BytesIO(b"x")), ("stdin", 1 << 40),
    ("stdin", True), ("stdin", 1.5),
    ("stdout", b"x"), ("stdout", -1), ("stdout", object()),
    ("stderr", 1 << 31),
    ("files", {-1: 0}), ("files", {1 << 20: 0}), ("files", {10 ** 12: 0}), ("files", {"x": 0}), ("files", {3: "x"}),
    ("files", [3]), ("files", 7), ("files", {3: -1}),
    ("capture", {-1: 10}), ("capture", {1: -10}), ("capture", {1 << 20: 1}), ("capture", {1: 1 << 64}),
    ("capture", {1: "x"}), ("capture", {"1": 1}), ("capture", [1]), ("capture", 1),
    ("capture_head", {1.0: 5}),
    ("cgroup_roots", "/sys"), ("cgroup_roots", [""]), ("cgroup_roots", [7]),
    ("cgroup_paths", b"/x"), ("cgroup_paths", [b"\0"]),
    ("unshare", 1 << 63), ("unshare", -1), ("unshare", "user"), ("unshare", 1), ("unshare", ["user"]),
    ("uid_mappings", [(0, 0, 0)]), ("uid_mappings", [(0, 0)]), ("uid_mappings", [(0, 0, 1, 1)]),
    ("uid_mappings", 7), ("uid_mappings", [(-1, 0, 1)]), ("uid_mappings", [(0, 1 << 32, 1)]), ("uid_mappings", [7]),
    ("gid_mappings", ["abc"]),
    ("uid_mappings", [(n, n, 1) for n in range(400)]),
    ("allow_setgroups", 1),
    ("no_new_privs", "no"),
    ("drop_caps", 0),
    ("ptrace", "x"),
    ("ctty", 2),
    ("loopback_up", "y"), ("new_session_keyring", 1),
    ("root", "/tmp"), ("root", []), ("root", 7),
    ("credential", (0,)), ("credential", (-1, 0, [])), ("credential", (0, 1 << 32, [])), ("credential", 7),
    ("credential", ((1 << 32) - 1, 0, [])), ("credential", (0, 0, [-1])), ("credential", (0, 0, 7)),
    ("credential", (0, 0, "ab")), ("credential", (0, 0, [1] * 70000)),
    ("keep_caps", -1), ("keep_caps", 1 << 64), ("keep_caps", [1]), ("keep_caps", "all"),
    ("seccomp", b""), ("seccomp", b"1234567"), ("seccomp", []), ("seccomp", [(6, 0, 0)]),
    ("seccomp", [(6, 0, 0, 1 << 32)]), ("seccomp", [(1 << 16, 0, 0, 0)]), ("seccomp", [(6, 0, 0, 0)] * 4097),
    ("seccomp", [(6, 0, 0, 0)] * 70000), ("seccomp", 7), ("seccomp", "text"),
    ("rlimits", {99: (1, 1)}), ("rlimits", {0: (2, 1)}), ("rlimits", {0: (-2, 1)}), ("rlimits", {0: (1,)}),
    ("rlimits", {0: "12"}), ("rlimits", {"cpu": 1}), ("rlimits", [(0, 1, 1)]), ("rlimits", {0: 1 << 65}),
    ("rlimits", 7),
    ("umask", -1), ("umask", 0o1000), ("umask", "022"),
    ("nice", 20), ("nice", -21), ("nice", 1 << 40),
    ("oom_score_adj", 1001), ("oom_score_adj", -1001),
    ("cpu_affinity", []), ("cpu_affinity", [8192]), ("cpu_affinity", [-1]), ("cpu_affinity", 0),
    ("cpu_affinity", "0"),
    ("scheduler", (99, 0)), ("scheduler", 1), ("scheduler", (0,)), ("scheduler", (0, 50)),
    ("personality", 1 << 33), ("personality", -1),
    ("session", 3), ("session", -1), ("session", "new"),
    ("death_signal", 65), ("death_signal", -1),
    ("cgroup_fd", -1), ("cgroup_fd", "x"),
    ("exec_file", -1), ("exec_file", "/bin/sh"), ("exec_file", 1 << 40),
]


@pytest.mark.parametrize("option, value", OPTIONS, ids=[f"{option}={value!r:.40}" for option, value in OPTIONS])
def test_an_option(option, value):
    with pytest.raises(BAD) as raised:
        Command(TRUE, **{option: value})
    assert not isinstance(raised.value, OSError)
    assert option in str(raised.value) or "fd " in str(raised.value) or "files" in str(raised.value)


@pytest.mark.parametrize("option", [*librunner.Options.__annotations__])
def test_an_option_that_raises(option):
    with pytest.raises((ZeroDivisionError, TypeError)):
        Command(TRUE, **{option: Hostile()})


@pytest.mark.parametrize("option", [*librunner.Options.__annotations__])
def test_none_is_the_same_as_nothing(option):
    assert Command(TRUE, **{option: None}).run(30).ok


PIECES = [
    lambda: Root("\0"), lambda: Root(7), lambda: Root("/", writable=1),
    lambda: Root().bind(7), lambda: Root().bind("/bin", "b\0"), lambda: Root().bind("/bin", flags="ro"),
    lambda: Root().tmpfs("/tmp", size="1M"), lambda: Root().file("/x", "text"), lambda: Root().file("/x", 7),
    lambda: Root().symlink("a"), lambda: Root().mount(7, "/x"),
]
REFUSED = [
    Root(""), Root("x" * 5000),
    Root().bind(""), Root().bind("/bin", "../x"), Root().bind("/bin", "bin", 1 << 20), Root().bind("/bin", "bin", -1),
    Root().bind("/bin", "bin", 1 << 40), Root().tmpfs("/tmp", -1), Root().tmpfs("/tmp", 1 << 64),
    Root().tmpfs("/tmp", 0, 0o10000),
    Root().dir("/x", -1), Root().dir(""), Root().symlink("", "/x"), Root().symlink("/x", "../y"),
    Root().file("/a/../b"),
    Root().proc("/proc", 1 << 10), Root().dev("x/../.."), Root().mount(None, "/x"),
    Root().mount("/bin", "/x", None, 1 << 60),
    Root().mount(None, "/x", None, 4096), Root().bind("/bin").tmpfs("/tmp", -1),
]


@pytest.mark.parametrize("make", PIECES)
def test_a_piece_of_the_root(make):
    with pytest.raises(BAD):
        make()


@pytest.mark.parametrize("root", REFUSED)
def test_a_root_that_the_library_refuses(root):
    with pytest.raises(BAD, match="^root: "):
        Command(TRUE, root=root)


def test_which_piece_is_refused():
    with pytest.raises(ValueError, match="piece 1"):
        Command(TRUE, root=Root("/tmp").bind("/bin").dir("../x"))


def test_contradictions():
    for options in (
        {"stdin": b"x", "input": b"y"}, {"stdin": 0, "input": b"y"}, {"stdin": 0, "files": {0: 0}},
        {"stdout": 1, "capture": {1: 10}}, {"files": {5: 1}, "capture": {5: 10}},
        {"capture": {1: 1}, "capture_head": {1: 1}},
    ):
        with pytest.raises(ValueError):
            Command(TRUE, **options)


def test_huge_lists():
    with pytest.raises(librunner.LaunchError) as raised:
        run(["/bin/true", *["x" * 100] * 200_000])
    assert raised.value.stage == librunner.Stage.EXEC
    assert run(["/bin/true"], input=b"x" * (64 << 20)).ok
    assert Command(["/bin/true"], env={f"N{n}": "x" for n in range(10_000)}).run(30).ok


def test_a_wait_for_nonsense():
    with Command(["/bin/sleep", "100"]).spawn() as process:
        for timeout in ("1", [], True, float("nan"), object()):
            with pytest.raises((TypeError, ValueError)):
                process.wait(timeout)
        with pytest.raises(librunner.TimeoutExpired):
            process.wait(-5)
        for fd in (-1, 5, 1 << 40, "1", None, 1.0):
            with pytest.raises(BAD):
                process.output(fd)


def test_a_file_that_was_closed_meanwhile():
    with open(os.devnull, "rb") as file:
        command = Command(TRUE, stdin=file)
        exec_command = Command(TRUE, exec_file=file)
    for stale in (command, exec_command):
        for start in (stale.run, stale.start, stale.hold, stale.explain, stale.start_pidfd):
            with pytest.raises(ValueError, match="closed file"):
                start()


def test_an_fd_that_is_not_open():
    with pytest.raises(librunner.LaunchError) as raised:
        run(TRUE, stdin=987654)
    assert (raised.value.stage_name, raised.value.errno) == ("dup", 9)


def test_options_that_no_start_can_have():
    with pytest.raises(ValueError, match="no start"):
        Command().explain()
    with pytest.raises(librunner.LaunchError):
        Command(TRUE, capture={1: 10}).start()
    with pytest.raises(librunner.LaunchError):
        Command(TRUE, wall_limit=1).hold()


def test_the_messages_name_the_option():
    with pytest.raises(ValueError, match="^hostname: "):
        Command(TRUE, hostname="x" * 65)
    with pytest.raises(OverflowError, match="^memory_limit: "):
        Command(TRUE, memory_limit=-1)
    with pytest.raises(TypeError, match="^cwd: "):
        Command(TRUE, cwd=7)


def test_nothing_was_started():
    assert threading.active_count() == 1
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
