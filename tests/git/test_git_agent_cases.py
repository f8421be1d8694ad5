"""What an agent may do with files and git in its worktree, one case each: taken exactly, or refused with the path."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from parallel_impl.git.scope import spell_out
from parallel_impl.git.staging import Ignored
from parallel_impl.git.watch import Kind
from parallel_impl.plan.model import Scope
from tests.git.scene import FILES, SCOPE, Scene, Verdict, make_user, needs_submodules, open_scene
from tests.means import CHOSEN
from tests.repository import contents, git

LEAVES = "a symlink that leaves the repository"
OUTSIDE = "outside write_allow"
NESTED = "a git repository inside the worktree"
EDIT, EDITED = "echo z>>src/pkg/a.py", {"src/pkg/a.py": "M"}
EVIL, CAUGHT = "echo e>>other/o.py", (f"other/o.py: {OUTSIDE}",)
GONE = ".: the worktree is gone or is no folder any more"
# what is mounted cannot be removed: only what was in it
GONE_IN_A_VIEW = f"README.md: {OUTSIDE}"
ALL = Scope(write_allow=("**",))


@dataclass(frozen=True, slots=True)
class Case:
    """One thing an agent does. Without `refused` it is accepted, with exactly `changed` (path to git's letter)."""

    name: str
    script: str
    refused: tuple[str, ...] = ()
    changed: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    scope: Scope = SCOPE


CASES = (
    # plain work
    Case("edits in scope", EDIT, changed=EDITED),
    Case("changes nothing", "true"),
    Case(
        "commits what it did",
        "echo z>>src/pkg/a.py; echo n>src/pkg/n.py; git add -A; git commit -qm x",
        changed={"src/pkg/a.py": "M", "src/pkg/n.py": "A"},
    ),
    Case("edits out of scope", "echo z>>other/o.py", CAUGHT),
    Case("edits a denied path", "echo z>>src/pkg/secret/k", ("src/pkg/secret/k: denied by src/pkg/secret/**",)),
    Case("deletes out of scope", "git rm -q other/o.py; git commit -qm x", CAUGHT),
    Case("deletes without git", "rm -r other", CAUGHT),
    Case("edits beside the scope", "mkdir -p src/pkgevil; echo x>src/pkgevil/a", (f"src/pkgevil/a: {OUTSIDE}",)),
    Case(
        "writes in a folder that differs in case",
        "mkdir src/PKG; echo x>src/PKG/a.py",
        (f"src/PKG/a.py: {OUTSIDE}", "src/PKG/a.py: differs from src/pkg in case or Unicode form only"),
    ),
    Case("renames out of scope into scope", "git mv other/o.py src/pkg/o.py; git commit -qm x", CAUGHT),
    Case("renames in scope to out of scope", "git mv src/pkg/a.py other/a.py", (f"other/a.py: {OUTSIDE}",)),
    Case("copies a file from out of scope", "cp other/o.py src/pkg/o.py", changed={"src/pkg/o.py": "A"}),
    Case(
        "commits out of scope, then reverts it",
        "echo e>>other/o.py; git commit -qam 1; git revert --no-edit HEAD",
    ),
    Case(
        "leaves other content than it committed",
        "echo good>>src/pkg/a.py; git commit -qam 1; echo more>>src/pkg/a.py; echo e>>other/o.py",
        CAUGHT,
    ),
    Case(
        "commits what it then takes away",
        "echo e>>other/o.py; git commit -qam 1; git checkout -q $BASE -- other/o.py",
    ),
    Case(
        "swaps a file for a folder",
        "rm src/pkg/a.py; mkdir src/pkg/a.py; echo x>src/pkg/a.py/in",
        changed={"src/pkg/a.py": "D", "src/pkg/a.py/in": "A"},
    ),
    Case(
        "makes a denied file a folder",
        "mkdir -p src/pkg/b/a.py; echo x>src/pkg/b/a.py/in",
        ("src/pkg/b/a.py/in: denied by **/a.py",),
        scope=Scope(write_allow=("src/pkg/**",), deny=("**/a.py",)),
    ),
    Case(
        "swaps a folder for a file",
        "rm -r src/pkg/secret; echo x>src/pkg/secret",
        ("src/pkg/secret/k: denied by src/pkg/secret/**",),
    ),
    # modes and links
    Case("makes a file executable", "chmod +x src/pkg/a.py", changed=EDITED),
    Case("changes a mode out of scope", "chmod +x other/o.py", CAUGHT),
    Case("hides a mode by core.fileMode", "git config core.fileMode false; chmod +x other/o.py", CAUGHT),
    Case("adds an absolute symlink", "ln -s /etc/passwd src/pkg/link", ("src/pkg/link: an absolute or empty symlink",)),
    Case("adds a symlink that leaves", "ln -s ../../../../outside src/pkg/link", (f"src/pkg/link: {LEAVES}",)),
    Case("adds a symlink to a folder outside", "ln -s ../../.. src/pkg/dir", (f"src/pkg/dir: {LEAVES}",)),
    Case(
        "climbs by a second symlink",
        "mkdir -p src/pkg/p/q; ln -s ../../../.. src/pkg/p/q/up; ln -s q/up/../x src/pkg/p/out",
        ("src/pkg/p/out: a symlink with .. after a name: write the target without it",),
    ),
    Case("adds a symlink within", "ln -s ../../README.md src/pkg/link", changed={"src/pkg/link": "A"}),
    Case("points a symlink into .git", "ln -s ../../.git src/pkg/link", ("src/pkg/link: a symlink into .git",)),
    Case(
        "swaps a file for a symlink", "ln -sf /etc/hosts src/pkg/a.py", ("src/pkg/a.py: an absolute or empty symlink",)
    ),
    Case(
        "swaps a folder out of scope for a symlink",
        "git rm -rq other; ln -s src other; git add -A; git commit -qm x",
        (f"other: {OUTSIDE}", f"other/o.py: {OUTSIDE}"),
    ),
    Case(
        "swaps its own folder for a symlink",
        "mv src/pkg $OUT/pkg; ln -s $OUT/pkg src/pkg",
        (f"src/pkg: {OUTSIDE}",),
    ),
    # repositories inside
    Case(
        "nests a repository with a commit",
        "git init -q src/pkg/sub; cd src/pkg/sub; echo h>h; git add -A; git commit -qm s; cd $WT;"
        " git add -A; git commit -qm x",
        (f"src/pkg/sub/.git: {NESTED}",),
    ),
    Case(
        "nests a repository without commits",
        "git init -q src/pkg/sub; echo h>src/pkg/sub/h",
        (f"src/pkg/sub/.git: {NESTED}",),
    ),
    Case("nests a repository in a tracked folder", "git init -q src/pkg", (f"src/pkg/.git: {NESTED}",)),
    Case(
        "nests a repository in an ignored folder",
        "git init -q build/dependency; echo h>build/dependency/h",
        ignored=("build/",),
    ),
    Case(
        "adds a submodule",
        "git -c protocol.file.allow=always submodule add -q $REPO src/pkg/sub",
        (f"src/pkg/sub/.git: {NESTED}",),
    ),
    Case(
        "forges a gitlink in its index", "git update-index --add --cacheinfo 160000,$BASE,src/pkg/gl; git commit -qm x"
    ),
    Case(
        "writes .gitmodules at the root",
        "printf '[submodule \"a\"]\\n path=a\\n url=-u\\n'>.gitmodules",
        (f".gitmodules: {OUTSIDE}",),
    ),
    Case("writes .gitmodules in scope", "echo x>src/pkg/.gitmodules", changed={"src/pkg/.gitmodules": "A"}),
    # hiding
    Case("hides by assume-unchanged", "git update-index --assume-unchanged other/o.py; echo e>>other/o.py", CAUGHT),
    Case("hides by skip-worktree", "git update-index --skip-worktree other/o.py; echo e>>other/o.py", CAUGHT),
    Case(
        "hides a same-size edit by its time",
        "t=$(stat -c %y other/o.py); printf 'X\\n'>other/o.py; touch -d \"$t\" other/o.py",
        CAUGHT,
    ),
    Case(
        "writes an ignored file",
        "mkdir build; echo e>build/conftest.py; echo z>>src/pkg/a.py",
        changed=EDITED,
        ignored=("build/",),
    ),
    Case(
        "adds an ignored file by force",
        "echo l>src/pkg/x.log; git add -f src/pkg/x.log; git commit -qm x",
        ignored=("src/pkg/x.log",),
    ),
    Case(
        "ignores its own file",
        "echo 'other/new*'>>.gitignore; echo n>other/new.py",
        (f".gitignore: {OUTSIDE}", f"other/new.py: {OUTSIDE}"),
    ),
    Case(
        "ignores everything in scope",
        "echo '*'>src/pkg/.gitignore; echo n>src/pkg/n.py",
        changed={"src/pkg/.gitignore": "A", "src/pkg/n.py": "A"},
    ),
    Case(
        "unignores in scope",
        "echo '!*.log'>src/pkg/.gitignore; echo l>src/pkg/x.log",
        changed={"src/pkg/.gitignore": "A"},
        ignored=("src/pkg/x.log",),
    ),
    Case("excludes in its repository", "echo 'other/'>>$COMMON/info/exclude; echo n>other/n", (f"other/n: {OUTSIDE}",)),
    Case(
        "excludes by configuration",
        "echo '*'>$OUT/ex; git config core.excludesFile $OUT/ex; echo n>other/n",
        (f"other/n: {OUTSIDE}",),
    ),
    Case(
        "shows no untracked files",
        "git config status.showUntrackedFiles no; echo n>other/new",
        (f"other/new: {OUTSIDE}",),
    ),
    Case(
        "plants a clean filter",
        "git config filter.x.clean 'git show HEAD:%f || cat'; echo '* filter=x'>$COMMON/info/attributes;"
        " echo e>>other/o.py; git add -A",
        CAUGHT,
    ),
    Case(
        "plants a filter by attributes in scope",
        "git config filter.x.clean 'touch $OUT/PWN; cat';"
        " echo '* filter=x'>src/pkg/.gitattributes; echo z>>src/pkg/a.py",
        changed={"src/pkg/.gitattributes": "A", "src/pkg/a.py": "M"},
    ),
    Case(
        "plants programs that show and merge",
        'git config diff.d.command "touch $OUT/PWN"; git config diff.d.textconv cat;'
        ' git config merge.m.driver "touch $OUT/PWN";'
        " echo '*.py diff=d merge=m'>src/pkg/.gitattributes",
        changed={"src/pkg/.gitattributes": "A"},
    ),
    Case(
        "asks for union merges", "echo '* merge=union'>src/pkg/.gitattributes", changed={"src/pkg/.gitattributes": "A"}
    ),
    Case("asks for union merges everywhere", "echo '* merge=union'>.gitattributes", (f".gitattributes: {OUTSIDE}",)),
    Case(
        "declares an encoding that its file has not",
        "echo '*.txt working-tree-encoding=UTF-16'>src/pkg/.gitattributes; echo plain>src/pkg/x.txt",
        (".: git cannot take it",),
    ),
    Case(
        "plants an fsmonitor",
        'printf "#!/bin/sh\\ntouch $OUT/PWN">$OUT/f; chmod +x $OUT/f;'
        " git config core.fsmonitor $OUT/f; echo e>>other/o.py",
        CAUGHT,
    ),
    Case(
        "plants hooks",
        "mkdir -p $COMMON/hooks; cd $COMMON/hooks; for h in reference-transaction post-index-change post-checkout;"
        ' do printf "#!/bin/sh\\ntouch $OUT/PWN">$h; chmod +x $h; done',
    ),
    Case("points hooksPath elsewhere", "git config core.hooksPath $OUT"),
    Case(
        "plants ssh and gpg programs",
        "git config core.sshCommand 'touch $OUT/PWN'; git config gpg.program 'touch $OUT/PWN';"
        " git config commit.gpgSign true",
    ),
    Case(
        "rewrites remotes",
        'git config remote.origin.url /tmp/x; git config remote.origin.receivepack "touch $OUT/PWN";'
        " git config url.ext::.insteadOf https://",
    ),
    Case("moves core.worktree", "git config core.worktree $OUT; echo e>>other/o.py", CAUGHT),
    # refs and history
    Case(
        "replaces a tree",
        "echo e>>other/o.py; git commit -qam x; git replace $(git rev-parse HEAD^{tree}) $(git rev-parse $BASE^{tree})",
        CAUGHT,
    ),
    Case("replaces the base", "echo e>>other/o.py; git commit -qam x; git replace $BASE HEAD", CAUGHT),
    Case("moves main", "echo e>>other/o.py; git commit -qam x; git update-ref refs/heads/main HEAD", CAUGHT),
    Case(
        "moves its sibling's branch", "git update-ref refs/heads/openspec/c--wp2 $(git commit-tree -m e $BASE^{tree})"
    ),
    Case(
        "takes its sibling's branch",
        "git checkout -q --ignore-other-worktrees -B openspec/c--wp2; echo z>>src/pkg/a.py",
        changed=EDITED,
    ),
    Case("makes a tag", "git tag v9; git tag -f main"),
    Case("stashes its work", "echo z>>src/pkg/a.py; git stash -q"),
    Case("detaches HEAD", "git checkout -q --detach; echo z>>src/pkg/a.py; git commit -qam d", changed=EDITED),
    Case(
        "works on another branch", "git checkout -q -b sneaky; echo z>>src/pkg/a.py; git commit -qam d", changed=EDITED
    ),
    Case(
        "makes an orphan",
        "git checkout -q --orphan o; git commit -qm o; git update-ref refs/heads/openspec/c--wp1 HEAD",
    ),
    Case("amends the base", "echo e>>other/o.py; git commit -q --amend -am base", CAUGHT),
    Case("resets to nothing", "git update-ref -d HEAD; git rm -rq --cached .; echo z>>src/pkg/a.py", changed=EDITED),
    Case("collects garbage", "git gc -q --prune=now; echo z>>src/pkg/a.py", changed=EDITED),
    Case("leaves an index.lock", "touch $(git rev-parse --git-dir)/index.lock; echo z>>src/pkg/a.py", changed=EDITED),
    Case("leaves a ref lock", "touch $COMMON/refs/heads/openspec/c--wp1.lock; echo z>>src/pkg/a.py", changed=EDITED),
    Case(
        "writes a tree with .GIT",
        'B=$(echo e|git hash-object -w --stdin); T=$(printf "100644 blob $B\\t.GIT\\0"|git mktree -z);'
        " git update-ref refs/heads/openspec/c--wp1 $(git commit-tree -p $BASE -m x $T)",
    ),
    Case(
        "writes a tree with ..",
        'T=$(printf "040000 tree $(git rev-parse $BASE^{tree})\\t..\\0"|git mktree -z);'
        " git update-ref refs/heads/openspec/c--wp1 $(git commit-tree -p $BASE -m x $T)",
    ),
    # its repository and worktree
    Case("removes its sibling's worktree", "git worktree lock $SIB; git worktree remove -f -f $SIB"),
    Case(
        "prunes worktrees",
        "git worktree prune --expire=now; mv $WT $WT.x; git worktree prune --expire=now; mv $WT.x $WT",
    ),
    Case("removes .git", "rm .git; echo z>>src/pkg/a.py", changed=EDITED),
    Case("points .git elsewhere", 'git init -q $OUT/fake; echo "gitdir: $OUT/fake/.git">.git'),
    Case("makes .git a folder", "rm .git; git init -q ."),
    Case("makes .git a symlink to the user's", "rm .git; ln -s $REPO/.git .git"),
    Case("goes sparse", "git sparse-checkout set --no-cone /src/", (f"README.md: {OUTSIDE}", f"other/o.py: {OUTSIDE}")),
    Case("makes its repository shallow", "echo $BASE>$COMMON/shallow"),
    Case("plants alternates", "echo $OUT>$COMMON/objects/info/alternates"),
    Case("deletes its objects", "rm -rf $COMMON/objects/??"),
    Case("removes its repository", "rm -rf $COMMON; echo z>>src/pkg/a.py", changed=EDITED),
    Case("removes its worktree", "rm -rf $WT", (GONE,)),
    Case("makes its worktree a symlink", "cd /; mv $WT $OUT/wt; ln -s $OUT/wt $WT", (GONE,)),
    # names
    Case(
        "writes names with blanks and newlines",
        "echo x>'src/pkg/a b'; echo x>$'src/pkg/n\\nl'; echo x>src/pkg/naïve",
        changed={"src/pkg/a b": "A", "src/pkg/n\nl": "A", "src/pkg/naïve": "A"},
    ),
    Case(
        "writes names with quotes and escapes",
        "echo x>$'src/pkg/q\"\\tt'; echo x>$'src/pkg/\\e[31m'; echo x>'src/pkg/b\\s'",
        changed={'src/pkg/q"\tt': "A", "src/pkg/\x1b[31m": "A", "src/pkg/b\\s": "A"},
    ),
    Case("writes a name that is no UTF-8", "echo x>$'src/pkg/\\xff\\xfe'", changed={"src/pkg/\udcff\udcfe": "A"}),
    Case("writes a bidirectional name", "echo x>$'src/pkg/a\\u202eyp.py'", changed={"src/pkg/a\u202eyp.py": "A"}),
    Case(
        "writes names with a leading dash",
        "echo x>src/pkg/-rf; echo x>src/pkg/--output=x",
        changed={"src/pkg/-rf": "A", "src/pkg/--output=x": "A"},
    ),
    Case(
        "writes a leading dash at the top", "echo x>./-rf", ("-rf: a name that programs take for an option",), scope=ALL
    ),
    Case(
        "writes a name like a pathspec",
        "mkdir -p ':(top)d'; echo x>'src/pkg/:(top)x'; echo x>':(top)d/x'; echo x>:!y",
        changed={"src/pkg/:(top)x": "A", ":(top)d/x": "A", ":!y": "A"},
        scope=ALL,
    ),
    Case(
        "writes names with * or ?",
        "echo x>'src/pkg/*'; echo x>'src/pkg/a?'",
        ("src/pkg/*: a name with * or ?", "src/pkg/a?: a name with * or ?"),
    ),
    Case(
        "writes case twins",
        "echo x>src/pkg/A.py",
        ("src/pkg/A.py: differs from src/pkg/a.py in case or Unicode form only",),
    ),
    Case(
        "writes Unicode twins",
        "echo x>$'src/pkg/e\\u0301'; echo x>$'src/pkg/\\u00e9'",
        ("src/pkg/\u00e9: differs from src/pkg/e\u0301 in case or Unicode form only",),
    ),
    Case(
        "renames by case only", "git mv src/pkg/a.py src/pkg/A.py", changed={"src/pkg/a.py": "D", "src/pkg/A.py": "A"}
    ),
    *(
        Case(
            f"writes {name!r}", f"mkdir $'src/pkg/{name}'; echo x>$'src/pkg/{name}/config'", ("a name that means .git",)
        )
        for name in (".GIT", "git~1", ".git ", ".git::$INDEX_ALLOCATION", ".g\\u200cit", ".git\\\\x")
    ),
    Case(
        "writes names that Windows reserves",
        "echo x>src/pkg/con; echo x>src/pkg/aux.c; echo x>src/pkg/a:b",
        changed={"src/pkg/con": "A", "src/pkg/aux.c": "A", "src/pkg/a:b": "A"},
    ),
    # what git cannot take
    Case("makes a FIFO", "mkfifo src/pkg/pipe", ("src/pkg/pipe: a FIFO",)),
    Case("swaps a file for a FIFO", "rm src/pkg/a.py; mkfifo src/pkg/a.py", ("src/pkg/a.py: a FIFO",)),
    Case("makes a FIFO in an ignored folder", "mkdir build; mkfifo build/pipe", ignored=("build/",)),
    Case("makes a FIFO with an ignored name", "mkfifo src/pkg/p.log", ignored=("src/pkg/p.log",)),
    Case("links .gitmodules", "ln -s a.py src/pkg/.gitmodules", ("src/pkg/.gitmodules: a symlink named .gitmodules",)),
    # left out
    Case(
        "leaves caches",
        "mkdir -p src/pkg/__pycache__ .pytest_cache/v; echo x>src/pkg/__pycache__/a.pyc; "
        "echo x>.pytest_cache/v/x; echo x>.coverage",
        ignored=(".coverage", ".pytest_cache/", "src/pkg/__pycache__/"),
    ),
    Case(
        "ticks boxes in tasks.md",
        "mkdir -p openspec/changes/c; echo x>openspec/changes/c/tasks.md",
        ignored=("openspec/changes/c/tasks.md",),
    ),
    Case(
        "edits the plan",
        "mkdir -p openspec/changes/c; echo x>openspec/changes/c/work-packages.yaml",
        ("openspec/changes/c/work-packages.yaml: no package may change the plan",),
        scope=ALL,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_agents_work_is_taken_exactly_or_refused(case: Case, tmp_path: Path) -> None:
    if "submodule add" in case.script:
        needs_submodules()
    user = make_user(tmp_path / "user")
    scene = open_scene(user, tmp_path, left_out=("openspec/changes/c/tasks.md",), means=CHOSEN)
    before = state_of(scene)
    scene.act(case.script)
    verdict = scene.judge(case.scope)

    assert state_of(scene) == before
    assert not (scene.out / "PWN").exists()
    assert verdict.tampering == ()
    if case.refused:
        assert not verdict.accepted
        refused = (GONE_IN_A_VIEW,) if case.refused == (GONE,) and scene.checkout.view else case.refused
        for reason in refused:
            assert any(reason in found for found in reasons(verdict)), reasons(verdict)
    else:
        assert verdict.reasons == []
        assert verdict.changed == case.changed
        assert_taken_as_it_lies(scene, verdict, case.scope)
    if case.ignored or not case.refused:
        assert sorted(verdict.ignored) == sorted(case.ignored)


def reasons(verdict: Verdict) -> list[str]:
    found = (*verdict.work.unstageable, *verdict.work.too_big, *verdict.violations)
    return [f"{violation.path}: {violation.why}" for violation in found]


def state_of(scene: Scene) -> object:
    """Everything of the user's that an agent must not reach: checkout, refs, configuration, hooks, index, sibling."""
    git_dir = scene.user / ".git"
    files = {name: content for name, content in contents(scene.user).items() if not name.startswith(".git/")}
    own = ("refs/parallel-impl/",)
    refs = [line for line in git(scene.user, "for-each-ref").splitlines() if own[0] not in line]
    fixed = [(git_dir / name).read_bytes() for name in ("config", "HEAD", "index")]
    return files, refs, fixed, contents(git_dir / "hooks"), contents(git_dir / "info")


def assert_taken_as_it_lies(scene: Scene, verdict: Verdict, scope: Scope) -> None:
    """Every file of the scope is in the tree byte for byte, but for what is said to be left out."""
    root = scene.files
    left_out = tuple(verdict.ignored)
    on_disk = {}
    for path, (_, content) in contents(root).items():
        out = any(path == item or (item.endswith("/") and path.startswith(item)) for item in left_out)
        if not scope.refusal(path) and not out and not path.startswith(".git/") and path != ".git":
            on_disk[path] = content
    entries = [entry for entry in scene.repo.entries(verdict.work.tree, recurse=True) if not scope.refusal(entry.path)]
    taken = scene.repo.blobs([entry.oid for entry in entries])
    tasks = "openspec/changes/c/tasks.md"
    assert {entry.path: taken[entry.oid] for entry in entries if entry.path != tasks} == on_disk


def test_an_edit_of_the_users_checkout_is_reported(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    scene.act("ln $REPO/README.md src/pkg/hl && echo evil>>src/pkg/hl")
    assert [(tamper.kind, tamper.what) for tamper in scene.judge().tampering] == [(Kind.FILES, "README.md")]


def test_a_file_over_the_limit_fails_the_attempt(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, max_blob_mb=0.5, means=CHOSEN)
    scene.act("head -c 600000 /dev/urandom >src/pkg/new.bin; head -c 600000 /dev/urandom >src/pkg/a.py")
    why = "1 MB, more than max_blob_mb (0.5)"
    assert scene.judge().reasons == [f"src/pkg/new.bin: {why}", f"src/pkg/a.py: {why}"]


def filtered(tmp_path: Path, clean: str) -> Scene:
    """A scene whose `*.bin` files pass a filter; "" is one that is not set up."""
    user = make_user(tmp_path / "user", {**FILES, ".gitattributes": "*.bin filter=lfs -text\n"})
    if clean:
        git(user, "config", "filter.lfs.clean", clean)
        git(user, "config", "filter.lfs.smudge", "cat")
    return open_scene(user, tmp_path, max_blob_mb=0.5)


@pytest.mark.parametrize("clean", ["", "cat", "head -c 600000 /dev/zero"])
def test_what_is_stored_counts_and_not_that_a_filter_is_named(clean: str, tmp_path: Path) -> None:
    scene = filtered(tmp_path, clean)
    scene.act("head -c 600000 /dev/urandom >src/pkg/new.bin")
    verdict = scene.judge()
    assert verdict.reasons == ["src/pkg/new.bin: 1 MB, more than max_blob_mb (0.5)"]
    assert verdict.work.not_taken == (() if clean else ("src/pkg/new.bin",))


@pytest.mark.parametrize(
    ("clean", "size", "fits"), [("head -c 10", 600_000, True), ("cat - /dev/zero | head -c 600000", 10, False)]
)
def test_a_filter_may_store_less_or_more_than_the_file(clean: str, size: int, *, fits: bool, tmp_path: Path) -> None:
    scene = filtered(tmp_path, clean)
    scene.act(f"head -c {size} /dev/urandom >src/pkg/new.bin")
    verdict = scene.judge()
    assert (verdict.work.too_big == ()) is fits and verdict.work.not_taken == ()


def test_a_large_file_of_the_base_may_be_moved(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user", {**FILES, "src/pkg/big": "x" * 600_000}), tmp_path, max_blob_mb=0.5)
    scene.act("mv src/pkg/big src/pkg/moved")
    assert scene.judge().accepted


def test_an_unreadable_folder_cannot_hide_files(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads every folder")
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=CHOSEN)
    scene.act("mkdir src/pkg/new; echo x>src/pkg/new/x; chmod 000 src/pkg/new")
    assert scene.judge().reasons == ["src/pkg/new: cannot be read: Permission denied"]


def nest(folder: Path) -> None:
    """1,500 folders in each other: deeper than a path may be long, and than Python recurses."""
    folder.mkdir(exist_ok=True)
    at = os.open(folder, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("ddd", dir_fd=at)
        below = os.open("ddd", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def test_a_tree_deeper_than_a_path_may_be_long_is_named_and_removed(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=CHOSEN)
    nest(scene.files / "src")
    try:
        assert scene.judge().reasons[0].endswith("ddd: more than 200 folders deep")
    finally:
        scene.checkout.remove()  # pytest's own cleanup recurses
    assert not scene.checkout.folder.exists()


def test_a_deep_tree_in_an_ignored_folder_is_left_out(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=CHOSEN)
    nest(scene.files / "build")
    try:
        work = scene.judge().work
        assert spell_out(scene.files, work.ignored, ALL) == [Ignored("build/", ".gitignore:2: build/")]
    finally:
        scene.checkout.remove()
