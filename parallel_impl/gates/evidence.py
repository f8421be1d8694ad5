"""What a step leaves as evidence: artifacts that are there and kept, result keys that are known.

Plans name keys which no command prints (283 different ones in 40 real plans), so the common ones are computed
here and the rest may be written by a step to `$PARALLEL_IMPL_RESULT_FILE`.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import storage
from parallel_impl.plan.globs import globs
from parallel_impl.plan.model import Step
from parallel_impl.record import json_form
from parallel_impl.text import end_of
from parallel_impl.views.slot import OpenView, place_of, real_path

COMPUTED = ("exit_code", "tests_passed", "tests_failed", "test_count", "files_modified")
LARGEST_COPY = 50_000_000
LARGEST_RESULT = 1_000_000
LOG_TAIL = 256_000
SPECIAL = re.compile(r"[*?\[]")
PYTEST_LINE = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+|no tests ran)(?: collected)? in [\d.:]+ ?s?.*$", re.M)
PYTEST_COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|tests?)")
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in [\d.]+s$", re.M)
UNITTEST_BAD = re.compile(r"^FAILED \((.*)\)$", re.M)
UNITTEST_SKIPPED = re.compile(r"^(?:OK|FAILED) \(.*\bskipped=(\d+)", re.M)
COLOR = re.compile(r"\x1b\[[0-9;]*m")


class ResultFileError(ValueError):
    """A result file that cannot be used; the text says why, without quoting it."""


class ClosedArtifactError(ValueError):
    """An artifact that its step left unreadable; the text says which, and why."""


def find(checkout: Path, patterns: Iterable[str], cwd: str = ".", view: OpenView | None = None) -> dict[str, list[str]]:
    """The files that each declared artifact (path or glob from the root of the checkout) names; [] when none.

    An artifact is also looked for from `cwd`, the step's folder: people write both. In a `view`, `checkout` is where
    this process reads its files.
    """
    root, found = _CheckoutRoot.of(place_of(checkout, view), view), dict[str, list[str]]()
    for pattern in patterns:
        prefixes = dict.fromkeys(("", "" if cwd in (".", "") else f"{cwd.strip('/')}/"))
        found[pattern] = next((files for p in prefixes if (files := list(_matching(root, p + pattern)))), [])
    return found


def signatures(checkout: Path, steps: Iterable[Step], view: OpenView | None = None) -> dict[str, tuple[int, ...]]:
    """The artifacts of all steps that are there already, as they are: what does not change is no evidence."""
    found = (find(checkout, step.artifacts, step.cwd, view) for step in steps)
    files = {file for one in found for files in one.values() for file in files}
    return {file: storage.signature(checkout / file) for file in files}


@dataclass(frozen=True, slots=True)
class _CheckoutRoot:
    """The folder of a checkout."""

    path: Path
    real: Path
    view: OpenView | None

    @classmethod
    def of(cls, path: Path, view: OpenView | None) -> _CheckoutRoot:
        return cls(path, real_path(path, view), view)

    def holds(self, path: Path) -> bool:
        """Whether a path, all links followed, lies in it."""
        return real_path(path, self.view).is_relative_to(self.real)


def _matching(root: _CheckoutRoot, pattern: str) -> Iterator[str]:
    literal = root.path / pattern
    if ".." not in pattern.split("/") and os.path.lexists(literal):
        yield from sorted(_files(root, literal))
        return
    if (special := SPECIAL.search(pattern)) and not globs.problem(pattern):
        head = pattern[: special.start()].rpartition("/")[0]
        for path in sorted(_files(root, root.path / head)):
            if globs.match(pattern, path):
                yield path


def _files(root: _CheckoutRoot, start: Path) -> Iterator[str]:
    """Regular files at or below `start`, relative to `root`; nothing that lies behind a link out of it.

    A link that leads to itself is none, and what is in a folder that cannot be looked into is not there.
    """
    if not root.holds(start):
        return
    if os.path.isfile(start):  # noqa: PTH113 - `Path.is_file` raises where a folder cannot be entered
        yield start.relative_to(root.path).as_posix()
    else:
        for folder, names, files in os.walk(start):
            names[:] = [name for name in names if name != ".git"]
            for name in files:
                path = Path(folder, name)
                if (found := storage.signature(path)) and stat.S_ISREG(found[0]):
                    yield path.relative_to(root.path).as_posix()


def keep(checkout: Path, files: Iterable[str], folder: Path) -> list[str]:
    """Copy files of a checkout to `folder`, up to 50 MB in all; what was left out is returned.

    ClosedArtifactError where a file cannot be read: a step may leave it so, which is no fault of the machine's.
    """
    room, left_out = LARGEST_COPY, []
    for file in files:
        source, target = checkout / file, folder / file
        if why := unreadable(source):
            raise ClosedArtifactError(f"{file} cannot be read: {why}")
        size = source.stat().st_size
        if size > room:
            left_out.append(file)
            continue
        room -= size
        target.parent.mkdir(parents=True, exist_ok=True)
        with storage.named(target):
            shutil.copyfile(source, target)
    return left_out


def unreadable(file: Path) -> str:
    """Why a file cannot be opened to be read; "" where it can."""
    try:
        os.close(os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        return str(error.strerror)
    return ""


def read_result_file(file: Path) -> dict[str, object] | None:
    """The keys that a step wrote; None when it wrote nothing. ResultFileError when it is not a JSON object."""
    try:
        content = storage.read_regular(file, LARGEST_RESULT)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EIO:
            raise  # the disk's fault
        raise ResultFileError(f"cannot be read: {error.strerror}") from error
    if content is None:
        raise ResultFileError("is not a regular file of at most 1 MB")
    try:
        loaded = json_form.decode(content, object)
    except ValueError as error:
        raise ResultFileError("is not JSON") from error
    if not isinstance(loaded, dict):
        raise ResultFileError("is not a JSON object")
    if not json_form.is_shallow(loaded):
        raise ResultFileError(f"is not JSON of at most {json_form.DEEPEST} levels")
    return loaded


def computed(log: Path, exit_code: int | None, files_modified: int | None) -> dict[str, object]:
    """The keys that we know of a step by ourselves; numbers of tests only where a runner printed them."""
    known: dict[str, object] = {"exit_code": exit_code}
    if files_modified is not None:
        known["files_modified"] = files_modified
    return {**known, **_tests(COLOR.sub("", end_of(log, LOG_TAIL)))}


def _tests(text: str) -> dict[str, int]:
    """Counts from the last lines of pytest and unittest; several runs in one step are added up."""
    passed = failed = count = 0
    seen = False
    for line in PYTEST_LINE.finditer(text):
        numbers = {kind.rstrip("s"): int(number) for number, kind in PYTEST_COUNT.findall(line[1])}
        if numbers or line[1] == "no tests ran":
            seen = True
            passed += numbers.get("passed", 0)
            failed += numbers.get("failed", 0) + numbers.get("error", 0)
            count += sum(numbers.values())
    for ran in UNITTEST_RAN.finditer(text):
        end = text[ran.end() : ran.end() + 200].strip().split("\n")[0]
        bad = UNITTEST_BAD.match(end)
        skipped = UNITTEST_SKIPPED.match(end)
        wrong = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", bad[1])) if bad else 0
        seen, failed, count = True, failed + wrong, count + int(ran[1])
        passed += int(ran[1]) - wrong - (int(skipped[1]) if skipped else 0)
    return {"tests_passed": passed, "tests_failed": failed, "test_count": count} if seen else {}


def known_as(key: str, command: str, known: Mapping[str, object]) -> object:
    """The computed value for a declared key: its own name, or `<tool>.<key>` and `<tool>_<key>`.

    A tool is what the command names: `openspec_validate_exit_code` for `openspec validate --strict`. None when
    it is not known.
    """
    if key in known:
        return known[key]
    words = set(re.split(r"[^a-z0-9]+", command.casefold()))
    for name in COMPUTED:
        tool = key[: -len(name)]
        if key.endswith(name) and tool[-1:] in (".", "_") and name in known:
            parts = [part for part in re.split(r"[^a-z0-9]+", tool.casefold()) if part]
            if parts and words.issuperset(parts):
                return known[name]
    return None


def undeclared(paths: Iterable[str], declared: Iterable[str], cwd: str) -> list[str]:
    """The paths that no declared artifact covers, from the root or from the step's cwd."""
    both = {posixpath.normpath(posixpath.join(folder, one)) for one in declared for folder in (".", cwd)}
    patterns = [pattern for pattern in both if not globs.problem(pattern)]
    return [path for path in paths if not any(globs.match(pattern, path) for pattern in patterns)]
