"""Runs as they lie on disk, live or ended: what `parallel-impl status`, `show` and `runs` tell. Reads, never writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.errors import UserError, printable
from parallel_impl.git.repo import Repo, scrub_environment
from parallel_impl.plan import ids
from parallel_impl.plan.model import Plan
from parallel_impl.record.journal import read
from parallel_impl.record.state import RunState, State, fold
from parallel_impl.run.claims import change_lock, claims
from parallel_impl.run.places import LOCKS, STATE, Places


@dataclass(frozen=True, slots=True)
class Past:
    """One run: where it lies and what its journal folds to."""

    places: Places
    state: State

    @property
    def standing(self) -> str:
        """The state of the run, in a word or two: one that nobody works on and that has no end was interrupted."""
        ended = (RunState.LANDED, RunState.HALTED, RunState.ABORTED)
        return str(self.state.run) if self.state.run in ended or self.liveness else "interrupted"

    @property
    def liveness(self) -> str:
        """Who works on it now, in brackets; "" when nobody does."""
        who = change_lock.holder(self.places)
        return f" ({who})" if who else ""

    def describe(self) -> str:
        """The summary, or while there is none the states."""
        if self.places.summary.is_file() and not self.liveness:
            return self.places.summary.read_text("utf-8")
        lines = [f"{self.places.change_id}: {self.standing}{self.liveness}, no summary yet"]
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
            lines += self._attempt(package, number)
        return printable("\n".join(lines) + "\n")

    def _attempt(self, package: str, number: int) -> list[str]:
        folder = self.places.attempt(package, number)
        lines = [f"  attempt {number}: {folder}"]
        try:
            result = json.loads((folder / "result.json").read_bytes())
        except (OSError, ValueError):
            return [*lines, "    no result (not ended, or ended by a crash)"]
        lines.append(f"    {result['status']}" + (f": {result['error_code']}" if "error_code" in result else ""))
        lines += [f"    | {line}" for line in result.get("error", "").splitlines()]
        for step in result["verification"]["steps"]:
            verdict = "for a person" if step["kind"] != "command" else "passed" if step["passed"] else "FAILED"
            lines.append(f"    step {step['name']}: {verdict}" + (f", log {step['log']}" if step.get("log") else ""))
        lines += [f"    changed {path}" for path in result["files_modified"]]
        return lines + [f"    left out {path}" for path in result.get("files_ignored", [])]


def changes(folder: Path) -> list[str]:
    """The changes with a run, ended, live or aborted, in the repository that `folder` lies in."""
    scrub_environment()
    common = Repo.discover(folder).git_dir
    return sorted({journal.parent.name for journal in (common / STATE).glob("*/journal*.jsonl")})


@dataclass(frozen=True, slots=True)
class Hold:
    """A run and what it holds: `state` is its journal's, `claims` are None when it claims nothing."""

    change_id: str
    state: str
    by: str
    claims: claims.Active | None

    @property
    def lines(self) -> list[str]:
        """For people: the run, who holds it, and a line for each package that claims something."""
        if self.claims is None:
            return [printable(f"{self.change_id}  {self.state}, claims nothing{f' ({self.by})' if self.by else ''}")]
        who = self.claims.who
        lines = [f"{self.change_id}  {who if who.startswith(self.state) else f'{self.state}, {who}'}"]
        for package in self.claims.entry.packages if self.claims.entry else ():
            scope, locks = package.scope, [*package.locks.files, *package.locks.keys]
            lines.append(f"  {package.id}  writes {', '.join(scope.write_allow)}")
            lines[-1] += f"; not {', '.join(scope.deny)}" if scope.deny else ""
            lines[-1] += f"; locks {', '.join(locks)}" if locks else ""
        return [printable(line) for line in lines]


def holds(folder: Path) -> list[Hold]:
    """Every run of the repository that `folder` lies in, those too that did not start yet, by change-id."""
    scrub_environment()
    common = Repo.discover(folder).git_dir
    active = {run.change_id: run for run in claims.active(common)}
    state = common / STATE
    started = {journal.parent.name for journal in state.glob("*/journal*.jsonl")}
    held = {about.stem for about in (state / LOCKS).glob("*.json") if not ids.problem(about.stem)}
    return [_hold(Places(common, change), active.get(change)) for change in sorted({*active, *started, *held})]


def _hold(places: Places, active: claims.Active | None) -> Hold:
    state = claims.read_state(places.last_journal)
    return Hold(places.change_id, str(state.run) if state else "unreadable", change_lock.holder(places), active)


def feasibility(folder: Path, plan: Plan) -> list[str]:
    """How feasible a plan is beside the live and the halted runs of the repository, with what is in its way."""
    scrub_environment()
    places = Places(Repo.discover(folder).git_dir, plan.feature_id)
    found = claims.rivals(places, plan.packages)
    return [printable(line) for line in claims.describe(places.change_id, plan.packages, found)]


def run(folder: Path, change_id: str) -> Past:
    """One run; UserError when there is none, or its journal is damaged."""
    ids.check(change_id)
    found = changes(folder)
    if change_id not in found:
        raise UserError(f"there is no run of {change_id!r} here", hint=f"runs: {', '.join(found) or 'none'}")
    places = Places(Repo.discover(folder).git_dir, change_id)
    return Past(places, fold(read(places.last_journal)))
