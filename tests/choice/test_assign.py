"""Which of competing clusters are taken."""

from __future__ import annotations

import tensorflow as tf

from tests.passes.graft import build, v1
from tfgraft.choice.assign import Candidate, assign, is_acyclic
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def


def _graph() -> Graph:
    def body() -> None:
        a = tf.tanh(v1.placeholder(tf.float32, (2,), "x"), name="a")
        b = tf.exp(a, name="b")
        c = tf.negative(b, name="c")
        tf.add(a, c, name="d")

    return from_graph_def(build(body))


def _candidate(gain: float, *nodes: str) -> Candidate[str]:
    return Candidate("", frozenset(nodes), gain, "".join(nodes))


def test_the_largest_gain_first() -> None:
    found = assign({"": _graph()}, [_candidate(1, "a", "b"), _candidate(3, "b", "c"), _candidate(2, "d")])
    assert [c.what for c in found] == ["bc", "d"]


def test_clusters_that_would_close_a_cycle_together_are_not_taken_together() -> None:
    graph = _graph()
    assert is_acyclic(graph, [frozenset("ab"), frozenset("cd")])
    assert not is_acyclic(graph, [frozenset("ad")])
    found = assign({"": graph}, [_candidate(3, "a", "c"), _candidate(2, "b"), _candidate(1, "d")])
    assert [c.what for c in found] == ["b", "d"]
