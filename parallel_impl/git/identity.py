"""Who commits: the person whose name stands in what lands.

Made-up addresses are refused by CLA and DCO checks and by push rules, so it is the user; we only where git has nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parallel_impl.git.repo import Repo

VARIABLES = tuple(f"GIT_{role}_{part}" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL"))
_PERSON = re.compile(r"(.+) <([^<>]+)>")
_IDENT = re.compile(r"(.*) <([^<>]*)> \d+ [+-]\d{4}")
_TRAILER = re.compile(r"[A-Za-z][A-Za-z-]*: .*")


@dataclass(frozen=True, slots=True)
class Person:
    """A name and an address, as git writes them into commits."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who made a commit and who put it there; with `signoff` its message says so in a trailer."""

    author: Person
    committer: Person
    signoff: bool = False

    def sign(self, message: str) -> str:
        """The message as it is committed: with `Signed-off-by` among its trailers where that is wanted."""
        if not self.signoff:
            return message
        text = message.rstrip("\n")
        among = all(_TRAILER.fullmatch(line) for line in text.rpartition("\n\n")[2].split("\n")) and "\n\n" in text
        return f"{text}\n{'' if among else chr(10)}Signed-off-by: {self.committer}\n"


_OUR_PERSON = Person("parallel-implement", "parallel-implement@localhost")
OURS = Identity(_OUR_PERSON, _OUR_PERSON)


def parse(text: str) -> Person | None:
    """The person that `Name <mail>` names; None for any other text."""
    found = _PERSON.fullmatch(text)
    return Person(found[1], found[2]) if found else None


def find(repo: Repo, folder: Path, variables: Mapping[str, str]) -> Identity:
    """What git itself answers where the user works; ours where it has no name and address.

    `variables` are those of the caller: `GIT_AUTHOR_*` and `GIT_COMMITTER_*` count as they do for `git commit`. Git
    would else make an address of the machine's name up.
    """
    known = {name: variables[name] for name in VARIABLES if name in variables}
    author, committer = (_ask(repo, folder, known, role) for role in ("AUTHOR", "COMMITTER"))
    one, other = author or committer, committer or author
    return Identity(one, other) if one and other else OURS


def _ask(repo: Repo, folder: Path, variables: Mapping[str, str], role: str) -> Person | None:
    arguments = ("-C", str(folder), "-c", "user.useConfigOnly=true", "var", f"GIT_{role}_IDENT")
    out = repo.git(*arguments, env=variables, ok=(0, 1, 128), discover=True)
    found = _IDENT.fullmatch(out.decode("utf-8", "surrogateescape").strip())
    return Person(found[1], found[2]) if found else None
