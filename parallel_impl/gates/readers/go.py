"""`go test -json`: one event a line (format: `go doc test2json`), among what the build prints.

The program of a package that ran to its end prints PASS or FAIL alone on a line before its last event; one that
panicked, exited or was not built does not, and then what its other tests would have done is not known.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import msgspec
from msgspec.structs import replace

from parallel_impl import structs
from parallel_impl.gates.gate_report import GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.readers.output import GateOutput, first_line

OUTCOMES = {"pass": TestOutcome.PASSED, "fail": TestOutcome.FAILED, "skip": TestOutcome.SKIPPED}
FUNCTION = re.compile(r"^func ((?:Test|Fuzz|Example|Benchmark)\w*)\(", re.M)
NOISE = re.compile(r"^\s*(=== |--- |\s*$)")
NOT_BUILT = re.compile(rb"^FAIL\t(\S+) \[(build|setup) failed\]", re.M)  # before Go 1.24 these lines are no events


class GoEvent(msgspec.Struct, frozen=True, rename="pascal"):
    """What happened to a test, or to its package where `test` is empty."""

    action: str
    package: str = ""
    test: str = ""
    output: str = ""


def read(output: GateOutput, report: GateReport) -> GateReport:
    """Tests as `package::Test/sub`; broken where a package died or was not built."""
    packages = _Packages()
    decoder = structs.decoder(GoEvent)
    for line in output.log.splitlines():
        if line.startswith(b"{"):
            try:
                packages.take(decoder.decode(line))
            except msgspec.MsgspecError:
                continue  # a test printed it
    not_built = [name.decode(errors="replace") for name, _ in NOT_BUILT.findall(output.log)]
    tests = _tests(packages, output.checkout)
    broken = sorted({*not_built, *(one for one in packages.failed if one not in packages.closed)})
    if broken:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        why = f"{broken[0]} was not built, or died before all its tests ran{more}"
        return replace(report, state=GateState.BROKEN, tests=tests, why=why)
    if not packages.ended:
        return replace(report, state=GateState.RED, explained=False, why="go test reported no package")
    failing = {package for (package, _), outcome in packages.outcomes.items() if outcome is TestOutcome.FAILED}
    return replace(report, state=GateState.RED, tests=tests, explained=packages.failed <= failing)


class _Packages:
    """Folds the events."""

    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, str], TestOutcome] = {}
        self.printed: dict[tuple[str, str], str] = {}
        self.closed: set[str] = set()
        self.failed: set[str] = set()
        self.ended: set[str] = set()

    def take(self, event: GoEvent) -> None:
        key = (event.package, event.test)
        if event.action == "output":
            if not event.test and event.output.strip() in ("PASS", "FAIL"):
                self.closed.add(event.package)
            elif event.test and not NOISE.match(event.output):
                self.printed.setdefault(key, event.output)
        elif not event.test and event.action in OUTCOMES:
            self.ended.add(event.package)
            if event.action == "fail":
                self.failed.add(event.package)
        elif event.action in OUTCOMES and self.outcomes.get(key) is not TestOutcome.FAILED:  # -count=2
            self.outcomes[key] = OUTCOMES[event.action]


def _tests(packages: _Packages, checkout: Path) -> tuple[Test, ...]:
    files = _files(checkout)
    return tuple(
        Test(
            f"{package}::{test}",
            outcome,
            _nearest(files.get(test.partition("/")[0], ()), package),
            first_line(packages.printed.get((package, test), "")) if outcome is TestOutcome.FAILED else "",
        )
        for (package, test), outcome in packages.outcomes.items()
    )


def _files(checkout: Path) -> dict[str, list[str]]:
    """The files that define a test function of this name, in all packages."""
    found = defaultdict(list)
    for file in sorted(checkout.rglob("*_test.go")):
        if file.is_file() and not file.is_symlink():
            path = file.relative_to(checkout).as_posix()
            for name in FUNCTION.findall(file.read_text(errors="replace")):
                found[name].append(path)
    return found


def _nearest(files: list[str] | tuple[()], package: str) -> tuple[str, ...]:
    """Those whose folder is the longest end of the package's import path."""
    ends = {path: path.rpartition("/")[0] for path in files}
    fitting = {path: folder for path, folder in ends.items() if not folder or f"/{package}".endswith(f"/{folder}")}
    longest = max((len(folder) for folder in fitting.values()), default=0)
    return tuple(path for path, folder in fitting.items() if len(folder) == longest)
