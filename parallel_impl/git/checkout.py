"""A repository and a worktree of its own for each package, for each verification and for the gates.

`Source` is prepared once a run; one checkout then costs a few small files and one git process. Objects are borrowed
from the user's repository, nothing leads back to it: whatever an agent does with refs, configuration, hooks or stash
stays in its own repository.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from parallel_impl import storage
from parallel_impl.git.home import KEPT
from parallel_impl.git.identity import OURS, Identity
from parallel_impl.git.index import A_SECOND, CONFIG, copy_index, later_ns
from parallel_impl.git.mounted import Mounted
from parallel_impl.git.mounts import Inputs, Mounts
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import Repo, encode, quoted
from parallel_impl.views.slot import OpenView
from parallel_impl.views.view import View

ORIGIN_HEAD = "refs/remotes/origin/HEAD"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
CARRIED = ("user", "filter", "lfs", "url", "submodule")
CARRIED_CORE = (
    "autocrlf", "eol", "safecrlf", "symlinks", "ignorecase", "precomposeunicode", "longpaths", "attributesfile",
    "excludesfile",
)  # fmt: skip
# what an agent commits is thrown away: no rule of the user's for commits decides about it
NOT_SIGNED = (
    ("commit.gpgsign", "false"), ("tag.gpgsign", "false"), ("tag.forcesignannotated", "false"),
    ("push.gpgsign", "false"), ("merge.verifysignatures", "false"), ("log.showsignature", "false"),
)  # fmt: skip
FILTER_COMMANDS = ("clean", "smudge", "process")
PUSH_IS_OFF = "/dev/null/push-is-off-in-a-package-worktree"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A worktree at `path` with the files of `commit`, and the repository `git_dir` that it belongs to.

    `path` is where its processes see it, `files` where this process reads it. `index` is ours alone: a copy of the
    worktree's fresh index, where no agent reaches it. With `mounts` its processes run in a view of it. `within` is the
    view of another checkout, in which it lies.
    """

    path: Path
    git_dir: Path
    index: Path
    commit: str
    mounts: Mounts | None = None
    within: OpenView | None = None

    @property
    def mounted(self) -> Mounted | None:
        """The view of the worktree, while it is open."""
        return self.mounts.find(self.folder.name) if self.mounts else None

    @property
    def files(self) -> Path:
        """The worktree's folder, for this process."""
        if self.within:
            return self.within.place(self.path)
        mounted = self.mounted
        return mounted.files if mounted else self.path

    @property
    def view(self) -> OpenView | None:
        """What its processes run in, and git where it reads or writes files of the worktree."""
        mounted = self.mounted
        return mounted.opened if mounted else self.within

    def inside(self, folder: Path) -> Checkout | None:
        """A worktree that its agent made below its level, and that goes with it; None for one that lies elsewhere."""
        mounted = self.mounted
        level = self.path.parent if mounted and self.folder != self.path else self.folder
        if mounted and mounted.opened:
            real = mounted.opened.resolve(folder)
            found = replace(self, path=real, mounts=None, within=mounted.opened)
            return found if real.is_relative_to(level) and found.files.is_dir() else None
        if mounted and folder.is_relative_to(level):  # of a killed process: what it wrote, and what lies beside that
            written = folder.is_relative_to(self.path)
            place = mounted.folder if written else self.folder
            folder, level = place / folder.relative_to(self.path if written else level), place
        found = replace(self, path=folder, mounts=None)
        return found if folder.is_dir() and storage.real(folder).is_relative_to(storage.real(level)) else None

    @property
    def folder(self) -> Path:
        """The level that is the worktree's own, so that `..` meets no other; in old runs the worktree itself."""
        return folder_of(self.git_dir)

    @property
    def admin(self) -> Path:
        """What its repository keeps about the worktree: HEAD, index, where it lies."""
        return self.git_dir / "worktrees" / self.folder.name

    def beside(self) -> list[Path]:
        """What lies on its level beside the worktree: set-up made it."""
        others = self.folder.iterdir() if self.folder != self.path else ()
        return sorted(path for path in others if path.name != self.path.name)

    def mount_again(self) -> None:
        """Its processes have ended: where its view is gone (its slot has died) it is mounted again."""
        if self.mounts:
            self.mounts.mount_again(self.folder.name)

    def settle(self, *, seconds: float, inputs: Inputs) -> None:
        """Set-up has run in a checkout that no layer served: what it made becomes one, below the checkout."""
        mounted = self.mounted
        if self.mounts and mounted and not mounted.ready:
            self.mounts.adopt(mounted, self.folder, git_file(self.admin), seconds=seconds, inputs=inputs)
            copy_index(self.mounts.index(mounted), self.index)
            copy_index(self.index, self.admin / "index", later_ns=later_ns(self.index))

    def remove(self) -> None:
        """Remove the worktree, its level and its repository, whatever an agent made of them.

        OSError when something stays.
        """
        if self.mounts:
            self.mounts.remove(self.folder.name)
        remove(self.folder, self.git_dir, self.index.parent)

    def put_away(self, number: int = 1) -> str:
        """Remove it, or move it aside where something in it (of root, of a container) cannot be removed.

        In words then; "" when it is gone. OSError when it cannot be moved either.
        """
        try:
            self.remove()
        except OSError as error:
            return f"{error.strerror}; moved to {self.keep(number)}"
        return ""

    def keep(self, number: int) -> Path:
        """Move the worktree, whole, to `<home>/.kept/<name>.<number>`, its repository beside it; where that is.

        Nothing that was kept is overwritten: where the number is taken, it is the next free one. Of a view it is what
        was changed in it, and in `<name>.<number>/layers` the names of the layers that it was changed against.
        """
        name, home = self.folder.name, self.folder.parent / KEPT
        home.mkdir(exist_ok=True)
        while os.path.lexists(home / f"{name}.{number}"):
            number += 1
        folder = home / f"{name}.{number}"
        git_dir = home / f"{folder.name}.git"
        if os.path.lexists(self.git_dir):  # else it was moved by a call that was killed before it moved the worktree
            remove(git_dir)
        if self.mounts:
            self.mounts.move_out(self.folder.name, self.folder)
        for place, target in ((self.git_dir, git_dir), (self.folder, folder)):
            if os.path.lexists(place):  # the agent may have removed it
                place.rename(target)
        remove(self.index.parent)
        worktree = folder / self.path.name if self.folder != self.path else folder
        point_again(folder, worktree, git_dir / "worktrees" / name)
        return worktree


