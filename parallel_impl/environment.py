"""Which environment variables agents, set-up and steps see: an allow-list, and what must be masked in logs.

The list is the product's promise (README, "Environment").
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, MutableMapping

from parallel_impl import text

ALLOWED = (
    "PATH", "HOME", "USER", "LANG", "LC_*", "TZ", "TERM", "TMPDIR",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "ftp_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT",
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONFIG_FILE",
    "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_OFFLINE",
    "npm_config_registry", "NPM_CONFIG_REGISTRY",
)  # fmt: skip
SECRET = ("*_KEY", "*_TOKEN", "*_SECRET", "*PASSWORD*")


def drop_git(variables: MutableMapping[str, str]) -> None:
    """Remove inherited `GIT_*`: a `GIT_DIR` of the caller's (a hook, `git rebase --exec`) names another repository.

    Done once, in the environment of this process: GitPython and every child take what they find there.
    """
    for name in [name for name in variables if name.startswith("GIT_") and name != "GIT_PYTHON_REFRESH"]:
        del variables[name]


def is_secret(name: str) -> bool:
    """Whether the value of a variable with this name is masked and kept from steps."""
    return any(fnmatch.fnmatchcase(name.upper(), pattern) for pattern in SECRET)


def allowed(
    inherited: Mapping[str, str], *, pass_env: Iterable[str] = (), secrets: bool, without: Collection[str] = ()
) -> dict[str, str]:
    """The variables of `inherited` that may pass: the allow-list and `pass_env`, `without` these.

    Secrets pass only when named in `pass_env`, and only where `secrets` is true (agents, not steps).
    """
    named = set(pass_env) - set(without)
    found = {}
    for name, value in inherited.items():
        if is_secret(name):
            if secrets and name in named:
                found[name] = value
        elif name in named or any(fnmatch.fnmatchcase(name, pattern) for pattern in ALLOWED):
            found[name] = value
    return found


def masked(words: str, secrets: Iterable[bytes]) -> str:
    """`words` with `***` for each of the values."""
    return text.masked(words.encode(errors="surrogateescape"), secrets).decode(errors="surrogateescape")


def secret_values(inherited: Mapping[str, str], also: Collection[str] = ()) -> tuple[bytes, ...]:
    """The values to mask in everything we write, longest first; values under four bytes mask nothing useful.

    `also` names variables that hold a secret whatever they are called.
    """
    secret = (value for name, value in inherited.items() if is_secret(name) or name in also)
    values = {value.encode(errors="surrogateescape") for value in secret}
    return tuple(sorted((value for value in values if len(value) >= 4), key=len, reverse=True))
