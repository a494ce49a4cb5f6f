"""Support and refusal: the answer to "can this node be converted, and if not, why not"."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

CODES: dict[str, str] = {
    "no-converter": "No converter is registered for this op and engine.",
    "dtype": "An input or output has a data type that the converter does not take.",
    "rank": "An input has a rank that the converter does not take.",
    "unknown-rank": "The converter needs the rank of an input and it is not known.",
    "unknown-dim": "The converter needs a dimension that is not known before the graph runs.",
    "not-constant": "An input must be a constant and is not.",
    "attribute": "An attribute has a value that the converter does not take.",
    "unmapped": "tf2onnx has no mapping for this op, or for an op inside it.",
    "conversion-failed": "The conversion of this node was tried and failed.",
    "engine-rejected": "The engine refused to load or to run what the converter made.",
    "wrong-result": "The engine's result for this node differs from TensorFlow's.",
    "inefficient": "The conversion takes many engine ops for one of TensorFlow's, which is quicker.",
    "build-failed": "The cluster with this node failed to build and this node was found to be the cause.",
    "denylist": "The user's denylist names this node or its op.",
    "stateful": "The op has state or side effects (variables, tables, queues, random numbers, printing).",
    "control-flow": "The op is part of TensorFlow's control flow and stays native.",
    "boundary": "The node is fed or is an input of the graph or function.",
    "no-op": "The node computes nothing that an engine could take.",
    "no-engine": "The engine's package is not installed on this machine.",
    "unknown-op": "TensorFlow does not know this op, so its types cannot be read.",
}
"""The stable refusal codes and what they mean. Plugins may add codes of their own, written `plugin/code`."""


@dataclass(frozen=True)
class Supported:
    """The node can be converted. `note` says anything worth knowing about how."""

    note: str = ""

    def __bool__(self) -> bool:
        raise TypeError("Support has no truth value: use isinstance(support, Supported)")


@dataclass(frozen=True)
class Unsupported:
    """A refusal: a stable code (see `CODES`), a sentence, what is to blame and what would help.

    Args:
        code: a key of `CODES`, or `plugin/code`.
        message: one sentence for people.
        culprit: the input, attribute or inner op at fault ("input 1", "attr padding"); may be empty.
        hint: what the user could do; may be empty.
    """

    code: str
    message: str
    culprit: str = ""
    hint: str = ""

    def __bool__(self) -> bool:
        raise TypeError("Support has no truth value: use isinstance(support, Supported)")

    def __str__(self) -> str:
        text = f"[{self.code}] {self.message}"
        if self.culprit:
            text += f" ({self.culprit})"
        return f"{text} {self.hint}" if self.hint else text

    def to_dict(self) -> dict[str, Any]:
        """Return the refusal as plain data for JSON."""
        return asdict(self)


Support: TypeAlias = Supported | Unsupported
SUPPORTED = Supported()
