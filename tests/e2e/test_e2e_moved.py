"""A repository that was moved, or whose worktrees are gone, between two starts: the same command goes on and lands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.means import written
from tests.repository import FIXTURES, command, contents, git, make_repository, refs, start, tool, wait_for

WORK = f"cp -R '{FIXTURES}/no-contracts/replay/'\"$1\"/1/. .\n"
ATTEMPT = "refs/parallel-impl/fix-typos/attempts/wp-index/1"
HOME = "no-contracts.worktrees/fix-typos"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the repository of a run that was killed while its second package was at work."""
    place = tmp_path / "old"
    place.mkdir()
    repo = make_repository("no-contracts", place)
    running = start(repo, "implement", "fix-typos", "--agent", agent(tmp_path))
    wait_for(tmp_path / "up", running)
    running.kill()
    running.wait()
    assert (written(place / HOME, "wp-index", "no-contracts") / "index.md").exists()
    assert ATTEMPT not in refs(repo)
    return place


def agent(tmp_path: Path) -> str:
    wait = f'[ "$1" = wp-guide ] || [ -e {tmp_path}/go ] || {{ {{ {{ touch {tmp_path}/up; sleep 600; }}; }}; }}\n'
    return command(tmp_path / "agent.sh", f'echo "$1" >>{tmp_path}/ran\n{WORK}{wait}')


def lands(repo: Path, tmp_path: Path) -> str:
    """Go on and land; what was said. No accepted package runs again."""
    (tmp_path / "go").touch()
    done = tool(repo, "implement", "fix-typos", "--agent", agent(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "ran").read_text().split() == ["wp-guide", "wp-index", "wp-index"]
    assert git(repo, "show", "openspec/fix-typos:index.md") == "# Index\n\n- Guide"
    return done.stderr


def test_with_its_worktrees_the_crashed_attempt_is_saved(place: Path, tmp_path: Path) -> None:
    new = tmp_path / "new/place"
    new.parent.mkdir()
    place.rename(new)
    repo = new / "no-contracts"
    said = lands(repo, tmp_path)
    assert git(repo, "show", f"{ATTEMPT}:index.md") == "# Index\n\n- Guide"
    assert f"worktrees were in {place / HOME} and are in {new / HOME} from now on" in said
    assert not place.exists()
    assert sorted(path.name for path in new.iterdir()) == ["no-contracts"]
    assert tool(repo, "cleanup", "fix-typos").returncode in (0, 1)


def test_without_its_worktrees_they_are_found_where_they_were(place: Path, tmp_path: Path) -> None:
    repo = tmp_path / "renamed"
    (place / "no-contracts").rename(repo)
    lands(repo, tmp_path)
    assert git(repo, "show", f"{ATTEMPT}:index.md") == "# Index\n\n- Guide"
    assert not (place / HOME).exists()


def test_worktrees_that_are_gone_are_said_and_the_run_goes_on(place: Path, tmp_path: Path) -> None:
    shutil.rmtree((place / HOME).parent)
    said = lands(place / "no-contracts", tmp_path)
    assert f"wp-index: what attempt 1 had done is gone: its worktree is not in {place / HOME} any more" in said
    assert ATTEMPT not in refs(place / "no-contracts")


def test_a_copy_leaves_the_worktrees_of_the_original_alone(place: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy/no-contracts"
    shutil.copytree(place / "no-contracts", copy, symlinks=True)
    (place / HOME / "base.gate").mkdir()  # as while the gates run on the base
    (place / HOME / "base.gate/index.md").write_text("the original's\n")
    before = contents(place / HOME)
    lands(copy, tmp_path)
    assert contents(place / HOME) == before
    started = (place / "no-contracts/.git/parallel-impl/fix-typos/journal.jsonl").read_text().splitlines()[0]
    assert json.loads(started)["home"] == str(place / HOME)
