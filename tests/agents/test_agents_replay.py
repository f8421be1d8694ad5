"""Recorded edits are applied exactly, inside the worktree only, and their failure is told."""

from __future__ import annotations

from pathlib import Path

from parallel_impl.agents.agent import AgentJob
from parallel_impl.agents.replay import Replay
from parallel_impl.processes.launch import Launch, Limits
from parallel_impl.processes.process import Ended


def play(folder: Path, *, attempt: int = 1) -> tuple[Ended, str]:
    """Replay `folder/replay` in `folder/tree`: how it ended, and its log."""
    (folder / "tree").mkdir(exist_ok=True)
    log = folder / "attempt/agent.log"
    job = AgentJob(
        package_id="wp-a",
        change_id="add-x",
        attempt=attempt,
        prompt_file=folder / "prompt.md",
        result_file=folder / "keys.json",
        log=log,
        launch=Launch(folder / "tree", {}, Limits(30)),
        started=list[int]().append,
        home=folder / "home",
        activity=folder / "attempt/activity.jsonl",
        raw=folder / "attempt/agent.raw.jsonl",
    )
    return Replay(folder / "replay").work(job).ended, log.read_text()


def record(folder: Path, path: str, content: bytes = b"new\n", *, attempt: int = 1) -> Path:
    file = folder / f"replay/wp-a/{attempt}" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def present(folder: Path, path: str, content: bytes = b"old\n") -> Path:
    file = folder / "tree" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_files_are_written_and_deleted_as_recorded(tmp_path: Path) -> None:
    record(tmp_path, "src/new.py", b"\0\xff")
    record(tmp_path, "kept.txt")
    record(tmp_path, "DELETE", b"src/old.py\n\nnot utf-8 \xff\n")
    old, odd, kept = (
        present(tmp_path, "src/old.py"),
        present(tmp_path, "not utf-8 \udcff"),
        present(tmp_path, "kept.txt"),
    )
    ended, log = play(tmp_path)
    assert ended.clean
    assert (tmp_path / "tree/src/new.py").read_bytes() == b"\0\xff"
    assert (old.exists(), odd.exists(), kept.read_bytes()) == (False, False, b"new\n")
    assert not (tmp_path / "tree/DELETE").exists()
    assert "wrote src/new.py\ndeleted src/old.py\n" in log


def test_modes_and_links_are_kept(tmp_path: Path) -> None:
    record(tmp_path, "run.sh").chmod(0o755)
    record(tmp_path, "folder/file")
    (tmp_path / "replay/wp-a/1/link").symlink_to("folder")
    (tmp_path / "replay/wp-a/1/dangling").symlink_to("/nowhere")
    play(tmp_path)
    tree = tmp_path / "tree"
    assert (tree / "run.sh").stat().st_mode & 0o777 == 0o755
    assert ((tree / "link").readlink(), (tree / "dangling").readlink()) == (Path("folder"), Path("/nowhere"))
    assert sorted(path.name for path in tree.iterdir()) == ["dangling", "folder", "link", "run.sh"]


def test_a_recorded_path_replaces_whatever_has_its_name(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_bytes(b"safe\n")
    present(tmp_path, "was-folder/inner")
    present(tmp_path, "was-file")
    (tmp_path / "tree/link").symlink_to(outside)
    (tmp_path / "tree/file-link").symlink_to(outside / "mine")
    for path in ("was-folder", "was-file/inner", "link/mine", "file-link"):
        record(tmp_path, path)
    ended, _ = play(tmp_path)
    assert ended.clean
    assert (tmp_path / "tree/was-folder").read_bytes() == b"new\n"
    assert (tmp_path / "tree/was-file/inner").read_bytes() == b"new\n"
    assert (outside / "mine").read_bytes() == b"safe\n"


def test_nothing_outside_the_worktree_is_deleted(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"safe\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/up").symlink_to(tmp_path)
    for line in ("../outside.txt", str(outside), "up/outside.txt"):
        record(tmp_path, "DELETE", line.encode())
        ended, log = play(tmp_path)
        assert ended.exit_code == 1
        assert f"{line}: not a path inside the worktree" in log
    assert outside.read_bytes() == b"safe\n"


def test_an_attempt_without_recorded_edits_fails_and_says_so(tmp_path: Path) -> None:
    record(tmp_path, "a")
    ended, log = play(tmp_path, attempt=2)
    assert ended.exit_code == 1
    assert f"{tmp_path}/replay/wp-a/2: no edits are recorded for this attempt" in log


def test_what_was_done_before_a_failure_is_told(tmp_path: Path) -> None:
    record(tmp_path, "a")
    record(tmp_path, "DELETE", b"gone\n")
    ended, log = play(tmp_path)
    assert ended.exit_code == 1
    assert "wrote a\n" in log
    assert "gone: No such file or directory" in log


def test_every_attempt_has_its_own_edits(tmp_path: Path) -> None:
    record(tmp_path, "a", b"first\n")
    record(tmp_path, "a", b"second\n", attempt=2)
    assert (play(tmp_path)[0].clean, (tmp_path / "tree/a").read_bytes()) == (True, b"first\n")
    assert (play(tmp_path, attempt=2)[0].clean, (tmp_path / "tree/a").read_bytes()) == (True, b"second\n")
