"""Short forms for case tables: one raw op on fed and constant inputs, and ops after a convolution (held as NCHW)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from tests.cases.case import OpCase


@dataclass(frozen=True)
class K:
    """An input that is a constant of the graph."""

    value: Any
    dtype: str = "int32"

    def tensor(self) -> Any:
        typed = isinstance(self.value, np.ndarray | np.generic)
        return tf.constant(np.asarray(self.value, None if typed else self.dtype))


_TOLERANCES = {"float16": (3e-3, 3e-3), "float32": (1e-5, 1e-6), "float64": (1e-7, 1e-9)}


def raw(op: str, *args: Any, id: str = "", case: dict[str, Any] | None = None, **attrs: Any) -> OpCase:
    """Make a case of one raw op.

    Args:
        args: the op's inputs in order: an array is fed, `K` is a constant; a list of these is a list input.
        id: what is special about it; types and shapes are named by themselves.
        case: more fields of the case, such as `dynamic` or `refusal`.
        attrs: attributes.
    """
    flat = tf.nest.flatten(list(args))
    fed = [np.asarray(a) for a in flat if not isinstance(a, K)]
    function = getattr(tf.raw_ops, op)
    op_def = op_def_registry.get(op)
    others = {a.name for a in op_def.attr}
    # The Python names differ from the OpDef's for some ops (Select), so they are read off the function.
    names = [n for n in inspect.signature(function).parameters if n not in others][: len(op_def.input_arg)]

    def build(*feeds: Any) -> Any:
        waiting = iter(feeds)
        tensors = [a.tensor() if isinstance(a, K) else next(waiting) for a in flat]
        inputs = tf.nest.pack_sequence_as(list(args), tensors)
        return function(**dict(zip(names, inputs, strict=True)), **attrs)

    fields = dict(case or {})
    dtype = str(fed[0].dtype) if fed else ""
    rtol, atol = _TOLERANCES.get(dtype, (1e-5, 1e-6))
    label = "-".join(str(x) for x in (id, *(f"{a.dtype}{list(a.shape)}" for a in fed), *attrs.values()) if x != "")
    flags = "".join(f"-{k}" for k, v in fields.items() if v is True)
    return OpCase(label + flags, op, build, fed, **{"rtol": rtol, "atol": atol, **fields})


DYNAMIC: dict[str, Any] = {"dynamic": True}
UNKNOWN: dict[str, Any] = {"unknown_rank": True}


def refused(code: str, **more: Any) -> dict[str, Any]:
    """Return the case fields of a refusal."""
    return {"refusal": code, **more}


_KERNEL = np.random.default_rng(1).standard_normal((1, 1, 3, 4), np.float32)
_IMAGE = np.random.default_rng(2).standard_normal((2, 5, 6, 3), np.float32)


def held(op: str, build: Callable[[Any], Any], id: str = "", channels: int = 4, **fields: Any) -> OpCase:
    """Make a case of an op whose input [2, 5, 6, channels] comes from a convolution, and is held as NCHW."""
    kernel = _KERNEL[..., :channels]
    return OpCase(f"held-{id}", op, lambda x: build(tf.nn.conv2d(x, kernel, 1, "SAME")), [_IMAGE], **fields)


def call(op: str, **others: Any) -> Callable[[Any], Any]:
    """Return a function of one tensor: the raw op with it as the first argument that `others` leaves open."""
    function = getattr(tf.raw_ops, op)
    first = next(n for n in inspect.signature(function).parameters if n not in others)
    return lambda x: function(**{first: x}, **others)


PARTLY: Any = ((None, None, None, 3),)
"""The image of `held`, of which the channels alone are known."""


def both(op: str, build: Callable[[Any], Any], id: str = "", **fields: Any) -> list[OpCase]:
    """Make `held` cases with known and unknown dimensions."""
    return [held(op, build, id, **fields), held(op, build, id + "-dynamic", dynamic=PARTLY, **fields)]
