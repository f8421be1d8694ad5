"""Whole runs with agents by name: our own against a model on the loopback, and a small program in a client's place."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.models.stub import Stub
from tests.repository import commit_all, git, make_repository, tool

CHANGE = "add-greeting"
KEY = "sk-stub-0123456789-secret"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub().running() as running:
        yield running


def diamond(folder: Path, *lines: str) -> Path:
    """The diamond, with these lines more in its configuration."""
    repo = make_repository("diamond", folder)
    file = repo / "pyproject.toml"
    file.write_text(
        "\n".join(["[tool.parallel-impl]", *lines, file.read_text().removeprefix("[tool.parallel-impl]\n")])
    )
    commit_all(repo, "Configure the agents")
    return repo


def table(stub: Stub, scenario: str = "work") -> str:
    return f'agents.mine = {{kind = "anthropic", model = "stub", base_url = "{stub.url(scenario)}", key = "MY_KEY"}}'


def only(repo: Path, *options: str) -> str:
    """The run of its first package alone, and all that it printed."""
    done = tool(repo, "implement", CHANGE, "--only", "wp-words", *options, env={"MY_KEY": KEY})
    return f"{done.returncode}\n{done.stdout}\n{done.stderr}"


def state(repo: Path) -> Path:
    return repo / ".git/parallel-impl" / CHANGE


def result(repo: Path, attempt: int = 1, package: str = "wp-words") -> dict[str, Any]:
    found = json.loads((state(repo) / "attempts" / package / str(attempt) / "result.json").read_text())
    assert isinstance(found, dict)
    return found


def events(repo: Path, kind: str) -> list[dict[str, Any]]:
    lines = (state(repo) / "journal.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def leaks(folder: Path) -> list[str]:
    """The files below a folder that hold the key."""
    return [str(file) for file in folder.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]


def test_the_diamond_lands_with_our_own_agent_and_its_key_is_nowhere(stub: Stub, tmp_path: Path) -> None:
    repo = diamond(tmp_path, 'agent = "mine"', table(stub))
    done = tool(repo, "implement", CHANGE, env={"MY_KEY": KEY})
    assert done.returncode == 0, done.stdout + done.stderr
    told = result(repo)
    assert (told["agent"]["name"], told["agent"]["kind"], told["agent"]["model"]) == ("mine", "anthropic", "stub")
    assert told["usage"]["turns"] == 3
    assert "dollars" not in told["usage"]
    assert [one["agent"] for one in events(repo, "attempt-started")] == ["mine"] * 4
    assert all(one["usage"]["turns"] > 1 for one in events(repo, "attempt-ended"))
    summary = (state(repo) / "summary.md").read_text()
    assert "mine: pays by the key in MY_KEY; its tools: file tools within the write scope, bash" in summary
    assert "not fenced" in summary
    assert "| Agent | `mine` (anthropic " in summary
    assert "| wp-words | mine | stub | 3 | 300 | 900 | 150 | not told | 0 |" in summary
    assert "mine stub" in git(repo, "log", "--format=%(trailers:key=Agent,valueonly)", "openspec/add-greeting")
    assert all(KEY in " ".join(asked.headers.values()) for asked in stub.asked)
    assert leaks(tmp_path) == []
    assert KEY not in done.stdout + done.stderr
    assert list((state(repo) / "homes").iterdir()) == []


def test_an_agent_that_only_asks_did_no_work_and_is_told_so(stub: Stub, tmp_path: Path) -> None:
    repo = diamond(tmp_path, table(stub, "nothing"))
    printed = only(repo, "--agent", "mine")
    assert printed.startswith("1\n")
    assert result(repo)["error_code"] == "NO_WORK"
    assert "Before I begin I have a question" in result(repo)["error"]
    assert (
        "NO_WORK: mine: it ended without using a single tool"
        in (state(repo) / "attempts/wp-words/2/prompt.md").read_text()
    )


def test_the_key_reaches_the_agent_alone_and_a_dry_run_says_who_pays(stub: Stub, tmp_path: Path) -> None:
    script = tmp_path / "other.sh"
    script.write_text("env > env.txt; exit 3\n")
    rule = f'assign = [{{package = "wp-words", agent = "command: sh {script}"}}]'
    repo = diamond(tmp_path, 'agent = "mine"', table(stub), rule, 'pass_env = ["MY_KEY"]')
    planned = tool(repo, "implement", CHANGE, "--dry-run", env={"MY_KEY": KEY})
    assert planned.returncode == 0, planned.stderr
    assert f"agent: command: sh {script}: wp-words" in planned.stdout
    assert "agent: mine (anthropic " in planned.stdout
    assert ", model stub): wp-formal, wp-casual, wp-integration" in planned.stdout
    assert "mine: pays by the key in MY_KEY" in planned.stdout
    assert only(repo).startswith("1\n")
    assert "MY_KEY" not in git(repo, "show", f"refs/parallel-impl/{CHANGE}/attempts/wp-words/1:env.txt")
    missing = tool(repo, "implement", CHANGE, "--dry-run")
    assert missing.returncode == 2
    asked = "[tool.parallel-impl] of pyproject.toml: error: agents.mine: its key is missing"
    assert f"{asked}: the variable MY_KEY is not set\n    export MY_KEY=…\n" in missing.stderr
    typed = tool(repo, "implement", CHANGE, "--dry-run", "--agent", "anthropic")
    assert "--agent: error: anthropic has no key\n    export ANTHROPIC_API_KEY=…\n" in typed.stderr


CLIENT = """\
#!/bin/sh
case "$1 $2" in
--version*) echo '2.1.9 (Claude Code)'; exit;;
'auth status') echo '{"loggedIn": false}'; exit 1;;
esac
asked=$(cat)
pwd >> FOLDERS
echo '{"type": "system", "subtype": "init", "session_id": "s-1", "model": "m-1"}'
echo '{"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "1", "name": "Bash", "input": {}}]}}'
mkdir -p "$HOME/kept"
case "$*" in
*--resume\\ s-1*)
    [ -e "$HOME/kept/s-1" ] && printf 'GOOD = 1\\n' > src/greet/words.py && printf %s "$asked" > src/asked;;
