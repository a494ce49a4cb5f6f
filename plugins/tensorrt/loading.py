"""Loading engines: what the device or the version does not take is refused with a reason."""

from __future__ import annotations

from typing import Any

from tfgraft.plugins.protocol import BuiltEngine
from tfgraft.plugins.tensorrt.executor import TensorRtExecutor
from tfgraft.plugins.tensorrt.flavour import find_flavour
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.runtime.cuda import Cuda, CudaError

_NAMES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX"}


class EngineRefused(RuntimeError):
    """TensorRT does not take an engine on this device or in this version; the message says why."""


def load_engine(engine: BuiltEngine) -> TensorRtExecutor:
    """Deserialize an engine for the GPU whose context is current.

    Raises:
        EngineRefused: TensorRT does not take it.
        NoTensorRt: the flavour that built it is not installed.
    """
    flavour, trt = find_flavour(engine.metadata["flavour"])
    cuda = Cuda()
    logger = process_logger(trt)
    logger.take()
    runtime = trt.Runtime(logger)
    loaded = runtime.deserialize_cuda_engine(engine.payload) if runtime is not None else None
    if loaded is None:
        raise EngineRefused(
            f"{_NAMES[flavour]} {trt.__version__} refuses an engine that {engine.metadata['version']} built"
            f"{_targets(engine)} on {_device(cuda)}: {_reason(trt, runtime, engine.payload, logger)}"
        )
    return TensorRtExecutor(trt, loaded, engine, cuda, (runtime, logger))


def _targets(engine: BuiltEngine) -> str:
    targets = engine.metadata["compute_capabilities"]
    return f" for compute capability {', '.join(targets)}" if targets else ""


def _device(cuda: Cuda) -> str:
    try:
        return cuda.describe()
    except CudaError as error:
        return f"this machine ({error})"


def _reason(trt: Any, runtime: Any, payload: bytes, logger: Any) -> str:
    """Return what TensorRT has logged, and what its own check of the engine finds."""
    found = [logger.take()]
    if hasattr(runtime, "get_engine_validity"):
        _, bits = runtime.get_engine_validity(payload)
        members = trt.EngineInvalidityDiagnostics.__members__.items()
        found += [name.lower().replace("_", " ") for name, bit in members if int(bits) & int(bit)]
    return "; ".join(filter(None, found)) or "it does not say why"
