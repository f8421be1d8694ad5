"""What the answers of planners and reviewer amount to, each figure by a rule that is printed with it. Pure.

A figure whose rule has nothing to count is not told; nothing here is an agent's own estimate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from parallel_impl.planning.preparation.coherence import Coherence
from parallel_impl.planning.preparation.depth import Track
from parallel_impl.planning.preparation.implementation_plan import SECTIONS, names_task
from parallel_impl.planning.preparation.tracks import LEVELS, PlannedInterface, TrackPlan
from parallel_impl.planning.reading.evidence import Table

COUNT = -1


@dataclass(frozen=True, slots=True)
class Metric:
    """`part` of `whole`; `whole` is COUNT where the figure is a number by itself. `rule` says what is counted."""

    name: str
    part: int
    whole: int
    rule: str

    def __str__(self) -> str:
        if self.whole == COUNT:
            return f"{self.name}: {self.part} ({self.rule})"
        share = f"{self.part / self.whole:.0%}, {self.part} of {self.whole}" if self.whole else "nothing to count"
        return f"{self.name}: {share} ({self.rule})"


def measure(
    table: Table,
    plans: Mapping[Track, TrackPlan],
    review: Coherence,
    sections: Mapping[str, str],
    retries: Mapping[Track, int],
    *,
    signed: bool,
) -> list[Metric]:
    """All figures, those of the preparation first, then the agents', then those of the result.

    `plans` are those of planners that planned.
    """
    plans = {track: plans.get(track, TrackPlan(summary="")) for track in Track}
    return [
        *_preparation(table, plans, sections),
        *_agents(plans, retries),
        *_result(plans, review, sections, signed=signed),
    ]


def _preparation(table: Table, plans: Mapping[Track, TrackPlan], sections: Mapping[str, str]) -> list[Metric]:
    tasks = {task.id for task in table.tasks}
    named = {task for task in tasks if names_task(sections.get("task_breakdown", ""), task)}
    tested = _tasks(one.tasks for one in plans[Track.TESTS].tests)
    documented = _tasks(one.tasks for one in plans[Track.DOCS].items)
    several = _by_name(plans)
    agreed = sum(len({(one.provider, one.definition) for one in same}) == 1 for same in several)
    interfaces = _interfaces(plans)
    clear = sum(bool(one.provider and one.consumers) for one in interfaces)
    return [
        Metric("plan_completeness", len(named), len(tasks), "tasks that the task breakdown names"),
        Metric("cross_track_consistency", agreed, len(several), "interfaces of several tracks that have one form"),
        Metric("testability_score", len(tasks & tested), len(tasks), "tasks with a planned test"),
        Metric("documentation_coverage", len(tasks & documented), len(tasks), "tasks that a planned document names"),
        Metric("dependency_clarity", clear, len(interfaces), "interfaces with a provider and a user"),
    ]


def _agents(plans: Mapping[Track, TrackPlan], retries: Mapping[Track, int]) -> list[Metric]:
    core, interfaces = plans[Track.CORE], _interfaces(plans)
    defined = sum(bool(one.definition) for one in interfaces)
    examples = sum(len(plan.examples) for plan in plans.values())
    return [
        Metric("design_depth", len(core.items) + len(core.interfaces), COUNT, "components and interfaces of core"),
        Metric("interface_clarity", defined, len(interfaces), "interfaces with a definition"),
        Metric("test_coverage_planned", len(plans[Track.TESTS].tests), COUNT, "planned test cases"),
        Metric("example_count", examples, COUNT, "examples of all tracks"),
        Metric("retry_attempts", sum(retries.values()), COUNT, "planners that were asked again"),
    ]


def _result(
    plans: Mapping[Track, TrackPlan], review: Coherence, sections: Mapping[str, str], *, signed: bool
) -> list[Metric]:
    names = {one.name for one in _interfaces(plans)}
    disputed = {one.interface for one in review.conflicts} & names
    levels = {one.level for one in plans[Track.TESTS].tests}
    documents = {one.name for one in plans[Track.DOCS].items}
    shown = documents & {one.item for one in plans[Track.DOCS].examples}
    filled = sum(bool(sections.get(name, "").strip()) for name in SECTIONS)
    ready = filled if signed else 0
    return [
        Metric("implementation_readiness", ready, len(SECTIONS), "sections that are filled, 0 without a sign-off"),
        Metric("api_coherence_score", len(names - disputed), len(names), "interfaces without a conflict"),
        Metric("test_strategy_completeness", len(levels), len(LEVELS), "levels of tests that are planned"),
        Metric("documentation_adequacy", len(shown), len(documents), "planned documents with an example"),
    ]


def _tasks(named: Iterable[Collection[str]]) -> set[str]:
    return {task for tasks in named for task in tasks}


def _interfaces(plans: Mapping[Track, TrackPlan]) -> list[PlannedInterface]:
    return [one for plan in plans.values() for one in plan.interfaces]


def _by_name(plans: Mapping[Track, TrackPlan]) -> list[list[PlannedInterface]]:
    """The interfaces that several tracks name."""
    found: dict[str, dict[Track, PlannedInterface]] = {}
    for track, plan in plans.items():
        for one in plan.interfaces:
            found.setdefault(one.name, {})[track] = one
    return [list(same.values()) for same in found.values() if len(same) > 1]
