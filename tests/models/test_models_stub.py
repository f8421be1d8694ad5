"""The stub's reading of requests: the tests of clients rely on it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.models import clients, scenario
from tests.models.clients import Call, Text
from tests.models.requests import Request
from tests.models.scenario import SCENARIOS, Run, Say, Write
from tests.models.stub import Stub
from tests.models.wires import Anthropic, Chat, Gemini, Responses, Wire

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "# Work package wp-pricing of the change add-orders\n\nDo it."
RESULT = {"type": "tool_result", "tool_use_id": "x", "content": "done"}


def anthropic(*contents: Any) -> Request:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": content} for n, content in enumerate(contents)]
    return Anthropic().read({"messages": messages, "tools": [{"name": "Write"}, {"name": "Read"}, {"name": "Bash"}]})


def test_the_step_is_counted_in_the_request() -> None:
    first = anthropic(PROMPT)
    assert (first.package, first.change, first.attempt, first.step) == ("wp-pricing", "add-orders", 1, 0)
    assert anthropic(PROMPT, "…", [RESULT], "…", [RESULT, RESULT]).step == 2


def test_an_attempt_is_known_by_the_words_of_the_prompt_or_as_the_next_prompt_of_a_conversation() -> None:
    assert anthropic(f"{PROMPT}\n\n## The attempt before this one failed\n").attempt == 2
    resumed = anthropic(PROMPT, "…", [RESULT], "Done.", "A test fails.", "…", [RESULT])
    assert (resumed.attempt, resumed.step) == (2, 1)


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (
            Chat(),
            {
                "messages": [
                    {"role": "system", "content": "Working directory: /w/x\n"},
                    {"role": "user", "content": PROMPT},
                    {"role": "assistant", "tool_calls": [{}]},
                    {"role": "tool", "content": "a"},
                ]
            },
        ),
        (
            Responses(),
            {
                "instructions": "",
                "input": [
                    {"type": "message", "role": "user", "content": [{"text": "<cwd>/w/x</cwd>"}]},
                    {"type": "message", "role": "user", "content": [{"text": PROMPT}]},
                    {"type": "function_call", "name": "a"},
                    {"type": "function_call_output", "output": "a"},
                ],
            },
        ),
        (
            Gemini(),
            {
                "contents": [
                    {"role": "user", "parts": [{"text": "I'm working in the directory: /w/x\n"}]},
                    {"role": "model", "parts": [{"text": "Got it."}]},
                    {"role": "user", "parts": [{"text": PROMPT}]},
                    {"role": "model", "parts": [{"functionCall": {}}]},
                    {"role": "user", "parts": [{"functionResponse": {}}]},
                ]
            },
        ),
    ],
)
def test_every_wire_reads_package_step_and_folder(wire: Wire, body: dict[str, Any]) -> None:
    request = wire.read(body)
    assert (request.package, request.attempt, request.step) == ("wp-pricing", 1, 1)
    assert request.folder == "/w/x"


def test_recorded_edits_are_those_of_the_change_and_the_attempt() -> None:
    first = scenario.recorded(anthropic(PROMPT))
    paths = [part.path for step in first for part in step if isinstance(part, Write)]
    assert paths == ["src/shop/pricing.py", "tests/test_pricing.py"]
    again = scenario.recorded(anthropic(f"{PROMPT}\n\n## The attempt before this one failed\n"))
    (part,) = again[0]
    assert isinstance(part, Write) and part.path == "src/shop/pricing.py" and part.before  # of the first attempt
    assert scenario.recorded(anthropic("# Work package wp-x of the change no-such-change")) == ()


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ({"Write": {}, "Read": {}, "Bash": {}}, ["Read", "Write", "Bash"]),
        ({"str_replace_based_edit_tool": {}, "bash": {}}, ["str_replace_based_edit_tool", "bash"]),
        ({"exec_command": {}}, ["exec_command", "exec_command"]),
        ({"write_file": {}, "run_shell_command": {}}, ["write_file", "run_shell_command"]),
        ({"write": {}, "read": {}, "bash": {}}, ["read", "write", "bash"]),
    ],
)
def test_each_client_gets_calls_of_its_own_tools(tools: dict[str, Any], names: list[str]) -> None:
    request = Request(PROMPT, (), tools)
    found = clients.turns([(Write("a.txt", "new\n", "old\n"),), (Run("true"),), (Say("End."),)], request)
    calls = [part for turn in found for part in turn]
    assert [call.name for call in calls if isinstance(call, Call)] == names
    assert calls[-1] == Text("End.")


def test_failures_are_counted_for_each_package_and_client() -> None:
    stub, fault = Stub(), SCENARIOS["429-twice"].fault
    strikes = [bool(stub.fails(fault, 0, ("429-twice", package, "a"))) for package in "aaabab"]
    assert strikes == [True, True, False, True, False, True]


def test_the_program_prints_its_address_and_needs_the_standard_library_alone() -> None:
    argv = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, sys.argv.pop(1))\n"]
    argv[-1] += "import runpy; runpy.run_module('tests.models.stub', run_name='__main__', alter_sys=True)"
    child = subprocess.Popen([*argv, str(ROOT), "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    try:
        address = child.stdout.readline().strip()
        body = {"model": "m", "messages": [{"role": "user", "content": PROMPT}], "tools": [{"name": "write_file"}]}
        asked = urllib.request.Request(f"{address}/work/v1/chat/completions", json.dumps(body).encode())  # noqa: S310
        with urllib.request.urlopen(asked) as answer:  # noqa: S310
            found = json.load(answer)
        assert found["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "write_file"
    finally:
        child.terminate()
        child.wait()
        child.stdout.close()
