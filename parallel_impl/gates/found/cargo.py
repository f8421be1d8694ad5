"""`cargo test` and clippy of the package or workspace at the root."""

from __future__ import annotations

from collections.abc import Iterator

from parallel_impl.gates.found.found_gate import FoundGate, ProjectTree, Unfound, inside, place
from parallel_impl.gates.found.members import members
from parallel_impl.gates.project_files import strings, table, toml

TEST = "cargo test --no-fail-fast"
CLIPPY = "cargo clippy --all-targets"


def gates(tree: ProjectTree) -> Iterator[FoundGate]:
    """One gate for all members: cargo knows them itself."""
    document = toml(tree.content("Cargo.toml"))
    if document:
        every = " --workspace" if "workspace" in document else ""
        yield FoundGate("cargo-test", TEST + every, "cargo", "Cargo.toml")
        yield FoundGate("cargo-clippy", CLIPPY + every, "exit-code", "Cargo.toml", required=False)


def workspace(tree: ProjectTree) -> list[str]:
    """The folders of the members, path dependencies inside the root's included."""
    document = toml(tree.content("Cargo.toml"))
    declared = table(document, "workspace")
    folders = tree.folders_with("Cargo.toml")
    if not document:
        return []
    return members(strings(declared.get("members")), folders, strings(declared.get("exclude")))


def in_folder(tree: ProjectTree, folder: str) -> Unfound | None:
    """The tests of a package that is no member."""
    where = place(folder, "Cargo.toml")
    if not table(toml(tree.content(where)), "package"):
        return None
    return Unfound(where, folder, inside(folder, TEST), "cargo")
