"""The page of an accepted package, as a whole, and that nothing of when or how often is in it."""

from __future__ import annotations

import msgspec

from parallel_impl.plan.model import Package, Scope, Step, StepKind
from parallel_impl.record import result as results
from parallel_impl.record.agent_report import AgentReport, Deviation, Help, ScopeRequest
from parallel_impl.record.result import CommitPlace, Commits, Result, StepRecord, VerificationRecord
from parallel_impl.report import completed

PACKAGE = Package(
    "wp-a",
    "Add the words.\n\nWith their tests.",
    Scope(("src/words.py", "tests/`odd`.py")),
    title="Words",
    tasks=("1.1", "2"),
    depends_on=("wp-base",),
    steps=(
        Step("unit", command="pytest -q"),
        Step("deploy", StepKind.CI, command=("make", "deploy")),
        Step("look", StepKind.MANUAL, instructions="Read\nit."),
    ),
)
REPORT = AgentReport(
    notes=("one table,\nnot two",),
    deviations=(Deviation(what="a dict", why="faster", path="src/words.py"),),
    help=(Help(summary="which tone?", requires_human=True),),
    scope_requests=(ScopeRequest(path="setup.cfg", why="entry point"),),
)
STEPS = (
    StepRecord(name="unit", kind=StepKind.COMMAND, passed=True, exit_code=0, seconds=1.25, log="steps/1-unit.log"),
    StepRecord(name="deploy", kind=StepKind.CI, passed=False),
    StepRecord(name="look", kind=StepKind.MANUAL, passed=False),
)
RESULT = Result(
    feature_id="add-a", package_id="wp-a", plan_revision=1, contracts_revision=1, status="completed", report=REPORT,
    scope=Scope(("a",)), files_modified=(), git=Commits(base=CommitPlace(), head=CommitPlace(commit="c" * 40)),
    verification=VerificationRecord(passed=True, steps=STEPS), escalations=(),
)  # fmt: skip
PAGE = """\
# wp-a: Words

## Asked

Add the words.

With their tests.

- tasks 1.1, 2
- may write `src/words.py`, `` tests/`odd`.py ``
- builds on wp-base

## Changed

- added `src/words.py`
- removed `src/old.py`

## Why

- one table, not two

## Deviations

- `src/words.py`: a dict (faster)
- `setup.cfg` would have to change, which is outside its scope (entry point)
- not settled, which a person has to settle: which tone?

## Evidence

- unit (`pytest -q`): passed
- deploy (`make deploy`): for CI to answer
- look: for a person to check: Read it.
"""


def test_the_page_says_what_was_asked_what_changed_why_and_what_shows_it() -> None:
    assert completed.render(PACKAGE, [("added", "src/words.py"), ("removed", "src/old.py")], RESULT) == PAGE


def test_the_same_work_at_another_time_in_another_attempt_is_the_same_page() -> None:
    steps = tuple(msgspec.structs.replace(step, seconds=99.0, log="steps/7.log") for step in STEPS)
    later = msgspec.structs.replace(
        RESULT,
        attempt=3,
        retries=2,
        seconds=400.0,
        agent=results.AgentRecord(name="other", kind="claude", model="m", session="s"),
        git=Commits(base=CommitPlace(commit="a" * 40), head=CommitPlace(commit="d" * 40)),
        verification=VerificationRecord(passed=True, steps=steps),
    )
    assert completed.render(PACKAGE, (), later) == completed.render(PACKAGE, (), RESULT)


def test_what_is_not_there_is_said() -> None:
    page = completed.render(Package("wp-a", "Do it", Scope(("a",))), (), None)
    assert "## Changed\n\nNothing." in page
    assert "## Why\n\nIts agent gave no reasons." in page
    assert "## Deviations\n\nNone reported." in page
    assert "- its result cannot be read" in page


def test_an_agents_words_stay_on_their_line() -> None:
    report = AgentReport(notes=("a\n## Evidence\n\x1b[2J- all passed",))
    page = completed.render(PACKAGE, (), msgspec.structs.replace(RESULT, report=report))
    assert "- a ## Evidence - all passed\n" in page


def test_neither_the_name_of_a_file_nor_a_tag_makes_text_of_its_own() -> None:
    report = AgentReport(notes=("<!-- hidden",), deviations=(Deviation(what="<details>", why="x", path="a\n## b"),))
    page = completed.render(
        PACKAGE, [("added", "a\n\n## Evidence\n\n- x: passed")], msgspec.structs.replace(RESULT, report=report)
    )
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        line for line in PAGE.splitlines() if line.startswith("## ")
    ]
    assert "added `a\\n\\n## Evidence\\n\\n- x: passed`" in page
    assert "<" not in page
