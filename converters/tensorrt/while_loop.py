"""While nodes: what their functions say of the loop, and the loop itself.

What the body returns as it got it stays outside of the loop. A loop that counts from zero by ones to fixed limits is
one of TensorRT's counted loops, which may have tensor lists: a list that is only read is a tensor, one that each
iteration writes an element of is what the loop gives of all its iterations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfgraft.converters.tensorrt.bodies import body_of, check_body, convert_body, source, try_shapes
from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, dims_of, elements, is_static, larger, minus, smaller, vector
from tfgraft.converters.tensorrt.emit import reshape
from tfgraft.converters.tensorrt.loops import Loop
from tfgraft.converters.tensorrt.nodes import NO_ENTRIES
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import NodeView, Shape, TensorInfo
from tfgraft.graph.views import const_source, const_value, needed, tensor_info
from tfgraft.registry.entry import Converter
from tfgraft.registry.support import Support, Supported, Unsupported

LIST = "variant"
"""The type of tensor lists."""
_TRIAL = 7
"""What unknown dimensions are taken for when it is tried whether an iteration changes a shape."""


@dataclass(frozen=True)
class While:
    """A While node with its functions."""

    view: NodeView
    condition: Graph
    body: Graph

    @classmethod
    def of(cls, view: NodeView) -> While:
        """Read a node.

        Raises:
            ValueError: a function cannot be read.
        """
        infos = [_either(item.info, out) for item, out in zip(view.inputs, view.outputs, strict=True)]
        return cls(view, body_of(view, "cond", infos), body_of(view, "body", infos))

    @property
    def variables(self) -> range:
        return range(len(self.view.inputs))

    def result(self, k: int) -> TensorRef:
        """Return what the body gives for variable `k`."""
        return source(self.body, self.body.fetches[k])

    def is_fixed(self, k: int) -> bool:
        """Tell whether the body returns variable `k` as it got it."""
        return self.result(k) == self.body.feeds[k]

    def is_list(self, k: int) -> bool:
        return self.view.dtype(k) == LIST

    def is_counter(self, k: int) -> bool:
        """Tell whether variable `k` counts the iterations from zero."""
        first, result = self.view.const(k), self.result(k)
        if first is None or first.shape != () or first.dtype.kind != "i" or first != 0:
            return False
        if self.body.node(result.node).op not in ("Add", "AddV2"):
            return False
        terms = [source(self.body, ref) for ref in self.body.inputs(result.node)]
        others = [ref for ref in terms if ref != self.body.feeds[k]]
        return len(others) == 1 and _number(self.body, others[0]) == 1

    def limits(self) -> list[TensorRef] | None:
        """Return what the condition compares counters with, if it does nothing else: the least ends the loop."""
        found: list[TensorRef] = []
        pending = [self.condition.fetches[0]]
        while pending:
            ref = source(self.condition, pending.pop())
            op = self.condition.node(ref.node).op
            inputs = [source(self.condition, r) for r in self.condition.inputs(ref.node)]
            if op == "LogicalAnd":
                pending.extend(inputs)
                continue
            if op not in ("Less", "Greater"):
                return None
            counter, limit = inputs if op == "Less" else reversed(inputs)
            if counter not in self.condition.feeds or not self.is_counter(self.condition.feeds.index(counter)):
                return None
            reads = needed(self.condition, [limit])
            if any(feed.node in reads and not self.is_fixed(k) for k, feed in enumerate(self.condition.feeds)):
                return None
            found.append(limit)
        return found

    def value_of(self, limit: TensorRef) -> int | None:
        """Return a limit, if it is a constant."""
        if limit in self.condition.feeds:
            value = self.view.const(self.condition.feeds.index(limit))
            return None if value is None else int(value)
        return _number(self.condition, limit)

    def comes_from(self, limit: TensorRef) -> TensorRef | None:
        """Return the tensor outside that a limit is."""
        return self.view.inputs[self.condition.feeds.index(limit)].ref if limit in self.condition.feeds else None

    def written(self, k: int) -> TensorRef | None:
        """Return where an iteration writes list `k`, if it writes one element and does nothing else with the list."""
        write, feed = self.result(k), self.body.feeds[k]
        if self.body.node(write.node).op != "TensorListSetItem" or self.limits() is None:
            return None
        inside = set(needed(self.body))
        users = [(name, slot) for name, slot, _ in self.body.consumers(feed.node) if name in inside]
        if users != [(write.node, 0)]:
            return None
        place = source(self.body, self.body.inputs(write.node)[1])
        if place in self.body.feeds:
            return place if self.is_counter(self.body.feeds.index(place)) else None
        return place if (_number(self.body, place) or 0) >= 0 and const_source(self.body, place) is not None else None


def _either(a: TensorInfo, b: TensorInfo) -> TensorInfo:
    """Return a type and shape that two tensors have."""
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return TensorInfo(a.dtype)
    return TensorInfo(a.dtype, tuple(x if x == y else -1 for x, y in zip(a.shape, b.shape, strict=True)))


def _number(graph: Graph, ref: TensorRef) -> int | None:
    """Return the value of an integer constant of rank 0."""
    node = const_source(graph, ref)
    value = None if node is None else const_value(node)
    return int(value) if value is not None and value.shape == () and value.dtype.kind == "i" else None


def check_while(view: NodeView, own: Mapping[str, Converter] = NO_ENTRIES) -> Support:
    """Say whether a While node is taken; `own` has the entries of the list ops in its body."""
    try:
        loop = While.of(view)
    except ValueError as error:
        return Unsupported("control-flow", f"{error}.", view.op)
    asked = tensor_info(loop.condition, loop.condition.fetches[0])
    if asked.dtype != "bool":
        return Unsupported("dtype", f"The condition of {view.op} has type {asked.dtype}; taken is bool.", "attr cond")
    if asked.rank != 0:
        return Unsupported("rank", f"The condition of {view.op} must be known to be a scalar.", "attr cond")
    for graph in (loop.condition, loop.body):
        support = check_body(view, graph, own if graph is loop.body else NO_ENTRIES)
        if not isinstance(support, Supported):
            return support
    for k in loop.variables:
        if loop.is_list(k) and not loop.is_fixed(k) and loop.written(k) is None:
            return Unsupported(
                "control-flow", f"{view.op} writes a tensor list other than one element an iteration.", f"input {k}"
            )
    return _check_shapes(loop)


def _check_shapes(loop: While) -> Support:
    """Refuse variables whose shape another iteration changes: TensorRT's recurrences have one shape."""
    given = [item.info.shape for item in loop.view.inputs]
    checked = [k for k in loop.variables if not loop.is_fixed(k) and not loop.is_list(k)]
    for k in checked:
        if given[k] is None:
            return Unsupported("unknown-rank", f"{loop.view.op} needs the rank of input {k}.", f"input {k}")
    after = [tensor_info(loop.body, ref).shape for ref in loop.body.fetches]
    if all(_is_static(after[k]) and after[k] == given[k] for k in checked):
        return Supported()
    trial = [_sized(shape) for shape in given]
    after = try_shapes(loop.body, trial)
    for k in checked:
        if not _may_equal(trial[k], after[k]):
            return Unsupported(
                "unknown-dim", f"An iteration of {loop.view.op} changes the shape of input {k}.", f"input {k}"
            )
    return Supported()


