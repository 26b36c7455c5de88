#!/bin/sh
# Make or complete .venv from requirements/$1.txt (demo, dev, kiosk, pi, central): hashes checked, no system
# package needed, nothing done when it is there already. Ends with one clear sentence where it can't go on.
set -eu
cd "$(dirname "$0")/.."
kind=$1
lock=requirements/$kind.txt

stop() {
    echo "tokuten: $*" >&2
    exit 4
}

stamp_of() { # what an installation depends on: the lock, the project's own metadata, where it lies
    { cat "requirements/$1.txt" pyproject.toml; pwd; } | cksum
}

stands() { # is kind $1 installed as it is locked now?
    [ -x .venv/bin/tokuten ] && [ "$(cat ".venv/stamp-$1" 2>/dev/null)" = "$(stamp_of "$1")" ]
}

# The development environment has everything that the demo needs.
if stands "$kind" || { [ "$kind" = demo ] && stands dev; }; then
    exit 0
fi

fits='import sys; sys.exit(0 if sys.version_info >= (3, 11) else 1)'

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
        if "$candidate" -c "$fits" 2>/dev/null; then
            python=$(command -v "$candidate")
            return
        fi
    done
    found=$(python3 --version 2>/dev/null || echo 'none at all')
    stop "Python 3.11 or newer is needed; found here: $found. PYTHON=/path/to/python3.11 make demo names another one."
}

python=
find_python
"$python" -c 'import struct, sys; sys.exit(struct.calcsize("P") != 8)' ||
    stop "a 64-bit system is needed: $python is 32-bit, and the barcode reader has no packages for that."

# An environment whose Python is gone or too old is made anew; a good one is kept.
if ! .venv/bin/python -c "$fits" 2>/dev/null; then
    rm -rf .venv
    if "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        "$python" -m venv .venv
    elif "$python" -m pip --python "$python" --version >/dev/null 2>&1; then
        # Debian without python3-venv: no pip for the new environment, but one outside that can fill it.
        "$python" -m venv --without-pip .venv || stop "$python can't make an environment: sudo apt install python3-venv"
    else
        stop "$python has neither ensurepip nor pip: sudo apt install python3-venv"
    fi
fi

pip() {
    if .venv/bin/python -c 'import pip' 2>/dev/null; then
        .venv/bin/python -m pip --disable-pip-version-check "$@"
    else
        "$python" -m pip --disable-pip-version-check --python .venv/bin/python "$@"
    fi
}

rm -f ".venv/stamp-$kind"
echo "Setting up .venv ($kind): this takes a minute, once." >&2
pip install --quiet --require-hashes --requirement "$lock" ||
    stop "the packages of $lock can't be installed; the lines above say why. Is the package index reachable?"
pip install --quiet --no-deps --no-build-isolation --editable . ||
    stop "the project itself can't be installed into .venv; the lines above say why."
stamp_of "$kind" >".venv/stamp-$kind"
