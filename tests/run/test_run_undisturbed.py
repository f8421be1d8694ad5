"""Gates that write to what they judge: each alone then, and the one that leaves other content behind is broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.quality import Gate
from parallel_impl.git.checkout import Checkout
from parallel_impl.run import undisturbed
from tests.git.scene import Scene, make_user, open_scene

Act = Callable[[Path], object]
NOTHING: Act = lambda _: None  # noqa: E731


@dataclass
class Played:
    """Gates that are functions; which of them ran together, round by round."""

    scene: Scene
    acts: dict[str, Act]
    rounds: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, *gates: Gate) -> dict[str, GateReport]:
        scene = self.scene
        name, commit = scene.checkout.folder.name, scene.checkout.commit

        def reopen() -> str:
            scene.source.open(name, commit)
            return ""

        return undisturbed.run(gates, scene.checkout, scene.trees, start=self.start, reopen=reopen)

    def start(self, checkout: Checkout, gates: Sequence[Gate]) -> dict[str, GateReport]:
        self.rounds.append(tuple(gate.name for gate in gates if gate.runs))
        for gate in gates:
            self.acts[gate.name](checkout.path)
        return {gate.name: GateReport(gate.name, GateState.GREEN, 0) for gate in gates}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return open_scene(make_user(tmp_path / "user"), tmp_path)


def put(path: str, text: str) -> Act:
    return lambda root: (root / path).write_text(text)


def broken(found: dict[str, GateReport]) -> list[str]:
    return [name for name, report in found.items() if report.state is GateState.BROKEN]


def test_gates_that_change_nothing_run_side_by_side_once(scene: Scene) -> None:
    played = Played(scene, {"a": put("new.xml", "report"), "b": NOTHING})
    assert broken(played.run(Gate("a", "x"), Gate("b", "x"))) == []
    assert played.rounds == [("a", "b")]


def test_the_one_that_edits_is_named_and_the_others_are_judged_without_it(scene: Scene) -> None:
    played = Played(scene, {"a": put("src/pkg/a.py", "mended\n"), "b": NOTHING})
    found = played.run(Gate("a", "x"), Gate("b", "x"))
    assert broken(found) == ["a"]
    assert "src/pkg/a.py" in found["a"].why
    assert played.rounds == [("a", "b"), ("a",), ("b",)]


def test_one_that_puts_back_what_it_changed_is_only_kept_apart(scene: Scene) -> None:
    played = Played(scene, {"a": put("src/pkg/a.py", "a\n"), "b": NOTHING})
    assert broken(played.run(Gate("a", "x"), Gate("b", "x"))) == []
    assert played.rounds == [("a", "b"), ("a",), ("b",)]


def test_one_that_is_alone_runs_once(scene: Scene) -> None:
    played = Played(scene, {"a": put("src/pkg/a.py", "mended\n"), "off": NOTHING})
    assert broken(played.run(Gate("a", "x"), Gate("off", off=True))) == ["a"]
    assert played.rounds == [("a",)]


def test_a_removed_file_and_a_new_one_that_steers_are_edits(scene: Scene) -> None:
    removing = Played(scene, {"a": lambda root: (root / "src/pkg/b.py").unlink()})
    assert broken(removing.run(Gate("a", "x"))) == ["a"]


def test_a_new_file_that_steers_a_gate_is_an_edit(scene: Scene) -> None:
    assert broken(Played(scene, {"a": put("src/pkg/conftest.py", "")}).run(Gate("a", "x"))) == ["a"]


def test_what_may_write_runs_apart_and_only_where_it_may(scene: Scene) -> None:
    played = Played(scene, {"a": put("src/pkg/a.py", "mended\n"), "b": NOTHING})
    assert broken(played.run(Gate("a", "x", writes=("src/**",)), Gate("b", "x"))) == []
    assert played.rounds == [("b",), ("a",)]
    assert broken(played.run(Gate("a", "x", writes=("docs/**",)), Gate("b", "x"))) == ["a"]
