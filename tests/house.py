"""The house as it stands: `python tests/house.py` prints files, arrows and floors of `run/`, `plan/` and `planning/`.

An arrow is an import of one module by another of the same room. Floors are counted from the modules that import none
of the others: the length of the longest chain of arrows, in modules.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = "parallel_impl"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE
SHOWN = ("run", "plan", "planning")


def modules() -> dict[str, Path]:
    """Every module by its dotted name without `parallel_impl.`; the `__init__` of a folder is none."""
    files = (path for path in sorted(ROOT.rglob("*.py")) if path.stem != "__init__")
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """The dotted names that a module imports, those for type checking too."""
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def arrows(known: Mapping[str, Path]) -> dict[str, set[str]]:
    """Which of the known modules each of them imports, whole or a name of it."""
    found = {}
    for name, path in known.items():
        ours = [wanted.removeprefix(f"{PACKAGE}.") for wanted in imports(path) if wanted.startswith(f"{PACKAGE}.")]
        both = {*ours, *(wanted.rpartition(".")[0] for wanted in ours)}
        found[name] = (both & known.keys()) - {name}
    return found


def floors(below: Mapping[str, set[str]]) -> int:
    """How many floors the modules stand on; `graphlib.CycleError` where some import each other."""
    sorter = TopologicalSorter(below)
    sorter.prepare()
    count = 0
    while sorter.is_active():
        sorter.done(*sorter.get_ready())
        count += 1
    return count


def describe() -> str:
    """A line for each room that is shown, and one for each folder of it, with the files that lie in it directly."""
    known = modules()
    lines = []
    for room in SHOWN:
        inside = {name: path for name, path in known.items() if name.startswith(f"{room}.")}
        lines.append(_line(f"{room}/, folders included", inside))
        for folder in sorted({path.parent for path in inside.values()}):
            here = {name: path for name, path in inside.items() if path.parent == folder}
            lines.append(_line(f"  {folder.relative_to(ROOT)}/", here))
    return "\n".join(lines)


def _line(title: str, inside: Mapping[str, Path]) -> str:
    below = arrows(inside)
    try:
        height = f"floors {floors(below)}"
    except CycleError as error:
        height = f"no floors, a circle: {' -> '.join(error.args[1])}"
    return f"{title}: files {len(inside)}, arrows {sum(map(len, below.values()))}, {height}"


if __name__ == "__main__":
    sys.stdout.write(f"{describe()}\n")
