"""The program's files: which of the host's fds stands at which of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any, Protocol, Union

from . import _convert as convert

#: The library's own bound (runner_set_files).
MOST_FDS = 1 << 20


class Stdio(Enum):
    """What stands at a program's fd, where that is no file."""

    #: /dev/null, the default of 0, 1 and 2.
    DEVNULL = "devnull"
    #: The host's fd of the same number.
    INHERIT = "inherit"
    #: Nothing.
    CLOSED = "closed"


INHERIT = Stdio.INHERIT
DEVNULL = Stdio.DEVNULL
CLOSED = Stdio.CLOSED


class HasFileno(Protocol):
    """A file object, a socket, ..."""

    def fileno(self) -> int:
        """Its fd."""


File = Union[int, HasFileno]
Source = Union[File, Stdio, None]


def fileno(file: File) -> int:
    """The fd behind a file, as it is now."""
    fd = convert.integer(file if isinstance(file, int) else _fileno(file))
    if not 0 <= fd < 1 << 31:
        raise ValueError(f"no file descriptor: {fd}")
    return fd


def _fileno(file: Any) -> int:
    method = getattr(file, "fileno", None)
    if method is None:
        raise TypeError(f"a file descriptor or a file object is wanted, not {type(file).__name__}")
    return int(method())


def child_fd(number: int) -> int:
    """A key of a map from the program's fds."""
    number = convert.integer(number)
    if not 0 <= number < MOST_FDS:
        raise ValueError(f"no file descriptor: {number}")
    return number


def check(number: int, source: Source) -> None:
    """Refuses at once what a start would refuse."""
    child_fd(number)
    if source is not None and not isinstance(source, Stdio):
        fileno(source)


@contextmanager
def host_fds(sources: Mapping[int, Source]) -> Iterator[list[int]]:
    """The host's fd for each of the program's fds, -1 for a closed one, until the start is over."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        numbers = range(max([2, *sources]) + 1)
        yield [_host_fd(number, sources.get(number, DEVNULL if number < 3 else CLOSED), null) for number in numbers]
    finally:
        os.close(null)


def _host_fd(number: int, source: Source, null: int) -> int:
    if source is None or source is DEVNULL:
        return null
    if source is INHERIT:
        return number
    if isinstance(source, Stdio):
        return -1
    return fileno(source)
