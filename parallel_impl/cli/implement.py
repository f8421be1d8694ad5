"""`parallel-implement <change-id>`: preflight, run, prove, land."""

from __future__ import annotations

from pathlib import Path

import click

from parallel_impl.cli.change import CHANGE
from parallel_impl.config import MAX_JOBS


@click.command(
    short_help="Run the work packages of a change in parallel, and land them.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-implement add-login --agent claude",
)
@click.argument("change_id", metavar="<change-id>", type=CHANGE)
@click.option("--agent", metavar="NAME|SPEC", help="The agent: claude, codex, …, or 'command: my-agent'.")
@click.option("--jobs", type=click.IntRange(1, MAX_JOBS), metavar="N", help="How many agents at once (default: 4).")
@click.option("--base", metavar="REF", help="Start from this commit (default: the feature branch, else HEAD).")
@click.option("--only", metavar="PKG", help="Run this package and what it depends on; nothing lands.")
@click.option("--single", is_flag=True, help="The whole change as one package, without a plan; nothing runs beside it.")
@click.option("--retry-failed", is_flag=True, help="Try packages again that failed in this run.")
@click.option("--restart", metavar="PKG", multiple=True, help="Do this package again, and what builds on it.")
@click.option("--again", is_flag=True, help="Do a change again that is in the base already.")
@click.option("--accept", metavar="GATE", multiple=True, help="Land with what this gate's last verdict lists.")
@click.option("--fail-fast", is_flag=True, help="Start nothing more once a package has failed; what is at work ends.")
@click.option("--abort", is_flag=True, help="Give the run up: its work stays on refs of attempts.")
@click.option("--wait/--no-wait", help="Wait while other runs hold what this change claims (default: refuse).")
@click.option("--pr/--no-pr", "pr", default=None, help="Push what lands and open a pull request (default: the key pr).")
@click.option("--as-owner", is_flag=True, help="As root in somebody else's repository: go on as its owner.")
@click.option("--dry-run", is_flag=True, help="Everything but agents: problems, waves, critical path, set-up proven.")
@click.option("--profile", is_flag=True, help="At the end: where the time went, of the clock and of CPU.")
@click.option("--plain", is_flag=True, help="Lines, and one each minute, where a terminal would show a board.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on stdout, and nothing else there.")
def implement(
    change_id: str,
    agent: str | None,
    jobs: int | None,
    base: str | None,
    only: str | None,
    *,
    single: bool,
    retry_failed: bool,
    restart: tuple[str, ...],
    again: bool,
    accept: tuple[str, ...],
    fail_fast: bool,
    abort: bool,
    wait: bool,
    pr: bool | None,
    as_owner: bool,
    dry_run: bool,
    profile: bool,
    plain: bool,
    as_json: bool,
) -> int:
    """Run the work packages of an approved OpenSpec change in parallel, and land what is proven.

    The same command again goes on with a run that was stopped. Exit code: 0 landed; 1 not everything landed;
    2 the input or the repository is not usable; 3 a bug; 130 interrupted.
    """
    from parallel_impl.cli.output import put  # noqa: PLC0415
    from parallel_impl.cli.owner import work_as_owner  # noqa: PLC0415
    from parallel_impl.cli.terminal import JsonLines, view  # noqa: PLC0415
    from parallel_impl.errors import printable  # noqa: PLC0415
    from parallel_impl.git.repo import Repo  # noqa: PLC0415  (160 ms: not for --help)
    from parallel_impl.run import command  # noqa: PLC0415
    from parallel_impl.run.start.request import Options  # noqa: PLC0415

    if profile and (dry_run or abort):
        raise click.UsageError("--profile is about a run: with --dry-run and --abort there is none")
    dropped = click.get_current_context().obj or {}  # inherited variables that git must not see as they are
    work_as_owner(f"parallel-implement {change_id}", dropped, wanted=as_owner)
    given = (change_id, agent or "", jobs or 0, base or "", only or "")
    options = Options(
        *given,
        dry_run=dry_run,
        retry_failed=retry_failed,
        restart=restart,
        again=again,
        accept=accept,
        abort=abort,
        wait=wait,
        single=single,
        fail_fast=fail_fast,
        pr=pr,
        profile=profile,
    )
    repo = Repo.discover(Path.cwd())
    listener = JsonLines(plan=dry_run) if as_json else view(plain=plain or dry_run or abort)
    # with --json only events go to stdout
    answer = listener.say if as_json else (lambda text: put(printable(text)))
    try:
        return command.implement(repo, Path.cwd(), options, [listener], dropped=dropped, answer=answer)
    finally:
        listener.end()
