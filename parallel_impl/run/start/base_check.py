"""Set-up and step programs proven once on the base, before any agent is paid.

The checkout stays for the gates on the base, which run while agents work.
"""

from __future__ import annotations

from dataclasses import dataclass

from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.gates import programs, quality, setup
from parallel_impl.gates.quality import Gate
from parallel_impl.git import staging
from parallel_impl.git.checkout import Checkout
from parallel_impl.plan.order import critical_path
from parallel_impl.run.run import Ground, Listener, short_folder

BASE, CANDIDATE = "base.gate", "candidate.gate"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was proven: the checkout of the base, seconds of set-up, and the gates that can run."""

    checkout: Checkout
    setup_seconds: float
    gates: tuple[Gate, ...]


def rehearse(ground: Ground, listener: Listener) -> Rehearsal:
    """Check out the base, make it ready, look up what steps and gates need. UserError with all that is wrong."""
    checkout = ground.source.open(BASE, ground.base)
    outcome = make_ready(ground, checkout, "base")
    if outcome.failure:
        raise UserError(outcome.failure, where="set-up on the base", hint="correct `setup` in the configuration")
    problems = [] if ground.setup else _round_trip(ground, checkout)
    inside = setup.environment_of(checkout.path, ground.environment)
    problems += programs.check(ground.plan, ground.order, inside, checkout.path, set_up=bool(ground.setup))
    gates, gate_problems = quality.check_programs(ground.gates, checkout=checkout.path, env=ground.environment)
    problems += gate_problems
    for problem in problems:
        if problem.severity is not Severity.ERROR:
            listener.say(str(problem))
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise UserError(errors)
    return Rehearsal(checkout, outcome.seconds, tuple(gates))


def make_ready(ground: Ground, checkout: Checkout, name: str) -> setup.SetupOutcome:
    """Run the set-up in a checkout for gates; its log lies beside those of the gates."""
    with short_folder(ground.run_id) as temporary:
        return setup.make_ready(
            checkout.path,
            ground.setup,
            env={**ground.environment, **ground.variables(), "TMPDIR": temporary},
            log=ground.places.gates / name / "setup.log",
            caches=ground.caches,
            stop=ground.stop,
            mask=ground.mask,
        )


def describe(ground: Ground, done: Rehearsal) -> str:
    """What a dry run says: waves, widths, critical path, set-up, gates."""
    order, plan = ground.order, ground.plan
    waves = order.waves()
    minutes = {package.id: float(package.timeout_minutes) for package in plan.packages}
    path, longest = critical_path(order.depends_on, minutes)
    lines = [f"{plan.feature_id}: {len(plan.packages)} packages on {ground.base[:12]} ({ground.base_from})"]
    for number, wave in enumerate(waves, 1):
        lines.append(f"  wave {number}, {len(wave)} wide: {', '.join(wave)}")
    lines.append(f"  critical path: {' -> '.join(path)} (at most {longest:.0f} minutes of agent time)")
    if ground.setup:
        lines.append(f"  set-up: proven on the base in {done.setup_seconds:.1f} s")
    else:
        lines.append("  set-up: none")
    gates = [f"{gate.name} ({gate.found})" for gate in done.gates if not gate.off and not gate.absent]
    lines.append(f"  gates: {', '.join(gates) or 'none'}")
    lines.append(f"  worktrees: {ground.home}")
    return "\n".join(lines)


def _round_trip(ground: Ground, checkout: Checkout) -> list[Problem]:
    differ = staging.round_trip(ground.trees, checkout)
    if not differ:
        return []
    shown = ", ".join(differ[:5]) + (f" and {len(differ) - 5} more" if len(differ) > 5 else "")
    what = f"files do not survive their own filters or line endings and count only when an agent changes them: {shown}"
    return [Problem(what, severity=Severity.NOTICE)]
