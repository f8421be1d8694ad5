"""What a plan promises in time, from its weights."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.plan.estimate import estimate
from parallel_impl.plan.model import Package, Plan, Scope


def package(name: str, weight: float, *above: str) -> Package:
    return Package(name, "does it", Scope((name,)), depends_on=above, weight=weight)


def test_the_critical_path_goes_through_the_heaviest_chain() -> None:
    found = estimate(
        Plan("x", (package("base", 1), package("a", 6, "base"), package("b", 2, "base"), package("end", 1, "a", "b")))
    )
    assert (found.critical_path, found.critical_weight, found.total) == (("base", "a", "end"), 8, 10)
    assert (found.speedup, found.heaviest, found.share, found.width) == (1.25, "a", 0.6, 2)
    assert found.waves == (("base",), ("a", "b"), ("end",))


def test_one_package_is_as_quick_as_one_agent() -> None:
    found = estimate(Plan("x", (package("a", 0.5),)))
    assert (found.speedup, found.share, found.width) == (1, 1, 1)


@given(st.lists(st.floats(0.001, 999_999), min_size=1, max_size=6), st.integers(0, 2**15))
def test_no_plan_is_quicker_than_its_heaviest_package_or_slower_than_one_agent(weights: list[float], bits: int) -> None:
    pairs = [(one, two) for two in range(len(weights)) for one in range(two)]
    above = {
        two: [f"p{one}" for n, (one, other) in enumerate(pairs) if other == two and bits >> n & 1] for _, two in pairs
    }
    plan = Plan("x", tuple(package(f"p{n}", weight, *above.get(n, ())) for n, weight in enumerate(weights)))
    found = estimate(plan)
    assert 1 - 1e-9 <= found.speedup <= 1 / found.share + 1e-9
