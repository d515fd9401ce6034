#!/usr/bin/env python3
"""Whether runner.hpp has all of runner.h: declared.py ../../include >declared.cpp

Makes C++ that does not compile where a constant of runner.h has another number in runner.hpp, or no name; fails where
runner.hpp does not use a function or a field of runner.h.
"""

import re
import sys
from pathlib import Path

# In the place of these there is something else: hold(), run(), wait(), and no more than one copy of an output.
ELSEWHERE = {"runner_set_sync_func", "runner_run", "runner_process_wait"}
# What is named otherwise, since `new` is a word of C++.
NAMES = {"SESSION_NEW": "new_session", "SESSION_GROUP": "new_group"}
KINDS = {"STAGE": "stage", "VERDICT": "verdict", "EVIDENCE": "evidence", "SOURCE": "source", "SESSION": "session",
         "BIND": "bind_flag", "PROC": "proc_flag", "MISSING": "missing", "CONTROLLER": "controller"}
NAMESPACES = {"user": "USER", "mount": "NS", "pid": "PID", "net": "NET", "ipc": "IPC", "uts": "UTS",
              "cgroup": "CGROUP", "time": "TIME"}


def constants(header):
    found = re.findall(r"^(?:#define|   ) RUNNER_([A-Z]+)_([A-Z0-9_]+) ?=? \d+,?$", header, re.MULTILINE)
    for kind, name in found:
        yield f"runner::{KINDS[kind]}::{NAMES.get(f'{kind}_{name}', name.lower())}", f"RUNNER_{kind}_{name}"


def fields(header, struct):
    body = re.search(r"typedef struct %s \{(.*?)^\}" % struct, header, re.MULTILINE | re.DOTALL).group(1)
    return set(re.findall(r"^    \w+ (\w+)(?:\[\d+\])?;", body, re.MULTILINE)) - {"size"}


def unused(header, cpp):
    functions = set(re.findall(r"\b(runner_[a-z_0-9]+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)))
    for function in sorted(functions - ELSEWHERE):
        if not re.search(rf"\b{function}\b[(,)]", re.sub(r"/\*.*?\*/", "", cpp, flags=re.DOTALL)):
            yield function
    for struct in "runner_error_t", "runner_result_t", "runner_probe_t":
        yield from (f"{struct}.{field}" for field in sorted(fields(header, struct)) if f"raw_.{field}" not in cpp)


def main(include):
    header, cpp = (Path(include, name).read_text() for name in ("runner.h", "runner.hpp"))
    left = list(unused(header, cpp))
    if left:
        sys.exit(f"runner.hpp does not have {', '.join(left)}")
    pairs = list(constants(header))
    if len(pairs) < 90:
        sys.exit(f"runner.h cannot be read any more: only {len(pairs)} constants")
    pairs += [(f"runner::ns::{name}", f"CLONE_NEW{kernel}") for name, kernel in NAMESPACES.items()]
    print("// Made by declared.py of runner.h.\n#include <linux/sched.h>\n\n#include <runner.hpp>\n")
    for cpp_name, c_name in pairs:
        print(f"static_assert(static_cast<unsigned long>({cpp_name}) == {c_name});")


main(sys.argv[1])
