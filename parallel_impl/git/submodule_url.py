"""What `git submodule init` copies into the configuration from `.gitmodules`: a relative URL is completed there."""

from __future__ import annotations

from collections.abc import Iterable


def is_of(value: str, said: str, remotes: Iterable[str]) -> bool:
    """Whether the configuration's value is what `.gitmodules` says; `remotes` are what that can be relative to."""
    if not said.startswith(("./", "../")):
        return value == said
    return value in {_resolve(remote, said) for remote in remotes}


def _resolve(remote: str, relative: str) -> str:
    """The URL that a relative one means, as git's `relative_url` of remote.c has it."""
    base, separator = remote.rstrip("/"), "/"
    while relative.startswith(("./", "../")):
        if relative.startswith("../"):
            cut = max(base.rfind("/"), base.rfind(":"))
            base, separator = (base[:cut], base[cut]) if cut >= 0 else (".", "/")
        relative = relative.partition("/")[2]
    return f"{base}{separator}{relative}".rstrip("/")
