"""`go test` and `go vet` of the module at the root and of those that go.work uses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from parallel_impl.gates.found.found_gate import FoundGate, ProjectTree, Unfound, inside, named, place

TEST, VET = "go test -json ./...", "go vet ./..."
USE = re.compile(r"^\s*use\s*(?:\(([^)]*)\)|(\S+))", re.M)


def gates(tree: ProjectTree) -> Iterator[FoundGate]:
    """A gate for the tests and one for vet of each module."""
    for folder in modules(tree):
        where = place(folder, "go.mod")
        yield FoundGate(named("go-test", folder), inside(folder, TEST), "go", where)
        yield FoundGate(named("go-vet", folder), inside(folder, VET), "exit-code", where)


def modules(tree: ProjectTree) -> list[str]:
    """The folders of the modules: the root ("") and what go.work uses."""
    root = [""] if tree.has("go.mod") else []
    text = re.sub(r"//[^\n]*", "", (tree.content("go.work") or b"").decode(errors="replace"))
    used = [word.strip('"`') for block, one in USE.findall(text) for word in (block or one).split()]
    below = [folder.removeprefix("./").rstrip("/") for folder in used]
    return list(dict.fromkeys([*root, *(one for one in below if one != "." and tree.has(place(one, "go.mod")))]))


def in_folder(tree: ProjectTree, folder: str) -> Unfound | None:
    """The tests of a module that go.work does not use."""
    at = f"{folder}/"
    if not any(path.startswith(at) and path.endswith("_test.go") for path in tree.paths):
        return None
    return Unfound(place(folder, "go.mod"), folder, inside(folder, TEST), "go")
