"""A merged change is archived: one commit on the base branch's tip, on the new branch `archive/<change-id>`.

Merged means: the branch holds the landed commit, or (squashed, rebased) all that it changed. Nothing of the user's is
touched but that branch, and what does not work is told with the line to type: it keeps nobody from cleaning up.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from parallel_impl import config
from parallel_impl.errors import UserError, count, printable
from parallel_impl.git import identity, merged, remotes
from parallel_impl.git.identity import Identity
from parallel_impl.git.repo import GitError, Repo
from parallel_impl.openspec import archiving, program, tasks
from parallel_impl.openspec.program import OpenSpecError
from parallel_impl.plan import ids, parts
from parallel_impl.record.journal import load_state
from parallel_impl.record.state import State
from parallel_impl.run.claims import change_lock
from parallel_impl.run.places import Places
from parallel_impl.run.publish import destination
from parallel_impl.run.publish import merged as merged_pull
from parallel_impl.run.publish.destination import Destination
from parallel_impl.run.publish.merged import MergedBranch

FIRST = 20  # open tasks that are listed
OF_ARCHIVE = "archive"  # stands for the run in the mark of its pull request


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """What was typed: a local branch to move, a pull request to open, open tasks that become a follow-up list."""

    on_branch: str = ""
    pull_request: bool = False
    with_open_tasks: bool = False
    dry_run: bool = False


@dataclass(slots=True)
class ArchiveReport:
    """What became of it, as lines for people; `refused`: the change was to be archived and was not.

    `unmerged`: it landed, and no base branch is known to have it.
    """

    lines: list[str] = field(default_factory=list)
    refused: bool = False
    unmerged: bool = False
    commit: str = ""
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """The branch that the change is archived on: for people, its tip, and its name on the remote (else "")."""

    shown: str
    tip: str
    branch: str
    remote: str = ""


def archive(repo: Repo, folder: Path, change_id: str, options: ArchiveOptions, env: Mapping[str, str]) -> ArchiveReport:
    """Archive the change where it is merged. UserError when the id is none, or while a run of it is alive.

    `env` is the environment that was inherited, with the variables by which git reaches a remote.
    """
    ids.check(change_id)
    places = Places(repo.git_dir, change_id)
    state = _state(places)
    landed = _landed(repo, places, state)
    if not landed:
        if options.on_branch:
            raise UserError(f"{change_id} has not landed, so there is nothing to archive", where="--archive-on")
        return ArchiveReport()
    found = parts.having(change_id, [entry.path for entry in repo.entries(landed, recurse=True)])
    places = replace(places, part=min(found, default=""))
    known = places.state.exists() or change_lock.has_files(places)
    with change_lock.hold(places):
        archiver = _Archiver(repo, folder, places, landed, options, env, state)
        try:
            archiver.archive()
            archiver.report_branch()
        finally:
            for ref, commit in repo.refs(archiver.scratch_ref).items():
                repo.delete_ref(ref, commit)
            if not known:
                change_lock.forget(places)
    return archiver.report


@dataclass(slots=True)
class _Archiver:
    """One call: what was typed and found, and what became of it so far.

    `landed` is the commit that landed, `state` what the journal knows of its run, `holder` the branch that has the
    change merged and nothing left to archive.
    """

    repo: Repo
    folder: Path
    places: Places
    landed: str
    options: ArchiveOptions
    env: Mapping[str, str]
    state: State
    report: ArchiveReport = field(default_factory=ArchiveReport)
    holder: str = ""

    @property
    def scratch_ref(self) -> str:
        """Where the fetched tip and the new commit are until they are on a branch."""
        return f"{self.places.refs}/archive"

    def archive(self) -> None:
        """Find the branch that has the change merged, and archive the change there, if it is not yet."""
        repo, places, report = self.repo, self.places, self.report
        if (target := self.target()) is None:
            return
        if name := archived_as(repo, target.tip, places.change_id, places.part):
            folder = f"{ids.changes(places.part)}/archive/{name}"
            report.lines.append(f"{places.change_id} is archived on {target.shown} as {folder}")
            self.holder = target.shown
            return
        if not repo.entries(target.tip, places.folder):
            self.holder = target.shown
            return
        branch = self.options.on_branch or f"archive/{places.change_id}"
        if not self.options.on_branch and (made := repo.ref(f"refs/heads/{branch}")):
            self.report_made(target, branch, made)
            return
        content = repo.read(target.tip, places.tasks_file)
        left = tasks.still_open(tasks.read(content)) if content is not None else ()
        if left and not self.options.with_open_tasks:
            report.refused = True
            what = f"not archived: {count(len(left), 'task')} of {places.change_id} still open:"
            again = f"to archive all the same, with these as a follow-up list: {self.again()}"
            report.lines += [what, *_listed(left), again]
        elif self.options.dry_run:
            self.try_out(target)
        else:
            self.commit(target, branch, left)

    def try_out(self, target: Target) -> None:
        """What a dry run promises: nothing without the program that does it."""
        try:
            program.version(self.env)
        except OpenSpecError as error:
            self.report_unable(error)
        else:
            self.report.lines.append(f"would archive {self.places.change_id} on {target.shown}")

    def report_unable(self, error: OpenSpecError) -> None:
        """The program did not archive the change; where it is not installed, archiving was not to be expected."""
        self.report.refused = bool(program.find(self.env))
        self.report.lines += [f"not archived: {error}", f"  then: parallel-cleanup {self.places.change_id}"]

    def report_branch(self) -> None:
        """The feature branch is the user's, so it stays: the line that deletes it, once nothing needs it any more."""
        ref = self.places.branch_ref
        if self.holder and self.repo.ref(ref) and not self.repo.holder(ref):
            branch = self.places.branch
            self.report.lines.append(f"{branch} is merged into {self.holder}; to delete it: git branch -D {branch}")

    def commit(self, target: Target, branch: str, left: tuple[str, ...]) -> None:
        """Make the commit and put it on `branch`; `left` are the open tasks."""
        places, report = self.places, self.report
        try:
            done = archiving.archive(
                self.repo,
                target.tip,
                places.change_id,
                part=places.part,
                open_tasks=left,
                env=self.env,
                ref=self.scratch_ref,
                identity=_identity(self.repo, self.folder, target.tip, self.env),
                date=int(time.time()),
            )
        except OpenSpecError as error:
            self.report_unable(error)
            return
        self.holder = target.shown
        moves = bool(self.options.on_branch)
        _move(self.repo, branch, done.commit, target.tip if moves else None)
        report.commit, report.branch = done.commit, branch
        what = f"archived {places.change_id} as {done.name}: one commit on {target.shown}"
        report.lines.append(what if moves else f"{what}, on the branch {branch}")
        if left:
            where = f"{ids.changes(places.part)}/archive/{done.name}/{archiving.FOLLOW_UP}"
            report.lines += [f"  follow-up, {count(len(left), 'open task')}, in {where}:", *_listed(left)]
        if not moves:
            self.publish(target, branch, done.commit)

    def publish(self, target: Target, branch: str, commit: str) -> None:
        """Open the pull request of the branch where that is wanted, else tell the line that merges it."""
        if not self.options.pull_request:
            self.report.lines += _how_to_merge(target, branch)
            return
        change_id = self.places.change_id
        try:
            opened = destination.open_pull_request(
                self.repo,
                self.folder,
                self.env,
                change_id=change_id,
                run_id=OF_ARCHIVE,
                branch=branch,
                commit=commit,
                title=f"Archive {change_id}",
                body=f"{change_id} is merged: this archives it in OpenSpec and merges its deltas into the specs.",
                base=target.branch if target.remote else "",
            )
        except UserError as error:
            self.report.refused = True
            self.report.lines += [f"no pull request: {error}", *_how_to_merge(target, branch)]
            return
        self.report.lines.append(f"  pull request {opened.way}: {opened.pull.url}")

    def target(self) -> Target | None:
        """The branch that has the change; None, with the reason in the report, where it is not merged yet."""
        feature = self.places.branch
        if typed := self.options.on_branch:
            target = _named(self.repo, typed)
            if not merged.holds(self.repo, target.tip, self.landed):
                raise UserError(f"{typed} does not hold {feature} yet", where="--archive-on", hint="merge it first")
            return target
        try:
            answer = merged_pull.find(self.repo, self.folder, self.state, self.env)
            if found := answer.merged:
                return self.having(self.fetch(found.destination, found.pull.base), found)
            self.report.lines += [f"note: {answer.trouble}"] if answer.trouble else []
            targets = list(self.targets())
        except UserError as error:
            self.report.unmerged = True
            self.report.lines.append(f"not archived: whether {feature} is merged could not be asked: {error}")
            return None
        for target in targets:
            if merged.holds(self.repo, target.tip, self.landed):
                return target
        if targets and self.repo.entries(self.landed, self.places.folder):
            self.report.unmerged = True
            self.report.lines += self.unmerged(targets[0])
        return None

    def unmerged(self, target: Target) -> Iterator[str]:
        """That the base lacks the change; a merge that was only not pushed is told as that."""
        feature, tip = self.places.branch, self.repo.ref(f"refs/heads/{target.branch}")
        if target.remote and tip and merged.holds(self.repo, tip, self.landed):
            yield f"not archived: {feature} is merged into {target.branch} here, but not into {target.shown} yet"
            yield f"  push {target.branch} first: git push {shlex.quote(target.remote)} {shlex.quote(target.branch)}"
        else:
            yield f"not archived: {feature} is not merged into {target.shown} yet"

    def having(self, target: Target, found: MergedBranch) -> Target | None:
        """The base that the forge merged into, as the remote has it: a fork's own does not have it by itself."""
        merge = self.repo.resolve(found.pull.merge) if found.pull.merge else None
        if (merge and self.repo.is_ancestor(merge, target.tip)) or merged.holds(self.repo, target.tip, self.landed):
            return target
        self.report.unmerged = True
        self.report.lines.append(f"not archived: {found.pull.url} is merged, but {target.shown} does not have it yet")
        return None

    def targets(self) -> Iterator[Target]:
        """Where the change would be merged: the remote's base branch as it is now, else the user's own branches."""
        users = self.repo.branch(self.folder)
        if len(remotes.for_publishing(self.repo, users)) == 1:
            found = Destination.find(self.repo, self.folder, self.env, fallback=self.landed)
            yield self.fetch(found, found.base(None))
            return
        for branch in dict.fromkeys((users, "main", "master")):
            tip = self.repo.ref(f"refs/heads/{branch}") if branch and branch != self.places.branch else None
            if tip:
                yield Target(branch, tip, branch)

    def fetch(self, found: Destination, branch: str) -> Target:
        """A branch of the remote, fetched by URL."""
        remote = found.remote
        return Target(f"{remote.name}/{branch}", remote.fetch(branch, self.scratch_ref), branch, remote.name)

    def report_made(self, target: Target, branch: str, made: str) -> None:
        """The branch of an earlier cleanup: what to do with it."""
        if not archived_as(self.repo, made, self.places.change_id, self.places.part):
            self.report.refused = True
            self.report.lines += [
                f"not archived: {branch} is a branch already, and does not have {self.places.change_id} archived",
                f"  it is left as it is; to make room for it: git branch -m {branch} <another name>",
            ]
            return
        self.report.commit, self.report.branch = made, branch
        if self.repo.parents(made)[:1] == (target.tip,):
            self.report.lines.append(f"archived on the branch {branch} already")
            self.holder = target.shown
            self.publish(target, branch, made)
            return
        self.report.lines += [
            f"{branch} was made for another commit than {target.shown} is at now",
            f"  to archive on that: git branch -D {branch}, then the same command again",
        ]

    def again(self) -> str:
        """The command that archives all the same."""
        on = f" --archive-on {shlex.quote(self.options.on_branch)}" if self.options.on_branch else ""
        also = " --pr" if self.options.pull_request else ""
        return f"parallel-cleanup {self.places.change_id}{on}{also} --with-open-tasks"