def _is_static(shape: Shape) -> bool:
    return shape is not None and all(d >= 0 for d in shape)


def _sized(shape: Shape) -> Shape:
    return None if shape is None else tuple(d if d >= 0 else _TRIAL for d in shape)


def _may_equal(a: Shape, b: Shape) -> bool:
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(x == y or y < 0 for x, y in zip(a, b, strict=True))


@dataclass(frozen=True)
class Reserved:
    """A tensor list that nothing is in yet."""

    size: Dim
    ref: TensorRef


def convert_while(ctx: TensorRtContext, view: NodeView) -> None:
    """Add the loop of a While node."""
    node = While.of(view)
    arguments = [ctx.get(view, k) for k in node.variables]
    changed = [k for k in node.variables if not node.is_fixed(k)]
    if not changed:
        for k in node.variables:
            ctx.set(view, k, arguments[k])
        return
    lists = [k for k in changed if node.is_list(k)]
    loop, limits = Loop(ctx), node.limits()
    firsts = list(arguments)
    for k in changed:
        if k not in lists:
            arguments[k] = loop.carry(firsts[k])
    trips = None if limits is None else _trips(ctx, node, limits, firsts)
    if trips is None:
        condition = convert_body(ctx, node.condition, arguments)[0]
        if not any(node.condition.feeds[k].node in needed(node.condition) for k in changed):
            condition, outer = loop.carry(condition), condition  # which TensorRT wants to be of the loop
            loop.again(condition, outer)
        loop.run_while(condition)
    else:
        loop.count(_scalar(ctx, trips))
    results = convert_body(ctx, node.body, arguments, _list_entries(node, loop))
    for k in node.variables:
        if k in lists:
            stacked = loop.stack(results[k], _scalar(ctx, trips))
            ctx.set(view, k, _written(ctx, node, k, stacked, firsts[k], trips))
        elif k in changed:
            loop.again(arguments[k], results[k])
            ctx.set(view, k, loop.last(arguments[k]))
        else:
            ctx.set(view, k, firsts[k])


