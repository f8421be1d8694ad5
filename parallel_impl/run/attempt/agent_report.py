"""The agent's word about its work, taken from the file that it was given for it."""

from __future__ import annotations

from parallel_impl import storage, text
from parallel_impl.gates.evidence import ResultFileError, read_result_file
from parallel_impl.record import activity, agent_report, json_form
from parallel_impl.record.activity import AgentNote
from parallel_impl.record.agent_report import AgentReport
from parallel_impl.record.journal import now
from parallel_impl.run.attempt.job import Attempt


def take(attempt: Attempt) -> None:
    """Read the report, if there is one; one that is not as it should be is noted, and fails nothing."""
    try:
        written = read_result_file(attempt.agent_files.report)
        if written is not None:
            hidden = text.masked(json_form.encode(written), attempt.launch.mask)
            attempt.report = agent_report.read(json_form.decode(hidden, dict[str, object]))
            _show(attempt, attempt.report)
    except ResultFileError as error:
        attempt.note(f"its agent's report {error}")
    except ValueError as error:
        attempt.note(f"its agent's report is not as schemas/agent-report.schema.json says: {error}")
    except OSError as error:
        attempt.note(f"its agent's report cannot be read: {error.strerror}")


def _show(attempt: Attempt, report: AgentReport) -> None:
    """Add the report to the activity, for whoever follows it; an agent without one is shown by its log."""
    if attempt.files.activity.exists():
        with storage.named(attempt.files.activity), attempt.files.activity.open("ab") as file:
            for line in report.lines():
                heading, _, text = line.partition(": ")
                file.write(activity.to_line(AgentNote(at=now(), heading=heading, text=text)) + b"\n")
