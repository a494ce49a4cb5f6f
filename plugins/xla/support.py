"""What XLA compiles: asked per node, of the node itself and of the functions that it calls."""

from __future__ import annotations

import threading
from typing import Any

from tfgraft.graph.dtypes import PLAIN
from tfgraft.graph.functions import FUNCTIONAL_CONTROL_FLOW, FunctionLibrary
from tfgraft.graph.node import Node
from tfgraft.graph.opdefs import ARG
from tfgraft.graph.view import NodeView
from tfgraft.plugins.xla.differences import wrong_result
from tfgraft.plugins.xla.kernels import Kernels
from tfgraft.registry.entry import ANY, Converter, OpSpec
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

TYPES = PLAIN | {"bfloat16", "complex64", "complex128"}
"""Types that clusters exchange with TensorFlow; what passes inside of a function may have others."""
_FREE_SIZE = frozenset({"Where", "Unique", "UniqueV2", "ListDiff", "DynamicPartition", "NonMaxSuppressionV3"})
"""Ops with XLA kernels whose results are as large as values, not shapes, make them."""


class XlaSupport:
    """Answers for every op, out of XLA's own table of kernels and what is known of data-dependent shapes.

    What the table does not tell (which operands must be constants, attributes that a kernel refuses) is found when a
    cluster is built, which names the node; see `tfgraft.plugins.xla.trial`.
    """

    def __init__(self) -> None:
        self._kernels: dict[str, Kernels] = {}
        self._lock = threading.Lock()

    def entry(self) -> Converter:
        """Return the registry's entry."""
        notes = "What XLA has a kernel for, but for ops whose results have a size that depends on values."
        return Converter(ANY, "xla", _as_it_is, OpSpec(TYPES), self.check, source=__name__, notes=notes)

    def check(self, view: NodeView) -> Support:
        """Say whether XLA compiles a node.

        Codes: no-converter, dtype, unknown-dim, wrong-result, stateful, control-flow.
        """
        refusal = _refusal(view.node, self._on(view.node.device))
        if refusal is None:
            refusal = wrong_result(view.node, view)
        if refusal is None and view.library is not None:
            refusal = self._inside(view.node, view.library)
        return SUPPORTED if refusal is None else refusal

    def _on(self, device: str) -> Kernels:
        kind = device_kind(device)
        with self._lock:
            if kind not in self._kernels:
                self._kernels[kind] = Kernels.of(kind)
            return self._kernels[kind]

    def _inside(self, node: Node, library: FunctionLibrary) -> Unsupported | None:
        """Return why one of the functions that a node calls cannot be compiled, or None."""
        kernels, seen, waiting = self._on(node.device), set[str](), list(node.attrs.functions)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            body = library.body(name) if name in library else None
            if body is None:
                return _in(node, f"the body of {name!r} cannot be read", name)
            for inner in body:
                if inner.op in (ARG, "Const"):
                    continue
                if (refusal := _refusal(inner, kernels)) is None:
                    refusal = wrong_result(inner)
                if refusal is not None:
                    return _in(node, refusal.message, inner.op)
                if library.opdefs.is_stateful(inner.op) and inner.op not in FUNCTIONAL_CONTROL_FLOW:
                    return Unsupported("stateful", f"{node.op} calls {name!r}, where {inner.op} has state.", inner.op)
                waiting.extend(inner.attrs.functions)
        if seen and library.has_recursion([node]):
            return _in(node, "a function calls itself", node.op)
        return None


def device_kind(device: str) -> str:
    """Return the kind of device that a device string asks for; where it asks for none, what TensorFlow would take."""
    for kind in ("CPU", "GPU"):
        if f"{kind}:" in device.upper():
            return kind
    import tensorflow as tf

    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


def _in(node: Node, reason: str, culprit: str) -> Unsupported:
    return Unsupported("control-flow", f"{node.op} calls a function that XLA does not compile: {reason}", culprit)


def _refusal(node: Node, kernels: Kernels) -> Unsupported | None:
    """Return why XLA does not compile a node, whatever it calls; None if it does."""
    if node.op in _FREE_SIZE:
        message = f"The size of what {node.op} gives depends on values, and XLA compiles for fixed sizes."
        return Unsupported("unknown-dim", message, node.op)
    return kernels.refusal(node)


def _as_it_is(context: Any, view: NodeView) -> None:
    """Convert nothing: XLA gets TensorFlow's own node, in the cluster's function."""
