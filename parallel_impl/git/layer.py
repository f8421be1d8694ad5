"""Layers: prepared checkouts that nothing writes to any more, and what another commit changes of one.

A prepared layer holds the files of a commit, and what set-up made of them. It lies in `<store>/<key>/<name>/`, renamed
into place when it is whole, and carries its inputs: another commit that has the same ones uses it. It is sealed: what
is looked at before it is used again, and before what was proven on it lands, is every file's mode, size, inode and
times. A start layer holds the difference between a prepared layer's commit and another one, for one run.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from parallel_impl import storage, structs
from parallel_impl.git.file_clock import pass_tick
from parallel_impl.git.index import CONFIG, copy_index
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import Change, Repo, decode, encode

MAKING = ".making-"
RECORD, FILES, LEVEL, INDEX, SEALED, LOCK = "layer.json", "files", "level", "index", "sealed", "lock"
VIEWS, LAYERS = "views", "layers"  # in the same store: what runs write, and against which layers
CHANGED = "changed"  # marks a layer that nobody takes any more
TRIES = 10
LONG_AGO = 10**18  # nanoseconds since 1970: with relatime, too, a file that is read gets another access time
GIT_FILE = b".git"
BLOCK = 512


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a prepared layer was made from and how. `inputs`: path to mode and object id; "": there was no such file.

    `seal` is the digest of what lstat says of its files, `bytes` what they use of the disk, `run` the run that it
    serves alone ("": it is kept for others). `own` says what of one checkout's own its set-up names: it serves no other
    checkout then ("": any that has the same inputs).
    """

    commit: str
    key: str
    inputs: Mapping[str, str]
    seconds: float
    seal: str
    bytes: int
    run: str = ""
    own: str = ""


class LayerHold:
    """A lock that others share, on a file; OSError where somebody has it alone, or there is no such file (any more).

    With `make` the file is made, in a folder that is there.
    """

    def __init__(self, file: Path, *, make: bool = False) -> None:
        self._descriptor = list[int]()
        self._descriptor.append(os.open(file, os.O_RDONLY | os.O_CLOEXEC | (os.O_CREAT if make else 0), 0o644))
        self._lock(fcntl.LOCK_SH)
        if not os.path.samestat(os.fstat(self._descriptor[0]), file.stat()):  # removed, and made again, meanwhile
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))

    def is_last(self) -> bool:
        """Whether nobody else has it; nobody can have it then."""
        try:
            self._lock(fcntl.LOCK_EX)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Give it back; a second call changes nothing."""
        while self._descriptor:
            os.close(self._descriptor.pop())

    def __del__(self) -> None:
        self.release()

    def _lock(self, kind: int) -> None:
        fcntl.flock(self._descriptor[0], kind | fcntl.LOCK_NB)


@dataclass(frozen=True, slots=True)
class PreparedLayer:
    """A prepared layer in `folder`, held by this process: nobody removes it until `release`."""

    folder: Path
    about: Description
    hold: LayerHold

    @property
    def name(self) -> str:
        """What no other layer is called, not even one that is made again in its place."""
        return f"{self.folder.name}-{self.about.seal[:16]}"

    @property
    def files(self) -> Path:
        return self.folder / FILES

    @property
    def level(self) -> Path:
        """What set-up put beside the checkout."""
        return self.folder / LEVEL

    @property
    def index(self) -> Path:
        """Git's index of the commit, with the files' times as they lie here."""
        return self.folder / INDEX

    def use(self) -> None:
        """A checkout is made from it now: those that were not used for longer are pruned before it."""
        with contextlib.suppress(FileNotFoundError):  # somebody removed it: it is told when it is looked at
            os.utime(self.folder / LOCK)

    def release(self) -> None:
        """Let it be pruned."""
        self.hold.release()

    def changed(self) -> str:
        """A path that is not as it was when the layer was sealed; "" when nothing was changed."""
        try:
            listing = _listing(self.folder)
            if _digest(listing) == self.about.seal and not (self.folder / CHANGED).exists():
                return ""
            known = (self.folder / SEALED).read_bytes().split(b"\n")
        except OSError as gone:
            return str(gone.filename)
        differ = sorted({*listing}.symmetric_difference(known))
        return os.fsdecode(differ[0].rpartition(b"\t")[2]) if differ else str(self.folder)


@dataclass(frozen=True, slots=True)
class UnfinishedLayer:
    """A layer that is being made in `folder`, held by this process: one that nobody holds is anybody's to remove."""

    folder: Path
    hold: LayerHold

    def discard(self) -> None:
        """Remove it; what has been put into its place by then stays."""
        remove(self.folder)
        self.hold.release()


