"""The options of a run: what they are called here, and how each one reaches the library."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, TypedDict, Union

from . import _convert as convert
from ._convert import Bytes, Duration, Text
from ._library import ffi, lib
from ._root import Root
from ._stdio import File, Source, child_fd

if TYPE_CHECKING:
    from ._declarations import Namespace, Session

#: No limit: as Python's resource module says it, and as the library does.
RLIM_INFINITY = -1
UNLIMITED = (1 << 64) - 1
#: struct sock_filter of <linux/filter.h>: code, jt, jf, k.
FILTER = struct.Struct("=HBBI")


class Credential(NamedTuple):
    """Who the program runs as: exactly these ids and groups."""

    uid: int
    gid: int
    groups: Sequence[int] = ()


class Options(TypedDict, total=False):
    """Every option of a run. None is the same as leaving it out."""

    #: The whole environment; empty by default.
    env: Optional[Mapping[Text, Text]]
    #: The file to execute, open, in the place of the path in ``args[0]``.
    exec_file: Optional[File]
    #: The working directory, inside the new root.
    cwd: Optional[Text]
    #: fd 0: None or DEVNULL (/dev/null), an fd, a file object, INHERIT, CLOSED, or bytes, as ``input``.
    stdin: Union[Source, Bytes]
    #: fd 1: as stdin, without the bytes.
    stdout: Source
    #: fd 2: as stdout.
    stderr: Source
    #: Any of the program's fds, by number. What is named nowhere is closed.
    files: Optional[Mapping[int, Source]]
    #: Allow a directory as fd 0, 1 or 2.
    allow_directory_files: Optional[bool]
    #: What the program reads from fd 0.
    input: Optional[Bytes]
    #: Keep what is written to these fds, at most so many bytes; more ends the run.
    capture: Optional[Mapping[int, int]]
    #: Keep the first so many bytes that are written to these fds, and drop the rest.
    capture_head: Optional[Mapping[int, int]]

    #: Time from exec to end; more is ``Verdict.WALL_LIMIT``.
    wall_limit: Optional[Duration]
    #: CPU time of the whole tree; more is ``Verdict.TIME_LIMIT``.
    cpu_limit: Optional[Duration]
    #: Bytes, of the whole tree; more is ``Verdict.MEMORY_LIMIT``.
    memory_limit: Optional[int]
    #: Processes and threads at once; beyond it fork fails.
    process_limit: Optional[int]
    #: Bytes written to all captures together, and to any one file; more is ``Verdict.OUTPUT_LIMIT``.
    output_limit: Optional[int]
    #: How much of a CPU, in percent.
    cpu_quota: Optional[int]
    #: Where the run's cgroups are made: one directory for v2, one for each hierarchy of v1.
    cgroup_roots: Optional[Iterable[Text]]

    #: Which namespaces are new.
    unshare: Optional[Union[Namespace, int]]
    #: Lines of the user id map: inside, outside, count.
    uid_mappings: Optional[Iterable[tuple[int, int, int]]]
    #: Lines of the group id map.
    gid_mappings: Optional[Iterable[tuple[int, int, int]]]
    #: Whether setgroups(2) is allowed in the new user namespace.
    allow_setgroups: Optional[bool]
    #: The program's root.
    root: Optional[Root]
    #: Its host name (``Namespace.UTS``).
    hostname: Optional[Text]
    #: Its NIS domain name (``Namespace.UTS``).
    domainname: Optional[Text]
    #: Bring ``lo`` up (``Namespace.NET``).
    loopback_up: Optional[bool]
    #: An empty session keyring instead of this process's.
    new_session_keyring: Optional[bool]

    #: Who the program runs as.
    credential: Optional[Union[Credential, tuple[int, int, Sequence[int]]]]
    #: An exec can gain no privileges.
    no_new_privs: Optional[bool]
    #: Drop every capability for good.
    drop_caps: Optional[bool]
    #: Drop every capability but these (bit n: capability n).
    keep_caps: Optional[int]
    #: A classic BPF program: its bytes, or (code, jt, jf, k) for each instruction.
    seccomp: Optional[Union[Bytes, Iterable[tuple[int, int, int, int]]]]

    #: Resource limits: RLIMIT_* to (soft, hard), or to one number for both; -1 is no limit.
    rlimits: Optional[Mapping[int, Union[int, tuple[int, int]]]]
    #: The file mode creation mask.
    umask: Optional[int]
    #: The nice value.
    nice: Optional[int]
    #: How willingly the OOM killer takes the program, -1000 to 1000.
    oom_score_adj: Optional[int]
    #: The CPUs on which the program may run.
    cpu_affinity: Optional[Iterable[int]]
    #: The scheduling policy and its priority.
    scheduler: Optional[tuple[int, int]]
    #: The execution domain (personality(2)).
    personality: Optional[int]

    #: The session and process group; a new session by default.
    session: Optional[Union[Session, int]]
    #: Make fd 0, a terminal, the controlling one.
    ctty: Optional[bool]
    #: The signal that the program gets when the thread that started it ends.
    death_signal: Optional[int]
    #: A cgroup v2 directory, open, in which the program is born.
    cgroup_fd: Optional[File]
    #: Cgroups by the paths of their directories.
    cgroup_paths: Optional[Iterable[Text]]
    #: Make the cgroup namespace last, after a hold.
    unshare_cgroup_after_sync: Optional[bool]
    #: The thread that starts traces the program (PTRACE_TRACEME).
    ptrace: Optional[bool]
    #: Stop (SIGSTOP) before the filter is loaded.
    stop_before_seccomp: Optional[bool]


Apply = Callable[[Any, Any], None]


def _call(function: str, runner: Any, *args: Any) -> None:
    """Calls a setter; what it refuses is a ValueError."""
    code = getattr(lib, f"runner_{function}")(runner, *args)
    if code == -errno.ENOMEM:
        raise MemoryError
    if code < 0:
        raise ValueError("empty, too long, out of range, or not known")


def _one(function: str, conversion: Callable[[Any], Any]) -> Apply:
    """A setter of one value."""
    return lambda runner, value: _call(function, runner, conversion(value))


def _each(function: str, conversion: Callable[[Any], Any]) -> Apply:
    """An adder, once for each entry of a list."""

    def apply(runner: Any, values: Any) -> None:
        if isinstance(values, (str, bytes)):
            raise TypeError("a list is wanted, not one string")
        for value in values:
            _call(function, runner, conversion(value))

    return apply


def _tuple(function: str) -> Apply:
    """A setter of several integers."""
    return lambda runner, values: _call(function, runner, *map(convert.integer, values))


def _tuples(function: str) -> Apply:
    """The same, once for each entry of a list."""

    def apply(runner: Any, lines: Any) -> None:
        for values in lines:
            _call(function, runner, *map(convert.integer, values))

    return apply


def _integers(values: Iterable[int]) -> Any:
    return ffi.new("uint32_t[]", [convert.integer(value) for value in values])


def _args(runner: Any, args: Iterable[Text]) -> None:
    strings, _alive = convert.texts(args)
    _call("set_args", runner, strings)


def _env(runner: Any, env: Mapping[Text, Text]) -> None:
    pairs = [(convert.text(name), convert.text(value)) for name, value in convert.mapping(env).items()]
    if not all(name and b"=" not in name for name, _ in pairs):
        raise ValueError("a name that is empty, or has a = in it")
    strings, _alive = convert.texts(b"=".join(pair) for pair in pairs)
    _call("set_env", runner, strings)


def _credential(runner: Any, credential: Any) -> None:
    uid, gid, groups = Credential(*credential)
    numbers = _integers(groups)
    _call("set_credential", runner, convert.integer(uid), convert.integer(gid), numbers, len(numbers))


def _affinity(runner: Any, cpus: Iterable[int]) -> None:
    numbers = _integers(cpus)
    _call("set_cpu_affinity", runner, numbers, len(numbers))


def _rlimits(runner: Any, rlimits: Mapping[int, Any]) -> None:
    for resource, limits in convert.mapping(rlimits).items():
        soft, hard = limits if isinstance(limits, Sequence) else (limits, limits)
        _call("add_rlimit", runner, convert.integer(resource), _rlimit(soft), _rlimit(hard))


def _rlimit(value: int) -> int:
    return UNLIMITED if value == RLIM_INFINITY else convert.integer(value)


def _seccomp(runner: Any, program: Any) -> None:
    if isinstance(program, (bytes, bytearray, memoryview)):
        data = bytes(program)
    else:
        data = b"".join(map(_instruction, program))
    if len(data) % FILTER.size:
        raise ValueError(f"an instruction has {FILTER.size} bytes")
    filters = ffi.cast("struct sock_filter *", ffi.from_buffer(data))
    _call("set_seccomp", runner, filters, len(data) // FILTER.size)


def _instruction(line: Iterable[int]) -> bytes:
    try:
        return FILTER.pack(*map(convert.integer, line))
    except struct.error as error:
        raise ValueError(f"no instruction: {error}") from None


def _root(runner: Any, root: Root) -> None:
    if not isinstance(root, Root):
        raise TypeError(f"a Root is wanted, not {type(root).__name__}")
    root.apply(runner)


def _input(runner: Any, data: Bytes) -> None:
    copy = convert.contents(data)
    _call("set_stdin_bytes", runner, ffi.from_buffer(copy), len(copy))


def _captures(function: str) -> Apply:
    def apply(runner: Any, captures: Mapping[int, int]) -> None:
        for fd, most in convert.mapping(captures).items():
            _call(function, runner, child_fd(fd), convert.integer(most))

    return apply


#: How each option reaches the library, in the order in which they do: keep_caps refines drop_caps.
APPLY: dict[str, Apply] = {
    "args": _args,
    "env": _env,
    "cwd": _one("set_workdir", convert.text),
    "allow_directory_files": _one("set_allow_directory_files", convert.boolean),
    "input": _input,
    "capture": _captures("capture"),
    "capture_head": _captures("capture_head"),
    "wall_limit": _one("set_wall_limit", convert.nanoseconds),
    "cpu_limit": _one("set_cpu_limit", convert.nanoseconds),
    "memory_limit": _one("set_memory_limit", convert.integer),
    "process_limit": _one("set_process_limit", convert.integer),
    "output_limit": _one("set_output_limit", convert.integer),
    "cpu_quota": _one("set_cpu_quota", convert.integer),
    "cgroup_roots": _each("set_cgroup_root", convert.text),
    "unshare": _one("set_unshare_flags", convert.integer),
    "uid_mappings": _tuples("add_uid_mapping"),
    "gid_mappings": _tuples("add_gid_mapping"),
    "allow_setgroups": _one("set_allow_setgroups", convert.boolean),
    "root": _root,
    "hostname": _one("set_hostname", convert.text),
    "domainname": _one("set_domainname", convert.text),
    "loopback_up": _one("set_loopback_up", convert.boolean),
    "new_session_keyring": _one("set_new_session_keyring", convert.boolean),
    "credential": _credential,
    "no_new_privs": _one("set_no_new_privs", convert.boolean),
    "drop_caps": _one("set_drop_caps", convert.boolean),
    "keep_caps": _one("keep_caps", convert.integer),
    "seccomp": _seccomp,
    "rlimits": _rlimits,
    "umask": _one("set_umask", convert.integer),
    "nice": _one("set_nice", convert.integer),
    "oom_score_adj": _one("set_oom_score_adj", convert.integer),
    "cpu_affinity": _affinity,
    "scheduler": _tuple("set_scheduler"),
    "personality": _one("set_personality", convert.integer),
    "session": _one("set_session", convert.integer),
    "ctty": _one("set_ctty", convert.boolean),
    "death_signal": _one("set_death_signal", convert.integer),
    "cgroup_paths": _each("set_cgroup_path", convert.text),
    "unshare_cgroup_after_sync": _one("set_unshare_cgroup_after_sync", convert.boolean),
    "ptrace": _one("set_ptrace", convert.boolean),
    "stop_before_seccomp": _one("set_stop_before_seccomp", convert.boolean),
}
#: Options that are open files, which the library borrows for a start: looked at when it happens.
BORROWED = ("stdin", "stdout", "stderr", "files", "exec_file", "cgroup_fd")


@contextmanager
def naming(option: str) -> Iterator[None]:
    """What is wrong with a value says of which option it is."""
    try:
        yield
    except (TypeError, OverflowError) as error:
        raise type(error)(f"{option}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def apply(runner: Any, options: Mapping[str, Any]) -> None:
    """Sets all that is no open file."""
    for option, function in APPLY.items():
        if options.get(option) is not None:
            with naming(option):
                function(runner, options[option])
