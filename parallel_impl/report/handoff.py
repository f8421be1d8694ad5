"""One page about a run that stopped: where it stands, what to look at first, the commands to go on. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from parallel_impl.errors import first_line, printable
from parallel_impl.record.state import PackageState
from parallel_impl.report.picture import Need, Picture, Row, log_of
from parallel_impl.text import code, one_line, shorten

ROWS = 20  # of packages: more is no page any more
NEEDS = 8
LONGEST = 160  # characters of an answer


@dataclass(frozen=True, slots=True)
class Handoff:
    """What the page says beside the picture.

    `work` has the refs of what failed packages had changed, `candidate` the ref of what would have landed ("": it was
    not put together), `state` is the run's own folder, `to_check` are steps for a person or for CI. `plan` is the
    plan's path ("": it was made, not written), `only` the package that the run was for ("": all).
    """

    headline: str
    branch: str
    state: str
    work: Mapping[str, str]
    candidate: str = ""
    to_check: tuple[str, ...] = ()
    plan: str = ""
    only: str = ""


def render(drawn: Picture, stop: Handoff) -> str:
    """The page as Markdown."""
    parts = [
        f"# {drawn.change_id}: {shorten(first_line(stop.headline), LONGEST)}",
        f"{drawn.sentence}. This run has not moved {code(stop.branch)}, and all work is kept.",
        f"Paths are below {code(stop.state)}.",
        _first(drawn, stop),
        _packages(drawn),
        "\n".join(["## Go on", "", *(f"    {line}" for line in _commands(drawn, stop))]),
    ]
    return printable("\n\n".join(part for part in parts if part) + "\n")


def _first(drawn: Picture, stop: Handoff) -> str:
    """What to look at first: the needs of the picture, each with its evidence."""
    lines = [line for number, need in enumerate(drawn.needs[:NEEDS], 1) for line in _need(number, need, drawn, stop)]
    more = len(drawn.needs) - NEEDS
    lines += [f"\n{more} more: {code('summary.md')} has them."] if more > 0 else []
    return "\n".join(["## Look at first", "", *lines]) if lines else ""


def _need(number: int, need: Need, drawn: Picture, stop: Handoff) -> Iterator[str]:
    yield f"{number}. {shorten(one_line(need.what), LONGEST).rstrip(':')}"
    yield from (f"   - {code(line)}" for line in need.lines)
    row = next((row for row in drawn.rows if need.what.startswith(f"{row.id} failed: ")), None)
    if row and log_of(row):
        yield f"   - its log and results: {code(log_of(row))}"
    if row and row.id in stop.work:
        yield f"   - its work: {code(f'git show {stop.work[row.id]}')}"


def _packages(drawn: Picture) -> str:
    """Those that are not accepted first: they are why the run stopped."""
    rows = sorted(drawn.rows, key=lambda row: row.state == PackageState.ACCEPTED)
    lines = [f"- {row.id}: {row.state}{_why(row)}" for row in rows[:ROWS]]
    if len(rows) > ROWS:
        lines.append(f"- and {len(rows) - ROWS} more: {code(f'parallel-impl status {drawn.change_id}')}")
    return "\n".join(["## Packages", "", *lines])


def _why(row: Row) -> str:
    return f", {shorten(one_line(row.answer), LONGEST).rstrip(':')}" if row.answer else ""


def _commands(drawn: Picture, stop: Handoff) -> Iterator[str]:
    change = shlex.quote(drawn.change_id)
    failed = next((row.id for row in drawn.rows if row.state == PackageState.FAILED), "")
    if failed:
        yield f"parallel-impl show {change} {failed} --log"
    if stop.candidate:
        yield f"git log --first-parent {stop.candidate}"
    yield from dict.fromkeys(need.command for need in drawn.needs if need.command and need.command != _again(change))
    if failed and stop.plan:
        yield f"# or correct its scope, steps or description in {one_line(stop.plan)} and commit it: the next revision,"
        yield f"#   which the same command takes: {_again(change)}{_only(stop)}"
    if _goes_on(drawn, stop):
        yield f"{_again(change)}{_only(stop)}    # the same command goes on with what is not done"
    if stop.only:
        yield f"{_again(change)}    # without --only: all packages"
    yield f"{_again(change)} --abort    # give it up; its work stays on refs"
    for step in stop.to_check:
        yield f"# to check by a person or by CI, once it has landed: {one_line(step)}"


def _goes_on(drawn: Picture, stop: Handoff) -> bool:
    """Whether the same command has something to do: it tries nothing again that failed, or waits for what failed."""
    states = {row.state for row in drawn.rows}
    over = {PackageState.ACCEPTED, PackageState.FAILED, PackageState.CANCELLED}
    if stop.only:
        asked = next((row.state for row in drawn.rows if row.id == stop.only), "")
        return asked not in over
    return PackageState.FAILED not in states or bool(states - over)


def _only(stop: Handoff) -> str:
    return f" --only {shlex.quote(stop.only)}" if stop.only else ""


def _again(change: str) -> str:
    return f"parallel-implement {change}"
