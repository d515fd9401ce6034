#!/usr/bin/env bash
# The tests of the Python package against an installed library: test.sh [PREFIX], by default build/prefix. Once as who
# runs this and, where that is root, once as an ordinary user. Ends with 77, and says why, where pytest or cffi cannot be
# had.
set -euo pipefail
given=${1:+$(realpath "$1")}
cd "$(dirname "$0")/../.."
prefix=${given:-$PWD/build/prefix}
venv=build/venv

# Of the system, where there is one: an ordinary user may not be able to reach another.
python=/usr/bin/python3
[ -x $python ] && $python -c 'import venv, ensurepip' 2>/dev/null || python=$(command -v python3) || {
    echo "Python: skipped, there is no python3"
    exit 77
}
if ! "$venv/bin/python" -c 'import cffi, mypy, pytest, setuptools, wheel' 2>/dev/null; then
    "$python" -m venv "$venv" &&
        "$venv/bin/pip" install -q --disable-pip-version-check cffi mypy pytest setuptools wheel || {
        echo "Python: skipped, no pytest, cffi and mypy here, nor from PyPI"
        exit 77
    }
fi
python3 bindings/declarations.py --check
export RUNNER_LIBRARY=$prefix/lib/librunner.so.0 PYTHONDONTWRITEBYTECODE=1
echo "Python: $("$venv/bin/python" --version)"
tests=("$venv/bin/python" -m pytest -q -rs -p no:cacheprovider bindings/python)
"${tests[@]}"
tools/as-user.sh "${tests[@]}"
