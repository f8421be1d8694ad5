"""The documents of a change: what people wrote before any code, each with what its words are worth as evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from parallel_impl.plan.ids import IMPLEMENTATION_PLAN
from parallel_impl.planning.reading.evidence import ClueKind

TASKS = "tasks.md"
MAX_BYTES = 1_000_000  # of a contract, which may be generated: nobody names files in more than that
_ALONE = {
    "proposal.md": ClueKind.PROPOSAL,
    "design.md": ClueKind.DESIGN,
    IMPLEMENTATION_PLAN: ClueKind.DESIGN,  # made of all the others by `--prepare`, and yours to edit
    TASKS: ClueKind.TASK,
}
_BELOW = {"specs": ClueKind.SPEC, "contracts": ClueKind.CONTRACT}


@dataclass(frozen=True, slots=True)
class ChangeDocument:
    """A text of the change; `path` is inside the change folder."""

    path: str
    text: str
    kind: ClueKind


def document(path: str, content: bytes) -> ChangeDocument | None:
    """A file of the change folder as a document; None for one that is none (a log, a plan, notes of a review)."""
    first, *below = PurePosixPath(path).parts
    kind = _BELOW.get(first) if below else _ALONE.get(first)
    if kind is None or (kind is ClueKind.SPEC and not path.endswith(".md")):
        return None
    if kind is ClueKind.CONTRACT:
        content = content[:MAX_BYTES]
    return ChangeDocument(path, content.decode("utf-8", "surrogateescape"), kind)


def load(folder: Path) -> tuple[ChangeDocument, ...]:
    """The documents of a change folder in a work tree; symbolic links are not followed."""
    found = []
    for path in sorted(_files(folder)):
        inside = path.relative_to(folder).as_posix()
        if read := document(inside, path.read_bytes()):
            found.append(read)
    return tuple(found)


def of(documents: Iterable[ChangeDocument], kind: ClueKind) -> tuple[ChangeDocument, ...]:
    """Those of one kind."""
    return tuple(one for one in documents if one.kind is kind)


def _files(folder: Path) -> Iterable[Path]:
    for name in _ALONE:
        if (folder / name).is_file() and not (folder / name).is_symlink():
            yield folder / name
    for name in _BELOW:
        if not (folder / name).is_symlink():
            yield from (one for one in (folder / name).rglob("*") if one.is_file() and not one.is_symlink())
