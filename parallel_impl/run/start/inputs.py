"""What a run is made from: the base commit, and the plan and configuration that are committed in it.

Nothing is read from the work tree: what agents could edit, or a person is still editing, is not the input.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from parallel_impl import config
from parallel_impl.agents import assignment, tables
from parallel_impl.config import Config, SetupCommand
from parallel_impl.contracts import plan_check
from parallel_impl.contracts.plan_check import Checked
from parallel_impl.errors import Problem, Severity, UserError, count
from parallel_impl.gates import quality, setup
from parallel_impl.gates.quality import Gate
from parallel_impl.git import checked_out, ignored
from parallel_impl.git import links as found_links
from parallel_impl.git.repo import Entry, GitError, Repo
from parallel_impl.openspec import task_names
from parallel_impl.plan import ids, links
from parallel_impl.plan.globs import globs
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order
from parallel_impl.plan.reading import load as loading
from parallel_impl.record.state import State
from parallel_impl.run import feature_branch
from parallel_impl.run.places import Places
from parallel_impl.run.resume import pinned
from parallel_impl.run.start import configuration_edit, plan_advice
from parallel_impl.run.start.configuration_edit import ConfigurationEdit
from parallel_impl.text import did_you_mean

CONFIGURATION = (config.FILE, "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The checked input of a run; `problems` hold what is only reported, and errors (then nothing may start).

    `seconds`: how long all this took. `tip`: where the feature branch was then ("": there was none).
    """

    base: str
    base_from: str
    plan: Plan
    order: Order
    plan_entry: Entry
    config: Config
    setup: tuple[SetupCommand, ...]
    gates: tuple[Gate, ...]
    tree_bytes: int
    problems: tuple[Problem, ...]
    seconds: float = 0.0
    tip: str = ""


def find_base(repo: Repo, folder: Path, places: Places, given: str, state: State) -> tuple[str, str]:
    """The base commit and where it came from: the journal, `--base`, the feature branch, or HEAD, in this order."""
    if state.started:
        base = state.started.base
        if given not in ("", state.started.base_from) and repo.resolve(given) != base:
            raise UserError(
                f"this run started on {base[:12]}, not on {given}",
                where="--base",
                hint=f"leave --base away to go on, or start again after: parallel-cleanup {places.change_id}",
            )
        pinned.check_base(repo, places, state.started)
        return base, state.started.base_from
    if given:
        found, came_from = repo.resolve(given), given
        if found is None:
            raise UserError(f"{given!r} names no commit", where="--base", hint="see: git log --oneline --all")
    elif found := repo.ref(places.branch_ref):
        came_from = places.branch
    else:
        found, came_from = repo.head(folder), "HEAD"
    if found is None:
        raise UserError("the repository has no commit yet", where=str(repo.git_dir), hint="commit the change first")
    return found, came_from


def anchor(repo: Repo, places: Places, base: str) -> None:
    """Put the base on its ref before it is used: `commit --amend` and a prune during set-up made it a bad object."""
    try:
        repo.set_ref(places.base_ref, base)
    except GitError:
        if repo.resolve(base):
            raise
        hint = "give the same command again"
        raise UserError(f"the base {base[:12]} was amended and pruned while the run started", hint=hint) from None


def find_current(repo: Repo, folder: Path, places: Places, state: State) -> str:
    """The commit that a base would be found in now; "" before the run has started.

    A run that started from a named ref looks there again, any other at the feature branch or HEAD.
    """
    if state.started is None:
        return ""
    named = state.started.base_from
    found = repo.resolve(named) if named not in (places.branch, "HEAD") else None
    return found or feature_branch.agreed(repo, places, state) or repo.head(folder) or ""


def find_edited_plan(repo: Repo, folder: Path, places: Places, state: State) -> str:
    """The commit that edits the plan in force, looked up where a base would be found now; or "".

    One whose history had that plan already when it parted from the plan in force does not: it is older, or of another
    branch.
    """
    found = find_current(repo, folder, places, state)
    plan = _plan_id(repo, places, found) if found else ""
    if plan in ("", state.plan_blob) or is_older_plan(repo, places, state, found):
        return ""
    return found


