"""What goes wrong at providers, in clients and in their work, through whole runs of those clients that people use most.

How a client behaves is its own: where they differ, the table of a test says who does what.
"""

from __future__ import annotations

import os

import pytest

from parallel_impl.record.events import AttemptStarted
from tests.clients.conftest import Stage
from tests.clients.scene import INSTALLED
from tests.models.scenario import SCENARIOS, Run, Scenario, Write

pytestmark = pytest.mark.clients
each_client = pytest.mark.parametrize("client", ("claude", "codex", "anthropic"))
SOON = 0.2  # minutes of silence; a client takes some seconds to start


@each_client
def test_a_denied_tool_is_reported_and_not_judged(stage: Stage, client: str) -> None:
    scene = stage(client)
    outside = INSTALLED / f"denied.{os.getpid()}"
    # what codex's sandbox refuses to a shell command is in no line of codex's every time; a patch that it refuses is
    patch = f"apply_patch <<'END'\n*** Begin Patch\n*** Add File: {outside}\n+x\n*** End Patch\nEND\n"
    scene.play(Scenario(before=((Run(patch) if client == "codex" else Write(str(outside), "x\n"),),)))
    scene.configure()
    assert scene.run() == 0, scene.said()
    assert scene.landed() == "right"
    assert not outside.exists()
    assert len(scene.result()["denied"]) == 1
    assert "Refused to its agent" in scene.summary()


@each_client
def test_a_limit_that_passes_is_waited_for(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play("429-twice")
    scene.configure()
    assert scene.run() == 0, scene.said()
    assert scene.codes() == [""]
    assert scene.result()["retries"] == 2


@each_client
def test_a_limit_that_lasts_pauses_the_run_and_costs_no_try(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play("429")
    scene.configure(provider_wait_minutes=0.01)
    assert scene.run() == 1, scene.said()
    assert set(scene.codes()) == {"PROVIDER_LIMIT"}
    assert scene.pauses() == ["PROVIDER_LIMIT"]
    assert "429" in scene.said()

    scene.play("work")
    assert scene.run() == 0, scene.said()


@each_client
def test_a_quota_that_is_used_up_pauses_the_run_at_once(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play("quota")
    scene.configure()
    assert scene.run() == 1, scene.said()
    assert scene.codes() == ["PROVIDER_QUOTA"]
    assert scene.pauses() == ["PROVIDER_QUOTA"]


@each_client
def test_an_error_of_the_provider_fails_the_attempt_with_its_words(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play("500")
    scene.configure()
    assert scene.run() == 1, scene.said()
    assert scene.codes() == ["AGENT_FAILED"]
    assert {"codex": "experiencing high demand"}.get(client, "500") in scene.said()  # codex names no status
    assert '{"' not in scene.said()


@each_client
def test_an_answer_that_is_cut_off_once_is_asked_for_again(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play("cut-once")
    scene.configure()
    assert scene.run() == 0, scene.said()
    assert scene.codes() == [""]


@each_client
def test_streams_that_are_always_cut_off_fail_the_attempt(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play("cut")
    scene.configure()
    if client == "claude":  # it asks for the whole answer instead, which no stream can lose
        assert scene.run() == 0, scene.said()
    else:
        assert scene.run() == 1, scene.said()
        assert scene.codes() == ["AGENT_FAILED"]


@each_client
@pytest.mark.parametrize("stream", ["pings", "hang"])
def test_a_stream_that_brings_nothing_is_ended(stage: Stage, client: str, stream: str) -> None:
    scene = stage(client)
    scene.play(stream)
    scene.configure(silence_minutes=SOON)
    assert scene.run() == 1, scene.said()
    # our own agent gives such a stream up by itself, before the run does
    assert scene.codes() == ["AGENT_FAILED" if client == "anthropic" else "SILENT"]
    assert scene.dies() == []


@each_client
def test_more_turns_than_allowed_end_the_package(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play("loop")
    scene.configure(retries=1, limits={"package": {"turns": 3}})
    assert scene.run() == 1, scene.said()
    assert scene.codes() == ["BUDGET_EXCEEDED"]


@each_client
def test_a_budget_that_is_used_up_ends_the_package(stage: Stage, client: str) -> None:
    scene = stage(client)
    limit = {"claude": {"dollars": 0.005}, "codex": {"tokens": 200}, "anthropic": {"tokens": 1000}}[client]
    wrong = Scenario(steps=(*((Run("true"),) for _ in range(6)), (Write("note.txt", "wrong\n"),)))
    scene.play(wrong)
    scene.configure(retries=2, limits={"package": limit})
    assert scene.run() == 1, scene.said()
    # codex tells at the end of its work, which is judged as ever; then there is nothing left for another try
    assert scene.codes() == ["VERIFICATION_FAILED" if client == "codex" else "BUDGET_EXCEEDED"]


@each_client
def test_a_failed_verification_is_repaired_where_it_can_be_in_the_same_conversation(stage: Stage, client: str) -> None:
    scene = stage(client)
    scene.play(Scenario(steps=((Run("test -f note.txt && echo right >note.txt || echo wrong >note.txt"),),)))
    scene.configure(retries=1)
    assert scene.run() == 0, scene.said()
    assert scene.codes() == ["VERIFICATION_FAILED", ""]
    assert scene.landed() == "right"
    sessions = [scene.result(number)["agent"]["session"] for number in (1, 2)]
    if client == "anthropic":
        assert sessions == ["", ""]  # each attempt of our own agent is a conversation of its own
    else:
        assert sessions[0] == sessions[1] != ""
        # the second attempt's own, though these clients count a part of the first one's again
        assert scene.result(2)["usage"]["output"] == scene.result(1)["usage"]["output"]
    assert "grep -qx right note.txt" in str(scene.stub.asked[-1].body)  # the evidence reached the model


@each_client
def test_a_run_that_was_killed_in_the_midst_of_a_tool_call_goes_on_and_nothing_survives(
    stage: Stage, client: str
) -> None:
    scene = stage(client)
    seconds = f"1234.{os.getpid()}"
    scene.play(Scenario(steps=((Run(f"echo begun; sleep {seconds}; true"),),)))
    scene.configure()
    running = scene.start()
    scene.working(seconds, running)
    running.kill()
    running.wait()
    assert scene.dies() == []

    scene.play(SCENARIOS["work"])
    assert scene.run() == 0, scene.said()
    assert scene.landed() == "right"
    assert len([event for event in scene.events() if isinstance(event, AttemptStarted)]) == 2
