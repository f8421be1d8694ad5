"""`parallel-impl logs <change-id> [<package-id>]`: what agents did, and with `-f` what they do."""

from __future__ import annotations

from pathlib import Path

import click

from parallel_impl.cli.change import CHANGE
from parallel_impl.cli.output import echo


@click.command(
    short_help="Show what the agents of a run did.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-impl logs add-login wp-api -f",
)
@click.argument("change_id", metavar="<change-id>", type=CHANGE)
@click.argument("package_id", metavar="[package-id]", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until nobody works on the run any more.")
@click.option("--raw", is_flag=True, help="The agent's own lines as they came, escaped for the terminal.")
def logs(change_id: str, package_id: str | None, *, follow: bool, raw: bool) -> int:
    """Show what the agents of a run did: texts, tool calls, changes, denials, retries, limits, usage, results."""
    from parallel_impl.run.inspect import logs, run_status  # noqa: PLC0415

    run = run_status.run(Path.cwd(), change_id)
    for line in logs.lines(run, package_id or "", follow=follow, raw=raw):
        echo(line)
    return 0
