"""Random operations in a view: what is read from its upper must be what the view shows.

`python random_work.py FOLDER SEEDS` prints where it is not; any Python that this machine has can run it, as any user.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from parallel_impl.views import upper
from parallel_impl.views.slot import Slot
from parallel_impl.views.upper import TouchedAs
from parallel_impl.views.view import View

Operation = Callable[..., None]
Tree = dict[bytes, tuple[str, bytes]]  # path to kind and content


def lay_out(folder: Path, *, layers: int, user: bool) -> View:
    """A view of random layers, the uppermost of which only adds and replaces files."""
    choose = random.Random(7)
    store = folder / "store"
    for layer in range(layers):
        for number in range(60):
            below = store / f"layer{layer}" / "/".join(f"d{choose.randrange(3)}" for _ in range(choose.randrange(4)))
            below.mkdir(parents=True, exist_ok=True)
            (below / f"f{number % 7}").write_text(f"{layer} {number}\n")
    if layers > 1:  # a symlink was replaced by a folder: what that link leads to is in no folder of that name
        (store / "layer0/s").symlink_to("d0")
        for number in range(3):
            (store / f"layer1/s/d{number}").mkdir(parents=True)
            (store / f"layer1/s/d{number}/inside").write_text("inside\n")
    at, level = folder / "at" / "files", folder / "level"
    for made in (at.parent, level / "files", store / "upper", store / "work"):
        made.mkdir(parents=True)
    names = tuple(f"layer{layer}" for layer in reversed(range(layers)))
    return View(at, level, store, names, "upper", "work", covers=(folder,), user=user)


def differences(slot: Slot, folder: Path, seed: int, *, user: bool) -> list[str]:
    """What the upper tells otherwise than the view, after as many operations as the seed says."""
    choose = random.Random(seed)
    view = lay_out(folder, layers=choose.choice((1, 2)), user=user)
    opened = slot.open(view)
    os.chdir(opened.files)  # the paths below are short, and follow the view
    lower = shown()
    for _ in range(choose.randrange(1, 14)):
        operate(choose, WITH_ATTACKS)
    wanted = shown()
    os.chdir("/")
    found = applied(lower, view)
    opened.close()
    paths = sorted(path for path in {*wanted, *found} if wanted.get(path) != found.get(path))
    return [f"seed {seed}: {path!r}: {wanted.get(path)} in the view, {found.get(path)} by its upper" for path in paths]


def operate(choose: random.Random, operations: tuple[Operation, ...] | None = None) -> None:
    """One operation of an agent's on files and folders that are there; default: of those that honest ones do."""
    files, folders = entries()
    file, folder = (Path(choose.choice(one)) if one else Path("none") for one in (files, folders))
    other_file, other_folder = (Path(choose.choice(one)) if one else Path("none") for one in (files, folders))
    with contextlib.suppress(OSError):  # it was there a moment ago; or renaming a folder is refused
        choose.choice(operations or OPERATIONS)(choose, file, folder, other_file, other_folder)


def write(choose: random.Random, file: Path, *_: Path) -> None:
    file.write_text(f"{choose.random()}")


def remove_file(_choose: random.Random, file: Path, *_: Path) -> None:
    file.unlink()


def remove_folder(_choose: random.Random, _file: Path, folder: Path, *_: Path) -> None:
    shutil.rmtree(folder)


def replace_folder(_choose: random.Random, _file: Path, folder: Path, *_: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "new").write_text("new")


def move_into(choose: random.Random, _file: Path, folder: Path, _other: Path, target: Path) -> None:
    folder.rename(target / choose.choice("xyz"))


def move_up(choose: random.Random, _file: Path, folder: Path, *_: Path) -> None:
    folder.rename(choose.choice("uvw"))


def move_over(_choose: random.Random, _file: Path, folder: Path, _other: Path, target: Path) -> None:
    folder.rename(target)


def move_file(_choose: random.Random, file: Path, _folder: Path, other: Path, _target: Path) -> None:
    file.rename(other)


def change_mode(choose: random.Random, file: Path, *_: Path) -> None:
    if stat.S_ISREG(file.lstat().st_mode):  # a folder would be closed, of a user
        file.chmod(choose.choice((0o755, 0o644)))


