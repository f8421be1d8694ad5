"""The checkouts of a run as views: which layer serves a commit, and what becomes one when set-up has run.

Everything lies in one store beside the homes of all changes: layers for all runs, and for each run a folder with what
its views write.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git import layer, mountpoints
from parallel_impl.git.home import KEPT
from parallel_impl.git.index import CONFIG, copy_index
from parallel_impl.git.layer import LAYERS, VIEWS, PreparedLayer
from parallel_impl.git.mounted import Mounted
from parallel_impl.git.mountpoints import Mountpoint, Unmounted
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import Change, Repo, decode
from parallel_impl.git.trees import Trees, is_attributes
from parallel_impl.views.slot import OpenView, Slot
from parallel_impl.views.tree_copy import copy_tree
from parallel_impl.views.trial import Ability
from parallel_impl.views.view import Means, View

STORE, CHECKOUT, STARTS = "_layers", "_checkout", ".starts"
FRESH = "setup_fresh"  # why a set-up ran although a layer would have served
UPPER, WORK, COPY, START = "upper", "work", "copy", "start"

# the first path for which a layer with these inputs does not serve a commit with these changes; "" where it does
Inputs = Mapping[str, str]
Reason = Callable[[Sequence[Change], Inputs], str]
# what of one checkout's own a set-up names that ran in this folder and has these inputs: it serves no other one then
Own = Callable[[Path, Inputs], str]


def store_of(home: Path) -> Path:
    """The folder of all layers and uppers, beside the homes of a repository's changes."""
    return home.parent / STORE


def one_path(home: Path, repository_name: str) -> Path:
    """Where the processes of every run of a repository see their checkout."""
    return home.parent / CHECKOUT / repository_name


def make_own(folder: Path) -> None:
    """Make a folder for what views show or write: of this user's own group, which what is made in it gets too.

    Only the user's own ids are known in a view; below a setgid folder even the mount fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_gid != os.getegid():
        os.chown(folder, -1, os.getegid())
    if found.st_mode & stat.S_ISGID:
        folder.chmod(stat.S_IMODE(found.st_mode) & ~stat.S_ISGID)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other run makes or removes its folders below this one meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with storage.named(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def written_in(home: Path, name: str = "") -> Path:
    """What the view of one checkout writes; without a name the folder of all views of the run."""
    return store_of(home) / VIEWS / home.name / name


def written(home: Path) -> list[Path]:
    """What views of a change have written, each in a folder of its own, as far as nobody has taken and removed it."""
    views = written_in(home)
    return sorted(path for path in views.iterdir() if path.name != STARTS) if views.is_dir() else []


def layer_of(home: Path, name: str, written: Path) -> Path:
    """The folder of a layer by its name in the list in `written`. One that was the run's own lies there too."""
    kept = written / START
    return kept if Path(name).parts[:1] == (VIEWS,) and kept.is_dir() else store_of(home) / name


def left_below(home: Path) -> list[Path]:
    """What lies below the views of all runs of a repository, when no other run may have one open."""
    around, views = home.parent / CHECKOUT, store_of(home) / VIEWS
    others = [path for path in views.iterdir() if path.name != home.name] if views.is_dir() else []
    return sorted(around.iterdir()) if around.is_dir() and not others else []


def remove_empty(home: Path) -> None:
    """Remove what is empty of the folders that all runs of a repository have in common, and layers nobody finishes."""
    store = store_of(home)
    if not store.is_dir() and not (home.parent / CHECKOUT).is_dir():
        return
    layer.remove_abandoned(store)
    with _alone(home.parent):
        # without a folder here no run is alive, and nothing is mounted at the one path: it would be lost with it
        with contextlib.suppress(OSError):
            if not written(home):  # what was written over one of them is not whole without it
                remove(written_in(home, STARTS))
            written_in(home).rmdir()
        with contextlib.suppress(OSError):
            (store / VIEWS).rmdir()
        with contextlib.suppress(OSError):
            if not (store / VIEWS).exists():
                (home.parent / CHECKOUT).rmdir()
        for folder in (*store.glob("*"), store):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _converted_otherwise(changes: Sequence[Change]) -> str:
    """The first path that may make git convert files otherwise which are not among the changes; "" where none does."""
    return next((one.path for one in changes if is_attributes(one.path)), "")


