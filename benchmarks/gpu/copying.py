"""An engine on the GPU without TensorRT: it copies its input through working memory, on a stream of its own.

It shows on any CUDA GPU that the engine op's device pointers, allocations and waits are right.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2

import tfgraft.runtime
from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import (
    Array,
    BuildContext,
    BuiltEngine,
    Cluster,
    Device,
    DeviceArray,
    DeviceExecutor,
    DeviceOutputs,
    fingerprint,
)
from tfgraft.registry.support import SUPPORTED, Support
from tfgraft.runtime.cuda import Cuda


@dataclass
class CopyExecutor:
    """Copies input 0 to output 0."""

    cuda: Cuda = field(default_factory=Cuda)
    local: threading.local = field(default_factory=threading.local)

    def run(self, inputs: Sequence[DeviceArray], outputs: DeviceOutputs) -> None:
        """Copy twice, so that working memory is used too."""
        x = inputs[0]
        scratch = outputs.scratch(max(x.nbytes, 1))
        y = outputs.allocate(0, x.shape)
        stream = self._stream()
        self.cuda.synchronize()
        self.cuda.copy(scratch.address, x.address, x.nbytes, stream)
        self.cuda.copy(y.address, scratch.address, x.nbytes, stream)
        self.cuda.wait(stream)

    def _stream(self) -> int:
        if not hasattr(self.local, "stream"):
            self.local.stream = self.cuda.new_stream()
        return int(self.local.stream)


@dataclass(frozen=True)
class CopyBuilder:
    """The builder of `CopyExecutor`."""

    name: str = "copy_on_gpu"
    converters: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("GPU",)

    def available(self) -> Support:
        """Always."""
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        """It has no options."""

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """It builds nothing."""
        raise NotImplementedError

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> DeviceExecutor:
        """Return the executor."""
        return CopyExecutor()


def surrounded_copy(steps: int) -> Any:
    """Return a ConcreteFunction of x [?, ?]: products and copies by the engine in turn, on the GPU.

    The products make the copies wait for work that TensorFlow has queued and not finished. The segment computes
    something else than a copy, so a fallback would show in the result.
    """
    info = TensorInfo("float32", (-1, -1))
    built = BuiltEngine("copy_on_gpu", b"", (info,), (info,))

    @tf.function(input_signature=[tf.TensorSpec((None, None))])  # type: ignore[untyped-decorator]
    def segment(x: Any) -> Any:
        return tf.zeros_like(x)

    concrete = segment.get_concrete_function()
    concrete.add_to_graph()
    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = tf.version.GRAPH_DEF_VERSION
    graph_def.library.function.append(concrete.function_def)
    placeholder = graph_def.node.add(name="x", op="Placeholder")
    placeholder.attr["dtype"].type = 1
    placeholder.attr["shape"].shape.unknown_rank = True
    graph_def.node.append(
        tfgraft.runtime.engine_node_def(
            "copy", built, inputs=["x"], segment=concrete.name.decode(), fingerprint=fingerprint(built, ()), strict=True
        )
    )

    @tf.function(input_signature=[tf.TensorSpec((None, None))])  # type: ignore[untyped-decorator]
    def call(x: Any) -> Any:
        for i in range(steps):
            product = tf.matmul(tf.matmul(x, x, transpose_b=True), x)
            late = tf.where(tf.math.is_nan(product), product, x)
            x = tf.graph_util.import_graph_def(graph_def, {"x": late}, ["copy:0"], name=f"step_{i}")[0] + 1
        return x

    tfgraft.runtime.register_engine(CopyBuilder())
    return call.get_concrete_function()
