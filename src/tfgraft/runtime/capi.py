"""TensorFlow's C API for ops and kernels, by ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import c_bool, c_char_p, c_int, c_int32, c_int64, c_size_t, c_ubyte, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, node_def_pb2


class TensorHandle(c_void_p):
    """`TF_Tensor*`. A subclass, so that ctypes returns it as an object, which converts faster than an int."""


CREATE = ctypes.CFUNCTYPE(c_void_p, c_void_p)
COMPUTE = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
DELETE = ctypes.CFUNCTYPE(None, c_void_p)

CANCELLED = 1
INVALID_ARGUMENT = 3
FAILED_PRECONDITION = 9
UNIMPLEMENTED = 12
INTERNAL = 13
"""Codes of TF_Status."""


class StringView(ctypes.Structure):
    """`TF_StringView`: text owned by someone else."""

    _fields_ = (("data", c_void_p), ("size", c_size_t))


class Buffer(ctypes.Structure):
    """`TF_Buffer`: bytes that TensorFlow allocated, mostly a serialized proto."""

    _fields_ = (("data", c_void_p), ("size", c_size_t), ("deallocator", c_void_p))


_BUFFER = ctypes.POINTER(Buffer)
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...] | None]] = {
    # status and buffers
    "TF_NewStatus": (c_void_p, ()),
    "TF_DeleteStatus": (None, (c_void_p,)),
    "TF_SetStatus": (None, (c_void_p, c_int, c_char_p)),
    "TF_GetCode": (c_int, (c_void_p,)),
    "TF_Message": (c_char_p, (c_void_p,)),
    "TF_NewBuffer": (_BUFFER, ()),
    "TF_DeleteBuffer": (None, (_BUFFER,)),
    # op definition
    "TF_NewOpDefinitionBuilder": (c_void_p, (c_char_p,)),
    "TF_OpDefinitionBuilderAddAttr": (None, (c_void_p, c_char_p)),
    "TF_OpDefinitionBuilderAddInput": (None, (c_void_p, c_char_p)),
    "TF_OpDefinitionBuilderAddOutput": (None, (c_void_p, c_char_p)),
    "TF_OpDefinitionBuilderSetIsStateful": (None, (c_void_p, c_bool)),
    "TF_OpDefinitionBuilderSetShapeInferenceFunction": (None, (c_void_p, c_void_p)),
    "TF_ShapeInferenceContextSetUnknownShape": (None, (c_void_p, c_void_p)),
    "TF_RegisterOpDefinition": (None, (c_void_p, c_void_p)),
    # kernel registration and construction
    "TF_NewKernelBuilder": (c_void_p, (c_char_p, c_char_p, CREATE, COMPUTE, DELETE)),
    "TF_KernelBuilder_Label": (None, (c_void_p, c_char_p)),
    "TF_RegisterKernelBuilder": (None, (c_char_p, c_void_p, c_void_p)),
    "TF_OpKernelConstruction_GetName": (StringView, (c_void_p,)),
    "TF_OpKernelConstruction_GetAttrSize": (None, (c_void_p, c_char_p, c_void_p, c_void_p, c_void_p)),
    "TF_OpKernelConstruction_GetAttrString": (None, (c_void_p, c_char_p, c_void_p, c_size_t, c_void_p)),
    "TF_OpKernelConstruction_GetAttrInt64": (None, (c_void_p, c_char_p, c_void_p, c_void_p)),
    "TF_OpKernelConstruction_GetAttrBool": (None, (c_void_p, c_char_p, c_void_p, c_void_p)),
    "TF_OpKernelConstruction_GetAttrTypeList": (None, (c_void_p, c_char_p, c_void_p, c_int, c_void_p)),
    "TF_OpKernelConstruction_GetAttrFunction": (_BUFFER, (c_void_p, c_char_p, c_void_p)),
    "TF_OpKernelConstruction_GetNodeDef": (_BUFFER, (c_void_p, c_void_p)),
    "TF_OpKernelConstruction_Failure": (None, (c_void_p, c_void_p)),
    # one call of a kernel
    "TF_GetInput": (None, (c_void_p, c_int, c_void_p, c_void_p)),
    "TF_AllocateOutput": (TensorHandle, (c_void_p, c_int, c_int, c_void_p, c_int, c_size_t, c_void_p)),
    "TF_AllocateTemp": (TensorHandle, (c_void_p, c_int, c_void_p, c_int, c_void_p, c_void_p)),
    # No argument types for those that take a TensorHandle only: ctypes passes it as it is, in half the time.
    "TF_NumDims": (c_int, None),
    "TF_Dim": (c_int64, None),
    "TF_TensorData": (c_void_p, None),
    "TF_DeleteTensor": (None, None),
    "TF_GetSerializedFunctionDefLibrary": (None, (c_void_p, _BUFFER, c_void_p)),
    "TF_OpKernelContext_Failure": (None, (c_void_p, c_void_p)),
}


def numpy_dtype(enum: int) -> np.dtype[Any]:
    """Return numpy's type for a `DataType` enum value; bfloat16 and float8 come from ml_dtypes."""
    return np.dtype(tf.dtypes.as_dtype(enum).as_numpy_dtype)


class CApiError(RuntimeError):
    """TensorFlow's C API reported an error, or lacks a function that the runtime needs."""


