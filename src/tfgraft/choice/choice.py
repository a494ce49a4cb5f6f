"""What was measured of a cluster, and what was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

NATIVE = "TensorFlow"
_EQUAL = 1.03
"""How many times as long as the quickest an engine takes by itself at most that counts as equal."""


@dataclass(frozen=True)
class Contender:
    """One engine's attempt at a cluster.

    Args:
        engine: the engine's name.
        milliseconds: the median of a call inside of TensorFlow, its boundary included; 0 if it was not timed.
        gain: what it saves against TensorFlow, the median of rounds, in milliseconds.
        error: relative L2 error of the worst output against the native segment.
        refusal: why it cannot be chosen, if it cannot: wrong, slower, or not run.
        direct: the median of a call without TensorFlow around it, of those that are close to each other within it; 0
            if that was not timed.
    """

    engine: str
    milliseconds: float = 0.0
    gain: float = 0.0
    error: float = 0.0
    refusal: str = ""
    direct: float = 0.0


def quickest(contenders: Sequence[Contender], whole: bool) -> Contender:
    """Return who is the quickest in both ways of calling, within TensorFlow and without it.

    Where an engine computes the whole model, `predictor()` goes straight to it, as peers are called: there the time
    by itself decides, and between equals that within TensorFlow. Else the sum of both does, though only the latter is
    what a call will take: it varies more than engines differ.

    Args:
        contenders: those that may be chosen; one at least.
        whole: whether they compute the whole model, and will be called so.
    """
    alone = {c.engine: c.direct or c.milliseconds for c in contenders}
    if not whole:
        return min(contenders, key=lambda c: alone[c.engine] + c.milliseconds)
    limit = _EQUAL * min(alone.values())
    return min([c for c in contenders if alone[c.engine] <= limit], key=lambda c: c.milliseconds)


@dataclass(frozen=True)
class Choice:
    """A set of nodes and who runs it.

    Args:
        nodes: the nodes that compute.
        native: milliseconds that TensorFlow takes for them; 0 if that was not measured.
        contenders: the engines that could take exactly these nodes.
        chosen: an engine, or "TensorFlow".
        reason: why, where the times do not say it.
        cluster: the id of the cluster that came of it; empty if none did.
    """

    nodes: tuple[str, ...]
    native: float
    contenders: tuple[Contender, ...]
    chosen: str = NATIVE
    reason: str = ""
    cluster: str = ""
    function: str = field(default="", repr=False)

    @property
    def times(self) -> Mapping[str, float]:
        """Milliseconds by engine, TensorFlow included, of those that were timed."""
        found = {NATIVE: self.native} if self.native else {}
        return {**found, **{c.engine: c.milliseconds for c in self.contenders if c.milliseconds}}

    def __str__(self) -> str:
        what = self.cluster or f"{len(self.nodes)} nodes from {self.nodes[0]}"
        times = ", ".join(f"{name} {ms:.3g} ms" for name, ms in self.times.items())
        refused = "; ".join(f"{c.engine}: {c.refusal}" for c in self.contenders if c.refusal and not c.milliseconds)
        parts = [part for part in (times, refused, self.reason) if part]
        return f"{what}: {self.chosen} chosen" + (f" ({'; '.join(parts)})" if parts else "")
