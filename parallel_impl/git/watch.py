"""The user's repository, compared before and after agents ran: nobody but the user and we may have changed it.

Without a fence an agent can write there. A change to what is ours, or to what runs programs, stops the run; any other
may be the user's own work and is only reported.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from parallel_impl.errors import printable
from parallel_impl.git.repo import GitError, Repo, decode
from parallel_impl.git.suitability import hooks_folder

RUNS_OR_REDIRECTS = re.compile(
    r"core\.(hookspath|fsmonitor|sshcommand|worktree|gitproxy|askpass|editor|pager|attributesfile|bare"
    r"|alternaterefscommand|repositoryformatversion)"
    r"|(filter|include|includeif|url|credential|gpg|lfs|alias|pager|protocol|extensions|uploadpack|safe)\..*"
    r"|diff\.external|diff\..*\.(command|textconv)|merge\..*\.driver|(merge|diff)tool\..*|guitool\..*"
    r"|remote\..*\.(pushurl|receivepack|uploadpack|vcs|proxy|promisor)|submodule\..*\.(update|url)"
    r"|sequence\.editor|interactive\.difffilter|trailer\..*\.(command|cmd)|http\..*|init\.templatedir"
)


class Kind(StrEnum):
    """What was changed in the user's repository."""

    OWN_REFS = "own-refs"
    CONFIG = "config"
    HOOKS = "hooks"
    REFS = "refs"
    SETTINGS = "settings"
    OBJECTS = "objects"
    FILES = "files"


ANY = "*"
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
class _State:
    refs: Mapping[str, str] | None  # None: git cannot read the repository
    config: Mapping[Path, bytes]
    hooks: Mapping[str, str]
    settings: Mapping[str, bytes]


