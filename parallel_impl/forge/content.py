"""What a pull request tells about a run, as data, and what follows from it: its risk, and whether it is a draft. Pure.

The texts are raw: what agents and plans wrote is masked and escaped when the body is written.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from parallel_impl.plan.model import StepKind

# How migrations and public interfaces are recognised: by the path of a changed file, whatever its case, and by the
# locks of a package that was accepted.
MIGRATIONS = (
    "*/migrations/*", "migrations/*", "*/migrate/*", "migrate/*", "*/alembic/versions/*", "alembic/versions/*",
    "*/flyway/*", "*/liquibase/*", "*.sql",
)  # fmt: skip
INTERFACES = (
    "*openapi*.yaml", "*openapi*.yml", "*openapi*.json", "*swagger*.yaml", "*swagger*.yml", "*swagger*.json",
    "*asyncapi*.yaml", "*asyncapi*.yml", "*.proto", "*.graphql", "*.graphqls", "*.avsc", "*.wsdl", "*.d.ts",
)  # fmt: skip
LOCKS = {"db:": "a database", "api:": "a public interface", "event:": "a public interface"}


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One verification step; `instructions` are for the person who does one that we did not run."""

    name: str
    kind: StepKind
    passed: bool
    why: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class PackageEvidence:
    """One package: what was asked (`asked` "" where the title says it), what it changed, and how that was verified.

    `lines` are added and removed; `report` is the agent's word, one line each.
    """

    id: str
    state: str
    title: str = ""
    asked: str = ""
    tasks: tuple[str, ...] = ()
    lines: tuple[int, int] = (0, 0)
    depends_on: tuple[str, ...] = ()
    commit: str = ""
    files: tuple[str, ...] = ()
    steps: tuple[StepOutcome, ...] = ()
    tier: str = ""
    attempts: int = 1
    agent: str = ""
    tokens: int | None = None
    dollars: float | None = None
    report: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """One gate on the whole tree; `gone`, `renamed` and `flaky` are tests."""

    name: str
    verdict: str
    why: str = ""
    command: str = ""
    old_failures: int = 0
    gone: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What a landed run has to tell. `contracts` are paths with what was checked; `lines` are added and removed.

    `accepted` is what would have blocked and was accepted by name; `fence` says how agents were contained.
    """

    change_id: str
    run_id: str
    title: str
    branch: str
    base: str
    commit: str
    headline: str
    purpose: str = ""
    lines: tuple[int, int] = (0, 0)
    packages: tuple[PackageEvidence, ...] = ()
    gates: tuple[GateEvidence, ...] = ()
    contracts: tuple[tuple[str, str], ...] = ()
    switched_off: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    fence: str = "not fenced"
    open_tasks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    tokens: int | None = None
    dollars: float | None = None

    @property
    def files(self) -> list[str]:
        """Every changed file, once."""
        return list(dict.fromkeys(path for package in self.packages for path in package.files))


def risks(content: Content) -> list[str]:
    """Why the risk is high, one line each; none: nothing of what is looked for was changed."""
    found = [f"{path}: a migration" for path in _among(content.files, MIGRATIONS)]
    found += [f"{path}: a public interface" for path in _among(content.files, INTERFACES)]
    known = {line.partition(":")[0] for line in found}
    for path, status in content.contracts:
        if "changed by no package" not in status and path in content.files and path not in known:
            found.append(f"{path}: a contract")
    for package in content.packages:
        for key in package.locks:
            found += [f"{package.id} claims {key}: {what}" for start, what in LOCKS.items() if key.startswith(start)]
    return found


def draft_reasons(content: Content) -> list[str]:
    """Why a person must look before this is merged, one line each; steps of CI alone are no reason."""
    return [
        *(f"accepted by name: {what}" for what in content.accepted),
        *(f"{gate.name}: flaky: {test}" for gate in content.gates for test in gate.flaky),
        *(f"{gate.name}: gone: {test}" for gate in content.gates for test in gate.gone),
        *(f"for a person: {package}: {step.name}" for package, step in by_kind(content.packages, StepKind.MANUAL)),
    ]


def by_kind(packages: Iterable[PackageEvidence], kind: StepKind) -> Iterator[tuple[str, StepOutcome]]:
    """The steps of a kind, each with its package."""
    for package in packages:
        for step in package.steps:
            if step.kind is kind:
                yield package.id, step


def _among(paths: Sequence[str], patterns: Sequence[str]) -> list[str]:
    return [path for path in paths if any(fnmatch.fnmatchcase(path.lower(), pattern) for pattern in patterns)]
