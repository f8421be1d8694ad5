"""pytest, mypy and ruff, found where these tools look for their own configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator

from parallel_impl.gates.found.found_gate import FoundGate, ProjectTree, Unfound, inside, named, place
from parallel_impl.gates.found.members import members
from parallel_impl.gates.project_files import Read, Table, sections, strings, table, toml
from parallel_impl.gates.requirements import FILES as REQUIREMENTS
from parallel_impl.gates.requirements import installs

COMMANDS = {
    "pytest": "pytest -q",
    "mypy": "mypy --output=json",
    "ruff": "ruff check --no-fix --output-format=json",  # `fix = true` in its configuration: a gate only judges
}
TEST_FILE = re.compile(r"(tests?/(.*/)?)?(test_[^/]*|[^/]*_test)\.py")  # beside the code, or in their folder


def gates(tree: ProjectTree) -> Iterator[FoundGate]:
    """The gates of the project at the root, and the tests of the members of a uv workspace that it does not run."""
    for name, where in (("pytest", _tests(tree)), ("mypy", mypy(tree.content)), ("ruff", ruff(tree.content))):
        if where:
            said = not where.endswith(".py")
            yield FoundGate(name, COMMANDS[name], name, where, required=said)
    for folder in workspace(tree):
        member = pytest(tree.below(folder))
        if member and not _reaches(tree, folder):
            command = inside(folder, COMMANDS["pytest"])
            yield FoundGate(named("pytest", folder), command, "pytest", place(folder, member))


def workspace(tree: ProjectTree) -> list[str]:
    """The folders of the members of a uv workspace."""
    declared = table(table(_tools(tree.content), "uv"), "workspace")
    folders = tree.folders_with("pyproject.toml")
    return members(strings(declared.get("members")), folders, strings(declared.get("exclude")))


def _reaches(tree: ProjectTree, folder: str) -> bool:
    """Whether pytest at the root collects what lies in a folder: everything, unless it names its `testpaths`."""
    where = pytest(tree.content)
    if where is None:
        return False
    paths = _test_paths(tree.content, where)
    return not paths or any(f"{folder}/".startswith(f"{path.removeprefix('./').strip('/')}/") for path in paths)


def _test_paths(read: Read, where: str) -> list[str]:
    """`testpaths` of the file that configures pytest; none where it does not name them."""
    if where.endswith(".toml"):
        document = toml(read(where))
        section = table(_tools(read), "pytest") if where == "pyproject.toml" else table(document, "pytest")
        listed = table(section, "ini_options").get("testpaths", section.get("testpaths"))
    else:
        known = sections(read(where))
        listed = known.get("tool:pytest" if where == "setup.cfg" else "pytest", {}).get("testpaths")
    return listed.split() if isinstance(listed, str) else strings(listed)


def _tests(tree: ProjectTree) -> str | None:
    """What says that pytest runs the tests; test files and a requirement of pytest do, without a configuration."""
    if where := pytest(tree.content):
        return where
    wants = next((name for name in REQUIREMENTS if installs(tree.content(name), "pytest")), None)
    wants = wants or ("pyproject.toml" if _declares(tree.content, "pytest") else None)
    return wants if wants and any(TEST_FILE.fullmatch(path) for path in tree.paths) else None


def _declares(read: Read, program: str) -> bool:
    """Whether an extra or a group of the project names a program."""
    document = toml(read("pyproject.toml"))
    lists = [*table(document, "dependency-groups").values()]
    lists += table(table(document, "project"), "optional-dependencies").values()
    needs = (need for one in lists for need in strings(one))
    return any(installs(need.encode(), program) for need in needs)


def pytest(read: Read) -> str | None:
    """Where pytest looks for its configuration (its reference, "Configuration file formats"), then conftest.py."""
    for name in ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"):
        if read(name) is not None:
            return name
    if "pytest" in _tools(read):
        return "pyproject.toml"
    for name, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        if section in sections(read(name)):
            return name
    return next(("conftest.py" for name in ("conftest.py", "tests/conftest.py") if read(name) is not None), None)


def mypy(read: Read, *, any_section: bool = False) -> str | None:
    """mypy's own order of files; only a section that names files makes a bare `mypy` work (else exit 2)."""
    known: dict[str, Table | None] = {name: sections(read(name)).get("mypy") for name in ("mypy.ini", ".mypy.ini")}
    tool = _tools(read).get("mypy")
    known["pyproject.toml"] = tool if isinstance(tool, dict) else None
    known["setup.cfg"] = sections(read("setup.cfg")).get("mypy")
    for name, section in known.items():
        if section is not None and (any_section or any(section.get(key) for key in ("files", "packages", "modules"))):
            return name
    return None


def ruff(read: Read) -> str | None:
    """Where ruff is configured."""
    for name in (".ruff.toml", "ruff.toml"):
        if read(name) is not None:
            return name
    return "pyproject.toml" if "ruff" in _tools(read) else None


def _tools(read: Read) -> Table:
    return table(toml(read("pyproject.toml")), "tool")


def in_folder(tree: ProjectTree, folder: str) -> Unfound | None:
    """The tests of a sub-folder, where it configures pytest itself and the root does not reach them."""
    where = pytest(tree.below(folder))
    if where is None or where == "conftest.py" or _reaches(tree, folder):
        return None
    ready = "uv sync --frozen" if tree.has(place(folder, "uv.lock")) else ""
    runner = "uv run --frozen pytest -q" if ready else "pytest -q"
    return Unfound(place(folder, where), folder, inside(folder, runner), "pytest", ready)
