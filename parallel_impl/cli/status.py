"""`parallel-impl status`: the runs of this repository and the states of their packages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("change_id", metavar="[change-id]", required=False)
def status(change_id: str | None) -> int:
    """Show the runs of this repository, or the packages of one: states, attempts, commits."""
    from parallel_impl.errors import UserError, count, printable  # noqa: PLC0415
    from parallel_impl.run import past  # noqa: PLC0415

    runs = past.runs(Path.cwd())
    if change_id is not None:
        if change_id not in runs:
            raise UserError(f"there is no run of {change_id!r} here", hint=f"runs: {', '.join(runs) or 'none'}")
        runs = {change_id: runs[change_id]}
    if not runs:
        click.echo("no runs in this repository")
    for name, run in runs.items():
        counts = Counter(str(progress.state) for progress in run.state.packages.values())
        told = ", ".join(f"{count} {state}" for state, count in counts.items())
        click.echo(f"{name}  {run.state.run}{run.liveness}  {told}")
        for package, progress in run.state.packages.items() if change_id else ():
            tries = count(progress.attempts, "attempt")
            why = f"  {progress.code}: {progress.why.splitlines()[0]}" if progress.code and progress.why else ""
            click.echo(printable(f"  {package:<32} {progress.state!s:<10} {tries}  {progress.commit[:12]}{why}"))
    return 0
