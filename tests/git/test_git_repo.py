"""The door to git: what the journal relies on is on disk, and an interruption leaves no git behind."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.git.repo import Change, Repo, version
from parallel_impl.git.union import Layer, candidate
from tests.repository import commit_all, git, make_repository


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.discover(make_repository("no-contracts", tmp_path))


def flushed(trace: Path) -> dict[str, int]:
    """How many files each git command made durable, as git counts them (trace2, category `fsync`).

    Before git 2.42 in an event of the kind `data` with the value as text, since then in one of the kind `counter`.
    """
    found: dict[str, int] = {}
    names: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "cmd_name":
            names[event["sid"]] = event["name"]
        key = event.get("key") or f"fsync/{event.get('name')}"
        if event.get("category") == "fsync" and key == "fsync/hardware-flush":
            found[names[event["sid"]]] = int(event.get("value") or event["count"])
    return found


def test_a_hundred_thousand_paths_are_looked_up_although_no_program_can_be_given_them(repo: Repo) -> None:
    there = [entry.path for entry in repo.entries("HEAD", recurse=True)]
    absent = [f"no/such/folder/with/a/long/name/file-{number}.txt" for number in range(100_000)]
    found = repo.entries("HEAD", *there[:2], *absent, *there[2:])
    assert [entry.path for entry in found] == there


@pytest.mark.parametrize("settings", [{}, {"core.fsync": "none", "core.fsyncMethod": "writeout-only"}])
def test_objects_and_refs_are_on_disk_before_the_journal_relies_on_them(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    for key, value in settings.items():
        git(repo.git_dir, "config", key, value)
    index, base, ref = tmp_path / "index", repo.resolve("HEAD") or "", "refs/parallel-impl/x/packages/wp-a"
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(tmp_path / "trace"))
    (repo.git_dir.parent / "new.md").write_text("new\n")
    repo.git("update-index", "--add", "--stdin", input=b"new.md\n", index=index, work_tree=repo.git_dir.parent)
    tree = repo.git("write-tree", index=index).decode().strip()
    commit = repo.commit_tree(tree, [base], "Work", date=1_700_000_000)
    repo.set_ref(ref, commit)
    blob = repo.entries(tree, "new.md")[0].oid
    layer = Layer("wp-a", commit, (Change("000000", "100644", "0" * 40, blob, "A", "new.md"),))
    candidate(repo, base, [layer], change_id="x", ref="refs/parallel-impl/x/candidate", date=1_700_000_000)
    counts = flushed(tmp_path / "trace")
    # fast-import: a tree, a commit and a ref, and the pack that it then takes apart
    assert {name: counts[name] for name in ("update-index", "write-tree", "commit-tree", "update-ref")} == {
        "update-index": 1,
        "write-tree": 1,
        "commit-tree": 1,
        "update-ref": 1,
    }
    assert counts["fast-import"] >= 1


def test_a_worktree_whose_folder_is_gone_holds_no_branch_unless_it_is_locked(repo: Repo, tmp_path: Path) -> None:
    folder = repo.git_dir.parent
    git(folder, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    assert repo.holder("refs/heads/side")
    assert repo.holder("refs/heads/main")
    shutil.rmtree(tmp_path / "side")
    assert repo.holder("refs/heads/side") is None
    git(folder, "worktree", "lock", str(tmp_path / "side"))
    assert repo.holder("refs/heads/side")


def test_a_core_worktree_that_leads_elsewhere_is_named_with_the_line_that_removes_it(
    repo: Repo, tmp_path: Path
) -> None:
    folder = repo.git_dir.parent
    git(folder, "config", "core.worktree", str(tmp_path))
    assert Repo.discover(folder).top(folder) == tmp_path
    (tmp_path / "elsewhere").mkdir()
    git(folder, "config", "core.worktree", str(tmp_path / "elsewhere"))
    with pytest.raises(UserError, match=r"core\.worktree names .*elsewhere, and .* does not lie in it") as caught:
        repo.top(folder)
    subprocess.run(shlex.split(caught.value.problems[0].hint.rpartition("not meant: ")[2]), check=True)
    assert repo.top(folder) == folder


def test_a_git_that_is_not_on_path_is_named(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for ask in (repo.refs, version, lambda: Repo.discover(tmp_path)):
        with pytest.raises(UserError, match="git is not on PATH"):
            ask()


def test_what_several_commits_changed_is_told_in_one_process(repo: Repo) -> None:
    folder = repo.git_dir.parent
    base = git(folder, "rev-parse", "HEAD")
    (folder / "odd\nname").write_text("1")
    first = commit_all(folder, "one")
    empty = git(folder, "commit-tree", "-p", first, "-m", "empty", f"{first}^{{tree}}")
    (folder / "odd\nname").unlink()
    second = commit_all(folder, "two")
    found = dict(repo.diffs([f"{second} {first}", f"{empty} {first}", f"{first} {base}"]))
    assert found == {second: repo.changes(first, second), first: repo.changes(base, first)}
    assert dict(repo.diffs([f"{second} {first}"], "nothing")) == {}
    assert repo.ancestry([second, repo.tree(base), base]) == [[second, first], [base]]
    assert not repo.share_history(base, git(folder, "commit-tree", "-m", "alone", f"{base}^{{tree}}"))
    assert repo.share_history(base, second)
