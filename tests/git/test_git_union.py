"""The union is one tree, whatever the order of completion, and never a silent replacement."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from parallel_impl.git.repo import Change, Repo
from parallel_impl.git.union import Clash, Layer, base_of, candidate, clashes
from tests.repository import commit_all, git

NULL = "0" * 40
DATE = 1_700_000_000


def added(path: str, blob: str = "1" * 40, mode: str = "100644") -> Change:
    return Change("000000", mode, NULL, blob, "A", path)


def apart(_one: str, _two: str) -> bool:
    """No package builds on another one."""
    return False


def removed(path: str) -> Change:
    return Change("100644", "000000", "1" * 40, NULL, "D", path)


GONE = (removed("p/q"), removed("p/q/r"))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "lib").mkdir()
    for name in ("keep", "edit", "drop", "lib/deep"):
        (tmp_path / name).write_text(f"{name}\n")
    commit_all(tmp_path, "base")
    return Repo.discover(tmp_path)


def work(repo: Repo, base: str, package: str, files: dict[str, str | None]) -> Layer:
    """A package's commit on `base`, made in the object database."""
    layer = Layer(package, base, tuple(
        removed(path) if text is None else added(path, blob(repo, text.encode())) for path, text in files.items()
    ))  # fmt: skip
    commit = base_of(repo, base, [layer], [], ref=f"refs/parallel-impl/c/attempts/{package}/1", date=DATE)
    return Layer(package, commit, tuple(repo.changes(base, commit)))


def files(repo: Repo, commit: str) -> dict[str, str]:
    return {entry.path: (repo.read(commit, entry.path) or b"").decode() for entry in repo.entries(commit, recurse=True)}


def test_the_union_holds_every_change_and_one_merge_commit_per_package(repo: Repo) -> None:
    base = repo.resolve("HEAD") or ""
    one = work(repo, base, "wp-one", {"edit": "changed\n", "drop": None, 'new dir/ä\n"x': "odd\n"})
    two = work(repo, base, "wp-two", {"lib/deep": None, "lib/deep/er": "file became a directory\n"})
    made = candidate(repo, base, [one, two], change_id="c", ref="refs/parallel-impl/c/candidate", date=DATE)
    assert files(repo, made) == {
        "keep": "keep\n",
        "edit": "changed\n",
        'new dir/ä\n"x': "odd\n",
        "lib/deep/er": "file became a directory\n",
    }
    line = git(Path(repo.git_dir), "log", "--first-parent", "--format=%s", made).split("\n")
    assert line == ["Merge wp-two", "Merge wp-one", "base"]
    assert repo.parents(made)[1] == two.commit
    assert repo.ref("refs/parallel-impl/c/candidate") == made


def test_what_a_later_package_did_to_an_earlier_ones_file_wins(repo: Repo) -> None:
    base = repo.resolve("HEAD") or ""
    one = work(repo, base, "wp-one", {"a/file": "one\n", "a/gone": "one\n"})
    two = work(repo, one.commit, "wp-two", {"a/file": "two\n", "a/gone": None})
    made = candidate(repo, base, [one, two], change_id="c", ref="refs/parallel-impl/c/candidate", date=DATE)
    assert files(repo, made)["a/file"] == "two\n"
    assert "a/gone" not in files(repo, made)


def test_redone_it_is_the_same_commit(repo: Repo) -> None:
    base = repo.resolve("HEAD") or ""
    layers = [work(repo, base, f"wp-{n}", {f"p{n}/file": str(n)}) for n in range(3)]
    ids = {candidate(repo, base, layers, change_id="c", ref=f"refs/parallel-impl/c/{n}", date=DATE) for n in range(3)}
    assert len(ids) == 1


def test_the_base_of_a_package_is_the_runs_base_with_all_its_dependencies(repo: Repo) -> None:
    base = repo.resolve("HEAD") or ""
    one, two = (work(repo, base, f"wp-{n}", {f"p{n}/file": n}) for n in ("one", "two"))
    made = base_of(repo, base, [one, two], [one.commit, two.commit], ref="refs/parallel-impl/c/bases/wp-x", date=DATE)
    assert repo.parents(made) == (base, one.commit, two.commit)
    assert {"pone/file", "ptwo/file", "keep"} <= files(repo, made).keys()


