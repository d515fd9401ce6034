#!/usr/bin/env python3
"""Grades a program: grade.py PROGRAM INPUT EXPECTED

The program sees its input, a root with the system's programs in it, and nothing else of the machine. What it prints
is compared with EXPECTED, white space at the end aside. Exits with 0 where it is accepted.
"""

import os
import sys
import tempfile
from pathlib import Path

from librunner import Bind, Credential, LaunchError, Namespace, Result, Root, Verdict, run

MIB = 1 << 20
NOBODY = 65534


def judge(program: str, data: bytes, root: str) -> Result:
    """Runs it as nobody: root's nobody is the machine's, an ordinary user's is himself."""
    is_root = os.geteuid() == 0
    user, group = (NOBODY, NOBODY) if is_root else (os.geteuid(), os.getegid())
    return run(
        ["/program"],
        input=data,
        unshare=Namespace.USER | Namespace.PID | Namespace.MOUNT | Namespace.NET | Namespace.IPC | Namespace.UTS,
        uid_mappings=[(NOBODY, user, 1)],
        gid_mappings=[(NOBODY, group, 1)],
        credential=Credential(NOBODY, NOBODY) if is_root else None,
        root=Root(root)
        .bind("/bin").bind("/usr").bind("/lib").bind("/lib64", flags=Bind.RO | Bind.REC | Bind.OPTIONAL)
        .bind(os.path.abspath(program), "/program")
        .tmpfs("/tmp", 16 * MIB).proc().dev(),
        drop_caps=True,
        no_new_privs=True,
        cpu_limit=1,
        wall_limit=3,
        memory_limit=64 * MIB,
        process_limit=16,
        output_limit=MIB,
    )


def verdict(result: Result, expected: bytes) -> str:
    if not result.ok:
        return f"{result.verdict.label} by {result.evidence.label}"
    same = result.stdout.rstrip() == expected.rstrip()
    return "accepted" if same else "wrong_answer"


def main(program: str, data: str, expected: str) -> int:
    with tempfile.TemporaryDirectory() as root:
        result = judge(program, Path(data).read_bytes(), root)
    said = verdict(result, Path(expected).read_bytes())
    print(f"{said}; {result.cpu * 1000:.1f} ms CPU, {result.memory_peak / MIB:.1f} MiB")
    return said != "accepted"


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: grade.py PROGRAM INPUT EXPECTED")
    try:
        sys.exit(main(*sys.argv[1:]))
    except (LaunchError, OSError) as error:
        sys.exit(f"grade.py: {error}")
