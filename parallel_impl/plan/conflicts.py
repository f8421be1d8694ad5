"""Conflicts between parallel packages: write scopes that overlap, locks that both claim, paths that are twins.

Every conflict names both packages, what they wrote and a path or key that both claim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, reduce
from itertools import starmap
from operator import or_

from parallel_impl.errors import Problem
from parallel_impl.plan import lock_keys
from parallel_impl.plan.globs.globs import fold, is_literal, quoted
from parallel_impl.plan.globs.neighbours import neighbours, pairs
from parallel_impl.plan.globs.overlap import Ends, Overlaps, UndecidedError, ends
from parallel_impl.plan.model import Package, Plan, YamlPath, yaml_path
from parallel_impl.plan.order import Order

LISTED = 200  # conflicts; with more, the others are counted
COUNTED = 2_000  # conflicts beyond those, so that a few hundred more are counted exactly
COMPARED = 100_000  # pairs of packages, 10 to 30 microseconds each


class ConflictKind(StrEnum):
    """What two packages both claim: a path to write, a lock, or one path in two spellings."""

    SCOPE = "scope"
    LOCK = "lock"
    TWIN = "twin"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one package wrote, and where in the plan: `text` is a glob, a path or a key."""

    package: str
    text: str
    path: YamlPath


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two parallel packages that claim one thing, in topological order: all lines advised together make no cycle.

    `witness` is a path or a key that both claim; of twins, the path as the second package spells it.
    """

    kind: ConflictKind
    first: Claim
    second: Claim
    witness: str

    @property
    def both(self) -> str:
        """What the two packages have in common, as the end of a sentence about them."""
        return f"{_BOTH[self.kind]} {quoted(self.witness)}"

    def problem(self, plan: Plan) -> Problem:
        """Describe the conflict, at the claim of the second package."""
        one, two = self.first, self.second
        place = plan.where(*one.path).removeprefix(f"{plan.source}:").partition(":")[0]
        line = f" (line {place})" if place.isdecimal() else ""
        return Problem(
            f"{two.package} and {one.package} may run at the same time and {self.both}: "
            f"{quoted(two.text)} of {two.package} overlaps {quoted(one.text)} of {one.package}{line}",
            where=plan.where(*two.path),
            path=yaml_path(two.path),
            hint=f"write for {two.package}: {_depends_on(plan, two, one)}; or {_OTHERWISE[self.kind]}",
        )


def _depends_on(plan: Plan, one: Claim, other: Claim) -> str:
    """The line that makes the package of `one` wait for that of `other`."""
    there = plan.package(one.package).depends_on
    few = there if len(there) <= 20 else (*there[:20], "…")
    return f"depends_on: [{', '.join((*few, other.package))}]"


_BOTH = {
    ConflictKind.SCOPE: "may both write",
    ConflictKind.LOCK: "both claim",
    ConflictKind.TWIN: "may both write one file, where case and Unicode forms do not count,",
}
_OTHERWISE = {
    ConflictKind.SCOPE: "keep it out of the scope of one of them (deny)",
    ConflictKind.LOCK: "let only one of them claim it",
    ConflictKind.TWIN: "spell the path in one way",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found: the first conflicts, how many more there are, and at most how many pairs were not compared."""

    conflicts: tuple[Conflict, ...]
    unlisted: int = 0
    uncompared: int = 0
    undecided: tuple[Problem, ...] = ()


def problems(plan: Plan, order: Order) -> list[Problem]:
    """Report every conflict between parallel packages of `plan`, and what was not listed or not compared."""
    found = find(plan, order)
    problems = [*(conflict.problem(plan) for conflict in found.conflicts), *found.undecided]
    hint = (
        "settle those above and check again" if problems else "begin the globs of each package with a folder of its own"
    )
    if found.unlisted:
        problems.append(Problem(f"{found.unlisted} more conflicts are not listed", where=plan.source, hint=hint))
    if found.uncompared:
        what = f"up to {found.uncompared} more pairs of packages may conflict and were not compared"
        problems.append(Problem(what, where=plan.source, hint=hint))
    return problems


