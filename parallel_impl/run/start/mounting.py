"""By which means the checkouts of a run are made ready: found by a trial, or as the configuration says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from parallel_impl.errors import UserError, printable
from parallel_impl.gates import setup_inputs
from parallel_impl.git import layer, mounts
from parallel_impl.git.mounts import Mounts
from parallel_impl.git.repo import Change
from parallel_impl.git.trees import conversions
from parallel_impl.plan.globs import globs
from parallel_impl.processes.namespace import NAMESPACE_INIT
from parallel_impl.run.places import CANDIDATE_CHECKOUT
from parallel_impl.run.spec import RunSpec, Workspace
from parallel_impl.views import trial
from parallel_impl.views.slot import Slot
from parallel_impl.views.trial import Ability
from parallel_impl.views.view import Means

VARIABLE = "PARALLEL_IMPL_CHECKOUTS"
RUN = 16  # characters of a run's id
SAID = {
    Means.OVERLAY: "set-up once, checkouts are views (overlay)",
    Means.COPY: "set-up once, checkouts are copies",
    Means.EACH: "set-up in each checkout",
}


@dataclass(frozen=True, slots=True)
class Mounting:
    """The workspace with the means that were found, one line about them, what of that this machine lacks, and notes."""

    workspace: Workspace
    line: str
    lacking: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@contextmanager
def mounted(
    spec: RunSpec, workspace: Workspace, *, repository_name: str, inherited: Mapping[str, str]
) -> Iterator[Mounting]:
    """Find the means, and make what they need; at the end nothing is mounted any more.

    The variable PARALLEL_IMPL_CHECKOUTS in `inherited` comes before `checkouts`.
    """
    home, config = workspace.home, spec.config
    if wrong := [problem for pattern in config.setup_inputs if (problem := globs.problem(pattern))]:
        raise UserError(f"setup_inputs: {wrong[0].what}", where=config.source, hint=wrong[0].hint)
    wanted = choose(config.checkouts, inherited)
    kept = setup_inputs.is_locked(spec.setup) if config.setup_keep is None else config.setup_keep
    key = _key(spec, workspace, mounts.one_path(home, repository_name))
    with Slot() as slot:
        ability, why = _find(spec, home, wanted, slot, repository_name=repository_name)
        made = Mounts(
            workspace.repo,
            workspace.trees,
            slot,
            ability,
            home,
            mounts.one_path(home, repository_name),
            key=key if kept else f"{key}-{spec.run_id[:RUN]}",
            reason=partial(_reason, config.setup_inputs, ability) if spec.setup else _none,
            own=partial(setup_inputs.own, spec.setup),
            fresh=frozenset((CANDIDATE_CHECKOUT,)) if config.setup_fresh else frozenset(),
            run=spec.run_id,
            kept=kept,
            limit=int(config.layers_gb * 1e9),
        )
        if made.active:
            made.begin()
        try:
            line, chosen = _line(ability, why), wanted == ability.means or not repository_name
            lacking = () if chosen or (ability.means is Means.OVERLAY and ability.reads_seen) else (line,)
            notes, made.told = tuple(made.told), []
            yield Mounting(replace(workspace, source=replace(workspace.source, mounts=made)), line, lacking, notes)
        finally:
            made.end()


def choose(configured: str, inherited: Mapping[str, str]) -> str:
    """What is asked for; "" for the best that there is. UserError where the variable says none of them."""
    wanted = inherited.get(VARIABLE) or configured
    if wanted and wanted not in [*Means]:
        raise UserError(f"{VARIABLE}: {wanted!r} is none of {', '.join(Means)}", hint=f"unset {VARIABLE}")
    return wanted


def _find(spec: RunSpec, home: Path, wanted: str, slot: Slot, *, repository_name: str) -> tuple[Ability, str]:
    """The means, and why they are not the best ones."""
    if wanted == Means.EACH:
        return Ability(Means.EACH), f'checkouts = "{wanted}"'
    if not repository_name:
        return Ability(Means.EACH), "this run was begun by an earlier version"
    store = mounts.store_of(home)
    try:
        mounts.make_own(store)
        with layer.scratch(store) as folder:
            found = trial.find(folder, first_process=NAMESPACE_INIT if spec.namespace else None, slot=slot)
    except PermissionError as error:  # another user's, say
        return Ability(Means.EACH), f"{error.filename or store}: {error.strerror}"
    if wanted == Means.COPY and found.means is Means.OVERLAY:
        return replace(found, means=Means.COPY), f'checkouts = "{wanted}"'
    return found, found.why


def _line(ability: Ability, why: str) -> str:
    notes = [why] if why else []
    if ability.means is not Means.EACH and not ability.reads_seen:
        notes.append("what set-up reads is not seen (noatime): its inputs are known by their names only")
    elif ability.means is not Means.EACH and not ability.copies_seen:
        notes.append("what set-up copies is not seen: files of known names are its inputs too")
    if ability.means is Means.OVERLAY and not ability.renames:
        notes.append("rename(2) of a folder of the base fails there")
    return printable(f"{SAID[ability.means]}{': ' if notes else ''}{'; '.join(notes)}")


def _key(spec: RunSpec, workspace: Workspace, at: Path) -> str:
    filters = conversions(workspace.repo)
    return setup_inputs.key(spec.setup, at, env=spec.environment, secrets=spec.secret_names, filters=filters)


def _none(_changes: Sequence[Change], _inputs: Mapping[str, str]) -> str:
    """Where nothing is set up, a layer is no more than files."""
    return ""


def _reason(declared: Sequence[str], ability: Ability, changes: Sequence[Change], inputs: Mapping[str, str]) -> str:
    return setup_inputs.reason(changes, inputs, declared=declared, reads_seen=ability.copies_seen)
