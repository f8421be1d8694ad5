"""The evidence table of a change, built from its documents and the code of the repository."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from parallel_impl.openspec import tasks as task_list
from parallel_impl.plan.ids import CHANGES, PLAN_FILE
from parallel_impl.planning.reading import documents as texts
from parallel_impl.planning.reading import (
    history,
    imports,
    named_paths,
    neighbours,
    resolve,
    shared_kinds,
    symbols,
    task_graph,
    uses,
)
from parallel_impl.planning.reading.code import Code
from parallel_impl.planning.reading.documents import ChangeDocument
from parallel_impl.planning.reading.evidence import Clue, ClueKind, PlannedTask, Resolution, Table
from parallel_impl.planning.reading.phases import Phases, in_order, on_evidence
from parallel_impl.planning.reading.resolve import Company, Resolved
from parallel_impl.planning.reading.tree import FileTree, extension

_FENCED = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1[`~]*[ \t]*$", re.M | re.S)
_HEADING = re.compile(r"^#[ \t]+(?:(?:Change|Proposal|Tasks)[ \t]*:[ \t]*)?(.*)$", re.M)
_KIND_OF_DOCUMENT = re.compile(
    r"(change |implementation )?(proposal|tasks?|change|design|plan|why|what changes|impact)( list)?:?", re.I
)
# What one mention is worth: how often a file so named was really changed (measured, see `evidence`).
_WORTH = {
    ClueKind.TASK: 0.9,
    ClueKind.SECTION: 0.6,
    ClueKind.PROPOSAL: 0.6,
    ClueKind.DESIGN: 0.5,
    ClueKind.SPEC: 0.4,
    ClueKind.CONTRACT: 0.3,
}
_BY_FORM = {Resolution.EXACT: 1.0, Resolution.SUFFIX: 1.0, Resolution.NEW: 1.0, Resolution.FOLDER: 0.8}
_BARE = 0.8
_OWN_NAMES = frozenset((".openspec.yaml", "tasks.md", "proposal.md", "design.md", "spec.md", PLAN_FILE))
LEAST_PROSE, NEW_PROSE, FOLDER_PROSE = 0.15, 0.5, 0.5
SYMBOL = 0.6
_OWN = (f"{CHANGES}/", "openspec/specs/")


def build(
    change_id: str,
    documents: Sequence[ChangeDocument],
    code: Code,
    *,
    change_path: str = "",
    phases: Phases | None = None,
) -> Table:
    """Everything that grouping knows about a change.

    `change_path` is the change folder in the repository: its files, and those of OpenSpec's other folders, are no
    code. `phases`: the sections are phases of an implementation spec (`tickets`), and what that requires. Raises
    nothing: what cannot be read is in `notes`.
    """
    own = (*_OWN, f"{change_path.rstrip('/')}/") if change_path else _OWN
    tree = FileTree(path for path in code.sizes if not path.startswith(own))
    content = next((one.text for one in documents if one.path == texts.TASKS), "")
    found = task_list.read(task_list.encoded(content))
    planned = task_graph.plan(found)
    reading = _Reading(tree, documents, len(planned.tasks))
    named = reading.read(mentions(found, planned.tasks, documents))
    named += _symbols(found, planned.tasks, named, tree, code)
    said = [(task.text, task.id) for task in planned.tasks]
    spoken = shared_kinds.spoken_of(one.text for one in documents)
    derived = [
        *neighbours.candidates(named, tree),
        *neighbours.shared(named, code.commits, tree, spoken),
        *neighbours.sequences(said, named, tree),
        *neighbours.topics(change_id, named, tree, _prose(named, len(planned.tasks))),
    ]
    evidence = tuple(sorted([*named, *derived], key=lambda clue: (-clue.certainty, clue.path, clue.task, clue.kind)))
    near = frozenset(clue.path for clue in evidence) & tree.files
    imported, notes = _imports(_code_of(evidence, tree), tree, code.read)
    contracts = tuple(one.path for one in texts.of(documents, ClueKind.CONTRACT))
    tasks, circles = _phased(planned.tasks, phases, evidence, imported, contracts)
    return Table(
        change_id=change_id,
        title=_title(documents) or change_id,
        tasks=tasks,
        sections=planned.sections,
        evidence=evidence,
        files=tree.files,
        unresolved=tuple(reading.unresolved),
        imports=imported,
        together=history.together(code.commits, near),
        hot=history.changes(code.commits, tree.files),
        sizes={path: size for path, size in code.sizes.items() if path in tree.files},
        contracts=contracts,
        uses=uses.find(planned.tasks, planned.sections, named, documents),
        shared_kinds=spoken,
        notes=(*_without_boxes(found), *planned.notes, *circles, *notes),
    )


def _without_boxes(found: task_list.TaskList) -> list[str]:
    if ticked := sum(task.mark is task_list.Mark.DONE for task in found.tasks):
        rest = "agents are told of them all the same"
        if ticked == len(found.tasks):
            rest = "nothing is left to do; untick what is, or archive the change"
        return [f"tasks.md: {ticked} of {len(found.tasks)} boxes are ticked already: {rest}"]
    if found.tasks:
        return []
    if not found.lines:
        return ["the change has no tasks.md, or an empty one"]
    return ["tasks.md has no box (`- [ ] 1.1 …`): where its headings are the tasks, read it as a spec with --from"]


def _phased(
    tasks: tuple[PlannedTask, ...],
    phases: Phases | None,
    evidence: Sequence[Clue],
    imported: Mapping[str, frozenset[str]],
    contracts: tuple[str, ...],
) -> tuple[tuple[PlannedTask, ...], list[str]]:
    if phases is None:
        return tasks, []
    ordered = in_order(tasks) if phases is Phases.ORDER else on_evidence(tasks, evidence, imported, contracts)
    kept, circles = task_graph.without_circles(ordered)
    return tuple(kept), circles


def _symbols(
    found: task_list.TaskList, tasks: Sequence[PlannedTask], named: Sequence[Clue], tree: FileTree, code: Code
) -> list[Clue]:
    """The files that define what tasks name, in the components that the change is about (all, if nothing tells)."""
    texts_of = {task.id: "\n".join(found.line(number) for number in task.lines) for task in tasks}
    wanted = {task: symbols.find(text) for task, text in texts_of.items()}
    components = {tree.component(clue.path) for clue in named}
    paths = [
        path
        for path in sorted(tree.files)
        if extension(path) in symbols.LANGUAGES
        and code.sizes[path] <= imports.MAX_BYTES
        and (not components or tree.component(path) in components)
    ]
    names = {name for several in wanted.values() for name in several}
    places = symbols.defined(code.read(paths), names) if names else {}
    return neighbours.strongest(
        Clue(places[name], task, ClueKind.SYMBOL, SYMBOL, Resolution.EXACT, name)
        for task, several in wanted.items()
        for name in several
        if name in places
    )


def _title(documents: Iterable[ChangeDocument]) -> str:
    """The first heading of the proposal that says more than what the document is, else of the task list."""
    for name in ("proposal.md", texts.TASKS):
        for one in documents:
            if one.path == name:
                for match in _HEADING.finditer(_FENCED.sub("", one.text)):
                    title = match[1].strip()
                    if title and not _KIND_OF_DOCUMENT.fullmatch(title):
                        return title
    return ""


def _code_of(evidence: Iterable[Clue], tree: FileTree) -> list[str]:
    """The files of the table whose imports can be read, the surest of very many."""
    paths = dict.fromkeys(clue.path for clue in evidence if extension(clue.path) in imports.LANGUAGES)
    return sorted([path for path in paths if path in tree.files][: imports.MOST])


def _imports(
    paths: Collection[str], tree: FileTree, read: Callable[[Collection[str]], Mapping[str, bytes]]
) -> tuple[dict[str, frozenset[str]], tuple[str, ...]]:
    return imports.find(read(paths), tree)


class Mention:
    """A name where it stands: in a task, in a section's own lines, or somewhere in a document."""

    __slots__ = ("kind", "name", "section", "task", "where")

    def __init__(
        self, name: named_paths.NamedPath, kind: ClueKind, where: str, task: str = "", section: int = -1
    ) -> None:
        self.name, self.kind, self.where, self.task, self.section = name, kind, where, task, section


