"""What a person accepted by name: verdicts of a gate that no longer block, as far as they list nothing else. Pure.

New failures are in no such list: nothing makes them acceptable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from parallel_impl.errors import Problem
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus
from parallel_impl.record.gate_row import GateRow
from parallel_impl.text import did_you_mean

DIFFERS = "differs"  # what a gate says otherwise with the base's version of what steers it
FLAKY, GONE, NOT_PROVEN = str(VerdictStatus.FLAKY), str(VerdictStatus.GONE), str(VerdictStatus.NOT_PROVEN)
ANY = "*"  # in the place of ids: what is flaky is not known before it was seen

NUMBER = re.compile(r"\d+")  # in the reason of a verdict: a count, an exit code, a time

Listed = Mapping[str, Sequence[str]]  # ids by kind
Shown = Callable[[str], str]  # as the journal has a text: without secrets


@dataclass(frozen=True, slots=True)
class WantedGate:
    """What `--accept` was given: a gate, and whether whatever is flaky in it is accepted before it was seen."""

    gate: str
    flaky: bool = False


def read(word: str) -> WantedGate:
    """`GATE` or `GATE:flaky`."""
    gate, colon, kind = word.rpartition(":")
    return WantedGate(gate, flaky=True) if colon and kind == FLAKY and gate else WantedGate(word)


def of_row(row: GateRow) -> Listed:
    """What a journalled verdict lists that can be accepted, by kind."""
    return _listed(row.verdict, row)


def problem(wanted: WantedGate, rows: Sequence[GateRow], gates: Iterable[str]) -> Problem | None:
    """Why this cannot be accepted, where it cannot; `rows` are the last verdicts, `gates` all there are."""
    row = next((one for one in rows if one.name == wanted.gate), None)
    names = [*gates, *(one.name for one in rows)]
    if wanted.gate not in names:
        hint = did_you_mean(wanted.gate, names) or f"known: {', '.join(dict.fromkeys(names)) or 'none'}"
        return Problem(f"there is no gate {wanted.gate!r}", where="--accept", hint=hint)
    if wanted.flaky:
        return None
    if row is None:
        what = f"gate {wanted.gate} has no verdict in this run yet, so there is nothing to accept"
        return Problem(what, where="--accept", hint=f"accept what is flaky before it is seen: {wanted.gate}:{FLAKY}")
    if row.verdict == VerdictStatus.FAILED:
        what = f"what is new in gate {wanted.gate} is never accepted: {', '.join(row.new_failures[:5]) or row.why}"
        return Problem(what, where="--accept", hint="repair it, or let a package do so: --restart PKG")
    if not of_row(row):
        what = f"gate {wanted.gate} {row.verdict}: there is nothing to accept"
        return Problem(what, where="--accept", hint="leave it away")
    return None


def accept(wanted: WantedGate, rows: Sequence[GateRow]) -> Listed:
    """What is accepted now, by kind."""
    if wanted.flaky:
        return {FLAKY: (ANY,)}
    return next((of_row(row) for row in rows if row.name == wanted.gate), {})


def _as_it_is(text: str) -> str:
    return text


def judge(verdict: GateVerdict, accepted: Listed, shown: Shown = _as_it_is) -> GateVerdict:
    """The verdict, which no longer blocks where all that it lists was accepted; what was is named in it."""
    listed = _listed(str(verdict.status), verdict, shown)
    if not listed or not all(_covers(accepted.get(kind), ids) for kind, ids in listed.items()):
        return verdict
    reason = NOT_PROVEN if not verdict.new_failures else ""
    told = {kind: (verdict.why,) if kind == reason or not ids else ids for kind, ids in listed.items()}
    lines = tuple(f"{kind}: {one}" for kind, ids in told.items() for one in ids)
    return msgspec.structs.replace(verdict, status=VerdictStatus.ACCEPTED, accepted=lines)


def judge_divergence(own: GateVerdict, doubted: GateVerdict, accepted: Listed, shown: Shown = _as_it_is) -> GateVerdict:
    """`doubted` is the verdict `own` with what the base's judge says otherwise; accepted where all of that was."""
    if not doubted.differs or not _covers(accepted.get(DIFFERS), [*map(shown, doubted.differs)]):
        return doubted
    lines = (*own.accepted, *(f"{DIFFERS}: {one}" for one in doubted.differs))
    status = own.status if own.blocks else VerdictStatus.ACCEPTED
    return msgspec.structs.replace(doubted, status=status, why=own.why, differs=(), accepted=lines)


def _listed(status: str, of: GateRow | GateVerdict, shown: Shown = _as_it_is) -> dict[str, tuple[str, ...]]:
    """Nothing, unless the verdict is one that can be accepted: then all that it lists counts, not only the worst."""
    if status not in (FLAKY, GONE, NOT_PROVEN, str(VerdictStatus.ACCEPTED)):
        return {}
    found = {kind: tuple(_id(shown(one)) for one in lines) for kind, lines in ((FLAKY, of.flaky), (GONE, of.gone))}
    found = {kind: ids for kind, ids in found.items() if ids or kind == status}
    if of.differs:  # that is why it is not proven; what else there may be shows once this was accepted
        return {**found, DIFFERS: tuple(map(shown, of.differs))}
    if status != NOT_PROVEN:
        return found
    failed = tuple(_id(shown(one)) for one in of.new_failures)
    # a verdict that lists no test is known by its reason
    return {**found, NOT_PROVEN: failed or (NUMBER.sub("#", shown(of.why)),)}


def _covers(accepted: Sequence[str] | None, ids: Sequence[str]) -> bool:
    return accepted is not None and (ANY in accepted or set(ids) <= set(accepted))


def _id(line: str) -> str:
    """What a line is about: behind it stands why, which may differ from run to run."""
    return line.partition(": ")[0]
