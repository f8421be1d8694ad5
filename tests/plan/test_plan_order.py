"""The order that `depends_on` gives, on plans drawn as `"b: a, c: a"`."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.plan import order as orders
from parallel_impl.plan.model import Package, Plan, Scope
from parallel_impl.plan.order import Cycle, critical_path, cycles, longest_paths, order, start_order, topological_order


def drawn(text: str) -> dict[str, tuple[str, ...]]:
    """`"a, b: a, c: a b"` as a graph."""
    rows = (row.partition(":") for row in text.split(","))
    return {name.strip(): tuple(others.split()) for name, _, others in rows}


DIAMOND = drawn("d: b c, c: a, b: a, a")


def test_dependencies_come_first_and_the_smallest_id_among_those_that_are_ready() -> None:
    assert topological_order(DIAMOND) == ("a", "b", "c", "d")
    assert topological_order(drawn("wp-b, wp-c, wp-a: wp-b")) == ("wp-b", "wp-a", "wp-c")
    assert topological_order({}) == ()


def test_a_package_reaches_what_it_depends_on_directly_or_not() -> None:
    diamond = order(DIAMOND)
    assert diamond.reaches("d", "a")
    assert not diamond.reaches("a", "d")
    assert not diamond.reaches("a", "a")
    assert diamond.dependencies("d") == ("a", "b", "c")
    assert diamond.dependencies("d", transitive=False) == ("b", "c")
    assert [sorted(diamond.dependents[name]) for name in "abcd"] == [["b", "c"], ["d"], ["d"], []]
    assert diamond.with_descendants(["b"]) == {"b", "d"}
    assert diamond.with_descendants([]) == set()


def test_waves_and_their_widths() -> None:
    assert order(DIAMOND).waves() == (("a",), ("b", "c"), ("d",))
    assert order(DIAMOND).widths() == (1, 2, 1)
    assert order({}).waves() == ()


def test_a_plan_has_the_order_of_its_packages() -> None:
    scope = Scope(write_allow=("x",))
    plan = Plan("c", tuple(Package(name, "x", scope, depends_on=others) for name, others in DIAMOND.items()))
    assert orders.of(plan).topological == ("a", "b", "c", "d")


def test_a_cycle_has_no_order() -> None:
    with pytest.raises(ValueError, match="cycle among"):
        order(drawn("a: b, b: a"))


def test_each_component_is_one_cycle_with_a_shortest_path() -> None:
    assert cycles(drawn("a: a")) == [Cycle(("a",), ("a", "a"))]
    assert cycles(drawn("a: b, b: c, c: a")) == [Cycle(("a", "b", "c"), ("a", "b", "c", "a"))]
    assert cycles(drawn("d: c, c: d, b: a, a: b, e: a d")) == [
        Cycle(("a", "b"), ("a", "b", "a")),
        Cycle(("c", "d"), ("c", "d", "c")),
    ]
    assert cycles(DIAMOND) == []
    assert cycles(drawn("a: unknown")) == []


def test_nine_mutually_dependent_packages_are_one_short_cycle() -> None:
    names = [f"p{number}" for number in range(9)]
    everybody = {name: tuple(other for other in names if other != name) for name in names}
    assert cycles(everybody) == [Cycle(tuple(names), ("p0", "p1", "p0"))]


def test_a_chain_of_5000_packages_needs_no_recursion() -> None:
    names = [f"p{number:04}" for number in range(5000)]
    chain = {name: (names[number - 1],) if number else () for number, name in enumerate(names)}
    assert cycles(chain) == []
    assert order(chain).reaches("p4999", "p0000")
    assert cycles({**chain, "p0000": ("p4999",)})[0].members == tuple(names)
    assert longest_paths(chain)["p0000"] == 5000


def test_the_longest_path_counts_packages_or_durations() -> None:
    assert longest_paths(DIAMOND) == {"a": 3, "b": 2, "c": 2, "d": 1}
    seconds = {"a": 1.0, "b": 5.0, "c": 2.0, "d": 1.0}
    assert longest_paths(DIAMOND, seconds) == {"a": 7, "b": 6, "c": 3, "d": 1}
    assert critical_path(DIAMOND, seconds) == (("a", "b", "d"), 7.0)
    assert critical_path(drawn("b, a"), {"a": 1.0, "b": 1.0}) == (("a",), 1.0)
    assert critical_path({}, {}) == ((), 0.0)


def test_ready_packages_start_by_priority_then_longest_path_then_id() -> None:
    priority = {"a": 5, "b": 5, "c": 1, "d": 5}
    longest = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 3.0}
    assert start_order(["b", "a", "d", "c"], priority, longest) == ["c", "d", "a", "b"]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Any graph of up to seven packages, cycles included."""
    names = [f"p{number}" for number in range(draw(st.integers(0, 7)))]
    return {name: tuple(draw(st.lists(st.sampled_from(names), max_size=3))) for name in names}


def reachable(graph: dict[str, tuple[str, ...]], start: str) -> set[str]:
    found: set[str] = set()
    todo = list(graph[start])
    while todo:
        if (here := todo.pop()) not in found:
            found.add(here)
            todo += graph[here]
    return found


@given(graphs())
def test_cycles_are_the_packages_that_reach_themselves(graph: dict[str, tuple[str, ...]]) -> None:
    found = cycles(graph)
    assert {name for cycle in found for name in cycle.members} == {n for n in graph if n in reachable(graph, n)}
    for cycle in found:
        assert cycle.path[0] == cycle.path[-1] == cycle.members[0]
        assert all(there in graph[here] for here, there in itertools.pairwise(cycle.path))
        assert all(set(cycle.members) - {name} <= reachable(graph, name) for name in cycle.members)


@given(graphs())
def test_the_order_agrees_with_reachability(graph: dict[str, tuple[str, ...]]) -> None:
    if cycles(graph):
        return
    found = order(graph)
    for first, second in itertools.permutations(graph, 2):
        assert found.reaches(first, second) == (second in reachable(graph, first))
        assert (second in found.with_descendants([first])) == (first in reachable(graph, second))
        assert not found.reaches(first, second) or found.index[second] < found.index[first]
    assert sum(found.widths()) == len(graph)
