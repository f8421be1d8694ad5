"""The house as it stands: `python tests/house.py` prints files, arrows and floors of `run/` and `plan/`.

An arrow is an import of one module by another of the same room; a floor is the longest way down from it. Modules that
import each other stand on one floor.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "parallel_impl"


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """The dotted names that a module imports, those for type checking too."""
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name without `parallel_impl.`; packages' faces are left out."""
    files = (path for path in sorted(ROOT.rglob("*.py")) if path.stem != "__init__")
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}


def arrows(known: Mapping[str, Path]) -> dict[str, set[str]]:
    """Which of the known modules each of them imports."""
    found = {}
    for name, path in known.items():
        wanted = (one.removeprefix("parallel_impl.") for one in imports(path) if one.startswith("parallel_impl."))
        found[name] = {next((m for m in (one, one.rpartition(".")[0]) if m in known), "") for one in wanted} - {
            "",
            name,
        }
    return found


def floors(below: Mapping[str, set[str]]) -> int:
    """How many floors there are: the longest chain of arrows, a circle counted once."""

    def height(name: str, seen: frozenset[str]) -> int:
        if name in seen:
            return 0
        if name not in heights or seen & circles.get(name, set()):
            found = 1 + max((height(other, seen | {name}) for other in below[name]), default=0)
            heights[name] = max(found, heights.get(name, 0))
        return heights[name]

    heights: dict[str, int] = {}
    circles: dict[str, set[str]] = {}
    return max((height(name, frozenset()) for name in below), default=0)


def describe(room: str) -> str:
    """One line: files, arrows, floors, and the imports that lead out of one folder of the room into another."""
    inside = {name: path for name, path in modules().items() if name.startswith(f"{room}.")}
    below = arrows(inside)
    lines = [f"{room}/: {len(inside)} files, {sum(map(len, below.values()))} arrows, {floors(below)} floors"]
    folders: dict[str, set[str]] = {}
    for name, path in inside.items():
        folders.setdefault(str(path.parent.relative_to(ROOT)), set()).add(name)
    lines += [f"  {folder}/: {len(names)} files" for folder, names in sorted(folders.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write("\n".join(map(describe, ("run", "plan"))) + "\n")
