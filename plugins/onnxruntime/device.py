"""Running an ONNX Runtime session on TensorFlow's device buffers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.onnxruntime.captured import Captured, Lane, Port
from tfgraft.plugins.onnxruntime.options import CUDA, OnnxRuntimeOptions, provider_name
from tfgraft.plugins.onnxruntime.session import make_session
from tfgraft.plugins.protocol import BuiltEngine, DeviceArray, DeviceOutputs
from tfgraft.plugins.shape_rule import shape_rule
from tfgraft.plugins.staging import Staging

_ALIGNMENT = 256
_NO_GRAPH = "-1"
"""ONNX Runtime's number of no graph."""
_NAMES = {"float32": "FLOAT", "float64": "DOUBLE"}


class NoProvider(RuntimeError):
    """The ONNX Runtime that is installed does not work on a GPU; the message says what to install."""


class OnnxRuntimeDeviceExecutor:
    """Runs a session whose provider works in a GPU's memory; thread-safe: one call runs at a time.

    Inputs and outputs are TensorFlow's own buffers. Shapes that come twice in a row are captured in a CUDA graph, if
    the session captures: one launch then stands for all of the engine's kernels, whose own launches take longer than
    they themselves where batches are small. A graph has fixed addresses, so inputs and outputs are copied within the
    device.

    Args:
        ort: the module onnxruntime.
        session: the `InferenceSession`; its provider uses the lane's stream.
        keep: whatever must live as long as the session.
        inputs: types and shapes of the engine's inputs.
        outputs: the same of its outputs.
        lane: where the session works.
        graphs: so many sets of input shapes are captured at most; 0 if the session does not capture.
    """

    def __init__(
        self,
        ort: Any,
        session: Any,
        keep: Any,
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        lane: Lane,
        graphs: int,
    ) -> None:
        self._session, self._lane, self._keep = session, lane, keep
        self._inputs = _ports(session.get_inputs(), inputs)
        self._outputs = _ports(session.get_outputs(), outputs)
        self._rule = shape_rule(inputs, outputs)
        self._options = _run_options(ort, capturing=bool(graphs))
        self._graphs = graphs
        self._captured: dict[Any, Captured] = {}
        self._last: Any = None
        self._lock = threading.Lock()

    def run(self, inputs: Sequence[DeviceArray], outputs: DeviceOutputs) -> None:
        """See `tfgraft.plugins.protocol.DeviceExecutor`."""
        with self._lock:
            key = tuple([array.shape for array in inputs])
            captured = self._captured.get(key)
            if captured is not None:
                results = [outputs.allocate(i, shape) for i, shape in enumerate(captured.shapes)]
                self._lane.memory.synchronize()
                captured.run(inputs, results)
                if key == self._last and isinstance(outputs, Staging):
                    captured.offer(outputs, self._lock)
            elif self._rule is None:
                self._run_unknown(inputs, outputs)
            else:
                shapes: Any = self._rule(inputs)  # type: ignore[arg-type]
                results = [outputs.allocate(i, shape) for i, shape in enumerate(shapes)]
                again = key == self._last
                if not (again and self._capture(key, inputs, results)):
                    self._run_in_place(inputs, results, outputs)
            self._last = key

    def _capture(self, key: Any, inputs: Sequence[DeviceArray], results: Sequence[DeviceArray]) -> bool:
        """Capture a graph and run it; tell whether that could be done."""
        if len(self._captured) >= self._graphs or not all(array.nbytes for array in (*inputs, *results)):
            return False
        ins, outs = zip(self._inputs, inputs, strict=True), zip(self._outputs, results, strict=True)
        try:
            self._lane.memory.synchronize()
            made = Captured(self._session, self._options, list(ins), list(outs), self._lane)
            made.run(inputs, results)
        except Exception as error:  # ONNX Runtime raises several kinds of its own
            logging.getLogger("tfgraft").debug("no CUDA graph for %s: %s", key, error)
            self._graphs = 0
            return False
        self._captured[key] = made
        return True

    def _run_in_place(
        self, inputs: Sequence[DeviceArray], results: Sequence[DeviceArray], outputs: DeviceOutputs
    ) -> None:
        binding = self._bind(inputs, outputs)
        for port, array in zip(self._outputs, results, strict=True):
            address = array.address or outputs.scratch(_ALIGNMENT).address
            binding.bind_output(port.name, self._lane.kind, self._lane.ordinal, port.type, array.shape, address)
        self._run(binding)

    def _run_unknown(self, inputs: Sequence[DeviceArray], outputs: DeviceOutputs) -> None:
        """Run where the outputs' shapes depend on values: ONNX Runtime allocates them, and they are copied."""
        lane, binding = self._lane, self._bind(inputs, outputs)
        for port in self._outputs:
            binding.bind_output(port.name, lane.kind, lane.ordinal)
        self._run(binding)
        made = binding.get_outputs()
        targets = [outputs.allocate(i, tuple(value.shape())) for i, value in enumerate(made)]
        lane.memory.synchronize()
        for target, value in zip(targets, made, strict=True):
            lane.memory.copy(target.address, value.data_ptr(), target.nbytes, lane.stream)
        lane.memory.wait(lane.stream)

    def _bind(self, inputs: Sequence[DeviceArray], outputs: DeviceOutputs) -> Any:
        binding = self._session.io_binding()
        for port, array in zip(self._inputs, inputs, strict=True):
            address = array.address or outputs.scratch(_ALIGNMENT).address
            binding.bind_input(port.name, self._lane.kind, self._lane.ordinal, port.type, array.shape, address)
        return binding

    def _run(self, binding: Any) -> None:
        # Only now, when no more memory is asked for: what TensorFlow gives out may still be in use on its stream.
        self._lane.memory.synchronize()
        self._session.run_with_iobinding(binding, self._options)
        self._lane.memory.wait(self._lane.stream)


