"""Node: one operation of a graph, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tfgraft.graph.attrs import Attrs, DType


@dataclass(frozen=True, slots=True)
class Node:
    """One TensorFlow operation.

    Args:
        name: unique in its graph.
        op: the op type, such as "Conv2D".
        device: the device string; empty where none is asked for.
        attrs: decoded attributes; see `Attrs`.
        extra: the rest of the NodeDef (debug information, full type) as serialized proto, kept verbatim.
    """

    name: str
    op: str
    device: str = ""
    attrs: Attrs = field(default_factory=Attrs)
    extra: bytes = b""

    def dtype(self, attr: str, default: str = "invalid") -> str:
        """Return the name of the data type held by attribute `attr`."""
        value = self.attrs.get(attr)
        return value.name if isinstance(value, DType) else default

    def text(self, attr: str, default: str = "") -> str:
        """Return a bytes attribute as text."""
        value: Any = self.attrs.get(attr)
        return value.decode(errors="replace") if isinstance(value, bytes) else default


_COLOCATION = b"loc:@"


def colocated_with(node: Node) -> list[str]:
    """Return the nodes that a node wants to be placed with (its attribute `_class`)."""
    if "_class" not in node.attrs:
        return []
    return [v[len(_COLOCATION) :].decode() for v in node.attrs["_class"] if v.startswith(_COLOCATION)]


def without_colocation(node: Node, gone: str) -> Node:
    """Return a node that no longer wants to be placed with `gone`: TensorFlow refuses to import a graph without it."""
    left = tuple(v for v in node.attrs.get("_class", ()) if v != _COLOCATION + gone.encode())
    return replace(node, attrs=node.attrs.replace(_class=left or None))