def is_older_plan(repo: Repo, places: Places, state: State, commit: str) -> bool:
    """Whether the plan in a commit is not the one in force, but one that this had before."""
    plan = _plan_id(repo, places, commit)
    if plan in ("", state.plan_blob):
        return False
    return any(_plan_id(repo, places, one) == plan for one in repo.merge_bases(commit, state.plan_commit))


def _plan_id(repo: Repo, places: Places, commit: str) -> str:
    return next((entry.oid for entry in repo.entries(commit, places.plan_file)), "")


def load(
    repo: Repo,
    places: Places,
    base: str,
    came_from: str,
    folder: Path,
    *,
    configured: ConfigurationEdit,
    plan_from: str = "",
    older: str = "",
    made: Entry | None = None,
) -> Inputs:
    """Read and check everything in the base tree; the plan itself in the commit `plan_from` where one is given.

    `configured` is the configuration, `older` a commit whose plan is passed over. `made` is a plan that was made from
    the change, and lies in no commit. UserError when there is no plan at all.
    """
    entries = {entry.path: entry for entry in repo.entries(base, recurse=True, sizes=True)}
    if plan_from:
        entries |= {entry.path: entry for entry in repo.entries(plan_from, places.plan_file)}
    plan_entry = made or entries.get(places.plan_file)
    if plan_entry is None:
        raise _no_plan(repo, places, came_from, folder, entries)

    def read(path: str) -> bytes | None:
        entry = entries.get(path)
        return repo.git("cat-file", "blob", entry.oid) if entry and entry.mode in ("100644", "100755") else None

    settings = configured.values
    content = repo.git("cat-file", "blob", made.oid) if made else read(places.plan_file) or b""
    checked = plan_check.check(
        content, places.plan_file, read, folder=places.folder, openapi_seconds=settings.openapi_seconds
    )
    if checked.plan is None or checked.order is None:
        raise UserError(_unusable(checked, places, repo.top(folder), came_from))
    found_setup = setup.find(read) if settings.setup is None else None
    gates, gate_problems = quality.find(
        read, settings.gates, change_id=places.change_id, part=places.part, paths=entries.keys()
    )
    told = [one for one in checked.problems if not made or one.severity is Severity.ERROR]  # nobody wrote a made plan
    problems = [*told, *gate_problems, *_own(places, checked.plan, came_from)]
    problems += _standards(settings, entries)
    problems += [*tables.problems(settings), *assignment.problems(settings, checked.plan.packages)]
    tree = found_links.of_entries(repo, entries.values())
    problems += [*links.problems(checked.plan, tree), *plan_check.of_part(checked.plan, places.part, tree, read)]
    tasks = repo.read(plan_from, places.tasks_file) if plan_from else read(places.tasks_file)
    problems += task_names.problems(tasks, places.tasks_file, checked.plan)
    if not plan_from and not made:
        problems += plan_advice.problems(
            repo, places, base, checked.plan, checked.order, paths=entries.keys(), listed=tasks
        )
    problems += configuration_edit.problems(configured, places.change_id)
    if configured.commit:  # its configuration is compared by what it means
        entries |= {one.path: one for one in repo.entries(configured.commit, *CONFIGURATION)}
    if older:
        what = f"the plan in {older[:12]} is an earlier one than that of this run, {plan_from[:12]}, and not used"
        line = f"git checkout {older[:12]} -- {places.plan_file}"
        hint = f"to go back to it, commit it again on top of {plan_from[:12]}: {line}"
        problems.append(Problem(what, where=places.plan_file, hint=hint, severity=Severity.WARNING))
        entries |= {one.path: one for one in repo.entries(older, places.plan_file)}
    problems += _uncommitted(repo, places, entries, folder, came_from, continued=bool(plan_from), made=bool(made))
    if found_setup:
        problems.append(Problem(f"set-up: {found_setup.why}", severity=Severity.NOTICE))
        problems += setup.problems(read, found_setup)
    return Inputs(
        base=base,
        base_from=came_from,
        plan=checked.plan,
        order=checked.order,
        plan_entry=plan_entry,
        config=settings,
        setup=found_setup.commands if found_setup else settings.setup or (),
        gates=tuple(gates),
        tree_bytes=sum(entry.size for entry in entries.values()),
        problems=tuple(problems),
    )


