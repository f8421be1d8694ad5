"""Candidates that follow from files which a person named: their tests, their folders, registries, configuration.

55 % of the files that a change touches are new, and half of those that nobody names are tests: rules on names and
folders find them, where imports and history cannot. Each rule gives clues with a certainty of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from parallel_impl.plan import names_of_tests
from parallel_impl.planning.reading import history, shared_kinds, tests_beside
from parallel_impl.planning.reading.evidence import Clue, ClueKind, Resolution
from parallel_impl.planning.reading.tree import FileTree, above, extension, folder_of, name_of

SHORT = 5  # letters: shorter names begin too many others
PLENTY = 8  # files of a folder that cost nothing
FEW = 4  # files, to take their names for a convention
SMALL_FOLDER = 16  # files: a folder of no more is as good as the file that was named in it
REGISTRIES = ("__init__.py", "index.ts", "index.tsx", "index.js", "mod.rs", "lib.rs", "doc.go")
CONFIGURATION = (
    "pyproject.toml", "setup.cfg", "package.json", "tsconfig.json", "go.mod", "Cargo.toml", "Gemfile", "pom.xml",
    "build.gradle", "composer.json", "Dockerfile", ".gitignore", "docker-compose.yml", "compose.yaml", "Makefile",
    "requirements.txt", ".env.example", "README.md", "CHANGELOG.md",
)  # fmt: skip
# Half of these are missed by people's plans, and they are few: those of a component that a task works in always count.
BUILD = frozenset((
    "pyproject.toml", "setup.cfg", "package.json", "go.mod", "Cargo.toml", "Gemfile", "pom.xml", "build.gradle",
    "composer.json", "Dockerfile", ".dockerignore", "docker-compose.yml", "docker-compose.yaml", "compose.yaml",
    "compose.yml", "Makefile", ".gitignore", "requirements.txt",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """How certain the candidates of each rule are, as a share of the certainty of what they come from."""

    test: float = 0.7
    new_test: float = 0.6
    source: float = 0.4
    tests_folder: float = 0.4
    own_tests_folder: float = 0.5
    sibling: float = 0.12
    new_folder: float = 0.8
    small_folder: float = 0.5
    registry: float = 0.15
    configuration: float = 2.0
    hot: float = 1.2
    most: float = 0.5
    build: float = 0.12
    least: float = 0.05
    sequence: float = 0.3
    topic: float = 0.5
    pattern: float = 0.1


RATES = Rates()


def candidates(named: Iterable[Clue], tree: FileTree, rates: Rates = RATES) -> list[Clue]:
    """What follows from what was named, each once for a task, at its highest certainty."""
    named = list(named)
    around = _Around(tree, named)
    rules = (_tests, _component_tests, _folders, _registries, _siblings)
    return strongest(one for clue in named for rule in rules for one in rule(clue, around, rates))


class _Around:
    """What the rules look at: the tree, its conventions, and the folders that the change will make."""

    def __init__(self, tree: FileTree, named: Sequence[Clue]) -> None:
        self.tree = tree
        self.new = (
            frozenset(folder for clue in named for folder in above(f"{clue.path.rstrip('/')}/x")) - tree.folders.keys()
        )
        self.component_tests = tests_beside.ComponentTests(tree)
        self.new_tests: dict[str, list[str]] = {}  # that somebody names, by file name
        for path in dict.fromkeys(clue.path for clue in named if clue.resolution is Resolution.NEW):
            if names_of_tests.is_test(path) and not path.endswith("/"):
                self.new_tests.setdefault(name_of(path), []).append(path)

    def expected_test(self, path: str) -> str:
        """The new test of a source: the one that somebody names, else where one would be written."""
        named = names_of_tests.existing(path, self.new_tests)
        return named[0] if named else tests_beside.expected(path, self.tree, self.new)


def by_size(files: int) -> float:
    """What a folder's certainty is worth: a large one costs more scope for the same new file."""
    return min(1.0, math.sqrt(PLENTY / max(files, 1)))


def strongest(clues: Iterable[Clue]) -> list[Clue]:
    """One clue for each path, task and kind: the most certain."""
    best: dict[tuple[str, str, ClueKind], Clue] = {}
    for clue in clues:
        key = (clue.path, clue.task, clue.kind)
        if key not in best or best[key].certainty < clue.certainty:
            best[key] = clue
    return list(best.values())


def _derived(clue: Clue, path: str, kind: ClueKind, rate: float, resolution: Resolution) -> Clue:
    return Clue(path, clue.task, kind, round(clue.certainty * rate, 4), resolution, clue.path)


