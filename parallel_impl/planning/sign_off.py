"""What a person signs off: the whole of a plan on one screen. Pure.

Waves and weights, what takes longest, what several packages could write and how that is settled, whose the shared files
are, what nobody owns, and the recommendation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from parallel_impl.errors import count
from parallel_impl.plan import estimate, promises
from parallel_impl.plan.check import Finding, FindingKind
from parallel_impl.plan.globs.overlap import Overlaps, UndecidedError
from parallel_impl.plan.model import Plan, SharedFile
from parallel_impl.plan.order import Order
from parallel_impl.text import shorten

ROWS = 6  # of one kind
WIDTH = 100
LINES = 3  # of one wave
_FIRM = "\N{NO-BREAK SPACE}"
_OWNERLESS = (FindingKind.UNOWNED, FindingKind.AT_RISK, FindingKind.TASK)


def screen(plan: Plan, order: Order, findings: Sequence[Finding], recommendation: str) -> list[str]:
    """The lines of the screen of a valid plan; `findings` are those of its check."""
    found = estimate.estimate(plan, order)
    chain = " -> ".join(found.critical_path)
    parts = f"{count(len(plan.packages), 'package')}, {count(len(found.waves), 'wave')}, up to {found.width} at once"
    return [
        f"{plan.feature_id}: {parts}",
        *_waves(found),
        f"  critical path  weight {found.critical_weight:g} of {found.total:g}: {shorten(chain, WIDTH - 10)}",
        f"  speed-up       {found.speedup:.2f} times as fast as one agent",
        f"  heaviest       {found.heaviest}, {found.share:.0%} of the work",
        *_listed("overlaps", list(_overlaps(plan)) or ["no file that two packages may write"]),
        *_listed("shared files", [_whose(one, promises.integrations(order)) for one in plan.shared_files] or ["none"]),
        *_listed(
            "no owner",
            [line for one in findings if one.kind in _OWNERLESS for line in _all_of(one)]
            or ["nothing: all tasks and files have a package"],
        ),
        *_listed("look at", [one.sentence(3) for one in findings if one.kind not in _OWNERLESS]),
        f"recommended: {recommendation}",
    ]


def _waves(found: estimate.Estimate) -> Iterator[str]:
    waves = found.waves[: 2 * ROWS]
    for number, wave in enumerate(waves, 1):
        named = ", ".join(f"{name} ({found.weights[name]:g})".replace(" ", _FIRM) for name in wave)
        rows = wrap(named, WIDTH, max_lines=LINES, placeholder=" …", break_on_hyphens=False)
        yield from _listed(f"wave {number}", [row.replace(_FIRM, " ") for row in rows])
    if len(waves) < len(found.waves):
        yield f"  … {len(found.waves) - len(waves)} more waves"


def _overlaps(plan: Plan) -> Iterator[str]:
    """What a package and one that it depends on could both write, so that the order between them settles it."""
    meet = Overlaps()
    for package in plan.packages:
        for name in package.depends_on if "**" not in package.scope.write_allow else ():
            one, two = package.scope, plan.package(name).scope
            try:
                witness = meet.scopes(one.write_allow, one.deny, two.write_allow, two.deny)
            except UndecidedError:
                return
            if witness:
                yield f"{witness.path}: {package.id} waits for {name}"


def _whose(shared: SharedFile, integration: tuple[str, ...]) -> str:
    return f"{shared.path}: {', '.join(promises.owners(shared, integration))} ({shared.rule})"


def _all_of(finding: Finding) -> list[str]:
    return list(finding.names) or [finding.what]


def _listed(title: str, rows: Sequence[str]) -> Iterator[str]:
    shown = list(rows[:ROWS]) + ([f"… and {len(rows) - ROWS} more"] if len(rows) > ROWS else [])
    for number, row in enumerate(shown):
        yield f"  {title if not number else '':<14} {_short(row)}"


def _short(text: str) -> str:
    return shorten(text, WIDTH)
