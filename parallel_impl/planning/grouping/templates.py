"""Three shapes of work, and the stated rule that chooses one: a feature, a refactor, a bug fix.

A feature is cut along its sections, the shared foundation first. A refactor is the same edit in many places: it is cut
by folders, whatever section a task stands in. A bug fix stays with one agent, its regression test included.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from parallel_impl.errors import UserError
from parallel_impl.plan.names_of_tests import is_test
from parallel_impl.planning.grouping.balance import PartitionLimits
from parallel_impl.planning.grouping.coupling import Bonds
from parallel_impl.planning.grouping.touches import Touch
from parallel_impl.planning.reading.evidence import Table
from parallel_impl.text import did_you_mean

MANY_FILES = 3  # more than so many are worth a thought about agents beside each other
MANY_UNITS = 2
SMALL_FIX = 15  # tasks; more is no fix, whatever it is called
MOSTLY_EXISTING = 0.8  # of the files: little is new in a refactor

_FIX = re.compile(r"\b(fix(es|ed)?|hotfix|bug(fix)?|regression|repair)\b", re.I)
_REFACTOR = re.compile(
    r"\b(refactor\w*|renam\w*|restructur\w*|mov(e|ing)|split|extract\w*|migrat\w*|unif\w+|convert)\b", re.I
)


class Template(StrEnum):
    """The shape of the work."""

    FEATURE = "feature"
    REFACTOR = "refactor"
    BUG_FIX = "bug fix"


@dataclass(frozen=True, slots=True)
class Choice:
    """The template, and why this one; `triggers` are the reasons to think of several agents at all, [] for none."""

    template: Template
    because: str
    triggers: tuple[str, ...] = ()


def choose(table: Table, found: Sequence[Touch], units: int, wanted: str = "") -> Choice:
    """The template that `wanted` names, else the one that the rule gives; UserError for a name that is none."""
    return Choice(*_named(wanted) if wanted else _by_rule(table, found), triggers=tuple(_triggers(found, units)))


def limits(template: Template) -> PartitionLimits:
    """What a partition must keep, by the shape of the work."""
    return PartitionLimits(share=1.0, width=1.0, most=1) if template is Template.BUG_FIX else PartitionLimits()


def bonds(template: Template) -> Bonds:
    """What holds units together, by the shape of the work: in a refactor the folder, not the heading."""
    return Bonds(section=1.0, folder=3.0) if template is Template.REFACTOR else Bonds()


def _named(wanted: str) -> tuple[Template, str]:
    name = wanted.lower().replace("-", " ").strip()
    for template in Template:
        if name == template or name == template.replace(" ", ""):
            return template, "it was asked for"
    known = [str(template).replace(" ", "-") for template in Template]
    hint = did_you_mean(wanted, known) or f"write one of {', '.join(known)}"
    raise UserError(f"{wanted!r} is no template", where="--template", hint=hint)


def _by_rule(table: Table, found: Sequence[Touch]) -> tuple[Template, str]:
    name = f"{table.change_id.replace('-', ' ')} {table.title}"
    files = [touch for touch in found if not touch.is_glob]
    if (word := _FIX.search(name)) and len(table.tasks) <= SMALL_FIX:
        return Template.BUG_FIX, f"it is called {word[0]!r} and has {len(table.tasks)} tasks, {SMALL_FIX} at most"
    existing = sum(not touch.new for touch in files)
    if (word := _REFACTOR.search(name)) and existing >= MOSTLY_EXISTING * len(files) > 0:
        return Template.REFACTOR, f"it is called {word[0]!r}, and {existing} of its {len(files)} files exist"
    return Template.FEATURE, "it is called neither a fix nor a refactoring of what is there"


def _triggers(found: Sequence[Touch], units: int) -> list[str]:
    files = sum(not touch.is_glob for touch in found)
    domains = {_domain(touch.path) for touch in found if not touch.is_glob}
    said = []
    if files > MANY_FILES:
        said.append(f"{files} files, more than {MANY_FILES}")
    if units > MANY_UNITS:
        said.append(f"{units} pieces of work, more than {MANY_UNITS}")
    if len(domains) > 1:
        said.append(f"several domains: {', '.join(sorted(domains))}")
    return said


def _domain(path: str) -> str:
    if is_test(path):
        return "tests"
    return "documentation" if path.endswith((".md", ".rst", ".txt")) else "code"
