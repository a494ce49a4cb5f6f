"""What an engine builder may say of quantization: where its engines want tensors quantized."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from tfgraft.plugins.protocol import EngineBuilder


@dataclass(frozen=True, slots=True)
class Int8Rules:
    """Where an engine wants tensors quantized, so that it computes in INT8. The ops are TensorFlow's.

    Args:
        unsigned: whether a tensor that is never negative may be unsigned, which gives it twice the steps.
        quantize_inputs: ops that compute in INT8 where their activations and their weights are quantized.
        quantize_outputs: those of them whose result, after bias and activation, must be quantized too, or no integer
            kernel is chosen; the others give floats at no extra cost.
        also: ops worth computing in INT8 between quantized tensors: all their inputs and the output are quantized.
        residual: additions of which one input alone is quantized: the other is what a convolution computes, which adds
            before it leaves its accumulator.
        pass_through: ops that move or choose values: quantized values pass, and their output has their input's range.
        room: how many times as wide the ranges of weights are as the weights: 2, which costs a bit of each, where the
            engine's kernels add two products of uint8 and int8 in 16 bits, which hold no more.
    """

    unsigned: bool = False
    quantize_inputs: frozenset[str] = frozenset()
    quantize_outputs: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    residual: frozenset[str] = frozenset()
    pass_through: frozenset[str] = frozenset()
    room: int = 1


@runtime_checkable
class HasInt8Rules(Protocol):
    """What an engine builder may have besides: a wish where graphs are quantized for it."""

    @property
    def int8(self) -> Int8Rules:
        """Where its engines want tensors quantized."""
        ...


CONSERVATIVE = Int8Rules(quantize_inputs=frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul"}))
"""The rules for engines that give none: signed, the inputs of what computes most."""


def int8_rules(builder: EngineBuilder, others: Iterable[EngineBuilder] = ()) -> Int8Rules:
    """Return where a builder wants tensors quantized; the inputs of convolutions and products unless it says more.

    Args:
        builder: whose wishes are followed.
        others: builders that are tried on the same graph: weights get the room that one of them needs.
    """
    own, *more = (each.int8 if isinstance(each, HasInt8Rules) else CONSERVATIVE for each in (builder, *others))
    return replace(own, room=max(rules.room for rules in (own, *more)))
