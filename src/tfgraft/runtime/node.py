"""The engine node: its op's name, how its attributes are written, and how its metadata is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorflow.core.framework import node_def_pb2

from tfgraft.graph import dtypes
from tfgraft.graph.view import Shape, TensorInfo
from tfgraft.plugins.protocol import BuiltEngine

OP_NAME = "TfGraft>Engine"
ATTRS = (
    "InT: list(type) >= 0",
    "OutT: list(type) >= 1",
    "engine: string",
    "payload: string",
    "metadata: string",
    "fingerprint: string",
    "segment: func",
    "data_inputs: int >= 0",
    "input_shapes: list(shape) >= 0",
    "output_shapes: list(shape) >= 0",
    "strict: bool = false",
)
"""The op's attributes as TensorFlow's op builder takes them."""
EXCHANGED = dtypes.PLAIN | {"bfloat16", "complex64", "complex128", "float8_e5m2", "float8_e4m3fn"}
"""Data types that an engine node can have: those that are plain buffers."""


def engine_node_def(
    name: str,
    built: BuiltEngine,
    *,
    inputs: Sequence[str],
    segment: str,
    fingerprint: str,
    device: str = "",
    control_inputs: Sequence[str] = (),
    strict: bool = False,
) -> Any:
    """Return the NodeDef of an engine node.

    Args:
        name: the node's name.
        built: the engine.
        inputs: names of the tensors to read ("node" or "node:port"; "node:output:0" in a function body): those of
            `built.inputs`, then those of `built.weights`.
        segment: name of the library function that computes the same; its arguments are all the inputs.
        fingerprint: see `tfgraft.plugins.protocol.fingerprint`; nodes with equal ones share one loaded engine.
        device: TensorFlow device string.
        control_inputs: names of nodes to run before, without "^".
        strict: fail where the native segment would step in.

    Raises:
        ValueError: the number of inputs is wrong, a data type is not a plain buffer, the fingerprint is empty, or the
            metadata is not JSON.
    """
    if not fingerprint:
        raise ValueError(f"engine node {name!r} needs a fingerprint, by which its loaded engine is found")
    taken = (*built.inputs, *built.weights)
    if len(inputs) != len(taken):
        raise ValueError(
            f"engine node {name!r} is given {len(inputs)} inputs, and the engine has {len(built.inputs)} data inputs "
            f"and {len(built.weights)} weights"
        )
    for what, infos in (("input", taken), ("output", built.outputs)):
        for i, info in enumerate(infos):
            if info.dtype not in EXCHANGED:
                raise ValueError(
                    f"{what} {i} of engine node {name!r} has type {info.dtype}, which engines cannot exchange with "
                    "TensorFlow; leave the node that makes it out of the cluster"
                )
    node = node_def_pb2.NodeDef(name=name, op=OP_NAME, device=device)
    node.input.extend((*inputs, *(f"^{c}" for c in control_inputs)))
    attr = node.attr
    attr["InT"].list.type.extend(dtypes.enum_of(i.dtype) for i in taken)
    attr["OutT"].list.type.extend(dtypes.enum_of(i.dtype) for i in built.outputs)
    attr["engine"].s = built.engine.encode()
    attr["payload"].s = built.payload
    attr["metadata"].s = _write_metadata(name, built)
    attr["fingerprint"].s = fingerprint.encode()
    attr["segment"].func.name = segment
    attr["data_inputs"].i = len(built.inputs)
    attr["strict"].b = strict
    _add_shapes(attr["input_shapes"], taken)
    _add_shapes(attr["output_shapes"], built.outputs)
    # The importer merges this into what the op's shape function says, which can read no shape list.
    _add_shapes(attr["_output_shapes"], built.outputs)
    return node


def _add_shapes(attr: Any, infos: Sequence[TensorInfo]) -> None:
    attr.list.SetInParent()
    for info in infos:
        shape = attr.list.shape.add()
        if info.shape is None:
            shape.unknown_rank = True
        else:
            for size in info.shape:
                shape.dim.add(size=max(size, -1))


def _write_metadata(name: str, built: BuiltEngine) -> bytes:
    # A kernel cannot read shape lists through the C API, so the signature goes with the metadata. The name does too:
    # TensorFlow renames nodes when it inlines functions, and counters and messages use the name that the user knows.
    content: dict[str, Any] = {
        kind: [[i.dtype, None if i.shape is None else list(i.shape)] for i in infos]
        for kind, infos in (("inputs", built.inputs), ("outputs", built.outputs), ("weights", built.weights))
    }
    try:
        return json.dumps({**content, "name": name, "metadata": dict(built.metadata)}, sort_keys=True).encode()
    except TypeError as error:
        raise ValueError(f"the metadata of engine node {name!r} cannot be written as JSON: {error}") from error


@dataclass(frozen=True)
class Signature:
    """What an engine node's metadata says: its first name, types and shapes, and the builder's own metadata."""

    name: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    weights: tuple[TensorInfo, ...]
    metadata: Mapping[str, Any]

    def built(self, engine: str, payload: bytes) -> BuiltEngine:
        """Return the engine as its builder made it."""
        return BuiltEngine(engine, payload, self.inputs, self.outputs, self.weights, self.metadata)


def read_metadata(text: bytes) -> Signature:
    """Read the metadata attribute of an engine node.

    Raises:
        ValueError: it is not what `engine_node_def` writes.
    """
    try:
        content = json.loads(text)
        inputs, outputs, weights = (
            tuple(TensorInfo(dtype, None if shape is None else tuple(shape)) for dtype, shape in content[kind])
            for kind in ("inputs", "outputs", "weights")
        )
        return Signature(content["name"], inputs, outputs, weights, content["metadata"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"the metadata attribute is damaged: {error!r}") from error


def fits(shape: Sequence[int], declared: Shape) -> bool:
    """Tell whether a tensor's shape is one that a declared shape allows."""
    return declared is None or (
        len(shape) == len(declared) and all(d < 0 or d == s for s, d in zip(shape, declared, strict=True))
    )
