"""The machine's faults are told as such, with what to do; everything else stays a bug."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parallel_impl import storage
from parallel_impl.errors import UserError
from parallel_impl.run.start import writable
from tests.privileges import closed_is_closed


@pytest.mark.parametrize(
    ("number", "what", "do"),
    [
        (errno.ENOSPC, "No space left on device", "free some space"),
        (errno.EDQUOT, "Disk quota exceeded", "a larger quota"),
        (errno.EROFS, "Read-only file system", "make it writable"),
        (errno.EACCES, "Permission denied", "for you"),
    ],
)
def test_a_disk_that_refuses_is_told_with_the_file_and_what_to_do(number: int, what: str, do: str) -> None:
    told = storage.problem(OSError(number, what, "/state/journal.jsonl"))
    assert told is not None
    assert str(told).startswith(f"/state/journal.jsonl: error: {what}")
    assert do in told.hint
    assert "nothing is lost" in told.hint


@pytest.mark.parametrize(
    "error", [OSError("no number"), FileNotFoundError(errno.ENOENT, "gone", "x"), PermissionError(errno.EPERM, "kill")]
)
def test_other_failures_of_the_system_stay_bugs(error: OSError) -> None:
    assert storage.problem(error) is None


def test_a_failed_write_says_which_file_it_was(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as failure, storage.named(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert failure.value.filename == str(tmp_path / "x")
    with pytest.raises(FileNotFoundError) as other, storage.named(tmp_path / "x"):
        (tmp_path / "y").read_bytes()
    assert other.value.filename == str(tmp_path / "y")


def test_two_threads_that_write_one_file_do_not_fail_each_other(tmp_path: Path) -> None:
    file = tmp_path / "tree.json"

    def write(content: bytes) -> None:
        for _ in range(100):
            storage.write_atomically(file, content, durably=False)

    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(write, content) for content in (b"x" * 1000, b"y" * 2000)]:
            one.result()
    assert file.read_bytes() in (b"x" * 1000, b"y" * 2000)
    assert [path.name for path in tmp_path.iterdir()] == ["tree.json"]


def test_secrets_are_masked_in_files_of_others_and_in_their_names(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("s3cret-1")
    folder = tmp_path / "attempt"
    (folder / "a-s3cret-1/b").mkdir(parents=True)
    (folder / "a-s3cret-1/b/s3cret-1.txt").write_text("x s3cret-1 y")
    (folder / "record.json").write_text('{"s3cret-1": 1}')
    (folder / "plain").write_text("plain")
    (folder / "link").symlink_to(outside)
    os.mkfifo(folder / "fifo")
    storage.mask_files(folder, (b"s3cret-1",), ours={folder / "record.json"})
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert names == {"a-***", "a-***/b", "a-***/b/***.txt", "record.json", "plain", "link", "fifo"}
    assert (folder / "a-***/b/***.txt").read_text() == "x *** y"
    assert (folder / "record.json").read_text() == '{"s3cret-1": 1}'
    assert outside.read_text() == "s3cret-1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_folder_on_a_full_disk_is_not_to_be_made_writable(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=1", "none", str(tmp_path)], check=True)
    try:
        with pytest.raises(UserError) as refused:
            writable.check_home(tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
    assert refused.value.problems[0].what == "cannot be written: No space left on device"
    assert refused.value.problems[0].hint == "free some space: worktrees lie there"


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whom the system does not know, without HOME; the place of the folder for state."""

    def unknown(uid: int) -> object:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / f"parallel-impl-{os.geteuid()}"


def test_without_a_home_state_lies_in_a_folder_of_the_users_alone_below_tmpdir(nobody: Path) -> None:
    assert (storage.home_directory(), storage.config_directory()) == (None, None)
    assert storage.expand("~/x") == Path("~/x")
    assert storage.state_directory() == nobody
    assert nobody.stat().st_mode & 0o777 == 0o700
    assert storage.state_directory() == nobody


def test_a_home_that_cannot_be_written_is_none_for_state(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/proc/1")
    assert storage.state_directory() == nobody


def test_a_folder_for_state_that_is_a_link_or_open_to_others_is_refused(nobody: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    nobody.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is a link"):
        storage.state_directory()
    nobody.unlink()
    nobody.mkdir()
    nobody.chmod(0o755)
    with pytest.raises(UserError, match="open to others"):
        storage.state_directory()


def test_a_link_that_leads_to_itself_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("x")
    (tmp_path / "y").symlink_to(".")
    assert storage.real(tmp_path / "x" / "z") == tmp_path / "x" / "z"
    assert storage.real(tmp_path / "y" / "z") == tmp_path / "z"


def test_a_folder_in_the_place_of_our_file_is_put_aside_with_all_that_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    for number in range(2):
        (file / str(number)).mkdir(parents=True)
        storage.write_atomically(file, b"ours")
        assert file.read_bytes() == b"ours"
        file.unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result.json.aside", "result.json.aside.2"]
    assert (tmp_path / "result.json.aside.2/1").is_dir()


@pytest.mark.parametrize("there", ["file", "dangling", "loop", "file/x"])
def test_what_lies_where_a_folder_is_to_be_is_found(tmp_path: Path, there: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    assert storage.obstruction(tmp_path / there / "a" / "b") == tmp_path / there.partition("/")[0]
    for free in ("gone/a", "folder/a", "link/a", "folder"):
        assert storage.obstruction(tmp_path / free) is None


def test_a_folder_below_one_that_is_closed_lies_in_the_nearest_that_can_be_seen(tmp_path: Path) -> None:
    (tmp_path / "closed/in").mkdir(parents=True)
    (tmp_path / "closed").chmod(0)
    with closed_is_closed():
        assert storage.nearest(tmp_path / "closed/in/more") == tmp_path / "closed"
    (tmp_path / "closed").chmod(0o700)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda file: file.symlink_to(file.name)])
def test_what_is_no_file_is_read_by_nobody_and_put_aside_where_we_append(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    file = tmp_path / "agent.log"
    make(file)
    with pytest.raises(ValueError, match=r"agent\.log is no regular file"):
        storage.read(file)
    for text in (b"one ", b"two"):
        with storage.open_to_append(file) as opened:
            opened.write(text)
    assert storage.read(file) == b"one two"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent.log", "agent.log.aside"]


def test_what_lies_in_the_place_of_what_is_ours_is_told_with_the_line_that_puts_it_aside(tmp_path: Path) -> None:
    (tmp_path / "parallel-impl").write_text("x")
    (tmp_path / "other").write_text("x")
    for name in ("parallel-impl", "other"):
        with pytest.raises(OSError, match="Not a directory") as caught:
            (tmp_path / name / "c/journal.jsonl").read_bytes()
        told = storage.misplaced(caught.value)
        assert (told is not None) is (name == "parallel-impl")
        if told:
            subprocess.run(shlex.split(told.hint.partition("again: ")[2]), check=True)
    assert (tmp_path / "parallel-impl.old").read_text() == "x"