def load_on_gpu(
    ort: Any, engine: BuiltEngine, values: Any, options: OnnxRuntimeOptions, ordinal: int
) -> OnnxRuntimeDeviceExecutor:
    """Make a session on a GPU, whose context is current.

    Args:
        ort: the module onnxruntime.
        engine: the engine.
        values: its weights, from `lay_out_weights`.
        options: what it was built with.
        ordinal: the GPU's number.

    Raises:
        NoProvider: ONNX Runtime has no CUDA provider that works here.
    """
    from tfgraft.runtime.cuda import Cuda  # the runtime registers its op, for which building has no need

    if CUDA not in ort.get_available_providers():
        raise NoProvider(
            f"ONNX Runtime {ort.__version__} has no {CUDA}; install one for GPUs: pip install onnxruntime-gpu"
        )
    cuda = Cuda()
    lane = Lane(cuda, cuda.new_stream(), "cuda", ordinal)
    graphs = options.cuda_graphs
    if graphs:
        try:
            session = make_session(ort, engine.payload, values, _on_lane(options, lane, capture=True))
        except Exception as error:  # some op of the engine runs on the CPU, say
            logging.getLogger("tfgraft").debug("no CUDA graphs: %s", error)
            graphs = 0
    if not graphs:
        session = make_session(ort, engine.payload, values, _on_lane(options, lane, capture=False))
    if CUDA not in session.get_providers():
        raise NoProvider(
            f"{CUDA} of ONNX Runtime {ort.__version__} cannot be used here; it needs the CUDA and cuDNN libraries that "
            "it was built with"
        )
    return OnnxRuntimeDeviceExecutor(ort, session, values, engine.inputs, engine.outputs, lane, graphs)


def _on_lane(options: OnnxRuntimeOptions, lane: Lane, capture: bool) -> OnnxRuntimeOptions:
    """Return the options with the CUDA provider on the lane's stream; what the user has set stays."""
    own = {
        "device_id": str(lane.ordinal),
        "user_compute_stream": str(lane.stream),
        # It is refused where an op runs on the CPU, and a run makes nothing then that could not be captured.
        "enable_cuda_graph": str(int(capture)),
        # The order that cuDNN's kernels for tensor cores take; without it each convolution is between two transposes.
        "prefer_nhwc": "1",
        # TensorFlow has the rest of the memory; by default each extension would double it.
        "arena_extend_strategy": "kSameAsRequested",
    }
    providers = [
        (CUDA, {**own, **({} if provider == CUDA else provider[1])}) if provider_name(provider) == CUDA else provider
        for provider in options.providers or ()
    ]
    return replace(options, providers=tuple(providers))


def _ports(arguments: Sequence[Any], infos: Sequence[TensorInfo]) -> list[Port]:
    from onnx import TensorProto

    number = TensorProto.DataType.Value
    return [
        Port(argument.name, int(number(_NAMES.get(info.dtype, info.dtype.upper()))))
        for argument, info in zip(arguments, infos, strict=True)
    ]


def _run_options(ort: Any, capturing: bool) -> Any:
    """Return options of a run that does not wait for the device, nor is captured where the session would do so."""
    options = ort.RunOptions()
    options.add_run_config_entry("disable_synchronize_execution_providers", "1")
    if capturing:
        options.add_run_config_entry("gpu_graph_id", _NO_GRAPH)
    return options
