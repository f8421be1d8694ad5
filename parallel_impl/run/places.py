"""Where a run keeps things: every path and ref is a function of change, package and attempt number.

So nothing needs to be remembered to be found again after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.plan import ids
from parallel_impl.plan.ids import STATE
from parallel_impl.record import result
from parallel_impl.report import progress

LOCKS = ".locks"
BASE_CHECKOUT = "base.gate"
CANDIDATE_CHECKOUT = "candidate.gate"
COMPLETED = "completed"
STEPS_CHECKOUT = "base.steps"


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """The files of one attempt: `folder` is the attempt's own."""

    folder: Path

    @property
    def record(self) -> Path:
        """What its worker notes for the case that it is killed."""
        return self.folder / "attempt.json"

    @property
    def prompt(self) -> Path:
        return self.folder / "prompt.md"

    @property
    def reported(self) -> Path:
        """What the agent may write about its work."""
        return self.folder / "reported.json"

    @property
    def report(self) -> Path:
        """What the agent may say about it to people."""
        return self.folder / "agent-report.json"

    @property
    def message(self) -> Path:
        """What a conversation that goes on is told."""
        return self.folder / "message.md"

    @property
    def activity(self) -> Path:
        """What the agent did, step by step."""
        return self.folder / "activity.jsonl"

    @property
    def raw(self) -> Path:
        """The client's own lines."""
        return self.folder / "agent.raw.jsonl"

    @property
    def result(self) -> Path:
        return self.folder / result.FILE

    @property
    def tests(self) -> Path:
        """Which tests passed in its own steps; the journal has the digest."""
        return self.folder / "tests.json"

    @property
    def agent_log(self) -> Path:
        return self.folder / "agent.log"

    @property
    def ours(self) -> frozenset[Path]:
        """Those that nobody else writes, with secrets masked where others' words are in them."""
        logs = self.agent_log, self.setup_log, self.verify_setup_log
        told = self.prompt, self.message, self.activity, self.raw
        return frozenset((self.record, self.result, self.tests, *told, *logs))

    @property
    def gates(self) -> Path:
        """What the gates printed about this attempt, where they are its steps."""
        return self.folder / "gates"

    @property
    def steps(self) -> Path:
        """What the verification steps printed."""
        return self.folder / "steps"

    @property
    def steps_beside(self) -> Path:
        """The same of the first verification, where a step failed in it beside other heavy work."""
        return self.folder / "steps-beside-others"

    @property
    def setup_log(self) -> Path:
        return self.folder / "setup.log"

    @property
    def verify_setup_log(self) -> Path:
        return self.folder / "verify-setup.log"


