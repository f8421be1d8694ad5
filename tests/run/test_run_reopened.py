"""What an edit of the configuration of a stopped run gives another try, and what is only judged again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure
from parallel_impl.record.state import State, fold
from parallel_impl.run.resume import reopened
from parallel_impl.run.start.configuration_edit import REVISABLE
from tests.run.scene import first_event, package


def stopped(code: str, *, verified: bool = True, single: bool = False, accepted: bool = False) -> State:
    """A run whose package `a` ended so, with its work on a commit."""
    first = first_event("b" * 40, [package("a")], Path("/home"))
    state = fold([msgspec.structs.replace(first, single=single), e.AttemptStarted(package="a", number=1)])
    if verified:
        state.apply(e.AttemptVerifying(package="a", number=1))
    state.apply(e.AttemptEnded(package="a", number=1, code=code, commit="c" * 40, whole=True))
    accepting = e.PackageAccepted(package="a", number=1, commit="c" * 40)
    state.apply(accepting if accepted else e.PackageFailed(package="a", code=code))
    return state


@pytest.mark.parametrize(
    ("code", "verified", "key", "judged", "again"),
    [
        (Failure.VERIFICATION_FAILED, True, "setup", True, False),
        (Failure.VERIFICATION_FAILED, True, "pass_env", True, False),
        (Failure.VERIFICATION_FAILED, True, "caches", True, False),
        (Failure.VERIFICATION_FAILED, True, "checkouts", True, False),
        (Failure.VERIFICATION_FAILED, True, "setup_inputs", True, False),
        (Failure.VERIFICATION_FAILED, True, "layers_gb", False, False),
        (Failure.VERIFICATION_FAILED, True, "jobs", False, False),
        (Failure.VERIFICATION_FAILED, True, "gates.unit", False, False),
        (Failure.VERIFICATION_FAILED, True, "agents.claude", False, False),
        (Failure.SETUP_FAILED, True, "setup", True, False),
        (Failure.SETUP_FAILED, False, "setup", False, True),
        (Failure.SETUP_FAILED, False, "setup_minutes", False, True),
        (Failure.SETUP_FAILED, False, "limits", False, False),
        (Failure.SCOPE_VIOLATION, False, "max_blob_mb", True, False),
        (Failure.SCOPE_VIOLATION, False, "setup", False, False),
        (Failure.CONTRACT_INVALID, True, "openapi_seconds", True, False),
        (Failure.AGENT_FAILED, False, "agents.claude", False, True),
        (Failure.AGENT_FAILED, False, "agent", False, True),
        (Failure.AGENT_FAILED, False, "checkouts", False, True),
        (Failure.AGENT_FAILED, False, "gates.unit", False, False),
        (Failure.BUDGET_EXCEEDED, False, "limits", False, True),
        (Failure.SILENT, False, "silence_minutes", False, True),
    ],
)
def test_what_failed_by_what_was_edited(code: Failure, verified: bool, key: str, judged: bool, again: bool) -> None:
    state = stopped(code, verified=verified)
    assert (reopened.judged_again(state, [key]) == ["a"], reopened.tried_again(state, [key]) == ["a"]) == (
        judged,
        again,
    )


@pytest.mark.parametrize("key", REVISABLE)
def test_accepted_work_stays_whatever_is_edited(key: str) -> None:
    state = stopped("", accepted=True)
    assert reopened.judged_again(state, [key]) == reopened.tried_again(state, [key]) == []


def test_the_gates_of_a_change_without_a_plan_judge_its_work() -> None:
    assert reopened.judged_again(stopped(Failure.VERIFICATION_FAILED, single=True), ["gates.unit"]) == ["a"]


def test_every_key_that_is_named_can_be_revised() -> None:
    tables = (reopened.TRIED_AGAIN, reopened.JUDGED_AGAIN)
    assert {key for table in tables for keys in table.values() for key in keys} <= set(REVISABLE)
