"""Having XLA translate a cluster before it is built, so that what it refuses is known by node."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence

from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import Array
from tfgraft.plugins.xla.call import call_function
from tfgraft.quiet import quiet_stderr

_SIZES = (64, 224, 1, 33)
"""What unknown dimensions are tried as, in turn: one that nets can halve often, an image's, and odd ones. All are the
same, so that those that must be equal are."""
_FINAL = ("must be a compile-time constant", "unsupported operations", "No registered", "Unimplemented")
"""What messages say that no other size would change."""
_NODES = re.compile(r"\{\{node ([^}]+)\}\}|`([^`]+)`")


class Untranslatable(Exception):
    """XLA does not compile a cluster. `nodes` are those that its message names, the likeliest first."""

    def __init__(self, message: str, nodes: tuple[str, ...]) -> None:
        super().__init__(message)
        self.nodes = nodes


def translate(
    library: bytes,
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
    constants: Mapping[int, Array],
    platform: str,
) -> None:
    """Let XLA translate a function into its own form, without generating code: milliseconds.

    Unknown dimensions are made up.

    Args:
        library: see `call_function`.
        inputs: of the function, the weights included; ranks must be known.
        outputs: of the function.
        constants: values of inputs that may be needed for it, by index.
        platform: "CPU" or "GPU".

    Raises:
        Untranslatable: it refused, whatever the sizes.
    """
    import tensorflow as tf
    from tensorflow.python.eager import context

    function = call_function(library, inputs, outputs)
    failure: Exception | None = None
    for shapes in _sizes(inputs):
        arguments = [tf.TensorSpec(shape, info.dtype) for shape, info in zip(shapes, inputs, strict=True)]
        for i, value in constants.items():
            arguments[i] = tf.constant(value)
        try:
            # What it refuses it also writes to standard error; its greeting it writes once in a process.
            with quiet_stderr():
                context.context().get_compiler_ir(
                    device_name=None,
                    platform_name=platform,
                    function_name=function.name,
                    flat_args=arguments,
                    captured_inputs=[],
                    stage="hlo",
                )
            return
        except Exception as error:  # a ValueError, or one of TensorFlow's
            failure = failure or error
            if any(text in str(error) for text in _FINAL):
                failure = error
                break
    if failure is not None:
        raise _read(failure)


def _sizes(inputs: Sequence[TensorInfo]) -> Iterator[list[tuple[int, ...]]]:
    static = all(info.is_static for info in inputs)
    for size in _SIZES[: 1 if static else None]:
        yield [tuple(d if d >= 0 else size for d in info.shape or ()) for info in inputs]


def _read(error: Exception) -> Untranslatable:
    text = str(error).strip()
    text = text.removeprefix("Failed getting HLO text: '")
    nodes = dict.fromkeys(first or second for first, second in _NODES.findall(text))
    return Untranslatable(text.splitlines()[0][:300] if text else type(error).__name__, tuple(nodes))


def named(nodes: Sequence[str], members: Container[str]) -> str | None:
    """Return the first of some names that is a member, without the scopes that inlining puts in front of it."""
    for name in nodes:
        while name:
            if name in members:
                return name
            name = name.partition("/")[2]
    return None
