"""Turning a GraphDef into a function that TensorFlow runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfgraft.graph.node import Node
from tfgraft.graph.views import const_value
from tfgraft.load.check import RUNTIME_OP
from tfgraft.load.model import NamedTensor, Resource, Signature
from tfgraft.load.rename import with_own_functions
from tfgraft.needed import fed_names, needed_part
from tfgraft.outside import LIMIT, weights_outside
from tfgraft.quiet import quiet_remarks


def tensor_shape(spec: NamedTensor) -> Any:
    """Return a shape as TensorFlow's own type."""
    if spec.shape is None:
        return tf.TensorShape(None)
    return tf.TensorShape([None if d < 0 else d for d in spec.shape])


def uses_engines(graph_def: Any) -> bool:
    """Tell whether a graph, or one of its functions, has engine nodes."""
    return any(node.op == RUNTIME_OP for node in graph_def.node) or any(
        node.op == RUNTIME_OP for function in graph_def.library.function for node in function.node_def
    )


def make_function(
    graph_def: Any,
    inputs: Sequence[NamedTensor],
    outputs: Sequence[NamedTensor],
    resources: Sequence[Resource] = (),
    signature: Signature | None = None,
    limit: int = LIMIT,
) -> Any:
    """Return a ConcreteFunction that takes the inputs in order and returns the list of outputs.

    It captures the handles of `resources`; their owners must be kept alive by the caller. With a signature it is
    called as signatures of SavedModels are: it takes inputs by name too, and returns a dict. Weights of a graph that is
    larger than `limit` bytes are variables, which its attribute `tfgraft_weights` keeps.

    Raises:
        ValueError: the graph has no such inputs or outputs, or TensorFlow does not accept it.
    """
    if uses_engines(graph_def):
        import tfgraft.runtime  # noqa: F401  (registers the op)
    graph_def, outside = weights_outside(graph_def, limit)
    graph_def = with_own_functions(graph_def)
    weights = _variables(outside)

    def call(*tensors: Any) -> Any:
        results = import_graph(graph_def, inputs, tensors, outputs, resources, weights)
        return results if signature is None else dict(zip(signature.outputs, results, strict=True))

    names = [i.node.rpartition("/")[2] for i in inputs] if signature is None else list(signature.inputs)
    specs = [tf.TensorSpec(tensor_shape(i), i.dtype, name=name) for name, i in zip(names, inputs, strict=True)]
    # wrap_function and not tf.function: automatic control dependencies would tie ops of different frames of a
    # TensorFlow 1 loop together, which makes an invalid graph. No prune(), which moves feeds through the host.
    function = tf.compat.v1.wrap_function(call, specs)
    function.tfgraft_weights = tuple(weights.values())
    if signature is not None:
        # What TensorFlow sets on the signatures that it loads; without it keywords are refused.
        function._arg_keywords, function._num_positional_args = names, len(names)
    return function


def _variables(constants: Mapping[str, Node]) -> dict[str, Any]:
    """Return variables with the values of constants."""
    with tf.init_scope():
        return {
            name: tf.Variable(const_value(node), trainable=False, name=name.rpartition("/")[2])
            for name, node in constants.items()
        }


def import_graph(
    graph_def: Any,
    inputs: Sequence[NamedTensor],
    tensors: Sequence[Any],
    outputs: Sequence[NamedTensor],
    resources: Sequence[Resource] = (),
    weights: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Import what the outputs need of a GraphDef into the default graph, a function's, and return the outputs.

    Args:
        tensors: what the inputs are, in order.
        resources: their handles are captured by the function.
        weights: variables by the names of the placeholders that they are read for.
    """
    present = {node.name for node in graph_def.node}
    feeds = {spec.name: tensor for spec, tensor in zip(inputs, tensors, strict=True)}
    for resource in resources:
        if resource.name.rpartition(":")[0] in present:
            feeds[resource.name] = tf.compat.v1.get_default_graph().capture(resource.handle)
    feeds.update((f"{name}:0", variable.read_value()) for name, variable in (weights or {}).items())
    made = [o.name for o in outputs if o.name not in feeds]
    part = needed_part(graph_def, feeds, made)
    kept = feeds if part is graph_def else {name: feeds[name] for name in fed_names(part, feeds)}
    with quiet_remarks():  # on graphs that an older TensorFlow wrote
        imported = tf.graph_util.import_graph_def(part, kept, made, name="")
    found = dict(zip(made, imported, strict=True))
    results = [feeds[o.name] if o.name in feeds else found[o.name] for o in outputs]
    for spec, tensor in zip(outputs, results, strict=True):
        if tensor.shape.is_compatible_with(tensor_shape(spec)):
            tensor.set_shape(tensor_shape(spec))
    return results
