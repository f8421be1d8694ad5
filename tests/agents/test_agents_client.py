"""The one runner of clients: how it starts them, what it keeps, when it ends them, and how it judges."""

from __future__ import annotations

import json
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.agents.budget import Budget
from parallel_impl.processes import namespace
from parallel_impl.processes.process import Reason
from parallel_impl.record.activity import Called, Concluded, Usage
from parallel_impl.record.codes import Failure
from tests.agents.client_scene import CALL, DONE, KEY, PYTHON, Desk, client, say

WORK = f"echo '{CALL}'; echo '{DONE}'"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# -- how it starts


def test_the_prompt_comes_on_standard_input(desk: Desk) -> None:
    worked = client(f"cat > got; {WORK}").work(desk.job())
    assert (worked.code, worked.ended.reason) == (None, Reason.EXITED)
    assert (desk.folder / "worktree/got").read_text() == "Do all of it.\n"
    assert len(desk.pids) == 1


def test_with_a_key_it_has_a_home_of_its_own_and_the_users_caches(desk: Desk) -> None:
    (desk.folder / "users").mkdir()
    (desk.folder / "users/.gitconfig").write_text("")
    worked = client(f"env > got; {WORK}", key=KEY).work(desk.job())
    env = dict(line.split("=", 1) for line in (desk.folder / "worktree/got").read_text().splitlines())
    users, home = str(desk.folder / "users"), desk.folder / "home"
    assert worked.code is None
    assert (env["HOME"], env["FAKE_KEY"]) == (str(home), KEY)
    assert (env["UV_CACHE_DIR"], env["npm_config_cache"]) == (f"{users}/.cache/uv", f"{users}/.npm")
    assert env["GIT_CONFIG_GLOBAL"] == f"{users}/.gitconfig"
    assert (home / "conf/fake.json").read_text() == "{}"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_with_a_home_of_its_own_git_has_the_users_configuration_wherever_that_lies(desk: Desk) -> None:
    own = desk.folder / "users/.config/git/config"
    own.parent.mkdir(parents=True)
    own.write_text("[user]\n\tname = Somebody\n")
    assert client(f"git config user.name > got; {WORK}", key=KEY).work(desk.job()).code is None
    assert (desk.folder / "worktree/got").read_text() == "Somebody\n"


def test_with_a_log_in_it_works_in_the_users_home_and_writes_no_files_there(desk: Desk) -> None:
    assert client(f"echo $HOME > got; {WORK}").work(desk.job()).code is None
    assert (desk.folder / "worktree/got").read_text() == f"{desk.folder}/users\n"
    assert not (desk.folder / "home").exists()


# -- what is kept


def test_activity_and_the_clients_own_lines_are_kept_and_masked(desk: Desk) -> None:
    script = f"echo 'no activity {KEY}'; {say(did='called', tool='bash', target=f'echo {KEY}')}; echo '{DONE}'"
    worked = client(script, key=KEY).work(desk.job())
    assert [type(one) for one in desk.happened] == [Called, Concluded]
    assert all(one.at > 0 for one in desk.happened)
    assert "no activity ***" in desk.raw
    assert KEY not in (desk.folder / "attempt/activity.jsonl").read_text() + desk.raw + repr(worked)
    assert worked.seen.calls == 1


def test_what_it_used_is_added_up_without_what_the_conversation_had_used_before(desk: Desk) -> None:
    told = say(did="used", whole=True, usage={"dollars": 5.0, "turns": 3})
    worked = client(f"{told}; {WORK}", cumulative=("dollars",)).work(desk.job(resume=desk.resume(dollars=2)))
    assert worked.seen.usage == Usage(dollars=3.0, turns=3)


# -- how it is judged


def test_a_client_that_used_no_tool_did_no_work_unless_nothing_may_be_to_do(desk: Desk) -> None:
    worked = client(f"{say(did='said', text='Which one?')}; echo '{DONE}'").work(desk.job())
    assert (worked.code, worked.why) == (Failure.NO_WORK, "mine: it ended without using a single tool: Which one?")
    assert client(f"echo '{DONE}'").work(desk.job(may_be_empty=True)).code is None


def test_a_denied_tool_is_reported_and_not_judged(desk: Desk) -> None:
    worked = client(f"{say(did='denied', tool='Write', target='/etc/motd')}; {WORK}").work(desk.job())
    assert worked.code is None
    assert [one.target for one in worked.seen.denied] == ["/etc/motd"]


def test_a_failure_shows_at_most_five_useful_lines_and_no_raw_json(desk: Desk) -> None:
    noise = "; ".join(f"echo 'noise {number}' >&2" for number in range(9))
    raw = json.dumps({"type": "result", "is_error": True})
    worked = client(
        f"echo '{raw}' >&2; {noise}; {say(did='concluded', ok=False, why='API Error: 500 oh')}; exit 1"
    ).work(desk.job())
    assert worked.code is Failure.AGENT_FAILED
    assert worked.why.splitlines()[0] == "mine: API Error: 500 oh"
    assert len(worked.why.splitlines()) <= 5
    assert "{" not in worked.why


