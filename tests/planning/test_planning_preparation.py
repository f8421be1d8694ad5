"""Preparation's rules: scores by a formula, effort by the tables, answers checked, figures counted, ten sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from parallel_impl.planning.preparation import (
    coherence,
    depth,
    implementation_plan,
    metrics,
    prepare,
    scores,
    sign_off,
    tracks,
)
from parallel_impl.planning.preparation.coherence import Coherence
from parallel_impl.planning.preparation.depth import Depth, Level, Track
from parallel_impl.planning.preparation.scores import Scores
from parallel_impl.planning.preparation.tracks import TrackPlan
from parallel_impl.planning.reading.evidence import Clue, ClueKind, Part, PlannedTask, Resolution, Table
from tests.planning import played_roles

TABLE = Table(
    change_id="fix-typos",
    title="Fix the typos",
    tasks=(PlannedTask("1.1", "Correct guide.md", 0), PlannedTask("2.1", "Correct index.md", 1)),
    sections=(Part("1", "Guide"), Part("2", "Index")),
    evidence=(
        Clue("docs/guide.md", "1.1", ClueKind.TASK, 0.9),
        Clue("docs/index.md", "2.1", ClueKind.TASK, 0.9),
        Clue("docs/new.md", "", ClueKind.DESIGN, 0.5, Resolution.NEW),
        Clue("web/", "", ClueKind.DESIGN, 0.3, Resolution.FOLDER),
        Clue("docs/conf.py", "", ClueKind.ROOT_CONFIG, 0.2),
    ),
    files=frozenset({"docs/guide.md", "docs/index.md", "docs/conf.py", "web/a.ts"}),
    hot={"docs/guide.md": 12, "docs/index.md": 2},
)
SECTIONS: dict[str, str] = played_roles.SECTIONS
NO_REVIEW = Coherence()


def plans(**changed: Mapping[str, Any]) -> dict[Track, TrackPlan]:
    return {Track(name): msgspec.convert(plan, TrackPlan) for name, plan in {**played_roles.PLANS, **changed}.items()}


def figures(review: Coherence = NO_REVIEW, *, signed: bool = True, **changed: Mapping[str, Any]) -> dict[str, str]:
    found = metrics.measure(TABLE, plans(**changed), review, SECTIONS, {Track.DOCS: 2}, signed=signed)
    return {one.name: str(one).partition(": ")[2] for one in found}


def test_scores_come_from_tasks_named_files_components_and_hot_files_by_the_printed_formula() -> None:
    found = scores.measure(TABLE)
    assert (found.complexity, found.debt) == (9, 49)
    assert found.lines == (
        "complexity 9: 40 x min(1, 2 tasks / 40) + 30 x min(1, 3 files / 40) + 20 x min(1, 1 components / 8)"
        " + 10 x min(1, 1 hot files / 5)",
        "technical debt 49: 50 x 1 hot of 2 existing files + 30 x 2 existing of 3 named files"
        " + 20 x min(1, 2.0 existing files in a component / 10)",
    )


def test_the_greatest_change_scores_100_and_an_empty_one_0() -> None:
    paths = [f"a{number % 9}/f{number}.py" for number in range(90)]
    tasks = tuple(PlannedTask(str(number), "x", 0) for number in range(50))
    clues = tuple(Clue(path, "0", ClueKind.TASK, 0.9) for path in paths)
    great = replace(TABLE, tasks=tasks, evidence=clues, files=frozenset(paths), hot=dict.fromkeys(paths[:6], 20))
    assert scores.measure(great).complexity == 100
    hot = replace(great, hot=dict.fromkeys(paths, 20))
    assert scores.measure(replace(hot, evidence=clues[:40], files=frozenset(paths))).debt <= 100
    nothing = replace(TABLE, tasks=(), evidence=(), files=frozenset(), hot={})
    assert scores.measure(nothing) == scores.measure(nothing, complexity=None)
    assert (scores.measure(nothing).complexity, scores.measure(nothing).debt) == (0, 0)


def test_a_given_score_takes_the_place_of_the_formula() -> None:
    found = scores.measure(TABLE, complexity=71, debt=0)
    assert (found.complexity, found.debt) == (71, 0)
    assert found.lines == ("complexity 71: as given", "technical debt 0: as given")


@pytest.mark.parametrize(
    ("complexity", "level", "at_once", "depths"),
    [
        (40, Level.LOW, 4, ("standard", "basic", "essential", "minimal")),
        (41, Level.MEDIUM, 3, ("thorough", "comprehensive", "detailed", "standard")),
        (70, Level.MEDIUM, 3, ("thorough", "comprehensive", "detailed", "standard")),
        (71, Level.HIGH, 2, ("exhaustive", "exhaustive", "exhaustive", "exhaustive")),
    ],
)
def test_effort_follows_complexity(complexity: int, level: Level, at_once: int, depths: tuple[str, ...]) -> None:
    effort = depth.choose(Scores(complexity, 0), phased=False)
    assert (effort.level, effort.concurrency, tuple(effort.depth.values())) == (level, at_once, depths)
    assert effort.rules == (depth.COMPLEX if level is Level.HIGH else ())


def test_debt_and_phases_add_their_rules() -> None:
    assert depth.choose(Scores(10, 70), phased=False).rules == ()
    assert depth.choose(Scores(10, 71), phased=True).rules == (*depth.INDEBTED, *depth.PHASED)
    phased = replace(TABLE, sections=(Part("", "Phase 1: store"), Part("", "Phase 2: web")))
    assert scores.is_phased(phased)
    assert not scores.is_phased(TABLE)


def test_a_planner_that_is_tried_again_sees_and_does_less() -> None:
    assert [depth.reduced(Depth.THOROUGH, times) for times in range(3)] == ["thorough", "detailed", "minimal"]
    assert depth.reduced(Depth.MINIMAL, 1) is Depth.MINIMAL
    texts = {"design.md": "By hand."}
    first, second, third = (
        tracks.render(Track.CORE, TABLE, texts, Depth.BASIC, ("Be careful.",), tries=tries) for tries in range(3)
    )
    assert "docs/guide.md (exists)" in first
    assert "docs/guide.md (exists)" not in second
    assert "By hand." in second
    assert "By hand." not in third
    assert all("1.1: Correct guide.md" in prompt and "Be careful." in prompt for prompt in (first, second, third))


@pytest.mark.parametrize("track", Track)
def test_an_answer_of_each_planner_fits_its_schema_and_what_it_must_have_is_there(track: Track) -> None:
    validator = Draft202012Validator(tracks.answer_schema(track))
    assert list(validator.iter_errors(played_roles.PLANS[track])) == []
    assert list(tracks.errors(played_roles.PLANS[track], TABLE, Depth.BASIC)) == []
    if needed := tracks.NEEDED.get(track):
        assert list(validator.iter_errors({**played_roles.PLANS[track], needed: []})) != []


def test_a_planner_names_tasks_that_are_there_and_no_more_than_was_asked() -> None:
    item = {"name": "x", "purpose": "x", "tasks": ["9.9"], "paths": []}
    assert list(tracks.errors({**played_roles.CORE, "items": [item] * 4}, TABLE, Depth.MINIMAL)) == [
        *["'x' names the task 9.9, which is not there: name tasks by their ids"] * 4,
        "items has 4 entries, at most 3 are asked for",
    ]


def test_the_minimal_plan_has_the_sections_of_the_tasks() -> None:
    made = tracks.minimal(Track.DOCS, TABLE, "TIMEOUT")
    assert [(one.name, one.tasks) for one in made.items] == [("1 Guide", ("1.1",)), ("2 Index", ("2.1",))]
    assert "TIMEOUT" in made.summary


def test_a_critical_conflict_asks_and_any_other_is_reconciled() -> None:
    validator = Draft202012Validator(coherence.answer_schema())
    value = {"conflicts": [played_roles.CRITICAL, played_roles.MINOR], "gaps": [], "guidance": []}
    assert list(validator.iter_errors(value)) == []
    assert list(coherence.errors(value)) == []
    silent = [{**played_roles.CRITICAL, "question": " "}, {**played_roles.MINOR, "proposal": ""}]
    assert list(coherence.errors({**value, "conflicts": silent})) == [
        "the critical conflict 'the title is in two languages' needs a question to a person",
        "the minor conflict 'the users of Titles differ' needs a proposal that reconciles it",
    ]
    review = msgspec.convert(value, Coherence)
    assert [one.question for one in review.critical] == ["English or\nGerman?\x1b[2J"]
    assert list(review.notes()) == [
        "minor conflict of core and integrations: the users of Titles differ; index uses it"
    ]


def test_each_figure_is_counted_by_its_rule() -> None:
    review = msgspec.convert({"conflicts": [played_roles.MINOR]}, Coherence)
    told = {name: text.partition(" (")[0] for name, text in figures(review).items()}
    assert told == {
        "plan_completeness": "100%, 2 of 2",
        "cross_track_consistency": "100%, 1 of 1",
        "testability_score": "50%, 1 of 2",
        "documentation_coverage": "50%, 1 of 2",
        "dependency_clarity": "50%, 1 of 2",
        "design_depth": "3",
        "interface_clarity": "100%, 2 of 2",
        "test_coverage_planned": "1",
        "example_count": "1",
        "retry_attempts": "2",
        "implementation_readiness": "100%, 10 of 10",
        "api_coherence_score": "0%, 0 of 1",
        "test_strategy_completeness": "33%, 1 of 3",
        "documentation_adequacy": "100%, 1 of 1",
    }


def test_a_figure_that_has_nothing_to_count_is_not_told() -> None:
    told = figures(core={**played_roles.CORE, "interfaces": []}, integrations=played_roles.EMPTY | {"summary": "x"})
    assert told["cross_track_consistency"].startswith("nothing to count (")
    assert told["interface_clarity"].startswith("nothing to count (")
    assert figures(signed=False)["implementation_readiness"].startswith("0%, 0 of 10 (")


def test_interfaces_of_two_tracks_that_differ_are_not_consistent() -> None:
    other = {**played_roles.INTEGRATIONS, "interfaces": [{**played_roles.USED_BY_NOBODY, "definition": "title: bytes"}]}
    assert figures(integrations=other)["cross_track_consistency"].startswith("0%, 0 of 1")


def test_sections_name_every_task_and_do_not_begin_others() -> None:
    def errors(**changed: str) -> list[str]:
        return list(implementation_plan.errors({**SECTIONS, **changed}, TABLE))

    assert errors() == []
    assert errors(task_breakdown="- 1.1 and 12.1, 2.10") == ["task_breakdown: does not name 2.1"]
    heading = "has a heading of level 1 or 2, which would begin another section: use ###"
    assert errors(test_plan="# Tests") == [f"test_plan: {heading}"]
    assert errors(test_plan="Tests\n=====\n") == [f"test_plan: {heading}"]
    assert errors(test_plan="### Tests\n\n```sh\n# a comment\n```\n\n| a | b |\n|---|---|\n\n---\n") == []
    assert errors(test_plan="```sh\nmake") == [
        "test_plan: a fence of code is not closed, it would take in the next section"
    ]


def test_the_file_has_ten_sections_and_a_file_that_lacks_one_is_found() -> None:
    text = implementation_plan.render("fix-typos", SECTIONS, made=["Made by hand."], notes=["two\nlines\x1b"])
    assert implementation_plan.missing(text) == []
    assert text.startswith("# Implementation plan of fix-typos\n\n- Made by hand.\n\n## 1. Executive summary\n\n")
    assert text.endswith("## Notes\n\n- two lines\\x1b\n")
    assert implementation_plan.missing(text.replace("## 5. Test plan", "## TEST PLAN ##")) == []
    assert implementation_plan.missing(text.replace("## 5. Test plan", "### Test plan")) == ["Test plan"]
    assert implementation_plan.missing(text.replace("Both pages read well.", "")) == ["Quality gates"]
    assert len(implementation_plan.missing("")) == 10
    (told,) = implementation_plan.problems(text.replace("## 5. Test plan", "### Test plan"), "plan.md")
    assert str(told).startswith("plan.md: warning: sections that are not there, or empty: Test plan\n")
    assert list(implementation_plan.problems(text, "plan.md")) == []


def test_a_sign_off_gives_reasons_and_holds_what_it_rewrites_to_the_same_rules() -> None:
    validator = Draft202012Validator(sign_off.answer_schema())
    signed = {"signed": True, "reasons": [], "sections": {"test_plan": "1.1 and 2.1."}}
    assert list(validator.iter_errors(signed)) == []
    assert list(validator.iter_errors({**signed, "sections": {"looks": "x"}})) != []
    assert list(sign_off.errors(signed, TABLE, SECTIONS)) == []
    rewritten = {**signed, "sections": {"task_breakdown": "1.1"}}
    assert list(sign_off.errors(rewritten, TABLE, SECTIONS)) == ["task_breakdown: does not name 2.1"]
    refused = {"signed": False, "reasons": []}
    assert list(sign_off.errors(refused, TABLE, SECTIONS)) == ["reasons: is empty, and a refusal says why"]


def test_a_person_signs_the_file_itself() -> None:
    text = implementation_plan.render("c", SECTIONS, made=["Made by parallel-plan --prepare, not signed."], notes=[])
    assert "--prepare, signed by a person.\n" in prepare.signed(text)
