"""What of a stopped run depends on an edit of its configuration, and is tried again without being asked for. Pure.

Accepted work stays. A package that had failed by what was edited is tried again. Where its agent had done its work that
is judged again, and nothing else: another agent is paid when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from parallel_impl.record.codes import Failure
from parallel_impl.record.state import PackageState, Progress, State

_MADE_WITH = ("setup", "setup_minutes", "caches", "pass_env", "contain", "setup_inputs", "checkouts")
_BY = ("agent", "agents", "assign", "pass_env", "contain", "checkouts")
TRIED_AGAIN: Mapping[Failure, Collection[str]] = {
    Failure.SETUP_FAILED: _MADE_WITH,
    Failure.AGENT_FAILED: _BY,
    Failure.NO_WORK: _BY,
    Failure.SILENT: (*_BY, "silence_minutes"),
    Failure.BUDGET_EXCEEDED: ("limits",),
    Failure.SCOPE_VIOLATION: ("max_blob_mb",),
}
JUDGED_AGAIN: Mapping[Failure, Collection[str]] = {
    Failure.SETUP_FAILED: _MADE_WITH,
    Failure.VERIFICATION_FAILED: _MADE_WITH,
    Failure.CONTRACT_INVALID: ("openapi_seconds",),
    Failure.SCOPE_VIOLATION: ("max_blob_mb",),
}


def tried_again(state: State, keys: Iterable[str]) -> list[str]:
    """The failed packages that an agent tries again: what was edited may be why they failed."""
    edited, judged = _tables(keys), judged_again(state, keys)
    failed = {name: one for name, one in state.packages.items() if one.state is PackageState.FAILED}
    return [name for name, one in failed.items() if name not in judged and _depends(one.code, TRIED_AGAIN, edited)]


def judged_again(state: State, keys: Iterable[str]) -> list[str]:
    """The packages that are not accepted and whose work may be right with what was edited."""
    edited = _tables(keys)
    return [name for name, one in _open(state) if one.finished and _refused_by(one, state, edited)]


def _refused_by(progress: Progress, state: State, edited: AbstractSet[str]) -> bool:
    code = progress.finished[0].code
    gates = state.single and "gates" in edited and code == Failure.VERIFICATION_FAILED
    return gates or _depends(code, JUDGED_AGAIN, edited)


def _depends(code: str, table: Mapping[Failure, Collection[str]], edited: AbstractSet[str]) -> bool:
    return any(code == failure and edited & set(keys) for failure, keys in table.items())


def _open(state: State) -> Iterator[tuple[str, Progress]]:
    waits = (PackageState.FAILED, PackageState.QUEUED)
    return ((name, one) for name, one in state.packages.items() if one.state in waits)


def _tables(keys: Iterable[str]) -> set[str]:
    """The keys at the top of the configuration: `gates` of `gates.unit`."""
    return {key.partition(".")[0] for key in keys}
