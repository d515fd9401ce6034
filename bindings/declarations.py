#!/usr/bin/env python3
"""Turns include/runner.h into what the Node and the Python binding need of it.

    bindings/declarations.py           writes both files
    bindings/declarations.py --check   exits 1 with a diff where one of them is not what the header says

The header is cbindgen's, so its shape is known: what this does not know is an error here, never left out.
"""

import argparse
import difflib
import json
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JSON = "bindings/node/lib/declarations.json"
PYTHON = "bindings/python/librunner/_declarations.py"

# The kernel's own numbers that options take, which runner.h leaves to the system's headers. The Python suite
# compares them with what the C compiler says.
KERNEL = {
    "CLONE_NEWTIME": 0x80,
    "CLONE_NEWNS": 0x20000,
    "CLONE_NEWCGROUP": 0x2000000,
    "CLONE_NEWUTS": 0x4000000,
    "CLONE_NEWIPC": 0x8000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
    "MS_RDONLY": 1,
    "MS_NOSUID": 2,
    "MS_NODEV": 4,
    "MS_NOEXEC": 8,
    "MS_SYNCHRONOUS": 16,
    "MS_REMOUNT": 32,
    "MS_MANDLOCK": 64,
    "MS_DIRSYNC": 128,
    "MS_NOSYMFOLLOW": 256,
    "MS_NOATIME": 1024,
    "MS_NODIRATIME": 2048,
    "MS_BIND": 4096,
    "MS_MOVE": 8192,
    "MS_REC": 1 << 14,
    "MS_SILENT": 1 << 15,
    "MS_UNBINDABLE": 1 << 17,
    "MS_PRIVATE": 1 << 18,
    "MS_SLAVE": 1 << 19,
    "MS_SHARED": 1 << 20,
    "MS_RELATIME": 1 << 21,
    "MS_STRICTATIME": 1 << 24,
    "MS_LAZYTIME": 1 << 25,
    "RLIMIT_CPU": 0,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_DATA": 2,
    "RLIMIT_STACK": 3,
    "RLIMIT_CORE": 4,
    "RLIMIT_RSS": 5,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
    "RLIMIT_MEMLOCK": 8,
    "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10,
    "RLIMIT_SIGPENDING": 11,
    "RLIMIT_MSGQUEUE": 12,
    "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14,
    "RLIMIT_RTTIME": 15,
}

# prefix: the Python class, its base, and what it is. Every constant belongs to one of them.
CLASSES = {
    "RUNNER_SESSION_": ("Session", "Number", "The program's session and process group."),
    "RUNNER_BIND_": ("Bind", "IntFlag", "How a file or directory of the host is bound."),
    "RUNNER_PROC_": ("Proc", "IntFlag", "What the program sees of /proc."),
    "RUNNER_MISSING_": ("Missing", "IntFlag", "What limits and figures had to do without."),
    "RUNNER_CONTROLLER_": ("Controller", "IntFlag", "Cgroup controllers."),
    "RUNNER_STAGE_": ("Stage", "Named", "Where a start was when it failed."),
    "RUNNER_VERDICT_": ("Verdict", "Named", "How a run ended."),
    "RUNNER_EVIDENCE_": ("Evidence", "Named", "What decided a verdict."),
    "RUNNER_SOURCE_": ("Source", "Named", "Where a figure comes from."),
    "CLONE_NEW": ("Namespace", "IntFlag", "Which namespaces are new (namespaces(7))."),
    "MS_": ("MountFlag", "IntFlag", "The flags of mount(2)."),
    "RLIMIT_": ("Rlimit", "Number", "The resources of getrlimit(2)."),
}
# Names that say more in Python than the kernel's own.
RENAMED = {"CLONE_NEWNS": "MOUNT", "RLIMIT_NOFILE": "NOFILE"}


class Header:
    """What a header declares, in its order."""

    def __init__(self, text):
        self.constants = {}
        self.docs = {}
        self.opaque = []
        self.structs = {}
        self.functions = []
        for doc, name in re.findall(r"/\*\*((?:(?!\*/).)*)\*/\s*(?:#define +)?(RUNNER_\w+)", text, re.S):
            self.docs[name] = [line.strip(" *") for line in doc.strip().splitlines()]
        for declaration in declarations(self.macros(text)):
            self.declaration(declaration)

    def macros(self, text):
        """Takes the macros out: numbers are constants; the _INIT ones are C's alone."""
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
        text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.S)
        for line in re.findall(r"^#.*", text, re.M):
            number = re.fullmatch(r"#define (RUNNER_\w+) (0x[0-9a-f]+|\d+)", line.strip())
            if number:
                self.constants[number[1]] = int(number[2], 0)
            elif not re.match(r"#(ifndef RUNNER_H|define RUNNER_H$|include|endif|define RUNNER_\w+_INIT )", line):
                sys.exit(f"runner.h: not understood: {line}")
        return re.sub(r"^#.*", "", text, flags=re.M)

    def declaration(self, text):
        """One declaration, without its semicolon and with single spaces."""
        if found := re.fullmatch(r"typedef struct (\w+) \1", text):
            self.opaque.append(found[1])
        elif found := re.fullmatch(r"typedef enum (\w+) \{(.*)\} \1", text):
            for entry in filter(None, (part.strip() for part in found[2].split(","))):
                name, number = entry.split(" = ")
                self.constants[name] = int(number)
        elif found := re.fullmatch(r"typedef struct (\w+) \{(.*)\} \1", text):
            self.structs[found[1]] = [field(part.strip()) for part in found[2].split(";") if part.strip()]
        elif found := re.fullmatch(r"(\w[\w ]*(?: \*|\b))(runner_\w+)\((.*)\)", text):
            self.functions.append(function(found[1].strip(), found[2], found[3]))
        elif text != "struct sock_filter":
            sys.exit(f"runner.h: not understood: {text}")


