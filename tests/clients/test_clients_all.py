"""Each client by its real program, through whole runs: work, no work, a wrong key, and an end by SIGTERM."""

from __future__ import annotations

import os
import signal

import pytest

from tests.clients.conftest import Stage
from tests.clients.scene import CLIENTS, KEY, PACKAGE
from tests.models.scenario import Run, Scenario

pytestmark = pytest.mark.clients
each_client = pytest.mark.parametrize("client", CLIENTS)


@each_client
def test_the_work_of_a_client_lands_and_its_key_is_kept_nowhere(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play("work")
    scene.configure()
    assert scene.run() == 0, scene.said()
    assert scene.landed() == "right"
    assert scene.codes() == [""]
    result = scene.result()
    assert result["agent"]["kind"] == client
    assert result["agent"]["version"] or client == "acp"
    assert result["usage"].get("output") == (None if client == "copilot" else 100)  # of two turns
    assert (scene.attempt() / "activity.jsonl").stat().st_size
    kept = [path for path in scene.state.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert kept == []
    assert KEY not in scene.said()
    assert scene.survivors() == []


@each_client
def test_a_client_that_only_talks_has_done_no_work(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play("nothing")
    scene.configure()
    assert scene.run() == 1, scene.said()
    assert scene.codes() == ["NO_WORK"]
    assert "which of the two ways do you prefer?" in scene.said()


@each_client
def test_a_wrong_key_pauses_the_run_and_costs_no_try(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play("401")
    scene.configure()
    assert scene.run() == 1, scene.said()
    assert scene.codes() == ["PROVIDER_AUTH"]
    assert scene.pauses() == ["PROVIDER_AUTH"]
    assert "parallel-implement add-note" in scene.said()

    scene.play("work")
    assert scene.run() == 0, scene.said()
    assert scene.landed() == "right"


@each_client
def test_sigterm_ends_a_client_in_the_midst_of_a_tool_call_and_all_that_it_started(stage: Stage, client: str) -> None:
    scene = stage(client)
    seconds = f"1234.{os.getpid()}"
    scene.play(Scenario(steps=((Run(f"echo begun; sleep {seconds}; true"),),)))
    scene.configure()
    running = scene.start()
    scene.working(seconds, running)
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=60) == 130
    assert scene.dies() == []
    assert scene.codes() == ["INTERRUPTED"]
    assert PACKAGE in scene.said()
