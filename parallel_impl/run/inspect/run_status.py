"""Runs as they lie on disk, live or ended, as `parallel-impl status`, `show` and `runs` print them. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import UserError, first_line, printable
from parallel_impl.git.repo import Repo
from parallel_impl.plan import ids
from parallel_impl.plan.ids import STATE
from parallel_impl.plan.model import Plan, StepKind
from parallel_impl.record import json_form, result
from parallel_impl.record.journal import load_state
from parallel_impl.record.result import StepRecord
from parallel_impl.record.state import RunState, State
from parallel_impl.run.claims import change_lock, claims
from parallel_impl.run.claims.claims import Active, Standing
from parallel_impl.run.places import LOCKS, Places
from parallel_impl.text import until

ENDED = (RunState.LANDED, RunState.HALTED, RunState.ABORTED, RunState.PAUSED)


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run: where it lies, what its journal folds to, which process works on it, and what it claims.

    `unreadable` says why the journal cannot be read; `owner` is "" when nobody works on the run, `claims` None when it
    claims nothing.
    """

    places: Places
    state: State
    owner: str = ""
    claims: Active | None = None
    unreadable: str = ""

    @property
    def word(self) -> str:
        """The state of the run in a word: one that nobody works on and that has no end was interrupted."""
        if self.unreadable:
            return "unreadable"
        live = self.owner or (self.claims and self.claims.standing is Standing.LIVE)
        return str(self.state.run) if live or self.state.run in ENDED else "interrupted"

    @property
    def headline(self) -> str:
        """The change, the state of the run, and the process that works on it or why the journal cannot be read."""
        more = f": {self.unreadable}" if self.unreadable else f" ({self.owner})" if self.owner else ""
        return printable(f"{self.places.change_id}  {self.word}{more}")

    @property
    def pause_lines(self) -> list[str]:
        """Of a paused run: by whom, until when, why, and the command that goes on; nothing of another one."""
        paused = self.state.paused
        if paused is None:
            return []
        lines = [f"paused by {paused.by}{until(paused.until)}: {first_line(paused.why)}"]
        if not self.owner:
            lines.append(paused.going_on(f"parallel-implement {self.places.change_id}"))
        return [printable(f"  {line}") for line in lines]

    @property
    def claim_lines(self) -> list[str]:
        """For people: the run, who holds its claims, and a line for each package that claims something."""
        if self.claims is None:
            owner = f" ({self.owner})" if self.owner else ""
            return [printable(f"{self.places.change_id}  {self.word}, claims nothing{owner}")]
        who = self.claims.who
        head = who if who.startswith(self.word) else f"{self.word}, {who}"
        lines = [f"{self.places.change_id}  {head}"]
        for name, one in self.claims.claims.packages.items() if self.claims.claims else ():
            lines.append(f"  {name}  writes {', '.join(one.write_allow)}")
            lines[-1] += f"; not {', '.join(one.deny)}" if one.deny else ""
            lines[-1] += f"; locks {', '.join((*one.files, *one.keys))}" if one.files or one.keys else ""
        return [printable(line) for line in lines]

    def claimed(self) -> dict[str, object]:
        """The same as plain data."""
        packages = self.claims.claims.packages if self.claims and self.claims.claims else {}
        return {
            "change_id": self.places.change_id,
            "state": self.word,
            "owner": self.owner,
            "claims": {name: json_form.plain(one) for name, one in packages.items()},
        }

    def describe(self) -> str:
        """The summary, or while there is none the states."""
        if self.places.summary.is_file() and not self.owner:
            return self.places.summary.read_text("utf-8")
        owner = f" ({self.owner})" if self.owner else ""
        lines = [f"{self.places.change_id}: {self.word}{owner}, no summary yet"]
        lines += self.pause_lines
        lines += [f"  {name}  {progress.state}" for name, progress in self.state.packages.items()]
        return printable("\n".join(lines) + "\n")

    def describe_package(self, package: str) -> str:
        """Every attempt at a package: outcome, steps, evidence, logs. UserError for an unknown one."""
        progress = self.state.packages.get(package)
        if progress is None:
            known = ", ".join(self.state.packages)
            raise UserError(f"{self.places.change_id} has no package {package!r}", hint=f"packages: {known}")
        lines = [f"{package}: {progress.state}", f"  depends on: {', '.join(progress.depends_on) or 'nothing'}"]
        if progress.commit:
            lines += [f"  accepted commit: {progress.commit}", f"  look: git show {self.places.package_ref(package)}"]
        for number in range(1, progress.attempts + 1):
            folder = self.places.attempt(package, number)
            lines += [f"  attempt {number}: {folder}", *(f"    {line}" for line in _describe_attempt(folder))]
        return printable("\n".join(lines) + "\n")


