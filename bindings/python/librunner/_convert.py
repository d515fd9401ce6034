"""From Python's values to what C functions take; what does not fit is a TypeError, ValueError or OverflowError."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar, Union

from ._library import ffi

K = TypeVar("K")
V = TypeVar("V")

Text = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
#: Seconds, or a timedelta.
Duration = Union[float, timedelta]
Bytes = Union[bytes, bytearray, memoryview]


def text(value: Text) -> bytes:
    """What the kernel gets for a path or an argument."""
    encoded = os.fsencode(value)
    if b"\0" in encoded:
        raise ValueError("a NUL in it")
    return encoded


def texts(values: Iterable[Text]) -> tuple[Any, list[Any]]:
    """``const char *const *``, ended by NULL, and what has to live as long as it."""
    if isinstance(values, (str, bytes)):
        raise TypeError("a sequence of strings is wanted, not one string")
    strings = [ffi.new("char[]", text(value)) for value in values]
    return ffi.new("char *[]", [*strings, ffi.NULL]), strings


def boolean(value: bool) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"a bool is wanted, not {type(value).__name__}")
    return value


def mapping(value: Mapping[K, V]) -> Mapping[K, V]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a mapping is wanted, not {type(value).__name__}")
    return value


def integer(value: int) -> int:
    """Ranges are left to the library, but for what does not fit its C type."""
    if isinstance(value, bool):
        raise TypeError("an integer is wanted, not a bool")
    return operator.index(value)


def seconds(value: Duration) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bool, str)):
        raise TypeError(f"seconds are wanted, not {type(value).__name__}")
    value = float(value)
    if math.isnan(value):
        raise ValueError("not a number")
    return value


def nanoseconds(value: Duration) -> int:
    number = seconds(value)
    if number < 0:
        raise ValueError("a negative time")
    return round(number * 1_000_000_000)


def contents(value: Bytes) -> bytes:
    return bytes(memoryview(value))
