"""The lead's last word on an implementation plan: it holds against the documents, or it does not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from parallel_impl.planning.preparation import implementation_plan
from parallel_impl.planning.preparation.implementation_plan import SECTIONS
from parallel_impl.planning.reading import material
from parallel_impl.planning.reading.evidence import Table

PROMPT = """\
# Sign the implementation plan of the change {change}, or refuse to

You are the lead. Engineers start from this plan, side by side. Check it against the tasks and documents: does it do \
what they ask, all of it and nothing else; can it be built as it stands; is every decision made that two engineers \
would otherwise make differently?
{rules}
- `sections`: sections that you rewrite to resolve what is ambiguous or wrong, each whole, by the names {names}. Leave \
out those that are right.
- `signed`: true when the plan, with your sections in it, may be built. `reasons`: why not, else what to watch.

## The tasks

{tasks}

## Documents of the change

{documents}

## The implementation plan

{plan}
"""


class SignOff(msgspec.Struct, frozen=True, kw_only=True):
    """What the lead answers; `sections` take the place of those that were written."""

    signed: bool
    reasons: tuple[str, ...] = ()
    sections: dict[str, str] = {}


def answer_schema() -> dict[str, Any]:
    """The form of the lead's answer."""
    sections = dict(implementation_plan.answer_schema())
    del sections["required"]
    reason = {"type": "string", "minLength": 1, "maxLength": 2000, "pattern": r"\S"}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["signed", "reasons"],
        "properties": {
            "signed": {"type": "boolean"},
            "reasons": {"type": "array", "maxItems": 30, "items": reason},
            "sections": sections,
        },
    }


def errors(value: Mapping[str, Any], table: Table, sections: Mapping[str, str]) -> Iterator[str]:
    """A refusal says why; rewritten sections are held to what all are."""
    if not value["signed"] and not value["reasons"]:
        yield "reasons: is empty, and a refusal says why"
    if rewritten := value.get("sections"):
        yield from implementation_plan.errors({**sections, **rewritten}, table)


def render(table: Table, texts: Mapping[str, str], sections: Mapping[str, str], rules: tuple[str, ...]) -> str:
    """The lead's prompt."""
    whole = "\n\n".join(f"# {name}\n\n{sections[name].strip()}" for name in SECTIONS)
    return PROMPT.format(
        change=table.change_id,
        rules="".join(f"\n{rule}" for rule in rules) + ("\n" if rules else ""),
        names=", ".join(f"`{name}`" for name in SECTIONS),
        tasks=material.tasks(table),
        documents=material.documents(texts) or "There are none.",
        plan=material.fenced(whole, "markdown"),
    )
