#!/bin/sh
# From nothing to a merged pull request in demo-pr/: init, plan, run, pull request, merge by squash, cleanup, archive.
# The forge is the one of the tests, on the loopback, and the agent a script: no account, key or network is needed.
# Called by `make demo-pr`; `demo_pr.sh FOLDER` works in another folder.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
PATH="${BIN:-$root/.venv/bin}:$PATH" # for parallel-implement, parallel-impl, …, and the tests of the sample
export PATH
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
folder=${1:-$root/demo-pr}

run() { # a command as the README has it: shown, then done
    printf '\n$ %s\n' "$*"
    "$@"
}

commit() {
    git add --all
    git -c user.name='Demo' -c user.email='demo@example.org' -c commit.gpgsign=false -c core.hooksPath=/dev/null \
        commit --quiet --message="$1"
}

serve_forge() { # starts the forge, and exports what its user has set; lines to descriptor 3 are its orders
    mkfifo "$folder/orders" "$folder/answers"
    (cd "$root" && exec python -m tests.forge.github "$folder/forge" acme/units) < "$folder/orders" > "$folder/answers" &
    forge=$!
    trap 'exec 3>&- 4<&-; kill $forge 2> /dev/null' EXIT
    exec 3> "$folder/orders" 4< "$folder/answers"
    told=''
    while read -r line <&4 && [ -n "$line" ]; do
        told="$told
$line"
    done
    eval "$told"
}

rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
serve_forge
cp -R "$root/fixtures/units/repo" "$folder/units"
cd "$folder/units"
git -c init.templateDir= init --quiet --initial-branch=main
commit 'A package that converts nothing yet, and an approved change'
git remote add origin "$REMOTE"
git push --quiet origin main
echo "The sample repository: $folder/units, with the approved change openspec/changes/add-measures."

run parallel-impl init
{
    echo 'forge = "github" # the address of this one does not tell'
    cat parallel-impl.toml
} > with-forge
mv with-forge parallel-impl.toml
commit 'Set up parallel-implement'

run parallel-plan add-measures --write --yes
commit 'Plan of add-measures'
run git push --quiet origin main

run parallel-implement add-measures --agent "command: $root/fixtures/units/agent.sh {prompt_file}" --pr
run parallel-impl show add-measures

printf '\nSomebody merges the pull request, by squash:\n'
echo 'merge 1 squash' >&3
read -r merged <&4
echo "main of acme/units is $merged"
run git pull --quiet origin main

# opens the pull request of the archive too; without the openspec program it says that there is none
run parallel-cleanup add-measures --pr
run python -m pytest -q