def archived_as(repo: Repo, commit: str, change_id: str, part: str = "") -> str:
    """The name of the change below `changes/archive/`, `<date>-<id>`; "" while it is not archived."""
    if repo.entries(commit, ids.folder(change_id, part)):
        return ""
    archive_folder = f"{ids.changes(part)}/archive"
    names = (entry.path.rpartition("/")[2] for entry in repo.entries(commit, f"{archive_folder}/"))
    return max((name for name in names if ids.is_archived(name, change_id)), default="")


def _state(places: Places) -> State:
    """What the journal knows; nothing where it is damaged, which the cleaning up reports later on."""
    try:
        return load_state(places.last_journal)
    except UserError:
        return State()


def _landed(repo: Repo, places: Places, state: State) -> str:
    """The commit that landed: what the feature branch is at, else what the journal has; "" while a run is not over.

    A person may have taken what was proven themselves, where the branch was checked out.
    """
    if found := repo.ref(places.branch_ref):
        proven = repo.ref(places.proven_ref)
        over = state.started is None or state.landed or (proven and repo.is_ancestor(proven, found))
        return found if over else ""
    landed = state.landed
    return landed.commit if landed and repo.resolve(landed.commit) else ""


def _named(repo: Repo, branch: str) -> Target:
    """The local branch that was typed. UserError where it cannot be moved."""
    ref = f"refs/heads/{branch}"
    tip = repo.ref(ref)
    if tip is None:
        raise UserError(f"there is no local branch {branch!r}", where="--archive-on")
    _check_not_checked_out(repo, ref)
    return Target(branch, tip, branch)


