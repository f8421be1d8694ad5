"""`parallel-impl show <change-id> [<package-id>]`: what was done, with the evidence and where the logs are."""

from __future__ import annotations

from pathlib import Path

import click

from parallel_impl.cli.change import CHANGE


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: parallel-impl show add-login wp-api"
)
@click.argument("change_id", metavar="<change-id>", type=CHANGE)
@click.argument("package_id", metavar="[package-id]", required=False)
def show(change_id: str, package_id: str | None) -> int:
    """Show the summary of a run, or the attempts, steps and logs of one package."""
    from parallel_impl.run.inspect import run_status  # noqa: PLC0415

    run = run_status.run(Path.cwd(), change_id)
    click.echo(run.describe_package(package_id) if package_id else run.describe(), nl=False)
    return 0
