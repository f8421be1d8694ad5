"""A draft: whether several agents pay and why not, which template, the text with its comments, how work is proven."""

from __future__ import annotations

import pytest

from parallel_impl.errors import UserError
from parallel_impl.plan.reading import load
from parallel_impl.planning.grouping import verification
from parallel_impl.planning.grouping.draft import Draft, draft
from parallel_impl.planning.grouping.plan_text import PlanOrigin, minutes, scalar
from parallel_impl.planning.grouping.scopes import TreeIndex
from parallel_impl.planning.grouping.templates import Template
from parallel_impl.planning.reading.evidence import Part
from tests.planning.drawn_tables import table

APART = {
    "1.1": "src/cart/a.py src/cart/b.py src/cart/c.py src/cart/d.py",
    "2.1": "src/mail/a.py src/mail/b.py src/mail/c.py src/mail/d.py",
}
CHAIN = {"2.1": "1.1"}


def reasons(drafted: Draft) -> str:
    return drafted.judged.recommendation


def test_work_that_lies_apart_is_recommended_for_several_agents() -> None:
    drafted = draft(table(APART))
    assert drafted.judged.parallel
    assert reasons(drafted) == "parallel: 2 packages, 2 at most beside each other, about 2.0 times as fast as one agent"


def test_work_that_waits_for_each_other_is_one_package_and_the_reason_names_the_chain() -> None:
    drafted = draft(table(APART, requires=CHAIN, titles=("Cart", "Mail")))
    assert len(drafted.packages) == 1
    assert not drafted.judged.parallel
    assert "less than 1.2: wp-cart -> wp-mail wait for each other" in reasons(drafted)
    assert drafted.judged.considered
    assert len(drafted.judged.considered.weights) == 2


def test_tasks_that_name_no_file_are_one_package_and_the_reason_counts_them() -> None:
    drafted = draft(table({"1.1": "", "1.2": "", "1.3": "src/a.py"}))
    assert "only 1 of 3 tasks names a file" in reasons(drafted)


def test_very_little_work_is_one_package() -> None:
    drafted = draft(table({"1.1": "src/cart/a.py", "2.1": "src/mail/a.py"}))
    assert reasons(drafted) == "one package: there is too little to do for two agents"


def test_one_package_has_everything() -> None:
    drafted = draft(table(APART, requires=CHAIN))
    assert drafted.packages[0].tasks == ("1.1", "2.1")
    assert len(drafted.packages[0].write_allow) == 8


@pytest.mark.parametrize(
    ("change", "named", "expected"),
    [
        ("add-cart", APART, Template.FEATURE),
        ("fix-cart-total", APART, Template.BUG_FIX),
        ("rename-cart", APART, Template.REFACTOR),
        ("rename-cart", {"1.1": "+src/a.py +src/b.py src/c.py"}, Template.FEATURE),
        ("fix-all", {f"{n}.1": "src/a.py" for n in range(1, 20)}, Template.FEATURE),
        ("prefix-routes", APART, Template.FEATURE),
    ],
)
def test_the_template_follows_from_the_name_and_the_files(
    change: str, named: dict[str, str], expected: Template
) -> None:
    assert draft(table(named, change=change)).judged.choice.template is expected


def test_the_template_and_why_stand_in_the_text() -> None:
    assert (
        "# Template: bug fix, because it is called 'fix' and has 2 tasks" in draft(table(APART, change="fix-it")).text
    )


def test_a_fix_is_one_agent_s_unless_another_template_is_asked_for() -> None:
    fix = table(APART, change="fix-it")
    assert len(draft(fix).packages) == 1
    assert len(draft(fix, template="feature").packages) == 2


def test_a_template_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(UserError, match="'faeture' is no template") as refused:
        draft(table(APART), template="faeture")
    assert "feature" in refused.value.problems[0].hint


def test_a_refactor_is_cut_by_folders_where_a_feature_is_cut_by_sections() -> None:
    named = {
        f"{n}.{k}": f"src/{part}/{n}{k}.py src/{part}/x{n}{k}.py" for n in (1, 2) for k, part in ((1, "a"), (2, "b"))
    }
    by_folder = draft(table(named), template="refactor").packages
    assert [one.tasks for one in by_folder] == [("1.1", "2.1"), ("1.2", "2.2")]
    assert [one.tasks for one in draft(table(named), template="feature").packages] == [("1.1", "1.2"), ("2.1", "2.2")]


def test_tests_of_their_own_section_wait_for_what_they_test() -> None:
    named = {**APART, "3.1": " ".join(f"tests/test_{n}.py" for n in range(4))}
    drafted = draft(table(named, titles=("Cart", "Mail", "Tests")))
    last = next(one for one in drafted.packages if "3.1" in one.tasks)
    assert set(last.reasons.values()) == {("tests what is made there",)}
    assert len(last.depends_on) == 2


def test_the_text_names_what_it_was_made_from() -> None:
    drafted = draft(table(APART), origin=PlanOrigin("0" * 40, "a" * 64))
    assert drafted.plan
    assert (drafted.plan.base_commit, drafted.plan.tasks_hash) == ("0" * 40, "a" * 64)


def test_the_head_of_the_text_is_for_a_person() -> None:
    text = draft(table(APART, titles=("Cart", "Mail"))).text
    assert "# Waves: 1. wp-cart, wp-mail" in text
    assert "# Heaviest: wp-cart, 50% of the work" in text


