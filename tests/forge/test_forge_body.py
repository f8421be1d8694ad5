"""What the body of a pull request says, in which order, how long it gets, and where it stands in a template."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parallel_impl.forge import body, content, marker, template
from parallel_impl.forge.content import Content, GateEvidence, PackageEvidence, StepOutcome
from parallel_impl.plan.model import StepKind

UNIT = StepOutcome("unit", StepKind.COMMAND, passed=True)
LOOK = StepOutcome("look", StepKind.MANUAL, passed=False, instructions="Open the page.")
DEPLOY = StepOutcome("deploy", StepKind.CI, passed=False)
A = PackageEvidence("wp-a", "accepted", "The store", files=("src/a.py",), steps=(UNIT,), commit="a" * 40, tokens=1200)
B = PackageEvidence("wp-b", "accepted", "The page", depends_on=("wp-a",), files=("src/b.py",), attempts=2, dollars=0.5)
PLAIN = Content(
    change_id="add-a",
    run_id="r" * 32,
    title="Orders",
    branch="openspec/add-a",
    base="b" * 40,
    commit="c" * 40,
    headline="proven by pytest",
    purpose="Nobody can order.",
    lines=(12, 3),
    packages=(A, B),
    gates=(GateEvidence("pytest", "passed", command="pytest -q", old_failures=1),),
    contracts=(("api/orders.md", "valid, may be written by wp-a"),),
)


def written(made: Content) -> str:
    return body.write(made, ()).body


def test_a_reviewers_questions_are_answered_in_their_order() -> None:
    text = written(
        replace(
            PLAIN,
            packages=(replace(A, steps=(UNIT, LOOK, DEPLOY)), B),
            switched_off=("gate mypy",),
            accepted=("gate ruff",),
            open_tasks=("1.2 Write the manual",),
            notes=("a note",),
        )
    )
    heads = [line for line in text.split("\n") if line.startswith("## ")]
    assert heads == [
        "## Why this is a draft",
        "## Risk: ordinary",
        "## What changed",
        "## The run",
        "## Gates on the whole tree",
        "## Contracts",
        "## For a person to check",
        "## For CI to answer",
        "## Switched off, accepted by name, not fenced",
        "## Open tasks",
        "## Cost, as far as agents report it",
        "## Packages",
        "## Notes",
    ]
    assert "From `bbbbbbbbbbbb` to `cccccccccccc`; run `rrrrrrrrrrrr`, 0 s." in text
    for part in ("Nobody can order.", "2 files, +12 −3", "look: Open the page.", "not fenced", "1,200", "$0.50"):
        assert part in text


def test_a_package_says_what_it_was_asked_and_how_much_it_changed() -> None:
    asked = replace(A, asked="Keep orders.\n## Not a heading", tasks=("2.1", "2.2"), lines=(40, 1))
    text = written(replace(PLAIN, packages=(asked,)))
    assert "- `wp-a`: The store (1 file, +40 −1)\n" in f"{text}\n"
    assert "\n\nAsked: Keep orders. ## Not a heading\n\nTasks: 2.1, 2.2.\n\n" in text


def test_the_picture_shows_who_waits_for_whom() -> None:
    assert (
        "```mermaid\n"
        "flowchart LR\n"
        '  p0["wp-a: accepted"]\n'
        '  p1["wp-b: accepted, 2 attempts"]\n'
        "  p0 --> p1\n"
        '  landed(["landed; pytest"])\n'
        "  p1 --> landed\n"
        "```"
    ) in written(PLAIN)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"files": ("db/migrations/0002_x.py",)}, "db/migrations/0002_x.py: a migration"),
        ({"files": ("sql/Drop.SQL",)}, "sql/Drop.SQL: a migration"),
        ({"files": ("api/openapi.yaml",)}, "api/openapi.yaml: a public interface"),
        ({"files": ("proto/a.proto",)}, "proto/a.proto: a public interface"),
        ({"files": ("api/orders.md",)}, "api/orders.md: a contract"),
        ({"locks": ("db:migration-slot",)}, "wp-a claims db:migration-slot: a database"),
        ({"locks": ("api:GET /x",)}, "wp-a claims api:GET /x: a public interface"),
    ],
)
def test_the_risk_is_high_on_migrations_and_public_interfaces(change: dict[str, object], reason: str) -> None:
    assert content.risks(PLAIN) == []
    risky = replace(PLAIN, packages=(replace(A, **change), B))  # type: ignore[arg-type]
    assert content.risks(risky) == [reason]
    assert "## Risk: high" in written(risky)


@pytest.mark.parametrize(
    ("made", "draft"),
    [
        (PLAIN, False),
        (replace(PLAIN, packages=(replace(A, steps=(DEPLOY,)),)), False),
        (replace(PLAIN, packages=(replace(A, steps=(LOOK,)),)), True),
        (replace(PLAIN, accepted=("pytest",)), True),
        (replace(PLAIN, gates=(GateEvidence("pytest", "passed", gone=("t.py::a",)),)), True),
        (replace(PLAIN, gates=(GateEvidence("pytest", "passed", flaky=("t.py::a",)),)), True),
        (replace(PLAIN, gates=(GateEvidence("pytest", "passed", renamed=("t.py::a",)),)), False),
        (replace(PLAIN, switched_off=("gate mypy",)), False),
    ],
)
def test_it_is_a_draft_where_a_person_must_look_first(made: Content, draft: bool) -> None:
    assert bool(content.draft_reasons(made)) is draft
    assert ("## Why this is a draft" in written(made)) is draft


def test_agents_words_do_nothing_and_hold_no_secret() -> None:
    agents = replace(A, title="by @ada", report=("closes #1 <b>", "the key is hunter2-value"), files=("x\n/close",))
    text = body.write(replace(PLAIN, packages=(agents,), notes=("![x](http://e/hunter2-value)",)), [b"hunter2-value"])
    assert "by @&#8203;ada" in text.body
    assert "closes #&#8203;1 &lt;b&gt;" in text.body
    assert "hunter2-value" not in text.body
    assert not [line for line in text.body.split("\n") if line.startswith("/")]


def test_the_title_is_of_one_line_and_closes_nothing() -> None:
    assert body.title(PLAIN, ()) == "Orders (add-a)"
    assert body.title(replace(PLAIN, title="fixes #1\nand hunter2-value"), [b"hunter2-value"]) == (
        "fixes #\u200b1 and *** (add-a)"
    )


def test_a_body_that_is_too_long_goes_on_in_comments_and_loses_nothing() -> None:
    many = tuple(
        replace(A, id=f"wp-{n}", report=tuple(f"line {n}.{m} " + "x" * 900 for m in range(40))) for n in range(9)
    )
    made = body.write(replace(PLAIN, packages=many), ())
    assert len(made.body) <= body.LIMIT
    assert made.comments
    assert all(len(one) <= body.LIMIT - 200 for one in made.comments)
    assert f"_This goes on in {len(made.comments)} comments below._" in made.body
    whole = "\n".join((made.body, *made.comments))
    assert [f"line {n}.{m} " in whole for n in range(9) for m in range(40)].count(False) == 0


def test_a_section_that_alone_is_too_long_is_divided_between_lines() -> None:
    notes = tuple(f"note {n} " + "x" * 990 for n in range(50))
    made = body.write(
        replace(PLAIN, notes=notes, packages=tuple(replace(A, report=notes) for _ in range(3))), (), room=9_000
    )
    assert len(made.body) <= 9_000
    assert all(len(one) <= body.LIMIT for one in made.comments)


TEMPLATE = "# Checklist\n\n- [ ] I tested it\n\n## Description\n\n<!-- ## What it does -->\n\n## Testing\n\nhow?\n"


def test_a_template_is_filled_in_where_it_asks_what_changed() -> None:
    assert template.filled(TEMPLATE, "OURS") == (
        "# Checklist\n\n- [ ] I tested it\n\n## Description\n\n<!-- ## What it does -->\n\nOURS\n\n## Testing\n\nhow?"
    )


@pytest.mark.parametrize(("given", "filled"), [("", "OURS"), ("- [ ] signed\n", "- [ ] signed\n\nOURS")])
def test_a_template_that_asks_nothing_has_our_text_at_its_end(given: str, filled: str) -> None:
    assert template.filled(given, "OURS") == filled


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    theirs = f"before\r\n{marker.wrapped('old', 'add-a', 'r1')}\r\nafter <!-- parallel-impl other r9 -->"
    new = marker.replaced(theirs, "new \\1", "add-a", "r2")
    ours = marker.wrapped("new \\1", "add-a", "r2")
    assert new == f"before\n{ours}\nafter <!-- parallel-impl other r9 -->"
    assert marker.run_of(theirs, "add-a") == "r1"
    assert marker.run_of(theirs, "add") == ""
    with pytest.raises(ValueError, match="no text of"):
        marker.replaced(theirs, "new", "add", "r2")
