"""Which nodes of a graph compute in half precision: a plan, made in one sweep in topological order.

Convolutions and products do. What reads their results does too, up to an op that is denied; from there on everything
stays in float32 up to the next convolution or product. So rounded and exact values mix nowhere but there, no cast
stands between ops that belong together (a normalization, say), and preprocessing keeps its precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from tfgraft.calibration.table import CalibrationTable
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import Input, NodeView, TensorInfo
from tfgraft.graph.views import PASS_THROUGH, const_source, const_value, node_view, tensor_infos
from tfgraft.passes.autocast_form import HalfForm, Kernels, half_form
from tfgraft.passes.autocast_table import Kind, kind_of
from tfgraft.registry.registry import Resolution
from tfgraft.registry.support import Unsupported

MARGIN = 2.0
"""A tensor's largest observed value times this must be in range: other inputs may give larger ones."""


@dataclass(frozen=True)
class Reason:
    """Why a node stays in float32: a code, and a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True)
class HalfPlan:
    """What is to be computed in half precision in one graph.

    Args:
        forms: the nodes that are, as they will be, by name in topological order.
        reasons: why each of the other nodes with float32 outputs, in clusters, is not.
    """

    forms: Mapping[str, HalfForm]
    reasons: Mapping[str, Reason]


FOLLOWING = frozenset({"unsafe", "edge"})
"""The codes of nodes that stay in float32 for what they read, not for what they are."""
_EXACT = frozenset({"bool", "int8", "uint8", "float16", "bfloat16"})
"""Types whose values may be rounded to a half type: most are exact there."""


class _Status(Enum):
    HALF = 1
    SAFE = 2  # float32 that may be rounded
    UNSAFE = 3  # float32 that must not be


@dataclass
class Planner:
    """Makes the plan of one graph.

    Args:
        graph: a graph with shapes inferred.
        clusters: the cluster of each node that is in one.
        dtype: the half type, by TensorFlow's name.
        resolve: says who converts a node.
        keep: nodes, or patterns of their names, that stay in float32.
        table: the ranges of tensors.
    """

    graph: Graph
    clusters: Mapping[str, str]
    dtype: str
    resolve: Callable[[NodeView], Resolution]
    keep: tuple[str, ...] = ()
    table: CalibrationTable | None = None
    _forms: dict[str, HalfForm] = field(default_factory=dict)
    _reasons: dict[str, Reason] = field(default_factory=dict)
    _statuses: dict[str, _Status] = field(default_factory=dict)
    _misfits: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._kernels = Kernels(self.graph.library.opdefs)
        self._pinned = self.graph.keep | {ref.node for ref in self.graph.fetches}
        self._observed = frozenset(self.table.names) if self.table is not None else frozenset()
        self._limits = ml_dtypes.finfo(np.dtype(self.dtype))

    def plan(self) -> HalfPlan:
        """Plan."""
        for name in self.graph.topological():
            node = self.graph.node(name)
            if self.clusters.get(name) and node.op not in PASS_THROUGH:
                self._statuses[name] = self._decide(node)
        return HalfPlan(self._forms, self._reasons)

    def _decide(self, node: Node) -> _Status:
        form = half_form(self.graph.library.opdefs, node, self.dtype)
        if form is None:
            # Counts and positions do not bear rounding; pixels and masks do.
            return _Status.UNSAFE if node.op == "Cast" and node.dtype("SrcT") not in _EXACT else _Status.SAFE
        view = node_view(self.graph, node.name)
        kind, why = kind_of(view)
        reads = [ref for ref, half in zip(self.graph.inputs(node.name), form.inputs, strict=True) if half]
        statuses = {self._status(ref, node.name) for ref in reads}
        if any(node.name == pattern or fnmatchcase(node.name, pattern) for pattern in self.keep):
            return self._stay(node, "kept", "It is kept in float32.")
        if kind is Kind.DENY:
            return self._stay(node, "denied", why)
        if kind is not Kind.ALLOW and _Status.UNSAFE in statuses:
            return self._stay(node, "unsafe", "It computes with what must not be rounded.")
        if kind is not Kind.ALLOW and _Status.HALF not in statuses:
            self._stay(node, "edge", "Nothing that it computes with is in half precision.")
            return _Status.SAFE
        obstacles: tuple[tuple[str, Callable[[], str]], ...] = (
            ("range", lambda: self._out_of_range(node, reads)),
            ("constant", lambda: self._misfit(reads)),
            ("fetched", lambda: self._fetched(node, form)),
            ("no-kernel", lambda: self._kernels.obstacle(form.node)),
            ("refused", lambda: self._refused(view, form)),
        )
        for code, obstacle in obstacles:
            if text := obstacle():
                return self._stay(node, code, text)
        self._forms[node.name] = form
        return _Status.HALF

    def _stay(self, node: Node, code: str, text: str) -> _Status:
        if gives_float(self.graph, node):
            self._reasons[node.name] = Reason(code, text)
        return _Status.UNSAFE

    def _status(self, ref: TensorRef, reader: str) -> _Status:
        ref = source_in_cluster(self.graph, self.clusters, ref, reader)
        if self.clusters.get(ref.node) != self.clusters[reader]:
            return _Status.SAFE  # of a constant, or from outside
        status = self._statuses[ref.node]
        if status is _Status.HALF and not self._forms[ref.node].outputs[ref.port]:
            return _Status.SAFE
        return status

    def _out_of_range(self, node: Node, reads: list[TensorRef]) -> str:
        if self.table is None:
            return ""
        least, most = float(self._limits.tiny), float(self._limits.max) / MARGIN
        writes = [TensorRef(node.name, port) for port in range(len(tensor_infos(self.graph, node)))]
        for name in map(str, (*reads, *writes)):
            bound = self.table.bound(name) if name in self._observed else 0.0
            if bound > most or 0 < bound < least:
                safe = f"{self.dtype} is safe from {least:.3g} to {most:.5g}."
                return f"The calibration saw {bound:.5g} at most in {name}; {safe}"
        return ""

    def _misfit(self, reads: list[TensorRef]) -> str:
        for ref in reads:
            const = const_source(self.graph, ref)
            if const is not None:
                if const.name not in self._misfits:
                    self._misfits[const.name] = self._misfit_value(const_value(const))
                if text := self._misfits[const.name]:
                    return f"The constant {const.name} {text}"
        return ""

    def _misfit_value(self, value: NDArray[Any]) -> str:
        sizes = np.abs(value[np.isfinite(value)])  # infinities stay what they are
        largest = float(sizes.max(initial=0))
        if largest > float(self._limits.max):
            return f"has values of {largest:.5g}; {self.dtype} ends at {float(self._limits.max):.5g}."
        if 0 < largest < float(self._limits.tiny):
            return f"has no values above {largest:.3g}; {self.dtype} is exact from {float(self._limits.tiny):.3g} on."
        return ""

    def _fetched(self, node: Node, form: HalfForm) -> str:
        if node.name in self._pinned and len(form.outputs) > 1:
            return "It is fetched, and has several outputs."
        return ""

    def _refused(self, view: NodeView, form: HalfForm) -> str:
        support = self.resolve(half_view(view, form, self.dtype)).support
        return str(support) if isinstance(support, Unsupported) else ""


def gives_float(graph: Graph, node: Node) -> bool:
    """Tell whether a node has a float32 output."""
    return any(info.dtype == "float32" for info in tensor_infos(graph, node))


def source_in_cluster(graph: Graph, clusters: Mapping[str, str], ref: TensorRef, reader: str) -> TensorRef:
    """Return what a tensor is a copy of, followed back within the reader's cluster."""
    cluster = clusters.get(reader)
    while graph.node(ref.node).op in PASS_THROUGH and clusters.get(ref.node) == cluster:
        ref = graph.inputs(ref.node)[0]
    return ref


def half_view(view: NodeView, form: HalfForm, dtype: str) -> NodeView:
    """Return the view of a node as it would be in half precision."""
    inputs = tuple(_input(item, dtype) if half else item for item, half in zip(view.inputs, form.inputs, strict=True))
    outputs = tuple(
        TensorInfo(dtype, info.shape) if half else info for info, half in zip(view.outputs, form.outputs, strict=True)
    )
    return replace(view, node=form.node, inputs=inputs, outputs=outputs)


def _input(item: Input, dtype: str) -> Input:
    info = TensorInfo(dtype, item.info.shape)
    if not item.is_constant:
        return replace(item, info=info)

    def constant() -> NDArray[Any] | None:
        value = item.constant()
        return None if value is None else value.astype(dtype)

    return replace(item, info=info, constant=constant)
