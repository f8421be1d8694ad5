"""Older spellings of plans: recognised, and rewritten with every comment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.errors import Severity, UserError
from parallel_impl.plan.reading import older, round_trip
from parallel_impl.plan.reading.load import load

OLDER = """\
version: "1.0"
feature_id: add-it
packages:
  wp-a:
    title: A
    dependencies: []
    priority: 0
    write_allow:
      - a/**
    write_deny: [b/**]
    locks:
      keys:
        - db:enum:x
        - db:migration:one
        - db:migration:two
    verification:
      tier: tier_b
      checks:
        - pytest -q
        - ruff check
  wp-b:
    name: "B"
    dependencies: wp-a
    scope:
      - c/**
    test_command: pytest -q
    verification: tier_a
  wp-c:
    title: C
    scope: {write_allow: [d/**]}
    verification:
      steps:
        unit: pytest
        lint: ruff check
"""
TODAY = """\
schema_version: 1
feature:
  id: add-it
packages:
  - package_id: wp-a
    description: A
    depends_on: []
    priority: 1
    scope:
      write_allow:
        - a/**
      deny: [b/**]
    locks:
      keys:
        - db:schema:x
        - db:migration-slot
    verification:
      tier_required: B
      steps:
        - name: pytest -q
          command: pytest -q
        - name: ruff check
          command: ruff check
  - package_id: wp-b
    description: "B"
    depends_on:
      - wp-a
    scope:
      write_allow:
        - c/**
    verification:
      tier_required: A
      steps:
        - name: test
          command: pytest -q
  - package_id: wp-c
    description: C
    scope: {write_allow: [d/**]}
    verification:
      steps:
        - name: unit
          command: pytest
        - name: lint
          command: ruff check
"""
LINES = OLDER.splitlines()
LEAST: dict[str, Any] = {"package_id": "wp-a", "description": "A", "scope": {"write_allow": ["a/**"]}}


def plan(**package: Any) -> dict[str, Any]:
    """A plan of today with one package, some of whose fields are replaced (None: taken away)."""
    fields = {name: value for name, value in (LEAST | package).items() if value is not None}
    return {"schema_version": 1, "feature": {"id": "add-it"}, "packages": [fields]}


def test_an_older_plan_is_written_in_the_spelling_of_today() -> None:
    new, said = round_trip.fixed(OLDER.encode(), "p.yaml")
    assert new.decode() == TODAY
    assert "packages as a mapping" in said
    assert load(new, "p.yaml")[0] is not None
    assert round_trip.fixed(new, "p.yaml") == (new, ())


def test_an_older_plan_is_recognised_with_the_line_that_rewrites_it() -> None:
    loaded, problems = load(OLDER.encode(), "openspec/changes/add-it/work-packages.yaml")
    assert loaded is None
    (error,) = (problem for problem in problems if problem.severity is Severity.ERROR)
    assert error.hint == "parallel-impl validate add-it --fix"
    assert "verification as text" in error.what


def test_what_is_wrong_besides_is_told_at_once() -> None:
    _, problems = load(
        OLDER.replace("name: B", "name: B\n    prioritty: 3").replace('"B"', '"B"\n    colour: red').encode(), "p.yaml"
    )
    assert [problem.what for problem in problems if problem.severity is Severity.ERROR][1:] == ["unknown key colour"]


@pytest.mark.parametrize("number", range(len(LINES)))
@pytest.mark.parametrize("above", [True, False])
def test_every_comment_stays(number: int, *, above: bool) -> None:
    lines = list(LINES)
    if above:
        lines.insert(number, lines[number][: len(lines[number]) - len(lines[number].lstrip())] + "# HERE")
    else:
        lines[number] += "  # HERE"
    new, _ = round_trip.fixed("\n".join((*lines, "")).encode(), "p.yaml")
    assert new.decode().count("# HERE") == 1


def test_line_ends_and_a_byte_order_mark_do_no_harm() -> None:
    new, _ = round_trip.fixed(b"\xef\xbb\xbf---\r\n" + OLDER.replace("\n", "\r\n").encode(), "p.yaml")
    assert new.decode() == "---\r\n" + TODAY.replace("\n", "\r\n")


def test_what_would_lose_something_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_trip, "_rewritten", lambda *_: TODAY.replace("tier_required: A", "tier_required: C"))
    with pytest.raises(UserError, match="without loss"):
        round_trip.fixed(OLDER.encode(), "p.yaml")
    monkeypatch.setattr(round_trip, "_rewritten", lambda *_: TODAY)
    with pytest.raises(UserError, match="without loss"):
        round_trip.fixed((OLDER + "# a word\n").encode(), "p.yaml")


@pytest.mark.parametrize(
    ("older_fields", "fields"),
    [
        ({"verification": "tier_b"}, {"verification": {"tier_required": "B"}}),
        ({"verification": "C"}, {"verification": {"tier_required": "C"}}),
        ({"verification": ["pytest"]}, {"verification": {"steps": [{"name": "pytest", "command": "pytest"}]}}),
        (
            {"verification": {"steps": ["a\nb", "x"]}},
            {"verification": {"steps": [{"name": "step 1", "command": "a\nb"}, {"name": "x", "command": "x"}]}},
        ),
        (
            {"verification": {"steps": ["x", "x"]}},
            {"verification": {"steps": [{"name": "x", "command": "x"}, {"name": "x (2)", "command": "x"}]}},
        ),
        (
            {"verification": {"checks": "pytest"}},
            {"verification": {"steps": [{"name": "pytest", "command": "pytest"}]}},
        ),
        ({"verification": {"tier_required": "tier_a"}}, {"verification": {"tier_required": "A"}}),
        ({"tier": "B"}, {"verification": {"tier_required": "B"}}),
        ({"test_command": "pytest"}, {"verification": {"steps": [{"name": "test", "command": "pytest"}]}}),
        ({"priority": 0}, {"priority": 1}),
        (
            {"scope": None, "write_allow": ["a/**"], "deny": ["a/b"]},
            {"scope": {"write_allow": ["a/**"], "deny": ["a/b"]}},
        ),
        ({"description": None, "title": "A"}, {}),
        ({"description": None, "name": "A"}, {}),
        ({"package_id": None, "id": "wp-a"}, {}),
        ({"dependencies": None}, {}),
        (
            {"locks": {"keys": ["db:enum:a", "db:migration:b"]}},
            {"locks": {"keys": ["db:schema:a", "db:migration-slot"]}},
        ),
    ],
)
def test_each_older_field_of_a_package(older_fields: dict[str, Any], fields: dict[str, Any]) -> None:
    assert older.rewritten(plan(**older_fields))[0] == plan(**fields)


@pytest.mark.parametrize(
    "head",
    [
        {"schema_version": "1.0", "feature": {"id": "add-it"}},
        {"version": 1, "change_id": "add-it"},
        {"feature_id": "add-it"},
        {"schema_version": 1, "feature": "add-it"},
        {"schema_version": 1, "feature": {"feature_id": "add-it"}},
        {},
    ],
)
def test_each_older_head(head: dict[str, Any]) -> None:
    found, said = older.rewritten(head | {"packages": [LEAST]}, "add-it")
    assert (found["schema_version"], found["feature"]) == (1, {"id": "add-it"})
    assert said


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"title": "T", "name": "N"},
        {"priority": False},
        {"priority": 3},
        {"tier": "sequential"},
        {"verification": "later"},
        {"verification": {"tier_required": "D"}},
        {"id": "wp-x"},
        {"locks": {"keys": ["config:x"]}},
        {"verification": 3},
    ],
)
def test_what_is_no_older_spelling_is_left_alone(fields: dict[str, Any]) -> None:
    assert older.rewritten(plan(**fields)) == (plan(**fields), ())


PIECES = st.recursive(
    st.sampled_from(["tier_b", "pytest", "1.0", 0, 1, None, True, "wp-a", "db:enum:x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "package_id",
                    "packages",
                    "verification",
                    "steps",
                    "checks",
                    "tier",
                    "title",
                    "scope",
                    "locks",
                    "keys",
                    "version",
                    "feature",
                    "feature_id",
                    "write_allow",
                    "test_command",
                    "name",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["packages", "defaults", "version", "feature", "change_id", "feature_id"]), PIECES)
)
def test_any_data_is_rewritten_once_and_for_all(data: dict[str, Any]) -> None:
    found, said = older.rewritten(data, "add-it")
    assert older.rewritten(found, "add-it") == (found, ())
    assert bool(said) == (found != data)
