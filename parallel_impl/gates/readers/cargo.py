"""`cargo test`: the text of the standard harness, one block for each test binary.

A block begins with `Running … (target/debug/deps/name-hash)` or `Doc-tests name`, announces its tests, and ends with
`test result:`. A binary that died leaves a block without an end, and one whose tests print in between has fewer
lines than it announced: then what the others did is not known. (A reader of JSON needs a nightly tool chain.)
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from parallel_impl.errors import printable
from parallel_impl.gates.gate_report import GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.readers.output import GateOutput, first_line

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
BINARY = re.compile(
    r"^\s+Running (?:unittests )?(?P<source>\S+)(?: \((?:.*/)?(?P<name>[^/()]+?)-[0-9a-f]{16}(?:\.exe)?\))?$"
)
DOC_TESTS = re.compile(r"^\s+Doc-tests (?P<name>\S+)$")
ANNOUNCED = re.compile(r"^running (\d+) tests?$")
TEST = re.compile(
    r"^test (?P<name>.+?)(?: - (?:should panic|compile|compile fail))? \.\.\. (?P<outcome>ok|FAILED|ignored)(?:,.*)?$"
)
ENDED = re.compile(r"^test result: (ok|FAILED)\.")
PANIC = re.compile(r"^thread '(?P<name>.+?)' .*panicked at ")
OUTCOMES = {"ok": TestOutcome.PASSED, "FAILED": TestOutcome.FAILED, "ignored": TestOutcome.SKIPPED}
FUNCTION = re.compile(r"\bfn (\w+)")


@dataclass(slots=True)
class _Block:
    """What one test binary printed."""

    name: str
    announced: int | None = None
    ended: str = ""
    tests: dict[str, TestOutcome] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        return self.announced is None or (bool(self.ended) and len(self.tests) == self.announced)


def read(output: GateOutput, report: GateReport) -> GateReport:
    """Tests as `binary::path::of::test`; broken where a binary died, or nothing was built."""
    blocks = _blocks(COLOUR.sub("", output.log.decode(errors="replace")))
    tests = _tests(blocks, output.checkout)
    died = [block.name for block in blocks if not block.is_whole]
    if died:
        why = printable(f"{died[0]} ended before all its tests were reported")
        return replace(report, state=GateState.BROKEN, tests=tests, why=why)
    if output.exit_code and not blocks:
        return replace(report, state=GateState.BROKEN, why="cargo ran no test binary")
    silent = [block for block in blocks if block.announced is None]  # a harness of its own
    failed = [block for block in blocks if block.ended == "FAILED"]
    unread = bool(silent) or (bool(output.exit_code) and not failed)
    return replace(report, state=GateState.RED, tests=tests, explained=not unread)


def _blocks(text: str) -> list[_Block]:
    blocks: list[_Block] = []
    panicked = ""
    for line in text.split("\n"):
        if begins := BINARY.match(line):
            source = begins["source"]
            blocks.append(_Block(f"{begins['name']} ({source})" if begins["name"] else source))
        elif begins := DOC_TESTS.match(line):
            blocks.append(_Block(f"{begins['name']} (doc-tests)"))
        elif blocks:
            panicked = _take(blocks[-1], line, panicked)
    return blocks


def _take(block: _Block, line: str, panicked: str) -> str:
    """Take one line; the test whose message comes next, if one panicked."""
    if panicked:
        block.why.setdefault(panicked, line)
    elif (announced := ANNOUNCED.match(line)) and not block.ended:
        block.announced = int(announced[1]) + (block.announced or 0)
    elif test := TEST.match(line):
        block.tests[test["name"]] = OUTCOMES[test["outcome"]]
    elif ended := ENDED.match(line):
        block.ended = ended[1]
    panic = PANIC.match(line)
    return panic["name"] if panic else ""


def _tests(blocks: list[_Block], checkout: Path) -> tuple[Test, ...]:
    files = _files(checkout)
    return tuple(
        Test(
            printable(f"{block.name}::{name}"),
            outcome,
            _defining(name, block.name, files),
            first_line(block.why.get(name, "")) if outcome is TestOutcome.FAILED else "",
        )
        for block in blocks
        for name, outcome in block.tests.items()
    )


def _files(checkout: Path) -> dict[str, list[str]]:
    """The files that define a function of this name."""
    found = defaultdict(list)
    for file in sorted(checkout.rglob("*.rs")):
        path = file.relative_to(checkout).as_posix()
        if file.is_file() and not file.is_symlink() and "target" not in path.split("/"):
            for name in set(FUNCTION.findall(file.read_text(errors="replace"))):
                found[name].append(path)
    return found


def _defining(test: str, block: str, files: dict[str, list[str]]) -> tuple[str, ...]:
    """The files that may define a test: of a doc-test the one that it names, else those with such a function.

    Where several have one, those that a module of the test's path, or the binary, is named after.
    """
    if block.endswith("(doc-tests)"):
        return (test.partition(" - ")[0],)
    *modules, name = test.split("::")
    source = block.partition("(")[2].rstrip(")") or block
    having = files.get(name, [])
    places = {*modules, Path(source).stem}
    near = [path for path in having if {Path(path).stem, Path(path).parent.name} & places]
    return tuple(near or having)
