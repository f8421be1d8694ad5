"""The command that is told how a run ended: `notify = "notify-send"`. It never changes how it ended."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from parallel_impl.processes.launch import Limits
from parallel_impl.processes.process import run as start
from parallel_impl.run.run import Run
from parallel_impl.text import one_line, shorten

SECONDS = 10.0
DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XAUTHORITY")
LONGEST = 300  # characters of the message


def notify(run: Run, headline: str, folder: Path, inherited: Mapping[str, str]) -> Iterator[str]:
    """Start the configured command in `folder` with one argument, how the run ended; a line where it failed."""
    command, places = run.spec.config.notify, run.workspace.places
    if not command:
        return
    message = shorten(one_line(f"{places.change_id}: {headline}"), LONGEST)
    desktop = {name: value for name, value in inherited.items() if name in DESKTOP}
    launch = replace(
        run.launch,
        cwd=folder,
        env={**run.launch.env, **desktop},
        limits=Limits(SECONDS, grace_seconds=1.0),
        stop=None,  # an interrupted run ends too
    )
    done = start([*shlex.split(command), message], launch, places.notify_log)
    if not done.clean:
        yield f"  notify ({command}): {done}; log: {places.notify_log}"
