"""The example, as its reader would use it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT

import librunner

pytestmark = pytest.mark.skipif(not librunner.probe().user_namespace, reason="no user namespaces")
OUTSIDE = 65534 if os.geteuid() == 0 else os.geteuid()

PROGRAMS = {
    "accepted": ("read a b; echo $((a + b)); echo", "accepted; "),
    "white space": ("echo ' 3'", "wrong_answer; "),
    "wrong": ("echo 4", "wrong_answer; "),
    "fails": ("echo 3; exit 1", "finished by exit code; "),
    "spins": ("while :; do :; done", "time_limit by CPU time; "),
    "sleeps": ("sleep 100", "wall_limit by wall timer; "),
    "floods": ("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done", "output_limit by capture; "),
    "crashes": ("sh -c 'kill -SEGV $$'", "finished by exit code; "),
    "who it is": ("[ $(id -u) = 65534 ] && read inside outside count </proc/self/uid_map && "
                  f"[ $inside,$outside,$count = 65534,{OUTSIDE},1 ] && echo 3", "accepted; "),
    "no network": ("[ $(grep -c : /proc/net/dev) = 1 ] && echo 3", "accepted; "),
    "no capability": ("grep -q 'CapEff:.*0000000000000000' /proc/self/status && echo 3", "accepted; "),
    "no privileges": ("grep -q 'NoNewPrivs:.*1' /proc/self/status && echo 3", "accepted; "),
    "no host": ("[ ! -e /etc/passwd ] && [ ! -e /root ] && [ ! -e /home ] && echo 3", "accepted; "),
    "a /tmp": ("echo 3 >/tmp/x && cat /tmp/x", "accepted; "),
    "no other place": ("echo 3; ! touch /x /bin/x /usr/x /program 2>/dev/null", "accepted; "),
}


@pytest.fixture
def place():
    """A directory that nobody can read, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


def grade(place, script):
    program = place / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (place / "input").write_text("1 2\n")
    (place / "expected").write_text("3\n")
    return again(place)


def again(place):
    env = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, ROOT / "examples/python/grade.py", "program", "input", "expected"]
    return subprocess.run(command, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program(name, place):
    script, expected = PROGRAMS[name]
    graded = grade(place, script)
    assert graded.stdout.startswith(expected), graded.stdout
    assert graded.stdout.endswith(" MiB\n")
    assert (graded.returncode == 0) == expected.startswith("accepted")


def test_a_program_that_cannot_be_started(place):
    assert grade(place, "").returncode == 1
    (place / "program").unlink()
    graded = again(place)
    assert graded.returncode == 1 and "No such file or directory" in graded.stdout
