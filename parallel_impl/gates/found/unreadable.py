"""Found gates that cannot judge anything: red on the base, and what they print does not show which failures are old."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.quality import Gate, switch_off
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus


def unreadable(gates: Iterable[Gate], base: Mapping[str, GateReport]) -> dict[str, str]:
    """Why each found gate that is red and unreadable on the base is switched off; nobody asked for it by name."""
    return {
        gate.name: f"{_end(base[gate.name])} on the base, and nobody can read which of its failures are old"
        for gate in gates
        if not gate.asked and gate.name in base and _is_unreadable(gate, base[gate.name])
    }


def _is_unreadable(gate: Gate, report: GateReport) -> bool:
    by_exit_code = gate.parser == "exit-code" and report.state is GateState.BROKEN  # its program was not there, say
    return by_exit_code or (report.state is GateState.RED and not report.explained)


def _end(report: GateReport) -> str:
    return f"red (exit {report.exit_code})" if report.exit_code is not None else "red"


def dropped(verdict: GateVerdict, why: Mapping[str, str]) -> GateVerdict:
    """The verdict of a gate that is switched off for this reason; one that passes may stay."""
    if verdict.gate not in why or verdict.status is VerdictStatus.PASSED:
        return verdict
    return replace(verdict, status=VerdictStatus.SWITCHED_OFF, new_failures=(), gone=(), why=why[verdict.gate])


def warning(name: str, why: str) -> str:
    """What is printed about it."""
    return f"warning: gate {name} is switched off: it is {why}; repair it, or {switch_off(name)}"
