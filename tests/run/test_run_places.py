"""Where things of a run lie: names that an earlier version's runs have too, so they never change."""

from __future__ import annotations

from pathlib import Path

from parallel_impl.run.places import Places

PLACES = Places(Path("/r/.git"), "add-x")


def test_everything_has_the_place_that_runs_of_earlier_versions_gave_it() -> None:
    state = Path("/r/.git/parallel-impl/add-x")
    files = PLACES.attempt_files("wp-a", 3)
    assert files.folder == state / "attempts/wp-a/3"
    names = (files.record, files.prompt, files.reported, files.result)
    assert [path.name for path in names] == ["attempt.json", "prompt.md", "reported.json", "result.json"]
    logs = (files.agent_log, files.setup_log, files.verify_setup_log)
    assert [path.name for path in logs] == ["agent.log", "setup.log", "verify-setup.log"]
    assert {path.parent for path in (*names, *logs)} == {files.folder}
    assert PLACES.journal == state / "journal.jsonl"
    assert PLACES.gate_setup_log("base") == state / "gates/base/setup.log"
    assert PLACES.gate_reports("f" * 40) == state / "gates" / f"{'f' * 40}.json"
    assert PLACES.verdicts == state / "gates/verdicts.json"
    assert PLACES.index("wp-a.verify") == state / "indexes/wp-a.verify"
    assert PLACES.checkouts_of("wp-a") == ("wp-a", "wp-a.verify")
    assert PLACES.gate_checkouts == ("base.gate", "candidate.gate")
    assert PLACES.attempt_ref("wp-a", 3) == "refs/parallel-impl/add-x/attempts/wp-a/3"
    assert PLACES.package_ref("wp-a") == "refs/parallel-impl/add-x/packages/wp-a"
    assert PLACES.package_branch("wp-a") == "openspec/add-x--wp-a"


def test_an_aborted_run_is_moved_aside_under_the_next_free_number(tmp_path: Path) -> None:
    places = Places(tmp_path, "c")
    places.state.mkdir(parents=True)
    assert places.aside()[places.journal].name == "journal.1.jsonl"
    for number in (2, 10):
        (places.state / f"journal.{number}.jsonl").touch()
    (places.state / "journal.old.jsonl").touch()  # a person's copy
    aside = places.aside()
    assert [path.name for path in aside.values()] == [
        "summary.11.md",
        "summary.11.json",
        "handoff.11.md",
        "completed.11",
        "progress.11.json",
        "gates.11",
        "journal.11.jsonl",
    ]
    assert list(aside)[-1] == places.journal  # last: until then the abort is done again after a crash


def test_the_last_journal_is_the_one_in_use_else_the_newest_aborted_one(tmp_path: Path) -> None:
    places = Places(tmp_path, "c")
    assert places.last_journal == places.journal
    places.state.mkdir(parents=True)
    for number in (9, 10):
        (places.state / f"journal.{number}.jsonl").touch()
    assert places.last_journal.name == "journal.10.jsonl"
    places.journal.touch()
    assert places.last_journal == places.journal
