"""`parallel-impl runs`: who works on this repository and what they claim; whether a change can run beside them."""

from __future__ import annotations

from pathlib import Path

import click

from parallel_impl.cli.change import CHANGE_OR_PATH
from parallel_impl.cli.output import echo, put_json


@click.command(
    short_help="List the runs of this repository and what they claim.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-impl runs --for add-login",
)
@click.option(
    "--for",
    "plan",
    metavar="<change-id or path>",
    type=CHANGE_OR_PATH,
    help="Report whether this change can run beside them.",
)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def runs(plan: str | None, *, as_json: bool) -> int:
    """List the runs of this repository, who holds them, and what each package claims.

    With --for: whether that change, as it lies on disk, can run beside the live and halted runs (FULL), beside a part
    of them (PARTIAL: at most half of its claims conflict) or only after them (SEQUENTIAL), with each conflict.
    """
    from parallel_impl.contracts import plan_check  # noqa: PLC0415
    from parallel_impl.git import links  # noqa: PLC0415
    from parallel_impl.openspec import task_names  # noqa: PLC0415
    from parallel_impl.run.inspect import run_status  # noqa: PLC0415

    change = ""
    if plan is not None:
        checked = plan_check.validate(plan, Path.cwd(), links.of_index, task_names.problems)
        if checked.plan is None or checked.misnamed:
            for problem in checked.problems:
                echo(str(problem), err=True)
            echo(f"{checked.source}: not usable", err=True)
            return 2
        lines, change = run_status.feasibility(Path.cwd(), checked.plan), checked.plan.feature_id
    elif as_json:
        put_json({"runs": [run.claimed() for run in run_status.runs_and_claims(Path.cwd())]})
        return 0
    else:
        found = run_status.runs_and_claims(Path.cwd())
        lines = [line for run in found for line in run.claim_lines] or ["no runs in this repository"]
    if as_json:
        put_json({"change_id": change, "feasibility": lines})
        return 0
    for line in lines:
        echo(line)
    return 0