def _describe_attempt(folder: Path) -> list[str]:
    try:
        found = result.load(storage.read(folder / result.FILE))
    except OSError:
        return ["no result (not ended, or ended by a crash)"]
    except ValueError as error:
        return [f"its {result.FILE} cannot be read: {error}"]
    lines = [f"{found.status}: {found.error_code}" if found.error_code else found.status]
    lines += [f"| {line}" for line in str(found.error or "").splitlines()]
    lines += [_describe_step(step) for step in found.verification.steps]
    lines += [f"changed {path}" for path in found.files_modified]
    return lines + [f"left out {path}" for path in found.files_ignored]


def _describe_step(step: StepRecord) -> str:
    verdict = "for a person" if step.kind is not StepKind.COMMAND else "passed" if step.passed else "FAILED"
    return f"step {step.name}: {verdict}" + (f", log {step.log}" if step.log else "")


def runs(common: Path) -> list[RunStatus]:
    """Every run of a repository, by change-id: ended, aborted, live, and not started yet. `common` is its git dir."""
    return _runs(common, _active(common))


def runs_and_claims(folder: Path) -> list[RunStatus]:
    """Those of the repository that `folder` lies in; UserError when the ledger of claims is damaged."""
    common = _common(folder)
    return _runs(common, {run.change_id: run for run in claims.active(common)})


def run(folder: Path, change_id: str) -> RunStatus:
    """One run; UserError when there is none, or its journal is damaged."""
    ids.check(change_id)
    common = _common(folder)
    active = _active(common)
    names = _names(common, active)
    if change_id not in names:
        raise UserError(f"there is no run of {change_id!r} here", hint=f"runs: {', '.join(sorted(names)) or 'none'}")
    places = Places(common, change_id)
    return RunStatus(places, load_state(places.last_journal), change_lock.find_owner(places), active.get(change_id))


def feasibility(folder: Path, plan: Plan) -> list[str]:
    """How feasible a plan is beside the live and the halted runs of the repository, with what is in its way."""
    places = Places(_common(folder), plan.feature_id)
    found = claims.rivals(places, plan.packages)
    return [printable(line) for line in claims.describe(places.change_id, plan.packages, found)]


def _common(folder: Path) -> Path:
    return Repo.discover(folder).git_dir


def _active(common: Path) -> dict[str, Active]:
    """The runs with claims, as far as the ledger can be read: here they only tell whether a run is live."""
    try:
        return {run.change_id: run for run in claims.active(common)}
    except UserError:
        return {}


def _names(common: Path, active: Iterable[str]) -> set[str]:
    """The changes with claims, with a journal (an aborted run's too), or that a process has taken."""
    started = {journal.parent.name for journal in (common / STATE).glob("*/journal*.jsonl")}
    locked = {about.stem for about in (common / STATE / LOCKS).glob("*.json") if not ids.problem(about.stem)}
    return {*active, *started, *locked}


def _runs(common: Path, active: Mapping[str, Active]) -> list[RunStatus]:
    return [_status(Places(common, name), active.get(name)) for name in sorted(_names(common, active))]


def _status(places: Places, active: Active | None) -> RunStatus:
    """A run as far as it can be read: one that cannot must not hide the others."""
    state, owner, unreadable = State(), "", ""
    try:
        owner = change_lock.find_owner(places)
        state = load_state(places.last_journal)
    except (UserError, OSError) as error:
        unreadable = first_line(str(error))
    return RunStatus(places, state, owner, active, unreadable)
