#!/usr/bin/env python3
"""What can the child call between clone and exec? Disassembles the built archive and walks from the child's entry.

tools/child-calls.py target/release/librunner.a

The child may share the host's memory while other threads of the host hold locks, so it may call nothing but its own
interpreter and raw system calls. The control: the same walk from runner_start() meets malloc.
"""

import re
import subprocess
import sys

ENTRY = "runner::child::enter"
ALLOWED = {
    r"runner::child::": "the interpreter",
    r"runner::sys::": "raw system calls",
    r"<?nix::errno::.*from_raw": "a number to an enum, a table",
    r"(memcpy|memset|memmove)$": "of the C library, without state; bound when the library is loaded (-z now)",
    r"core(\[\w+\])?::panicking::panic_cannot_unwind": "never: it would end the child",
}
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
RELOCATION = re.compile(r"\bR_X86_64_(?:PLT32|PC32|GOTPCREL|GOTPCRELX|REX_GOTPCRELX)\s+(.*?)(?:[-+]0x[0-9a-f]+)?$")
INDIRECT = re.compile(r"\bcall +\*")


def disassembled(archive):
    """Function to what it refers to, and those that call through a pointer."""
    text = subprocess.run(
        ["objdump", "-dr", "--no-show-raw-insn", archive], capture_output=True, text=True, check=True
    ).stdout
    refers, indirect, here = {}, set(), None
    for line in text.splitlines():
        if found := FUNCTION.match(line):
            here = plain(found[1])
            refers.setdefault(here, set())
        elif here and (found := RELOCATION.search(line)):
            refers[here].add(plain(found[1]))
        elif here and INDIRECT.search(line) and "(%rip)" not in line:
            indirect.add(here)
    return refers, indirect


def plain(name):
    """Calls within the crate name the section, one a function."""
    return name.removeprefix(".text.").removeprefix("unlikely.")


def demangled(names):
    names = sorted(names)
    text = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return {name: re.sub(r"::h[0-9a-f]{16}$", "", words) for name, words in zip(names, text.splitlines())}


def reached(refers, start, beyond=lambda name: True):
    """All that can be reached from `start`, not looking beyond some."""
    seen, ahead = set(), [start]
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += refers.get(name, ()) if beyond(name) else ()
    # Constants are referred to in the same way as functions.
    return {name for name in seen if not re.match(r"\.?L?\.?(rodata|anon|data|bss|str)|switch\.table|alloc_", name)}


def main(archive):
    refers, indirect = disassembled(archive)
    names = demangled(refers.keys() | set().union(*refers.values()))
    entries = [name for name, words in names.items() if words == ENTRY]
    if len(entries) != 1:
        sys.exit(f"{ENTRY} is not in {archive}")

    def allowed(name):
        return any(re.match(pattern, names[name]) for pattern in ALLOWED)

    def ours(name):
        return names[name].startswith("runner::")

    child = reached(refers, entries[0], beyond=ours)
    for name in sorted(child, key=names.get):
        print("   ", names[name])
    bad = [names[name] for name in child if not allowed(name)]
    bad += [f"{names[name]} calls through a pointer" for name in child & indirect]
    if bad:
        sys.exit("the child can reach what it must not:\n    " + "\n    ".join(sorted(bad)))
    if "malloc" not in reached(refers, "runner_start"):
        sys.exit("the control fails: runner_start() does not reach malloc, so this walk sees nothing")
    print("ok: the child reaches these alone; runner_start(), the control, reaches malloc")


if __name__ == "__main__":
    if subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip() != "x86_64":
        print("skipped: it reads x86-64 relocations")
    else:
        main(sys.argv[1])
