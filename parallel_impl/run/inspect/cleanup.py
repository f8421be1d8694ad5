"""`parallel-cleanup`: removes what a run left, and nothing whose content is not proven to be contained elsewhere.

Contained means: reachable from a branch, or every path that the work changed stood exactly so in some commit of that
branch since the run's base (so a squash merge counts, and later edits do not matter). What is not contained is listed
and kept, unless `--force`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.errors import UserError, first_line
from parallel_impl.git import home as homes
from parallel_impl.git import mountpoints, mounts
from parallel_impl.git.home import KEPT
from parallel_impl.git.merged import holds, standing, stood_whole
from parallel_impl.git.remove import try_remove
from parallel_impl.git.repo import Repo
from parallel_impl.plan import ids
from parallel_impl.record.journal import load_state
from parallel_impl.record.state import State
from parallel_impl.run.claims import change_lock, claims, ledger
from parallel_impl.run.inspect import layers
from parallel_impl.run.launch import remove_temporary_folders
from parallel_impl.run.places import Places
from parallel_impl.run.publish import merged as merged_pull
from parallel_impl.run.resume import leftovers
from parallel_impl.text import did_you_mean

BELOW = "written below a checkout that was unmounted"
LEFT = "left by a run that was killed; go on with it"


@dataclass(slots=True)
class Report:
    """What was removed (or would be) and what was kept, as lines for people; `notes` are what could not be asked.

    `left` is what stays for other runs.
    """

    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False
    force: bool = False
    change_id: str = ""
    left: str = ""

    def remove(self, place: Path) -> None:
        """Remove a file or folder, where this is no dry run; what cannot be removed is kept."""
        if why := "" if self.dry_run else try_remove(place):
            self.kept.append(f"{place}: {why}; remove it as whoever may")
        else:
            self.removed.append(str(place))

    @property
    def lines(self) -> list[str]:
        verb = "would remove" if self.dry_run else "removed"
        found = [f"{verb} {what}" for what in self.removed] + [f"kept {what}" for what in self.kept]
        if self.kept and not self.force:
            found.append(f"to remove this too: parallel-cleanup {self.change_id} --force")
        notes = [f"note: {note}" for note in self.notes]
        left = [self.left] if self.left else []
        return [*notes, *(found or [f"nothing to clean up for {self.change_id}"]), *left]


def clean(
    repo: Repo,
    folder: Path,
    change_id: str,
    *,
    force: bool,
    dry_run: bool,
    inherited: Mapping[str, str] | None = None,
) -> Report:
    """Clean up after a change. UserError when the id is none, or while a run of it is alive.

    `inherited` are the variables by which the forge of a pull request is asked, and its remote reached.
    """
    ids.check(change_id)
    places = Places(repo.git_dir, change_id)
    report = Report(dry_run=dry_run, force=force, change_id=change_id)
    claimed = places.change_id in ledger.read(places.locks)
    known = claimed or places.state.exists() or change_lock.has_files(places)
    if not known and not repo.refs(places.refs):
        if not dry_run:
            change_lock.remove_empty(places)
        _check_known(repo, folder, places)
        return report
    with change_lock.hold(places):
        if claimed:
            report.removed.append(f"the claims of {change_id}")
            if not dry_run:
                claims.release(places)
        state, cleared = load_state(places.last_journal), None
        if state.started:
            checkout = repo.top(folder)
            if dry_run:
                home = leftovers.find_home(repo, places, state, checkout=checkout)
            else:
                cleared = leftovers.clear(repo, places, state, checkout=checkout)
                home = cleared.home
                report.notes += cleared.left
                if force:  # with work that was in flight
                    report.notes += remove_temporary_folders(cleared.run_id)
            _clean_home(home.path, places, state, report, force=force)
        merged, pending = _ask_forge(repo, folder, state, report, inherited or {})
        pending = pending or _pushed(repo, folder, places, state)
        pending = "" if force else pending
        _clean(repo, folder, places, state, report, force=force, merged=merged, pending=pending)
        if not report.kept and not dry_run:
            if cleared:
                report.notes += leftovers.close(places, cleared.home.path, run=cleared.run_id)
            change_lock.forget(places)
        if state.started:
            report.left = layers.left_beside(home.path, but="" if report.kept else state.started.run_id)
    return report


def is_whole(repo: Repo, folder: Path, places: Places, state: State) -> bool:
    """Whether a clean-up removes all, as far as is known without the forge; the caller holds the change."""
    report = Report(dry_run=True)
    _clean_home(leftovers.find_home(repo, places, state, checkout=repo.top(folder)).path, places, state, report)
    _clean(repo, folder, places, state, report)
    return not report.kept


def _check_known(repo: Repo, folder: Path, places: Places) -> None:
    """UserError where neither a commit nor the worktree has the change, or had it before it was archived."""
    top = repo.top(folder)
    tips = (repo.head(folder), repo.ref(places.branch_ref), repo.ref(f"refs/heads/archive/{places.change_id}"))
    paths = {entry.path for tip in tips if tip for entry in repo.entries(tip, recurse=True)}
    names = {name for path in paths for name in _changes_of(path)}
    here = top is not None and (top / ids.folder(places.change_id)).is_dir()
    if not here and not any(name == places.change_id or ids.is_archived(name, places.change_id) for name in names):
        hint = did_you_mean(places.change_id, sorted(names)) or "see: parallel-impl status"
        raise UserError(f"there is no change {places.change_id!r} and no run of it", where="<change-id>", hint=hint)


def _changes_of(path: str) -> Iterator[str]:
    """The name of the change that a file belongs to, also of an archived one, in whatever part it lies."""
    _, found, below = f"/{path}".partition(f"/{ids.CHANGES}/")
    first, _, rest = below.removeprefix("archive/").partition("/")
    if found and rest:
        yield first


def _ask_forge(repo: Repo, folder: Path, state: State, report: Report, inherited: Mapping[str, str]) -> tuple[str, str]:
    """What the forge says was merged, "" where it does not; the branch on the remote goes only then.

    And why its pull request is not done with, "" where it is, or where there is none.
    """
    answer = merged_pull.find(repo, folder, state, inherited)
    report.notes += [answer.trouble] if answer.trouble else []
    if (found := answer.merged) is None:
        return "", f"{answer.pending} is not known as merged or closed" if answer.pending else ""
    pending = ""
    where = f"{found.branch} on {found.destination.remote.name}"
    try:
        tip = found.find_remote()
        if tip and (tip != found.head if report.dry_run else not found.remove_remote()):
            report.kept.append(f"{where}: it is {tip[:12]}, and {found.head[:12]} was merged")
        elif tip:
            report.removed.append(f"{where}: {found.pull.url} is merged")
    except UserError as error:
        report.notes.append(f"{where} is left: {first_line(str(error))}")
        pending = f"{where} is still to be removed"
    return found.head if repo.resolve(found.head) else "", pending


def _pushed(repo: Repo, folder: Path, places: Places, state: State) -> str:
    """Why what `parallel-impl pr` wrote for a person to open a pull request with is kept, "" where it is not.

    There is no forge to ask, so that this is done is seen in the branches that it was to be merged into.
    """
    landed, started = state.landed, state.started
    if not (landed and started and state.pushed) or not places.pull_request_body.exists():
        return ""
    tips = {name: tip for name, tip in _targets(repo, folder, places) if name != landed.branch}
    if any(holds(repo, tip, landed.commit) for tip in set(tips.values())):
        return ""
    into = f"not merged into {', '.join(tips)}" if tips else "merged nowhere"
    return (
        f"{landed.branch} was pushed to {state.pushed.remote} for a pull request ({places.pull_request_body.name}), "
        f"and is {into} as far as is known here; once it is, and fetched, this removes it"
    )


def _clean(
    repo: Repo,
    folder: Path,
    places: Places,
    state: State,
    report: Report,
    *,
    force: bool = False,
    merged: str = "",
    pending: str = "",
) -> None:
    """Refs and state; while something is `pending` the state stays, with the refs that `parallel-impl pr` reads."""
    refs = repo.refs(places.refs)
    contained = _Containment.of(repo, places, dict(_targets(repo, folder, places)), state, merged)
    for ref, commit in refs.items():
        users = ref == places.base_ref or ref.startswith(places.plan_refs)  # with all below them, not only one change
        # no work of this run: where a branch of the user's was, and the plan that was made for --single (a blob)
        theirs = ref.startswith(f"{places.carried_refs}/") or (users and repo.resolve(commit) is None)
        if pending and users:
            continue
        holds = contained.reaches if users else contained.holds_line if places.is_side_ref(ref) else contained.holds
        if force or theirs or holds(commit):
            report.removed.append(ref)
            if not report.dry_run:
                repo.delete_ref(ref, commit)
        else:
            report.kept.append(f"{ref}: {commit[:12]} is contained in none of {', '.join(contained.names)}")
    if pending:
        report.kept.append(f"{places.state}: {pending}")
    elif report.kept:
        report.kept.append(f"{places.state}: journal, logs and results of what is kept")
    elif places.state.exists():
        report.remove(places.state)


def _clean_home(home: Path, places: Places, state: State, report: Report, *, force: bool = False) -> None:
    """Worktrees are left by a crash only; what lies in one is on no ref, so it is work that nothing contains."""
    packages = {*state.packages, *state.removed}
    ours = {*places.gate_checkouts, *(name for package in packages for name in places.checkouts_of(package))}
    for path in mounts.written(home):
        if path.name in packages and not force:
            report.kept.append(f"{path}: {LEFT}, or look at it: parallel-impl enter {places.change_id} {path.name}")
        else:
            report.remove(path)
    for path in mounts.left_below(home):
        if force:
            report.remove(path)
        else:
            report.kept.append(f"{path}: {BELOW}")
    for path in sorted(home.iterdir()) if home.is_dir() else ():
        name = path.name.removesuffix(".git")
        if (name in ours and name not in packages) or (force and (name in ours or path.name == KEPT)):
            report.remove(path)
        elif path.name == KEPT:
            report.kept += [f"{kept}: {_why_kept(kept)}" for kept in _worktrees(path)]
        elif name in packages:
            report.kept.append(f"{path}: {LEFT}, or look at it")
        else:
            report.kept.append(f"{path}: not made by this tool")
    if not report.dry_run:
        mounts.remove_empty(home)
        homes.remove_empty(home)


def _why_kept(place: Path) -> str:
    return BELOW if place.name.startswith(f"{mountpoints.KEPT_AS}.") else "a worktree that could not be staged"


def _worktrees(kept: Path) -> Iterator[Path]:
    """The worktrees among what was kept, without the repositories beside them."""
    for path in sorted(kept.iterdir()):
        if not (path.suffix == ".git" and path.with_suffix("").exists()):
            yield path


@dataclass(frozen=True, slots=True)
class _Containment:
    """Which commits are contained in the feature branch, in what is checked out, or in a remote's default branch.

    `reached` are on one of these, with everything below them; of `held` nothing is lost with the last ref to them.
    """

    repo: Repo
    base: str
    tips: Collection[str]
    names: list[str]
    reached: Collection[str]
    held: Collection[str]

    @classmethod
    def of(cls, repo: Repo, places: Places, tips: Mapping[str, str], state: State, merged: str) -> _Containment:
        """Of all refs, in one pass over each branch; `merged` is what the forge merged, by a squash or a rebase too."""
        base = state.started.base if state.started else ""
        tips = {**tips, **({"the merged pull request": merged} if merged else {})}
        reached = {oid for tip in set(tips.values()) for oid in repo.refs(places.refs, merged=tip).values()}
        rest = sorted({*repo.refs(places.refs).values()} - reached - {base})
        parents = {line[0]: line[1:] for line in repo.ancestry(rest)}
        changes = dict(repo.diffs(" ".join((one, *above[:1])) for one, above in parents.items() if above))
        held = {one for one, above in parents.items() if above and one not in changes}
        for tip in set(tips.values()):
            left = {one: changed for one, changed in changes.items() if one not in held}
            held |= standing(repo, left, tip, without=base) if left else set()
        return cls(repo, base, set(tips.values()), [*tips] or ["any branch"], reached, {*reached, *held, base})

    def reaches(self, commit: str) -> bool:
        """Whether the commit, with everything below it, is on one of the branches."""
        return commit in self.reached

    def holds(self, commit: str) -> bool:
        """Whether nothing is lost when the last ref to this commit goes."""
        return commit in self.held

    def holds_line(self, commit: str) -> bool:
        """Whether nothing is lost when the last ref to commits goes that an agent made itself, one on the other."""
        if self.reaches(commit):
            return True
        base = self.base
        return bool(base) and any(stood_whole(self.repo, commit, tip, base=base) for tip in self.tips)


def _targets(repo: Repo, folder: Path, places: Places) -> Iterator[tuple[str, str]]:
    refs = repo.refs("refs/heads", "refs/remotes")
    if places.branch_ref in refs:
        yield places.branch, refs[places.branch_ref]
    if branch := repo.branch(folder):  # a commit that is only looked at keeps nothing: HEAD moves on
        yield branch, refs[f"refs/heads/{branch}"]
    for name, tip in refs.items():
        if name.startswith("refs/remotes/") and name.endswith("/HEAD"):
            yield name.removeprefix("refs/remotes/"), tip
        elif name in ("refs/heads/main", "refs/heads/master"):
            yield name.removeprefix("refs/heads/"), tip
