"""A forge is recognised by the remote's URL, or by the key `forge` where the URL does not show it."""

from __future__ import annotations

import pytest

from parallel_impl.forge.address import ForgeKind, recognise


@pytest.mark.parametrize(
    ("url", "name", "api"),
    [
        ("https://github.com/acme/demo.git", "acme/demo", "https://api.github.com"),
        ("https://me:pass@github.com/acme/demo", "acme/demo", "https://api.github.com"),
        ("git@github.com:acme/demo.git", "acme/demo", "https://api.github.com"),
        ("ssh://git@ssh.github.com:443/acme/demo.git", "acme/demo", "https://api.github.com"),
        ("GIT@GitHub.com:acme/demo", "acme/demo", "https://api.github.com"),
        ("https://octo.ghe.com/acme/demo.git/", "acme/demo", "https://api.octo.ghe.com"),
    ],
)
def test_github_is_recognised_in_every_form_of_its_urls(url: str, name: str, api: str) -> None:
    found = recognise(url)
    assert (found.kind, found.name, found.api) == (ForgeKind.GITHUB, name, api)


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://code.example.org:8443/acme/demo.git", "https://code.example.org:8443/api/v3"),
        ("ssh://git@code.example.org:2222/acme/demo.git", "https://code.example.org/api/v3"),
        ("http://code.example.org:8080/acme/demo", "https://code.example.org/api/v3"),
    ],
)
def test_an_enterprise_server_is_what_the_configuration_calls_it_and_is_asked_by_tls_alone(url: str, api: str) -> None:
    assert recognise(url).kind is ForgeKind.NONE
    assert recognise(url, "github").api == api


def test_gitlab_has_groups_in_groups() -> None:
    found = recognise("git@gitlab.com:group/sub/demo.git")
    assert (found.kind, found.name, found.api) == (ForgeKind.GITLAB, "group/sub/demo", "https://gitlab.com")
    assert recognise("https://code.example.org/a/b", "gitlab").kind is ForgeKind.GITLAB


@pytest.mark.parametrize(
    "url",
    [
        "/srv/git/demo.git",
        "../demo.git",
        "file:///srv/demo.git",
        "https://github.com/acme",
        "https://github.com/a/b/c",
        "https://github.com.evil.example/acme/demo",
        "https://evil.example/github.com/acme/demo",
        "ext::sh -c x",
        "https://github.com:acme/demo",
        "https://[github.com/acme/demo",
    ],
)
def test_what_is_no_repository_on_a_known_forge_is_none(url: str) -> None:
    assert recognise(url).kind is ForgeKind.NONE


def test_the_key_none_switches_a_known_forge_off() -> None:
    assert recognise("https://github.com/acme/demo", "none").kind is ForgeKind.NONE
