"""What loops a network has, and which tensors change from one iteration of each to the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tfgraft.plugins.reference.network import Layer, Network


@dataclass(frozen=True)
class Loop:
    """The boundary layers of one loop, and its `variant`: the tensors that depend on the iteration.

    `outer` are the tensors that must be known before the loop starts.
    """

    name: str
    limits: tuple[Layer, ...]
    recurrences: tuple[Layer, ...]
    iterators: tuple[Layer, ...]
    outputs: tuple[Layer, ...]
    variant: frozenset[str]
    outer: tuple[str, ...]


def conditions(network: Network) -> dict[str, str]:
    """Return each conditional's condition tensor, by the conditional's name."""
    return {str(layer.attrs["conditional"]): layer.inputs[0] for layer in network.layers if layer.kind == "condition"}


def find_loops(network: Network) -> dict[str, Loop]:
    """Return the network's loops by name."""
    members: dict[str, dict[str, list[Layer]]] = {}
    for layer in network.layers:
        if layer.attrs.get("loop") is not None:
            members.setdefault(str(layer.attrs["loop"]), {}).setdefault(layer.kind, []).append(layer)
    if not members:
        return {}
    readers = _readers(network, members)
    loops = {}
    for name, kinds in members.items():
        recurrences, iterators = kinds.get("recurrence", []), kinds.get("iterator", [])
        limits, outputs = kinds.get("trip_limit", []), kinds.get("loop_output", [])
        ends = {tensor for layer in outputs for tensor in layer.outputs}
        variant = _reach([t for layer in (*recurrences, *iterators) for t in layer.outputs], readers, ends)
        outer = [layer.inputs[0] for layer in limits if layer.attrs["kind"] == "COUNT"]
        outer += [layer.inputs[0] for layer in (*recurrences, *iterators)]
        outer += [layer.inputs[1] for layer in outputs if len(layer.inputs) > 1 and layer.inputs[1]]
        loops[name] = Loop(
            name,
            tuple(limits),
            tuple(recurrences),
            tuple(iterators),
            tuple(outputs),
            frozenset(variant),
            tuple(dict.fromkeys(outer)),
        )
    return loops


def _readers(network: Network, members: Mapping[str, Mapping[str, list[Layer]]]) -> dict[str, list[str]]:
    """Return which tensors depend directly on each tensor, through conditions and trip limits too."""
    condition = conditions(network)
    readers: dict[str, list[str]] = {}
    for layer in network.layers:
        sources = list(layer.inputs)
        if layer.kind == "conditional_output":
            sources.append(condition[str(layer.attrs["conditional"])])
        for source in sources:
            readers.setdefault(source, []).extend(layer.outputs)
    for kinds in members.values():
        ends = [tensor for layer in kinds.get("loop_output", []) for tensor in layer.outputs]
        for layers in kinds.values():
            for source in (source for layer in layers for source in layer.inputs):
                readers.setdefault(source, []).extend(ends)
    return readers


def _reach(starts: Iterable[str], readers: Mapping[str, list[str]], ends: set[str]) -> set[str]:
    found: set[str] = set()
    queue = deque(starts)
    while queue:
        tensor = queue.popleft()
        if tensor in found or tensor in ends:
            continue
        found.add(tensor)
        queue.extend(readers.get(tensor, ()))
    return found
