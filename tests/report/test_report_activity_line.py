"""Each kind of activity as people read it, by literals."""

from __future__ import annotations

from typing import Any

import pytest

from parallel_impl.record import activity as a
from parallel_impl.record.activity import Activity, Usage
from parallel_impl.report.activity_line import describe, usage


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        (a.Opened(session="s1", model="m"), "session s1, model m"),
        (a.Opened(), "session (without a name), model not reported"),
        (a.Said(text="I look\nfirst.\n"), "I look\n          first."),
        (a.Called(tool="Bash", target="pytest -q", call="1"), "> Bash pytest -q"),
        (a.Called(tool="think"), "> think"),
        (a.Answered(call="1", text="3 passed"), ""),
        (a.Answered(call="1", ok=False, text="no such file"), "  failed: no such file"),
        (a.Changed(paths=["a.py", "b.py"]), "  changed a.py, b.py"),
        (a.Denied(tool="Edit", target="x.py", why="outside"), "  DENIED Edit x.py: outside"),
        (a.Retrying(status=429, wait=2.0, why="rate limit"), "retries after 429, waits 2 s: rate limit"),
        (a.Retrying(), "retries after no answer"),
        (a.Limited(terminal=True, why="no credit", code="PROVIDER_QUOTA"), "PROVIDER_QUOTA: no credit"),
        (a.Used(usage=Usage(output=5), whole=True), "used 5 out tokens in all"),
        (a.Complained(text="warning: x"), "stderr: warning: x"),
        (a.Concluded(ok=True, why="all done"), "done: all done"),
        (a.Concluded(ok=False), "FAILED"),
        (a.AgentNote(heading="deviation", text="another name"), "deviation: another name"),
    ],
)
def test_an_activity_is_told_in_words(happened: Activity, line: str) -> None:
    assert describe(happened) == (f"{' ' * 10}{line}" if line else "")


def test_every_kind_is_told() -> None:
    made: dict[str, Any] = {
        "text": "x",
        "paths": ["x"],
        "tool": "x",
        "usage": Usage(),
        "terminal": True,
        "why": "x",
        "ok": False,
    }
    made["heading"] = "x"
    for kind in a.KINDS:
        fields = {name: made[name] for name in kind.__struct_fields__ if name in made}
        assert describe(kind(**fields)), kind


def test_what_is_not_reported_is_no_0() -> None:
    assert usage(Usage()) == "not reported"
    assert usage(Usage(input=1, output=0, turns=2, dollars=0.5)) == "1 in, 0 out (tokens), 2 turns, $0.5000"