def make_link(choose: random.Random, file: Path, *_: Path) -> None:
    file.unlink()
    file.symlink_to(choose.choice(("a", "d0", "../x")))


def file_to_folder(_choose: random.Random, file: Path, *_: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "inside").write_text("inside")


def folder_to_file(_choose: random.Random, _file: Path, folder: Path, *_: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("was a folder")


def make_folders(_choose: random.Random, _file: Path, folder: Path, *_: Path) -> None:
    (folder / "p/q").mkdir(parents=True, exist_ok=True)
    (folder / "p/q/r").write_text("r")


def plant_attribute(choose: random.Random, file: Path, folder: Path, *_: Path) -> None:
    """What the kernel writes in an upper, written by hand in the view: it means nothing there."""
    name, value = choose.choice(MARKS)
    os.setxattr(choose.choice((file, folder)), choose.choice(("trusted.", "user.")) + name, value)


def plant_whiteout(choose: random.Random, file: Path, folder: Path, *_: Path) -> None:
    if choose.random() < 0.5:
        file.unlink()
        os.mknod(file, stat.S_IFCHR | 0o600, 0)
    (folder / "white").touch()
    for prefix in ("trusted.overlay", "user.overlay"):
        with contextlib.suppress(OSError):
            os.setxattr(folder, f"{prefix}.opaque", b"x")
            os.setxattr(folder / "white", f"{prefix}.whiteout", b"y")


MARKS = (
    ("overlay.opaque", b"y"), ("overlay.opaque", b"x"), ("overlay.redirect", b"/d0"), ("overlay.redirect", b"../.."),
    ("overlay.metacopy", b""), ("overlay.whiteout", b"y"), ("overlay.origin", b"none"), ("overlay.impure", b"y"),
    ("overlay.overlay.opaque", b"y"), ("overlay.overlay.redirect", b"/d1"),
)  # fmt: skip
OPERATIONS = (
    write, remove_file, remove_folder, replace_folder, move_into, move_up, move_over, move_file, change_mode,
    make_link, file_to_folder, folder_to_file, make_folders,
)  # fmt: skip
WITH_ATTACKS = (*OPERATIONS, plant_attribute, plant_whiteout)  # only in an overlay do they mean nothing


def entries() -> tuple[list[str], list[str]]:
    """The files and symlinks, and the folders, below the current folder."""
    files: list[str] = []
    folders: list[str] = []
    for top, below, names in os.walk("."):
        links = [name for name in below if Path(top, name).is_symlink()]
        files += [f"{top}/{name}" for name in (*names, *links)]
        folders += [f"{top}/{name}" for name in below if name not in links]
    return sorted(files), sorted(folders)


def shown() -> Tree:
    """The files below the current folder as they are now."""
    return {os.fsencode(name.removeprefix("./")): content(os.fsencode(name)) for name in entries()[0]}


def content(path: bytes) -> tuple[str, bytes]:
    if os.path.islink(path):  # noqa: PTH114 - bytes
        return "link", os.readlink(path)  # noqa: PTH115
    place = Path(os.fsdecode(path))
    return ("executable" if place.stat().st_mode & 0o100 else "file"), place.read_bytes()


def applied(lower: Tree, view: View) -> Tree:
    """The layers' files with what was touched put in, one after the other."""
    tree, root = dict(lower), os.fsencode(view.store / view.upper)
    for one in upper.read(view):
        below = one.path + b"/"
        hides = one.kind is not TouchedAs.FOLDER
        for path in [path for path in tree if path == one.path or (hides and path.startswith(below))]:
            del tree[path]
        if one.kind in (TouchedAs.FILE, TouchedAs.LINK):
            tree[one.path] = content(root + b"/" + one.path)
        elif one.kind is TouchedAs.RENAMED:
            moved = [(path, place) for path, kind, place in upper.below(view, one.source) if not stat.S_ISDIR(kind)]
            tree |= {below + path: content(place) for path, place in moved}
    return tree


def main(folder: Path, seeds: int) -> None:
    with Slot() as slot:
        for seed in range(seeds):
            place = folder / str(seed)
            place.mkdir(parents=True)
            for line in differences(slot, place, seed, user=os.geteuid() != 0):
                sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{seeds} sequences\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
