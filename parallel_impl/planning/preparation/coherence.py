"""The integration reviewer: one agent that looks at all tracks together, for what does not fit. Pure.

A critical conflict is a question to a person: nothing is guessed. The others become notes of the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from parallel_impl import structs
from parallel_impl.planning.preparation.depth import Track
from parallel_impl.planning.preparation.tracks import TrackPlan
from parallel_impl.planning.reading import material
from parallel_impl.planning.reading.evidence import Table

CRITICAL = "critical"
SEVERITIES = (CRITICAL, "major", "minor")
PROMPT = """\
# Review the plans for the change {change} together

Four engineers planned one change, each a track of it. Check that the plans fit together: the same interface has the \
same form, provider and users everywhere; what one track expects another delivers; everything that is planned can be \
tested; no task is forgotten. Judge what is written, do not plan yourself.
{rules}
- `conflicts`: two statements that cannot both hold. `critical` only where the plans cannot be reconciled and a person \
must decide: then `question` asks that person, with the choices. For `major` and `minor` ones say in `proposal` how \
they are reconciled. `interface` names the interface that it is about, "" for none.
- `gaps`: what no track plans and the change needs, each with the track that it belongs to.
- `guidance`: what whoever writes the one plan must heed.

## The tasks

{tasks}

## Documents of the change

{documents}

## The plans

{plans}
"""


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two statements of the plans that cannot both hold."""

    what: str
    tracks: tuple[str, ...]
    severity: str
    question: str = ""
    proposal: str = ""
    interface: str = ""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What no track plans."""

    what: str
    track: str


class Coherence(msgspec.Struct, frozen=True, kw_only=True):
    """What the reviewer answers."""

    conflicts: tuple[Disagreement, ...] = ()
    gaps: tuple[Gap, ...] = ()
    guidance: tuple[str, ...] = ()

    @property
    def critical(self) -> tuple[Disagreement, ...]:
        """The conflicts that a person must decide."""
        return tuple(one for one in self.conflicts if one.severity == CRITICAL)

    def notes(self) -> Iterator[str]:
        """The other conflicts and the gaps, one line each."""
        for one in self.conflicts:
            if one.severity != CRITICAL:
                how = f"; {one.proposal}" if one.proposal else ""
                yield f"{one.severity} conflict of {' and '.join(one.tracks)}: {one.what}{how}"
        for gap in self.gaps:
            yield f"gap in {gap.track}: {gap.what}"


def answer_schema() -> dict[str, Any]:
    """The form of the reviewer's answer."""
    text = {"type": "string", "minLength": 1, "maxLength": 2000, "pattern": r"\S"}
    maybe = {"type": "string", "maxLength": 2000}
    track = {"enum": list(Track)}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["conflicts", "gaps", "guidance"],
        "properties": {
            "conflicts": {
                "type": "array",
                "maxItems": 50,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["what", "tracks", "severity"],
                    "properties": {
                        "what": text,
                        "tracks": {"type": "array", "minItems": 1, "maxItems": 4, "uniqueItems": True, "items": track},
                        "severity": {"enum": list(SEVERITIES)},
                        "question": maybe,
                        "proposal": maybe,
                        "interface": maybe,
                    },
                },
            },
            "gaps": {
                "type": "array",
                "maxItems": 50,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["what", "track"],
                    "properties": {"what": text, "track": track},
                },
            },
            "guidance": {"type": "array", "maxItems": 50, "items": text},
        },
    }


def errors(value: Mapping[str, Any]) -> Iterator[str]:
    """A critical conflict asks something, any other is reconciled."""
    for one in structs.convert(value, Coherence).conflicts:
        if one.severity == CRITICAL and not one.question.strip():
            yield f"the critical conflict {one.what!r} needs a question to a person"
        if one.severity != CRITICAL and not one.proposal.strip():
            yield f"the {one.severity} conflict {one.what!r} needs a proposal that reconciles it"


def render(table: Table, texts: Mapping[str, str], plans: Mapping[Track, TrackPlan], rules: tuple[str, ...]) -> str:
    """The reviewer's prompt."""
    return PROMPT.format(
        change=table.change_id,
        rules="".join(f"\n{rule}" for rule in rules) + ("\n" if rules else ""),
        tasks=material.tasks(table),
        documents=material.documents(texts) or "There are none.",
        plans=shown(plans),
    )


def shown(plans: Mapping[Track, TrackPlan]) -> str:
    """The plans of all tracks, as JSON between fences."""
    return "\n\n".join(
        f"### {track}\n\n{material.fenced(msgspec.json.format(msgspec.json.encode(plan), indent=1).decode(), 'json')}"
        for track, plan in plans.items()
    )