def mentions(
    found: task_list.TaskList, tasks: Sequence[PlannedTask], documents: Iterable[ChangeDocument]
) -> list[Mention]:
    """Every name of every document, those of the task list with their task or section."""
    owners = {number: task for task in tasks for number in task.lines}
    sections = {number: n for n, section in enumerate(found.sections) for number in section.lines}
    all_of = []
    for document in documents:
        for name in named_paths.find(document.text):
            where = f"{document.path}:{name.line}"
            if document.path != texts.TASKS:
                all_of.append(Mention(name, document.kind, where))
            elif task := owners.get(name.line):
                all_of.append(Mention(name, ClueKind.TASK, where, task.id, task.section))
            else:
                all_of.append(Mention(name, ClueKind.SECTION, where, section=sections.get(name.line, -1)))
    return all_of


class _Reading:
    """Names of all documents resolved in two passes: those that need no company, then the others by theirs."""

    def __init__(self, tree: FileTree, documents: Iterable[ChangeDocument], tasks: int) -> None:
        self.tree = tree
        self.tasks = tasks
        self.documents = frozenset(one.path for one in documents)
        self.unresolved: list[Clue] = []

    def read(self, mentioned: Sequence[Mention]) -> list[Clue]:
        ours = [one for one in mentioned if not self.is_of_the_change(one.name.text)]
        first = [(one, resolve.resolve(one.name, self.tree)) for one in ours]
        groups = _FirstGroups(first)
        clues: list[Clue] = []
        for one, known in first:
            found = known or resolve.resolve(one.name, self.tree, groups.company(one))
            clues += [_clue(one, path) for path in found]
            if not found and resolve.is_likely(one.name, self.tree):
                self.unresolved.append(Clue(one.name.text, one.task, one.kind, 0.0, Resolution.UNRESOLVED, one.where))
        return weighed(neighbours.strongest(clues), self.tree, self.tasks)

    def is_of_the_change(self, text: str) -> bool:
        """Whether a name means a document of the change itself, or another change or spec of OpenSpec."""
        head = text.partition("/")[0]
        inside = head in ("contracts", "specs") and head not in self.tree.folders
        ours = inside or text in self.documents or (text in _OWN_NAMES and text not in self.tree.files)
        return ours or text.startswith(_OWN) or text in ("openspec", "openspec/")


