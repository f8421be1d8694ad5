"""Where a run keeps things: every path and ref is a function of change, package and attempt number.

So nothing needs to be remembered to be found again after a crash. Used by the whole `run` room and by `cli`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parallel_impl.plan import ids

STATE = "parallel-impl"
CHANGES = "openspec/changes"
PLAN_FILE = "work-packages.yaml"


@dataclass(frozen=True, slots=True)
class Places:
    """The places of one change: `common` is the git common dir, the state folder lies in it."""

    common: Path
    change_id: str

    @property
    def state(self) -> Path:
        return self.common / STATE / self.change_id

    @property
    def journal(self) -> Path:
        return self.state / "journal.jsonl"

    @property
    def gates(self) -> Path:
        return self.state / "gates"

    @property
    def indexes(self) -> Path:
        """Private index files, which no agent can reach."""
        return self.state / "indexes"

    @property
    def summary(self) -> Path:
        return self.state / "summary.md"

    @property
    def summary_json(self) -> Path:
        return self.state / "summary.json"

    def attempt(self, package: str, number: int) -> Path:
        return self.state / "attempts" / package / str(number)

    # refs

    @property
    def refs(self) -> str:
        return f"refs/parallel-impl/{self.change_id}"

    @property
    def base_ref(self) -> str:
        return f"{self.refs}/base"

    @property
    def candidate_ref(self) -> str:
        return f"{self.refs}/candidate"

    @property
    def proven_ref(self) -> str:
        return f"{self.refs}/proven"

    def package_base_ref(self, package: str) -> str:
        return f"{self.refs}/bases/{package}"

    def package_ref(self, package: str) -> str:
        return f"{self.refs}/packages/{package}"

    def attempt_ref(self, package: str, number: int) -> str:
        return f"{self.refs}/attempts/{package}/{number}"

    @property
    def branch(self) -> str:
        """The feature branch, without `refs/heads/`."""
        return ids.branch(self.change_id)

    @property
    def branch_ref(self) -> str:
        return f"refs/heads/{self.branch}"

    def package_branch(self, package: str) -> str:
        """The branch in a package's own repository."""
        return ids.branch(self.change_id, package)

    # the change folder, relative to the repository root

    @property
    def folder(self) -> str:
        return f"{CHANGES}/{self.change_id}"

    @property
    def plan_file(self) -> str:
        return f"{self.folder}/{PLAN_FILE}"

    @property
    def tasks_file(self) -> str:
        return f"{self.folder}/tasks.md"
