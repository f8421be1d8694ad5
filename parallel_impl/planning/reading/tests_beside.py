"""Where the tests of a file are, by the names that test runners look for, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Mapping

from parallel_impl.plan import names_of_tests
from parallel_impl.plan.names_of_tests import FOLDERS, SCRIPT, TESTED, names, subject
from parallel_impl.planning.reading.tree import FileTree, above, extension, folder_of, name_of


def existing(path: str, tree: FileTree) -> list[str]:
    """The tests of a source file that exist in a tree."""
    return names_of_tests.existing(path, tree.by_name)


def homes(path: str, tree: FileTree, new: frozenset[str] = frozenset()) -> list[str]:
    """The folders of tests nearest to a file, the nearest first: beside it, then beside each folder above it.

    `new` are folders that do not exist yet. A tests folder that mirrors the source's folders is followed down.
    """
    found = []
    for folder in [*reversed(above(path)), ""]:
        for name in sorted(FOLDERS - {"e2e", "testing", "spec", "specs"}):
            home = f"{folder}/{name}" if folder else name
            if home in tree.folders or home in new:
                found.append(_mirrored(home, path, folder, tree))
    return found


class ComponentTests:
    """Tests folders with a folder for each component: `tests/shop/` of `src/shop/`, `skills/tests/x/` of `skills/x/`.

    Learned from the tree: such a folder's own folders are, for the most part, named as those of a folder beside it.
    """

    def __init__(self, tree: FileTree) -> None:
        self.tree = tree
        children: dict[str, set[str]] = {}
        for folder in tree.folders:
            children.setdefault(folder_of(folder), set()).add(name_of(folder))
        self.pairs: list[tuple[str, str]] = []  # (folder of components, folder of their tests)
        for home in sorted(children):
            parts = home.split("/")
            if any(part in FOLDERS for part in parts):
                outer = "/".join(parts[: next(n for n, part in enumerate(parts) if part in FOLDERS)])
                beside = [outer, *(f"{outer}/{name}".lstrip("/") for name in sorted(children.get(outer, ())))]
                self.pairs += [(base, home) for base in beside if self._is_mirror(children, base, home)]

    @staticmethod
    def _is_mirror(children: Mapping[str, set[str]], base: str, home: str) -> bool:
        if base == home or base not in children or (home.startswith(f"{base}/") and base in FOLDERS):
            return False
        own = children[home] - FOLDERS - {"fixtures", "__pycache__"}
        both = own & (children[base] - FOLDERS)
        return len(both) >= 2 and len(both) * 2 >= len(own)

    def of(self, path: str) -> list[str]:
        """The folders for the tests of the component that a path lies in, whether or not they exist."""
        found = []
        for base, home in self.pairs:
            inside = path.removeprefix(f"{base}/" if base else "")
            component, slash, _ = inside.partition("/")
            if slash and component not in FOLDERS and (not base or inside != path) and not path.startswith(f"{home}/"):
                found.append(f"{home}/{component}")
        return found


def _mirrored(home: str, path: str, folder: str, tree: FileTree) -> str:
    """The folder below `home` that follows the source's own folders, as deep as it goes: `shop/` or `test_shop/`."""
    inside = path[len(folder) :].strip("/").split("/")[:-1]
    for skipped in range(len(inside) + 1):
        deeper = "/".join(inside[skipped:])
        for named in (deeper, "/".join(f"test_{part}" for part in inside[skipped:])):
            if deeper and f"{home}/{named}" in tree.folders:
                return f"{home}/{named}"
    return home


def expected(path: str, tree: FileTree, new: frozenset[str] = frozenset()) -> str:
    """Where a test of a source file without one would be written; "" where nothing in the tree tells."""
    forms = names(path)
    if not forms:
        return ""
    beside = [one for one in tree.direct.get(folder_of(path), ()) if subject(one) and extension(one) in TESTED]
    if extension(path) == ".go" or (beside and extension(path) in SCRIPT):
        return f"{folder_of(path)}/{_like(forms, beside)}".strip("/")
    home = next(iter(homes(path, tree, new)), "")
    return f"{home}/{_like(forms, tree.direct.get(home, []))}" if home else ""


def _like(forms: tuple[str, ...], others: list[str]) -> str:
    """The name among the forms that is built as most of the others are."""
    tail = [re.search(r"(?:^test_|_test|\.test|\.spec|_spec|Test)\b.*|\.\w+$", name_of(one)) for one in others]
    endings = [match[0] for match in tail if match]
    counts = {form: sum(form.endswith(ending) for ending in endings) for form in forms}
    return max(forms, key=lambda form: counts[form])
