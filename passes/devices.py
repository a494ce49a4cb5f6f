"""Which devices keep nodes apart.

TensorFlow's optimizers pin what they made to the CPU and leave the rest open: of a graph converted for the browser
every third node may be on `/device:CPU:0`. Where no other device is named that says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tfgraft.graph.graph import Graph

_CPU = "device:CPU:0"
_SHORT = re.compile(r"^(?:device:)?([a-z_]+):(\d+|\*)$", re.IGNORECASE)


def device_of(device: str) -> str:
    """Return a device's name in its full form: `/cpu:0` is `/device:CPU:0`, and a job, replica and task come first."""
    parts = []
    for part in filter(None, device.split("/")):
        kind = _SHORT.match(part)
        is_place = part.startswith(("job:", "replica:", "task:"))
        parts.append(f"device:{kind[1].upper()}:{kind[2]}" if kind and not is_place else part)
    return "".join(f"/{part}" for part in parts)


def device_colours(graph: Graph, names: Iterable[str]) -> dict[str, str]:
    """Return, for each of some nodes of a graph, what must be equal for two of them to be in one cluster.

    Nodes without a device go with those on the CPU, unless a node of the graph is pinned to another device: then it was
    placed on purpose.
    """
    named = {device_of(node.device) for node in graph if node.device}
    if not named or (len(named) == 1 and min(named).endswith(_CPU)):
        return dict.fromkeys(names, "")
    return {name: device_of(graph.node(name).device) for name in names}
