"""Tensor refs: the one place that parses and prints `name`, `name:port` and `^name`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class TensorRef:
    """Output `port` of node `node`; printed as TensorFlow prints tensor names (`node:port`)."""

    node: str
    port: int = 0

    def __str__(self) -> str:
        return f"{self.node}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> TensorRef:
        """Parse `name` or `name:port`.

        Raises:
            ValueError: the text is empty, a control input (`^name`), or its port is no number.
        """
        if not text or text.startswith("^"):
            raise ValueError(f"{text!r} is not the name of a tensor; write 'node' or 'node:port'")
        node, colon, port = text.rpartition(":")
        if not colon:
            return cls(text, 0)
        if not node or not port.isdigit():
            raise ValueError(f"{text!r} is not the name of a tensor; write 'node' or 'node:port'")
        return cls(node, int(port))

    def as_input(self) -> str:
        """Print the ref as a NodeDef input: port 0 is left out, as TensorFlow writes it."""
        return self.node if self.port == 0 else f"{self.node}:{self.port}"


def control_source(text: str) -> str | None:
    """Return the node of a control input (`^name`), or None for a data input."""
    return text[1:] if text.startswith("^") else None
