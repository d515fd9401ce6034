#!/usr/bin/env python3
"""Makes C++ of the cases that all bindings share: cases.py ../cases.json >cases.cpp

Each case becomes a test that calls the API as a user would, so that the compiler checks the types. A word that is not
known here is an error: then there is no suite, and that is a failed test.
"""

import base64
import json
import sys


def literal(data):
    """Of bytes, NUL and all."""
    if isinstance(data, str):
        data = data.encode()
    plain = lambda byte: 32 <= byte < 127 and byte not in b'"\\?'
    return '"' + "".join(chr(byte) if plain(byte) else f"\\{byte:03o}" for byte in data) + '"sv'


def text(value):
    """Of a string in which {tmp} is the scratch directory."""
    pieces = value.split("{tmp}")
    if len(pieces) == 1:
        return literal(value)
    return "(" + " + tmp.path() + ".join(f"std::string({literal(piece)})" for piece in pieces) + ")"


def number(value):
    return f"{value}u" if value > 0x7FFFFFFF else str(value)


def texts(values):
    return "{" + ", ".join(map(text, values)) + "}"


def these(kind, names):
    return " | ".join(f"runner::{kind}::{name}" for name in names) or f"runner::{kind}::none"


def boolean(value):
    return {True: "true", False: "false"}[value]


def call(name, arguments):
    return f"command.{name}({arguments});"


def calls(name, lists):
    return [call(name, ", ".join(arguments)) for arguments in lists]


def mappings(name, own):
    return lambda lines: calls(name, [[own if n == "self" else number(n) for n in line] for line in lines])


def captures(name):
    return lambda by_fd: calls(name, [[fd, number(size)] for fd, size in by_fd.items()])


def option(name, convert):
    return lambda value: [call(name, convert(value))]


def nanoseconds(value):
    return f"std::chrono::nanoseconds({value})"


def credential(uid, gid, groups):
    return f"{uid}, {gid}, {{{', '.join(map(number, groups))}}}"


PIECES = {
    "bind": lambda source, target, flags: f"{text(source)}, {text(target)}, {these('bind_flag', flags)}",
    "tmpfs": lambda target, size, mode: f"{text(target)}, {size}, {mode}",
    "proc": lambda target, flags: f"{text(target)}, {these('proc_flag', flags)}",
    "dev": lambda target: text(target),
    "dir": lambda path, mode: f"{text(path)}, {mode}",
    "symlink": lambda to, path: f"{text(to)}, {text(path)}",
    "file": lambda path, contents, mode: f"{text(path)}, {text(contents)}, {mode}",
}


def root(pieces):
    return [call(word, PIECES[word](**values)) for piece in pieces for word, values in piece.items()]


def rlimits(lines):
    return calls("rlimit", [[f"RLIMIT_{name.upper()}", number(soft), number(hard)] for name, soft, hard in lines])


def exec_file(path):
    return [f"const runner::descriptor program(open({literal(path)}.data(), O_RDONLY));",
            "command.exec_fd(program.get());"]


def seccomp(lines):
    return "{" + ", ".join("{" + ", ".join(map(number, line)) + "}" for line in lines) + "}"


OPTIONS = {
    "args": option("args", texts),
    "env": option("env", texts),
    "workdir": option("workdir", text),
    "hostname": option("hostname", text),
    "pivot_root": option("pivot_root", text),
    "cgroup_root": option("cgroup_root", text),
    "stdin": option("stdin_bytes", text),
    "exec_file": exec_file,
    "capture": captures("capture"),
    "capture_head": captures("capture_head"),
    "wall_limit": option("wall_limit", nanoseconds),
    "cpu_limit": option("cpu_limit", nanoseconds),
    "memory_limit": option("memory_limit", number),
    "process_limit": option("process_limit", number),
    "output_limit": option("output_limit", number),
    "cpu_quota": option("cpu_quota", number),
    "umask": option("umask", number),
    "nice": option("nice", number),
    "no_new_privs": option("no_new_privs", boolean),
    "new_session_keyring": option("new_session_keyring", boolean),
    "drop_caps": option("drop_caps", boolean),
    "unshare": option("unshare", lambda names: these("ns", names)),
    "uid_mappings": mappings("uid_mapping", "geteuid()"),
    "gid_mappings": mappings("gid_mapping", "getegid()"),
    "credential": option("credential", lambda value: credential(**value)),
    "rlimits": rlimits,
    "seccomp": option("seccomp", seccomp),
    "root": root,
}

