"""Enumerations that a newer library may have more of."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Optional, TypeVar

T = TypeVar("T", bound="Number")


class Number(IntEnum):
    """An IntEnum to which an unknown number is a member without a name of its own, not an error."""

    @classmethod
    def _missing_(cls: type[T], value: object) -> Optional[T]:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        # Some versions of Python would pickle the name.
        return type(self), (int(self),)


class Named(Number):
    """A Number of which the library has the name in words."""

    @property
    def label(self) -> str:
        """As the library says it: ``wall_limit``, ``OOM killer``, ``cgroup v2``."""
        from ._library import lib, string

        return string(getattr(lib, f"runner_{type(self).__name__.lower()}_name")(self))
