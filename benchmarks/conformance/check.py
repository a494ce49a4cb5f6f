"""Checking one case: parse, read, interpret, compare with what ONNX expects, build."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import numpy_helper

from benchmarks.conformance.cases import Array, Case, variants
from tfgraft.plugins.reference.interpreter import Interpreter
from tfgraft.plugins.reference.network import Network
from tfgraft.plugins.reference.read import read_network

_LOOSE = {"float16": (2e-3, 1e-3), "bfloat16": (2e-2, 1e-2)}
"""Least relative and absolute tolerance of results in types with few digits."""
_UNREADABLE = ("bfloat16", "float8_e4m3fn", "int4", "float4_e2m1fn")

Event = Callable[[str, str], None]


def make_logger(trt: Any) -> Any:
    """Return an `ILogger` that keeps the errors in its list `messages`."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.messages: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            # TensorRT-RTX says after every failure that there is no CUDA device.
            if severity <= trt.ILogger.ERROR and "cudaError" not in message and "CUDA initialization" not in message:
                self.messages.append(message)

    return Logger()


def check(case: Case, build: bool, event: Event) -> None:
    """Check a case in one variant after the other, until one builds (or, without building, parses).

    `event` gets each thing that comes out at once, for what follows may end the process. For each variant:
    ("unparsed", why), or ("parsed", kinds of layers), then ("agrees", "") or ("differs", why), then ("built", "") or
    ("refused", why).
    """
    trt = importlib.import_module("tensorrt_rtx")
    for model, inputs in variants(case):
        logger = make_logger(trt)
        builder = trt.Builder(logger)
        network = builder.create_network(0)
        parser = trt.OnnxParser(network, logger)
        if not parser.parse(model.SerializeToString()):
            event("unparsed", parser.get_error(0).desc())
            continue
        kinds = {trt.ILayer.type.__get__(network.get_layer(i)).name.lower() for i in range(network.num_layers)}
        event("parsed", " ".join(sorted(kinds)))
        event(*_interpret(trt, case, model, network, inputs))
        if not build:
            return
        refusal = _build(trt, builder, network, logger)
        event("refused" if refusal else "built", refusal)
        if not refusal:
            return


def _interpret(trt: Any, case: Case, model: Any, network: Any, inputs: dict[str, Array]) -> tuple[str, str]:
    unreadable = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    unreadable = {name: value for name, value in unreadable.items() if value.dtype.name in _UNREADABLE}
    try:
        plain = read_network(trt, network, unreadable)
        results = Interpreter(plain).run(_feed(plain, inputs))
    except Exception as error:  # whatever goes wrong is the result
        return "differs", f"{type(error).__name__}: {error}"
    for tensor in plain.outputs:
        shape, got = tensor.shape, results[tensor.name].shape
        if shape is not None and not fits(got, shape):
            return "differs", f"the interpreter's shape {got} is not TensorRT's own, {shape}"
    names = [output.name for output in case.model.graph.output]
    return compare([results[name] for name in names], case.expected, case.rtol, case.atol)


def fits(shape: tuple[int, ...], declared: tuple[int, ...]) -> bool:
    """Tell whether a shape is as declared, with -1 for anything."""
    return len(shape) == len(declared) and all(d in (-1, n) for n, d in zip(shape, declared, strict=True))


def _feed(network: Network, inputs: dict[str, Array]) -> dict[str, Array]:
    """Return the inputs as the network wants them: TensorRT takes FP64 as FP32, and may rename what a loop reads."""
    left = [name for name in inputs if name not in {tensor.name for tensor in network.inputs}]
    named = {t.name: inputs[t.name if t.name in inputs else left.pop(0)] for t in network.inputs}
    return {
        t.name: named[t.name].astype(np.float32) if named[t.name].dtype == np.float64 else named[t.name]
        for t in network.inputs
    }


def compare(results: Sequence[Array], expected: Sequence[Array], rtol: float, atol: float) -> tuple[str, str]:
    """Return ("agrees", "") or ("differs", why)."""
    for i, (value, wanted) in enumerate(zip(results, expected, strict=True)):
        if value.shape != wanted.shape:
            return "differs", f"output {i} has shape {value.shape}, expected {wanted.shape}"
        least = _LOOSE.get(wanted.dtype.name, (0.0, 0.0))
        if value.dtype != (np.dtype(np.float32) if wanted.dtype == np.float64 else wanted.dtype):
            return "differs", f"output {i} is {value.dtype}, expected {wanted.dtype}"
        a, b = value.astype(np.float64), wanted.astype(np.float64)
        close = np.isclose(a, b, max(rtol, least[0]), max(atol, least[1]), equal_nan=True)
        if not close.all():
            at = tuple(int(v) for v in np.argwhere(~close)[0])
            wrong = np.count_nonzero(~close)
            return "differs", f"output {i}: {wrong} of {close.size}, first {at}: {a[at]:.9g}, expected {b[at]:.9g}"
    return "agrees", ""


def _build(trt: Any, builder: Any, network: Any, logger: Any) -> str:
    """Return why TensorRT does not build a network, or an empty str."""
    logger.messages.clear()
    config = builder.create_builder_config()
    if hasattr(config, "num_compute_capabilities"):
        config.num_compute_capabilities = 1
        config.set_compute_capability(trt.ComputeCapability.SM120, 0)
    plan = builder.build_serialized_network(network, config)
    return "" if plan is not None else (logger.messages or ["no reason given"])[0]
