"""The parameters of TF-TRT: their names, their defaults, and the errors for what they cannot be."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from tfgraft.errors import nearest

DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES = sys.maxsize - 512
"""No limit: what TF-TRT's default is since TensorRT 8.4."""
PROFILE_STRATEGY_RANGE = "Range"
PROFILE_STRATEGY_OPTIMAL = "Optimal"
PROFILE_STRATEGY_RANGE_OPTIMAL = "Range+Optimal"
PROFILE_STRATEGY_IMPLICIT_BATCH_MODE_COMPATIBLE = "ImplicitBatchModeCompatible"


class TrtPrecisionMode:
    """The precisions, by name."""

    FP32 = "FP32"
    FP16 = "FP16"
    INT8 = "INT8"

    @staticmethod
    def supported_precision_modes() -> list[str]:
        """Return the names, in capitals and in small letters."""
        modes = [TrtPrecisionMode.FP32, TrtPrecisionMode.FP16, TrtPrecisionMode.INT8]
        return modes + [mode.lower() for mode in modes]


def supported_profile_strategies() -> list[str]:
    """Return the names of the ways to make profiles out of shapes that were seen."""
    return [
        PROFILE_STRATEGY_RANGE,
        PROFILE_STRATEGY_OPTIMAL,
        PROFILE_STRATEGY_RANGE_OPTIMAL,
        PROFILE_STRATEGY_IMPLICIT_BATCH_MODE_COMPATIBLE,
    ]


class TrtConversionParams(NamedTuple):
    """The parameters of a conversion as one value; the last three are of TensorFlow 1.14 to 2.3.

    Args:
        max_workspace_size_bytes: limit of the working memory of TensorRT's engines.
        precision_mode: one of `TrtPrecisionMode.supported_precision_modes()`.
        minimum_segment_size: smaller clusters stay in TensorFlow; -1 for no engine at all.
        maximum_cached_engines: for how many shapes an engine is optimized.
        use_calibration: for INT8: whether ranges come from data, and not from quantization nodes in the model.
        allow_build_at_runtime: whether shapes of which nothing is known when an engine is built run in it too.
        rewriter_config_template: not used; TensorFlow's optimizers are chosen by `tfgraft.default_pipeline`.
        is_dynamic_op: whether engines take any batch, and not only up to `max_batch_size`.
        max_batch_size: the largest batch that TensorRT's engines take where `is_dynamic_op` is false.
    """

    max_workspace_size_bytes: int = DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES
    precision_mode: str = TrtPrecisionMode.FP32
    minimum_segment_size: int = 3
    maximum_cached_engines: int = 1
    use_calibration: bool = True
    allow_build_at_runtime: bool = True
    rewriter_config_template: Any = None
    is_dynamic_op: bool = True
    max_batch_size: int | None = 1


DEFAULT_TRT_CONVERSION_PARAMS = TrtConversionParams()


def check_params(params: TrtConversionParams) -> None:
    """Raise ValueError for the first parameter that cannot be what it is, with what it may be."""
    modes = TrtPrecisionMode.supported_precision_modes()
    if params.precision_mode not in modes:
        near = nearest(str(params.precision_mode), modes)
        raise ValueError(f"precision_mode is one of {', '.join(modes)}, not {params.precision_mode!r}. {near}".rstrip())
    size = params.minimum_segment_size
    if not _is_whole(size) or (size <= 0 and size != -1):
        raise ValueError(f"minimum_segment_size is positive, or -1 for no engine in the main graph, not {size!r}.")
    for name in ("max_workspace_size_bytes", "maximum_cached_engines"):
        value = getattr(params, name)
        if not _is_whole(value) or value < 1:
            raise ValueError(f"{name} is a positive whole number, not {value!r}.")
    batch = params.max_batch_size
    if not params.is_dynamic_op and (not _is_whole(batch) or batch is None or batch < 1):
        raise ValueError(f"max_batch_size is a positive whole number when is_dynamic_op is false, not {batch!r}.")


def strategy_of(name: str | None) -> str:
    """Return a profile strategy as it is spelled; None gives the default, and case does not matter.

    Raises:
        ValueError: there is no such strategy.
    """
    names = supported_profile_strategies()
    for known in names:
        if (name or PROFILE_STRATEGY_RANGE).lower() == known.lower():
            return known
    raise ValueError(f"dynamic_shape_profile_strategy is one of {', '.join(names)}, not {name!r}.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
