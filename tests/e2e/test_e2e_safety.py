"""Each safety rule through the real command line; every test here fails when the wiring of its rule is removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from parallel_impl.views.view import Means
from tests.means import CHOSEN
from tests.repository import (
    FIXTURES,
    command,
    commit_all,
    git,
    make_repository,
    refs,
    replay,
    start,
    tool,
    users_side,
    wait_for,
)

NO_CONTRACTS = f"cp -R '{FIXTURES}/no-contracts/replay/'\"$1\"/1/. .\n"
HEADS = ["refs/heads/main"]


def edit(file: Path, *replacements: tuple[str, str]) -> None:
    """Replace each text, which must be there, in a file of the fixture, before its repository is used."""
    text = file.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)


def attempt(repo: Path, package: str, number: int = 1) -> Path:
    return repo / ".git/parallel-impl/fix-typos/attempts" / package / str(number)


def test_work_that_fails_its_own_steps_is_never_accepted(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    done = tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "agent.sh", "echo '# Gide' > guide.md\n"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "VERIFICATION_FAILED" in done.stdout
    assert refs(repo, "refs/heads") == HEADS
    assert refs(repo, "refs/parallel-impl/fix-typos/packages") == []
    assert refs(repo, "refs/parallel-impl/fix-typos/attempts") == [
        "refs/parallel-impl/fix-typos/attempts/wp-guide/1",
        "refs/parallel-impl/fix-typos/attempts/wp-guide/2",
    ]


def test_steps_judge_the_commit_and_not_the_folder_that_the_agent_left(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    plan = repo / "openspec/changes/fix-typos/work-packages.yaml"
    edit(plan, ("grep -qx '# Guide' guide.md", "test -e left.tmp"), ("write_allow: [guide.md]", 'write_allow: ["**"]'))
    commit_all(repo, "A step that needs what git ignores")
    agent = command(tmp_path / "agent.sh", "touch left.tmp\n")
    done = tool(repo, "implement", "fix-typos", "--agent", agent)
    assert done.returncode == 1, done.stdout + done.stderr
    assert refs(repo, "refs/parallel-impl/fix-typos/packages") == []


def test_an_agent_that_ends_with_an_error_fails_and_its_work_is_kept(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    done = tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "agent.sh", NO_CONTRACTS + "exit 7\n"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert refs(repo, "refs/parallel-impl/fix-typos/packages") == []
    kept = git(repo, "show", "refs/parallel-impl/fix-typos/attempts/wp-guide/1:guide.md")
    assert kept.splitlines()[0] == "# Guide"


def test_agents_and_steps_see_the_allow_list_and_secrets_only_by_name(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    edit(repo / "parallel-impl.toml", ("setup = []", 'setup = []\npass_env = ["MY_LICENSE", "MODEL_API_KEY"]'))
    step = ("command: grep -qx '# Guide' guide.md", "command: env")
    edit(repo / "openspec/changes/fix-typos/work-packages.yaml", step)
    commit_all(repo, "A step that shows its environment")
    inherited = {
        "MY_LICENSE": "for-everyone",
        "MODEL_API_KEY": "only-for-agents",
        "OTHER_TOKEN": "for-nobody",
        "UNNAMED": "not-on-the-list",
    }
    agent = command(tmp_path / "agent.sh", f'env > \'{tmp_path}/\'"$1"\necho "$MODEL_API_KEY"\n' + NO_CONTRACTS)
    done = tool(repo, "implement", "fix-typos", "--agent", agent, env=inherited)
    assert done.returncode == 0, done.stdout + done.stderr

    seen = dict(line.split("=", 1) for line in (tmp_path / "wp-guide").read_text().splitlines() if "=" in line)
    assert (seen["MY_LICENSE"], seen["MODEL_API_KEY"]) == ("for-everyone", "only-for-agents")
    assert not {"OTHER_TOKEN", "UNNAMED", "GIT_CONFIG_GLOBAL"} & seen.keys()
    assert (seen["PARALLEL_IMPL_CHANGE"], seen["PARALLEL_IMPL_PACKAGE"]) == ("fix-typos", "wp-guide")
    (step_log,) = (attempt(repo, "wp-guide") / "steps").glob("*.log")
    assert "MY_LICENSE=for-everyone" in step_log.read_text()
    assert "MODEL_API_KEY" not in step_log.read_text()
    assert "UNNAMED" not in step_log.read_text()
    written = [path for path in (repo / ".git/parallel-impl").rglob("*") if path.is_file()]
    assert [path for path in written if b"only-for-agents" in path.read_bytes()] == []


def test_a_feature_branch_that_is_checked_out_is_not_moved(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    git(repo, "switch", "--quiet", "-c", "openspec/fix-typos")
    base = git(repo, "rev-parse", "HEAD")
    before = users_side(repo)
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert git(repo, "rev-parse", "openspec/fix-typos") == base
    assert git(repo, "status", "--porcelain") == ""
    assert users_side(repo) == before
    (line,) = {line.strip() for line in said.splitlines() if line.strip().startswith("git -C ")}
    subprocess.run(line, shell=True, check=True, cwd=tmp_path)  # noqa: S602  (the line that users are told to type)
    assert (repo / "guide.md").read_text() == "# Guide\n\nHow to begin.\n"
    proven = git(repo, "rev-parse", "HEAD")
    (repo / "more.md").write_text("The user goes on.\n")
    tip = commit_all(repo, "More")
    again = tool(repo, "implement", "fix-typos", "--agent", "command: false")
    assert again.returncode == 0, again.stderr
    told = f"Landed: openspec/fix-typos has {proven[:12]}: 2 packages"
    assert told in again.stderr
    assert f"1 commit on top that this run has not proven, up to {tip[:12]}" in again.stderr
    assert git(repo, "rev-parse", "openspec/fix-typos") == tip


def test_the_plan_is_denied_to_every_package(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    plan = "openspec/changes/fix-typos/work-packages.yaml"
    edit(repo / plan, ("write_allow: [guide.md]", 'write_allow: ["**"]'))
    commit_all(repo, "A wide scope")
    done = tool(
        repo,
        "implement",
        "fix-typos",
        "--agent",
        command(tmp_path / "agent.sh", NO_CONTRACTS + f"test $1 != wp-guide || echo '# edited' >> {plan}\n"),
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "SCOPE_VIOLATION" in said
    assert plan in said
    assert refs(repo, "refs/heads") == HEADS


def test_the_scope_that_counts_is_the_one_of_the_base(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    plan = repo / "openspec/changes/fix-typos/work-packages.yaml"
    edit(plan, ("write_allow: [guide.md]", "write_allow: [guide.md, extra.md]"))  # not committed
    agent = command(tmp_path / "agent.sh", NO_CONTRACTS + "echo more > extra.md\n")
    done = tool(repo, "implement", "fix-typos", "--agent", agent)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "SCOPE_VIOLATION" in said
    assert "extra.md" in said


def test_edits_of_the_task_list_are_left_out_and_listed(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    tasks = "openspec/changes/fix-typos/tasks.md"
    agent = command(tmp_path / "agent.sh", NO_CONTRACTS + f"echo '- [x] 9.9 Mine' >> {tasks}\n")
    done = tool(repo, "implement", "fix-typos", "--agent", agent)
    assert done.returncode == 0, done.stdout + done.stderr
    before, landed = (git(repo, "show", f"{at}:{tasks}") for at in ("main", "openspec/fix-typos"))
    assert landed == before.replace("[ ]", "[x]")  # the boxes that we tick, and nothing of the agent's
    assert tasks in (attempt(repo, "wp-guide") / "result.json").read_text()


def test_a_worktree_that_cannot_be_taken_is_kept_whole_and_named(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    edit(
        repo / "openspec/changes/fix-typos/work-packages.yaml",
        ("write_allow: [guide.md]", "write_allow: [guide.md]\n    retry_budget: 0"),
    )
    commit_all(repo, "No retry")
    agent = command(tmp_path / "agent.sh", NO_CONTRACTS + "git init -q nested && echo work > nested/work\n")
    done = tool(repo, "implement", "fix-typos", "--agent", agent)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    kept = tmp_path / "no-contracts.worktrees/fix-typos/.kept/wp-guide.1/no-contracts"
    assert str(kept) in (repo / ".git/parallel-impl/fix-typos/summary.md").read_text()
    assert (kept / "nested/work").read_text() == "work\n"

    assert tool(repo, "cleanup", "fix-typos").returncode == 1
    assert (kept / "nested/work").exists()
    assert tool(repo, "cleanup", "fix-typos", "--force").returncode == 0
    assert not kept.exists()


def test_a_planted_hook_or_program_in_the_users_configuration_halts_the_run(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    agent = command(
        tmp_path / "agent.sh",
        NO_CONTRACTS + f"git --git-dir='{repo}/.git' config core.fsmonitor /tmp/planted\ntouch '{tmp_path}/'\"$1\"\n",
    )
    done = tool(repo, "implement", "fix-typos", "--agent", agent)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "core.fsmonitor" in said
    assert (tmp_path / "wp-guide").exists()
    assert not (tmp_path / "wp-index").exists()
    assert refs(repo, "refs/heads") == HEADS


def test_what_an_agent_does_with_git_stays_in_its_own_repository(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    before = users_side(repo)
    script = (
        "git config core.hooksPath /tmp/nowhere\n"
        "git tag planted && git branch planted\n"
        "echo stashed > index.md && git stash -q\n"
        "git push -q origin HEAD:refs/heads/pushed 2>/dev/null && exit 9\n" + NO_CONTRACTS + "git commit -qam done\n"
    )
    done = tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "agent.sh", script))
    assert done.returncode == 0, done.stdout + done.stderr
    assert users_side(repo) == before
    assert refs(repo, "refs/heads", "refs/tags", "refs/stash") == ["refs/heads/main", "refs/heads/openspec/fix-typos"]
    assert "done" not in git(repo, "log", "--format=%s", "openspec/fix-typos").splitlines()


def test_the_users_hooks_are_never_run(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    hooks = repo / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-checkout", "pre-commit", "post-commit", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> '{tmp_path}/hooks'\nexit 1\n")
        (hooks / name).chmod(0o755)
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "hooks").exists()


def test_the_users_unfinished_work_is_neither_taken_nor_touched(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    (repo / "guide.md").write_text("half a sentence\n")
    (repo / "staged.md").write_text("staged\n")
    git(repo, "add", "staged.md")
    (repo / "new.md").write_text("untracked\n")
    before = users_side(repo)
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert users_side(repo) == before
    assert git(repo, "show", "openspec/fix-typos:guide.md") == "# Guide\n\nHow to begin."
    assert "staged.md" not in git(repo, "ls-tree", "-r", "--name-only", "openspec/fix-typos").splitlines()


def test_a_change_folder_that_is_not_committed_is_refused_with_the_commands_that_do_it(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    git(repo, "rm", "-r", "-q", "--cached", "openspec/changes/fix-typos")
    git(repo, "commit", "-q", "-m", "The change is not committed")
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "git add" in said
    assert "git commit" in said
    assert refs(repo) == HEADS


def test_a_dry_run_starts_no_agent_and_leaves_no_trace(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    before = users_side(repo)
    agent = command(tmp_path / "agent.sh", f"touch '{tmp_path}/ran'\n")
    done = tool(repo, "implement", "fix-typos", "--dry-run", "--agent", agent)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "wp-guide" in said
    assert not (tmp_path / "ran").exists()
    assert refs(repo) == HEADS
    assert users_side(repo) == before
    assert not (repo / ".git/parallel-impl/fix-typos/journal.jsonl").exists()


def test_an_interrupted_run_goes_on_and_runs_no_accepted_package_again(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    script = f"echo \"$1\" >> '{tmp_path}/started'\n" + NO_CONTRACTS
    waiting = script + f"test \"$1\" = wp-guide || {{ touch '{tmp_path}/up'; sleep 60; }}\n"
    first = start(repo, "implement", "fix-typos", "--agent", command(tmp_path / "stop.sh", waiting))
    wait_for(tmp_path / "up", first)
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=60) == 130
    assert refs(repo, "refs/heads") == HEADS
    second = tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "go.sh", script))
    assert second.returncode == 0, second.stdout + second.stderr
    assert (tmp_path / "started").read_text().split() == ["wp-guide", "wp-index", "wp-index"]
    assert "refs/heads/openspec/fix-typos" in refs(repo)


def test_only_one_package_runs_with_what_it_needs_and_nothing_lands(tmp_path: Path) -> None:
    repo = make_repository("diamond", tmp_path)
    done = tool(repo, "implement", "add-greeting", "--only", "wp-formal", "--agent", replay("diamond"))
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert refs(repo, "refs/heads") == HEADS
    assert refs(repo, "refs/parallel-impl/add-greeting/packages") == [
        "refs/parallel-impl/add-greeting/packages/wp-formal",
        "refs/parallel-impl/add-greeting/packages/wp-words",
    ]


def test_json_puts_events_on_stdout_and_nothing_else(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    done = tool(repo, "implement", "fix-typos", "--json", "--agent", replay("no-contracts"))
    assert done.returncode == 0, done.stderr
    kinds = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert kinds[0] == "run-started"
    assert kinds[-1] == "landed"
    assert kinds.count("package-accepted") == 2


def test_cleanup_leaves_the_feature_branch_and_nothing_else(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    assert tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts")).returncode == 0
    done = tool(repo, "cleanup", "fix-typos")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not archived: openspec/fix-typos is not merged into main yet" in done.stdout
    assert refs(repo) == ["refs/heads/main", "refs/heads/openspec/fix-typos"]
    assert not (repo / ".git/parallel-impl/fix-typos").exists()
    assert os.listdir(tmp_path) == ["no-contracts"]  # noqa: PTH208
    assert tool(repo, "cleanup", "fix-typos", "--no-archive").returncode == 0


def test_cleanup_keeps_and_names_what_is_in_no_branch(tmp_path: Path) -> None:
    repo = make_repository("out-of-scope", tmp_path)
    assert tool(repo, "implement", "add-discount", "--agent", replay("out-of-scope")).returncode == 1
    before = refs(repo, "refs/parallel-impl/add-discount/packages", "refs/parallel-impl/add-discount/attempts")
    done = tool(repo, "cleanup", "add-discount")
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "wp-price" in said
    assert "wp-discount" in said
    assert refs(repo, "refs/parallel-impl/add-discount/packages", "refs/parallel-impl/add-discount/attempts") == before
    forced = tool(repo, "cleanup", "add-discount", "--force")
    assert forced.returncode == 0, forced.stdout + forced.stderr
    assert refs(repo) == HEADS


def test_a_ref_of_ours_that_an_agent_deletes_halts_the_run(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    ours = "refs/parallel-impl/fix-typos/packages/wp-guide"
    deletes = f"[ $1 = wp-guide ] || git --git-dir='{repo}/.git' update-ref -d {ours}\n"
    done = tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "agent.sh", NO_CONTRACTS + deletes))
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"own-refs: {ours} was deleted" in done.stdout + done.stderr
    assert refs(repo, "refs/heads") == HEADS


def test_what_gates_do_to_the_repository_is_seen_before_anything_lands(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    gate = tmp_path / "gate.sh"
    gate.write_text(f"! grep -q '# Guide' guide.md || git --git-dir='{repo}/.git' config core.hooksPath /tmp/hooks\n")
    edit(repo / "parallel-impl.toml", ("gates.openspec = false", f'gates.openspec = false\ngates.check = "sh {gate}"'))
    commit_all(repo, "A gate")
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the repository was changed under the run" in done.stderr
    assert refs(repo, "refs/heads") == HEADS


def test_only_lands_nothing_even_when_it_leaves_nothing_out(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"), "--only", "wp-index")
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(refs(repo, "refs/parallel-impl/fix-typos/packages")) == 2
    assert refs(repo, "refs/heads") == HEADS


def test_secrets_in_the_command_line_and_in_what_agents_report_are_written_nowhere(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    edit(repo / "parallel-impl.toml", ("setup = []", 'setup = []\npass_env = ["MY_API_KEY"]'))
    commit_all(repo, "A key for agents")
    report = 'printf \'{"key": "%s"}\' "$MY_API_KEY" >"$PARALLEL_IMPL_RESULT_FILE"\n'
    agent = command(tmp_path / "agent.sh", NO_CONTRACTS + report) + " --key s3cr3tvalue99"
    done = tool(repo, "implement", "fix-typos", "--agent", agent, env={"MY_API_KEY": "s3cr3tvalue99"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "s3cr3tvalue99" not in done.stdout + done.stderr
    assert "s3cr3tvalue99" not in git(repo, "log", "--all", "--format=%B")
    state = repo / ".git/parallel-impl/fix-typos"
    ours = [path for path in state.rglob("*") if path.is_file() and path.name != "reported.json"]
    assert [path for path in ours if b"s3cr3tvalue99" in path.read_bytes()] == []
    assert json.loads((attempt(repo, "wp-guide") / "result.json").read_bytes())["result_keys"]["key"] == "***"


def test_a_gate_that_broke_or_failed_on_the_whole_runs_again_when_the_command_is_given_again(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    gate = tmp_path / "gate.sh"
    gate.write_text(f"echo x >>'{tmp_path}/runs'; ! grep -q '# Guide' guide.md || test -e '{tmp_path}/mended'\n")
    edit(repo / "parallel-impl.toml", ("gates.openspec = false", f'gates.openspec = false\ngates.check = "sh {gate}"'))
    commit_all(repo, "A gate")
    assert tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts")).returncode == 1
    (tmp_path / "mended").touch()
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    assert done.returncode == 0, done.stdout + done.stderr
    runs = len((tmp_path / "runs").read_text().splitlines())
    assert (
        runs == 5
    )  # each start looks at the base; a red candidate is looked at twice, then once more when it is green


def test_a_file_that_cannot_be_removed_keeps_nothing_else_from_landing(tmp_path: Path) -> None:
    repo, kept = make_repository("no-contracts", tmp_path), tmp_path / "no-contracts.worktrees/fix-typos/.kept"
    sticks = "mkdir -p node_modules; for f in node_modules/f $TMPDIR/f; do echo x >$f; chattr +i $f; done\n"
    probe = tmp_path / "probe"
    probe.touch()
    if subprocess.run(["chattr", "+i", probe], check=False, capture_output=True).returncode:
        pytest.skip("files cannot be made immutable here")
    subprocess.run(["chattr", "-i", probe], check=True)
    try:
        (tmp_path / "t").mkdir()
        env, agent = {"TMPDIR": str(tmp_path / "t")}, command(tmp_path / "agent.sh", NO_CONTRACTS + sticks)
        done = tool(repo, "implement", "fix-typos", "--agent", agent, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        sticking = CHOSEN is not Means.OVERLAY  # there it is the view that keeps the file, and ends
        assert (f"moved to {kept}/wp-guide.1" in done.stderr) is sticking
        assert (kept / "wp-guide.1/no-contracts/node_modules/f").exists() is sticking
        assert "  note: wp-guide: could not be removed: " in done.stderr
        left = [f"could not be removed: {folder}: " for folder in (tmp_path / "t").iterdir()]
        assert len(left) == 2
        assert all(line in done.stderr for line in left)
        for words in (("implement", "fix-typos"), ("implement", "fix-typos", "--abort")):
            again = tool(repo, *words, env=env)
            assert again.returncode in (0, 2)
            assert all(line in again.stderr for line in left)
        cleaned = tool(repo, "cleanup", "fix-typos", "--force", env=env)
        assert cleaned.returncode == int(sticking)
        assert (f"kept {kept}: could not be removed" in cleaned.stdout) is sticking
    finally:
        subprocess.run(["chattr", "-R", "-i", tmp_path], check=False, capture_output=True)
