"""`parallel-impl runs`: who works on this repository and what they claim; whether a change can run beside them."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--for", "plan", metavar="<change-id or path>", help="Report whether this change can run beside them.")
def runs(plan: str | None) -> int:
    """List the runs of this repository, who holds them, and what each package claims.

    With --for: whether that change, as it lies on disk, can run beside the live and halted runs (FULL), beside a part
    of them (PARTIAL: at most half of its claims conflict) or only after them (SEQUENTIAL), with each conflict.
    """
    from parallel_impl.contracts import plan_check  # noqa: PLC0415
    from parallel_impl.git import links  # noqa: PLC0415
    from parallel_impl.openspec import task_names  # noqa: PLC0415
    from parallel_impl.run.inspect import run_status  # noqa: PLC0415

    if plan is not None:
        checked = plan_check.validate(plan, Path.cwd(), links.of_index, task_names.problems)
        if checked.plan is None or checked.misnamed:
            for problem in checked.problems:
                click.echo(str(problem), err=True)
            click.echo(f"{checked.source}: not usable", err=True)
            return 2
        lines = run_status.feasibility(Path.cwd(), checked.plan)
    else:
        found = run_status.runs_and_claims(Path.cwd())
        lines = [line for run in found for line in run.claim_lines] or ["no runs in this repository"]
    for line in lines:
        click.echo(line)
    return 0
