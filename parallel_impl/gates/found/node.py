"""The scripts `test`, `lint` and `typecheck` of package.json, run by the manager whose lock file is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from parallel_impl.config import SCRIPTS
from parallel_impl.gates.found.found_gate import FoundGate, ProjectTree, Unfound, inside, named, place
from parallel_impl.gates.found.members import members
from parallel_impl.gates.node_manager import FROZEN, manager
from parallel_impl.gates.project_files import json_table, strings, table

NO_TESTS = re.compile(r"no tests? (is |are )?(specified|found|yet)", re.I)
EDITS = re.compile(r"(^|\s)(--fix|--write|--update|-u|--updateSnapshot)(?=$|[\s=])")
OF_MEMBERS = re.compile(
    r"--workspaces?\b|\s-ws?\b|\s-r\b|--recursive\b|\bturbo\b|\blerna\b|\bnx\b|\bworkspaces\b|--filter\b"
)
SHELL = re.compile(r"[;&|<>`$()#\n\\]")  # one simple command has none of these outside of quotes
QUOTED = re.compile(r"'[^']*'|\"[^\"$`\\]*\"")
# what runs a part of the tests, stops early, or waits
PARTIAL = re.compile(
    r"(^|\s)(--bail|-b|--changed|--onlyChanged|-o|--watch|--watchAll|-w|--shard|--ui|watch|dev|bench)(?=$|[\s=])"
)
REPORTS = re.compile(r"--(test-)?reporters?\b|--outputFile|--json\b")
MOST_MEMBERS = 8
# the report is a second one: what a person reads stays in the log
NODE_OPTIONS = (
    "--test-reporter=spec --test-reporter-destination=stdout"
    " --test-reporter=junit --test-reporter-destination=$PARALLEL_IMPL_REPORT"
)
VITEST_OPTIONS = '--reporter=default --reporter=json --outputFile.json="$PARALLEL_IMPL_REPORT"'
JEST_OPTIONS = '--json --outputFile="$PARALLEL_IMPL_REPORT"'


@dataclass(frozen=True, slots=True)
class _Package:
    """A package.json: its folder, what runs its scripts, and these."""

    folder: str
    manager: str
    scripts: dict[str, str]

    @property
    def where(self) -> str:
        return place(self.folder, "package.json")


def gates(tree: ProjectTree) -> Iterator[FoundGate]:
    """The gates of the root and of the members of its workspace.

    Members run by themselves where the root has no script of that name, or one that does not run theirs.
    """
    root = _package(tree, "", manager(tree.content))
    if root is None:
        return
    packages = [_package(tree, folder, root.manager) for folder in workspace(tree)]
    below = [one for one in packages if one]
    for script in SCRIPTS:
        whole = _is_gate(root.scripts.get(script, ""))
        if whole:
            yield _gate(root, script)
        having = [one for one in below if _is_gate(one.scripts.get(script, ""))]
        if not (whole and OF_MEMBERS.search(root.scripts[script])):
            yield from _of_members(root, having, script)


def _of_members(root: _Package, having: list[_Package], script: str) -> Iterator[FoundGate]:
    """One gate for each member; one for all of them where they are many."""
    every = {
        "npm": f"npm run {script} --workspaces --if-present",
        "pnpm": f"pnpm -r --if-present run {script}",
        "bun": f"bun run --filter '*' {script}",
    }
    if len(having) > MOST_MEMBERS and root.manager in every:
        yield FoundGate(f"{root.manager}-{script}:*", every[root.manager], "exit-code", root.where)
    else:
        yield from (_gate(one, script) for one in having)


def _gate(package: _Package, script: str) -> FoundGate:
    name = named(f"{package.manager}-{script}", package.folder)
    command, parser = f"{package.manager} run {script}", "exit-code"
    if script == "test":
        parser, before, after = _reader(package.scripts[script], package.manager)
        command = f"{before}{command}{after}"
    return FoundGate(name, inside(package.folder, command), parser, package.where)


def _reader(script: str, manager_name: str) -> tuple[str, str, str]:
    """Who reads the report of a script that is one simple command, and what is written before and after `run test`."""
    tool = simple_tool(script)
    join = " -- " if manager_name == "npm" else " "
    if tool == "node":
        return "node", f'NODE_OPTIONS="{NODE_OPTIONS}" ', ""
    if tool == "vitest":
        return "vitest", "", join + VITEST_OPTIONS
    if tool == "jest":
        return "jest", "", join + JEST_OPTIONS
    return "exit-code", "", ""


def simple_tool(script: str) -> str:
    """node (with --test), vitest or jest, where the script is that command alone, runs all its tests and reports
    nothing of its own; else "".
    """
    words = _one_command(script)
    if not words or PARTIAL.search(script) or REPORTS.search(script):
        return ""
    if words[0] == "node":
        return "node" if "--test" in words else ""
    return words[0] if words[0] in ("vitest", "jest") else ""


def is_one_command(script: str) -> bool:
    """Whether a script is one simple command and no other script's."""
    words = _one_command(script)
    return bool(words) and words[0] not in ("npm", "pnpm", "yarn", "bun", "npm-run-all", "run-s", "run-p", "sh", "bash")


