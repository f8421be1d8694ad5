"""The one door to git: `Repo` runs every git command of this program.

The rules behind each option were measured: hooks, fsmonitor, split indexes and automatic gc of the user are switched
off in every call (a `reference-transaction` hook ran 18 times in one run and can veto a landing), replace refs are
ignored, and data is read as bytes with `-z`. What is inherited of `GIT_*` has been dropped before
(`environment.drop_git`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import UserError, printable
from parallel_impl.git import obstacle, ownership
from parallel_impl.git.identity import OURS, Identity
from parallel_impl.processes import program
from parallel_impl.processes.standing import LARGEST, EndedError, StandingProgram
from parallel_impl.views.slot import OpenView

MINIMUM = (2, 38)
SWITCHED_OFF = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "core.quotePath=false",
    "advice.detachedHead=false",
)
# What the journal relies on is on disk before it says so: by default git leaves loose objects and refs to the next
# power cut (0 fsyncs in update-index, write-tree, commit-tree and update-ref). 9 fsyncs a package; not the method
# `batch`, which is no fewer for a few files each and writes to a folder first that a `prune --expire=now` removes.
ON_DISK = ("core.fsync=objects,derived-metadata,reference", "core.fsyncMethod=fsync")
TREE = "040000"
AT_ONCE = 400  # paths in one command: the longest that git has are 4 KB each, and the kernel takes 2 MB
ENVIRONMENT = {
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
}


class GitError(Exception):
    """A git command that failed, with its arguments, exit code and what it printed on stderr."""

    def __init__(self, args: Iterable[str], code: int, stderr: bytes) -> None:
        self.code = code
        self.stderr = stderr.decode(errors="replace").strip()
        super().__init__(printable(f"git {' '.join(args)}: exit {code}: {self.stderr}"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree: six-digit mode, kind (blob, tree, commit), object id, path, bytes (0 when not asked)."""

    mode: str
    kind: str
    oid: str
    path: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between two trees; a null object id and mode `000000` mean absent."""

    old_mode: str
    new_mode: str
    old: str
    new: str
    status: str
    path: str


@dataclass(frozen=True, slots=True)
class Worktree:
    """One worktree of a repository as git lists it: where, and the full ref that is checked out ("" if none).

    `bare`: there are no files, it stands for the repository. `gone`: its folder is not there, and `git worktree prune`
    would forget it (not so where it is locked).
    """

    path: Path
    branch: str
    bare: bool = False
    gone: bool = False


def decode(raw: bytes) -> str:
    """A path as text; bytes that are no UTF-8 survive the way there and back (surrogateescape)."""
    return raw.decode("utf-8", "surrogateescape")


def encode(path: str) -> bytes:
    """The bytes of a path that `decode` made."""
    return path.encode("utf-8", "surrogateescape")


def quoted(raw: bytes) -> bytes:
    """A path in C's style, as git reads it where a plain one would be taken for several."""
    return b'"' + b"".join(b"\\%03o" % byte if byte < 32 or byte in b'"\\' else bytes([byte]) for byte in raw) + b'"'


def _safe(folders: Collection[Path]) -> dict[str, str]:
    """Variables by which git takes these folders for the user's own."""
    found = {"GIT_CONFIG_COUNT": str(len(folders))}
    for number, folder in enumerate(folders):
        found |= {f"GIT_CONFIG_KEY_{number}": "safe.directory", f"GIT_CONFIG_VALUE_{number}": str(folder)}
    return found


def _committed(answer: bytes) -> bool:
    return answer.endswith(b"commit: ok\n")


def _stamp(file: Path) -> tuple[int, ...]:
    """What changes when a file is written, or another one is there; () for none."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def version() -> tuple[int, ...]:
    """The installed git's version as numbers; UserError when git is absent."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # else it cannot even be imported where there is no git
    from git import Git, GitCommandNotFound  # noqa: PLC0415  (100 ms)

    try:
        text = str(Git().version())
    except GitCommandNotFound as error:
        raise _absent() from error
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else (0,)


def _absent() -> UserError:
    where = f"PATH={os.environ.get('PATH', '')}"
    return UserError("git is not on PATH", where=where, hint="install git 2.38 or newer, or add its folder")


