"""Parsing and printing tensor names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfgraft.graph.ref import TensorRef, control_source

NAMES = st.from_regex(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]{0,12}", fullmatch=True)


@given(NAMES, st.integers(0, 999))
def test_printing_and_parsing_are_inverse(name: str, port: int) -> None:
    ref = TensorRef(name, port)
    assert TensorRef.parse(str(ref)) == ref
    assert TensorRef.parse(ref.as_input()) == ref


def test_port_zero_may_be_left_out() -> None:
    assert TensorRef.parse("a/b") == TensorRef("a/b", 0)
    assert TensorRef("a/b").as_input() == "a/b"
    assert str(TensorRef("a/b")) == "a/b:0"
    assert TensorRef("a", 2).as_input() == "a:2"


@pytest.mark.parametrize("text", ["", "^a", "a:", ":0", ":", "a:b", "a:-1", "a:1.0", "a:0:x", "a: 1"])
def test_what_is_no_tensor_name_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(ValueError, match="not the name of a tensor") as error:
        TensorRef.parse(text)
    assert repr(text) in str(error.value)


def test_control_inputs() -> None:
    assert control_source("^a/b") == "a/b"
    assert control_source("a/b") is None
    assert control_source("a:1") is None