def begin(store: Path) -> UnfinishedLayer:
    """A folder for a layer that is to be made; `finish` puts it in its place."""
    begun = _begin(store)
    (begun.folder / FILES).mkdir()
    (begun.folder / LEVEL).mkdir()
    return begun


@contextlib.contextmanager
def scratch(store: Path) -> Iterator[Path]:
    """A folder in a store while this process needs it; of one that is killed whoever comes next removes it."""
    begun = _begin(store)
    try:
        yield begun.folder
    finally:
        begun.discard()


def _begin(store: Path) -> UnfinishedLayer:
    for _ in range(TRIES):
        folder = store / f"{MAKING}{uuid.uuid4().hex[:12]}"
        folder.mkdir(parents=True)
        with contextlib.suppress(FileNotFoundError, BlockingIOError):  # somebody took it for one that nobody holds
            return UnfinishedLayer(folder, LayerHold(folder / LOCK, make=True))
    raise OSError(errno.EAGAIN, "a layer cannot be begun", str(store))


def remove_abandoned(store: Path) -> None:
    """Remove what killed processes were making, or removing."""
    for folder in _unfinished(store):
        with contextlib.suppress(OSError):  # it is in nobody's way
            _remove_unused(folder)


def forget_reads(files: Path, tracked: Collection[bytes]) -> dict[bytes, int]:
    """Make every tracked file one that was not read for long, and every folder of one; when each file was written."""
    root, written = os.fsencode(files), {}
    for path in tracked:
        place = os.path.join(root, path)  # noqa: PTH118 - bytes
        with contextlib.suppress(OSError):  # a filter left nothing, or a folder of that name
            written[path] = os.lstat(place).st_mtime_ns
            os.utime(place, ns=(LONG_AGO, written[path]), follow_symlinks=False)
    for folder in {path.rpartition(b"/")[0] for path in written}:
        place = os.path.join(root, folder)  # noqa: PTH118
        os.utime(place, ns=(LONG_AGO, os.lstat(place).st_mtime_ns), follow_symlinks=False)
    return written


def reads(files: Path, written: Mapping[bytes, int]) -> set[bytes]:
    """The tracked files that were read, changed or removed since `forget_reads` told when they were written."""
    root = os.fsencode(files)
    return {path for path, time in written.items() if _times(os.path.join(root, path)) != (LONG_AGO, time)}  # noqa: PTH118


def alike(path: str) -> str:
    """A pattern for the files beside this one with the same ending."""
    above, slash, name = path.rpartition("/")
    return f"{above}{slash}*{name[name.rfind('.') :] if '.' in name else ''}"


def patterns(files: Path, read: Collection[bytes]) -> set[str]:
    """What the patterns may have been that led to files that were read: their folders were listed.

    A file that is new and like one of them would be read as well.
    """
    root = os.fsencode(files)
    folders = {path.rpartition(b"/")[0] for path in read}
    listed = {folder for folder in folders if _times(os.path.join(root, folder))[0] != LONG_AGO}  # noqa: PTH118
    return {alike(decode(path)) for path in read if path.rpartition(b"/")[0] in listed}


def _times(path: bytes) -> tuple[int, int]:
    try:
        found = os.lstat(path)
    except OSError:
        return 0, 0
    return found.st_atime_ns, found.st_mtime_ns


