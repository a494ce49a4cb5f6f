"""Sharing the memory of GPUs between TensorFlow and engines.

TensorFlow takes all of a GPU's memory when it first uses it, and an engine that is loaded later finds none. The
announcement of TF-TRT tells users to split it by hand; these functions do the split.
"""

from __future__ import annotations

from typing import Any

from tfgraft.runtime.cuda import Cuda, CudaError

_MEBI = 1 << 20


def fraction_for(workspace_bytes: int, card_bytes: int | None = None, *, ordinal: int = 0) -> float:
    """Return the share of a GPU's memory that TensorFlow may have, so that engines find what they need.

    On a card of 12 GB of which engines get 4 it is (12 - 4) / 12 = 0.67.

    Args:
        workspace_bytes: what engines get: their weights and working memory together, somewhat more than they need.
        card_bytes: the memory of the card; None to ask the CUDA driver.
        ordinal: which card to ask about.

    Raises:
        ValueError: the engines would leave nothing to TensorFlow, or a size is negative.
        CudaError: there is no CUDA driver, or no such card; then `card_bytes` has to be given.
    """
    if card_bytes is None:
        try:
            card_bytes = Cuda().total_memory(ordinal)
        except CudaError as error:
            raise CudaError(f"The memory of GPU {ordinal} is not known: {error}. Give card_bytes.") from error
    if workspace_bytes < 0:
        raise ValueError(f"workspace_bytes is a number of bytes, 0 or more, not {workspace_bytes!r}.")
    if workspace_bytes >= card_bytes:
        raise ValueError(
            f"A card of {_gib(card_bytes)} has nothing left for TensorFlow when engines get {_gib(workspace_bytes)}. "
            "Give engines less."
        )
    return (card_bytes - workspace_bytes) / card_bytes


def memory_fraction(fraction: float) -> Any:
    """Let TensorFlow have a share of each GPU's memory, and leave the rest to engines.

    For eager programs the limit is set by this call, which must come before TensorFlow first uses a GPU. Sessions get
    it from the result: `tf.compat.v1.Session(config=tfgraft.gpu.memory_fraction(0.67))`. Without a GPU there is nothing
    to limit, and the result does no harm.

    Args:
        fraction: the share, above 0 and at most 1; see `fraction_for`.

    Returns:
        A `tf.compat.v1.ConfigProto`, which may be changed.

    Raises:
        ValueError: the fraction is no share.
        RuntimeError: this program is eager and TensorFlow has taken the memory already.
    """
    import tensorflow as tf

    if not 0 < fraction <= 1:
        raise ValueError(f"fraction is above 0 and at most 1, such as 0.67, not {fraction!r}.")
    if tf.executing_eagerly():
        for ordinal, device in enumerate(tf.config.list_physical_devices("GPU")):
            _limit(tf, device, int(fraction * Cuda().total_memory(ordinal)))
    options = tf.compat.v1.GPUOptions(per_process_gpu_memory_fraction=fraction)
    return tf.compat.v1.ConfigProto(gpu_options=options)


def _limit(tf: Any, device: Any, size: int) -> None:
    limit = tf.config.LogicalDeviceConfiguration(memory_limit=size // _MEBI)
    try:
        tf.config.set_logical_device_configuration(device, [limit])
    except RuntimeError as error:
        raise RuntimeError(
            f"TensorFlow has taken the memory of {device.name} already, and keeps it until the process ends. Call "
            "tfgraft.gpu.memory_fraction before the first operation of the program."
        ) from error


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
