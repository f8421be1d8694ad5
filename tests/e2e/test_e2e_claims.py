"""Several changes at once in one repository, through the real command line: who runs, who waits, who is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import commit_all, git, refs, tool
from tests.several import Background, agent, background, repository

CHANGES = {
    "add-a": {"wp-a": "src/a/**"},
    "add-b": {"wp-b": "src/b.py"},
    "add-c": {"wp-c": "src/**/*.py", "wp-d": "docs/d.md"},
}
WORK = """
case $1 in wp-a) file=src/a/x.py;; wp-b) file=src/b.py;; wp-c) file=src/c.py;; wp-d) file=docs/d.md;; esac
echo "$CHANGE $1 $2" >>"$LOG"
mkdir -p "$(dirname $file)"
echo "$1" >$file
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", CHANGES)


def working(tmp_path: Path, text: str = "") -> tuple[str, ...]:
    return tuple(agent(tmp_path, f"LOG={tmp_path}/attempts\n{text}\n{WORK}"))


def attempts(tmp_path: Path) -> list[str]:
    log = tmp_path / "attempts"
    return sorted(log.read_text().splitlines()) if log.exists() else []


def live(run: Background, tmp_path: Path, change: str) -> None:
    """Wait until the agent of a change is at work."""
    run.until((tmp_path / f"at-{change}").exists)


def test_disjoint_changes_run_side_by_side(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "wait_for go")
    with (
        background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a,
        background(repo, tmp_path / "b", "implement", "add-b", *waiting) as b,
    ):
        live(a, tmp_path, "add-a")
        live(b, tmp_path, "add-b")
        (tmp_path / "go").touch()
        assert (a.ends(), b.ends()) == (0, 0), a.said + b.said
    assert refs(repo, "refs/heads/openspec") == ["refs/heads/openspec/add-a", "refs/heads/openspec/add-b"]
    assert not (repo / ".git/parallel-impl/.locks/_claims.json").exists()


def test_an_overlapping_change_is_refused_with_witness_and_holder(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "wait_for go")
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        refused = tool(repo, "implement", "add-c", *waiting, seconds=60)
        assert refused.returncode == 2, refused.stdout + refused.stderr
        for text in (
            "add-c cannot run beside add-a: PARTIAL: 1 of 2 claims conflict",
            'wp-c of add-c and wp-a of add-a may both write "src/a/x.py": "src/**/*.py" overlaps "src/a/**"',
            f"held by process {a.process.pid} on {os.uname().nodename} since ",
            "implement add-a",
            "--wait",
        ):
            assert text in refused.stderr, refused.stderr
        assert not (repo / ".git/parallel-impl/add-c").exists()
        assert refs(repo, "refs/parallel-impl/add-c") == []
        (tmp_path / "go").touch()
        assert a.ends() == 0, a.said
    assert attempts(tmp_path) == ["add-a wp-a 1"]
    assert tool(repo, "implement", "add-c", *waiting).returncode == 0


def test_wait_goes_on_when_the_first_has_landed(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "wait_for go")
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        with background(repo, tmp_path / "c", "implement", "add-c", "--wait", *waiting) as c:
            c.until(lambda: "add-c waits" in c.said)
            assert f"held by process {a.process.pid}" in c.said
            assert attempts(tmp_path) == []
            (tmp_path / "go").touch()
            assert (a.ends(), c.ends()) == (0, 0), a.said + c.said
    assert c.said.count("add-c waits") == 1
    assert attempts(tmp_path) == ["add-a wp-a 1", "add-c wp-c 1", "add-c wp-d 1"]


