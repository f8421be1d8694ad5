"""A plan and its contracts checked as a whole: the same check for `parallel-impl validate` and for preflight.

Everything that is wrong is returned at once. `validate` reads files from disk and needs no repository; `check` takes
a reader, such as one of a tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parallel_impl import config
from parallel_impl.contracts import check as contracts
from parallel_impl.contracts.child_process import Read
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.plan import conflicts, ids
from parallel_impl.plan import order as ordering
from parallel_impl.plan.ids import CHANGES, PLAN_FILE
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order
from parallel_impl.plan.reading import document, load
from parallel_impl.text import did_you_mean


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
        problems = [*problems, *conflicts.problems(plan, order)]
    problems += contracts.check(plan, read, folder=folder, openapi_seconds=openapi_seconds)
    return Checked(source, plan, order, tuple(problems))


def validate(plan: str, folder: Path) -> Checked:
    """Check a change by its id, or a plan by its path, with the files that lie on disk around `folder`.

    UserError when there is no such plan.
    """
    file = _find(plan, folder)
    root, inside = _root(file)
    settings = (
        config.read(*(_content(root / name) for name in (config.FILE, "pyproject.toml"))) if root else config.Config()
    )
    content = _content(file)
    if content is None:
        raise UserError("cannot be read", where=str(file), hint="check that it is a regular file that you may read")
    source = str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)
    base = root or file.parent
    checked = check(content, source, _reader(base), folder=inside, openapi_seconds=settings.openapi_seconds)
    change = Path(inside).name
    usable = None if any(problem.severity is Severity.ERROR for problem in checked.problems) else checked.plan
    if checked.plan and inside and checked.plan.feature_id != change:
        wrong = Problem(
            f"feature.id is {checked.plan.feature_id!r}, but the change is {change!r}: a run refuses this",
            where=checked.plan.where("feature", "id"),
            path="feature.id",
            hint=f"write feature.id: {change}, or rename the folder",
            severity=Severity.WARNING,
        )
        return Checked(checked.source, usable, checked.order, (*checked.problems, wrong), misnamed=True)
    return Checked(checked.source, usable, checked.order, checked.problems)


def unknown_change(change_id: str, known: list[str], where: str) -> UserError:
    """The error for a change that is not there, with the nearest one that is."""
    hint = did_you_mean(change_id, known) or (f"changes here: {', '.join(known[:10])}" if known else "")
    return UserError(f"there is no change {change_id!r}", where=where, hint=hint)


def _find(plan: str, folder: Path) -> Path:
    given = folder / plan
    if given.is_file():
        return given.resolve()
    if (given / PLAN_FILE).is_file():
        return (given / PLAN_FILE).resolve()
    for root in (folder, *folder.parents):
        if (root / CHANGES).is_dir() and not ids.problem(plan):
            file = root / CHANGES / plan / PLAN_FILE
            if file.is_file():
                return file.resolve()
            if file.parent.is_dir():
                raise UserError(f"the change has no {PLAN_FILE}", where=str(file.parent), hint="write the plan first")
            known = sorted(path.name for path in (root / CHANGES).iterdir() if path.is_dir() and path.name != "archive")
            raise unknown_change(plan, known, str(root / CHANGES))
    wrong = ids.problem(plan)
    hint = f"name a change of {CHANGES}/ here, or the path of a plan"
    raise UserError(
        f"no such plan: {plan!r}" + (f" (as an id: {wrong.what})" if wrong else ""), where=str(folder), hint=hint
    )


def _root(file: Path) -> tuple[Path | None, str]:
    """The repository root and the change folder from it, where the file lies in `openspec/changes/<id>/`."""
    parts = file.parts
    if len(parts) >= 5 and "/".join(parts[-4:-2]) == CHANGES and file.name == PLAN_FILE:
        return Path(*parts[:-4]), "/".join(parts[-4:-1])
    return None, ""


def _reader(root: Path) -> Read:
    """Files below `root` by relative path; nothing that leaves it, and no FIFO or device, is ever opened."""
    whole = root.resolve()

    def read(path: str) -> bytes | None:
        file = (whole / path).resolve()
        return _content(file) if file.is_relative_to(whole) else None

    return read


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes() if file.is_file() else None
    except OSError:
        return None
