"""`parallel-impl enter <change-id> <package-id> [-- command]`: a shell, or a command, in the checkout of a package."""

from __future__ import annotations

import os
from pathlib import Path

import click

from parallel_impl.cli.change import CHANGE
from parallel_impl.cli.output import put


@click.command(
    short_help="Open a shell in the checkout of a package.",
    context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True},
    epilog="Example: parallel-impl enter add-login wp-api -- git status",
)
@click.argument("change_id", metavar="<change-id>", type=CHANGE)
@click.argument("package_id", metavar="<package-id>")
@click.option("--as-owner", is_flag=True, help="As root in somebody else's repository: go on as its owner.")
@click.argument("command", metavar="[-- command]", nargs=-1, type=click.UNPROCESSED)
def enter(change_id: str, package_id: str, command: tuple[str, ...], *, as_owner: bool) -> None:
    """Open a shell in the checkout of a package, or run a command there; its exit code is this one's.

    While an attempt or its verification is at work it is theirs: what is changed there counts. What a killed run has
    left, or what could not be taken, is there to be read. Exit code 2: there is no such package, or nothing of it.
    """
    from parallel_impl.cli.owner import work_as_owner  # noqa: PLC0415
    from parallel_impl.errors import UserError, printable  # noqa: PLC0415
    from parallel_impl.run.inspect import enter as entering  # noqa: PLC0415
    from parallel_impl.views import entry  # noqa: PLC0415

    dropped = click.get_current_context().obj or {}
    work_as_owner(f"parallel-impl enter {change_id} {package_id}", dropped, wanted=as_owner)
    room = entering.find(Path.cwd(), change_id, package_id)
    argv = command or (os.environ.get("SHELL") or "/bin/sh",)
    if room.counts or not command:
        put(printable(f"{room.about}\n{room.folder}"), err=True)
    room.go_in()
    try:
        entry.become(argv, entering.environment(os.environ))
    except OSError as error:
        raise UserError(f"{argv[0]} cannot be started: {error.strerror}", where=str(room.folder)) from None
