"""Gates that cannot judge anything: red on the base, and what they print does not show which failures are old.

One that was found is switched off, since nobody asked for it; one that somebody asked for halts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.quality import Gate, switch_off
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus

PASSES = "it passes on the whole, which is no proof"


def unreadable(gates: Iterable[Gate], base: Mapping[str, GateReport]) -> dict[str, str]:
    """Why each found gate that is red and unreadable on the base is switched off; nobody asked for it by name."""
    return {
        gate.name: _why(base[gate.name])
        for gate in gates
        if not gate.asked and gate.name in base and _is_unreadable(gate, base[gate.name])
    }


def asked(gates: Iterable[Gate], base: Mapping[str, GateReport]) -> dict[str, str]:
    """Why each gate that somebody asked for can let nothing land, where it is red and unreadable on the base."""
    red = (gate for gate in gates if gate.asked and gate.name in base and base[gate.name].state is GateState.RED)
    return {gate.name: _why(base[gate.name]) for gate in red if _is_unreadable(gate, base[gate.name])}


def _why(report: GateReport) -> str:
    return f"{_end(report)} on the base, and nobody can read which of its failures are old"


def _is_unreadable(gate: Gate, report: GateReport) -> bool:
    # its program was not there, say; where it left with 0 it is broken by what it did to its checkout
    by_exit_code = gate.parser == "exit-code" and report.state is GateState.BROKEN and report.exit_code != 0
    # it can be read, and only did not run to its end, or not alone
    listed = report.tests or report.findings or report.stopped
    return by_exit_code or (report.state is GateState.RED and not report.explained and not listed)


def _end(report: GateReport) -> str:
    return f"red (exit {report.exit_code})" if report.exit_code is not None else "red"


def dropped(verdict: GateVerdict, why: Mapping[str, str]) -> GateVerdict:
    """The verdict of a gate that is switched off for this reason: it proves nothing, not even where it passes."""
    if verdict.gate not in why:
        return verdict
    passes = f"; {PASSES}" if verdict.status is VerdictStatus.PASSED else ""
    return GateVerdict(verdict.gate, VerdictStatus.SWITCHED_OFF, why=why[verdict.gate] + passes)


def line(name: str, why: str) -> str:
    """What is printed about it."""
    return f"gate {name} is switched off: it is {why}; repair it, or {switch_off(name)}"
