"""Recorded runs for what shows them: events and activity with given times, of three packages and of two hundred."""

from __future__ import annotations

from parallel_impl.record import activity as a
from parallel_impl.record import events as e
from parallel_impl.record.activity import Activity, Usage
from parallel_impl.record.events import Event
from parallel_impl.report.outline import Outline, PackageOutline

COMMIT = "c" * 40
NOTHING = Usage()


def started(packages: dict[str, list[str]], at: float = 0.0, jobs: int = 2) -> e.RunStarted:
    return e.RunStarted(
        at=at,
        run_id="r",
        change_id="add-a",
        base="b" * 40,
        base_from="HEAD",
        plan_blob="",
        plan_revision=1,
        contracts_revision=1,
        packages=packages,
        home="/home/worktrees/add-a",
        date=0,
        agent="claude",
        jobs=jobs,
        repository_name="repo",
    )


def begin(at: float, name: str, number: int = 1) -> e.AttemptStarted:
    return e.AttemptStarted(at=at, package=name, number=number, agent="claude")


def accept(at: float, name: str, number: int = 1, seconds: float = 10.0, usage: Usage = NOTHING) -> list[Event]:
    return [
        e.AttemptVerifying(at=at, package=name, number=number),
        e.AttemptEnded(at=at, package=name, number=number, commit=COMMIT, seconds=seconds, usage=usage),
        e.PackageAccepted(at=at, package=name, number=number, commit=COMMIT),
    ]


def fail(at: float, name: str, why: str, number: int = 1) -> list[Event]:
    code = "VERIFICATION_FAILED"
    return [
        e.AttemptEnded(at=at, package=name, number=number, code=code, why=why, seconds=10.0),
        e.PackageFailed(at=at, package=name, code=code, why=why),
    ]


def outlined(packages: dict[str, list[str]], state: str = "/state") -> Outline:
    told = (PackageOutline(id=name, title=f"What {name} does", depends_on=tuple(on)) for name, on in packages.items())
    return Outline(change_id="add-a", title="Add a", jobs=2, packages=tuple(told), state=state)


THREE: dict[str, list[str]] = {"wp-contracts": [], "wp-api": ["wp-contracts"], "wp-docs": ["wp-contracts"]}
USED = Usage(input=12_000, output=3_400, dollars=0.25)


def three() -> list[Event]:
    """Until 70 s: one package is accepted, one failed, one at work; the gate on the base passed."""
    return [
        e.SetupStarted(at=0.5, on="base"),
        e.SetupEnded(at=12.5, on="base", seconds=12.0),
        started(THREE, at=13.0),
        e.GateStarted(at=13.5, on="base", gate="pytest"),
        begin(14.0, "wp-contracts"),
        e.GateEnded(at=21.5, on="base", gate="pytest", state="green", seconds=8.0),
        *accept(44.0, "wp-contracts", seconds=30.0, usage=USED),
        begin(45.0, "wp-api"),
        begin(45.0, "wp-docs"),
        *fail(60.0, "wp-docs", "step 'links': exit 1; log: /x\ndocs/a.md:12: no such page\nFAILED 1 of 12 links"),
    ]


def doing() -> list[tuple[str, int, Activity]]:
    return [
        ("wp-api", 1, a.Called(at=60.0, tool="Edit", target="src/api/routes.py")),
        ("wp-api", 1, a.Used(at=61.0, usage=Usage(input=900, output=100, dollars=0.02))),
    ]


def two_hundred() -> tuple[dict[str, list[str]], list[Event]]:
    """Twenty chains of ten; half of the first wave accepted, the other half at work."""
    packages = {
        f"wp-{chain:02}-{link}": [f"wp-{chain:02}-{link - 1}"] if link else []
        for link in range(10)
        for chain in range(20)
    }
    happened: list[Event] = [started(packages, at=0.0, jobs=10)]
    happened += [begin(1.0 + chain / 10, f"wp-{chain:02}-0") for chain in range(20)]
    for chain in range(10):
        happened += accept(30.0 + chain, f"wp-{chain:02}-0", seconds=29.0)
    return packages, happened
