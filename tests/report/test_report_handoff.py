"""The page about a run that stopped."""

from __future__ import annotations

import msgspec

from parallel_impl.record import events as e
from parallel_impl.record.events import Event
from parallel_impl.report import handoff
from parallel_impl.report.handoff import Handoff
from parallel_impl.report.picture import draw
from tests.report.scene import THREE, accept, begin, outlined, started, three

HALTED = e.RunHalted(at=80.0, code="NOT_ALL_ACCEPTED", why="wp-docs failed")


def render(happened: list[Event], standing: Handoff) -> str:
    drawn = draw(happened, (), 90.0, outline=outlined(THREE), alive=False)
    return handoff.render(drawn, standing)


def test_one_page_says_where_it_stands_what_to_look_at_and_what_to_type() -> None:
    work = {"wp-docs": "refs/parallel-impl/add-a/attempts/wp-docs/1"}
    page = render(
        [*three(), *accept(70.0, "wp-api"), HALTED],
        Handoff(
            "not landed: NOT_ALL_ACCEPTED: wp-docs failed",
            "openspec/add-a",
            "/state",
            work,
            plan="p/work-packages.yaml",
        ),
    )
    assert (
        page
        == """\
# add-a: not landed: NOT_ALL_ACCEPTED: wp-docs failed

2 of 3 packages accepted, 1 failed. This run has not moved `openspec/add-a`, and all work is kept.

Paths are below `/state`.

## Look at first

1. wp-docs failed: VERIFICATION_FAILED: step 'links': exit 1; log: /x
   - `docs/a.md:12: no such page`
   - `FAILED 1 of 12 links`
   - its log and results: `attempts/wp-docs/1`
   - its work: `git show refs/parallel-impl/add-a/attempts/wp-docs/1`

## Packages

- wp-docs: failed, VERIFICATION_FAILED: step 'links': exit 1; log: /x
- wp-contracts: accepted
- wp-api: accepted

## Go on

    parallel-impl show add-a wp-docs --log
    parallel-implement add-a --retry-failed
    # or correct its scope, steps or description in p/work-packages.yaml and commit it: the next revision,
    #   which the same command takes: parallel-implement add-a
    parallel-implement add-a --abort    # give it up; its work stays on refs
"""
    )


def test_a_red_gate_shows_what_would_have_landed() -> None:
    accepted = [started(THREE), *(event for name in THREE for event in (begin(1, name), *accept(2, name)))]
    halted = e.RunHalted(at=9.0, code="GATES_FAILED", why="pytest: 1 new failure\n  tests/test_a.py::test_x")
    ref = "refs/parallel-impl/add-a/candidate"
    page = render([*accepted, halted], Handoff("not landed: GATES_FAILED", "openspec/add-a", "/state", {}, ref))
    assert "1. the gates do not pass on the whole: pytest: 1 new failure\n   - `tests/test_a.py::test_x`\n" in page
    assert f"    git log --first-parent {ref}\n" in page


def test_an_interrupted_run_has_nothing_to_look_at_but_goes_on() -> None:
    happened = [started(THREE), begin(1, "wp-contracts"), e.Interrupted(at=5.0, by="a signal")]
    page = render(happened, Handoff("interrupted", "openspec/add-a", "/state", {}))
    assert "## Look at first" not in page
    assert "    parallel-implement add-a    # the same command" in page


def test_two_hundred_packages_are_one_page_still() -> None:
    many: dict[str, list[str]] = {f"wp-{number:03}": [] for number in range(200)}
    page = render([started(many), HALTED], Handoff("not landed", "openspec/add-a", "/state", {}))
    assert "- and 180 more: `parallel-impl status add-a`" in page
    assert len(page.splitlines()) < 60


def test_the_same_command_is_offered_only_where_it_has_something_to_do() -> None:
    goes_on = "# the same command goes on"
    waiting = three()  # wp-api is at work
    standing = Handoff("not landed", "openspec/add-a", "/state", {})
    assert goes_on in render([*waiting, HALTED], standing)
    assert goes_on not in render([*three(), *accept(70.0, "wp-api"), HALTED], standing)


def test_a_run_for_one_package_is_tried_again_for_that_one() -> None:
    begun = [msgspec.structs.replace(one, only="wp-docs") if isinstance(one, e.RunStarted) else one for one in three()]
    page = render([*begun, HALTED], Handoff("not landed", "openspec/add-a", "/state", {}, only="wp-docs"))
    assert "    parallel-implement add-a --only wp-docs --retry-failed\n" in page
    assert "# the same command goes on" not in page
    assert "    parallel-implement add-a    # without --only: all packages\n" in page
