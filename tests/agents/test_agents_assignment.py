"""Which agent does which package, and what keeps it from working, found before anything is paid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from parallel_impl import config
from parallel_impl.agents import assignment, kinds, readiness, tables
from parallel_impl.agents.client import Client
from parallel_impl.agents.command import Command
from parallel_impl.errors import Severity, UserError
from parallel_impl.plan.model import Package, Scope

TABLES = """
agent = "claude"
agents.claude = {kind = "claude", model = "opus", max = 2}
agents.cheap = {kind = "codex", program = "tools/codex --quiet", args = ["--x"], env = {A = "1"}}
assign = [
    {package = "wp-docs", agent = "cheap", model = "mini"},
    {task_type = "test*", role = "tester", agent = "command: sh run.sh"},
    {role = "architect", effort = "high"},
]
"""
PACKAGES = (
    Package("wp-docs", "", Scope(()), role="architect"),
    Package("wp-tests", "", Scope(()), task_type="testing", role="tester"),
    Package("wp-other", "", Scope(()), task_type="testing"),
    Package("wp-plan", "", Scope(()), role="architect"),
)


def read(text: str) -> config.Config:
    return config.read(text.encode(), None)


def problems(text: str) -> str:
    with pytest.raises(UserError) as refused:
        read(text)
    return str(refused.value)


# -- choosing


def test_the_first_rule_that_matches_chooses(tmp_path: Path) -> None:
    found = assignment.assign(PACKAGES, read(TABLES), "claude", tmp_path, for_all=False)
    docs, tests, other, plan = (found[each.id] for each in PACKAGES)
    assert isinstance(docs, Client)
    assert (docs.name, docs.settings.model, docs.settings.effort) == ("cheap", "mini", "")
    assert (docs.settings.program, docs.settings.args) == (f"{tmp_path}/tools/codex --quiet", ("--x",))
    assert isinstance(tests, Command)
    assert isinstance(other, Client)
    assert (other.name, other.settings.model, other.settings.effort, other.most) == ("claude", "opus", "", 2)
    assert isinstance(plan, Client)
    assert (plan.name, plan.settings.model, plan.settings.effort) == ("claude", "opus", "high")


def test_an_agent_that_was_typed_does_all_packages(tmp_path: Path) -> None:
    found = assignment.assign(PACKAGES, read(TABLES), "gemini", tmp_path, for_all=True)
    assert [agent.record.name for agent in found.values()] == ["gemini"] * 4


def test_a_kind_works_without_a_table_and_a_table_takes_its_name(tmp_path: Path) -> None:
    plain = kinds.parse("claude", tmp_path)
    assert isinstance(plain, Client)
    assert (plain.record.name, plain.record.kind, plain.settings.model) == ("claude", "claude", "")
    named = kinds.parse("cheap", tmp_path, read(TABLES).agents)
    assert (named.record.kind, named.provider) == ("codex", "openai")


@pytest.mark.parametrize(
    ("spec", "tables", "expected"),
    [
        ("claud", "", "did you mean claude?"),
        ("my-agent", "", "any program: 'command: my-agent'"),
        ("mine", 'agents.mine = {kind = "claud"}', "there is no kind 'claud'\n    did you mean claude?"),
    ],
)
def test_an_agent_that_is_not_there_is_refused(spec: str, tables: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        kinds.parse(spec, tmp_path, read(tables).agents)
    assert expected in str(refused.value)


def test_a_package_without_an_agent_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no agent"):
        assignment.assign(PACKAGES, read(""), "", tmp_path, for_all=False)


def test_mistakes_in_the_tables_are_all_named() -> None:
    said = problems("""
