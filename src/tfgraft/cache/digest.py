"""Digests of values: equal ones for equal values, in any process and on any machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np

_OWN = "tfgraft."


class Undigestible(TypeError):
    """A value of which nobody can say whether it is the same as another day's: a function, an object of a user's."""


def digest(*values: Any) -> str:
    """Return the hash of values (128 bit of SHA-256, for which processors have instructions, as hexadecimal digits).

    Digested are None, truth values, numbers, text, bytes, paths, NumPy arrays, sequences, sets, mappings (in any
    order), and tfgraft's own dataclasses by their fields.

    Raises:
        Undigestible: a value, or one inside of it, is of another type.
    """
    hasher = hashlib.sha256()
    for value in values:
        for part in _parts(value):
            hasher.update(part)
    return hasher.hexdigest()[:32]


def _parts(value: Any) -> Iterator[bytes]:
    """Yield what is hashed; each value begins with its kind and size, so that no two run into each other."""
    if value is None or isinstance(value, (bool, int, float, complex)):
        yield _headed(type(value).__name__, repr(value).encode())
    elif isinstance(value, str):
        yield _headed("str", value.encode("utf-8", "surrogatepass"))
    elif isinstance(value, (bytes, bytearray, memoryview)):
        yield f"bytes {len(value)}:".encode()
        yield value if isinstance(value, bytes) else bytes(value)
    elif isinstance(value, (list, tuple)):
        yield f"list {len(value)}:".encode()
        for item in value:
            yield from _parts(item)
    elif isinstance(value, Mapping):
        yield from _unordered("dict", ((key, item) for key, item in value.items()))
    elif isinstance(value, AbstractSet):
        yield from _unordered("set", value)
    elif isinstance(value, (np.ndarray, np.generic)):
        yield from _array(np.asarray(value))
    elif isinstance(value, PathLike):
        yield from _parts(fspath(value))
    elif is_dataclass(value) and not isinstance(value, type) and type(value).__module__.startswith(_OWN):
        yield _headed("object", f"{type(value).__module__}.{type(value).__qualname__}".encode())
        for each in fields(value):
            yield from _parts(each.name)
            yield from _parts(getattr(value, each.name))
    else:
        raise Undigestible(f"a {type(value).__module__}.{type(value).__qualname__} cannot be part of a cache key")


def _headed(kind: str, content: bytes) -> bytes:
    return f"{kind} {len(content)}:".encode() + content


def _unordered(kind: str, items: Any) -> Iterator[bytes]:
    digests = sorted(digest(item) for item in items)
    yield f"{kind} {len(digests)}:".encode()
    yield from (text.encode() for text in digests)


def _array(array: Any) -> Iterator[bytes]:
    if array.dtype.hasobject:
        yield _headed("objects", f"{array.shape}".encode())
        yield from _parts(array.ravel().tolist())
        return
    yield _headed("array", f"{array.dtype}{array.shape}".encode())
    yield np.ascontiguousarray(array).tobytes()
