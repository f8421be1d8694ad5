"""The part of the repository whose `openspec/` has the change: where the command is given, or where its run began."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git.repo import Repo
from parallel_impl.plan import ids, parts
from parallel_impl.record.state import State
from parallel_impl.run.places import Places
from parallel_impl.run.start import inputs


def locate(repo: Repo, folder: Path, places: Places, state: State, *, base: str) -> Places:
    """The places of the change in its part. `base` is what was typed. UserError where two parts have the id."""
    top = repo.top(folder)
    here = storage.real(folder).relative_to(storage.real(top)).as_posix() if top else "."
    here = "" if here == "." else here
    run_in = state.started.part if state.started else None
    if state.started:
        commit = repo.head(folder) or state.started.base
    else:
        commit, _ = inputs.find_base(repo, folder, places, base, state)
    paths = [entry.path for entry in repo.entries(commit, recurse=True)]
    # a change that is not committed yet is missed where it lies
    folders = [ids.folder(places.change_id, part) for part in parts.above(here)]
    paths += [f"{one}/" for one in folders if top and (top / one).is_dir()]
    return replace(places, part=parts.choose(places.change_id, here, paths, run_in=run_in))
