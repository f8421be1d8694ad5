"""A plan and its contracts checked as a whole: the same check for `parallel-impl validate` and for preflight.

Everything that is wrong is returned at once. `validate` reads files from disk and needs no repository; `check` takes
a reader, such as one of a tree.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import config, storage
from parallel_impl.contracts import check as contracts
from parallel_impl.contracts.child_process import Read
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.plan import conflicts, ids, links, parts, promises
from parallel_impl.plan import order as ordering
from parallel_impl.plan.ids import CHANGES, PLAN_FILE
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order
from parallel_impl.plan.reading import document, load, round_trip
from parallel_impl.text import did_you_mean, shorten

# Each of them makes a folder a change; one that has none is a namespace.
_OF_A_CHANGE = frozenset({"proposal.md", "design.md", "tasks.md", ".openspec.yaml", PLAN_FILE})

Tracked = Callable[[Path], links.Tree]
CheckTasks = Callable[[bytes | None, str, Plan], Iterable[Problem]]
CheckSteps = Callable[[Plan, Order, config.Config, Path | None, Read], Iterable[Problem]]


@dataclass(frozen=True, slots=True)
class Checked:
    """A checked plan: `plan` and `order` are None when it cannot be used; `problems` hold warnings too.

    `misnamed`: its id is not that of the folder that it lies in, so a run refuses it.
    """

    source: str
    plan: Plan | None
    order: Order | None
    problems: tuple[Problem, ...]
    misnamed: bool = False


def check(content: bytes, source: str, read: Read, *, folder: str, openapi_seconds: float) -> Checked:
    """Check the plan in `content`; `read` gives files by their path from the repository root.

    `folder` is the change folder from the root ("" for a plan outside one: its contracts cannot be found).
    """
    with document.uncollected():
        plan, problems = load.load(content, source)
        if plan is None:
            return Checked(source, None, None, tuple(problems))
        order = ordering.of(plan)
        problems = [*problems, *conflicts.problems(plan, order), *promises.problems(plan, order)]
    problems += contracts.check(plan, read, folder=folder, openapi_seconds=openapi_seconds)
    return Checked(source, plan, order, tuple(problems))


def validate(
    plan: str,
    folder: Path,
    tracked: Tracked,
    check_tasks: CheckTasks,
    check_steps: CheckSteps = lambda *_: (),
) -> Checked:
    """Check a change by its id, or a plan by its path, with the files that lie on disk around `folder`.

    `tracked` gives what the repository of a folder tracks, `check_tasks` what is wrong with the names of tasks,
    `check_steps` with the steps. UserError when there is no such plan.
    """
    file = _locate(plan, folder, tracked)
    root, inside = _root(file)
    settings = (
        config.read(*(_content(root / name) for name in (config.FILE, "pyproject.toml"))) if root else config.Config()
    )
    content, source = _read(file), _named(file, folder)
    base = root or file.parent
    checked = check(content, source, reader(base), folder=inside, openapi_seconds=settings.openapi_seconds)
    found = list(checked.problems)
    if checked.plan:
        tree = tracked(file.parent)
        found += [*links.problems(checked.plan, tree), *_taken(inside, tree)]
        found += of_part(checked.plan, _part(inside), tree, reader(base))
        if checked.order:
            found += check_steps(checked.plan, checked.order, settings, root, reader(base))
        if inside:
            tasks = f"{inside}/tasks.md"
            found += check_tasks(reader(base)(tasks), tasks, checked.plan)
    misplaced = _misplaced(file, inside, checked.plan)
    found += [misplaced] if misplaced else []
    usable = None if any(problem.severity is Severity.ERROR for problem in found) else checked.plan
    return Checked(checked.source, usable, checked.order, tuple(found), misnamed=misplaced is not None)


def _part(inside: str) -> str:
    """The part of the repository that the change folder `inside` lies in."""
    return inside.rpartition("/")[0].removesuffix(CHANGES).removesuffix("/")


def of_part(plan: Plan, part: str, tree: links.Tree, read: Read) -> Iterator[Problem]:
    """What a plan in a part of the repository says or relies on as if the part were the root."""
    yield from config.unread(part, read)
    yield from parts.misplaced_scopes(plan, part, tree.paths)


def _taken(inside: str, tree: links.Tree) -> Iterator[Problem]:
    """Another part of the repository that has the id of the change in the folder `inside`."""
    if inside:
        part, change = _part(inside), Path(inside).name
        for other in sorted(parts.having(change, tree.paths) - {part}):
            yield parts.taken(change, part, other)


def _misplaced(file: Path, inside: str, plan: Plan | None) -> Problem | None:
    """Why a run would refuse the plan where it lies: its folder has another name, or is in a namespace.

    A warning in a folder whose name is no change-id (an archived one begins with a date): nobody can run it there.
    """
    above = file.parts[-5:-1]
    if plan and file.name == PLAN_FILE and "/".join(above[:2]) == CHANGES and above[2] != "archive":
        name = "/".join(above[2:])
        moved = ids.in_namespace(name, name.replace("/", "-"))
        return Problem(moved.what, plan.source, hint=moved.hint)
    change = Path(inside).name
    if not plan or not inside or plan.feature_id == change:
        return None
    return Problem(
        f"feature.id is {plan.feature_id!r}, but the change is {change!r}: a run refuses this",
        where=plan.where("feature", "id"),
        path="feature.id",
        hint=f"write feature.id: {change}, or rename the folder",
        severity=Severity.WARNING if ids.problem(change) else Severity.ERROR,
    )


@dataclass(frozen=True, slots=True)
class Fixed:
    """A plan that is in the spelling of today: what was `rewritten` (nothing in a sound one), and the lines to commit.

    `to_commit` is empty where git does not track the file.
    """

    source: str
    rewritten: tuple[str, ...] = ()
    to_commit: tuple[str, ...] = ()


def fix(plan: str, folder: Path, tracked: Tracked) -> Fixed:
    """Rewrite a plan in an older spelling.

    The file is replaced whole or not at all. UserError where that cannot be done without loss.
    """
    file = _locate(plan, folder, tracked)
    source = _named(file, folder)
    content = _read(file)
    if load.load(content, source)[0] is not None:
        return Fixed(source)
    new, said = round_trip.fixed(content, source, ids.change_of(file.as_posix()))
    if said:
        before = file.stat()
        storage.write_atomically(file, new)
        if os.geteuid() == 0:
            os.chown(file, before.st_uid, before.st_gid)  # its owner will want to edit it
        file.chmod(before.st_mode)
    *_, root = _up_to_root(file.parent)
    committed = file.is_relative_to(root) and file.relative_to(root).as_posix() in tracked(file.parent).paths
    return Fixed(source, said, commit_lines(shlex.quote(source), file.parent.name) if said and committed else ())


def commit_lines(named: str, change_id: str) -> tuple[str, str]:
    """The two lines that commit a plan; `named` is its path or its change's folder, as a shell reads it."""
    return f"git add {named}", f"git commit -m 'Plan of {change_id}'"


