"""Whatever an agent, a step, a gate or the user leaves behind, the run ends as a run, and a command goes on."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_impl.record import events as e
from parallel_impl.record.journal import read
from parallel_impl.views.view import Means
from tests.means import CHOSEN
from tests.privileges import unprivileged
from tests.repository import commit_all, git, init, refs, tool

PLAN = """\
schema_version: 1
feature: {id: c}
packages:
  - package_id: wp-a
    description: Writes one file.
    retry_budget: 1
    scope: {write_allow: [a]}
    verification: {steps: [{name: s, kind: command, command: %r}]}
"""
STATE = ".git/parallel-impl/c"


def repository(folder: Path, *, step: str = "true", gate: str = "") -> Path:
    """A repository whose change `c` has one package, with this step, and this gate."""
    repo = folder / "repo"
    (repo / "openspec/changes/c").mkdir(parents=True)
    init(repo)
    (repo / "openspec/changes/c/proposal.md").write_text("# c\n")
    (repo / "openspec/changes/c/work-packages.yaml").write_text(PLAN % step)
    gates = f"gates.g = {{command = '''{gate}''', parser = 'exit-code'}}\n" if gate else ""
    (repo / "parallel-impl.toml").write_text(f"setup = []\ngates.openspec = false\n{gates}")
    (repo / "a").write_text("1\n")
    commit_all(repo, "The change")
    return repo


def agent(folder: Path, text: str) -> str:
    """The `--agent` value of a shell script, which notes in `starts` that it was started."""
    script = folder / "agent.sh"
    script.write_text(f"echo x >>{folder}/starts; echo 2 >a\n{text}\n")
    return f"command: sh {script}"


@pytest.mark.parametrize(
    ("harm", "told"), [("rm -rf {}", "was removed"), ("truncate -s 0 {}/journal.jsonl", "was cut")]
)
def test_a_journal_that_an_agent_removes_or_cuts_is_whole_again_and_the_next_start_goes_on(
    tmp_path: Path, harm: str, told: str
) -> None:
    repo = repository(tmp_path)
    done = tool(repo, "implement", "c", "--agent", agent(tmp_path, harm.format(repo / STATE)))
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"journal: {repo / STATE}/journal.jsonl {told}; it is written again, whole" in done.stderr
    changed = [one for one in read(repo / STATE / "journal.jsonl") if isinstance(one, e.RepositoryChanged)]
    assert [(one.halts, one.running) for one in changed] == [(True, ["wp-a"])]
    assert tool(repo, "implement", "c").returncode == 0
    assert (tmp_path / "starts").read_text() == "x\n"


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (
            lambda lines: lines[:1],
            "wp-a has 0 attempts in it, and attempt 1 is on refs/parallel-impl/c/attempts/wp-a/1",
        ),
        (lambda lines: [*lines[:2], b"{}\n", *lines[2:]], "the journal is damaged"),
        (lambda lines: lines[::-1], "the journal is damaged"),
    ],
)
def test_a_journal_that_was_cut_or_shuffled_is_put_aside_by_the_line_that_is_told_and_nothing_is_lost(
    tmp_path: Path, harm: Callable[[list[bytes]], list[bytes]], told: str
) -> None:
    repo = repository(tmp_path, step="grep -q 3 a")
    assert tool(repo, "implement", "c", "--agent", agent(tmp_path, "")).returncode == 1
    kept = {ref: git(repo, "rev-parse", ref) for ref in refs(repo, "refs/parallel-impl/c/attempts")}
    journal = repo / STATE / "journal.jsonl"
    journal.write_bytes(b"".join(harm(journal.read_bytes().splitlines(keepends=True))))
    again = agent(tmp_path, "echo 3 >a")
    done = tool(repo, "implement", "c", "--agent", again)
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    line = next(line for line in done.stderr.splitlines() if line.strip().startswith("mv "))
    subprocess.run(shlex.split(line), check=True)
    done = tool(repo, "implement", "c", "--agent", again)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(kept) == 2
    assert {ref: git(repo, "rev-parse", ref) for ref in kept} == kept


CLOSED = "echo x >left; chmod 000 left"
GONE = 'rm -rf "$PWD"'
# in a view the folder is mounted: it stays, and is empty
GONE_STEP = "what it left cannot be looked at: " if CHOSEN is Means.EACH else "cannot remove '"
GONE_GATE = (
    "what the gates left cannot be looked at: " if CHOSEN is Means.EACH else "it changes files that it judges: a, "
)


@pytest.mark.parametrize(
    ("step", "gate", "told"),
    [
        (CLOSED, "", "it changed files of its checkout: left"),
        (GONE, "", GONE_STEP),
        ("true", GONE, GONE_GATE),
    ],
)
def test_what_a_step_or_a_gate_closes_or_removes_is_its_own_failure_each_time_it_is_asked(
    tmp_path: Path, step: str, gate: str, told: str
) -> None:
    repo, root = repository(tmp_path, step=step, gate=gate), unprivileged()
    if root == ["false"]:
        pytest.skip("root cannot be made to respect what is closed here")
    words = [*root, shutil.which("parallel-impl") or "parallel-impl", "implement", "c", "--agent", agent(tmp_path, "")]
    for more in ([], ["--retry-failed"]):
        done = subprocess.run([*words, *more], cwd=repo, check=False, capture_output=True, text=True, timeout=180)
        assert done.returncode == 1, done.stdout + done.stderr
        assert told in done.stderr


def test_a_step_that_makes_tool_configuration_beside_its_checkout_ends_the_run_and_not_again_and_again(
    tmp_path: Path,
) -> None:
    repo = repository(tmp_path, step="! grep -q 2 a || touch ../pytest.ini")  # not on the base
    done = tool(repo, "implement", "c", "--agent", agent(tmp_path, ""))
    assert done.returncode == 1, done.stdout + done.stderr
    ended = [one.code for one in read(repo / STATE / "journal.jsonl") if isinstance(one, e.AttemptEnded)]
    assert ended == ["FOREIGN_FILES"]
    assert "Not landed: files around its checkouts are not of this run" in done.stderr
    assert "parallel-implement c --restart wp-a" in done.stderr
    again = tool(repo, "implement", "c", "--restart", "wp-a", "--agent", agent(tmp_path, "echo 3 >a"))
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_run_lands_although_the_worktree_that_had_its_branch_is_gone(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    git(repo, "worktree", "add", "--quiet", "-b", "openspec/c", str(tmp_path / "linked"))
    shutil.rmtree(tmp_path / "linked")
    done = tool(repo, "implement", "c", "--agent", agent(tmp_path, ""))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "openspec/c was checked out in" in done.stderr


def test_a_branch_of_another_history_is_refused_before_an_agent_is_paid(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    alone = git(repo, "commit-tree", "-m", "alone", "HEAD^{tree}")
    git(repo, "update-ref", "refs/heads/openspec/c", alone)
    done = tool(repo, "implement", "c", "--base", "main", "--agent", agent(tmp_path, ""))
    assert done.returncode == 2
    assert "have no commit in common" in done.stderr
    assert not (tmp_path / "starts").exists()
    line = done.stderr.rpartition("put it aside: ")[2].split("\n")[0]
    subprocess.run(shlex.split(line), cwd=repo, check=True)
    assert tool(repo, "implement", "c", "--agent", agent(tmp_path, "")).returncode == 0


@pytest.mark.parametrize(
    ("make", "code", "told"),
    [
        (lambda repo: repo.with_name("repo.worktrees").symlink_to("/nonexistent/x"), 0, "is no folder"),
        (lambda repo: repo.with_name("repo.worktrees").write_text("x"), 0, "is no folder"),
        (lambda repo: (repo / ".git/parallel-impl").write_text("x"), 2, "put it aside: mv "),
        (lambda repo: (repo / ".git/parallel-impl").symlink_to("gone"), 2, "put it aside: mv "),
    ],
)
def test_what_lies_where_a_folder_is_due_is_named(
    tmp_path: Path, make: Callable[[Path], object], code: int, told: str
) -> None:
    repo = repository(tmp_path)
    make(repo)
    done = tool(repo, "implement", "c", "--agent", agent(tmp_path, ""), "--dry-run")
    assert done.returncode == code, done.stdout + done.stderr
    assert told in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["validate", "implement"])
def test_a_change_id_that_no_file_system_takes_is_an_error_like_any_other(tmp_path: Path, command: str) -> None:
    repo = repository(tmp_path)
    for word in ("x" * 260, f"openspec/changes/{'x' * 260}", "x" * 5000, "\udcff"):
        done = tool(repo, command, word)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "error: " in done.stderr