def _one_command(script: str) -> list[str]:
    """The words of a script that is one simple command, without assignments; none of any other."""
    if SHELL.search(QUOTED.sub("", script)):
        return []
    try:
        return _without_assignments(shlex.split(script))
    except ValueError:
        return []


def _without_assignments(words: list[str]) -> list[str]:
    left = list(words)
    while left and (re.match(r"[A-Za-z_]\w*=", left[0]) or left[0] in ("cross-env", "env")):
        if left[0].startswith("NODE_OPTIONS="):
            return []  # what reads the report would be lost
        left.pop(0)
    return left


def _is_gate(script: str) -> bool:
    return bool(script.strip()) and not NO_TESTS.search(script) and not EDITS.search(script)


def _package(tree: ProjectTree, folder: str, manager_name: str) -> _Package | None:
    content = tree.content(place(folder, "package.json"))
    if content is None:
        return None
    scripts = table(json_table(content), "scripts")
    return _Package(folder, manager_name, {key: text for key, text in scripts.items() if isinstance(text, str)})


def workspace(tree: ProjectTree) -> list[str]:
    """The folders of the members: `workspaces` of package.json, `packages` of pnpm-workspace.yaml."""
    declared = json_table(tree.content("package.json")).get("workspaces")
    if isinstance(declared, dict):  # yarn 1
        declared = declared.get("packages")
    patterns = [*strings(declared), *_of_pnpm(tree.content("pnpm-workspace.yaml"))]
    return members(patterns, tree.folders_with("package.json"))


def _of_pnpm(content: bytes | None) -> Iterator[str]:
    """The list `packages` of pnpm-workspace.yaml, in the block form that it is written in, or the flow form."""
    text = (content or b"").decode(errors="replace")
    if flow := re.search(r"^packages:\s*(\[.*?\])", text, re.M | re.S):
        yield from re.findall(r"[^\s\[\],'\"]+", flow[1])
    elif block := re.search(r"^packages:[ \t]*\n((?:[ \t]*(?:-[^\n]*|#[^\n]*)?\n)*)", f"{text}\n", re.M):
        for line in re.findall(r"^[ \t]*-[ \t]*(.+?)[ \t]*$", block[1], re.M):
            yield re.sub(r"^(['\"])(.*?)\1.*$|^([^'\"]\S*).*$", r"\2\3", line)


def in_folder(tree: ProjectTree, folder: str) -> Unfound | None:
    """The tests of a sub-folder that no workspace of the root declares."""
    package = _package(tree, folder, manager(tree.below(folder)))
    if package is None or not _is_gate(package.scripts.get("test", "")):
        return None
    parser, before, after = _reader(package.scripts["test"], package.manager)
    command = inside(folder, f"{before}{package.manager} run test{after}")
    return Unfound(package.where, folder, command, parser, FROZEN[package.manager])
