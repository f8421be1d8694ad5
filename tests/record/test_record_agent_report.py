"""The agent's word, as lines for people."""

from __future__ import annotations

from parallel_impl.record.agent_report import AgentReport, Deviation, Help, ScopeRequest


def test_each_entry_is_a_line_that_says_whether_a_person_is_needed() -> None:
    report = AgentReport(
        notes=("one",),
        deviations=(Deviation(what="two", why="a reason", path="src/x.py"),),
        help=(
            Help(summary="three", type="design", severity="high", proposed_action="ask", requires_human=True),
            Help(summary="four"),
        ),
        scope_requests=(ScopeRequest(path="README.md", why="it lies"),),
    )
    assert list(report.lines()) == [
        "note: one",
        "deviation in src/x.py: two (a reason)",
        "help wanted, design, high, a person is needed: three (ask)",
        "help wanted: four",
        "scope request: README.md (it lies)",
    ]
