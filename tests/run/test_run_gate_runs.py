"""Gates on one tree, in a real checkout of it: what they see, what of theirs is kept, which reports are believed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from parallel_impl import storage
from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.quality import Gate
from parallel_impl.git.surroundings import Surroundings
from parallel_impl.run import gate_runs
from parallel_impl.run.gate_runs import CANDIDATE, Reports
from parallel_impl.run.run import Run
from parallel_impl.run.spec import Workspace
from tests.run.scene import commit, make_repository, open_run, package

TOLD = "s3cret-value"


@dataclass
class Looked:
    """A run whose candidate has the file `f`."""

    run: Run
    candidate: str

    def at(self, *gates: Gate, known: dict[str, Reports] | None = None) -> Reports:
        seen = {"PATH": os.environ["PATH"]}
        spec = replace(self.run.spec, gates=gates, environment=seen, agent_environment={**seen, "MY_TOKEN": TOLD})
        launch = replace(self.run.launch, env=seen, mask=(TOLD.encode(),))
        return gate_runs.look(spec, self.run.workspace, launch, self.candidate, tell=lambda _: None, known=known)


@pytest.fixture
def looked(tmp_path: Path) -> Iterator[Looked]:
    repo, empty = make_repository(tmp_path / "user.git")
    base, home = commit(repo, empty, {"f": "old\n"}), tmp_path / "home"
    run = open_run(repo, base, home, package("a"))
    run.workspace = Workspace.open(repo, run.workspace.places, base, home, checkout=None)
    yield Looked(run, commit(repo, base, {"f": "new\n"}))
    run.journal.close()


def states(found: Reports) -> dict[str, str]:
    return {name: str(report.state) for name, report in found.items()}


def test_gates_run_on_the_tree_and_see_no_secret(looked: Looked) -> None:
    found = looked.at(Gate("content", "grep new f"), Gate("blind", 'test -z "${MY_TOKEN:-}"'))
    assert states(found) == {"content": "green", "blind": "green"}


def test_what_a_gate_prints_is_masked_before_anybody_can_read_it(looked: Looked) -> None:
    log = looked.run.workspace.places.gate_logs(CANDIDATE) / "says.log"
    waits = f"until grep -q end {log}; do sleep 0.02; done; ! grep {TOLD} {log}"
    found = looked.at(Gate("says", f"echo {TOLD}; seq 999; echo end; {waits}"))
    assert (states(found), b"***" in log.read_bytes()) == ({"says": "green"}, True)


def test_what_fails_on_a_full_disk_is_no_verdict(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LEAST", 1 << 62)
    assert states(looked.at(Gate("green", "true"))) == {"green": "green"}
    with pytest.raises(OSError, match="No space left"):
        looked.at(Gate("red", "false"))


def test_what_is_known_of_a_tree_counts_for_the_same_gates_only(looked: Looked) -> None:
    tree = looked.run.workspace.repo.tree(looked.candidate)
    known = {tree: {"old": GateReport("old", GateState.GREEN, 0)}}
    assert states(looked.at(Gate("old", "false"), known=known)) == {"old": "green"}
    assert states(looked.at(Gate("old", "true"), Gate("new", "false"), known=known)) == {"old": "green", "new": "red"}


def test_what_ran_beside_foreign_files_is_not_believed(looked: Looked) -> None:
    home, places = looked.run.workspace.home, looked.run.workspace.places
    around = Surroundings(home, frozenset(places.gate_checkouts), frozenset())
    looked.run.workspace = replace(looked.run.workspace, surroundings=around)
    (report,) = looked.at(Gate("forges", f"touch {home}/conftest.py")).values()
    assert (report.state, report.foreign) == (GateState.RED, True)


def test_a_gate_that_edits_what_it_judges_is_broken(looked: Looked) -> None:
    (report,) = looked.at(Gate("edits", "echo more >> f")).values()
    assert report.state is GateState.BROKEN
    assert gate_runs.explain_broken(report, "").splitlines()[:3] == [
        "gate edits is broken on the base: it changes files that it judges: f",
        '  let it only check, or permit that: gates.edits.writes = ["f"]',
        "  repair it in the base, or write gates.edits = false; such a line stands in parallel-impl.toml; commit that,"
        " and give the same command again",
    ]
