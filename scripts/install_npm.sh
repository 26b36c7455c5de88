#!/bin/sh
# Install what the tests run under Node: MicroPython, in which the reader board's firmware is tested. Does nothing when it is there.
set -eu
cd "$(dirname "$0")/../tests/npm"
for tool in node npm; do
    command -v $tool >/dev/null || {
        echo "tokuten: the tests of the reader board need Node 18 or newer with npm; $tool is missing" >&2
        exit 4
    }
done
if cmp -s package-lock.json node_modules/.locked; then
    exit 0
fi
npm ci --ignore-scripts --no-audit --no-fund --silent || {
    echo "tokuten: the packages of tests/npm can't be installed. Is the package index reachable?" >&2
    exit 4
}
cp package-lock.json node_modules/.locked