def finish(
    store: Path,
    begun: UnfinishedLayer,
    repo: Repo,
    *,
    commit: str,
    key: str,
    inputs: Mapping[str, str],
    seconds: float,
    env: Mapping[str, str],
    run: str = "",
    own: str = "",
) -> PreparedLayer:
    """Seal a layer that is made, and rename it into its place; where another run was faster, theirs is taken.

    Its index is written a tick after its last file: git would read files again, in every view, that are as new as the
    index is.
    """
    folder = begun.folder
    (folder / FILES / os.fsdecode(GIT_FILE)).unlink(missing_ok=True)
    pass_tick(folder)
    options = ("update-index", "-q", "--really-refresh")
    repo.git(*options, index=folder / INDEX, work_tree=folder / FILES, config=CONFIG, env=env, ok=(0, 1))
    listing = _listing(folder)
    about = Description(
        commit=commit,
        key=key,
        inputs=dict(inputs),
        seconds=round(seconds, 3),
        seal=_digest(listing),
        bytes=_size(folder),
        run=run,
        own=own,
    )
    storage.write(folder / SEALED, b"\n".join(listing))
    storage.write_atomically(folder / RECORD, msgspec.json.encode(about))
    found = _put(folder, store / key / (uuid.uuid4().hex[:16] if own else _name(commit, inputs)))
    begun.discard()
    return found


def _put(folder: Path, wanted: Path) -> PreparedLayer:
    """Rename a layer into its place, or take the one that is there; beside it, where that is not to be used."""
    place = wanted
    for number in range(1, TRIES + 1):
        place.parent.mkdir(parents=True, exist_ok=True)  # another run may have removed it, empty
        with contextlib.suppress(OSError):  # it is there already
            folder.rename(place)
        if found := _open(place):
            return found
        if place.exists():
            place = wanted.with_name(f"{wanted.name}-{number}")
    raise OSError(errno.EEXIST, "a layer cannot be put into its place", str(wanted))


def find(store: Path, key: str, *, changed: bool = False) -> Iterator[PreparedLayer]:
    """The layers with this key, held for this process; the caller releases those that it does not use.

    With `changed` also those that are marked so.
    """
    for place in sorted((store / key).glob("*")):
        if found := _open(place, changed=changed):
            yield found


def mark_changed(prepared: PreparedLayer) -> None:
    """Let no run take it any more."""
    with contextlib.suppress(FileNotFoundError):
        (prepared.folder / CHANGED).touch()


def discard(prepared: PreparedLayer) -> None:
    """Remove a layer that is not to be used again; one that another run uses stays for that."""
    if prepared.hold.is_last():
        _remove_at_once(prepared.folder)
    prepared.release()


def discard_own(store: Path, run: str) -> None:
    """Remove the layers that serve this run alone; also those that a process of it left when it was killed.

    One that is needed to take up what was done on it stays until that is taken.
    """
    needed = wanted(store)
    for one in _kept(store):
        if one.run == run and one.folder not in needed:
            _remove_unused(one.folder)


def prune(store: Path, *, limit: int) -> int:
    """Remove layers until those of the store use at most `limit` bytes, the least recently used first; how many went.

    One that a run uses, or needs to take up what it was killed in, stays. One that somebody changed goes in any case.
    """
    for folder in _folders(store):
        if (folder / CHANGED).exists():
            _remove_unused(folder)
    known = sorted(_kept(store), key=lambda one: one.used)
    total, removed, needed = sum(one.bytes for one in known), 0, wanted(store)
    for one in known:
        if total <= limit:
            break
        if one.folder not in needed and _remove_unused(one.folder):
            total, removed = total - one.bytes, removed + 1
    return removed


@dataclass(frozen=True, slots=True)
class Emptied:
    """What of a store went (or would), how many bytes that are, and what stays, with the reason."""

    removed: tuple[Path, ...]
    bytes: int
    left: Mapping[Path, str]


