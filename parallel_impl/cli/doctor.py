"""`parallel-impl doctor`: what a run would find on this machine, each with the line that repairs it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from parallel_impl.cli.output import echo, put_json


@click.command(
    short_help="Report what a run would find on this machine.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-impl doctor",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(*, as_json: bool) -> int:
    """Report every capability that a run uses here: git, locks, disk, agents with version and log-in, openspec, forge.

    Programs of this machine are asked, no provider and no forge. Exit code: 0 a run can start; 1 something is missing
    that it needs.
    """
    from parallel_impl.errors import printable  # noqa: PLC0415
    from parallel_impl.record import json_form  # noqa: PLC0415
    from parallel_impl.run.inspect import doctor as doctors  # noqa: PLC0415

    dropped = click.get_current_context().obj or {}
    found = doctors.examine(Path.cwd(), {**os.environ, **dropped})
    if as_json:
        put_json(json_form.plain(found), indent=1)
    else:
        for one in found.capabilities:
            echo(printable(str(one)))
    return 0 if found.can_run else 1
