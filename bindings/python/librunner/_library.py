"""The shared library: found, checked, and called."""

from __future__ import annotations

import errno
import os
from typing import Any

import cffi

from ._declarations import CDEF, VERSION

SONAME = "librunner.so.0"

ffi: Any = cffi.FFI()
ffi.cdef(CDEF)


def _load() -> Any:
    named = os.environ.get("RUNNER_LIBRARY")
    path = os.path.abspath(named) if named else SONAME
    try:
        found = ffi.dlopen(path)
        version = found.runner_version()
    except (OSError, AttributeError) as error:
        raise ImportError(
            f"librunner's shared library cannot be loaded: {error}. "
            f"Install it, or name the file in the environment variable RUNNER_LIBRARY."
        ) from None
    # While it is 0.x, a minor version may change the ABI.
    if [version >> 16, version >> 8 & 255] != [int(part) for part in VERSION.split(".")[:2]]:
        raise ImportError(f"{path} is librunner {_dotted(version)}, but this package is for {VERSION}")
    return found


def _dotted(version: int) -> str:
    return f"{version >> 16}.{version >> 8 & 255}.{version & 255}"


lib: Any = _load()


def library_version() -> str:
    """The version of the shared library that is loaded, such as ``0.1.0``."""
    return _dotted(lib.runner_version())


def struct(name: str) -> Any:
    """A struct for the library to fill, with its size in place."""
    return ffi.new(f"{name} *", {"size": ffi.sizeof(name)})


def string(text: Any) -> str:
    """A C string of the library's, which is UTF-8."""
    return str(ffi.string(text).decode("utf-8", "replace"))


def checked(code: int) -> int:
    """A count or 0; a negative errno is raised."""
    if code == -errno.ENOMEM:
        raise MemoryError
    if code < 0:
        raise OSError(-code, os.strerror(-code))
    return code