def test_nothing_accepted_is_the_base_itself(repo: Repo) -> None:
    base = repo.resolve("HEAD") or ""
    assert candidate(repo, base, [], change_id="c", ref="refs/parallel-impl/c/candidate", date=DATE) == base


@pytest.mark.parametrize(
    ("one", "two", "paths"),
    [
        (["p/q"], ["p/q/r"], ("p/q", "p/q/r")),
        (["p/q/r"], ["p/q"], ("p/q", "p/q/r")),
        (["docs/Read.md"], ["docs/read.md"], ("docs/Read.md", "docs/read.md")),
        (["Docs/a"], ["docs/b"], ("Docs", "docs")),
        (["caf\u00e9"], ["cafe\u0301"], ("caf\u00e9", "cafe\u0301")),
        (["stra\u00dfe"], ["STRASSE"], ("stra\u00dfe", "STRASSE")),
    ],
)
def test_files_against_directories_and_twins_clash_and_both_packages_are_named(
    one: list[str], two: list[str], paths: tuple[str, str]
) -> None:
    found = clashes([Layer("one", "", tuple(map(added, one))), Layer("two", "", tuple(map(added, two)))], apart)
    assert [set(clash.packages) for clash in found] == [{"one", "two"}]
    assert set(found[0].paths) == set(paths)


def test_a_file_that_a_later_package_turned_into_a_directory_is_no_clash() -> None:
    layers = [Layer("one", "", (added("p/q"),)), Layer("two", "", (removed("p/q"), added("p/q/r")))]
    assert clashes(layers, lambda one, two: {one, two} == {"one", "two"}) == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_a_package_deletes_that_builds_on_both_hides_no_clash(order: tuple[int, ...]) -> None:
    layers = [Layer("one", "", (added("p/q"),)), Layer("two", "", (added("p/q/r"),)), Layer("both", "", GONE)]
    found = clashes([layers[number] for number in order], lambda one, two: "both" in (one, two))
    assert [(set(clash.packages), clash.paths) for clash in found] == [({"one", "two"}, ("p/q", "p/q/r"))]


def test_one_clash_is_told_for_each_pair_and_place_however_many_files_lie_below() -> None:
    below = tuple(added(f"p/q/{number}/{name}") for number in range(9) for name in ("r", "s"))
    layers = [Layer("one", "", (added("p/q"),)), Layer("two", "", below)]
    assert {clash.paths for clash in clashes(layers, apart)} == {("p/q", "p/q/0/r")}
    assert len(clashes([*layers, Layer("three", "", below)], apart)) == 2


def test_a_clash_says_who_and_what() -> None:
    clash = Clash(("wp-a", "wp-b"), ("x", "x/y"), "one is a file, the other lies below it")
    assert str(clash) == "wp-a and wp-b clash: 'x' and 'x/y': one is a file, the other lies below it"


def test_fifty_orders_of_completion_give_one_tree(repo: Repo) -> None:
    base = repo.resolve("HEAD") or ""
    names = [f"wp-{number:02d}" for number in range(12)]
    chance = random.Random(7)  # noqa: S311  (a fixed shuffle, no secret)
    trees = set()
    for _ in range(50):
        done = {}
        for name in chance.sample(names, len(names)):
            changes = (
                added(f"{name}/file", blob(repo, b"one content\n")),
                *((removed("drop"),) if name == "wp-03" else ()),
            )
            done[name] = Layer(name, base, changes)
        layers = [done[name] for name in names]  # the union is made in topological order, not in that of completion
        made = candidate(repo, base, layers, change_id="c", ref="refs/parallel-impl/c/candidate", date=DATE)
        trees.add(repo.tree(made))
    assert len(trees) == 1


def blob(repo: Repo, content: bytes) -> str:
    return repo.git("hash-object", "-w", "--stdin", input=content).decode().strip()
