"""One call of an engine node: views of TensorFlow's input buffers, and its output buffers for the engine to fill."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgraft.graph.view import Shape, TensorInfo
from tfgraft.plugins.protocol import Array
from tfgraft.runtime.capi import CApi
from tfgraft.runtime.node import fits

_MAX_BYTES = 2**62  # TensorFlow ends the process for a shape whose size overflows, so it must not see one
_MAX_RANK = 254  # the same for a rank above this


class ContractError(RuntimeError):
    """An executor, or the shape of an input, broke what the engine node promises."""


def numpy_dtype(enum: int) -> np.dtype[Any]:
    """Return numpy's type for a `DataType` enum value; bfloat16 and float8 come from ml_dtypes."""
    return np.dtype(tf.dtypes.as_dtype(enum).as_numpy_dtype)


class _View:
    """A reusable numpy view of one tensor's buffer.

    TensorFlow's allocator gives the same addresses again and again, so the array of the last call mostly fits: it is
    kept with its address and shape, and made anew when either differs.
    """

    __slots__ = ("_chars", "_nbytes", "_writable", "address", "array", "declared", "dtype", "enum", "shape")

    def __init__(self, enum: int, declared: Shape, writable: bool) -> None:
        self.declared = declared
        self.enum = enum
        self.dtype = numpy_dtype(enum)
        self.address: int | None = -1
        self.shape: tuple[int, ...] | None = None
        self.array: Array = np.empty(0)
        self._nbytes = 0
        self._chars: Any = None
        self._writable = writable

    def move(self, address: int | None, shape: tuple[int, ...]) -> Array:
        """Make the array of `shape` at `address` (which is not used for a tensor without elements)."""
        if shape != self.shape:
            size = self.dtype.itemsize
            for d in shape:
                size *= d
            self._nbytes = size
            self._chars = (ctypes.c_char * size).from_address
            self.shape = shape
        if self._nbytes:
            array: Array = np.ndarray(shape, self.dtype, self._chars(address))
        else:
            array = np.empty(shape, self.dtype)
        if not self._writable:
            array.setflags(write=False)
        self.address, self.array = address, array
        return array


class _Input:
    __slots__ = ("cell", "index", "view")

    def __init__(self, index: int, cell: int, enum: int, declared: Shape) -> None:
        self.index = index
        self.cell = cell
        self.view = _View(enum, declared, writable=False)


class _Output:
    __slots__ = ("dims", "enum", "nbytes", "shape", "tensor", "view")

    def __init__(self, enum: int, declared: Shape) -> None:
        self.enum = enum
        self.view = _View(enum, declared, writable=True)
        self.tensor: int | None = None
        self.shape: tuple[int, ...] = (-1,)
        self.dims: Any = None
        self.nbytes = 0

    def reshape(self, i: int, shape: tuple[int, ...]) -> None:
        """Prepare the allocation of `shape`; raise ContractError if TensorFlow must not see it."""
        nbytes = largest = self.view.dtype.itemsize
        for d in shape:
            if int(d) != d or d < 0:
                raise ContractError(f"output {i} was allocated with shape {_text(shape)}")
            nbytes *= int(d)
            largest *= max(int(d), 1)
        if largest > _MAX_BYTES or len(shape) > _MAX_RANK:
            raise ContractError(f"output {i} was allocated with shape {_text(shape)}, which no memory holds")
        self.shape = tuple(int(d) for d in shape)
        self.dims = (ctypes.c_int64 * len(shape))(*self.shape)
        self.nbytes = nbytes


