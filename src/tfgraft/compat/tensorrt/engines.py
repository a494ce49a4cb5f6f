"""Which engine stands in for TF-TRT's, and its options."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from tfgraft.compat.tensorrt.params import DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES
from tfgraft.plugins.tensorrt.flavour import NoTensorRt, find_flavour
from tfgraft.runtime.node import OP_NAME, read_metadata
from tfgraft.runtime.process import current

_LOG = logging.getLogger("tfgraft")
_NETWORKS = ("tensorrt", "reference")
"""Engines whose options are TensorRT's."""
_RTX = ((7, 5), (8, 0), (8, 6), (8, 9))
_RTX_FROM = (12, 0)


def default_engine() -> str:
    """Return "tensorrt" if its engines run in this process, else "onnxruntime"; the log says why, once."""
    reason = _why_not_tensorrt()
    if not reason:
        return "tensorrt"
    process, _ = current()
    if process.first_time(__name__, reason):
        _LOG.warning(
            "Engines are built for ONNX Runtime, because TensorRT cannot run here: %s. Give engine='onnxruntime' to "
            "say that this is wanted, or engine='tensorrt' to build for another machine.",
            reason,
        )
    return "onnxruntime"


def _why_not_tensorrt() -> str:
    import tensorflow as tf

    try:
        flavour, _ = find_flavour()
    except NoTensorRt as error:
        return str(error)
    cards = tf.config.list_physical_devices("GPU")
    if not cards:
        return "TensorFlow sees no GPU"
    capability = tf.config.experimental.get_device_details(cards[0]).get("compute_capability", _RTX_FROM)
    if flavour == "tensorrt_rtx" and capability not in _RTX and capability < _RTX_FROM:
        return f"TensorRT-RTX has no kernels for compute capability {'.'.join(map(str, capability))}"
    return ""


def engine_options(
    engine: str,
    given: Mapping[str, Any],
    *,
    workspace_bytes: int,
    max_batch_size: int | None = None,
    profiles: Sequence[Mapping[str, Any]] = (),
    observed: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return what TF-TRT's parameters are as options of an engine; those that the user gives by name come first.

    ONNX Runtime takes any shape and has no limit of its own to the memory it works in, so there they are no options.

    Args:
        engine: the engine's name.
        given: the user's own options for the engine.
        workspace_bytes: limit of the working memory.
        max_batch_size: the largest size of a first dimension that is unknown; None for the engine's own.
        profiles, observed: shapes to optimize for; see `TensorRtOptions`.
    """
    if engine not in _NETWORKS:
        return dict(given)
    options: dict[str, Any] = {}
    if workspace_bytes != DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES:
        options["workspace_bytes"] = workspace_bytes
    if max_batch_size is not None:
        options["batch"] = (1, max_batch_size, max_batch_size)
    shapes = {"profiles": tuple(profiles), "observed": tuple(observed)}
    options.update((name, value) for name, value in shapes.items() if value)
    return {**options, **given}


def takes_profiles(engine: str) -> bool:
    """Tell whether an engine is built for certain shapes."""
    return engine in _NETWORKS


def check_portable(graph_def: Any) -> None:
    """Raise ValueError if a graph has engines that run on the kind of GPU alone on which they were built."""
    every = [*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)]
    for node in every:
        if node.op == OP_NAME and read_metadata(node.attr["metadata"].s).metadata.get("flavour") == "tensorrt":
            raise ValueError(
                f"save_gpu_specific_engines=False: {node.name} was built by TensorRT for this GPU, and engines are not "
                "built again when a model is loaded. Convert on each kind of GPU, or build with "
                "flavour='tensorrt_rtx', or for engine='onnxruntime'."
            )
