"""A run is given up: its work is kept on refs of attempts, and the change is free for a new run."""

from __future__ import annotations

import re

from parallel_impl.errors import count
from parallel_impl.git.repo import Repo
from parallel_impl.record import events as e
from parallel_impl.run.places import Places
from parallel_impl.run.resume import attempts
from parallel_impl.run.run import Run, now


def abort(run: Run) -> None:
    """Give the run up: end what it left, save its work, and free the change for a new run."""
    attempts.settle_leftovers(run)
    run.record(e.RunAborted(at=now()))


def finish_abort(repo: Repo, places: Places) -> str:
    """Move what an aborted run had accepted to refs of attempts, and its journal aside; what to tell about it.

    Done again after a crash it ends the same.
    """
    refs = repo.refs(places.package_refs)
    for ref in refs:
        to_attempts(repo, places, ref)
    number = places.next_earlier_number()
    for file in (places.summary, places.summary_json):
        if file.exists():
            file.rename(file.with_stem(f"{file.stem}.{number}"))
    if places.gates.exists():
        places.gates.rename(places.state / f"gates.{number}")
    places.journal.rename(places.state / f"journal.{number}.jsonl")
    kept = f"the accepted work of {count(len(refs), 'package')} is" if refs else "all work is"
    return (
        f"aborted; {kept} kept on {places.attempt_refs}/\n"
        f"  start anew: parallel-implement {places.change_id}\n"
        f"  clean up:   parallel-cleanup {places.change_id}"
    )


def to_attempts(repo: Repo, places: Places, ref: str) -> None:
    """Delete a ref of accepted work whose commit is on the ref of its attempt; made there if it is not."""
    commit = repo.ref(ref)
    if commit is None:
        return
    package = ref.removeprefix(f"{places.package_refs}/")
    made = repo.refs(f"{places.attempt_refs}/{package}")
    if commit not in made.values():
        number = 1 + max((int(name.rpartition("/")[2]) for name in made), default=0)
        repo.set_ref(places.attempt_ref(package, number), commit)
    repo.delete_ref(ref, commit)


def attempts_made(repo: Repo, places: Places) -> dict[str, int]:
    """The highest number of an attempt that earlier runs of the change made at each package: theirs are taken."""
    made: dict[str, int] = {}
    names = [name.removeprefix(f"{places.attempt_refs}/") for name in repo.refs(places.attempt_refs)]
    names += [str(path.relative_to(places.state / "attempts")) for path in places.state.glob("attempts/*/*")]
    for name in names:
        if found := re.fullmatch(r"(.+)/([0-9]+)", name):
            made[found[1]] = max(made.get(found[1], 0), int(found[2]))
    return made
