"""Node attributes: decoded once to typed Python values, kept verbatim where they are not touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow.core.framework import attr_value_pb2

from tfgraft.graph import dtypes


@dataclass(frozen=True, slots=True)
class DType:
    """A data type as an attribute value, so that it is not taken for a string attribute."""

    name: str


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A function as an attribute value: its name and the attributes bound to it (verbatim protos)."""

    name: str
    attrs: tuple[tuple[str, bytes], ...] = ()


ShapeValue = tuple[int, ...] | None
"""A shape attribute: -1 for an unknown dimension, None for an unknown rank."""


def decode(value: Any) -> Any:
    """Decode an `AttrValue` proto.

    Returns int, float, bool, bytes, `DType`, `FunctionRef`, a shape tuple or None, the `TensorProto` itself,
    or a tuple of these for a list.
    """
    kind = value.WhichOneof("value")
    if kind == "s":
        return value.s
    if kind in ("i", "f", "b"):
        return getattr(value, kind)
    if kind == "type":
        return DType(dtypes.name_of(value.type))
    if kind == "shape":
        return _decode_shape(value.shape)
    if kind == "tensor":
        return value.tensor
    if kind == "func":
        return _decode_func(value.func)
    if kind == "list":
        return _decode_list(value.list)
    return value


def _decode_shape(shape: Any) -> ShapeValue:
    return None if shape.unknown_rank else tuple(d.size for d in shape.dim)


def _decode_func(func: Any) -> FunctionRef:
    return FunctionRef(func.name, tuple((k, v.SerializeToString()) for k, v in sorted(func.attr.items())))


def _decode_list(value: Any) -> tuple[Any, ...]:
    for field in ("s", "i", "f", "b", "tensor"):
        if items := getattr(value, field):
            return tuple(items)
    if value.type:
        return tuple(DType(dtypes.name_of(t)) for t in value.type)
    if value.shape:
        return tuple(_decode_shape(s) for s in value.shape)
    return tuple(_decode_func(f) for f in value.func)


def encode(value: Any) -> Any:
    """Encode a Python value as an `AttrValue` proto (the inverse of `decode`).

    Raises:
        TypeError: there is no attribute kind for a value of this type.
    """
    if isinstance(value, attr_value_pb2.AttrValue):
        return value
    proto = attr_value_pb2.AttrValue()
    if isinstance(value, (list, tuple)):
        # An empty or all-integer tuple is a list of ints; a single shape must be given as AttrValue.
        proto.list.SetInParent()
        for item in value:
            _append(proto.list, item)
    elif isinstance(value, bool):
        proto.b = value
    elif isinstance(value, int):
        proto.i = value
    elif isinstance(value, float):
        proto.f = value
    elif isinstance(value, (bytes, str)):
        proto.s = value.encode() if isinstance(value, str) else value
    elif isinstance(value, DType):
        proto.type = dtypes.enum_of(value.name)
    elif isinstance(value, FunctionRef):
        proto.func.name = value.name
        for key, raw in value.attrs:
            proto.func.attr[key].ParseFromString(raw)
    elif hasattr(value, "tensor_shape"):
        proto.tensor.CopyFrom(value)
    else:
        raise TypeError(f"no attribute kind for a value of type {type(value).__name__}: {value!r}")
    return proto


def _append(target: Any, item: Any) -> None:
    if isinstance(item, bool):
        target.b.append(item)
    elif isinstance(item, int):
        target.i.append(item)
    elif isinstance(item, float):
        target.f.append(item)
    elif isinstance(item, (bytes, str)):
        target.s.append(item.encode() if isinstance(item, str) else item)
    elif isinstance(item, DType):
        target.type.append(dtypes.enum_of(item.name))
    elif isinstance(item, FunctionRef):
        target.func.add().CopyFrom(encode(item).func)
    elif isinstance(item, tuple) or item is None:
        shape = target.shape.add()
        if item is None:
            shape.unknown_rank = True
        else:
            for size in item:
                shape.dim.add(size=size)
    elif hasattr(item, "tensor_shape"):
        target.tensor.add().CopyFrom(item)
    else:
        raise TypeError(f"no attribute kind for a list item of type {type(item).__name__}: {item!r}")


class Attrs(Mapping[str, Any]):
    """An immutable mapping from attribute name to decoded value.

    Protos that came with the graph are kept as they were, decoded on first reading, and written back verbatim.
    """

    __slots__ = ("_decoded", "_functions", "_protos")

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._protos: dict[str, Any] = {k: encode(v) for k, v in (values or {}).items()}
        self._decoded: dict[str, Any] = {}
        self._functions: tuple[str, ...] | None = None

    @classmethod
    def from_protos(cls, protos: Mapping[str, Any]) -> Attrs:
        """Wrap `AttrValue` protos without decoding them."""
        attrs = cls.__new__(cls)
        attrs._protos = dict(protos)
        attrs._decoded = {}
        attrs._functions = None
        return attrs

    def __getitem__(self, key: str) -> Any:
        if key not in self._decoded:
            self._decoded[key] = decode(self._protos[key])
        return self._decoded[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._protos)

    def __len__(self) -> int:
        return len(self._protos)

    def __contains__(self, key: object) -> bool:
        return key in self._protos

    def proto(self, key: str) -> Any:
        """Return the `AttrValue` proto of an attribute."""
        return self._protos[key]

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions that attributes refer to."""
        if self._functions is None:
            names: list[str] = []
            for value in self._protos.values():
                kind = value.WhichOneof("value")
                if kind == "func":
                    names.append(value.func.name)
                elif kind == "list":
                    names.extend(f.name for f in value.list.func)
            self._functions = tuple(names)
        return self._functions

    def replace(self, **changes: Any) -> Attrs:
        """Return a copy with some attributes set; a value of None removes the attribute."""
        protos = dict(self._protos)
        for key, value in changes.items():
            if value is None:
                protos.pop(key, None)
            else:
                protos[key] = encode(value)
        return Attrs.from_protos(protos)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attrs) and self._protos == other._protos

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._protos)))

    def __repr__(self) -> str:
        return f"Attrs({dict(self)!r})" if len(self) < 8 else f"Attrs({', '.join(self)})"


def shape_attr(shape: ShapeValue) -> Any:
    """Return the `AttrValue` of a single shape (a bare tuple would be taken for a list of integers)."""
    proto = attr_value_pb2.AttrValue()
    if shape is None:
        proto.shape.unknown_rank = True
    else:
        proto.shape.SetInParent()
        for size in shape:
            proto.shape.dim.add(size=max(size, -1))
    return proto
