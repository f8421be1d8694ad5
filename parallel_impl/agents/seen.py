"""The fold of an attempt's activity: what is known of an agent while it works and after it ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

from parallel_impl.record import activity
from parallel_impl.record.activity import Activity, Concluded, Denied, Limited, Number, Usage

BEYOND = 2**53  # what no figure of usage reaches
FIRST, LAST = 2, 3  # lines of standard error that a failure shows
PROGRESS = (
    activity.Opened,
    activity.Said,
    activity.Called,
    activity.Answered,
    activity.Changed,
    activity.Denied,
    activity.Used,
    activity.Concluded,
)
WORK = (activity.Said, activity.Called, activity.Answered, activity.Changed)


@dataclass(frozen=True, slots=True)
class Seen:
    """What an agent's activity adds up to.

    `progress`: when something happened last that was no retry (`at` of the activity). `limited`: the refusal of the
    provider that still stands. `open_calls`: tool calls without an answer yet. `spent`: what earlier starts of a
    resumed conversation used and the client counts again (claude its dollars, codex its tokens); it is left out of
    `usage`. `complaints`: the first lines of standard error, which tell why a start failed, and the last ones.
    """

    session: str = ""
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    denied: tuple[Denied, ...] = ()
    limited: Limited | None = None
    concluded: Concluded | None = None
    said: str = ""
    complaints: tuple[str, ...] = ()
    open_calls: frozenset[str] = frozenset()
    calls: int = 0
    changes: int = 0
    retries: int = 0
    progress: float = 0.0
    spent: Usage = field(default_factory=Usage)

    @property
    def last_word(self) -> str:
        """What the client concluded with, or the last text of the model; one line, cut."""
        text = self.concluded.why if self.concluded is not None and self.concluded.why else self.said
        return activity.cut(" ".join(text.split()))

    def after(self, happened: Activity) -> Seen:
        """The same with one more activity."""
        if isinstance(happened, PROGRESS):
            return replace(self._with(happened), progress=max(self.progress, happened.at))
        return self._with(happened)

    def _with(self, happened: Activity) -> Seen:
        # a provider that lets the client work again has lifted what it said before; a terminal refusal stands
        lifted = isinstance(happened, WORK) and self.limited is not None and not self.limited.terminal
        seen = replace(self, limited=None) if lifted else self
        match happened:
            case activity.Opened():
                return replace(seen, session=happened.session or seen.session, model=happened.model or seen.model)
            case activity.Said():
                return replace(seen, said=happened.text)
            case activity.Called():
                return replace(seen, calls=seen.calls + 1, open_calls=seen.open_calls | {happened.call})
            case activity.Answered():
                return replace(seen, open_calls=seen.open_calls - {happened.call})
            case activity.Changed():
                return replace(seen, changes=seen.changes + len(happened.paths))
            case activity.Denied():
                return replace(seen, denied=(*seen.denied, happened))
            case activity.Used():
                return replace(seen, usage=seen._used(happened))
            case activity.Retrying():
                return replace(seen, retries=seen.retries + 1)
            case activity.Limited():
                stands = seen.limited is not None and seen.limited.terminal and not happened.terminal
                return seen if stands else replace(seen, limited=happened)
            case activity.Complained():
                return replace(seen, complaints=_ends((*seen.complaints, happened.text)))
            case activity.Concluded():
                return replace(seen, concluded=happened)
        return seen

    def _used(self, used: activity.Used) -> Usage:
        usage = _plausible(used.usage)
        if not used.whole:
            return self.usage + usage
        told = msgspec.structs.asdict(usage)
        again = msgspec.structs.asdict(self.spent)
        return Usage(**{name: _less(value, again[name]) for name, value in told.items()})


def _ends(lines: tuple[str, ...]) -> tuple[str, ...]:
    return lines if len(lines) <= FIRST + LAST else (*lines[:FIRST], *lines[-LAST:])


def _plausible(usage: Usage) -> Usage:
    """Without figures that say nothing: one below 0 would give back what was used, a huge one fits in no journal."""
    told = msgspec.structs.asdict(usage).items()
    return Usage(**{name: value for name, value in told if value is not None and 0 <= value < BEYOND})


def _less(told: Number | None, again: Number | None) -> Number | None:
    return told if told is None or again is None else max(told - again, told * 0)
