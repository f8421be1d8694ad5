"""The four planners: what each is asked, the form of its answer, and what stands in for one that failed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from parallel_impl import structs
from parallel_impl.planning.preparation.depth import ENTRIES, Depth, Track
from parallel_impl.planning.reading import material
from parallel_impl.planning.reading.evidence import Table

ROLES = {
    Track.CORE: "the core implementer: modules, data structures and algorithms",
    Track.INTEGRATIONS: "the integrations engineer: external interfaces, adapters, configuration and error handling",
    Track.TESTS: "the test engineer: test plan, cases, fixtures and coverage",
    Track.DOCS: "the documentation engineer: usage guides, examples and migration",
}
WORK = {
    Track.CORE: """\
- `items`: the components (modules, data structures, algorithms), each with its purpose, its tasks and its files.
- `interfaces`: what components offer each other: signature, types, errors. Name who provides it and who uses it.
- `dependencies`: which task needs which other, and why.""",
    Track.INTEGRATIONS: """\
- `items`: the adapters, interfaces to other systems and configuration, each with its tasks, files and error handling.
- `interfaces`: the contracts at the borders: endpoint, event, schema. Name who provides it and who uses it.
- Where nothing outside is touched, leave `items` empty and say so in `summary`.""",
    Track.TESTS: """\
- `tests`: the cases: what is shown, on which level (unit, integration, end-to-end), for which tasks, by which fixture.
- `items`: the fixtures and test helpers that several tests share, each with its files.
- Every task that changes behaviour has a test that would fail without it.""",
    Track.DOCS: """\
- `items`: the documents to write or change, each with its tasks and files.
- `examples`: usage that a reader can copy, each named after the document that it goes into.
- Say what users must do to migrate, or that they need not do anything.""",
}
PROMPT = """\
# Plan the implementation of the change {change}: {track}

You are {role}. Three others plan the other tracks at the same time: {others}. A reviewer looks for what does not fit \
together, and a synthesizer makes one plan of all. Plan your track only; where you need something of another, name it \
as an interface with its provider and its users.

{title}

## What to plan

{work}
- `risks`: what may go wrong, and what is done about it. `questions`: what only a person can decide.

Depth: {depth}. At most {entries} entries in each list, the most important first. Name tasks by their ids and files by \
their paths. Decide; do not list alternatives.
{rules}
## The tasks

{tasks}
"""
FILES = """
## The files, with what names them and how sure that is

{evidence}

## Imports and history

{coupling}
"""
DOCUMENTS = """
## Documents of the change

{documents}
"""


class PlannedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A component, an adapter, a shared fixture or a document."""

    name: str
    purpose: str
    tasks: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class PlannedInterface(msgspec.Struct, frozen=True, kw_only=True):
    """What one part offers others."""

    name: str
    definition: str = ""
    provider: str = ""
    consumers: tuple[str, ...] = ()


class PlannedTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test case; `level` is unit, integration or end-to-end."""

    name: str
    level: str
    tasks: tuple[str, ...] = ()
    fixture: str = ""


class PlannedExample(msgspec.Struct, frozen=True, kw_only=True):
    """Usage that a reader can copy; `item` is the document that it goes into."""

    title: str
    text: str
    item: str = ""


class PlannedNeed(msgspec.Struct, frozen=True, kw_only=True):
    """A task that needs another one."""

    task: str
    needs: str
    why: str


class PlannedRisk(msgspec.Struct, frozen=True, kw_only=True):
    """What may go wrong, and what is done about it."""

    what: str
    mitigation: str


class TrackPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a planner answers."""

    summary: str
    items: tuple[PlannedItem, ...] = ()
    interfaces: tuple[PlannedInterface, ...] = ()
    tests: tuple[PlannedTest, ...] = ()
    examples: tuple[PlannedExample, ...] = ()
    dependencies: tuple[PlannedNeed, ...] = ()
    risks: tuple[PlannedRisk, ...] = ()
    questions: tuple[str, ...] = ()