def test_a_run_that_waited_starts_from_the_base_that_there_is_then(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "wait_for go")
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        with background(repo, tmp_path / "c", "implement", "add-c", "--wait", *waiting) as c:
            c.until(lambda: "add-c waits" in c.said)
            git(repo, "commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
            (tmp_path / "go").touch()
            assert (a.ends(), c.ends()) == (0, 0), a.said + c.said
    assert git(repo, "rev-parse", "refs/parallel-impl/add-c/base") == git(repo, "rev-parse", "main")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_wait_that_is_stopped_leaves_nothing_behind(repo: Path, tmp_path: Path, number: signal.Signals) -> None:
    waiting = working(tmp_path, "wait_for go")
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        state = repo / ".git/parallel-impl"
        before = sorted(path.name for path in (state / ".locks").iterdir())
        with background(repo, tmp_path / "c", "implement", "add-c", "--wait", *waiting) as c:
            c.until(lambda: "add-c waits" in c.said)
            c.process.send_signal(number)
            assert c.ends() == 130, c.said
        assert sorted(path.name for path in state.iterdir()) == [".locks", "add-a"]
        assert sorted(path.name for path in (state / ".locks").iterdir()) == before
        (tmp_path / "go").touch()
        assert a.ends() == 0, a.said


def test_a_halted_run_keeps_its_claims_until_cleanup_gives_them_up(repo: Path, tmp_path: Path) -> None:
    failing = agent(tmp_path, f"LOG={tmp_path}/attempts\n{WORK}\n[ $CHANGE != add-a ] || exit 1")
    assert tool(repo, "implement", "add-a", *failing).returncode == 1
    refused = tool(repo, "implement", "add-c", *failing)
    assert refused.returncode == 2
    assert "add-a: halted: `parallel-implement add-a --abort` or `parallel-cleanup add-a` gives" in refused.stderr
    cleaned = tool(repo, "cleanup", "add-a")  # keeps the work of the attempts, and with it the journal
    assert (cleaned.returncode, "removed the claims of add-a" in cleaned.stdout) == (1, True)
    done = tool(repo, "implement", "add-c", *failing)
    assert (done.returncode, "taken over" in done.stderr) == (0, False), done.stderr


def test_a_waiting_run_is_told_when_the_holder_halts_and_goes_on_after_its_cleanup(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "[ $CHANGE != add-a ] || { wait_for go; exit 1; }")
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        with background(repo, tmp_path / "c", "implement", "add-c", "--wait", *waiting) as c:
            c.until(lambda: "held by process" in c.said)
            (tmp_path / "go").touch()
            assert a.ends() == 1, a.said
            c.until(lambda: "add-a: halted:" in c.said)
            tool(repo, "cleanup", "add-a")
            assert c.ends() == 0, c.said


def test_a_halted_run_goes_on_under_its_own_claims(repo: Path, tmp_path: Path) -> None:
    assert tool(repo, "implement", "add-a", *working(tmp_path, "[ -e $LOG.go ] || exit 1")).returncode == 1
    (tmp_path / "attempts.go").touch()
    again = tool(repo, "implement", "add-a", "--retry-failed", *working(tmp_path, "[ -e $LOG.go ] || exit 1"))
    assert again.returncode == 0, again.stderr
    assert not (repo / ".git/parallel-impl/.locks/_claims.json").exists()


def test_the_claims_of_a_killed_run_are_taken_over_and_it_is_refused_meanwhile(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "wait_for go-$CHANGE")
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        a.process.kill()
        a.ends()
    with background(repo, tmp_path / "c", "implement", "add-c", *waiting) as c:
        live(c, tmp_path, "add-c")
        assert "the claims of add-a are taken over" in c.said
        refused = tool(repo, "implement", "add-a", *waiting)
        assert refused.returncode == 2
        assert f"add-c: held by process {c.process.pid}" in refused.stderr
        (tmp_path / "go-add-c").touch()
        assert c.ends() == 0, c.said
    (tmp_path / "go-add-a").touch()
    assert tool(repo, "implement", "add-a", *waiting).returncode == 0


def test_an_interrupted_run_gives_its_claims_up(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "[ $CHANGE != add-a ] || wait_for go")
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        a.process.send_signal(signal.SIGINT)
        assert a.ends() == 130
    done = tool(repo, "implement", "add-c", *waiting)
    assert done.returncode == 0, done.stderr
    assert "taken over" not in done.stderr


def test_a_stopped_process_keeps_its_claims_however_long_it_stands(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "wait_for go")
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        a.process.send_signal(signal.SIGSTOP)
        ledger = repo / ".git/parallel-impl/.locks/_claims.json"
        for path in (ledger, *ledger.parent.iterdir()):
            os.utime(path, (0, 0))  # there is no time after which a claim would lapse
        assert tool(repo, "implement", "add-c", *waiting).returncode == 2
        a.process.send_signal(signal.SIGCONT)
        (tmp_path / "go").touch()
        assert a.ends() == 0, a.said


@pytest.mark.parametrize("removed", [("add-a.lock",), ("add-a.lock", "_claims.lock"), ("*",)])
def test_nobody_gets_in_beside_a_living_run_whatever_lock_files_are_removed(
    repo: Path, tmp_path: Path, removed: tuple[str, ...]
) -> None:
    waiting = working(tmp_path, "wait_for go")
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        for pattern in removed:
            for path in (repo / ".git/parallel-impl/.locks").glob(pattern):
                path.unlink()
        same = tool(repo, "implement", "add-a", *waiting, seconds=60)
        other = tool(repo, "implement", "add-c", *waiting, seconds=60)
        assert (same.returncode, other.returncode) == (2, 2), same.stderr + other.stderr
        assert "add-a is being worked on by" in same.stderr
        assert "add-c cannot run beside add-a" in other.stderr
        assert tool(repo, "cleanup", "add-a", "--force").returncode == 2
        (tmp_path / "go").touch()
        assert a.ends() == 0, a.said
    assert attempts(tmp_path) == ["add-a wp-a 1"]


def test_a_run_that_cannot_start_gives_its_claims_up(repo: Path, tmp_path: Path) -> None:
    (repo / "parallel-impl.toml").write_text('setup = ["exit 3"]\n')
    git(repo, "commit", "--quiet", "-am", "A set-up that fails")
    assert tool(repo, "implement", "add-a", *working(tmp_path)).returncode == 2
    assert not (repo / ".git/parallel-impl").exists()


def test_a_dry_run_claims_nothing_and_says_its_feasibility(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "wait_for go")
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        ledger = (repo / ".git/parallel-impl/.locks/_claims.json").read_bytes()
        dry = tool(repo, "implement", "add-c", "--dry-run", *waiting)
        assert dry.returncode == 0, dry.stderr
        assert "add-c waits for add-a: 1 of its 2 claims held there" in dry.stderr
        assert '"src/a/x.py"' in dry.stderr
        assert (repo / ".git/parallel-impl/.locks/_claims.json").read_bytes() == ledger
        (tmp_path / "go").touch()
        assert a.ends() == 0, a.said


def test_cleanup_works_while_another_run_lives(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "wait_for go-$CHANGE")
    (tmp_path / "go-add-b").touch()
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        assert tool(repo, "implement", "add-b", *waiting).returncode == 0
        cleaned = tool(repo, "cleanup", "add-b", "--no-archive")
        assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
        assert tool(repo, "implement", "add-c", *waiting).returncode == 2
        (tmp_path / "go-add-a").touch()
        assert a.ends() == 0, a.said
    assert tool(repo, "cleanup", "add-a", "--no-archive").returncode == 0
    assert not (repo / ".git/parallel-impl").exists()
    assert not (tmp_path / "repo.worktrees").exists()
    assert refs(repo, "refs/parallel-impl") == []


def test_cleanup_gives_claims_up_where_nothing_else_is_left(repo: Path, tmp_path: Path) -> None:
    assert tool(repo, "implement", "add-a", *working(tmp_path, "[ $CHANGE != add-a ] || exit 1")).returncode == 1
    for ref in refs(repo, "refs/parallel-impl"):
        git(repo, "update-ref", "-d", ref)
    for path in sorted((repo / ".git/parallel-impl/add-a").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (repo / ".git/parallel-impl/add-a").rmdir()
    dry = tool(repo, "cleanup", "add-a", "--dry-run")
    assert "would remove the claims of add-a" in dry.stdout
    assert "removed the claims of add-a" in tool(repo, "cleanup", "add-a").stdout
    assert not (repo / ".git/parallel-impl").exists()


def test_changes_that_lock_one_key_are_kept_apart(tmp_path: Path) -> None:
    changes = {"add-x": {"wp-x": "src/x"}, "add-y": {"wp-y": "src/y"}}
    keys = {"wp-x": "flag:billing/*", "wp-y": "flag:billing/new"}
    repo = repository(tmp_path / "repo", changes, keys=keys)
    assert tool(repo, "implement", "add-x", *agent(tmp_path, "exit 1")).returncode == 1
    refused = tool(repo, "implement", "add-y", *agent(tmp_path, "exit 1"))
    assert refused.returncode == 2
    assert 'wp-y of add-y and wp-x of add-x both claim "flag:billing/new"' in refused.stderr


def test_runs_lists_states_holders_and_claims(repo: Path, tmp_path: Path) -> None:
    assert tool(repo, "runs").stdout == "no runs in this repository\n"
    waiting = working(tmp_path, "[ $CHANGE != add-b ] || exit 1\nwait_for go-$CHANGE")
    assert tool(repo, "implement", "add-b", *waiting).returncode == 1
    with background(repo, tmp_path / "a", "implement", "add-a", *waiting) as a:
        live(a, tmp_path, "add-a")
        with background(repo, tmp_path / "c", "implement", "add-c", "--wait", *waiting) as c:
            c.until(lambda: "add-c waits" in c.said)
            told = tool(repo, "runs").stdout.splitlines()
            assert told[0].startswith(f"add-a  executing, held by process {a.process.pid} on ")
            assert told[1:4] == [
                "  wp-a  writes src/a/**",
                "add-b  halted: `parallel-implement add-b --abort` or `parallel-cleanup add-b` gives its claims up",
                "  wp-b  writes src/b.py",
            ]
            assert told[4].startswith(f"add-c  preflight, claims nothing (process {c.process.pid} on ")
            assert len(told) == 5
        (tmp_path / "go-add-a").touch()
        assert a.ends() == 0, a.said
    assert tool(repo, "runs").stdout.splitlines()[0] == "add-a  landed, claims nothing"


def test_runs_says_how_feasible_a_change_is_beside_the_others(repo: Path, tmp_path: Path) -> None:
    assert (
        tool(repo, "runs", "--for", "add-c").stdout == "add-c beside no other run: FULL: none of 2 claims conflicts\n"
    )
    halting = working(tmp_path, "exit 1")
    assert tool(repo, "implement", "add-a", *halting).returncode == 1
    assert tool(repo, "implement", "add-b", *halting).returncode == 1
    by_id = tool(repo, "runs", "--for", "add-c")
    by_path = tool(repo, "runs", "--for", "openspec/changes/add-c/work-packages.yaml")
    assert by_id.returncode == 0
    assert by_id.stdout == by_path.stdout
    assert by_id.stdout.splitlines()[0] == "add-c beside add-a, add-b: PARTIAL: 1 of 2 claims conflict"
    assert 'wp-c of add-c and wp-b of add-b may both write "src/b.py"' in by_id.stdout
    again = tool(repo, "runs", "--for", "add-a").stdout  # its own claims are not in its way
    assert again == "add-a beside add-b: FULL: none of 1 claim conflicts\n"
    assert tool(repo, "runs", "--for", "unheard-of").returncode == 2


def test_a_network_file_system_is_warned_about(repo: Path, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("22 1 0:40 / / rw shared:1 - nfs4 server:/ rw\n")
    # in a mount namespace of its own the kernel's list is covered by ours
    inside = ("unshare", "--map-root-user", "--mount", "sh", "-c", 'mount --bind "$0" /proc/$$/mountinfo && exec "$@"')
    if subprocess.run([*inside, mounts, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no mount namespaces")
    command = (sys.executable, "-m", "parallel_impl", "implement", "add-a", "--dry-run")
    done = subprocess.run([*inside, mounts, *command], cwd=repo, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warning: the repository lies on a network file system (nfs4)" in done.stderr
    assert "network file system" not in tool(repo, "implement", "add-a", "--dry-run").stderr


def test_an_aborted_run_gives_its_claims_up_also_when_another_one_took_them_over(repo: Path, tmp_path: Path) -> None:
    waiting = working(tmp_path, "[ $CHANGE != add-a ] || exit 1\nwait_for go")
    assert tool(repo, "implement", "add-a", *waiting).returncode == 1
    assert tool(repo, "implement", "add-a", "--abort").returncode == 0
    assert not (repo / ".git/parallel-impl/.locks/_claims.json").exists()
    with background(repo, tmp_path / "c", "implement", "add-c", *waiting) as c:
        live(c, tmp_path, "add-c")
        c.process.kill()
        c.ends()
    (tmp_path / "go").touch()
    assert "the claims of add-c are taken over" in tool(repo, "implement", "add-a", *waiting).stderr
    aborted = tool(repo, "implement", "add-c", "--abort")
    assert aborted.returncode == 0, aborted.stderr
    assert [line.split(",")[0] for line in tool(repo, "runs").stdout.splitlines() if line.startswith("add-")] == [
        "add-a  halted: `parallel-implement add-a --abort` or `parallel-cleanup add-a` gives its claims up",
        "add-c  aborted",
    ]


def test_claims_that_somebody_removed_before_the_run_began_are_entered_again(repo: Path, tmp_path: Path) -> None:
    (repo / "parallel-impl.toml").write_text(f"setup = ['rm -f {repo}/.git/parallel-impl/.locks/_claims.json']\n")
    commit_all(repo, "Set-up that removes the ledger")
    done = tool(repo, "implement", "add-a", *working(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "the claims of add-a had been removed from the ledger; they are entered again" in done.stderr
