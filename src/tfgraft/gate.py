"""Gate: whether the values of a call are arrays that are right as they are, so that nothing else need be asked."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

_SHAPES = 64
"""So many shapes of an array are remembered."""
_READY = 0x101
"""NumPy's flags of arrays that are C-contiguous and aligned."""
DType = np.dtype[Any]


class Gate(Protocol):
    """Knows the types of arrays, and shapes of each that were found right before."""

    def add(self, i: int, shape: tuple[int, ...], /) -> None:
        """Let array `i` have a shape from now on, if there are not too many."""
        ...

    def fits(self, values: Sequence[Any], /) -> bool:
        """Tell whether a tuple or list has the right arrays, C-contiguous and aligned, of shapes that were added."""
        ...


class PythonGate:
    """A gate that asks NumPy.

    Args:
        dtypes: of the arrays, None for one that nothing passes.
    """

    def __init__(self, dtypes: Sequence[DType | None]) -> None:
        self._slots: list[tuple[DType | None, set[tuple[int, ...]]]] = [(dtype, set()) for dtype in dtypes]

    def add(self, i: int, shape: tuple[int, ...], /) -> None:
        """See `Gate`."""
        shapes = self._slots[i][1]
        if len(shapes) < _SHAPES:
            shapes.add(shape)

    def fits(self, values: Sequence[Any], /) -> bool:
        """See `Gate`."""
        if len(values) != len(self._slots):
            return False
        for value, (dtype, shapes) in zip(values, self._slots, strict=True):
            if type(value) is not np.ndarray or value.dtype is not dtype or value.shape not in shapes:
                return False
            if value.flags.num & _READY != _READY:
                return False
        return True


def make_gate(dtypes: Sequence[DType | None]) -> Gate:
    """Return a gate in C where it was built, and understands the arrays of this NumPy."""
    try:
        made: Any = importlib.import_module("tfgraft._gate").Gate
    except ImportError:
        return PythonGate(dtypes)
    gate: Gate = made(np.ndarray, tuple(dtypes))
    return gate if _understands(made) else PythonGate(dtypes)


def _understands(made: Any) -> bool:
    """Tell whether a class of gates finds in arrays what is in them."""
    gate = made(np.ndarray, (np.dtype(np.float32),))
    gate.add(0, (2, 3))
    right = np.zeros((2, 3), np.float32)
    wrong = (right[:1], right.T, right[:, None], right.astype(np.int32), np.zeros((3, 2), np.float32).T)
    return gate.fits((right,)) and not any(gate.fits((array,)) for array in wrong)
