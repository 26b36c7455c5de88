#!/bin/sh
# Write requirements/*.txt: every package with its version and hashes, one file for each kind of machine.
# The development lock is made first; the others take their versions from it, so that all agree.
# Versions are kept where they still fit; `scripts/lock.sh --upgrade` takes the newest.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-uv}
options="--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links
         --no-header --no-annotate --no-config"

lock() {
    name=$1; shift
    echo "requirements/$name.txt"
    # shellcheck disable=SC2086
    "$uv" pip compile $options "$@" pyproject.toml requirements/build.in --output-file "requirements/$name.txt" $upgrade
}

upgrade=${1:-}
lock dev --extra central --extra simulator --extra till --extra dev
for file in "kiosk" "pi --extra pi --extra till" "central --extra central" \
            "demo --extra central --extra simulator --extra till"; do
    # shellcheck disable=SC2086
    lock $file --constraint requirements/dev.txt
done

if grep -nE '(file:|https?:|--(extra-)?index-url|--find-links| @ )' requirements/*.txt; then
    echo 'a lock names an index or a path: it would work on this machine only' >&2
    exit 1
fi
