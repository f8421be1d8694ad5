"""Which agent may start when: limits of providers, how many of one agent at once, how far apart. The time is given.

A provider that refuses is left alone until it said, or for a while that doubles. Then one start is the probe: nothing
else of that provider starts until it works. A limit that lasts longer than our patience pauses the run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

FIRST_WAIT, LONGEST_WAIT = 20.0, 600.0  # seconds, where the provider does not say how long
APART = 1.0  # seconds between two starts of one provider


@dataclass(frozen=True, slots=True)
class Terms:
    """How an agent may start: agents of one `provider` share its limits ("": none are known), `most` of it at once.

    `most` 0 is no limit.
    """

    agent: str = ""
    provider: str = ""
    most: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a provider's refusal means: nothing of it starts before `until` (0: not known), or the run pauses."""

    until: float
    pauses: bool = False


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit that stands: first and last refused at, nothing starts before `until`, which package is the probe."""

    since: float
    last: float
    until: float
    refusals: int = 1
    probe: str = ""


@dataclass(frozen=True, slots=True)
class _Started:
    terms: Terms
    at: float


class Throttle:
    """What was started and refused in this start of the command. Times are seconds since 1970.

    `patience`: how many seconds a limit is waited out; `suspects` are providers that refused before: they get a probe.
    """

    def __init__(self, patience: float, suspects: Iterable[str] = ()) -> None:
        self._patience = patience
        self._live: dict[str, _Started] = {}
        self._last: dict[str, float] = {}
        self._limits = {provider: _Limit(math.inf, -math.inf, 0.0, 0) for provider in suspects}

    def earliest(self, terms: Terms, now: float) -> float:
        """When such an agent may start: not after `now` means at once, infinity when another one must end first."""
        mine = [one for one in self._live.values() if one.terms.agent == terms.agent]
        if terms.most and len(mine) >= terms.most:
            return math.inf
        if not terms.provider:
            return now
        limit = self._limits.get(terms.provider)
        if limit and limit.probe:
            return math.inf
        return max(limit.until if limit else 0.0, self._last.get(terms.provider, -math.inf) + APART)

    def start(self, package: str, terms: Terms, now: float) -> None:
        """A package's agent starts; where a limit stands it is the probe."""
        self._live[package] = _Started(terms, now)
        self._last[terms.provider] = now
        if limit := self._limits.get(terms.provider):
            self._limits[terms.provider] = replace(limit, probe=package)

    def work(self, package: str) -> None:
        """A package's agent does something: a limit that stood when it started is lifted."""
        started = self._live[package]
        limit = self._limits.get(started.terms.provider)
        if limit and started.at > limit.last:
            del self._limits[started.terms.provider]

    def end(self, package: str) -> None:
        """An attempt is over. Of its provider that says nothing; the next start is the probe."""
        provider = self._live.pop(package).terms.provider
        if (limit := self._limits.get(provider)) and limit.probe == package:
            self._limits[provider] = replace(limit, probe="")

    def refuse(self, package: str, now: float, *, told: float = 0.0, spread: float = 1.0) -> Refusal:
        """The provider of a live agent refuses, until `told` (0: it does not say).

        Agents that were at work when the first one was refused see the same limit: they make no wait longer. `spread`,
        from 0 to 1, is what is taken of a wait of our own: runs that were refused together do not come back together.
        """
        started = self._live[package]
        limit = self._limits.get(started.terms.provider)
        if limit is None:
            limit = _Limit(now, now, 0.0)
        elif started.at > limit.last:
            limit = replace(limit, since=min(limit.since, now), last=now, refusals=limit.refusals + 1)
        wait = min(FIRST_WAIT * 2 ** (limit.refusals - 1), LONGEST_WAIT) * spread
        gives_up = limit.since + self._patience
        pauses = told > gives_up or now >= gives_up
        until = max(limit.until, told or (0.0 if pauses else min(limit.last + wait, gives_up)))
        self._limits[started.terms.provider] = replace(limit, until=until)
        return Refusal(until, pauses)
