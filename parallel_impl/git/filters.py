"""Filters that the base's files pass: whether they can run here, and what a failure of one means.

A filter that cannot run is the user's to repair, and is found before an agent is paid: what lands would be unfiltered.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import Problem, Severity, UserError, count
from parallel_impl.git.repo import GitError, Repo, decode
from parallel_impl.git.trees import Trees
from parallel_impl.text import first_names

FAILED = re.compile(r"^fatal: (?P<path>.+): (?P<kind>clean|smudge) filter '?(?P<name>[^'\s]+)'? failed", re.MULTILINE)
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
OPERATORS = re.compile(r"[|&;<>()$`\n]")
SHOWN = 3
WHAT_TO_DO = {
    "git-crypt": "git-crypt unlock",
    "lfs": "git lfs fetch --all (objects that no server has: git lfs fsck); or to work with pointers: "
    'GIT_LFS_SKIP_SMUDGE=1 in your environment, and pass_env = ["GIT_LFS_SKIP_SMUDGE"]',
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that files of the base pass, or that its attributes name: its commands, its files, and where."""

    name: str
    commands: Mapping[str, str]
    required: bool
    files: tuple[str, ...]
    where: str

    @property
    def used(self) -> dict[str, str]:
        """The commands that git runs: `process` where there is one, else `clean` and `smudge`."""
        if process := self.commands.get("process"):
            return {"process": process}
        return {kind: self.commands[kind] for kind in ("clean", "smudge") if self.commands.get(kind)}


def check(trees: Trees, base: str) -> Iterator[Problem]:
    """What is wrong with the filters of the base, and what agents see through them."""
    for one in find(trees, base):
        files = f"{count(len(one.files), 'file')}: {first_names(one.files, SHOWN)}" if one.files else "no file so far"
        if not one.used:
            yield _not_set_up(one, files)
            continue
        yield from _missing_programs(trees.repo, one, files)
        if one.name != "lfs" and one.files and one.used.keys() & {"process", "smudge"}:
            text = f"agents read what the filter {one.name} makes of files, decrypted ones too ({files})"
            yield Problem(text, where=one.where, severity=Severity.NOTICE)


def find(trees: Trees, base: str) -> list[Filter]:
    """The filters that the attributes of the base, or the user's own, name, by their names."""
    if trees.exact(base):
        return []
    config = dict(trees.repo.config())
    named, files = _named(trees, base), _files(trees, base)
    return [
        Filter(
            name,
            {kind: config.get(f"filter.{name}.{kind}", "") for kind in ("clean", "smudge", "process")},
            config.get(f"filter.{name}.required", "false").lower() in ("true", "yes", "on", "1"),
            tuple(files.get(name, ())),
            named.get(name, ".gitattributes"),
        )
        for name in sorted({*named, *files})
    ]


def explain(error: GitError, doing: str) -> UserError:
    """What to tell when git could not read or write the files of a checkout for the first time."""
    found = FAILED.search(error.stderr)
    if found is None:
        return UserError(f"git cannot {doing}: {error.stderr}", hint="repair that, then give the same command again")
    name, path = found["name"], found["path"]
    look = f"see what it needs: git cat-file --filters {shlex.quote(f'HEAD:{path}')} > /dev/null"
    return UserError(
        f"the filter {name} fails, git cannot {doing}:\n{error.stderr}", where=path, hint=WHAT_TO_DO.get(name, look)
    )


def _not_set_up(one: Filter, files: str) -> Problem:
    if one.name == "lfs":
        text = "files are stored with Git LFS, which is not set up here: worktrees have pointers in their place"
        hint = "install git-lfs and type: git lfs install"
        return Problem(text, where=one.where, hint=hint, severity=Severity.WARNING)
    text = f"the filter {one.name} is not set up here: what is stored is what agents see, and the other way ({files})"
    hint = f"set it up as {one.where} needs it, if agents are to see what it makes of files"
    return Problem(text, where=one.where, hint=hint, severity=Severity.WARNING)


def _missing_programs(repo: Repo, one: Filter, files: str) -> Iterator[Problem]:
    kinds: dict[str, list[str]] = {}
    for kind, command in one.used.items():
        if program := _missing(repo, command):
            kinds.setdefault(program, []).append(kind)
    for program, missing in kinds.items():
        passed_over = missing == ["smudge"] and not one.required
        effect = f"git passes it over ({files} as stored)" if passed_over else f"it filters {files}"
        off = "; ".join(f"git config --unset-all filter.{one.name}.{kind}" for kind in one.used)
        yield Problem(
            f"the filter {one.name} needs {program}, which is not on PATH: {effect}",
            where=one.where,
            hint=f"install {program}, or switch the filter off: {off}",
            severity=Severity.WARNING if passed_over else Severity.ERROR,
        )


def _missing(repo: Repo, command: str) -> str:
    """The program that a filter's command starts, where that can be told without a shell, and it is not here."""
    if OPERATORS.search(command):
        return ""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    while words and ASSIGNMENT.match(words[0]):
        words.pop(0)
    if not words:
        return ""
    if words[0] == "git" and len(words) > 1 and not words[1].startswith("-"):
        name = f"git-{words[1]}"
        builtin = words[1] in repo.text("--list-cmds=builtins,main").split("\n")
        return "" if builtin or shutil.which(name) else name
    program = str(storage.expand(words[0]))
    if "/" in program and not program.startswith("/"):
        return ""  # from the worktree: whether it is there depends on the commit
    return "" if shutil.which(program) else program


def _named(trees: Trees, base: str) -> dict[str, str]:
    """The filters in the base's `.gitattributes`: name to the first file and line that names it."""
    files = trees.listing(base).named(b".gitattributes")
    contents = trees.repo.blobs(files.values())
    found: dict[str, str] = {}
    for path, oid in sorted(files.items()):
        for number, line in enumerate(contents[oid].decode(errors="replace").splitlines(), 1):
            words = [] if line.lstrip().startswith("#") else line.split()[1:]
            for word in words:
                if word.startswith("filter="):
                    found.setdefault(word.removeprefix("filter="), f"{decode(path)}:{number}")
    return found


def _files(trees: Trees, base: str) -> dict[str, list[str]]:
    """The files of the base by the filter that they pass, by all attributes that git looks at."""
    paths = b"".join(path + b"\0" for path in trees.listing(base).entries)
    trees.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="attributes-", dir=trees.scratch) as scratch:
        index = Path(scratch, "index")
        trees.repo.git("read-tree", trees.id(base), index=index)
        out = trees.repo.git("check-attr", "--cached", "-z", "--stdin", "filter", input=paths, index=index)
    found: dict[str, list[str]] = {}
    fields = out.split(b"\0")[:-1]
    for path, value in zip(fields[::3], fields[2::3], strict=True):
        if value not in (b"unspecified", b"unset", b"set"):
            found.setdefault(decode(value), []).append(decode(path))
    return found
