"""`parallel-impl status`: the runs of this repository and the states of their packages, once or as they change."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parallel_impl.cli.change import CHANGE
from parallel_impl.cli.output import echo, put, put_json

if TYPE_CHECKING:
    from parallel_impl.report.picture import Picture
    from parallel_impl.run.inspect.run_status import RunStatus
    from parallel_impl.run.inspect.run_view import RunView

LOOK_SECONDS = 1.0  # between two looks at a run


@click.command(
    short_help="Show the runs here, or the packages of one.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-impl status add-login --watch",
)
@click.argument("change_id", metavar="[change-id]", required=False, type=CHANGE)
@click.option(
    "-w", "--watch", is_flag=True, help="Go on until nobody works on the run: a board on a terminal, or lines."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, in the shape of progress.json.")
def status(change_id: str | None, *, watch: bool, as_json: bool) -> int:
    """Show the runs of this repository, or the packages of one: states, attempts, what each does or waits for."""
    from parallel_impl.errors import UserError  # noqa: PLC0415
    from parallel_impl.run.inspect import run_status  # noqa: PLC0415
    from parallel_impl.run.inspect.run_view import RunView  # noqa: PLC0415

    if change_id is None:
        if watch:
            raise UserError("which run is to be watched?", hint="parallel-impl status <change-id> --watch")
        return _all(as_json=as_json)
    run = run_status.run(Path.cwd(), change_id)
    view = RunView(run.places)
    if watch:
        return _watch(view, as_json=as_json)
    picture, _ = view.look(time.time())
    if as_json:
        put_json(_told(picture))
        return 0
    for line in (_line(run), *run.pause_lines, *_rows(picture)):
        echo(line)
    return 0


def _all(*, as_json: bool) -> int:
    from parallel_impl.run.inspect import layers  # noqa: PLC0415
    from parallel_impl.run.inspect.run_view import RunView  # noqa: PLC0415

    found = layers.overview(Path.cwd())
    runs, kept = found.runs, found.layers
    if as_json:
        readable = [run for run in runs if not run.unreadable]
        told = [_told(RunView(run.places).look(time.time())[0]) for run in readable]
        broken = {run.places.change_id: run.unreadable for run in runs if run.unreadable}
        put_json({"runs": told, "unreadable": broken, "layers": {"number": kept.number, "bytes": kept.bytes}})
        return 0
    for line in [line for run in runs for line in (_line(run), *run.pause_lines)] or ["no runs in this repository"]:
        echo(line)
    if kept.number:
        echo(f"{kept} of set-up, kept for the next run; to remove them: {layers.COMMAND}")
    return 0


def _told(picture: Picture) -> object:
    from parallel_impl.record import json_form  # noqa: PLC0415
    from parallel_impl.report import progress  # noqa: PLC0415

    return json_form.plain(progress.report(picture))


def _watch(view: RunView, *, as_json: bool) -> int:
    """Show the run each second until nobody works on it, and then how it stands."""
    from parallel_impl.cli.live_board import Screen, colours_of, size_of  # noqa: PLC0415
    from parallel_impl.cli.terminal import is_plain  # noqa: PLC0415
    from parallel_impl.report import board  # noqa: PLC0415

    screen = Screen(sys.stdout, lambda: size_of(sys.stdout))
    plain, last = is_plain(os.environ), ""
    while True:
        picture, alive = view.look(time.time())
        if as_json:
            put_json(_told(picture))
        elif plain:
            last = _put_new(f"{picture.state}: {picture.heartbeat}", last)
        else:
            width, height = screen.size()
            screen.draw(board.lines(picture, width, max(height - 1, 1), colours_of(dict(os.environ))))
        if not alive:
            screen.leave()
            return 0
        time.sleep(LOOK_SECONDS)


def _put_new(line: str, last: str) -> str:
    if line != last:
        put(line)
    return line


def _rows(picture: Picture) -> list[str]:
    from parallel_impl.errors import count, printable  # noqa: PLC0415

    rows = []
    for row in picture.rows:
        tries = count(row.attempts, "attempt")
        rows.append(f"  {row.id:<32} {row.state:<10} {tries}  {row.commit[:12]}  {row.answer}".rstrip())
        rows += [f"      {line}" for line in row.telling]
    return [printable(line) for line in rows]


def _line(run: RunStatus) -> str:
    counts = Counter(str(progress.state) for progress in run.state.packages.values())
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    return f"{run.headline}  {states}" if states else run.headline
