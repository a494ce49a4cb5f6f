"""Partition on random graphs: convex groups, no cycle when all become one node, the same result each time."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.passes.dags import Dag, contracted, dags, is_convex
from tfgraft.graph.graph import Graph
from tfgraft.passes.join import Contraction, join
from tfgraft.passes.partition import partition

AROUND_THE_ORDER = Dag(
    ("w", "s", "h0", "u0", "u1", "u2", "t", "h1"),
    (
        ("w", "h0", False),
        ("s", "u0", False),
        ("u0", "u1", False),
        ("u1", "u2", False),
        ("h0", "t", False),
        ("s", "t", False),
        ("u2", "h1", False),
        ("h0", "h1", False),
    ),
    {"w": 0, "s": 0, "t": 0, "h0": 1, "h1": 1},
)
"""s and t look joinable, but s -> u -> {h0, h1} -> t is a path, through a group that begins before t and ends after."""


def groups_of(dag: Dag, graph: Graph) -> list[list[str]]:
    return partition(graph, dag.colours, graph.topological())


@settings(max_examples=300, deadline=None)
@given(dags())
@example(AROUND_THE_ORDER)
def test_groups_are_convex_and_contract_to_an_acyclic_graph(dag: Dag) -> None:
    graph = dag.graph()
    groups = groups_of(dag, graph)
    assert nx.is_directed_acyclic_graph(contracted(graph, groups))
    assert all(is_convex(graph, group) for group in groups)


@settings(max_examples=150, deadline=None)
@given(dags())
def test_every_candidate_is_in_one_group_of_its_colour(dag: Dag) -> None:
    graph = dag.graph()
    groups = groups_of(dag, graph)
    assert sorted(name for group in groups for name in group) == sorted(dag.colours)
    place = {name: i for i, name in enumerate(graph.topological())}
    for group in groups:
        assert len({dag.colours[name] for name in group}) == 1
        assert group == sorted(group, key=place.__getitem__)
        assert nx.is_weakly_connected(graph.view.subgraph(group))


@settings(max_examples=100, deadline=None)
@given(dags())
def test_neighbours_that_could_be_joined_are(dag: Dag) -> None:
    graph = dag.graph()
    groups = groups_of(dag, graph)
    rest = contracted(graph, groups)
    for a, b in list(rest.edges()):
        if not (isinstance(a, int) and isinstance(b, int) and dag.colours[groups[a][0]] == dag.colours[groups[b][0]]):
            continue
        joined = nx.contracted_nodes(rest, a, b, self_loops=False)
        assert not nx.is_directed_acyclic_graph(joined), f"{groups[a]} and {groups[b]} could be one group"


@settings(max_examples=100, deadline=None)
@given(dags(), st.randoms(use_true_random=False))
def test_the_result_is_deterministic_and_sound_in_any_node_order(dag: Dag, random: object) -> None:
    assert groups_of(dag, dag.graph()) == groups_of(dag, dag.graph())
    shuffled = list(dag.names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    graph = dag.graph(shuffled)
    groups = groups_of(dag, graph)
    assert sorted(name for group in groups for name in group) == sorted(dag.colours)
    assert nx.is_directed_acyclic_graph(contracted(graph, groups))


def test_a_graph_of_one_colour_is_one_group_for_each_connected_part() -> None:
    names = ("a", "b", "c", "d", "e")
    dag = Dag(names, (("a", "b", False), ("b", "c", False), ("d", "e", False)), dict.fromkeys(names, 0))
    assert groups_of(dag, dag.graph()) == [["a", "b", "c"], ["d", "e"]]


def test_a_detour_through_a_native_node_splits() -> None:
    edges = (("a", "n", False), ("n", "b", False), ("a", "b", False))
    dag = Dag(("a", "n", "b"), edges, {"a": 0, "b": 0})
    assert groups_of(dag, dag.graph()) == [["a"], ["b"]]


def test_a_detour_by_a_control_edge_splits_too() -> None:
    edges = (("a", "n", True), ("n", "b", True), ("a", "b", False))
    dag = Dag(("a", "n", "b"), edges, {"a": 0, "b": 0})
    assert groups_of(dag, dag.graph()) == [["a"], ["b"]]


def test_a_native_side_branch_does_not_split() -> None:
    edges = (("a", "b", False), ("n", "b", False), ("b", "m", False), ("b", "c", False))
    dag = Dag(("a", "n", "b", "m", "c"), edges, {"a": 0, "b": 0, "c": 0})
    assert groups_of(dag, dag.graph()) == [["a", "b", "c"]]


@settings(max_examples=200, deadline=None)
@given(dags(most=16), st.data())
def test_joining_keeps_the_units_acyclic_and_in_order(dag: Dag, data: st.DataObject) -> None:
    graph = dag.graph()
    number = {name: i for i, name in enumerate(dag.names)}
    edges = [(number[a], number[b]) for a, b in dict.fromkeys((a, b) for a, b, _ in dag.edges)]
    units = Contraction(len(number), edges)
    pairs = data.draw(st.lists(st.sampled_from(edges), max_size=30)) if edges else []
    for source, target in pairs:
        a, b = units.find(source), units.find(target)
        if a == b:
            continue
        before = _units(graph, number, units)
        possible = nx.is_directed_acyclic_graph(nx.contracted_nodes(before, a, b, self_loops=False))
        assert units.join(a, b, 10**9) == possible
        assert nx.is_directed_acyclic_graph(_units(graph, number, units))


def _units(graph: Graph, number: dict[str, int], units: Contraction) -> nx.DiGraph[Any]:
    result: nx.DiGraph[Any] = nx.DiGraph()
    result.add_nodes_from(units.find(i) for i in number.values())
    for source, target in graph.view.edges():
        a, b = units.find(number[source]), units.find(number[target])
        if a != b:
            result.add_edge(a, b)
    return result


def _ladder(length: int) -> tuple[int, list[tuple[int, int]], list[tuple[int, int]]]:
    """Two chains; rungs of one colour between them that cannot be joined, since each has a longer way round."""
    edges = [(i, i + 2) for i in range(2 * length)]
    rungs = [(2 * i, 2 * i + 3) for i in range(length - 1)]
    return 2 * length + 2, edges + rungs, rungs


@pytest.mark.parametrize("shape", ["ladder", "chain"])
def test_the_work_of_joining_is_linear(shape: str) -> None:
    steps = []
    for length in (1_000, 10_000):
        if shape == "ladder":
            count, edges, pairs = _ladder(length)
        else:
            count, edges = length, [(i, i + 1) for i in range(length - 1)]
            pairs = edges
        units = Contraction(count, edges)
        join(units, pairs, count)
        steps.append(units.steps)
    assert steps[1] <= 12 * steps[0]


def test_joining_gives_up_at_its_budget() -> None:
    hub = [(0, i) for i in range(1, 5_000)] + [(i, 5_000) for i in range(1, 5_000)]
    units = Contraction(5_001, [*hub, (0, 5_000)])
    assert not units.join(0, 5_000, 100)
    assert units.steps < 10_000