agents.a = {modell = "x"}
agents.b = {kind = "claude", env = {A = 1}, max = 0.5}
agents.c = "claude"
assign = [{agent = "a", packages = "x"}, {package = "x"}, {agent = ""}]
""")
    for expected in (
        "agents.a.modell: unknown key", "did you mean agents.a.model?", "agents.a.kind: is missing",
        "agents.b.env: must be a table of strings", "agents.b.max: must be a whole number", "agents.c: must be a table",
        "assign[0].packages: unknown key", "assign[1]: chooses nothing", "assign[2]: must be a table",
    ):  # fmt: skip
        assert expected in said


def test_a_rule_that_names_nobody_is_refused_whether_it_matches_or_not() -> None:
    text = 'agents.cheap = {kind = "codex"}\nassign = [{agent = "cheap"}, {package = "wp-none", agent = "cheep"}]'
    wrong = [str(one) for one in assignment.problems(read(text), PACKAGES) if one.severity is Severity.ERROR]
    expected = "parallel-impl.toml: error: assign[1].agent: there is no agent 'cheep'\n    did you mean cheap?"
    assert [one.partition(";")[0] for one in wrong] == [expected]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('{package = "wp-dcos", effort = "low"}', "assign[0].package: no package is named 'wp-dcos'\n    did you mean"),
        ('{role = "architct", effort = "low"}', "assign[0].role: no package has the role 'architct'"),
        ('{archetype = "x", effort = "low"}', "assign[0].archetype: no package has the archetype 'x'\n    none has"),
        ('{task_type = "doc*", effort = "low"}', "assign[0].task_type: no package has the task_type 'doc*'"),
        ('{package = "wp-docs", role = "tester", effort = "low"}', "assign[0]: no package matches all of it"),
    ],
)
def test_a_rule_that_matches_nothing_is_a_warning(rule: str, expected: str) -> None:
    (found,) = assignment.problems(read(f"assign = [{rule}]"), PACKAGES)
    assert str(found).startswith(f"parallel-impl.toml: warning: {expected}")


def test_rules_that_match_say_nothing() -> None:
    assert list(assignment.problems(read(TABLES), PACKAGES)) == []


def test_a_model_for_an_agent_without_models_names_its_rule(tmp_path: Path) -> None:
    wrong = 'assign = [{package = "none", effort = "low"}, {package = "wp-docs", agent = "command: sh x", model = "m"}]'
    said = [str(one) for one in assignment.problems(read(wrong), PACKAGES) if one.severity is Severity.ERROR]
    expected = "parallel-impl.toml: error: assign[1]: 'command: sh x' has no model and no effort to choose"
    assert said == [f"{expected}\n    leave model away there"]
    with pytest.raises(UserError) as refused:
        assignment.assign(PACKAGES, read('assign = [{effort = "low"}]'), "command: sh x", tmp_path, for_all=False)
    assert "assign[0]: 'command: sh x' has no model" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('agent = "claud"', "parallel-impl.toml: error: agent: there is no agent 'claud'"),
        ('assign = [{agent = "command: no-such"}]', "parallel-impl.toml: error: assign[0].agent: the agent's program"),
        ('assign = [{agent = "command: sh {x}"}]', "parallel-impl.toml: error: assign[0].agent: unknown placeholder"),
    ],
)
def test_an_agent_is_refused_at_the_place_that_named_it(text: str, expected: str, tmp_path: Path) -> None:
    found = read(text)
    with pytest.raises(UserError) as refused:
        assignment.assign(PACKAGES, found, found.agent, tmp_path, for_all=False)
    assert str(refused.value).startswith(expected)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('{kind = "nokind"}', "agents.a.kind: there is no kind 'nokind'"),
        ('{kind = "command: my-agent"}', 'a program needs no table: write agent = "command: my-agent"'),
        ('{kind = "replay"}', 'it needs no table: write agent = "replay: …"'),
        ('{kind = "acp"}', "agents.a.program: is missing"),
        ('{kind = "claude", base_url = "http://h/v1"}', 'write agents.a.base_url = "http://h"'),
        ('{kind = "anthropic", base_url = "http://h/x/v1/"}', 'write agents.a.base_url = "http://h/x"'),
        ('{kind = "gemini", base_url = "http://h/v1beta"}', "agents.a.base_url: gemini itself adds /v1beta to it"),
    ],
)
def test_a_table_that_no_package_uses_is_checked_too(table: str, expected: str) -> None:
    (wrong,) = tables.problems(read(f"agents.a = {table}"))
    assert expected in str(wrong)
    assert wrong.where == "parallel-impl.toml"


def test_a_base_url_in_the_clients_own_form_is_taken() -> None:
    for kind, url in (("claude", "http://h"), ("anthropic", "http://h/v1/x"), ("codex", "http://h/v1")):
        assert list(tables.problems(read(f'agents.a = {{kind = "{kind}", base_url = "{url}"}}'))) == []


@pytest.mark.parametrize("key", ["sk-ant-api03-0123", "sk 0123", "0123", "$MY_KEY"])
def test_a_key_in_the_place_of_its_variables_name_is_not_shown(key: str) -> None:
    said = problems(f'agents.a = {{kind = "claude", key = "{key}"}}')
    assert "agents.a.key: key is the NAME of a variable" in said
    assert key not in said


# -- whether it can work


def fake(folder: Path, name: str, script: str) -> dict[str, str]:
    """A PATH with a program of this name first."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / name).chmod(0o755)
    return {"PATH": f"{folder}/bin:/usr/bin:/bin", "HOME": str(folder)}


