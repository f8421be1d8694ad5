"""All gates that are found in a repository, and the projects in sub-folders that none of them tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from parallel_impl.config import GateCommand, runs_tests, toml_key
from parallel_impl.errors import Problem, Severity
from parallel_impl.gates.found import cargo, go, make, node, python
from parallel_impl.gates.found.found_gate import FoundGate, ProjectTree, Unfound

# folders whose projects are material: of tests, of documentation, or somebody else's
MATERIAL = frozenset((
    "node_modules", "vendor", "third_party", "testdata", "fixtures", "fixture", "__fixtures__", "examples", "example",
    "test", "tests", "__tests__", "docs", "templates", "template", "benchmarks", "bench", "openspec",
))  # fmt: skip
SHOWN = 5
ELSEWHERE = re.compile(r"\bcd\s|(^|\s)(-C|--prefix|--dir|--cwd|--workspace|-w|--filter|--manifest-path)(?=[\s=])")
PART = re.compile(r"(^|\s)(-p|--package|--lib|--bin|--test|-run)(?=[\s=])")


def gates(tree: ProjectTree, configured: Mapping[str, GateCommand | bool]) -> list[FoundGate]:
    """Every gate that the configuration does not speak of; `make test` only where nothing else runs tests."""
    own = {name: gate for name, gate in configured.items() if isinstance(gate, GateCommand)}
    every = [*python.gates(tree), *node.gates(tree), *cargo.gates(tree), *go.gates(tree)]
    if not any(runs_tests(name) for name in (*own, *(one.name for one in every))):
        every += make.gates(tree)
    return [one for one in every if one.name not in configured and not any(_runs(gate, one) for gate in own.values())]


def _runs(gate: GateCommand, one: FoundGate) -> bool:
    """Whether a configured command does what this gate does, under another name."""
    kind, _, folder = one.name.partition(":")
    tool, _, what = kind.partition("-")
    if not what or not re.search(rf"\b{tool}\s+(run\s+)?{what}\b", gate.command) or PART.search(gate.command):
        return False
    whole = tool != "go" or "./..." in gate.command
    return whole and (folder in gate.command if folder else not ELSEWHERE.search(gate.command))


def unfound(tree: ProjectTree) -> Iterator[Unfound]:
    """The projects in sub-folders that have tests and that no workspace of the root declares."""
    kinds = (
        ("package.json", node.in_folder, node.workspace(tree)),
        ("go.mod", go.in_folder, go.modules(tree)),
        ("Cargo.toml", cargo.in_folder, cargo.workspace(tree)),
        ("pyproject.toml", python.in_folder, python.workspace(tree)),
    )
    for file, look, known in kinds:
        for folder in tree.folders_with(file):
            if folder not in known and MATERIAL.isdisjoint(folder.split("/")) and (one := look(tree, folder)):
                yield one


def problems(
    tree: ProjectTree, configured: Mapping[str, GateCommand | bool], found: list[FoundGate]
) -> Iterator[Problem]:
    """A warning where nothing tests the whole, and for each project in a sub-folder that nothing tests."""
    own = [gate for gate in configured.values() if isinstance(gate, GateCommand)]
    tests = [name for name, gate in configured.items() if gate is not False and runs_tests(name)]
    left = [one for one in unfound(tree) if not any(one.folder in gate.command for gate in own)]
    if not tests and not any(runs_tests(one.name) for one in found):
        what = "no test gate was found: nothing tests the whole before it lands"
        first = line(left[0]) if left else 'write gates.tests = {command = "make test"} with what runs the tests'
        yield Problem(what, hint=first, severity=Severity.WARNING)
    for one in left[:SHOWN]:
        what = f"the tests of {one.folder} are not run: it is no declared member of a workspace"
        yield Problem(what, where=one.where, hint=line(one), severity=Severity.WARNING)
    if len(left) > SHOWN:
        more = ", ".join(one.folder for one in left[SHOWN:])
        yield Problem(f"nor are those of {more}", severity=Severity.WARNING)


def line(one: Unfound) -> str:
    """What to write in the configuration so that the tests of a sub-folder run."""
    command, parser = json.dumps(one.command), json.dumps(one.parser)
    gate = f"gates.{toml_key(one.folder.replace('/', '-'))} = {{command = {command}, parser = {parser}}}"
    ready = f", and in setup {{run = {json.dumps(one.setup)}, cwd = {json.dumps(one.folder)}}}" if one.setup else ""
    return f"write {gate}{ready}"
