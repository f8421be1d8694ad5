"""Whether a change can run beside changes that have claims already: as a whole, in part, or only after them.

The rule is that of `plan.conflicts`, for the claims of packages and for bare lists of claims: globs and keys that
overlap or contain each other conflict, and so do twins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from parallel_impl.errors import Problem, count
from parallel_impl.plan import conflicts, lock_keys
from parallel_impl.plan.conflicts import Conflict
from parallel_impl.plan.globs.globs import readings
from parallel_impl.plan.model import Locks, Package, Scope


class Feasibility(StrEnum):
    """FULL: no claim conflicts. SEQUENTIAL: more than half of them do. PARTIAL: some, but not more than half."""

    FULL = "FULL"
    PARTIAL = "PARTIAL"
    SEQUENTIAL = "SEQUENTIAL"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The claims of a candidate that conflict with those of another change: for each the first conflict found.

    `undecided` names what could not be compared; it counts as a conflict of everything.
    """

    conflicts: tuple[Conflict, ...] = ()
    undecided: tuple[Problem, ...] = ()

    @property
    def free(self) -> bool:
        """Whether nothing is in the way."""
        return not self.conflicts and not self.undecided


@dataclass(frozen=True, slots=True)
class Verdict:
    """How feasible a candidate is, and how many of its claims conflict."""

    feasibility: Feasibility
    conflicting: int
    claims: int

    def __str__(self) -> str:
        if self.feasibility is Feasibility.FULL:
            return f"{self.feasibility}: none of {count(self.claims, 'claim')} conflicts"
        return f"{self.feasibility}: {self.conflicting} of {count(self.claims, 'claim')} conflict"


def compare(candidate: Sequence[Package], active: Sequence[Package]) -> Comparison:
    """Compare all packages of `candidate` with all of `active`."""
    found = conflicts.between(list(_single(candidate)), active)
    undecided = found.undecided
    if found.uncompared:
        what = f"up to {found.uncompared} pairs of claims may conflict and were not compared"
        undecided += (Problem(what, hint="begin the globs of each package with a folder of its own"),)
    return Comparison(found.conflicts, undecided)


def judge(candidate: Sequence[Package], comparisons: Iterable[Comparison]) -> Verdict:
    """Judge a candidate that was compared with every change that has claims.

    A claim is a glob, path or key of the change, counted once however many of its packages state it.
    """
    claims = {text for package in candidate for text in _texts(package)}
    conflicting: set[str] = set()
    for comparison in comparisons:
        conflicting |= claims if comparison.undecided else {found.first.text for found in comparison.conflicts}
    if not conflicting:
        return Verdict(Feasibility.FULL, 0, len(claims))
    more_than_half = 2 * len(conflicting) > len(claims)
    found = Feasibility.SEQUENTIAL if more_than_half else Feasibility.PARTIAL
    return Verdict(found, len(conflicting), len(claims))


def of_claims(candidate: Sequence[str], active: Iterable[Sequence[str]]) -> Feasibility:
    """The feasibility of bare claims: what begins with a lock key's namespace is a key, all else a glob or a path.

    UserError for a glob that is refused, `lock_keys.LockKeyError` for a key without a canonical form.
    """
    packages = [_package(text) for text in candidate]
    held = [[_package(text) for text in claims] for claims in active]
    return judge(packages, [compare(packages, others) for others in held]).feasibility


def _package(claim: str) -> Package:
    """A package with this one claim."""
    if lock_keys.is_key(claim):
        return Package(claim, "", Scope(()), locks=Locks(keys=(lock_keys.canonical(claim),)))
    readings(claim)
    return Package(claim, "", Scope((claim,)))


def _single(packages: Iterable[Package]) -> Iterator[Package]:
    """Make each claim a package of its own, so that each is judged by itself."""
    for package in packages:
        scope, locks = package.scope, package.locks
        yield from (
            Package(package.id, "", Scope((glob,), deny=scope.deny)) for glob in dict.fromkeys(scope.write_allow)
        )
        yield from (
            Package(package.id, "", Scope(()), locks=Locks(files=(glob,))) for glob in dict.fromkeys(locks.files)
        )
        yield from (Package(package.id, "", Scope(()), locks=Locks(keys=(key,))) for key in dict.fromkeys(locks.keys))


def _texts(package: Package) -> tuple[str, ...]:
    return (*package.scope.write_allow, *package.locks.files, *package.locks.keys)
