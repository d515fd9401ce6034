"""The pieces of a program's root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from . import _convert as convert
from ._convert import Bytes, Text
from ._declarations import Bind, Proc
from ._library import ffi, lib

Piece = Callable[[Any], int]


class Root:
    """A root for the program, made of pieces in their order; an error names a piece by its number from 0.

    ``path`` is any existing directory but ``/``, which is covered, not touched: a tmpfs goes over it, the pieces into
    that, and it becomes the program's root, read-only unless ``writable``. Without ``path`` the pieces are mounted in
    the host's tree as the program's mount namespace sees it. Both need ``Namespace.MOUNT``.

    Targets lie inside the new root, missing parts of them are made. Every method gives the root itself, so that calls
    can be chained::

        Root("/tmp/empty").bind("/usr").bind("/bin").tmpfs("/tmp", 16 << 20).proc().dev()
    """

    def __init__(self, path: Optional[Text] = None, *, writable: bool = False) -> None:
        self._path = None if path is None else convert.text(path)
        self._writable = convert.boolean(writable)
        self._pieces: list[Piece] = []

    def bind(self, source: Text, target: Optional[Text] = None, flags: int = Bind.RO | Bind.REC) -> Root:
        """A file or directory of the host, at the same place without ``target``; read-only unless the flags say
        otherwise (0: writable, without what is mounted beneath it)."""
        return self._add("bind", convert.text(source), convert.text(source if target is None else target),
                         convert.integer(flags))

    def tmpfs(self, target: Text = "/tmp", size: int = 0, mode: int = 0o1777) -> Root:
        """An empty writable directory of at most ``size`` bytes (0: half of the memory)."""
        return self._add("tmpfs", convert.text(target), convert.integer(size), convert.integer(mode))

    def proc(self, target: Text = "/proc", flags: int = Proc.MASK) -> Root:
        """The proc file system of the new pid namespace (``Namespace.PID``)."""
        return self._add("proc", convert.text(target), convert.integer(flags))

    def dev(self, target: Text = "/dev") -> Root:
        """A minimal /dev: null, zero, full, random, urandom, tty, fd, stdin, stdout, stderr, shm, pts."""
        return self._add("dev", convert.text(target))

    def dir(self, path: Text, mode: int = 0o755) -> Root:
        """A directory."""
        return self._add("dir", convert.text(path), convert.integer(mode))

    def symlink(self, to: Text, path: Text) -> Root:
        """A symbolic link at ``path`` that leads to ``to``."""
        return self._add("symlink", convert.text(to), convert.text(path))

    def file(self, path: Text, contents: Bytes = b"", mode: int = 0o644) -> Root:
        """A small file: an /etc/passwd."""
        data = convert.contents(contents)
        return self._add("file", convert.text(path), data, len(data), convert.integer(mode))

    def mount(self, source: Optional[Text], target: Text, fstype: Optional[Text] = None, flags: int = 0,
              data: Optional[Text] = None) -> Root:
        """A mount as mount(2) takes it: see ``MountFlag``."""
        def optional(value: Optional[Text]) -> Any:
            return ffi.NULL if value is None else convert.text(value)

        return self._add("mount", optional(source), convert.text(target), optional(fstype), convert.integer(flags),
                         optional(data))

    def apply(self, runner: Any) -> None:
        """Gives a ``runner_t *`` this root."""
        if self._path is not None:
            _checked(lib.runner_set_pivot_root(runner, self._path), "its path")
        _checked(lib.runner_set_root_writable(runner, self._writable), "writable")
        for number, piece in enumerate(self._pieces):
            _checked(piece(runner), f"piece {number}")

    def _add(self, what: str, *args: Any) -> Root:
        function = getattr(lib, f"runner_add_{what}")
        self._pieces.append(lambda runner: function(runner, *args))
        return self


def _checked(code: int, what: str) -> None:
    if code < 0:
        raise ValueError(f"{what}: empty, too long, out of range, or not known")
