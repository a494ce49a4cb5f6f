"""Renaming the functions of a GraphDef's library, so that they can stand beside those they were made from."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

_OLD = re.compile(r"(_frozen_\d+)?(__[0-9a-f]{8})?$")


def rename_functions(graph_def: Any) -> Any:
    """Give every library function a name that depends on what is in the library; `graph_def` is changed.

    The process has one table of functions. A body with the name of another one (that of the same model before
    freezing, or that of another model) could not be added to it; with a hash in its name it can.
    """
    if not graph_def.library.function:
        return graph_def
    text = graph_def.library.SerializeToString(deterministic=True)
    suffix = "__" + hashlib.blake2b(text, digest_size=4).hexdigest()
    names = [f.signature.name for f in graph_def.library.function]
    bases = Counter(_OLD.sub("", name) for name in names)
    new = {name: (_OLD.sub("", name) if bases[_OLD.sub("", name)] == 1 else name) + suffix for name in names}
    for function in graph_def.library.function:
        function.signature.name = new[function.signature.name]
        for value in function.attr.values():
            _rename_value(value, new)
    for gradient in graph_def.library.gradient:
        gradient.function_name = new.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = new.get(gradient.gradient_func, gradient.gradient_func)
    for node in _all_nodes(graph_def):
        node.op = new.get(node.op, node.op)
        for value in node.attr.values():
            _rename_value(value, new)
    return graph_def


def with_own_functions(graph_def: Any) -> Any:
    """Return the graph with its functions renamed, so that it can be imported beside any other; see above."""
    if not graph_def.library.function:
        return graph_def
    copy = type(graph_def)()
    copy.CopyFrom(graph_def)
    return rename_functions(copy)


def _all_nodes(graph_def: Any) -> Iterator[Any]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _rename_value(value: Any, new: dict[str, str]) -> None:
    kind = value.WhichOneof("value")
    if kind == "func":
        value.func.name = new.get(value.func.name, value.func.name)
    elif kind == "list":
        for function in value.list.func:
            function.name = new.get(function.name, function.name)
