"""Every test runs in a hermetic environment, in this process and in the ones that it starts.

What tests of faults and mutations count (`record_property("faults: runs", 3)`) is added up and printed at the end.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest
from _pytest.terminal import TerminalReporter

from tests.repository import hermetic


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Replace the environment for the whole session: own HOME, no `GIT_*` of the developer's, UTC."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup all that is started here would ignore it
    inherited = dict(os.environ)
    replaced = hermetic(inherited, tmp_path_factory.mktemp("home"))
    os.environ.clear()
    os.environ.update(replaced)
    yield
    os.environ.clear()
    os.environ.update(inherited)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    figures: dict[str, Counter[str]] = {"faults": Counter(), "mutations": Counter()}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                kind, _, what = name.partition(": ")
                if kind in figures and isinstance(value, int):
                    figures[kind][what] += value
    if figures["faults"]:
        figures["faults"]["seed"] = int(os.environ.get("FAULTS_SEED") or "1")
    for counted in figures.values():
        if counted:
            terminalreporter.write_line(", ".join(f"{name} {count}" for name, count in counted.items()))
