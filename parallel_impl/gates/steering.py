"""What steers a gate: the files, and the parts of files, that decide what it runs and what it takes for an error. Pure.

A package that changes one of them changes its own judge. `of` tells which they are for one gate, `differences` which
of them a candidate has changed, and what the base's version of each is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from parallel_impl.gates import sections
from parallel_impl.gates.called_files import LARGEST, called_files, programs
from parallel_impl.gates.project_files import Read


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: the programs that it is called by, its own files (names, in any folder), its parts of shared files."""

    programs: tuple[str, ...]
    files: tuple[str, ...] = ()
    parts: Mapping[str, tuple[str, ...]] | None = None


# The tools that look upward from a file read these in every folder, so a name counts wherever it lies.
PYTHON = ("sitecustomize.py", "usercustomize.py")
TOOLS = (
    Tool(
        ("pytest", "py.test", "coverage"),
        ("conftest.py", "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", ".coveragerc", *PYTHON),
        {
            "pyproject.toml": ("tool.pytest*", "tool.coverage*"),
            "setup.cfg": ("tool:pytest", "coverage:*"),
            "tox.ini": ("pytest", "coverage:*"),
        },
    ),
    Tool(
        ("mypy", "dmypy"),
        ("mypy.ini", ".mypy.ini"),
        {"pyproject.toml": ("tool.mypy*", "tool.*-mypy"), "setup.cfg": ("mypy", "mypy-*")},
    ),
    Tool(("ruff",), ("ruff.toml", ".ruff.toml", ".gitignore", ".ignore"), {"pyproject.toml": ("tool.ruff",)}),
    Tool(("flake8",), (".flake8",), {"setup.cfg": ("flake8*",), "tox.ini": ("flake8*",)}),
    Tool(("pylint",), ("pylintrc", ".pylintrc"), {"pyproject.toml": ("tool.pylint",), "setup.cfg": ("pylint*",)}),
    Tool(("black",), (), {"pyproject.toml": ("tool.black",)}),
    Tool(("isort",), (".isort.cfg",), {"pyproject.toml": ("tool.isort",), "setup.cfg": ("isort",)}),
    Tool(("pyright", "basedpyright"), ("pyrightconfig.json",), {"pyproject.toml": ("tool.*pyright",)}),
    Tool(("bandit",), (".bandit", "bandit.y*ml"), {"pyproject.toml": ("tool.bandit",)}),
    Tool(("pre-commit", "prek"), (".pre-commit-config.y*ml",)),
    Tool(("tox",), ("tox.toml",), {"tox.ini": ("*",), "pyproject.toml": ("tool.tox",), "setup.cfg": ("tox:*",)}),
    Tool(("nox",), ("noxfile.py",)),
    Tool(("make", "gmake"), ("Makefile", "makefile", "GNUmakefile", "*.mk")),
    Tool(("just",), ("justfile", ".justfile", "Justfile")),
    Tool(("task",), ("[Tt]askfile.y*ml", "[Tt]askfile.dist.y*ml")),
    Tool(
        (
            "npm", "pnpm", "yarn", "bun", "node", "npx", "vitest", "jest", "eslint", "tsc", "vue-tsc", "mocha", "ava",
            "prettier", "biome", "c8", "nyc", "playwright", "cypress", "tsx", "ts-node", "deno",
        ),
        (
            ".eslintrc*", "eslint.config.*", ".eslintignore", "vitest.config.*", "vitest.workspace.*", "vite.config.*",
            "jest.config.*", "jest.setup.*", "vitest.setup.*", "babel.config.*", ".babelrc*", ".swcrc", ".mocharc*",
            "ava.config.*", ".nycrc*", ".c8rc*", "tsconfig*.json", "jsconfig*.json", ".npmrc", ".prettierrc*",
            "prettier.config.*", ".prettierignore", "biome.json*", "playwright.config.*", "cypress.config.*",
            "karma.conf.*", "deno.json*", "turbo.json", "nx.json",
        ),
        {
            "package.json": (
                "scripts", "jest", "vitest", "mocha", "ava", "c8", "nyc", "babel", "eslintConfig", "eslintIgnore",
                "prettier", "type", "imports",
            )
        },
    ),
    Tool(
        ("cargo",),
        ("clippy.toml", ".clippy.toml", "rustfmt.toml", ".rustfmt.toml", "rust-toolchain*", ".cargo/config*"),
        {"Cargo.toml": ("lints", "profile", "workspace.lints")},
    ),
    Tool(("go", "golangci-lint"), (".golangci.*", "go.work")),
    Tool(("openspec",)),
)  # fmt: skip
NAMING = (
    "ruff.toml", ".ruff.toml", "pyproject.toml", "mypy.ini", "setup.cfg", "tox.ini", "pytest.ini", "conftest.py",
    "tests/conftest.py", "tsconfig.json", "package.json",
)  # fmt: skip
EVERYWHERE = (".gitattributes",)
OPAQUE = ("make", "gmake", "just", "task", "tox", "nox", "pre-commit", "prek", "npm", "pnpm", "yarn", "bun", "npx")


