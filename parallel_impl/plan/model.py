"""The plan as data: what a valid `work-packages.yaml` means, with every default filled in.

Words are the input file's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from parallel_impl.plan.globs.globs import covers, match

YamlPath = tuple[str | int, ...]


class StepKind(StrEnum):
    """Who runs a step: we run `command`; `ci` and `manual` are listed for a person to check."""

    COMMAND = "command"
    CI = "ci"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which paths a package may change (`write_allow` minus `deny`); globs of `plan.globs.globs`."""

    write_allow: tuple[str, ...]
    read_allow: tuple[str, ...] = ("**",)
    deny: tuple[str, ...] = ()

    def refusal(self, path: str) -> str:
        """Why a package with this scope may not write the file `path`; empty when it may."""
        if pattern := self.denied_by(path):
            return f"denied by {pattern}"
        if path in self.write_allow and match(path, path):
            return ""  # at once: a scope may list two thousand paths
        return "" if any(match(allowed, path) for allowed in self.write_allow) else "outside write_allow"

    def denied_by(self, path: str) -> str:
        """The first pattern of `deny` that means `path` or a folder above it; empty when there is none."""
        return next((pattern for pattern in self.deny if covers(pattern, path)), "")


@dataclass(frozen=True, slots=True)
class Locks:
    """What no parallel package may claim too: file globs, and keys in canonical form (`plan.lock_keys`)."""

    files: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One verification step. A `command` that is a string is shell, a tuple is argv.

    `old_failures`: tests may fail in it that fail on the base, each of two times.
    """

    name: str
    kind: StepKind = StepKind.COMMAND
    command: str | tuple[str, ...] = ""
    cwd: str = "."
    env: tuple[tuple[str, str], ...] = ()
    expect_exit_code: int = 0
    timeout_minutes: int = 60
    writes: bool = False
    old_failures: bool = False
    artifacts: tuple[str, ...] = ()
    result_keys: tuple[str, ...] = ()
    instructions: str = ""


class SharingRule(StrEnum):
    """Who may change a shared file: its owner, or the integration package, which depends on every other."""

    OWNER = "owner"
    INTEGRATION_ONLY = "integration-only"


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file that several packages are tempted to change, and whose it is; `package` may be empty for integration."""

    path: str
    rule: SharingRule
    package: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """One work package: one agent, one worktree, one commit.

    `creates` are paths of new files, `reasons` pairs of a package that `depends_on` names and why, `evidence` pairs of
    a path or glob ("" for none) and why it is in the scope, `weight` how much work it is beside the others.
    """

    id: str
    description: str
    scope: Scope
    title: str = ""
    task_type: str = ""
    role: str = ""
    archetype: str = ""
    tasks: tuple[str, ...] = ()
    inputs: str = ""
    depends_on: tuple[str, ...] = ()
    priority: int = 5
    timeout_minutes: int = 60
    retry_budget: int = 1
    locks: Locks = field(default_factory=Locks)
    tier_required: str = ""
    steps: tuple[Step, ...] = ()
    output_keys: tuple[str, ...] = ()
    output_artifacts: tuple[str, ...] = ()
    may_be_empty: bool = False
    creates: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    weight: float = 1.0
    evidence: tuple[tuple[str, str], ...] = ()
    foundation: bool = False


@dataclass(frozen=True, slots=True)
class Contracts:
    """The change's contracts: paths as written, the primary one among `files` (empty: none); where each is written."""

    revision: int = 1
    primary: str = ""
    files: tuple[str, ...] = ()
    written: tuple[YamlPath, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """A validated plan. `packages` keep the order of the file; `position` maps YAML paths to (line, column).

    `base_commit` is the commit that the plan was made on, `tasks_hash` that of the tasks then; "" where not given.
    """

    feature_id: str
    packages: tuple[Package, ...]
    title: str = ""
    revision: int = 1
    contracts: Contracts = field(default_factory=Contracts)
    shared_files: tuple[SharedFile, ...] = ()
    base_commit: str = ""
    tasks_hash: str = ""
    source: str = "work-packages.yaml"
    position: Mapping[YamlPath, tuple[int, int]] = field(default_factory=dict, compare=False, repr=False)

    def where(self, *path: str | int) -> str:
        """`file:line:column` of a YAML path, or of its nearest ancestor that has a position."""
        for end in range(len(path), -1, -1):
            if place := self.position.get(path[:end]):
                return f"{self.source}:{place[0]}:{place[1]}"
        return self.source

    def package(self, package_id: str) -> Package:
        """The package with this id; KeyError when there is none."""
        for package in self.packages:
            if package.id == package_id:
                return package
        raise KeyError(package_id)


def yaml_path(path: YamlPath) -> str:
    """`("packages", 2, "scope")` as people write it: `packages[2].scope`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
