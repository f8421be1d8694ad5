"""A run that an earlier version began goes on: its journal, results, claims and refs are read as they were written.

`tests/kept/killed-run` was left by the version before records were structs (commit af06ef5): `add-greeting` of the
fixture `diamond`, two at once. wp-words and wp-casual were accepted, the first attempt of wp-formal failed its
verification, and `kill -9` ended the tool while the second one worked. `@PLACE@` stands for the folder it lay in.
"""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path

import pytest

from parallel_impl.git.checkout import Source
from parallel_impl.git.repo import Repo
from parallel_impl.run.places import Places
from tests.repository import FIXTURES, command, git, tool

KEPT = Path(__file__).resolve().parent.parent / "kept" / "killed-run"
RUN_ID = "f61e8b020e17f5b0c81dcd81fda61227"
OWN = "refs/parallel-impl/add-greeting"
AGENT = f"""
from() {{ cp -R {FIXTURES}/diamond/replay/$1/1/. .; }}
case $1.$2 in
    wp-formal.3) grep -q test_not_yet tests/test_formal.py; from wp-formal ;;
    wp-integration.1) from wp-integration ;;
    *) exit 1 ;;
esac
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The repository as the earlier version left it, at another place.

    Its run has an id of its own: a start ends what carries the run's id, in a suite that runs beside this one too.
    """
    ours = secrets.token_hex(16)
    repo = tmp_path / "diamond"
    git(tmp_path, "init", "--quiet", "-b", "main", str(repo))
    git(repo, "fetch", "--quiet", "--update-head-ok", str(KEPT / "refs.bundle"), "refs/*:refs/*")
    git(repo, "reset", "--quiet", "--hard")
    state = repo / ".git/parallel-impl"
    shutil.copytree(KEPT, state, ignore=shutil.ignore_patterns("refs.bundle"))
    for file in (path for path in state.rglob("*") if path.is_file()):
        file.write_text(file.read_text().replace("@PLACE@", str(tmp_path)).replace(RUN_ID, ours))
    return repo


def test_what_an_earlier_version_left_is_shown(killed: Path) -> None:
    status = tool(killed, "status")
    assert status.stdout == "add-greeting  interrupted  2 accepted, 1 running, 1 planned\n", status.stderr
    runs = tool(killed, "runs").stdout.splitlines()
    gone = "its process is gone: the next run that wants its claims takes them over"
    assert runs[0] == f"add-greeting  interrupted, {gone}"
    assert "  wp-words  writes src/greet/words.py, tests/test_words.py" in runs
    shown = tool(killed, "show", "add-greeting", "wp-formal").stdout
    for text in ("failed: VERIFICATION_FAILED", "step unit tests: FAILED", "changed src/greet/formal.py", "no result"):
        assert text in shown


def test_the_worktree_of_an_earlier_version_is_taken_from_where_it_left_it(killed: Path, tmp_path: Path) -> None:
    places = Places(killed / ".git", "add-greeting")
    noted = json.loads(places.attempt_files("wp-formal", 2).record.read_text())
    home = tmp_path / "diamond.worktrees/add-greeting"
    source = Source.prepare(Repo(killed / ".git"), noted["start"], home, indexes=places.indexes)
    left = source.open("wp-formal", noted["start"], branch=places.package_branch("wp-formal"))
    assert left.path == home / "wp-formal"
    (left.path / "src/greet/formal.py").write_text("half = 1\n")
    done = tool(killed, "implement", "add-greeting", "--agent", command(tmp_path / "go-on.sh", AGENT))
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(killed, "show", f"{OWN}/attempts/wp-formal/2:src/greet/formal.py") == "half = 1"
    assert not home.exists()


def test_a_run_of_an_earlier_version_goes_on_and_lands(killed: Path, tmp_path: Path) -> None:
    accepted = {name: git(killed, "rev-parse", f"{OWN}/packages/{name}") for name in ("wp-words", "wp-casual")}
    done = tool(killed, "implement", "add-greeting", "--agent", command(tmp_path / "go-on.sh", AGENT), "--jobs", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    for name, commit in accepted.items():
        assert git(killed, "rev-parse", f"{OWN}/packages/{name}") == commit
    assert "OPENING['casual']" in git(killed, "show", "openspec/add-greeting:src/greet/casual.py")
    told = json.loads((killed / ".git/parallel-impl/add-greeting/summary.json").read_text())
    attempts = {package["id"]: [one["code"] for one in package["attempts"]] for package in told["packages"]}
    assert attempts == {
        "wp-words": [""],
        "wp-formal": ["VERIFICATION_FAILED", "INTERRUPTED", ""],
        "wp-casual": [""],
        "wp-integration": [""],
    }
    assert (told["jobs"], told["agent"].split("/")[-1].split()[0]) == (3, "go-on.sh")
    assert told["makespan_seconds"] < 600  # not the time since it was killed
