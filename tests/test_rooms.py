"""Imports go down the list of rooms, and inside a room down the list of its folders (the map is in CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import re
import sys
from graphlib import CycleError

import pytest

from tests.house import ROOT, arrows, describe, floors, imports, modules

LEAVES = ("storage", "processes", "views", "environment", "config", "schema", "structs", "text", "toml", "errors")
ROOMS = (
    "cli",
    "planning",
    "run",
    "report",
    "forge",
    "openspec",
    "agents",
    "gates",
    "record",
    "git",
    "contracts",
    "plan",
)
LEVEL = {"__main__": 0} | {room: n for n, room in enumerate(ROOMS, 1)} | dict.fromkeys(LEAVES, len(ROOMS) + 1)

# Folders and modules of a room, from the top down; a module belongs to the longest name that it begins with.
FOLDERS: dict[str, tuple[str, ...]] = {
    "plan": ("plan.reading", "plan", "plan.globs"),
    "planning": ("planning", "planning.preparation", "planning.grouping", "planning.reading"),
    "run": (
        "run.command", "run.runner", "run.admission", "run.start", "run.land", "run.inspect", "run.publish",
        "run.resume", "run.claims", "run.attempt", "run",
    ),
}  # fmt: skip

SLOW = (
    "jsonschema",
    "openapi_spec_validator",
    "rich",
    "ruamel",
    "github",
    "gitlab",
    "requests",
    "tree_sitter",
    "tree_sitter_bash",
)  # in the function that needs them
PURE = (
    "plan",
    "gates.called_files",
    "gates.divergence",
    "gates.sections",
    "gates.steering",
    "record.state",
    "record.times",
    "report.picture",
    "report.completed",
    "report.figures",
    "report.handoff",
    "report.profile",
    "report.timeline",
    "run.throttle",
    "agents.spending",
    "openspec.tasks",
    "forge.address",
    "forge.body",
    "forge.content",
    "forge.escape",
    "forge.marker",
    "planning.reading.code",
    "planning.reading.evidence",
    "planning.reading.history",
    "planning.reading.imports",
    "planning.reading.named_paths",
    "planning.reading.neighbours",
    "planning.reading.phases",
    "planning.reading.resolve",
    "planning.reading.table",
    "planning.reading.task_graph",
    "planning.reading.tests_beside",
    "planning.reading.tickets",
    "planning.reading.tree",
    "openspec.structure",
    "openspec.workflow",
    "openspec.commands",
)  # tested with literals: they know no git, no process, no clock
IMPURE = (
    "git", "parallel_impl.git", "parallel_impl.processes", "subprocess", "multiprocessing", "os", "shutil", "socket",
    "tempfile", "threading", "time", "datetime", "random",
)  # fmt: skip


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def room_of(imported: str) -> str:
    """The room of an imported name; empty for one from outside."""
    package, _, rest = imported.partition(".")
    return rest.split(".")[0] if package == "parallel_impl" else ""


def test_imports_go_down_the_list_of_rooms_only() -> None:
    wrong = []
    for module, path in modules().items():
        for name in imports(path):
            here, there = module.split(".")[0], room_of(name)
            upward = there in LEVEL and LEVEL[there] < LEVEL[here]
            if upward or name.startswith("."):
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_every_module_is_in_a_room() -> None:
    assert {name.split(".")[0] for name in modules()} == LEVEL.keys()


def test_planning_knows_no_run() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in modules().items()
        if module.startswith("planning")
        for name in imports(path)
        if room_of(name) in ("run", "report", "forge")
    ]
    assert wrong == []


@pytest.mark.parametrize("room", FOLDERS)
def test_imports_inside_a_room_go_down_the_list_of_its_folders(room: str) -> None:
    order = FOLDERS[room]
    inside = {name: path for name, path in modules().items() if within(name, (room,))}

    def level(name: str) -> int:
        return order.index(max((one for one in order if within(name, (one,))), key=len))

    below = arrows(inside)
    assert floors(below)  # no two import each other
    pairs = [(here, there) for here, others in below.items() for there in others]
    assert [f"{here} imports {there}" for here, there in pairs if level(there) < level(here)] == []


def test_only_one_module_spells_git() -> None:
    assert [name for name, path in modules().items() if any(within(one, ("git",)) for one in imports(path))] == [
        "git.repo"
    ]


def test_the_pure_rooms_know_no_git_no_process_and_no_clock() -> None:
    pure = {name: path for name, path in modules().items() if within(name, PURE)}
    assert [f"{name} imports {one}" for name, path in pure.items() for one in imports(path) if within(one, IMPURE)] == [
        "gates.sections imports datetime"
    ]  # as the type of a date in TOML, not as a clock


def test_a_class_has_a_name_that_no_other_class_has() -> None:
    where: dict[str, list[str]] = {}
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, []).append(name)
    assert {name: places for name, places in where.items() if len(places) > 1} == {}


def test_what_is_slow_to_import_is_imported_where_it_is_needed() -> None:
    wrong = [(name, one) for name, path in modules().items() for one in imports(path, top_level_only=True)]
    assert [f"{name} imports {one} at its top" for name, one in wrong if within(one, SLOW)] == []


def test_what_only_linux_has_is_spelt_in_processes_and_views_alone() -> None:
    spelt = re.compile(r"""["']/proc\b|\bpidfd|\bprctl|\bctypes\b|["']unshare\b""")
    found = {path.relative_to(ROOT).parts[0] for path in ROOT.rglob("*.py") if spelt.search(path.read_text())}
    assert found == {"processes", "views"}


def test_a_write_that_fails_names_its_file() -> None:
    written = re.compile(r"\.write_(bytes|text)\(")
    found = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py") if written.search(path.read_text())}
    ours = {name for name in found if not name.startswith("agents/drivers/")}  # an agent's own program
    # priorities, where failing is no matter; a bug's traceback, which is printed where it cannot be written
    assert ours == {"storage.py", "processes/orphans.py", "cli/main.py"}


def test_links_are_followed_by_the_one_function_that_survives_a_link_to_itself() -> None:
    # `Path.resolve` raises a RuntimeError there before Python 3.13, and agents make such links
    ours = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if ".resolve()" in path.read_text("utf-8")}
    assert ours == set()


def test_types_of_structs_are_learnt_by_one_thread_at_a_time() -> None:
    # a thread that meets a type while another one learns it crashes the process; drivers of agents have one thread
    spelt = re.compile(r"msgspec\.(convert|json\.decode)\(")
    ours = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if spelt.search(path.read_text("utf-8"))}
    assert ours == {"structs.py", "agents/drivers/tools.py", "agents/dialects/driven.py"}


def test_the_init_of_a_folder_imports_nothing() -> None:
    files = [path for path in ROOT.rglob("__init__.py") if path.parent != ROOT]
    assert [(str(path), list(imports(path))) for path in files if list(imports(path))] == []


def test_the_house_is_printed_with_s() -> None:
    house = describe()
    sys.stdout.write(f"\n{house}\n")
    assert [line.split("/")[0] for line in house.splitlines() if not line.startswith(" ")] == [
        "run",
        "plan",
        "planning",
    ]


def test_floors_are_the_longest_chain_of_imports() -> None:
    assert floors({}) == 0
    assert floors({"a": set(), "b": set()}) == 1
    assert floors({"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"c"}}) == 3
    with pytest.raises(CycleError):
        floors({"a": {"b"}, "b": {"a"}})
