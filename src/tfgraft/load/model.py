"""What loading gives: a frozen graph with its inputs, outputs, signature and the resources it still needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfgraft.graph.view import Shape


@dataclass(frozen=True)
class NamedTensor:
    """One input or output of a model.

    Args:
        name: tensor name with port, such as "x:0".
        dtype: TensorFlow's short name of the type.
        shape: sizes, -1 for an unknown one; None if the rank is not known.
        required: False for an input with a constant default (PlaceholderWithDefault) that need not be fed.
    """

    name: str
    dtype: str
    shape: Shape = None
    required: bool = True

    @property
    def node(self) -> str:
        """The name of the node that produces the tensor."""
        return self.name.rpartition(":")[0]

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.name} {self.dtype}[...]"
        return f"{self.name} {self.dtype}[{', '.join('?' if d < 0 else str(d) for d in self.shape)}]"


@dataclass(frozen=True)
class Signature:
    """A model's signature.

    Args:
        key: its name in a SavedModel, such as "serving_default".
        inputs: the names that users see -> tensor names, in the order of the inputs.
        outputs: the names that users see -> tensor names, in the order of the outputs.
        method: the method name of the SignatureDef.
    """

    key: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    method: str = "tensorflow/serving/predict"


@dataclass(frozen=True)
class Resource:
    """A resource (a lookup table, a variable that the model writes) that freezing cannot turn into a constant.

    Args:
        name: the tensor, of a Placeholder of type resource, that stands for it in the graph.
        handle: the eager resource handle to feed.
        owner: the object that creates, initializes, saves and keeps the resource; None if it was not found.
    """

    name: str
    handle: Any = field(repr=False)
    owner: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class LoadedModel:
    """A frozen model.

    Args:
        graph_def: the GraphDef; functional control flow is kept, calls are inlined where TensorFlow inlines them.
        inputs: the tensors to feed, in order.
        outputs: the tensors to fetch, in order.
        signature: the names that users see; None for a graph without a signature.
        optional_inputs: tensors with a constant default that need not be fed; they stay in the graph.
        resources: what the graph still needs besides its inputs. Their placeholders must stay in the graph.
        initializers: objects that must be saved with the graph because loading them prepares what it needs
            (tables of TensorFlow 1 SavedModels).
        source: what was loaded, for messages.
    """

    graph_def: Any = field(repr=False)
    inputs: tuple[NamedTensor, ...]
    outputs: tuple[NamedTensor, ...]
    signature: Signature | None = None
    optional_inputs: tuple[NamedTensor, ...] = ()
    resources: tuple[Resource, ...] = ()
    initializers: tuple[Any, ...] = field(default=(), repr=False)
    source: str = ""

    @property
    def input_names(self) -> tuple[str, ...]:
        """The tensor names of the inputs."""
        return tuple(i.name for i in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The tensor names of the outputs."""
        return tuple(o.name for o in self.outputs)

    @property
    def is_self_contained(self) -> bool:
        """Whether the GraphDef alone is the whole model, with no resources or initializers beside it."""
        return not self.resources and not self.initializers


def signature_keys(tensors: Iterable[str]) -> tuple[str, ...]:
    """Return signature names made from tensor names: "x:0" gives "x", "x:1" gives "x_1"; each is unique."""
    keys: dict[str, None] = {}
    for tensor in tensors:
        node, _, port = tensor.rpartition(":")
        key = base = node if port == "0" else f"{node}_{port}"
        count = 1
        while key in keys:
            key, count = f"{base}_{count}", count + 1
        keys[key] = None
    return tuple(keys)
