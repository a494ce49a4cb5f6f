"""What the sample engine's payload is made of: steps over named values."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "AddV2": np.add,
    "Identity": np.asarray,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Sub": np.subtract,
}
"""The numpy function of each TensorFlow op that the engine takes."""


@dataclass
class Program:
    """Steps (op, names of inputs, name of output) and small constants; names are those of TensorFlow's tensors."""

    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    steps: list[tuple[str, list[str], str]] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Serialize; constants as type, shape and base64 of their bytes."""
        constants = {
            name: [str(a.dtype), list(a.shape), base64.b64encode(a.tobytes()).decode()]
            for name, a in self.constants.items()
        }
        return json.dumps([self.inputs, self.outputs, self.steps, constants]).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Program:
        """The inverse of `to_json`."""
        inputs, outputs, steps, constants = json.loads(payload)
        arrays = {
            name: np.frombuffer(base64.b64decode(data), dtype).reshape(shape)
            for name, (dtype, shape, data) in constants.items()
        }
        return cls(inputs, outputs, [(op, names, out) for op, names, out in steps], arrays)

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Compute the outputs."""
        values = {**self.constants, **dict(zip(self.inputs, inputs, strict=True))}
        for op, names, out in self.steps:
            values[out] = FUNCTIONS[op](*(values[name] for name in names))
        return [values[name] for name in self.outputs]
