"""Values as bytes and back: pickles that may hold plain data and tfgraft's own records, and nothing that runs code.

A cache may lie where others can write, and reading an ordinary pickle runs whatever it says.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

_RECORDS = frozenset(
    {
        ("tfgraft.graph.view", "TensorInfo"),
        ("tfgraft.graph.ref", "TensorRef"),
        ("tfgraft.plugins.protocol", "BuiltEngine"),
        ("tfgraft.passes.base", "Diagnostic"),
        ("tfgraft.choice.choice", "Choice"),
        ("tfgraft.choice.choice", "Contender"),
        ("tfgraft.report.report", "Report"),
        ("tfgraft.report.report", "ClusterReport"),
        ("tfgraft.report.report", "NodeReport"),
    }
)
"""Frozen dataclasses without behaviour of their own when they are made."""


class Unstorable(ValueError):
    """A value that is none of plain data and known records, or bytes that are none of a value."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything but the known records."""
        if (module, name) in _RECORDS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not taken")


def to_bytes(value: Any) -> bytes:
    """Write a value.

    Raises:
        Unstorable: `from_bytes` could not read it again.
    """
    try:
        content = pickle.dumps(value, protocol=5)
    except Exception as error:  # pickle raises several kinds
        raise Unstorable(str(error)) from error
    from_bytes(content)
    return content


def from_bytes(content: bytes) -> Any:
    """Read a value.

    Raises:
        Unstorable: the bytes are damaged, or hold anything else than plain data and known records.
    """
    try:
        return _Reader(io.BytesIO(content)).load()
    except Exception as error:  # damaged pickles raise nearly anything
        raise Unstorable(str(error)) from error
