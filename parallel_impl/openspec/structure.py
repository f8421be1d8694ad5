"""The structure of a change's texts, checked by our own rules: what runs where the OpenSpec CLI is not installed.

The rules are those of `openspec validate --strict` (OpenSpec 1.13, `core/validation/validator.ts`) that can be told
from the change folder and the names of the existing capabilities; the CLI has more, and is asked first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SHORTEST_PURPOSE = 50  # characters, as `--strict` has it
_DELTA = re.compile(r"##\s+(ADDED|MODIFIED|REMOVED|RENAMED)\s+Requirements\s*#*\s*", re.IGNORECASE)
_REQUIREMENT = re.compile(r"###\s*Requirement:\s*(.*?)(?:[ \t]+#+)?\s*", re.IGNORECASE)
_SCENARIO = re.compile(r"####\s*Scenario:\s*(.*?)(?:[ \t]+#+)?\s*", re.IGNORECASE)
_SECTION = re.compile(r"##\s+(.*?)\s*#*\s*")
_NORMATIVE = re.compile(r"\b(?:SHALL|MUST)\b")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_NAMED = re.compile(r"\s*[-*+]?\s*`?(?:###\s*)?Requirement:\s*(.*?)`?\s*", re.IGNORECASE)
_RENAME = re.compile(r"\s*[-*+]?\s*\**(FROM|TO)\**:\**\s*`?(?:###\s*)?Requirement:\s*(.*?)`?\s*", re.IGNORECASE)
_SKIPS_SPECS = re.compile(r"^skip_specs:\s*true\s*(?:#.*)?$", re.MULTILINE)


class Operation(StrEnum):
    """What a delta does with the requirements below its header."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    REMOVED = "REMOVED"
    RENAMED = "RENAMED"


@dataclass(frozen=True, slots=True)
class StructureProblem:
    """One thing that is wrong with a text: its path in the change folder, the line (from 1; 0: the whole), what."""

    path: str
    line: int
    what: str


@dataclass
class Requirement:
    """A requirement of a delta; `text` is what stands between its header and the first scenario."""

    operation: Operation
    name: str
    line: int
    text: list[str] = field(default_factory=list)
    scenarios: list[tuple[str, int, list[str]]] = field(default_factory=list)


@dataclass
class Delta:
    """What a delta spec says: its requirements, its renames, and the purpose of a new capability."""

    sections: set[Operation] = field(default_factory=set)
    requirements: list[Requirement] = field(default_factory=list)
    renames: list[tuple[str, str, int]] = field(default_factory=list)
    stray: list[tuple[str, int]] = field(default_factory=list)
    purpose: str | None = None


def check(files: Mapping[str, str], capabilities: Collection[str]) -> list[StructureProblem]:
    """Everything that is wrong with the texts of a change, in the order of their paths.

    `files` are those of the change folder by their paths in it, `capabilities` the specs that exist outside it.
    """
    found = [] if "proposal.md" in files else [StructureProblem("proposal.md", 0, "there is no proposal.md")]
    deltas = 0
    for path in sorted(path for path in files if path.startswith("specs/") and path.endswith(".md")):
        capability = path.removeprefix("specs/").removesuffix("/spec.md")
        if not path.endswith("/spec.md") or path == "specs/spec.md":
            what = "a delta spec is the spec.md in a capability's folder: specs/<capability>/spec.md"
            found.append(StructureProblem(path, 0, what))
            continue
        delta = read(files[path])
        deltas += len(delta.requirements) + len(delta.renames)
        found += [
            StructureProblem(path, line, what) for line, what in _of_delta(delta, known=capability in capabilities)
        ]
    return found + list(_of_change(deltas, skips=bool(_SKIPS_SPECS.search(files.get(".openspec.yaml", "")))))


