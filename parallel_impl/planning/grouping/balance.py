"""How units become packages: what belongs together is put together as long as the longest path stays short.

Units that nothing holds apart are joined in the order of their affinity. A join is refused when it makes a cycle, when
the package would hold too much of the work, or when it makes the heaviest path longer than the change allows: then the
two stay apart, which is how a heavy section is split. What is left over too small to be worth an agent is joined too.
Everything is numbers here: units 0 to n-1, `requires` are pairs (later, earlier).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from parallel_impl.plan import order

Pair = tuple[int, int]

CLOSE = 3.0  # affinity of two units below one heading
MANY = 150  # units beyond which neighbours are joined first: a plan has few packages, and all pairs are looked at


@dataclass(frozen=True, slots=True)
class PartitionLimits:
    """What a partition must keep: see the constants for what each number rests on."""

    share: float = 0.34  # of the work that one package may hold; in 44 real plans the heaviest held 0.42
    slack: float = 1.1  # how much longer than the shortest possible the heaviest path may be
    width: float = 6.0  # agents beside each other that are worth aiming at: real plans that aimed at 3 reached 2.4
    worth: float = 5.0  # expected files that one agent does in one go; less is not split
    most: int = 8  # packages
    tiny: float = 0.05  # of the work; a smaller package costs more to start than it saves


def partition(
    weights: Sequence[float], requires: Iterable[Pair], affinity: Mapping[Pair, float], limits: PartitionLimits
) -> tuple[tuple[int, ...], ...]:
    """Put `0 .. len(weights) - 1` into groups whose order has no cycle; each group and the groups sorted.

    `requires` may hold cycles: their members are one group.
    """
    state = _Groups(weights, requires, affinity, limits)
    state.join_cycles()
    state.join_runs()
    state.join_kin()
    state.join_tiny()
    state.join_most()
    return tuple(sorted(tuple(sorted(members)) for members in state.members.values()))


class _Groups:
    """The groups so far, by the number of their first unit."""

    def __init__(
        self,
        weights: Sequence[float],
        requires: Iterable[Pair],
        affinity: Mapping[Pair, float],
        limits: PartitionLimits,
    ) -> None:
        self.limits = limits
        self.total = sum(weights) or 1.0
        self.heaviest = max(limits.share * self.total, limits.worth)
        self.weight = dict(enumerate(map(float, weights)))
        self.members = {number: [number] for number in self.weight}
        self.ends: dict[int, float] = {}
        self.starts: dict[int, float] = {}
        self.below: dict[int, set[int]] = {number: set() for number in self.weight}
        self.above: dict[int, set[int]] = {number: set() for number in self.weight}
        for later, earlier in requires:
            if later != earlier:
                self.below[later].add(earlier)
                self.above[earlier].add(later)
        self.reach: dict[int, int] = {}
        self.kin: dict[int, dict[int, float]] = defaultdict(dict)
        for (one, two), strength in affinity.items():
            if one != two:
                self.kin[one][two] = self.kin[two][one] = self.kin[one].get(two, 0.0) + strength

    def join(self, into: int, other: int) -> None:
        """Make two groups one."""
        self.ends, self.starts = {}, {}
        self._join_reach(into, other)
        self.members[into] += self.members.pop(other)
        self.weight[into] += self.weight.pop(other)
        for there, back in ((self.below, self.above), (self.above, self.below)):
            for number in there.pop(other):
                back[number].discard(other)
                if number != into:
                    back[number].add(into)
                    there[into].add(number)
        for number, strength in self.kin.pop(other, {}).items():
            self.kin[number].pop(other, None)
            if number != into:
                self.kin[into][number] = self.kin[number][into] = self.kin[into].get(number, 0.0) + strength

    def join_cycles(self) -> None:
        """Make one group of every cycle."""
        below = {str(number): [str(other) for other in others] for number, others in self.below.items()}
        for cycle in order.cycles(below):
            first, *others = sorted(map(int, cycle.members))
            for other in others:
                self.join(first, other)

    def join_runs(self) -> None:
        """Of very many groups join those that follow each other in an order of the work: that can make no cycle."""
        if len(self.members) <= MANY:
            return
        most, run = self.total / MANY, -1
        for number in self._in_order():
            if run >= 0 and self.weight[run] + self.weight[number] <= most:
                self.join(run, number)
            else:
                run = number

    def _in_order(self) -> list[int]:
        """The groups, each behind those that it requires, otherwise by their numbers."""
        missing = {number: len(self.below[number]) for number in self.members}
        ready = [number for number, count in missing.items() if not count]
        heapify(ready)
        found = []
        while ready:
            found.append(number := heappop(ready))
            for other in self.above[number]:
                missing[other] -= 1
                if not missing[other]:
                    heappush(ready, other)
        return found

    def join_kin(self) -> None:
        """Join the groups that belong together most, as long as the limits hold."""
        allowed = max(self.path() * self.limits.slack, self.total / self.limits.width, self.limits.worth)
        refused: set[Pair] = set()
        while pair := self._closest(refused, allowed):
            self.join(*pair)
            refused = {one for one in refused if self.members.keys() >= set(one) and pair[0] not in one}

    def join_tiny(self) -> None:
        """Join each group that is too small to be worth an agent to the one that it lengthens least."""
        least = self.limits.tiny * self.total
        while len(self.members) > 1:
            small = [number for number in self.members if self.weight[number] < least]
            pairs = [pair for number in small if (pair := self._cheapest(number, self.heaviest)) is not None]
            if not pairs:
                return
            self.join(*min(pairs, key=self._cost))

    def join_most(self) -> None:
        """Join until there are not too many groups."""
        while len(self.members) > self.limits.most:
            pairs = [pair for number in self.members if (pair := self._cheapest(number, self.total)) is not None]
            if not pairs:
                return
            self.join(*min(pairs, key=self._cost))

    def path(self) -> float:
        """The weight of the heaviest path."""
        return max(self._ends().values(), default=0.0)

    def _ends(self) -> dict[int, float]:
        """The same as `_upward`, kept until the next join."""
        if not self.ends:
            self.ends = self._upward()
        return self.ends

    def _starts(self) -> dict[int, float]:
        """For each group the weight of the heaviest path from it on, itself included; kept until the next join."""
        if not self.starts:
            self.below, self.above = self.above, self.below
            self.starts = self._upward()
            self.below, self.above = self.above, self.below
        return self.starts

    def _upward(self) -> dict[int, float]:
        """For each group the weight of the heaviest path up to it, itself included."""
        ends: dict[int, float] = {}
        missing = {number: len(self.below[number]) for number in self.members}
        ready = [number for number, count in missing.items() if not count]
        while ready:
            number = ready.pop()
            ends[number] = self.weight[number] + max((ends[other] for other in self.below[number]), default=0.0)
            for other in self.above[number]:
                missing[other] -= 1
                if not missing[other]:
                    ready.append(other)
        return ends

    def _path_joined(self, one: int, two: int) -> float:
        """The heaviest path if the two were one group; only those through it can grow."""
        ends, starts = self._ends(), self._starts()
        before = max((ends[other] for other in (self.below[one] | self.below[two]) - {one, two}), default=0.0)
        after = max((starts[other] for other in (self.above[one] | self.above[two]) - {one, two}), default=0.0)
        return max(before + self.weight[one] + self.weight[two] + after, 0.0)

    def _fits(self, one: int, two: int) -> bool:
        """Whether the two may be one group: small enough, and no third one lies between them."""
        return self.weight[one] + self.weight[two] <= self.heaviest and not self._between(one, two)

    def _is_little(self, one: int, two: int) -> bool:
        """Whether the two are close, and together no more than one agent does in one go."""
        little = self.weight[one] + self.weight[two] <= self.limits.worth
        return little and self.kin[one].get(two, 0.0) >= CLOSE

    def _between(self, one: int, two: int) -> bool:
        """Whether a path leads from one of the two to the other over a third group."""
        return self._leads(one, two) or self._leads(two, one)

    def _leads(self, start: int, end: int) -> bool:
        reach = self._reach()
        return any(number != end and reach[number] >> end & 1 for number in self.below[start])

    def _reach(self) -> dict[int, int]:
        """For each group the set of all that it waits for, as the bits of a number."""
        if not self.reach:
            for number in self._in_order():
                found = 0
                for other in self.below[number]:
                    found |= self.reach[other] | 1 << other
                self.reach[number] = found
        return self.reach

    def _join_reach(self, into: int, other: int) -> None:
        """The same sets after a join of two groups, if they are known; no third one may lie between the two."""
        if not self.reach:
            return
        both = 1 << into | 1 << other
        joined = (self.reach[into] | self.reach.pop(other)) & ~both
        for number, found in self.reach.items():
            if number != into and found & both:
                self.reach[number] = (found & ~both) | joined | 1 << into
        self.reach[into] = joined

    def _closest(self, refused: set[Pair], allowed: float) -> Pair | None:
        """The pair with the greatest affinity for its size that may be joined; those that may not are `refused` too."""
        size = {number: len(members) ** 0.5 for number, members in self.members.items()}
        pairs = sorted(
            (-strength / (size[one] * size[two]), one, two)
            for one, others in self.kin.items()
            for two, strength in others.items()
            if one < two and strength > 0 and (one, two) not in refused
        )
        for _, one, two in pairs:
            if self._fits(one, two) and (self._is_little(one, two) or self._path_joined(one, two) <= allowed):
                return one, two
            refused.add((one, two))
        return None

    def _cheapest(self, number: int, heaviest: float) -> Pair | None:
        """The group that `number` is best joined to, of those that would not become heavier than `heaviest`."""
        pairs = [
            (min(number, other), max(number, other))
            for other in self.members
            if other != number
            and self.weight[other] + self.weight[number] <= heaviest
            and not self._between(number, other)
        ]
        return min(pairs, key=self._cost, default=None)

    def _cost(self, pair: Pair) -> tuple[float, float, Pair]:
        """What joining costs: the path that it makes beyond today's, less what the two have in common."""
        one, two = pair
        longer = max(0.0, self._path_joined(one, two) - self.path())
        return (
            longer - 0.05 * self.total * min(self.kin[one].get(two, 0.0), 1.0),
            self.weight[one] + self.weight[two],
            pair,
        )
