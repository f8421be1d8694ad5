"""Which forge a remote is on, and the repository's name there: read from the remote's URL. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit

_SCP = re.compile(r"(?:[^@/:]+@)?(\[[0-9A-Fa-f:]+\]|[^:/\[\]]+):(?!//)(.+)")  # git@host:owner/name.git
ENTERPRISE_CLOUD = ".ghe.com"


class ForgeKind(StrEnum):
    """A forge that can be asked; NONE is any other place that a branch can be pushed to."""

    GITHUB = "github"
    GITLAB = "gitlab"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a repository lies on a forge: `host` with its port, `name` is `owner/repository` (GitLab: groups too)."""

    kind: ForgeKind
    host: str = ""
    name: str = ""

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0]

    @property
    def api(self) -> str:
        """The base URL of the REST interface, always by TLS: a token goes there."""
        if self.kind is ForgeKind.GITLAB:
            return f"https://{self.host}"
        if self.host == "github.com":
            return "https://api.github.com"
        if self.host.endswith(ENTERPRISE_CLOUD):
            return f"https://api.{self.host}"
        return f"https://{self.host}/api/v3"

    @property
    def page(self) -> str:
        """The repository's own page."""
        return f"https://{self.host}/{self.name}" if self.host else ""


def recognise(url: str, configured: str = "") -> Address:
    """The forge of a remote's URL; `configured` is the key `forge`, for hosts that do not show what they are.

    NONE for a path, for a host that is not known, and for a URL without a repository's name.
    """
    host, name = _parts(url)
    bare = host.partition(":")[0]
    if configured:
        kind = ForgeKind(configured)
    elif bare == "github.com" or bare.endswith(ENTERPRISE_CLOUD):
        kind = ForgeKind.GITHUB
    elif bare == "gitlab.com":
        kind = ForgeKind.GITLAB
    else:
        kind = ForgeKind.NONE
    depth = name.count("/") + 1 if name else 0
    if not host or depth < 2 or (kind is ForgeKind.GITHUB and depth != 2):
        kind = ForgeKind.NONE
    return Address(kind, host, name)


def _parts(url: str) -> tuple[str, str]:
    """Host and repository of a URL; the port of an ssh URL is git's, that of an https URL the REST interface's too."""
    if "://" in url:
        try:
            split = urlsplit(url)
            port = split.port if split.scheme == "https" else None
        except ValueError:  # https://host:owner/name.git, or brackets that are not closed
            return "", ""
        if split.scheme not in ("https", "http", "ssh", "git", "git+ssh", "ssh+git"):
            return "", ""
        host, path = (split.hostname or ""), split.path
        if port:
            host += f":{port}"
    elif found := _SCP.fullmatch(url):
        host, path = found[1].lower(), found[2]
    else:
        return "", ""
    host = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com", "www.github.com": "github.com"}.get(
        host, host
    )
    return host, unquote(path).strip("/").removesuffix(".git").strip("/")
