"""Nothing of runner.h is copied by hand, and nothing of it is left out."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

import librunner
from librunner import _declarations, _options
from librunner._library import ffi, lib

DECLARATIONS = json.loads((ROOT / "bindings/node/lib/declarations.json").read_text())
PACKAGE = ROOT / "bindings/python/librunner"


def test_the_files_are_what_the_header_says():
    subprocess.run([sys.executable, ROOT / "bindings/declarations.py", "--check"], check=True)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """What the C compiler says of every constant and every field."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    lines = [f'printf("{name} %llu\\n", (unsigned long long){name});' for name in DECLARATIONS["constants"]]
    for struct, fields in DECLARATIONS["structs"].items():
        lines.append(f'printf("{struct} %zu\\n", sizeof({struct}));')
        for _, field, *_ in fields:
            lines.append(f'printf("{struct}.{field} %zu %zu\\n", offsetof({struct}, {field}), '
                         f'sizeof((({struct} *)0)->{field}));')
    source = "\n".join([
        "#define _GNU_SOURCE", "#include <sched.h>", "#include <stdio.h>", "#include <sys/resource.h>",
        "#include <linux/mount.h>", '#include "runner.h"',
        "#ifndef CLONE_NEWTIME", "#define CLONE_NEWTIME 0x80", "#endif", "int main(void) {", *lines, "}"])
    directory = tmp_path_factory.mktemp("c")
    (directory / "layout.c").write_text(source)
    subprocess.run(["cc", f"-I{ROOT / 'include'}", "layout.c", "-o", "layout"], cwd=directory, check=True)
    said = subprocess.run([directory / "layout"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {line.split()[0]: [int(number) for number in line.split()[1:]] for line in said.splitlines()}


def test_every_struct_is_laid_out_as_in_c(compiled):
    for struct in DECLARATIONS["structs"]:
        fields = dict(ffi.typeof(struct).fields)
        assert [ffi.sizeof(struct)] == compiled[struct]
        for name, field in fields.items():
            assert [field.offset, ffi.sizeof(field.type)] == compiled[f"{struct}.{name}"], (struct, name)
        said = {name for name in compiled if name.startswith(f"{struct}.")}
        assert said == {f"{struct}.{name}" for name in fields}


def test_every_constant_is_what_c_has(compiled):
    for name, number in DECLARATIONS["constants"].items():
        assert compiled[name] == [number], name


def test_every_constant_is_a_member():
    words = {"RUNNER_": "", "CLONE_NEW": "Namespace.", "MS_": "MountFlag.", "RLIMIT_": "Rlimit."}
    members = {}
    for kind in vars(_declarations).values():
        if isinstance(kind, type) and kind.__module__ == _declarations.__name__:
            members.update({f"{kind.__name__}.{member.name}": int(member) for member in kind})
            assert getattr(librunner, kind.__name__) is kind
    constants = dict(DECLARATIONS["constants"])
    major, minor, patch = map(int, librunner.__version__.split("."))
    assert constants.pop("RUNNER_VERSION") == major << 16 | minor << 8 | patch
    for name, number in constants.items():
        prefix = next(prefix for prefix in words if name.startswith(prefix))
        word = words[prefix] + name[len(prefix):]
        if prefix == "RUNNER_":
            kind, rest = word.split("_", 1)
            word = f"{kind.capitalize()}.{rest}"
        word = {"Namespace.NS": "Namespace.MOUNT"}.get(word, word)
        assert members.pop(word) == number
    assert not members


def test_the_library_has_every_function():
    for function in DECLARATIONS["functions"]:
        assert getattr(lib, function["name"])


# A held start takes the place of the callback; clear_ resets what a new Command begins without; a wait is a poll of
# Python's, so that signals come through, and run() is made of it.
NOT_USED = re.compile(r"runner_(set_sync_func|clear_\w+|process_wait|run)")


def test_every_function_is_reached():
    text = "".join(path.read_text() for path in PACKAGE.glob("*.py") if path.name != "_declarations.py")
    for function in DECLARATIONS["functions"]:
        name = function["name"]
        if NOT_USED.fullmatch(name):
            continue
        if name in ("runner_verdict_name", "runner_evidence_name", "runner_source_name", "runner_stage_name"):
            kind = name.split("_")[1].capitalize()
            assert issubclass(getattr(librunner, kind), librunner._number.Named)
            continue
        words = {name, name.replace("runner_", "", 1), name.replace("runner_add_", "", 1)}
        if name in ("runner_set_exec_fd", "runner_set_cgroup_fd"):
            words.add(name[len("runner_set_"):].replace("exec_fd", "exec_file"))
        assert any(f"{quote}{word}" in text for word in words for quote in ('"', "lib.")), name


def test_every_option_is_declared():
    declared = set(librunner.Options.__annotations__)
    assert declared == (set(_options.APPLY) - {"args"}) | set(_options.BORROWED)


def test_unknown_numbers_are_no_error():
    for kind in (librunner.Verdict, librunner.Evidence, librunner.Source, librunner.Stage):
        assert kind(4000) == 4000
        assert kind(4000).name == "UNKNOWN_4000"
        assert kind(4000).label == "unknown"
    assert int(librunner.Missing(1 << 30 | 1)) == 1 << 30 | 1
    with pytest.raises(ValueError):
        librunner.Verdict("finished")


def test_labels_are_the_librarys():
    assert librunner.Verdict.WALL_LIMIT.label == "wall_limit"
    assert librunner.Evidence.OOM_KILLER.label == "OOM killer"
    assert librunner.Source.CGROUP_V2.label == "cgroup v2"
    assert librunner.Stage.ID_MAP.label == "id_map"
