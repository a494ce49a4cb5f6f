"""The names of `tensorflow.python.compiler.tensorrt.trt_convert`."""

from __future__ import annotations

from tfgraft.compat.tensorrt.converter import TrtGraphConverterV2
from tfgraft.compat.tensorrt.converter_v1 import TrtGraphConverter
from tfgraft.compat.tensorrt.create import calib_graph_to_infer_graph, create_inference_graph
from tfgraft.compat.tensorrt.params import (
    DEFAULT_TRT_CONVERSION_PARAMS,
    DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
    PROFILE_STRATEGY_IMPLICIT_BATCH_MODE_COMPATIBLE,
    PROFILE_STRATEGY_OPTIMAL,
    PROFILE_STRATEGY_RANGE,
    PROFILE_STRATEGY_RANGE_OPTIMAL,
    TrtConversionParams,
    TrtPrecisionMode,
    supported_profile_strategies,
)

Converter = TrtGraphConverterV2
ConversionParams = TrtConversionParams
"""The names of `tf.experimental.tensorrt`."""

__all__ = [
    "DEFAULT_TRT_CONVERSION_PARAMS",
    "DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES",
    "PROFILE_STRATEGY_IMPLICIT_BATCH_MODE_COMPATIBLE",
    "PROFILE_STRATEGY_OPTIMAL",
    "PROFILE_STRATEGY_RANGE",
    "PROFILE_STRATEGY_RANGE_OPTIMAL",
    "ConversionParams",
    "Converter",
    "TrtConversionParams",
    "TrtGraphConverter",
    "TrtGraphConverterV2",
    "TrtPrecisionMode",
    "calib_graph_to_infer_graph",
    "create_inference_graph",
    "supported_profile_strategies",
]
