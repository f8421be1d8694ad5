"""Each fixture repository through the real command line: what its `about.md` promises."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from parallel_impl.views.view import Means
from tests.means import CHOSEN
from tests.repository import FIXTURES, command, commit_all, git, make_repository, refs, replay, tool, users_side


def files(repo: Path, commit: str) -> list[str]:
    """The paths of a commit outside `openspec/`, in git's order."""
    found = git(repo, "ls-tree", "-r", "-z", "--name-only", commit).split("\0")
    return [path for path in found if path and not path.startswith("openspec/")]


def packages_on(repo: Path, branch: str) -> list[str]:
    """The packages that were merged into a branch after `main`, oldest first, by the trailer of their commits."""
    merges = git(repo, "rev-list", "--reverse", "--merges", "--first-parent", f"main..{branch}").splitlines()
    shown = "--format=%(trailers:key=Work-Package,valueonly,separator=%x2C)"
    return [git(repo, "log", "-1", shown, f"{merge}^2") for merge in merges]


def result(repo: Path, change: str, package: str, attempt: int = 1) -> dict[str, object]:
    path = repo / ".git/parallel-impl" / change / "attempts" / package / str(attempt) / "result.json"
    content = json.loads(path.read_text())
    assert isinstance(content, dict)
    return content


def test_diamond_lands_one_merge_for_each_package_in_topological_order(tmp_path: Path) -> None:
    repo = make_repository("diamond", tmp_path)
    before = users_side(repo)
    done = tool(repo, "implement", "add-greeting", "--agent", replay("diamond"))
    assert done.returncode == 0, done.stdout + done.stderr
    branch = "openspec/add-greeting"
    assert packages_on(repo, branch) == ["wp-words", "wp-casual", "wp-formal", "wp-integration"]
    assert files(repo, branch) == [
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "src/greet/__init__.py",
        "src/greet/casual.py",
        "src/greet/cli.py",
        "src/greet/formal.py",
        "src/greet/words.py",
        "tests/test_casual.py",
        "tests/test_cli.py",
        "tests/test_formal.py",
        "tests/test_package.py",
        "tests/test_words.py",
    ]
    assert users_side(repo) == before
    assert list((tmp_path / "diamond.worktrees").rglob("*.py")) == []

    landed = git(repo, "rev-parse", branch)
    again = tool(repo, "implement", "add-greeting", "--agent", replay("diamond"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert git(repo, "rev-parse", branch) == landed
    assert "landed" in again.stdout + again.stderr
    assert "started" not in again.stdout


def test_work_outside_its_scope_fails_with_every_path_and_cancels_what_depends_on_it(tmp_path: Path) -> None:
    repo = make_repository("out-of-scope", tmp_path)
    before = users_side(repo)
    done = tool(repo, "implement", "add-discount", "--agent", replay("out-of-scope"))
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "SCOPE_VIOLATION" in said
    assert "README.md" in said
    assert "src/shop/price.py" in said
    assert "2 paths are outside the scope: README.md: outside write_allow …\n" in done.stdout
    assert "its work: git show refs/parallel-impl/add-discount/attempts/wp-discount/1" in said
    assert "wp-receipt  cancelled" in said
    assert refs(repo, "refs/heads") == ["refs/heads/main"]
    kept = refs(repo, "refs/parallel-impl/add-discount/")
    assert "refs/parallel-impl/add-discount/attempts/wp-discount/1" in kept
    assert "refs/parallel-impl/add-discount/packages/wp-price" in kept
    assert "refs/parallel-impl/add-discount/packages/wp-discount" not in kept
    assert result(repo, "add-discount", "wp-discount")["error_code"] == "SCOPE_VIOLATION"
    assert users_side(repo) == before


def test_a_file_moved_out_of_another_scope_fails_with_its_old_path(tmp_path: Path) -> None:
    repo = make_repository("rename-escape", tmp_path)
    done = tool(repo, "implement", "tidy-parsers", "--agent", replay("rename-escape"))
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "SCOPE_VIOLATION" in said
    assert "src/legacy/csv_parser.py" in said
    assert refs(repo, "refs/heads") == ["refs/heads/main"]
    assert "refs/parallel-impl/tidy-parsers/packages/wp-docs" in refs(repo)


def test_a_file_against_a_folder_names_both_packages_and_lands_nothing(tmp_path: Path) -> None:
    repo = make_repository("clash", tmp_path)
    done = tool(repo, "implement", "add-reports", "--agent", replay("clash"))
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    for name in ("wp-file", "wp-folder", "out/report", "out/report/summary.txt"):
        assert name in said
    assert refs(repo, "refs/heads") == ["refs/heads/main"]
    assert {
        "refs/parallel-impl/add-reports/packages/wp-file",
        "refs/parallel-impl/add-reports/packages/wp-folder",
    } <= set(refs(repo))


def moved_branch(repo: Path, tmp_path: Path, tree: str) -> str:
    """A commit on top of main with the files of `tree`, on no branch yet: what somebody else did meanwhile."""
    other = tmp_path / "somebody"
    git(tmp_path, "clone", "--quiet", str(repo), str(other))
    shutil.copytree(FIXTURES / "branch-moved" / tree, other, dirs_exist_ok=True)
    commit = commit_all(other, "Somebody else's work")
    git(repo, "fetch", "--quiet", str(other), f"{commit}:refs/somebody")
    return commit


def moving_agent(repo: Path, tmp_path: Path, commit: str) -> str:
    """Plays the recorded edits back, and moves the feature branch while `wp-notes` runs."""
    return command(
        tmp_path / "agent.sh",
        f"cp -R '{FIXTURES}/branch-moved/replay/'\"$1\"/1/. .\n"
        f"test \"$1\" != wp-notes || git --git-dir='{repo}/.git' update-ref refs/heads/openspec/add-units {commit}\n",
    )


def test_a_branch_that_moved_during_the_run_halts_once_and_is_then_merged_and_proven(tmp_path: Path) -> None:
    repo = make_repository("branch-moved", tmp_path)
    commit = moved_branch(repo, tmp_path, "moved")
    halted = tool(repo, "implement", "add-units", "--agent", moving_agent(repo, tmp_path, commit))
    assert halted.returncode == 1, halted.stdout + halted.stderr
    assert "1 path differs: docs/changes.md" in halted.stderr
    assert git(repo, "rev-parse", "openspec/add-units") == commit
    done = tool(repo, "implement", "add-units")  # the same command is the consent
    assert done.returncode == 0, done.stdout + done.stderr
    git(repo, "merge-base", "--is-ancestor", commit, "openspec/add-units")
    assert git(repo, "show", "openspec/add-units:docs/changes.md") == "# Changes\n\nUnits are being added."
    assert git(repo, "show", "openspec/add-units:src/units/table.txt") == "metre 1\nkilometre 1000"
    assert "kilometre" in git(repo, "show", "openspec/add-units:src/units/notes.txt")


def test_a_branch_that_moved_against_the_work_stays_where_it_is(tmp_path: Path) -> None:
    repo = make_repository("branch-moved", tmp_path)
    commit = moved_branch(repo, tmp_path, "moved-clash")
    assert tool(repo, "implement", "add-units", "--agent", moving_agent(repo, tmp_path, commit)).returncode == 1
    done = tool(repo, "implement", "add-units")
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "src/units/table.txt" in said
    assert git(repo, "rev-parse", "openspec/add-units") == commit
    assert "refs/parallel-impl/add-units/candidate" in refs(repo)


def test_a_gate_that_fails_on_the_whole_leaves_the_branch_and_names_the_test(tmp_path: Path) -> None:
    repo = make_repository("failing-gate", tmp_path)
    before = users_side(repo)
    done = tool(repo, "implement", "add-cone", "--agent", replay("failing-gate"))
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "tests/test_cone.py::test_volume" in said
    assert refs(repo, "refs/heads") == ["refs/heads/main"]
    assert "refs/parallel-impl/add-cone/candidate" in refs(repo)
    assert files(repo, "refs/parallel-impl/add-cone/candidate") == [
        ".gitignore",
        "pyproject.toml",
        "src/solids/circle.py",
        "src/solids/cone.py",
        "src/solids/cylinder.py",
        "tests/test_cone.py",
        "tests/test_cylinder.py",
    ]
    assert users_side(repo) == before


def test_a_failure_of_the_base_blocks_nothing_and_is_counted(tmp_path: Path) -> None:
    repo = make_repository("old-failures", tmp_path)
    done = tool(repo, "implement", "add-total", "--agent", replay("old-failures"))
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((repo / ".git/parallel-impl/add-total/summary.json").read_text())
    gates = {gate["name"]: gate for gate in summary["gates"]}
    assert (gates["pytest"]["verdict"], gates["pytest"]["old_failures"]) == ("passed", 1)
    assert gates["openspec"]["verdict"] == "switched off"
    assert packages_on(repo, "openspec/add-total") == ["wp-total"]


@pytest.mark.parametrize("subcommand", [("validate",), ("implement", "--agent", "command: true")])
def test_a_lock_that_two_parallel_packages_hold_is_refused_before_anything_is_written(
    tmp_path: Path, subcommand: tuple[str, ...]
) -> None:
    repo = make_repository("shared-lock", tmp_path)
    before = users_side(repo), refs(repo)
    done = tool(repo, subcommand[0], "add-tables", *subcommand[1:])
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    for text in ("wp-orders", "wp-invoices", "db:migration-slot", "depends_on", "work-packages.yaml:"):
        assert text in said
    assert (users_side(repo), refs(repo)) == before
    assert not (repo / ".git/parallel-impl/add-tables/journal.jsonl").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["shared-lock"]


def test_odd_names_land_byte_for_byte(tmp_path: Path) -> None:
    repo = make_repository("odd-names", tmp_path)
    edits = tmp_path / "replay"
    shutil.copytree(FIXTURES / "odd-names" / "replay", edits)
    (edits / "wp-letters/1/letters/two\nlines").write_text("newline\n")
    (edits / "wp-letters/1/letters/latin-\udce9").write_text("no UTF-8\n")
    done = tool(repo, "implement", "rename-pages", "--agent", f"replay: {edits}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert files(repo, "openspec/rename-pages") == [
        ".gitignore",
        "letters/latin-\udce9",
        "letters/two\nlines",
        "letters/é/à la carte.md",
        "letters/日本/手紙.md",
        "letters/日本/返事.md",
        'pages/"quoted"/it\'s "here".md',
        "pages/-rf/--help",
        "pages/-rf/page.md",
        "pages/[id]/page.md",
        "pages/two words/a page.md",
        "pages/two words/another page.md",
        "parallel-impl.toml",
    ]
    assert git(repo, "show", "openspec/rename-pages:letters/é/à la carte.md") == "Œuf."


def test_a_change_without_contracts_steps_and_gates_lands_and_says_so(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "wp-index" in next(line for line in said.splitlines() if "warning" in line and "verification step" in line)
    assert packages_on(repo, "openspec/fix-typos") == ["wp-guide", "wp-index"]
    assert "openspec" in (repo / ".git/parallel-impl/fix-typos/summary.md").read_text()


def test_contracts_that_a_package_writes_need_not_exist_before(tmp_path: Path) -> None:
    repo = make_repository("contracts-package", tmp_path)
    done = tool(repo, "implement", "add-parcels", "--agent", replay("contracts-package"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert packages_on(repo, "openspec/add-parcels") == ["wp-contracts", "wp-client", "wp-server"]
    summary = json.loads((repo / ".git/parallel-impl/add-parcels/summary.json").read_text())
    assert [contract["path"] for contract in summary["contracts"]] == [
        "contracts/openapi.yaml",
        "contracts/events/parcel-moved.schema.json",
    ]


def test_a_contract_that_is_not_sound_is_not_accepted(tmp_path: Path) -> None:
    repo = make_repository("contracts-package", tmp_path)
    edits = FIXTURES / "contracts-package" / "replay-invalid"
    done = tool(repo, "implement", "add-parcels", "--agent", f"replay: {edits}")
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "contracts/openapi.yaml" in said
    assert "wp-server  cancelled" in said
    assert "wp-client  cancelled" in said
    assert refs(repo, "refs/heads") == ["refs/heads/main"]


def test_what_set_up_makes_is_in_every_checkout_and_never_gets_into_a_commit(tmp_path: Path) -> None:
    repo = make_repository("needs-set-up", tmp_path)
    done = tool(repo, "implement", "add-rates", "--agent", replay("needs-set-up"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert files(repo, "openspec/add-rates") == [
        ".gitignore",
        "parallel-impl.toml",
        "rates.csv",
        "tax/__init__.py",
        "tax/table.py",
        "test_books.py",
        "test_table.py",
        "test_tax.py",
        "tools/generate.py",
    ]
    summary = json.loads((repo / ".git/parallel-impl/add-rates/summary.json").read_text())
    seconds = [attempt["setup_seconds"] for package in summary["packages"] for attempt in package["attempts"]]
    assert all(seconds) if CHOSEN is Means.EACH else not all(seconds)


def test_a_step_whose_program_set_up_did_not_make_is_refused_before_an_agent_starts(tmp_path: Path) -> None:
    repo = make_repository("needs-set-up", tmp_path)
    (repo / "parallel-impl.toml").write_text("setup = []\ngates.openspec = false\n")
    commit_all(repo, "No set-up")
    done = tool(repo, "implement", "add-rates", "--agent", command(tmp_path / "agent.sh", f"touch '{tmp_path}/ran'"))
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert ".venv/bin/python" in said
    assert not (tmp_path / "ran").exists()
    assert refs(repo, "refs/heads") == ["refs/heads/main"]


def test_the_demonstration_retries_one_package_and_lands(tmp_path: Path) -> None:
    repo = make_repository("demo", tmp_path)
    done = tool(repo, "implement", "add-orders", "--agent", replay("demo"))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "wp-pricing  attempt 1 failed" in said
    assert packages_on(repo, "openspec/add-orders") == [
        "wp-contracts",
        "wp-pricing",
        "wp-requests",
        "wp-store",
        "wp-integration",
    ]
    summary = json.loads((repo / ".git/parallel-impl/add-orders/summary.json").read_text())
    attempts = {package["id"]: len(package["attempts"]) for package in summary["packages"]}
    assert attempts == {"wp-contracts": 1, "wp-store": 1, "wp-pricing": 2, "wp-requests": 1, "wp-integration": 1}
    assert summary["fence"] == "not fenced"
    assert any("place an order with curl" in line for line in summary["for_a_person"])
