"""Engines on buffers of their own, which the runtime fills and reads in C: what an executor may offer it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, runtime_checkable


class HostStage(NamedTuple):
    """An engine on buffers in host memory: `run(*arguments)` computes."""

    run: Callable[..., object]
    arguments: tuple[object, ...]


class DeviceStage(NamedTuple):
    """An engine on buffers in a CUDA device's memory, as a graph that the driver launches.

    Args:
        lock: held from before the first copy until all is done: the buffers' other users take it too.
        synchronize, copy, launch, wait: addresses of cuCtxSynchronize, cuMemcpyDtoDAsync, cuGraphLaunch and
            cuStreamSynchronize.
        graph: the graph.
        stream: the stream that it is launched on.
    """

    lock: AbstractContextManager[Any]
    synchronize: int
    copy: int
    launch: int
    wait: int
    graph: int
    stream: int


@runtime_checkable
class Staging(Protocol):
    """What `Outputs` may be besides: a runtime that can run an engine on buffers of the engine's own."""

    def stage(
        self,
        keep: object,
        work: HostStage | DeviceStage,
        inputs: list[tuple[int, int]],
        outputs: list[tuple[int, int]],
    ) -> None:
        """Run without the executor from the next call on, as long as the inputs have the shapes that they have now.

        The runtime then copies the inputs into the buffers, has the engine work and copies the outputs. One thread at a
        time does so: other calls are offered buffers of their own. After an error the executor is asked again.

        Args:
            keep: what must live as long as the buffers are used.
            work: where the buffers are, and what computes on them. On a device copies are made on the stream; the
                device is synchronized before them, and the stream waited for after.
            inputs, outputs: address and size in bytes of each buffer; all outputs have been allocated, in these sizes.
        """
        ...
