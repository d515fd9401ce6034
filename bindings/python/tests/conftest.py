"""The library that was built here is the one under test, unless RUNNER_LIBRARY names another."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / "build/lib/librunner.so.0"

if not os.environ.get("RUNNER_LIBRARY") and BUILT.exists():
    os.environ["RUNNER_LIBRARY"] = str(BUILT)
