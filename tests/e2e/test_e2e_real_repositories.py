"""Repositories as people have them, through the command line: rules for commits, filters, hooks, branches that move."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.repository import command, commit_all, git, refs, tool

CHANGE = "fix-it"


def repository(folder: Path, files: dict[str, str], *packages: str, config: str = "", setup: str = "[]") -> Path:
    """A repository on `main` with a change of these packages: `id | scopes | step`."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "-b", "main")
    plan = f"schema_version: 1\nfeature: {{id: {CHANGE}}}\npackages:\n"
    for package in packages:
        name, scopes, step = (part.strip() for part in package.split("|"))
        above = "depends_on: [wp-a]\n    " if name == "wp-b" else ""
        plan += f"  - package_id: {name}\n    description: Does it.\n    {above}retry_budget: 0\n"
        plan += f"    scope: {{write_allow: {json.dumps(scopes.split())}}}\n"
        plan += f"    verification: {{steps: [{{name: check, kind: command, command: {json.dumps(step)}}}]}}\n"
    files = files | {
        f"openspec/changes/{CHANGE}/proposal.md": "# Why\n",
        f"openspec/changes/{CHANGE}/work-packages.yaml": plan,
        "parallel-impl.toml": f"setup = {setup}\ngates.openspec = false\n{config}",
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    commit_all(folder, "base")
    return folder


def run(repo: Path, script: str, *options: str, code: int = 0, env: Mapping[str, str] | None = None) -> str:
    """Run the change with a shell agent; everything that was printed."""
    agent = command(repo.parent / "agent.sh", script)
    done = tool(repo, "implement", CHANGE, "--agent", agent, *options, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def landed(repo: Path) -> list[str]:
    return git(repo, "diff", "--name-only", "main", f"heads/openspec/{CHANGE}").splitlines()


def test_the_users_rules_for_commits_and_a_main_that_moved_on_stop_nobody(tmp_path: Path) -> None:
    """Commits are signed, a global hook refuses, the identity is in the environment, steps compare with main."""
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    (home / "hooks/pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (home / "hooks/pre-commit").chmod(0o755)
    repo = repository(
        tmp_path / "repo", {"src/a": "x\n"}, "wp-a | src/** | git diff --stat main...HEAD", config="signoff = true\n"
    )
    git(repo, "switch", "-qc", "feature")
    (repo / "f").touch()
    commit_all(repo, "feature")
    git(repo, "switch", "-q", "main")
    (repo / "m").touch()
    moved = commit_all(repo, "main moved on")
    git(repo, "switch", "-q", "feature")
    git(repo, "tag", f"openspec/{CHANGE}")
    git(repo, "config", "remote.origin.url", "../up.git")
    (home / ".gitconfig").write_text(
        f"[user]\n\tuseConfigOnly = true\n[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = /bin/false\n"
        f"[core]\n\thooksPath = {home}/hooks\n"
    )
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "P"), ("EMAIL", "p@x.org"))
    }
    script = (
        "git config core.bare && exit 1\necho y > src/a\ngit commit -qam done\ngit switch -q main\ngit switch -q -\n"
    )
    said = run(repo, script, env={"HOME": str(home)} | who)
    assert f"a tag is named openspec/{CHANGE}" in said and f"git push -u origin refs/heads/openspec/{CHANGE}" in said
    people = git(
        repo,
        "log",
        "--format=%an <%ae> %cn <%ce> %(trailers:key=Signed-off-by,valueonly,separator=%x2C)",
        f"feature..heads/openspec/{CHANGE}",
    )
    assert set(people.splitlines()) == {"P <p@x.org> P <p@x.org> P <p@x.org>"}
    assert git(repo, "rev-parse", f"refs/parallel-impl/{CHANGE}/carried/1") == moved
    cleaned = tool(repo, "cleanup", CHANGE)
    assert refs(repo, "refs/parallel-impl") == [], cleaned.stdout


