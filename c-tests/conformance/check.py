#!/usr/bin/env python3
"""Fails where docs/conformance.md names a test that does not exist, and where a test is not named there.

    c-tests/conformance/check.py

A row of its tables is `| case | what it is about | tests | result |`. A test is `file.c` and the name of a case of
it in quotes, or as much of the name as makes clear which one is meant. The result begins with holds, differs or
does not apply; `note 1` is the first one of the list at the end of the page.
"""

import pathlib
import re
import sys

C_TESTS = pathlib.Path(__file__).resolve().parent.parent
PAGE = C_TESTS.parent / "docs" / "conformance.md"
DIRECTORIES = [C_TESTS, C_TESTS / "attacks", C_TESTS / "conformance"]

TABLE = re.compile(r"static const struct test tests\[\] = \{(.*?)\n\};", re.DOTALL)
CASE = re.compile(r'\{((?:\s*"(?:[^"\\]|\\.)*")+)\s*,\s*\w+\s*\}')
PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"')
REFERENCE = re.compile(r'`([\w]+\.c)`|"([^"]+)"')
NOTE = re.compile(r"note (\d+)$")
RESULTS = ("holds", "differs", "does not apply")

problems = []


def cases_of(path):
    """The names of the cases in a TAP program's table."""
    table = TABLE.search(path.read_text())
    found = CASE.findall(table.group(1)) if table else []
    return ["".join(PIECE.findall(literals)).replace('\\"', '"') for literals in found]


def programs():
    """The cases of every TAP program, by its file name."""
    return {path.name: cases_of(path) for directory in DIRECTORIES for path in directory.glob("*.c")}


def tests_of(cell, known):
    """The (file, case) pairs that a cell names."""
    file, named = None, []
    for name, part in REFERENCE.findall(cell):
        if name:
            file = name
            if name not in known:
                problems.append(f"no such file: {name}")
            continue
        matches = [case for case in known.get(file, []) if part in case]
        exact = [case for case in matches if case == part] or matches
        if len(exact) != 1:
            problems.append(f'{file}: "{part}" is the name of {len(exact)} cases')
        named += [(file, case) for case in exact]
    return named


def rows():
    """The cells of every row, with its line number, of the tables of cases."""
    head, before = "", ""
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        if line.startswith("| ---"):
            head = before
        elif line.startswith("| ") and before.startswith("| ") and head.startswith("| case |"):
            yield number, [cell.strip() for cell in line.strip("|").split("|")]
        before = line


def check_row(number, cells, known):
    if len(cells) != 4:
        problems.append(f"line {number}: {len(cells)} cells instead of 4")
        return []
    named = tests_of(cells[2], known)
    if not cells[3].startswith(RESULTS):
        problems.append(f"line {number}: what is the result?")
    if cells[3].startswith("holds") and not named:
        problems.append(f"line {number}: it holds, by which test?")
    return named


def check_notes():
    notes = PAGE.read_text().partition("\n## Notes\n")[2]
    known = set(re.findall(r"^(\d+)\. ", notes, re.MULTILINE))
    used = {number for _, cells in rows() for number in NOTE.findall(cells[-1])}
    for number in sorted(used ^ known, key=int):
        problems.append(f"note {number} is {'missing' if number in used else 'of no row'}")


def main():
    known = programs()
    named = {test for number, cells in rows() for test in check_row(number, cells, known)}
    check_notes()
    for path in (C_TESTS / "conformance").glob("*.c"):
        for case in known[path.name]:
            if (path.name, case) not in named:
                problems.append(f'{path.name}: "{case}" is not on the page')
    for problem in problems:
        print(f"docs/conformance.md: {problem}", file=sys.stderr)
    print(f"docs/conformance.md: {sum(1 for _ in rows())} rows name {len(named)} tests")
    sys.exit(1 if problems else 0)


main()
