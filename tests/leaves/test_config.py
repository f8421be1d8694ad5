"""Every mistake in the configuration is said at once, with what to write instead."""

from __future__ import annotations

import re

import click
import pytest

from parallel_impl.cli.implement import implement
from parallel_impl.config import MAX_JOBS, Config, GateCommand, SetupCommand, read, unread
from parallel_impl.errors import UserError

WHOLE = b"""
agent = "command: my-agent {prompt_file}"
jobs = 8
setup = ["uv sync --frozen", {run = "npm ci", cwd = "web"}]
caches = ["~/.cache/uv"]
pass_env = ["MY_LICENSE"]
silence_minutes = 0.5
max_blob_mb = 10
gates.pytest = {command = "pytest -q", parser = "pytest"}
gates.ruff = false
gates.smoke = "make smoke"
contracts.openapi_seconds = 20
commit_identity = "A Person <person@example.org>"
signoff = true
"""


def test_nothing_configured_means_the_defaults() -> None:
    assert read(None, None) == Config()
    assert read(None, b"[project]\nname = 'x'\n") == Config()
    assert (Config().jobs, Config().silence_minutes, Config().max_blob_mb, Config().setup) == (4, 15, 50, None)


def test_every_key_is_read() -> None:
    config = read(WHOLE, None)
    assert config.setup == (SetupCommand("uv sync --frozen"), SetupCommand("npm ci", "web"))
    assert config.gates == {
        "pytest": GateCommand("pytest -q", "pytest"),
        "ruff": False,
        "smoke": GateCommand("make smoke"),
    }
    assert (config.agent, config.jobs, config.silence_minutes) == ("command: my-agent {prompt_file}", 8, 0.5)
    assert (config.caches, config.pass_env, config.openapi_seconds) == (("~/.cache/uv",), ("MY_LICENSE",), 20)
    assert (config.commit_identity, config.signoff) == ("A Person <person@example.org>", True)


def test_an_empty_setup_means_none_and_is_not_searched_for() -> None:
    assert read(b"setup = []", None).setup == ()


def test_the_pyproject_section_reads_the_same() -> None:
    assert read(None, b"[tool.parallel-impl]\njobs = 2\n").jobs == 2


def test_both_files_at_once_are_an_error() -> None:
    with pytest.raises(UserError, match="both parallel-impl"):
        read(b"jobs = 1", b"[tool.parallel-impl]\njobs = 2\n")


def test_all_mistakes_are_said_at_once_with_the_nearest_key() -> None:
    content = b'job = 3\njobs = 0\nsetup = "x"\npass_env = [1]\ngates.pytest = true\ncontracts.seconds = 1\n'
    with pytest.raises(UserError) as raised:
        read(content, None)
    said = [problem.what.split(":")[0] for problem in raised.value.problems]
    assert said == ["job", "contracts.seconds", "jobs", "setup", "pass_env", "gates.pytest"]
    assert "did you mean jobs?" in str(raised.value)


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ("gates.smoke.minutes = 0", "gates.smoke.minutes: must be a number above 0", "gates.smoke.minutes = 60"),
        ("base_minutes = -1", "base_minutes: must be 0 or a number above it", "base_minutes = 10"),
        ('agents.a = {kind = "claude", max = 0}', "agents.a.max: must be a whole number from 1 to", "leave it away"),
        (r'agents.a = {kind = "claude", args = ["-p", "a\u0000"]}', "agents.a.args[1]: holds a NUL", "take it out"),
        (r'agents.a = {kind = "claude", env = {A = "\u0000"}}', "agents.a.env.A: holds a NUL", "take it out"),
        (r'setup = [{run = "x\u0000"}]', "setup[0].run: holds a NUL", "take it out"),
        (r'gates.smoke = "x\u0000"', "gates.smoke: holds a NUL", "take it out"),
    ],
)
def test_what_would_only_show_when_it_is_used_is_refused(line: str, what: str, hint: str) -> None:
    with pytest.raises(UserError) as raised:
        read(line.encode(), None)
    (problem,) = raised.value.problems
    assert what in problem.what
    assert hint in problem.hint


def test_an_agent_without_max_has_no_limit() -> None:
    assert read(b'agents.a = {kind = "claude"}', None).agents["a"].max == 0


