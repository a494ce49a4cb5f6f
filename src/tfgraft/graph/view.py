"""What a converter sees of one node: the node, its inputs' and outputs' types and shapes, constant values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tfgraft.graph.attrs import DType
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef

if TYPE_CHECKING:
    from tfgraft.graph.functions import FunctionLibrary
    from tfgraft.registry.registry import Resolution

Shape = tuple[int, ...] | None
"""None: unknown rank. A negative size is an unknown dimension; two dimensions of one graph with the same negative
size below -1 are known to be equal; -1 says nothing."""


def without_symbols(shape: Shape) -> Shape:
    """Return a shape whose unknown dimensions are all -1: the symbols of one graph mean nothing in another."""
    return None if shape is None else tuple(max(d, -1) for d in shape)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Data type (TensorFlow's short name) and shape of one tensor."""

    dtype: str
    shape: Shape = None

    @property
    def rank(self) -> int | None:
        """The number of dimensions, or None if it is not known."""
        return None if self.shape is None else len(self.shape)

    @property
    def is_static(self) -> bool:
        """Whether every dimension is known."""
        return self.shape is not None and all(d >= 0 for d in self.shape)

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype}[...]"
        return f"{self.dtype}[{', '.join('?' if d < 0 else str(d) for d in self.shape)}]"


@dataclass(frozen=True, slots=True)
class Input:
    """One data input of a node.

    `constant` gives the value of an input that a Const node feeds (through Identity nodes at most), else None.
    It is a callable because decoding a large constant costs time and memory.
    """

    ref: TensorRef
    info: TensorInfo
    is_constant: bool = False
    constant: Callable[[], NDArray[Any] | None] = field(default=lambda: None, compare=False)


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node with the facts around it; read-only, and the same while tagging and while converting.

    `library` has the functions that the node may call; while such a node's support is asked about, `resolve` tells
    of the nodes in them who would convert each.
    """

    node: Node
    inputs: tuple[Input, ...]
    outputs: tuple[TensorInfo, ...]
    library: FunctionLibrary | None = field(default=None, compare=False, repr=False)
    resolve: Callable[[NodeView], Resolution] | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name

    @property
    def op(self) -> str:
        """The node's op type."""
        return self.node.op

    def attr(self, name: str, default: Any = None) -> Any:
        """Return a decoded attribute: bytes become str and types their names; `default` if it is absent."""
        value = self.node.attrs.get(name, default)
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        if isinstance(value, DType):
            return value.name
        if isinstance(value, tuple) and value and isinstance(value[0], bytes):
            return tuple(v.decode(errors="replace") for v in value)
        return value

    def dtype(self, i: int = 0) -> str:
        """Return the data type of input `i`."""
        return self.inputs[i].info.dtype

    def shape(self, i: int = 0) -> Shape:
        """Return the shape of input `i`."""
        return self.inputs[i].info.shape

    def rank(self, i: int = 0) -> int | None:
        """Return the rank of input `i`, or None if it is not known."""
        return self.inputs[i].info.rank

    def known_rank(self, i: int = 0) -> int:
        """Return the rank of input `i` where the entry's spec has made sure that it is known.

        Raises:
            ValueError: the rank is not known (the spec did not ask for it).
        """
        rank = self.inputs[i].info.rank
        if rank is None:
            raise ValueError(f"the rank of input {i} of {self.name!r} is not known")
        return rank

    def const(self, i: int) -> NDArray[Any] | None:
        """Return the value of input `i` if it is a constant, else None."""
        return self.inputs[i].constant() if i < len(self.inputs) else None

    def known_const(self, i: int) -> NDArray[Any]:
        """Return the value of input `i` where the entry's spec has made sure that it is a constant.

        Raises:
            ValueError: the input is not a constant (the spec did not ask for it).
        """
        value = self.const(i)
        if value is None:
            raise ValueError(f"input {i} of {self.name!r} is not a constant")
        return value