class Call:
    """The reusable state of one call: a TF_Status, cells for tensor handles, views. One thread uses it at a time.

    It is also the `Outputs` that an executor gets. The methods that every call runs are long and repeat each other on
    purpose: they run with cold caches on a thread that TensorFlow has just woken, where each Python frame and each C
    call costs microseconds.

    Args:
        api: TensorFlow's C API.
        inputs: `DataType` enum values of all inputs.
        outputs: the same of the outputs.
        declared_inputs: types and shapes of the inputs as declared, data inputs first.
        declared_outputs: the same of the outputs.
        data_inputs: the number of data inputs.
    """

    def __init__(
        self,
        api: CApi,
        inputs: Sequence[int],
        outputs: Sequence[int],
        declared_inputs: Sequence[TensorInfo],
        declared_outputs: Sequence[TensorInfo],
        data_inputs: int,
    ) -> None:
        self.status: int = api.TF_NewStatus()
        self._api = api
        self._get_input = api.TF_GetInput
        self._num_dims = api.TF_NumDims
        self._dim = api.TF_Dim
        self._data = api.TF_TensorData
        self._delete = api.TF_DeleteTensor
        self._allocate = api.TF_AllocateOutput
        self._context: int | None = None
        self._cells: Any = (ctypes.c_void_p * max(len(inputs), 1))()
        start, step = ctypes.addressof(self._cells), ctypes.sizeof(ctypes.c_void_p)
        slots = [
            _Input(i, start + i * step, enum, info.shape)
            for i, (enum, info) in enumerate(zip(inputs, declared_inputs, strict=True))
        ]
        self._slots, self._weight_slots = slots[:data_inputs], slots[data_inputs:]
        self._arrays: list[Array] = [np.empty(0)] * data_inputs
        self._outputs = [_Output(e, i.shape) for e, i in zip(outputs, declared_outputs, strict=True)]
        self._all = len(outputs)
        self._missing = self._all

    def delete(self) -> None:
        """Free the status; the call must not be used again."""
        self._api.TF_DeleteStatus(self.status)

    def begin(self, context: int) -> list[Array]:
        """Return views of the data inputs, which hold until `end`.

        Raises:
            ContractError: an input's shape is not one that the engine was built for.
        """
        self._context = context
        cells, dim, arrays, status = self._cells, self._dim, self._arrays, self.status
        for slot in self._slots:
            i = slot.index
            self._get_input(context, i, slot.cell, status)
            tensor = cells[i]
            if tensor is None:
                self._api.check(status, f"input {i}")
            rank = self._num_dims(tensor)
            shape: tuple[int, ...]
            if rank == 2:
                shape = (dim(tensor, 0), dim(tensor, 1))
            elif rank == 4:
                shape = (dim(tensor, 0), dim(tensor, 1), dim(tensor, 2), dim(tensor, 3))
            else:
                shape = tuple([dim(tensor, k) for k in range(rank)])
            address = self._data(tensor)
            view = slot.view
            if shape != view.shape:
                _check_input(i, shape, view.declared)
                arrays[i] = view.move(address, shape)
            elif address != view.address:
                arrays[i] = view.move(address, shape)
        return arrays

    def allocate(self, i: int, shape: Sequence[int]) -> Array:
        """Return TensorFlow's buffer of output `i` as a writable array of `shape`.

        Raises:
            ContractError: there is no such output, it has been allocated, the call is over, or the shape is not a
                shape or not one that was declared.
            MemoryError: TensorFlow has no memory for it.
        """
        if not 0 <= i < self._all:
            raise ContractError(f"outputs.allocate({i}) was called and the engine has {self._all} outputs")
        output = self._outputs[i]
        context = self._context
        if output.tensor is not None or context is None:
            raise ContractError(
                f"output {i} was allocated twice" if context else "outputs.allocate was called after run had returned"
            )
        if shape != output.shape:
            shape = tuple(shape)
            if not fits(shape, output.view.declared):
                raise ContractError(
                    f"output {i} was allocated with shape {_text(shape)} and was declared as "
                    f"{_text(output.view.declared)}"
                )
            output.reshape(i, shape)
        shape = output.shape
        tensor = self._allocate(context, i, output.enum, output.dims, len(shape), output.nbytes, self.status)
        if tensor is None:
            message = self._api.TF_Message(self.status).decode(errors="replace")
            raise MemoryError(f"output {i} of shape {_text(shape)} cannot be allocated: {message}")
        output.tensor = tensor
        self._missing -= 1
        address = self._data(tensor)
        view = output.view
        if address == view.address and shape == view.shape:
            return view.array
        return view.move(address, shape)

    def finish(self) -> None:
        """Check that the engine has allocated every output; raise ContractError if not."""
        if self._missing:
            missing = next(i for i, o in enumerate(self._outputs) if o.tensor is None)
            raise ContractError(f"the engine returned without allocating output {missing}")

    def end(self) -> None:
        """Give back the handles of all tensors; the views are dead after it."""
        self._context = None
        delete, cells = self._delete, self._cells
        for slot in self._slots:
            i = slot.index
            tensor = cells[i]
            if tensor is not None:
                delete(tensor)
                cells[i] = None
        for output in self._outputs:
            if output.tensor is not None:
                delete(output.tensor)
                output.tensor = None
        self._missing = self._all

    def weights(self) -> list[Array]:
        """Return views of the weight inputs, which hold until `end_weights`."""
        return [self._view(slot) for slot in self._weight_slots]

    def all_inputs(self) -> list[Array]:
        """Return views of all inputs, of whatever shape, which hold until `end` and `end_weights`."""
        return [self._view(slot) for slot in (*self._slots, *self._weight_slots)]

    def end_weights(self) -> None:
        """Give back the handles of the weight inputs."""
        for slot in self._weight_slots:
            if self._cells[slot.index] is not None:
                self._delete(self._cells[slot.index])
                self._cells[slot.index] = None

    def _view(self, slot: _Input) -> Array:
        tensor = self._cells[slot.index]
        if tensor is None:
            self._get_input(self._context, slot.index, slot.cell, self.status)
            tensor = self._cells[slot.index]
            if tensor is None:
                self._api.check(self.status, f"input {slot.index}")
        shape = tuple(self._dim(tensor, k) for k in range(self._num_dims(tensor)))
        # Not the slot's own view: that one is for shapes that the engine was built for.
        return _View(slot.view.enum, None, writable=False).move(self._data(tensor), shape)

    def fill(self, results: Sequence[Array]) -> bool:
        """Give out the segment's results, in buffers that the engine has allocated before it failed where they fit.

        Returns whether they all fitted. One that does not is replaced, and TensorFlow never frees the first.
        """
        fitted = True
        for i, result in enumerate(results):
            output = self._outputs[i]
            if output.tensor is not None and output.shape != result.shape:
                fitted = False
                self._delete(output.tensor)
                output.tensor = None
                self._missing += 1
            if output.tensor is None:
                output.reshape(i, result.shape)
                output.tensor = self._allocate(
                    self._context, i, output.enum, output.dims, result.ndim, output.nbytes, self.status
                )
                if output.tensor is None:
                    self._api.check(self.status, f"output {i}")
                self._missing -= 1
            output.view.move(self._data(output.tensor), output.shape)[...] = result
        return fitted


def _check_input(i: int, shape: tuple[int, ...], declared: Shape) -> None:
    if not fits(shape, declared):
        raise ContractError(f"input {i} has shape {_text(shape)} and the engine was built for {_text(declared)}")


def _text(shape: Shape) -> str:
    return "[...]" if shape is None else f"[{', '.join('?' if d < 0 else str(d) for d in shape)}]"