@pytest.mark.parametrize("cwd", ["/etc", "../other", "a/../../b"])
def test_setup_may_not_leave_the_checkout(cwd: str) -> None:
    with pytest.raises(UserError, match="cwd inside the checkout"):
        read(f'setup = [{{run = "x", cwd = "{cwd}"}}]'.encode(), None)


@pytest.mark.parametrize("content", [b"jobs = ", b"\xff\xfe", b"jobs = 1\njobs = 2"])
def test_what_is_not_toml_is_told_with_its_file(content: bytes) -> None:
    with pytest.raises(UserError, match=r"parallel-impl\.toml: error: not valid TOML"):
        read(content, None)


def test_contracts_is_a_table_and_its_hints_name_its_key() -> None:
    for content, what, hint in (
        (b'contracts = "ten seconds"', "contracts: must be a table", "write contracts.openapi_seconds = 10"),
        (b"contracts.openapi_seconds = 0", "contracts.openapi_seconds: must be a number above 0",
         "write contracts.openapi_seconds = 10"),
        (b"contracts.openapi_second = 5", "contracts.openapi_second: unknown key",
         "did you mean contracts.openapi_seconds?"),
        (b"contracts.time = 5", "contracts.time: unknown key", "known keys: contracts.openapi_seconds"),
    ):  # fmt: skip
        with pytest.raises(UserError) as raised:
            read(content, None)
        (problem,) = raised.value.problems
        assert (problem.what, problem.hint) == (what, hint)


def test_heavy_jobs_are_counted_apart_and_found_where_they_are_not_written() -> None:
    assert (read(b"jobs = 8", None).heavy_jobs, read(b"heavy_jobs = 3", None).heavy_jobs) == (0, 3)
    with pytest.raises(UserError, match="heavy_jobs: must be a whole number from 1 to 512"):
        read(b"heavy_jobs = 0", None)


@pytest.mark.parametrize("jobs", ["0", "513", "999_999", "true", "1.5", '"4"'])
def test_jobs_have_one_bound_here_and_on_the_command_line(jobs: str) -> None:
    with pytest.raises(UserError, match="jobs: must be a whole number from 1 to 512"):
        read(f"jobs = {jobs}".encode(), None)
    (option,) = (param for param in implement.params if param.name == "jobs")
    assert isinstance(option.type, click.IntRange)
    assert (option.type.min, option.type.max) == (1, MAX_JOBS)
    assert read(b"jobs = 512", None).jobs == 512


