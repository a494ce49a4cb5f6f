"""Sessions for the shapes that an engine of open shapes meets again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfgraft.plugins.onnxruntime.executor import OnnxRuntimeExecutor
from tfgraft.plugins.protocol import Array, Outputs

_AGAIN = 8
"""So often in a row shapes come before they get a session; twice as often for each further one."""
Dims = Mapping[str, int]
"""The sizes of dimensions by ONNX's names for them."""


class ByShape:
    """Runs an engine of open shapes, by a session of its own for each of a few sets of input shapes; thread-safe.

    Where the shapes are known, ONNX Runtime computes once, when it loads the model, all that depends on nothing else
    (what Shape ops lead to, such as the anchors of a detector), lays out more tensors for its kernels, and tells how
    large the outputs are. Numbers are those of the open session.

    Args:
        general: runs any shapes.
        dims: for each input its dimensions' names, or their sizes where these are known.
        make: returns an executor for given sizes.
        most: so many sessions are held besides the general one; the oldest is dropped for the next.
    """

    def __init__(
        self,
        general: OnnxRuntimeExecutor,
        dims: Sequence[Sequence[str | int]],
        make: Callable[[Dims], OnnxRuntimeExecutor],
        most: int,
    ) -> None:
        self._general = general
        self._dims = dims
        self._single = len(dims) == 1
        self._make = make
        self._most = most
        self._own: dict[Any, OnnxRuntimeExecutor] = {}
        self._last: Any = None
        # Threads may miscount together: that only changes when a session is made.
        self._row = 0
        self._wanted = _AGAIN
        self._lock = threading.Lock()

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """See `tfgraft.plugins.protocol.Executor`."""
        key = inputs[0].shape if self._single else tuple([array.shape for array in inputs])
        own = self._own.get(key)
        (self._settle(key) if own is None else own).run_shaped(key, inputs, outputs)

    def compute(self, inputs: Sequence[Array]) -> list[Array]:
        """See `tfgraft.plugins.protocol.HasCompute`."""
        key = inputs[0].shape if self._single else tuple([array.shape for array in inputs])
        own = self._own.get(key)
        return (self._settle(key) if own is None else own).compute_shaped(key, inputs)

    def _settle(self, key: Any) -> OnnxRuntimeExecutor:
        """Return who runs shapes that have no session yet, making one if it is time."""
        if key != self._last:
            self._last, self._row = key, 1
            return self._general
        self._row += 1
        if self._row < self._wanted:
            return self._general
        with self._lock:
            if key not in self._own:
                self._row = 0
                sizes = self._sizes(key)
                if sizes is not None:
                    self._wanted *= 2
                    self._add(key, sizes)
            return self._own.get(key, self._general)

    def _add(self, key: Any, sizes: Dims) -> None:
        try:
            made = self._make(sizes)
        except Exception as error:  # ONNX Runtime raises several kinds of its own
            logging.getLogger("tfgraft").debug("no session for %s: %s", sizes, error)
            return
        kept = list(self._own.items())[max(0, len(self._own) - self._most + 1) :]
        # Replaced, not changed: others read it without the lock.
        self._own = dict([*kept, (key, made)])

    def _sizes(self, key: Any) -> Dims | None:
        """Return the sizes by name; None if a name would have two, or a tensor has no elements."""
        sizes: dict[str, int] = {}
        for dims, shape in zip(self._dims, (key,) if self._single else key, strict=True):
            for dim, size in zip(dims, shape, strict=True):
                if size == 0 or (isinstance(dim, str) and sizes.setdefault(dim, size) != size):
                    return None
        return sizes


def open_dims(session: Any) -> list[list[str | int]] | None:
    """Return the dimensions of a session's inputs; None if all are known, or one that is not has no name."""
    shapes = [each.shape for each in session.get_inputs()]
    dims = [dim for shape in shapes for dim in shape or [None]]
    if None in dims or not any(isinstance(dim, str) for dim in dims):
        return None
    return shapes
