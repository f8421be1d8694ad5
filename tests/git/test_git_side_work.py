"""What an agent left in its repository and did not leave in its worktree: found wherever it lies, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from parallel_impl.git import side_work
from parallel_impl.git.own_objects import UnreadableError
from parallel_impl.git.side_work import SideWork, TakenTree
from parallel_impl.git.staging import Staging
from tests.git.scene import DATE, Scene, make_user, open_ready, open_scene
from tests.means import CHOSEN
from tests.repository import commit_all, git

OWN = "git checkout -q openspec/c--wp1"
COMMIT = "git add -A && git commit -qm work"
FEATURE = f"git checkout -qb feature; echo s>>src/pkg/a.py; {COMMIT}; {OWN}"
A, B, N = "src/pkg/a.py", "src/pkg/b.py", "src/pkg/n.py"


@dataclass(frozen=True, slots=True)
class Case:
    """What an agent does, and where its work lies then, with the paths."""

    name: str
    script: str
    found: dict[str, tuple[str, ...]]


NO_NAME = "a commit that no branch of its repository has"
LEFT = (
    Case("a branch that it left", FEATURE, {"branch feature": (A,)}),
    Case("a branch with a name of several parts", FEATURE.replace("feature", "fix/äb"), {"branch fix/äb": (A,)}),
    Case("beside other work", f"{FEATURE}; echo z>>{B}", {"branch feature": (A,)}),
    Case(
        "its own branch, left for the commit before",
        f"echo s>>{A}; {COMMIT}; git checkout -q $BASE",
        {"branch openspec/c--wp1": (A,)},
    ),
    Case("a detached HEAD that it left", f"git checkout -q $BASE; echo s>>{A}; {COMMIT}; {OWN}", {NO_NAME: (A,)}),
    Case("a tag", f"echo s>>{A}; {COMMIT}; git tag t; git reset -q --hard HEAD~", {"tag t": (A,)}),
    Case("a tag with a message", f"echo s>>{A}; {COMMIT}; git tag -am m t; git reset -q --hard HEAD~", {"tag t": (A,)}),
    Case(
        "a ref of another kind",
        f"echo s>>{A}; {COMMIT}; git update-ref refs/keep/x HEAD; git reset -q --hard HEAD~",
        {"refs/keep/x": (A,)},
    ),
    Case("a note", "git notes add -m remember", {"refs/notes/commits": ("",)}),
    Case("the stash", f"echo s>>{A}; git stash -q", {"stash@{0}": (A,)}),
    Case("the stash, new files", f"echo s>{N}; git stash -qu", {"stash@{0}": (N,)}),
    Case("the stash, staged only", f"echo s>>{A}; git add -A; echo a>{A}; git stash -q", {"stash@{0}": (A,)}),
    Case(
        "several stash entries",
        f"echo s>>{A}; git stash -q; echo s>>{B}; git stash -q",
        {"stash@{0}": (B,), "stash@{1}": (A,)},
    ),
    Case(
        "the stash on a commit of its own",
        f"echo z>>{A}; {COMMIT}; echo s>>{B}; git stash -q; echo zz>>{A}",
        {"stash@{0}": (B,)},
    ),
    Case("a stash entry that it dropped", f"echo s>>{A}; git stash -q; git stash drop -q", {NO_NAME: (A,)}),
    Case("a commit that a reset dropped", f"echo s>>{A}; {COMMIT}; git reset -q --hard HEAD~", {NO_NAME: (A,)}),
    Case(
        "the same, without a log",
        f"echo s>>{A}; {COMMIT}; git reset -q --hard HEAD~; git reflog expire --expire=now --all",
        {NO_NAME: (A,)},
    ),
    Case(
        "the same, beside other work", f"echo s>>{A}; {COMMIT}; git reset -q --hard HEAD~; echo z>>{B}", {NO_NAME: (A,)}
    ),
    Case("a branch that it deleted", f"{FEATURE}; git branch -qD feature", {NO_NAME: (A,)}),
    Case(
        "an amended commit that was then dropped",
        f"echo s>>{A}; {COMMIT}; echo ss>>{A}; git commit -qa --amend -m x; git reset -q --hard $BASE",
        {NO_NAME: (A,)},
    ),
    Case(
        "HEAD, which the worktree does not show",
        f"echo s>>{A}; {COMMIT}; git checkout -q $BASE -- {A}",
        {"the commit that its HEAD names": (A,)},
    ),
    Case(
        "a worktree of its own",
        f"git worktree add -q ../side; cd ../side; echo s>>{A}; {COMMIT}",
        {"branch side": (A,)},
    ),
    Case(
        "a worktree of its own, detached",
        f"git worktree add -q --detach ../side; cd ../side; echo s>>{A}; {COMMIT}",
        {"worktree side": (A,)},
    ),
    Case(
        "a worktree of its own, not committed",
        f"git worktree add -q ../side; echo s>>../side/{A}; echo s>../side/{N}",
        {"worktree side, not committed": (A, N)},
    ),
    Case(
        "a worktree in a folder that is ignored",
        f"git worktree add -q build/side; echo s>>build/side/{A}",
        {"worktree side, not committed": (A,)},
    ),
    Case(
        "a branch with a file deleted",
        f"git checkout -qb feature; git rm -q {B}; {COMMIT}; {OWN}",
        {"branch feature": (B,)},
    ),
    Case(
        "a branch with a file renamed",
        f"git checkout -qb feature; git mv {B} {N}; {COMMIT}; {OWN}",
        {"branch feature": (B, N)},
    ),
    Case(
        "a branch with a mode changed",
        f"git checkout -qb feature; chmod +x {A}; {COMMIT}; {OWN}",
        {"branch feature": (A,)},
    ),
    Case(
        "a branch with a copy of a file that is there",
        f"git checkout -qb feature; cp {B} {N}; {COMMIT}; {OWN}",
        {"branch feature": (N,)},
    ),
    Case(
        "a branch without history",
        f"git checkout -q --orphan feature; echo s>>{A}; {COMMIT}; {OWN}",
        {"branch feature": (A,)},
    ),
    Case(
        "a merge on a branch",
        f"{FEATURE}; git checkout -qb two; echo s>>{B}; {COMMIT}; git merge -q --no-edit feature; {OWN}",
        {"branch two": (A, B)},
    ),
    Case(
        "a merge of one commit",
        f"{FEATURE}; git checkout -qb two; git merge -q --no-ff --no-edit feature; {OWN}",
        {"branch two": (A,)},
    ),
    Case(
        "two branches",
        f"{FEATURE}; {FEATURE.replace('feature', 'f2').replace('echo s', 'echo t')}",
        {"branch f2": (A,), "branch feature": (A,)},
    ),
    Case(
        "a rebase that is not over",
        f"{FEATURE}; echo z>>{A}; {COMMIT}; git rebase feature; git checkout -q -f $BASE",
        {"branch feature": (A,), "branch openspec/c--wp1": (A,)},
    ),
    Case(
        "what a rebase put aside",
        f"{FEATURE}; echo z>>{A}; {COMMIT}; echo s>>{B}; git rebase --autostash feature; git checkout -q --theirs {A}",
        {"what an unfinished rebase or merge put aside": (B,)},
    ),
    Case("packed", f"{FEATURE}; git gc -q --prune=now", {"branch feature": (A,)}),
    Case(
        "packed, with a stash", f"echo s>>{A}; git stash -q; git pack-refs --all; git repack -qad", {"stash@{0}": (A,)}
    ),
    Case(
        "pushed to another place",
        f"git init -q --bare $OUT/r.git; {FEATURE}; git remote add r $OUT/r.git; git push -q r feature",
        {"branch feature": (A,)},
    ),
)

NOTHING = (
    Case("nothing", "true", {}),
    Case("edits", f"echo z>>{A}", {}),
    Case("staged edits", f"echo y>>{A}; git add -A; echo z>>{A}", {}),
    Case("a commit", f"echo z>>{A}; {COMMIT}", {}),
    Case("commits, and edits after them", f"echo y>>{A}; {COMMIT}; echo z>>{A}; rm {B}; {COMMIT}; echo zz>>{A}", {}),
    Case("a branch of its own, where it ended", f"git checkout -qb feature; echo z>>{A}; {COMMIT}", {}),
    Case("the same, with edits after it", f"git checkout -qb feature; echo y>>{A}; {COMMIT}; echo z>>{A}", {}),
    Case("a detached HEAD, where it ended", f"git checkout -q --detach; echo z>>{A}; {COMMIT}", {}),
    Case("a branch that was merged", f"{FEATURE}; git merge -q feature", {}),
    Case(
        "a branch that was merged with a commit",
        f"{FEATURE}; echo z>>{B}; {COMMIT}; git merge -q --no-edit feature",
        {},
    ),
    Case("a branch that was squashed", f"{FEATURE}; git merge -q --squash feature; git commit -qm x", {}),
    Case("a branch that was picked", f"{FEATURE}; echo z>>{B}; {COMMIT}; git cherry-pick feature", {}),
    Case(
        "a branch on the way to HEAD", f"echo y>>{A}; {COMMIT}; git branch half; git tag t; echo z>>{A}; {COMMIT}", {}
    ),
    Case("a branch that is copied as files", f"{FEATURE}; git checkout -q feature -- {A}", {}),
    Case("what was moved after a commit", f"echo s>{N}; {COMMIT}; git tag t; git mv {N} {N}2; git commit -qm x", {}),
    Case("a branch whose file was moved", f"{FEATURE}; git show feature:{A} >{N}; rm {A}", {}),
    Case("an amended commit", f"echo y>>{A}; {COMMIT}; echo z>>{A}; git commit -qa --amend -m x", {}),
    Case(
        "a rebase",
        f"echo z>>{A}; {COMMIT}; git checkout -qb two $BASE; echo z>>{B}; {COMMIT}; git rebase -q openspec/c--wp1",
        {},
    ),
    Case("a soft reset", f"echo y>>{A}; {COMMIT}; git reset -q --soft HEAD~; echo z>>{A}", {}),
    Case("a reset, and done otherwise", f"echo y>>{A}; {COMMIT}; git reset -q --hard HEAD~; echo z>>{A}", {}),
    Case("a stash that was popped", f"echo z>>{A}; git stash -q; git stash pop -q", {}),
    Case(
        "a popped stash, of which a part was taken back",
        f"echo z>>{A}; echo d>>{B}; git stash -q; git stash pop -q; git checkout -q {B}",
        {},
    ),
    Case("a stash entry that was applied", f"echo z>>{A}; git stash -q; git stash apply -q", {}),
    Case("a commit that it reverted", f"echo y>>{A}; {COMMIT}; git revert --no-edit HEAD", {}),
    Case(
        "a branch of the user's commits", "git branch old $BASE; git tag t $BASE; git worktree add -q ../side $BASE", {}
    ),
    Case(
        "an empty commit", "git commit -q --allow-empty -m x; git checkout -qb y; git commit -q --allow-empty -m y", {}
    ),
    Case("the orchestrator's own file", f"git checkout -qb feature; echo x>>tasks.md; {COMMIT}; {OWN}", {}),
    Case(
        "an ignored file that it committed",
        f"mkdir build; echo x>build/x; git add -f build/x; git commit -qm x; echo z>>{A}",
        {},
    ),
    Case(
        "an ignored file in a worktree", "git worktree add -q ../side; mkdir ../side/build; echo s>>../side/build/x", {}
    ),
)


def look(scene: Scene, known: dict[str, str] | None = None) -> list[SideWork]:
    """Take the work, then look for what lies elsewhere."""
    work = scene.staging.after(scene.snapshot)
    assert not work.unstageable
    changed = frozenset(change.path for change in work.changes)
    taken = TakenTree(work.tree, changed, scene.snapshot.tree, frozenset({"tasks.md"}))
    return side_work.find(scene.trees, scene.checkout, taken, date=DATE, known=lambda: known or {})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One repository of a user for many agents, each in a checkout of its own."""
    folder = tmp_path_factory.mktemp("shared")
    return open_scene(make_user(folder / "user"), folder, means=CHOSEN)


