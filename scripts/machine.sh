#!/bin/sh
# Says what this machine lacks to run the tool, each with the command that installs it; called by the Makefile.
set -eu

python=${PYTHON:-python3}
missing=0

lacks() {
    printf '%s\n    %s\n' "$1" "$2" >&2
    missing=1
}

if ! command -v "$python" > /dev/null; then
    lacks "$python is not on PATH" "apt-get install python3 python3-venv   (or: PYTHON=/path/to/python3.12 make …)"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    lacks "$("$python" --version) is too old, 3.11 is needed" \
        "apt-get install python3.11 python3.11-venv && PYTHON=python3.11 make …"
elif ! "$python" -c 'import venv, ensurepip' 2> /dev/null; then
    lacks "$python has no venv module" \
        "apt-get install $("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
fi

if ! command -v git > /dev/null; then
    lacks "git is not on PATH" "apt-get install git"
else
    version=$(git version | sed -n 's/^git version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    major=${version% *}
    minor=${version#* }
    if [ "${major:-0}" -lt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -lt 38 ]; }; then
        lacks "$(git version) is too old, 2.38 is needed" "apt-get install git   (from a newer release, or backports)"
    fi
fi

exit "$missing"
