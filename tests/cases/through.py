"""Cases through an engine builder: what it takes, it must compute as TensorFlow does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.cases.case import OpCase, graph_of
from tests.cases.onnx_engine import whole
from tfgraft.graph.views import PASS_THROUGH, const_value, node_view
from tfgraft.plugins.protocol import BuildContext, Device, EngineBuilder
from tfgraft.plugins.shape_rule import EmptyInput
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported


@dataclass
class Buffers:
    """What the runtime gives an executor to fill."""

    dtypes: Sequence[Any]
    arrays: dict[int, Any] = field(default_factory=dict)

    def allocate(self, i: int, shape: Sequence[int]) -> Any:
        """See `tfgraft.plugins.protocol.Outputs`."""
        assert i not in self.arrays
        self.arrays[i] = np.full(shape, 77, self.dtypes[i])
        return self.arrays[i]


def check_case(case: OpCase, builder: EngineBuilder, registry: Registry, rtol: float = 1e-4) -> Unsupported | None:
    """Assert that the builder's engine computes a case as TensorFlow does.

    Returns:
        None, or the refusal of one of the case's nodes.
    """
    graph, want = graph_of(case)
    fed = {ref.node for ref in graph.feeds}
    for node in graph:
        if node.op in ("Const", "Placeholder", "NoOp", *PASS_THROUGH) or node.name in fed:
            continue
        support = registry.resolve(node_view(graph, node.name), builder.converters).support
        if isinstance(support, Unsupported):
            return support
    cluster = whole(graph)
    built = builder.build(cluster, BuildContext(graph, registry, {"intra_op_threads": 1}))
    weights = [const_value(graph.node(ref.node)) for ref in cluster.weights]
    executor: Any = builder.load(built, weights, Device())
    inputs = [np.require(np.asarray(value), requirements="C") for value in case.inputs]
    for value in inputs:
        value.flags.writeable = False
    buffers = Buffers([each.dtype for each in want])
    try:
        executor.run(inputs, buffers)
    except EmptyInput:
        return None  # left to the native segment
    for i, each in enumerate(want):
        got = buffers.arrays[i]
        assert got.shape == each.shape
        if np.issubdtype(each.dtype, np.inexact):
            np.testing.assert_allclose(got, each, rtol=max(rtol, case.rtol), atol=max(1e-5, case.atol))
        else:
            np.testing.assert_array_equal(got, each)
    return None


def sample(cases: Iterable[OpCase], of_each: int) -> list[OpCase]:
    """Return some cases of each op that are to be converted, spread over its table.

    Those with infinite values and NaN are left out: fast functions do not care for them.
    """
    by_op: dict[str, list[OpCase]] = {}
    for case in cases:
        if case.refusal is None and not case.unknown_rank and _is_finite(case):
            by_op.setdefault(case.op, []).append(case)
    chosen = []
    for found in by_op.values():
        step = max(len(found) // of_each, 1)
        chosen.extend(found[::step][:of_each])
    return chosen


def _is_finite(case: OpCase) -> bool:
    values = [np.asarray(value) for value in case.inputs]
    return all(np.isfinite(value).all() for value in values if np.issubdtype(value.dtype, np.inexact))
