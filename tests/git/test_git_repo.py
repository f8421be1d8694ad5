"""The door to git: what the journal relies on is on disk, and an interruption leaves no git behind."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.git.repo import Change, GitError, Repo, version
from parallel_impl.git.union import Layer, candidate
from tests.repository import FORMATS, commit_all, git, make_repository


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
    repo.close()  # only then git counts
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


def test_what_the_user_replaced_is_read_as_it_is_committed(repo: Repo) -> None:
    commit = repo.resolve("HEAD") or ""
    path = repo.entries(commit, recurse=True)[0].path
    blob, content = repo.entries(commit, path)[0].oid, repo.read(commit, path)
    other = repo.write_blob(b"something else\n")
    git(repo.git_dir, "replace", blob, other)
    assert repo.read(commit, path) == content


def test_a_program_that_the_user_configured_for_git_does_not_run(repo: Repo, tmp_path: Path) -> None:
    ran, hook = tmp_path / "ran", repo.git_dir / "hooks/reference-transaction"
    for file in (hook, tmp_path / "monitor"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\necho $0 >> {ran}\n")
        file.chmod(0o755)
    git(repo.git_dir, "config", "core.fsmonitor", str(tmp_path / "monitor"))
    repo.set_ref("refs/parallel-impl/x/base", repo.resolve("HEAD") or "")
    repo.git("ls-files", "--modified", work_tree=repo.git_dir.parent)
    assert not ran.exists()


def test_a_ref_that_moved_meanwhile_is_not_moved(repo: Repo) -> None:
    base, ref = repo.resolve("HEAD") or "", "refs/heads/openspec/x"
    other = repo.commit_tree(repo.tree(base), [base], "Of the user's", date=1_700_000_000)
    repo.set_ref(ref, other)
    for before in (base, None):
        with pytest.raises(GitError):
            repo.update_ref(ref, base, before)
    assert repo.ref(ref) == other


def mover(repo: Repo) -> int:
    """The git that stays, by its pid."""
    assert repo._mover._child
    return repo._mover._child.pid


@pytest.fixture(params=FORMATS)
def any_format(tmp_path: Path, request: pytest.FixtureRequest) -> Repo:
    folder = tmp_path / "user"
    init = ["git", "init", "--quiet", *FORMATS[request.param], str(folder)]
    tried = subprocess.run(init, capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"this git has no {request.param}")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "base")
    return Repo.discover(folder)


def test_the_git_that_stays_moves_refs_beside_everybody_else(any_format: Repo) -> None:
    repo, folder = any_format, any_format.git_dir.parent
    base = repo.resolve("HEAD") or ""
    own = "refs/parallel-impl/x/attempts/wp-a/1"
    other = repo.commit_tree(repo.tree(base), [base], "x", date=1_700_000_000)
    repo.set_ref(own, base)
    first = mover(repo)
    made_later = repo.commit_tree(repo.tree(base), [other], "later", date=1_700_000_001)  # it has not seen that yet
    git(folder, "update-ref", own, other, base)  # so it keeps no lock
    git(folder, "pack-refs", "--all", "--prune")
    repo.update_ref(own, made_later, other)
    git(folder, "update-ref", "-d", own)
    git(folder, "gc", "--quiet", "--prune=now")
    with pytest.raises(GitError, match=own):
        repo.update_ref(own, base, made_later)
    repo.update_ref(own, base, None)
    repo.delete_ref(own, base)
    assert repo.ref(own) is None
    assert mover(repo) != first  # an error ends it
    repo.set_ref(f'{own}/"odd', base)
    assert repo.ref(f'{own}/"odd') == base
    git(folder, "symbolic-ref", own.replace("wp-a", "wp-b"), "refs/heads/nowhere")
    repo.set_ref(own.replace("wp-a", "wp-b"), base)
    assert repo.ref("refs/heads/nowhere") is None
    repo.close()


def test_threads_move_refs_by_one_git(repo: Repo) -> None:
    base = repo.resolve("HEAD") or ""
    names = [f"refs/parallel-impl/x/packages/wp-{number}" for number in range(60)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: repo.set_ref(name, base), names))
    assert repo.refs("refs/parallel-impl/x/packages/") == dict.fromkeys(names, base)
    repo.close()


def test_a_changed_configuration_and_another_git_are_met_by_a_git_that_knows_it(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, ref = repo.resolve("HEAD") or "", "refs/parallel-impl/x/packages/wp-a"
    repo.set_ref(ref, base)
    git(repo.git_dir, "config", "core.logAllRefUpdates", "always")
    repo.set_ref(f"{ref}-2", base)
    assert git(repo.git_dir, "reflog", "exists", f"{ref}-2") == ""
    (tmp_path / "git").write_text("#!/bin/sh\necho ours >&2; exit 9\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(GitError, match="exit 9: ours"):
        repo.set_ref(ref, base)


def test_what_keeps_a_ref_from_moving_is_told_in_gits_words(repo: Repo) -> None:
    base, ref = repo.resolve("HEAD") or "", "refs/parallel-impl/x/packages/wp-a"
    repo.set_ref(ref, base)
    other = repo.commit_tree(repo.tree(base), [base], "x", date=1_700_000_000)
    with pytest.raises(GitError, match=f"cannot lock ref '{ref}': is at {base} but expected {other}"):
        repo.update_ref(ref, other, other)
    with pytest.raises(GitError, match=f"trying to write ref '{ref}' with nonexistent object"):
        repo.set_ref(ref, "1" * 40)
    lock = repo.git_dir / f"{ref}.lock"
    lock.touch()
    with pytest.raises(UserError, match="another git command holds a lock") as caught:
        repo.set_ref(ref, other)
    assert caught.value.problems[0].where == str(lock)
    lock.unlink()
    repo.set_ref(ref, other)
    assert repo.ref(ref) == other


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
