"""With which token a forge is asked, and which certificates its server is believed by."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from parallel_impl.errors import UserError
from parallel_impl.forge.address import ENTERPRISE_CLOUD, Address, ForgeKind

OF_GITHUB = ("GH_TOKEN", "GITHUB_TOKEN")
OF_ENTERPRISE = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")  # gh reads these for a server of one's own
OF_GITLAB = ("GITLAB_TOKEN",)
CERTIFICATES = ("SSL_CERT_FILE", "GIT_SSL_CAINFO")
SECONDS = 20


@dataclass(frozen=True, slots=True)
class Access:
    """How a forge is asked; `verify` is a file of certificates, or True for those that the system has."""

    token: str = field(repr=False)
    verify: str | bool = True

    @classmethod
    def find(cls, address: Address, environment: Mapping[str, str]) -> Access:
        """The token by its variables, else from `gh`. UserError where there is none, with the line that gives one."""
        names = _variables(address)
        token = next((environment[name].strip() for name in names if environment.get(name, "").strip()), "")
        if not token and address.kind is ForgeKind.GITHUB:
            token = _of_gh(address.host, environment)
        if not token:
            login = f", or: gh auth login -h {address.host}" if address.kind is ForgeKind.GITHUB else ""
            hint = f"export {names[0]}=… (it may open pull requests){login}"
            raise UserError(f"no token for {address.host}", hint=hint)
        return cls(token, verify(environment))


def verify(environment: Mapping[str, str]) -> str | bool:
    """The file of certificates that the user named; that of `requests` itself where it has one by its own variable."""
    if environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE"):
        return True
    return next((environment[name] for name in CERTIFICATES if environment.get(name)), True)


def _variables(address: Address) -> tuple[str, ...]:
    if address.kind is ForgeKind.GITLAB:
        return OF_GITLAB
    cloud = address.host == "github.com" or address.host.endswith(ENTERPRISE_CLOUD)
    return OF_GITHUB if cloud else (*OF_ENTERPRISE, *OF_GITHUB)


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
