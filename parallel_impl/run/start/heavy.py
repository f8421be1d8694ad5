"""The slots of a run for set-up, steps and gates: those of all runs of this user, where the machine can keep them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from parallel_impl import storage
from parallel_impl.config import Config
from parallel_impl.errors import UserError
from parallel_impl.processes import cores, slots
from parallel_impl.processes.slot_files import FOLDER, SlotFiles
from parallel_impl.processes.slots import Slots
from parallel_impl.run.claims import file_system, lock_trial


def find(settings: Config, inherited: Mapping[str, str]) -> tuple[Slots, str]:
    """The slots, and why they are this run's only ("" when they are the machine's).

    A run that a step or an agent of another run starts has its slots within the share of that: the step holds a slot
    of the machine while it waits for this run, so this run must not wait for one.
    """
    share = inherited.get(cores.CORES, "")
    if share.isdigit() and int(share):
        return slots.own(settings.heavy_jobs, min(int(share), cores.count())), ""
    usable = cores.count()
    count = settings.heavy_jobs or slots.default(usable)
    try:
        folder = storage.state_directory() / FOLDER
        why = _unusable(folder)
    except (OSError, UserError) as error:
        why = str(error)
    if why:
        return slots.own(count, usable), f"{why}: steps, gates and set-ups of other runs are not waited for"
    return Slots(count, usable, SlotFiles(folder)), ""


def _unusable(folder: Path) -> str:
    """Why locks in a folder do not keep the runs of this machine apart, and only those; "" when they do."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        if kind := file_system.network(folder):
            return f"{folder} lies on a network file system ({kind})"
    except OSError:
        pass  # nothing tells; the trial does
    return lock_trial.problem(folder)