def ready(spec: str, env: Mapping[str, str], folder: Path, text: str = "", **keys: str) -> tuple[Client, str]:
    found = kinds.parse(spec, folder, read(text).agents)
    assert isinstance(found, Client)
    made, wrong = readiness.make_ready(found, {**env, **keys}, env)
    return made, "\n".join(map(str, wrong))


LOGGED_IN = (
    'case "$*" in --version) echo "2.1.9 (Claude Code)";; "auth status --json") echo \'{"loggedIn": true}\';; esac'
)
LOGGED_OUT = LOGGED_IN.replace("true", "false")


def test_a_log_in_comes_before_the_usual_key(tmp_path: Path) -> None:
    made, wrong = ready("claude", fake(tmp_path, "claude", LOGGED_IN), tmp_path, ANTHROPIC_API_KEY="sk-x")
    assert (wrong, made.version, made.account.variable, made.account.key) == ("", "2.1.9", "", "")
    assert str(made.account) == "its log-in"


def test_the_usual_key_is_taken_where_nobody_is_logged_in(tmp_path: Path) -> None:
    made, wrong = ready("claude", fake(tmp_path, "claude", LOGGED_OUT), tmp_path, ANTHROPIC_API_KEY="sk-x")
    assert (wrong, made.account.variable, made.account.key) == ("", "ANTHROPIC_API_KEY", "sk-x")
    assert "sk-x" not in repr(made)


def test_the_configured_key_comes_before_a_log_in(tmp_path: Path) -> None:
    table, env = 'agents.claude = {kind = "claude", key = "WORK"}', fake(tmp_path, "claude", LOGGED_IN)
    made, wrong = ready("claude", env, tmp_path, table, WORK="sk-w", ANTHROPIC_API_KEY="sk-x")
    assert (wrong, made.account.variable, made.account.key) == ("", "WORK", "sk-w")
    _, wrong = ready("claude", env, tmp_path, table, ANTHROPIC_API_KEY="sk-x")
    assert "the variable WORK is not set" in wrong
    assert "export WORK=…" in wrong
    _, wrong = ready("claude", env, tmp_path, table.replace("WORK", "AIzaSyD0123"))
    assert "the variable that key names is not set" in wrong
    assert "AIzaSyD0123" not in wrong


def test_the_log_in_is_asked_without_the_key(tmp_path: Path) -> None:
    script = LOGGED_IN.replace("true", "'${ANTHROPIC_API_KEY:+tr}ue'").replace("'${", "'\"${").replace("}ue'", "}ue\"'")
    _, wrong = ready("claude", fake(tmp_path, "claude", script), tmp_path, ANTHROPIC_API_KEY="sk-x")
    assert wrong == ""
    made, _ = ready("claude", fake(tmp_path, "claude", script), tmp_path, ANTHROPIC_API_KEY="sk-x")
    assert made.account.variable == "ANTHROPIC_API_KEY"


