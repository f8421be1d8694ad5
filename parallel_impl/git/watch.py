"""The user's repository, compared before and after agents ran: nobody but the user and we may have changed it.

Without a fence an agent can write there. A change to what is ours, or to what runs programs, stops the run; any other
may be the user's own work and is only reported. So is what the user does with git while a run goes on: hooks and
included configuration that become what a commit of before has, submodules that are initialised, and the hooks that
this repository's set-up installs everywhere.
"""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import printable
from parallel_impl.git import history, submodule_url
from parallel_impl.git.history import History
from parallel_impl.git.hooks import Installed, anywhere
from parallel_impl.git.repo import GitError, Repo, decode
from parallel_impl.git.suitability import hooks_folders
from parallel_impl.git.users_checkouts import UsersCheckouts

RUNS_OR_REDIRECTS = re.compile(
    r"core\.(hookspath|fsmonitor|sshcommand|worktree|gitproxy|askpass|editor|pager|attributesfile|bare"
    r"|alternaterefscommand|repositoryformatversion)"
    r"|(filter|include|includeif|url|credential|gpg|lfs|alias|pager|protocol|extensions|uploadpack|safe)\..*"
    r"|diff\.external|diff\..*\.(command|textconv)|merge\..*\.driver|(merge|diff)tool\..*|guitool\..*"
    r"|remote\..*\.(pushurl|receivepack|uploadpack|vcs|proxy|promisor)|submodule\..*\.(update|url)"
    r"|sequence\.editor|interactive\.difffilter|trailer\..*\.(command|cmd)|http\..*|init\.templatedir"
)

# what git-lfs notes about servers while it fetches
NOTED_BY_LFS = re.compile(r"lfs\.(repositoryformatversion|(.*\.)?(access|locksverify))")
OF_BEFORE = "as a commit from before the run has it"
OF_SET_UP = "as the set-up of this repository installs it"


class Kind(StrEnum):
    """What was changed in the user's repository."""

    OWN_REFS = "own-refs"
    CONFIG = "config"
    HOOKS = "hooks"
    REFS = "refs"
    SETTINGS = "settings"
    OBJECTS = "objects"
    HEAD = "HEAD"
    INDEX = "index"
    FILES = "files"


ANY = "*"
MANY, PAUSE = 200, 20  # refs, which are listed after a pause of so many times as long as that takes
HALTING = (Kind.OWN_REFS, Kind.CONFIG, Kind.HOOKS)


@dataclass(frozen=True, slots=True)
class Tamper:
    """One change that we did not make."""

    kind: Kind
    what: str

    @property
    def halts(self) -> bool:
        """Whether nothing more may be started; otherwise it is only reported."""
        return self.kind in HALTING

    def __str__(self) -> str:
        return printable(f"{self.kind}: {self.what}".replace("\n", "\\n"))


@dataclass(frozen=True, slots=True)
class _Hook:
    """A hook on disk: its mode, where it leads if it is a symlink, and what runs."""

    mode: int
    target: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class _State:
    refs: Mapping[str, str] | None  # None: git cannot read the repository
    config: Mapping[Path, bytes]
    hooks: Mapping[Path, _Hook]
    settings: Mapping[str, bytes]


