"""The shipped schemas and the structs say the same: the same fields, and what a struct makes is valid."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from parallel_impl import schema
from parallel_impl.forge.checks import Checks, ChecksVerdict
from parallel_impl.forge.forge import CheckAnswer, CheckVerdict
from parallel_impl.git.diffstat import Diffstat
from parallel_impl.plan.model import Locks, Scope, StepKind
from parallel_impl.record import agent_report, json_form, result
from parallel_impl.record.activity import Usage
from parallel_impl.record.gate_row import GateRow
from parallel_impl.record.times import Times, TimeSpent
from parallel_impl.report import progress, summary
from parallel_impl.report.figures import Figures
from parallel_impl.report.picture import draw
from parallel_impl.report.profile import RunTimes
from tests.report import scene as recorded

RESULT, SUMMARY, REPORT = "work-queue-result", "execution-summary", "agent-report"
CHECKS, PROGRESS = "checks", "progress"
COMMIT = "0123456789" * 4
PAIRS = [
    (RESULT, "", result.Result),
    (RESULT, "properties/locks", Locks),
    (RESULT, "properties/scope", Scope),
    (RESULT, "properties/scope_check", result.ScopeCheck),
    (RESULT, "properties/git", result.Commits),
    (RESULT, "properties/git/properties/base", result.CommitPlace),
    (RESULT, "properties/git/properties/head", result.CommitPlace),
    (RESULT, "properties/verification", result.VerificationRecord),
    (RESULT, "$defs/step", result.StepRecord),
    (RESULT, "$defs/step/properties/evidence", result.StepEvidence),
    (RESULT, "properties/agent", result.AgentRecord),
    (RESULT, "properties/denied/items", result.DenialRecord),
    (RESULT, "properties/elsewhere/items", result.SideWorkRecord),
    (RESULT, "$defs/usage", Usage),
    (SUMMARY, "$defs/usage", Usage),
    (SUMMARY, "$defs/package/properties/agent", result.AgentRecord),
    (REPORT, "", agent_report.AgentReport),
    (REPORT, "properties/deviations/items", agent_report.Deviation),
    (REPORT, "properties/help/items", agent_report.Help),
    (REPORT, "properties/scope_requests/items", agent_report.ScopeRequest),
    (SUMMARY, "", summary.Summary),
    (SUMMARY, "properties/critical_path", summary.CriticalPath),
    (SUMMARY, "properties/figures", Figures),
    (SUMMARY, "properties/times", RunTimes),
    (SUMMARY, "$defs/times", Times),
    (SUMMARY, "$defs/spent", TimeSpent),
    (SUMMARY, "$defs/diffstat", Diffstat),
    (SUMMARY, "properties/gates/items", GateRow),
    (SUMMARY, "properties/contracts/items", summary.ContractRow),
    (SUMMARY, "$defs/package", summary.PackageRow),
    (SUMMARY, "$defs/package/properties/attempts/items", summary.AttemptRow),
    (SUMMARY, "$defs/package/properties/steps/items", summary.StepRow),
    (CHECKS, "", Checks),
    (CHECKS, "properties/answers/items", CheckAnswer),
    (PROGRESS, "", progress.ProgressReport),
    (PROGRESS, "properties/current/items", progress.CurrentAgent),
    (PROGRESS, "properties/checks/items", progress.ProgressCheck),
    (PROGRESS, "properties/needs/items", progress.ProgressNeed),
    (PROGRESS, "$defs/package", progress.ProgressRow),
    (PROGRESS, "$defs/usage", Usage),
]
STEP = result.StepRecord(name="unit", kind=StepKind.COMMAND, passed=True, exit_code=0)
FULL_STEP = result.StepRecord(
    name="unit",
    kind=StepKind.COMMAND,
    passed=True,
    exit_code=0,
    seconds=1.5,
    why="",
    evidence=result.StepEvidence(artifacts=("report.xml",), metrics={"count": 3, "names": ["a", None]}),
    command=("pytest", "-q"),
    log="steps/1-unit.log",
)
AGENT = result.AgentRecord(name="claude", kind="claude", program="claude", version="2.1", model="m", session="s")
TIMES = Times(agent=TimeSpent(1.5, 0.25), other=TimeSpent(0.5))
USAGE = Usage(input=1, output=2, dollars=0.5, turns=3)
WORD = agent_report.AgentReport(
    notes=("seen",),
    deviations=(agent_report.Deviation(what="a", why="b", path="c"),),
    help=(agent_report.Help(summary="stuck", severity="high", proposed_action="ask", requires_human=True),),
    scope_requests=(agent_report.ScopeRequest(path="src/x.py", why="shared"),),
)
RESULTS = {
    "least": result.Result(
        feature_id="add-a",
        package_id="wp-a",
        plan_revision=1,
        contracts_revision=1,
        status="completed",
        scope=Scope(("src/**",)),
        files_modified=("src/a.py",),
        git=result.Commits(base=result.CommitPlace(), head=result.CommitPlace(commit=COMMIT)),
        verification=result.VerificationRecord(passed=True, steps=(STEP,)),
        escalations=(),
    ),
    "full": result.Result(
        feature_id="add-a",
        package_id="wp-a",
        attempt=2,
        plan_revision=1,
        contracts_revision=1,
        status="completed",
        agent=AGENT,
        usage=USAGE,
        denied=(result.DenialRecord("Write", "/etc/motd", "outside"),),
        retries=2,
        report=WORD,
        locks=Locks(("go.mod",), ("db:schema:orders",)),
        scope=Scope(("src/**",), ("**",), ("src/x",)),
        scope_check=result.ScopeCheck(passed=True, violations=()),
        files_modified=("src/a.py",),
        files_ignored=("a.pyc (.gitignore:1: *.pyc)",),
        no_changes=False,
        elsewhere=(result.SideWorkRecord("stash@{0}", "refs/z", COMMIT, ("src/b.py",)),),
        git=result.Commits(
            base=result.CommitPlace(ref="refs/x", commit=COMMIT), head=result.CommitPlace(ref="refs/y", commit=COMMIT)
        ),
        verification=result.VerificationRecord(passed=True, steps=(FULL_STEP,), tier="A"),
        for_a_person=("look",),
        result_keys={"count": 3},
        not_reported=("coverage",),
        seconds=1.5,
        setup_seconds=0.5,
        escalations=({"type": "QUESTION"},),
    ),
}
RESULTS["failed"] = RESULTS["full"].failed("OF_ANOTHER_VERSION", "so")
PACKAGE = summary.PackageRow(
    id="wp-a",
    state="accepted",
    why="",
    depends_on=("wp-b",),
    commit=COMMIT,
    no_changes=False,
    attempts=(
        summary.AttemptRow(
            number=1,
            started=0.0,
            seconds=1.0,
            setup_seconds=0.0,
            code="TIMEOUT",
            why="60 s",
            commit=COMMIT,
            logs="x",
            agent="claude",
            model="m",
            usage=USAGE,
            denied=1,
            retries=2,
        ),
    ),
    files=("src/a.py",),
    ignored=(),
    tier="A",
    steps=(summary.StepRow(name="unit", kind=StepKind.COMMAND, passed=True, exit_code=0, evidence=("report.xml",)),),
    escalations=({"type": "QUESTION"},),
    agent=AGENT,
    usage=USAGE,
    retries=2,
    denied=("Write /etc/motd",),
    report=tuple(WORD.lines()),
    times=TIMES,
)
SUMMARIES = {
    "full": summary.Summary(
        change_id="add-a",
        run_id="r",
        status="halted",
        code="GATES_FAILED",
        headline="not landed",
        base=COMMIT,
        branch="openspec/add-a",
        commit=COMMIT,
        agent="command: agent",
        plan_revision=1,
        contracts_revision=1,
        jobs=4,
        makespan_seconds=1.0,
        critical_path=summary.CriticalPath(("wp-a",), 1.0),
        bound_seconds=1.0,
        packages=(PACKAGE,),
        usage=USAGE,
        gates=(
            GateRow("pytest", "failed", "pytest -q", "1 new", ("test_x",), ("test_y",), 2, "pytest.log"),
            GateRow("openspec", "passed", texts="openspec"),
            GateRow("mypy", "switched off"),
        ),
        contracts=(summary.ContractRow("contracts/api.yaml", "valid"),),
        switched_off=("gate mypy",),
        for_a_person=("wp-a: look",),
        open_tasks=("1.1 Make it",),
        notes=("a note",),
        times=RunTimes(clock=TIMES, work=TIMES, unknown_starts=1, unknown_attempts=2),
    )
}


def part(name: str, pointer: str) -> Mapping[str, Any]:
    """The schema of one object, by its place in the document."""
    found: Any = schema.document(name)
    for key in filter(None, pointer.split("/")):
        found = found[key]
    assert isinstance(found, dict)
    return found


def fields(kind: type) -> Iterator[tuple[str, bool]]:
    """The fields of a struct, each with whether it must be given."""
    if dataclasses.is_dataclass(kind):
        missing = dataclasses.MISSING
        for one in dataclasses.fields(kind):
            yield one.name, one.default is missing and one.default_factory is missing
    else:
        yield from ((one.encode_name, one.required) for one in msgspec.structs.fields(kind))


@pytest.mark.parametrize(("name", "pointer", "kind"), PAIRS)
def test_every_property_is_a_field_and_every_field_a_property(name: str, pointer: str, kind: type) -> None:
    described = part(name, pointer)
    assert {field for field, _ in fields(kind)} == set(described["properties"])
    assert described["additionalProperties"] is False


@pytest.mark.parametrize(("name", "pointer", "kind"), PAIRS)
def test_what_a_struct_must_be_given_is_required(name: str, pointer: str, kind: type) -> None:
    """So a document that lacks what may be absent is read, and the struct never leaves out what is required."""
    required = {field for field, needed in fields(kind) if needed}
    assert required <= set(part(name, pointer).get("required", ()))


def objects(value: Any, pointer: str = "") -> Iterator[str]:
    """The places of all objects with properties of their own in a schema."""
    if isinstance(value, dict):
        if "additionalProperties" in value:
            yield pointer
        for key, below in value.items():
            if key not in ("allOf", "required", "enum"):
                yield from objects(below, f"{pointer}/{key}".removeprefix("/"))


@pytest.mark.parametrize("name", [RESULT, SUMMARY, REPORT, CHECKS, PROGRESS])
def test_every_object_of_a_schema_has_its_struct(name: str) -> None:
    assert set(objects(schema.document(name))) == {pointer for of, pointer, _ in PAIRS if of == name}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_valid_and_comes_back(name: str) -> None:
    made = RESULTS[name]
    assert list(schema.validator(RESULT).iter_errors(json_form.plain(made))) == []
    assert result.load(result.dump(made)) == made


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_summary_is_valid_and_comes_back(name: str) -> None:
    made = SUMMARIES[name]
    assert list(schema.validator(SUMMARY).iter_errors(json_form.plain(made))) == []
    assert json_form.decode(json_form.encode(made, indent=1), summary.Summary) == made


def test_checks_are_valid_and_come_back() -> None:
    answer = CheckAnswer("unit", CheckVerdict.FAILED, "failure", "https://x")
    for required in (None, (), ("unit", "lint")):
        made = Checks(
            commit=COMMIT, base="main", verdict=ChecksVerdict.FAILED, required=required, answers=(answer,), trouble="x"
        )
        assert list(schema.validator(CHECKS).iter_errors(json_form.plain(made))) == []
        assert json_form.decode(json_form.encode(made, indent=1), Checks) == made


@pytest.mark.parametrize("end", range(len(recorded.three()) + 1))
def test_the_progress_of_a_run_is_valid_at_every_time_and_comes_back(end: int) -> None:
    outline = recorded.outlined(recorded.THREE)
    made = progress.report(draw(recorded.three()[:end], recorded.doing(), 80.0, outline=outline))
    assert list(schema.validator(PROGRESS).iter_errors(json_form.plain(made))) == []
    assert json_form.decode(json_form.encode(made), progress.ProgressReport) == made


def test_a_report_is_valid_and_comes_back() -> None:
    assert agent_report.read(json_form.plain(WORD)) == WORD
    assert agent_report.read({}) == agent_report.AgentReport()


@pytest.mark.parametrize("wrong", [{"notes": "one"}, {"help": [{}]}, {"more": 1}, {"schema_version": 2}])
def test_a_report_that_is_not_as_its_schema_says_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        agent_report.read(wrong)
