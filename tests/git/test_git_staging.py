"""The work is what changed between the two stagings, put on the tree that the worktree started from."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parallel_impl.git.checkout import Checkout
from parallel_impl.git.file_clock import pass_tick
from parallel_impl.git.repo import Repo
from parallel_impl.git.scope import spell_out, violations
from parallel_impl.git.staging import Ignored, Snapshot, Staging, Work
from parallel_impl.git.traces import Traces
from parallel_impl.git.trees import Trees
from parallel_impl.plan.model import Scope
from parallel_impl.views.view import Means
from tests.git.scene import DATE, FILES, SCOPE, Scene, make_user, open_scene
from tests.repository import git


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return open_scene(make_user(tmp_path / "user"), tmp_path)


def changed(work: Work) -> dict[str, str]:
    assert work.unstageable == ()
    return {change.path: change.status for change in work.changes}


def commit(scene: Scene, work: Work) -> str:
    return scene.repo.commit_tree(work.tree, [scene.base], "work", date=DATE)


# -- set-up


def test_what_set_up_left_is_no_work(scene: Scene) -> None:
    scene.act("echo made>generated.txt; echo locked>>README.md; rm src/pkg/b.py; mkdir build; echo x>build/lib")
    before = scene.staging.before(set_up=True)
    scene.act("echo z>>src/pkg/a.py")
    work = scene.staging.after(before)
    assert changed(work) == {"src/pkg/a.py": "M"}
    assert work.ignored == ()
    assert scene.repo.read(work.tree, "README.md") == b"r\n"
    assert scene.repo.read(work.tree, "src/pkg/b.py") == b"b\n"


@pytest.mark.parametrize("number", range(8))
def test_what_set_up_wrote_last_is_told_from_an_edit_in_the_next_instant(number: int, tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    built, readme = scene.checkout.path / "build/lib", scene.checkout.path / "README.md"
    built.parent.mkdir()
    for file in (built, readme):
        file.write_bytes(b"%d\n" % number)
    before = scene.staging.before(set_up=True)
    untouched = scene.staging.after(before)
    assert (changed(untouched), untouched.ignored) == ({}, ())
    before = scene.staging.before(set_up=True)
    for file in (built, readme):
        file.write_bytes(b"x\n")
    work = scene.staging.after(before)
    assert changed(work) == {"README.md": "M"}
    assert [ignored.path for ignored in work.ignored] == ["build/lib"]


@pytest.mark.parametrize("number", range(8))
def test_a_same_size_edit_of_a_left_out_file_in_the_same_instant_is_listed(number: int, tmp_path: Path) -> None:
    tasks = "openspec/changes/c/tasks.md"
    scene = open_scene(make_user(tmp_path / "user", {**FILES, tasks: "0\n"}), tmp_path, left_out=(tasks,))
    for text in (b"a\n", b"b\n"):  # the second is written as soon as the first was noted
        before = scene.staging.before(set_up=False)
        (scene.checkout.path / tasks).write_bytes(text)
    assert scene.staging.after(before).ignored == (Ignored(tasks, "kept by the orchestrator"),), number


def test_an_edit_of_what_set_up_left_is_work(scene: Scene) -> None:
    scene.act("echo made>generated.txt; echo locked>>README.md; rm src/pkg/b.py")
    before = scene.staging.before(set_up=True)
    scene.act("echo more>>generated.txt; echo more>>README.md; echo new>src/pkg/b.py")
    assert changed(scene.staging.after(before)) == {"README.md": "M", "generated.txt": "A", "src/pkg/b.py": "M"}


def test_new_files_in_an_ignored_folder_of_set_up_are_listed(scene: Scene) -> None:
    scene.act("mkdir -p build/deep; echo x>build/lib; touch -d '1 hour ago' build/lib")
    before = scene.staging.before(set_up=True)
    scene.act("echo x>build/deep/from-agent")
    scene.act("mkdir -p .venv/lib; echo x>.venv/lib/m.py")
    listed = [(ignored.path, ignored.rule) for ignored in scene.staging.after(before).ignored]
    assert (".venv/", "known tool cache") in listed
    assert ("build/deep/from-agent", ".gitignore:2: build/") in listed


def test_a_repository_that_set_up_cloned_is_no_violation(scene: Scene) -> None:
    scene.act("git init -q vendor; echo x>vendor/x; mkfifo pipe")
    before = scene.staging.before(set_up=True)
    scene.act("echo z>>src/pkg/a.py")
    assert changed(scene.staging.after(before)) == {"src/pkg/a.py": "M"}


# -- a retry on the last attempt's work


def test_a_retry_continues_and_its_changes_are_against_the_base(scene: Scene) -> None:
    scene.act("echo first>src/pkg/first.py; echo z>>src/pkg/a.py; rm src/pkg/b.py")
    first = commit(scene, scene.staging.after(scene.snapshot))
    again = scene.source.open("wp1", first, branch="openspec/c--wp1")
    staging = Staging(scene.trees, again, base=scene.base)
    before = staging.before(set_up=False)
    (again.path / "src/pkg/second.py").write_text("second\n")
    (again.path / "src/pkg/a.py").write_text("a\n")
    work = staging.after(before)
    assert changed(work) == {"src/pkg/b.py": "D", "src/pkg/first.py": "A", "src/pkg/second.py": "A"}


def test_a_retry_may_bring_back_a_file_of_the_base(scene: Scene) -> None:
    scene.act("rm src/pkg/b.py")
    first = commit(scene, scene.staging.after(scene.snapshot))
    again = scene.source.open("wp1", first, branch="openspec/c--wp1")
    staging = Staging(scene.trees, again, base=scene.base)
    before = staging.before(set_up=False)
    (again.path / "src/pkg/b.py").write_text("b\n")
    assert changed(staging.after(before)) == {}


# -- what is seen


@pytest.mark.parametrize("number", range(8))
def test_a_same_size_edit_in_the_same_instant_is_seen(number: int, tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    (scene.checkout.path / "src/pkg/a.py").write_bytes(b"%d\n" % number)
    assert changed(scene.staging.after(scene.snapshot)) == {"src/pkg/a.py": "M"}


def test_an_edit_of_the_same_size_with_its_old_time_set_back_is_seen(scene: Scene) -> None:
    file, old = scene.checkout.path / "src/pkg/a.py", (1_000_000_000, 1_000_000_000)
    os.utime(file, old)
    snapshot = scene.staging.before(set_up=True)
    second = file.stat().st_ctime_ns // 1_000_000_000
    while pass_tick(file.parent) // 1_000_000_000 == second:  # many builds of git keep whole seconds
        pass
    file.write_text("X\n")
    os.utime(file, old)
    assert [change.path for change in scene.staging.after(snapshot).changes] == ["src/pkg/a.py"]


def test_a_mode_is_seen_whatever_a_configuration_says_of_modes(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    git(user, "config", "core.fileMode", "false")
    scene = open_scene(user, tmp_path)
    scene.act("git config core.fileMode false; chmod +x src/pkg/a.py")
    (change,) = scene.staging.after(scene.snapshot).changes
    assert (change.path, change.new_mode) == ("src/pkg/a.py", "100755")


def test_an_ignore_rule_counts_from_the_next_package_on(scene: Scene) -> None:
    scene.act("echo '*.tmp'>src/pkg/.gitignore; echo x>src/pkg/x.tmp")
    work = scene.staging.after(scene.snapshot)
    assert changed(work) == {"src/pkg/.gitignore": "A", "src/pkg/x.tmp": "A"}
    base = commit(scene, work)
    checkout = scene.source.open("wp3", base)
    staging = Staging(scene.trees, checkout, base=base)
    before = staging.before(set_up=False)
    (checkout.path / "src/pkg/y.tmp").write_text("y\n")
    (checkout.path / "src/pkg/x.tmp").write_text("tracked, so it counts\n")
    work = staging.after(before)
    assert changed(work) == {"src/pkg/x.tmp": "M"}
    assert work.ignored == (Ignored("src/pkg/y.tmp", "src/pkg/.gitignore:1: *.tmp"),)


def test_the_users_own_excludes_count(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    (user / ".git/info").mkdir(exist_ok=True)
    (user / ".git/info/exclude").write_text("*.mine\n")
    (tmp_path / "excludes").write_text("*.theirs\n")
    git(user, "config", "core.excludesFile", str(tmp_path / "excludes"))
    scene = open_scene(user, tmp_path)
    scene.act("echo x>src/pkg/x.mine; echo x>src/pkg/x.theirs")
    work = scene.staging.after(scene.snapshot)
    assert changed(work) == {}
    assert [ignored.path for ignored in work.ignored] == ["src/pkg/x.mine", "src/pkg/x.theirs"]


def test_a_rule_that_takes_back_another_ignores_nothing(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user", {**FILES, ".gitignore": "out/*\n!out/keep/\nx/\n"}), tmp_path)
    scene.act("mkdir -p out/keep out/drop/deep; echo x>out/keep/x; echo x>out/drop/deep/x; echo x>out/y; echo x>x")
    work = scene.staging.after(scene.snapshot)
    assert changed(work) == {"out/keep/x": "A", "x": "A"}
    assert [ignored.path for ignored in work.ignored] == ["out/drop/", "out/y"]


def test_many_files_in_new_folders_are_all_found(scene: Scene) -> None:
    for folder in range(120):
        place = scene.checkout.path / f"src/pkg/new/{folder}"
        place.mkdir(parents=True)
        for number in range(50):
            (place / f"{number}.txt").touch()
        (place / "build/deep").mkdir(parents=True)
        (place / "build/deep/x").touch()
    work = scene.staging.after(scene.snapshot)
    assert len(work.changes) == 6_000
    assert len(work.ignored) == 120


def test_left_out_files_are_listed_and_the_tree_keeps_its_own(tmp_path: Path) -> None:
    tasks = "openspec/changes/c/tasks.md"
    user = make_user(tmp_path / "user", {**FILES, tasks: "- [ ] one\n"})
    scene = open_scene(user, tmp_path, left_out=(tasks,))
    assert scene.staging.after(scene.snapshot).ignored == ()
    for script in (f"sed -i 's/ ]/x]/' {tasks}", f"rm {tasks}"):
        scene.act(script)
        work = scene.staging.after(scene.snapshot)
        assert changed(work) == {}
        assert work.ignored == (Ignored(tasks, "kept by the orchestrator"),)


def test_a_snapshot_kept_by_another_process_without_signatures_serves(tmp_path: Path) -> None:
    tasks = "openspec/changes/c/tasks.md"
    scene = open_scene(make_user(tmp_path / "user", {**FILES, tasks: "- [ ] one\n"}), tmp_path, left_out=(tasks,))
    scene.act(f"echo x>>{tasks}; echo z>>src/pkg/a.py")
    assert changed(scene.staging.after(Snapshot(scene.snapshot.tree))) == {"src/pkg/a.py": "M"}


def test_ignored_files_are_spelled_out_inside_the_scope_only(scene: Scene) -> None:
    scene.act("mkdir -p src/pkg/build/x build/x; echo 1>src/pkg/build/a; echo 2>src/pkg/build/x/b; echo 3>build/x/c")
    scene.act("mkdir src/pkg/__pycache__; echo 4>src/pkg/__pycache__/m.pyc")
    work = scene.staging.after(scene.snapshot)
    listed = [ignored.path for ignored in spell_out(scene.checkout.path, work.ignored, SCOPE)]
    assert listed == ["build/", "src/pkg/__pycache__/", "src/pkg/build/a", "src/pkg/build/x/b"]


class Counting(Repo):
    """A Repo that counts its processes."""

    calls = 0

    def git(self, *args: str, **options: object) -> bytes:
        type(self).calls += 1
        return super().git(*args, **options)  # type: ignore[arg-type]


def test_an_ordinary_package_costs_few_processes(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    first = open_scene(user, tmp_path)
    trees = Trees(Counting(first.repo.git_dir), tmp_path / "trees")
    sibling = Staging(trees, first.sibling, base=first.base)
    snapshot = sibling.before(set_up=False)
    (first.sibling.path / "src/pkg/sibling.py").touch()
    sibling.after(snapshot)
    staging = Staging(trees, first.checkout, base=first.base)
    Counting.calls = 0
    before = staging.before(set_up=False)
    assert Counting.calls == 0
    first.act("echo z>>src/pkg/a.py; mkdir -p src/pkg/n/m; echo n>src/pkg/n/m/n.py")
    work = staging.after(before)
    assert violations(trees, work.changes, SCOPE, base=first.base) == []
    assert Counting.calls == 1  # what differs from the index; the ignore rules are known to a git that stays
    assert work.tree == git_add(first)


def git_add(scene: Scene) -> str:
    """The tree that git makes of the worktree."""
    git(scene.checkout.path, "add", "--all")
    return git(scene.checkout.path, "write-tree")


# -- the oracle: what `git add --all` stages where nobody cheats

NAMES = st.sampled_from(["a", "b.py", "c.log", "build", "d", "ü", "-x", "x y", "n\nl"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
ACTS = st.lists(st.tuples(st.sampled_from(["write", "remove", "link", "folder", "mode"]), PATHS), max_size=12)


def play(root: Path, acts: list[tuple[str, str]]) -> None:
    for act, name in acts:
        path = root / name
        try:
            if act == "remove":
                path.unlink()
            elif act == "mode":
                path.chmod(0o755)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                if act == "write":
                    path.write_text(name)
                elif act == "link":
                    path.symlink_to("a")
                else:
                    path.mkdir()
        except OSError:
            continue  # the path is in use in another way: the act does not happen


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(base=ACTS, acts=ACTS)
def test_honest_work_is_what_git_add_all_would_stage(base: list[tuple[str, str]], acts: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        user = make_user(place / "user", {".gitignore": "*.log\nbuild/\n", "d/a": "a\n", "c.log": "tracked\n"})
        play(user, base)
        git(user, "add", "--all")
        git(user, "commit", "-q", "--allow-empty", "-m", "more")
        scene = open_scene(user, place)
        play(scene.checkout.path, acts)
        work = scene.staging.after(scene.snapshot)
        assert work.unstageable == ()
        git(scene.checkout.path, "add", "--all")
        assert work.tree == git(scene.checkout.path, "write-tree")


# -- what steps leave


def fresh(scene: Scene) -> Checkout:
    return scene.source.open("wp1.verify", scene.base)


def run(checkout: Checkout, script: str) -> None:
    subprocess.run(["sh", "-c", script], cwd=checkout.path, check=True, stdin=subprocess.DEVNULL)


def test_a_step_that_only_reads_leaves_no_traces(scene: Scene) -> None:
    checkout = fresh(scene)
    traces = Traces(scene.trees, checkout, set_up=False)
    run(
        checkout,
        "mkdir build .pytest_cache __pycache__; echo x>build/x; echo x>.pytest_cache/y; echo x>z.log; touch README.md",
    )
    run(checkout, "echo x>__pycache__/m.pyc; echo x>.coverage")
    assert traces.changed() == {}


def test_changed_removed_and_new_files_of_a_step_are_named(scene: Scene) -> None:
    checkout = fresh(scene)
    traces = Traces(scene.trees, checkout, set_up=False)
    run(checkout, "echo x>>README.md; rm other/o.py; mkdir new; echo x>new/x; chmod +x src/pkg/a.py")
    assert list(traces.changed()) == ["README.md", "new/x", "other/o.py", "src/pkg/a.py"]


def test_what_set_up_left_is_no_trace_until_a_step_edits_it(scene: Scene) -> None:
    checkout = fresh(scene)
    run(checkout, "echo x>>README.md; echo x>generated; rm other/o.py")
    traces = Traces(scene.trees, checkout, set_up=True)
    assert traces.changed() == {}
    run(checkout, "echo longer>>generated; echo back>other/o.py")
    assert list(traces.changed()) == ["generated", "other/o.py"]


@pytest.mark.parametrize(
    ("written", "refused"),
    [
        ("url = -u", True),
        ("path = --upload-pack=x", True),
        ("update = !sh", True),
        ("url = ../:x", True),
        ("url = https:///x", True),
        ("url = http://a/%0ahost=b", True),
        ("url = ../lib.git", False),
        ("url = git@host:lib.git", False),
        ("url = https://host/lib.git", False),
    ],
)
def test_a_gitmodules_in_any_folder_is_refused_where_gits_own_check_fails(
    scene: Scene, written: str, *, refused: bool
) -> None:
    scene.act(f"printf '[submodule \"a\"]\\n\\t{written}\\n' >src/pkg/.gitmodules".replace("%0", "%%0"))
    work = scene.staging.after(scene.snapshot)
    found = violations(scene.trees, work.changes, SCOPE, base=scene.base)
    assert [one.path for one in found] == ["src/pkg/.gitmodules"] * refused
    checked = subprocess.run(["git", "fsck", work.tree], cwd=scene.repo.git_dir, capture_output=True, check=False)
    assert (b"gitmodules" in checked.stderr) is refused


def test_twins_of_files_that_go_are_no_twins(scene: Scene) -> None:
    scene.act("git rm -rq other; mkdir Other; echo x>Other/o.py; git mv README.md readme.md")
    work = scene.staging.after(scene.snapshot)
    assert violations(scene.trees, work.changes, Scope(("**",)), base=scene.base) == []
    scene.act("mkdir other; echo x>other/p")
    work = scene.staging.after(scene.snapshot)
    found = violations(scene.trees, work.changes, Scope(("**",)), base=scene.base)
    assert [str(violation) for violation in found] == [
        "Other/o.py: differs from other in case or Unicode form only",
        "other/p: differs from Other in case or Unicode form only",
    ]


def test_new_files_that_a_step_leaves_in_a_view_are_told_as_in_a_folder(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=Means.OVERLAY)
    checkout, script = fresh(scene), "mkdir -p build new; echo x >build/x; echo x >z.log; echo x >new/x; echo x >:odd"
    assert checkout.view
    traces = Traces(scene.trees, checkout, set_up=False)
    checkout.view.call(["sh", "-c", script], env={"PATH": os.environ["PATH"]}, cwd=checkout.path)
    assert list(traces.changed()) == [":odd", "new/x"]
