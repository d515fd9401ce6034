#!/usr/bin/env python3
"""Do the programs in a text work when they are copied? Each says itself what it prints: a comment `prints REGEX`.

tests/readme.py PREFIX README.md

PREFIX is where `make prefix` has installed the library. A language whose tools are not here is skipped, with the reason.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(c|cpp|go|js|python)\n(.*?)^```$", re.M | re.S)
PRINTS = re.compile(r"(?://|#|/\*) prints (.*?)(?: \*/)?$", re.M)


class Skipped(Exception):
    pass


def tool(*names):
    for name in names:
        if found := shutil.which(name):
            return found
    raise Skipped(f"no {names[0]} here")


def run(command, where, **more):
    environment = {**os.environ, **more}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise AssertionError(f"{command[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def compiled(compiler, name, standard):
    def go(prefix, where, code):
        (where / name).write_text(code)
        flags = [f"-I{prefix}/include", f"-L{prefix}/lib", "-lrunner", f"-Wl,-rpath,{prefix}/lib"]
        run([tool(compiler), standard, "-Wall", "-Wextra", "-Werror", name, *flags, "-o", "program"], where)
        return run(["./program"], where)

    return go


def in_go(prefix, where, code):
    found = subprocess.run([HOUSE / "bindings/go/toolchain.sh"], capture_output=True, text=True)
    if found.returncode:
        raise Skipped("no Go here")
    binding = HOUSE / "bindings/go"
    (where / "main.go").write_text(code)
    (where / "go.mod").write_text(
        f"module copied\ngo 1.21\nrequire librunner/runner v0.1.0\nreplace librunner/runner => {binding}\n"
    )
    search = {"PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig", "LD_LIBRARY_PATH": f"{prefix}/lib"}
    cache = {"GOCACHE": str(HOUSE / "build/go/cache"), "GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": "-mod=mod"}
    return run([found.stdout.strip(), "run", "."], where, **search, **cache)


def in_node(prefix, where, code):
    package = HOUSE / "bindings/node"
    if not (package / "node_modules/koffi").exists():
        raise Skipped("koffi is not installed in bindings/node")
    (where / "node_modules").mkdir()
    (where / "node_modules/librunner").symlink_to(package)
    (where / "program.mjs").write_text(code)
    return run([tool("node"), "program.mjs"], where, RUNNER_LIBRARY=f"{prefix}/lib/librunner.so.0")


def in_python(prefix, where, code):
    python = HOUSE / "build/venv/bin/python"
    interpreter = str(python) if python.exists() else tool("python3")
    if subprocess.run([interpreter, "-c", "import cffi"], capture_output=True).returncode:
        raise Skipped("no cffi here")
    (where / "program.py").write_text(code)
    search = {"PYTHONPATH": str(HOUSE / "bindings/python"), "RUNNER_LIBRARY": f"{prefix}/lib/librunner.so.0"}
    return run([interpreter, "program.py"], where, **search)


WAYS = {
    "c": compiled("cc", "program.c", "-std=c11"),
    "cpp": compiled("c++", "program.cpp", "-std=c++17"),
    "go": in_go,
    "js": in_node,
    "python": in_python,
}


def try_block(prefix, language, code):
    promised = PRINTS.search(code)
    if not promised:
        raise AssertionError("it does not say what it prints")
    with tempfile.TemporaryDirectory() as where:
        printed = WAYS[language](prefix, Path(where), code)
    if not re.search(promised[1], printed):
        raise AssertionError(f"promised {promised[1]!r}, printed {printed!r}")


def main(prefix, text):
    prefix = Path(prefix).resolve()
    failed = 0
    blocks = BLOCK.findall(Path(text).read_text())
    for number, (language, code) in enumerate(blocks, 1):
        name = f"{text}: program {number}, {language}"
        try:
            try_block(prefix, language, code)
            print(f"ok - {name}")
        except Skipped as reason:
            print(f"ok - {name} # SKIP {reason}")
        except (AssertionError, OSError, subprocess.TimeoutExpired) as wrong:
            failed += 1
            print(f"not ok - {name}")
            print("\n".join(f"#   {line}" for line in str(wrong).splitlines()))
    missing = set(WAYS) - {language for language, _ in blocks}
    if missing:
        failed += 1
        print(f"not ok - {text} has no program in {', '.join(sorted(missing))}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
