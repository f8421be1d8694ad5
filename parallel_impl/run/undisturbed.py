"""Gates of which none sees what another one wrote, and none is believed that changes what it judges.

They run side by side. Where one of them wrote to a tracked file, they run again one by one, each in a checkout of its
own, and the one that leaves other content behind is broken: it has judged another tree than the one that lands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from parallel_impl.config import toml_key
from parallel_impl.gates import steering
from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.quality import Gate
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.edits import Edits
from parallel_impl.git.trees import Trees
from parallel_impl.plan.globs import globs
from parallel_impl.text import first_names

SHOWN = 10

Reports = dict[str, GateReport]
Start = Callable[[Checkout, Sequence[Gate]], Reports]
Reopen = Callable[[], str]  # makes the checkout again, fresh and ready; why that failed


def run(gates: Sequence[Gate], checkout: Checkout, trees: Trees, *, start: Start, reopen: Reopen) -> Reports:
    """One report for each gate, in their order. `checkout` is ready; `reopen` makes it again at the same place."""
    beside = [gate for gate in gates if not gate.writes]
    running = [gate for gate in beside if gate.runs]
    edits, used = Edits(trees, checkout), bool(running)
    found, apart = start(checkout, beside), [gate for gate in gates if gate.writes]
    if len(running) == 1:
        found |= _named(found, running[0], edits)
    elif running and (edits.touched() or _steering(edits)):
        apart = [*running, *apart]
    for gate in apart:
        if used and (why := reopen()):
            found[gate.name] = GateReport(gate.name, GateState.BROKEN, why=why)
            continue
        edits, used = Edits(trees, checkout), True
        found |= _named(start(checkout, [gate]), gate, edits)
    if apart and edits.touched():
        reopen()  # what failed runs once more in it
    return {gate.name: found[gate.name] for gate in gates}


def _named(found: Reports, gate: Gate, edits: Edits) -> Reports:
    """The report of a gate that ran alone, which is broken where it left tracked files with other content."""
    changed = sorted({*edits.changed(), *_steering(edits)})
    refused = [path for path in changed if not any(globs.match(pattern, path) for pattern in gate.writes)]
    report = found[gate.name]
    if not refused or report.state is GateState.BROKEN:
        return {gate.name: report}
    why = (
        f"it changes files that it judges: {first_names(refused, SHOWN)}\nlet it only check, or permit that: "
        f'gates.{toml_key(gate.name)}.writes = ["{refused[0]}"]'
    )
    return {gate.name: replace(report, state=GateState.BROKEN, why=why, tests=(), findings=())}


def _steering(edits: Edits) -> list[str]:
    """New files that steer gates: as good as an edit of one."""
    return [path for path in edits.made() if steering.steers_any(path)]