@pytest.mark.parametrize(
    ("gate", "hint"),
    [
        ("mypy", 'write gates.mypy = {command = "mypy src", parser = "mypy"}, or gates.mypy = false'),
        ("jest", 'write gates.jest = {command = "make check", parser = "exit-code"}, or gates.jest = false'),
        ('"a b"', 'write gates."a b" = {command = "make check", parser = "exit-code"}, or gates."a b" = false'),
    ],
)
def test_the_hint_for_a_gate_names_that_gate_and_can_be_written(gate: str, hint: str) -> None:
    with pytest.raises(UserError) as raised:
        read(f"gates.{gate} = true".encode(), None)
    assert raised.value.problems[0].hint == hint
    for line in hint.removeprefix("write ").split(", or "):
        assert read(line.encode(), None).gates


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("pass_env = ['GIT_DIR']", "pass_env: GIT_DIR leads git to another repository or configuration"),
        ("pass_env = ['GIT_CONFIG_COUNT']", "pass_env: GIT_CONFIG_COUNT leads git to another repository"),
        ("pass_env = ['BASH_ENV']", "pass_env: BASH_ENV makes programs run other code than they were asked for"),
        ("pass_env = ['A', 'LD_PRELOAD']", "pass_env: LD_PRELOAD makes programs run other code"),
        ("pass_env = ['AWS_*']", "pass_env: 'AWS_*' is no name of a variable"),
        ("commit_identity = 'a@example.org'", "commit_identity: must be a name and an address"),
        ("commit_identity = 'A <not an address>'", "commit_identity: must be a name and an address"),
        ("signoff = 'yes'", "signoff: must be true or false"),
    ],
)
def test_what_names_the_wrong_person_or_variable_is_refused(line: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        read(line.encode(), None)
    assert what in str(caught.value)


def test_limits_waits_and_ports_are_read() -> None:
    limits = b"limits = {package = {dollars = 5, turns = 200}, run = {minutes = 0.5}}\n"
    config = read(b"provider_wait_minutes = 5\nports = 4\n" + limits, None)
    assert (config.provider_wait_minutes, config.ports) == (5, 4)
    assert (config.limits.package, config.limits.run) == ({"dollars": 5, "turns": 200}, {"minutes": 0.5})
    nothing = read(None, None)
    assert (nothing.provider_wait_minutes, nothing.ports) == (60, 0)
    assert (nothing.limits.package, nothing.limits.run) == ({}, {})


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"limits = 5", "limits: must be a table"),
        (b"limits.packages.turns = 5", "limits.packages: unknown key"),
        (b"limits.run = 5", "limits.run: must be a table"),
        (b"limits = {dollars = 5}", "limits.dollars: of what?\n    write limits.package.dollars or limits.run.dollars"),
        (b"limits.run.dolars = 5", "limits.run.dolars: unknown key"),
        (b"limits.run.dollars = 0", "limits.run.dollars: must be a number above 0"),
        (b"limits.run.dollars = true", "limits.run.dollars: must be a number above 0"),
        (b"limits.run.turns = 1.5", "limits.run.turns: must be a whole number above 0"),
        (b"ports = -1", "ports: must be a whole number from 0 to 100"),
        (b"provider_wait_minutes = 0", "provider_wait_minutes: must be a number above 0"),
    ],
)
def test_a_mistake_in_limits_is_said(line: bytes, what: str) -> None:
    with pytest.raises(UserError, match=re.escape(what)):
        read(line, None)


def test_configuration_of_a_part_is_reported_where_it_is_ours() -> None:
    files = {
        "api/parallel-impl.toml": b"",
        "api/pyproject.toml": b"[tool.parallel-impl]\njobs = 2\n",
        "web/pyproject.toml": b"[tool.other]\n",
        "old/pyproject.toml": b"not TOML",
        "parallel-impl.toml": b"",
    }
    found = [(part, one.where, one.hint) for part in ("api", "web", "old", "") for one in unread(part, files.get)]
    assert found == [
        ("api", "api/parallel-impl.toml", "move it to the root of the repository: parallel-impl.toml"),
        (
            "api",
            "api/pyproject.toml",
            "move it to the root of the repository: [tool.parallel-impl] of pyproject.toml",
        ),
    ]


def test_pull_requests_are_off_until_they_are_wanted_and_their_keys_are_read() -> None:
    off = read(b"", None)
    assert (off.pr, off.forge, off.remote, off.pr_base, off.reviewers, off.labels) == (False, "", "", "", (), ())
    on = read(
        b'pr = true\nforge = "gitlab"\nremote = "mine"\npr_base = "acme/demo:trunk"\n'
        b'reviewers = ["ada", "acme/team"]\nlabels = ["agents"]\n',
        None,
    )
    assert (on.pr, on.forge, on.remote, on.pr_base) == (True, "gitlab", "mine", "acme/demo:trunk")
    assert (on.reviewers, on.labels) == (("ada", "acme/team"), ("agents",))


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        (b'forge = "guthub"', "forge: 'guthub' is none of github, gitlab, none", 'write forge = "github"'),
        (b'forge = "gitlub"', "forge: 'gitlub' is none of github, gitlab, none", 'write forge = "gitlab"'),
        (b"forge = true", "forge: must be a non-empty string", 'write forge = "'),
        (b'pr = "yes"', "pr: must be true or false", "write pr = true"),
        (b'reviewers = "ada"', "reviewers: must be a list of non-empty strings", "write reviewers = ["),
        (b'remotes = "x"', "remotes: unknown key", "did you mean remote?"),
    ],
)
def test_a_mistake_about_pull_requests_is_told_with_the_nearest_word(line: bytes, what: str, hint: str) -> None:
    with pytest.raises(UserError) as error:
        read(line, None)
    (problem,) = error.value.problems
    assert problem.what == what
    assert problem.hint.startswith(hint)