def find(plan: Plan, order: Order) -> Findings:
    """Find the conflicts between parallel packages, at most one of each kind for a pair, in the order of the plan."""
    numbers = {package.id: number for number, package in enumerate(plan.packages)}
    claims = [_Claims(numbers[name], plan.packages[numbers[name]]) for name in order.topological]
    near = _near(claims, order.related())
    overlaps = Overlaps()
    found: list[tuple[int, int, Conflict]] = []
    compared = 0
    undecided: tuple[Problem, ...] = ()
    for pair in pairs(near):
        if len(found) >= LISTED + COUNTED or compared == COMPARED:
            break
        one, two = claims[pair[0]], claims[pair[1]]
        try:
            found += ((two.number, one.number, conflict) for conflict in _conflicts(one, two, overlaps))
        except UndecidedError as error:
            undecided = () if found else (_undecided(plan, one, two, error),)
            break
        compared += 1
    else:
        near = []
    found.sort(key=lambda item: item[:2])
    listed = tuple(conflict for *_, conflict in found[:LISTED])
    return Findings(listed, max(0, len(found) - LISTED), _left(near, order, compared), undecided)


def between(ours: Sequence[Package], theirs: Sequence[Package]) -> Findings:
    """Find what packages of two plans both claim: for each of `ours` the first conflict with one of `theirs`.

    Nothing orders two plans: every package of the one may run beside every one of the other.
    """
    claims = [*starmap(_Claims, enumerate(ours)), *starmap(_Claims, enumerate(theirs))]
    inside = (1 << len(ours)) - 1
    near = _near(claims, [inside] * len(ours) + [~inside] * len(theirs))
    overlaps = Overlaps()
    found: dict[int, Conflict] = {}
    undecided: tuple[Problem, ...] = ()
    uncompared = 0
    for compared, (one, two) in enumerate((one, two) for one, two in pairs(near) if one not in found):
        if compared == COMPARED:
            uncompared = sum(bits.bit_count() for bits in near) - compared
            break
        try:
            if conflict := next(_conflicts(claims[one], claims[two], overlaps), None):
                found[one] = conflict
        except UndecidedError as error:
            undecided = error.problems
            break
    return Findings(tuple(found[one] for one in sorted(found)), uncompared=uncompared, undecided=undecided)


_Literals = tuple[tuple[Claim, tuple[str, ...], tuple[str, ...]], ...]  # components as written, and folded


class _Claims:
    """What a package claims, computed on demand: in most plans few packages are ever compared."""

    def __init__(self, number: int, package: Package) -> None:
        self.number = number
        self.package = package

    @cached_property
    def writes(self) -> tuple[Claim, ...]:
        """The globs that it may write, before `deny`."""
        return self._claims(self.package.scope.write_allow, "scope", "write_allow")

    @cached_property
    def files(self) -> tuple[Claim, ...]:
        """The globs that it locks."""
        return self._claims(self.package.locks.files, "locks", "files")

    @cached_property
    def lock_keys(self) -> tuple[Claim, ...]:
        """The keys that it locks."""
        return self._claims(self.package.locks.keys, "locks", "keys")

    @cached_property
    def literals(self) -> _Literals:
        """Those of `writes` that are literal paths."""
        return _literals(self.writes)

    @cached_property
    def locked_literals(self) -> _Literals:
        """Those of `files` that are literal paths."""
        return _literals(self.files)

    def denies(self, path: str) -> bool:
        """Whether the scope leaves `path` out."""
        return bool(self.package.scope.denied_by(path))

    def _claims(self, texts: Sequence[str], *keys: str) -> tuple[Claim, ...]:
        return tuple(Claim(self.package.id, text, ("packages", self.number, *keys, n)) for n, text in enumerate(texts))


def _literals(claims: Sequence[Claim]) -> _Literals:
    paths = [(claim, tuple(claim.text.rstrip("/").split("/"))) for claim in claims if is_literal(claim.text)]
    return tuple((claim, names, tuple(map(fold, names))) for claim, names in paths)


def _near(claims: Sequence[_Claims], related: Sequence[int]) -> list[int]:
    """For each package those that are not `related` to it and claim something that begins and ends alike (bit sets)."""
    packages = [claim.package for claim in claims]
    globs = [
        (number, ends(glob))
        for number, package in enumerate(packages)
        for glob in (*package.scope.write_allow, *package.locks.files)
    ]
    keys = [(number, Ends(_key_start(key))) for number, package in enumerate(packages) for key in package.locks.keys]
    literals = [
        (number, Ends(fold(ends(glob).start)))
        for number, package in enumerate(packages)
        for glob in (*package.scope.write_allow, *package.locks.files)
        if is_literal(glob)
    ]
    found = [neighbours(patterns, len(packages)) for patterns in (globs, keys, literals)]
    return [reduce(or_, near) & ~related[number] for number, near in enumerate(zip(*found, strict=True))]


