"""Why the interpreter's numbers differ from ONNX's in cases that are known."""

from __future__ import annotations

import re

_CAUSES: tuple[tuple[str, str], ...] = (
    (r"test_attention.*nonpad", "TensorRT's parser ignores the input nonpad_kv_seqlen."),
    (r"test_attention.*window", "TensorRT's parser ignores the window sizes."),
    (r"averagepool_2d_ceil_last_window|maxpool_2d_ceil_output_size", "TensorRT keeps a last window that starts in the "
     "padding; ONNX drops it. The shape is TensorRT's own."),
    (r"(castlike|cast)_no_saturate", "TensorRT's parser ignores saturate=0: its casts to FP8 always saturate."),
    (r"(gru|lstm|rnn)_batchwise", "TensorRT's parser ignores the attribute layout=1."),
    (r"test_triu", "TensorRT's parser takes the attribute `upper` to be 0 where it is left out; ONNX's default is 1."),
    (r"spacetodepth_crd", "TensorRT's parser ignores the attribute mode=CRD."),
    (r"test_bernoulli", "Random numbers, from another generator."),
    (r"test_stft", "Sums that are 0 exactly come out as some 1e-6, rounding of FP32 sums of terms that cancel."),
    (r"nonmaxsuppression_two_classes", "TensorRT sorts the boxes of an image by score, ONNX by class first."),
    (r"test_quantizelinear", "TensorRT's parser makes it INT8, with a UINT8 zero point that TensorRT refuses."),
    (r"onehot_(negative|out_of_range)", "TensorRT does not define indices outside 0 ... depth - 1; ONNX wraps them."),
)  # fmt: skip


def cause(name: str) -> str:
    """Return the known cause of a difference, or that it is not known."""
    for pattern, text in _CAUSES:
        if re.search(pattern, name):
            return text
    return "Not known."