def no_plan(change_id: str, files: Iterable[str], folder: str, commit: str = "") -> UserError:
    """Why there is no plan of this change among the files of the repository (paths below the changes are enough).

    `folder` is where changes lie, `commit` the one that was read ("": the worktree).
    """
    read_from = f" in {commit}" if commit else ""
    where = f"{folder}{read_from}"
    below = [path.removeprefix(f"{CHANGES}/").split("/") for path in files if path.startswith(f"{CHANGES}/")]
    changes = {tuple(parts[:-1]) for parts in below if parts[-1] in _OF_A_CHANGE and parts[0] != "archive"}
    inside = sorted("/".join(parts) for parts in changes if len(parts) > 1 and parts[0] == change_id)
    elsewhere = sorted("/".join(parts) for parts in changes if len(parts) > 1 and parts[-1] == change_id)
    if (change_id,) not in changes and inside:
        what = f"{change_id!r} is no change, but a namespace with {', '.join(inside[:10])}"
        moved = ids.in_namespace(inside[0], inside[0].replace("/", "-"))
        return UserError(what, where=where, hint=f"{moved.what}\n    {moved.hint}")
    if any(parts[0] == change_id and len(parts) > 1 for parts in below):
        hint = f"make a plan:             parallel-plan {change_id} --write\n"
        hint += f"    or do it as one package: parallel-implement {change_id} --single"
        return UserError(f"the change has no {PLAN_FILE}", where=f"{folder}/{change_id}{read_from}", hint=hint)
    if elsewhere:
        moved = ids.in_namespace(elsewhere[0], change_id)
        return UserError(f"there is no change {change_id!r}, but {moved.what}", where=where, hint=moved.hint)
    known = sorted("/".join(parts) for parts in changes)
    listed = (
        f"changes here: {', '.join(known[:10])}"
        if known
        else f"write proposal.md and tasks.md in {ids.folder(change_id)} and commit them"
    )
    hint = did_you_mean(change_id, known) or listed
    return UserError(f"there is no change {change_id!r}", where=where, hint=hint)


