#!/usr/bin/env python3
"""Makes the committed corpus of each target named anew, from it and what runs have found: fuzz/minimise.py TARGET...

At most 50 inputs of at most 1 KiB, the ones that together reach the most. Build first: fuzz/run.sh 1 TARGET."""
import hashlib
import pathlib
import subprocess
import sys
import tempfile

MOST, LONGEST = 50, 1024
HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "fuzz"


def reached(target, inputs):
    """What each input reaches, as libFuzzer's own set cover sees it."""
    program = next(BUILD.glob(f"*/release/{target}"))
    with tempfile.TemporaryDirectory() as scratch:
        control, out, given = (pathlib.Path(scratch, name) for name in ("control", "out", "given"))
        out.mkdir()
        given.mkdir()
        for number, data in enumerate(inputs):
            (given / f"{number:06}").write_bytes(data)
        subprocess.run([program, "-set_cover_merge=1", f"-merge_control_file={control}", "-timeout=20", out, given],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines = control.read_text().splitlines()
    files = [pathlib.Path(line).name for line in lines[2:2 + int(lines[0])]]
    found = {}
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind in ("FT", "COV"):
            number, *marks = rest.split()
            found.setdefault(int(number), set()).update(kind + mark for mark in marks)
    return {inputs[int(files[number])]: marks for number, marks in found.items()}


def cover(found):
    """Greedily; of two that add as much the shorter."""
    chosen, have = [], set()
    while len(chosen) < MOST and found:
        best = max(found, key=lambda data: (len(found[data] - have), -len(data)))
        if not found[best] - have:
            break
        have |= found.pop(best)
        chosen.append(best)
    return chosen


for target in sys.argv[1:]:
    committed = HERE / "corpus" / target
    paths = [path for place in (committed, BUILD / "corpus" / target) for path in place.glob("*")]
    inputs = sorted({path.read_bytes() for path in paths if path.stat().st_size <= LONGEST})
    chosen = cover(reached(target, inputs))
    for path in committed.glob("*"):
        path.unlink()
    for data in chosen:
        (committed / hashlib.sha1(data).hexdigest()[:12]).write_bytes(data)
    print(f"{target}: {len(chosen)} of {len(inputs)} inputs")