def branch_problems(repo: Repo, places: Places, base: str) -> Iterator[Problem]:
    """What would make the feature branch impossible at the very end, here or on a remote."""
    if (tip := repo.ref(places.branch_ref)) and not repo.share_history(tip, base):
        aside = f"git branch -m {places.branch} {places.branch.replace('/', '-')}-old"
        yield Problem(
            f"{places.branch} and the base {base[:12]} have no commit in common, so nothing could be merged",
            where=places.branch_ref,
            hint=f"start from a commit of that branch (--base {tip[:12]}), or put it aside: {aside}",
        )
    for name in repo.refs("refs/heads", "refs/remotes"):
        short, local = name.removeprefix("refs/heads/"), name.startswith("refs/heads/")
        branch = short if local else name.removeprefix("refs/remotes/").partition("/")[2]
        place = "" if local else f" on the remote {name.removeprefix('refs/remotes/').partition('/')[0]}"
        if branch == "openspec" or branch.startswith(f"{places.branch}/"):
            hint = f"rename it: git branch -m {branch} {branch.replace('/', '-')}-old" if local else "rename it there"
            yield Problem(f"a branch {branch!r}{place} leaves no room for {places.branch!r}", where=name, hint=hint)
        elif branch != places.branch and branch.casefold() == places.branch.casefold():
            yield Problem(f"branch {branch!r}{place} differs from {places.branch!r} only in case", where=name)
    if repo.ref(f"refs/tags/{places.branch}"):
        yield Problem(
            f"a tag is named {places.branch}, like the branch that lands: git takes that name for the tag",
            where=f"refs/tags/{places.branch}",
            hint=f"write the branch as heads/{places.branch}, or rename the tag",
            severity=Severity.WARNING,
        )
    for worktree in repo.worktrees():
        if worktree.branch == places.branch_ref and worktree.gone:
            yield Problem(
                f"{places.branch} was checked out in {worktree.path}, which is gone: it lands all the same",
                hint="if that folder was moved: git worktree repair <where it is>; else: git worktree prune",
                severity=Severity.WARNING,
            )
    for use in checked_out.uses(repo, places.branch_ref):
        yield Problem(
            f"{places.branch} is {use.verb} in {use.worktree}: it will be proven, but not moved there",
            hint="switch that worktree to another branch, or take the result at the end with the line then shown"
            if use.verb == checked_out.CHECKED_OUT
            else "end that before the run ends",
            severity=Severity.WARNING,
        )


def beside_branch(repo: Repo, places: Places, base: str) -> Iterator[Problem]:
    """A warning where the feature branch has commits that the base lacks: the run asks before it lands on them."""
    tip = repo.ref(places.branch_ref)
    if tip and not repo.is_ancestor(tip, base):
        missing = int(repo.text("rev-list", "--count", "--end-of-options", tip, f"^{base}"))
        yield Problem(
            f"{places.branch} has {count(missing, 'commit')} that the base {base[:12]} has not: before anything lands "
            "on them you are asked",
            where=places.branch_ref,
            hint=f"to start from them: leave --base away; to drop them: git branch -D {places.branch}",
            severity=Severity.WARNING,
        )


