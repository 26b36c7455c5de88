#!/bin/sh
# Run the checks named as arguments (lint, tests), all of them also when one fails; end with 1 if any failed.
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=

step() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed $name"
}

for what in "$@"; do
    case $what in
    lint)
        step style $bin/ruff check
        step format $bin/ruff format --check --quiet
        step types $bin/mypy
        step imports $bin/lint-imports --no-cache
        step purity $bin/python -m scripts.check_purity
        ;;
    tests)
        step tests $bin/pytest -n "${WORKERS:-2}" --dist loadfile --quiet
        ;;
    *)
        echo "check.sh: no check is called $what" >&2
        exit 2
        ;;
    esac
done

if [ -n "$failed" ]; then
    echo "FAILED:$failed" >&2
    exit 1
fi
