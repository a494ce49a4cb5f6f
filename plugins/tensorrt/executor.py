"""Running a TensorRT engine on TensorFlow's device buffers."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfgraft.plugins.protocol import Array, BuiltEngine, DeviceArray, DeviceOutputs
from tfgraft.plugins.tensorrt.growing import growing_output
from tfgraft.runtime.cuda import Cuda

_ALIGNMENT = 256


class RunError(RuntimeError):
    """TensorRT could not run an engine; the message says why."""


@dataclass
class _Slot:
    """An execution context with the stream that it runs on; one call uses it at a time."""

    context: Any
    stream: int
    keep: list[Any] = field(default_factory=list)


class TensorRtExecutor:
    """Runs an engine; thread-safe: each call takes an execution context of its profile from a pool.

    Shapes are inferred by TensorRT, outputs and working memory come from TensorFlow's allocator. TensorFlow's stream is
    not to be had, so the whole context is waited for before the engine starts, and the engine before the call returns.
    """

    def __init__(self, trt: Any, engine: Any, built: BuiltEngine, cuda: Cuda, keep: Any) -> None:
        """`keep` is whatever must live as long as the engine."""
        self._trt = trt
        self._engine = engine
        self._cuda = cuda
        self._inputs = [f"input_{i}" for i in range(len(built.inputs))]
        self._outputs = [f"output_{i}" for i in range(len(built.outputs))]
        names = {engine.get_tensor_name(i) for i in range(engine.num_io_tensors)}
        self._present = [name in names for name in self._inputs]  # one that nothing reads is not in the engine
        host = trt.TensorLocation.HOST
        self._on_host = {name for name in names if engine.get_tensor_location(name) == host}
        self._profiles = [[tuple(map(tuple, item)) for item in p] for p in built.metadata["profiles"]]
        self._profiles = self._profiles[: max(engine.num_optimization_profiles, 1)]
        self._free: dict[int, list[_Slot]] = {}
        self._lock = threading.Lock()
        self._keep = keep

    def run(self, inputs: Sequence[DeviceArray], outputs: DeviceOutputs) -> None:
        """See `tfgraft.plugins.protocol.DeviceExecutor`."""
        profile = self.profile_for([i.shape for i in inputs])
        slot = self._take(profile)
        try:
            self._run(slot, profile, inputs, outputs)
        finally:
            slot.keep.clear()
            with self._lock:
                self._free.setdefault(profile, []).append(slot)

    def profile_for(self, shapes: Sequence[tuple[int, ...]]) -> int:
        """Return the number of the tightest profile that takes inputs of these shapes.

        Raises:
            RunError: none does.
        """
        fitting = [k for k, profile in enumerate(self._profiles) if all(map(_within, shapes, profile))]
        if not fitting:
            raise RunError(
                f"inputs of shapes {', '.join(str(list(s)) for s in shapes)} are in none of the engine's profiles: "
                f"{'; '.join(_text(p) for p in self._profiles)}"
            )
        return min(fitting, key=lambda k: sum(math.prod(most) for _, _, most in self._profiles[k]))

    def _take(self, profile: int) -> _Slot:
        with self._lock:
            free = self._free.get(profile)
            if free:
                return free.pop()
        context = self._engine.create_execution_context(self._trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if context is None:
            raise RunError("TensorRT makes no execution context; is there memory left on the device?")
        slot = _Slot(context, self._cuda.new_stream())
        if not context.set_optimization_profile_async(profile, slot.stream):
            raise RunError(f"TensorRT does not take profile {profile}")
        self._cuda.wait(slot.stream)
        return slot

    def _run(self, slot: _Slot, profile: int, inputs: Sequence[DeviceArray], outputs: DeviceOutputs) -> None:
        context = slot.context
        self._bind_inputs(slot, inputs, outputs)
        missing = context.infer_shapes()
        if missing:
            raise RunError(f"TensorRT does not know the shapes of {', '.join(missing)}")
        results = [self._bind_output(slot, i, outputs) for i in range(len(self._outputs))]
        size = self._engine.get_device_memory_size_for_profile_v2(profile)
        if size:
            context.set_device_memory(outputs.scratch(size).address, size)
        # Only now, when no more memory is asked for: what TensorFlow gives out may still be in use on its stream.
        self._cuda.synchronize()
        if not context.execute_async_v3(slot.stream):
            raise RunError(f"TensorRT could not run: {self._keep[1].take() or 'it does not say why'}")
        self._cuda.wait(slot.stream)
        self._deliver(slot, results, outputs)

    def _bind_inputs(self, slot: _Slot, inputs: Sequence[DeviceArray], outputs: DeviceOutputs) -> None:
        for name, present, value in zip(self._inputs, self._present, inputs, strict=True):
            if not present:
                continue
            address = value.address or outputs.scratch(_ALIGNMENT).address
            if name in self._on_host:  # a shape: TensorRT reads it before it starts
                self._cuda.synchronize()
                host = self._cuda.to_host(value)
                slot.keep.append(host)
                address = host.ctypes.data
            if not slot.context.set_input_shape(name, value.shape):
                raise RunError(f"TensorRT does not take {name} of shape {list(value.shape)}")
            slot.context.set_tensor_address(name, address)

    def _bind_output(self, slot: _Slot, i: int, outputs: DeviceOutputs) -> Any:
        """Give TensorRT memory for an output; return what the results will be in."""
        name, context = self._outputs[i], slot.context
        shape = tuple(context.get_tensor_shape(name))
        if any(d < 0 for d in shape):  # it depends on values: known when the engine has run
            growing = growing_output(self._trt, outputs, self._cuda.synchronize)
            slot.keep.append(growing)
            context.set_output_allocator(name, growing)
            return growing
        target = outputs.allocate(i, shape)
        if name in self._on_host:
            host: Array = np.empty(shape, target.dtype)
            slot.keep.append(host)
            context.set_tensor_address(name, host.ctypes.data)
            return target, host
        context.set_tensor_address(name, target.address or outputs.scratch(_ALIGNMENT).address)
        return None

    def _deliver(self, slot: _Slot, results: Sequence[Any], outputs: DeviceOutputs) -> None:
        """Put results that are not in TensorFlow's buffers yet where they belong."""
        for i, result in enumerate(results):
            if isinstance(result, tuple):
                self._cuda.to_device(*result)
            elif result is not None:
                target = outputs.allocate(i, result.shape)
                self._cuda.synchronize()
                self._cuda.copy(target.address, result.address, target.nbytes, slot.stream)
                self._cuda.wait(slot.stream)


def _within(shape: Sequence[int], limits: Any) -> bool:
    least, _, most = limits
    return len(shape) == len(least) and all(a <= d <= b for a, d, b in zip(least, shape, most, strict=True))


def _text(profile: Any) -> str:
    return ", ".join(f"{list(least)} to {list(most)}" for least, _, most in profile)