@dataclass(frozen=True, slots=True)
class Source:
    """What the repositories of one run have in common, as the contents of their files.

    `environment` is what filters see beside the variables of this process. A worktree has the folder name
    `repository_name`, on a level of its own ("": its level is the worktree, as in runs of earlier versions). `mounts`
    makes worktrees views (None: each is a folder of its own).
    """

    repo: Repo
    home: Path
    indexes: Path
    files: tuple[tuple[str, bytes], ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    repository_name: str = ""
    mounts: Mounts | None = None

    @classmethod
    def prepare(
        cls,
        repo: Repo,
        base: str,
        home: Path,
        *,
        indexes: Path,
        identity: Identity = OURS,
        carried: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        repository_name: str = "",
    ) -> Source:
        """Read from the user's repository what its package repositories carry over.

        `base` is the run's base commit: of the refs its ancestors are carried, and `carried`, whose commits are on
        refs of ours; objects of others may vanish. `indexes` is a folder of ours that no agent reaches.
        """
        refs, origin_head = _refs(repo, base, carried or {})
        files = {
            # no branch: a worktree could not switch to it, "already checked out"
            "HEAD": f"{base}\n".encode(),
            "config": _config(repo, identity),
            "packed-refs": b"# pack-refs with: sorted \n" + b"".join(refs),
            "objects/info/alternates": alternate(repo.git_dir / "objects"),
        }
        if origin_head:
            files["refs/remotes/origin/HEAD"] = origin_head
        for name in ("shallow", "info/attributes", "info/exclude"):
            if (repo.git_dir / name).is_file():
                files[name] = (repo.git_dir / name).read_bytes()
        return cls(repo, home, indexes, tuple(files.items()), environment or {}, repository_name)

    def open(self, name: str, commit: str, *, branch: str = "") -> Checkout:
        """Make `<home>/<name>.git` and its worktree on the level `<home>/<name>` with the files of `commit`.

        HEAD is `branch` (without `refs/heads/`), made at `commit`; without one it is detached. What a crash left
        under the name is removed first, or moved aside. Submodules stay empty. GitError when git cannot write the
        files: they are written with the user's git dir, where filters have their keys and their state.
        """
        checkout = replace(self.place(name), commit=commit)
        path, git_dir, admin = checkout.path, checkout.git_dir, checkout.admin
        checkout.put_away()
        mounts = self.mounts if self.mounts and self.mounts.active else None
        (checkout.folder if mounts else path).mkdir(parents=True)
        checkout.index.parent.mkdir(parents=True)
        for folder in (git_dir / "refs/heads", git_dir / "refs/tags", git_dir / "objects/pack", admin):
            folder.mkdir(parents=True, exist_ok=True)
        for file, content in self.files:
            _write(git_dir / file, content)
        if branch:
            _write(git_dir / "refs/heads" / branch, f"{commit}\n".encode())
        _write(admin / "HEAD", f"ref: refs/heads/{branch}\n".encode() if branch else f"{commit}\n".encode())
        _write(admin / "commondir", b"../..\n")
        if mounts:
            _write(admin / "gitdir", os.fsencode(path / ".git") + b"\n")
            mounted = mounts.open(name, commit, checkout.folder, git_file(admin))
            copy_index(mounts.index(mounted), checkout.index)
        else:
            point(path, admin)
            arguments = ("read-tree", "-u", "--reset", commit)
            self.repo.git(*arguments, index=checkout.index, work_tree=path, config=CONFIG, env=self.environment)
        newer = later_ns(checkout.index) if mounts else 0
        if mounts and not mounted.ready:  # the git of a set-up reads no file that set-up does not read
            newer = A_SECOND
        copy_index(checkout.index, admin / "index", later_ns=newer)
        return checkout

    def place(self, name: str) -> Checkout:
        """Where a checkout of this name lies, whatever is there: to remove it or to put it away."""
        git_dir = self.home / f"{_checked(name)}.git"
        path = folder_of(git_dir) / self.repository_name
        if self.mounts and self.mounts.active:
            path = self.mounts.at
        return Checkout(path, git_dir, self.indexes / name / "index", "", self.mounts)

    def found(self, name: str, commit: str, about: View | None = None) -> Checkout | None:
        """A checkout of `commit` that an earlier process opened under this name, as the view `about`, if it was one.

        None when it is not whole.
        """
        checkout = replace(self.place(name), commit=commit)
        if about and self.mounts:
            whole = self.mounts.take_up(name, commit, about) is not None
            checkout = replace(checkout, path=about.at)
        else:
            checkout = replace(checkout, path=checkout.folder / self.repository_name)
            whole = checkout.path.is_dir()
        return checkout if whole and checkout.index.is_file() else None


def _checked(name: str) -> str:
    if not NAME.fullmatch(name) or name.endswith(".git"):
        raise ValueError(f"not a name for a checkout: {name!r}")
    return name


def are(kind: Callable[[int], bool], *paths: Path) -> bool:
    """Whether all paths are there and of this kind, symlinks not followed."""
    return all(os.path.lexists(path) and kind(path.lstat().st_mode) for path in paths)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    storage.write(path, content)


def git_file(admin: Path) -> bytes:
    """The content of a worktree's `.git`."""
    return b"gitdir: " + os.fsencode(admin) + b"\n"


def point(worktree: Path, admin: Path) -> None:
    """Make worktree and administrative folder name each other, as `git worktree add` does."""
    _write(worktree / ".git", git_file(admin))
    _write(admin / "gitdir", os.fsencode(worktree / ".git") + b"\n")


def point_again(folder: Path, worktree: Path, admin: Path) -> None:
    """Point to where both lie now, after a move; `folder` is the worktree's level.

    What the agent replaced stays as it is: a symlink of its making would lead our writing anywhere.
    """
    files = (worktree / ".git", admin / "gitdir")
    if are(stat.S_ISDIR, folder, worktree, admin.parent.parent, admin.parent, admin) and are(stat.S_ISREG, *files):
        for file in files:
            file.unlink()  # it may be a hard link
        point(worktree, admin)


def folder_of(git_dir: Path) -> Path:
    """The level of the worktree that belongs to a package's repository."""
    return git_dir.with_suffix("")


def _refs(repo: Repo, base: str, carried: Mapping[str, str]) -> tuple[list[bytes], bytes]:
    """The lines of `packed-refs`: the base's ancestors, and `carried`; and the content of `origin/HEAD`.

    What is carried stands where the run found it, wherever the user's own branch is by now.
    """
    kinds = ("refs/heads", "refs/tags", "refs/remotes")
    form = "--format=%(refname) %(objectname) %(symref)"
    origin_head = repo.text("symbolic-ref", "--quiet", ORIGIN_HEAD, ok=(0, 1, 128))
    lines = {encode(name): encode(oid) for name, oid in carried.items()}
    for line in repo.git("for-each-ref", f"--merged={base}", form, *kinds).split(b"\n")[:-1]:
        name, oid, symref = line.split(b" ", 2)
        # a branch `openspec` would leave no room for the package's own branch below that name
        if not symref and name != b"refs/heads/openspec":
            lines.setdefault(name, oid)
    head = b"ref: " + encode(origin_head) + b"\n" if encode(origin_head) in lines else b""
    return [oid + b" " + name + b"\n" for name, oid in sorted(lines.items())], head


def alternate(objects: Path) -> bytes:
    """One line of `objects/info/alternates`; quoted in C's style where a plain line would be read otherwise."""
    raw = os.fsencode(objects)
    if b"\n" not in raw and not raw.startswith((b'"', b"#")):
        return raw + b"\n"
    return quoted(raw) + b"\n"


def _config(repo: Repo, identity: Identity) -> bytes:
    """The configuration of a package repository, in git's own format. No `core.bare`: libraries believe it."""
    items = repo.config()
    sha256 = repo.object_format == "sha256"
    lines = [("core.repositoryformatversion", "1" if sha256 else "0"), ("core.filemode", "true")]
    lines += [*NOT_SIGNED, *_identity(OURS)]  # of one key the last value counts
    if sha256:
        lines.append(("extensions.objectformat", "sha256"))
    for key, value in items:
        section, _, rest = key.partition(".")
        if section == "filter":
            lines.append((key, _with_git_dir(repo, key, value)))
        elif section in CARRIED:
            lines.append((key, value))
        elif section == "core" and rest in CARRIED_CORE:
            lines.append((key, str(storage.expand(value)) if rest.endswith("file") else value))
    if url := dict(items).get("remote.origin.url"):
        lines += [("remote.origin.url", _fetch_url(repo, url)), ("remote.origin.pushurl", PUSH_IS_OFF)]
        lines.append(("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"))
    lines += [("credential.helper", ""), *(_identity(identity) if identity != OURS else ())]
    return b"".join(_assignment(key, value) for key, value in lines)


def _identity(identity: Identity) -> Iterator[tuple[str, str]]:
    """The person whom git takes in the package's repository."""
    yield from (("user.name", identity.author.name), ("user.email", identity.author.email))
    if identity.committer != identity.author:
        yield from (("committer.name", identity.committer.name), ("committer.email", identity.committer.email))


def _with_git_dir(repo: Repo, key: str, value: str) -> str:
    """A filter's command as the package's repository has it: git-crypt and its like keep their keys in the git dir.

    LFS finds its objects through the alternates, and what it is told to download belongs into the package's own.
    """
    name, _, what = key.removeprefix("filter.").rpartition(".")
    if name == "lfs" or what not in FILTER_COMMANDS or not value:
        return value
    return f"GIT_DIR={shlex.quote(str(repo.git_dir))}; export GIT_DIR; {value}"


def _fetch_url(repo: Repo, url: str) -> str:
    """The URL without a password in it; a relative path made absolute, it is relative to the user's worktree."""
    parts = urlsplit(url)
    if parts.scheme and "@" in parts.netloc and parts.scheme != "ssh":
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    is_path = "://" not in url and not re.match(r"[^/]+:", url)
    if is_path and not Path(url).is_absolute():
        worktree = repo.worktrees()[0].path
        return os.path.normpath(worktree / url)
    return url


def _assignment(key: str, value: str) -> bytes:
    section, _, rest = key.partition(".")
    subsection, _, name = rest.rpartition(".")
    header = f"[{section} {_quoted(subsection)}]" if subsection else f"[{section}]"
    text = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return encode(f'{header}\n\t{name} = "{text}"\n')


def _quoted(subsection: str) -> str:
    return '"' + subsection.replace("\\", "\\\\").replace('"', '\\"') + '"'
