"""`parallel-impl validate <change-id or path>`: plan, contracts, scopes and order, without the state of any run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("plan", metavar="<change-id or path>")
@click.option("--fix", is_flag=True, help="Rewrite a plan in an older spelling first; its comments stay.")
def validate(plan: str, fix: bool) -> int:
    """Check a plan: everything that is wrong, with file, line and what to write instead. Exit code 0 or 2."""
    from parallel_impl.contracts import plan_check  # noqa: PLC0415
    from parallel_impl.errors import Severity, count  # noqa: PLC0415
    from parallel_impl.gates import step_check  # noqa: PLC0415
    from parallel_impl.git import links  # noqa: PLC0415
    from parallel_impl.openspec import task_names  # noqa: PLC0415

    if fix:
        fixed = plan_check.fix(plan, Path.cwd(), links.of_index)
        said = f"rewritten: {', '.join(fixed.rewritten)}" if fixed.rewritten else "in the spelling of today already"
        click.echo(f"{fixed.source}: {said}")
        if fixed.to_commit:
            click.echo("\n    ".join(("a run reads what is committed:", *fixed.to_commit)))
    checked = plan_check.validate(plan, Path.cwd(), links.of_index, task_names.problems, step_check.problems)
    for problem in checked.problems:
        click.echo(str(problem), err=True)
    errors = sum(problem.severity is Severity.ERROR for problem in checked.problems)
    if errors or not checked.plan or not checked.order:
        click.echo(f"{checked.source}: not usable, {count(errors, 'error')}", err=True)
        return 2
    packages, widest = count(len(checked.plan.packages), "package"), max(checked.order.widths(), default=0)
    click.echo(
        f"{checked.source}: sound: {packages}, {count(len(checked.order.waves()), 'wave')}, up to {widest} at once"
    )
    return 0
