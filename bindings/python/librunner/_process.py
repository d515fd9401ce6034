"""A watched run."""

from __future__ import annotations

import os
import select
import time
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from . import _convert as convert
from ._convert import Duration
from ._errors import TimeoutExpired
from ._handle import Handle
from ._result import Result, result

if TYPE_CHECKING:
    import asyncio

#: In ms, less than poll(2) takes.
LONGEST_POLL = 1_000_000_000


class Process:
    """A run that goes on: made by ``Command.spawn()``.

    Its limits are enforced and its output is taken in while somebody waits for it, or calls ``poll()`` whenever
    ``fileno()`` is readable. As a context manager, blocking or asynchronous, it is killed and freed at the end; so it
    is when it becomes garbage, or at the end of the interpreter. Any thread may use it at any time.
    """

    def __init__(self, pointer: Any, captured: list[int]) -> None:
        self._handle = Handle(pointer, captured)
        self._result: Optional[Result] = None
        # At the end of the interpreter the handles see to themselves.
        finalizer: Any = weakref.finalize(self, self._handle.close)
        finalizer.atexit = False

    @property
    def pid(self) -> int:
        """The pid of its first process. Once the run has finished, the number may be another process's."""
        return self._handle.pid

    @property
    def result(self) -> Optional[Result]:
        """What became of it, as far as ``poll()`` or a wait has seen it."""
        return self._result

    def fileno(self) -> int:
        """The fd to wait for: readable when ``poll()`` has something to do. It is the run's own: do not read or close
        it, and take it out of your loop before you close the run."""
        with self._handle.waiting() as fd:
            return fd

    def poll(self) -> Optional[Result]:
        """Does what is due, without blocking. The result, once the run has finished."""
        if self._result is None:
            ended = self._handle.step()
            if ended:
                self._result = result(*ended)
        return self._result

    def wait(self, timeout: Optional[Duration] = None) -> Result:
        """Waits for the end, at most ``timeout`` seconds: TimeoutExpired, and the run goes on."""
        seconds = None if timeout is None else convert.seconds(timeout)
        until = None if seconds is None else time.monotonic() + seconds
        if self._result is not None:
            return self._result
        with self._handle.waiting() as fd:
            poller = select.poll()
            poller.register(fd, select.POLLIN)
            while True:
                ended = self.poll()
                if ended is not None:
                    return ended
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutExpired(seconds or 0)
                # Python's own poll: it runs the handlers of signals, and KeyboardInterrupt comes through.
                poller.poll(None if left is None else min(left * 1000, LONGEST_POLL))

    def communicate(self, timeout: Optional[Duration] = None) -> tuple[bytes, bytes]:
        """Waits for the end; what was captured of fd 1 and fd 2."""
        ended = self.wait(timeout)
        return ended.stdout, ended.stderr

    async def wait_async(self, timeout: Optional[Duration] = None) -> Result:
        """Waits for the end in an event loop, at most ``timeout`` seconds: TimeoutExpired, and the run goes on.
        Cancelling it kills the run."""
        # Here, since it takes long to import, and whoever comes here has done it.
        import asyncio

        try:
            return await self._end(None if timeout is None else convert.seconds(timeout))
        except asyncio.CancelledError:
            self.kill()
            raise

    async def _end(self, timeout: Optional[float]) -> Result:
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def step() -> None:
            if future.done():
                return
            try:
                ended = self.poll()
            except Exception as error:
                future.set_exception(error)
            else:
                if ended is not None:
                    future.set_result(ended)

        def expire(seconds: float) -> None:
            if not future.done():
                future.set_exception(TimeoutExpired(seconds))

        if self._result is not None:
            return self._result
        with self._handle.waiting() as fd:
            # An fd of its own, since a loop has one reader for each, and others may wait too.
            own = os.dup(fd)
            loop.add_reader(own, step)
            timer = None if timeout is None else loop.call_later(timeout, expire, timeout)
            try:
                return await future
            finally:
                if timer:
                    timer.cancel()
                if not loop.is_closed():
                    loop.remove_reader(own)
                os.close(own)

    def kill(self) -> None:
        """Kills the whole tree. The run finishes with ``Verdict.KILLED``, told by ``poll()`` or a wait; nothing,
        where it has finished."""
        self._handle.kill()

    def usage(self) -> Result:
        """The figures so far."""
        return result(self._handle.usage(), {})

    def output(self, fd: int = 1) -> bytes:
        """What was captured of ``fd`` so far."""
        if self._result is not None and fd in self._result.output:
            return self._result.output[fd]
        return self._handle.output(convert.integer(fd))

    def close(self) -> None:
        """Kills what still runs, the whole tree, and frees the run. A result that was there stays."""
        self._handle.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    async def __aenter__(self) -> Process:
        return self

    async def __aexit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        """Kills what still runs, and lets the loop go on until it is gone."""
        try:
            if self._result is None and not self._handle.closed:
                self.kill()
                await self._end(None)
        finally:
            self.close()

    def __repr__(self) -> str:
        state = self._result.verdict.name if self._result else "closed" if self._handle.closed else "running"
        return f"<librunner.Process pid={self.pid} {state}>"
