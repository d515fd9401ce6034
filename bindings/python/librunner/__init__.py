"""Starts untrusted programs in Linux namespaces, watches them, and says what became of them.

``run()`` is the short way, ``Command`` the one with all of it; see README.md beside the package.
"""

from ._command import Command, run, run_async
from ._declarations import (
    VERSION as __version__,
    Bind,
    Controller,
    Evidence,
    Missing,
    MountFlag,
    Namespace,
    Proc,
    Rlimit,
    Session,
    Source,
    Stage,
    Verdict,
)
from ._errors import LaunchError, TimeoutExpired
from ._held import Held
from ._library import library_version
from ._options import Credential, Options
from ._process import Process
from ._result import Probe, Result, probe
from ._root import Root
from ._stdio import CLOSED, DEVNULL, INHERIT, Stdio

__all__ = [
    "CLOSED",
    "DEVNULL",
    "INHERIT",
    "Bind",
    "Command",
    "Controller",
    "Credential",
    "Evidence",
    "Held",
    "LaunchError",
    "Missing",
    "MountFlag",
    "Namespace",
    "Options",
    "Probe",
    "Proc",
    "Process",
    "Result",
    "Rlimit",
    "Root",
    "Session",
    "Source",
    "Stage",
    "Stdio",
    "TimeoutExpired",
    "Verdict",
    "__version__",
    "library_version",
    "probe",
    "run",
    "run_async",
]