class CApi:
    """The functions of the C API, with prototypes: `api.TF_NewStatus()`.

    The functions keep Python's interpreter lock (`PyDLL`): all of them are short and none calls back into Python, and
    giving the lock away and taking it again would cost more than the call.
    """

    def __init__(self) -> None:
        folder = Path(tf.sysconfig.get_lib())
        files = sorted(folder.glob("libtensorflow_framework.*")) + sorted(folder.glob("libtensorflow_cc.*"))
        self._files = [str(f) for f in files]
        self._libraries = [ctypes.PyDLL(f) for f in self._files]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        restype, argtypes = _PROTOTYPES[name]
        for library in self._libraries:
            if hasattr(library, name):
                function: Any = getattr(library, name)
                function.restype, function.argtypes = restype, argtypes
                setattr(self, name, function)
                return function
        raise CApiError(
            f"TensorFlow {tf.__version__} has no {name} in {', '.join(self._files) or tf.sysconfig.get_lib()}; "
            "tfgraft's engine op needs TensorFlow 2.16 or newer for Linux or macOS"
        )

    def address(self, name: str) -> int:
        """Return the address of a function, to be handed to TensorFlow as a callback."""
        return ctypes.cast(getattr(self, name), c_void_p).value or 0

    def check(self, status: int, doing: str) -> None:
        """Raise CApiError if a TF_Status holds an error."""
        if self.TF_GetCode(status):
            raise CApiError(f"{doing}: {self.TF_Message(status).decode(errors='replace')}")

    def set_status(self, status: int, code: int, message: str) -> None:
        """Put an error into a TF_Status."""
        self.TF_SetStatus(status, code, message.replace("\0", "?").encode(errors="replace"))


class Construction:
    """The attributes of a node while its kernel is being made. Valid in the create callback only.

    Its methods raise CApiError for an attribute that is missing or has another type.
    """

    def __init__(self, api: CApi, context: int, status: int) -> None:
        self._api = api
        self._context = context
        self._status = status

    def name(self) -> str:
        """Return the node's name."""
        view = self._api.TF_OpKernelConstruction_GetName(self._context)
        return ctypes.string_at(view.data, view.size).decode(errors="replace")

    def string(self, attr: str) -> bytes:
        """Return a string attribute; zero bytes are kept."""
        _, size = self._size(attr)
        if size == 0:
            return b""
        data = (ctypes.c_char * size)()
        self._read("TF_OpKernelConstruction_GetAttrString", attr, ctypes.addressof(data), size)
        return data.raw

    def integer(self, attr: str) -> int:
        """Return an int attribute."""
        value = c_int64()
        self._read("TF_OpKernelConstruction_GetAttrInt64", attr, ctypes.addressof(value))
        return value.value

    def boolean(self, attr: str) -> bool:
        """Return a bool attribute."""
        value = c_ubyte()
        self._read("TF_OpKernelConstruction_GetAttrBool", attr, ctypes.addressof(value))
        return bool(value.value)

    def types(self, attr: str) -> list[int]:
        """Return a list(type) attribute as `DataType` enum values."""
        count, _ = self._size(attr)
        values = (c_int32 * max(count, 1))()
        self._read("TF_OpKernelConstruction_GetAttrTypeList", attr, ctypes.addressof(values), count)
        return list(values[:count])

    def function(self, attr: str) -> str:
        """Return the name of the function in a func attribute."""
        buffer = self._api.TF_OpKernelConstruction_GetAttrFunction(self._context, attr.encode(), self._status)
        self._api.check(self._status, f"attribute {attr!r}")
        try:
            raw = ctypes.string_at(buffer.contents.data, buffer.contents.size)
        finally:
            self._api.TF_DeleteBuffer(buffer)
        return str(attr_value_pb2.NameAttrList.FromString(raw).name)

    def ordinal(self) -> int:
        """Return the number of the device that TensorFlow has placed the node on, among those of its kind."""
        buffer = self._api.TF_OpKernelConstruction_GetNodeDef(self._context, self._status)
        self._api.check(self._status, "the node's definition")
        try:
            raw = ctypes.string_at(buffer.contents.data, buffer.contents.size)
        finally:
            self._api.TF_DeleteBuffer(buffer)
        return tf.DeviceSpec.from_string(node_def_pb2.NodeDef.FromString(raw).device).device_index or 0

    def _size(self, attr: str) -> tuple[int, int]:
        sizes = (c_int32 * 2)()
        address = ctypes.addressof(sizes)
        self._read("TF_OpKernelConstruction_GetAttrSize", attr, address, address + ctypes.sizeof(c_int32))
        return sizes[0], sizes[1]

    def _read(self, function: str, attr: str, *args: int) -> None:
        getattr(self._api, function)(self._context, attr.encode(), *args, self._status)
        self._api.check(self._status, f"attribute {attr!r}")


def function_library(api: CApi, context: int, status: int) -> bytes:
    """Return the serialized FunctionDefLibrary that a running kernel can see."""
    buffer = api.TF_NewBuffer()
    try:
        api.TF_GetSerializedFunctionDefLibrary(context, buffer, status)
        api.check(status, "function library")
        return ctypes.string_at(buffer.contents.data, buffer.contents.size)
    finally:
        api.TF_DeleteBuffer(buffer)
