"""The evidence table: which files a change will probably touch, for which task, and how that is known.

Data only. `table.build` fills it from documents, tree and history; grouping reads nothing else, and an agent that
groups gets exactly this, not the repository.

`certainty` orders clues by how much recall they bring for the files of the repository that they cover: a large folder
is worth less than a small one, prose less where the tasks themselves name their files. Measured on 33 real changes
(recall mean / median at the median share of the repository's files; the 20 surest changes in brackets):

    folders up to   cut 0.05               cut 0.1                           cut 0.2
    1 %             0.88 / 0.95 at 3.6 %   0.87 / 0.93 at 2.9 % (.84 / .91)  0.82 / 0.91 at 1.8 %
    2 %             0.89 / 0.95 at 4.8 %   0.88 / 0.94 at 3.9 % (.86 / .92)  0.83 / 0.92 at 2.2 %

0.1 is the cut for a scope, with folders of at most 1 % of the files, or 2 % where 4 % of scope are allowed.
NEW and PATTERN clues cost no existing file and may be taken below it. A clue without task is
the whole change's: it belongs to the package whose tasks are nearest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ClueKind(StrEnum):
    """What names a file. The later ones are candidates that code derives from files which a person named."""

    TASK = "task"
    SECTION = "section"
    PROPOSAL = "proposal"
    DESIGN = "design"
    SPEC = "spec"
    CONTRACT = "contract"
    TEST_MIRROR = "test mirror"
    COMPONENT_TESTS = "tests of the component"
    NEW_FOLDER = "folder of a new file"
    REGISTRY = "registry beside a new module"
    ROOT_CONFIG = "configuration"
    HOT = "changed often"
    SEQUENCE = "next number"
    TOPIC = "same topic"
    SYMBOL = "defines what is named"


class Resolution(StrEnum):
    """How a name that stands in a text became a path: as it is, by its end, as a new file, as a folder, not at all.

    PATTERN: the path is a glob in the scope language, for new files whose names code can only guess the beginning of
    (`tests/shop/test_discount*.py`); it may match files that exist.
    """

    EXACT = "exact"
    SUFFIX = "unique suffix"
    NEW = "new file"
    FOLDER = "folder"
    PATTERN = "pattern"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One task. `id` as a plan names it; `requires` are ids of tasks that must end before; `section` an index.

    `lines` (from 1) in its document; `parallel` is spec-kit's `[P]`, `story` its `[US1]`; empty where not given.
    """

    id: str
    text: str
    section: int
    requires: tuple[str, ...] = ()
    parallel: bool = False
    story: str = ""
    done: bool = False
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A heading with tasks below it: a phase, a user story, a numbered part."""

    number: str
    title: str


@dataclass(frozen=True, slots=True)
class Clue:
    """One reason for one path. `task` is empty where the whole change names it; `certainty` from 0 to 1.

    `path` ends in `/` where a folder is meant, and is a glob where `resolution` is PATTERN; else `resolution` tells
    whether it exists (EXACT, SUFFIX, FOLDER) or not (NEW).
    `because` is for a person: the words of the text, or the file that this one was derived from.
    """

    path: str
    task: str
    kind: ClueKind
    certainty: float
    resolution: Resolution = Resolution.EXACT
    because: str = ""


@dataclass(frozen=True, slots=True)
class StatedUse:
    """That a text says of a task that it uses what another one makes; `because` has its words."""

    task: str
    used: str
    because: str


@dataclass(frozen=True, slots=True)
class Table:
    """Everything that grouping knows.

    `files` are the repository's, without the change folder; `imports` go from a file to those that it imports;
    `together` counts commits in which two files (in order) changed together, `hot` the last commits that changed a
    file; `sizes` are bytes; `uses` are what texts say that tasks use of each other; `shared_kinds` the kinds of shared
    files (`plan.kinds`) that texts speak of. `notes` are what could not be read or was left out, for a person.
    """

    change_id: str
    title: str
    tasks: tuple[PlannedTask, ...]
    sections: tuple[Part, ...]
    evidence: tuple[Clue, ...]
    files: frozenset[str]
    unresolved: tuple[Clue, ...] = ()
    imports: Mapping[str, frozenset[str]] = field(default_factory=dict)
    together: Mapping[tuple[str, str], int] = field(default_factory=dict)
    hot: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    contracts: tuple[str, ...] = ()
    uses: tuple[StatedUse, ...] = ()
    shared_kinds: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
