"""A program and its options, and the ways to start it."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Optional

from . import _convert as convert
from . import _options, _stdio
from ._convert import Duration, Text
from ._errors import launch_error
from ._held import Held
from ._library import checked, ffi, lib, struct
from ._options import Options, naming
from ._process import Process
from ._result import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: How much of stdout and of stderr ``run()`` keeps where neither a capture nor an output limit says so, in bytes.
DEFAULT_CAPTURE = 16 << 20

STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}


class Command:
    """A program and its options, checked and copied when it is made, to be started any number of times by any thread.

    ``args[0]`` is the path that is executed, inside the root; there is no search of PATH. The options are those of
    ``librunner.Options``. Files are borrowed, and looked at for each start: they have to be open then.
    """

    def __init__(self, args: Optional[Iterable[Text]] = None, **options: Unpack[Options]) -> None:
        given: dict[str, Any] = {"args": args, **options}
        # Lists that can be read once only are kept for replace(). (Files are such a thing too.)
        self._given = {
            name: list(value) if isinstance(value, Iterator) and name not in _options.BORROWED else value
            for name, value in given.items()
        }
        for name in options:
            if name not in _options.APPLY and name not in _options.BORROWED:
                raise TypeError(f"there is no option {name!r}")
        plain = _with_input(self._given)
        self._captured = _captured(plain)
        self._sources = _sources(plain, self._captured)
        self._fds = {name: plain[name] for name in ("exec_file", "cgroup_fd") if plain.get(name) is not None}
        for name, file in self._fds.items():
            with naming(name):
                _stdio.fileno(file)
        self._runner = _owned(lib.runner_new())
        _options.apply(self._runner, plain)

    def replace(self, **options: Unpack[Options]) -> Command:
        """A copy with other values for some options."""
        changed: dict[str, Any] = {**self._given, **options}
        return Command(**changed)

    def spawn(self) -> Process:
        """Starts it and watches it; LaunchError where that fails."""
        error = struct("runner_error_t")
        with self._ready() as runner:
            pointer = lib.runner_spawn(runner, error)
        if not pointer:
            raise launch_error(error)
        return Process(pointer, self._captured)

    def run(self, timeout: Optional[Duration] = None) -> Result:
        """Starts it and waits for the end. After ``timeout`` seconds it is killed, and TimeoutExpired is raised; a
        ``wall_limit`` is a verdict instead."""
        with self.spawn() as process:
            return process.wait(timeout)

    async def run_async(self, timeout: Optional[Duration] = None) -> Result:
        """The same in an event loop, which goes on meanwhile. Cancelling it kills the run."""
        async with self.spawn() as process:
            return await process.wait_async(timeout)

    def start(self) -> int:
        """Only starts it. The pid is a child of this process, to be waited for by ``os.waitpid()``."""
        error = struct("runner_error_t")
        with self._ready() as runner:
            pid: int = lib.runner_start(runner, error)
        if pid < 0:
            raise launch_error(error)
        return pid

    def start_pidfd(self) -> tuple[int, int]:
        """Only starts it: the pid and a pidfd, which is yours to close."""
        error, pid, pidfd = struct("runner_error_t"), ffi.new("pid_t *"), ffi.new("int *")
        with self._ready() as runner:
            code = lib.runner_start_pidfd(runner, pid, pidfd, error)
        if code < 0:
            raise launch_error(error)
        return pid[0], pidfd[0]

    def hold(self) -> Held:
        """Starts it up to the step right before its exec."""
        error, out = struct("runner_error_t"), ffi.new("runner_held_t **")
        with self._ready() as runner:
            code = lib.runner_start_held(runner, out, error)
        if code < 0:
            raise launch_error(error)
        return Held(out[0])

    def explain(self) -> str:
        """The system calls that a start would make, one a line. ValueError where no start is possible."""
        with self._ready() as runner:
            size = lib.runner_explain(runner, ffi.NULL, 0)
            if size == -errno.EINVAL:
                raise ValueError("no start is possible with these options")
            text = ffi.new("char[]", checked(size) + 1)
            checked(lib.runner_explain(runner, text, len(text)))
        return bytes(ffi.string(text)).decode("utf-8", "replace")

    @contextmanager
    def _ready(self) -> Iterator[Any]:
        """A ``runner_t *`` with the files as they are now."""
        with ExitStack() as stack:
            yield self._with_files(stack) if self._sources or self._fds else self._runner

    def _with_files(self, stack: ExitStack) -> Any:
        runner = _owned(lib.runner_clone(self._runner))
        for name, file in self._fds.items():
            with naming(name):
                setter = getattr(lib, f"runner_set_{name.replace('file', 'fd')}")
                checked(setter(runner, _stdio.fileno(file)))
        if self._sources:
            with naming("files"):
                fds = stack.enter_context(_stdio.host_fds(self._sources))
                checked(lib.runner_set_files(runner, fds, len(fds)))
        return runner


def run(args: Optional[Iterable[Text]] = None, *, timeout: Optional[Duration] = None, capture_output: bool = True,
        **options: Unpack[Options]) -> Result:
    """Runs a program and says what became of it: see ``Command.run()``, and ``Options`` for the options.

    ``capture_output`` keeps stdout and stderr, unless an option says something else of them: as much of each as
    ``output_limit`` allows, or 16 MiB.
    """
    return _command(args, capture_output, options).run(timeout)


async def run_async(args: Optional[Iterable[Text]] = None, *, timeout: Optional[Duration] = None,
                    capture_output: bool = True, **options: Unpack[Options]) -> Result:
    """``run()`` in an event loop, which goes on meanwhile. Cancelling it kills the run."""
    return await _command(args, capture_output, options).run_async(timeout)


def _command(args: Optional[Iterable[Text]], capture_output: bool, options: Options) -> Command:
    given: dict[str, Any] = dict(options)
    if capture_output:
        most = given.get("output_limit")
        capture = {STANDARD[name]: DEFAULT_CAPTURE if most is None else most
                   for name in ("stdout", "stderr") if given.get(name) is None}
        for option in ("files", "capture_head"):
            for fd in given.get(option) or ():
                capture.pop(fd, None)
        given["capture"] = {**capture, **(given.get("capture") or {})}
    return Command(args, **given)


def _owned(runner: Any) -> Any:
    if not runner:
        raise MemoryError
    return ffi.gc(runner, lib.runner_free)


def _with_input(given: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes as stdin are the input."""
    options = dict(given)
    if isinstance(options.get("stdin"), (bytes, bytearray, memoryview)):
        if options.get("input") is not None:
            raise ValueError("stdin and input are both given")
        options["input"] = options.pop("stdin")
    return options


def _captured(options: Mapping[str, Any]) -> list[int]:
    """The fds that are captured."""
    fds: list[int] = []
    for name in ("capture", "capture_head"):
        with naming(name):
            fds += map(_stdio.child_fd, convert.mapping(options.get(name) or {}))
    if len(set(fds)) < len(fds):
        raise ValueError("capture and capture_head: an fd is in both")
    return fds


def _sources(options: Mapping[str, Any], captured: Iterable[int]) -> dict[int, _stdio.Source]:
    """What stands at the program's fds; what is an input or a capture stands at no other place."""
    sources: dict[int, _stdio.Source] = {}
    with naming("files"):
        sources.update(convert.mapping(options.get("files") or {}))
    for name, fd in STANDARD.items():
        if options.get(name) is not None:
            if fd in sources:
                raise ValueError(f"{name}: fd {fd} is among the files too")
            sources[fd] = options[name]
    taken = {*captured, *([0] if options.get("input") is not None else [])}
    for fd, source in sources.items():
        with naming(f"fd {fd}"):
            _stdio.check(fd, source)
            if fd in taken:
                raise ValueError("it is captured, or the input, too")
    return sources
