"""What holds for every drafted plan, whatever the table: tasks once, no overlap, no cycle, the text means the plan."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.plan import conflicts, order
from parallel_impl.planning.grouping.draft import draft, model, settle
from parallel_impl.planning.grouping.grouping import group
from parallel_impl.planning.reading.evidence import Clue, ClueKind, Part, PlannedTask, Resolution, Table

PATHS = (
    "src/a.py", "src/b.py", "src/B.py", "src/new/", "src/new/x.py", "src/new/y/", "src/new/y/z.py", "tests/test_a.py",
    "tests/", "README.md", "pyproject.toml", "web/app/[id]/page.tsx", "odd name/ü.py", "CHANGELOG.md", "src/",
)  # fmt: skip
PATTERNS = ("src/a*.py", "src/*b.py", "tests/test_*.py")
TITLES = st.text(max_size=20)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    count = draw(st.integers(0, 12))
    ids = [f"{n // 3 + 1}.{n % 3 + 1}" for n in range(count)]
    tasks = tuple(
        PlannedTask(
            id=name,
            text=draw(TITLES),
            section=number // 3,
            requires=tuple(draw(st.lists(st.sampled_from(ids[:number]), max_size=2, unique=True))) if number else (),
            story=draw(st.sampled_from(["", "", "US1"])),
        )
        for number, name in enumerate(ids)
    )
    sections = tuple(Part(str(number + 1), draw(TITLES)) for number in range(count // 3 + 1))
    clues = []
    for _ in range(draw(st.integers(0, 25))):
        path = draw(st.sampled_from((*PATHS, *PATTERNS)))
        resolution = Resolution.PATTERN if "*" in path else draw(st.sampled_from([Resolution.EXACT, Resolution.NEW]))
        clues.append(
            Clue(
                path,
                draw(st.sampled_from(["", *ids])),
                draw(st.sampled_from(ClueKind)),
                draw(st.sampled_from([0.1, 0.3, 0.6, 0.9])),
                resolution,
                draw(st.sampled_from(["", "src/a.py", "tasks.md:3"])),
            )
        )
    files = frozenset(path for path in PATHS if not path.endswith("/") and draw(st.booleans()))
    return Table("shop", draw(TITLES), tasks, sections, tuple(clues), files, hot={"src/a.py": draw(st.integers(0, 50))})


@settings(max_examples=150, deadline=None)
@given(tables())
def test_every_task_is_in_exactly_one_package(table: Table) -> None:
    found = [task for package in group(table).packages for task in package.tasks]
    assert sorted(found) == sorted(task.id for task in table.tasks)


@settings(max_examples=150, deadline=None)
@given(tables())
def test_packages_that_may_run_side_by_side_cannot_write_one_path(table: Table) -> None:
    plan = model(settle(table, group(table)))
    assert conflicts.find(plan, order.of(plan)).conflicts == ()


@settings(max_examples=150, deadline=None)
@given(tables())
def test_a_task_never_runs_before_one_that_it_requires(table: Table) -> None:
    packages = group(table).packages
    known = order.order({one.id: one.depends_on for one in packages})
    home = {task: one.id for one in packages for task in one.tasks}
    for task in table.tasks:
        for other in task.requires:
            assert home[task.id] == home[other] or known.reaches(home[task.id], home[other])


@settings(max_examples=150, deadline=None)
@given(tables())
def test_the_text_reads_back_as_the_packages_without_an_error(table: Table) -> None:
    drafted = draft(table)
    assert drafted.plan is not None, [str(problem) for problem in drafted.problems]
    assert [problem for problem in drafted.problems if problem.severity == "error"] == []
    assert [
        (one.id, one.tasks, one.scope.write_allow, one.scope.deny, one.depends_on, one.creates, one.foundation)
        for one in drafted.plan.packages
    ] == [
        (one.id, one.tasks, one.write_allow, one.deny, one.depends_on, one.creates, one.foundation)
        for one in drafted.packages
    ]


@settings(max_examples=50, deadline=None)
@given(tables())
def test_the_same_table_gives_the_same_text(table: Table) -> None:
    assert draft(table).text == draft(table).text
