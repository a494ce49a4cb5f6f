"""The hot path in C, where it was built: a `Call` whose everyday methods are those of `_hot.c`.

A wheel that was built without a compiler has no `_hot`; nothing but speed depends on it.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Sequence
from typing import Any

from tfgraft.plugins.protocol import Array, DeviceArray
from tfgraft.runtime.call import Call
from tfgraft.runtime.capi import COMPUTE, CApi
from tfgraft.runtime.device_call import DeviceCall

_FUNCTIONS = ("TF_GetInput", "TF_NumDims", "TF_Dim", "TF_TensorData", "TF_DeleteTensor", "TF_AllocateOutput")
"""In the order of `Api` in `_hot.c`."""


def hot_module() -> Any:
    """Return the module `_hot`, or None if it was not built."""
    try:
        return importlib.import_module("tfgraft.runtime._hot")
    except ImportError:
        return None


class HotCall(Call):
    """A `Call` that does in C what every call does, and in Python what is unusual.

    Args:
        hot: the module `_hot`; for the others see the class that this one stands in front of.
    """

    def __init__(self, hot: Any, api: CApi, *args: Any, **kwargs: Any) -> None:
        self._hot: Any = None
        super().__init__(api, *args, **kwargs)
        self._cells = [slot.cell for slot in self._outputs]  # the C code looks at these
        self._hot = hot.Hot(self, tuple(api.address(f) for f in _FUNCTIONS), self._inputs, self._outputs)
        vars(self).update({name: getattr(self._hot, name) for name in ("begin", "allocate", "stage", "finish", "end")})

    # Kept by the C code, for the methods of `Call` that it does not replace.

    @property
    def _context(self) -> int | None:
        return self._hot.context

    @_context.setter
    def _context(self, value: int | None) -> None:
        """Ignore it: `begin` and `end` are in C."""

    @property
    def _missing(self) -> int:
        return self._hot.missing

    @_missing.setter
    def _missing(self, value: int) -> None:
        if self._hot is not None:
            self._hot.missing = value

    def allocate(self, i: int, shape: Sequence[int]) -> Array:
        """Do what the C code leaves to Python: new shapes and errors."""
        try:
            return super().allocate(i, shape)
        finally:
            self._share_cells()

    def fill(self, results: Sequence[Array]) -> None:
        """See `Call.fill`."""
        try:
            super().fill(results)
        finally:
            self._share_cells()
            self._hot.forget()

    def delete(self) -> None:
        """See `Call.delete`."""
        self._hot.release()
        super().delete()

    def _share_cells(self) -> None:
        """Put the handles where the C code finds them."""
        for slot, cell in zip(self._outputs, self._cells, strict=True):
            if slot.cell is not cell:
                cell.value, slot.cell = slot.cell.value, cell


class HotDeviceCall(HotCall, DeviceCall):
    """A `DeviceCall` that does in C what every call does."""

    def scratch(self, nbytes: int) -> DeviceArray:
        """See `DeviceCall.scratch`."""
        self._hot.after = self.free_scratch
        return super().scratch(nbytes)


def c_compute(hot: Any, kernels: dict[int, Any], refuse: Any) -> Any:
    """Return the compute callback in C, as a function pointer of ctypes.

    Args:
        kernels: by their handles.
        refuse: called with handle, context and exception (or None) if there is no such kernel, or if it raises.
    """
    return ctypes.cast(hot.compute_callback(kernels, refuse), COMPUTE)
