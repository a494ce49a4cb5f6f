"""Cases of branches, loops and calls whose branches and bodies are functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import refused

_X = np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -0.75]], np.float32)
_ROWS: Any = {"dynamic": ((None, 3),)}
_YES, _NO = np.array(True), np.array(False)


def _case(op: str, id: str, build: Callable[..., Any], *inputs: Any, **fields: Any) -> OpCase:
    return OpCase(id, op, build, [np.asarray(x) for x in inputs], **fields)


# If


def _either(p: Any, x: Any) -> Any:
    return tf.cond(p, lambda: tf.nn.relu(x), lambda: x * 2.0)


def _captured(p: Any, x: Any, y: Any) -> Any:
    """Branches that read one tensor each and one both, and a constant; one result is an argument, one a constant."""
    ones = tf.ones([2, 3])
    return tf.cond(p, lambda: (x + ones, x, ones), lambda: (y * x, y, tf.zeros([2, 3])))


def _nested_if(p: Any, x: Any) -> Any:
    def inner() -> Any:
        return tf.cond(tf.reduce_sum(x) > 1.0, lambda: tf.nn.relu(x), lambda: -x)

    return tf.cond(p, inner, lambda: x * 2.0) + 1.0


def _concrete(function: Callable[..., Any], *specs: tuple[list[int], Any]) -> Any:
    return tf.function(function).get_concrete_function(*(tf.TensorSpec(shape, dtype) for shape, dtype in specs))


_FLOATS = ([2, 3], tf.float32)


def _raw_if(op: str) -> Callable[[Any, Any], Any]:
    def build(p: Any, x: Any) -> Any:
        then, other = _concrete(tf.nn.relu, _FLOATS), _concrete(tf.negative, _FLOATS)
        return getattr(tf.raw_ops, op)(cond=p, input=[x], then_branch=then, else_branch=other, Tout=[tf.float32])

    return build


def _typed(dtype: Any) -> Callable[[Any, Any], Any]:
    return lambda p, x: tf.cond(p, lambda: tf.identity(x), lambda: tf.zeros([2, 3], dtype))


_IFS = [
    *(
        _case("StatelessIf", f"{name}-{p}", build, p, *inputs, **fields)
        for p in (_YES, _NO)
        for name, build, inputs, fields in (
            ("plain", _either, [_X], {}),
            ("dynamic", _either, [_X], {"dynamic": ((), (None, 3))}),
            ("captured", _captured, [_X, _X * 3], {}),
            ("nested", _nested_if, [_X], {}),
            ("empty", _either, [_X[:0]], {"dynamic": ((), (None, 3))}),
            ("scalar", _either, [np.float32(-2)], {}),
            ("half", _typed(tf.float16), [_X.astype(np.float16)], {}),
            ("bfloat16", _typed(tf.bfloat16), [_X.astype(tf.bfloat16.as_numpy_dtype)], {}),
            ("int32", _typed(tf.int32), [_X.astype(np.int32)], {}),
            ("int64", _typed(tf.int64), [_X.astype(np.int64)], {}),
            ("bool", _typed(tf.bool), [_X > 0], {}),
            ("uint8", _typed(tf.uint8), [np.abs(_X).astype(np.uint8)], {}),
            ("sizes", lambda p, x: tf.cond(p, lambda: x, lambda: tf.zeros([4, 3])), [_X], {}),
        )
    ),
    *(
        _case("StatelessIf", f"number-{n}", _raw_if("StatelessIf"), n, _X)
        for n in (np.int32(2), np.int32(0), np.float32(-0.5))
    ),
    _case("If", "stateful-op", _raw_if("If"), _YES, _X),
    _case("StatelessIf", "vector", _raw_if("StatelessIf"), np.array([1, 2], np.int32), _X, **refused("rank")),
    _case(
        "StatelessIf",
        "ranks",
        lambda p, x: tf.cond(p, lambda: x, lambda: x[0]),
        _YES,
        _X,
        **refused("rank"),
    ),
    _case("StatelessIf", "double", _typed(tf.float64), _YES, _X.astype(np.float64), **refused("dtype")),
    _case(
        "StatelessIf",
        "inner-op",
        lambda p, x: tf.cond(p, lambda: tf.strings.length(tf.as_string(x)), lambda: tf.zeros([2, 3], tf.int32)),
        _YES,
        _X,
        **refused("no-converter"),
    ),
    _case(
        "If",
        "random",
        lambda p, x: tf.cond(p, lambda: x * tf.random.uniform([2, 3]), lambda: x),
        _YES,
        _X,
        **refused("stateful"),
    ),
    _case(
        "StatelessIf",
        "unknown-rank",
        lambda p, x: tf.cond(p, lambda: tf.nn.relu(x), lambda: x),
        _YES,
        _X,
        **refused("unknown-rank", dynamic=((), None)),
    ),
]

# While


def _times(n: Any, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a counted loop that applies `step` n times."""
    return lambda x: tf.while_loop(lambda i, v: i < n, lambda i, v: (i + 1, step(v)), [0, x])


