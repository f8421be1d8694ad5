#!/usr/bin/env bash
# with_a_lock.sh PACKAGES JOBS SECONDS: what people write before they look for a tool. A worktree and a branch for each
# package, merged under a lock. There is no scope, no verification, no answer to a failure, and nothing goes on after one.
set -euo pipefail
base=$(git rev-parse HEAD) trees=$PWD.trees seconds=$3
export base trees seconds
git worktree add --quiet -b openspec/bench "$trees/landed"
one() {
    flock "$trees/lock" git worktree add --quiet -b "$1" "$trees/$1" "$base"
    cd "$trees/$1"
    sh agent.sh "$1" "$seconds"
    git add --all
    git commit --quiet --message "$1"
    flock "$trees/lock" git -C "$trees/landed" merge --quiet --no-ff --message "merge $1" "$1"
    cd "$trees" && flock "$trees/lock" git -C "$trees/landed" worktree remove --force "$trees/$1"
}
export -f one
seq -f 'p%04g' 0 $(($1 - 1)) | xargs -P "$2" -I '{}' bash -euo pipefail -c 'one {}'
