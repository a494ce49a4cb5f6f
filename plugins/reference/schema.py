"""Which attributes and weights each layer type of TensorRT has, by the names of its Python API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerSchema:
    """How to read one layer type: its class in TensorRT's Python API, its plain attributes and its weights."""

    cls: str
    attrs: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()


_WINDOW = ("padding_mode", "pre_padding", "post_padding", "stride_nd")
_CONVOLUTION = ("kernel_size_nd", "num_output_maps", "num_groups", "dilation_nd", *_WINDOW)
_QUANTIZE = ("axis", "block_shape", "to_type")

ATTENTION_ATTRS = (
    "name",
    "norm_op",
    "causal",
    "causal_kind",
    "query_form",
    "key_value_form",
    "normalization_quantize_to_type",
)
ATTENTION_TENSORS = ("mask", "normalization_quantize_scale", "query_lengths", "key_value_lengths")

SCHEMAS: dict[str, LayerSchema] = {
    "activation": LayerSchema("IActivationLayer", ("type", "alpha", "beta")),
    "assertion": LayerSchema("IAssertionLayer", ("message",)),
    "attention_input": LayerSchema("IAttentionInputLayer"),
    "attention_output": LayerSchema("IAttentionOutputLayer"),
    "cast": LayerSchema("ICastLayer", ("to_type",)),
    "concatenation": LayerSchema("IConcatenationLayer", ("axis",)),
    "condition": LayerSchema("IConditionLayer"),
    "conditional_input": LayerSchema("IIfConditionalInputLayer"),
    "conditional_output": LayerSchema("IIfConditionalOutputLayer"),
    "constant": LayerSchema("IConstantLayer", ("shape",), ("weights",)),
    "convolution": LayerSchema("IConvolutionLayer", _CONVOLUTION, ("kernel", "bias")),
    "cumulative": LayerSchema("ICumulativeLayer", ("op", "exclusive", "reverse")),
    "deconvolution": LayerSchema("IDeconvolutionLayer", _CONVOLUTION, ("kernel", "bias")),
    "dequantize": LayerSchema("IDequantizeLayer", _QUANTIZE),
    "dynamic_quantize": LayerSchema(
        "IDynamicQuantizeLayer", ("axis", "block_size", "block_shape", "scale_type", "to_type")
    ),
    "einsum": LayerSchema("IEinsumLayer", ("equation",)),
    "elementwise": LayerSchema("IElementWiseLayer", ("op",)),
    "fill": LayerSchema("IFillLayer", ("shape", "operation", "alpha", "beta", "to_type")),
    "gather": LayerSchema("IGatherLayer", ("axis", "mode", "num_elementwise_dims")),
    "grid_sample": LayerSchema("IGridSampleLayer", ("align_corners", "interpolation_mode", "sample_mode")),
    "identity": LayerSchema("IIdentityLayer"),
    "iterator": LayerSchema("IIteratorLayer", ("axis", "reverse")),
    "kv_cache_update": LayerSchema("IKVCacheUpdateLayer", ("cache_mode", "update_form")),
    "loop_output": LayerSchema("ILoopOutputLayer", ("axis", "kind")),
    "lrn": LayerSchema("ILRNLayer", ("alpha", "beta", "k", "window_size")),
    "matrix_multiply": LayerSchema("IMatrixMultiplyLayer", ("op0", "op1")),
    "nms": LayerSchema("INMSLayer", ("bounding_box_format", "topk_box_limit", "indices_type")),
    "non_zero": LayerSchema("INonZeroLayer", ("indices_type",)),
    "normalization": LayerSchema("INormalizationLayer", ("axes", "epsilon", "num_groups", "is_v2")),
    "one_hot": LayerSchema("IOneHotLayer", ("axis",)),
    "padding": LayerSchema("IPaddingLayer", ("pre_padding_nd", "post_padding_nd")),
    "parametric_relu": LayerSchema("IParametricReLULayer"),
    "pooling": LayerSchema(
        "IPoolingLayer", ("type", "window_size_nd", "average_count_excludes_padding", "blend_factor", *_WINDOW)
    ),
    "quantize": LayerSchema("IQuantizeLayer", _QUANTIZE),
    "ragged_softmax": LayerSchema("IRaggedSoftMaxLayer"),
    "recurrence": LayerSchema("IRecurrenceLayer"),
    "reduce": LayerSchema("IReduceLayer", ("axes", "keep_dims", "op")),
    "resize": LayerSchema(
        "IResizeLayer",
        (
            "resize_mode",
            "coordinate_transformation",
            "selector_for_single_pixel",
            "nearest_rounding",
            "cubic_coeff",
            "exclude_outside",
            "shape",
            "scales",
        ),
    ),
    "reverse_sequence": LayerSchema("IReverseSequenceLayer", ("batch_axis", "sequence_axis")),
    "rotary_embedding": LayerSchema("IRotaryEmbeddingLayer", ("interleaved", "rotary_embedding_dim")),
    "scale": LayerSchema("IScaleLayer", ("mode", "channel_axis"), ("scale", "shift", "power")),
    "scatter": LayerSchema("IScatterLayer", ("axis", "mode")),
    "select": LayerSchema("ISelectLayer"),
    "shape": LayerSchema("IShapeLayer"),
    "shuffle": LayerSchema(
        "IShuffleLayer", ("first_transpose", "reshape_dims", "second_transpose", "zero_is_placeholder")
    ),
    "slice": LayerSchema("ISliceLayer", ("start", "shape", "stride", "axes", "mode")),
    "softmax": LayerSchema("ISoftMaxLayer", ("axes",)),
    "squeeze": LayerSchema("ISqueezeLayer"),
    "topk": LayerSchema("ITopKLayer", ("axes", "k", "op", "indices_type")),
    "trip_limit": LayerSchema("ITripLimitLayer", ("kind",)),
    "unary": LayerSchema("IUnaryLayer", ("op",)),
    "unsqueeze": LayerSchema("IUnsqueezeLayer"),
}
"""By layer kind; what is not here (plugins, mixtures of experts, collectives) is read without attributes."""
