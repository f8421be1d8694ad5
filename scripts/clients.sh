#!/usr/bin/env bash
# Installs the clients of scripts/clients.txt, each below .clients/ by itself, their programs in .clients/bin; called by
# the Makefile. One that cannot be installed keeps no other back: exit 1 at the end, with the reasons printed.
# clients.sh NAME… installs only these (and node, which the others run on).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD/.clients
mkdir -p "$root/bin"
PATH=$root/bin:$PATH

reason() { # why npm or a program failed: the useful lines at the end of its log
    grep -v -e 'A complete log of this run' -e '^$' "$1" | tail -n 3 | sed 's/^/    /'
}

install() { # name, program, packages
    local name=$1 program=$2 package=$3 folder=$root/$1 log=$root/$1.log
    local -a packages
    read -ra packages <<< "$package"
    if [ "$(cat "$folder/installed" 2> /dev/null)" != "$package" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        echo '{"private": true}' > "$folder/package.json"
        if ! command -v npm > /dev/null; then
            echo 'npm is not on PATH: apt-get install npm, or from https://nodejs.org' > "$log"
            return 1
        fi
        timeout 300 npm install --prefix "$folder" --no-audit --no-fund --no-update-notifier --save-exact "${packages[@]}" \
            > "$log" 2>&1 < /dev/null || return 1
    fi
    ln -sfn "../$name/node_modules/.bin/$program" "$root/bin/$program"
    # what an installation is worth shows when the program starts; HOME, because some write into it at once
    HOME=$folder/home timeout 60 "$root/bin/$program" --version > "$log" 2>&1 < /dev/null || return 1
    echo "$package" > "$folder/installed"
}

failed=
while read -r name program package; do
    case " node $* " in *" $name "*) ;; *) [ $# -eq 0 ] || continue ;; esac
    if install "$name" "$program" "$package"; then
        printf '%-10s %s\n' "$name" "$package"
    else
        rm -f "$root/bin/$program"
        printf '%-10s %s: not installed\n' "$name" "$package"
        reason "$root/$name.log"
        failed="$failed $name"
    fi
done < <(grep -v '^#' scripts/clients.txt)
[ -z "$failed" ] || { echo "not installed:$failed (the whole output: .clients/<name>.log)"; exit 1; }
