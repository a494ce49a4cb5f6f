"""The kernel of the engine op: from TensorFlow's callbacks to an executor, or to the native segment."""

from __future__ import annotations

import ctypes
import functools
import logging
import threading
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfgraft.graph import dtypes
from tfgraft.plugins.protocol import Device
from tfgraft.runtime import capi
from tfgraft.runtime.call import Call, ContractError
from tfgraft.runtime.capi import CApiError, Construction, function_library
from tfgraft.runtime.cuda import Cuda
from tfgraft.runtime.device_call import DeviceCall, DeviceMemory
from tfgraft.runtime.engines import describe
from tfgraft.runtime.fallback import fallback_cause, warn_of_fallback
from tfgraft.runtime.hot import HotCall, HotDeviceCall, c_compute, hot_module
from tfgraft.runtime.node import EXCHANGED, OP_NAME, read_metadata
from tfgraft.runtime.process import Process
from tfgraft.runtime.segment import Segment

_LOG = logging.getLogger("tfgraft")


class KernelError(Exception):
    """A call that ends in an error of the graph, with a TF_Status code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Kernel:
    """One instance of an engine node. TensorFlow makes several for one node, and calls each from several threads.

    Args:
        process: the runtime's state.
        attrs: the node's attributes.
        device: where the kernel runs.
        calls: makes the reusable state of a call, given what `Call` takes.

    Raises:
        KernelError: the node cannot have a kernel.
    """

    def __init__(
        self, process: Process, attrs: Construction, device: Device, calls: Callable[..., Call] = Call
    ) -> None:
        self._process = process
        self._calls = calls
        self._inputs = attrs.types("InT")
        self._outputs = attrs.types("OutT")
        self._engine = attrs.string("engine").decode(errors="replace")
        self._function = attrs.function("segment")
        self._strict = attrs.boolean("strict")
        fingerprint = attrs.string("fingerprint").decode(errors="replace")
        try:
            signature = read_metadata(attrs.string("metadata"))
        except ValueError as error:
            raise KernelError(capi.INVALID_ARGUMENT, str(error)) from error
        self.name = signature.name
        self._data = signature.inputs
        self._weights = signature.weights
        self._results = signature.outputs
        self._check(fingerprint, attrs.integer("data_inputs"))
        self._free: list[Call] = []
        self._made = 0
        self._counters = process.counters.node(self.name)
        self._tick = self._counters.tick
        self._run: Callable[..., None] | None = None
        self._shared = process.acquire(self._engine, fingerprint, device, signature, lambda: attrs.string("payload"))

    def _check(self, fingerprint: str, data_inputs: int) -> None:
        for what, enums in (("input", self._inputs), ("output", self._outputs)):
            for i, enum in enumerate(enums):
                if dtypes.is_ref(enum) or dtypes.name_of(enum) not in EXCHANGED:
                    raise KernelError(
                        capi.UNIMPLEMENTED,
                        f"{what} {i} has type {tf.dtypes.as_dtype(enum).name}, which engines cannot exchange with "
                        "TensorFlow; leave the node that makes it out of the cluster",
                    )
        declared = [dtypes.enum_of(i.dtype) for i in (*self._data, *self._weights)]
        results = [dtypes.enum_of(i.dtype) for i in self._results]
        if declared != self._inputs or results != self._outputs or data_inputs != len(self._data):
            raise KernelError(
                capi.INVALID_ARGUMENT, "InT, OutT or data_inputs disagree with the metadata; write the node anew"
            )
        if not fingerprint:
            raise KernelError(capi.INVALID_ARGUMENT, "the fingerprint is empty")

    def compute(self, context: int) -> None:
        """Answer one call."""
        self._tick()
        try:
            call = self._free.pop()
        except IndexError:
            call = self._new_call()
        try:
            arrays = call.begin(context)
            run = self._run
            if run is None:
                run = self._load(call)
            run(arrays, call)
            call.finish()
        except BaseException as error:
            self.failed(call, context, error)
        finally:
            call.end()
            self._free.append(call)

    def failed(self, call: Call, context: int, error: BaseException) -> None:
        """Answer a call that the engine did not."""
        if isinstance(error, Exception):
            self._settle(call, context, error)
        else:
            self._fail(call, context, capi.CANCELLED, f"interrupted by {describe(error)}")

    def _new_call(self) -> Call:
        self._made += 1
        declared = (*self._data, *self._weights)
        return self._calls(self._process.api, self._inputs, self._outputs, declared, self._results, len(self._data))

    def busy(self) -> bool:
        """Tell whether a call is running."""
        return len(self._free) < self._made

    def delete(self) -> None:
        """Let go of everything; no call is running and none will come."""
        for call in self._free:
            call.delete()
        self._free.clear()
        self._process.release(self._shared)

    def _load(self, call: Call) -> Callable[..., None]:
        try:
            executor = self._shared.get(call.weights, self._counters.loaded)
        finally:
            call.end_weights()
        if executor is None:
            error = self._shared.failure
            raise _NotLoaded(describe(error) if error else "it was given up")
        self._run = executor.run
        return self._run

    def _settle(self, call: Call, context: int, error: Exception) -> None:
        """Let the segment answer for an engine that failed, or fail if it must not or cannot."""
        try:
            self._fall_back(call, context, error)
        except KernelError as failure:
            self._fail(call, context, failure.code, str(failure))
        except tf.errors.OpError as failure:
            self._fail(call, context, failure.error_code, f"in the native segment: {failure.message}")
        except BaseException as failure:
            self._fail(call, context, capi.INTERNAL, f"{describe(error)}; then its segment: {describe(failure)}")

    def _fall_back(self, call: Call, context: int, error: Exception) -> None:
        loaded = not isinstance(error, _NotLoaded)
        cause = fallback_cause(error, loaded)
        if self._strict:
            raise KernelError(capi.INTERNAL if loaded else capi.FAILED_PRECONDITION, cause)
        self._counters.fell_back(cause)
        warn_of_fallback(self._process, self.name, self._engine, cause, loaded)
        segment = self._shared.segment(lambda: self._segment(context, call.status))
        try:
            call.fill(segment.run(call.all_inputs()))
        except ContractError:
            self._shared.reject(error)
            self._run = None
            raise
        finally:
            call.end_weights()

    def _segment(self, context: int, status: int) -> Segment:
        library = function_library(self._process.api, context, status)
        return Segment(library, self._function, self._inputs, self._outputs)

    def _fail(self, call: Call, context: int, code: int, message: str) -> None:
        api = self._process.api
        api.set_status(call.status, code, f"engine node {self.name!r} (engine {self._engine!r}): {message}")
        api.TF_OpKernelContext_Failure(context, call.status)


class _NotLoaded(Exception):
    """There is no executor; the message says why."""


def keep_thread_state(thread: threading.local) -> None:
    """Keep Python's state of this thread of TensorFlow's for the thread's life.

    Else the interpreter makes one before each callback and destroys it after, with its memory: that was measured to
    cost more than everything else here together. What is left when such a thread ends is some 20 KB.
    """
    ctypes.pythonapi.PyGILState_Ensure()
    thread.kept = True


def callbacks(process: Process, device: Device, memory: DeviceMemory | None = None) -> tuple[Any, Any, Any]:
    """Return the create, compute and delete callbacks of the kernel for a kind of device. No exception leaves them.

    `memory` is that of devices other than the CPU; CUDA's if it is not given.
    """
    api, kernels, thread = process.api, process.kernels, threading.local()
    on_cpu = device.kind == "CPU"
    hot = hot_module()
    calls: Callable[..., Call] = Call if hot is None else functools.partial(HotCall, hot)
    if not on_cpu:
        memory = memory or Cuda()
        kind = DeviceCall if hot is None else functools.partial(HotDeviceCall, hot)
        calls = functools.partial(kind, memory=memory)

    def create(context: int) -> int | None:
        status = api.TF_NewStatus()
        name = "?"
        try:
            attrs = Construction(api, context, status)
            name = attrs.name()
            where = device if on_cpu else Device(device.kind, attrs.ordinal())
            return process.add_kernel(Kernel(process, attrs, where, calls))
        except BaseException as error:
            code = error.code if isinstance(error, KernelError) else capi.INTERNAL
            text = str(error) if isinstance(error, (KernelError, CApiError)) else describe(error)
            api.set_status(status, code, f"engine node {name!r} ({OP_NAME}): {text}")
            api.TF_OpKernelConstruction_Failure(context, status)
            return None
        finally:
            api.TF_DeleteStatus(status)

    def compute(handle: int, context: int) -> None:
        try:
            try:
                thread.kept  # noqa: B018
            except AttributeError:
                keep_thread_state(thread)
            kernels[handle].compute(context)
        except BaseException as error:
            refuse(handle, context, error)

    def refuse(handle: int, context: int, error: BaseException | None) -> None:
        status = api.TF_NewStatus()
        known = handle in kernels and error is not None
        process.refused += not known
        text = describe(error) if known and error else "the process is ending, and Python with it"
        api.set_status(status, capi.INTERNAL if known else capi.CANCELLED, f"{OP_NAME}: {text}")
        api.TF_OpKernelContext_Failure(context, status)
        api.TF_DeleteStatus(status)

    def delete(handle: int | None) -> None:
        # A kernel may outlive the process's close; then the operating system cleans up.
        try:
            if handle is not None and (kernel := kernels.pop(handle, None)) is not None:
                kernel.delete()
        except Exception:
            _LOG.exception("an engine node could not be cleaned up")

    run = capi.COMPUTE(compute) if hot is None else c_compute(hot, kernels, refuse)
    return capi.CREATE(create), run, capi.DELETE(delete)
