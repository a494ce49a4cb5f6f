"""XLA's kernels in this TensorFlow: which ops it compiles for a kind of device, and with which types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tfgraft.graph import dtypes
from tfgraft.graph.attrs import DType
from tfgraft.graph.node import Node
from tfgraft.registry.support import Unsupported

DEVICES = {"CPU": "XLA_CPU_JIT", "GPU": "XLA_GPU_JIT"}
"""What TensorFlow calls the compilers of each kind of device."""
Constraints = Mapping[str, frozenset[str]]
"""The types that attributes such as "T" may have."""


@dataclass(frozen=True)
class Kernels:
    """The ops that XLA compiles for one kind of device.

    Args:
        kind: "CPU" or "GPU".
        ops: the kernels of each op; a node needs one whose constraints it meets.
    """

    kind: str
    ops: Mapping[str, tuple[Constraints, ...]]

    @classmethod
    def of(cls, kind: str) -> Kernels:
        """Read TensorFlow's table of kernels, where XLA enters its own when it is first needed."""
        from tensorflow.python.framework import kernels
        from tensorflow.python.util import pywrap_xla_ops

        pywrap_xla_ops.get_gpu_kernel_names() if kind == "GPU" else pywrap_xla_ops.get_cpu_kernel_names()
        ops: dict[str, list[Constraints]] = {}
        for kernel in kernels.get_all_registered_kernels().kernel:
            if kernel.device_type == DEVICES[kind]:
                constraints = {
                    c.name: frozenset(dtypes.name_of(t) for t in c.allowed_values.list.type) for c in kernel.constraint
                }
                ops.setdefault(kernel.op, []).append(constraints)
        return cls(kind, {op: tuple(found) for op, found in ops.items()})

    def refusal(self, node: Node) -> Unsupported | None:
        """Return why XLA has no kernel for a node, or None if it has one; codes no-converter, dtype."""
        found = self.ops.get(node.op)
        if found is None:
            return Unsupported("no-converter", f"XLA compiles no {node.op} for the {self.kind}.", node.op)
        wrong = [_unmet(node, constraints) for constraints in found]
        if any(attr is None for attr, _ in wrong):
            return None
        attr, allowed = wrong[0]
        types = ", ".join(sorted(allowed))
        return Unsupported(
            "dtype", f"XLA compiles {node.op} for the {self.kind} with {attr} of type {types}.", f"attr {attr}"
        )


def _unmet(node: Node, constraints: Constraints) -> tuple[str | None, frozenset[str]]:
    """Return the first attribute whose type is not allowed, and what would be; None if there is none."""
    for name, allowed in constraints.items():
        value = node.attrs.get(name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, DType) and one.name not in allowed:
                return name, allowed
    return None, frozenset()