@dataclass(frozen=True, slots=True)
class Places:
    """The places of one change: `common` is the git common dir, the state folder lies in it.

    `part` is the folder that its `openspec/` lies in, from the root of the repository ("": the root).
    """

    common: Path
    change_id: str
    part: str = ""

    @property
    def state(self) -> Path:
        return self.common / ids.state(self.change_id)

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

    def aside(self) -> dict[Path, Path]:
        """Where the files of an aborted run are moved to, under the next free number; the journal is the last."""
        earlier = self.earlier_journals()
        number = int(earlier[-1].suffixes[0][1:]) + 1 if earlier else 1
        files = (
            self.summary, self.summary_json, self.handoff, self.completed, self.progress, self.gates, self.journal,
        )  # fmt: skip
        return {file: file.with_name(f"{file.stem}.{number}{file.suffix}") for file in files}

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

    def gate_logs(self, on: str) -> Path:
        """The folder of what the gates printed on the `base` or on a `candidate`."""
        return self.gates / on

    def gate_setup_log(self, on: str) -> Path:
        return self.gate_logs(on) / "setup.log"

    @property
    def indexes(self) -> Path:
        """Private index files, which no agent can reach."""
        return self.state / "indexes"

    def index(self, checkout: str) -> Path:
        """The folder of the index of a checkout."""
        return self.indexes / checkout

    @property
    def summary(self) -> Path:
        return self.state / "summary.md"

    @property
    def summary_json(self) -> Path:
        return self.state / "summary.json"

    @property
    def handoff(self) -> Path:
        """One page about a run that stopped; there is none while it goes on, and when it has landed."""
        return self.state / "handoff.md"

    @property
    def completed(self) -> Path:
        """The folder with a page for each accepted package."""
        return self.state / COMPLETED

    def completed_page(self, package: str) -> Path:
        return self.completed / f"{package}.md"

    @property
    def progress(self) -> Path:
        """How far the run is, for other programs."""
        return self.state / progress.FILE

    @property
    def announce_log(self) -> Path:
        """What the program printed that hears of the run's events."""
        return self.state / "announce.log"

    @property
    def notify_log(self) -> Path:
        """What the program printed that heard of the run's end."""
        return self.state / "notify.log"

    @property
    def pull_request_body(self) -> Path:
        """The body of a pull request for a forge that cannot be asked."""
        return self.state / "pull-request.md"

    @property
    def checks(self) -> Path:
        """What the forge's checks said."""
        return self.state / "checks.json"

    @property
    def client_homes(self) -> Path:
        """The private HOMEs of packages whose agent has a key of its own."""
        return self.state / "homes"

    def client_home(self, package: str) -> Path:
        """One HOME for all attempts at a package: a conversation that goes on lies in it."""
        return self.client_homes / package

    @property
    def attempts(self) -> Path:
        """The folders of all attempts."""
        return self.state / "attempts"

    def attempt(self, package: str, number: int) -> Path:
        return self.attempts / package / str(number)

    def attempt_files(self, package: str, number: int) -> AttemptFiles:
        return AttemptFiles(self.attempt(package, number))

    # checkouts, by their names in the home of the change; a package's own worktree has the package's name

    def verify_checkout(self, package: str) -> str:
        """Where the steps of a package run."""
        return f"{package}.verify"

    @property
    def gate_checkouts(self) -> tuple[str, ...]:
        """Where the gates run on the base and on a candidate, and where steps run on the base."""
        return BASE_CHECKOUT, CANDIDATE_CHECKOUT, STEPS_CHECKOUT

    def checkouts_of(self, package: str) -> tuple[str, str]:
        """All checkouts that attempts at a package have."""
        return package, self.verify_checkout(package)

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
    def carried_refs(self) -> str:
        """The prefix of the refs of the user's commits that packages' repositories have, but the base does not."""
        return f"{self.refs}/carried"

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

    def side_ref(self, package: str, number: int, name: str) -> str:
        """Where work is kept that an attempt left elsewhere than in its worktree."""
        return f"{self.attempt_ref(package, number)}.{name}"

    def side_refs_of(self, package: str, number: int, refs: Iterable[str]) -> list[str]:
        """Those of `refs` that hold such work of an attempt."""
        prefix = self.side_ref(package, number, "")
        return [ref for ref in refs if ref.startswith(prefix)]

    def is_side_ref(self, ref: str) -> bool:
        """Whether a ref holds such work of any attempt."""
        last = ref.rpartition("/")[2]
        return ref.startswith(f"{self.attempt_refs}/") and "." in last

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
        return ids.folder(self.change_id, self.part)

    @property
    def plan_file(self) -> str:
        return ids.plan_file(self.change_id, self.part)

    @property
    def tasks_file(self) -> str:
        return f"{self.folder}/tasks.md"

    @property
    def kept_pages(self) -> str:
        """Where `keep_completed` puts the pages of accepted packages."""
        return f"{self.folder}/{COMPLETED}"

    def kept_page(self, package: str) -> str:
        return f"{self.kept_pages}/{package}.md"

    def own_paths(self, packages: Iterable[str], *, kept: bool, edited: bool = False) -> tuple[str, ...]:
        """Everything that the orchestrator itself writes in a candidate; no other list of that is kept anywhere.

        `kept`: the pages of the packages are wanted there; `edited`: the plan was edited since the run began.
        """
        pages = map(self.kept_page, packages) if kept else ()
        return (self.tasks_file, *([self.plan_file] if edited else []), *pages)
