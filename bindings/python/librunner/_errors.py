"""What goes wrong beside a run's own verdict."""

from __future__ import annotations

from typing import Any

from ._declarations import Stage
from ._library import ffi, lib, string


class LaunchError(OSError):
    """The program was not started. Nothing of it is left.

    ``errno`` says why, ``stage`` what was being done, ``index`` which element of it (-1: none), ``message`` all of it
    in a sentence.
    """

    def __init__(self, errno: int, message: str, stage: int = Stage.NONE, index: int = -1, line: str = "") -> None:
        super().__init__(errno, message)
        self.stage = Stage(stage)
        self.index = index
        self.message = message
        self._line = line

    @property
    def stage_name(self) -> str:
        """The stage as the library says it: ``mount``, ``exec``, ..."""
        return self.stage.label

    def __str__(self) -> str:
        return self._line or super().__str__()


class TimeoutExpired(TimeoutError):
    """The time to wait is over, and the run goes on."""

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout)
        self.timeout = timeout

    def __str__(self) -> str:
        return f"the run has not finished within {self.timeout} s"


def launch_error(error: Any) -> LaunchError:
    """From a filled ``runner_error_t *``."""
    line = ffi.new("char[]", 512)
    lib.runner_error_format(error, line, len(line))
    return LaunchError(error.err, string(error.message), error.stage, error.index, string(line))
