"""From names in texts to paths: exact, by a unique end, as a new file in a known folder, a folder; or not at all.

A name that could mean several files is decided by the company that it is in: what else its task, its section and its
document name. What stays undecided is reported, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from parallel_impl.plan import names_of_tests
from parallel_impl.planning.reading import tests_beside
from parallel_impl.planning.reading.evidence import Resolution
from parallel_impl.planning.reading.named_paths import NamedPath
from parallel_impl.planning.reading.tree import FileTree, above, extension, folder_of, name_of, shared

# What people call files of, whether or not the repository has one yet.
_ENDINGS = frozenset((
    ".py", ".pyi", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte", ".go", ".rs", ".java", ".kt",
    ".rb", ".php", ".cs", ".c", ".h", ".cc", ".cpp", ".hpp", ".swift", ".scala", ".ex", ".exs", ".dart", ".sh",
    ".bash", ".sql", ".md", ".mdx", ".rst", ".txt", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".css", ".scss", ".less", ".html", ".svg", ".xml", ".proto", ".graphql", ".tf", ".lock", ".env", ".j2", ".csv",
))  # fmt: skip
_NOT_OURS = frozenset((".git", ".venv", "venv", "node_modules", "__pycache__", "site-packages"))  # nobody edits there
_MANY = 40  # a glob over more files than this names none of them


@dataclass(frozen=True, slots=True)
class Resolved:
    """A path that a name means. `sure`: from 0 to 1, how well the form of the name says so."""

    path: str
    resolution: Resolution
    sure: float = 1.0


@dataclass(frozen=True, slots=True)
class Company:
    """Paths that are known to be meant near a name, the closest group first: its task, section, document, change."""

    groups: tuple[frozenset[str], ...] = ()

    def nearest(self, several: Sequence[str]) -> str:
        """The one of several paths that lies closest to the company; "" where that does not decide."""
        for group in self.groups:
            depths = [max((shared(path, one) for one in group), default=0) for path in several]
            best = max(depths, default=0)
            if best and depths.count(best) == 1:
                return several[depths.index(best)]
        return ""

    def home(self, bases: Sequence[str]) -> str | None:
        """Of several folders (with their slash, "" for the top) the one that a group has most of its paths in.

        The top where none has more than half; None where the top is none of them.
        """
        inner = [base for base in bases if base]
        for group in self.groups:
            counts = [sum(path.startswith(base) for path in group) for base in inner]
            best = max(counts, default=0)
            if best * 2 > len(group) and counts.count(best) == 1:
                return inner[counts.index(best)]
        return "" if "" in bases else None

    def folders(self, ending: str) -> list[str]:
        """The folders of the company's files with this extension, in order of closeness and then of frequency."""
        found: dict[str, None] = {}
        for group in self.groups:
            counts: dict[str, int] = {}
            for path in sorted(group):
                if extension(path) == ending and not names_of_tests.is_test(path):
                    counts[folder_of(path)] = counts.get(folder_of(path), 0) + 1
            found |= dict.fromkeys(sorted(counts, key=lambda folder: (-counts[folder], folder)))
        return list(found)


def resolve(name: NamedPath, tree: FileTree, company: Company | None = None) -> list[Resolved]:
    """The paths that a name means; without company only what needs none. Empty where it means none, or not surely."""
    text = name.text
    if any(part in _NOT_OURS for part in text.split("/")):
        return []
    if text.endswith("/"):
        return _folder(text.rstrip("/"), tree, company)
    if text in tree.files:
        return [Resolved(text, Resolution.EXACT)]
    if "*" in text or "?" in text:
        return _pattern(text, tree, company)
    if text in tree.folders and "/" in text:
        return [Resolved(f"{text}/", Resolution.FOLDER, 0.9)]
    return _by_end(name, tree, company) or _module(name, tree, company) or _new(name, tree, company)


def is_likely(name: NamedPath, tree: FileTree) -> bool:
    """Whether a name that resolved to nothing was surely meant as a path: only that is worth a note."""
    return name.quoted and extension(name.text) in (tree.extensions & _ENDINGS) and "*" not in name.text


def _by_end(name: NamedPath, tree: FileTree, company: Company | None) -> list[Resolved]:
    several = tree.ending(name.text)
    if "/" in name.text or extension(name.text) or several:
        if len(several) == 1 and (name.quoted or "/" in name.text or "_" in name.text):
            return [Resolved(several[0], Resolution.SUFFIX)]
        if len(several) == 1:
            return [Resolved(several[0], Resolution.SUFFIX, 0.8)]
        if several and company and (one := company.nearest(several)):
            return [Resolved(one, Resolution.SUFFIX, 0.75)]
    folders = tree.folders_ending(name.text) if "/" in name.text else []
    if len(folders) == 1:
        return [Resolved(f"{folders[0]}/", Resolution.FOLDER, 0.8)]
    return []


def _folder(text: str, tree: FileTree, company: Company | None) -> list[Resolved]:
    if text in tree.folders:
        return [Resolved(f"{text}/", Resolution.FOLDER)]
    several = tree.folders_ending(text)
    if len(several) == 1:
        return [Resolved(f"{several[0]}/", Resolution.FOLDER, 0.9)]
    if several and company and (one := company.nearest([f"{path}/" for path in several])):
        return [Resolved(one, Resolution.FOLDER, 0.7)]
    if not several and "/" in text and "*" not in text and (base := _base(text, tree, company)) is not None:
        return [Resolved(f"{base}{text}/", Resolution.NEW, _unknown_folder(f"{base}{text}/", tree))]
    return []


