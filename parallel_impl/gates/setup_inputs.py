"""What a set-up depends on: when the layer that one has made may serve another checkout.

The key says that the same commands by the same programs in the same environment would run at the same path; inputs are
the tracked files that set-up was seen to read. No list of names has the module that a build backend reads for its
version, so reading is observed. What was not there to be read is known by a list of names, and by its likeness to what
was read in a folder that set-up listed: `native/*.c`.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import platform
import re
import shlex
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from parallel_impl import environment, storage
from parallel_impl.config import SetupCommand
from parallel_impl.gates import script
from parallel_impl.git.layer import alike
from parallel_impl.git.repo import Change
from parallel_impl.plan.globs import globs

NO_FILE, SUBMODULE = "000000", "160000"
# what installers and build backends look for, in any folder
NAMES = (
    "pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt", "constraints*.txt", "MANIFEST.in", "Pipfile",
    "*.lock", "uv.toml", ".python-version", "pip.conf", "environment.yml", "conda*.yml",
    "package.json", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", ".npmrc",
    ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "bun.lockb", ".nvmrc", ".node-version", ".tool-versions",
    ".gitmodules", "binding.gyp", "tsconfig*.json", "lerna.json", "nx.json", "turbo.json",
    "go.mod", "go.sum", "go.work", "Cargo.toml", "build.rs", "rust-toolchain", "rust-toolchain.toml",
    "Gemfile", "*.gemspec", "composer.json", "CMakeLists.txt", "Makefile", "meson.build", "justfile",
    "build.gradle", "build.gradle.kts", "settings.gradle", "pom.xml", "mise.toml", ".mise.toml",
)  # fmt: skip
TEXTS = (".md", ".rst", ".txt")  # installers list a folder for a README or LICENSE, and read the one that they know
PACKAGE_MARK = "__init__.py"
# of a terminal or of one piece of work: a set-up that depends on these is not repeatable anyway
PASSING = ("PWD", "OLDPWD", "SHLVL", "_", "TERM", "COLUMNS", "LINES", "TMPDIR", "SSH_*", "PARALLEL_IMPL_*", "PYTEST_*")
# what no two checkouts have the same of, or no two runs; documents that speak of these are not run
OWN = re.compile(rb"\b(PARALLEL_IMPL_(NAME|PORTS?|PACKAGE|ATTEMPT|CHANGE|RUN)|COMPOSE_PROJECT_NAME)\b")
BY_NAME = re.compile(rb"\bdocker[ -]compose\b")  # which names containers by COMPOSE_PROJECT_NAME
DATA = (".json", ".toml", ".yaml", ".yml", ".cfg", ".ini")  # may speak of such a program where set-up does not run it
# what installers run on without naming it: environments link to it, modules are compiled for it
INTERPRETERS = ("python3", "python", "node", "ruby", "php", "java")
DOCUMENTS = (".md", ".rst", ".adoc")
MOST_BYTES = 1 << 20  # of a file that is looked at: no program is as long
LOCKED = (
    r"uv sync\b.*--(frozen|locked)\b", r"npm ci\b", r"pnpm install\b.*--frozen-lockfile\b",
    r"yarn install\b.*--(frozen-lockfile|immutable)\b", r"pip install\b.*--require-hashes\b",
    r"bun install\b.*--frozen-lockfile\b", r"cargo fetch\b.*--locked\b", r"(python3?(\.\d+)?|uv) (-m )?venv\b",
    r"go mod download\b", r"bundle install\b.*--frozen\b", r"composer install\b", r"^cd ",
)  # fmt: skip


def key(
    commands: Sequence[SetupCommand],
    at: Path,
    *,
    env: Mapping[str, str],
    secrets: Collection[str] = (),
    filters: Iterable[tuple[str, str]] = (),
) -> str:
    """A name for "the same set-up": commands, path, user, machine, programs, environment without secrets, filters."""
    path = env.get("PATH", os.defpath)
    libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""
    machine = os.geteuid(), os.getegid(), platform.machine(), libc
    seen = sorted((name, value) for name, value in env.items() if not _is_passing(name) and name not in secrets)
    parts = (
        [(command.run, command.cwd) for command in commands],
        os.fsencode(at),
        machine,
        [_identity(program) for program in _programs(commands, path)],
        [pair for pair in seen if not environment.is_secret(pair[0])],
        sorted(filters),
    )
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()[:24]


def is_locked(commands: Sequence[SetupCommand]) -> bool:
    """Whether each command installs what a lock file says, whenever it runs: other runs may use what it made."""
    return bool(commands) and all(_is_locked(command.run) for command in commands)


def _is_locked(line: str) -> bool:
    """Of `a && b` each part counts; what is more than that is not understood."""
    parts = [" ".join(word or "" for word in words) for words in script.chain(line)]
    return bool(parts) and all(any(re.search(pattern, part) for pattern in LOCKED) for part in parts)


def own(commands: Sequence[SetupCommand], files: Path, inputs: Iterable[str]) -> str:
    """What set-up names that is one checkout's own (ports, a name), and where; "" where it names nothing of that kind.

    What it made serves no other checkout then. `files` is the folder in which it ran, `inputs` are the paths that it
    read there.
    """
    for command in commands:
        if found := _names_own(command.run.encode("utf-8", "surrogateescape")):
            return f"{found} in setup"
    for path in inputs if commands else ():
        if not path.endswith(DOCUMENTS) and (found := _names_own(_content(files / path), data=path.endswith(DATA))):
            return f"{found} in {path}"
    return ""


def _names_own(content: bytes, *, data: bool = False) -> str:
    found = OWN.search(content) or (None if data else BY_NAME.search(content))
    return found[0].decode() if found else ""


def _content(file: Path) -> bytes:
    """What a file says, which set-up may have removed or made something else of."""
    try:
        return storage.read_regular(file, MOST_BYTES) or b""
    except OSError:
        return b""


def reason(
    changes: Iterable[Change], inputs: Mapping[str, str], *, declared: Sequence[str] = (), reads_seen: bool = True
) -> str:
    """The first path for which a commit needs a set-up of its own; "" where the layer serves it.

    `changes` are those from the layer's commit to the other one, `inputs` the files that its set-up read. `declared` is
    `setup_inputs`. Where reading is not seen, every file of a known name counts.
    """
    return next((change.path for change in changes if _counts(change, inputs, declared, reads_seen=reads_seen)), "")


def _counts(change: Change, inputs: Mapping[str, str], declared: Sequence[str], *, reads_seen: bool) -> bool:
    if SUBMODULE in (change.old_mode, change.new_mode):  # set-up may check it out; who asks git for it reads no file
        return True
    if change.path in inputs or any(globs.match(pattern, change.path) for pattern in declared):
        return True
    if change.old_mode == NO_FILE and alike(change.path) in inputs and not change.path.endswith(TEXTS):
        return True
    appears = change.old_mode == NO_FILE or not reads_seen
    return appears and (_is_known(change.path) or _is_top_level_package(change.path))


def _is_known(path: str) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in NAMES)


def _is_top_level_package(path: str) -> bool:
    """Whether it makes a folder of the root, or of a `src/` there, a package: set-up may list those."""
    parts = path.removeprefix("src/").split("/")
    return len(parts) == 2 and parts[1] == PACKAGE_MARK


def _is_passing(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in PASSING)


def _programs(commands: Sequence[SetupCommand], path: str) -> Iterator[str]:
    """The programs on PATH that the commands name in any of their words, and interpreters, where anything is set up."""
    words = dict.fromkeys(word for command in commands for word in _words(command.run))
    words |= dict.fromkeys(INTERPRETERS if commands else ())
    found = (shutil.which(word, path=path) for word in words if "/" not in word or word.startswith("/"))
    yield from (program for program in found if program)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return line.split()


def _identity(program: str) -> tuple[str, int, int]:
    real = storage.real(Path(program))
    found = real.stat()
    return str(real), found.st_size, found.st_mtime_ns
