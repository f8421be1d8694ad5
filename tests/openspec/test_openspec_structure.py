"""Our own check of a change's texts: what OpenSpec refuses, told by path and line, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.openspec import change_folder, structure

REQUIREMENT = """\
### Requirement: Keep jobs
The system SHALL keep a job.

#### Scenario: One
- **WHEN** it fails
- **THEN** it is kept
"""
PURPOSE = "## Purpose\n\nKeeps every job whose retries are exhausted, so that an operator can look at it.\n\n"
NEW = f"# Spec Delta\n\n{PURPOSE}## ADDED Requirements\n\n{REQUIREMENT}"


def said(spec: str, *known: str, **files: str) -> list[str]:
    texts = {"proposal.md": "# x\n", "specs/store/spec.md": spec, **files}
    return [f"{one.path}:{one.line}: {one.what}" for one in structure.check(texts, known)]


def test_a_sound_delta_of_a_new_and_of_an_existing_capability_has_no_problem() -> None:
    assert said(NEW) == []
    assert said(f"## MODIFIED Requirements\n{REQUIREMENT}", "store") == []
    assert said("## REMOVED Requirements\n### Requirement: Old\n**Reason**: gone\n", "store") == []
    rename = "## RENAMED Requirements\n- FROM: `### Requirement: A`\n- TO: `### Requirement: B`\n"
    assert said(rename, "store") == []


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (REQUIREMENT, "no delta header; write one of ## ADDED Requirements"),
        (REQUIREMENT, "the requirement 'Keep jobs' is below no delta header"),
        (NEW.replace("SHALL keep", "keeps"), "ADDED 'Keep jobs' has neither SHALL nor MUST"),
        (NEW.replace("The system SHALL keep a job.", ""), "ADDED 'Keep jobs' has no text"),
        (NEW.replace("#### Scenario", "### Scenario"), "ADDED 'Keep jobs' has no scenario"),
        (NEW.partition("- **WHEN")[0], "the scenario 'One' of ADDED 'Keep jobs' is empty"),
        (NEW.replace(PURPOSE, ""), "a new capability begins with ## Purpose, at least 50 characters"),
        (NEW.replace(PURPOSE, "## Purpose\nShort.\n"), "a new capability begins with ## Purpose"),
        (NEW.replace("ADDED", "MODIFIED"), "it changes requirements of a capability that does not exist"),
        (NEW + REQUIREMENT, "the requirement 'Keep jobs' is more than once in ADDED"),
        (f"{NEW}## REMOVED Requirements\n- `### Requirement: Keep jobs`\n", "is in both ADDED and REMOVED"),
        ("## RENAMED Requirements\n- FROM: `### Requirement: A`\n", "write each rename as a line FROM:"),
        ("## ADDED Requirements\n", "its delta headers have no ### Requirement: below them"),
        (NEW.replace("## ADDED", "```\n## ADDED").replace("it is kept\n", "it is kept\n```\n"), "no delta header"),
    ],
)
def test_what_is_wrong_is_told(spec: str, problem: str) -> None:
    found = said(spec)
    assert any(problem in one for one in found), found
    assert all(one.startswith(("specs/store/spec.md:", ".openspec.yaml:")) for one in found)


def test_a_change_has_a_proposal_and_a_delta_or_says_that_it_has_none() -> None:
    assert next(one.what for one in structure.check({}, ())) == "there is no proposal.md"
    assert [one.path for one in structure.check({"proposal.md": ""}, ())] == [".openspec.yaml"]
    without = {"proposal.md": "", ".openspec.yaml": "schema: spec-driven\nskip_specs: true\n"}
    assert structure.check(without, ()) == []
    assert "skip_specs is true, but the change has deltas" in said(NEW, **{".openspec.yaml": "skip_specs: true\n"})[0]


def test_a_spec_that_archiving_would_not_see_is_told() -> None:
    found = said(NEW, **{"specs/spec.md": NEW, "specs/store/notes.md": ""})
    assert [one.partition(":")[0] for one in found] == ["specs/spec.md", "specs/store/notes.md"]


@given(st.text(alphabet="# -`~\nADEMORVNFTSHUL:Requirmntscao*", max_size=300))
def test_any_text_is_judged(spec: str) -> None:
    assert all(one.line <= spec.count("\n") + 1 for one in structure.check({"specs/a/spec.md": spec}, ()))


def test_texts_are_read_from_the_checkout_without_following_links(tmp_path: Path) -> None:
    folder = tmp_path / "openspec/changes/c"
    (folder / "specs/store").mkdir(parents=True)
    (tmp_path / "openspec/specs/store").mkdir(parents=True)
    (tmp_path / "openspec/specs/store/spec.md").write_text("# store\n")
    (folder / "proposal.md").write_text("# c\n")
    (folder / "specs/store/spec.md").write_text(f"## MODIFIED Requirements\n{REQUIREMENT}")
    assert change_folder.check(tmp_path, "openspec/changes/c") == ()
    (folder / "proposal.md").unlink()
    (folder / "proposal.md").symlink_to(tmp_path / "openspec/specs/store/spec.md")
    found = change_folder.check(tmp_path, "openspec/changes/c")
    assert [str(one) for one in found] == ["openspec/changes/c/proposal.md: structure there is no proposal.md"]