def _until(x: Any) -> Any:
    """Return a loop whose end depends on the data."""
    return tf.while_loop(lambda v: tf.reduce_sum(v) < 100.0, lambda v: v * 1.5 + 1.0, [x])


def _fed(x: Any, n: Any) -> Any:
    return _times(n, lambda v: v * 0.5 + x)(x)


def _collatz(n: Any) -> Any:
    """Return a loop with a branch in it and a counter that begins elsewhere."""

    def step(n: Any, count: Any) -> Any:
        half = tf.equal(n % 2, 0)
        return tf.cond(half, lambda: n // 2, lambda: 3 * n + 1), count + 2

    return tf.while_loop(lambda n, count: n > 1, step, [n, 1])


def _loops(x: Any) -> Any:
    """Return a loop in a loop, whose outer counter the inner one reads."""

    def outer(i: Any, v: Any) -> Any:
        _, w = tf.while_loop(lambda j, w: j < i, lambda j, w: (j + 1, tf.tanh(w) + x), [0, v])
        return i + 1, w

    return tf.while_loop(lambda i, v: i < 4, outer, [0, x])


def _swap(x: Any, y: Any) -> Any:
    return tf.while_loop(lambda i, a, b, c: i < 3, lambda i, a, b, c: (i + 1, b, a, tf.ones([2, 3])), [0, x, y, x])


def _flag(x: Any) -> Any:
    return tf.while_loop(
        lambda go, v: go, lambda go, v: (tf.logical_and(go, tf.reduce_sum(v) < 50.0), v + 1.0), [True, x]
    )


def _limited(x: Any) -> Any:
    return tf.while_loop(
        lambda i, v: tf.reduce_sum(v) < 50.0, lambda i, v: (i + 1, v + 1.0), [0, x], maximum_iterations=3
    )


def _product(x: Any, m: Any) -> Any:
    """Return a loop over a captured matrix."""
    return _times(3, lambda v: tf.nn.softmax(v @ m) + v)(x)


def _loop_in_branch(p: Any, x: Any) -> Any:
    return tf.cond(p, lambda: _times(3, lambda v: v * 0.5)(x)[1], lambda: x)


def _never(x: Any) -> Any:
    """Return a loop whose condition reads nothing that changes."""
    go = tf.reduce_sum(x) > 1000.0
    return tf.while_loop(lambda v: go, lambda v: v + 1.0, [x])


def _growing(x: Any) -> Any:
    shapes = [tf.TensorShape([]), tf.TensorShape([None, 3])]
    return tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, tf.concat([v, v], 0)), [0, x], shapes)


def _raw_while(x: Any) -> Any:
    condition = _concrete(lambda i, v: i < 4, ([], tf.int32), _FLOATS)
    body = _concrete(lambda i, v: (i + 1, v * 0.5), ([], tf.int32), _FLOATS)
    return tf.raw_ops.While(input=[tf.constant(0), x], cond=condition, body=body)


def _number_condition(x: Any) -> Any:
    condition = _concrete(lambda v: tf.cast(tf.reduce_sum(v), tf.int32), _FLOATS)
    return tf.raw_ops.StatelessWhile(input=[x], cond=condition, body=_concrete(lambda v: v * 0.5, _FLOATS))


def _vector_condition(x: Any) -> Any:
    condition = _concrete(lambda v: tf.reduce_sum(v, keepdims=True) > 1.0, _FLOATS)
    return tf.raw_ops.StatelessWhile(input=[x], cond=condition, body=_concrete(lambda v: v * 0.5, _FLOATS))


_M = np.random.default_rng(5).standard_normal((3, 3)).astype(np.float32)

