"""Code that an environment would import from outside its checkout: it would prove the wrong tree.

A copied or linked `.venv` imported the user's own code while every test was green. Only files are
read, nothing is run.
"""

from __future__ import annotations

import ast
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from parallel_impl import storage
from parallel_impl.errors import printable

ENVIRONMENTS = (".venv", "venv")
MODULES = "node_modules"
ABSOLUTE = re.compile(r"""["'](/[^"']+)["']""")
READ_AT_MOST = 1 << 20


def foreign_code(checkout: Path, caches: Sequence[Path] = (), *, everywhere: bool = True) -> list[str]:
    """One line (where, what) for each way by which code from outside `checkout` and `caches` is imported.

    `everywhere` also looks for environments below the root; without it only `.venv`, `venv` and `node_modules`
    of the root are looked at, which costs nothing where there are none.
    """
    scan = _Scan(checkout, caches)
    for folder in _environments(checkout, everywhere=everywhere):
        scan.environment(folder)
    return [printable(line) for line in dict.fromkeys(scan.found)]


def _environments(checkout: Path, *, everywhere: bool) -> Iterator[Path]:
    if not everywhere:
        yield from (checkout / name for name in (*ENVIRONMENTS, MODULES) if os.path.lexists(checkout / name))
        return
    todo = [checkout]
    while todo:
        for entry in _entries(todo.pop()):
            path = Path(entry.path)
            if entry.name in (*ENVIRONMENTS, MODULES) or os.path.isfile(path / "pyvenv.cfg"):  # noqa: PTH113 - closed folders
                yield path
            elif entry.is_dir(follow_symlinks=False) and entry.name != ".git":
                todo.append(path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """The folders, and links to folders, in a folder; none when it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if e.is_symlink() or e.is_dir()), key=lambda e: e.name)
    except OSError:
        return []


class _Scan:
    """Collects what leads out of one checkout."""

    def __init__(self, checkout: Path, caches: Sequence[Path]) -> None:
        self.checkout = checkout
        self.inside = (storage.real(checkout), *(storage.real(cache) for cache in caches))
        self.found: list[str] = []

    def environment(self, folder: Path) -> None:
        try:
            self.look_into(folder)
        except OSError as error:
            self.say(Path(error.filename or folder), "cannot be read, so where it leads is not known")

    def look_into(self, folder: Path) -> None:
        if folder.is_symlink() and self.leaves(folder):
            self.say(folder, f"is a link to {folder.readlink()}")
        elif folder.name == MODULES:
            self.links(folder)
        else:
            self.scripts(folder / "bin")
            found = sorted(folder.glob("lib*/python*/site-packages"))
            for packages in {storage.real(path): path for path in reversed(found)}.values():  # lib64 is a link to lib
                self.packages(packages)

    def packages(self, folder: Path) -> None:
        if self.leaves(folder):
            self.say(folder, f"is {storage.real(folder)}")
            return
        for path in sorted(folder.iterdir()):
            if path.suffix in (".pth", ".egg-link"):
                self.path_file(path)
            elif path.suffix == ".py" and "editable" in path.name:
                self.finder(path)
            elif path.suffix == ".dist-info":
                self.direct_url(path / "direct_url.json")
        self.links(folder)

    def path_file(self, file: Path) -> None:
        """Lines of a `.pth` are paths, relative to its folder, or code that starts with `import` (site.py)."""
        for line in _text(file).splitlines():
            if line.startswith(("import ", "import\t")):
                self.strings(file, ABSOLUTE.findall(line))
            elif line.strip() and not line.startswith("#"):
                self.path(file, file.parent / line.strip())

    def finder(self, file: Path) -> None:
        """setuptools, meson-python and scikit-build write a module which maps packages to absolute paths."""
        try:
            nodes = ast.walk(ast.parse(_text(file)))
            strings = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        except (SyntaxError, ValueError, RecursionError):
            strings = ABSOLUTE.findall(_text(file))
        self.strings(file, [value for value in strings if value.startswith("/")])

    def direct_url(self, file: Path) -> None:
        """PEP 610: `dir_info` marks a local folder that was installed, editable or copied from."""
        try:
            document = json.loads(_text(file) or "null")
            url = urlsplit(document["url"]) if isinstance(document, dict) and "dir_info" in document else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return
        if url and url.scheme == "file":
            self.path(file, Path(unquote(url.path)), must_exist=False)

    def scripts(self, folder: Path) -> None:
        """A program whose first line names another environment's interpreter imports that one's code."""
        for entry in sorted(folder.iterdir()) if folder.is_dir() and not self.leaves(folder) else ():
            first = _text(entry, 256).split("\n", 1)[0] if entry.is_file() and not entry.is_symlink() else ""
            if first.startswith("#!/"):
                interpreter = Path(first[2:].strip().split(" ")[0])
                if (interpreter.parent.parent / "pyvenv.cfg").is_file():
                    self.path(entry, interpreter.parent.parent)

    def strings(self, file: Path, values: Iterable[str]) -> None:
        for value in values:
            if "\0" not in value and "\n" not in value:
                self.path(file, Path(value))

    def path(self, file: Path, target: Path, *, must_exist: bool = True) -> None:
        if self.leaves(target) and (not must_exist or _exists(target)):
            self.say(file, f"names {target}")

    def links(self, folder: Path) -> None:
        todo = [os.fspath(folder)]
        while todo:
            try:
                with os.scandir(todo.pop()) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
                for entry in entries:
                    if entry.is_symlink() and self.leaves(link := Path(entry.path)):
                        self.say(link, f"is a link to {link.readlink()}")
                todo += [one.path for one in reversed(entries) if one.is_dir(follow_symlinks=False)]
            except OSError as error:
                self.say(Path(error.filename or folder), "cannot be read, so where it leads is not known")

    def leaves(self, path: Path) -> bool:
        """Whether a path, every link followed, ends outside the checkout and all caches."""
        try:
            real = storage.real(path)
        except (OSError, RuntimeError, ValueError):
            return True
        return not any(real.is_relative_to(root) for root in self.inside)

    def say(self, where: Path, what: str) -> None:
        shown = where.relative_to(self.checkout) if where.is_relative_to(self.checkout) else where
        self.found.append(f"{shown}: {what}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _text(file: Path, limit: int = READ_AT_MOST) -> str:
    """The beginning of a regular file; empty when it is none or cannot be read (no FIFO is opened)."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return ""
        with file.open("rb") as opened:
            return opened.read(limit).decode(errors="replace")
    except OSError:
        return ""
