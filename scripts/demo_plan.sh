#!/bin/sh
# The change of fixtures/repos/demo without its plan: parallel-plan makes one, parallel-implement runs it; then the same
# change as one package, with --single. Called by `make demo-plan`; `demo_plan.sh FOLDER` builds it elsewhere.
# The work is played back from the recorded edits: no key and no network.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
PATH="$root/.venv/bin:$PATH" # the steps of the sample say `pytest`
export PATH
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
demo=${1:-$root/demo}
recorded=$root/fixtures/repos/demo/replay

say() {
    printf '\n$ %s\n' "$*"
}

repository() { # a name: the sample repository, whose change has no work-packages.yaml
    cp -R "$root/fixtures/repos/demo/repo" "$demo/$1"
    cd "$demo/$1"
    rm openspec/changes/add-orders/work-packages.yaml
    tasks=openspec/changes/add-orders/tasks.md # which says here what a task needs
    sed -e '/^- \[ \] 4\.1 /s/$/\n  **Dependencies**: 1.1/' -e '/^- \[ \] 5\.1 /s/$/\n  **Dependencies**: 2.1, 3.1, 4.1/' \
        "$tasks" > tasks.new
    mv tasks.new "$tasks"
    git -c init.templateDir= init --quiet --initial-branch=main
    git config user.name Demo
    git config user.email demo@example.org
    git config commit.gpgsign false
    git config core.hooksPath /dev/null
    git add --all
    git commit --quiet --message='A shop that shows its products'
}

play() { # a package, a recorded attempt, files of it
    package=$1 attempt=$2
    shift 2
    for file in "$@"; do
        mkdir -p "$demo/replay/$package/1/$(dirname "$file")"
        cp "$recorded/$attempt/$file" "$demo/replay/$package/1/$file"
    done
}

play_all() { # the packages that play the five recorded ones, in the order of their tasks
    play "$1" wp-contracts/1 api/openapi.yaml api/order.schema.json
    play "$2" wp-store/1 src/shop/store.py tests/test_store.py
    play "$3" wp-pricing/2 src/shop/pricing.py
    play "$3" wp-pricing/1 tests/test_pricing.py
    play "$4" wp-requests/1 src/shop/requests.py tests/test_requests.py
    play "$5" wp-integration/1 src/shop/app.py tests/test_orders.py
    play "$6" wp-integration/1 README.md
}

rm -rf "$demo"
mkdir -p "$demo"
play_all wp-contracts wp-store wp-pricing wp-requests wp-pricing wp-integration
play_all wp-single wp-single wp-single wp-single wp-single wp-single

repository shop
echo "The sample repository: $demo/shop; its change openspec/changes/add-orders has tasks and a design, and no plan."

say parallel-plan add-orders --write --yes
python -m parallel_impl plan add-orders --write --yes

say "git add openspec/changes/add-orders && git commit -m 'Plan of add-orders'"
git add openspec/changes/add-orders
git commit --quiet --message='Plan of add-orders'

say "parallel-implement add-orders --agent 'replay: …'"
python -m parallel_impl implement add-orders --agent "replay: $demo/replay"

say 'git log --oneline --graph --first-parent openspec/add-orders'
git --no-pager log --oneline --graph --first-parent openspec/add-orders
shop=$(git rev-parse 'openspec/add-orders:src')

repository single
printf '\nThe same change once more, in %s, as one package.\n' "$demo/single"
say "parallel-implement add-orders --single --agent 'replay: …'"
python -m parallel_impl implement add-orders --single --agent "replay: $demo/replay"

test "$(git rev-parse 'openspec/add-orders:src')" = "$shop" # both ways land the same code
printf '\nBoth ways landed the same code.\n'
