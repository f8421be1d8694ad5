"""What `parallel-impl logs` shows of the files of attempts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.record import activity as a
from parallel_impl.record.state import Progress, State
from parallel_impl.run.claims import change_lock
from parallel_impl.run.inspect import logs
from parallel_impl.run.inspect.run_status import RunStatus
from parallel_impl.run.places import Places


@pytest.fixture
def run(tmp_path: Path) -> RunStatus:
    state = State(packages={"wp-a": Progress(()), "wp-b": Progress(())})
    return RunStatus(Places(tmp_path, "c1"), state)


def write(run: RunStatus, package: str, number: int, name: str, content: bytes) -> Path:
    file = run.places.attempt(package, number) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def shown(run: RunStatus, package: str = "", *, follow: bool = False, raw: bool = False) -> list[str]:
    return list(logs.lines(run, package, follow=follow, raw=raw))


SAID = a.to_line(a.Said(text="hello \x1b[2J")) + b"\n"


def test_attempts_are_shown_in_order_and_every_kind_of_agent_alike(run: RunStatus) -> None:
    write(run, "wp-a", 10, "activity.jsonl", SAID)
    write(run, "wp-a", 2, "activity.jsonl", SAID + b'{"did":"of-a-later-version"}\n{"did":"sa')
    write(run, "wp-b", 1, "agent.log", b"line one\nthe last one")
    said = "          hello \\x1b[2J"
    assert shown(run) == [
        *("== wp-a, attempt 2", said, "== wp-a, attempt 10", said),
        *("== wp-b, attempt 1", "line one", "the last one"),
    ]
    assert shown(run, "wp-b") == ["== wp-b, attempt 1", "line one", "the last one"]


def test_packages_come_in_the_order_of_the_plan_and_an_agent_that_wrote_nothing_is_named(run: RunStatus) -> None:
    swapped = RunStatus(run.places, State(packages={"wp-b": Progress(()), "wp-a": Progress(())}))
    write(run, "wp-a", 1, "activity.jsonl", SAID)
    write(run, "wp-b", 1, "activity.jsonl", SAID)
    write(run, "wp-b", 2, "agent.log", b"")
    said = "          hello \\x1b[2J"
    assert shown(swapped) == [
        *("== wp-b, attempt 1", said, "== wp-a, attempt 1", said),
        *("== wp-b, attempt 2", "          nothing written"),
    ]


def test_raw_shows_the_clients_own_lines_and_never_garbles_the_terminal(run: RunStatus) -> None:
    write(run, "wp-a", 1, "activity.jsonl", SAID)
    write(run, "wp-a", 1, "agent.raw.jsonl", b'{"x": 1}\n\x1b]0;title\x07\xff\n')
    assert shown(run, raw=True) == ["== wp-a, attempt 1", '{"x": 1}', "\\x1b]0;title\\x07�"]


def test_it_follows_until_nobody_works_on_the_run(run: RunStatus, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(run, "wp-a", 1, "activity.jsonl", SAID + SAID[:7])

    def owners() -> Iterator[str]:
        yield "a process"
        with file.open("ab") as added:
            added.write(SAID[7:])  # the rest of a line that was half written
        yield "a process"
        write(run, "wp-b", 1, "activity.jsonl", SAID)
        yield ""

    found = owners()
    monkeypatch.setattr(change_lock, "find_owner", lambda _: next(found))
    monkeypatch.setattr(logs, "LOOK_SECONDS", 0.0)
    said = "          hello \\x1b[2J"
    assert shown(run, follow=True) == ["== wp-a, attempt 1", said, said, "== wp-b, attempt 1", said]


def test_an_unknown_package_is_an_error_that_names_the_known_ones(run: RunStatus) -> None:
    with pytest.raises(UserError, match="no package 'wp-x'"):
        shown(run, "wp-x")