def _left(near: Sequence[int], order: Order, compared: int) -> int:
    """How many pairs in `near` are left, at most: some are in it twice, and no more than all parallel pairs."""
    count = len(near)
    parallel = count * (count - 1) // 2 - sum(bits.bit_count() for bits in order.ancestors.values())
    return max(0, min(sum(others.bit_count() for others in near), parallel) - compared)


def _key_start(key: str) -> str:
    """The text with which everything begins that a lock key claims."""
    key = lock_keys.compared(key)
    return key[:-1] if key.endswith("/*") else f"{key}\n"


def _conflicts(one: _Claims, two: _Claims, overlaps: Overlaps) -> Iterator[Conflict]:
    """What two parallel packages both claim: at most one conflict of each kind."""
    for find_one in (_scope, _lock, _twin):
        if found := find_one(one, two, overlaps):
            yield found


def _scope(one: _Claims, two: _Claims, overlaps: Overlaps) -> Conflict | None:
    denied = (*one.package.scope.deny, *two.package.scope.deny)
    return _overlap(ConflictKind.SCOPE, one.writes, two.writes, denied, overlaps)


def _lock(one: _Claims, two: _Claims, overlaps: Overlaps) -> Conflict | None:
    """Files that both lock, that one locks and the other may write, and keys."""
    if not (one.files or one.lock_keys or two.files or two.lock_keys):
        return None
    return (
        _overlap(ConflictKind.LOCK, one.files, two.files, (), overlaps)
        or _overlap(ConflictKind.LOCK, one.files, two.writes, two.package.scope.deny, overlaps)
        or _overlap(ConflictKind.LOCK, one.writes, two.files, one.package.scope.deny, overlaps)
        or _keys(one, two)
        or _twins(ConflictKind.LOCK, one, two, one.locked_literals, two.locked_literals)
        or _twins(ConflictKind.LOCK, one, two, one.locked_literals, two.literals)
        or _twins(ConflictKind.LOCK, one, two, one.literals, two.locked_literals)
    )


def _keys(one: _Claims, two: _Claims) -> Conflict | None:
    for first in one.lock_keys:
        for second in two.lock_keys:
            if lock_keys.overlap(first.text, second.text):
                inner = first if lock_keys.contains(second.text, first.text) else second
                return Conflict(ConflictKind.LOCK, first, second, inner.text)
    return None


def _overlap(
    kind: ConflictKind, firsts: Sequence[Claim], seconds: Sequence[Claim], denied: tuple[str, ...], overlaps: Overlaps
) -> Conflict | None:
    """The first glob of the one which meets one of the other outside what is denied."""
    for first in firsts:
        for second in seconds:
            if path := overlaps.pair(first.text, second.text, denied):
                return Conflict(kind, first, second, path)
    return None


def _twin(one: _Claims, two: _Claims, _: Overlaps) -> Conflict | None:
    return _twins(ConflictKind.TWIN, one, two, one.literals, two.literals)


def _twins(kind: ConflictKind, one: _Claims, two: _Claims, firsts: _Literals, seconds: _Literals) -> Conflict | None:
    """Literal paths that are one path, or one inside the other, once case and Unicode form do not count."""
    for first, names, folded in firsts:
        for second, others, others_folded in seconds:
            common = min(len(names), len(others))
            if folded[:common] != others_folded[:common] or names[:common] == others[:common]:
                continue
            path_one, path_two = "/".join((*names, *others[common:])), "/".join((*others, *names[common:]))
            # what a scope leaves out is locked all the same
            left_out = firsts is one.literals and one.denies(path_one), seconds is two.literals and two.denies(path_two)
            if not any(left_out):
                return Conflict(kind, first, second, path_two)
    return None


def _undecided(plan: Plan, one: _Claims, two: _Claims, error: UndecidedError) -> Problem:
    """Report the comparison that was given up, at the scope of the second package."""
    path: YamlPath = ("packages", two.number, "scope")
    given_up = error.problems[0]
    what = f"{two.package.id} and {one.package.id}: {given_up.what}"
    return Problem(what, where=plan.where(*path), path=yaml_path(path), hint=given_up.hint)
