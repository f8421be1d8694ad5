"""Plans that are proposed for a change in a real repository: fresh ones, and what is added to one that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.plan.model import Plan
from parallel_impl.planning import proposal as proposals
from parallel_impl.planning import sources
from parallel_impl.planning.proposal import ProposedPlan, Subject
from parallel_impl.planning.reading.phases import Phases
from tests.repository import commit_all, git, init

TASKS = """\
# Tasks
## 1. Models
- [ ] 1.1 Add the cart to `src/models.py`
- [ ] 1.2 Add its table in `src/db.py`
  **Dependencies**: 1.1
## 2. Web
- [ ] 2.1 Show it in `web/cart.ts`
- [ ] 2.2 List it in `web/list.ts`
"""
PLAN = """\
# made by hand
schema_version: 1
feature: {id: add-cart}
packages:   # two of them
- package_id: wp-models
  description: "the models"  # as the design says
  tasks: ["1.1"]
  weight: 3
  scope: {write_allow: [src/models.py]}
  verification: {steps: [{name: unit, command: pytest -q}]}
# the web comes last
- package_id: wp-web
  description: the web
  tasks: ["2"]
  scope: {write_allow: ["web/**"]}
  verification: {steps: [{name: unit, command: pytest -q}]}
"""
CHANGE = Path("openspec/changes/add-cart")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository with a change and no plan."""
    repo = tmp_path / "shop"
    for name in ("src/models.py", "src/db.py", "web/cart.ts", "web/list.ts", CHANGE / "proposal.md"):
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text("x = 1\n")
    (repo / CHANGE / "tasks.md").write_text(TASKS)
    init(repo)
    commit_all(repo, "before")
    return repo


def subject(repo: Path, typed: str = "add-cart") -> Subject:
    return Subject(sources.find(repo, typed))


def fresh(repo: Path) -> ProposedPlan:
    return proposals.fresh(subject(repo), proposals.by_code)


def test_a_fresh_plan_is_sound_and_names_what_it_was_made_from(shop: Path) -> None:
    found = fresh(shop)
    assert found.plan
    assert found.plan.base_commit == git(shop, "rev-parse", "HEAD")
    assert sorted(task for package in found.plan.packages for task in package.tasks) == ["1.1", "1.2", "2.1", "2.2"]
    assert proposals.age(subject(shop), found.plan) == []
    assert found.screen()[0].startswith("add-cart: ")


def test_a_change_may_be_named_by_its_path_from_anywhere_and_is_missed_by_name(shop: Path) -> None:
    assert subject(shop, f"{CHANGE}/").sources.change_id == "add-cart"
    assert subject(shop / "src", "add-cart").sources.folder == str(CHANGE)
    with pytest.raises(UserError, match="did you mean add-cart"):
        subject(shop, "add-card")


def test_documents_are_those_of_the_work_tree_and_the_code_is_that_of_head(shop: Path) -> None:
    (shop / CHANGE / "tasks.md").write_text(TASKS + "- [ ] 2.3 Style it in `web/cart.css`\n")
    (shop / "web/cart.css").write_text("x")
    found = fresh(shop)
    assert found.plan
    assert "2.3" in {task for package in found.plan.packages for task in package.tasks}
    assert "web/cart.css" in {path for package in found.plan.packages for path in package.creates}
    (told,) = subject(shop).sources.problems()
    assert told.what == "not committed, and read all the same: tasks.md"


def test_without_tasks_there_is_nothing_to_plan(shop: Path) -> None:
    (shop / CHANGE / "tasks.md").write_text("# later\n")
    with pytest.raises(UserError, match="nothing to plan: there is no box in it"):
        fresh(shop)
    (shop / CHANGE / "tasks.md").unlink()
    with pytest.raises(UserError, match=r"nothing to plan: there is no tasks\.md"):
        fresh(shop)


def test_only_packages_for_tasks_that_nobody_has_are_added_and_every_line_stays(shop: Path) -> None:
    found = proposals.extended(subject(shop), PLAN.encode())
    assert found.plan
    assert found.added == tuple(package.id for package in found.plan.packages[2:])
    text = found.content.decode()
    assert [line for line in PLAN.splitlines() if line not in text.splitlines()] == []
    (new,) = found.plan.packages[2:]
    assert (new.tasks, new.depends_on) == (("1.2",), ("wp-models",))
    assert dict(new.reasons) == {"wp-models": "1.2 comes after 1.1"}


def test_a_plan_that_has_every_task_stays_as_it_is(shop: Path) -> None:
    whole = PLAN.replace('tasks: ["1.1"]', 'tasks: ["1"]').encode()
    found = proposals.extended(subject(shop), whole)
    assert (found.content, found.added) == (whole, ())
    silent = PLAN.replace('  tasks: ["1.1"]\n', "").replace('  tasks: ["2"]\n', "").encode()
    found = proposals.extended(subject(shop), silent)
    assert (found.content, found.added) == (silent, ())
    assert "no package names its tasks: each is told of all 4 tasks" in [one.what for one in found.findings]


def test_a_new_package_waits_for_whoever_may_write_the_same_and_leaves_shared_files_alone(shop: Path) -> None:
    wide = PLAN.replace('["web/**"]', '["web/**", "src/*.py"], deny: [src/models.py]').replace(
        "packages:", "shared_files: [{path: src/models.py, rule: owner, package: wp-models}]\npackages:"
    )
    found = proposals.extended(subject(shop), wide.encode())
    assert found.plan
    (new,) = found.plan.packages[2:]
    assert set(new.depends_on) == {"wp-models", "wp-web"}
    assert new.scope.refusal("src/models.py")