class Watch:
    """The user's repository as it was at the last look. `checkout` is the worktree that the run was started in.

    Say each ref of our own by `expect` before it is moved. Threads may call both methods.
    """

    def __init__(self, repo: Repo, change_id: str, *, checkout: Path | None = None) -> None:
        self._repo = repo
        self._own = f"refs/parallel-impl/{change_id}/"
        self._guard = threading.Lock()
        self._expected: dict[str, tuple[str, str]] = {}
        self._config_files: set[Path] = set()
        self._hook_folders: set[Path] = set()
        self._find_places()
        self._hook_folders |= set(_hooks_of_submodules(repo.git_dir))
        _ = repo.object_format  # known from now on: a changed core.worktree would end git before it answers
        self._refs_due = 0.0
        self._first = self._last = self._look(self._list_refs())
        self._history = History(repo, set((self._first.refs or {}).values()), history.checkouts(repo, checkout))
        self._installed = Installed()
        self._checkouts = UsersCheckouts(repo, checkout)

    def expect(self, ref: str, oid: str | None) -> None:
        """We are about to move `ref` to `oid` (None: delete it); until that is seen, its old value is right too."""
        with self._guard:
            _, pending = self._expected.get(ref, ("", ANY))
            seen = (self._last.refs or {}).get(ref, "")
            self._expected[ref] = (seen if pending == ANY else pending, oid or "")

    def expect_any(self, ref: str) -> None:
        """We are about to move `ref` to a commit whose id is not known yet; `expect` it as soon as it is."""
        self.expect(ref, ANY)

    def expect_hooks(self, installed: Installed) -> None:
        """Hooks that the set-up of this repository installs: the user may run it too."""
        with self._guard:
            self._installed = installed

    def compare_checkouts(self) -> list[Tamper]:
        """What became of the user's checkouts since the start: HEAD, index, files. Reads the state of every file."""
        return [Tamper(Kind(kind), what) for kind, what in self._checkouts.compare()]

    def compare(self, *, seldom: bool = False) -> list[Tamper]:
        """What others changed since the last look, own refs first. Costs one process and a few small files.

        `seldom`: many refs are passed over as long as listing them would take more than a twentieth of the time. It
        takes 20 ms for 400 of them and 0.1 s for 2,000; a run has two for each package, and asks whenever one ended.
        """
        with self._guard:
            old = self._last
            few = len(old.refs or ()) <= MANY
            listed = not seldom or few or time.monotonic() >= self._refs_due
            new = self._look(self._list_refs() if listed else old.refs)
            if new.config != old.config:  # it may name further files and folders
                self._find_places()
                listed, new = True, self._look(self._list_refs())
            self._last = new if new.refs is not None else replace(new, refs=old.refs)
            refs = self._refs(old.refs or {}, new.refs) if listed else ()
            found = [*refs, *self._config(old, new), *self._hooks(old, new)]
            if listed:
                self._forget_seen(new.refs or {})
        for name in sorted({*old.settings, *new.settings}):
            if old.settings.get(name) != new.settings.get(name):
                kinds = {"info/attributes": Kind.CONFIG, "info/exclude": Kind.SETTINGS}
                found.append(Tamper(kinds.get(name, Kind.OBJECTS), name))
        return sorted(found, key=lambda tamper: list(Kind).index(tamper.kind))

    def _list_refs(self) -> Mapping[str, str] | None:
        began = time.monotonic()
        try:
            return self._repo.refs()
        except GitError:  # core.worktree or an unknown extension was set: no command works there any more
            return None
        finally:
            now = time.monotonic()
            self._refs_due = now + PAUSE * (now - began)

    def _look(self, refs: Mapping[str, str] | None) -> _State:
        return _State(
            refs,
            {path: _content(path) for path in sorted(self._config_files)},
            {path: hook for folder in sorted(self._hook_folders) for path, hook in _hooks(folder)},
            {name: _content(self._repo.git_dir / name) for name in _SETTINGS},
        )

    def _refs(self, old: Mapping[str, str], new: Mapping[str, str] | None) -> Iterator[Tamper]:
        if new is None:
            yield Tamper(Kind.CONFIG, "git cannot read the repository any more")
            return
        for name in sorted({*old, *new}):
            before, now = old.get(name, ""), new.get(name, "")
            expected = self._expected.get(name, ())
            if now == before or now in expected or ANY in expected:
                continue
            if name.startswith("refs/parallel-impl/") and not name.startswith(self._own):
                continue  # another run's
            ours = name.startswith(self._own)  # the feature branch is the user's too: whoever lands looks at it
            verb = "was deleted" if not now else "was made" if not before else f"moved from {before[:12]}"
            yield Tamper(Kind.OWN_REFS if ours else Kind.REFS, f"{name} {verb}{f' to {now[:12]}' if now else ''}")

    def _forget_seen(self, now: Mapping[str, str]) -> None:
        """A move that was seen is over: from now on any other value of that ref is somebody else's doing."""
        self._expected = {
            ref: (old, new) for ref, (old, new) in self._expected.items() if new == ANY or now.get(ref, "") != new
        }

    def _find_places(self) -> None:
        """Where configuration and hooks lie, as the configuration is now; what was watched before stays watched."""
        try:
            self._config_files |= _config_files(self._repo)
            self._hook_folders |= {self._repo.git_dir / "hooks", *hooks_folders(self._repo, dict(self._repo.config()))}
        except GitError:
            return  # the next look finds that git cannot read it any more

    def _config(self, old: _State, new: _State) -> Iterator[Tamper]:
        for path in new.config:
            content = new.config[path]
            if old.config.get(path, b"") == content:
                continue
            try:
                before, now = self._assignments(old.config.get(path, b"")), self._assignments(content)
            except GitError:
                yield Tamper(Kind.CONFIG, f"{path} cannot be read by git any more")
                continue
            runs = {key for key, _ in (before - now) + (now - before) if _runs_or_redirects(key, before)}
            origin = self._origin(path, content, new.refs or {}) if runs else ""
            for key in sorted({key for key, _ in (before - now) + (now - before)}):
                added = [value for other, value in (now - before) if other == key]
                why = origin if origin == OF_BEFORE else self._excuse(key, added) if key in runs else ""
                halts = key in runs and not why
                yield Tamper(
                    Kind.CONFIG if halts else Kind.SETTINGS,
                    f"{key} in {path}" + (f", {why or origin}" if why or (halts and origin) else ""),
                )

    def _excuse(self, key: str, added: Collection[str]) -> str:
        """Why a new value of a key that runs or redirects is the user's own doing; "" when nothing says so."""
        name = key.lower()
        if name == "core.hookspath" and added:
            marked = {anywhere(os.fsencode(value), self._history.checkouts) for value in added}
            return OF_SET_UP if marked <= self._installed.paths else ""
        if name == "safe.directory":
            ours = {str(path) for path in (self._repo.git_dir, *self._history.checkouts)}
            return "of another folder" if added and not ({*added} & {"*", *ours}) else ""
        if name.startswith("submodule."):
            return "as .gitmodules says" if all(self._is_of_gitmodules(key, value) for value in added) else ""
        return ""

    def _is_of_gitmodules(self, key: str, value: str) -> bool:
        """Whether `git submodule init` makes this of a `.gitmodules` that a commit from before the run has."""
        try:
            remotes = [url for name, url in self._repo.config() if re.fullmatch(r"remote\..*\.url", name)]
        except GitError:
            return False
        for top in self._history.checkouts:
            content = _content(top / ".gitmodules")
            if content and self._history.had(top / ".gitmodules", content):
                said = [text for (name, text) in self._assignments(content) if name == key]
                if any(submodule_url.is_of(value, text, [*remotes, str(top)]) for text in said):
                    return not value.startswith("!")
        return False

    def _hooks(self, old: _State, new: _State) -> Iterator[Tamper]:
        for path in sorted({*old.hooks, *new.hooks}):
            before, now = old.hooks.get(path), new.hooks.get(path)
            if before == now:
                continue
            installed = self._installed.hooks.get(path.name, frozenset())
            if now and anywhere(now.content, self._history.checkouts) in installed:
                yield Tamper(Kind.SETTINGS, f"{path}, {OF_SET_UP}")
            elif now == self._first.hooks.get(path) and self._history.tracked(path):
                yield Tamper(Kind.FILES, f"{path}, as it was when the run began")
            elif self._is_of_before(path, before, now):
                yield Tamper(Kind.FILES, f"{path}, {OF_BEFORE}")
            else:
                since = self._history.later(path, now.content, set((new.refs or {}).values())) if now else ""
                yield Tamper(Kind.HOOKS, f"{path}{_since(since)}")

    def _is_of_before(self, path: Path, before: _Hook | None, now: _Hook | None) -> bool:
        if now is None:
            return self._history.tracked(path)
        executable = bool(now.mode & stat.S_IXUSR)
        if not now.target:
            return self._history.had(path, now.content, executable=executable)
        same = before is not None and before.target == now.target
        leads = same or self._history.had(path, now.target, link=True)
        return leads and self._history.had(storage.real(path), now.content, executable=executable)

    def _origin(self, path: Path, content: bytes, refs: Mapping[str, str]) -> str:
        """Where the content of a configuration file comes from, in words; "" where nothing tells."""
        if self._history.tracked(path) and (not content or content == self._first.config.get(path)):
            return OF_BEFORE
        if self._history.had(path, content):
            return OF_BEFORE
        return _since(self._history.later(path, content, set(refs.values()))).removeprefix(", ")

    def _assignments(self, content: bytes) -> Counter[tuple[str, str]]:
        if not content:
            return Counter()
        # from the root: the repository itself may be unusable by what was set in it
        git = Repo(Path(os.sep)).git
        out = decode(git("config", "--no-includes", "--file", "-", "--list", "-z", input=content, discover=True))
        return Counter((key, value) for key, _, value in (item.partition("\n") for item in out.split("\0") if item))


