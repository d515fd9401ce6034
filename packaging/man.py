#!/usr/bin/env python3
"""Makes the man page runner(3) from the text of runner.h.

packaging/man.py HEADER VERSION EXAMPLE >runner.3
"""

import re
import sys
from pathlib import Path

SEE_ALSO = [
    "clone(2)", "execve(2)", "pidfd_open(2)", "pivot_root(2)", "prctl(2)", "seccomp(2)", "setrlimit(2)",
    "capabilities(7)", "cgroups(7)", "credentials(7)", "mount_namespaces(7)", "namespaces(7)",
    "user_namespaces(7)",
]


def comment(text):
    """The paragraphs of a comment, without its stars."""
    lines = [re.sub(r"^\s*(/\*\*?|\*/|\*)? ?", "", line) for line in text.strip().splitlines()]
    text = "\n".join(lines).replace("*/", "").strip()
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


DECLARED = re.compile(
    r"/\*\*(?P<doc>.*?)\*/\n"
    r"(?P<code>#define[^\n]*|typedef (?:struct|enum) \w+ \{.*?\n\} \w+;|[^/]*?;)",
    re.S,
)
MEMBER = re.compile(r"/\*\*(?P<doc>.*?)\*/\n\s*(?P<code>[^\n]*)[,;]", re.S)


def declared(pattern, text):
    """What is declared with a comment before it: its paragraphs, and its C."""
    return [(comment(found["doc"]), found["code"].strip()) for found in pattern.finditer(text)]


def escape(text):
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")


def prose(text):
    text = escape(text)
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text)
    text = re.sub(r"\b([a-z_0-9]+)\((\d\w?)\)", r"\\fB\1\\fR(\2)", text)
    text = re.sub(r"\b(runner_\w+)\(\)", r"\\fB\1\\fR()", text)
    text = re.sub(r"\b(RUNNER_[A-Z_*0-9]+)", r"\\fB\1\\fR", text)
    return "\\&" + text if text.startswith((".", "'")) else text


def paragraphs(out, texts):
    for text in texts:
        out += [".PP", prose(text)]


def code(out, text):
    out += [".PP", ".nf"]
    out += ["\\fB" + escape(line) + "\\fR" if line.strip() else "" for line in text.splitlines()]
    out.append(".fi")


def entry(out, name, texts):
    out += [".TP", "\\fB" + escape(name) + "\\fR"]
    for number, text in enumerate(texts):
        if number:
            out.append(".IP")
        out.append(prose(text))


def description(out, opening):
    """The conventions: those that begin with a headword of theirs become a list."""
    for text in opening:
        headword, found, rest = text.partition(". ")
        if found and len(headword.split()) <= 2:
            entry(out, headword, [rest])
        else:
            paragraphs(out, [text])


def page(header, version, example):
    opening = comment(re.search(r"/\*(.*?)\*/", header, re.S).group(1))
    everything = declared(DECLARED, header.split("#define RUNNER_H", 1)[1])
    kind = {"#define": [], "typedef": []}
    functions = []
    for texts, text in everything:
        kind.get(text.split()[0], functions).append((texts, text))

    out = ['.\\" Made by packaging/man.py from runner.h: do not edit.']
    out.append(f'.TH RUNNER 3 "" "librunner {version}" "Library Functions Manual"')
    out += [".SH NAME", "runner \\- " + escape(opening[0].split(": ", 1)[1].rstrip("."))]
    out += [".SH LIBRARY", "librunner (\\fI\\-lrunner\\fR)"]
    out.append(".SH SYNOPSIS")
    code(out, "#include <runner.h>\n\ncc program.c $(pkg-config --cflags --libs librunner)")
    out.append(".SH DESCRIPTION")
    description(out, opening[3:])
    out.append(".SH FUNCTIONS")
    for texts, text in functions:
        out.append(".SS " + re.search(r"(runner_\w+)\(", text).group(1))
        code(out, text)
        paragraphs(out, texts)
    out.append(".SH TYPES")
    for texts, text in kind["typedef"]:
        out.append(".SS " + re.search(r"(\w+);$", text).group(1))
        paragraphs(out, texts)
        for inner, member in declared(MEMBER, text.partition("{")[2]):
            entry(out, member, inner)
    out.append(".SH CONSTANTS")
    for texts, text in kind["#define"]:
        entry(out, text.split()[1], texts)
    out.append(".SH EXAMPLES")
    code(out, example.partition("#include")[1] + example.partition("#include")[2])
    out.append(".SH SEE ALSO")
    out.append(",\n".join(re.sub(r"(.*)(\(.*)", r"\\fB\1\\fR\2", page) for page in SEE_ALSO))
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    header, version, example = sys.argv[1:]
    sys.stdout.write(page(Path(header).read_text(), version, Path(example).read_text()))
