"""A watched run's handle in C, guarded: from threads, signal handlers, forks, and the end of the interpreter."""

from __future__ import annotations

import atexit
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Optional, TypeVar

from ._library import checked, ffi, lib, struct

T = TypeVar("T")

#: How long the end of the interpreter waits for threads that still wait for a run which has been killed, in seconds.
LAST_WAIT = 1.0

_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)


def in_fork_of(forks: int) -> bool:
    """Whether this process is a fork of the one in which ``forks_now()`` gave this number."""
    return forks != _forks


def forks_now() -> int:
    return _forks


#: Those that are not freed yet.
_live: set[Handle] = set()


@atexit.register
def _close_all() -> None:
    """At the end of the interpreter, when daemon threads may still wait for runs."""
    for handle in list(_live):
        handle.close()
    until = time.monotonic() + LAST_WAIT
    while _live and time.monotonic() < until:
        time.sleep(0.001)


class Handle:
    """A ``runner_process_t *``, freed when nobody uses it any more.

    Calls are made one at a time, and none of them blocks: waiting is a poll on the fd, outside of the lock. A signal
    handler of Python's may come between any two steps of a method, on the thread that has the lock. So the lock is
    re-entrant, and what would pull the memory from under that method is done when the method is over.
    """

    def __init__(self, pointer: Any, captured: list[int]) -> None:
        self.pid: int = lib.runner_process_pid(pointer)
        self.fd: int = lib.runner_process_fd(pointer)
        self._pointer = pointer
        self._captured = captured
        self._forks = forks_now()
        self._lock = threading.RLock()
        self._inside = False
        self._waiters = 0
        self._to_kill = False
        self._to_free = False
        _live.add(self)

    def step(self) -> Optional[tuple[Any, dict[int, bytes]]]:
        """Does what is due; the raw result and what was captured, once the run has finished."""
        return self._use(self._step)

    def usage(self) -> Any:
        """The raw figures so far."""
        raw = struct("runner_result_t")
        self._use(lambda _: checked(lib.runner_process_usage(self._pointer, raw)))
        return raw

    def output(self, fd: int) -> bytes:
        """A copy of what was captured of ``fd`` so far."""
        return self._use(lambda _: self._output(fd))

    def kill(self) -> None:
        """Kills the whole tree; nothing, where the run is freed already."""
        self._check_fork()
        with self._lock:
            self._to_kill = True
            self._settle()

    def close(self) -> None:
        """Kills what still runs and frees the run, at once or when the last one who waits for it is told."""
        if in_fork_of(self._forks):
            self._forget()
            return
        with self._lock:
            self._to_kill = self._to_free = True
            self._settle()

    @contextmanager
    def waiting(self) -> Iterator[int]:
        """Keeps the fd open while somebody waits for it."""
        self._use(self._enter)
        try:
            yield self.fd
        finally:
            if not in_fork_of(self._forks):
                with self._lock:
                    self._waiters -= 1
                    self._settle()

    @property
    def closed(self) -> bool:
        """Freed, or about to be."""
        return self._to_free or self._pointer is None

    def _step(self, nested: bool) -> Optional[tuple[Any, dict[int, bytes]]]:
        raw = struct("runner_result_t")
        if nested or not checked(lib.runner_process_step(self._pointer, raw)):
            return None
        return raw, {fd: self._output(fd) for fd in self._captured}

    def _output(self, fd: int) -> bytes:
        # The memory is the run's own until the next call for it.
        data, size = ffi.new("const void **"), ffi.new("size_t *")
        code = lib.runner_process_output(self._pointer, fd, data, size)
        if code == -errno.EINVAL:
            raise ValueError(f"fd {fd} is not captured")
        checked(code)
        return bytes(ffi.buffer(data[0], size[0]))

    def _enter(self, nested: bool) -> None:
        if nested:
            raise RuntimeError("a signal handler cannot wait for a run of which it has interrupted a method")
        self._waiters += 1

    def _use(self, function: Callable[[bool], T]) -> T:
        """Calls it with the run kept as it is; it is told whether it is nested, in a signal handler."""
        self._check_fork()
        with self._lock:
            if self.closed:
                raise ValueError("the run is closed")
            nested, self._inside = self._inside, True
            try:
                return function(nested)
            finally:
                self._inside = nested
                self._settle()

    def _check_fork(self) -> None:
        # Before the lock: a thread that is not in this process may have held it at the fork.
        if in_fork_of(self._forks):
            raise ChildProcessError(errno.ECHILD, "the run belongs to the process that this one was forked from")

    def _settle(self) -> None:
        """Does what was asked for, as soon as no method uses the run, or nobody waits for its fd."""
        if self._pointer is None or self._inside:
            return
        if self._to_free and not self._waiters:
            self._free()
        elif self._to_kill:
            self._inside, self._to_kill = True, False
            try:
                checked(lib.runner_process_kill(self._pointer))
            finally:
                self._inside = False

    def _forget(self) -> None:
        """In a fork: frees the copy of the memory, unless a thread was about to change it at the fork."""
        _live.discard(self)
        if self._lock.acquire(blocking=False):
            self._free()

    def _free(self) -> None:
        pointer, self._pointer = self._pointer, None
        lib.runner_process_free(pointer or ffi.NULL)
        _live.discard(self)
