"""No green that was not earned: what the gates' verdicts let land, through the command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.repository import command, commit_all, git, init, tool

PYTEST = "env PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q -p no:cacheprovider"
CODE = {
    "src/m.py": "def f():\n    return 1\n",
    "src/k.py": "K = 1\n",
    "tests/test_m.py": "import m\n\n\ndef test_f():\n    assert m.f() == 1\n",
    "pytest.ini": "[pytest]\npythonpath = src\ntestpaths = tests\n",
}
BREAK = "printf 'def f():\\n    return 2\\n' > src/m.py\n"


def repository(folder: Path, files: Mapping[str, str], gate: str = PYTEST, *packages: str) -> Path:
    """A repository with the change `c`; `packages` are `id|scope|step`, one by default."""
    repo = folder / "repo"
    plan = "schema_version: 1\nfeature: {id: c}\npackages:\n"
    for name, scope, step in (one.split("|") for one in packages or ("wp-a|src/**|true",)):
        plan += (
            f"  - package_id: {name}\n    description: d\n    retry_budget: 0\n"
            f"    scope: {{write_allow: [{scope}]}}\n"
            f'    verification: {{steps: [{{name: s, kind: command, command: "{step}"}}]}}\n'
        )
    config = f"setup = []\ngates.openspec = false\ngates.pytest = {{command = '{gate}', parser = 'pytest'}}\n"
    change = {"openspec/changes/c/proposal.md": "# c\n", "openspec/changes/c/work-packages.yaml": plan}
    for path, text in {**CODE, **files, **change, "parallel-impl.toml": config}.items():
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / path).write_text(text)
    init(repo)
    commit_all(repo, "The state before the change")
    return repo


def implement(repo: Path, script: str, *args: str) -> subprocess.CompletedProcess[str]:
    return tool(repo, "implement", "c", "--agent", command(repo.parent / "agent.sh", script), *args)


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


def landed(repo: Path) -> bool:
    return bool(git(repo, "for-each-ref", "refs/heads/openspec/c"))


def test_a_gate_that_stops_at_an_old_failure_proves_nothing_and_says_what_to_write(tmp_path: Path) -> None:
    old = {"tests/test_a.py": "def test_old():\n    assert False\n"}
    repo = repository(tmp_path, old, f"{PYTEST} -x")

    done = implement(repo, BREAK)

    assert (done.returncode, landed(repo)) == (1, False), said(done)
    assert "gate pytest: not proven" in said(done)
    assert "gate pytest is red on the base, and nothing can land until it is green" in said(done)
    assert f'gates.pytest = {{command = "{PYTEST} --maxfail=0", parser = "pytest"}}' in said(done)


def test_a_failure_that_the_base_shows_only_once_excuses_nothing(tmp_path: Path) -> None:
    once = (
        "import pathlib\nimport m\n\n\ndef test_f():\n    seen = pathlib.Path('@')\n"
        "    if not seen.exists():\n        seen.touch()\n        raise OSError('the port is in use')\n"
        "    assert m.f() == 1\n"
    ).replace("@", str(tmp_path / "once"))
    repo = repository(tmp_path, {"tests/test_m.py": once})
    wait = f"for _ in $(seq 600); do test -e '{tmp_path}/once' && break; sleep 0.1; done\n"

    done = implement(repo, wait + BREAK)

    assert (done.returncode, landed(repo)) == (1, False), said(done)
    assert "tests/test_m.py::test_f: assert 2 == 1" in said(done)
    assert "(on the base it failed only once of two times)" in said(done)


def test_old_failures_and_a_test_that_is_unstable_on_both_sides_land(tmp_path: Path) -> None:
    # fails in each first session of a checkout and passes in the second one
    shaky = (
        "import pathlib\n\n\ndef test_shaky():\n"
        "    seen = pathlib.Path('.pytest_cache/seen')\n    seen.parent.mkdir(exist_ok=True)\n"
        "    first = not seen.exists()\n    seen.touch()\n    assert not first\n\n\n"
        "def test_old():\n    assert False\n"
    )
    repo = repository(tmp_path, {"tests/test_a.py": shaky})

    done = implement(repo, "echo '# more' >> src/m.py\n")

    assert (done.returncode, landed(repo)) == (0, True), said(done)
    assert "proven by pytest; pytest: 1 test unstable on the base" in said(done)
    summary = (repo / ".git/parallel-impl/c/summary.md").read_text()
    assert "### Unstable on the base in pytest" in summary
    assert "1 failed on the base already; 1 unstable on the base" in summary


def test_a_test_that_fails_and_then_passes_is_flaky_and_blocks(tmp_path: Path) -> None:
    repo = repository(tmp_path, {}, PYTEST, "wp-a|src/**, tests/**|true")
    shaky = (
        "import pathlib\n\n\ndef test_new():\n"
        f"    seen = pathlib.Path('{tmp_path}/seen')\n    first = not seen.exists()\n"
        "    seen.touch()\n    assert not first\n"
    )
    (tmp_path / "shaky.py").write_text(shaky)

    done = implement(repo, f"cp '{tmp_path}/shaky.py' tests/test_new.py\n")

    assert (done.returncode, landed(repo)) == (1, False), said(done)
    assert "gate pytest: flaky: 1 test failed and then passed" in said(done)


def test_tests_of_a_packages_own_steps_are_asked_for_on_the_whole(tmp_path: Path) -> None:
    repo = repository(
        tmp_path,
        {},
        PYTEST,
        f"wp-a|tests/test_new.py|{PYTEST} tests/test_new.py",
        "wp-b|src/k.py, pytest.ini|true",
    )
    script = (
        "case $1 in\n"
        "wp-a) printf 'import k\\ndef test_k():\\n    assert k.K == 1\\n' > tests/test_new.py ;;\n"
        "wp-b) echo 'K = 2' > src/k.py; echo 'addopts = --ignore=tests/test_new.py' >> pytest.ini ;;\n"
        "esac\n"
    )

    done = implement(repo, script)

    assert (done.returncode, landed(repo)) == (1, False), said(done)
    assert "tests/test_new.py::test_k: passed in the steps of wp-a" in said(done)


def test_a_removed_file_says_in_the_headline_how_many_tests_went_with_it(tmp_path: Path) -> None:
    more = {"tests/test_more.py": "def test_x():\n    pass\n"}
    repo = repository(tmp_path, more, PYTEST, "wp-a|src/**, tests/**|true")

    done = implement(repo, "rm tests/test_m.py\n" + BREAK)

    assert (done.returncode, landed(repo)) == (0, True), said(done)
    assert "pytest: tests/test_m.py was removed: 1 passing test is gone" in said(done)


def test_a_test_that_is_gone_blocks_until_it_is_accepted_by_name(tmp_path: Path) -> None:
    both = {"tests/test_m.py": f"{CODE['tests/test_m.py']}\n\ndef test_g():\n    assert m.f() == 1\n"}
    repo = repository(tmp_path, both, PYTEST, "wp-a|src/**, tests/**|true")
    gone = "tests/test_m.py::test_g is gone: tests/test_m.py runs 1 of 2 passing tests"

    done = implement(repo, "sed -i '/def test_g/,$d' tests/test_m.py\n")

    assert (done.returncode, landed(repo)) == (1, False), said(done)
    assert f"gate pytest: gone: 1 test of the base no longer runs\n    {gone}" in said(done)
    again = implement(repo, "exit 1\n", "--accept", "pytest")
    assert (again.returncode, landed(repo)) == (0, True), said(again)
    assert "pytest: accepted by name: gone: tests/test_m.py::test_g is gone" in said(again)
    assert "### Accepted by name of pytest" in (repo / ".git/parallel-impl/c/summary.md").read_text()


def test_a_run_that_was_killed_when_its_branch_had_moved_has_landed_with_the_verdicts_of_its_journal(
    tmp_path: Path,
) -> None:
    repo = repository(tmp_path, {})
    state = repo / ".git/parallel-impl/c"
    assert implement(repo, "echo '# more' >> src/m.py\n").returncode == 0
    tip, before = git(repo, "rev-parse", "openspec/c"), json.loads((state / "summary.json").read_bytes())
    lines = (state / "journal.jsonl").read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"event":"landed"' not in line]
    assert len(kept) == len(lines) - 1
    (state / "journal.jsonl").write_bytes(b"".join(kept))
    for name in ("summary.json", "summary.md"):
        (state / name).unlink()

    done = implement(repo, "exit 1\n")

    assert (done.returncode, git(repo, "rev-parse", "openspec/c")) == (0, tip), said(done)
    assert "proven by pytest" in said(done)
    assert json.loads((state / "summary.json").read_bytes())["gates"] == before["gates"]
    started = [one for one in map(json.loads, (state / "journal.jsonl").read_bytes().splitlines())
               if (one["event"], one.get("on")) == ("gate-started", "candidate")]  # fmt: skip
    assert len(started) == 1  # no gate ran again, and no report on the disk was read


def test_a_gate_without_a_test_is_no_proof(tmp_path: Path) -> None:
    repo = repository(tmp_path, {"tests/test_m.py": "x = 1\n"})

    done = implement(repo, BREAK)

    assert (done.returncode, landed(repo)) == (0, True), said(done)
    assert "no gate ran on the whole tree" in said(done)
    assert "proven by" not in said(done)


def test_secrets_are_masked_after_reports_are_read(tmp_path: Path) -> None:
    repo = repository(tmp_path, {})
    agent = command(tmp_path / "agent.sh", BREAK)

    done = tool(repo, "implement", "c", "--agent", agent, env={"DB_PASSWORD": "test_f"})

    assert (done.returncode, landed(repo)) == (1, False), said(done)
    assert "gate pytest: failed: 1 new" in said(done)
    assert "tests/test_m.py::***: assert 2 == 1" in said(done)
    assert "test_f" not in (repo / ".git/parallel-impl/c/journal.jsonl").read_text()


def test_a_test_that_is_gone_from_a_file_that_nobody_changed_blocks(tmp_path: Path) -> None:
    tests = (
        "import m\nimport pytest\n\n\n@pytest.mark.parametrize('name', m.NAMES)\ndef test_f(name):\n    assert m.f()\n"
    )
    code = f"{CODE['src/m.py']}\n\nNAMES = ['apple', 'pear']\n"
    repo = repository(tmp_path, {"src/m.py": code, "tests/test_m.py": tests})

    done = implement(repo, "sed -i s/pear/plum/ src/m.py\n")

    assert (done.returncode, landed(repo)) == (1, False), said(done)
    assert "gate pytest: gone: 1 test of the base no longer runs" in said(done)
    assert "tests/test_m.py::test_f[pear]" in said(done)


UNITTEST = (
    "import sys, unittest\nsys.path.insert(0, 'src')\nimport @\n\n\nclass T(unittest.TestCase):\n"
    "    def test_it(self):\n        self.assertEqual(@.@, 1)\n"
)


def of_unittest(folder: Path, *packages: str) -> Path:
    """A repository whose only gate is read by nobody: it runs one test of unittest."""
    test = UNITTEST.replace("@.@", "m.f()").replace("@", "m")
    repo = repository(folder, {"tests/test_m.py": test}, PYTEST, *packages)
    gate = "gates.tests = 'python -m unittest discover -s tests -p test_m.py'\n"
    (repo / "parallel-impl.toml").write_text(f"setup = []\ngates.openspec = false\ngates.pytest = false\n{gate}")
    commit_all(repo, "A gate that is not read")
    return repo


def test_a_gate_that_nobody_reads_runs_no_fewer_tests_than_on_the_base(tmp_path: Path) -> None:
    done = implement(of_unittest(tmp_path, "wp-a|tests/**|true"), "echo 'import unittest' > tests/test_m.py\n")

    assert done.returncode == 1, said(done)
    assert "gate tests: failed: no test passed, on the base 1 did" in said(done)


def test_a_step_whose_tests_nobody_reads_is_asked_again_where_no_gate_ran_its_files(tmp_path: Path) -> None:
    step = "python -m unittest tests/test_k.py"
    repo = of_unittest(tmp_path, f"wp-a|tests/test_k.py|{step}", "wp-b|src/k.py|true")
    test = UNITTEST.replace("@.@", "k.K").replace("@", "k").replace("\n", "\\n")
    script = (
        f'case $PARALLEL_IMPL_PACKAGE in wp-a) printf "{test}" > tests/test_k.py;; *) echo "K = 2" > src/k.py;; esac\n'
    )

    done = implement(repo, script)

    assert done.returncode == 1, said(done)
    assert "gate steps of wp-a: failed: 1 of its tests" in said(done)
    assert "tests/test_k.py: passed in the steps of wp-a" in said(done)
