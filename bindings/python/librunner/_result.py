"""What became of a run, and what the machine offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from ._declarations import Controller, Evidence, Missing, Source, Verdict
from ._library import checked, lib, string, struct


@dataclass(frozen=True)
class Result:
    """What became of a run. Times are in seconds, sizes in bytes."""

    #: How it ended; ``Verdict.NONE`` while it runs.
    verdict: Verdict
    #: What decided the verdict.
    evidence: Evidence
    #: The exit code of the first process, -1 where it has none.
    exit_code: int
    #: The signal that ended the first process, 0 for none.
    signal: int
    #: From the program's exec to its end as it was seen.
    wall: float
    #: CPU time of the whole tree where ``cpu_source`` is a cgroup: ``user`` and ``system`` together.
    cpu: float
    user: float
    system: float
    #: Where the CPU time comes from.
    cpu_source: Source
    #: The most memory at once.
    memory_peak: int
    memory_source: Source
    #: The most processes and threads at once.
    processes_peak: int
    processes_source: Source
    #: How many processes the kernel's OOM killer took.
    oom_kills: int
    #: How often a fork or a thread was refused because of the process limit.
    process_limit_hits: int
    #: Bytes kept of all captured fds together.
    output_bytes: int
    #: The program wrote more to a captured fd than was to be kept.
    output_cut: bool
    #: The first such fd, -1 for none.
    output_fd: int
    #: From the call to the program's exec.
    setup: float
    #: What limits and figures had to do without; 0 is the best.
    missing: Missing
    #: Why something is missing; empty where there is nothing to say.
    reason: str
    #: What was written to each captured fd.
    output: dict[int, bytes] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """It finished by itself with exit code 0."""
        return self.verdict == Verdict.FINISHED and self.exit_code == 0

    @property
    def returncode(self) -> int:
        """As in subprocess: the exit code, or minus the signal."""
        return -self.signal if self.signal else self.exit_code

    @property
    def stdout(self) -> bytes:
        """What was captured of fd 1; empty where it was not."""
        return self.output.get(1, b"")

    @property
    def stderr(self) -> bytes:
        """What was captured of fd 2; empty where it was not."""
        return self.output.get(2, b"")

    def text(self, fd: int = 1, encoding: str = "utf-8", errors: str = "replace") -> str:
        """What was captured of ``fd``, decoded."""
        return self.output.get(fd, b"").decode(encoding, errors)

    @property
    def missing_names(self) -> list[str]:
        """The bits of ``missing`` in words."""
        bits = (1 << n for n in range(int(self.missing).bit_length()))
        return [string(lib.runner_missing_name(bit)) for bit in bits if self.missing & bit]


def result(raw: Any, output: dict[int, bytes]) -> Result:
    """From a filled ``runner_result_t *``."""
    return Result(
        verdict=Verdict(raw.verdict),
        evidence=Evidence(raw.evidence),
        exit_code=raw.exit_code,
        signal=raw.signal,
        wall=raw.wall_ns / 1e9,
        cpu=raw.cpu_ns / 1e9,
        user=raw.user_ns / 1e9,
        system=raw.system_ns / 1e9,
        cpu_source=Source(raw.cpu_source),
        memory_peak=raw.memory_peak,
        memory_source=Source(raw.memory_source),
        processes_peak=raw.processes_peak,
        processes_source=Source(raw.processes_source),
        oom_kills=raw.oom_kills,
        process_limit_hits=raw.process_limit_hits,
        output_bytes=raw.output_bytes,
        output_cut=bool(raw.output_cut),
        output_fd=raw.output_fd,
        setup=raw.setup_ns / 1e9,
        missing=Missing(raw.missing),
        reason=string(raw.reason),
        output=output,
    )


@dataclass(frozen=True)
class Probe:
    """What the machine offers to this process."""

    #: Major and minor version of the kernel.
    kernel: tuple[int, int]
    #: clone3(2).
    clone3: bool
    #: A process can be born in its cgroup.
    into_cgroup: bool
    #: pidfds from clone.
    pidfd: bool
    #: close_range(2).
    close_range: bool
    #: mount_setattr(2): read-only binds with everything beneath them.
    mount_setattr: bool
    #: openat2(2): targets that cannot lead out of the new root.
    openat2: bool
    #: Time namespaces.
    time_namespace: bool
    #: A user namespace can be made, and gives capabilities (tried).
    user_namespace: bool
    #: All namespaces but the user one can be made without one (tried).
    privileged_namespaces: bool
    #: seccomp filters.
    seccomp: bool
    #: Landlock's ABI version, 0 where there is none.
    landlock: int
    #: A cgroup v2 hierarchy is mounted.
    cgroup_v2: bool
    #: At least one cgroup v1 hierarchy with a controller is mounted.
    cgroup_v1: bool
    #: This process may make cgroups beneath its own v2 cgroup.
    cgroup_v2_writable: bool
    #: v2 controllers that children of this process's cgroup can be given.
    controllers_v2: Controller
    #: v1 controllers with a mounted hierarchy.
    controllers_v1: Controller
    #: v1 controllers beneath whose current cgroup this process may make cgroups.
    controllers_v1_writable: Controller
    #: What watched runs would have to do without.
    runs_miss: Missing
    #: Why something is missing and what to do, a sentence a line.
    blocker: str


#: What is not a yes or no.
_KINDS: dict[str, Callable[[Any], Any]] = {
    "kernel": lambda number: (number >> 16, number & 0xFFFF),
    "landlock": int,
    "controllers_v2": Controller,
    "controllers_v1": Controller,
    "controllers_v1_writable": Controller,
    "runs_miss": Missing,
    "blocker": string,
}


def probe() -> Probe:
    """Finds out what this machine offers, by trying it where that is the only sure way."""
    raw = struct("runner_probe_t")
    checked(lib.runner_probe(raw))
    known = [entry.name for entry in fields(Probe)]
    return Probe(**{name: _KINDS.get(name, bool)(getattr(raw, name)) for name in known})
