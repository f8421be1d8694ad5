"""Runs a module as an ordinary user, where root runs this: `as_user.py MODULE ARGUMENTS…` (make test-user, bench-user).

The user is `nobody`, so none has to be made. They get a copy of this clone and of its packages in a temporary folder,
and a PATH whose first folder only root can read, as PATHs of real users have. What keeps a machine from it is printed,
and counts as one test that was skipped.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "nobody"
LEFT_OUT = (".git", ".venv*", ".clients", ".bench", ".*_cache", ".hypothesis", ".coverage*", "__pycache__")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


class NotHereError(Exception):
    """What this machine does not have."""


def interpreters() -> Iterator[str]:
    """Those of the version whose packages are installed; the one that runs this first."""
    yield os.path.realpath(sys.executable)
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin"):
        yield os.path.join(folder, f"python{VERSION}")  # noqa: PTH118 - it may be a folder that is not there


def can_start(argv: list[str], user: pwd.struct_passwd) -> bool:
    try:
        done = subprocess.run(
            argv, user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/", check=False, capture_output=True
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def interpreter(user: pwd.struct_passwd) -> str:
    if not can_start(["/bin/sh", "-c", "exit 0"], user):
        raise NotHereError(f"this machine lets nobody start a process as {NAME}")
    for path in dict.fromkeys(interpreters()):
        if can_start([path, "-c", "import sqlite3, ssl, venv"], user):
            return path
    raise NotHereError(f"there is no python{VERSION} that {NAME} may start ({os.path.realpath(sys.executable)} is not)")


def prepare(folder: Path, python: str, user: pwd.struct_passwd) -> None:
    """The copy, its packages, a HOME, a TMPDIR, and a folder for PATH that only root can read."""
    folder.chmod(0o755)
    copy = folder / "copy"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    subprocess.run([python, "-m", "venv", "--without-pip", str(copy / ".venv")], check=True)
    packages = copy / ".venv/lib" / f"python{VERSION}" / "site-packages"
    shutil.copytree(sysconfig.get_path("purelib"), packages, symlinks=True, dirs_exist_ok=True)
    for editable in packages.glob("_editable_impl_*.pth"):
        editable.write_text(f"{copy}\n")
    started_by = f"#!{sys.prefix}/bin/".encode()
    for script in Path(sys.prefix, "bin").iterdir():  # pytest, parallel-implement, …
        place = copy / ".venv/bin" / script.name
        if script.is_file() and not place.exists() and (text := script.read_bytes()).startswith(started_by):
            place.write_bytes(f"#!{copy}/.venv/bin/".encode() + text.removeprefix(started_by))
            place.chmod(0o755)
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    for path in (copy, folder / "home", folder / "tmp"):
        subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", str(path)], check=True)
    (folder / "locked").mkdir(mode=0o700)


def run(folder: Path, user: pwd.struct_passwd, arguments: list[str]) -> int:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "COVERAGE"))}
    environment = inherited | {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PATH": f"{folder / 'locked'}{os.pathsep}{os.environ['PATH']}",
        "USER": NAME,
        "LOGNAME": NAME,
    }
    return subprocess.run(
        [str(folder / "copy/.venv/bin/python"), "-m", *arguments],
        cwd=folder / "copy", env=environment, user=user.pw_uid, group=user.pw_gid, extra_groups=[], umask=0o022,
        check=False,
    ).returncode  # fmt: skip


def main(arguments: list[str]) -> int:
    try:
        if os.geteuid() != 0:
            raise NotHereError("this is an ordinary user already")
        try:
            user = pwd.getpwnam(NAME)
        except KeyError:
            raise NotHereError(f"this machine has no user {NAME}") from None
        python = interpreter(user)
    except NotHereError as reason:
        sys.stdout.write(f"SKIPPED {arguments[0]} as an ordinary user: {reason}\n")
        sys.stdout.write("===== 1 skipped in 0.00s =====\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="test-user-", ignore_cleanup_errors=True) as name:
        prepare(Path(name), python, user)
        return run(Path(name), user, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
