"""One question, one JSON file: read strictly, checked with the schema and by the caller, sent back with its errors."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parallel_impl.agents import answer, kinds
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.answer import Desk, Question, Reply
from parallel_impl.agents.budget import Budget
from parallel_impl.agents.client import Account, Client
from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.agents.replay import Replay
from parallel_impl.config import AgentSettings
from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.record.activity import Usage
from parallel_impl.record.codes import Failure
from tests.agents.client_scene import CALL, DONE, client, say
from tests.agents.client_scene import KEY as SECRET
from tests.models.requests import Request
from tests.models.scenario import Say, Scenario, Step, Write
from tests.models.stub import Stub
from tests.repository import living

NUMBER = {"type": "object", "required": ["number"], "properties": {"number": {"type": "integer"}}}
CALLED = f"echo '{CALL}'; echo '{DONE}'"


def even(value: Mapping[str, int]) -> Sequence[str]:
    return () if value["number"] % 2 == 0 else (f"{value['number']} is odd",)


def question(*, minutes: float = 1.0, budget: Budget | None = None) -> Question:
    return Question("numbers", "Which number?", NUMBER, even, minutes, budget or Budget())


def desk(folder: Path, stop: Stop | None = None) -> Desk:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder / "users"), "TMPDIR": str(folder)}
    launch = Launch(folder, env, Limits(60, grace_seconds=0.5), stop=stop, mask=(SECRET.encode(),))
    return Desk("c1", folder / "planning", launch)


def ask(agent: Agent, folder: Path, asked: Question | None = None, stop: Stop | None = None) -> Reply:
    return answer.ask(agent, asked or question(), desk(folder, stop))


def script(folder: Path, text: str) -> Agent:
    """An agent that is a shell script: `$1` the question's name, `$2` the round."""
    (folder / "agent.sh").write_text(text)
    return kinds.parse(f"command: sh {folder / 'agent.sh'} {{package_id}} {{attempt}} {{result_file}}", folder)


