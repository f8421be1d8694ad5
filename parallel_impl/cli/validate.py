"""`parallel-impl validate <change-id or path>`: plan, contracts, scopes and order, without the state of any run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parallel_impl.cli.change import CHANGE_OR_PATH
from parallel_impl.cli.output import echo, put_json

if TYPE_CHECKING:
    from parallel_impl.contracts.plan_check import Checked


@click.command(
    short_help="Check a plan, and name everything that is wrong.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-impl validate add-login",
)
@click.argument("plan", metavar="<change-id or path>", type=CHANGE_OR_PATH)
@click.option("--fix", is_flag=True, help="Rewrite a plan in an older spelling first; its comments stay.")
@click.option("--json", "as_json", is_flag=True, help="All that was found, as one JSON object on stdout.")
def validate(plan: str, *, fix: bool, as_json: bool) -> int:
    """Check a plan: everything that is wrong, with file, line and what to write instead. Exit code 0 or 2."""
    from parallel_impl.contracts import plan_check  # noqa: PLC0415
    from parallel_impl.errors import Severity, count  # noqa: PLC0415
    from parallel_impl.gates import step_check  # noqa: PLC0415
    from parallel_impl.git import links  # noqa: PLC0415
    from parallel_impl.openspec import task_names  # noqa: PLC0415

    if fix:
        fixed = plan_check.fix(plan, Path.cwd(), links.of_index)
        said = f"rewritten: {', '.join(fixed.rewritten)}" if fixed.rewritten else "in the spelling of today already"
        echo(f"{fixed.source}: {said}", err=as_json)
        if fixed.to_commit:
            echo("\n    ".join(("a run reads what is committed:", *fixed.to_commit)), err=as_json)
    checked = plan_check.validate(plan, Path.cwd(), links.of_index, task_names.problems, step_check.problems)
    if as_json:
        return _put_found(checked)
    for problem in checked.problems:
        echo(str(problem), err=True)
    errors = sum(problem.severity is Severity.ERROR for problem in checked.problems)
    if errors or not checked.plan or not checked.order:
        echo(f"{checked.source}: not usable, {count(errors, 'error')}", err=True)
        return 2
    packages, widest = count(len(checked.plan.packages), "package"), max(checked.order.widths(), default=0)
    echo(f"{checked.source}: sound: {packages}, {count(len(checked.order.waves()), 'wave')}, up to {widest} at once")
    return 0


def _put_found(checked: Checked) -> int:
    """The problems, and of a sound plan its packages and waves."""
    from parallel_impl.errors import Severity  # noqa: PLC0415

    sound = bool(checked.plan and checked.order)
    sound = sound and all(problem.severity is not Severity.ERROR for problem in checked.problems)
    found = {"source": checked.source, "sound": sound, "problems": [*map(dataclasses.asdict, checked.problems)]}
    if sound and checked.plan and checked.order:
        found |= {"packages": [one.id for one in checked.plan.packages], "waves": checked.order.waves()}
    put_json(found)
    return 0 if sound else 2
