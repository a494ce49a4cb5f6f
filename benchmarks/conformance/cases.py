"""ONNX's node tests, and how a test's inputs become the network's inputs or its constants."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One node test: its model, the inputs by name, the expected outputs in order and the tolerances ONNX gives."""

    name: str
    model: Any
    inputs: dict[str, Array]
    expected: list[Array]
    rtol: float
    atol: float


def load_cases() -> dict[str, Case | str]:
    """Return ONNX's node tests by name; a str says why one cannot be used at all (sequences, strings, ...)."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tests' own arithmetic overflows on purpose
        tests = load_model_tests(kind="node")
    return {test.name: _case(test) for test in sorted(tests, key=lambda test: test.name)}


def _case(test: Any) -> Case | str:
    inputs, outputs = test.data_sets[0]
    names = [value.name for value in test.model.graph.input]
    try:
        given = {name: _array(value) for name, value in zip(names, inputs, strict=False)}
        expected = [_array(value) for value in outputs]
    except TypeError as error:
        return str(error)
    if any(value.dtype.kind in "OUSc" for value in (*given.values(), *expected)):
        return "has strings or complex numbers"
    return Case(test.name, test.model, given, expected, test.rtol, test.atol)


def _array(value: Any) -> Array:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value)
    raise TypeError(f"has a {type(value).__name__}, not a tensor")


def variants(case: Case) -> Iterator[tuple[Any, dict[str, Array]]]:
    """Give models with more and more of the inputs as constants, each with the inputs that are left.

    Shapes, axes, counts and scales have to be constants for TensorRT; which those are depends on the op. So first none
    is, then integers of rank 0 and 1 that are not the first input, then all small inputs but the first, then all.
    """
    names = list(case.inputs)
    steps: list[list[str]] = [
        [],
        [n for n in names[1:] if case.inputs[n].dtype.kind in "iu" and case.inputs[n].ndim < 2],
        [n for n in names[1:] if case.inputs[n].ndim < 2],
        names[1:],
        [n for n in names if case.inputs[n].dtype.kind in "iub" and case.inputs[n].ndim < 2],
        names,
    ]
    seen: list[list[str]] = []
    for frozen in steps:
        if frozen not in seen:
            seen.append(frozen)
            yield _freeze(case, frozen), {n: v for n, v in case.inputs.items() if n not in frozen}


def _freeze(case: Case, names: Sequence[str]) -> Any:
    """Return the model with some inputs as initializers, and the shapes of the others as the test's data has them."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    kept = [value for value in graph.input if value.name not in names]
    del graph.input[:]
    graph.input.extend(kept)
    initial = {tensor.name for tensor in graph.initializer}
    graph.initializer.extend(numpy_helper.from_array(case.inputs[n], n) for n in names if n not in initial)
    for value in kept:
        if value.name in case.inputs:
            shape = value.type.tensor_type.shape
            del shape.dim[:]
            for length in case.inputs[value.name].shape:
                shape.dim.add().dim_value = length
    return model
