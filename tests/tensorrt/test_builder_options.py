"""The options of the engine `tensorrt`: what is wrong is named."""

from __future__ import annotations

from typing import Any

import pytest

from tfgraft.plugins.tensorrt.builder import TensorRtBuilder
from tfgraft.plugins.tensorrt.options import TensorRtOptions

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"precision": "fp16"}, "has no option 'precision'; it has flavour, route,"),
    ({"flavour": "trt"}, "flavour is one of None, 'tensorrt', 'tensorrt_rtx', not 'trt'"),
    ({"route": "uff"}, "route is one of 'native', 'onnx', not 'uff'"),
    ({"workspace_bytes": -1}, "workspace_bytes is a whole number, 0 or more"),
    ({"workspace_bytes": True}, "workspace_bytes is a whole number"),
    ({"optimization_level": 6}, "optimization_level is a whole number, 0 to 5"),
    ({"optimization_level": 1.5}, "optimization_level is a whole number, 0 to 5"),
    ({"compute_capabilities": ("86",)}, "texts such as \"8.6\", not '86'"),
    ({"compute_capabilities": (8.6,)}, "compute_capabilities is not a list of texts"),
    ({"batch": (4, 2, 8)}, "batch is (minimum, optimum, maximum) in this order"),
    ({"unknown": (1, 2)}, "unknown is not (minimum, optimum, maximum)"),
    ({"profiles": {"x": ((1, 3), (4, 3))}}, "profiles is not a list of mappings"),
    ({"profiles": [{"x": "abc"}]}, "profiles is not a list of mappings"),
    ({"profiles": [{"x": ((1,), (1, 2), (1,))}]}, "gives 'x' shapes of different ranks"),
    ({"profiles": [{"x": ((4,), (2,), (8,))}]}, "gives 'x' a minimum, optimum or maximum out of order"),
    ({"observed": [{"x": 3}]}, "observed is not a list of mappings"),
    ({"values": {"x": (1, 2, 3)}}, "values is not a mapping"),
    ({"tf32": "no"}, "tf32 is one of True, False"),
    ({"version_compatible": 1}, "version_compatible is one of True, False"),
    ({"timing_cache": 3}, "timing_cache is the path of a file"),
    ({"isolate": "yes"}, "isolate is one of None, True, False"),
    ({"timeout": 0}, "timeout is a number of seconds above 0"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[str(o) for o, _ in WRONG])
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        TensorRtBuilder().check_options(options)
    assert message in str(caught.value)


def test_forms_that_are_taken() -> None:
    made = TensorRtOptions.of(
        {"compute_capabilities": "8.9", "profiles": {"x": [[1, 4], [2, 4], [8, 4]]}, "observed": {"x": (3, 4)}}
    )
    assert made.compute_capabilities == ("8.9",)
    assert made.profiles == ({"x": ((1, 4), (2, 4), (8, 4))},)
    assert made.observed == ({"x": (3, 4)},)


def test_the_route_chooses_the_converters() -> None:
    builder = TensorRtBuilder()
    assert builder.converter_sets({}) == builder.converters == ("tensorrt",)
    assert builder.converter_sets({"route": "onnx"}) == ("onnx",)
