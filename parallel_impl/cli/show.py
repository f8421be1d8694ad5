"""`parallel-impl show <change-id> [<package-id>]`: what was done, with the evidence and where the logs are."""

from __future__ import annotations

from pathlib import Path

import click

from parallel_impl.cli.change import CHANGE
from parallel_impl.cli.output import echo, put_json


@click.command(
    short_help="Show the summary of a run, or one package of it.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-impl show add-login wp-api --diff",
)
@click.argument("change_id", metavar="<change-id>", type=CHANGE)
@click.argument("package_id", metavar="[package-id]", required=False)
@click.option("--diff", "part", flag_value="diff", help="What the last attempt at the package changed.")
@click.option("--prompt", "part", flag_value="prompt", help="What its agent was asked.")
@click.option("--log", "part", flag_value="log", help="What its agent printed.")
@click.option("--json", "as_json", is_flag=True, help="The summary, or the results of the package's attempts, as JSON.")
def show(change_id: str, package_id: str | None, *, part: str | None, as_json: bool) -> int:
    """Show the summary of a run, or the attempts, steps and logs of one package."""
    from parallel_impl.errors import UserError  # noqa: PLC0415
    from parallel_impl.run.inspect import run_status, show  # noqa: PLC0415

    run = run_status.run(Path.cwd(), change_id)
    if part and not package_id:
        raise UserError(f"--{part} of which package?", hint=f"packages: {', '.join(run.state.packages)}")
    if part and as_json:
        raise UserError(f"--{part} is text: give it without --json")
    if as_json:
        put_json(show.results_and_state(run, package_id) if package_id else show.summary(run))
    elif part and package_id:
        for text in show.part(run, package_id, part):
            echo(text, nl=False)
    else:
        echo(run.describe_package(package_id) if package_id else run.describe(), nl=False)
    return 0
