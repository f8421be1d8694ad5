"""Implementation specs with phases and tickets: read in the forms that people write, or refused with the line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.errors import UserError
from parallel_impl.openspec import tasks as task_list
from parallel_impl.planning.reading import tickets
from parallel_impl.planning.reading.evidence import PlannedTask
from parallel_impl.planning.reading.task_graph import plan

SPEC = """\
# Analytics

Overview.

## Phase 1: Foundations

### Ticket 1.1: Types
**Files:** `src/types.ts`
Depends on: None

### Ticket 1.2 \u2014 Context
- Files: src/context.tsx
- Depends on: Ticket 1.1

```ts
## Phase 9: in a fence
```

## Phase 2 - Widgets

#### T-12 Engagement
Dependencies: 1.1, 1.2

##### Acceptance
- [ ] it is fast

#### T-13 Lessons
Depends on: T-12, Phase 1

## Phase 3: Texts

1. Write docs
   Files: docs/a.md
   Depends on: T-13
2. **Polish**
   - Depends on: 1

## Notes
- 1.1 is not a ticket here
"""


def planned(text: str) -> list[PlannedTask]:
    return list(plan(task_list.read(tickets.as_tasks(tickets.read(text, where="spec.md")).encode())).tasks)


def refused(text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        tickets.read(text, where="spec.md")
    return [f"{problem.where} {problem.what}" for problem in caught.value.problems]


def test_tickets_become_numbered_tasks_with_their_requirements() -> None:
    assert [(task.id, task.requires) for task in planned(SPEC)] == [
        ("1.1", ()),
        ("1.2", ("1.1",)),
        ("2.1", ("1.1", "1.2")),
        ("2.2", ("1.1", "1.2", "2.1")),
        ("3.1", ("2.2",)),
        ("3.2", ("3.1",)),
    ]


def test_the_name_of_a_ticket_and_its_files_stay_in_its_task() -> None:
    text = tickets.as_tasks(tickets.read(SPEC, where="spec.md"))
    assert "- [ ] 2.1 Engagement (T-12)\n" in text
    assert "  **Files:** `src/types.ts`\n" in text


@pytest.mark.parametrize(
    "heading",
    [
        "## Phase 1: A",
        "# Phase 1 - A",
        "## Phase I. A",
        "## **Phase 1** A",
        "## Milestone 1: A",
        "### Sprint 1 \u2013 A",
    ],
)
@pytest.mark.parametrize(
    "ticket",
    [
        "#### Ticket 1.1: B",
        "#### T-1 B",
        "#### 1.1 B",
        "#### [ENG-7] B",
        "#### Task 1 \u2013 B",
        "- [ ] 1.1 B",
        "- **T-1**: B",
        "1. B\n   Files: x.py",
    ],
)
def test_headings_and_lists_are_read_as_people_write_them(heading: str, ticket: str) -> None:
    found = tickets.read(f"{heading}\n\n{ticket}\n", where="spec.md")
    assert [(phase.title, [one.title for one in phase.tickets]) for phase in found.phases] == [("A", ["B"])]


def test_a_spec_without_phases_has_one_over_its_tickets() -> None:
    found = tickets.read(
        "# Loop\n## Tasks\n### T1: Schema\nFiles: a.json\n### T2: Engine\nDepends on: T1\n", where="spec.md"
    )
    assert [(one.number, one.requires) for phase in found.phases for one in phase.tickets] == [
        ("1.1", ()),
        ("1.2", ("1.1",)),
    ]


def test_a_numbered_list_beside_headings_of_tickets_is_prose() -> None:
    found = tickets.read("## Phase 1: A\n1. a goal\n2. another\n### Ticket 1: B\n1. a step\n", where="spec.md")
    assert [one.title for one in found.phases[0].tickets] == ["B"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["spec.md no tickets found"]),
        (
            "## Phase 1: A\nonly prose\n",
            ["spec.md:1 phase 'A' has no tickets that can be read", "spec.md no tickets found"],
        ),
        ("## Phase 1: A\n### Ticket 1.1:\n", ["spec.md:2 ticket 1.1 has no title"]),
        ("## Phase 1: A\n### T-1 B\n### T-1 C\n", ["spec.md:3 two tickets are called T-1"]),
        (
            "## Phase 1: A\n### T-1 B\nDepends on: T-9\n",
            ["spec.md:3 ticket T-1 depends on T-9, which is no ticket"],
        ),
        (
            "## Phase 1: A\n### T-1 B\nDepends on: the other team\n",
            ["spec.md:3 ticket T-1 depends on the other team, which is no ticket"],
        ),
        (
            "### Ticket 7: C\n## Phase 1: A\n### T-1 B\n",
            ["spec.md:1 'Ticket 7: C' looks like a ticket but stands in no phase"],
        ),
        (
            "## Phase 1: A\n### T-1 B\n```\nopen\n",
            ["spec.md:5 a code fence is not closed: what follows it cannot be read"],
        ),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_line(text: str, problems: list[str]) -> None:
    assert refused(text) == problems


TITLE = st.from_regex(r"[A-Z][a-z]{1,8}( [a-z]{1,8}){0,3}", fullmatch=True)
BODY = st.sampled_from(["- [ ] a step", "Files: `a/b.py`", "## Phase 9: x", "text", "", "* [x] 1.1 done", "\u2610 y"])


@given(st.lists(st.lists(st.tuples(TITLE, st.lists(BODY.filter(lambda one: "#" not in one), max_size=4)), min_size=1,
                         max_size=4), min_size=1, max_size=4))  # fmt: skip
def test_every_ticket_becomes_one_task(phases: list[list[tuple[str, list[str]]]]) -> None:
    text = ""
    for n, phase in enumerate(phases, 1):
        text += f"## Phase {n}: P\n"
        for m, (title, body) in enumerate(phase, 1):
            text += "\n".join([f"### Ticket {n}.{m}: {title}", *body, ""])
    assert [task.id for task in planned(text)] == [
        f"{n}.{m}" for n, phase in enumerate(phases, 1) for m in range(1, len(phase) + 1)
    ]
