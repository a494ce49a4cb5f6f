"""TensorRtContext: what a converter adds TensorRT layers to, with orders tracked so that transposes stay at the edges.

TensorRT convolves channels-first. A converter asks for an input in the order that it needs and says in which order its
result is; only an op that must have TensorFlow's own order brings a transpose back. Constants are transposed by numpy
when the network is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.orders import Perm
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import NodeView
from tfgraft.registry.registry import Resolution

TYPES: dict[str, str] = {
    "float32": "FLOAT",
    "float16": "HALF",
    "bfloat16": "BF16",
    "int32": "INT32",
    "int64": "INT64",
    "int8": "INT8",
    "uint8": "UINT8",
    "bool": "BOOL",
}
"""TensorRT's `DataType` members by TensorFlow's type names."""

FLOATS = frozenset({"float32", "float16", "bfloat16"})
INTS = frozenset({"int32", "int64"})
NUMERIC = FLOATS | INTS
BOOL = frozenset({"bool"})
ALL = NUMERIC | BOOL
"""Types that layers compute with. TensorRT has int8 and uint8 for casts and quantization alone, and no float64."""
SMALL = frozenset({"int8", "uint8"})
PLAIN = ALL | SMALL
"""Types whose values layers can move, compare and choose: the small ones are int32 inside a network."""


def carrier(dtype: str) -> str:
    """Return the type that a network has for TensorFlow's type: int32 for int8 and uint8, else the same."""
    return "int32" if dtype in SMALL else dtype


Make = Callable[[Perm | None, Sequence[int] | None], Any]
"""Adds a constant in an order, then reshaped (None: neither), and returns the `ITensor`."""


class LayerError(Exception):
    """TensorRT refused a layer; the message is TensorRT's own reason."""


