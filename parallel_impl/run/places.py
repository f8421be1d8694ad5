"""Where a run keeps things: every path and ref is a function of change, package and attempt number.

So nothing needs to be remembered to be found again after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parallel_impl.plan import ids

STATE = "parallel-impl"
LOCKS = ".locks"


@dataclass(frozen=True, slots=True)
class Places:
    """The places of one change: `common` is the git common dir, the state folder lies in it."""

    common: Path
    change_id: str

    @property
    def state(self) -> Path:
        return self.common / STATE / self.change_id

    @property
    def locks(self) -> Path:
        """The lock files of all runs of the repository, and the ledger of their claims."""
        return self.common / STATE / LOCKS

    @property
    def journal(self) -> Path:
        return self.state / "journal.jsonl"

    @property
    def last_journal(self) -> Path:
        """The journal, or of aborted runs the last one's."""
        earlier = self.earlier_journals()
        return earlier[-1] if earlier and not self.journal.exists() else self.journal

    def earlier_journals(self) -> list[Path]:
        """The journals of aborted runs, `journal.<n>.jsonl`, the oldest first."""
        found = {path: path.suffixes[0][1:] for path in self.state.glob("journal.*.jsonl")}
        return sorted((path for path, number in found.items() if number.isdecimal()), key=lambda at: int(found[at]))

    def next_earlier_number(self) -> int:
        """The number under which the journal is moved aside."""
        earlier = self.earlier_journals()
        return int(earlier[-1].suffixes[0][1:]) + 1 if earlier else 1

    @property
    def run_id(self) -> Path:
        """The id of a run that is not journalled yet: set-up runs in preflight, and must be found after a crash."""
        return self.state / "run-id"

    @property
    def trees(self) -> Path:
        """Scratch folders of questions to git."""
        return self.state / "trees"

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

    @property
    def attempts(self) -> Path:
        """The folders of all attempts."""
        return self.state / "attempts"

    def attempt(self, package: str, number: int) -> Path:
        return self.attempts / package / str(number)

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
    def plan_refs(self) -> str:
        """The prefix of the refs of commits with edited plans."""
        return f"{self.refs}/plans"

    def plan_ref(self, revision: int) -> str:
        """Where the commit with an edited plan is kept."""
        return f"{self.plan_refs}/{revision}"

    @property
    def proven_ref(self) -> str:
        return f"{self.refs}/proven"

    def package_base_ref(self, package: str) -> str:
        return f"{self.refs}/bases/{package}"

    @property
    def package_refs(self) -> str:
        """The prefix of the refs of accepted work."""
        return f"{self.refs}/packages"

    @property
    def attempt_refs(self) -> str:
        """The prefix of the refs of attempts."""
        return f"{self.refs}/attempts"

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
        return ids.folder(self.change_id)

    @property
    def plan_file(self) -> str:
        return ids.plan_file(self.change_id)

    @property
    def tasks_file(self) -> str:
        return f"{self.folder}/tasks.md"
