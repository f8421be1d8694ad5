"""Packages as code or an agent proposes them, before they are the text of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from parallel_impl.plan.model import Package, Scope
from parallel_impl.planning.grouping.verification import ProposedStep


@dataclass(frozen=True, slots=True)
class GroupedPackage:
    """One package as code or an agent proposes it. `reasons` are those of `depends_on`, by package.

    `description` comes before the tasks ("": code's own words); `steps` take the place of those that code finds.
    `named` are the literal paths that its tasks name.
    """

    id: str
    title: str
    tasks: tuple[str, ...]
    write_allow: tuple[str, ...]
    creates: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weight: float = 1.0
    foundation: bool = False
    integration: bool = False
    may_be_empty: bool = False
    evidence: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    steps: tuple[ProposedStep, ...] = ()
    named: tuple[str, ...] = ()

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The packages that must be accepted before."""
        return tuple(self.reasons)

    def model(self) -> Package:
        """The package as a plan has it, as far as checks and estimates need it."""
        return Package(
            id=self.id,
            description=self.title,
            scope=Scope(self.write_allow, deny=self.deny),
            depends_on=self.depends_on,
            weight=self.weight,
            creates=self.creates,
            foundation=self.foundation,
        )


@dataclass(frozen=True, slots=True)
class SharedPath:
    """A file that more than one package would change, and who may: `owner` or `integration-only`."""

    path: str
    rule: str
    package: str
    because: str


@dataclass(frozen=True, slots=True)
class Grouping:
    """The packages, dependencies first; `notes` are what was settled and how, for a person."""

    packages: tuple[GroupedPackage, ...]
    shared_files: tuple[SharedPath, ...] = ()
    notes: tuple[str, ...] = ()


def in_order(packages: Sequence[GroupedPackage]) -> Iterable[GroupedPackage]:
    """Dependencies first, otherwise as they come."""
    left, done = list(packages), set[str]()
    while left:
        package = next(one for one in left if done.issuperset(one.reasons))
        left.remove(package)
        done.add(package.id)
        yield package