def _text(longest: int = 2000) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"\S"}


def _list(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "maxItems": max(ENTRIES.values()), "items": dict(item)}


def _object(needed: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    properties = {**needed, **optional}
    return {"type": "object", "additionalProperties": False, "required": list(needed), "properties": properties}


WORDS = {"type": "array", "maxItems": 200, "items": _text(500)}
LEVELS = ("unit", "integration", "end-to-end")
LISTS: Mapping[str, Mapping[str, Any]] = {
    "items": _object({"name": _text(200), "purpose": _text(), "tasks": WORDS, "paths": WORDS}),
    "interfaces": _object({"name": _text(200), "definition": _text(), "provider": _text(200), "consumers": WORDS}),
    "tests": _object(
        {"name": _text(300), "level": {"enum": list(LEVELS)}, "tasks": WORDS}, fixture={**_text(500), "minLength": 0}
    ),
    "examples": _object({"title": _text(200), "text": _text(5000), "item": _text(200)}),
    "dependencies": _object({"task": _text(50), "needs": _text(50), "why": _text(500)}),
    "risks": _object({"what": _text(500), "mitigation": _text(500)}),
}
NEEDED = {Track.CORE: "items", Track.TESTS: "tests", Track.DOCS: "items"}  # the list that is never empty


def answer_schema(track: Track) -> dict[str, Any]:
    """The form of a planner's answer."""
    lists = {name: _list(item) for name, item in LISTS.items()}
    if needed := NEEDED.get(track):
        lists[needed]["minItems"] = 1
    return _object({"summary": _text(5000), **lists}, questions=_list(_text(500)))


def render(
    track: Track, table: Table, texts: Mapping[str, str], depth: Depth, rules: tuple[str, ...], *, tries: int = 0
) -> str:
    """The prompt. Tried again, it shows less: without the files, then the tasks alone."""
    others = "; ".join(role for other, role in ROLES.items() if other is not track)
    prompt = PROMPT.format(
        change=table.change_id,
        track=track,
        role=ROLES[track],
        others=others,
        title=material.fenced(table.title),
        work=WORK[track],
        depth=depth,
        entries=ENTRIES[depth],
        rules="".join(f"\n{rule}" for rule in rules) + ("\n" if rules else ""),
        tasks=material.tasks(table),
    )
    if not tries:
        prompt += FILES.format(evidence=material.evidence(table), coupling=material.coupling(table))
    if tries <= 1 and (shown := material.documents(texts)):
        prompt += DOCUMENTS.format(documents=shown)
    return prompt


def errors(value: Mapping[str, Any], table: Table, depth: Depth) -> Iterator[str]:
    """What is wrong with an answer that fits its schema: tasks that are not there, more than was asked for."""
    known = {task.id for task in table.tasks}
    plan = structs.convert(value, TrackPlan)
    named = [(one.name, task) for one in plan.items for task in one.tasks]
    named += [(one.name, task) for one in plan.tests for task in one.tasks]
    named += [(f"{one.task} needs {one.needs}", task) for one in plan.dependencies for task in (one.task, one.needs)]
    for where, task in named:
        if task not in known:
            yield f"{where!r} names the task {task}, which is not there: name tasks by their ids"
    for name in LISTS:
        if len(value[name]) > ENTRIES[depth]:
            yield f"{name} has {len(value[name])} entries, at most {ENTRIES[depth]} are asked for"


def minimal(track: Track, table: Table, why: str) -> TrackPlan:
    """What stands in for a planner that failed: the sections of the tasks, and that nobody planned this track."""
    items = []
    for number, section in enumerate(table.sections):
        own = tuple(task.id for task in table.tasks if task.section == number)
        if own:
            items.append(PlannedItem(name=material.heading(section), purpose=f"{track}: as its tasks say", tasks=own))
    summary = f"Nobody planned this track ({why}). Follow the tasks, and decide as you implement."
    return TrackPlan(summary=summary, items=tuple(items))