_WHILES = [
    _case("StatelessWhile", "counted", _times(5, lambda v: v * 0.5 + 1.0), _X),
    _case("StatelessWhile", "no-iteration", _times(0, lambda v: v * 0.5 + 1.0), _X),
    _case("StatelessWhile", "dynamic", _times(3, lambda v: tf.tanh(v) + 1.0), _X, **_ROWS),
    _case("StatelessWhile", "empty", _times(3, lambda v: v + 1.0), _X[:0], **_ROWS),
    _case("StatelessWhile", "until", _until, _X),
    _case("StatelessWhile", "until-at-once", _until, _X + 100),
    *(_case("StatelessWhile", f"fed-{n}", _fed, _X, np.int32(n)) for n in (4, 0, -3)),
    _case("StatelessWhile", "fed-dynamic", _fed, _X, np.int32(2), dynamic=((None, 3), ())),
    *(_case("StatelessWhile", f"branch-{n}", _collatz, np.int32(n)) for n in (6, 1)),
    _case("StatelessWhile", "nested", _loops, _X),
    _case("StatelessWhile", "nested-dynamic", _loops, _X, **_ROWS),
    _case("StatelessWhile", "swap", _swap, _X, _X * 2),
    _case("StatelessWhile", "flag", _flag, _X),
    _case("StatelessWhile", "limited", _limited, _X),
    _case("StatelessWhile", "captured", _product, _X, _M),
    _case("StatelessWhile", "captured-dynamic", _product, _X, _M, dynamic=((None, 3), (None, None))),
    _case("StatelessWhile", "never", _never, _X),
    *(_case("StatelessIf", f"loop-{p}", _loop_in_branch, p, _X) for p in (_YES, _NO)),
    *(
        _case("StatelessWhile", str(np.dtype(t)), _times(2, lambda v: v + v), _X.astype(t))
        for t in (np.float16, tf.bfloat16.as_numpy_dtype, np.int32, np.int64)
    ),
    _case("StatelessWhile", "bool", _times(3, tf.logical_not), _X > 0),
    _case("While", "stateful-op", _raw_while, _X),
    _case("StatelessWhile", "number-as-condition", _number_condition, _X, **refused("dtype")),
    _case("StatelessWhile", "vector-as-condition", _vector_condition, _X, **refused("rank")),
    _case("StatelessWhile", "double", _times(2, lambda v: v + v), _X.astype(np.float64), **refused("dtype")),
    _case("StatelessWhile", "grows", _growing, _X, **refused("unknown-dim")),
    _case("StatelessWhile", "grows-dynamic", _growing, _X, **refused("unknown-dim", **_ROWS)),
    _case("While", "random", _times(2, lambda v: v + tf.random.uniform([2, 3])), _X, **refused("stateful")),
    _case(
        "StatelessWhile",
        "inner-op",
        _times(2, lambda v: v + tf.strings.to_number(tf.as_string(v))),
        _X,
        **refused("no-converter"),
    ),
    _case(
        "StatelessWhile", "unknown-rank", _times(2, lambda v: v + v), _X, **refused("unknown-rank", unknown_rank=True)
    ),
]

# Calls


def _called(x: Any, y: Any) -> Any:
    return tf.function(lambda a, b: (tf.nn.relu(a) * y, b))(x, y)


def _stateful_call(x: Any) -> Any:
    return tf.raw_ops.StatefulPartitionedCall(args=[x], Tout=[tf.float32], f=_concrete(tf.nn.relu, _FLOATS))


def _empty_list(x: Any) -> Any:
    def body(x: Any) -> Any:
        items = tf.raw_ops.TensorListReserve(element_shape=[3], num_elements=2, element_dtype=tf.float32)
        return x + tf.raw_ops.TensorListStack(input_handle=items, element_shape=[3], element_dtype=tf.float32)

    return tf.function(body)(x)


def _tensor_list(x: Any) -> Any:
    def body(x: Any) -> Any:
        items = tf.raw_ops.TensorListFromTensor(tensor=x, element_shape=[3])
        return x + tf.raw_ops.TensorListStack(input_handle=items, element_shape=[3], element_dtype=tf.float32)

    return tf.function(body)(x)


def _twice(x: Any) -> Any:
    once = tf.function(lambda v: tf.tanh(v) + 1.0)
    return tf.function(lambda v: once(once(v)))(x)


CASES: list[OpCase] = [
    *_IFS,
    *_WHILES,
    _case("PartitionedCall", "plain", _called, _X, _X * 2),
    _case("PartitionedCall", "list", _tensor_list, _X),
    _case("PartitionedCall", "empty-list", _empty_list, _X, **refused("control-flow")),
    _case("PartitionedCall", "nested", _twice, _X, **_ROWS),
    _case("PartitionedCall", "loop", lambda x: tf.function(_times(3, lambda v: v + 1.0))(x), _X),
    _case(
        "PartitionedCall",
        "inner-op",
        lambda x: tf.function(lambda v: tf.strings.length(tf.as_string(v)))(x),
        _X,
        **refused("no-converter"),
    ),
    _case("StatefulPartitionedCall", "stateful-op", _stateful_call, _X),
    _case("PartitionedCall", "double", _twice, _X.astype(np.float64), **refused("dtype")),
    _case(
        "StatefulPartitionedCall",
        "random",
        lambda x: tf.function(lambda v: v + tf.random.uniform([2, 3]))(x),
        _X,
        **refused("stateful"),
    ),
]
