"""The folder of a change in a checkout: its texts are read from there and checked by our own rules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from parallel_impl.gates.gate_report import GateFinding
from parallel_impl.openspec import structure
from parallel_impl.storage import read_regular

LARGEST = 4_000_000  # bytes of one text
TEXTS = (".md", ".yaml")


def check(checkout: Path, folder: str) -> tuple[GateFinding, ...]:
    """What is wrong with the structure of the change in `folder` of a checkout, as findings of a gate."""
    place = checkout / folder
    specs = place.parent.parent / "specs"
    capabilities = {path.removesuffix("/spec.md") for path, _ in _texts(specs) if path.endswith("/spec.md")}
    files = {path: content.decode("utf-8", "replace") for path, content in _texts(place)}
    return tuple(
        GateFinding(f"{folder}/{one.path}", "structure", one.what, one.line)
        for one in structure.check(files, capabilities)
    )


def _texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The texts below a folder by their paths in it; links are not followed: agents wrote some of this."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            file = Path(here, name)
            if not name.endswith(TEXTS) or file.is_symlink():
                continue
            if (content := read_regular(file, LARGEST)) is not None:
                yield file.relative_to(folder).as_posix(), content