# How a case is started, and the call that fails where the start does.
HOW = {
    "run": (["const runner::result got = command.run();"], "run"),
    "start": (["const check::ending got(command.start());"], "start"),
    "held": (["const check::ending got(command.hold().resume());"], "hold"),
    "held_abort": (["runner::held held = command.hold();", "const pid_t pid = held.pid();",
                    "CHECK(check::is_there(pid));", "held.abort();"], "hold"),
    "kill": (["runner::process process = command.spawn();", "process.kill();",
              "const runner::result got = process.wait();"], "spawn"),
    "explain": (["const std::string got = command.explain();"], "explain"),
}

FIGURES = {"wall_ns": "got.wall().count()", "cpu_ns": "got.cpu().count()", "memory_peak": "got.memory_peak()",
           "process_limit_hits": "got.process_limit_hits()"}


def equal(got):
    return lambda value: [f"EQUAL({got}, {value});"]


def named(got):
    return lambda value: [f"EQUAL(runner::name({got}), {literal(value)});"]


def outputs(what, convert):
    return lambda by_fd: [f"EQUAL(got.output({fd}){what}, {convert(value)});" for fd, value in by_fd.items()]


def bounds(relation):
    return lambda values: [f"CHECK({FIGURES[name]} {relation} {n});" for name, n in values.items()]


EXPECT = {
    "verdict": named("got.verdict()"),
    "evidence": named("got.evidence()"),
    "exit_code": equal("got.exit_code()"),
    "signal": equal("got.signal()"),
    "output_cut": lambda value: [f"EQUAL(got.output_cut(), {boolean(value)});"],
    "output": outputs("", literal),
    "output_base64": outputs("", lambda value: literal(base64.b64decode(value))),
    "output_length": outputs(".size()", str),
    "at_least": bounds(">="),
    "at_most": bounds("<="),
    "gone": lambda value: {True: ["CHECK(!check::is_there(pid));"]}[value],
    "text_contains": lambda value: [f"CONTAINS(got, {literal(value)});"],
}

# Of `error`, which is thrown, and of `failed`, which is the same by value.
ERROR = {
    "stage": lambda value: [f"EQUAL({one}.stage_name(), {literal(value)});" for one in ("error", "failed")],
    "index": lambda value: [f"EQUAL({one}.index(), {value});" for one in ("error", "failed")],
    "errno": lambda value: [f"EQUAL({one}.code().value(), {value});" for one in ("error", "failed")],
    "message_contains": lambda value: [f"CONTAINS({one}, {literal(value)});"
                                       for one in ("error.what()", "failed.message()")],
}


def statements(table, expected):
    return [line for word, value in expected.items() for line in table[word](value)]


def fails(start, error):
    return ["command.check(); // no argument is wrong by itself", "runner::error_info failed;",
            f"const runner::error error = THROWN(command.{start}());", f"(void)command.{start}(failed);",
            *statements(ERROR, error)]


def checks(how, expected):
    lines, start = HOW[how]
    if "error" in expected:
        (error,) = expected.values()
        return fails(start, error)
    if expected == {"invalid": True}:
        return ["FAILS(EINVAL, command.check());", f"FAILS(EINVAL, command.{start}());"]
    return lines + statements(EXPECT, expected)


def test(name, options, expect, how="run", needs=()):
    lines = [f'check::needs("{need}");' for need in needs]
    lines += ["const check::scratch tmp;", "runner::command command;"]
    lines += statements(OPTIONS, options)
    lines += checks(how, expect)
    return f"TEST({literal('case: ' + name)[:-2]}) {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def main(path):
    with open(path, encoding="utf-8") as file:
        table = json.load(file)
    if len(table["cases"]) < 50 or set(table) != {"about", "cases"}:
        sys.exit(f"{path}: this is not the table of cases")
    print("// Made by cases.py of cases.json.")
    print('#include <fcntl.h>\n#include <linux/filter.h>\n#include <sys/resource.h>\n\n#include "check.hpp"\n')
    print("using namespace std::string_view_literals;\n")
    print("\n".join(test(**case) for case in table["cases"]))


main(sys.argv[1])