def _trips(ctx: TensorRtContext, node: While, limits: list[TensorRef], arguments: list[Any]) -> Dim:
    """Return the least limit."""
    found: Dim = None
    for ref in limits:
        limit: Dim = node.value_of(ref)
        if limit is None:
            (tensor,) = convert_body(ctx, node.condition, arguments, results=[ref])
            (limit,) = elements(ctx, reshape(ctx, tensor, (1,)), 1)
        limit = larger(ctx, limit, 0)
        found = limit if found is None else smaller(ctx, found, limit)
    return found


def _scalar(ctx: TensorRtContext, dim: Dim) -> Any:
    return dim if isinstance(dim, int) else reshape(ctx, dim, ())


def _list_entries(node: While, loop: Loop) -> dict[str, Converter]:
    """Return entries of the ops on lists in the loop's body."""

    def read(ctx: TensorRtContext, view: NodeView) -> None:
        place = source(node.body, view.inputs[1].ref)
        items = ctx.get(view, 0)
        if place in node.body.feeds and node.is_counter(node.body.feeds.index(place)):
            ctx.set(view, 0, loop.elements(items))
        else:
            ctx.set(view, 0, ctx.add("gather", items, ctx.get(view, 1), 0))

    def write(ctx: TensorRtContext, view: NodeView) -> None:
        ctx.set(view, 0, ctx.get(view, 2))

    return {
        op: Converter(op, "tensorrt", convert, source=__name__)
        for op, convert in (("TensorListGetItem", read), ("TensorListSetItem", write))
    }


def _written(ctx: TensorRtContext, node: While, k: int, stacked: Any, first: Reserved, trips: Dim) -> Any:
    """Return list `k` after the loop: what the iterations wrote, with zeros where they wrote nothing."""
    place = node.written(k)
    assert place is not None
    number = _number(node.body, place)
    if number is None:
        outside = {node.comes_from(limit) for limit in node.limits() or ()}
        known = is_static([trips, first.size])
        if outside == {first.ref} or (known and trips == first.size):
            return stacked
        return _window(ctx, stacked, 0, first.size)
    last = _window(ctx, stacked, minus(ctx, trips, 1), 1)
    return last if number == 0 and first.size == 1 else _window(ctx, last, -number, first.size)


def _window(ctx: TensorRtContext, items: Any, start: Dim, size: Dim) -> Any:
    """Return `size` elements from `start` on along the first dimension, zeros outside."""
    rest = dims_of(ctx, items)[1:]
    starts: list[Dim] = [start, *[0] * len(rest)]
    sizes: list[Dim] = [size, *rest]
    given = [tuple(d) if is_static(d) else (0,) * len(d) for d in (starts, sizes)]
    inputs = {i: vector(ctx, d) for i, d in ((1, starts), (2, sizes)) if not is_static(d)}
    return ctx.add("slice", items, *given, (1,) * len(sizes), inputs=inputs, mode=ctx.trt.SampleMode.FILL)
