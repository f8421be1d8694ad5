"""The journal keeps whole events, in order, through torn writes and full disks."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.record import events as e
from parallel_impl.record.journal import Journal, load_state, read
from parallel_impl.storage import write_atomically

ONE = e.AttemptStarted(at=1.5, package="wp-a", number=1)
TWO = e.AttemptEnded(at=2.5, package="wp-a", number=1, commit="0" * 40, code="TIMEOUT", why="60 s")


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state" / "journal.jsonl")
    journal.append(ONE, TWO)
    journal.close()
    assert list(read(tmp_path / "state" / "journal.jsonl")) == [ONE, TWO]


def test_there_is_one_fsync_for_all_events_of_one_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, fsync, synced = Journal(tmp_path / "j"), os.fsync, list[int]()

    def noted(file: int) -> None:
        synced.append(file)
        fsync(file)

    monkeypatch.setattr(os, "fsync", noted)
    journal.append(ONE, sync=False)
    journal.append(ONE, TWO, ONE)
    journal.close()
    assert len(synced) == 1


@pytest.mark.parametrize("kept", range(1, 40, 7))
def test_a_torn_last_line_is_cut_off_and_what_follows_is_whole(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "j"
    journal = Journal(file)
    journal.append(ONE)
    whole = file.stat().st_size
    journal.append(TWO)
    journal.close()
    os.truncate(file, whole + kept)
    assert list(read(file)) == [ONE]
    again = Journal(file)
    again.append(TWO)
    again.close()
    assert list(read(file)) == [ONE, TWO]


@pytest.mark.parametrize("line", ["{", '{"event": "nothing-known"}', '{"event": "landed"}', "[]", '"x"', "\x00"])
def test_damage_before_the_last_line_is_an_error_that_names_the_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "j"
    journal = Journal(file)
    journal.append(ONE)
    journal.close()
    with file.open("a") as damaged:
        damaged.write(f"{line}\n")
    with pytest.raises(UserError, match="j:2: error: the journal is damaged"):
        list(read(file))


def test_a_full_disk_leaves_no_half_event(tmp_path: Path) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("no /dev/full here")
    journal = Journal(tmp_path / "j")
    journal.append(ONE)
    kept = journal._file
    journal._file = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        journal.append(TWO)
    os.close(journal._file)
    journal._file = kept
    journal.append(TWO)
    journal.close()
    assert list(read(tmp_path / "j")) == [ONE, TWO]


def test_a_replaced_file_is_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x" / "summary.md", b"old")
    write_atomically(tmp_path / "x" / "summary.md", b"new")
    assert {file.name: file.read_bytes() for file in (tmp_path / "x").iterdir()} == {"summary.md": b"new"}


def test_every_event_survives_json() -> None:
    started = e.RunStarted(
        run_id="r", change_id="c", base="b", base_from="HEAD", plan_blob="p", plan_revision=1, contracts_revision=2,
        packages={"wp-a": []}, home="/h", date=1, agent="a", jobs=3,
    )  # fmt: skip
    assert e.from_line(e.to_line(started)) == started
    assert b'"event":"run-started"' in e.to_line(started)
    names = [kind.__struct_config__.tag for kind in e.KINDS]
    assert len(set(names)) == len(names) == len(e.Event.__subclasses__())


def test_text_that_is_no_unicode_never_damages_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(e.RepositoryChanged(what=["refs: \udc80x"], running=[], halts=True))
    journal.close()
    assert read(tmp_path / "j") == [e.RepositoryChanged(what=["refs: ?x"], running=[], halts=True)]


@pytest.mark.parametrize(
    "line", [b'{"event":"landed","commit":3,"branch":"b"}', b'{"event":"interrupted","by":"","x":1}']
)
def test_a_field_of_another_type_or_an_unknown_one_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expected `str`|unknown field"):
        e.from_line(line)


def _cut(file: Path) -> None:
    os.truncate(file, 0)


def _garbage(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"garbage\n")


def _another_word(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"x")


def _replace(file: Path) -> None:
    file.rename(file.with_name("was"))
    file.write_bytes(file.with_name("was").read_bytes())


def _folder(file: Path) -> None:
    file.unlink()
    (file / "x").mkdir(parents=True)


def _link_to_itself(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.symlink_to(file)


@pytest.mark.parametrize(
    ("disturb", "told"),
    [
        (Path.unlink, "was removed"),
        (lambda file: shutil.rmtree(file.parent), "was removed"),
        (_cut, "was cut"),
        (_garbage, "was written to"),
        (_another_word, "was written to"),
        (_replace, "was replaced"),
        (_folder, "was replaced"),
        (_link_to_itself, "was replaced"),
        (lambda file: os.utime(file, (1, 1)), ""),
    ],
)
def test_what_is_done_to_an_open_journal_is_undone_and_told_once(
    tmp_path: Path, disturb: Callable[[Path], None], told: str
) -> None:
    file = tmp_path / "state/j"
    journal = Journal(file)
    journal.append(ONE)
    for _ in range(2):
        disturb(file)
        assert journal.take_disturbance() == told
        assert journal.take_disturbance() == ""
    disturb(file)
    journal.append(TWO)
    assert journal.take_disturbance() == told
    assert read(file) == journal.events() == [ONE, TWO]
    with pytest.raises(UserError, match="another process writes this journal"):
        Journal(file)
    journal.close()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda file: file.symlink_to("/dev/zero"), _link_to_itself])
def test_what_is_no_file_is_no_journal_and_the_line_that_puts_it_aside_works(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    file = tmp_path / "it's here" / "journal.jsonl"
    file.parent.mkdir()
    for _ in range(2):
        make(file)
        for open_it in (read, load_state, Journal):
            with pytest.raises(UserError, match="the journal is damaged: it is no regular file") as caught:
                open_it(file)
        subprocess.run(shlex.split(caught.value.problems[0].hint.split("\n")[1]), check=True)
    assert read(file) == []
