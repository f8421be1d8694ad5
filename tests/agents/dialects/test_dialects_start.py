"""How each client is started. Every start here was tried with the real client."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from parallel_impl.agents.budget import Budget
from parallel_impl.agents.dialect import (
    Setting,
    Settings,
    Start,
    Task,
    key_variable,
    mode,
    program,
    provider,
    unfollowed,
    version,
)
from parallel_impl.agents.dialects import driven
from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.agents.dialects.driven import DriverOrder
from tests.house import imports, modules

HOME = Path("/home/agent")
CLIENTS = ("aider", "claude", "codex", "copilot", "gemini", "opencode", "qwen")
QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1"}


def start(kind: str, *, key: str = "", home: Path | None = None, resume: str = "", **settings: object) -> Start:
    configured = Settings(kind=kind, **settings)  # type: ignore[arg-type]
    return DIALECTS[kind].start(Task(settings=configured, key=key, home=home, resume=resume))


def test_claude_with_a_log_in_gets_nothing_that_hides_it() -> None:
    assert start("claude") == Start(
        (
            "claude",
            "-p",
            "--output-format",
            "stream-json",
            "--verbose",
            "--permission-mode",
            "acceptEdits",
            "--allowedTools",
            "Bash",
        ),
        QUIET,
    )


def test_claude_with_everything() -> None:
    settings = Settings(
        kind="claude", program="npx claude", model="claude-opus-5-5", effort="high", base_url="http://127.0.0.1:1"
    )
    task = Task(settings=settings, key="k", home=HOME, resume="abc", budget=Budget(turns=9, dollars=2.5))
    begun = DIALECTS["claude"].start(task)
    assert begun.argv[:2] == ("npx", "claude")
    assert " ".join(begun.argv[8:]) == (
        "--allowedTools Bash --model claude-opus-5-5 --effort high --max-turns 9 --max-budget-usd 2.5 --resume abc"
    )
    assert begun.env == QUIET | {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
        "ANTHROPIC_API_KEY": "k",
        "CLAUDE_CONFIG_DIR": "/home/agent/.claude",
    }


def test_codex_gets_its_key_by_the_name_that_exec_reads() -> None:
    begun = start("codex", key="k", home=HOME, model="gpt-6", effort="high")
    assert begun == Start(
        (
            *("codex", "exec", "--json", "--skip-git-repo-check", "-c", 'sandbox_mode="workspace-write"'),
            *("-m", "gpt-6", "-c", 'model_reasoning_effort="high"', "-"),
        ),
        {"CODEX_API_KEY": "k", "CODEX_HOME": "/home/agent/.codex"},
        files={".codex/config.toml": ""},
    )


def test_codex_resumes_a_thread_that_it_kept() -> None:
    argv = start("codex", resume="01a2", args=("-c", "x=1")).argv
    assert argv[:3] == ("codex", "exec", "resume")
    assert argv[-4:] == ("-c", "x=1", "01a2", "-")
    assert "--ephemeral" not in argv
    assert 'sandbox_mode="workspace-write"' in argv


def test_codex_with_a_base_url_has_a_provider_of_its_own() -> None:
    argv = start("codex", key="k", base_url="http://127.0.0.1:1/v1").argv
    assert 'model_provider="parallel-impl"' in argv
    assert (
        'model_providers.parallel-impl={name="parallel-impl",base_url="http://127.0.0.1:1/v1",'
        'env_key="CODEX_API_KEY",wire_api="responses"}'
    ) in argv


def test_opencode_asks_a_known_provider_at_the_base_url_and_knows_another_one_by_its_wire_format() -> None:
    begun = start("opencode", key="k", model="anthropic/claude-opus-5-5", base_url="http://h/v1")
    assert json.loads(begun.env["OPENCODE_CONFIG_CONTENT"]) == {
        "provider": {"anthropic": {"options": {"baseURL": "http://h/v1", "apiKey": "{env:ANTHROPIC_API_KEY}"}}}
    }
    assert begun.env["ANTHROPIC_API_KEY"] == "k"
    other = Settings(kind="opencode", model="mine/m-1", base_url="http://h/v1", key="MY_KEY")
    begun = DIALECTS["opencode"].start(Task(settings=other, key="k", resume="ses_1"))
    assert json.loads(begun.env["OPENCODE_CONFIG_CONTENT"])["provider"]["mine"] == {
        "options": {"baseURL": "http://h/v1", "apiKey": "{env:MY_KEY}"},
        "npm": "@ai-sdk/openai-compatible",
        "models": {"m-1": {}},
    }
    assert begun.env["MY_KEY"] == "k"
    assert begun.argv[-4:] == ("-m", "mine/m-1", "--session", "ses_1")


def test_gemini_with_a_key_says_so_in_its_settings_and_with_a_log_in_leaves_them_alone() -> None:
    begun = start("gemini", key="k", home=HOME, base_url="http://h")
    assert json.loads(begun.files[".gemini/settings.json"])["security"] == {"auth": {"selectedType": "gemini-api-key"}}
    assert begun.env == {"GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": "http://h"}
    assert start("gemini") == Start(
        ("gemini", "-o", "stream-json", "--skip-trust", "--approval-mode", "yolo"), {}, files={}
    )


def test_copilot_gives_its_key_to_github_or_to_the_provider_of_the_base_url() -> None:
    assert start("copilot", key="k", home=HOME).env == {
        "COPILOT_HOME": "/home/agent/.copilot",
        "COPILOT_GITHUB_TOKEN": "k",
    }
    assert start("copilot", key="k", base_url="http://h/v1", model="m").env == {
        "COPILOT_OFFLINE": "true",
        "COPILOT_PROVIDER_BASE_URL": "http://h/v1",
        "COPILOT_PROVIDER_API_KEY": "k",
    }


def test_qwen_has_a_limit_of_turns_of_its_own() -> None:
    task = Task(settings=Settings(kind="qwen", base_url="http://h/v1"), key="k", budget=Budget(turns=7))
    begun = DIALECTS["qwen"].start(task)
    assert begun.argv == (
        "qwen",
        "-o",
        "stream-json",
        "--approval-mode",
        "yolo",
        "--auth-type",
        "openai",
        "--max-session-turns",
        "7",
    )
    assert begun.env == {"OPENAI_BASE_URL": "http://h/v1", "OPENAI_API_KEY": "k"}


def test_aider_writes_nothing_of_its_own_into_the_worktree() -> None:
    argv = start("aider").argv
    for words in (
        ("--no-gitignore",),
        ("--map-tokens", "0"),
        ("--chat-history-file", "/dev/null"),
        ("--input-history-file", "/dev/null"),
        ("--message-file", "/dev/stdin"),
    ):
        place = argv.index(words[0])
        assert argv[place : place + len(words)] == words


def test_the_key_of_our_own_agent_is_in_no_environment_and_no_argument() -> None:
    settings = Settings(kind="anthropic", effort="high", env={"A": "b"})
    task = Task(settings=settings, key="secret", write_allow=("src/**",), deny=("src/x",), seconds=60.0)
    begun = DIALECTS["anthropic"].start(task)
    assert begun.argv == (sys.executable, "-P", "-m", "parallel_impl.agents.drivers.anthropic")
    assert begun.env == {"A": "b"}
    assert driven.from_line(begun.before_prompt) == DriverOrder(
        model="claude-opus-5-5",
        effort="high",
        key="secret",
        write_allow=("src/**",),
        deny=("src/x",),
        seconds=60.0,
    )
    assert begun.before_prompt.count(b"\n") == 1
    assert begun.before_prompt.endswith(b"\n")


def test_acp_drives_the_program_that_is_configured() -> None:
    settings = Settings(kind="acp", program="my-agent 'a b'", args=("--x",), key="MY_KEY", provider="openai")
    begun = DIALECTS["acp"].start(Task(settings=settings, key="k"))
    assert begun.env == {"MY_KEY": "k"}
    assert driven.from_line(begun.before_prompt) == DriverOrder(program=("my-agent", "a b", "--x"))
    assert program(settings, "acp") == ("my-agent", "a b")


def test_acp_passes_on_the_conversation_that_goes_on_and_the_key_of_its_provider() -> None:
    settings = Settings(kind="acp", program="my-agent", provider="openai")
    begun = DIALECTS["acp"].start(Task(settings=settings, key="k", resume="session-9"))
    assert driven.from_line(begun.before_prompt).resume == "session-9"
    assert begun.env == {"OPENAI_API_KEY": "k"}
    assert DIALECTS["acp"].resumes


@pytest.mark.parametrize(
    ("kind", "args", "gone", "shown"),
    [
        ("claude", ("--permission-mode", "bypassPermissions"), "acceptEdits", "--permission-mode bypassPermissions"),
        ("claude", ("--dangerously-skip-permissions", "--debug"), "acceptEdits", "--dangerously-skip-permissions"),
        ("codex", ("-s", "danger-full-access"), 'sandbox_mode="workspace-write"', "-s danger-full-access"),
        ("codex", ("--sandbox=read-only",), 'sandbox_mode="workspace-write"', "--sandbox=read-only"),
        ("gemini", ("--approval-mode", "auto_edit"), "yolo", "--approval-mode auto_edit"),
        ("qwen", ("--approval-mode", "auto-edit"), "yolo", "--approval-mode auto-edit"),
        ("copilot", ("--allow-tool=write",), "--allow-all-tools", "--allow-tool=write"),
        ("aider", ("--no-yes-always",), "--yes-always", "--no-yes-always"),
    ],
)
def test_args_replace_the_permissions_and_are_what_is_shown(
    kind: str, args: tuple[str, ...], gone: str, shown: str
) -> None:
    settings = Settings(kind=kind, args=args)
    assert gone in start(kind).argv
    assert gone not in start(kind, args=args).argv
    assert mode(DIALECTS[kind], settings) == shown
    assert mode(DIALECTS[kind], Settings(kind=kind)) == DIALECTS[kind].permissions


@pytest.mark.parametrize("kind", CLIENTS)
def test_the_environment_of_the_configuration_wins(kind: str) -> None:
    name = next(iter(start(kind, key="k", base_url="http://h", model="openai/m").env))
    assert start(kind, key="k", base_url="http://h", model="openai/m", env={name: "mine"}).env[name] == "mine"


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_log_in_is_used_in_the_home_of_the_user(kind: str) -> None:
    begun = start(kind)
    assert begun.files == {}
    assert not [name for name in begun.env if name.endswith(("_HOME", "_DIR", "_KEY", "_TOKEN"))]


@pytest.mark.parametrize("kind", CLIENTS)
def test_no_prompt_and_no_key_is_an_argument(kind: str) -> None:
    begun = start(kind, key="secret", home=HOME, base_url="http://h", model="openai/b")
    assert begun.before_prompt == b""
    assert not [word for word in begun.argv if "secret" in word or (word in ("-p", "--prompt") and kind != "claude")]


@pytest.mark.parametrize(
    ("kind", "output", "found"),
    [
        ("claude", b"2.1.329 (Claude Code)\n", "2.1.329"),
        ("codex", b"WARNING: proceeding, even though x\ncodex-cli 0.169.0\n", "0.169.0"),
        ("opencode", b"1.18.33\n", "1.18.33"),
        ("gemini", b"0.61.0\n", "0.61.0"),
        ("copilot", b"GitHub Copilot CLI 1.0.102.\nRun 'copilot update' to check for updates.\n", "1.0.102"),
        ("qwen", b"0.24.4\n", "0.24.4"),
        ("aider", b"aider 0.86.2\n", "0.86.2"),
        ("codex", b"", ""),
    ],
)
def test_a_version_is_read(kind: str, output: bytes, found: str) -> None:
    assert version(output, DIALECTS[kind].version_after) == found


OPENCODE = "\x1b[0m\n┌  Credentials \x1b[90m~/.local/share/opencode/auth.json\n│\n└  {} credentials\n\n"


@pytest.mark.parametrize(
    ("kind", "exit_code", "output", "logged_in"),
    [
        ("claude", 1, b'{\n  "loggedIn": false,\n  "authMethod": "none"\n}\n', False),
        ("claude", 0, b'{\n  "loggedIn": true,\n  "authMethod": "claude.ai"\n}\n', True),
        ("claude", 0, b"unknown command: auth", False),
        ("codex", 1, b"", False),
        ("codex", 0, b"", True),
        ("opencode", 0, OPENCODE.format(0).encode(), False),
        ("opencode", 0, OPENCODE.format(2).encode(), True),
        ("opencode", 0, OPENCODE.format(0).encode() + "└  1 environment variable\n".encode(), True),
        ("opencode", 1, OPENCODE.format(2).encode(), False),
    ],
)
def test_a_log_in_is_read(kind: str, exit_code: int, output: bytes, *, logged_in: bool) -> None:
    log_in = DIALECTS[kind].log_in
    assert log_in is not None
    assert log_in.found(exit_code, output) is logged_in


@pytest.mark.parametrize(
    ("settings", "whose", "variable"),
    [
        (Settings(kind="claude"), "anthropic", "ANTHROPIC_API_KEY"),
        (Settings(kind="claude", key="WORK_KEY"), "anthropic", "WORK_KEY"),
        (Settings(kind="codex", provider="azure"), "azure", "OPENAI_API_KEY"),
        (Settings(kind="opencode", model="openai/gpt-6"), "openai", "OPENAI_API_KEY"),
        (Settings(kind="aider", model="gemini/gemini-2.5-pro"), "gemini", "GEMINI_API_KEY"),
        (Settings(kind="opencode"), "opencode", ""),
        (Settings(kind="acp", provider="openai", key="K"), "openai", "K"),
        (Settings(kind="acp"), "acp", ""),
    ],
)
def test_provider_and_key_follow_from_the_settings(settings: Settings, whose: str, variable: str) -> None:
    dialect = DIALECTS[settings.kind]
    assert (provider(dialect, settings), key_variable(dialect, settings)) == (whose, variable)


def test_a_setting_that_a_client_would_ignore_is_found() -> None:
    settings = Settings(kind="gemini", model="m", effort="high", base_url="http://h")
    assert unfollowed(DIALECTS["gemini"], settings) == [Setting.EFFORT]
    assert unfollowed(DIALECTS["claude"], settings) == []


def test_a_dialect_starts_nothing_and_knows_no_file_and_no_clock() -> None:
    impure = {"subprocess", "os", "time", "datetime", "socket", "shutil", "tempfile", "threading", "random"}
    pure = ("agents.dialects", "agents.dialect", "agents.seen", "agents.budget", "agents.refusals", "record.activity")
    found = {name: path for name, path in modules().items() if name.startswith(pure)}
    assert len(found) >= 16
    assert [name for name, path in found.items() if {one.split(".")[0] for one in imports(path)} & impure] == []