@dataclass
class TensorRtContext:
    """Adds the layers of one cluster to an `INetworkDefinition`.

    Args:
        trt: the module, `tensorrt` or `tensorrt_rtx`.
        network: the network, strongly typed.
        reason: returns, and forgets, what TensorRT has said of its errors since it was asked last.
        resolve: says who converts a node.
    """

    trt: Any
    network: Any
    reason: Callable[[], str]
    resolve: Callable[[NodeView], Resolution]
    origins: dict[str, str] = field(default_factory=dict)
    """The TensorFlow node behind each layer, by the layer's name."""
    unreadable: dict[str, NDArray[Any]] = field(default_factory=dict)
    """Values of constants that TensorRT does not give back (bfloat16), by the layer's name."""
    elements: dict[str, list[Any]] = field(default_factory=dict)
    """The elements of integer vectors made of scalars, numbers or tensors of shape [1], by the vector's name."""
    _held: dict[TensorRef, dict[Perm | None, Any]] = field(default_factory=dict)
    _makers: dict[TensorRef, Make] = field(default_factory=dict)
    _constants: dict[tuple[str, tuple[int, ...], bytes], Any] = field(default_factory=dict)
    _weights: dict[tuple[TensorRef, Perm | None], Any] = field(default_factory=dict)
    _kept: list[NDArray[Any]] = field(default_factory=list)  # TensorRT refers to the memory of weights until it builds
    _names: set[str] = field(default_factory=set)
    _current: str = ""
    _caller: str = ""  # the cluster's node whose function is converted

    # What converters use -------------------------------------------------------------------------------------------

    def get(self, view: NodeView, i: int, perm: Perm | None = None) -> Any:
        """Return data input `i` as an `ITensor`, its dimensions in the order `perm` (None: TensorFlow's order)."""
        item = view.inputs[i]
        if self.is_held(item.ref) or not item.is_constant:
            return self.value(item.ref, perm)
        key = (item.ref, _plain(perm))
        if key not in self._weights:
            self._weights[key] = self.const(self.array(view, i, perm))
        return self._weights[key]

    def array(self, view: NodeView, i: int, perm: Perm | None = None) -> NDArray[Any]:
        """Return constant input `i` as a contiguous array in the order `perm`, for weights."""
        array = view.known_const(i)
        return np.ascontiguousarray(array if perm is None else array.transpose(perm)).reshape(
            array.shape if perm is None else [array.shape[d] for d in perm]
        )

    def perm_of(self, view: NodeView, i: int) -> Perm | None:
        """Return the order in which data input `i` is held first (None: TensorFlow's order)."""
        return next(iter(self._held.get(view.inputs[i].ref, {})), None)

    def set(self, view: NodeView, port: int, tensor: Any, perm: Perm | None = None) -> None:
        """Say that `tensor` holds output `port` of the node, in the order `perm`."""
        self.hold(TensorRef(view.name, port), tensor, perm)

    def set_made(self, view: NodeView, make: Make) -> None:
        """Say that output 0 is a constant that `make` adds as its readers want it: nothing shall stand in between."""
        self._makers[TensorRef(view.name)] = make

    def is_made(self, view: NodeView, i: int) -> bool:
        """Tell whether input `i` is a constant that is made as it is wanted; see `set_made`."""
        return view.inputs[i].ref in self._makers

    def shaped(self, view: NodeView, i: int, perm: Perm | None, shape: Sequence[int]) -> Any:
        """Return data input `i` in the order `perm`, then reshaped."""
        if self.is_made(view, i):
            return self._makers[view.inputs[i].ref](perm, shape)
        value = self.get(view, i, perm)
        return self.add("shuffle", value, reshape_dims=tuple(shape), zero_is_placeholder=False)

    def add(
        self, kind: str, *args: Any, inputs: Mapping[int, Any] | None = None, outputs: int = 1, **settings: Any
    ) -> Any:
        """Add a layer; return its output, or a list if `outputs` is not 1.

        Args:
            kind: what follows `add_` in the method of `INetworkDefinition`.
            args: the method's arguments.
            inputs: further inputs, by slot (`ILayer.set_input`).
            settings: attributes to set on the layer; those that are None are left out.

        Raises:
            LayerError: TensorRT refuses it.
        """
        layer = self.layer(kind, *args, inputs=inputs, **settings)
        results = [self.checked(layer.get_output(k), kind) for k in range(outputs)]
        return results[0] if outputs == 1 else results

    def layer(self, kind: str, *args: Any, inputs: Mapping[int, Any] | None = None, **settings: Any) -> Any:
        """Add a layer as `add` does; return the layer, its outputs not looked at yet."""
        self.reason()
        try:
            layer = getattr(self.network, f"add_{kind}")(*args)
        except TypeError as error:  # what pybind says of arguments is long and of no use to people
            raise LayerError(f"{kind}: {str(error).splitlines()[0]}") from error
        if layer is None:
            raise LayerError(self.reason() or f"TensorRT does not take this {kind} layer")
        self.name(layer, kind)
        for key, value in settings.items():
            if value is not None:
                setattr(layer, key, value)
        for slot, tensor in (inputs or {}).items():
            layer.set_input(slot, tensor)
        return layer

    def name(self, layer: Any, kind: str) -> None:
        """Name a layer, also one of a loop or conditional, after the current TensorFlow node."""
        layer.name = self._unique(f"{self._current}/{kind}")
        self.origins[layer.name] = self._caller or self._current

    def checked(self, tensor: Any, kind: str) -> Any:
        """Return an output of a layer whose type and shape TensorRT can tell; else raise LayerError with its reason."""
        try:
            tensor.shape, tensor.dtype  # noqa: B018
        except Exception as error:
            raise LayerError(self.reason() or f"TensorRT does not take this {kind} layer") from error
        return tensor

    def const(self, value: Any, dtype: str | None = None) -> Any:
        """Return a constant as an `ITensor`; equal small ones are shared.

        Args:
            value: anything numpy makes an array of.
            dtype: TensorFlow's type name; default the array's own type. See `carrier`.
        """
        array = np.asarray(value) if dtype is None else np.asarray(value).astype(dtype)
        # Contiguous, so that this very array is kept: the key of a large one is its address.
        array = array.astype(carrier(str(array.dtype)), order="C", copy=False)
        key = (str(array.dtype), array.shape, array.tobytes() if array.nbytes <= 4096 else str(id(array)).encode())
        if key not in self._constants:
            self._constants[key] = self._constant(array)
        return self._constants[key]

    def weights(self, array: NDArray[Any]) -> Any:
        """Return a `Weights` over an array, which is kept until the network is built."""
        if array.size == 0:
            return self.trt.Weights(self.type(str(array.dtype)))
        array = np.ascontiguousarray(array)
        self._kept.append(array)
        return self.trt.Weights(self.type(str(array.dtype)), array.ctypes.data, array.size)

    def type(self, dtype: str) -> Any:
        """Return the `DataType` of TensorFlow's type name.

        Raises:
            LayerError: TensorRT has no such type.
        """
        if dtype not in TYPES:
            raise LayerError(f"TensorRT has no type {dtype}")
        return getattr(self.trt.DataType, TYPES[dtype])

    def dtype(self, tensor: Any) -> str:
        """Return TensorFlow's name of an `ITensor`'s type."""
        return next(name for name, member in TYPES.items() if getattr(self.trt.DataType, member) == tensor.dtype)

    def cast(self, tensor: Any, dtype: str) -> Any:
        """Add a cast to a type given by TensorFlow's name, unless the tensor has it."""
        wanted = self.type(dtype)
        return tensor if tensor.dtype == wanted else self.add("cast", tensor, wanted)

    def transpose(self, tensor: Any, perm: Sequence[int]) -> Any:
        """Add a transpose, unless it would change nothing."""
        if list(perm) == list(range(len(perm))):
            return tensor
        return self.add("shuffle", tensor, first_transpose=self.trt.Permutation(list(perm)))

    # What the builder uses -----------------------------------------------------------------------------------------

    def begin(self, node: str) -> None:
        """Say which TensorFlow node the next layers come from."""
        self._current = f"{self._caller}/{node}" if self._caller else node

    def inside(self) -> TensorRtContext:
        """Return a context for a function that the current node calls: the same network, with tensors of its own."""
        return replace(self, _held={}, _makers={}, _weights={}, _caller=self._caller or self._current)

    def hold(self, ref: TensorRef, tensor: Any, perm: Perm | None = None) -> None:
        """Say that an `ITensor` holds a tensor in the order `perm`."""
        self._held.setdefault(ref, {}).setdefault(_plain(perm), tensor)

    def value(self, ref: TensorRef, perm: Perm | None = None) -> Any:
        """Return a tensor in the order `perm`, by a transpose if it is not held that way yet."""
        perm = _plain(perm)
        if ref in self._makers and perm not in self._held.setdefault(ref, {}):
            self._held[ref][perm] = self._makers[ref](perm, None)
        held = self._held[ref]
        if perm not in held:
            source, tensor = next(iter(held.items()))
            order = tuple(range(len(perm or source or ())))
            have, want = source or order, perm or order
            held[perm] = self.transpose(tensor, [have.index(d) for d in want])
        return held[perm]

    def alias(self, ref: TensorRef, source: TensorRef) -> None:
        """Say that a tensor is the same as another one (Identity)."""
        if source in self._makers:
            self._makers[ref] = self._makers[source]
            self._held.setdefault(source, {})
        self._held[ref] = self._held[source]

    def any_value(self, ref: TensorRef) -> Any | None:
        """Return a tensor in whatever order it is held first; None for a constant that nobody has asked for yet."""
        return next(iter(self._held.get(ref, {}).values()), None)

    def is_held(self, ref: TensorRef) -> bool:
        """Tell whether a tensor has an `ITensor`."""
        return ref in self._held or ref in self._makers

    def _constant(self, array: NDArray[Any]) -> Any:
        dtype = str(array.dtype)
        if dtype == "bool" or dtype in TYPES:
            layer = self.layer("constant", array.shape, self.weights(array))
        else:
            raise LayerError(f"TensorRT has no constants of type {dtype}")
        if dtype == "bfloat16":
            self.unreadable[layer.name] = array
        return self.checked(layer.get_output(0), "constant")

    def _unique(self, wanted: str) -> str:
        name, i = wanted, 1
        while name in self._names:
            i += 1
            name = f"{wanted}_{i}"
        self._names.add(name)
        return name


def _plain(perm: Perm | None) -> Perm | None:
    return None if perm is not None and perm == tuple(range(len(perm))) else perm