def _tests(clue: Clue, around: _Around, rates: Rates) -> Iterator[Clue]:
    """The tests of a named source, existing or to be written; the source of a named test."""
    tree = around.tree
    if names_of_tests.is_tested(clue.path):
        several = tests_beside.existing(clue.path, tree)
        for path in several:
            yield _derived(clue, path, ClueKind.TEST_MIRROR, rates.test, Resolution.EXACT)
        expected = "" if several else around.expected_test(clue.path)
        if expected and expected not in tree.files:
            yield _derived(clue, expected, ClueKind.TEST_MIRROR, rates.new_test, Resolution.NEW)
    elif stem := names_of_tests.subject(clue.path):
        for path in _subjects(clue.path, stem, tree):
            yield _derived(clue, path, ClueKind.TEST_MIRROR, rates.source, Resolution.EXACT)


def _component_tests(clue: Clue, around: _Around, rates: Rates) -> Iterator[Clue]:
    """The tests folder nearest to a named source, and the one that the tree keeps for its component."""
    for home in around.component_tests.of(clue.path):
        yield _tests_folder(clue, home, around, rates.own_tests_folder)
    if names_of_tests.is_tested(clue.path):
        for home in tests_beside.homes(clue.path, around.tree, around.new)[:1]:
            yield _tests_folder(clue, home, around, rates.tests_folder)


def _tests_folder(clue: Clue, home: str, around: _Around, rate: float) -> Clue:
    files = around.tree.folders.get(home, 0)
    resolution = Resolution.FOLDER if files else Resolution.NEW
    return _derived(clue, f"{home}/", ClueKind.COMPONENT_TESTS, rate * by_size(files), resolution)


def _siblings(clue: Clue, around: _Around, rates: Rates) -> Iterator[Clue]:
    """New files beside a named one whose names go on from its own: `train.py`, `train_service.py`; its tests too."""
    stem, ending = name_of(clue.path).removesuffix(extension(clue.path)), extension(clue.path)
    if (
        not clue.task
        or not names_of_tests.is_tested(clue.path)
        or len(stem) < SHORT
        or stem in ("index", "main", "__main__")
    ):
        return
    folder = f"{folder_of(clue.path)}/".lstrip("/")
    yield _derived(clue, f"{folder}{stem}_*{ending}", ClueKind.TOPIC, rates.sibling, Resolution.PATTERN)
    test = around.expected_test(clue.path)
    if test and stem in test:
        yield _derived(clue, test.replace(stem, f"{stem}_*"), ClueKind.TOPIC, rates.sibling, Resolution.PATTERN)


def _subjects(test: str, stem: str, tree: FileTree) -> list[str]:
    """The source that a test tests, where only one file of that name lies in the same component."""
    component = test.partition("/")[0]
    several = [
        path
        for path in tree.by_name.get(f"{stem}{extension(test)}", ())
        if path.startswith(f"{component}/") and names_of_tests.is_tested(path)
    ]
    return several if len(several) == 1 else []


def _folders(clue: Clue, around: _Around, rates: Rates) -> Iterator[Clue]:
    tree = around.tree
    folder = folder_of(clue.path)
    if not folder or clue.path.endswith("/"):
        return
    if folder not in tree.folders:
        yield Clue(
            f"{folder}/", clue.task, ClueKind.NEW_FOLDER, clue.certainty * rates.new_folder, Resolution.NEW, clue.path
        )
    elif tree.folders[folder] <= SMALL_FOLDER:
        certainty = clue.certainty * rates.small_folder * by_size(tree.folders[folder])
        yield Clue(f"{folder}/", clue.task, ClueKind.NEW_FOLDER, certainty, Resolution.FOLDER, clue.path)


def _registries(clue: Clue, around: _Around, rates: Rates) -> Iterator[Clue]:
    tree = around.tree
    if clue.resolution is not Resolution.NEW or clue.path.endswith("/") or names_of_tests.is_test(clue.path):
        return  # nothing registers a test
    folder = folder_of(clue.path)
    for name in REGISTRIES:
        path = f"{folder}/{name}".lstrip("/")
        if path in tree.files and extension(name) == extension(clue.path) and name != name_of(clue.path):
            yield Clue(path, clue.task, ClueKind.REGISTRY, clue.certainty * rates.registry, Resolution.EXACT, clue.path)


