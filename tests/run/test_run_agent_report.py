"""The agent's word is taken as it is written, with secrets masked; a broken one is noted, and fails nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.processes.launch import Launch, Limits
from parallel_impl.record import activity
from parallel_impl.record import events as e
from parallel_impl.record.activity import AgentNote
from parallel_impl.record.agent_report import AgentReport
from parallel_impl.run.attempt import agent_report
from parallel_impl.run.attempt.job import Attempt, Job, Working
from tests.run.scene import make_repository, open_run, package


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    """An attempt whose agent has just ended; what is noted is in `posted`."""
    repo, base = make_repository(tmp_path / "repo.git")
    run = open_run(repo, base, tmp_path / "home", package("a"))
    launch = Launch(tmp_path, {}, Limits(1), mask=(b"s3cret",))
    made = Attempt(run.spec, run.workspace, launch, Job(package("a"), 1, run.in_force), posted.append)
    made.files.folder.mkdir(parents=True)
    posted.clear()
    return made


posted: list[e.Event | Working] = []


def notes() -> list[str]:
    return [event.text for event in posted if isinstance(event, e.Noted)]


def test_what_an_agent_writes_is_taken_with_secrets_masked(attempt: Attempt) -> None:
    agent_report.take(attempt)
    assert (attempt.report, notes()) == (None, [])
    attempt.files.report.write_text('{"schema_version": 1, "notes": ["it is s3cret"]}')
    agent_report.take(attempt)
    assert (attempt.report, notes()) == (AgentReport(notes=("it is ***",)), [])


def test_it_is_shown_with_what_the_agent_did_where_that_is_known(attempt: Attempt) -> None:
    attempt.files.report.write_text('{"schema_version": 1, "notes": ["a b"], "help": [{"summary": "c: d"}]}')
    agent_report.take(attempt)
    assert not attempt.files.activity.exists()
    attempt.files.activity.write_bytes(b"")
    agent_report.take(attempt)
    told = list(activity.read(attempt.files.activity.read_bytes().splitlines()))
    assert [(one.heading, one.text) for one in told if isinstance(one, AgentNote)] == [
        ("note", "a b"),
        ("help wanted", "c: d"),
    ]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("no JSON", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"notes": "one"}', "is not as schemas/agent-report.schema.json says: notes"),
        ('{"help": [{"severity": "high"}]}', "'summary' is a required property"),
    ],
)
def test_a_broken_report_is_noted_and_fails_nothing(written: str, why: str, attempt: Attempt) -> None:
    attempt.files.report.write_text(written)
    agent_report.take(attempt)
    assert attempt.report is None
    assert len(notes()) == 1
    assert why in notes()[0]
