"""One call of an engine node: views of TensorFlow's input buffers, and its output buffers for the engine to fill."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tfgraft.graph.view import Shape, TensorInfo
from tfgraft.plugins.protocol import Array
from tfgraft.runtime.capi import CApi, TensorHandle, numpy_dtype
from tfgraft.runtime.node import fits

_MAX_BYTES = 2**62  # TensorFlow ends the process for a shape whose size overflows, so it must not see one
_MAX_RANK = 254  # the same for a rank above this
_ADDRESSES = 8


class ContractError(RuntimeError):
    """An executor, or the shape of an input, broke what the engine node promises."""


class InputSlot:
    """One tensor of a call: its handle, and reusable numpy views of its buffer.

    TensorFlow's allocator gives the same few addresses again and again, so the arrays of earlier calls mostly fit:
    they are kept by address as long as the shape stays the same.
    """

    __slots__ = (
        *("_writable", "arrays", "cell", "chars", "declared", "dtype", "enum", "index", "nbytes", "reference", "shape"),
    )

    def __init__(self, index: int, enum: int, declared: Shape, writable: bool) -> None:
        self.index = index
        self.declared = declared
        self.enum = enum
        self.dtype = numpy_dtype(enum)
        self.cell = TensorHandle()
        self.reference = ctypes.byref(self.cell)
        self.shape: tuple[int, ...] = (-1,)
        self.nbytes = 0
        self.chars: Any = None
        self.arrays: dict[int | None, Any] = {}
        self._writable = writable

    @property
    def cell_address(self) -> int:
        """Where the handle is in memory."""
        return ctypes.addressof(self.cell)

    def reshape(self, shape: tuple[int, ...]) -> None:
        """Take another shape; its sizes are not negative."""
        size = self.dtype.itemsize
        for d in shape:
            size *= d
        self.shape, self.nbytes = shape, size
        self.chars = (ctypes.c_char * size).from_address
        self.arrays.clear()

    def view(self, address: int | None) -> Any:
        """Make and keep the array at an address (which is not used for a tensor without elements)."""
        if self.nbytes:
            array: Array = np.ndarray(self.shape, self.dtype, self.chars(address))
        else:
            array = np.empty(self.shape, self.dtype)
        if not self._writable:
            array.setflags(write=False)
        self.keep(address, array)
        return array

    def keep(self, address: int | None, array: Any) -> None:
        """Keep what stands for the buffer at an address for calls to come."""
        if len(self.arrays) >= _ADDRESSES:
            self.arrays.clear()
        self.arrays[address] = array


class OutputSlot(InputSlot):
    __slots__ = ("dims", "rank")

    def __init__(self, index: int, enum: int, declared: Shape) -> None:
        super().__init__(index, enum, declared, writable=True)
        self.dims: Any = None
        self.rank = 0

    def reshape(self, shape: tuple[int, ...]) -> None:
        """Take another shape; raise ContractError if TensorFlow must not see it."""
        largest = self.dtype.itemsize
        for d in shape:
            if int(d) != d or d < 0:
                raise ContractError(f"output {self.index} was allocated with shape {shape_text(shape)}")
            largest *= max(int(d), 1)
        if largest > _MAX_BYTES or len(shape) > _MAX_RANK:
            raise ContractError(
                f"output {self.index} was allocated with shape {shape_text(shape)}, which no memory holds"
            )
        super().reshape(tuple(int(d) for d in shape))
        self.rank = len(shape)
        self.dims = (ctypes.c_int64 * self.rank)(*self.shape)


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

    input_slot: ClassVar[type[InputSlot]] = InputSlot
    output_slot: ClassVar[type[OutputSlot]] = OutputSlot

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
        slots = [
            self.input_slot(i, enum, info.shape, writable=False)
            for i, (enum, info) in enumerate(zip(inputs, declared_inputs, strict=True))
        ]
        self._inputs, self._weights = slots[:data_inputs], slots[data_inputs:]
        self._enums = inputs
        self._outputs = [
            self.output_slot(i, enum, info.shape)
            for i, (enum, info) in enumerate(zip(outputs, declared_outputs, strict=True))
        ]
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
        status, dim, views = self.status, self._dim, []
        for slot in self._inputs:
            cell = slot.cell
            self._get_input(context, slot.index, slot.reference, status)
            if not cell:
                self.missing_input(slot.index)
            rank = self._num_dims(cell)
            shape: tuple[int, ...]
            if rank == 2:
                shape = (dim(cell, 0), dim(cell, 1))
            elif rank == 4:
                shape = (dim(cell, 0), dim(cell, 1), dim(cell, 2), dim(cell, 3))
            else:
                shape = tuple([dim(cell, k) for k in range(rank)])
            if shape != slot.shape:
                self.accept(slot, shape)
            address = self._data(cell)
            array = slot.arrays.get(address)
            views.append(slot.view(address) if array is None else array)
        return views

    def allocate(self, i: int, shape: Sequence[int]) -> Array:
        """Return TensorFlow's buffer of output `i` as a writable array of `shape`.

        Raises:
            ContractError: there is no such output, it has been allocated, the call is over, or the shape is not a
                shape or not one that was declared.
            MemoryError: TensorFlow has no memory for it.
        """
        if not 0 <= i < self._all:
            raise ContractError(f"outputs.allocate({i}) was called and the engine has {self._all} outputs")
        slot = self._outputs[i]
        context = self._context
        if context is None:
            raise ContractError("outputs.allocate was called after run had returned")
        if slot.cell:
            raise ContractError(f"output {i} was allocated twice")
        if shape != slot.shape:
            shape = tuple(shape)
            if not fits(shape, slot.declared):
                raise ContractError(
                    f"output {i} was allocated with shape {shape_text(shape)} and was declared as "
                    f"{shape_text(slot.declared)}"
                )
            slot.reshape(shape)
        cell = self._allocate(context, i, slot.enum, slot.dims, slot.rank, slot.nbytes, self.status)
        if not cell:
            self.no_memory(i)
        slot.cell = cell
        self._missing -= 1
        address = self._data(cell)
        array = slot.arrays.get(address)
        return slot.view(address) if array is None else array

    def finish(self) -> None:
        """Check that the engine has allocated every output; raise ContractError if not."""
        if self._missing:
            self.missing_output()

    def end(self) -> None:
        """Give back the handles of the data inputs and outputs; their views are dead after it."""
        self._context = None
        delete = self._delete
        for slot in self._inputs:
            cell = slot.cell
            if cell:
                delete(cell)
                cell.value = None
        if self._missing != self._all:
            for output in self._outputs:
                cell = output.cell
                if cell:
                    delete(cell)
                    cell.value = None
            self._missing = self._all

    def accept(self, slot: InputSlot, shape: tuple[int, ...]) -> None:
        """Take another shape of an input; raise ContractError if the engine was not built for it."""
        if not fits(shape, slot.declared):
            raise ContractError(
                f"input {slot.index} has shape {shape_text(shape)} and the engine was built for "
                f"{shape_text(slot.declared)}"
            )
        slot.reshape(shape)

    def missing_input(self, i: int) -> None:
        """Raise CApiError: TensorFlow has not given an input."""
        self._api.check(self.status, f"input {i}")

    def missing_output(self) -> None:
        """Raise ContractError: there is an output that the engine has not allocated."""
        missing = next(slot.index for slot in self._outputs if not slot.cell)
        raise ContractError(f"the engine returned without allocating output {missing}")

    def no_memory(self, i: int) -> None:
        """Raise MemoryError: TensorFlow has no memory for an output."""
        message = self._api.TF_Message(self.status).decode(errors="replace")
        raise MemoryError(f"output {i} of shape {shape_text(self._outputs[i].shape)} cannot be allocated: {message}")

    def weights(self) -> list[Array]:
        """Return views of the weight inputs, which hold until `end_weights`."""
        return [self._any_view(slot) for slot in self._weights]

    def all_inputs(self) -> list[Array]:
        """Return views of all inputs, of whatever shape, which hold until `end` and `end_weights`."""
        return [self._any_view(slot) for slot in (*self._inputs, *self._weights)]

    def end_weights(self) -> None:
        """Give back the handles of the weight inputs."""
        for slot in self._weights:
            if slot.cell:
                self._delete(slot.cell)
                slot.cell.value = None

    def _any_view(self, slot: InputSlot) -> Any:
        cell = slot.cell
        if not cell:
            self._get_input(self._context, slot.index, slot.reference, self.status)
            if not cell:
                self.missing_input(slot.index)
        # Not the slot's own view: that one is for shapes that the engine was built for.
        other = self.input_slot(slot.index, self._enums[slot.index], None, writable=False)
        other.reshape(tuple(self._dim(cell, k) for k in range(self._num_dims(cell))))
        return other.view(self._data(cell))

    def fill(self, results: Sequence[Array]) -> None:
        """Give out the segment's results, in the buffers that the engine has allocated before it failed, if any.

        Raises:
            ContractError: such a buffer has another shape; TensorFlow has no way to take it back.
        """
        for slot, result in zip(self._outputs, results, strict=True):
            self._take_buffer(slot, result.shape)
            slot.view(self._data(slot.cell))[...] = result

    def _take_buffer(self, slot: OutputSlot, shape: tuple[int, ...]) -> None:
        if not slot.cell:
            slot.reshape(shape)
            slot.cell = self._allocate(
                self._context, slot.index, slot.enum, slot.dims, slot.rank, slot.nbytes, self.status
            )
            self._api.check(self.status, f"output {slot.index}")
            self._missing -= 1
        elif slot.shape != shape:
            raise ContractError(
                f"the engine allocated output {slot.index} with shape {shape_text(slot.shape)} before it failed, and "
                f"its shape is {shape_text(shape)}; this call is lost, and the engine will not be asked again"
            )


def shape_text(shape: Shape) -> str:
    """Return a shape for messages."""
    return "[...]" if shape is None else f"[{', '.join('?' if d < 0 else str(d) for d in shape)}]"