def test_a_filter_with_its_key_in_the_git_dir_works_and_without_it_is_no_bug(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", {"src/a": "x\n"}, 'wp-a | src/** | test "$(cat secret)" = hidden')
    (tmp_path / "box.sh").write_text(
        'test -f "$(git rev-parse --git-dir)/key" || { echo no key >&2; exit 1; }; tr $1 $2\n'
    )
    (repo / ".git/key").touch()
    git(repo, "config", "filter.box.clean", f"sh {tmp_path}/box.sh a-z b-za")
    git(repo, "config", "filter.box.smudge", f"sh {tmp_path}/box.sh b-za a-z")
    git(repo, "config", "filter.box.required", "true")
    (repo / ".gitattributes").write_text("secret filter=box\n")
    (repo / "secret").write_text("hidden\n")
    commit_all(repo, "secret")
    script = 'echo y > src/a\ntest -z "$(git status --porcelain secret)"\ntouch "$0.ran"\n'
    (repo / ".git/key").rename(repo / ".git/away")
    said = run(repo, script, code=2)
    assert "the filter box fails" in said and "secret" in said and "no key" in said
    assert not (tmp_path / "agent.sh.ran").exists()
    (repo / ".git/away").rename(repo / ".git/key")
    said = run(repo, script)
    assert "agents read what the filter box makes of files" in said
    assert landed(repo) == ["src/a"]


def test_variables_of_git_pass_by_name_to_set_up_and_filters_or_are_refused(tmp_path: Path) -> None:
    setup = json.dumps(
        ['test "$GIT_SSH_COMMAND" = ssh-x && test "$GIT_LFS_SKIP_SMUDGE" = 1 && test -z "${GIT_EDITOR:-}"']
    )
    names = 'pass_env = ["GIT_SSH_COMMAND", "GIT_LFS_SKIP_SMUDGE", "GIT_ABSENT"]\n'
    repo = repository(
        tmp_path / "repo",
        {"f": "x\n", ".gitattributes": "f filter=see\n"},
        "wp-a | src/** | true",
        setup=setup,
        config=names,
    )
    git(repo, "config", "filter.see.smudge", f'echo "$GIT_SSH_COMMAND $GIT_LFS_SKIP_SMUDGE" >> {tmp_path}/seen; cat')
    given = {"GIT_SSH_COMMAND": "ssh-x", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_EDITOR": "vi", "GIT_DIR": "/nowhere"}
    said = run(repo, "", "--dry-run", env=given | {"HOME": str(tmp_path)})
    assert "git has no name and address of yours here" in said
    assert "warning: pass_env: GIT_ABSENT is not set here" in said
    assert set((tmp_path / "seen").read_text().splitlines()) == {"ssh-x 1"}
    (repo / "parallel-impl.toml").write_text('setup = []\npass_env = ["GIT_DIR"]\n')
    commit_all(repo, "redirected")
    assert "pass_env: GIT_DIR leads git to another repository" in run(repo, "", "--dry-run", code=2)


def test_the_user_switches_and_installs_hooks_while_agents_work_and_planted_ones_halt(tmp_path: Path) -> None:
    """The user's checkout is `$REPO`; set-up installs the hook that the user installs too."""
    install = 'printf \'#!/bin/sh\\n# %s\\n\' "$PWD" > "$(git rev-parse --git-common-dir)/hooks/pre-commit"'
    setup = json.dumps([f'mkdir -p "$(git rev-parse --git-common-dir)/hooks" && {install}'])
    packages = ("wp-a | src/** | true", "wp-b | lib/** | true")
    repo = repository(tmp_path / "repo", {".gitconfig": "[alias]\n\tst = status\n"}, *packages, setup=setup)
    (repo / ".git/hooks").mkdir(exist_ok=True)
    git(repo, "config", "include.path", "../.gitconfig")
    git(repo, "switch", "-qc", "other")
    (repo / ".gitconfig").write_text("[alias]\n\tst = status -s\n")
    commit_all(repo, "other")
    git(repo, "switch", "-q", "main")
    moves = f"(cd {repo} && {install} && git switch -q other)\n"
    work = "case $1 in wp-a) mkdir src; echo 1 > src/a;; *) mkdir lib; echo 1 > lib/b;; esac\n"
    said = run(repo, work + moves)
    assert "as a commit from before the run has it" in said and "as the set-up of this repository installs it" in said
    git(repo, "switch", "-q", "main")
    planted = tmp_path / "planted"
    shutil.copytree(repo, planted / "repo", symlinks=True)
    repo = planted / "repo"
    shutil.rmtree(repo / ".git/parallel-impl")
    for ref in refs(repo, "refs/parallel-impl", "refs/heads/openspec"):
        git(repo, "update-ref", "-d", ref)
    said = run(repo, work + f"printf '[core]\\n\\tpager = planted\\n' >> {repo}/.gitconfig\n", code=1)
    assert "the repository was changed under the run" in said and "core.pager" in said


def test_work_is_not_left_out_for_its_name_and_ignored_scopes_are_told_first(tmp_path: Path) -> None:
    fixture = "t/.venv/pyvenv.cfg"
    packages = (f"wp-a | {fixture} src/** | true", "wp-b | out/** | true")
    repo = repository(tmp_path / "repo", {".gitignore": "out/\n", "src/a": "x\n"}, *packages)
    installed = "mkdir -p src/node_modules; for n in $(seq 501); do echo > src/node_modules/$n; done"
    script = f"mkdir -p t/.venv; echo x > {fixture}; {installed}\n"
    said = run(repo, script + 'touch "$0.ran"\n', code=2)
    assert "out/** of wp-b is ignored (.gitignore:1: out/)" in said
    assert not (tmp_path / "agent.sh.ran").exists()
    plan = repo / f"openspec/changes/{CHANGE}/work-packages.yaml"
    plan.write_text(plan.read_text().replace('["out/**"]', '["out/**", "src/b"]'))
    commit_all(repo, "another pattern")
    said = run(repo, f"case $1 in wp-a) {script[:-1]};; *) mkdir out; echo x > out/x; exit 3;; esac\n", code=1)
    assert "in its scope, but left out of its work:\n" in said and "out/x (.gitignore:1: out/)" in said
    said = run(repo, f"case $1 in wp-a) {script[:-1]};; *) echo x > src/b;; esac\n", "--retry-failed")
    assert "left out of wp-a: src/node_modules/ (501 new files below a name of tools that no pattern spells)" in said
    assert landed(repo) == ["src/b", fixture]


def test_a_base_behind_its_upstream_in_a_sparse_checkout_is_told(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", {"src/a": "x\n", "other/b": "x\n"}, "wp-a | src/** | test -f other/b")
    git(tmp_path, "clone", "-q", str(origin), "user")
    user = tmp_path / "user"
    (origin / "news").touch()
    commit_all(origin, "news")
    git(user, "fetch", "-q")
    git(user, "sparse-checkout", "set", "src")
    said = run(user, "echo y > src/a\ntest -f other/b\n")
    assert "main is 1 commit behind origin/main" in said
    assert "not as in the base" not in said
    assert landed(user) == ["src/a"]


def test_a_bare_repository_with_a_worktree_beside_it(tmp_path: Path) -> None:
    seed = repository(tmp_path / "seed", {"src/a": "x\n"}, "wp-a | src/** | true")
    project = tmp_path / "project"
    project.mkdir()
    git(tmp_path, "clone", "-q", "--bare", str(seed), "project/.bare")
    (project / ".git").write_text("gitdir: ./.bare\n")
    git(project, "worktree", "add", "-q", "work", "main")
    run(project / "work", "echo y > src/a\ngit status --porcelain\n")
    assert landed(project / "work") == ["src/a"]
