"""The search tools of our own agent: files by name and by what is in them, of the repository and nothing else.

Not the SDK's: those walk into `.venv` and `node_modules`, which every checkout that was set up has, and show the
newest files first, which these are.
"""

from __future__ import annotations

from pathlib import Path

from parallel_impl.agents.drivers.editor import CallError
from parallel_impl.agents.drivers.reach import Reach
from parallel_impl.errors import UserError
from parallel_impl.git.repo import GitError, Repo, decode
from parallel_impl.plan.globs.globs import match

FILES = 300
SHOWN = 30_000  # characters of the lines that were found
LINE = 400
WITHOUT_PERL = "cannot use Perl-compatible regexes"  # git says so where it was built without PCRE


def glob(reach: Reach, pattern: str) -> str:
    """The files that git tracks or would, whose path matches, in order."""
    listed = _git(reach.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    try:
        found = sorted(path for path in set(listed.split("\0")) - {""} if match(pattern, path))
    except UserError as error:
        raise CallError(str(error)) from error
    more = [f"[and {len(found) - FILES} more]"] if len(found) > FILES else []
    return "\n".join([*found[:FILES], *more]) or "no such file"


def grep(reach: Reach, pattern: str, path: str = ".", *, ignore_case: bool = False) -> str:
    """The lines that match a Perl-compatible regular expression, as `path:line:text`; below `path` only."""
    place = reach.shown(reach.readable(path))
    words = ("grep", "-n", "-I", "--untracked", "--exclude-standard", "--no-color", *(("-i",) if ignore_case else ()))
    try:
        found = _git(reach.root, *words, "-P", "-e", pattern, "--", place, ok=(0, 1))
    except CallError as error:
        if WITHOUT_PERL not in str(error):
            raise
        found = _git(reach.root, *words, "-E", "-e", pattern, "--", place, ok=(0, 1))
    lines, room = [], SHOWN
    for line in found.splitlines():
        shown = line if len(line) <= LINE else line[:LINE] + "…"
        room -= len(shown) + 1
        if room < 0:
            lines.append("[there is more: narrow it down]")
            break
        lines.append(shown)
    return "\n".join(lines) or "no match"


def _git(root: Path, *words: str, ok: tuple[int, ...] = (0,)) -> str:
    try:
        return decode(Repo(root).git(*words, ok=ok, discover=True))
    except (GitError, UserError) as error:
        raise CallError(str(error)) from error
