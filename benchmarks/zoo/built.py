"""What a builder makes: a frozen graph with its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Tensor:
    """An input or output: its name ("node:0"), TensorFlow's name of its dtype, and its shape (None: unknown)."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    @classmethod
    def of(cls, tensor: Any) -> Tensor:
        """Describe a symbolic TensorFlow tensor."""
        shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
        return cls(tensor.name, tensor.dtype.name, shape)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Tensor:
        """Read back what `to_dict` wrote."""
        return cls(data["name"], data["dtype"], None if data["shape"] is None else tuple(data["shape"]))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "shape": None if self.shape is None else list(self.shape),
        }


@dataclass(frozen=True)
class Built:
    """A frozen GraphDef, its inputs and outputs in order, and the SavedModel it came from, if it came from one."""

    graph_def: Any
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    saved_model: Path | None = None


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays by name; strings are stored as bytes of fixed length, so that no pickle is needed."""
    plain = {name: array.astype("S") if array.dtype == object else array for name, array in arrays.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    # The stubs take every keyword for allow_pickle's type.
    np.savez_compressed(path, **plain)  # type: ignore[arg-type]


def load_arrays(path: Path) -> dict[str, Array]:
    """Read what `save_arrays` wrote; strings come back as TensorFlow wants them (object arrays of bytes)."""
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name].astype(object) if data[name].dtype.kind == "S" else data[name] for name in data.files}
