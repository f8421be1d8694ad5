"""`parallel-impl status`: the runs of this repository and the states of their packages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parallel_impl.cli.change import CHANGE

if TYPE_CHECKING:
    from parallel_impl.run.inspect.run_status import RunStatus


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: parallel-impl status add-login"
)
@click.argument("change_id", metavar="[change-id]", required=False, type=CHANGE)
def status(change_id: str | None) -> int:
    """Show the runs of this repository, or the packages of one: states, attempts, commits."""
    from parallel_impl.errors import count, first_line, printable  # noqa: PLC0415
    from parallel_impl.run.inspect import run_status  # noqa: PLC0415

    if change_id is None:
        runs = run_status.runs(Path.cwd())
        for line in [line for run in runs for line in (_line(run), *run.pause_lines)] or ["no runs in this repository"]:
            click.echo(line)
        return 0
    run = run_status.run(Path.cwd(), change_id)
    for line in (_line(run), *run.pause_lines):
        click.echo(line)
    for package, progress in run.state.packages.items():
        tries = count(progress.attempts, "attempt")
        why = f"  {progress.code}: {first_line(progress.why)}" if progress.code and progress.why else ""
        click.echo(printable(f"  {package:<32} {progress.state!s:<10} {tries}  {progress.commit[:12]}{why}"))
    return 0


def _line(run: RunStatus) -> str:
    counts = Counter(str(progress.state) for progress in run.state.packages.values())
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    return f"{run.headline}  {states}" if states else run.headline