def empty(store: Path, *, dry_run: bool = False) -> Emptied:
    """Remove every layer that no run uses or makes."""
    removed, left, total, needed = list[Path](), dict[Path, str](), 0, wanted(store)
    for folder in sorted((*_unfinished(store), *_folders(store))):
        size = 0
        with contextlib.suppress(FileNotFoundError):  # a run is at it
            size = _size(folder)
        if folder in needed:
            left[folder] = "work that was not taken yet was done on it"
        elif not _remove_unused(folder, dry_run=dry_run):
            left[folder] = "a run is making it" if folder.name.startswith(MAKING) else "a run uses it"
        else:
            removed.append(folder)
            total += size
    return Emptied(tuple(removed), total, left)


def _folders(store: Path) -> Iterator[Path]:
    """The folders of layers, whole or not, without those that are being made or removed."""
    for folder in store.glob("*/*"):
        if folder.parent.name != VIEWS and not folder.name.startswith(MAKING) and folder.parent.name[0] != ".":
            yield folder


def _unfinished(store: Path) -> list[Path]:
    """What somebody is making or removing, or was when killed."""
    return [*store.glob(f"{MAKING}*"), *store.glob(f"*/{MAKING}*")]


def names_in(file: Path) -> list[str]:
    """The names of layers in the list that a view has with it."""
    return storage.read(file).decode("utf-8", "surrogateescape").splitlines()


def wanted(store: Path, home: str = "*") -> set[Path]:
    """The layers that the open views of all runs, and those of killed ones, were changed against.

    With `home`, the name of one, only the views of that.
    """
    names = set[str]()
    for one in store.glob(f"{VIEWS}/{home}/*/{LAYERS}"):
        with contextlib.suppress(FileNotFoundError):  # another run has ended that view meanwhile
            names.update(names_in(one))
    return {(store / name).parent for name in names}


def count(store: Path, *, but: str = "") -> tuple[int, int]:
    """How many layers a store has, without those that serve this run alone, and how many bytes they use."""
    known = [one for one in _kept(store) if not but or one.run != but]
    return len(known), sum(one.bytes for one in known)


@dataclass(frozen=True, slots=True)
class _Kept:
    folder: Path
    bytes: int
    used: float
    run: str


def _kept(store: Path) -> Iterator[_Kept]:
    for folder in _folders(store):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            about = structs.decode((folder / RECORD).read_bytes(), Description)
            yield _Kept(folder, about.bytes, (folder / LOCK).stat().st_mtime, about.run)


def _remove_unused(folder: Path, *, dry_run: bool = False) -> bool:
    """Remove a layer that no run uses, and its key where it was the last one; whether it went (or would).

    One without a lock is not whole, and nobody can use it.
    """
    try:
        hold = LayerHold(folder / LOCK, make=not dry_run)
    except FileNotFoundError:
        return dry_run
    except BlockingIOError:
        return False
    unused = hold.is_last()
    if unused and not dry_run:
        _remove_at_once(folder)
    hold.release()
    return unused


def _remove_at_once(folder: Path) -> None:
    """Remove a layer so that nobody meets a half of it, also where this process is killed meanwhile."""
    gone = folder.parent / f"{MAKING}{uuid.uuid4().hex[:12]}"
    with contextlib.suppress(FileNotFoundError):
        folder.rename(gone)
        remove(gone)
    with contextlib.suppress(OSError):  # others have this key
        folder.parent.rmdir()


def _open(place: Path, *, changed: bool = False) -> PreparedLayer | None:
    """The layer at this place, held; None when there is none, or it is being removed."""
    try:
        hold = LayerHold(place / LOCK)
        about = structs.decode((place / RECORD).read_bytes(), Description)
    except (OSError, msgspec.MsgspecError):
        return None
    if (place / CHANGED).exists() and not changed:
        hold.release()
        return None
    return PreparedLayer(place, about, hold)


def _name(commit: str, inputs: Mapping[str, str]) -> str:
    return hashlib.sha256(repr((commit, sorted(inputs.items()))).encode("utf-8", "surrogateescape")).hexdigest()[:16]


# -- what another commit changes


