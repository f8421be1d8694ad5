"""How the processes of one piece of work start: with the run's marks, and a TMPDIR that ends with that work."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from parallel_impl.gates import setup
from parallel_impl.gates.setup import SetupOutcome
from parallel_impl.git import hooks
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.edits import SetUpChanges
from parallel_impl.git.remove import try_remove
from parallel_impl.processes.launch import Launch
from parallel_impl.processes.slots import Share
from parallel_impl.record import events as e
from parallel_impl.record.journal import now
from parallel_impl.record.times import TimePhase
from parallel_impl.run import ports
from parallel_impl.run.run_id import MARK
from parallel_impl.run.spec import RunSpec, Workspace
from parallel_impl.run.stopwatch import phase
from parallel_impl.text import first_names

SHOWN = 10
# its files got other access times since git wrote them: a set-up that asks git would read them all
LAID_OUT = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.trustctime", "GIT_CONFIG_VALUE_0": "false"}
NAMED, HASHED = 27, 12  # characters of a name that people read, and of the hash that makes it the checkout's own


Tell = Callable[[e.Event], None]  # what hears of a piece of work, in any thread


@contextmanager
def equip(
    launch: Launch,
    spec: RunSpec,
    workspace: Workspace,
    checkout: Checkout,
    *,
    tell: Tell,
    package: str = "",
    attempt: int = 0,
) -> Iterator[Launch]:
    """The launch for one piece of work: what it is about is in the environment, and a TMPDIR, removed at the end.

    One that cannot be removed (something of root or of a container lies in it) is told, and stays.

    Names, ports and the share of cores are the checkout's: its set-up, agent, steps and gates have the same ones.

    The TMPDIR lies outside every worktree and is short: a 110-character path broke a Unix socket. Its name holds the
    run, so that it is found after a kill.
    """
    named = {MARK: spec.run_id, "PARALLEL_IMPL_CHANGE": workspace.places.change_id}
    if package:
        named |= {"PARALLEL_IMPL_PACKAGE": package, "PARALLEL_IMPL_ATTEMPT": str(attempt)}
    named |= _resources(spec, workspace, checkout) | spec.slots.environment(launch.env)
    # an agent that removes its `.git` must not end up in a repository that its home happens to lie in
    named["GIT_CEILING_DIRECTORIES"] = str(workspace.home)
    folder = tempfile.mkdtemp(prefix=_prefix(spec.run_id))
    try:
        yield replace(launch, env={**launch.env, **named, "TMPDIR": folder}, view=checkout.view)
    finally:
        if why := try_remove(Path(folder)):
            noted(tell, package)(f"{why}; it is left")


def name(change_id: str, level: Path) -> str:
    """A name for what a checkout has outside of its folder: a database, containers. No two checkouts have the same one.

    `level` is the checkout's own, which is called as its package is; all worktrees are called as the repository is.
    At most 40 characters of `[a-z0-9_]`, the first a letter.
    """
    readable = re.sub(r"[^a-z0-9]+", "_", f"{change_id}_{level.name}".lower())[:NAMED]
    return f"{readable}_{hashlib.sha256(os.fsencode(level)).hexdigest()[:HASHED]}"


def _resources(spec: RunSpec, workspace: Workspace, checkout: Checkout) -> dict[str, str]:
    own = name(workspace.places.change_id, checkout.folder)
    found = {"PARALLEL_IMPL_NAME": own, "COMPOSE_PROJECT_NAME": own}
    if spec.config.ports:
        lent = ports.lend(checkout.folder, spec.config.ports)
        found |= {"PARALLEL_IMPL_PORT": str(lent[0]), "PARALLEL_IMPL_PORTS": " ".join(map(str, lent))}
    return found


def noted(tell: Tell, package: str = "") -> Callable[[str], None]:
    """What takes a line for the summary, told as an event."""
    return lambda text: tell(e.Noted(at=now(), text=text, package=package))


def temporary_folders(run_id: str) -> list[Path]:
    """The TMPDIRs of this run that are there."""
    return sorted(Path(tempfile.gettempdir()).glob(f"{_prefix(run_id)}*"))


def remove_temporary_folders(run_id: str) -> Iterator[str]:
    """Remove the TMPDIRs that an earlier process of this run left; a line for each that stays."""
    for folder in temporary_folders(run_id):
        if why := try_remove(folder):
            yield f"{why}; it is left"


@phase(TimePhase.SET_UP)
def make_ready(
    spec: RunSpec,
    launch: Launch,
    checkout: Checkout,
    log: Path,
    *,
    tell: Tell,
    on: str = "",
    package: str = "",
    number: int = 0,
    changes: SetUpChanges | None = None,
    judged: bool = True,
) -> SetupOutcome:
    """Run the set-up of this repository in a checkout, whose hooks then never run; its output replaces `log`.

    It takes a slot, and runs once more alone where it failed beside other heavy work. Set-up sees where the main
    worktree lies, to link what belongs beside it. `tell` hears that it waits, begins and ends, of which checkout;
    nothing where there is no set-up. With `changes`, of the fresh checkout, set-up fails where it changes more files
    than on the base: what is judged there would not be what lands; where that is not `judged` they are only looked at.
    Where a layer serves the checkout, nothing runs; where none does, what set-up makes becomes one.
    """
    mounted = checkout.mounted
    if mounted and mounted.ready:
        hooks.switch_off(checkout)
        return SetupOutcome(0.0)

    def once(*, alone: bool = False) -> tuple[SetupOutcome, Share]:
        waiting = e.SlotAwaited(at=now(), what="set-up", on=on, package=package, number=number)
        with spec.slots.take(launch.stops, alone=alone, waits=lambda: tell(waiting)) as share:
            tell(e.SetupStarted(at=now(), on=on, package=package, number=number))
            return _set_up(spec, launch, checkout, log, look), share

    inputs: dict[str, str] = {}

    def look() -> None:
        if checkout.mounts and mounted:
            inputs.update(checkout.mounts.inputs(mounted))

    if not spec.setup:
        outcome = _set_up(spec, launch, checkout, log)
        if not outcome.failure:
            checkout.settle(seconds=0.0, inputs={})
        return outcome
    if checkout.mounts and mounted:
        checkout.mounts.forget_reads(mounted)
    outcome, share = once()
    if again := bool(outcome.failure) and share.beside and not any(launch.stops):
        first, (outcome, _) = outcome, once(alone=True)
        outcome = replace(outcome, seconds=first.seconds + outcome.seconds)
    # while the checkout is as set-up has left it
    if changes and not outcome.failure and (more := changes.beyond(spec.set_up_changes)) and judged:
        outcome = replace(outcome, failure=_changes_more(more))
    if not outcome.failure:
        checkout.settle(seconds=outcome.seconds, inputs=inputs)
    tell(
        e.SetupEnded(
            at=now(),
            on=on,
            package=package,
            number=number,
            seconds=round(outcome.seconds, 3),
            why=outcome.failure or "",
            red_under_load=again and not outcome.failure,
        )
    )
    return outcome


def _set_up(
    spec: RunSpec, launch: Launch, checkout: Checkout, log: Path, ran: Callable[[], None] = lambda: None
) -> SetupOutcome:
    outcome = setup.make_ready(
        checkout.files,
        spec.setup,
        env={**launch.env, **(LAID_OUT if checkout.view else {}), "PARALLEL_IMPL_REPOSITORY": str(spec.repository)},
        log=log,
        caches=spec.caches,
        seconds=spec.config.setup_minutes * 60,
        stop=launch.stop,
        mask=launch.mask,
        view=checkout.view,
        ran=ran,
    )
    if os.access(checkout.files, os.R_OK | os.W_OK | os.X_OK):
        hooks.switch_off(checkout)
        return outcome
    return replace(outcome, failure=outcome.failure or "set-up: it removed or closed the folder that it ran in")


def fresh_changes(spec: RunSpec, workspace: Workspace, checkout: Checkout) -> SetUpChanges | None:
    """What to ask after set-up in this checkout, which is fresh; None where there is no set-up."""
    return SetUpChanges(workspace.trees, checkout) if spec.setup else None


def _changes_more(paths: list[str]) -> str:
    listed = first_names(paths, SHOWN)
    return f"set-up changes files that it does not change on the base: {listed}; commit or ignore what it makes"


def _prefix(run_id: str) -> str:
    return f"pi-{run_id[:8]}-"
