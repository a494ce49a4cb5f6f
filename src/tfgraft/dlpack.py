"""Tensors in the memory of GPUs that pass between libraries without a copy, by DLPack.

Structures and numbers are those of DLPack's header `dlpack.h` before it had versions, which every library reads.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_uint8, c_uint16, c_uint64, c_void_p, py_object
from typing import Any

import numpy as np

from tfgraft.plugins.protocol import DeviceArray

CUDA = 2
"""kDLCUDA."""
_BFLOAT = 4
_KINDS = {0: "int", 1: "uint", 2: "float", _BFLOAT: "bfloat", 5: "complex"}
_BOOL = 6
_NAME = b"dltensor"
_pointer = ctypes.PYFUNCTYPE(c_void_p, py_object, c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_id", c_int32),
        ("ndim", c_int32),
        ("code", c_uint8),
        ("bits", c_uint8),
        ("lanes", c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    )


def gpu_of(value: object) -> int | None:
    """Return the number of the GPU in whose memory a value is, None if it is in none or does not say so."""
    where = getattr(value, "__dlpack_device__", None)
    if where is None or isinstance(value, np.ndarray):
        return None
    kind, ordinal = where()
    return int(ordinal) if kind == CUDA else None


def view(capsule: object) -> DeviceArray:
    """Return the tensor in a capsule that nobody has taken; it lives as long as the capsule, which stays as it is.

    Raises:
        ValueError: its elements do not follow each other as in C, or are of a type that NumPy has no name for.
    """
    tensor = _tensor(capsule)
    shape = tuple(tensor.shape[: tensor.ndim])
    if tensor.strides and not _follows(shape, tensor.strides[: tensor.ndim]):
        raise ValueError("its elements do not follow each other in memory; make it contiguous")
    return DeviceArray((tensor.data or 0) + tensor.byte_offset, shape, _dtype(tensor))


def capsule_of(array: DeviceArray, ordinal: int, owner: object) -> Any:
    """Return a capsule with a tensor in the memory of GPU `ordinal`; who takes it keeps `owner`."""
    # NumPy's capsules do what has to be done in C when they, or what was taken out of them, go. It reads no element.
    brain = array.dtype.name == "bfloat16"
    dtype = np.dtype(np.uint16) if brain else array.dtype
    capsule = np.asarray(_Lent(array, dtype, owner)).__dlpack__()
    tensor = _tensor(capsule)
    tensor.device_type, tensor.device_id = CUDA, ordinal
    if brain:
        tensor.code = _BFLOAT
    return capsule


class _Lent:
    """What NumPy takes for an array."""

    def __init__(self, array: DeviceArray, dtype: np.dtype[Any], owner: object) -> None:
        self._owner = owner
        data = (array.address, False)
        self.__array_interface__ = {"version": 3, "shape": array.shape, "typestr": dtype.str, "data": data}


def _tensor(capsule: object) -> Any:
    return _Tensor.from_address(_pointer(capsule, _NAME))


def _follows(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Tell whether strides, in elements, are those of C; where there is one element or none, all are."""
    count = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size > 1 and stride != count:
            return 0 in shape
        count *= size
    return True


def _dtype(tensor: Any) -> np.dtype[Any]:
    kind, bits = _KINDS.get(tensor.code), tensor.bits
    name = f"{kind}{bits}" if kind else "bool" if tensor.code == _BOOL and bits == 8 else ""
    try:
        if tensor.lanes == 1 and name:
            return np.dtype(name)
    except TypeError:
        pass
    raise ValueError(f"its elements are of a type without a name (DLPack's code {tensor.code}, {bits} bits)")
