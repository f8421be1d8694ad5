"""The fold of an attempt's activity."""

from __future__ import annotations

from parallel_impl.agents.seen import Seen
from parallel_impl.record.activity import (
    Activity,
    Answered,
    Called,
    Changed,
    Complained,
    Concluded,
    Denied,
    Limited,
    Opened,
    Retrying,
    Said,
    Usage,
    Used,
)

LIMIT = Limited(terminal=False, why="429")
QUOTA = Limited(terminal=True, why="no credit", code="PROVIDER_QUOTA")


def after(*activity: Activity, start: Seen | None = None) -> Seen:
    seen = start or Seen()
    for happened in activity:
        seen = seen.after(happened)
    return seen


def test_session_and_model_are_kept_when_a_later_line_does_not_repeat_them() -> None:
    seen = after(Opened(session="s", model="m"), Opened(session="t"))
    assert (seen.session, seen.model) == ("t", "m")


def test_parts_of_usage_add_up_and_a_whole_replaces_them() -> None:
    part = Used(usage=Usage(input=1, output=2, turns=1))
    assert after(part, part).usage == Usage(input=2, output=4, turns=2)
    assert after(part, Used(usage=Usage(input=9), whole=True)).usage == Usage(input=9)


def test_what_is_never_reported_stays_unknown() -> None:
    assert after(Used(usage=Usage(input=1))).usage.dollars is None


def test_what_earlier_starts_used_is_left_out_of_a_whole_only() -> None:
    start = Seen(spent=Usage(dollars=2.0, input=10))
    assert after(Used(usage=Usage(dollars=5.0, input=30, output=4), whole=True), start=start).usage == Usage(
        dollars=3.0, input=20, output=4
    )
    assert after(Used(usage=Usage(dollars=5.0)), start=start).usage == Usage(dollars=5.0)
    assert after(Used(usage=Usage(dollars=1.0), whole=True), start=start).usage == Usage(dollars=0.0)


def test_a_call_is_open_until_its_answer() -> None:
    called = after(Called(tool="bash", call="1"), Called(tool="bash", call="2"))
    assert called.open_calls == frozenset({"1", "2"})
    answered = after(Answered(call="1"), start=called)
    assert (answered.open_calls, answered.calls) == (frozenset({"2"}), 2)


def test_a_limit_is_lifted_by_work_and_not_by_retries() -> None:
    assert after(LIMIT, Retrying(status=429), Complained(text="x")).limited == LIMIT
    for work in (Said(text="x"), Called(tool="x"), Answered(call="x"), Changed(paths=["x"])):
        assert after(LIMIT, work).limited is None


def test_a_terminal_refusal_stands() -> None:
    assert after(QUOTA, Said(text="x"), LIMIT).limited == QUOTA


def test_the_last_terminal_refusal_counts_because_its_words_are_the_clients_last() -> None:
    last = Limited(terminal=True, why="API Error: 401 invalid x-api-key", code="PROVIDER_AUTH")
    assert after(LIMIT, QUOTA, last).limited == last


def test_retries_limits_and_complaints_are_no_progress() -> None:
    seen = after(Said(at=5.0, text="x"), Retrying(at=6.0), Limited(at=7.0, terminal=False, why=""))
    assert after(Complained(at=8.0, text="x"), start=seen).progress == 5.0
    assert after(Called(at=9.0, tool="x"), start=seen).progress == 9.0


def test_complaints_are_the_first_and_the_last_lines() -> None:
    seen = after(*(Complained(text=str(number)) for number in range(9)))
    assert seen.complaints == ("0", "1", "6", "7", "8")


def test_denials_changes_retries_and_the_last_word_are_counted() -> None:
    denied = Denied(tool="Write", target="/etc/x")
    seen = after(denied, Changed(paths=["a", "b"]), Retrying(), Said(text="two\nlines"), Concluded(ok=True))
    assert (seen.denied, seen.changes, seen.retries) == ((denied,), 2, 1)
    assert seen.last_word == "two lines"
    assert after(Concluded(ok=True, why="done"), start=seen).last_word == "done"


def test_a_figure_of_usage_that_cannot_be_gives_nothing_back() -> None:
    part = Used(usage=Usage(input=5, dollars=1.0))
    odd = Usage(input=-5, dollars=-1.0, turns=10**400)
    assert after(part, Used(usage=odd)).usage == part.usage
    assert after(Used(usage=odd, whole=True)).usage == Usage()
