"""The repository's own template for pull requests, and where our text goes in it. Pure but for reading the tree."""

from __future__ import annotations

import re

from parallel_impl.forge.address import ForgeKind
from parallel_impl.git.repo import Repo

# where the forges themselves look, the first one wins; GitHub does not mind the case of the name
GITHUB = (".github", "", "docs")
GITHUB_NAME = re.compile(r"pull_request_template(\.md|\.txt)?", re.IGNORECASE)
GITLAB = ".gitlab/merge_request_templates/Default.md"
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_ASKS = re.compile(r"\b(descri|summar|what|chang|overview|purpose|proposed|why|about)", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def find(repo: Repo, commit: str, kind: ForgeKind) -> str:
    """The template in the tree of a commit; "" where there is none."""
    if kind is ForgeKind.GITLAB:
        return (repo.read(commit, GITLAB) or b"").decode(errors="replace")
    for folder in GITHUB if kind is ForgeKind.GITHUB else ():
        for entry in repo.entries(commit, f"{folder}/") if folder else repo.entries(commit):
            if entry.kind == "blob" and GITHUB_NAME.fullmatch(entry.path.rpartition("/")[2]):
                return (repo.read(commit, entry.path) or b"").decode(errors="replace")
    return ""


def filled(template: str, text: str) -> str:
    """The template with our text under the first heading that asks what the change is; else at its end.

    Everything else in it is for a person and stays: questions, boxes, what its comments ask for.
    """
    template = template.replace("\r\n", "\n").strip()
    if not template:
        return text
    hidden = [found.span() for found in _COMMENT.finditer(template)]
    headings = [one for one in _HEADING.finditer(template) if not any(a <= one.start() < b for a, b in hidden)]
    asking = next((one for one in headings if _ASKS.search(one[1])), None)
    if asking is None:
        return f"{template}\n\n{text}"
    end = next((one.start() for one in headings if one.start() > asking.start()), len(template))
    return "\n\n".join(part for part in (template[:end].rstrip(), text, template[end:].strip()) if part)