@dataclass(slots=True)
class Mounts:
    """How the checkouts of one run are mounted; threads share it.

    `at` is the one path, `key` the name of this run's set-up, `reason` says when a layer does not serve a commit, `own`
    when it serves one checkout alone. `fresh` are the names of checkouts whose set-up always runs. Layers are `kept`
    for other runs, which use at most `limit` bytes; else they serve this `run` alone, and end with it. `changed` has
    the layers that somebody changed, by name, with what to say of each. `opened` checkouts there were until now, and
    set-up `made` layers in these. `unmounted` tells that processes left their view, `told` what earlier ones left below
    theirs.
    """

    repo: Repo
    trees: Trees
    slot: Slot
    ability: Ability
    home: Path
    at: Path
    key: str = ""
    reason: Reason = lambda _changes, _inputs: ""
    own: Own = lambda _files, _inputs: ""
    fresh: frozenset[str] = frozenset()
    run: str = ""
    kept: bool = True
    limit: int = 10 * 10**9
    changed: dict[str, str] = field(default_factory=dict)
    opened: int = 0
    made: list[Mounted] = field(default_factory=list)
    unmounted: list[Unmounted] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    _below: Mountpoint | None = None
    _layers: list[PreparedLayer] = field(default_factory=list)
    _doubted: list[PreparedLayer] = field(default_factory=list)
    _starts: dict[tuple[Path, str], Path] = field(default_factory=dict)
    _mounted: dict[str, Mounted] = field(default_factory=dict)
    _guard: threading.RLock = field(default_factory=threading.RLock)

    @property
    def active(self) -> bool:
        """Whether checkouts are opened as views."""
        return self.ability.means is not Means.EACH

    @property
    def ready(self) -> bool:
        """Whether there is a layer with this run's set-up already."""
        return bool(self._layers)

    @property
    def store(self) -> Path:
        return store_of(self.home)

    @property
    def views(self) -> Path:
        """What the views of this run write."""
        return written_in(self.home)

    def begin(self) -> None:
        """Make the folders, and take the layers that earlier runs have kept and nobody changed; others are removed."""
        with _alone(self.home.parent):
            for folder in (self.store, self.home):
                make_own(folder)
            self.views.mkdir(parents=True, exist_ok=True)
            self.at.parent.mkdir(exist_ok=True)
            self._keep(self.at.parent)
            self._below = Mountpoint.of(self.at.parent)
        for found in layer.find(self.store, self.key, changed=True):
            if found.about.own or self.repo.resolve(found.about.commit) is None:  # another clone's
                found.release()
            elif path := found.changed():
                self._take_out(found, path)
            else:
                self._layers.append(found)

    def open(self, name: str, commit: str, level: Path, git_file: bytes) -> Mounted:
        """A view of a commit's files, over the layer that serves it; else of a fresh checkout, which set-up makes one.

        `level` is the folder around the checkout, which is there, `git_file` the content of its `.git`.
        """
        (level / self.at.name).mkdir()
        below = Mountpoint.of(level / self.at.name)
        place = self.views / name
        remove(place)
        place.mkdir(parents=True)
        self.at.parent.mkdir(exist_ok=True)
        found, why = (None, FRESH) if name in self.fresh else self._serving(commit)
        if found is None:
            mounted = self._fresh(place, commit, level, git_file, why)
        else:
            found.use()
            layer.copy_level(found.level, level)
            opened = self._view(place, found, commit, level, git_file)
            mounted = Mounted(place, commit, opened.view, opened, found)
        mounted.below = below
        with self._guard:
            self._mounted[name] = mounted
            self.opened += 1
        return mounted

    def take_up(self, name: str, commit: str, about: View) -> Mounted | None:
        """A view that a killed process had open, as it has left it; None when nothing of it is there."""
        mounted = Mounted(self.views / name, commit, replace(about, store=self.store))
        self._move_back(mounted)
        if not mounted.folder.is_dir():
            return None
        self._mounted[name] = mounted
        return mounted

    def find(self, name: str) -> Mounted | None:
        """The view of the checkout with this name, while it is open."""
        return self._mounted.get(name)

    def adopt(self, mounted: Mounted, level: Path, git_file: bytes, *, seconds: float, inputs: Inputs) -> None:
        """Set-up has run in a fresh checkout: it becomes a layer, and the checkout a view over that."""
        begun = mounted.unfinished
        assert begun is not None  # noqa: S101  (fresh)
        own = self.own(mounted.folder, inputs)
        mounted.close()
        layer.copy_level(level, begun.folder / layer.LEVEL, but=self.at.name)
        found = layer.finish(
            self.store,
            begun,
            self.repo,
            commit=mounted.commit,
            key=self.key,
            inputs=inputs,
            seconds=seconds,
            env=self.trees.environment,
            run=self.run if own or not self.kept else "",
            own=own,
        )
        with self._guard:
            self._layers.append(found)
            self.made.append(mounted)
        mounted.opened = self._view(mounted.place, found, mounted.commit, level, git_file)
        mounted.about, mounted.layer, mounted.unfinished = mounted.opened.view, found, None

    def index(self, mounted: Mounted) -> Path:
        """Git's index of a checkout."""
        if mounted.layer is None:
            return mounted.folder.with_name(layer.INDEX)
        if mounted.upper is None:
            return mounted.place / layer.INDEX
        return self._start(mounted.layer, mounted.commit)[1]

    def mount_again(self, name: str) -> None:
        """Mount the view of a checkout again where its slot has died: what was written in it is there.

        No program may run in it any more: two mounts of one upper are undefined.
        """
        mounted = self._mounted.get(name)
        if mounted and mounted.opened and mounted.opened.is_gone:
            mounted.opened = self.slot.open(mounted.about)

    def remove(self, name: str) -> None:
        """End the view of a checkout, and remove what it wrote."""
        mounted = self._close(name)
        if mounted and mounted.unfinished:  # its set-up has failed
            mounted.unfinished.discard()
        elif mounted and mounted.layer and mounted.layer.about.own:
            self._discard(mounted.layer)
        remove(self.views / name)
        if mounted and mounted.layer:
            self._remove_start(mounted.layer.folder, mounted.commit)

    def move_out(self, name: str, level: Path) -> None:
        """End the view of a checkout, and put what it wrote in the place of its files on its level."""
        self._close(name)
        place, target = self.views / name, level / self.at.name
        written = next((one for one in (place / UPPER, place / COPY) if os.path.lexists(one)), None)
        if written:
            level.mkdir(parents=True, exist_ok=True)  # the agent may have removed it
            remove(target, level / LAYERS, level / START)
            written.rename(target)
            if (place / LAYERS).exists():
                self._keep_start(place / LAYERS, level / START)
                (place / LAYERS).rename(level / LAYERS)
        remove(place)

    def _move_back(self, mounted: Mounted) -> None:
        """Put what a view wrote where it was, when a process was killed that moved it out."""
        level, written = self.home / mounted.name, mounted.folder
        moved = level / self.at.name
        if not os.path.lexists(written) and moved.is_dir() and any(moved.iterdir()):
            mounted.place.mkdir(parents=True, exist_ok=True)
            moved.rename(written)
            with contextlib.suppress(FileNotFoundError):
                (level / LAYERS).rename(mounted.place / LAYERS)

    def take_out_changed(self) -> None:
        """Look at all layers in use; those that were changed serve no checkout any more, and no other run."""
        with self._guard:
            for one in tuple(self._layers):
                if path := one.changed():
                    self._layers.remove(one)
                    self._take_out(one, path)

    def look_below(self) -> Sequence[Unmounted]:
        """Whether processes have left their views until now; what they wrote below these is moved and kept.

        To be asked when an attempt ended. A view that is not open any more was looked at when it was closed.
        """
        with self._guard:
            for name, mounted in self._mounted.items():
                self._look(name, mounted)
            self._look_around(*self._mounted)
            return tuple(self.unmounted)

    def discard_changed(self) -> None:
        """Remove the layers that were changed: what was proven on them is known to be doubtful."""
        for one in self._doubted:
            layer.discard(one)
        self._doubted.clear()

    def end(self) -> None:
        """Release all layers; what views have written and nobody took stays. Half made ones go."""
        for mounted in self._mounted.values():
            mounted.close()
            if mounted.unfinished:
                mounted.unfinished.discard()
        for one in (*self._layers, *self._doubted):
            one.release()
        self._layers.clear()
        self._doubted.clear()
        if self.run:
            layer.discard_own(self.store, self.run)
        if self.active:
            layer.prune(self.store, limit=self.limit)
        remove_empty(self.home)

    def forget_reads(self, mounted: Mounted) -> None:
        """Set-up runs now in a fresh checkout: what was read there until now, it did not read. A second call is none.

        (Where files are converted they were all read, to know whether they come back as they are.)
        """
        if mounted.unfinished and not mounted.written:
            tracked = self.trees.listing(mounted.commit).entries.keys()
            mounted.written = layer.forget_reads(mounted.folder, tracked)

    def inputs(self, mounted: Mounted) -> Inputs:
        """The tracked files that set-up has read in a fresh checkout, with their entries; patterns that it may have."""
        entries = self.trees.listing(mounted.commit).entries
        read = layer.reads(mounted.folder, mounted.written)
        found = {decode(path): " ".join(entries[path]) for path in sorted(read)}
        return dict.fromkeys(sorted(layer.patterns(mounted.folder, read)), "") | found

    # -- the parts

    def _discard(self, own: PreparedLayer) -> None:
        """Remove a layer that served one checkout, which is over; one that was changed is told as any."""
        with self._guard:
            if own in self._layers:
                self._layers.remove(own)
                if path := own.changed():
                    self._take_out(own, path)
                else:
                    layer.discard(own)

    def _close(self, name: str) -> Mounted | None:
        """End the view of a checkout, when it was looked at; its level may be removed then."""
        with self._guard:
            mounted = self._mounted.pop(name, None)
            if mounted:
                if mounted.opened and not mounted.opened.is_as_mounted():
                    self.unmounted.append(Unmounted(f"what is mounted at {self.at} was changed by {name}", (name,)))
                self._look(name, mounted)
                self._look_around(name, *self._mounted)
            elif any(os.path.lexists(self.views / name / one) for one in (UPPER, COPY)):  # of a killed process
                self._keep(self.home / name / self.at.name)
        if mounted:
            mounted.close()
        return mounted

    def _look(self, name: str, mounted: Mounted) -> None:
        """Whether somebody was below the view of a checkout."""
        if mounted.below and not mounted.below.is_unused:
            mounted.below = self._found(mounted.below.folder, (name,))
        if mounted.opened is None and mounted.below is None:  # a killed process had it open
            self._keep(self.home / name / self.at.name)

    def _look_around(self, *checkouts: str) -> None:
        """Whether somebody was below the levels of all views."""
        if self._below and not self._below.is_unused:
            self._below = self._found(self._below.folder, checkouts)

    def _found(self, folder: Path, checkouts: tuple[str, ...]) -> Mountpoint | None:
        kept = mountpoints.empty(folder, self.home / KEPT)
        self.unmounted.append(Unmounted(mountpoints.describe(folder, kept), checkouts))
        return Mountpoint.of(folder) if folder.is_dir() and not folder.is_symlink() else None

    def _keep(self, folder: Path) -> None:
        """What processes of a killed run left below a view is kept, and told."""
        if kept := mountpoints.empty(folder, self.home / KEPT):
            self.told.append(mountpoints.describe(folder, kept))

    def _take_out(self, found: PreparedLayer, path: str) -> None:
        self.changed[found.name] = f"{found.files / path} was changed after set-up had made it"
        layer.mark_changed(found)
        self._doubted.append(found)

    def _serving(self, commit: str) -> tuple[PreparedLayer | None, str]:
        """The first layer that serves a commit; or the path for which the first of all does not."""
        with self._guard:
            known, first = tuple(self._layers), ""
        for one in known:
            if not one.index.is_file():  # somebody removed it
                self.take_out_changed()
                return self._serving(commit)
            if one.about.own:
                first = first or one.about.own
                continue
            changes = self.trees.changes(one.about.commit, commit)
            why = _converted_otherwise(changes) or self.reason(changes, one.about.inputs)
            if not why:
                return one, ""
            first = first or why
        return None, first

    def _fresh(self, place: Path, commit: str, level: Path, git_file: bytes, why: str) -> Mounted:
        begun = layer.begin(self.store)
        try:
            files, index = begun.folder / layer.FILES, begun.folder / layer.INDEX
            self._git(files, index, "read-tree", "-u", "--reset", commit)
            storage.write(files / ".git", git_file)
            opened = self._open(level, copy=self._name(files))
        except BaseException:
            begun.discard()
            raise
        return Mounted(place, commit, opened.view, opened, why=why, unfinished=begun)

    def _view(self, place: Path, found: PreparedLayer, commit: str, level: Path, git_file: bytes) -> OpenView:
        if self.ability.means is Means.COPY:
            return self._copy(place, found, commit, level, git_file)
        for name in (UPPER, WORK):
            (place / name).mkdir()
        storage.write(place / UPPER / ".git", git_file)
        with self._guard:  # from here on nobody removes what it starts from
            start, _ = self._start(found, commit)
            layers = dict.fromkeys((self._name(start), self._name(found.files)))
            storage.write(place / LAYERS, "".join(f"{name}\n" for name in layers).encode())
        return self._open(level, layers=tuple(layers), upper=self._name(place / UPPER), work=self._name(place / WORK))

    def _copy(self, place: Path, found: PreparedLayer, commit: str, level: Path, git_file: bytes) -> OpenView:
        """A whole copy of the layer, brought to the commit."""
        files, index, base = place / COPY, place / layer.INDEX, found.about.commit
        copy_tree(found.files, files)
        copy_index(found.index, index)
        self._git(files, index, "update-index", "-q", "--refresh", ok=(0, 1))
        if commit != base:
            self._git(files, index, "read-tree", "-m", "-u", base, commit)
        storage.write(files / ".git", git_file)
        storage.write(place / LAYERS, b"")
        return self._open(level, copy=self._name(files))

    def _keep_start(self, names: Path, target: Path) -> None:
        """Copy the layer that is this run's, and ends with it: without it nobody sees again what was changed."""
        for name in layer.names_in(names):
            if Path(name).parts[:1] == (VIEWS,):
                try:
                    copy_tree(self.store / name, target)
                except OSError:  # a full disk, or half of it is gone: what was written is kept all the same
                    remove(target)

    def _start(self, found: PreparedLayer, commit: str) -> tuple[Path, Path]:
        """The files and the index of a commit over a layer: the layer's own where it is of that commit."""
        if commit == found.about.commit:
            return found.files, found.index
        known = found.folder, commit
        with self._guard:
            if known not in self._starts:
                folder = self.views / STARTS / f"{found.folder.name}-{commit}"
                remove(folder)
                changes = self.trees.changes(found.about.commit, commit)
                layer.start(self.repo, found, commit, folder, changes=changes, env=self.trees.environment)
                self._starts[known] = folder
            folder = self._starts[known]
        return folder / layer.FILES, folder / layer.INDEX

    def _remove_start(self, below: Path, commit: str) -> None:
        """Remove what a commit changes of a layer when no view is left over it: there is an index with it."""
        with self._guard:
            folder = self._starts.get((below, commit))
            if folder and folder not in layer.wanted(self.store, self.home.name):
                del self._starts[below, commit]
                remove(folder)

    def _open(self, level: Path, **what: object) -> OpenView:
        hidden = {"covers": (self.home.parent,), "shown": (level.with_name(f"{level.name}.git"),)}
        view = View(self.at, level, self.store, user=self.ability.user, **hidden, **what)  # type: ignore[arg-type]
        return self.slot.open(view)

    def _git(self, files: Path, index: Path, *args: str, ok: Collection[int] = (0,)) -> None:
        """Run git on the files of a checkout, with filters as the user has them."""
        self.repo.git(*args, index=index, work_tree=files, config=CONFIG, env=self.trees.environment, ok=ok)

    def _name(self, folder: Path) -> str:
        return str(folder.relative_to(self.store))
