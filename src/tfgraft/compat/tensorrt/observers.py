"""Observers in a graph: engine nodes that look at tensors while TensorFlow runs the graph on the user's data."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import uuid4

import numpy as np
from tensorflow.core.framework import function_pb2, types_pb2

from tfgraft import runtime
from tfgraft.calibration.histogram import Histogram
from tfgraft.calibration.sample import sample_of
from tfgraft.calibration.statistics import Statistics
from tfgraft.calibration.table import CalibrationTable
from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import node_from_def
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import TensorInfo
from tfgraft.passes.replace_clusters import on_device
from tfgraft.plugins.protocol import (
    Array,
    BuildContext,
    BuildError,
    BuiltEngine,
    Cluster,
    Device,
    Executor,
    Outputs,
)
from tfgraft.registry.support import SUPPORTED, Support
from tfgraft.runtime.node import engine_node_def

PREFIX = "tfgraft_calibration"
_SEGMENT = f"{PREFIX}_segment"


class Recorder:
    """An executor that notes what it sees of one tensor. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = Statistics()
        self._runs = 0

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """See `tfgraft.plugins.protocol.Executor`; the result, a zero, is for nobody."""
        with self._lock:
            run, self._runs = self._runs, self._runs + 1
        seen = statistics_of(inputs[0], run)
        with self._lock:
            self._seen = self._seen.merged(seen)
        outputs.allocate(0, ())[...] = 0

    def taken(self) -> tuple[Statistics, int]:
        """Return what was seen until now, and in how many runs."""
        with self._lock:
            return self._seen, self._runs


def statistics_of(values: Array, run: int) -> Statistics:
    """Return what `tfgraft.calibration.collect` would note of a tensor in the run of that number."""
    flat = values.reshape(-1)
    sample = sample_of(flat, flat.size, run)
    low, high = float(flat.min(initial=np.inf)), float(flat.max(initial=-np.inf))
    if np.isfinite(low) and np.isfinite(high):
        return Statistics(flat.size, 0, low, high, Histogram.of(sample))
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        return Statistics(flat.size, flat.size)
    sample = sample[np.isfinite(sample)]
    return Statistics(
        flat.size, flat.size - finite.size, float(finite.min()), float(finite.max()), Histogram.of(sample)
    )


@dataclass(frozen=True)
class Observers:
    """The observers of one graph, as an engine builder whose engines are found by the names of tensors.

    Args:
        about: what the graph was made from, for whoever wants to make another of it.
        recorders: by tensor name.
        name: the engine's name, another one for each graph.
    """

    about: Any = field(repr=False)
    recorders: Mapping[str, Recorder] = field(repr=False)
    name: str = field(default_factory=lambda: f"{PREFIX}_{uuid4().hex}")
    converters: ClassVar[tuple[str, ...]] = ()

    def available(self) -> Support:
        """Supported: they need nothing."""
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError if there are any options."""
        if options:
            raise ValueError(f"observers take no options, and {', '.join(options)} was given")

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Refuse: observers compute nothing."""
        raise BuildError("observers are put into a graph by add_observers")

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        """Return the recorder of the tensor that an engine node reads."""
        return self.recorders[engine.metadata["tensor"]]

    def forget(self) -> None:
        """Make the runtime forget the observers; graphs that run already go on."""
        runtime.unregister_engine(self.name)

    def table(self) -> CalibrationTable:
        """Return what was seen until now; tensors that no run came by are left out."""
        taken = {name: recorder.taken() for name, recorder in self.recorders.items()}
        tensors = {name: seen for name, (seen, runs) in taken.items() if runs}
        return CalibrationTable(tensors, max((runs for _, runs in taken.values()), default=0))


def add_observers(graph: Graph, tensors: Iterable[TensorRef], about: Any) -> Observers:
    """Put an observer at each of some float32 tensors of a graph; it runs before what reads the tensor does.

    Nothing else is changed: tensors keep their names and values, and a run that does not need a tensor does not
    observe it. The runtime knows the observers by their name until it is told to forget them.
    """
    refs = list(dict.fromkeys(tensors))
    observers = Observers(about, {str(ref): Recorder() for ref in refs})
    if refs:
        graph.library.add(_segment())
    with graph.edit() as edit:
        for ref in refs:
            observer = _observer(graph, ref, observers.name)
            edit.add(observer, [ref])
            device, attrs = graph.node(ref.node).device, Attrs({"T": DType("float32")})
            passed = Node(graph.unique_name(f"{observer.name}/observed"), "Identity", device, attrs)
            edit.add(passed, [ref], [observer.name])
            for target, slot, port in graph.consumers(ref.node):
                if port == ref.port:
                    edit.set_input(target, slot, TensorRef(passed.name))
    runtime.register_engine(observers)
    return observers


def find_observers(graph_def: Any) -> Observers | None:
    """Return the observers in a graph; None if it has none.

    Raises:
        UnknownEngine: it has some, and this process does not know them (any more).
    """
    for node in graph_def.node:
        if node.op == runtime.OP_NAME and (name := node.attr["engine"].s.decode()).startswith(PREFIX):
            found = runtime.find_engine(name)
            assert isinstance(found, Observers), name
            return found
    return None


def _observer(graph: Graph, ref: TensorRef, engine: str) -> Node:
    built = BuiltEngine(
        engine, b"", (TensorInfo("float32"),), (TensorInfo("float32", ()),), metadata={"tensor": str(ref)}
    )
    node_def = engine_node_def(
        graph.unique_name(f"{PREFIX}/{ref.node}_{ref.port}"),
        built,
        inputs=[str(ref)],
        segment=_SEGMENT,
        fingerprint=f"{engine} {ref}",
        device=on_device(graph.node(ref.node).device, ("CPU",)),
        strict=True,
    )
    return node_from_def(node_def)


def _segment() -> Any:
    """Return the native segment that engine nodes must have; it is never run, for the nodes are strict."""
    function = function_pb2.FunctionDef()
    function.signature.name = _SEGMENT
    function.signature.input_arg.add(name="tensor", type=types_pb2.DT_FLOAT)
    function.signature.output_arg.add(name="nothing", type=types_pb2.DT_FLOAT)
    zero = function.node_def.add(name="zero", op="Const")
    zero.attr["dtype"].type = types_pb2.DT_FLOAT
    zero.attr["value"].tensor.dtype = types_pb2.DT_FLOAT
    zero.attr["value"].tensor.tensor_shape.SetInParent()
    zero.attr["value"].tensor.float_val.append(0)
    function.ret["nothing"] = "zero:output:0"
    return function
