#!/bin/sh
# Prints the Python interpreters from 3.11 on that this machine has, one for each version, oldest first: those on PATH, else
# pyenv's. Says on stderr which of the versions that pyproject.toml names are not here.
set -eu
cd "$(dirname "$0")/.."

works() { # pyenv leaves commands on PATH for versions that are not switched on; Debian has Pythons without venv
    "$1" -c 'import ensurepip, venv' > /dev/null 2>&1
}

find_python() {
    for python in "$(command -v "python$1" || true)" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/"python$1"; do
        if [ -n "$python" ] && works "$python"; then
            printf '%s\n' "$python"
            return
        fi
    done
    ! grep -q "Python :: $1\"" pyproject.toml || echo "Python $1 is not on this machine" >&2
}

for minor in 11 12 13 14 15 16 17 18 19; do
    find_python "3.$minor"
done
