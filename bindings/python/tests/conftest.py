"""The library that was built here is the one under test, unless RUNNER_LIBRARY names another."""

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / "build/lib/librunner.so.0"

if not os.environ.get("RUNNER_LIBRARY") and BUILT.exists():
    os.environ["RUNNER_LIBRARY"] = str(BUILT)


def python(*args, **options):
    """A Python of its own that finds the package."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python"), "PYTHONDONTWRITEBYTECODE": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, *args], env=env, stdout=pipe, stderr=pipe, text=True, **options)


def lives(pid):
    """Whether there is such a process, dead but not reaped aside."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def soon(condition, seconds=10):
    """Waits for what another thread or process does."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    return condition()


def open_fds():
    """Without those of garbage."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def threads():
    return len(os.listdir("/proc/self/task"))
