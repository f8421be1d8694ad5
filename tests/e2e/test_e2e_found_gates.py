"""Gates that are found in a JavaScript package: what breaks its tests never lands, what judges nothing is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.repository import command, commit_all, init, tool

CHANGE = "add-note"
FOLDER = f"openspec/changes/{CHANGE}"
PLAN = """\
schema_version: 1
feature: {id: add-note}
packages:
  - package_id: wp-sum
    description: Do it.
    retry_budget: 0
    scope: {write_allow: [sum.js, note.txt]}
    verification: {steps: [{name: note, kind: command, command: test -f note.txt}]}
"""
TEST = """\
const {test} = require('node:test');
test('adds', () => { if (require('./sum.js')(1, 2) !== 3) throw new Error('no') });
"""
FILES = {
    "parallel-impl.toml": "gates.openspec = false\n",
    "package.json": json.dumps(
        {"scripts": {"test": "node --test", "lint": "echo old; exit 1", "typecheck": "test -f note.txt"}}
    ),
    "sum.js": "module.exports = (a, b) => a + b;\n",
    "sum.test.js": TEST,
    f"{FOLDER}/proposal.md": "# Change: Add a note\n\n## Why\n\nNobody wrote one.\n",
    f"{FOLDER}/tasks.md": "## 1. Note\n\n- [ ] 1.1 Write it\n",
    f"{FOLDER}/work-packages.yaml": PLAN,
}

pytestmark = pytest.mark.skipif(not shutil.which("npm"), reason="there is no npm")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    init(folder)
    commit_all(folder, "The state before the change")
    return folder


def test_a_javascript_package_that_breaks_its_tests_does_not_land(repo: Path) -> None:
    agent = command(repo.parent / "agent.sh", "echo x >note.txt\nsed -i 's/a + b/a - b/' sum.js\n")

    done = tool(repo, "implement", CHANGE, "--agent", agent)

    assert done.returncode == 1
    assert "gate npm-test: failed: 1 new\n    adds: no\n" in done.stderr


def test_a_found_gate_that_judges_nothing_is_named_in_the_last_lines(repo: Path) -> None:
    agent = command(repo.parent / "agent.sh", "echo x >note.txt\n")

    done = tool(repo, "implement", CHANGE, "--agent", agent)

    assert done.returncode == 0, done.stderr
    why = "red (exit 1) on the base, and nobody can read which of its failures are old"
    assert "proven by npm-test; gate npm-" in done.stderr
    assert f"; gate npm-lint was switched off: {why}" in done.stderr
    assert f"; gate npm-typecheck was switched off: {why}; it passes on the whole, which is no proof" in done.stderr
    assert f"note: gate npm-lint is switched off: it is {why}; repair it, or" in done.stderr


def test_a_repository_that_nothing_tests_lands_with_that_word(repo: Path) -> None:
    (repo / "package.json").write_text('{"dependencies": {"one": "1"}}')
    commit_all(repo, "Nothing tests it")
    agent = command(repo.parent / "agent.sh", "echo x >note.txt\n")

    done = tool(repo, "implement", CHANGE, "--agent", agent)

    assert "no test gate on the whole" in done.stderr
    assert "no test gate was found: nothing tests the whole before it lands" in done.stderr
    assert "package.json names dependencies, and there is no lock file" in done.stderr
    assert 'setup = ["npm install --no-package-lock"]' in done.stderr
