# ruff: noqa: PTH100, PTH120, UP031, ARG002
"""A pytest plugin that writes what every test did as JSON lines, the last of them when the session closes.

It runs inside the target's environment, whatever Python that is (3.6 or newer): nothing is imported but the
standard library, and this folder holds nothing else, because all of it is put on the target's import path.
`gates.quality` loads it by `PYTEST_ADDOPTS=-p parallel_impl_report`; `gates.reports` reads what it writes.

JUnit XML will not do: names collide (`a.b/test_x.py` and `a/b/test_x.py`), and a process that ends itself
(`os._exit`) leaves no file at all, which looks like a run that never was.
"""

import json
import os
import time
from typing import Any

NAME = "parallel_impl_report"


def _take() -> str:
    """The report's path. The variables that brought us here are removed: a pytest that the tests themselves
    start (pytester, a subprocess) must not write into this report."""
    path = os.environ.pop("PARALLEL_IMPL_PYTEST_REPORT", "")
    here = os.path.dirname(os.path.abspath(__file__))
    options = os.environ.get("PYTEST_ADDOPTS", "").replace("-p " + NAME, "").strip()
    paths = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != here]
    for name, value in (("PYTEST_ADDOPTS", options), ("PYTHONPATH", os.pathsep.join(paths))):
        if value:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)
    return path


PATH = _take()


def pytest_configure(config: Any) -> None:
    # a worker of pytest-xdist sends its reports to the process which started it: only that one writes
    if PATH and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Report(PATH, config), NAME + "_writer")


class _Report:
    def __init__(self, path: str, config: Any) -> None:
        # a descriptor, not a file object: projects run their tests with ResourceWarning as an error
        self.descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        self.session = "%d-%d" % (os.getpid(), int(time.time() * 1e6))
        self.process = os.getpid()
        self.write(event="start", root=str(getattr(config, "rootpath", None) or getattr(config, "rootdir", "")))

    def write(self, **line: object) -> None:
        # a forked child that runs on to the end of the session must not close it for its parent
        if os.getpid() == self.process:
            line["session"] = self.session
            os.write(self.descriptor, (json.dumps(line) + "\n").encode("utf-8"))

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self.write(event="test", id=nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.write(
                event="report",
                id=report.nodeid,
                file=report.location[0],
                outcome=report.outcome,
                xfail=hasattr(report, "wasxfail"),
                why=_first_line(report) if report.outcome == "failed" else "",
            )

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome == "failed":
            self.write(event="collection", id=report.nodeid, why=_first_line(report))

    def pytest_internalerror(self, excrepr: Any) -> None:
        self.write(event="internal", why=str(excrepr).strip().split("\n")[-1][:300])

    def pytest_sessionfinish(self, session: Any, exitstatus: Any) -> None:
        self.write(event="finish", status=int(exitstatus))


def _first_line(report: Any) -> str:
    crash = getattr(getattr(report, "longrepr", None), "reprcrash", None)
    text = getattr(crash, "message", None) or getattr(report, "longreprtext", "") or ""
    lines = [line for line in str(text).strip().split("\n") if line.strip()]
    line = (lines[0] if crash else lines[-1]) if lines else ""
    return (line[1:] if line.startswith("E   ") else line).strip()[:300]
