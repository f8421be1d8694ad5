"""The tests that passed in a package's own steps: recorded with its attempt, asked for again on the whole.

Where a step runs tests that nobody reads (unittest, vitest), the test files that its package changed take their place:
a gate that ran a test of such a file has run it.

The record lies where agents can write; it counts only while its digest is the journal's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from parallel_impl import storage
from parallel_impl.gates import steps
from parallel_impl.gates.evidence import LOG_TAIL
from parallel_impl.gates.gate_report import GateReport, Test, TestOutcome
from parallel_impl.gates.readers import counts
from parallel_impl.gates.steps import StepResult, StepStatus
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus
from parallel_impl.git.checkout import Checkout
from parallel_impl.plan import names_of_tests
from parallel_impl.plan.model import Package
from parallel_impl.processes.launch import Launch
from parallel_impl.processes.slots import Slots
from parallel_impl.record import json_form
from parallel_impl.run.places import AttemptFiles
from parallel_impl.run.run import Run
from parallel_impl.storage import write_atomically
from parallel_impl.text import end_of

ByStep = Mapping[str, tuple[Test, ...]]


@dataclass(frozen=True, slots=True)
class OwnTests:
    """What passed in the steps of one accepted package.

    `edited` are the paths that packages which depend on it changed; `lost`: its record is not as it was written.
    """

    package: Package
    tests: ByStep
    edited: frozenset[str] = frozenset()
    lost: bool = False

    def missing(self, reports: Iterable[GateReport]) -> ByStep:
        """The tests that no gate ran, by step."""
        ran = {one for report in reports for test in report.ran for one in (test.id, *test.files)}
        left = {step: tuple(t for t in tests if t.id not in ran) for step, tests in self.tests.items()}
        return {step: tests for step, tests in left.items() if tests}


def write(files: AttemptFiles, results: Iterable[StepResult], changed: Iterable[str] = ()) -> str:
    """Keep what passed in the steps of an attempt, which changed these paths; the digest, "" where no test ran."""
    whole = tuple(Test(path, TestOutcome.PASSED, (path,)) for path in sorted(changed) if _defines_tests(path))
    passed = {result.name: result.tests or whole for result in results if result.tests or (whole and _ran(result))}
    if not passed:
        return ""
    content = json_form.encode(passed)
    write_atomically(files.tests, content)
    return hashlib.sha256(content).hexdigest()


def _defines_tests(path: str) -> bool:
    return names_of_tests.is_test(path) and PurePosixPath(path).suffix in names_of_tests.TESTED


def _ran(result: StepResult) -> bool:
    """Whether a step that passed printed that tests did."""
    if result.status is not StepStatus.PASSED or result.log is None or not result.log.is_file():
        return False
    return bool(counts.passed(end_of(result.log, LOG_TAIL).encode()))


def read(run: Run) -> list[OwnTests]:
    """What passed in the steps of each accepted package, as far as that is known."""
    found, order = [], run.in_force.order
    for package in run.in_force.plan.packages:
        progress = run.state.packages[package.id]
        last = progress.ended[-1] if progress.ended else None
        if not progress.commit or last is None or not last.tests:
            continue
        file = run.workspace.places.attempt_files(package.id, last.number).tests
        above = (name for name in run.layers if package.id in order.dependencies(name))
        edited = frozenset(change.path for name in above for change in run.layers[name].changes)
        tests = decode(file, last.tests)
        found.append(OwnTests(package, tests or {}, edited, lost=tests is None))
    return found


def run_missing(
    own: OwnTests, reports: Iterable[GateReport], launch: Launch, checkout: Checkout, folder: Path, *, slots: Slots
) -> GateVerdict | None:
    """Run the steps with tests that no gate ran, in a checkout of the whole; None where there is nothing to ask."""
    name = f"steps of {own.package.id}"
    if own.lost:
        return GateVerdict(name, VerdictStatus.NOT_PROVEN, why="the record of the tests that its steps ran was changed")
    wanted = own.missing(reports)
    if not wanted:
        return None
    first = _passed_again(own.package, wanted, launch, checkout, folder / own.package.id, slots=slots)
    failed = {step: [t for t in tests if t.id not in first] for step, tests in wanted.items()}
    failed = {step: left for step, tests in failed.items() if (left := [t for t in tests if not _replaced(own, t)])}
    if not failed:
        number = sum(map(len, wanted.values()))
        return GateVerdict(name, VerdictStatus.PASSED, why=f"{number} that no gate ran")
    second = _passed_again(own.package, failed, launch, checkout, folder / f"{own.package.id}.again", slots=slots)
    lines = {t.id: t.id in second for tests in failed.values() for t in tests}
    new = tuple(f"{test}: passed in the steps of {own.package.id}" for test, passed in lines.items() if not passed)
    flaky = tuple(f"{test}: failed, then passed" for test, passed in lines.items() if passed)
    status = VerdictStatus.FAILED if new else VerdictStatus.FLAKY
    return GateVerdict(name, status, new, why=f"{len(new) or len(flaky)} of its tests", flaky=flaky)


def _passed_again(
    package: Package,
    wanted: Mapping[str, Iterable[Test]],
    launch: Launch,
    checkout: Checkout,
    folder: Path,
    *,
    slots: Slots,
) -> set[str]:
    """The ids that pass now; each step runs whatever became of the others, and only its tests count."""
    passed = set[str]()
    for step in package.steps:
        if step.name not in wanted or any(launch.stops):
            continue
        alone = replace(package, steps=(replace(step, artifacts=(), result_keys=()),))
        ran = steps.run_steps(
            alone,
            checkout=checkout.files,
            view=checkout.view,
            folder=folder,
            env=launch.env,
            changed=dict,
            slot=lambda _step: slots.take(launch.stops, alone=True),
            stop=launch.stop,
            mask=launch.mask,
        )
        passed |= {test.id for result in ran.steps for test in result.tests}
        if ran.passed:
            passed |= {test.id for test in wanted[step.name] if test.files == (test.id,)}  # whole files
    return passed


def _replaced(own: OwnTests, test: Test) -> bool:
    """Whether a package that builds on this one changed the test's file: its own steps and the gates speak for that."""
    return any(file in own.edited for file in test.files)


def decode(file: Path, digest: str) -> ByStep | None:
    """A record that was kept; None where it is not what has this digest."""
    try:
        content = storage.read(file)
        if hashlib.sha256(content).hexdigest() != digest:
            return None
        return json_form.decode(content, dict[str, tuple[Test, ...]])
    except (OSError, ValueError):
        return None
