"""Data types by TensorFlow's own short names ("float32", "int64", "string", ...).

The table repeats TensorFlow's `types.proto`, so that planning code and registries need no TensorFlow import.
"""

from __future__ import annotations

_NAMES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    11: "qint8",
    12: "quint8",
    13: "qint32",
    14: "bfloat16",
    15: "qint16",
    16: "quint16",
    17: "uint16",
    18: "complex128",
    19: "float16",
    20: "resource",
    21: "variant",
    22: "uint32",
    23: "uint64",
    24: "float8_e5m2",
    25: "float8_e4m3fn",
    29: "int4",
    30: "uint4",
}
_REF = 100  # TensorFlow's enum value of a reference type is that of its base type plus 100
_ENUMS = {name: enum for enum, name in _NAMES.items()}

FLOATS = frozenset({"float16", "float32", "float64"})
INTS = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
NUMERIC = FLOATS | INTS
BOOL = frozenset({"bool"})
PLAIN = NUMERIC | BOOL
"""Types that every engine can exchange as plain buffers."""


def name_of(enum: int) -> str:
    """Return the name of a `DataType` enum value; an unknown one gives "invalid"."""
    return _NAMES.get(enum % _REF, "invalid")


def is_ref(enum: int) -> bool:
    """Tell whether a `DataType` enum value is a reference type (TensorFlow 1 variables)."""
    return enum > _REF


def enum_of(name: str) -> int:
    """Return the `DataType` enum value of a name; raise KeyError for an unknown one."""
    return _ENUMS[name]
