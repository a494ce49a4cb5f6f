"""Attention, rotary embedding and the update of key and value caches."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from tfgraft.plugins.reference.layers.base import LayerFunction, optional, wide
from tfgraft.plugins.reference.layers.quantization import saturate
from tfgraft.plugins.reference.layers.reduction import exp_normalized
from tfgraft.plugins.reference.network import Array, Layer


def attention(layer: Layer, inputs: Sequence[Array | None]) -> Sequence[Array]:
    """Compute normalize(query @ key^T + mask) @ value; the query comes scaled.

    Query [batch, heads, tokens, size], key and value [batch, heads / n, tokens, size]; packed ones have all tokens of
    a batch in a row, [tokens, heads, size], and cumulative lengths. A bool mask says what is attended to.
    """
    attrs = layer.attrs["attention"]
    named = {name: value for name, value in zip(layer.inputs, inputs, strict=True) if name}
    query, key, value = (wide(v) for v in inputs[:3] if v is not None)
    mask, unit = named.get(attrs["mask"]), named.get(attrs["normalization_quantize_scale"])
    ends, key_ends = named.get(attrs["query_lengths"]), named.get(attrs["key_value_lengths"])
    queries = _items(query, ends, attrs["query_form"])
    keys, values = (_items(v, key_ends, attrs["key_value_form"]) for v in (key, value))
    results = []
    for i, (q, k, v) in enumerate(zip(queries, keys, values, strict=True)):
        own = None if mask is None else mask[min(i, mask.shape[0] - 1)][..., : k.shape[1]]
        results.append(_attend(q, k, v, own, attrs, unit))
    source = inputs[0]
    assert source is not None
    packed = attrs["query_form"] == "PACKED_NHD"
    joined = np.concatenate([r.swapaxes(0, 1) for r in results]) if packed else np.stack(results)
    return [joined.astype(source.dtype, copy=False)]


def _items(x: Array, lengths: Array | None, form: str | None) -> list[Array]:
    """Return each batch item's [heads, tokens, size]."""
    if form == "PACKED_NHD" and lengths is not None:
        bounds = lengths.astype(np.int64)
        return [x[a:b].swapaxes(0, 1) for a, b in itertools.pairwise(bounds)]
    if lengths is not None:
        return [item[:, :n] for item, n in zip(x, lengths.astype(np.int64), strict=True)]
    return list(x)


def _attend(q: Array, k: Array, v: Array, mask: Array | None, attrs: dict[str, object], unit: Array | None) -> Array:
    repeats = q.shape[0] // k.shape[0]
    k, v = (np.repeat(x, repeats, 0) for x in (k, v)) if repeats > 1 else (k, v)
    scores = q @ k.swapaxes(-1, -2)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + wide(mask)
    kind = attrs["causal_kind"] or ("UPPER_LEFT" if attrs["causal"] else "NONE")
    if kind != "NONE":
        rows, columns = scores.shape[-2:]
        shift = columns - rows if kind == "LOWER_RIGHT" else 0
        scores = np.where(np.tri(rows, columns, shift, dtype=bool), scores, -np.inf)
    if attrs["norm_op"] == "SOFTMAX":
        # A query that may look at nothing gets nothing, as in fused kernels and in ONNX.
        blind = scores.max(-1, keepdims=True, initial=-np.inf) == -np.inf
        scores = np.where(blind, 0, exp_normalized(scores.astype(np.float32), (-1,)))
    if unit is not None:
        scores = wide(saturate(scores / wide(unit), str(attrs["normalization_quantize_to_type"]))) * wide(unit)
    return scores @ v


def rotary_embedding(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Rotate pairs of the last axis of [batch, heads, tokens, size] by angles given as cosines and sines.

    The caches are [batch, tokens, pairs], or [positions, pairs] with the positions [batch, tokens] as fourth input.
    """
    x = wide(inputs[0])
    cosine, sine = (wide(v) for v in inputs[1:3])
    positions = optional(inputs, 3)
    if positions is not None:
        cosine, sine = cosine[positions], sine[positions]
    cosine, sine = cosine[:, None], sine[:, None]
    size = layer.attrs["rotary_embedding_dim"] or x.shape[-1]
    turned, rest = x[..., :size], x[..., size:]
    if layer.attrs["interleaved"]:
        a, b = turned[..., 0::2], turned[..., 1::2]
    else:
        a, b = turned[..., : size // 2], turned[..., size // 2 :]
    pairs = [a * cosine - b * sine, a * sine + b * cosine]
    mixed = np.stack(pairs, -1).reshape(turned.shape) if layer.attrs["interleaved"] else np.concatenate(pairs, -1)
    return [np.concatenate([mixed, rest], -1).astype(inputs[0].dtype, copy=False)]


def kv_cache_update(layer: Layer, inputs: Sequence[Array]) -> Sequence[Array]:
    """Write new tokens [batch, heads, tokens, size] into a cache, each item from its own position on."""
    cache, update, positions = inputs[:3]
    value = cache.copy()
    for item, (new, start) in enumerate(zip(update, positions.astype(np.int64), strict=True)):
        value[item, :, start : start + new.shape[1]] = new
    return [value]


TABLE: dict[str, LayerFunction] = {
    "attention_input": attention,
    "rotary_embedding": rotary_embedding,
    "kv_cache_update": kv_cache_update,
}
