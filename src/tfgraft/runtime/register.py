"""Registration of the engine op and its kernels with TensorFlow, once for each process."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from tfgraft.plugins.protocol import Device
from tfgraft.runtime.kernel import callbacks
from tfgraft.runtime.node import ATTRS, OP_NAME
from tfgraft.runtime.process import Process, current


def _devices() -> tuple[Device, ...]:
    """Return the kinds of devices that get a kernel: the GPU too where TensorFlow is made for CUDA."""
    return (Device("CPU"), Device("GPU")) if tf.test.is_built_with_cuda() else (Device("CPU"),)


def register() -> Process:
    """Register the op and its kernels unless this process has them; return the runtime's state.

    Raises:
        CApiError: TensorFlow refused, or is too old.
    """
    process, new = current()
    if new and op_def_registry.get(OP_NAME) is None:
        _register_op(process)
        for device in _devices():
            register_kernel(process, device.kind, callbacks(process, device))
    return process


def _register_op(process: Process) -> None:
    api = process.api
    builder = api.TF_NewOpDefinitionBuilder(OP_NAME.encode())
    for attr in ATTRS:
        api.TF_OpDefinitionBuilderAddAttr(builder, attr.encode())
    api.TF_OpDefinitionBuilderAddInput(builder, b"args: InT")
    api.TF_OpDefinitionBuilderAddOutput(builder, b"outs: OutT")
    # An engine computes a pure function, yet the op is declared stateful: what TensorFlow does to stateless ops
    # would hurt. Constant folding and shape inference run stateless ops while a graph is being optimised, outside any
    # function library: an engine would be loaded there, and a fallback would find no segment (the C API crashes
    # without a library). Merging equal nodes gains nothing, since a cluster is never made twice. The price is that a
    # tf.function runs an engine node even if nothing reads its outputs; nodes in Sessions are pruned as any other.
    api.TF_OpDefinitionBuilderSetIsStateful(builder, True)
    # The function that says "unknown shapes" has the signature of a shape function, so no Python runs for it.
    unknown = api.address("TF_ShapeInferenceContextSetUnknownShape")
    api.TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, unknown)
    status = api.TF_NewStatus()
    try:
        api.TF_RegisterOpDefinition(builder, status)
        api.check(status, f"registering {OP_NAME}")
    finally:
        api.TF_DeleteStatus(status)


def register_kernel(process: Process, kind: str, functions: tuple[Any, Any, Any], label: str = "") -> None:
    """Register a kernel of the engine op, which TensorFlow takes once in a process.

    Args:
        process: the runtime's state, which keeps the functions alive.
        kind: the kind of device, as TensorFlow names it.
        functions: what makes, calls and deletes a kernel; see `tfgraft.runtime.kernel.callbacks`.
        label: the attribute `_kernel` of the nodes that are to use it; without one it is for all other nodes.

    Raises:
        CApiError: TensorFlow refused.
    """
    process.callbacks.extend(functions)
    api = process.api
    status = api.TF_NewStatus()
    try:
        kernel = api.TF_NewKernelBuilder(OP_NAME.encode(), kind.encode(), *functions)
        if label:
            api.TF_KernelBuilder_Label(kernel, label.encode())
        api.TF_RegisterKernelBuilder(f"TfGraftEngine{kind}{label}".encode(), kernel, status)
        api.check(status, f"registering the {kind} kernel of {OP_NAME}")
    finally:
        api.TF_DeleteStatus(status)
