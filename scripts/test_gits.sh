#!/bin/sh
# Runs the tests of git and of the command line on the oldest and the newest git of this machine (on PATH, and the one that
# `make test-gits` installs), and the command line's on a reftable and a SHA-256 repository. Called by the Makefile.
set -eu
cd "$(dirname "$0")/.."

gits() { # "<version> <folder>", one for each version, oldest first
    printf '%s\n' "$PATH:$PWD/.venv-gits/bin" | tr : '\n' | while read -r folder; do
        if [ -x "$folder/git" ]; then
            echo "$("$folder/git" version | cut -d ' ' -f 3) $folder"
        fi
    done | sort --version-sort --unique --key=1,1
}

failed=0
run() { # folder of git, format of the repositories, what to test
    folder=$1 format=$2
    shift 2
    printf '\n== %s, %s repositories: %s\n' "$("$folder/git" version)" "${format:-ordinary}" "$*"
    PATH="$folder:$PATH" PARALLEL_IMPL_TEST_FORMAT="$format" \
        .venv/bin/python -m pytest -n 2 --dist worksteal "$@" || failed=1
}

oldest=$(gits | head -n 1 | cut -d ' ' -f 2-)
newest=$(gits | tail -n 1 | cut -d ' ' -f 2-)
run "$oldest" '' tests/git tests/e2e
[ "$newest" = "$oldest" ] || run "$newest" '' tests/git tests/e2e
run "$newest" reftable tests/e2e
run "$newest" sha256 tests/e2e
exit "$failed"