class Repo:
    """One repository. `git_dir` is its common directory, absolute; nothing depends on the process's own folder.

    `named` are folders that git may take for the user's own: a repository of another uid is "dubious ownership"
    otherwise, and the user named this one to us.
    """

    def __init__(self, git_dir: Path, named: Collection[Path] = ()) -> None:
        self.git_dir = git_dir
        self._named = _safe(named)
        self._config: tuple[str, ...] = ()
        self._mover, self._ignoring = StandingProgram(), StandingProgram()
        self._excludes: Path | None = None

    @classmethod
    def discover(cls, folder: Path) -> Repo:
        """The repository that `folder` lies in (worktree, linked worktree or bare); UserError when there is none."""
        located = ownership.locate(folder)
        named = located.folders if located else ()
        try:
            found = Repo(folder, named).text("rev-parse", "--path-format=absolute", "--git-common-dir", discover=True)
        except GitError as error:
            raise UserError(
                "not a git repository",
                where=str(folder),
                hint="go to the repository of the change, or: git init",
            ) from error
        return cls(Path(found), named)

    def with_objects(self, folder: Path) -> Repo:
        """This repository with the objects in `folder` beside its own: of another one, whose graph is not believed."""
        both = Repo(self.git_dir)
        both._named = {**self._named, "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.fsdecode(quoted(os.fsencode(folder)))}
        both._config = ("core.commitGraph=false", "core.multiPackIndex=false")
        return both

    def close(self) -> None:
        """End what stays of git; it is started again where it is needed. It ends with this process in any case."""
        self._mover.close()
        self._ignoring.close()

    # -- running git

    def git(
        self,
        *args: str,
        input: bytes = b"",
        stdin: Path | None = None,
        index: Path | None = None,
        work_tree: Path | None = None,
        view: OpenView | None = None,
        config: Collection[str] = (),
        env: Mapping[str, str] | None = None,
        ok: Collection[int] = (0,),
        discover: bool = False,
    ) -> bytes:
        """Run `git args` on this repository and return its stdout, untouched.

        `stdin` is a file in the place of `input`. `index` and `work_tree` replace the repository's own, the latter as
        it is in `view`; `config` holds more `key=value`; `ok` lists the exit codes that are no error. Raises GitError
        for any other; what `obstacle` finds instead: a full or read-only disk is an OSError, a lock file in the way a
        UserError.
        """
        command = self._command(work_tree or self.git_dir, config)
        if not discover:
            command.append(f"--git-dir={self.git_dir}")
        if work_tree:
            command.append(f"--work-tree={work_tree}")
        environment = {**ENVIRONMENT, **self._named, **(env or {})}
        if index:
            environment["GIT_INDEX_FILE"] = str(index)
        if view and work_tree:
            inside = {**os.environ, **environment}
            done = program.Done(*view.call([*command, *args], env=inside, cwd=work_tree, stdin=input))
        else:
            try:
                done = program.run([*command, *args], environment, input=input, stdin=stdin)
            except program.AbsentError as error:
                raise _absent() from error
        if done.code not in ok:
            raise obstacle.find(done.err, self.git_dir) or GitError(args, done.code, done.err)
        return done.out

    def _command(self, folder: Path, config: Collection[str] = ()) -> list[str]:
        """What every git command begins with."""
        command = ["git", "-C", str(folder)]
        for setting in (*SWITCHED_OFF, *ON_DISK, *self._config, *config):
            command += ["-c", setting]
        return command

    def text(self, *args: str, ok: Collection[int] = (0,), discover: bool = False) -> str:
        """Run git and return its stdout as text without the last newline."""
        return decode(self.git(*args, ok=ok, discover=discover)).removesuffix("\n")

    # -- what the repository is

    @cached_property
    def object_format(self) -> str:
        """`sha1` or `sha256`."""
        return self.text("rev-parse", "--show-object-format")

    @cached_property
    def null(self) -> str:
        """The null object id in this repository's length (SHA-256: 64 digits)."""
        return "0" * (64 if self.object_format == "sha256" else 40)

    @cached_property
    def empty_tree(self) -> str:
        """The id of the tree without entries, which git knows in every repository."""
        return hashlib.new(self.object_format, b"tree 0\0").hexdigest()

    def config(self) -> list[tuple[str, str]]:
        """The user's configuration (system, global, local) without what we set; keys as git prints them."""
        items = decode(self.git("config", "--list", "-z", "--show-scope")).split("\0")
        found = []
        for scope, item in zip(items[::2], items[1::2], strict=False):
            key, assigned, value = item.partition("\n")
            if scope != "command":
                found.append((key, value if assigned else "true"))  # `[a] b` without `=` means true
        return found

    def config_in(self, blob: str) -> list[tuple[str, str]]:
        """The keys and values of a blob that is a configuration file. GitError where it is none."""
        items = decode(self.git("config", "--list", "-z", f"--blob={blob}")).split("\0")
        return [(key, value) for key, _, value in (item.partition("\n") for item in items if item)]

    def worktrees(self) -> list[Worktree]:
        """All worktrees, the main one first."""
        found = []
        for block in decode(self.git("worktree", "list", "--porcelain", "-z")).split("\0\0"):
            lines = dict(line.partition(" ")[::2] for line in block.split("\0") if line)
            if "worktree" in lines:
                path, branch = Path(lines["worktree"]), lines.get("branch", "")
                found.append(Worktree(path, branch, bare="bare" in lines, gone="prunable" in lines))
        return found

    def holder(self, ref: str) -> Worktree | None:
        """The worktree that has a branch checked out; one that is gone has nothing."""
        return next((one for one in self.worktrees() if one.branch == ref and not one.gone), None)

    # -- refs

    def resolve(self, revision: str) -> str | None:
        """The commit that a revision names, or None."""
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return self.text(*arguments, ok=(0, 1, 128)) or None

    def ref(self, name: str) -> str | None:
        """The object that a full ref name points to, or None."""
        return self.text("rev-parse", "--verify", "--quiet", "--end-of-options", name, ok=(0, 1)) or None

    def refs(self, *prefixes: str, merged: str = "") -> dict[str, str]:
        """Full ref names and their object ids below the prefixes (none: all refs); those that `merged` reaches."""
        only = [f"--merged={merged}"] if merged else []
        lines = self.text("for-each-ref", "--format=%(refname) %(objectname)", *only, *prefixes).split("\n")
        pairs = (line.rpartition(" ") for line in lines if line)
        return {name: oid for name, _, oid in pairs}

    def update_ref(self, name: str, new: str, old: str | None) -> None:
        """Move a ref by compare-and-swap; `old` None means that it must not exist yet. GitError when it is not so."""
        self._move_ref("update", name, new, old or self.null)

    def set_ref(self, name: str, new: str) -> None:
        """Point a ref of our own at `new`, whatever it was."""
        self._move_ref("update", name, new, "")

    def delete_ref(self, name: str, old: str) -> None:
        """Delete a ref if it still points to `old`."""
        self._move_ref("delete", name, old)

    def _move_ref(self, verb: str, name: str, *values: str) -> None:
        """One transaction of a git process that stays. It keeps no lock between two, and reads the refs in each.

        A configuration that was changed, or another git on PATH, is met by a new process.
        """
        arguments = ("update-ref", "--no-deref", "-z", "--stdin")
        command = [*self._command(self.git_dir), f"--git-dir={self.git_dir}", *arguments]
        asked = "\0".join(("start", f"{verb} {name}", *values, "prepare", "commit", ""))
        made_of = (os.environ.get("PATH"), _stamp(self.git_dir / "config"))
        try:
            environment = {**ENVIRONMENT, **self._named}
            self._mover.ask(command, environment, encode(asked), answered=_committed, made_of=made_of)
        except program.AbsentError as error:
            raise _absent() from error
        except EndedError as ended:
            told = GitError((*arguments, f"{verb} {name}", *values), ended.code, ended.err)
            raise obstacle.find(ended.err, self.git_dir) or told from ended

    def check_ignore(self, paths: Sequence[bytes], work_tree: Path, *, rules: object) -> list[tuple[bytes, ...]]:
        """Which rule decides about each of these: source, line, rule and path; the first three are empty for none.

        The rules are those of the user, and of the `.gitignore` files in `work_tree`, where the caller may have
        others for each call as long as `rules` tells them apart. Few paths are asked of a git that stays, which keeps
        rules in mind: it is another one when a file of rules or of configuration has changed.
        """
        arguments = ("check-ignore", "--no-index", "--stdin", "-z", "-v", "-n")
        request = b"".join(path + b"\0" for path in paths)
        more, out = {"GIT_LITERAL_PATHSPECS": "0"}, None
        if len(request) <= LARGEST:
            command = [*self._command(work_tree), f"--git-dir={self.git_dir}", f"--work-tree={work_tree}", *arguments]
            with contextlib.suppress(program.AbsentError, EndedError):  # it is asked once more below, which tells why
                out = self._ignoring.ask(
                    command,
                    {**ENVIRONMENT, **self._named, **more},
                    request,
                    answered=lambda said: said.count(b"\0") == 4 * len(paths),
                    made_of=(work_tree, rules, self._user_rules()),
                )
        if out is None:
            out = self.git(*arguments, input=request, work_tree=work_tree, ok=(0, 1), env=more)
        fields = out.split(b"\0")[:-1]
        return list(zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=True))

    def _user_rules(self) -> tuple[object, ...]:
        """What changes when the user edits what git ignores, or where that is written."""
        home, config = storage.home_directory(), storage.config_directory()
        files = [self.git_dir / "config", self.git_dir / "info/exclude"]
        files += [home / ".gitconfig"] if home else []
        files += [config / "git/config", config / "git/ignore"] if config else []
        if self._excludes is None:
            named = dict(self.config()).get("core.excludesfile", "")
            self._excludes = storage.expand(named) if named else Path(os.devnull)
        return (os.environ.get("PATH"), *map(_stamp, (*files, self._excludes)))

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Whether `ancestor` is reachable from `commit` (a commit is its own ancestor)."""
        try:
            self.git("merge-base", "--is-ancestor", ancestor, commit)
        except GitError as error:
            if error.code == 1:
                return False
            raise
        return True

    def share_history(self, one: str, other: str) -> bool:
        """Whether two commits have an ancestor in common: git merges no others."""
        return bool(self.text("merge-base", one, other, ok=(0, 1)))

    # -- objects

    def tree(self, commit: str) -> str:
        """The tree id of a commit."""
        return self.text("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}")

    def parents(self, commit: str) -> tuple[str, ...]:
        """The parents of a commit, in order."""
        return tuple(self.text("rev-list", "--parents", "-n", "1", "--end-of-options", commit).split()[1:])

    def ancestry(self, oids: Collection[str]) -> list[list[str]]:
        """Each of these that is a commit, with its parents; in one process."""
        if not oids:
            return []
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        kinds = decode(self.git("cat-file", "--batch-check=%(objectname) %(objecttype)", input=asked)).split("\n")
        commits = "".join(f"{oid}\n" for oid, _, kind in (line.partition(" ") for line in kinds) if kind == "commit")
        out = self.git("rev-list", "--no-walk=unsorted", "--parents", "--stdin", input=commits.encode())
        return [line.split(" ") for line in decode(out).split("\n") if line]

    def read(self, treeish: str, path: str) -> bytes | None:
        """The content of a regular file in a tree, or None when there is no such file."""
        entries = self.entries(treeish, path)
        if len(entries) != 1 or entries[0].kind != "blob" or entries[0].mode == "120000":
            return None
        return self.git("cat-file", "blob", entries[0].oid)

    def blob_id(self, content: bytes) -> str:
        """The object id that git gives a file with this content."""
        return hashlib.new(self.object_format, b"blob %d\0" % len(content) + content).hexdigest()

    def entries(self, treeish: str, *paths: str, recurse: bool = False, sizes: bool = False) -> list[Entry]:
        """The entries of a tree: all, or those at the given paths; `recurse` lists files below directories."""
        options = (["-r"] if recurse else []) + (["-l"] if sizes else [])
        asked = [paths[start : start + AT_ONCE] for start in range(0, len(paths), AT_ONCE)] or [()]
        found = []
        for some in asked:
            out = self.git("ls-tree", "-z", "--full-tree", *options, treeish, "--", *some)
            for line in decode(out).split("\0")[:-1]:
                head, _, path = line.partition("\t")
                mode, kind, oid, *size = head.split()
                found.append(Entry(mode, kind, oid, path, int(size[0]) if size and size[0] != "-" else 0))
        return found

    def patch(self, commit: str) -> bytes:
        """What a commit changed against its first parent, as a patch for people: no driver of the user's runs."""
        plain = ("--patch", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color", "--ignore-submodules=none")
        return self.git("diff-tree", *plain, "--end-of-options", f"{commit}^", commit)

    def changes(self, old: str, new: str) -> list[Change]:
        """Every path that differs between two trees or commits, exactly: no renames, modes and links included."""
        return parse_changes(self._compare(old, new))

    def changes_and_trees(self, old: str, new: str) -> tuple[list[Change], list[str]]:
        """The changes between two trees, and the ids of the trees below the new one that the old has not there."""
        found = parse_changes(self._compare(old, new, "-t"))
        files, trees = list[Change](), list[str]()
        for change in found:
            if change.new_mode == TREE:
                trees.append(change.new)
            if TREE not in (change.old_mode, change.new_mode):
                files.append(change)
        return files, trees

    def _compare(self, old: str, new: str, *options: str) -> bytes:
        absent = (
            self.git_dir / "parallel-impl.no-index"
        )  # diff-tree reads the git dir's index otherwise: 18 ms at 100,000 files
        arguments = (
            "diff-tree",
            "-r",
            "-z",
            "--raw",
            "--no-renames",
            "--no-abbrev",
            "--no-ext-diff",
            "--no-textconv",
            *options,
        )
        return self.git(*arguments, "--end-of-options", old, new, index=absent)

    def diffs(self, lines: Iterable[str], *paths: str) -> Iterator[tuple[str, list[Change]]]:
        """What several commits changed, in one process; a line is `<commit> <parent>`, or a commit without a parent.

        With `paths` (few) only these; a commit without changes is left out.
        """
        form = ("-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff", "--no-textconv")
        arguments = ("diff-tree", "--stdin", "--root", *form, "--", *paths)
        absent = self.git_dir / "parallel-impl.no-index"  # as in `changes`
        out = self.git(*arguments, input="".join(f"{line}\n" for line in lines).encode(), index=absent)
        fields = iter(decode(out).split("\0")[:-1])
        commit, found = "", list[Change]()
        for field in fields:
            if field.startswith(":"):
                found.append(_change(field, next(fields)))
                continue
            if found:
                yield commit, found
            commit, found = field, []
        if found:
            yield commit, found

    def write_blob(self, content: bytes) -> str:
        """Put content into the object database as it is; its id."""
        return decode(self.git("hash-object", "-w", "--no-filters", "--stdin", input=content)).strip()

    def blobs(self, oids: Collection[str]) -> dict[str, bytes]:
        """The contents of the given blobs by object id, read in one process; GitError when one is absent."""
        wanted = list(dict.fromkeys(oids))
        if not wanted:
            return {}
        out, at, found = self.git("cat-file", "--batch", input="".join(f"{oid}\n" for oid in wanted).encode()), 0, {}
        for oid in wanted:
            end = out.index(b"\n", at)
            head = out[at:end].split(b" ")
            if len(head) != 3:
                raise GitError(("cat-file", "--batch"), 1, out[at:end])
            size = int(head[2])
            found[oid] = out[end + 1 : end + 1 + size]
            at = end + size + 2
        return found

    def sizes(self, oids: Collection[str]) -> dict[str, int]:
        """The sizes of the objects that are here."""
        if not oids:
            return {}
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        lines = self.git("cat-file", "--batch-check=%(objectname) %(objectsize)", input=asked).decode().splitlines()
        pairs = (line.split() for line in lines)
        return {oid: int(size) for oid, size in pairs if size.isdecimal()}

    def merge_bases(self, one: str, other: str) -> tuple[str, ...]:
        """The best common ancestors of two commits; none where there are none, or one of the two is gone."""
        return tuple(self.text("merge-base", "--all", "--end-of-options", one, other, ok=(0, 1, 128)).split())

    def merge(self, ours: str, theirs: str) -> tuple[str, list[str]]:
        """The tree of a merge of two commits, made in the object database, and the paths that conflict ("" then).

        Only for a feature branch that moved during a run: renames of whole directories are not guessed, and the
        user's merge settings do not count (`directoryRenames=true` silently moved new files).
        """
        config = ("merge.directoryRenames=false", "merge.renames=true", "merge.renormalize=false")
        arguments = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
        fields = decode(self.git(*arguments, config=config, ok=(0, 1))).split("\0")
        conflicts = sorted({path for path in fields[1:] if path})
        return ("", conflicts) if conflicts else (fields[0], [])

    def head(self, folder: Path) -> str | None:
        """The commit that HEAD names in the worktree that `folder` lies in (linked worktrees have their own)."""
        arguments = ("-C", str(folder), "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return self.text(*arguments, ok=(0, 1, 128), discover=True) or None

    def branch(self, folder: Path) -> str:
        """The short name of the branch that is checked out where `folder` lies; "" when detached or without commits."""
        arguments = ("-C", str(folder), "symbolic-ref", "--quiet", "--short", "HEAD")
        name = self.text(*arguments, ok=(0, 1, 128), discover=True)
        return name if name and self.ref(f"refs/heads/{name}") else ""

    def top(self, folder: Path) -> Path | None:
        """The top of the worktree that `folder` lies in; None in a bare repository.

        UserError where `core.worktree` names another folder: nothing that is read here would be what the user sees.
        """
        found = self.text("-C", str(folder), "rev-parse", "--show-toplevel", ok=(0, 128), discover=True)
        if found and not storage.real(folder).is_relative_to(storage.real(Path(found))):
            where = self.git_dir / "config"
            hint = f"go there: cd {shlex.quote(found)}\n    or, if that is not meant: git config -f "
            hint += f"{shlex.quote(str(where))} --unset core.worktree"
            raise UserError(
                f"core.worktree names {found}, and {folder} does not lie in it", where=str(where), hint=hint
            )
        return Path(found) if found else None

    def commit_tree(
        self, tree: str, parents: Iterable[str], message: str, *, date: int, identity: Identity = OURS
    ) -> str:
        """Make a commit on no ref. `date` is seconds since 1970, UTC: made again, the id is the same."""
        stamp = f"{date:010d} +0000"
        who = {
            f"GIT_{role}_{part}": value
            for role, person in (("AUTHOR", identity.author), ("COMMITTER", identity.committer))
            for part, value in (("NAME", person.name), ("EMAIL", person.email), ("DATE", stamp))
        }
        ancestry = [argument for parent in parents for argument in ("-p", parent)]
        arguments = ("commit-tree", "--no-gpg-sign", tree, *ancestry)
        return decode(self.git(*arguments, input=encode(identity.sign(message)), env=who)).strip()

    def missing(self, commit: str, *, known: str) -> list[str]:
        """Objects that `commit` reaches and `known` does not, and that are not in the store: none, after staging."""
        arguments = ("rev-list", "--objects", "--missing=print", "--end-of-options", commit, f"^{known}")
        try:
            return [line[1:] for line in self.text(*arguments).split("\n") if line.startswith("?")]
        except GitError:
            if self.resolve(commit) is None:
                return [commit]  # git is told to go on without a tree or a blob, not without the commit itself
            raise


def parse_changes(out: bytes) -> list[Change]:
    """The records of `diff-tree -z --raw --no-renames`, in git's order."""
    fields = decode(out).split("\0")[:-1]
    found = []
    for head, path in zip(fields[::2], fields[1::2], strict=True):
        found.append(_change(head, path))
    return found


def _change(head: str, path: str) -> Change:
    old_mode, new_mode, old, new, status = head.removeprefix(":").split(" ")
    return Change(old_mode, new_mode, old, new, status, path)
