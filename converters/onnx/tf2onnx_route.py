"""The tf2onnx route: a catch-all converter that takes what tf2onnx converts and ONNX Runtime computes right.

The answer to "can this node be converted" is the conversion itself, tried on the node alone: loaded by ONNX Runtime
and compared with TensorFlow on made-up inputs. Converting then splices in that very result, so the two cannot drift.
A result serves all nodes that differ in name only.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.graph.dtypes import INTS, PLAIN
from tfgraft.graph.one_node import OneNode, outlined_function
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import ANY, Converter, OpSpec
from tfgraft.registry.support import SUPPORTED, Support, Supported, Unsupported

_CONTROL_FLOW = frozenset(
    {"Enter", "Exit", "Switch", "Merge", "NextIteration", "LoopCond", "ControlTrigger"}
    | {"RefEnter", "RefExit", "RefSwitch", "RefMerge", "RefNextIteration", "Abort"}
)
_NOTHING = frozenset({"NoOp", "Const", "Assert", "Print", "PrintV2", "_Retval", "FakeParam"})
_GIVEN = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "_Arg"})
_MOST_NODES = 10
"""More ONNX nodes than this for one op (lookups in sparse tensors, say) are slower than TensorFlow's kernel."""
_INTEGER_DIVISION = frozenset(
    {"Div", "RealDiv", "FloorDiv", "TruncateDiv", "Mod", "FloorMod", "TruncateMod", "DivNoNan", "Pow", "RightShift"}
)
"""Ops of integers that our own converters take where that is safe: what they refuse must not come in by this door."""
_TYPES = PLAIN | {
    *("string", "resource", "variant", "complex64", "complex128", "bfloat16", "invalid", "int4", "uint4"),
    *("qint8", "quint8", "qint16", "quint16", "qint32", "float8_e5m2", "float8_e4m3fn"),
}
"""All types: `check` refuses the wrong ones itself, after the reasons that say more."""


@dataclass(frozen=True)
class _Outcome:
    """What came of one kind of node: the answer and, if it is yes, the model and which outputs it gives."""

    support: Support
    model: Any = None
    outputs: tuple[str, ...] = ()