def _pattern(text: str, tree: FileTree, company: Company | None) -> list[Resolved]:
    """The files that a glob matches; where none, the folder that it speaks of."""
    matched = tree.matching(text)
    if 0 < len(matched) <= _MANY and any(letter not in "*?./" for letter in text):
        return [Resolved(path, Resolution.EXACT, 1 / (1 + len(matched) / 10)) for path in matched]
    head = text.partition("*")[0].rpartition("/")[0]
    return [Resolved(one.path, one.resolution, one.sure / 2) for one in _folder(head, tree, company)] if head else []


def _module(name: NamedPath, tree: FileTree, company: Company | None) -> list[Resolved]:
    """The file of a dotted Python module, with or without a last part that is something inside it."""
    parts = name.text.removesuffix("()").split(".")
    if "/" in name.text or len(parts) < 2 or not all(part.isidentifier() for part in parts):
        return []
    for kept in range(len(parts), 0, -1):
        path = "/".join(parts[:kept])
        if kept == 1 and "_" not in path:
            return []
        several = tree.ending(f"{path}.py") or tree.ending(f"{path}/__init__.py")
        if len(several) == 1:
            return [Resolved(several[0], Resolution.SUFFIX, 0.7 if kept > 1 else 0.5)]
        if several and company and (one := company.nearest(several)):
            return [Resolved(one, Resolution.SUFFIX, 0.5)]
    return []


def _new(name: NamedPath, tree: FileTree, company: Company | None) -> list[Resolved]:
    text = name.text
    ending = extension(text)
    is_file = ending in _ENDINGS or (ending in tree.extensions and name.quoted) or text.count("/") > 1
    if not is_file or (not ending and not name.quoted) or text[-1] in ".-":
        return []
    if "/" not in text:
        return _new_beside(name, tree, company)
    if tree.ending(text):
        return []  # several files end so: which one is meant is not known, and none of them is new
    base = _base(text, tree, company)
    if base is None:
        return []
    known = f"{base}{text}".rpartition("/")[0] in tree.folders
    path = f"{base}{text}"
    if not ending:
        return [Resolved(f"{path}/", Resolution.NEW, 0.4)]
    found = [Resolved(path, Resolution.NEW, 1.0 if known else _unknown_folder(path, tree))]
    if base and text.count("/") > 1:
        found.append(Resolved(text, Resolution.NEW, 0.3))  # or a tree of its own at the top: that costs no file
    return found


def _unknown_folder(path: str, tree: FileTree) -> float:
    """How sure a new path in no known folder is; a hidden folder that the tree lacks is mostly where a tool writes."""
    first = path.partition("/")[0]
    return 0.3 if first.startswith(".") and first not in tree.folders else 0.9


def _base(text: str, tree: FileTree, company: Company | None) -> str | None:
    """What stands before a new path: "" where it is whole; None where that cannot be told yet.

    A first folder that lies at the top and in components too (`tests/`, `scripts/`) means the component that most of
    the document's other names are in, if there is one.
    """
    parts = text.split("/")
    for depth in range(len(parts) - 1, 0, -1):
        head = "/".join(parts[:depth])
        several = [path.removesuffix(head) for path in tree.folders_ending(head)]
        if several == [""] or (depth > 1 and "" in several) or (len(several) == 1 and (depth > 1 or company)):
            return several[0] if len(several) == 1 else ""
        if several:
            return company.home(several) if company else None
    if company is None:
        return None
    around = next((folder for group in company.groups if (folder := _folders_in(group).get(parts[0]))), "")
    return f"{folder_of(around)}/".lstrip("/") if around else ""


@lru_cache(maxsize=4096)  # the same few groups stand behind hundreds of names
def _folders_in(group: frozenset[str]) -> dict[str, str]:
    """The folders that paths lie in, by their own name: of several the first."""
    found: dict[str, str] = {}
    for path in sorted(group):
        for folder in above(f"{path.rstrip('/')}/x"):
            found.setdefault(name_of(folder), folder)
    return found


def _new_beside(name: NamedPath, tree: FileTree, company: Company | None) -> list[Resolved]:
    """A new file named without a folder lies where the company's files of its kind lie."""
    if company is None or not name.quoted or tree.ending(name.text):
        return []
    folders = company.folders(extension(name.text))
    if names_of_tests.is_test(name.text):
        sources = [f"{folder}/x{extension(name.text)}" for folder in folders]
        homes = [home for source in sources for home in tests_beside.homes(source, tree)]
        folders = homes or folders
    if not folders or name.text.startswith("."):
        return []
    beside = Resolved(f"{folders[0]}/{name.text}".lstrip("/"), Resolution.NEW, 0.5)
    if extension(name.text) in names_of_tests.TESTED or not folders[0]:
        return [beside]
    return [beside, Resolved(name.text, Resolution.NEW, 0.3)]  # data and settings may lie at the top as well


def paths_of(found: Iterable[Resolved]) -> frozenset[str]:
    """The paths alone."""
    return frozenset(one.path for one in found)