def test_the_agent_is_told_what_to_leave_to_another() -> None:
    named = {task: f"{paths} CHANGELOG.md" for task, paths in APART.items()}
    drafted = draft(table(named, titles=("Cart", "Mail")))
    assert drafted.plan
    assert "Leave CHANGELOG.md to wp-integration." in drafted.plan.package("wp-cart").description


@pytest.mark.parametrize(
    "title", ["yes", "1:30", "a: b # c", "- x", '"', "ü\u2028\x07", "*all", "\ud800", "true", "1.0"]
)
def test_a_title_of_any_form_reads_back_as_text(title: str) -> None:
    cut = table(APART)
    odd = draft(
        type(cut)(cut.change_id, title, cut.tasks, (Part("1", title), Part("2", title)), cut.evidence, cut.files)
    )
    assert [problem for problem in odd.problems if problem.severity == "error"] == []


def test_plain_scalars_are_those_that_every_reader_takes_for_text() -> None:
    assert scalar("src/a.py") == "src/a.py"
    assert [scalar(text) for text in ("no", "src/**", "a: b", "1.1", "")] == [
        '"no"', '"src/**"', '"a: b"', '"1.1"', '""',
    ]  # fmt: skip


def test_the_time_limit_grows_with_the_work_in_half_hours() -> None:
    assert [minutes(weight) for weight in (1, 5, 10, 1000)] == [60, 90, 120, 240]


PYTHON = {"pyproject.toml": b"[tool.pytest.ini_options]\n", "part/pytest.ini": b"[pytest]\n", "part/uv.lock": b""}
NODE = {
    "package.json": b'{"scripts": {"test": "vitest run"}}',
    "package-lock.json": b"{}",
    "web/package.json": b'{"scripts": {"test": "vitest run"}}',
    "web/pnpm-lock.yaml": b"",
    "old/package.json": b'{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}',
    "old/package-lock.json": b"{}",
}


def steps(scope: str, repository: dict[str, bytes], creates: str = "", files: str = "") -> list[tuple[str, str]]:
    found = verification.steps(scope.split(), creates.split(), TreeIndex([*files.split(), *repository]), repository.get)
    return [(step.cwd, step.command) for step in found]


@pytest.mark.parametrize(
    ("scope", "creates", "run"),
    [
        ("src/** tests/**", "src/new.py tests/test_new.py", "tests/test_new.py"),  # its own, not what lies beside them
        ("src/a.py tests/**", "", "tests/test_a.py"),  # that of its source
        ("tests/test_b.py src/a.py tests/**", "", "tests/test_a.py tests/test_b.py"),
        ("src/c.py tests/**", "", "tests/test_a.py tests/test_b.py"),  # nothing better is known
    ],
)
def test_a_package_runs_the_tests_of_its_own_work(scope: str, creates: str, run: str) -> None:
    files = "src/a.py src/b.py src/c.py tests/test_a.py tests/test_b.py"
    assert steps(scope, PYTHON, creates, files) == [(".", f"pytest -q {run}")]


def test_python_tests_that_are_there_or_will_be_are_run_by_their_project() -> None:
    files = "src/a.py tests/test_a.py part/tests/test_b.py"
    assert steps("src/a.py tests/** part/tests/**", PYTHON, "tests/test_new.py", files) == [
        (".", "pytest -q tests/test_a.py tests/test_new.py"),
        ("part", "uv run --frozen pytest -q tests/test_b.py"),
    ]


def test_a_test_that_nobody_promised_is_not_run() -> None:
    assert steps("tests/test_maybe.py", PYTHON) == []


def test_tests_of_a_repository_that_does_not_configure_pytest_are_not_run() -> None:
    assert steps("tests/test_a.py", {}, files="tests/test_a.py") == []


def test_node_projects_are_tested_by_the_manager_of_their_lock_file() -> None:
    assert steps("src/a.ts web/a.ts", NODE, "src/a.ts web/a.ts") == [
        (".", "npm test"),
        ("web", "pnpm install --frozen-lockfile && pnpm test"),
    ]


def test_a_script_that_tests_nothing_is_no_step() -> None:
    assert steps("old/a.js", NODE, "old/a.js") == []


def test_go_and_rust_are_tested_where_their_project_file_is() -> None:
    repository = {"svc/go.mod": b"module x", "core/Cargo.toml": b"[package]"}
    assert steps("svc/api/a.go core/src/a.rs", repository, "svc/api/a.go core/src/a.rs") == [
        ("core", "cargo test --quiet"),
        ("svc", "go test ./api"),
    ]


def test_the_steps_are_in_the_text() -> None:
    drafted = draft(table({**APART, "1.2": "+tests/test_cart.py"}, files="pyproject.toml"), read=PYTHON.get)
    assert drafted.plan
    package = next(one for one in drafted.plan.packages if "1.2" in one.tasks)
    assert [step.command for step in package.steps] == ["pytest -q tests/test_cart.py"]


def test_a_draft_is_loaded_as_any_plan_is() -> None:
    drafted = draft(table(APART))
    plan, _ = load.load(drafted.text.encode(), "work-packages.yaml")
    assert plan == drafted.plan
