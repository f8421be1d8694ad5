"""With which token a forge is asked, and which certificates its server is believed by.

A repository names its forge, by its remote and its configuration, so a variable is sent to no other host than the one
that it is for: a clone of a foreign repository with `forge = "github"` must not get the user's token of github.com.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from parallel_impl.errors import UserError
from parallel_impl.forge.address import ENTERPRISE_CLOUD, Address, ForgeKind

OF_GITHUB = ("GH_TOKEN", "GITHUB_TOKEN")
OF_ENTERPRISE = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")  # gh reads these for a server of one's own
OF_GITLAB = ("GITLAB_TOKEN",)
HOSTS_OF_GITLAB = ("GITLAB_HOST", "CI_SERVER_HOST")  # the first is glab's, the second is set in every job of GitLab's
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO")  # as requests orders them
SECONDS = 20


@dataclass(frozen=True, slots=True)
class Access:
    """How a forge is asked; `verify` is a file of certificates, or True for those that the system has."""

    token: str = field(repr=False)
    verify: str | bool = True

    @classmethod
    def find(cls, address: Address, environment: Mapping[str, str]) -> Access:
        """The token by its variables, else from `gh`. UserError where there is none, with the line that gives one."""
        names = _variables(address, environment)
        token = next((environment[name].strip() for name in names if environment.get(name, "").strip()), "")
        if not token and address.kind is ForgeKind.GITHUB:
            token = _of_gh(address.host, environment)
        if not token:
            raise UserError(f"no token for {address.host}", hint=_how(address, names))
        return cls(token, verify(environment))


def verify(environment: Mapping[str, str]) -> str | bool:
    """The file of certificates that the user named, or True for those that come with the library."""
    return next((environment[name] for name in CERTIFICATES if environment.get(name)), True)


def _variables(address: Address, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The variables whose tokens are for the host of an address, the first that is set is taken."""
    if address.kind is ForgeKind.GITLAB:
        named = next((environment[name] for name in HOSTS_OF_GITLAB if environment.get(name, "").strip()), "gitlab.com")
        return OF_GITLAB if _host(named) == address.host.lower() else ()
    if address.host == "github.com" or address.host.endswith(ENTERPRISE_CLOUD):
        return OF_GITHUB
    meant = _host(environment.get("GH_HOST", "")) == address.host.lower()
    return (*OF_ENTERPRISE, *OF_GITHUB) if meant else OF_ENTERPRISE


def _host(named: str) -> str:
    """The host that a variable names; glab takes an address too."""
    return named.strip().lower().rpartition("://")[2].partition("/")[0]


def _how(address: Address, names: tuple[str, ...]) -> str:
    """The line that gives a token to be used for this host."""
    if address.kind is ForgeKind.GITLAB:
        host = "" if names else f"{HOSTS_OF_GITLAB[0]}={address.host} "
        return f"export {host}{OF_GITLAB[0]}=… (it may open merge requests)"
    return f"export {names[0]}=… (it may open pull requests), or: gh auth login -h {address.host}"


def _of_gh(host: str, environment: Mapping[str, str]) -> str:
    """The token that the user's `gh` has; it never goes through a file of ours."""
    try:
        done = subprocess.run(
            ["gh", "auth", "token", "-h", host],
            env=dict(environment),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
