"""Agents and steps see an allow-list; secrets pass by name, to agents only."""

from __future__ import annotations

from parallel_impl.environment import allowed, drop_git, secret_values

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
