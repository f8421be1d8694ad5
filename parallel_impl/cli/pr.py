"""`parallel-impl pr <change-id>`: push what landed, open its pull request, wait for its checks."""

from __future__ import annotations

import os
from pathlib import Path

import click

from parallel_impl.cli.change import CHANGE


@click.command(
    short_help="Push what landed and open its pull request.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-impl pr add-login --wait --minutes 20",
)
@click.argument("change_id", metavar="<change-id>", type=CHANGE)
@click.option("--wait", is_flag=True, help="Wait for the required checks; exit code 1 unless they passed.")
@click.option("--minutes", type=click.FloatRange(0, 1440), default=30, show_default=True, help="How long --wait waits.")
@click.option("--as-owner", is_flag=True, help="As root in somebody else's repository: go on as its owner.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on stdout, and nothing else there.")
def pr(change_id: str, *, wait: bool, minutes: float, as_owner: bool, as_json: bool) -> int:
    """Push the feature branch of a landed change and open its pull request, or bring it up to date.

    May be given again at any time: nothing is opened twice, and only the text of this tool is replaced in a body. Exit
    code: 0 done; 1 the remote or the forge refused, or checks did not pass; 2 nothing has landed, or the configuration
    is wrong.
    """
    from parallel_impl.cli.owner import work_as_owner  # noqa: PLC0415
    from parallel_impl.cli.terminal import JsonLines, Terminal  # noqa: PLC0415
    from parallel_impl.git.repo import Repo  # noqa: PLC0415
    from parallel_impl.run.publish import publish  # noqa: PLC0415
    from parallel_impl.run.publish.publish import Asked  # noqa: PLC0415

    dropped = click.get_current_context().obj or {}
    work_as_owner(f"parallel-impl pr {change_id}", dropped, wanted=as_owner)
    inherited, repo = {**os.environ, **dropped}, Repo.discover(Path.cwd())
    asked = Asked(repo, Path.cwd(), change_id, inherited, minutes if wait else None)
    return publish.pull_request(asked, JsonLines() if as_json else Terminal())