@dataclass(frozen=True, slots=True)
class Steering:
    """What steers one gate. `files` are patterns of names, `paths` exact paths (its own program, what it names)."""

    files: tuple[str, ...]
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    paths: frozenset[str] = frozenset()

    def whole(self, path: str) -> bool:
        """Whether all of this file steers the gate."""
        return path in self.paths or any(_named(path, pattern) for pattern in self.files)

    def keys(self, path: str) -> tuple[str, ...]:
        """The parts of this file that steer the gate, as patterns; empty when none does."""
        name = path.rpartition("/")[2]
        return tuple(key for shared, keys in self.parts if name == shared for key in keys)


@dataclass(frozen=True, slots=True)
class Steered:
    """One file of the candidate that steers a gate in another way than the base's. `part`: its parts, for people.

    `content` is what is laid over for the base's judgement where only a part of the file steers; `whole`: all does,
    and the base's entry is laid over, or nothing where the base has none.
    """

    path: str
    part: str = ""
    content: bytes = b""

    @property
    def whole(self) -> bool:
        """Whether all of the file steers the gate."""
        return not self.part

    def __str__(self) -> str:
        return f"{self.part} of {self.path}" if self.part else self.path


def of(command: str, read: Read) -> Steering:
    """What steers a gate with this command; `read` gives files of the base.

    A command that starts something else (make, npm, a script) is steered by what steers any tool.
    """
    called = [*programs(command)]
    known = [tool for tool in TOOLS if any(one in tool.programs for one in called)]
    strange = any(one in OPAQUE or not any(one in tool.programs for tool in TOOLS) for one in called)
    tools = TOOLS if strange or not known else known
    parts = tuple((name, keys) for tool in tools for name, keys in (tool.parts or {}).items())
    files = (*EVERYWHERE, *(name for tool in tools for name in tool.files))
    called_by = [command, *(_texts(read) if strange or not known else ())]
    paths = {path for text in called_by for path in called_files(text, read)}
    return Steering(files, parts, frozenset((*paths, *_named_in_configuration(read))))


def differences(steering: Steering, changed: Iterable[str], *, base: Read, candidate: Read) -> list[Steered]:
    """Which of the changed paths steer the gate otherwise than on the base, in order of their paths.

    Parts are compared as they are read: a comment, another order or a new dependency beside them is no difference.
    """
    found = []
    for path in sorted(changed):
        if steering.whole(path):
            found.append(Steered(path))
        elif keys := steering.keys(path):
            found += _in_part(path, keys, base(path), candidate(path))
    return found


def _in_part(path: str, keys: Sequence[str], base: bytes | None, candidate: bytes | None) -> Iterator[Steered]:
    before, after = sections.read(path, base, keys), sections.read(path, candidate, keys)
    if before is None or after is None:  # one of them cannot be read: all of it counts
        yield Steered(path)
    elif differ := sorted(key for key in {*before, *after} if before.get(key) != after.get(key)):
        try:
            yield Steered(path, ", ".join(differ), sections.replace(path, candidate or b"", keys, before))
        except ValueError:  # there is nothing to put the base's parts into
            yield Steered(path)


def _texts(read: Read) -> Iterator[str]:
    """What make and npm run, as far as it stands at the root."""
    for name in ("Makefile", "makefile", "GNUmakefile"):
        yield (read(name) or b"")[:LARGEST].decode(errors="replace")
    scripts = (sections.read("package.json", read("package.json"), ("scripts",)) or {}).get("scripts")
    yield from (text for text in scripts.values() if isinstance(text, str)) if isinstance(scripts, dict) else ()


def _named_in_configuration(read: Read) -> Iterator[str]:
    """Files that the base's configuration at the root names as its own: what `extend`, plugins and `-p` mean."""
    for name in NAMING:
        yield from sections.named(name, read(name))


def _named(path: str, pattern: str) -> bool:
    """Whether the last components of a path have this name."""
    parts = pattern.count("/") + 1
    return fnmatchcase("/".join(path.split("/")[-parts:]), pattern)


def steers_any(path: str) -> bool:
    """Whether a file of this name steers some tool, wherever it lies."""
    return any(_named(path, pattern) for tool in TOOLS for pattern in (*EVERYWHERE, *tool.files))
