#!/usr/bin/env python3
"""Is docs/migrating.md true? Its names exist, and its "after" programs compile and print what it says.

  tests/migrating.py INCLUDE_DIR LIBRARY_DIR [PAGE]

CC and GO name other compilers. The Go programs are left out where there is no go or no pkg-config, those "as root"
where this is not root.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
GO_BINDING = HOUSE / "bindings" / "go"
PROGRAM = re.compile(r"^```(c|go)\n(.*?)^```$", re.M | re.S)
MARK = re.compile(r'// (before|after): (.*?)(, as root)?, prints "(.*)"$')
CC = [os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

failures = 0


def say(name, problem=None):
    global failures
    failures += problem is not None
    print(f"{'ok' if problem is None else 'not ok'} - {name}")
    for line in (problem or "").splitlines():
        print(f"#   {line}")


def skip(name, why):
    print(f"ok - {name} # SKIP {why}")


def unknown(names, known):
    lost = sorted(set(names) - set(known))
    return ("not there: " + ", ".join(lost)) if lost else None if names else "the page has none"


def declared_in_c(header):
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", header, flags=re.S)
    return re.findall(r"\b(?:runner|RUNNER)_\w+", code)


def declared_in_go(directory):
    """Exported fields, types, functions, methods and constants."""
    code = "".join(p.read_text() for p in directory.glob("*.go") if not p.name.endswith("_test.go"))
    code = re.sub(r"//[^\n]*", "", code)
    groups = re.findall(r"^(?:\t|type |func (?:\([^)]*\) )?|const |var )((?:[A-Z]\w*, )*[A-Z]\w*)", code, re.M)
    return [name for group in groups for name in group.split(", ")]


def go_column(page):
    """The names in the third column of the table of fields."""
    table = page.split("### Fields", 1)[1].split("\n###", 1)[0]
    rows = [re.split(r" (?<!\\)\| ", line) for line in table.splitlines() if line.startswith("| ")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row[2])]


def names(page, include):
    header = (include / "runner.h").read_text()
    in_c = re.findall(r"\b((?:runner|RUNNER)_\w*\w)", page)
    say("every runner_* and RUNNER_* of the page is in runner.h", unknown(in_c, declared_in_c(header)))
    say("every name in the Go column is in bindings/go", unknown(go_column(page), declared_in_go(GO_BINDING)))


def programs(page):
    """The "after" programs: language, file name, whether it needs root, what it prints, the text."""
    after, unmarked = [], []
    for language, text in PROGRAM.findall(page):
        mark = MARK.match(text.splitlines()[0])
        if not mark:
            unmarked.append(f"a {language} program begins with {text.splitlines()[0]!r}")
        elif mark[1] == "after":
            after.append((language, mark[2], mark[3] is not None, mark[4], text))
    say("every program says what it is", "\n".join(unmarked) or None)
    languages = {program[0] for program in after}
    say('there are "after" programs in C and in Go', None if languages == {"c", "go"} else str(languages))
    return after


def output_of(command, seconds, **options):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                         timeout=seconds, **options)
    if run.returncode:
        raise RuntimeError(f"{command[0]}: status {run.returncode}\n{run.stdout}{run.stderr}")
    return run.stdout


def build_c(source, program, include, library, scratch):
    output_of(CC + [str(source), f"-I{include}", f"-L{library}", "-lrunner", "-o", str(program)], 120)


def build_go(source, program, include, library, scratch):
    module = scratch / (source.stem + ".module")
    module.mkdir()
    shutil.copy(source, module / "main.go")
    (module / "go.mod").write_text(f"module migrated\n\ngo 1.21\n\nrequire librunner/runner v0.0.0\n\n"
                                   f"replace librunner/runner => {GO_BINDING}\n")
    (scratch / "librunner.pc").write_text(f"Name: librunner\nDescription: the one to test\nVersion: 0\n"
                                          f"Cflags: -I{include}\nLibs: -L{library} -lrunner\n")
    environment = dict(os.environ, PKG_CONFIG_PATH=str(scratch), GOFLAGS="-mod=mod", GOPROXY="off", CGO_ENABLED="1")
    if "HOME" not in os.environ:
        environment.setdefault("GOCACHE", str(scratch / "cache"))
    output_of([go(), "build", "-o", str(program), "."], 600, cwd=str(module), env=environment)


def go():
    return shutil.which(os.environ.get("GO", "go"))


def why_not(language, as_root):
    if as_root and os.geteuid() != 0:
        return "it needs root"
    if language == "go" and not go():
        return "go is not installed"
    if language == "go" and not shutil.which("pkg-config"):
        return "pkg-config is not installed"
    return None


def try_program(program, include, library, scratch):
    language, name, as_root, prints, text = program
    title = f"{name} prints what the page says"
    reason = why_not(language, as_root)
    if reason:
        return skip(title, reason)
    source, binary = scratch / name, scratch / (name + ".bin")
    source.write_text(text)
    try:
        {"c": build_c, "go": build_go}[language](source, binary, include, library, scratch)
        printed = output_of([str(binary)], 60, env=dict(os.environ, LD_LIBRARY_PATH=str(library)))
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as problem:
        return say(title, str(problem))
    say(title, None if printed.strip() == prints else f"wanted {prints!r}\ngot    {printed.strip()!r}")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    include, library = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    page = Path(sys.argv[3] if len(sys.argv) == 4 else HOUSE / "docs" / "migrating.md").read_text()
    names(page, include)
    after = programs(page)
    with tempfile.TemporaryDirectory() as scratch:
        for program in after:
            try_program(program, include, library, Path(scratch))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
