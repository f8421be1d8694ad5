"""What a branch has of some commits is told as if each commit of its history were looked at, in one pass."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parallel_impl.git import merged
from parallel_impl.git.repo import Change, Repo
from tests.repository import init

Tree = dict[str, str]
PATHS = ("a", "b", "d/x", "d")  # a file and a folder of one name


def trees() -> st.SearchStrategy[Tree]:
    """Trees of these paths; `d` is a file or a folder."""
    content = st.dictionaries(st.sampled_from(PATHS), st.sampled_from("12"), max_size=3)
    return content.filter(lambda tree: not {"d", "d/x"} <= tree.keys())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged")
    init(folder)
    return folder


def write(folder: Path, name: str, history: list[Tree], *, onto: str = "") -> None:
    """A branch with these trees, one commit each, on a root commit or on `onto`."""
    stream = ""
    for number, tree in enumerate(history):
        stream += f"commit refs/heads/{name}\ncommitter a <a@b> 1700000000 +0000\ndata 1\nx\n"
        stream += f"from {onto}\n" if onto and not number else ""
        stream += "deleteall\n" + "".join(f"M 100644 inline {path}\ndata 1\n{text}\n" for path, text in tree.items())
    subprocess.run(["git", "fast-import", "--quiet", "--force"], cwd=folder, input=stream.encode(), check=True)


def looked_at_one_by_one(repo: Repo, changes: list[Change], commits: list[str]) -> bool:
    """Whether every path stood so in one of these commits."""
    wanted = {one.path: None if one.new_mode == merged.ABSENT else one.new for one in changes}
    for commit in commits:
        entries = {entry.path: entry.oid for entry in repo.entries(commit, recurse=True)}
        if all(entries.get(path) == oid for path, oid in wanted.items()):
            return True
    return False


@given(
    base=st.lists(trees(), min_size=1, max_size=2),
    since=st.lists(trees(), max_size=4),
    work=st.lists(st.tuples(trees(), trees()), min_size=1, max_size=3),
    limited=st.booleans(),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_set_of_changes_stands_where_a_look_at_each_commit_says_so(
    folder: Path, base: list[Tree], since: list[Tree], work: list[tuple[Tree, Tree]], limited: bool
) -> None:
    repo = Repo.discover(folder)
    write(folder, "base", base)
    write(folder, "main", [base[-1], *since], onto="refs/heads/base^0")
    sets = {}
    for number, (before, after) in enumerate(work):
        write(folder, f"w{number}", [before, after])
        sets[str(number)] = repo.changes(f"w{number}~1", f"w{number}")
    without = repo.ref("refs/heads/base") or "" if limited else ""
    commits = repo.text("rev-list", "main", *([f"^{without}"] if without else [])).split()
    expected = {name for name, changes in sets.items() if looked_at_one_by_one(repo, changes, commits)}
    assert merged.standing(repo, sets, "main", without=without) == expected
    assert {name for name in sets if merged.stood(repo, sets[name], "main", without=without)} == expected


def test_a_history_of_any_length_and_any_number_of_paths_costs_three_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "long", [{"a": str(number % 10), "b": "1"} for number in range(200)])
    repo, real, asked = Repo.discover(folder), Repo.git, list[str]()

    def counted(self: Repo, *args: str, **options: object) -> bytes:
        asked.append(args[0])
        return real(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Repo, "git", counted)
    one = repo.blob_id(b"7")
    sets = {str(n): [Change("000000", "100644", repo.null, one, "A", f"p{n}")] for n in range(1_000)}
    sets["a"] = [Change("000000", "100644", repo.null, one, "A", "a")]
    asked.clear()
    assert merged.standing(repo, sets, "long") == {"a"}
    assert asked == ["rev-list", "ls-tree", "diff-tree"]
