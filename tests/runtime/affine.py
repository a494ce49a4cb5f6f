"""A small real engine in numpy, y = x * w + b, with options in its payload to break its promises in every way."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import (
    Array,
    BuildContext,
    BuiltEngine,
    Cluster,
    Device,
    Executor,
    Outputs,
    fingerprint,
)
from tfgraft.registry.support import SUPPORTED, Support


@dataclass(frozen=True)
class Affine:
    """y = x * scale + shift, in the type of x, with the promises it breaks in `fault`."""

    scale: Array
    shift: float
    fault: str = ""

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """Fill output 0."""
        x = inputs[0]
        if self.fault == "raise" or (self.fault == "raise on 3 rows" and x.shape[0] == 3):
            raise ValueError("the engine cannot do it")
        if self.fault == "no output":
            return
        if self.fault == "wrong shape":
            outputs.allocate(0, (*x.shape, 7))
        if self.fault == "other size":
            outputs.allocate(0, (x.shape[0] + 1, *x.shape[1:]))
            raise ValueError("the engine noticed too late")
        if self.fault == "negative shape":
            outputs.allocate(0, (-5, 2))
        if self.fault == "huge shape":
            outputs.allocate(0, (2**40, 2**40))
        if self.fault == "wrong index":
            outputs.allocate(1, x.shape)
        y = outputs.allocate(0, x.shape)
        if self.fault == "twice":
            outputs.allocate(0, x.shape)
        if self.fault == "wrong type":
            np.copyto(y, np.full(x.shape, 1j), casting="same_kind")
        if self.fault == "write to input":
            x[...] = 0
        if self.fault == "fail late":
            y[...] = 0
            raise ValueError("the engine failed after it had begun")
        if x.dtype == bool:
            y[...] = x
        else:
            y[...] = x * self.scale.astype(x.dtype) + np.asarray(self.shift).astype(x.dtype)


@dataclass
class AffineBuilder:
    """The builder; it counts its loads."""

    name: str = "affine"
    converters: tuple[str, ...] = ()
    loads: list[str] = field(default_factory=list)
    delay: threading.Event | None = None
    support: Support = SUPPORTED

    def available(self) -> Support:
        """Say what `support` says."""
        return self.support

    def check_options(self, options: Mapping[str, Any]) -> None:
        """It has no options."""

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Tests make their engines by `affine_engine`."""
        raise NotImplementedError

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        """Read the payload up to its first zero byte."""
        self.loads.append(engine.engine)
        if self.delay is not None:
            self.delay.wait(1)
        text, _, padding = engine.payload.partition(b"\0")
        options = json.loads(text)
        if padding and len(padding) != options["padding"]:
            raise ValueError(f"{len(padding)} bytes of padding, not {options['padding']}")
        if options["fault"] == "load":
            raise RuntimeError("this engine is for another machine")
        scale = np.array(weights[0]) if weights else np.asarray(options["scale"])
        return Affine(scale, options["shift"], options["fault"])


def affine_engine(
    engine: str = "affine",
    dtype: str = "float32",
    shape: tuple[int, ...] | None = None,
    scale: float = 2.0,
    shift: float = 1.0,
    fault: str = "",
    weights: Sequence[Array] = (),
    padding: int = 0,
    output_shape: tuple[int, ...] | None = None,
) -> tuple[BuiltEngine, str]:
    """Return an engine and its fingerprint. With `weights` the scale is weights[0]."""
    options = {"scale": scale, "shift": shift, "fault": fault, "padding": padding}
    payload = json.dumps(options).encode() + (b"\0" + b"\x00\xff" * (padding // 2) if padding else b"")
    built = BuiltEngine(
        engine,
        payload,
        (TensorInfo(dtype, shape),),
        (TensorInfo(dtype, shape if output_shape is None else output_shape),),
        tuple(TensorInfo(str(w.dtype), w.shape) for w in weights),
        {"kind": "affine"},
    )
    return built, fingerprint(built, weights)
