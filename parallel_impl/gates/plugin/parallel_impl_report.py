# ruff: noqa: PTH100, PTH120, PTH123, UP031, ARG002
"""A pytest plugin that writes what every test did as JSON lines, the last of them when the session closes.

It also writes which tests the session was to run and what ended it early, since a verdict speaks only of what ran;
and it runs no other tests than those of a list, where there is one.

It runs inside the target's environment, whatever Python that is (3.6 or newer): nothing is imported but pytest
and the standard library, and this folder holds nothing else, because all of it is put on the target's import path.
`gates.quality` loads it by `PYTEST_ADDOPTS=-p parallel_impl_report`; `gates.reports` reads what it writes.

JUnit XML will not do: names collide (`a.b/test_x.py` and `a/b/test_x.py`), and a process that ends itself
(`os._exit`) leaves no file at all, which looks like a run that never was.
"""

import contextlib
import json
import os
import re
import time
from typing import Any

import pytest

NAME = "parallel_impl_report"


def _take() -> "tuple[str, str, bool]":
    """The report's path, that of a list of tests, and whether files that cannot be read end the session. The variables
    that brought us here are removed: a pytest that the tests themselves start (pytester, a subprocess) must not write
    into this report."""
    path = os.environ.pop("PARALLEL_IMPL_PYTEST_REPORT", "")
    only = os.environ.pop("PARALLEL_IMPL_PYTEST_ONLY", "")
    goes_on = bool(os.environ.pop("PARALLEL_IMPL_PYTEST_GOES_ON", ""))
    here = os.path.dirname(os.path.abspath(__file__))
    options = os.environ.get("PYTEST_ADDOPTS", "").replace("-p " + NAME, "").strip()
    paths = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != here]
    for name, value in (("PYTEST_ADDOPTS", options), ("PYTHONPATH", os.pathsep.join(paths))):
        if value:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)
    return path, only, goes_on


PATH, ONLY, GOES_ON = _take()


def pytest_configure(config: Any) -> None:
    if GOES_ON:
        config.option.continue_on_collection_errors = True
    only = getattr(config, "workerinput", {}).get(NAME) or _read(ONLY)
    if only is not None:
        config.pluginmanager.register(_Selection(only), NAME + "_selection")
    # a worker of pytest-xdist sends its reports to the process which started it: only that one writes
    if PATH and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Report(PATH, config), NAME + "_writer")


def _read(path: str) -> Any:
    if not path:
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class _Selection:
    """Runs only the tests with these node ids; they may be named from the root of the session or of the command.

    An id that is not there is another one each time: then those that are equal but for what `mask` matches run.
    """

    def __init__(self, only: Any) -> None:
        self.only = only

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, config: Any, items: Any) -> Any:
        yield
        wanted, mask = set(self.only["ids"]), re.compile(self.only["mask"])
        missing = {mask.sub("#", one) for one in wanted.difference(item.nodeid for item in items)}
        kept = [item for item in items if item.nodeid in wanted or mask.sub("#", item.nodeid) in missing]
        left_out = [item for item in items if item not in kept]
        if left_out:
            items[:] = kept
            config.hook.pytest_deselected(items=left_out)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        # the workers of pytest-xdist collect by themselves
        node.workerinput[NAME] = self.only


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

    def pytest_collection_finish(self, session: Any) -> None:
        # whatever -m, -k or --lf deselect is not among the items any more
        self.write(event="selected", ids=[item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Any) -> None:
        self.write(event="selected", ids=list(ids))

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

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        # pytest.exit comes here too, whatever exit code it asks for
        self.write(event="interrupted", why=str(excinfo.value)[:300])

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: Any) -> Any:
        # before all others, since one of them may end the process; and after them, since they may count more failures
        self.finish(session, exitstatus)
        asked = _watch_status(session)
        outcome = yield
        if outcome.excinfo is not None:
            self.write(event="internal", why=repr(outcome.excinfo[1])[:300])
        self.finish(session, getattr(session, "exitstatus", exitstatus), asked=max(asked or [0]))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_unconfigure(self, config: Any) -> Any:
        outcome = yield
        if outcome.excinfo is not None:  # the process ends with 1, as it does for a test that failed
            self.write(event="internal", why=repr(outcome.excinfo[1])[:300])

    def finish(self, session: Any, status: Any, asked: int = 0) -> None:
        self.write(
            event="finish",
            status=int(status),
            asked=asked,
            testsfailed=int(getattr(session, "testsfailed", 0)),
            shouldstop=_words(getattr(session, "shouldstop", "")),
            shouldfail=_words(getattr(session, "shouldfail", "")),
        )


def _watch_status(session: Any) -> "list[int]":
    """The exit codes that others give the session from now on: a floor that is missed may ask for the code that old
    failures have already."""
    asked: list[int] = []
    kind: Any = type(session)

    def remember(self: Any, name: str, value: Any) -> None:
        if name == "exitstatus" and isinstance(value, int):
            asked.append(int(value))
        kind.__setattr__(self, name, value)

    with contextlib.suppress(TypeError):  # a pytest whose sessions cannot be watched
        session.__class__ = type(kind)(kind.__name__, (kind,), {"__setattr__": remember, "__module__": kind.__module__})
    return asked


def _words(value: Any) -> str:
    return str(value)[:300] if value else ""


def _first_line(report: Any) -> str:
    crash = getattr(getattr(report, "longrepr", None), "reprcrash", None)
    text = getattr(crash, "message", None) or getattr(report, "longreprtext", "") or ""
    lines = [line for line in str(text).strip().split("\n") if line.strip()]
    line = (lines[0] if crash else lines[-1]) if lines else ""
    return (line[1:] if line.startswith("E   ") else line).strip()[:300]