def read(text: str) -> Delta:
    """A delta spec as data; what stands in code fences counts as text."""
    delta = Delta()
    operation: Operation | None = None
    section, last, fence = "", None, ""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        mark = _FENCE.fullmatch(line)
        closes = bool(fence and mark and mark[1].startswith(fence) and not mark[2].strip())
        inside = bool(fence)
        fence = "" if closes else fence or (mark[1] if mark else "")
        if not inside and (header := _SECTION.fullmatch(line)):
            named = _DELTA.fullmatch(line)
            operation, section, last = Operation(named[1].upper()) if named else None, header[1].casefold(), None
            delta.sections |= {operation} if operation else set()
            delta.purpose = "" if section == "purpose" and delta.purpose is None else delta.purpose
        elif not inside and (header := _REQUIREMENT.fullmatch(line)):
            last = _begin(delta, operation, header[1], number)
        elif not inside and (header := _SCENARIO.fullmatch(line)) and last:
            last.scenarios.append((header[1], number, []))
        elif last:
            (last.scenarios[-1][2] if last.scenarios else last.text).append(line)
        elif section == "purpose":
            delta.purpose = f"{delta.purpose}\n{line}"
        if operation is Operation.RENAMED and (header := _RENAME.fullmatch(line)):
            delta.renames.append((header[1].upper(), header[2], number))
        elif operation is Operation.REMOVED and not last and (header := _NAMED.fullmatch(line)):
            delta.requirements.append(Requirement(operation, header[1], number))
    return delta


def _begin(delta: Delta, operation: Operation | None, name: str, line: int) -> Requirement | None:
    if operation is None:
        delta.stray.append((name, line))
        return None
    if operation is Operation.RENAMED:
        return None
    delta.requirements.append(Requirement(operation, name, line))
    return delta.requirements[-1]


def _of_change(deltas: int, *, skips: bool) -> Iterator[StructureProblem]:
    if not deltas and not skips:
        what = "the change has no delta: write one below specs/<capability>/spec.md, or skip_specs: true here"
        yield StructureProblem(".openspec.yaml", 0, what)
    elif deltas and skips:
        yield StructureProblem(".openspec.yaml", 0, "skip_specs is true, but the change has deltas")


def _of_delta(delta: Delta, *, known: bool) -> Iterator[tuple[int, str]]:
    headers = ", ".join(f"## {one} Requirements" for one in Operation)
    if not delta.sections:
        yield 0, f"no delta header; write one of {headers}"
    elif not delta.requirements and not delta.renames:
        yield 0, "its delta headers have no ### Requirement: below them"
    for name, line in delta.stray:
        yield line, f"the requirement {name!r} is below no delta header, so it is ignored"
    for one in delta.requirements:
        yield from _of_requirement(one)
    yield from _repeated(delta)
    yield from _of_renames(delta)
    adds = Operation.ADDED in delta.sections
    if not known and adds and (delta.purpose is None or len(" ".join(delta.purpose.split())) < SHORTEST_PURPOSE):
        yield 0, f"a new capability begins with ## Purpose, at least {SHORTEST_PURPOSE} characters"
    if not known and delta.sections & {Operation.MODIFIED, Operation.REMOVED, Operation.RENAMED}:
        yield 0, "it changes requirements of a capability that does not exist: there is no spec of this name"


def _of_requirement(one: Requirement) -> Iterator[tuple[int, str]]:
    called = f"{one.operation} {one.name!r}"
    if not one.name:
        yield one.line, "a requirement has no name: write ### Requirement: <name>"
    if one.operation is Operation.REMOVED:
        return
    if not "".join(one.text).strip():
        yield one.line, f"{called} has no text"
    elif not _NORMATIVE.search("\n".join(one.text)):
        yield one.line, f"{called} has neither SHALL nor MUST in its text"
    if not one.scenarios:
        yield one.line, f"{called} has no scenario: write #### Scenario: <name>"
    for name, line, text in one.scenarios:
        if not "".join(text).strip():
            yield line, f"the scenario {name!r} of {called} is empty"


def _repeated(delta: Delta) -> Iterator[tuple[int, str]]:
    seen: dict[str, Operation] = {}
    for one in delta.requirements:
        if (other := seen.setdefault(one.name, one.operation)) is not one.operation:
            yield one.line, f"the requirement {one.name!r} is in both {other} and {one.operation}"
    for operation in Operation:
        names = [one.name for one in delta.requirements if one.operation is operation]
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            yield 0, f"the requirement {name!r} is more than once in {operation}"


def _of_renames(delta: Delta) -> Iterator[tuple[int, str]]:
    sides = [side for side, _, _ in delta.renames]
    if sides != ["FROM", "TO"] * (len(sides) // 2):
        yield delta.renames[0][2], "write each rename as a line FROM: followed by its line TO:"
    elif Operation.RENAMED in delta.sections and not sides:
        yield 0, "## RENAMED Requirements has no FROM: and TO: below it"