class Watch:
    """The user's repository as it was at the last look. `checkout` is a worktree whose files are watched too.

    Say each ref of our own by `expect` before it is moved. Threads may call both methods.
    """

    def __init__(self, repo: Repo, change_id: str, *, checkout: Path | None = None) -> None:
        self._repo, self._checkout = repo, checkout
        self._own = f"refs/parallel-impl/{change_id}/"
        self._branch = f"refs/heads/openspec/{change_id}"
        self._guard = threading.Lock()
        self._expected: dict[str, tuple[str, str]] = {}
        self._config_files = _config_files(repo)
        self._hook_folders = sorted({repo.git_dir / "hooks", hooks_folder(repo, dict(repo.config()))})
        self._checkout_repo = _own_git_dir(checkout) if checkout else None
        self._last = self._look()
        self._edits = self._edited()

    def expect(self, ref: str, oid: str | None) -> None:
        """We are about to move `ref` to `oid` (None: delete it); until that is seen, its old value is right too."""
        with self._guard:
            _, pending = self._expected.get(ref, ("", ANY))
            seen = (self._last.refs or {}).get(ref, "")
            self._expected[ref] = (seen if pending == ANY else pending, oid or "")

    def expect_any(self, ref: str) -> None:
        """We are about to move `ref` to a commit whose id is not known yet; `expect` it as soon as it is."""
        self.expect(ref, ANY)

    def compare(self, *, files: bool = False) -> list[Tamper]:
        """What others changed since the last look, own refs first. Costs one process and a few small files.

        With `files` the user's checkout is looked at too, which reads the state of every file in it.
        """
        with self._guard:
            old, new = self._last, self._look()
            self._last = new if new.refs is not None else replace(new, refs=old.refs)
            found = [*self._refs(old.refs or {}, new.refs), *self._config(old.config, new.config)]
            self._forget_seen(new.refs or {})
        found += _differences(Kind.HOOKS, old.hooks, new.hooks)
        for name in sorted({*old.settings, *new.settings}):
            if old.settings.get(name) != new.settings.get(name):
                kinds = {"info/attributes": Kind.CONFIG, "info/exclude": Kind.SETTINGS}
                found.append(Tamper(kinds.get(name, Kind.OBJECTS), name))
        if files and new.refs is not None:
            edits, self._edits = self._edits, self._edited()
            found += _differences(Kind.FILES, edits, self._edits)
        return sorted(found, key=lambda tamper: list(Kind).index(tamper.kind))

    def _look(self) -> _State:
        try:
            refs = self._repo.refs()
        except GitError:  # core.worktree or an unknown extension was set: no command works there any more
            refs = None
        return _State(
            refs,
            {path: _content(path) for path in self._config_files},
            {name: digest for folder in self._hook_folders for name, digest in _hooks(folder)},
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
            ours = name.startswith(self._own) or (name == self._branch and name in self._expected)
            verb = "was deleted" if not now else "was made" if not before else f"moved from {before[:12]}"
            yield Tamper(Kind.OWN_REFS if ours else Kind.REFS, f"{name} {verb}{f' to {now[:12]}' if now else ''}")

    def _forget_seen(self, now: Mapping[str, str]) -> None:
        """A move that was seen is over: from now on any other value of that ref is somebody else's doing."""
        self._expected = {
            ref: (old, new) for ref, (old, new) in self._expected.items() if new == ANY or now.get(ref, "") != new
        }

    def _config(self, old: Mapping[Path, bytes], new: Mapping[Path, bytes]) -> Iterator[Tamper]:
        for path in old:
            if old[path] == new[path]:
                continue
            try:
                before, now = self._assignments(old[path]), self._assignments(new[path])
            except GitError:
                yield Tamper(Kind.CONFIG, f"{path} cannot be read by git any more")
                continue
            for key in sorted({key for key, _ in (before - now) + (now - before)}):
                redirects = key.endswith(".url") and key.startswith("remote.") and any(k == key for k, _ in before)
                runs = RUNS_OR_REDIRECTS.fullmatch(key.lower()) or redirects
                yield Tamper(Kind.CONFIG if runs else Kind.SETTINGS, f"{key} in {path}")

    def _assignments(self, content: bytes) -> Counter[tuple[str, str]]:
        if not content:
            return Counter()
        # from the root: the repository itself may be unusable by what was set in it
        git = Repo(Path(os.sep)).git
        out = decode(git("config", "--no-includes", "--file", "-", "--list", "-z", input=content, discover=True))
        return Counter((key, value) for key, _, value in (item.partition("\n") for item in out.split("\0") if item))

    def _edited(self) -> dict[str, tuple[int, ...]]:
        """The files of the user's checkout that differ from its index, with what tells one edit from the next."""
        found: dict[str, tuple[int, ...]] = {}
        if self._checkout and self._checkout_repo:
            out = self._checkout_repo.git("ls-files", "-z", "--modified", "--deleted", work_tree=self._checkout)
            for raw in set(out.split(b"\0")) - {b""}:
                path = decode(raw)
                try:
                    state = (self._checkout / path).lstat()
                except OSError:
                    found[path] = ()
                else:
                    found[path] = (state.st_size, state.st_mtime_ns)
        return found


_SETTINGS = ("info/attributes", "info/exclude", "info/grafts", "shallow", "objects/info/alternates")


def _differences(kind: Kind, old: Mapping[str, object], new: Mapping[str, object]) -> list[Tamper]:
    return [Tamper(kind, name) for name in sorted({*old, *new}) if old.get(name) != new.get(name)]


def _config_files(repo: Repo) -> list[Path]:
    """Every file that the configuration comes from now, or could come from."""
    fields = decode(repo.git("config", "--list", "-z", "--show-origin")).split("\0")
    named = {origin.removeprefix("file:") for origin in fields[::2] if origin.startswith("file:")}
    home = Path.home()
    config_home = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    usual = {repo.git_dir / "config", repo.git_dir / "config.worktree", home / ".gitconfig", config_home / "git/config"}
    return sorted(usual | {repo.git_dir / path for path in named})


def _own_git_dir(checkout: Path) -> Repo:
    return Repo(Path(Repo(checkout).text("rev-parse", "--absolute-git-dir", discover=True)))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _hooks(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix != ".sample":
            mode = path.lstat().st_mode
            target = os.fsencode(path.readlink()) if stat.S_ISLNK(mode) else b""
            digest = hashlib.sha256(target + (_content(path) if path.is_file() else b"")).hexdigest()
            yield str(path), f"{mode:o} {digest}"
