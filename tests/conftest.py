"""Every test runs in a hermetic environment, in this process and in the ones that it starts.

What tests of faults count (`record_property("faults: runs", 3)`) is added up and printed at the end.
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
    figures = Counter[str]()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name.startswith("faults: ") and isinstance(value, int):
                    figures[name.removeprefix("faults: ")] += value
    if figures:
        seed = os.environ.get("FAULTS_SEED") or "1"
        terminalreporter.write_line(", ".join(f"{name} {count}" for name, count in figures.items()) + f", seed {seed}")
