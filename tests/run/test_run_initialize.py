"""`parallel-impl init`: what it writes, what it asks before, and what it leaves as it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from parallel_impl import config
from parallel_impl.agents import readiness
from parallel_impl.errors import UserError
from parallel_impl.git.repo import Repo
from parallel_impl.openspec import workflow
from parallel_impl.run.inspect import initialize
from parallel_impl.run.inspect.initialize import InitReport
from tests.repository import commit_all, init, tool

SCHEMA = """\
name: parallel-packages
version: 1
description: Default OpenSpec workflow
artifacts:
  # the first
  - id: proposal
    generates: "proposal.md"
    template: proposal.md
    requires: []

apply:
  requires: [ tasks ]
  tracks: tasks.md
"""
OPENSPEC = f"""#!/bin/sh
set -eu
test "$*" = "schema fork spec-driven parallel-packages --json"
mkdir -p openspec/schemas/parallel-packages/templates
echo '# Proposal' > openspec/schemas/parallel-packages/templates/proposal.md
cat > openspec/schemas/parallel-packages/schema.yaml <<'END'
{SCHEMA}END
echo '{{}}'
"""
Place = tuple[Path, Mapping[str, str]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    repo, program = tmp_path / "repo", tmp_path / "bin/openspec"
    program.parent.mkdir()
    program.write_text(OPENSPEC)
    program.chmod(0o755)
    (repo / "openspec/changes/old").mkdir(parents=True)
    init(repo)
    (repo / "openspec/config.yaml").write_text("# ours\nschema: spec-driven\ncontext: |\n  schema: no\n")
    (repo / "openspec/changes/old/.openspec.yaml").write_text("schema: spec-driven\ncreated: 2026-01-01\n")
    (repo / "pytest.ini").write_text("[pytest]\n")
    (repo / "uv.lock").write_text("")
    commit_all(repo, "base")
    return repo, {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def call(
    place: Place, change: str = "", *, skills: bool = False, replace: Callable[[str], bool] = lambda _: True
) -> InitReport:
    folder, env = place
    given = (Repo.discover(folder), folder, env)
    return initialize.initialize(*given, change_id=change, skills=skills, replace=replace)


def test_openspec_knows_our_artifacts_and_the_configuration_says_what_is_found(place: Place) -> None:
    folder, _ = place
    report = call(place)
    schema = (folder / "openspec/schemas/parallel-packages/schema.yaml").read_text()
    assert '  # the first\n  - id: proposal\n    generates: "proposal.md"\n' in schema
    assert "  - id: work-packages\n    generates: work-packages.yaml\n" in schema
    assert "requires: [tasks, work-packages]" in schema.replace("[ tasks", "[tasks").replace(" ]", "]")
    assert {path.name for path in (folder / "openspec/schemas/parallel-packages/templates").iterdir()} == {
        "contracts.md",
        "proposal.md",
        "work-packages.yaml",
    }
    text = (folder / "openspec/config.yaml").read_text()
    assert text == "# ours\nschema: parallel-packages\ncontext: |\n  schema: no\n"
    toml = (folder / "parallel-impl.toml").read_text()
    assert '# setup = ["uv sync --frozen"]' in toml
    assert '# gates.pytest = {command = "pytest -q", parser = "pytest"}   # found from pytest.ini' in toml
    assert config.read(toml.encode(), None).agent in ("", *readiness.INSTALL)
    live = "\n".join(
        line[2:] if line.startswith(("# jobs", "# setup", "# gates", "# limits")) else "" for line in toml.split("\n")
    )
    assert config.read(live.encode(), None).gates.keys() == {"pytest", "openspec"}
    assert any(line.startswith("    git add -- :/openspec/schemas/") for line in report.lines)
    assert (folder / "openspec/changes/old/.openspec.yaml").read_text() == "schema: spec-driven\ncreated: 2026-01-01\n"


def test_given_again_it_changes_nothing_and_asks_nothing(place: Place) -> None:
    call(place, "old", skills=True)

    def never(path: str) -> bool:
        raise AssertionError(path)

    again = call(place, "old", skills=True, replace=never)
    assert (again.written, again.left) == ([], [])
    assert again.lines == [f"{len(again.same)} files as wanted already"]


def test_an_older_change_is_pinned_to_the_schema_where_that_is_wanted(place: Place) -> None:
    folder, _ = place
    call(place, "old")
    text = (folder / "openspec/changes/old/.openspec.yaml").read_text()
    assert text == "schema: parallel-packages\ncreated: 2026-01-01\n"
    with pytest.raises(UserError, match=r"there is no change 'olt'"):
        call(place, "olt")


def test_what_differs_is_asked_about_and_left_where_the_answer_is_no(place: Place) -> None:
    folder, _ = place
    asked: list[str] = []

    def no(path: str) -> bool:
        asked.append(path)
        return False

    report = call(place, replace=no)
    assert asked == report.left == ["openspec/config.yaml"]
    assert "schema: spec-driven" in (folder / "openspec/config.yaml").read_text()


def test_nothing_is_written_through_a_link_that_leads_elsewhere(place: Place, tmp_path: Path) -> None:
    folder, _ = place
    (tmp_path / "elsewhere/commands").mkdir(parents=True)
    (folder / ".claude").symlink_to(tmp_path / "elsewhere")
    report = call(place, skills=True)
    assert [path for path in report.left if path.startswith(".claude/")] != []
    assert list((tmp_path / "elsewhere/commands").iterdir()) == []


@pytest.mark.parametrize(("text", "told"), [("a: [", "cannot be read as YAML"), ("name: x\n", "no list of artifacts")])
def test_a_schema_that_somebody_broke_is_named(text: str, told: str, place: Place) -> None:
    folder, _ = place
    schema = folder / "openspec/schemas/parallel-packages/schema.yaml"
    schema.parent.mkdir(parents=True)
    schema.write_text(text)
    with pytest.raises(UserError, match=rf"schema\.yaml: error: .*{told}"):
        call(place)


def test_a_text_that_is_no_utf_8_is_named(place: Place) -> None:
    folder, _ = place
    (folder / "openspec/config.yaml").write_bytes(b"schema: caf\xe9\n")
    with pytest.raises(UserError, match=r"config\.yaml: error: no UTF-8 text"):
        call(place)


def test_commands_go_where_the_agents_of_the_repository_look_for_them(place: Place) -> None:
    folder, _ = place
    (folder / ".claude").mkdir()
    written = call(place, skills=True).written
    assert [path for path in written if path.startswith(".")] == [
        ".claude/commands/parallel-implement.md",
        ".claude/commands/parallel-cleanup.md",
    ]
    text = (folder / ".claude/commands/parallel-implement.md").read_text()
    assert "`parallel-implement $ARGUMENTS`" in text
    (folder / ".agents").mkdir()
    call(place, skills=True)
    skill = (folder / ".agents/skills/parallel-cleanup/SKILL.md").read_text()
    assert skill.startswith("---\nname: parallel-cleanup\ndescription: ")
    assert "$ARGUMENTS" not in skill


def test_without_the_openspec_program_the_rest_is_written_and_the_line_is_told(place: Place) -> None:
    folder, _ = place
    report = call((folder, {"PATH": os.defpath}))
    assert report.written == ["parallel-impl.toml"]
    assert any("npm install -g @fission-ai/openspec; then give the same command again" in one for one in report.lines)


def test_a_folder_without_openspec_is_told_what_to_do(tmp_path: Path) -> None:
    init(tmp_path)
    done = tool(tmp_path, "init")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no openspec/ here\n    make it: " in done.stderr
    assert "openspec init" in done.stderr


def test_without_the_openspec_program_the_line_that_installs_it_comes_first(tmp_path: Path) -> None:
    init(tmp_path)
    with pytest.raises(UserError, match="there is no openspec/ here") as error:
        call((tmp_path, {"PATH": os.defpath}))
    assert "make it: npm install -g @fission-ai/openspec && openspec init" in str(error.value)


def test_a_script_has_to_say_yes(place: Place) -> None:
    folder, env = place
    done = tool(folder, "init", env=env)
    assert done.returncode == 2
    assert "overwrite it: parallel-impl init --yes" in done.stderr
    assert not (folder / "parallel-impl.toml").exists()
    assert tool(folder, "init", "--yes", env=env).returncode == 0


def test_the_schema_line_is_set_and_nothing_else_changes() -> None:
    assert workflow.with_schema("") == "schema: parallel-packages\n"
    assert workflow.with_schema("context: a\n") == "schema: parallel-packages\ncontext: a\n"


def test_without_the_program_the_rest_is_written_and_the_change_that_cannot_be_pinned_is_named(place: Place) -> None:
    folder, env = place
    (folder / "openspec/changes/old").mkdir(parents=True, exist_ok=True)
    report = call((folder, {**env, "PATH": "/nowhere"}), change="old")
    assert "parallel-impl.toml" in report.written
    assert report.left == ["openspec/changes/old/.openspec.yaml (there is no schema to pin it to)"]
    assert any("no schema was written" in line for line in report.remarks)