*) touch "$HOME/kept/s-1"; printf 'BAD = 1\\n' > src/greet/words.py;;
esac
COST
"""
LAST = '"subtype": "success", "is_error": false, "num_turns": 2, "result": "done", "session_id": "s-1"'
PLAN = """\
schema_version: 1
feature: {id: add-words, title: Words}
packages:
  - package_id: wp-words
    description: Write the words.
    scope: {write_allow: [src/**]}
    verification: {steps: [{name: unit, command: grep -q GOOD src/greet/words.py}]}
"""


def with_plan(folder: Path, plan: str, **files: str) -> Path:
    """A repository with the change add-words alone."""
    repo = folder / "repo"
    change = repo / "openspec/changes/add-words"
    for path, text in {
        "src/greet/words.py": "NONE = 1\n",
        "parallel-impl.toml": "setup = []\ngates.openspec = false\n",
        "openspec/changes/add-words/proposal.md": "Words.\n",
        "openspec/changes/add-words/tasks.md": "- [ ] 1.1 Words\n",
        "openspec/changes/add-words/work-packages.yaml": plan,
        **files,
    }.items():
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / path).write_text(text)
    assert change.is_dir()
    git(repo, "init", "--quiet", "-b", "main")
    commit_all(repo, "The state before")
    return repo


def test_a_retry_goes_on_with_the_clients_own_conversation(tmp_path: Path) -> None:
    repo = with_plan(tmp_path, PLAN)
    program = tmp_path / "bin/claude"
    program.parent.mkdir()
    cost = f"""case "$*" in *--resume*) d=5;; *) d=2;; esac
echo '{{"type": "result", {LAST}, "total_cost_usd": '$d'}}'"""
    program.write_text(CLIENT.replace("COST", cost).replace("FOLDERS", str(tmp_path / "folders")))
    program.chmod(0o755)
    env = {"PATH": f"{program.parent}:{os.environ['PATH']}", "ANTHROPIC_API_KEY": KEY}
    done = tool(repo, "implement", "add-words", "--agent", "claude", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    branch = "openspec/add-words"
    asked = git(repo, "show", f"{branch}:src/asked")
    assert "is not accepted yet" in asked
    assert "VERIFICATION_FAILED" in asked
    assert "## What you may change" not in asked
    folders = (tmp_path / "folders").read_text().splitlines()
    assert (len(folders), len(set(folders))) == (2, 1)  # clients find a conversation by its folder
    ended = [
        json.loads(line)
        for line in (repo / ".git/parallel-impl/add-words/journal.jsonl").read_text().splitlines()
        if '"attempt-ended"' in line
    ]
    assert [(one["code"], one["session"], one["usage"]["dollars"]) for one in ended] == [
        ("VERIFICATION_FAILED", "s-1", 2.0),
        ("", "s-1", 3.0),
    ]
    assert leaks(repo) == []


def a_client(folder: Path, script: str) -> dict[str, str]:
    """The environment in which `claude` is this script."""
    program = folder / "bin/claude"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "ANTHROPIC_API_KEY": KEY}


def test_a_key_in_the_name_of_a_file_is_masked_wherever_the_path_is_told(tmp_path: Path) -> None:
    repo = with_plan(tmp_path, PLAN)
    conclude = f"""touch "answer?key=$ANTHROPIC_API_KEY"; echo '{{"type": "result", {LAST}}}'"""
    env = a_client(tmp_path, CLIENT.replace("COST", conclude).replace("FOLDERS", "/dev/null"))
    done = tool(repo, "implement", "add-words", "--agent", "claude", env=env)
    assert "answer?key=***: outside write_allow" in done.stdout
    assert leaks(repo) == []
    assert KEY not in done.stdout + done.stderr


def test_a_secret_that_the_configuration_gives_an_agent_is_masked(tmp_path: Path) -> None:
    repo = with_plan(tmp_path, PLAN)
    settings = repo / "parallel-impl.toml"
    table = 'agents.claude = {kind = "claude", env = {TEST_TOKEN = "to-ken-1"}}'
    settings.write_text(f"{settings.read_text()}{table}\n")
    commit_all(repo, "A token")
    files = """echo x > out-$TEST_TOKEN; echo "{\\"k\\": \\"$TEST_TOKEN\\"}" > $PARALLEL_IMPL_RESULT_FILE"""
    conclude = f"""{files}; echo "about $TEST_TOKEN" >&2; echo '{{"type": "result", {LAST}}}'"""
    env = a_client(tmp_path, CLIENT.replace("COST", conclude).replace("FOLDERS", "/dev/null"))
    tool(repo, "implement", "add-words", "--agent", "claude", env=env)
    attempt = repo / ".git/parallel-impl/add-words/attempts/wp-words/1"
    assert "about ***" in (attempt / "agent.log").read_text()
    assert "about ***" in (attempt / "activity.jsonl").read_text()
    assert (attempt / "reported.json").read_text() == '{"k": "***"}\n'
    state = repo / ".git/parallel-impl/add-words"
    told = {str(path).encode() + path.read_bytes() for path in state.rglob("*") if path.is_file()}
    assert [one for one in told if b"to-ken-1" in one] == []


def test_a_conversation_whose_name_is_an_option_is_not_resumed(tmp_path: Path) -> None:
    repo = with_plan(tmp_path, PLAN)
    conclude = f"""echo "$*" >> {tmp_path}/words; echo '{{"type": "result", {LAST}}}'"""
    script = (
        CLIENT.replace("COST", conclude).replace("FOLDERS", "/dev/null").replace('"s-1", "model"', '"--x", "model"')
    )
    done = tool(repo, "implement", "add-words", "--agent", "claude", env=a_client(tmp_path, script))
    assert "begins a fresh conversation: its name would be an option of the client" in done.stdout
    assert "--resume" not in (tmp_path / "words").read_text()


def test_nothing_changed_is_no_work_unless_the_plan_says_so_and_the_agent_is_remembered(tmp_path: Path) -> None:
    repo = with_plan(tmp_path, PLAN.replace("grep -q GOOD", "grep -q NONE"))
    idle = tmp_path / "idle.sh"
    idle.write_text("exit 0\n")
    done = tool(repo, "implement", "add-words", "--agent", f"command: sh {idle}")
    assert done.returncode == 1
    assert "NO_CHANGES" in done.stdout
    assert "logs in" in done.stderr
    assert "its work:" not in done.stderr
    plan = repo / "openspec/changes/add-words/work-packages.yaml"
    plan.write_text(plan.read_text() + "    may_be_empty: true\n")
    commit_all(repo, "It may be empty")
    again = tool(repo, "implement", "add-words", "--only", "wp-words")
    assert "wp-words  accepted" in again.stdout, again.stdout + again.stderr


def test_the_agents_word_is_in_the_summary_and_standards_in_the_prompt(tmp_path: Path) -> None:
    files = {"docs/style.md": "Two spaces, always.\n", "parallel-impl.toml": 'setup = []\nstandards = ["docs"]\n'}
    repo = with_plan(tmp_path, PLAN, **files)
    script = tmp_path / "word.sh"
    script.write_text(
        "grep -q 'Two spaces, always.' || exit 9\nprintf 'GOOD = 1\\n' > src/greet/words.py\n"
        """echo '{"notes": ["the cli is slow"]}' > "$PARALLEL_IMPL_REPORT_FILE"\n"""
    )
    done = tool(repo, "implement", "add-words", "--agent", f"command: sh {script}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "- note: the cli is slow" in (repo / ".git/parallel-impl/add-words/summary.md").read_text()


def test_a_standard_that_names_nothing_is_an_error_before_the_start(tmp_path: Path) -> None:
    repo = with_plan(tmp_path, PLAN, **{"parallel-impl.toml": 'setup = []\nstandards = ["docs/stile.md"]\n'})
    done = tool(repo, "implement", "add-words", "--agent", "command: true")
    assert done.returncode == 2
    assert "standards: 'docs/stile.md' matches no file" in done.stderr
