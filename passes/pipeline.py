"""Pipeline: an ordered list of passes, itself a pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from tfgraft.errors import TfGraftError
from tfgraft.graph.graph import Graph
from tfgraft.passes.base import NodeError, Pass, PassContext, PassError, PassResult
from tfgraft.passes.instruments import Dump, Instrument, Verify


@dataclass(frozen=True)
class Pipeline:
    """Runs passes in order, watched by instruments.

    Args:
        passes: the passes; names need not be unique, but `insert`, `replace` and `without` want them to be.
        instruments: see `tfgraft.passes.instruments`.
    """

    passes: tuple[Pass, ...]
    instruments: tuple[Instrument, ...] = (Verify(),)
    name: ClassVar[str] = "pipeline"

    def __init__(self, passes: Sequence[Pass], instruments: Sequence[Instrument] = (Verify(),)) -> None:
        object.__setattr__(self, "passes", tuple(passes))
        object.__setattr__(self, "instruments", tuple(instruments))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the passes."""
        return tuple(step.name for step in self.passes)

    def insert(self, step: Pass, *, before: str | None = None, after: str | None = None) -> Pipeline:
        """Return a pipeline with a pass more, before or after the pass of that name; at the end if neither is given.

        Raises:
            ValueError: there is not exactly one pass of that name, or both positions are given.
        """
        if before is not None and after is not None:
            raise ValueError("give before= or after=, not both")
        if before is None and after is None:
            position = len(self.passes)
        else:
            position = self._position(before or after or "") + (after is not None)
        return replace(self, passes=(*self.passes[:position], step, *self.passes[position:]))

    def replace(self, name: str, step: Pass) -> Pipeline:
        """Return a pipeline with another pass in the place of the one of that name."""
        position = self._position(name)
        return replace(self, passes=(*self.passes[:position], step, *self.passes[position + 1 :]))

    def without(self, name: str) -> Pipeline:
        """Return a pipeline without the pass of that name."""
        position = self._position(name)
        return replace(self, passes=(*self.passes[:position], *self.passes[position + 1 :]))

    def with_instruments(self, *instruments: Instrument) -> Pipeline:
        """Return a pipeline with instruments added."""
        return replace(self, instruments=(*self.instruments, *instruments))

    def _position(self, name: str) -> int:
        found = [i for i, step in enumerate(self.passes) if step.name == name]
        if len(found) != 1:
            raise ValueError(f"there are {len(found)} passes named {name!r}; the passes are {', '.join(self.names)}")
        return found[0]

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Run every pass, the registry frozen meanwhile.

        Raises:
            PassError: a pass or an instrument's check after it failed.
            TfGraftError: what the user gave to a pass is wrong, calibration data say.
        """
        done: list[str] = []
        changed = False
        with ctx.registry:
            for step in self.passes:
                ctx.progress(step.name, len(done), len(self.passes))
                try:
                    for instrument in self.instruments:
                        instrument.before(step, graph, ctx)
                    revision = graph.library.revision
                    result = step.run(graph, ctx)
                    if graph.library.revision != revision:  # whatever the pass says
                        result = replace(result, changed=True)
                    for instrument in self.instruments:
                        instrument.after(step, graph, ctx, result)
                except (PassError, TfGraftError):  # a mistake in what the user gave is no failure of the pass
                    raise
                except Exception as error:
                    node = error.node if isinstance(error, NodeError) else ""
                    reason = (
                        str(error) if isinstance(error, (NodeError, ValueError)) else f"{type(error).__name__}: {error}"
                    )
                    raise PassError(step.name, reason, tuple(done), node, self._dump_folder()) from error
                ctx.logger.debug("%s: %s", step.name, result.summary)
                done.append(step.name)
                changed = changed or result.changed
        ctx.progress("done", len(done), len(self.passes))
        return PassResult(changed, f"{len(done)} passes")

    def _dump_folder(self) -> str:
        return next((str(i.folder) for i in self.instruments if isinstance(i, Dump)), "")
