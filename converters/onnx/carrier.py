"""Carriers: types in which a value passes exactly through an ONNX op that has no kernel for its own type."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfgraft.converters.onnx.context import OnnxContext

_WIDER = {
    "bool": ("uint8", "int32"),
    "int8": ("int32",),
    "uint8": ("int32",),
    "int16": ("int32",),
    "uint16": ("int32",),
    "uint32": ("int64",),
    "uint64": ("int64",),
    "float16": ("float32",),
}


def carrier(dtype: str, native: frozenset[str]) -> str:
    """Return the type in which a value of type `dtype` is computed, given the types that the op has kernels for.

    Casting there and back keeps every value. uint64 goes through int64, its values wrapped: such an op may move, add
    or multiply them but not compare.

    Raises:
        ValueError: no type serves (the entry's spec let a type in that it must not).
    """
    for candidate in (dtype, *_WIDER.get(dtype, ())):
        if candidate in native:
            return candidate
    raise ValueError(f"there is no type to carry {dtype} among {', '.join(sorted(native))}")


def carried(
    ctx: OnnxContext,
    dtype: str,
    native: frozenset[str],
    inputs: Sequence[str],
    emit: Callable[[list[str]], str],
    back: bool = True,
) -> str:
    """Emit an op on inputs that are cast to the carrier of `dtype` where needed, and cast its result back.

    Args:
        back: False: the result has a type of its own (indices, say) and stays as it is.
    """
    through = carrier(dtype, native)
    if through == dtype:
        return emit(list(inputs))
    result = emit([ctx.cast(name, through) for name in inputs])
    return ctx.cast(result, dtype) if back else result
