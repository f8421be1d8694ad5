"""What the gates mean for the whole, for people."""

from __future__ import annotations

from parallel_impl.record.gate_row import GateRow
from parallel_impl.run.land.proof import Proof


def test_a_check_of_texts_proves_nothing_and_says_who_made_it() -> None:
    code, texts = GateRow("pytest", "passed"), GateRow("openspec", "passed", texts="openspec")
    assert Proof((code, texts), passed=True).headline == "proven by pytest; texts checked by openspec"
    own = GateRow("openspec", "passed", texts="this tool's own rules")
    assert (
        Proof((own,), passed=True).headline == "no gate ran on the whole tree; texts checked by this tool's own rules"
    )
    assert Proof((code, texts), passed=True).by == ("pytest",)
