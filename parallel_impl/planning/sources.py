"""What a plan is made from: the documents of a change as they lie in the work tree, the code at HEAD.

A plan is written beside documents that are still being written, and for code that is committed: agents get no other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from parallel_impl import storage
from parallel_impl.contracts import plan_check
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.git.repo import Repo
from parallel_impl.plan import ids, parts
from parallel_impl.planning.reading import documents, snapshot, tickets
from parallel_impl.planning.reading.documents import ChangeDocument
from parallel_impl.planning.reading.evidence import ClueKind

FEW = 5


@dataclass(frozen=True, slots=True)
class ChangeSources:
    """A change in a work tree whose root is `top`: `folder` is its folder from there, `commit` HEAD.

    `documents` have paths inside the folder; `uncommitted` are those that HEAD has in another form, or not.
    `plan` is the content of the plan that it has, as it was when the command began; None for a change without one.
    `made_tasks` is the task list that was made from an implementation spec, for a change that has none of its own.
    """

    repo: Repo
    top: Path
    change_id: str
    folder: str
    commit: str
    documents: tuple[ChangeDocument, ...]
    uncommitted: tuple[str, ...]
    plan: bytes | None = None
    made_tasks: bytes = b""

    @property
    def plan_file(self) -> Path:
        """Where the plan lies, or will."""
        return self.top / self.folder / ids.PLAN_FILE

    @property
    def tasks_file(self) -> Path:
        """Where the task list lies, or will."""
        return self.top / self.folder / documents.TASKS

    @property
    def tasks(self) -> bytes | None:
        """The content of tasks.md, or of what was made in its place; None where there is neither."""
        return self.made_tasks or (self.tasks_file.read_bytes() if self.tasks_file.is_file() else None)

    @property
    def has_design(self) -> bool:
        """Whether a design says what packages agree on."""
        return any(one.path == "design.md" for one in self.documents)

    def problems(self) -> list[Problem]:
        """A warning about documents that a run, which reads what is committed, would not see."""
        if not self.uncommitted:
            return []
        more = " …" if len(self.uncommitted) > FEW else ""
        what = f"not committed, and read all the same: {', '.join(self.uncommitted[:FEW])}{more}"
        hint = "a run reads the committed change: commit these with the plan"
        return [Problem(what, self.folder, hint=hint, severity=Severity.WARNING)]


def find(folder: Path, typed: str) -> ChangeSources:
    """The change that is meant by what was typed in `folder`: an id, or the path of a change folder.

    UserError where there is no such change, no commit, or no work tree, and where the folder lies behind a link.
    """
    change_id, here = _meant(storage.real(folder), typed)
    ids.check(change_id)
    repo = Repo.discover(here)
    top = repo.top(here)
    if top is None:
        raise UserError("a bare repository has no documents of a change", where=str(here), hint="go to a work tree")
    top = storage.real(top)
    commit = repo.head(here)
    if commit is None:
        raise UserError("the repository has no commit yet", where=str(top), hint="commit the code first")
    committed = [entry.path for entry in repo.entries(commit, recurse=True)]
    part = _part(top, here, change_id, committed)
    inside = ids.folder(change_id, part)
    if not (top / inside).is_dir():
        changes = top / ids.changes(part)
        known = [path.relative_to(changes.parent.parent).as_posix() for path in changes.glob("*/*")]
        raise plan_check.no_plan(change_id, known, str(changes))
    if storage.real(top / inside) != top / inside:
        what = f"the folder of the change is behind a link: it is {storage.real(top / inside)}"
        raise UserError(what, where=inside, hint="git has no files behind a link: make it a folder of the repository")
    found, plan = documents.load(top / inside), content(top / inside / ids.PLAN_FILE)
    unknown = snapshot.uncommitted(repo, commit, inside, found)
    return ChangeSources(repo, top, change_id, inside, commit, found, unknown, plan)


def content(file: Path) -> bytes | None:
    """The bytes of a file; None where there is none."""
    return file.read_bytes() if file.is_file() else None


def with_spec(found: ChangeSources, file: Path) -> ChangeSources:
    """The change with the task list that its implementation spec gives: phases are sections, tickets are boxes.

    UserError for a spec that cannot be read, and for a change that has another task list.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UserError(f"cannot be read: {why}", where=str(file), hint="name a Markdown file") from None
    made = tickets.as_tasks(tickets.read(text, where=str(file)))
    there = found.tasks
    if there is not None and there != made.encode():
        what = "the change has a tasks.md already, and it is not the one that this spec gives"
        raise UserError(what, where=f"{found.folder}/{documents.TASKS}", hint="plan without --from, or remove it first")
    others = tuple(one for one in found.documents if one.path != documents.TASKS)
    own = ChangeDocument(documents.TASKS, made, ClueKind.TASK)
    return replace(found, documents=(*others, own), made_tasks=made.encode())


def _meant(folder: Path, typed: str) -> tuple[str, Path]:
    """The change-id, and the folder from which its part of the repository is looked for."""
    given = storage.real(folder / typed)
    if "/" in typed.rstrip("/") and given.is_dir() and given.parent.as_posix().endswith(f"/{ids.CHANGES}"):
        return given.name, given.parent.parent.parent
    return typed.rstrip("/"), folder


def _part(top: Path, here: Path, change_id: str, committed: list[str]) -> str:
    """The part of the repository that has the change; one that is not committed yet is found where it lies."""
    inside = here.relative_to(top).as_posix() if here.is_relative_to(top) else "."
    inside = "" if inside == "." else inside
    folders = (ids.folder(change_id, part) for part in parts.above(inside))
    lying = [f"{one}/" for one in folders if (top / one).is_dir()]
    return parts.choose(change_id, inside, [*committed, *lying])