def test_a_plan_that_cannot_be_used_is_not_extended(shop: Path) -> None:
    with pytest.raises(UserError, match="unknown key"):
        proposals.extended(subject(shop), PLAN.replace("weight", "wait").encode())
    with pytest.raises(UserError, match=r"feature\.id is 'other'"):
        proposals.extended(subject(shop), PLAN.replace("add-cart", "other").encode())


def test_an_edit_is_judged_as_the_draft_was(shop: Path) -> None:
    found = fresh(shop)
    edited = proposals.again(subject(shop), found, found.content.replace(b'"1.1"', b'"1.1", "1.1"'))
    assert edited.plan is None
    assert "twice" in "".join(str(problem) for problem in edited.problems)
    assert proposals.again(subject(shop), found, found.content).plan == found.plan


def test_only_the_plan_is_written_and_the_lines_commit_it(shop: Path) -> None:
    lines = proposals.write(subject(shop), b"x: 1\n", shop / "src")
    assert lines == ("git add ../openspec/changes/add-cart/work-packages.yaml", "git commit -m 'Plan of add-cart'")
    assert git(shop, "status", "--porcelain") == f"?? {CHANGE}/work-packages.yaml"
    assert (shop / CHANGE / "work-packages.yaml").read_text() == "x: 1\n"


@pytest.mark.parametrize("there", [None, "# mine\n"])
def test_what_somebody_wrote_while_the_plan_was_made_stays(shop: Path, there: str | None, tmp_path: Path) -> None:
    file = shop / CHANGE / "work-packages.yaml"
    if there:
        file.write_text(there)
    found = subject(shop)
    file.write_text("# edited\n")
    with pytest.raises(UserError, match="it was changed while this was being made"):
        proposals.write(found, b"x: 1\n", shop)
    assert file.read_text() == "# edited\n"
    file.write_text("x: 1\n")  # killed behind the write, say
    proposals.write(found, b"x: 1\n", shop)

    spec = tmp_path / "spec.md"
    spec.write_text(SPEC)
    (shop / CHANGE / "tasks.md").unlink()
    found = Subject(sources.with_spec(sources.find(shop, "add-cart"), spec), Phases.ORDER)
    file.write_text("# edited again\n")
    with pytest.raises(UserError, match="it was changed while this was being made"):
        proposals.write(found, b"x: 2\n", shop)
    assert not (shop / CHANGE / "tasks.md").exists()  # all or nothing


def test_nothing_is_written_through_links(shop: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    file = shop / CHANGE / "work-packages.yaml"
    file.symlink_to(outside / "plan.yaml")
    with pytest.raises(UserError, match="it is a link"):
        proposals.write(subject(shop), b"x: 1\n", shop)
    file.unlink()
    (shop / CHANGE).rename(outside / "add-cart")
    (shop / CHANGE).symlink_to(outside / "add-cart")
    with pytest.raises(UserError, match="the folder of the change is behind a link"):
        subject(shop)
    assert not list(outside.rglob("*.yaml"))


def test_a_plan_is_held_against_texts_and_code(shop: Path) -> None:
    (shop / "tests").mkdir()
    (shop / "tests/test_models.py").write_text("from src import models\n")
    commit_all(shop, "tests")
    found = proposals.extended(subject(shop), PLAN.replace('tasks: ["1.1"]', 'tasks: ["1"]').encode())
    said = [finding.sentence(3) for finding in found.findings]
    assert "files that the change names and no package may write: src/db.py (task 1.2)" in said
    assert "tests whose source is in scope, and they are not: tests/test_models.py (of src/models.py)" in said


SPEC = """\
# Payments
## Phase 1: Core
### Ticket 1.1: Model
Files: `src/models.py`
## Phase 2: Web
### Ticket 2.1: Button
Files: `web/cart.ts`
"""


def test_a_spec_with_phases_becomes_the_task_list_of_a_change_that_has_none(shop: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.md"
    spec.write_text(SPEC)
    (shop / CHANGE / "tasks.md").unlink()
    found = Subject(sources.with_spec(sources.find(shop, "add-cart"), spec), Phases.ORDER)
    assert {task.id: task.requires for task in found.table.tasks} == {"1.1": (), "2.1": ("1.1",)}
    proposal = proposals.fresh(found, proposals.by_code)
    lines = proposals.write(found, proposal.content, shop)
    assert lines[0] == f"git add {CHANGE}"
    assert found.written() == [f"{CHANGE}/tasks.md", f"{CHANGE}/work-packages.yaml"]
    assert subject(shop).tasks.tasks[1].number == "2.1"
    assert proposals.age(subject(shop), proposals.extended(subject(shop), proposal.content).plan or Plan("", ())) == []


def test_a_spec_takes_the_place_of_no_other_task_list(shop: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.md"
    spec.write_text(SPEC)
    with pytest.raises(UserError, match=r"the change has a tasks\.md already"):
        sources.with_spec(sources.find(shop, "add-cart"), spec)
    with pytest.raises(UserError, match="cannot be read"):
        sources.with_spec(sources.find(shop, "add-cart"), tmp_path / "none.md")
