#!/bin/sh
# Builds the sample repository of fixtures/repos/demo in demo/ and runs its change; called by `make demo`.
# `demo.sh anthropic`: the work is done by the built-in agent, which asks a model on the loopback that plays the recorded
# edits (`make demo-agent`): a real agent's run, without a key and without a network.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
PATH="$root/.venv/bin:$PATH" # the steps of the sample say `python -m pytest`
export PATH
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

say() {
    printf '\n$ %s\n' "$*"
}

serve_model() { # starts the model, puts its address into $address
    mkfifo "$root/demo/address"
    (cd "$root" && exec python -m tests.models.stub) > "$root/demo/address" &
    model=$!
    trap 'kill $model 2> /dev/null' EXIT
    read -r address < "$root/demo/address"
    rm "$root/demo/address"
}

rm -rf "$root/demo"
mkdir "$root/demo"
cp -R "$root/fixtures/repos/demo/repo" "$root/demo/shop"
cd "$root/demo/shop"
agent="replay: $root/fixtures/repos/demo/replay"
shown="'replay: fixtures/repos/demo/replay'"
if [ "${1:-}" = anthropic ]; then
    agent=anthropic shown=anthropic
    serve_model
    cat >> pyproject.toml << END

# with a key of your own in ANTHROPIC_API_KEY none of this is needed
[tool.parallel-impl.agents.anthropic]
kind = "anthropic"
base_url = "$address/work"
key = "DEMO_KEY"
END
    export DEMO_KEY=no-key-is-needed-here
fi
git -c init.templateDir= init --quiet --initial-branch=main
git add --all
git -c user.name='Demo' -c user.email='demo@example.org' -c commit.gpgsign=false -c core.hooksPath=/dev/null \
    commit --quiet --message='A shop that shows its products'
echo "The sample repository: demo/shop, with the approved change openspec/changes/add-orders."

say "parallel-implement add-orders --agent $shown"
python -m parallel_impl implement add-orders --agent "$agent"

if [ "$agent" = anthropic ]; then
    say 'parallel-impl logs add-orders wp-pricing'
    python -m parallel_impl logs add-orders wp-pricing
fi

say 'git log --oneline --graph --first-parent openspec/add-orders'
git --no-pager log --oneline --graph --first-parent openspec/add-orders

say 'git switch openspec/add-orders && python -m pytest -q'
git switch --quiet openspec/add-orders
python -m pytest -q
