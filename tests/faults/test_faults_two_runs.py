"""Orchestrators side by side on one repository: no deadlock, no work done twice or at the same time, each one ends."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.repository import git, refs
from tests.several import agent, background, repository

# an agent that meets another one at work fails, and with it its run
ALONE = """
mkdir "$BUSY" || exit 9
echo "$CHANGE $1" >>"$LOG"
mkdir -p src && echo "$CHANGE" >src/shared.txt
rmdir "$BUSY"
"""
ONE_FILE = 'mkdir -p "src/$CHANGE" && echo "$1 $2" >"src/$CHANGE/$1.txt"\n'


def run_pairs(tmp_path: Path, rounds: int) -> None:
    """Start two overlapping changes at once, `rounds` times: both wait, or both don't, or one change twice."""
    names = [f"add-{letter}{number}" for number in range(rounds) for letter in "ab"]
    repo = repository(tmp_path / "repo", {name: {"wp-x": "src/shared.txt"} for name in names})
    working = agent(tmp_path, f"BUSY={tmp_path}/busy\nLOG={tmp_path}/attempts\n{ALONE}")
    landed: set[str] = set()
    for number in range(rounds):
        how = ("wait", "no-wait", "same")[number % 3]
        first, second = f"add-a{number}", f"add-a{number}" if how == "same" else f"add-b{number}"
        options = ("--wait" if how == "wait" else "--no-wait", *working)
        with (
            background(repo, tmp_path / f"{number}-1", "implement", first, *options) as one,
            background(repo, tmp_path / f"{number}-2", "implement", second, *options) as two,
        ):
            ended = {one.ends(): one, two.ends(): two}
            said = one.said + two.said
        allowed = {0} if how == "wait" else {0, 2}
        assert 0 in ended, said
        assert set(ended) <= allowed, said
        landed |= {name for name, run in ((first, one), (second, two)) if run.process.returncode == 0}
        assert not (repo / ".git/parallel-impl/.locks/_claims.json").exists(), said
    done = Counter((tmp_path / "attempts").read_text().splitlines())
    assert done == dict.fromkeys((f"{name} wp-x" for name in landed), 1)
    assert {name.removeprefix("refs/heads/openspec/") for name in refs(repo, "refs/heads/openspec")} == landed
    assert not (tmp_path / "repo.worktrees").exists()


@pytest.mark.slow
def test_two_orchestrators_never_work_at_once_where_they_overlap(tmp_path: Path) -> None:
    run_pairs(tmp_path, 5)


@pytest.mark.faults
def test_two_orchestrators_a_hundred_times(tmp_path: Path) -> None:
    run_pairs(tmp_path, 100)


@pytest.mark.faults
def test_two_hundred_packages_of_four_runs_at_once_lose_no_checkout(tmp_path: Path) -> None:
    packages = [f"wp-{number}" for number in range(50)]
    changes = {f"add-{letter}": {name: f"src/add-{letter}/{name}.txt" for name in packages} for letter in "abcd"}
    repo = repository(tmp_path / "repo", changes)
    working = agent(tmp_path, ONE_FILE)
    with ExitStack() as stack:
        runs = [stack.enter_context(background(repo, tmp_path / name, "implement", name, *working)) for name in changes]
        ended = [run.ends(1800) for run in runs]
    assert ended == [0, 0, 0, 0], "".join(run.said for run in runs)
    for change in changes:
        listed = git(repo, "ls-tree", "-r", f"openspec/{change}", "--", f"src/{change}/").splitlines()
        assert len(listed) == 50
        assert git(repo, "show", f"openspec/{change}:src/{change}/wp-7.txt") == "wp-7 1"  # the first attempt of each
        attempts = refs(repo, f"refs/parallel-impl/{change}/attempts")
        assert [name for name in attempts if not name.endswith("/1")] == []
    assert not (tmp_path / "repo.worktrees").exists()