def _runs_or_redirects(key: str, before: Counter[tuple[str, str]]) -> bool:
    name = key.lower()
    if re.fullmatch(r"remote\..*\.url", name):
        return any(other == key for other, _ in before)  # a further remote redirects nothing
    return bool(RUNS_OR_REDIRECTS.fullmatch(name)) and not NOTED_BY_LFS.fullmatch(name)


def _since(commit: str) -> str:
    return f", which only {commit[:12]} has, a commit made since the run began" if commit else ""


_SETTINGS = ("info/attributes", "info/exclude", "info/grafts", "shallow", "objects/info/alternates")


def _config_files(repo: Repo) -> set[Path]:
    """Every file that the configuration comes from now, or could come from."""
    fields = decode(repo.git("config", "--list", "-z", "--show-origin")).split("\0")
    named = {origin.removeprefix("file:") for origin in fields[::2] if origin.startswith("file:")}
    usual = {repo.git_dir / "config", repo.git_dir / "config.worktree"}
    usual |= set(repo.git_dir.glob("worktrees/*/config.worktree"))
    usual |= {home / ".gitconfig"} if (home := storage.home_directory()) else set()
    usual |= {folder / "git/config"} if (folder := storage.config_directory()) else set()
    return usual | {repo.git_dir / path for path in named}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _hooks_of_submodules(git_dir: Path) -> Iterator[Path]:
    """The folders with hooks of all submodules that the user has filled, and of theirs."""
    for folder, folders, files in os.walk(git_dir / "modules"):
        if "HEAD" in files:
            yield Path(folder) / "hooks"
            folders[:] = [name for name in folders if name == "modules"]


def _hooks(folder: Path) -> Iterator[tuple[Path, _Hook]]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix != ".sample":
            mode = path.lstat().st_mode
            target = os.fsencode(path.readlink()) if stat.S_ISLNK(mode) else b""
            yield path, _Hook(mode, target, _content(path) if path.is_file() else b"")