def _clue(mention: Mention, found: Resolved) -> Clue:
    certainty = _WORTH[mention.kind] * _BY_FORM[found.resolution] * found.sure
    certainty *= 1.0 if mention.name.quoted else _BARE
    return Clue(found.path, mention.task, mention.kind, round(certainty, 4), found.resolution, mention.where)


def weighed(clues: Sequence[Clue], tree: FileTree, tasks: int) -> list[Clue]:
    """The clues with what their documents are worth beside the tasks, and what large folders are.

    Where the tasks themselves name their files, a file that only the prose names is nearly always context (in 33 real
    changes 4 of 250 were changed); where the tasks name few, the prose is what there is (4 of 17).
    """
    ours = {clue.path for clue in clues if clue.kind in (ClueKind.TASK, ClueKind.SECTION)}
    prose = _prose(clues, tasks)
    return [_weighed(clue, tree, prose=1.0 if clue.path in ours else prose) for clue in clues]


def _prose(clues: Iterable[Clue], tasks: int) -> float:
    naming = {clue.task for clue in clues if clue.kind is ClueKind.TASK}
    return max(LEAST_PROSE, 1 - 1.5 * len(naming) / max(1, tasks))


def _weighed(clue: Clue, tree: FileTree, *, prose: float) -> Clue:
    certainty = clue.certainty
    if clue.resolution is Resolution.FOLDER:
        certainty *= neighbours.by_size(tree.folders.get(clue.path.rstrip("/"), 0)) * max(prose, FOLDER_PROSE)
    elif clue.resolution is Resolution.NEW:
        told = clue.kind not in (ClueKind.SPEC, ClueKind.CONTRACT)  # those name examples and outputs
        certainty *= max(prose, NEW_PROSE) if told else min(prose, NEW_PROSE) / 2
    else:
        certainty *= prose
    return replace(clue, certainty=round(certainty, 4))


class _FirstGroups:
    """The paths that are known after the first pass, by task, section and document."""

    def __init__(self, first: Iterable[tuple[Mention, Sequence[Resolved]]]) -> None:
        by: dict[tuple[str, str | int], set[str]] = {}
        for mention, found in first:
            for key in self.keys(mention):
                by.setdefault(key, set()).update(resolve.paths_of(found))
        self.by = {key: frozenset(paths) for key, paths in by.items()}

    def keys(self, mention: Mention) -> list[tuple[str, str | int]]:
        path = mention.where.rpartition(":")[0]
        tasks: list[tuple[str, str | int]] = [("task", mention.task)] if mention.task else []
        sections: list[tuple[str, str | int]] = [("section", mention.section)] if mention.section >= 0 else []
        return [*tasks, *sections, ("line", mention.where), ("document", path), ("change", "")]

    def company(self, mention: Mention) -> Company:
        return Company(tuple(self.by[key] for key in self.keys(mention) if key in self.by))