def test_exit_0_without_a_last_word_is_a_failure(desk: Desk) -> None:
    worked = client(f"echo '{CALL}'").work(desk.job())
    assert worked.code is Failure.AGENT_FAILED
    assert "it ended without its conclusion (exit 0)" in worked.why


# -- when it is ended


@pytest.mark.parametrize("code", ["PROVIDER_LIMIT", "PROVIDER_QUOTA", "PROVIDER_AUTH"])
def test_a_terminal_refusal_of_the_provider_ends_it_at_once(code: str, desk: Desk) -> None:
    worked = client(f"{say(did='limited', terminal=True, why='no more', code=code)}; sleep 600").work(desk.job())
    assert (worked.code, worked.why, worked.ended.reason) == (Failure(code), "mine: no more", Reason.STOPPED)


def test_a_budget_that_is_used_up_ends_it(desk: Desk) -> None:
    told = say(did="used", usage={"output": 200})
    worked = client(f"{told}; sleep 600").work(desk.job(budget=Budget(tokens=100)))
    assert (worked.code, worked.why) == (Failure.BUDGET_EXCEEDED, "mine: 200 of 100 tokens used")


def test_a_budget_that_is_known_to_be_used_up_only_when_it_has_concluded_spoils_nothing(desk: Desk) -> None:
    told = say(did="used", usage={"output": 200})
    assert client(f"{WORK}; {told}").work(desk.job(budget=Budget(tokens=100))).code is None


def test_a_stop_of_the_run_is_an_interruption(desk: Desk) -> None:
    job = desk.job()
    ready = threading.Timer(0.5, desk.stop.set)
    ready.start()
    worked = client(f"echo '{CALL}'; sleep 600").work(job)
    ready.join()
    assert worked.code is Failure.INTERRUPTED


def test_a_client_that_only_retries_is_silent(desk: Desk) -> None:
    retry = say(did="retrying", status=500, why="oh")
    worked = client(f"echo '{CALL}'; while :; do {retry}; sleep 0.1; done", live=True).work(desk.job(silence=1.5))
    assert worked.code is Failure.SILENT
    assert worked.seen.retries > 3


def test_a_tool_that_computes_while_its_call_is_open_is_progress(desk: Desk) -> None:
    busy = f"timeout 4 {PYTHON} -c 'while True: pass'"
    answer = say(did="answered", call="1")
    worked = client(f"echo '{CALL}'; {busy}; {answer}; echo '{DONE}'").work(desk.job(silence=2))
    assert worked.code is None


def test_a_tool_that_computes_is_progress_in_a_namespace_too(desk: Desk) -> None:
    found = namespace.find().namespace
    if found is None:
        pytest.skip("there are no PID namespaces here")
    job = desk.job(silence=2)
    inside = replace(job, launch=replace(job.launch, namespace=found))
    busy, answer = f"timeout 4 {PYTHON} -c 'while True: pass'", say(did="answered", call="1")
    assert client(f"echo '{CALL}'; {busy}; {answer}; echo '{DONE}'").work(inside).code is None
    spinning = client(f"echo '{CALL}'; while :; do :; done")  # the client itself, not a tool
    assert spinning.work(inside).code is Failure.SILENT


def test_what_computes_while_no_call_is_open_is_no_progress(desk: Desk) -> None:
    busy = f"timeout 20 {PYTHON} -c 'while True: pass'"
    worked = client(f"echo '{CALL}'; {say(did='answered', call='1')}; {busy}; echo '{DONE}'").work(desk.job(silence=2))
    assert worked.code is Failure.SILENT


# -- a conversation that goes on


def test_a_conversation_goes_on_with_the_evidence_as_its_next_message(desk: Desk) -> None:
    worked = client(f'cat > got; echo "$1" > session; {WORK}').work(desk.job(resume=desk.resume("It failed so.\n")))
    assert (worked.code, worked.notes) == (None, ())
    assert (desk.folder / "worktree/got").read_text() == "It failed so.\n"
    assert (desk.folder / "worktree/session").read_text() == "s-1\n"


def test_a_conversation_that_cannot_go_on_is_begun_again_in_the_same_attempt(desk: Desk) -> None:
    script = f'if [ -n "$1" ]; then echo "No conversation found" >&2; exit 1; fi; cat > got; {WORK}'
    worked = client(script).work(desk.job(resume=desk.resume()))
    assert worked.code is None
    assert (desk.folder / "worktree/got").read_text() == "Do all of it.\n"
    assert worked.notes == ("the conversation s-1 could not go on (mine: No conversation found): begun again",)
