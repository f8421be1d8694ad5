"""Agents and steps see an allow-list; secrets pass by name, to agents only."""

from __future__ import annotations

import json

import pytest

from parallel_impl.environment import (
    ALLOWED,
    allowed,
    drop_git,
    for_filters,
    for_push,
    is_executed,
    is_redirecting,
    remarks,
    secret_values,
)
from parallel_impl.text import masked

INHERITED = {
    "PATH": "/bin",
    "LC_TIME": "C",
    "HTTPS_PROXY": "proxy",
    "EDITOR": "vi",
    "AWS_SECRET_ACCESS_KEY": "aws-value",
    "MY_TOKEN": "token-value",
    "MY_LICENSE": "license",
    "SHORT_KEY": "abc",
}


def test_what_is_not_on_the_list_does_not_pass() -> None:
    assert allowed(INHERITED, secrets=True) == {"PATH": "/bin", "LC_TIME": "C", "HTTPS_PROXY": "proxy"}


def test_secrets_pass_only_when_named_and_only_to_agents() -> None:
    named = ["MY_TOKEN", "MY_LICENSE"]
    assert allowed(INHERITED, pass_env=named, secrets=True).get("MY_TOKEN") == INHERITED["MY_TOKEN"]
    steps = allowed(INHERITED, pass_env=named, secrets=False)
    assert "MY_TOKEN" not in steps
    assert steps["MY_LICENSE"] == "license"


def test_secret_values_are_masked_longest_first_and_short_ones_mask_nothing() -> None:
    assert secret_values(INHERITED) == (b"token-value", b"aws-value")


def test_what_git_was_told_about_another_repository_is_dropped_and_nothing_else() -> None:
    kept = {"GIT_PYTHON_REFRESH": "quiet", "PATH": "/bin", "GITX": "y"}
    variables = kept | {"GIT_DIR": "/other/.git", "GIT_INDEX_FILE": "i"}
    drop_git(variables)
    assert variables == kept


def test_what_was_dropped_is_kept_for_those_that_name_it() -> None:
    variables = {"GIT_DIR": "/x", "GIT_SSH_COMMAND": "ssh", "PATH": "/bin"}
    assert drop_git(variables) == {"GIT_DIR": "/x", "GIT_SSH_COMMAND": "ssh"}
    assert variables == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "name",
    [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_GLOBAL",
        "GIT_NAMESPACE",
        "GIT_CEILING_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_SHALLOW_FILE",
        "GIT_ATTR_SOURCE",
        "GIT_REPLACE_REF_BASE",
        "GIT_EXEC_PATH",
        "GIT_TEMPLATE_DIR",
    ],
)
def test_what_redirects_git_passes_nowhere(name: str) -> None:
    assert is_redirecting(name)
    assert allowed({name: "x"}, pass_env=[name], secrets=True) == {}
    assert for_filters({name: "x"}, pass_env=[name]) == {}


@pytest.mark.parametrize("name", ["BASH_ENV", "ENV", "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONSTARTUP", "NODE_OPTIONS"])
def test_what_programs_execute_passes_nowhere(name: str) -> None:
    assert is_executed(name)
    assert allowed({name: "x"}, pass_env=[name], secrets=True) == {}


def test_nothing_on_the_list_is_what_programs_execute() -> None:
    assert [name for name in ALLOWED if is_executed(name) or is_redirecting(name)] == []


def test_other_variables_of_git_pass_when_named() -> None:
    inherited = {"GIT_SSH_COMMAND": "ssh", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_PAGER": "cat", "GIT_ASKPASS": "ask"}
    assert allowed(inherited, secrets=True) == {}
    assert allowed(inherited, pass_env=[*inherited], secrets=False) == inherited
    filters = for_filters(inherited, pass_env=[*inherited])
    assert filters == {"GIT_SSH_COMMAND": "ssh", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_ASKPASS": "ask"}
    assert for_filters(inherited, pass_env=[]) == {}
    of_git = ["GIT_INDEX_VERSION", "GIT_NOTES_REF", "GIT_TRACE", "GIT_AUTHOR_DATE", "GIT_DEFAULT_HASH"]
    assert for_filters(dict.fromkeys(of_git, "1"), pass_env=of_git) == {}


def test_nothing_that_pass_env_names_is_ignored_without_a_word() -> None:
    names = ["MY_LICENSE", "MY_TOKEN", "ABSENT", "TMPDIR"]
    assert remarks(INHERITED, pass_env=names, ours=["TMPDIR"]) == [
        "pass_env: MY_TOKEN is a secret by its name: agents see it, set-up, steps and gates do not",
        "pass_env: ABSENT is not set here",
        "pass_env: TMPDIR is set by the run itself, your value does not pass",
    ]


def test_a_secret_that_json_escapes_is_masked_in_lines_of_json_too() -> None:
    value = 'pä"ss\\word\nof two lines'
    secrets = secret_values({"MY_PASSWORD": value})
    for line in (json.dumps({"text": value}), json.dumps({"text": value}, ensure_ascii=False), value):
        assert masked(line.encode(), secrets).decode() in ('{"text": "***"}', "***")


def test_a_push_gets_what_reaches_a_remote_and_nothing_that_leads_git_elsewhere() -> None:
    reaching = {"GIT_SSH": "ssh", "GIT_SSH_COMMAND": "ssh -v", "GIT_ASKPASS": "ask", "GIT_SSL_CAINFO": "ca.pem"}
    others = {"GIT_DIR": "/x", "GIT_CONFIG_COUNT": "1", "GIT_SSHX": "x", "GIT_TRACE": "1", "HOME": "/h"}
    assert for_push(reaching | others) == reaching
