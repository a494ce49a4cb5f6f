"""Attributes: every kind there and back, and the kinds that are easily mixed up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, tensor_shape_pb2

from tfgraft.graph.attrs import Attrs, DType, FunctionRef, decode, encode, shape_attr


def attr(**fields: Any) -> attr_value_pb2.AttrValue:
    return attr_value_pb2.AttrValue(**fields)


def shape(*sizes: int, unknown: bool = False) -> tensor_shape_pb2.TensorShapeProto:
    return tensor_shape_pb2.TensorShapeProto(
        dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=s) for s in sizes], unknown_rank=unknown
    )


def func(name: str) -> attr_value_pb2.NameAttrList:
    return attr_value_pb2.NameAttrList(name=name, attr={"T": attr(type=1), "n": attr(i=3)})


TENSOR = tf.make_tensor_proto(np.arange(6, dtype=np.float32).reshape(2, 3))
List = attr_value_pb2.AttrValue.ListValue
KINDS = {
    "bytes": (attr(s=b"\xff\x00SAME"), b"\xff\x00SAME"),
    "empty bytes": (attr(s=b""), b""),
    "int": (attr(i=-7), -7),
    "zero": (attr(i=0), 0),
    "float": (attr(f=0.5), 0.5),
    "bool": (attr(b=True), True),
    "false": (attr(b=False), False),
    "type": (attr(type=19), DType("float16")),
    "tensor": (attr(tensor=TENSOR), TENSOR),
    "func": (attr(func=func("g")), None),
    "bytes list": (attr(list=List(s=[b"a", b""])), (b"a", b"")),
    "int list": (attr(list=List(i=[1, 2, 2, 1])), (1, 2, 2, 1)),
    "float list": (attr(list=List(f=[0.0, 1.5])), (0.0, 1.5)),
    "bool list": (attr(list=List(b=[True, False])), (True, False)),
    "type list": (attr(list=List(type=[1, 7])), (DType("float32"), DType("string"))),
    "shape list": (attr(list=List(shape=[shape(2, -1), shape(unknown=True), shape()])), ((2, -1), None, ())),
    "tensor list": (attr(list=List(tensor=[TENSOR])), (TENSOR,)),
    "func list": (attr(list=List(func=[func("f"), func("g")])), None),
    "empty list": (attr(list=List()), ()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_decodes_to_its_python_value_and_encodes_back(kind: str) -> None:
    proto, value = KINDS[kind]
    decoded = decode(proto)
    if value is not None:
        assert decoded == value
        assert type(decoded) is type(value)
    assert encode(decoded) == proto


def test_shapes_decode_to_tuples() -> None:
    assert decode(attr(shape=shape(2, -1, 3))) == (2, -1, 3)
    assert decode(attr(shape=shape())) == ()
    assert decode(attr(shape=shape(unknown=True))) is None
    for sizes in ((2, -1), (), None):
        assert decode(shape_attr(sizes)) == sizes
    assert decode(shape_attr((-5, 3))) == (-1, 3), "a symbol of ours means nothing to TensorFlow"


def test_functions_keep_the_attributes_bound_to_them() -> None:
    decoded = decode(KINDS["func"][0])
    assert isinstance(decoded, FunctionRef)
    assert decoded.name == "g"
    assert [k for k, _ in decoded.attrs] == ["T", "n"]


def test_kinds_that_tensorflow_adds_are_kept_verbatim() -> None:
    placeholder = attr(placeholder="T")
    assert decode(placeholder) is placeholder
    assert decode(attr()) == attr(), "an attribute with no value at all"


def test_what_has_no_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        encode(object())
    with pytest.raises(TypeError, match="list item of type dict"):
        encode([{}])


def test_attrs_are_read_like_a_mapping_and_replaced_by_copying() -> None:
    attrs = Attrs({"T": DType("float32"), "N": 2})
    assert dict(attrs) == {"T": DType("float32"), "N": 2}
    changed = attrs.replace(N=3, T=None, s="text")
    assert dict(changed) == {"N": 3, "s": b"text"}
    assert dict(attrs) == {"T": DType("float32"), "N": 2}
    assert attrs == Attrs({"N": 2, "T": DType("float32")})
    assert attrs != changed
    assert "T" in attrs
    assert "missing" not in attrs
    with pytest.raises(KeyError):
        attrs["missing"]


def test_a_list_of_shapes_that_is_all_scalars_stays_a_list_of_shapes() -> None:
    proto = attr(list=List(shape=[shape(), shape()]))
    assert encode(decode(proto)) == proto
