"""`parallel-cleanup <change-id>`: removes what is contained elsewhere, lists what is not."""

from __future__ import annotations

import os
from pathlib import Path

import click

from parallel_impl.cli.change import CHANGE
from parallel_impl.cli.output import put


@click.command(
    short_help="Remove what a change no longer needs; archive it once it is merged.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-cleanup add-login",
)
@click.argument("change_id", metavar="[change-id]", type=CHANGE, required=False)
@click.option("--layers", is_flag=True, help="Without a change-id: remove what set-up made and runs keep for others.")
@click.option("--force", is_flag=True, help="Remove work too that is contained in no branch.")
@click.option("--as-owner", is_flag=True, help="As root in somebody else's repository: go on as its owner.")
@click.option("--dry-run", is_flag=True, help="Only report what would be removed, kept and archived.")
@click.option("--archive/--no-archive", default=True, help="Archive the change in OpenSpec where it is merged.")
@click.option("--archive-on", metavar="BRANCH", help="Archive on this local branch, checked out nowhere; moves it.")
@click.option("--pr", is_flag=True, help="Open a pull request of the branch with the archived change.")
@click.option("--with-open-tasks", is_flag=True, help="Archive with open tasks too: they become a follow-up list.")
def cleanup(
    change_id: str | None,
    *,
    layers: bool,
    force: bool,
    as_owner: bool,
    dry_run: bool,
    archive: bool,
    archive_on: str | None,
    pr: bool,
    with_open_tasks: bool,
) -> int:
    """Remove worktrees, package repositories, refs and state of a change that are no longer needed.

    Work that the feature branch does not contain is listed and kept. Once the branch is merged the change is archived
    as OpenSpec does it, in one commit on the new branch archive/<change-id>. Exit code: 0 all removed; 1 something
    was kept, or not archived; 2 the input or the repository is not usable.

    With --layers and no change-id: removes the layers of this repository, prepared checkouts that set-up made once and
    that the next run finds ready. One that is in use stays, and is named.
    """
    from parallel_impl.cli.owner import work_as_owner  # noqa: PLC0415
    from parallel_impl.errors import UserError, printable  # noqa: PLC0415
    from parallel_impl.git.repo import Repo  # noqa: PLC0415
    from parallel_impl.run.inspect import archive as archiving  # noqa: PLC0415
    from parallel_impl.run.inspect import cleanup as cleaning  # noqa: PLC0415

    dropped = click.get_current_context().obj or {}
    if layers == bool(change_id):
        what = "--layers goes without a change-id" if layers else "which change is to be cleaned up?"
        raise UserError(what, hint="parallel-cleanup <change-id>, or for the layers of all: parallel-cleanup --layers")
    if layers and (force or pr or archive_on or with_open_tasks or not archive):
        raise UserError("--layers goes with --dry-run and --as-owner alone", hint="parallel-cleanup --layers")
    work_as_owner(f"parallel-cleanup {change_id or '--layers'}", dropped, wanted=as_owner)
    if not change_id:
        return _layers(dry_run=dry_run)
    repo, refused, inherited = Repo.discover(Path.cwd()), False, {**os.environ, **dropped}
    if archive:  # first: what cleaning up removes tells what landed
        options = archiving.ArchiveOptions(archive_on or "", pr, with_open_tasks, dry_run)
        archived = archiving.archive(repo, Path.cwd(), change_id, options, inherited)
        refused = archived.refused or (archived.unmerged and not force)  # --force: it will not be merged
        for line in archived.lines:
            put(printable(line))
    report = cleaning.clean(repo, Path.cwd(), change_id, force=force, dry_run=dry_run, inherited=inherited)
    for line in report.lines:
        put(printable(line))
    return 1 if report.kept or refused else 0


def _layers(*, dry_run: bool) -> int:
    from parallel_impl.errors import printable  # noqa: PLC0415
    from parallel_impl.run.inspect import layers  # noqa: PLC0415

    emptied = layers.empty(Path.cwd(), dry_run=dry_run)
    for line in emptied.lines:
        put(printable(line))
    return 1 if emptied.kept else 0
