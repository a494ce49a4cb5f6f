"""Registration of the engine op and its kernels with TensorFlow, once for each process."""

from __future__ import annotations

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
            _register_kernel(process, device)
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


def _register_kernel(process: Process, device: Device) -> None:
    api = process.api
    functions = callbacks(process, device)
    process.callbacks.extend(functions)
    status = api.TF_NewStatus()
    try:
        kernel = api.TF_NewKernelBuilder(OP_NAME.encode(), device.kind.encode(), *functions)
        api.TF_RegisterKernelBuilder(f"TfGraftEngine{device.kind}".encode(), kernel, status)
        api.check(status, f"registering the {device.kind} kernel of {OP_NAME}")
    finally:
        api.TF_DeleteStatus(status)