def behind_upstream(repo: Repo, folder: Path, base: str, came_from: str) -> Iterator[Problem]:
    """A warning where the branch that the base was found on lacks commits of its upstream, as last fetched."""
    branch = repo.branch(folder) if came_from == "HEAD" else came_from.removeprefix("refs/heads/")
    if not branch or not repo.ref(f"refs/heads/{branch}"):
        return
    upstream = repo.text("for-each-ref", "--format=%(upstream)", f"refs/heads/{branch}")
    tip = repo.ref(upstream) if upstream else None
    if tip and (missing := int(repo.text("rev-list", "--count", "--end-of-options", tip, f"^{base}"))):
        name = upstream.removeprefix("refs/remotes/").removeprefix("refs/heads/")
        what = f"{branch} is {count(missing, 'commit')} behind {name}: the run does not have them"
        hint = "to start with them, type before: git pull"
        yield Problem(what, where=f"refs/heads/{branch}", hint=hint, severity=Severity.WARNING)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name."""
    names = list(known)
    return did_you_mean(name, names) or f"known: {', '.join(names[:10])}"


def undescribed(repo: Repo, places: Places, came_from: str, folder: Path, base: str) -> UserError:
    """Why no package can be made from the change: it is not there, not committed, or says nothing."""
    paths = [entry.path for entry in repo.entries(base, recurse=True)]
    below = [path.removeprefix(f"{places.folder}/") for path in paths if path.startswith(f"{places.folder}/")]
    if not any(path == "design.md" or path.startswith("specs/") for path in below):
        return _no_plan(repo, places, came_from, folder, paths)
    hint = "write what is to be done there, and commit it: that is what the agent is told"
    return UserError("the change has neither proposal.md nor tasks.md", where=places.folder, hint=hint)


def _no_plan(repo: Repo, places: Places, came_from: str, folder: Path, entries: Collection[str]) -> UserError:
    top, committed = repo.top(folder), any(path.startswith(f"{places.folder}/") for path in entries)
    uncommitted = (places.plan_file, *(() if committed else (f"{places.folder}/proposal.md", places.tasks_file)))
    found = next((one for one in uncommitted if top and (top / one).is_file()), "")
    if top and not found and not committed:  # a design, or specs, of a change that is only begun
        found = next(
            (str(one.relative_to(top)) for one in sorted((top / places.folder).rglob("*")) if one.is_file()), ""
        )
    if top and (file := found):
        rule = ignored.rule(repo, top, file)
        return UserError(
            f"the change is not committed in {came_from}: a run reads it from there"
            + (f"; git ignores it ({rule})" if rule else ""),
            where=file,
            hint=_commit_lines(places, came_from, force=bool(rule)),
        )
    prefix = f"{places.part}/" if places.part else ""
    own = (path.removeprefix(prefix) for path in entries if path.startswith(prefix))
    return plan_check.no_plan(places.change_id, own, ids.changes(places.part), came_from)


def _commit_lines(places: Places, came_from: str, *, force: bool = False) -> str:
    """What to type so that the change is in the commit that a run reads it from."""
    named = shlex.quote(f":/{places.folder}") if places.part else places.folder
    lines = plan_check.commit_lines(f"-f {named}" if force else named, places.change_id)
    return "\n    ".join(lines) + ("" if came_from == "HEAD" else f"   # on {came_from}")


def _unusable(checked: Checked, places: Places, top: Path | None, came_from: str) -> Iterable[Problem]:
    """The problems of a committed plan; where the file in the worktree `top` has no such it is only to be committed."""
    file = top / places.plan_file if top else None
    if file is None or not file.is_file() or loading.load(file.read_bytes(), places.plan_file)[0] is None:
        return checked.problems
    error = next(problem for problem in checked.problems if problem.severity is Severity.ERROR)
    lines = _commit_lines(places, came_from)
    hint = f"the file here is repaired already, but not committed in {came_from}:\n    {lines}"
    return [replace(error, hint=hint)]


def _standards(settings: Config, entries: Iterable[str]) -> Iterator[Problem]:
    """Standards that name nothing: every prompt would lack them without a word."""
    for pattern in settings.standards:
        if wrong := globs.problem(pattern):
            yield Problem(f"standards: {pattern!r}: {wrong.what}", where=settings.source, hint=wrong.hint)
        elif not any(globs.covers(pattern, path) for path in entries):
            hint = did_you_mean(pattern, entries) or "name files, folders or globs that are committed"
            yield Problem(f"standards: {pattern!r} matches no file", where=settings.source, hint=hint)


def _own(places: Places, plan: Plan, came_from: str) -> Iterator[Problem]:
    if plan.feature_id != places.change_id:
        yield Problem(
            f"feature.id is {plan.feature_id!r}, but the change is {places.change_id!r}",
            where=plan.where("feature", "id"),
            path="feature.id",
            hint=f"write feature.id: {places.change_id} and commit it in {came_from}",
        )


def _uncommitted(
    repo: Repo,
    places: Places,
    entries: dict[str, Entry],
    folder: Path,
    came_from: str,
    *,
    continued: bool,
    made: bool,
) -> Iterator[Problem]:
    """Files of the change and of the configuration that differ from the base: reported, since the base counts."""
    top = repo.top(folder)
    if top is None:
        return
    watched = {path for path in entries if path.startswith(f"{places.folder}/")} | set(CONFIGURATION)
    watched |= {str(path.relative_to(top)) for path in (top / places.folder).rglob("*") if path.is_file()}
    absent = _left_out_here(repo, top)
    differ = sorted(path for path in watched - absent if _differs(repo, top / path, entries.get(path)))
    if continued and not made and places.plan_file in differ and (top / places.plan_file).is_file():
        differ.remove(places.plan_file)
        yield _edited_here(repo, places, came_from)
    if differ:
        rule = ignored.rule(repo, top, differ[0])
        yield Problem(
            f"not as in the base, and so not used: {', '.join(differ[:5])}" + (" …" if len(differ) > 5 else ""),
            hint="a run keeps its base, but for the plan and the configuration: commit them and give the same command; "
            f"to use all of it, commit, then: parallel-implement {places.change_id} --abort"
            if continued
            else "commit what the run should use"
            + ("" if came_from == "HEAD" else f" on {came_from}")
            + (f" (git add -f: git ignores {differ[0]} by {rule})" if rule else ""),
            severity=Severity.WARNING,
        )


def _edited_here(repo: Repo, places: Places, came_from: str) -> Problem:
    """The plan of a run that goes on, edited and not committed where it is looked for."""
    unnamed = came_from in ("HEAD", places.branch)
    where = (places.branch if repo.ref(places.branch_ref) else "HEAD") if unnamed else came_from
    return Problem(
        "the plan is edited here, but not committed, and so not used",
        where=places.plan_file,
        hint=f"commit it, and the same command takes it as the next revision:\n    {_commit_lines(places, where)}",
        severity=Severity.WARNING,
    )


def _left_out_here(repo: Repo, top: Path) -> set[str]:
    """The paths that a sparse checkout leaves out of the user's worktree."""
    if dict(repo.config()).get("core.sparsecheckout", "false") == "false" and not (repo.git_dir / "worktrees").is_dir():
        return set()
    listed = repo.text("-C", str(top), "ls-files", "-t", "-z", discover=True).split("\0")
    return {line[2:] for line in listed if line.startswith("S ") and not (top / line[2:]).exists()}


def _differs(repo: Repo, file: Path, entry: Entry | None) -> bool:
    """Whether a file on disk is not the base's (line endings apart, which git may convert)."""
    if not file.is_file():
        return entry is not None
    if entry is None:
        return True
    content = file.read_bytes()
    return entry.oid not in (_blob_id(repo, content), _blob_id(repo, content.replace(b"\r\n", b"\n")))


def _blob_id(repo: Repo, content: bytes) -> str:
    return hashlib.new(repo.object_format, b"blob %d\0" % len(content) + content).hexdigest()
