"""`implementation_plan.md`: ten sections in a fixed order, written by a synthesizer, checked by code. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from parallel_impl.errors import Problem, Severity, printable
from parallel_impl.planning.preparation.coherence import Coherence, shown
from parallel_impl.planning.preparation.depth import Track
from parallel_impl.planning.preparation.tracks import TrackPlan
from parallel_impl.planning.reading import material
from parallel_impl.planning.reading.evidence import Table

SECTIONS: Mapping[str, str] = {
    "executive_summary": "what is built and why, in a few sentences",
    "implementation_strategy": "the approach and the phases, with what each ends with",
    "module_architecture": "modules, data structures and interfaces, with who provides and who uses them",
    "integration_design": "borders to other systems: contracts, adapters, configuration, errors",
    "test_plan": "which tests on which level show which tasks, and their fixtures",
    "documentation_plan": "which documents change, with examples and migration",
    "task_breakdown": "every task by its id, with its component and files",
    "dependencies": "which task or component waits for which, and why",
    "risk_mitigation": "what may go wrong, and what is done about it",
    "quality_gates": "checkpoints, and what must hold at each before the work goes on",
}
LONGEST = 20_000  # characters of one section
CODE = "[code]"  # in the place of fences, where headings are looked for
PROMPT = """\
# Write the implementation plan of the change {change}

Four engineers planned a track each, and a reviewer looked at all of them. Make one plan of it that engineers can \
follow who work side by side and never meet: what two of them need must be decided here. Where the reviewer reconciled \
a conflict, the plan says only what was decided; fill the gaps that the reviewer names.
{rules}
The answer has one text in Markdown for each section; headings inside a section have at least three `#`:

{sections}

`task_breakdown` names every task by its id. Be concrete: names, types, paths, commands. No praise, no filler.

{title}

## The tasks

{tasks}

## The plans

{plans}

## What the reviewer says

{notes}
"""
_HEADING = re.compile(r"^ {0,3}#{1,2}(?:\s|$)|^ {0,3}[^\s|>#+*-].*\n {0,3}(?:=+|-+)[ \t]*$", re.MULTILINE)
_OPEN = re.compile(r"^ {0,3}(?:`{3,}|~{3,})", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?^ {0,3}\1[`~]*\s*$", re.MULTILINE | re.DOTALL)
_SECOND = re.compile(r"^##[ \t]+(?:\d+[.)]?[ \t]+)?(.+?)[ \t#]*$", re.MULTILINE)


def answer_schema() -> dict[str, Any]:
    """The form of the synthesizer's answer: the ten sections."""
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": r"\S"}
    sections = {name: {"description": about, **text} for name, about in SECTIONS.items()}
    return {"type": "object", "additionalProperties": False, "required": list(SECTIONS), "properties": sections}


def errors(value: Mapping[str, str], table: Table) -> Iterator[str]:
    """What is wrong with sections that fit the schema: headings that would end them, tasks that they forget."""
    for name, text in value.items():
        prose = _FENCE.sub(CODE, text)
        if _HEADING.search(prose):
            yield f"{name}: has a heading of level 1 or 2, which would begin another section: use ###"
        if _OPEN.search(prose):
            yield f"{name}: a fence of code is not closed, it would take in the next section"
    missing = [task.id for task in table.tasks if not names_task(value["task_breakdown"], task.id)]
    if missing:
        yield f"task_breakdown: does not name {', '.join(missing)}"


def names_task(text: str, task: str) -> bool:
    """Whether a text names a task by its id, not as a part of another id or number."""
    return re.search(rf"(?<![\w.]){re.escape(task)}(?!\w|\.\w)", text) is not None


def render_prompt(table: Table, plans: Mapping[Track, TrackPlan], review: Coherence, rules: tuple[str, ...]) -> str:
    """The synthesizer's prompt."""
    notes = [*review.notes(), *(f"guidance: {one}" for one in review.guidance)]
    return PROMPT.format(
        change=table.change_id,
        rules="".join(f"\n{rule}" for rule in rules) + ("\n" if rules else ""),
        sections="\n".join(f"- `{name}`: {about}" for name, about in SECTIONS.items()),
        title=material.fenced(table.title),
        tasks=material.tasks(table),
        plans=shown(plans),
        notes=material.fenced("\n".join(notes) or "nothing"),
    )


def title(name: str) -> str:
    """A section's heading."""
    return name.replace("_", " ").capitalize()


def render(change_id: str, sections: Mapping[str, str], *, made: Sequence[str], notes: Sequence[str]) -> str:
    """The file. `made` are lines about where it comes from and who signed it, `notes` those of the review."""
    parts = [f"# Implementation plan of {change_id}", "\n".join(f"- {line}" for line in made)]
    for number, name in enumerate(SECTIONS, 1):
        parts.append(f"## {number}. {title(name)}\n\n{sections[name].strip()}")
    if notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {' '.join(note.split())}" for note in notes))
    return printable("\n\n".join(parts) + "\n")


def missing(text: str) -> list[str]:
    """The headings of sections that a file does not have, or leaves empty."""
    found, text = dict[str, str](), _FENCE.sub(CODE, text)
    places = list(_SECOND.finditer(text))
    for number, place in enumerate(places):
        end = places[number + 1].start() if number + 1 < len(places) else len(text)
        found[_plain(place[1])] = text[place.end() : end].strip()
    return [title(name) for name in SECTIONS if not found.get(_plain(title(name)))]


def problems(text: str, source: str) -> Iterator[Problem]:
    """A warning about a file that lacks sections."""
    if lacks := missing(text):
        what = f"sections that are not there, or empty: {', '.join(lacks)}"
        yield Problem(what, source, hint="write each as: ## <its name>", severity=Severity.WARNING)


def _plain(heading: str) -> str:
    return re.sub(r"[^a-z]+", " ", heading.lower()).strip()