def _check_not_checked_out(repo: Repo, ref: str) -> None:
    if worktree := repo.holder(ref):
        raise UserError(
            f"{ref.removeprefix('refs/heads/')} is checked out in {worktree.path}: it is not moved under it",
            where="--archive-on",
            hint="leave --archive-on away, and merge the branch that is then made",
        )


def _move(repo: Repo, branch: str, commit: str, old: str | None) -> None:
    ref = f"refs/heads/{branch}"
    if old:
        _check_not_checked_out(repo, ref)
    try:
        repo.update_ref(ref, commit, old)
    except GitError as error:
        raise UserError(f"git refuses to move {branch}: {error.stderr}", where=ref, hint="give it again") from None


def _how_to_merge(target: Target, branch: str) -> list[str]:
    if target.remote:
        return [f"  publish: git push {shlex.quote(target.remote)} {branch}   # then merge it into {target.branch}"]
    return [f"  merge:   git merge --ff-only {branch}   # on {target.branch}"]


def _listed(left: tuple[str, ...]) -> list[str]:
    more = [f"  and {len(left) - FIRST} more"] if len(left) > FIRST else []
    return [*(printable(f"  - {task}") for task in left[:FIRST]), *more]


def _identity(repo: Repo, folder: Path, tip: str, env: Mapping[str, str]) -> Identity:
    settings = config.read(repo.read(tip, config.FILE), repo.read(tip, "pyproject.toml"))
    named = identity.parse(settings.commit_identity)
    found = Identity(named, named) if named else identity.find(repo, folder, env)
    return Identity(found.author, found.committer, signoff=settings.signoff)
