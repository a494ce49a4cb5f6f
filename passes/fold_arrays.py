"""Arrays of tensors of which each element's place is known: what is read of them, without them.

`tf.map_fn` puts its input into a TensorArray (TensorFlow 1) or a tensor list (TensorFlow 2), reads an element of it in
each round, and writes what it computes into another one, which is stacked at the end. Outside of a loop, reading is
taking a slice, and stacking one element is giving it a dimension more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.edit import GraphEdit
from tfgraft.graph.graph import Graph
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import PASS_THROUGH, const_node, const_source, const_value, through
from tfgraft.passes.contexts import contexts
from tfgraft.passes.counting import number

_HANDLE = 0
"""The output of TensorArrayV3 that is its handle; the other one is its flow."""


def fold_arrays(graph: Graph) -> int:
    """Fold reads and stacks of a graph, outside of TensorFlow 1 loops and branches; return how many there were."""
    names = [node.name for node in graph if node.op in ("TensorArrayV3", "TensorListGetItem", "TensorListStack")]
    if not names:
        return 0
    where = contexts(graph, graph.topological())
    count = 0
    with graph.edit() as edit:
        for name in names:
            if name in where:
                continue
            op = graph.node(name).op
            if op == "TensorArrayV3":
                count += _fold_array(graph, edit, name, set(where))
            elif op == "TensorListGetItem":
                count += _fold_item(graph, edit, name)
            else:
                count += _fold_stack(graph, edit, name)
    return count


def _fold_item(graph: Graph, edit: GraphEdit, name: str) -> int:
    source = through(graph, graph.inputs(name)[0])
    if graph.node(source.node).op != "TensorListFromTensor":
        return 0
    _gather(graph, edit, name, graph.inputs(source.node)[0], graph.inputs(name)[1], "element_dtype")
    return 1


def _fold_stack(graph: Graph, edit: GraphEdit, name: str) -> int:
    """Fold the stack of a list of one element."""
    item = through(graph, graph.inputs(name)[0])
    if graph.node(item.node).op != "TensorListSetItem":
        return 0
    into, index, value = graph.inputs(item.node)[:3]
    empty = through(graph, into)
    if graph.node(empty.node).op != "TensorListReserve" or number(graph, graph.inputs(empty.node)[1]) != 1:
        return 0
    if number(graph, index) != 0:
        return 0
    expand(graph, edit, name, value, "element_dtype")
    return 1


def _fold_array(graph: Graph, edit: GraphEdit, array: str, inside: set[str]) -> int:
    """Fold what reads a TensorArray, if it was filled at once, or has one element."""
    users = _users(graph, array)
    if users is None or any(name in inside for names in users.values() for name in names) or _pinned(graph, users):
        return 0
    scatters, writes = users.pop("TensorArrayScatterV3", []), users.pop("TensorArrayWriteV3", [])
    reads, gathers = users.pop("TensorArrayReadV3", []), users.pop("TensorArrayGatherV3", [])
    sizes, closes = users.pop("TensorArraySizeV3", []), users.pop("TensorArrayCloseV3", [])
    length = graph.inputs(array)[0]
    if (
        users
        or graph.node(array).attrs.get("dynamic_size", False)
        or closes
        or (sizes and _value(graph, length) is None)
    ):
        return 0
    if len(scatters) == 1 and not writes and not gathers:
        (scatter,) = scatters
        if not _counts(graph, graph.inputs(scatter)[1]):
            return 0
        for read in reads:
            _gather(graph, edit, read, graph.inputs(scatter)[2], graph.inputs(read)[1], "dtype")
    elif len(writes) == 1 and not scatters and not reads and number(graph, length) == 1:
        (write,) = writes
        if number(graph, graph.inputs(write)[1]) != 0:
            return 0
        if not all(_counts(graph, graph.inputs(gather)[1]) for gather in gathers):
            return 0
        for gather in gathers:
            expand(graph, edit, gather, graph.inputs(write)[2], "dtype")
    else:
        return 0
    for size in sizes:
        value = _value(graph, length)
        assert value is not None
        edit.replace(const_node(size, value))
        edit.set_inputs(size, (), graph.control_inputs(size))
    _remove_unread(graph, edit, [*reads, *gathers, *sizes], [*scatters, *writes, array])
    return len(reads) + len(gathers)


def _users(graph: Graph, array: str) -> dict[str, list[str]] | None:
    """Return the nodes that have an array's handle, by op; None if it goes anywhere else."""
    found: dict[str, list[str]] = {}
    for name, slot, port in graph.consumers(array):
        if port == _HANDLE:
            if slot != 0:
                return None
            found.setdefault(graph.node(name).op, []).append(name)
    return found


def _pinned(graph: Graph, users: dict[str, list[str]]) -> bool:
    pinned = graph.fed | graph.keep
    return any(name in pinned for names in users.values() for name in names)


def _remove_unread(graph: Graph, edit: GraphEdit, folded: Sequence[str], old: Sequence[str]) -> None:
    """Remove an array and what fills it, with the identities of its flow, if only what was folded read them."""
    gone, pending = set(old), list(old)
    while pending:
        for name, _, _ in graph.consumers(pending.pop()):
            if name not in gone and graph.node(name).op in PASS_THROUGH:
                gone.add(name)
                pending.append(name)
    readers = {after for name in gone for after in graph.successors(name)}
    pinned = {ref.node for ref in graph.fetches} | graph.keep
    if readers <= gone | set(folded) and not gone & pinned:
        # What was folded no longer reads them, but may wait for them.
        for name in folded:
            for control in graph.control_inputs(name):
                if control in gone:
                    return
        for name in gone:
            edit.remove(name)


def _gather(graph: Graph, edit: GraphEdit, name: str, value: TensorRef, index: TensorRef, attr: str) -> None:
    old = graph.node(name)
    axis = edit.add(const_node(graph.unique_name(f"{name}/axis"), np.zeros((), np.int32)))
    types = {"Tparams": DType(old.dtype(attr)), "Tindices": DType("int32"), "Taxis": DType("int32")}
    edit.replace(Node(name, "GatherV2", old.device, Attrs({**types, "batch_dims": 0})))
    edit.set_inputs(name, (value, index, TensorRef(axis)), graph.control_inputs(name))


def expand(graph: Graph, edit: GraphEdit, name: str, value: TensorRef, attr: str) -> None:
    """Give a value a first dimension of size one in the place of a node, whose attribute `attr` says the type."""
    old = graph.node(name)
    axis = edit.add(const_node(graph.unique_name(f"{name}/axis"), np.zeros((), np.int32)))
    edit.replace(Node(name, "ExpandDims", old.device, Attrs({"T": DType(old.dtype(attr)), "Tdim": DType("int32")})))
    edit.set_inputs(name, (value, TensorRef(axis)), graph.control_inputs(name))


def _value(graph: Graph, ref: TensorRef) -> NDArray[np.int32] | None:
    const = const_source(graph, ref)
    return None if const is None else const_value(const)


def _counts(graph: Graph, ref: TensorRef) -> bool:
    """Tell whether a tensor is 0, 1, 2, ..."""
    value = _value(graph, ref)
    if value is not None:
        return bool(np.array_equal(value, np.arange(value.size)))
    node = graph.node(through(graph, ref).node)
    if node.op != "Range":
        return False
    start, _, step = graph.inputs(node.name)
    return number(graph, start) == 0 and number(graph, step) == 1
