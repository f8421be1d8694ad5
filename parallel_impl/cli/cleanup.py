"""`parallel-cleanup <change-id>`: removes what is contained elsewhere, lists what is not."""

from __future__ import annotations

from pathlib import Path

import click

from parallel_impl.cli.change import CHANGE


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: parallel-cleanup add-login")
@click.argument("change_id", metavar="<change-id>", type=CHANGE)
@click.option("--force", is_flag=True, help="Remove work too that is contained in no branch.")
@click.option("--as-owner", is_flag=True, help="As root in somebody else's repository: go on as its owner.")
@click.option("--dry-run", is_flag=True, help="Only report what would be removed and what would be kept.")
def cleanup(change_id: str, *, force: bool, as_owner: bool, dry_run: bool) -> int:
    """Remove worktrees, package repositories, refs and state of a change that are no longer needed.

    Work that the feature branch does not contain is listed and kept. Exit code: 0 all removed; 1 something was
    kept; 2 the input or the repository is not usable.
    """
    from parallel_impl.cli.owner import work_as_owner  # noqa: PLC0415
    from parallel_impl.errors import printable  # noqa: PLC0415
    from parallel_impl.git.repo import Repo  # noqa: PLC0415
    from parallel_impl.run.inspect import cleanup as cleaning  # noqa: PLC0415

    work_as_owner(f"parallel-cleanup {change_id}", click.get_current_context().obj or {}, wanted=as_owner)
    report = cleaning.clean(Repo.discover(Path.cwd()), Path.cwd(), change_id, force=force, dry_run=dry_run)
    for line in report.lines:
        click.echo(printable(line))
    return 1 if report.kept else 0