def declarations(text):
    """The declarations of a text, split at the semicolons outside of braces."""
    flat = re.sub(r"\s+", " ", text)
    # A struct's tag and its typedef are the same type; one name is enough for the bindings.
    flat = re.sub(r"(?<!typedef )struct (runner_\w+)", r"\1", flat)
    found = re.findall(r"[^;{}]+(?:\{[^{}]*\}[^;{}]*)?;", flat)
    if "".join(found).strip() != flat.strip():
        sys.exit("runner.h: something between its declarations")
    return [declaration.strip(" ;") for declaration in found]


def field(text):
    """`uint32_t size` is [type, name]; an array has its length as a third."""
    found = re.fullmatch(r"(\w+) (\w+)(?:\[(\d+)\])?", text)
    if not found:
        sys.exit(f"runner.h: not understood: {text}")
    return [found[1], found[2]] + ([int(found[3])] if found[3] else [])


def parameter(text):
    """`const int *fds` is [type, name], a pointer to a function too."""
    if found := re.fullmatch(r"(\w+) \(\*(\w+)\)(\(.*\))", text):
        return [f"{found[1]} (*){found[3]}", found[2]]
    found = re.fullmatch(r"(.*?[ *])(\w+)", text)
    return [found[1].strip(), found[2]]


def function(returns, name, text):
    params = [parameter(part) for part in re.split(r", (?![^(]*\))", text)] if text != "void" else []
    between = "" if returns.endswith("*") else " "
    return {"name": name, "prototype": f"{returns}{between}{name}({text})", "returns": returns, "params": params}


def version():
    """The library's, which the bindings share."""
    return re.search(r'^version = "([^"]+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]


def node(header):
    """One line an entry, so that a change is a short diff."""
    def block(entries):
        return ",\n".join(f"    {entry}" for entry in entries)

    def named(table):
        return block(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in table.items())

    return "\n".join([
        "{",
        '  "about": "Made by bindings/declarations.py from include/runner.h; do not edit.",',
        f'  "version": {json.dumps(version())},',
        '  "constants": {', named({**header.constants, **KERNEL}), "  },",
        f'  "opaque": {json.dumps(header.opaque)},',
        '  "structs": {', named(header.structs), "  },",
        '  "functions": [', block(json.dumps(function) for function in header.functions), "  ]",
        "}", ""])


def c_declarations(header):
    """What cffi parses. pid_t is an int on every Linux."""
    lines = ["typedef int pid_t;"]
    lines += [f"typedef struct {name} {name};" for name in header.opaque]
    for name, fields in header.structs.items():
        lines.append(f"typedef struct {name} {{")
        lines += [f"    {kind} {field}{''.join(f'[{n}]' for n in length)};" for kind, field, *length in fields]
        lines.append(f"}} {name};")
    return lines + [f"{function['prototype']};" for function in header.functions]


def python_class(header, prefix):
    name, base, about = CLASSES[prefix]
    lines = ["", "", f"class {name}({base}):", f'    """{about}"""', ""]
    for constant, number in {**header.constants, **KERNEL}.items():
        if constant.startswith(prefix):
            doc = re.sub(r"^runner_\w+(\.\w+)?: ", "", " ".join(header.docs.get(constant, [])).strip())
            lines += textwrap.wrap(doc, 116, initial_indent="    #: ", subsequent_indent="    #: ")
            lines.append(f"    {RENAMED.get(constant, constant[len(prefix):])} = {number}")
    return lines


def python(header):
    lines = [
        '"""Made by bindings/declarations.py from include/runner.h; do not edit."""',
        "",
        "from enum import IntFlag",
        "",
        "from ._number import Named, Number",
        "",
        f'VERSION = "{version()}"',
        "",
        'CDEF = """\\', *c_declarations(header), '"""']
    for prefix in CLASSES:
        lines += python_class(header, prefix)
    return "\n".join([*lines, ""])


def files():
    header = Header((ROOT / "include/runner.h").read_text())
    for name in {**header.constants, **KERNEL}:
        if name != "RUNNER_VERSION" and not name.startswith(tuple(CLASSES)):
            sys.exit(f"{name} belongs to no class of CLASSES")
    return {JSON: node(header), PYTHON: python(header)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is not up to date")
    check = parser.parse_args().check
    drift = False
    for name, text in files().items():
        path = ROOT / name
        old = path.read_text() if path.exists() else ""
        if check and old != text:
            drift = True
            sys.stdout.writelines(difflib.unified_diff(
                old.splitlines(True), text.splitlines(True), name, "what include/runner.h says"))
        elif old != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if drift:
        sys.exit("not up to date: run bindings/declarations.py and commit what it writes")


if __name__ == "__main__":
    main()
