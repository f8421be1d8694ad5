"""How the processes of one piece of work start: with the run's marks, and a TMPDIR that ends with that work."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from parallel_impl.gates import setup
from parallel_impl.gates.setup import SetupOutcome
from parallel_impl.git import hooks
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.remove import remove
from parallel_impl.processes.launch import Launch
from parallel_impl.run.run_id import MARK
from parallel_impl.run.spec import RunSpec, Workspace


@contextmanager
def equip(
    launch: Launch, spec: RunSpec, workspace: Workspace, *, package: str = "", attempt: int = 0
) -> Iterator[Launch]:
    """The launch for one piece of work: what it is about is in the environment, and a TMPDIR, removed at the end.

    The TMPDIR lies outside every worktree and is short: a 110-character path broke a Unix socket. Its name holds the
    run, so that it is found after a kill.
    """
    named = {MARK: spec.run_id, "PARALLEL_IMPL_CHANGE": workspace.places.change_id}
    if package:
        named |= {"PARALLEL_IMPL_PACKAGE": package, "PARALLEL_IMPL_ATTEMPT": str(attempt)}
    # an agent that removes its `.git` must not end up in a repository that its home happens to lie in
    named["GIT_CEILING_DIRECTORIES"] = str(workspace.home)
    folder = tempfile.mkdtemp(prefix=_prefix(spec.run_id))
    try:
        yield replace(launch, env={**launch.env, **named, "TMPDIR": folder})
    finally:
        remove(Path(folder))


def remove_temporary_folders(run_id: str) -> None:
    """Remove the TMPDIRs that an earlier process of this run left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_prefix(run_id)}*"):
        remove(folder)


def make_ready(spec: RunSpec, launch: Launch, checkout: Checkout, log: Path) -> SetupOutcome:
    """Run the set-up of this repository in a checkout, whose hooks then never run; its output replaces `log`.

    Set-up sees where the main worktree lies, to link what belongs beside it.
    """
    outcome = setup.make_ready(
        checkout.path,
        spec.setup,
        env={**launch.env, "PARALLEL_IMPL_REPOSITORY": str(spec.repository)},
        log=log,
        caches=spec.caches,
        stop=launch.stop,
        mask=launch.mask,
    )
    hooks.switch_off(checkout)
    return outcome


def _prefix(run_id: str) -> str:
    return f"pi-{run_id[:8]}-"