def shared(
    named: Sequence[Clue],
    commits: Sequence[Collection[str]],
    tree: FileTree,
    spoken: Collection[str] = (),
    rates: Rates = RATES,
) -> list[Clue]:
    """Configuration and hot files of the components that tasks name, for the whole change.

    How often such a file changed in the commits that touched these components says how likely it changes again.
    Configuration and CI change for reasons of their own: they count where a text speaks of their kind (`spoken`), and
    the build files of a component below the top always.
    """
    components = {tree.component(clue.path): clue.path for clue in named if clue.task or clue.kind is ClueKind.SECTION}
    inside = frozenset(path for path in tree.files if tree.component(path) in components)
    outside = frozenset(path for path in tree.files if not tree.component(path))
    found = []
    shares = history.hottest(commits, inside, inside | outside)
    beside = [path for folder in components for path in tree.direct.get(folder, ()) if name_of(path) in BUILD]
    for path, share in sorted({**dict.fromkeys(beside, 0.0), **shares}.items()):
        name = name_of(path)
        kind = ClueKind.ROOT_CONFIG if name in CONFIGURATION else ClueKind.HOT
        certainty = min(rates.most, share * (rates.configuration if kind is ClueKind.ROOT_CONFIG else rates.hot))
        if name in BUILD and folder_of(path) in components:
            certainty = max(certainty, rates.build)
        grounded = shared_kinds.kind(path) in ("", *spoken) or (
            name in BUILD and folder_of(path) in components.keys() - {""}
        )
        if grounded and certainty >= rates.least:
            found.append(
                Clue(path, "", kind, round(certainty, 4), Resolution.EXACT, f"in {share:.1%} of the commits here")
            )
    return found


def sequences(
    mentioned: Iterable[tuple[str, str]], named: Iterable[Clue], tree: FileTree, rates: Rates = RATES
) -> list[Clue]:
    """The next file of a numbered folder (`migrations/024_*.sql`) where a text speaks of what the folder is called.

    `mentioned`: texts, each with its task ("" for the whole change).
    """
    components = {tree.component(clue.path) for clue in named}
    folders = [folder for folder in sorted(tree.direct) if tree.component(f"{folder}/x") in components]
    numbered = {folder: pattern for folder in folders if (pattern := _next(folder, tree))}
    found = []
    for text, task in mentioned:
        words = set(re.findall(r"[a-z]+", text.casefold()))
        for folder, pattern in numbered.items():
            singular = name_of(folder).casefold().removesuffix("s")
            if words & {singular, f"{singular}s"}:
                found.append(Clue(pattern, task, ClueKind.SEQUENCE, rates.sequence, Resolution.PATTERN, text[:60]))
    return strongest(found)


def topics(change_id: str, named: Sequence[Clue], tree: FileTree, weight: float, rates: Rates = RATES) -> list[Clue]:
    """Files whose names speak of what the change is called by, two words of its id: those that exist, and new ones.

    `code-search` in the id means `code_search.py` and whatever new `code_search_*` and `test_code_search_*` lie where
    the change works. Only words that the names of the repository or of the change know together are a topic. `weight`
    is what such a guess is worth here: little where the tasks name their files.
    """
    words = change_id.casefold().split("-")
    pairs = [f"{one}_{other.removesuffix('s')}" for one, other in pairwise(words) if len(one) + len(other) >= SHORT]
    known = {
        pair: [path for path in sorted(tree.files) if pair in name_of(path).casefold().replace("-", "_")]
        for pair in pairs
    }
    spoken = " ".join(clue.path for clue in named).casefold().replace("-", "_")
    components = {tree.component(clue.path) for clue in named}
    folders = _worked_in(named, tree)
    found = []
    for pair, paths in known.items():
        if not paths and pair not in spoken:
            continue
        near = [path for path in paths if tree.component(path) in components]
        if len(near) <= FEW * 3:
            found += [
                Clue(path, "", ClueKind.TOPIC, round(rates.topic * weight, 4), Resolution.EXACT, pair) for path in near
            ]
        for folder in sorted({*folders, *map(folder_of, near)}):
            name = f"{'test_' if names_of_tests.is_test(f'{folder}/x') else ''}{pair}*".replace("_", "[_-]")
            found.append(
                Clue(f"{folder}/{name}".lstrip("/"), "", ClueKind.TOPIC, rates.pattern, Resolution.PATTERN, pair)
            )
    mirrors = tests_beside.ComponentTests(tree)
    for home in sorted({folder_of(home) for clue in named for home in mirrors.of(clue.path)}):
        found.append(Clue(f"{home}/{change_id}/", "", ClueKind.TOPIC, rates.pattern, Resolution.NEW, change_id))
    return strongest(found)


def _worked_in(named: Sequence[Clue], tree: FileTree) -> set[str]:
    """The folders of the sources that tasks name, and the tests folders nearest to them."""
    sources = [clue.path for clue in named if clue.task and names_of_tests.is_tested(clue.path)]
    homes = {home for path in sources for home in tests_beside.homes(path, tree)[:1]}
    return {folder_of(path) for path in sources} & tree.folders.keys() | homes


def _next(folder: str, tree: FileTree) -> str:
    """The pattern of the next two files of a folder whose files are numbered; "" for another."""
    numbers = [match for path in tree.direct[folder] if (match := re.match(r"([0-9]{2,6})[_-]", name_of(path)))]
    if len(numbers) < FEW or len(numbers) * 2 < len(tree.direct[folder]):
        return ""
    width = len(numbers[-1][1])
    following = f"{max(int(match[1]) for match in numbers) + 1:0{width}d}"
    return f"{folder}/{following}[_-]*"
