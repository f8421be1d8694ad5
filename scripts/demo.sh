#!/bin/sh
# Builds the sample repository of fixtures/repos/demo in demo/ and runs its change; called by `make demo`.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
PATH="$root/.venv/bin:$PATH" # the steps of the sample say `python -m pytest`
export PATH
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

say() {
    printf '\n$ %s\n' "$*"
}

rm -rf "$root/demo"
mkdir "$root/demo"
cp -R "$root/fixtures/repos/demo/repo" "$root/demo/shop"
cd "$root/demo/shop"
git -c init.templateDir= init --quiet --initial-branch=main
git add --all
git -c user.name='Demo' -c user.email='demo@example.org' -c commit.gpgsign=false -c core.hooksPath=/dev/null \
    commit --quiet --message='A shop that shows its products'
echo "The sample repository: demo/shop, with the approved change openspec/changes/add-orders."

say "parallel-implement add-orders --agent 'replay: fixtures/repos/demo/replay'"
python -m parallel_impl implement add-orders --agent "replay: $root/fixtures/repos/demo/replay"

say 'git log --oneline --graph --first-parent openspec/add-orders'
git --no-pager log --oneline --graph --first-parent openspec/add-orders

say 'git switch openspec/add-orders && python -m pytest -q'
git switch --quiet openspec/add-orders
python -m pytest -q