OPENCODE = """case "$*" in --version) echo 1.18.33;; "auth list") echo "0 credentials";; esac"""


def test_the_usual_key_of_a_client_for_several_providers_is_that_of_its_models_provider(tmp_path: Path) -> None:
    table, env = 'agents.mine = {kind = "opencode", model = "openai/gpt-6"}', fake(tmp_path, "opencode", OPENCODE)
    made, wrong = ready("mine", env, tmp_path, table, OPENAI_API_KEY="sk-x")
    assert (wrong, made.account.variable, made.account.key) == ("", "OPENAI_API_KEY", "sk-x")
    _, wrong = ready("mine", env, tmp_path, table, ANTHROPIC_API_KEY="sk-y")
    assert "export OPENAI_API_KEY=…   or: opencode auth login" in wrong
    _, wrong = ready("opencode", env, tmp_path, OPENAI_API_KEY="sk-x")
    assert "export" not in wrong
    assert "opencode auth login" in wrong


def test_a_log_in_is_asked_for_without_the_keys_of_any_provider() -> None:
    assert readiness.key_names({}) >= {"ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"}


@pytest.mark.parametrize(
    ("table", "whose"),
    [
        ('{kind = "opencode", model = "openai/gpt-6"}', "openai"),
        ('{kind = "opencode"}', "opencode"),
        ('{kind = "aider", model = "gemini/pro"}', "gemini"),
        ('{kind = "acp", program = "x"}', "acp"),
        ('{kind = "acp", program = "x", provider = "anthropic"}', "anthropic"),
    ],
)
def test_every_client_has_a_provider_whose_limits_are_waited_for(table: str, whose: str, tmp_path: Path) -> None:
    assert kinds.parse("mine", tmp_path, read(f"agents.mine = {table}").agents).provider == whose


def test_what_is_missing_is_named_with_the_line_to_type(tmp_path: Path) -> None:
    _, wrong = ready("claude", fake(tmp_path, "claude", LOGGED_OUT), tmp_path)
    assert "claude has no key and nobody is logged in" in wrong
    assert "export ANTHROPIC_API_KEY=…   or: claude auth login" in wrong
    _, wrong = ready("anthropic", {"PATH": "/usr/bin:/bin"}, tmp_path)
    assert "anthropic has no key" in wrong
    _, wrong = ready("codex", {"PATH": "/nowhere"}, tmp_path)
    assert "'codex', the program of the agent 'codex', is not on PATH" in wrong
    assert "npm install -g @openai/codex" in wrong


def test_a_program_that_was_given_by_its_path_is_looked_at_there(tmp_path: Path) -> None:
    env, script = fake(tmp_path, "mine", LOGGED_IN), tmp_path / "bin/mine"
    script.chmod(0o644)
    _, wrong = ready("mine", env, tmp_path, 'agents.mine = {kind = "claude", program = "bin/mine --x"}')
    assert wrong.startswith(f"agents.mine.program: error: '{script}', the program of the agent 'mine': it is not exec")
    assert f"chmod +x {script}" in wrong
    _, wrong = ready("mine", env, tmp_path, 'agents.mine = {kind = "claude", program = "/nope/claude"}')
    assert "'/nope/claude', the program of the agent 'mine': there is no such file" in wrong
    assert "PATH" not in wrong


def test_a_setting_that_the_client_cannot_follow_is_refused(tmp_path: Path) -> None:
    table = 'agents.mine = {kind = "acp", effort = "high", program = "x"}'
    _, wrong = ready("mine", {"PATH": "/nowhere"}, tmp_path, table)
    assert "effort: acp cannot follow it" in wrong
    _, wrong = ready("acp", {"PATH": "/nowhere"}, tmp_path)
    assert "agents.acp.program: is missing" in wrong