def test_an_answer_that_fits_is_taken_from_a_folder_that_was_empty(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    text = f'ls -A > {seen}; git rev-parse --git-dir 2>> {seen}; pwd >> {seen}; echo "{{\\"number\\": 4}}" > "$3"'
    reply = ask(script(tmp_path, text), tmp_path)
    assert (reply.value, reply.code, reply.rounds) == ({"number": 4}, None, 1)
    nothing, folder = seen.read_text().splitlines()
    assert nothing.startswith("fatal: not a git repository")
    assert not Path(folder).exists()
    kept = tmp_path / "planning/numbers"
    assert sorted(path.name for path in kept.rglob("*")) == ["1", "agent.log", "answer.json", "prompt.md"]
    assert (kept / "1/prompt.md").read_text().startswith("Which number?\n\n## Your answer\n\n")


def test_a_wrong_answer_goes_back_with_the_errors_of_schema_and_check(tmp_path: Path) -> None:
    text = """
    case $2 in
      1) echo '{"number": "four"}' > answer.json ;;
      2) grep -q "is not of type 'integer'" || exit 9; echo '{"number": 3}' > answer.json ;;
      3) grep -q '^- 3 is odd$' || exit 9; echo '{"number": 2}' > answer.json ;;
    esac"""
    reply = ask(script(tmp_path, text), tmp_path)
    assert (reply.value, reply.code, reply.rounds) == ({"number": 2}, None, 3)
    kept = tmp_path / "planning/numbers"
    assert (kept / "1/errors.txt").read_text() == "$.number: 'four' is not of type 'integer'\n"
    assert (kept / "2/errors.txt").read_text() == "3 is odd\n"
    assert json.loads((kept / "2/answer.json").read_text()) == {"number": 3}


def test_an_answer_that_stays_wrong_is_sent_back_twice_and_no_more(tmp_path: Path) -> None:
    reply = ask(script(tmp_path, "echo x >> ../../count; echo '{\"number\": 3}' > answer.json"), tmp_path)
    assert (reply.value, reply.code, reply.why, reply.rounds) == (None, Failure.RESULT_INVALID, "3 is odd", 3)


@pytest.mark.parametrize(
    ("write", "wrong"),
    [
        ("true", "there is no answer.json in the folder"),
        ("mkdir answer.json", "answer.json cannot be read: Is a directory"),
        ("mkfifo answer.json", "answer.json is not a regular file of at most 1000000 bytes"),
        ("ln -s /etc/hostname answer.json", "answer.json is not a regular file of at most 1000000 bytes"),
        ("head -c 1000001 /dev/zero > answer.json", "answer.json is not a regular file of at most 1000000 bytes"),
        ("printf '{\"number\": NaN}' > answer.json", "answer.json is not JSON: NaN is not JSON"),
        ("printf '\\377' > answer.json", "answer.json is not JSON: 'utf-8' codec"),
        ("printf '{\"number\": 2} x' > answer.json", "answer.json is not JSON: Extra data"),
        ("printf '[\"\\\\ud800\"]' > answer.json", "answer.json holds half of a surrogate pair"),
        (
            "printf '%0200d' 0 | tr 0 [ > answer.json; printf '%0200d' 0 | tr 0 ] >> answer.json",
            "answer.json is nested",
        ),
    ],
)
def test_what_is_no_strict_json_file_is_no_answer(tmp_path: Path, write: str, wrong: str) -> None:
    clear = "chmod -R u+rwx . ; rm -rf answer.json; "
    reply = ask(script(tmp_path, clear + write), tmp_path)
    assert reply.code is Failure.RESULT_INVALID
    assert reply.why.startswith(wrong)


def test_an_agent_that_fails_is_not_asked_again(tmp_path: Path) -> None:
    reply = ask(script(tmp_path, "echo '{\"number\": 4}' > answer.json; echo no credit; exit 3"), tmp_path)
    assert (reply.value, reply.code, reply.rounds) == (None, Failure.AGENT_FAILED, 1)
    assert "no credit" in reply.why


def test_a_client_is_read_by_its_dialect_and_what_it_used_is_added_up(tmp_path: Path) -> None:
    used = say(did="used", usage={"input": 100, "output": 20, "dollars": 0.5})
    text = f"""{used}; if [ -e answer.json ]; then echo '{{"number": 2}}' > answer.json; else echo 1 > answer.json; fi
    {CALLED}"""
    reply = ask(client(text), tmp_path)
    assert (reply.value, reply.rounds) == ({"number": 2}, 2)
    assert reply.spent.usage == Usage(input=200, output=40, dollars=1.0)
    kept = tmp_path / "planning/numbers/1"
    assert {"activity.jsonl", "agent.raw.jsonl"} <= {path.name for path in kept.iterdir()}


def test_a_client_with_conversations_is_told_the_errors_in_its_own(tmp_path: Path) -> None:
    text = f"""
    {say(did="opened", session="s-7")}
    if [ "$1" = s-7 ]; then cat > ../../heard; echo '{{"number": 2}}' > answer.json; else echo 1 > answer.json; fi
    {CALLED}"""
    reply = ask(client(text.replace("../../heard", str(tmp_path / "heard"))), tmp_path)
    assert (reply.value, reply.rounds) == ({"number": 2}, 2)
    heard = (tmp_path / "heard").read_text()
    assert heard.startswith("## Your last answer was not accepted")
    assert "- $: 1 is not of type 'object'" in heard


def test_a_client_that_used_no_tool_and_only_said_its_answer_is_sent_back(tmp_path: Path) -> None:
    reply = ask(client(f"""{say(did="said", text='{"number": 2}')}; echo '{DONE}'"""), tmp_path)
    assert (reply.code, reply.why, reply.rounds) == (
        Failure.RESULT_INVALID,
        "there is no answer.json in the folder",
        3,
    )


def test_the_private_home_of_a_client_with_a_key_is_gone_afterwards_and_the_key_is_in_no_file(tmp_path: Path) -> None:
    text = f'echo "{{\\"number\\": 4, \\"x\\": \\"$FAKE_KEY\\"}}" > answer.json; echo "$FAKE_KEY" >&2; {CALLED}'
    reply = ask(client(text, key=SECRET), tmp_path)
    assert reply.value == {"number": 4, "x": "***"}
    assert not (tmp_path / "planning/numbers/home").exists()
    kept = [path for path in (tmp_path / "planning").rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []


def test_minutes_are_for_all_rounds_and_end_an_agent(tmp_path: Path) -> None:
    reply = ask(script(tmp_path, "exec sleep 4321"), tmp_path, question(minutes=0.02))
    assert (reply.code, reply.rounds) == (Failure.TIMEOUT, 1)
    assert living("4321") == []


def test_a_budget_that_is_used_up_ends_the_rounds(tmp_path: Path) -> None:
    text = f"{say(did='used', usage={'dollars': 0.4})}; echo 1 > answer.json; {CALLED}"
    reply = ask(client(text), tmp_path, question(budget=Budget(dollars=0.7)))
    assert (reply.code, reply.rounds) == (Failure.BUDGET_EXCEEDED, 2)
    assert reply.why.endswith("$0.40 of $0.30 used")


def test_a_stop_ends_the_agent_with_all_that_it_started(tmp_path: Path) -> None:
    stop = Stop()
    text = f"sleep 4322 & touch {tmp_path}/begun; exec sleep 4323"
    agent = script(tmp_path, text)

    def end() -> None:
        while not (tmp_path / "begun").exists():
            threading.Event().wait(0.02)
        stop.set()

    thread = threading.Thread(target=end)
    thread.start()
    reply = ask(agent, tmp_path, stop=stop)
    thread.join()
    assert reply.code is Failure.INTERRUPTED
    assert living("4322") + living("4323") == []


def test_recorded_answers_are_played_by_question_and_round(tmp_path: Path) -> None:
    for number, text in ((1, "1"), (2, '{"number": 8}')):
        recorded = tmp_path / f"recorded/numbers/{number}"
        recorded.mkdir(parents=True)
        (recorded / "answer.json").write_text(text)
    reply = ask(Replay(tmp_path / "recorded"), tmp_path)
    assert (reply.value, reply.rounds) == ({"number": 8}, 2)


@dataclass(frozen=True, slots=True)
class ByRound(Scenario):
    """A model that answers the first question and the one after it was sent back differently."""

    first: Any = None
    second: Any = None

    def all_steps(self, request: Request) -> tuple[Step, ...]:
        again = "Your last answer was not accepted" in request.text
        written = json.dumps(self.second if again else self.first)
        return ((Write("answer.json", written),), (Say("Written."),))


def test_the_built_in_agent_answers_and_corrects_itself(tmp_path: Path) -> None:
    with Stub({"numbers": ByRound(first={"number": 3}, second={"number": 6})}).running() as stub:
        settings = AgentSettings(kind="anthropic", model="stub", base_url=stub.url("numbers"))
        agent = Client("mine", DIALECTS["anthropic"], settings, Account("ANTHROPIC_API_KEY", SECRET))
        reply = ask(agent, tmp_path)
    assert (reply.value, reply.code, reply.rounds) == ({"number": 6}, None, 2)
    assert reply.spent.usage.tokens
    system = json.dumps(stub.asked[-1].body["system"])
    assert "answers one question" in system
    assert "work package" not in system
