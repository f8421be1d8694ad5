"""Real repositories for tests: fixture trees made into git repositories, git and the tool run as processes.

Used by the tests that need a repository. Everything runs in the environment that `conftest.py` made
hermetic: an own HOME, fixed identity, dates and time zone, nothing inherited from the developer's git.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "repos"
DATE = "1700000000 +0000"
FORMATS = {"": (), "reftable": ("--ref-format=reftable",), "sha256": ("--object-format=sha256",)}
# of the repositories that tests make; looked up once, before the environment is replaced (`make test-gits` sets it)
FORMAT = FORMATS[os.environ.get("PARALLEL_IMPL_TEST_FORMAT", "")]
# by which means the tool makes checkouts ready (`make test-views` sets it); else the best that this machine can do
CHECKOUTS = os.environ.get("PARALLEL_IMPL_TEST_CHECKOUTS", "overlay")
GIT_CONFIG = """\
[user]
    name = Fixture Author
    email = author@example.org
[init]
    defaultBranch = main
[advice]
    detachedHead = false
"""


def hermetic(inherited: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment of tests: `inherited` without git's, Python's, this tool's and a CI runner's variables.

    `home` is HOME, and gets a `.gitconfig`: the tool scrubs `GIT_*`, so git finds its configuration through HOME alone.
    The folder of the running interpreter comes first on PATH: fixtures say `python -m pytest`.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / ".gitconfig").write_text(GIT_CONFIG)
    foreign = ("GIT_", "PARALLEL_IMPL", "PYTHON", "XDG_", "VIRTUAL_ENV", "LC_", "EDITOR", "PAGER", "MAKE", "MFLAGS")
    runner = ("CI", "GITHUB_", "GITLAB_", "TF_BUILD", "TEAMCITY_", "NO_COLOR", "FORCE_COLOR")
    kept = {name: value for name, value in inherited.items() if not name.startswith(foreign + runner)}
    return kept | {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited.get('PATH', os.defpath)}",
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_AUTHOR_DATE": DATE,
        "GIT_COMMITTER_DATE": DATE,
        "GIT_TERMINAL_PROMPT": "0",
        "PARALLEL_IMPL_CHECKOUTS": CHECKOUTS,
    }


def make_repository(fixture: str, into: Path) -> Path:
    """The repository `<into>/<fixture>`: branch `main` with one commit of `fixtures/repos/<fixture>/repo/`."""
    folder = into / fixture
    shutil.copytree(FIXTURES / fixture / "repo", folder, symlinks=True)
    init(folder)
    commit_all(folder, "The state before the change")
    return folder


def init(folder: Path) -> None:
    """Make a folder a repository with the branch `main`, in the format that is being tested."""
    git(folder, "init", "--quiet", "-b", "main", *FORMAT)


def commit_all(folder: Path, message: str) -> str:
    """Commit everything in `folder`, ignored files too, and return the commit's id."""
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--no-verify", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def replay(fixture: str) -> str:
    """The `--agent` value that plays back the recorded edits of a fixture."""
    return f"replay: {FIXTURES / fixture / 'replay'}"


def command(script: Path, text: str) -> str:
    """The `--agent` value of a shell agent: `$1` package, `$2` attempt, started in its worktree."""
    script.write_text(f"set -eu\n{text}")
    return f"command: sh {script} {{package_id}} {{attempt}}"


def git(folder: Path, *args: str) -> str:
    """What git prints, without the last newline; CalledProcessError when it fails."""
    done = subprocess.run(
        ["git", *args], cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60
    )
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


def tool(
    folder: Path, *args: str, env: Mapping[str, str] | None = None, seconds: float = 180
) -> subprocess.CompletedProcess[str]:
    """Run the real command line in `folder` (`tool(folder, "implement", "my-change")`); `env` is added."""
    return subprocess.run(
        [sys.executable, "-m", "parallel_impl", *args],
        cwd=folder,
        env=os.environ | (env or {}),
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=seconds,
    )


def start(
    folder: Path, *args: str, env: Mapping[str, str] | None = None, output: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """The real command line, started and left running; its output goes to `output`."""
    return subprocess.Popen(
        [sys.executable, "-m", "parallel_impl", *args],
        cwd=folder,
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


def wait_for(file: Path, running: subprocess.Popen[bytes]) -> None:
    """Until the file is there; the process must live so long."""
    while not file.exists():
        assert running.poll() is None, f"ended with {running.returncode} before {file} was there"
        threading.Event().wait(0.02)


def living(word: str) -> list[int]:
    """The processes that have this word in their command line, wherever they run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def appears(word: str) -> bool:
    """Whether a process with this word lives, at the latest after ten seconds: a shell starts it after it forked."""
    for _ in range(500):
        if living(word):
            return True
        threading.Event().wait(0.02)
    return False


def path_folders() -> list[Path]:
    """The folders on PATH that this user can read: PATHs of real users name others too."""
    folders = (Path(one) for one in os.environ["PATH"].split(os.pathsep))
    return [folder for folder in folders if os.access(folder, os.R_OK | os.X_OK) and folder.is_dir()]


def refs(folder: Path, *prefixes: str) -> list[str]:
    """The full names of the refs below `prefixes` (all of them without any), in git's order."""
    return git(folder, "for-each-ref", "--format=%(refname)", *prefixes).splitlines()


def users_side(folder: Path) -> dict[str, tuple[int, bytes]]:
    """All of a checkout and its `.git` that belongs to the user, byte for byte: not objects, nor what is ours.

    The tables of a reftable repository hold everybody's refs: what git reads there stands for them.
    """
    of_refs = ("refs/parallel-impl/", "refs/heads/openspec/", "logs/refs/heads/openspec/")
    ours = tuple(f".git/{path}" for path in ("parallel-impl/", "objects/", "reftable/", *of_refs))
    found = {path: content for path, content in contents(folder).items() if not path.startswith(ours)}
    if has_reftable(folder):
        lines = git(folder, "for-each-ref", "--format=.git/%(refname) %(objectname) %(symref)").splitlines()
        theirs = [line for line in lines if not line.startswith(ours)]
        head = git(folder, "symbolic-ref", "HEAD"), git(folder, "reflog", "--no-abbrev", "HEAD")
        found[".git/reftable"] = (0, "\n".join([*theirs, *head]).encode())
    return found


def has_reftable(folder: Path) -> bool:
    """Whether the refs of a repository are kept in tables, not in files."""
    return (folder / ".git/reftable").is_dir()


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and symlink below `folder`: relative path to (mode, content or target), to compare byte for byte."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[str(path.relative_to(folder))] = (mode, os.fsencode(path.readlink()))
        elif stat.S_ISREG(mode):
            found[str(path.relative_to(folder))] = (mode, path.read_bytes())
    return found
