"""Set-up and step programs proven once on the base, before any agent is paid.

The checkout stays for the gates on the base, which run while agents work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

from parallel_impl import config, storage
from parallel_impl.errors import Problem, Severity, UserError, count, printable
from parallel_impl.gates import programs, quality, setup
from parallel_impl.gates.called_files import called_files
from parallel_impl.gates.quality import Gate
from parallel_impl.git import filters, hooks, staging
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.repo import GitError
from parallel_impl.openspec import program
from parallel_impl.openspec.program import OpenSpecError
from parallel_impl.plan import estimate
from parallel_impl.plan.order import critical_path
from parallel_impl.processes.launch import Launch
from parallel_impl.record import events as e
from parallel_impl.run.launch import equip, fresh_changes, make_ready
from parallel_impl.run.places import BASE_CHECKOUT
from parallel_impl.run.run import Listener
from parallel_impl.run.spec import PlanInForce, RunSpec, Workspace
from parallel_impl.run.start import agents
from parallel_impl.text import first_names


@dataclass(frozen=True, slots=True)
class BaseCheck:
    """What was proven: the checkout of the base, seconds of set-up, and the gates that can run.

    `notes` is what the summary must say: what is read from outside the checkouts. `watched` are the events that were
    told before there was a journal. `set_up_changes` and `beside`: what set-up changes, and makes beside the worktree.
    """

    checkout: Checkout
    setup_seconds: float
    gates: tuple[Gate, ...]
    notes: tuple[str, ...] = ()
    watched: tuple[e.Event, ...] = ()
    set_up_changes: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()


def check(spec: RunSpec, workspace: Workspace, launch: Launch, in_force: PlanInForce, listener: Listener) -> BaseCheck:
    """Check out the base, make it ready, look up what steps and gates need. UserError with all that is wrong."""
    checkout, problems = _open(spec, workspace)
    watched: list[e.Event] = []

    def tell(event: e.Event) -> None:
        watched.append(event)
        listener.event(event)

    changes = fresh_changes(spec, workspace, checkout)
    with equip(launch, spec, workspace, checkout, tell=tell) as inside:
        log = workspace.places.gate_setup_log("base")
        outcome = make_ready(spec, inside, checkout, log, tell=tell, on="base", changes=changes, judged=False)
    if outcome.failure:
        raise UserError(outcome.failure, where="set-up on the base", hint=_set_up_hint(spec))
    workspace.watch.expect_hooks(hooks.installed(checkout))
    environment = setup.environment_of(checkout.files, spec.environment)  # looked up by where they are for us
    problems += programs.check(
        in_force.plan, in_force.order, environment, checkout.files, commands=spec.setup, view=checkout.view
    )
    gates, gate_problems = quality.check_programs(spec.gates, checkout=checkout.files, env=spec.environment)
    problems += _own_judges(gates, in_force, workspace, spec.base)
    problems += [*gate_problems, *_incomplete(gates, workspace, checkout, environment, launch)]
    notes = tuple(_outside(checkout))
    problems += [Problem(note, severity=Severity.NOTICE) for note in notes]
    report(problems, listener)
    made, beside = changes.paths() if changes else frozenset(), frozenset(path.name for path in checkout.beside())
    return BaseCheck(checkout, outcome.seconds, tuple(gates), notes, tuple(watched), made, beside)


def _incomplete(
    gates: list[Gate], workspace: Workspace, checkout: Checkout, env: Mapping[str, str], launch: Launch
) -> Iterator[Problem]:
    """One warning where OpenSpec does not take the texts of the change for complete."""
    if not any(gate.texts and not gate.off and not gate.absent for gate in gates) or not program.find(env):
        return
    places = workspace.places
    try:
        folder = checkout.path / places.part
        missing = program.status(places.change_id, folder, env, launch.stop, checkout.view).missing
    except OpenSpecError as error:
        yield Problem(f"whether the change is complete is not known: {error}", severity=Severity.WARNING)
        return
    if missing:
        yield Problem(
            f"openspec takes the change for incomplete: {', '.join(missing)} not written",
            where=places.folder,
            hint=f"look: openspec status --change {places.change_id}",
            severity=Severity.WARNING,
        )


def _own_judges(gates: list[Gate], in_force: PlanInForce, workspace: Workspace, base: str) -> Iterator[Problem]:
    """One warning for each program of a gate that a package may change: the package would judge itself."""
    read = cache(partial(workspace.repo.read, base))
    for gate in (gate for gate in gates if gate.runs and not gate.texts):
        for path in sorted(called_files(gate.command, read)):
            writers = [one.id for one in in_force.plan.packages if not one.scope.refusal(path)]
            if writers and read(path) is not None:
                yield Problem(
                    f"gate {gate.name} runs {path}, which {', '.join(writers)} may change",
                    hint="if it does, the gate runs with the base's version too, and both must agree; or deny the path",
                    severity=Severity.WARNING,
                )


def _set_up_hint(spec: RunSpec) -> str:
    """What to do about a set-up that failed: one that was found may need a program that is not here."""
    if spec.config.setup is not None:
        return f"correct `setup` in {spec.config.source}"
    absent = setup.missing_programs(spec.setup, spec.environment)
    first = f"install {' and '.join(absent)}, or " if absent else "repair what fails, or "
    return f"{first}write setup = [...] in {spec.config.source or config.FILE}: this one was found, not configured"


def _outside(checkout: Checkout) -> Iterator[str]:
    """What set-up put beside the worktree: steps read it, and no commit of the run holds it."""
    for path in checkout.beside():
        where = f" ({storage.real(path)})" if path.is_symlink() else ""
        yield printable(f"../{path.name}{where} is read from outside the repository, as it is now, and not proven")


def _open(spec: RunSpec, workspace: Workspace) -> tuple[Checkout, list[Problem]]:
    """The first checkout. UserError when its files cannot be written or read again: a filter needs its key, say."""
    try:
        checkout = workspace.open_checkout(BASE_CHECKOUT, spec.base)
    except GitError as error:
        raise filters.explain(error, "write the files of a worktree") from None
    try:
        return checkout, _round_trip(workspace, checkout)
    except GitError as error:
        raise filters.explain(error, "take the files of a worktree") from None


def report(problems: list[Problem], listener: Listener) -> None:
    """Print warnings and notices, and raise all errors at once."""
    for problem in problems:
        if problem.severity is not Severity.ERROR:
            listener.say(str(problem))
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise UserError(errors)


def describe(spec: RunSpec, workspace: Workspace, in_force: PlanInForce, done: BaseCheck) -> str:
    """What a dry run prints: waves, widths, critical path, set-up, gates."""
    order, plan = in_force.order, in_force.plan
    waves = order.waves()
    minutes = {package.id: float(package.timeout_minutes) for package in plan.packages}
    path, longest = critical_path(order.depends_on, minutes)
    lines = [f"{plan.feature_id}: {count(len(plan.packages), 'package')} on {spec.base[:12]} ({spec.base_from})"]
    for number, wave in enumerate(waves, 1):
        lines.append(f"  wave {number}, {len(wave)} wide: {', '.join(wave)}")
    lines.append(f"  critical path: {' -> '.join(path)} (at most {longest:.0f} minutes of agent time)")
    if any(package.weight != 1 for package in plan.packages):
        found = estimate.estimate(plan, order)
        weights = f"{found.critical_weight:g} of {found.total:g} on the longest path"
        lines.append(f"  by weight: {weights}, {found.speedup:.2f} times as fast as one agent")
    if spec.setup:
        lines.append(f"  set-up: proven on the base in {done.setup_seconds:.1f} s")
    else:
        lines.append("  set-up: none")
    lines.append(f"  checkouts: {spec.checkouts}")
    gates = [
        f"{gate.name} ({gate.shown if gate.is_own else gate.found})"
        for gate in done.gates
        if gate.is_own or (not gate.off and not gate.absent)
    ]
    lines.append(f"  gates: {', '.join(gates) or 'none'}")
    lines += agents.describe(spec.agents, spec.agent_records, spec.config)
    lines.append(f"  worktrees: {workspace.home}")
    return "\n".join(lines)


def _round_trip(workspace: Workspace, checkout: Checkout) -> list[Problem]:
    differ = staging.round_trip(workspace.trees, checkout)
    if not differ:
        return []
    shown = first_names(differ, 5)
    what = f"files do not survive their own filters or line endings and count only when an agent changes them: {shown}"
    return [Problem(what, severity=Severity.NOTICE)]