def start(
    repo: Repo,
    prepared: PreparedLayer,
    commit: str,
    folder: Path,
    *,
    changes: Iterable[Change],
    env: Mapping[str, str],
) -> Path:
    """Write the difference between a layer's commit and another one to `folder`, as a layer above it; its index.

    What the commit does not have is hidden there. (A layer, not a view's upper: a file that the commit adds and an
    agent removes would leave no trace in an upper.)
    """
    files, index = folder / FILES, folder / INDEX
    files.mkdir(parents=True)
    copy_index(prepared.index, index)
    base = prepared.about.commit
    repo.git("read-tree", "-m", "-u", base, commit, index=index, work_tree=files, config=CONFIG, env=env)
    gone = {encode(change.path) for change in changes if change.status == "D"}
    _hide(os.fsencode(files), os.fsencode(prepared.files), gone)
    pass_tick(folder)
    return index


def _hide(root: bytes, below: bytes, gone: set[bytes]) -> None:
    """Hide these paths of the layer below, and each folder that would show nothing any more."""
    for path in sorted(_topmost(root, below, gone)):
        if not _is_hidden(root, path):
            place = os.path.join(root, path)  # noqa: PTH118 - bytes
            os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
            os.mknod(place, stat.S_IFCHR, 0)


def _topmost(root: bytes, below: bytes, gone: set[bytes]) -> set[bytes]:
    """Folders of which everything is gone, in the place of what was in them."""
    gone = set(gone)
    folders = {path[:at] for path in gone for at in range(len(path)) if path[at : at + 1] == b"/"}
    for folder in sorted(folders, key=lambda path: -path.count(b"/")):
        with contextlib.suppress(OSError):
            inside = {folder + b"/" + name for name in os.listdir(os.path.join(below, folder))}  # noqa: PTH118, PTH208
            if inside and inside <= gone and not os.path.lexists(os.path.join(root, folder)):  # noqa: PTH118
                gone = (gone - inside) | {folder}
    return gone


def _is_hidden(root: bytes, path: bytes) -> bool:
    """Whether the layer shows something else there, or something that is no folder above it."""
    place = root
    for part in path.split(b"/"):
        place = os.path.join(place, part)  # noqa: PTH118
        if not os.path.lexists(place):
            return False
        if not stat.S_ISDIR(os.lstat(place).st_mode):
            return True
    return True


def copy_level(source: Path, target: Path, *, but: str = "") -> None:
    """Put what set-up put beside one checkout beside another: links mostly. `but` is the name of the checkout."""
    for path in source.iterdir():
        if path.name == but:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, target / path.name, symlinks=True, copy_function=_copy)
        else:
            _copy(path, target / path.name)


def _copy(source: str | Path, target: str | Path, *, follow_symlinks: bool = False) -> None:
    """A file or a symlink; sockets and pipes stay with what listened to them."""
    if stat.S_IFMT(os.lstat(source).st_mode) in (stat.S_IFREG, stat.S_IFLNK):
        shutil.copy2(source, target, follow_symlinks=follow_symlinks)


# -- the seal


def _listing(layer: Path) -> list[bytes]:
    """A line for each file and folder of a layer: what lstat says, and the path; sorted. Access times do not count.

    Paths are seen from its files: the index, and what set-up put beside the checkout, begin with `../`.
    """
    root, waiting = os.fsencode(layer / FILES), [b"", os.fsencode(f"../{LEVEL}")]
    lines = [_line(os.lstat(layer / INDEX), os.fsencode(f"../{INDEX}"))]
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118 - bytes
            for entry in entries:
                path = folder + b"/" + entry.name if folder else entry.name
                lines.append(_line(entry.stat(follow_symlinks=False), path))
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
    return sorted(lines)


def _line(found: os.stat_result, path: bytes) -> bytes:
    known = found.st_mode, found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
    return b"%d %d %d %d %d\t%s" % (*known, path.replace(b"\n", b"\0"))


def _digest(listing: list[bytes]) -> str:
    return hashlib.sha256(b"\n".join(listing)).hexdigest()


def _size(folder: Path) -> int:
    """The bytes that a folder uses of the disk."""
    total, waiting = 0, [os.fsencode(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                total += entry.stat(follow_symlinks=False).st_blocks * BLOCK
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return total
