"""Preparation from planners to sign-off, with an agent that answers in this process."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from parallel_impl.agents.agent import AgentJob, Worked
from parallel_impl.agents.answer import Desk
from parallel_impl.planning.preparation import depth, prepare
from parallel_impl.planning.preparation.prepare import Prepared, Signer, Unfinished, Wanted
from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.record.codes import Failure
from parallel_impl.record.result import AgentRecord
from tests.planning import played_roles
from tests.planning.test_planning_preparation import TABLE

DONE = Worked(Ended(Reason.EXITED, 0, 0.0))


@dataclass
class Player:
    """Plays all roles; `before` is called with the question's name, and what it returns is how the work ended."""

    before: Callable[[str], Failure | None] = lambda _: None
    most: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    at_most: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)
    starts_processes: ClassVar[bool] = False
    provider: ClassVar[str] = ""
    record: ClassVar[AgentRecord] = AgentRecord(name="player", kind="command", program="player")

    def work(self, job: AgentJob) -> Worked:
        with self.guard:
            self.asked[job.package_id] += 1
            self.at_once += 1
            self.at_most = max(self.at_most, self.at_once)
        try:
            if code := self.before(job.package_id):
                return Worked(Ended(Reason.EXITED, 1, 0.0), code, "it says no")
            job.result_file.write_text(json.dumps(played_roles.answer(job.package_id, [])))
            return DONE
        finally:
            with self.guard:
                self.at_once -= 1


def prepared(player: Player, folder: Path, wanted: Wanted | None = None, stop: Stop | None = None) -> Prepared:
    desk = Desk("fix-typos", folder / "planning", Launch(folder, {}, Limits(60), stop=stop))
    said: list[str] = []
    return prepare.prepare(player, TABLE, {"design.md": "By hand."}, desk, wanted=wanted or Wanted(), say=said.append)


def in_pairs() -> Callable[[str], None]:
    """Lets planners go on two by two only."""
    pair = threading.Barrier(2, timeout=30)

    def wait(name: str) -> None:
        if name.startswith("plan-"):
            pair.wait()

    return wait


def test_as_many_planners_work_at_once_as_the_complexity_allows(tmp_path: Path) -> None:
    player = Player(in_pairs())
    done = prepared(player, tmp_path, Wanted(complexity=71))
    assert done.stop is None
    assert player.at_most == depth.CONCURRENCY[depth.Level.HIGH] == 2
    names = ["plan-core-1", "plan-integrations-1", "plan-tests-1", "plan-docs-1", "review", "synthesis", "sign-off"]
    assert player.asked == Counter(names)


def test_no_more_of_an_agent_work_at_once_than_its_configuration_says(tmp_path: Path) -> None:
    player = Player(most=1)
    assert prepared(player, tmp_path, Wanted(complexity=0)).stop is None
    assert player.at_most == 1


def test_a_provider_that_refuses_is_not_asked_again(tmp_path: Path) -> None:
    player = Player(lambda name: Failure.PROVIDER_QUOTA if "docs" in name else None)
    done = prepared(player, tmp_path)
    assert done.stop is None
    assert player.asked["plan-docs-1"] == 1
    assert player.asked["plan-docs-2"] == 0
    assert "- docs was not planned: PROVIDER_QUOTA: it says no" in done.text


def test_without_core_there_is_no_plan(tmp_path: Path) -> None:
    player = Player(lambda name: Failure.AGENT_FAILED if "core" in name else None)
    done = prepared(player, tmp_path)
    assert (done.stop, done.text) == (Unfinished.PLANNERS, "")
    assert player.asked["plan-core-3"] == 1
    assert player.asked["review"] == 0
    assert "core: AGENT_FAILED: it says no" in done.lines


def test_a_step_that_fails_ends_it_and_names_the_files(tmp_path: Path) -> None:
    for step, who in (
        ("review", "the integration reviewer"),
        ("synthesis", "the synthesizer"),
        ("sign-off", "the lead"),
    ):
        player = Player(lambda name, step=step: Failure.TIMEOUT if name == step else None)  # type: ignore[misc]
        done = prepared(player, tmp_path / step)
        assert done.stop is Unfinished.FAILED
        assert done.lines[0] == f"{who}: TIMEOUT: it says no"
        assert f"planning/{step}; the same command tries again" in done.lines[1]


def test_a_stop_asks_nobody_any_more(tmp_path: Path) -> None:
    stop = Stop()
    stop.set()
    player = Player()
    assert prepared(player, tmp_path, stop=stop).stop is Unfinished.INTERRUPTED
    assert player.asked == Counter()


def test_a_plan_that_a_person_is_to_sign_is_shown_to_no_lead(tmp_path: Path) -> None:
    player = Player()
    done = prepared(player, tmp_path, Wanted(Signer.ME, made_on="0123456789abcdef"))
    assert done.stop is Unfinished.UNSIGNED
    assert player.asked["sign-off"] == 0
    assert "- Made by parallel-plan --prepare on 0123456789ab, not signed.\n- Complexity 9: 40 x min(" in done.text