def join(shared: Scene, out: Path) -> Scene:
    """The scene for one more agent. An object that the user's repository has is not written again by it."""
    shared.checkout.remove()
    checkout = open_ready(shared.source, "wp1", shared.base, branch="openspec/c--wp1")
    staging = Staging(shared.trees, checkout, base=shared.base)
    return replace(shared, checkout=checkout, staging=staging, snapshot=staging.before(set_up=False), out=out)


@pytest.mark.parametrize("case", [*LEFT, *NOTHING], ids=lambda case: case.name)
def test_work_is_found_wherever_it_lies_and_what_is_in_the_taken_tree_is_none(
    case: Case, shared: Scene, tmp_path: Path
) -> None:
    scene = join(shared, tmp_path)
    scene.act(case.script)
    paths = {one.where: tuple(sorted(one.paths)) for one in look(scene)}
    if case.name == "a note":  # its path is the id of what it is about
        paths = dict.fromkeys(paths, ("",))
    assert paths == case.found


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The same with a remote, which has a commit that the user has not."""
    folder = tmp_path_factory.mktemp("cloned")
    user, remote = make_user(folder / "user"), folder / "upstream"
    git(folder, "clone", "--quiet", str(user), str(remote))
    (remote / "news.txt").write_text("news\n")
    commit_all(remote, "news")
    git(user, "remote", "add", "origin", str(remote))
    return open_scene(user, folder, means=CHOSEN)


@pytest.mark.parametrize(
    "script",
    [
        "git fetch -q",
        "git fetch -q origin main:theirs",
        "git fetch -q $REPO/../upstream main; git branch theirs FETCH_HEAD",
        "git fetch -q; git branch theirs origin/main; git tag t origin/main",
        "git fetch -q; git checkout -q -b theirs origin/main; git checkout -q openspec/c--wp1",
        "git fetch -q; git checkout -q -b theirs; git merge -q --no-edit origin/main; git checkout -q openspec/c--wp1",
        "git fetch -q; git reset -q --hard origin/main; git reset -q --hard $BASE",
        "git fetch -q; git worktree add -q ../side origin/main",
    ],
)
def test_what_came_from_a_remote_is_nobodys_work(script: str, cloned: Scene, tmp_path: Path) -> None:
    scene = join(cloned, tmp_path)
    scene.act(f"set -e; {script}; touch $OUT/done")
    assert (scene.out / "done").exists()
    assert look(scene) == []


def test_own_work_on_what_came_from_a_remote_is_found_and_brought_with_it(cloned: Scene, tmp_path: Path) -> None:
    scene = join(cloned, tmp_path)
    scene.act(f"git fetch -q; git checkout -q -b feature origin/main; echo s>>{A}; {COMMIT}; {OWN}")
    found = look(scene)
    assert [(one.where, one.paths) for one in found] == [("branch feature", (A,))]
    assert brought(scene, found)[0] == "a\ns\n"


def test_history_that_an_agent_fetched_into_a_shallow_repository_is_nobodys_work(tmp_path: Path) -> None:
    remote = make_user(tmp_path / "remote")
    for text in ("one", "two"):
        (remote / "news.txt").write_text(f"{text}\n")
        commit_all(remote, text)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{remote}", str(tmp_path / "user"))
    scene = open_scene(tmp_path / "user", tmp_path, means=CHOSEN)
    scene.act(f"{FEATURE}; git fetch -q --unshallow; git checkout -q -b old HEAD~2; echo o>>{A}; {COMMIT}; {OWN}")
    found = look(scene)
    assert [one.where for one in found] == ["branch feature", "branch old"]
    assert brought(scene, found) == ["a\ns\n", "a\no\n"]


def test_what_the_user_commits_meanwhile_is_nobodys_work(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=CHOSEN)
    (scene.user / A).write_text("the user's\n")
    commit = commit_all(scene.user, "meanwhile")
    scene.act(f"git branch theirs {commit}; git worktree add -q ../side {commit}; git repack -qad")
    assert look(scene) == []


def brought(scene: Scene, found: list[SideWork]) -> list[str]:
    """What the user's repository has of the file A when the package's repository is gone."""
    side_work.bring(scene.repo, scene.checkout.git_dir, [one.commit for one in found], scratch=scene.trees.scratch)
    scene.checkout.remove()
    assert all(scene.repo.missing(one.commit, known=scene.base) == [] for one in found)
    return [(scene.repo.read(one.commit, A) or b"").decode() for one in found]


def test_what_is_found_is_whole_in_the_users_repository_when_the_packages_is_gone(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=CHOSEN)
    scene.act(f"{FEATURE}; echo t>>{A}; echo n>{N}; git stash -qu; git worktree add -q ../side; echo w>>../side/{A}")
    found = look(scene)
    assert [one.name for one in found] == ["worktree-side", "feature", "stash"]
    assert brought(scene, found) == ["a\nw\n", "a\ns\n", "a\nt\n"]
    assert scene.repo.read(found[2].commit, N) == b"n\n"
    assert [(one.status, one.path) for one in scene.repo.changes(scene.base, found[2].commit)] == [("M", A), ("A", N)]
    git(scene.user, "-c", "fsck.missingEmail=error", "fsck", "--strict")


def test_what_was_staged_and_what_lay_in_the_worktree_are_two_commits_of_a_stash_entry(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=CHOSEN)
    scene.act(f"echo staged>>{A}; git add -A; echo more>>{A}; git stash -q")
    (found,) = look(scene)
    assert brought(scene, [found]) == ["a\nstaged\nmore\n"]
    assert scene.repo.read(scene.repo.parents(found.commit)[0], A) == b"a\nstaged\n"


def test_a_stash_entry_on_a_branch_that_was_left_hides_nothing_of_the_branch(shared: Scene, tmp_path: Path) -> None:
    scene = join(shared, tmp_path)
    scene.act(f"git checkout -qb feature; echo s>>{A}; {COMMIT}; echo t>>{B}; git stash -q; {OWN}")
    assert {one.where: one.paths for one in look(scene)} == {"branch feature": (A,), "stash@{0}": (B,)}


def test_a_search_that_was_killed_before_a_ref_was_there_finds_it_again(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=CHOSEN)
    scene.act(FEATURE)
    found = look(scene)
    side_work.bring(scene.repo, scene.checkout.git_dir, [found[0].commit], scratch=scene.trees.scratch)
    assert look(scene) == found
    scene.repo.set_ref("refs/parallel-impl/c/attempts/wp1/1.feature", found[0].commit)
    assert look(scene) == []


def test_what_an_earlier_search_kept_is_not_found_again_and_its_name_is_taken(shared: Scene, tmp_path: Path) -> None:
    scene = join(shared, tmp_path)
    scene.act(f"echo t>>{A}; git stash -q; git worktree add -q ../side; echo w>>../side/{A}")
    known = {one.name: one.commit for one in look(scene)}
    assert list(known) == ["worktree-side", "stash"]
    assert look(scene, known) == []
    assert [one.name for one in look(scene, {"Stash": "0" * 40})] == ["worktree-side", "stash-2"]


def test_names_of_refs_are_told_apart_on_any_file_system(shared: Scene, tmp_path: Path) -> None:
    scene = join(shared, tmp_path)
    names = ["Fix", "fix.1", "fix-1", "x" * 90, "stash", "ä"]
    for number, name in enumerate(names):
        scene.act(FEATURE.replace("feature", name).replace("echo s", f"echo s{number}"))
    scene.act(f"echo z>>{A}; git stash -q")
    found = [one.name for one in look(scene)]
    assert sorted(found) == ["Fix", "fix-1", "fix-1-2", "stash", "stash-2", "work", "x" * 40]


@pytest.mark.parametrize(
    "script",
    [
        "mkfifo $COMMON/objects/pack/x.idx",
        "rm -rf $COMMON/objects/pack; ln -s / $COMMON/objects/pack",
        "mv $COMMON/objects $OUT/objects; ln -s $OUT/objects $COMMON/objects",
        "echo $OUT >> $COMMON/objects/info/alternates",
        "git worktree add -q ../side; mkfifo ../side/pipe",
    ],
)
def test_a_repository_that_is_not_as_git_makes_it_is_not_looked_through(
    script: str, shared: Scene, tmp_path: Path
) -> None:
    scene = join(shared, tmp_path)
    scene.act(f"{FEATURE}; {script}")
    with pytest.raises(UnreadableError):
        look(scene)


@pytest.mark.parametrize(
    "script", ["rm -rf $COMMON", "rm -rf $COMMON/objects", "rm -rf $COMMON/refs $COMMON/worktrees"]
)
def test_a_repository_that_is_gone_has_nothing(script: str, shared: Scene, tmp_path: Path) -> None:
    scene = join(shared, tmp_path)
    scene.act(script)
    assert look(scene) == []


def test_commits_are_found_by_their_objects_where_an_agent_destroyed_the_names(shared: Scene, tmp_path: Path) -> None:
    scene = join(shared, tmp_path)
    scene.act(f"{FEATURE}; rm -rf $COMMON/refs $COMMON/logs $COMMON/worktrees; mkfifo $COMMON/packed-refs2")
    assert [(one.where, one.paths) for one in look(scene)] == [(NO_NAME, (A,))]


def test_no_program_of_the_agents_choice_runs(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=CHOSEN)
    touch = f"touch {scene.out}/ran"
    scene.act(FEATURE)
    for hook in ("post-index-change", "reference-transaction", "pre-auto-gc"):
        file = f"$COMMON/hooks/{hook}"
        scene.act(f"mkdir -p $COMMON/hooks; printf '#!/bin/sh\n{touch}\n' > {file}; chmod +x {file}")
    for key in ("core.fsmonitor", "core.sshCommand", "uploadpack.packObjectsHook", "core.alternateRefsCommand"):
        scene.act(f"git config {key} '{touch}'")
    (scene.out / "ran").unlink(missing_ok=True)
    found = look(scene)
    assert [one.where for one in found] == ["branch feature"]
    brought(scene, found)
    assert not (scene.out / "ran").exists()


def test_it_works_where_objects_have_long_names(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user", None, "--object-format=sha256"), tmp_path, means=CHOSEN)
    scene.act(
        f"{FEATURE}; echo t>>{A}; git stash -q; git repack -qad; "
        f"git checkout -q --orphan x; git rm -rqf .; echo new>o; {COMMIT}; {OWN}"
    )
    found = look(scene)
    assert [one.where for one in found] == ["branch feature", "branch x", "stash@{0}"]
    assert brought(scene, found)[0] == "a\ns\n"


def test_a_repository_at_a_place_with_odd_characters_is_read_too(tmp_path: Path) -> None:
    odd = tmp_path / 'a:b "c"'
    odd.mkdir()
    scene = open_scene(make_user(odd / "user"), odd)
    scene.act(FEATURE)
    found = look(scene)
    assert [one.where for one in found] == ["branch feature"]
    assert brought(scene, found) == ["a\ns\n"]


def test_lines_that_git_converts_are_nobodys_work(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user", {A: "a\r\nb\r\n", B: "b\r\n", ".gitattributes": "* -text\n"})
    (user / ".gitattributes").write_text("* text\n")
    git(user, "commit", "-qm", "converted from now on", ".gitattributes")
    scene = open_scene(user, tmp_path, means=CHOSEN)
    scene.act(f"echo z>>{B}; git add -A --renormalize; git commit -qm work")
    assert look(scene) == []
