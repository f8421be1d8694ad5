"""What the README's commands install is pinned, and pyproject.toml names all that is imported, each with its bounds."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from parallel_impl.gates.found.python import COMMANDS
from parallel_impl.gates.quality import INSTALL
from tests.house import ROOT, imports

PROJECT = ROOT.parent
NOT_INSTALLED = {"parallel_impl", "_typeshed", *sys.stdlib_module_names}  # _typeshed is there for type checkers only
PINS = (PROJECT / "constraints.txt").read_text().splitlines()
TOLD = tomllib.loads((PROJECT / "pyproject.toml").read_text())
RUN = [Requirement(line) for line in TOLD["project"]["dependencies"]]
EXTRAS = TOLD["project"]["optional-dependencies"]
OF_EXTRAS = dict.fromkeys(line for extra, lines in EXTRAS.items() if extra != "dev" for line in lines)  # each once
OPTIONAL = [Requirement(line) for line in OF_EXTRAS]
DEV = [Requirement(line) for line in EXTRAS["dev"] if line not in OF_EXTRAS]
BUILD = [Requirement(line) for line in TOLD["build-system"]["requires"]]


def test_constraints_are_plain_names_with_one_version_each() -> None:
    assert [line for line in PINS if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []
    assert sorted(PINS) == PINS
    assert len({line.partition("==")[0] for line in PINS}) == len(PINS)


def test_every_direct_dependency_is_pinned_to_a_version_that_it_admits() -> None:
    pinned = dict(line.split("==") for line in PINS)
    wrong = [
        str(one)
        for one in (*RUN, *OPTIONAL, *DEV, *BUILD)
        if pinned.get(canonicalize_name(one.name), "") not in one.specifier
    ]
    assert wrong == []


def test_what_is_imported_is_declared() -> None:
    declared = {canonicalize_name(one.name) for one in (*RUN, *OPTIONAL)}
    sources = packages_distributions()
    names = {name.split(".")[0] for path in ROOT.rglob("*.py") for name in imports(path)}
    foreign = names - NOT_INSTALLED - {""}
    missing = {name for name in foreign if not declared & {canonicalize_name(one) for one in sources.get(name, ())}}
    assert missing == set()


def test_what_a_user_installs_brings_no_program_that_a_gate_could_take_for_the_project_s_own() -> None:
    todo, brought, programs = [canonicalize_name(one.name) for one in RUN], set[str](), set[str]()
    while todo:
        name = todo.pop()
        if name in brought:
            continue
        brought.add(name)
        found = distribution(name)
        programs |= {one.name for one in found.entry_points if one.group == "console_scripts"}
        needs = map(Requirement, found.requires or ())
        todo += [
            canonicalize_name(one.name) for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})
        ]
    assert programs & {*COMMANDS, *INSTALL, "py.test", "coverage", "tox", "nox", "python", "pip", "npm"} == set()
    assert "jsonschema" in programs  # it looked at something


def test_the_lowest_versions_are_those_of_pyproject() -> None:
    script = PROJECT / "scripts/lowest.py"
    printed = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout.splitlines()
    lowest = [
        next(part.version for part in one.specifier if part.operator == ">=") for one in (*RUN, *OPTIONAL, *DEV, *BUILD)
    ]
    assert [line.split("==")[1] for line in printed] == lowest


def test_a_dependency_without_a_lower_bound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    copy = tmp_path / "scripts/lowest.py"
    copy.write_text((PROJECT / "scripts/lowest.py").read_text())
    text = (PROJECT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(re.sub(r'"click>=[^"]*"', '"click"', text))
    done = subprocess.run([sys.executable, copy], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "'click' has no lower bound: write name>=version" in done.stderr
