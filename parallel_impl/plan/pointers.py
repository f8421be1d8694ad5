"""JSON pointers (RFC 6901) of contracts: followed, shown, and found again as line and column.

Used by `plan.references` and `plan.contracts`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import unquote

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from parallel_impl.plan.markup import Place
from parallel_impl.text import shorten

SHOWN = 200

Pointer = tuple[str, ...]
Link = tuple[Any, str] | None  # a pointer as parent link and last part: no tuple of parts for each node


def shown(pointer: Pointer) -> str:
    """A pointer as text, cut at 200 characters."""
    text = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in pointer)
    return shorten(text, SHOWN)


def pointer_of(link: Link) -> Pointer:
    """The parts of a linked pointer."""
    parts = []
    while link is not None:
        link, part = link
        parts.append(part)
    return tuple(reversed(parts))


def follow(data: Any, fragment: str) -> tuple[Any, Link]:
    """The node at a JSON pointer in URI form ("" or "/a/b"), with its link; KeyError when nothing is there."""
    link: Link = None
    for raw in fragment.split("/")[1:]:
        part = unquote(raw).replace("~1", "/").replace("~0", "~")
        if isinstance(data, dict):
            data = data[part]
        elif isinstance(data, list) and part.isascii() and part.isdigit() and int(part[:9]) < len(data):
            data = data[int(part[:9])]
        else:
            raise KeyError(part)
        link = (link, part)
    return data, link


def locate(text: str, wanted: Collection[Pointer]) -> dict[Pointer, Place]:
    """Line and column of the nodes at these pointers, as far as a YAML reader finds them (JSON mostly is YAML)."""
    left, found = set(wanted), dict[Pointer, Place]()
    if not left:
        return found
    try:
        for pointer, place in _places(text):
            if pointer in left:
                found[pointer] = place
                left.discard(pointer)
                if not left:
                    break
    except (yaml.YAMLError, ValueError):
        pass  # a position is a convenience; the problem itself is said without it
    return found


def _places(text: str) -> Iterator[tuple[Pointer, Place]]:
    """Every node's pointer and position, in order; an entry of a mapping stands where its key does."""
    parser = CParser(text.encode("utf-8", "surrogatepass"))
    frames: list[list[Any]] = []  # [pointer, number of the next entry or None in a mapping, waiting key or None]
    event: Any
    while (event := parser.get_event()) is not None:
        if isinstance(event, yaml.CollectionEndEvent):
            frames.pop()
            continue
        if not isinstance(event, yaml.NodeEvent) or event.start_mark is None:
            continue
        place = (event.start_mark.line + 1, event.start_mark.column + 1)
        pointer: Pointer = ()
        if frames:
            frame = frames[-1]
            if frame[1] is None and frame[2] is None:
                frame[2] = (getattr(event, "value", ""), place)
                continue
            if frame[1] is None:
                (name, place), frame[2] = frame[2], None
            else:
                name, frame[1] = str(frame[1]), frame[1] + 1
            pointer = (*frame[0], name)
        yield pointer, place
        if isinstance(event, yaml.MappingStartEvent):
            frames.append([pointer, None, None])
        elif isinstance(event, yaml.SequenceStartEvent):
            frames.append([pointer, 0, None])
