"""A token is sent to the host that it is for, and to no other that a foreign repository names."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.forge.address import Address, recognise
from parallel_impl.forge.credentials import Access

CLOUD, SERVER = {"GH_TOKEN": "cloud"}, {"GH_ENTERPRISE_TOKEN": "server"}


def github(host: str) -> Address:
    return recognise(f"https://{host}/owner/name.git", "github")


def gitlab(host: str) -> Address:
    return recognise(f"https://{host}/owner/name.git", "gitlab")


@pytest.mark.parametrize(
    ("address", "variables", "token"),
    [
        (github("github.com"), CLOUD | SERVER, "cloud"),
        (github("github.com"), {"GITHUB_TOKEN": "cloud"}, "cloud"),
        (github("acme.ghe.com"), CLOUD | SERVER, "cloud"),
        (github("git.acme.org"), CLOUD | SERVER, "server"),
        (github("git.acme.org"), CLOUD | {"GH_HOST": "git.acme.org"}, "cloud"),
        (github("git.acme.org"), CLOUD | SERVER | {"GH_HOST": "git.acme.org"}, "server"),
        (gitlab("gitlab.com"), {"GITLAB_TOKEN": "lab"}, "lab"),
        (gitlab("git.acme.org"), {"GITLAB_TOKEN": "lab", "GITLAB_HOST": "https://git.acme.org/"}, "lab"),
        (gitlab("git.acme.org:8443"), {"GITLAB_TOKEN": "lab", "GITLAB_HOST": "Git.Acme.org:8443"}, "lab"),
        (gitlab("git.acme.org"), {"GITLAB_TOKEN": "lab", "CI_SERVER_HOST": "git.acme.org"}, "lab"),
    ],
)
def test_a_token_goes_to_the_host_that_it_is_for(address: Address, variables: dict[str, str], token: str) -> None:
    assert Access.find(address, variables | {"PATH": ""}).token == token


@pytest.mark.parametrize(
    ("address", "variables", "hint"),
    [
        (github("evil.example"), CLOUD | {"GITHUB_TOKEN": "x"}, "export GH_ENTERPRISE_TOKEN="),
        (github("github.com.evil.example"), CLOUD, "gh auth login -h github.com.evil.example"),
        (github("evilghe.com"), CLOUD, "export GH_ENTERPRISE_TOKEN="),
        (github("github.com"), SERVER, "export GH_TOKEN="),
        (github("evil.example"), CLOUD | {"GH_HOST": "git.acme.org"}, "export GH_ENTERPRISE_TOKEN="),
        (gitlab("evil.example"), {"GITLAB_TOKEN": "x"}, "export GITLAB_HOST=evil.example GITLAB_TOKEN="),
        (gitlab("gitlab.com"), {"GITLAB_TOKEN": "x", "GITLAB_HOST": "git.acme.org"}, "GITLAB_HOST=gitlab.com"),
    ],
)
def test_no_other_host_gets_it(address: Address, variables: dict[str, str], hint: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no token for {address.host}") as refused:
        Access.find(address, variables | {"PATH": str(tmp_path)})
    assert hint in str(refused.value)
