"""The cases of bindings/cases.json, which all bindings share. A word that is not known here is a failed test."""

import base64
import errno
import json
import os
import tempfile
from contextlib import ExitStack

import pytest
from conftest import ROOT

import librunner
from librunner import Bind, Command, Credential, Missing, Namespace, Proc, Rlimit, Root

CASES = json.loads((ROOT / "bindings/cases.json").read_text())["cases"]

PROBE = librunner.probe()
NEEDS = {
    "root": lambda: os.geteuid() == 0,
    "user_namespace": lambda: PROBE.user_namespace,
    "memory_cgroup": lambda: not PROBE.runs_miss & Missing.MEMORY,
    "pids_cgroup": lambda: not PROBE.runs_miss & Missing.PROCESSES,
    "cpu_cgroup": lambda: not PROBE.runs_miss & Missing.CPU,
}


def flags(kind, names):
    value = kind(0)
    for name in names:
        value |= kind[name.upper()]
    return value


def by_fd(captures):
    return {int(fd): most for fd, most in captures.items()}


def mappings(lines, own):
    return [tuple(own if number == "self" else number for number in line) for line in lines]



# A piece of the root: what its words are in Python, and the method.
PIECES = {
    "bind": (Root.bind, lambda source, target, flags_: {
        "source": source, "target": target, "flags": flags(Bind, flags_)}),
    "tmpfs": (Root.tmpfs, lambda target, size, mode: {"target": target, "size": size, "mode": mode}),
    "proc": (Root.proc, lambda target, flags_: {"target": target, "flags": flags(Proc, flags_)}),
    "dev": (Root.dev, lambda target: {"target": target}),
    "dir": (Root.dir, lambda path, mode: {"path": path, "mode": mode}),
    "symlink": (Root.symlink, lambda to, path: {"to": to, "path": path}),
    "file": (Root.file, lambda path, contents, mode: {"path": path, "contents": contents.encode(), "mode": mode}),
}


def root_of(path, pieces):
    root = Root(path)
    for piece in pieces:
        (word, values), = piece.items()
        method, convert = PIECES[word]
        method(root, **convert(**{"flags_" if key == "flags" else key: value for key, value in values.items()}))
    return root


def same(name):
    return lambda value: {name: value}


def nanoseconds(name):
    return lambda value: {name: value / 1e9}


# A word of a case: what it is in Python.
OPTIONS = {
    "args": same("args"),
    "env": lambda pairs: {"env": dict(pair.split("=", 1) for pair in pairs)},
    "workdir": same("cwd"),
    "stdin": lambda text: {"stdin": text.encode()},
    "capture": lambda captures: {"capture": by_fd(captures)},
    "capture_head": lambda captures: {"capture_head": by_fd(captures)},
    "wall_limit": nanoseconds("wall_limit"),
    "cpu_limit": nanoseconds("cpu_limit"),
    "memory_limit": same("memory_limit"),
    "process_limit": same("process_limit"),
    "output_limit": same("output_limit"),
    "cpu_quota": same("cpu_quota"),
    "cgroup_root": lambda path: {"cgroup_roots": [path]},
    "unshare": lambda names: {"unshare": flags(Namespace, names)},
    "uid_mappings": lambda lines: {"uid_mappings": mappings(lines, os.geteuid())},
    "gid_mappings": lambda lines: {"gid_mappings": mappings(lines, os.getegid())},
    "hostname": same("hostname"),
    "credential": lambda value: {"credential": Credential(**value)},
    "no_new_privs": same("no_new_privs"),
    "new_session_keyring": same("new_session_keyring"),
    "drop_caps": same("drop_caps"),
    "seccomp": same("seccomp"),
    "rlimits": lambda lines: {"rlimits": {Rlimit[name.upper()]: (soft, hard) for name, soft, hard in lines}},
    "umask": same("umask"),
    "nice": same("nice"),
}


