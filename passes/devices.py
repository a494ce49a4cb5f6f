"""Which devices keep nodes apart.

TensorFlow's optimizers pin what they made to the CPU and leave the rest open: of a graph converted for the browser
every third node may be on `/device:CPU:0`. Where no other device is named that says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfgraft.graph.graph import Graph

_CPU = "device:CPU:0"


def device_of(device: str) -> str:
    """Return a device's name in its full form: `/cpu:0` is `/device:CPU:0`. One that TensorFlow cannot read stays."""
    from tensorflow import DeviceSpec

    try:
        return str(DeviceSpec.from_string(device).to_string())
    except ValueError:
        return device


def device_colours(graph: Graph, names: Iterable[str]) -> dict[str, str]:
    """Return, for each of some nodes of a graph, what must be equal for two of them to be in one cluster.

    Nodes without a device go with those on the CPU, unless a node of the graph is pinned to another device: then it was
    placed on purpose.
    """
    full = {device: device_of(device) for device in {node.device for node in graph}}
    named = set(filter(None, full.values()))
    if not named or (len(named) == 1 and min(named).endswith(_CPU)):
        return dict.fromkeys(names, "")
    return {name: full[graph.node(name).device] for name in names}
