"""The values that tensors of a graph have in TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from tfgraft.function import make_function
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import tensor_info
from tfgraft.load.model import LoadedModel, NamedTensor
from tfgraft.unoptimized import call_unoptimized

Array = NDArray[Any]


def tensor_values(
    graph_def: Any, graph: Graph, refs: Sequence[TensorRef], loaded: LoadedModel, feeds: Iterable[Mapping[str, Array]]
) -> list[dict[TensorRef, Array]]:
    """Return the values of tensors, as TensorFlow computes them, for each feed.

    Args:
        graph_def: the graph that runs.
        graph: where the types of the tensors are known from.
        refs: tensors of the main graph that can be fetched.
        loaded: the model whose inputs are fed.
        feeds: arrays by tensor name.
    """
    outputs = [NamedTensor(str(ref), tensor_info(graph, ref).dtype) for ref in refs]
    return [dict(zip(refs, values, strict=True)) for values in output_values(graph_def, outputs, loaded, feeds)]


def output_values(
    graph_def: Any, outputs: Sequence[NamedTensor], loaded: LoadedModel, feeds: Iterable[Mapping[str, Array]]
) -> list[list[Array]]:
    """Return the values of outputs, in order, as TensorFlow computes them without its optimizer, for each feed.

    Args:
        graph_def: the graph that runs.
        outputs: tensors of it.
        loaded: the model whose inputs are fed.
        feeds: arrays by tensor name.
    """
    import tensorflow as tf

    function = make_function(graph_def, loaded.inputs, outputs, loaded.resources)
    return [
        call_unoptimized(function, [tf.constant(feed[spec.name], spec.dtype) for spec in loaded.inputs])
        for feed in feeds
    ]
