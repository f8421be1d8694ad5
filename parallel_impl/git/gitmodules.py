"""What git's own check refuses in a file named `.gitmodules`, in any folder (fsck.c, submodule-config.c).

A remote that checks what it is sent takes no commit with one, and `git fsck` fails from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

WHY = "a .gitmodules that git's own check refuses"


def refusal(values: Iterable[tuple[str, str]]) -> str:
    """Why the file cannot be taken, or ""; `values` are its keys and values, as `git config --list` has them."""
    for key, value in values:
        section, _, rest = key.partition(".")
        name, dot, what = rest.rpartition(".")
        if section == "submodule" and dot and (wrong := _wrong(name, what, value)):
            return f"{WHY}: submodule {name!r}: {wrong}"
    return ""


def _wrong(name: str, what: str, value: str) -> str:
    if not name or ".." in name.replace("\\", "/").split("/"):
        return "a name with .. in it"
    if what == "url" and not _may_be_url(value):
        return f"url = {value}"
    if what == "path" and value.startswith("-"):
        return f"path = {value}"
    if what == "update" and value.startswith("!"):
        return "update is a command"
    return ""


def _may_be_url(url: str) -> bool:
    if url.startswith("-") or "\n" in unquote(url):
        return False
    rest = url
    while rest.startswith("../"):
        rest = rest[3:]
    if rest != url and rest.startswith((":", "/")):
        return False  # it would overwrite the host
    web = url.partition("::")[2] if url.startswith(("http::", "https::", "ftp::", "ftps::")) else url
    return not web.startswith(("http:", "https:", "ftp:", "ftps:")) or bool(urlsplit(web).hostname)
