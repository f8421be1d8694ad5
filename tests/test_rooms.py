"""Imports go down the list of rooms only (the map is in CONTRIBUTING.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import parallel_impl

ROOT = Path(parallel_impl.__file__).parent
LEAVES = ("storage", "processes", "environment", "config", "schema", "text", "errors")
ROOMS = ("cli", "run", "report", "agents", "gates", "record", "git", "contracts", "plan")
LEVEL = {"__main__": 0} | {room: n for n, room in enumerate(ROOMS, 1)} | dict.fromkeys(LEAVES, len(ROOMS) + 1)
SLOW = ("jsonschema", "openapi_spec_validator")  # 150 and 500 ms: inside the function that needs them
PURE = ("plan", "record.state")  # tested with literals: they know no git, no process, no clock
IMPURE = ("parallel_impl.processes", "parallel_impl.git", "git", "subprocess", "os", "time", "datetime")


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """The dotted names that a module imports, those for type checking too."""
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def test_imports_go_down_the_list_of_rooms_only() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        here = module.split(".")[0]
        for name in imports(path):
            there = name.split(".")[1] if within(name, ("parallel_impl",)) and "." in name else ""
            upward = there in LEVEL and here in LEVEL and LEVEL[there] < LEVEL[here]
            foreign_git = within(name, ("git",)) and module != "git.repo"
            impure = within(module, PURE) and within(name, IMPURE)
            if upward or foreign_git or impure or name.startswith("."):
                wrong.append(f"{module} imports {name}")
        wrong += [f"{module} imports {n} at its top" for n in imports(path, top_level_only=True) if within(n, SLOW)]
    assert wrong == []


def test_every_module_is_in_a_room() -> None:
    assert {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()} - {"__pycache__"} <= {
        *LEVEL,
        "__init__",
        "schemas",
    }
