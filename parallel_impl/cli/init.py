"""`parallel-impl init`: OpenSpec knows of work packages, and the configuration says what is found here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from parallel_impl.cli.output import put


@click.command(
    short_help="Set a repository up: schema of OpenSpec and configuration.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-impl init --skills",
)
@click.option("--change", "change_id", metavar="<change-id>", help="Pin this older change to the schema too.")
@click.option("--skills", is_flag=True, help="Write /parallel-implement and /parallel-cleanup for coding agents.")
@click.option("--yes", is_flag=True, help="Overwrite what differs without a question.")
@click.option("--as-owner", is_flag=True, help="As root in somebody else's repository: go on as its owner.")
def init(change_id: str | None, *, skills: bool, yes: bool, as_owner: bool) -> int:
    """Set a repository up: a schema of OpenSpec with contracts and work packages, and a commented configuration.

    Files are written into the worktree and nothing is committed. Exit code: 0 done; 1 something was left as it is;
    2 there is no openspec/ here.
    """
    from parallel_impl.cli.owner import work_as_owner  # noqa: PLC0415
    from parallel_impl.errors import UserError, printable  # noqa: PLC0415
    from parallel_impl.git.repo import Repo  # noqa: PLC0415
    from parallel_impl.run.inspect import initialize  # noqa: PLC0415

    def replace(path: str) -> bool:
        if yes:
            return True
        if not sys.stdin.isatty():
            raise UserError(f"{path} is there and differs", where=path, hint="overwrite it: parallel-impl init --yes")
        return click.confirm(f"overwrite {path}?", default=False)

    work_as_owner("parallel-impl init", click.get_current_context().obj or {}, wanted=as_owner)
    report = initialize.initialize(
        Repo.discover(Path.cwd()),
        Path.cwd(),
        os.environ,
        change_id=change_id or "",
        skills=skills,
        replace=replace,
    )
    for line in report.lines:
        put(printable(line))
    return 1 if report.left else 0
