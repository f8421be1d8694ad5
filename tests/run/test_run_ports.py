"""Ports of checkouts: one block for each, given back, and taken again from processes that are gone."""

from __future__ import annotations

import re
import socket
from contextlib import closing
from pathlib import Path

import pytest

from parallel_impl import environment
from parallel_impl.errors import UserError
from parallel_impl.record import json_form
from parallel_impl.run import launch, ports
from parallel_impl.run.ports import Block
from parallel_impl.run.start import run_spec

GONE = (1, 1, "another boot")  # a process


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "parallel-impl"


def test_two_checkouts_have_no_port_in_common_and_each_keeps_its_own(folder: Path) -> None:
    one, two = ports.lend(Path("/w/a"), 3), ports.lend(Path("/w/b"), 3)
    assert not set(one) & set(two)
    assert ports.lend(Path("/w/a"), 3) == one
    assert len(ports.read(folder)) == 2


def test_what_is_given_back_is_lent_again_also_for_a_whole_folder(folder: Path) -> None:
    one = ports.lend(Path("/w/a"), 2)
    ports.lend(Path("/w/b"), 2)
    ports.give_back(Path("/w/a"))
    assert list(ports.read(folder)) == ["/w/b"]
    assert ports.lend(Path("/w/c"), 2) == one
    ports.give_back(Path("/w"))
    assert ports.read(folder) == {}


def test_the_ports_of_a_killed_run_are_taken_again(folder: Path) -> None:
    free = ports.lend(Path("/w/a"), 2)
    killed = {"/w/a": Block(free[0], 2, *GONE)}
    (folder / "ports.json").write_bytes(json_form.encode(killed))
    assert ports.lend(Path("/w/b"), 2) == free
    assert list(ports.read(folder)) == ["/w/b"]


def test_a_port_on_which_a_program_listens_is_left_out(folder: Path) -> None:
    first = ports.find([], 3)
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", first + 1))
        server.listen()
        assert first + 1 not in ports.lend(Path("/w/a"), 3)


def test_when_all_are_taken_that_is_an_error_of_the_user(folder: Path) -> None:
    with pytest.raises(UserError, match="no 2 free ports in a row"):
        ports.find([Block(ports.FIRST, ports.END - ports.FIRST, *GONE)], 2)


def test_a_file_that_cannot_be_read_is_begun_again(folder: Path) -> None:
    folder.mkdir()
    (folder / "ports.json").write_text("{")
    assert len(ports.lend(Path("/w/a"), 2)) == 2


def test_names_are_short_plain_and_never_those_of_two_checkouts() -> None:
    paths = [Path(f"/h/{home}/{'wp-' + 'x' * 60}{end}") for home in "ab" for end in ("", ".verify", "_verify", "y")]
    names = [launch.name("add-Something", path) for path in paths]
    assert len(set(names)) == len(paths)
    assert all(re.fullmatch("[a-z][a-z0-9_]{0,39}", name) for name in names)
    assert names[0].startswith("add_something_wp_xxx")


def test_what_a_run_sets_itself_is_named_where_pass_env_names_it() -> None:
    names = ["COMPOSE_PROJECT_NAME", "PARALLEL_IMPL_NAME", "PARALLEL_IMPL_PORT", "TMPDIR"]
    told = environment.remarks(dict.fromkeys(names, "mine"), pass_env=names, ours=run_spec.SET_BY_US)
    assert told == [f"pass_env: {name} is set by the run itself, your value does not pass" for name in names]
