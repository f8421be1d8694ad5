"""What a run left, as it is asked for: the summary, the results of a package, its diff, its prompt, its agent's log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import UserError, printable
from parallel_impl.git.repo import Repo
from parallel_impl.record import json_form
from parallel_impl.record import result as results
from parallel_impl.record.state import Progress
from parallel_impl.report import progress
from parallel_impl.run.inspect.run_status import RunStatus
from parallel_impl.run.inspect.run_view import RunView

CHUNK = 1_000_000  # bytes of a log at once: it may have 50 MB


def summary(run: RunStatus) -> object:
    """summary.json; how far the run is while there is none, or while somebody works on it."""
    file = run.places.summary_json
    if file.is_file() and not run.owner:
        return json.loads(storage.read(file))
    return json_form.plain(progress.report(RunView(run.places).look(time.time())[0]))


def results_of(run: RunStatus, package: str) -> Iterator[object]:
    """The published result of each attempt that has one."""
    for number in range(1, _progress(run, package).attempts + 1):
        try:
            yield json.loads(storage.read(run.places.attempt(package, number) / results.FILE))
        except (OSError, ValueError):
            continue  # not ended, or ended by a crash


def results_and_state(run: RunStatus, package: str) -> object:
    """The package's state, and the results of its attempts, the first one first."""
    one = _progress(run, package)
    told = {"package_id": package, "state": str(one.state), "attempts": one.attempts, "commit": one.commit}
    return {**told, "results": list(results_of(run, package))}


def part(run: RunStatus, package: str, name: str) -> Iterator[str]:
    """The `diff`, `prompt` or `log` of a package's last attempt, printable. UserError where there is none."""
    number = _progress(run, package).attempts
    if not number:
        raise UserError(f"no attempt at {package} has started yet", hint=f"parallel-impl status {run.places.change_id}")
    files = run.places.attempt_files(package, number)
    if name == "diff":
        yield from _diff(run, package, number)
    elif name == "prompt":
        yield from _read(files.prompt)
    else:
        yield from _read(files.raw if files.raw.is_file() else files.agent_log)


def _progress(run: RunStatus, package: str) -> Progress:
    found = run.state.packages.get(package)
    if found is None:
        known = ", ".join(run.state.packages)
        raise UserError(f"{run.places.change_id} has no package {package!r}", hint=f"packages: {known}")
    return found


def _diff(run: RunStatus, package: str, number: int) -> Iterator[str]:
    """What the attempt changed, against its package's base, which is its only parent."""
    repo, places = Repo(run.places.common), run.places
    commit = repo.ref(places.attempt_ref(package, number)) or repo.ref(places.package_ref(package))
    if commit is None:
        raise UserError(
            f"attempt {number} at {package} has no commit", hint=f"look into {places.attempt(package, number)}"
        )
    shown = repo.patch(commit)
    yield printable(shown.decode(errors="replace").replace("\t", "    "))


def _read(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8", errors="replace", newline="") as opened:
            while text := opened.read(CHUNK):
                yield printable(text.replace("\r\n", "\n").replace("\t", "    "))
    except FileNotFoundError:
        raise UserError(
            "nothing was written yet", where=str(file), hint="look again when the attempt has begun"
        ) from None
