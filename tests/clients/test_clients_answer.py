"""Each client by its real program answers a question with one JSON file, and corrects it when it is sent back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parallel_impl.agents import answer, kinds, selection
from parallel_impl.agents.answer import Desk, Question
from parallel_impl.config import AgentSettings, Config
from parallel_impl.processes.launch import Launch, Limits
from tests.clients.scene import CLIENTS, INSTALLED, KEY, PLAYED, missing
from tests.models.requests import Request
from tests.models.scenario import Run, Say, Scenario, Step, Write
from tests.models.stub import Stub

pytestmark = pytest.mark.clients
SCHEMA = {"type": "object", "required": ["number"], "properties": {"number": {"type": "integer"}}}
WRONG, RIGHT = '{"number": "four"}', '{"number": 4}'


@dataclass(frozen=True, slots=True)
class Corrects(Scenario):
    """A model that writes a wrong answer, and the right one when it is sent back."""

    def all_steps(self, request: Request) -> tuple[Step, ...]:
        if "was not accepted" in request.text:  # by the shell: some count the steps of the first round in the second
            return *[(Run(f"printf '%s' '{RIGHT}' > answer.json"),)] * 4, (Say("Corrected."),)
        return (Write("answer.json", WRONG),), (Say("Written."),)


def settings(name: str, address: str) -> AgentSettings:
    known = CLIENTS[name].table(address, "ANTHROPIC_API_KEY" if name == "acp" else "STUB_KEY")
    args: Any = {**known, "args": tuple(known.get("args", ()))}  # type: ignore[arg-type]
    return AgentSettings(**args)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_answers_in_an_empty_folder_and_corrects_itself(client: str, tmp_path: Path) -> None:
    if why := missing(client):
        pytest.skip(why)
    (tmp_path / "home").mkdir()
    env: Mapping[str, str] = {
        "PATH": f"{INSTALLED / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
    }
    with Stub({PLAYED: Corrects()}).running() as stub:
        config = Config(agents={client: settings(client, stub.url(PLAYED))})
        chosen = {"": kinds.parse(client, tmp_path, config.agents)}
        keys = {"STUB_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
        (agent,) = selection.make_ready(chosen, {**env, **keys}, config).values()
        launch = Launch(tmp_path, env, Limits(0, silence_seconds=120), mask=(KEY.encode(),))
        desk = Desk("c1", tmp_path / "planning", launch)
        reply = answer.ask(agent, Question("numbers", "Which number?", SCHEMA, minutes=3), desk)
    assert (reply.value, reply.code, reply.rounds) == (json.loads(RIGHT), None, 2), reply.why
    kept = [path for path in (tmp_path / "planning").rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert kept == []
