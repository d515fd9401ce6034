"""The package as a user gets it: found, refused, typed, built, and its documentation."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, python

import librunner

PACKAGE = ROOT / "bindings/python"


def imported(library):
    """What a Python says that is given this library."""
    environment = dict(os.environ)
    os.environ["RUNNER_LIBRARY"] = str(library)
    try:
        host = python("-c", "import librunner; print(librunner.library_version())")
        out, err = host.communicate(timeout=30)
    finally:
        os.environ.clear()
        os.environ.update(environment)
    return host.returncode, out.strip(), err.strip().splitlines()[-1:]


@pytest.fixture
def library_of(tmp_path):
    """Makes a library that says it is of some version."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler")

    def make(version):
        (tmp_path / "v.c").write_text(f"unsigned runner_version(void) {{ return {version}; }}")
        subprocess.run(["cc", "-shared", "-fPIC", "v.c", "-o", f"{version}.so"], cwd=tmp_path, check=True)
        return tmp_path / f"{version}.so"
    return make


def test_versions(library_of):
    major, minor, patch = map(int, librunner.__version__.split("."))
    assert librunner.library_version().rsplit(".", 1)[0] == f"{major}.{minor}"
    newer_patch = imported(library_of(major << 16 | minor << 8 | patch + 1))
    assert newer_patch == (0, f"{major}.{minor}.{patch + 1}", [])
    status, _, err = imported(library_of(major << 16 | minor + 1 << 8))
    assert status == 1
    assert f"is librunner {major}.{minor + 1}.0, but this package is for {major}.{minor}.{patch}" in err[0]
    status, _, err = imported(library_of(major + 1 << 16 | minor << 8))
    assert status == 1 and err[0].startswith("ImportError: ")


def test_no_library(tmp_path):
    for library in (tmp_path / "nowhere.so", "/bin/true", "/usr", "nowhere.so"):
        status, _, err = imported(library)
        assert status == 1 and err[0].startswith("ImportError: librunner's shared library cannot be loaded"), err


def test_the_import_is_quick():
    """It parses the declarations each time, which is about 50 ms; many times that would be an in-line mistake."""
    host = python("-X", "importtime", "-c", "import librunner")
    _, err = host.communicate(timeout=30)
    took = int(re.search(r"\|\s*(\d+) \| librunner$", err, re.M)[1])
    assert took < 2_000_000


def mypy(*args):
    """Its status and what it says. In a process of its own: what it leaves in memory would slow other tests down."""
    if not importlib.util.find_spec("mypy"):
        pytest.skip("no mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, *args]
    env = {**os.environ, "MYPYPATH": str(PACKAGE)}
    checked = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return checked.returncode, checked.stdout


def test_types():
    config = ("--config-file", PACKAGE / "pyproject.toml")
    status, out = mypy(*config, PACKAGE / "librunner", ROOT / "examples/python/grade.py")
    assert status == 0, out


TYPED = {
    "options": ("librunner.run(['/x'], cpu_limit=1, unshare=librunner.Namespace.USER)", False),
    "a result": ("r = librunner.run(['/x'])\nx: float = r.wall + r.cpu", False),
    "asyncio": ("async def f() -> float:\n    return (await librunner.Command(['/x']).run_async()).cpu", False),
    "a wrong type": ("librunner.run(['/x'], cpu_limit='1')", True),
    "no such option": ("librunner.run(['/x'], cpu_limits=1)", True),
    "bytes are no text": ("x: str = librunner.run(['/x']).stdout", True),
    "no such verdict": ("librunner.Verdict.NO_SUCH", True),
}


@pytest.mark.parametrize("code, wrong", TYPED.values(), ids=TYPED)
def test_a_users_types(code, wrong):
    status, out = mypy("--config-file", os.devnull, "--follow-imports=silent", "-c", f"import librunner\n{code}\n")
    assert (status != 0) == wrong, out


def test_a_wheel(tmp_path):
    pytest.importorskip("wheel")
    if int(importlib.metadata.version("setuptools").split(".")[0]) < 61:
        pytest.skip("setuptools is older than pyproject.toml wants")
    source = tmp_path / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("tests", "build", "*.egg-info", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    # A user without a home is no user to setuptools.
    env = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run([*pip, "wheel", "--no-build-isolation", "--no-deps", "-w", tmp_path, source], env=env, check=True)
    wheel = tmp_path / f"librunner-{librunner.__version__}-py3-none-any.whl"
    assert wheel.exists(), list(tmp_path.iterdir())
    installed = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", installed, wheel], check=True)
    assert (installed / "librunner/py.typed").exists() and not (installed / "tests").exists()
    distribution, = importlib.metadata.distributions(path=[str(installed)])
    assert (distribution.metadata["Name"], distribution.version) == ("librunner", librunner.__version__)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    said = subprocess.run([sys.executable, "-c", "import librunner as r; print(r.__file__, r.run(['/bin/true']).ok)"],
                          env=environment, cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert said == f"{installed}/librunner/__init__.py True\n"


README = (PACKAGE / "README.md").read_text()


SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.mark.parametrize("code", SNIPPETS, ids=range(len(SNIPPETS)))
def test_the_code_of_the_readme(code):
    host = python("-W", "error", "-c", code)
    out, err = host.communicate(timeout=60)
    assert (host.returncode, err) == (0, "")
    said = re.findall(r"# prints (.*)", code)
    assert [line for line in said if line not in out] == []


def test_everything_public_is_described():
    things = {name: getattr(librunner, name) for name in librunner.__all__}
    for name, thing in things.items():
        assert not callable(thing) or thing.__doc__, name
        for attribute, value in vars(thing).items() if isinstance(thing, type) else ():
            if not attribute.startswith("_") and (callable(value) or isinstance(value, property)):
                assert value.__doc__, f"{name}.{attribute}"
