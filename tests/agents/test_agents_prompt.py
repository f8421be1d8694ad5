"""An agent is told its task, its limits and what judges it; what is cut is said to be cut."""

from __future__ import annotations

from dataclasses import replace

from parallel_impl.agents.prompt import LONGEST, Context, render, render_message
from parallel_impl.plan.model import Package, Scope, Step, StepKind

PACKAGE = Package(
    "wp-store",
    "Keep orders.",
    Scope(("src/store/**", "tests/test_store.py"), deny=("src/store/old/**",)),
    title="The store",
    steps=(
        Step("unit", command="pytest -q\npytest -x", cwd="web", artifacts=("report.xml",)),
        Step("words", command=("grep", "-q", "x"), expect_exit_code=1),
        Step("look", kind=StepKind.MANUAL, instructions="look at it"),
    ),
)


def section(text: str, title: str) -> str:
    """The text between a heading and the next one."""
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0].strip()


def test_the_task_comes_first() -> None:
    text = render(Context(PACKAGE, "add-orders"))
    assert text.startswith(
        "# Work package wp-store of the change add-orders\n\nThe store\n\nKeep orders.\n\n## What you"
    )


def test_scope_and_deny_are_in_plain_words() -> None:
    told = section(render(Context(PACKAGE, "add-orders")), "What you may change")
    assert told.startswith("- `src/store/**`\n- `tests/test_store.py`\n")
    assert "Not these, nor anything below them, even where a line above covers it:\n\n- `src/store/old/**`" in told
    assert "makes this attempt fail" in told


def test_what_the_plan_lets_it_read_is_told_unless_that_is_everything() -> None:
    assert "What you should read" not in render(Context(PACKAGE, "add-orders"))
    narrow = replace(PACKAGE, scope=replace(PACKAGE.scope, read_allow=("src/**", "docs/orders.md")))
    told = section(render(Context(narrow, "add-orders")), "What you should read")
    assert told.startswith("- `src/**`\n- `docs/orders.md`\n")
    assert "Nothing stops you from reading other files" in told


def test_the_steps_that_judge_it_are_shown_as_they_run() -> None:
    told = section(render(Context(PACKAGE, "add-orders")), "How your work is verified")
    assert "- unit in `web`:\n\n      pytest -q\n      pytest -x\n  - must leave report.xml" in told
    assert "- words, expected exit code 1:\n\n      grep -q x" in told
    assert "look at it" not in told


def test_the_rules_name_the_files_that_are_not_the_agents() -> None:
    told = section(render(Context(PACKAGE, "add-orders", folder="openspec/changes/add-orders")), "Rules")
    assert "Commit or not, as you like" in told
    assert "Pushing is switched off" in told
    assert "`openspec/changes/add-orders/tasks.md`" in told
    assert "`openspec/changes/add-orders/work-packages.yaml`" in told
    assert "$PARALLEL_IMPL_RESULT_FILE" in told


def test_where_a_folder_of_the_base_cannot_be_renamed_the_rules_say_how_it_is_moved() -> None:
    told = section(render(Context(PACKAGE, "add-orders", renames=False)), "Rules")
    assert "- Move a folder that was here when you started with `mv`" in told
    assert "cross-device" not in render(Context(PACKAGE, "add-orders"))


def test_documents_are_in_it_and_absent_ones_are_not() -> None:
    context = Context(
        PACKAGE,
        "add-orders",
        proposal="# Why\nOrders.",
        tasks="- [ ] 1.1 store",
        specs={"specs/orders/spec.md": "must keep"},
        contracts={"contracts/v1.yaml": "openapi: 3.1.0"},
    )
    text = render(context)
    assert section(text, "Proposal") == "# Why\nOrders."
    assert section(text, "Tasks of this package") == "- [ ] 1.1 store"
    assert section(text, "Spec delta specs/orders/spec.md") == "must keep"
    assert section(text, "Contract contracts/v1.yaml") == "openapi: 3.1.0"
    assert "## Design" not in text
    assert "## The attempt before" not in text
    assert "## What this builds on" not in text


def test_dependencies_are_told_with_the_files_that_they_changed() -> None:
    files = tuple(f"src/f{number}.py" for number in range(23))
    told = section(render(Context(PACKAGE, "c", dependencies={"wp-a": files, "wp-b": ()})), "What this builds on")
    assert "- wp-a: `src/f0.py`, `src/f1.py`" in told
    assert "`src/f19.py` and 3 more" in told
    assert "src/f20.py" not in told
    assert "- wp-b: no changes" in told


def test_a_retry_is_told_what_was_found_and_where_it_starts() -> None:
    mend = render(Context(PACKAGE, "c", previous="unit: exit 1\nassert 1 == 2", continues=True))
    told = section(mend, "The attempt before this one failed")
    assert told == "Its work is in your worktree: fix it. What was found:\n\n    unit: exit 1\n    assert 1 == 2"
    assert "put aside: start again" in render(Context(PACKAGE, "c", previous="SCOPE_VIOLATION"))


def test_a_long_document_is_cut_and_says_so() -> None:
    text = render(Context(PACKAGE, "c", design="x" * (LONGEST + 5)))
    assert f"[cut after {LONGEST} of {LONGEST + 5} characters; read the file]" in text
    assert len(text) < LONGEST + 3000


def test_the_implementation_plan_comes_after_the_design() -> None:
    text = render(Context(PACKAGE, "c", design="Sessions.", implementation_plan="Phase 1 is the store."))
    assert section(text, "Implementation plan of the whole change") == "Phase 1 is the store."
    assert text.index("## Design") < text.index("## Implementation plan of the whole change")


def test_control_characters_of_documents_are_shown_not_sent() -> None:
    assert "a\\x1b[31m" in render(Context(PACKAGE, "c", design="a\x1b[31m"))


def test_standards_and_what_the_plan_says_to_read_come_with_their_paths() -> None:
    text = render(
        Context(
            PACKAGE, "add-orders", standards={"docs/style.md": "Two spaces."}, reading={"docs/orders.md": "Orders."}
        )
    )
    assert section(text, "Standard that all packages follow: docs/style.md") == "Two spaces."
    assert section(text, "The plan says to read docs/orders.md") == "Orders."


def test_refused_tools_and_the_report_file_are_told() -> None:
    context = Context(PACKAGE, "add-orders", previous="SILENT: so", denied=("Write /etc/motd",))
    assert "- `Write /etc/motd`" in section(render(context), "The attempt before this one failed")
    assert "$PARALLEL_IMPL_REPORT_FILE" in section(render(context), "Rules")
    assert "were refused" not in render(replace(context, denied=()))


def test_a_conversation_that_goes_on_is_told_the_evidence_alone() -> None:
    context = Context(PACKAGE, "add-orders", "The proposal.", previous="VERIFICATION_FAILED: 2 failed", continues=True)
    text = render_message(replace(context, denied=("Write x",)))
    assert text.startswith("# Your work on wp-store was looked at and is not accepted yet\n")
    assert "    VERIFICATION_FAILED: 2 failed" in text
    assert "- `Write x`" in text
    assert "The proposal." not in text
