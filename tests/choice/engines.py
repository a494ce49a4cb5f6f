"""Engines that are ONNX Runtime's but for one thing each: how quick, how right, how sound they are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tfgraft.plugins.onnxruntime.builder import OnnxRuntimeBuilder
from tfgraft.plugins.protocol import Array, BuildContext, BuiltEngine, Cluster, Device, Outputs
from tfgraft.registry.entry import Converter
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Support


class _Shifted:
    """Adds a number to every float that an engine gives."""

    def __init__(self, outputs: Outputs, shift: float) -> None:
        self._outputs, self._shift, self.arrays = outputs, shift, []  # type: ignore[var-annotated]

    def allocate(self, i: int, shape: Sequence[int]) -> Array:
        array = self._outputs.allocate(i, shape)
        self.arrays.append(array)
        return array

    def shift(self) -> None:
        for array in self.arrays:
            array += self._shift


@dataclass(frozen=True)
class _Executor:
    inner: Any
    delay: float
    shift: float
    broken: bool
    copies: bool

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        if self.broken:
            raise RuntimeError("this engine is out of order")
        time.sleep(self.delay)
        if self.copies:
            outputs.allocate(0, inputs[0].shape)[...] = inputs[0]
            return
        shifted = _Shifted(outputs, self.shift)
        self.inner.run(inputs, shifted)
        if self.shift:
            shifted.shift()


@dataclass(frozen=True)
class _ExecutorAlone(_Executor):
    """One that gives back its first input, and has a delay of its own where TensorFlow does not call it."""

    delay_alone: float

    def compute(self, inputs: Sequence[Array]) -> list[Array]:
        time.sleep(self.delay_alone)
        return [inputs[0].copy()]


@dataclass(frozen=True)
class Engine:
    """ONNX Runtime with a delay in seconds, a number added to its results, or out of order.

    Args:
        copies: it gives back its first input; right where a cluster undoes what it does, and quicker than anything.
        delay_alone: the delay of one that copies, where TensorFlow does not call it; None if it is the same.
    """

    name: str
    delay: float = 0.0
    shift: float = 0.0
    broken: bool = False
    copies: bool = False
    delay_alone: float | None = None
    converters: tuple[str, ...] = OnnxRuntimeBuilder.converters
    built: list[tuple[str, ...]] = field(default_factory=list, compare=False)

    def available(self) -> Support:
        return OnnxRuntimeBuilder().available()

    def check_options(self, options: Mapping[str, Any]) -> None:
        OnnxRuntimeBuilder().check_options(options)

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        self.built.append(cluster.nodes)
        return replace(OnnxRuntimeBuilder().build(cluster, context), engine=self.name)

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Any:
        inner = OnnxRuntimeBuilder().load(engine, weights, device)
        settings = inner, self.delay, self.shift, self.broken, self.copies
        return _Executor(*settings) if self.delay_alone is None else _ExecutorAlone(*settings, self.delay_alone)


def registry_with(*engines: Engine, only: Mapping[str, Sequence[str]] | None = None) -> Registry:
    """Return the default registry with engines more.

    Args:
        only: by engine, the ops that it takes: it gets a converter set of its own, a part of ONNX's.
    """
    registry = Registry.default()
    for engine in engines:
        ops = (only or {}).get(engine.name)
        if ops is not None:
            engine = replace(engine, converters=(engine.name,))
            entries = [c for op in ops for c in registry.candidates(op, OnnxRuntimeBuilder.converters)]
            registry.add(
                *(replace(c, engine=engine.name) for c in entries if isinstance(c, Converter) and c.op in ops),
                layer="user",
            )
        registry.add_engine(engine, "tests")
    return registry