def options_of(words, stack):
    words = dict(words)
    options = {}
    if "root" in words or "pivot_root" in words:
        options["root"] = root_of(words.pop("pivot_root", None), words.pop("root", []))
    if "exec_file" in words:
        options["exec_file"] = stack.enter_context(open(words.pop("exec_file"), "rb"))
    for word, value in words.items():
        options.update(OPTIONS[word](value))
    return options


def waited(pid):
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return {"exit_code": -1, "signal": os.WTERMSIG(status)}
    return {"exit_code": os.WEXITSTATUS(status), "signal": 0}


def aborted(command):
    with command.hold() as held:
        os.kill(held.pid, 0)
        held.abort()
        with pytest.raises(ProcessLookupError):
            os.kill(held.pid, 0)
    return {"gone": True}


def killed(command):
    with command.spawn() as process:
        process.kill()
        return process.wait(30)


HOW = {
    "run": lambda command: command.run(timeout=60),
    "start": lambda command: waited(command.start()),
    "held": lambda command: waited(command.hold().resume()),
    "held_abort": aborted,
    "kill": killed,
    "explain": lambda command: {"text": command.explain()},
}


def figure(result, word):
    return round(getattr(result, word[:-3]) * 1e9) if word.endswith("_ns") else getattr(result, word)


def check_bytes(result, expected, decode):
    for fd, value in expected.items():
        assert result.output[int(fd)] == decode(value)


def check_length(result, expected):
    for fd, length in expected.items():
        assert len(result.output[int(fd)]) == length


def check_least(result, expected):
    for word, value in expected.items():
        assert figure(result, word) >= value


def check_most(result, expected):
    for word, value in expected.items():
        assert figure(result, word) <= value


def check_own(name):
    def check(result, expected):
        assert (result[name] if isinstance(result, dict) else getattr(result, name)) == expected
    return check


def check_text(result, expected):
    assert expected in result["text"]


def check_label(name):
    def check(result, expected):
        assert getattr(result, name).label == expected
    return check


# A word of `expect`, and how it is looked at.
EXPECT = {
    "verdict": check_label("verdict"),
    "evidence": check_label("evidence"),
    "exit_code": check_own("exit_code"),
    "signal": check_own("signal"),
    "output_cut": check_own("output_cut"),
    "gone": check_own("gone"),
    "output": lambda result, expected: check_bytes(result, expected, str.encode),
    "output_base64": lambda result, expected: check_bytes(result, expected, base64.b64decode),
    "output_length": check_length,
    "at_least": check_least,
    "at_most": check_most,
    "text_contains": check_text,
}

# A word of `error`.
ERROR = {
    "stage": lambda error, expected: error.stage_name == expected,
    "index": lambda error, expected: error.index == expected,
    "errno": lambda error, expected: errno.errorcode[error.errno] == expected,
    "message_contains": lambda error, expected: expected in error.message,
}


def fill(value, tmp):
    if isinstance(value, str):
        return value.replace("{tmp}", tmp)
    if isinstance(value, list):
        return [fill(entry, tmp) for entry in value]
    if isinstance(value, dict):
        return {key: fill(entry, tmp) for key, entry in value.items()}
    return value


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case):
    assert not case.keys() - {"name", "options", "expect", "how", "needs"}
    for need in case.get("needs", []):
        if not NEEDS[need]():
            pytest.skip(f"no {need}" + (f": {PROBE.blocker}" if need != "root" else ""))
    expect = case["expect"]
    go = HOW[case.get("how", "run")]
    with tempfile.TemporaryDirectory() as tmp, ExitStack() as stack:
        words = fill(case["options"], tmp)
        if "invalid" in expect:
            assert expect == {"invalid": True}
            with pytest.raises((ValueError, TypeError, OverflowError)) as raised:
                Command(**options_of(words, stack))
            assert not isinstance(raised.value, OSError)
        elif "error" in expect:
            command = Command(**options_of(words, stack))
            with pytest.raises(librunner.LaunchError) as raised:
                go(command)
            for word, value in expect["error"].items():
                assert ERROR[word](raised.value, value), (word, value, raised.value)
        else:
            result = go(Command(**options_of(words, stack)))
            for word, value in expect.items():
                EXPECT[word](result, value)
