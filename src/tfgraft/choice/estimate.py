"""What a cost model says of a cluster: how long TensorFlow and engines would take for it. Nothing was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tfgraft.choice.choice import NATIVE


@dataclass(frozen=True)
class Estimate:
    """A set of nodes, and about how long they would take.

    Args:
        nodes: the nodes that compute.
        milliseconds: of one call, by engine, TensorFlow included; an engine's with what its boundary costs. Engines
            that there are no figures for are not in it.
        assumed: what is not known and had to be assumed.
        cluster: the id of the plan's cluster of these nodes; empty if there is none.
        function: the function whose body the nodes are in; empty for the main graph.
    """

    nodes: tuple[str, ...]
    milliseconds: Mapping[str, float]
    assumed: tuple[str, ...] = ()
    cluster: str = ""
    function: str = ""

    @property
    def quickest(self) -> str:
        """The engine that would take least, or "TensorFlow"; empty if there are figures for no engine."""
        if len(self.milliseconds) < 2:
            return ""
        return min(self.milliseconds, key=lambda name: (self.milliseconds[name], name != NATIVE))

    @property
    def gain(self) -> float:
        """Milliseconds that the quickest would save against TensorFlow; 0 if it is TensorFlow."""
        return self.milliseconds[NATIVE] - self.milliseconds[self.quickest] if self.quickest else 0.0

    def __str__(self) -> str:
        what = self.cluster or f"{len(self.nodes)} nodes from {self.nodes[0]}"
        times = ", ".join(f"{name} {_short(ms)}" for name, ms in self.milliseconds.items())
        who = f"{self.quickest} would be the quickest" if self.quickest else "there are no figures for its engine"
        return f"{what}: {who} ({'; '.join([times, *self.assumed])})"


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.2g} ms" if milliseconds < 100 else f"{milliseconds:.0f} ms"
