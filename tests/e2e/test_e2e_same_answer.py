"""By views, copies or a set-up in each checkout, with one job or several: the answer of a run is the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from parallel_impl.views.view import Means
from tests.means import ability
from tests.repository import FIXTURES, git, make_repository, refs, replay, tool

OURS = "refs/parallel-impl"
# when something was, what was longest, how set-up was made; commits have the dates of their run
PASSING = (
    "at", "began", "ended", "run_id", "figures", "usage", "timestamps", "set_up", "lacking", "commit", "base_commit",
    "critical_path", "jobs", "started",
)  # fmt: skip
NUMBERS = re.compile(r"\b(0x)?[0-9a-f]{7,64}\b|\b\d+(\.\d+)? ?s\b|\bin \d[\d.]*")
CHECKOUT = re.compile(r"(?P<name>/[\w-]+)\.worktrees/[\w./-]+?(?P=name)\b")  # where it is seen depends on the means


def answer(folder: Path, fixture: str, means: Means, *options: str) -> dict[str, Any]:
    """All that a run of a fixture says and leaves, but for times, ids and places."""
    repo = make_repository(fixture, folder)
    (change,) = (one.name for one in (repo / "openspec/changes").iterdir() if one.name != "archive")
    done = tool(repo, "implement", change, "--agent", replay(fixture), *options, env={"PARALLEL_IMPL_CHECKOUTS": means})
    state = repo / ".git/parallel-impl" / change
    kept = (*sorted(state.glob("attempts/*/*/result.json")), *state.glob("summary.json"))
    commits = [ref for ref in refs(repo, "refs/heads", OURS) if git(repo, "cat-file", "-t", ref) == "commit"]
    places = sorted({str(folder), str(repo)}, key=len, reverse=True)
    return {
        "exit code": done.returncode,
        "problems": plain(done.stderr, places) if done.returncode == 2 else "",
        "trees": {ref: git(repo, "rev-parse", f"{ref}^{{tree}}") for ref in commits},
        **{str(file.relative_to(state)): plain(json.loads(file.read_text()), places) for file in kept},
    }


def plain(value: Any, places: list[str]) -> Any:
    """A value of JSON without what passes."""
    if isinstance(value, dict):
        kept = (key for key in value if key not in PASSING and not key.endswith("seconds"))
        return {key: plain(value[key], places) for key in kept}
    if isinstance(value, list):
        return [plain(one, places) for one in value]
    if isinstance(value, str):
        for place in places:
            value = value.replace(place, "")
        return NUMBERS.sub("#", CHECKOUT.sub("CHECKOUT", value))
    return value


@pytest.mark.views
@pytest.mark.parametrize("fixture", sorted(one.name for one in FIXTURES.iterdir()))
def test_the_answer_is_the_same_by_all_means(tmp_path: Path, fixture: str) -> None:
    ability(Means.OVERLAY)
    each = answer(tmp_path / "each", fixture, Means.EACH)
    assert each["trees"]
    assert answer(tmp_path / "overlay", fixture, Means.OVERLAY) == each
    assert answer(tmp_path / "copy", fixture, Means.COPY) == each
    assert answer(tmp_path / "alone", fixture, Means.OVERLAY, "--jobs", "1") == each