class Tf2onnxRoute:
    """Holds the results of one registry's tf2onnx conversions; thread-safe. Nothing is imported before it is asked."""

    def __init__(self) -> None:
        self._outcomes: dict[OneNode, _Outcome] = {}
        self._by_op: dict[str, Support] = {}
        self._mapped: frozenset[str] | None = None
        self._installed = True
        self._lock = threading.RLock()

    def entry(self) -> Converter:
        """Return the catch-all registry entry of the converter set "onnx"."""
        return Converter(
            ANY,
            "onnx",
            self.convert,
            OpSpec(dtypes=_TYPES),
            self.check,
            source="tf2onnx",
            notes="Through tf2onnx, where its result is right.",
        )

    def check(self, view: NodeView) -> Support:
        """Try the conversion.

        Refuses with stateful, control-flow, no-op, boundary, unknown-op, unmapped, dtype and unknown-rank at once, and
        with conversion-failed, unmapped, engine-rejected and wrong-result after trying.
        """
        refusal = self._quick(view)
        return refusal if isinstance(refusal, Unsupported) else self._outcome(OneNode.of(view)).support

    def convert(self, ctx: OnnxContext, view: NodeView) -> None:
        """Splice in what `check` tried.

        Raises:
            ValueError: the node is not supported.
        """
        from tfgraft.converters.onnx.splice import splice

        refusal = self._quick(view)
        outcome = _Outcome(refusal) if isinstance(refusal, Unsupported) else self._outcome(OneNode.of(view))
        if isinstance(outcome.support, Unsupported):
            raise ValueError(str(outcome.support))
        splice(ctx, view, outcome.model, outcome.outputs)

    def _quick(self, view: NodeView) -> Support:
        """Give the refusals that need no conversion."""
        answer = self._check_outlined() if outlined_function(view) else self._by_op.get(view.op)
        if answer is None:
            with self._lock:
                answer = self._by_op[view.op] = self._check_op(view)
        if isinstance(answer, Unsupported):
            return answer
        for kind, infos in (("input", [item.info for item in view.inputs]), ("output", view.outputs)):
            for i, info in enumerate(infos):
                if info.dtype not in PLAIN:
                    return Unsupported("dtype", f"{view.op} has an {kind} of type {info.dtype}.", f"{kind} {i}")
        if view.op in _INTEGER_DIVISION and view.dtype() in INTS:
            return Unsupported(
                "dtype", f"{view.op} of integers may divide by zero, which ends the process in ONNX Runtime.", "input 1"
            )
        for i, item in enumerate(view.inputs):
            if item.info.shape is None:
                return Unsupported(
                    "unknown-rank",
                    f"tf2onnx's conversion of {view.op} is not trusted where the rank of input {i} is not known.",
                    f"input {i}",
                    "Give input_shapes.",
                )
        return SUPPORTED

    def _check_outlined(self) -> Support:
        return self._check_mapping("While")  # whether tf2onnx is there; what becomes of the loop is tried

    def _check_op(self, view: NodeView) -> Support:
        from tensorflow.python.framework import op_def_registry

        op = view.op
        if op in _GIVEN:
            return Unsupported("boundary", f"{op} is an input of its graph.", op)
        if op in _NOTHING:
            return Unsupported("no-op", f"{op} computes nothing that an engine could take.", op)
        if op in _CONTROL_FLOW:
            return Unsupported("control-flow", f"{op} is control flow.", op)
        op_def: Any = op_def_registry.get(op)
        if op_def is None:
            return Unsupported("unknown-op", f"TensorFlow has no op {op}.", op)
        if any(a.type in ("func", "list(func)") for a in op_def.attr):
            return Unsupported("control-flow", f"{op} calls functions.", op)
        if op_def.is_stateful:
            return Unsupported("stateful", f"{op} has state or side effects.", op)
        return self._check_mapping(op)

    def _check_mapping(self, op: str) -> Support:
        from tfgraft.converters.onnx.tf2onnx_model import mapped_ops

        if self._mapped is None and self._installed:
            try:
                self._mapped = mapped_ops()
            except ImportError:
                self._installed = False
        if self._mapped is None:
            return Unsupported(
                "no-converter",
                f"There is no converter for {op}, and tf2onnx, which may have one, is not installed.",
                op,
                'Install it: pip install "tfgraft[cpu]".',
            )
        if op not in self._mapped:
            return Unsupported(
                "unmapped", f"tf2onnx has no mapping for {op}.", op, "Register a converter or a decomposition for it."
            )
        return SUPPORTED

    def _outcome(self, node: OneNode) -> _Outcome:
        outcome = self._outcomes.get(node)
        if outcome is None:
            with self._lock:  # tf2onnx and the capture of its log are not thread-safe
                outcome = self._outcomes.get(node)
                if outcome is None:
                    outcome = self._outcomes[node] = _try(node)
        return outcome


def _try(node: OneNode) -> _Outcome:
    outcome = _try_outputs(node, node.tensors)
    if isinstance(outcome.support, Supported) or len(node.outputs) <= 1:
        return outcome
    # Outputs that only training reads do not convert; most nodes are read for their first output alone.
    first = _try_outputs(node, node.tensors[:1])
    if not isinstance(first.support, Supported):
        return outcome
    note = "; ".join(filter(None, ("only output 0", first.support.note)))
    return _Outcome(Supported(note), first.model, first.outputs)


def _try_outputs(node: OneNode, outputs: tuple[str, ...]) -> _Outcome:
    from tfgraft.converters.onnx.probe import probe
    from tfgraft.converters.onnx.recurrent import recurrent_model
    from tfgraft.converters.onnx.tf2onnx_model import to_model

    layer = recurrent_model(node, outputs) if node.library else None
    if layer is not None and probe(node, layer, outputs) == SUPPORTED:  # with numbers that were compared
        return _Outcome(SUPPORTED, layer, outputs)
    model = to_model(node, outputs)
    if isinstance(model, Unsupported):
        return _Outcome(model)
    if not node.library and len(model.graph.node) > _MOST_NODES:
        return _Outcome(
            Unsupported(
                "inefficient",
                f"tf2onnx's conversion of {node.op} takes {len(model.graph.node)} ONNX ops; TensorFlow's is quicker.",
                node.op,
                "Register a converter that needs fewer.",
            )
        )
    support = probe(node, model, outputs)
    return _Outcome(support, model, outputs) if isinstance(support, Supported) else _Outcome(support)
