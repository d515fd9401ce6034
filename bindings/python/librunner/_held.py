"""A start that is held right before its exec."""

from __future__ import annotations

import weakref
from types import TracebackType
from typing import Any, Optional

from ._errors import launch_error
from ._library import ffi, lib, struct


class Held:
    """A process that waits, complete, right before its exec: made by ``Command.hold()``.

    Put it into cgroups, look at it, then ``resume()`` or ``abort()`` it. As a context manager it is aborted unless it
    was resumed; so it is when it becomes garbage, or at the end of the interpreter. It occupies a blocked thread
    meanwhile.
    """

    def __init__(self, pointer: Any) -> None:
        self._pid: int = lib.runner_held_pid(pointer)
        self._pidfd: int = lib.runner_held_pidfd(pointer)
        # Whoever ends it pops it. That is one step, so that nobody can end it twice.
        self._pointers = [pointer]
        weakref.finalize(self, _abort, self._pointers)

    @property
    def pid(self) -> int:
        """The pid of the process, a child of this one; of the running program once it was resumed."""
        return self._pid

    @property
    def pidfd(self) -> int:
        """A pidfd of the held process. It is the start's own: duplicate it to keep it."""
        if not self._pointers:
            raise ValueError("the start is not held any more")
        if self._pidfd < 0:
            raise OSError(-self._pidfd, "no pidfds on this kernel")
        return self._pidfd

    def resume(self) -> int:
        """Lets it execute its program. The pid, to be waited for by ``os.waitpid()``; or LaunchError."""
        pointer = _take(self._pointers)
        if not pointer:
            raise ValueError("the start is not held any more")
        error = struct("runner_error_t")
        pid: int = lib.runner_held_resume(pointer, error)
        if pid < 0:
            raise launch_error(error)
        return pid

    def abort(self) -> None:
        """Kills and reaps it; nothing, where it is not held any more."""
        _abort(self._pointers)

    def __enter__(self) -> Held:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.abort()


def _take(pointers: list[Any]) -> Any:
    try:
        return pointers.pop()
    except IndexError:
        return ffi.NULL


def _abort(pointers: list[Any]) -> None:
    lib.runner_held_abort(_take(pointers))