def _locate(plan: str, folder: Path, tracked: Tracked) -> Path:
    """The file of a plan. UserError where there is none, with the part to go to where another one has the change."""
    try:
        return _find(plan, folder)
    except UserError:
        if ids.problem(plan) is None:
            *_, root = _up_to_root(folder)
            here = folder.relative_to(root).as_posix()
            parts.choose(plan, "" if here == "." else here, tracked(folder).paths)
        raise


def _find(plan: str, folder: Path) -> Path:
    given = folder / plan
    for file in (given, given / PLAN_FILE):
        if os.path.isfile(file):  # noqa: PTH113 - `Path.is_file` raises for what is longer than a name may be
            return storage.real(file)
    way = [root for root in _up_to_root(folder) if (root / CHANGES).is_dir()]
    way.sort(key=lambda root: not os.path.isdir(root / CHANGES / plan))  # noqa: PTH112  # the nearest that has it, else the nearest
    for root in way[:1]:
        if not ids.problem(plan):
            file = root / CHANGES / plan / PLAN_FILE
            if file.is_file():
                return storage.real(file)
            files = [path for depth in ("*/*", "*/*/*") for path in (root / CHANGES).glob(depth) if path.is_file()]
            listed = (path.relative_to(root).as_posix() for path in files)
            own = [f"{CHANGES}/{plan}/"] if file.parent.is_dir() else []  # it may have folders only
            raise no_plan(plan, (*own, *listed), str(root / CHANGES))
    wrong = ids.problem(plan)
    namespace = (root / CHANGES / plan for root in (folder, *folder.parents))
    if wrong and "/" in plan and any(os.path.isdir(place) for place in namespace):  # noqa: PTH112
        raise UserError([wrong])
    hint = f"name a change of {CHANGES}/ here, or the path of a plan"
    raise UserError(
        f"no such plan: {shorten(plan, 80)!r}" + (f" (as an id: {wrong.what})" if wrong else ""),
        where=str(folder),
        hint=hint,
    )


def _named(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)


def _read(file: Path) -> bytes:
    content = _content(file)
    if content is None:
        raise UserError("cannot be read", where=str(file), hint="check that it is a regular file that you may read")
    return content


def _root(file: Path) -> tuple[Path | None, str]:
    """The repository root and the change folder from it, where the file lies in `openspec/changes/<id>/`.

    Outside a repository the root is the folder that `openspec/` lies in.
    """
    names = file.parts
    if len(names) >= 5 and "/".join(names[-4:-2]) == CHANGES and file.name == PLAN_FILE:
        *_, root = _up_to_root(Path(*names[:-4]))
        root = root if os.path.lexists(root / ".git") else Path(*names[:-4])
        return root, file.parent.relative_to(root).as_posix()
    return None, ""


def _up_to_root(folder: Path) -> Iterator[Path]:
    """The folder and those above it, up to the root of the repository that it lies in."""
    for place in (folder, *folder.parents):
        yield place
        if os.path.lexists(place / ".git"):
            return


def reader(root: Path) -> Read:
    """Files below `root` by relative path; nothing that leaves it, and no FIFO or device, is ever opened."""
    whole = storage.real(root)

    def read(path: str) -> bytes | None:
        file = storage.real(whole / path)
        return _content(file) if file.is_relative_to(whole) else None

    return read


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes() if file.is_file() else None
    except OSError:
        return None
