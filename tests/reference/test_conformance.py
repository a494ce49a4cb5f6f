"""Some of ONNX's node tests through TensorRT's parser and the interpreter; `make conformance` runs all of them."""

from __future__ import annotations

import os
import signal

import pytest

from benchmarks.conformance import run
from benchmarks.conformance.cases import Case, load_cases
from benchmarks.conformance.check import Event, check
from benchmarks.conformance.report import Summary, markdown
from benchmarks.conformance.run import Result

NAMES = [
    "add_bcast",
    "and_bcast3v2d",
    "argmax_default_axis_example",
    "asinh",
    "attention_4d_causal",
    "attention_4d_gqa",
    "averagepool_2d_ceil",
    "averagepool_2d_same_lower",
    "basic_conv_with_padding",
    "batchnorm_example",
    "cast_FLOAT_to_FLOAT16",
    "clip_default_inbounds",
    "concat_3d_axis_negative_3",
    "conv_with_strides_and_asymmetric_padding",
    "convtranspose_3d",
    "convtranspose_dilations",
    "cumsum_2d_axis_1",
    "depthtospace_crd_mode_example",
    "einsum_batch_matmul",
    "elu",
    "erf",
    "eyelike_populate_off_main_diagonal",
    "flatten_axis2",
    "gather_elements_1",
    "gathernd_example_int32_batch_dim1",
    "gelu_tanh_1",
    "gemm_all_attributes",
    "globalmaxpool",
    "gridsample_bicubic_align_corners_0_additional_1",
    "gridsample_reflection_padding",
    "gridsample_volumetric_bilinear_align_corners_1",
    "group_normalization_example",
    "gru_with_initial_bias",
    "hardsigmoid",
    "if",
    "instancenorm_epsilon",
    "layer_normalization_4d_axis2_expanded",
    "loop11",
    "lrn",
    "lstm_with_peepholes",
    "matmul_bcast",
    "mod_mixed_sign_int32",
    "nonmaxsuppression_suppress_by_IOU",
    "onehot_with_axis",
    "pow_types_int32_float32",
    "prelu_broadcast",
    "range_float_type_positive_delta_expanded",
    "reduce_log_sum_exp_negative_axes_keepdims_random",
    "reflect_pad",
    "resize_downsample_sizes_nearest",
    "resize_upsample_scales_cubic_A_n0p5_exclude_outside",
    "resize_upsample_scales_linear_align_corners",
    "resize_upsample_sizes_nearest_ceil_half_pixel",
    "reversesequence_time",
    "rnn_seq_length",
    "rotary_embedding_with_interleaved_rotary_dim",
    "round",
    "scan9_sum",
    "scatter_elements_with_negative_indices",
    "scatternd",
    "slice_neg_steps",
    "softmax_axis_1",
    "spacetodepth_example",
    "split_variable_parts_2d_opset18",
    "squeeze_negative_axes",
    "tile",
    "top_k_negative_axis",
    "transpose_all_permutations_4",
    "tril_neg",
    "unsqueeze_unsorted_axes",
    "where_example",
]


@pytest.fixture(scope="module")
def cases() -> dict[str, Case | str]:
    pytest.importorskip("tensorrt_rtx")
    return load_cases()


@pytest.mark.parametrize("name", NAMES)
def test_onnx_node_test(cases: dict[str, Case | str], name: str) -> None:
    case = cases[f"test_{name}"]
    assert isinstance(case, Case)
    result = Result(name)
    check(case, False, result.take)
    assert result.final is not None, result.unparsed
    assert result.final.agrees, result.final.difference


def test_a_case_that_ends_the_process_is_named_and_the_rest_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child is forked, so it sees what is patched here."""

    def dying(case: Case, build: bool, event: Event) -> None:
        event("parsed", "cast shape")
        event("agrees", "")
        if case.name == "b":
            os.kill(os.getpid(), signal.SIGKILL)
        event("built", "")

    monkeypatch.setattr(run, "check", dying)
    cases = {name: Case(name, None, {}, [], 0, 0) for name in "abc"}
    results = run.run_cases({**cases, "d": "has strings"}, True)
    assert [r.name for r in results] == ["a", "b", "c", "d"]
    assert [r.final.built for r in results if r.final] == [True, False, True]
    assert results[1].final is not None
    assert results[1].final.refusal == "the process ended with -9"
    assert Summary.of(results) == Summary(cases=4, parsed=3, built=2, agree=2, parsed_agree=3)
    text = markdown(results)
    assert "| **of these, agree** | **2** |" in text
    assert "| the process ended with -9 | 1 |" in text
    assert "| cast | 3 |" in text
