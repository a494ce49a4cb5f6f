"""Options of the engine `onnxruntime`: what they are called, what they may be, and how they become a session's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tfgraft.plugins.option_checks import check_known, is_whole

_LEVELS = ("disable", "basic", "extended", "all")
_NUMBERS = {
    "intra_op_threads": "threads",
    "inter_op_threads": "threads",
    "spinning": "microseconds",
    "sessions_by_shape": "sessions",
    "cuda_graphs": "graphs",
}
_CONFIG = {"session.qdq_matmulnbits_accuracy_level": "1"}
"""In a product of floats and a quantized constant, 1 leaves the floats alone; by default they are quantized too."""
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_OWN_OPS = frozenset({CPU, CUDA})
"""Providers that run ops of ONNX Runtime's own; others would leave them to the CPU."""


@dataclass(frozen=True)
class OnnxRuntimeOptions:
    """How ONNX Runtime runs an engine; stored with it.

    Args:
        providers: execution providers in order of preference: names, or [name, {option: value}] pairs. Those that an
            installation does not have are left out when loading, with the CPU provider last. None lets the builder
            decide: CUDA's where ONNX Runtime has it and TensorFlow sees a GPU, else the CPU's.
        intra_op_threads: threads inside an op, at most; 0: one for each core. An engine with little to do takes one.
        inter_op_threads: threads across ops; above 1 ops run in parallel.
        spinning: for how many microseconds an idle thread spins before it sleeps; 0: it sleeps at once. Spinning is
            quicker for the engine, at the cost of what runs beside and after it: ONNX Runtime's own default, some 100
            milliseconds, makes TensorFlow's ops a fifth slower. None lets the builder decide: 1000 for an engine that
            is nearly the whole graph, and 100, enough to last from one op to the next, for others.
        sessions_by_shape: an engine whose inputs' shapes are open makes so many sessions, at most, for shapes that come
            again and again: quicker by what depends on the shapes alone, for the memory of a session each. 0: none.
        cuda_graphs: for so many sets of input shapes, at most, a GPU's kernels are launched as one CUDA graph once the
            shapes come again; 0: never.
        graph_optimization: "disable", "basic", "extended" or "all".
        session_config: further entries of ONNX Runtime's session configuration, by key.
    """

    providers: tuple[Any, ...] | None = None
    intra_op_threads: int = 0
    inter_op_threads: int = 1
    spinning: int | None = None
    sessions_by_shape: int = 2
    cuda_graphs: int = 4
    graph_optimization: str = "all"
    session_config: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> OnnxRuntimeOptions:
        """Make options out of a mapping, as users give it.

        Raises:
            ValueError: an option is unknown or has a value that it cannot have.
        """
        check_known("onnxruntime", cls, options)
        values = dict(options)
        if isinstance(values.get("providers"), str):
            values["providers"] = (values["providers"],)
        if values.get("providers") is not None:
            values["providers"] = tuple(values["providers"])
        made = cls(**values)
        for name, unit in _NUMBERS.items():
            value = getattr(made, name)
            if name == "spinning" and value is None:
                continue
            if not is_whole(value, 0):
                raise ValueError(f"option {name} must be a number of {unit}, 0 or more, not {value!r}")
        if made.graph_optimization not in _LEVELS:
            raise ValueError(
                f"option graph_optimization is one of {', '.join(_LEVELS)}, not {made.graph_optimization!r}"
            )
        if made.providers == ():
            raise ValueError("option providers needs at least one execution provider")
        return made

    @property
    def domains(self) -> frozenset[str]:
        """Whose ops models may have besides ONNX's: ONNX Runtime's own, where all providers run these."""
        return frozenset({"com.microsoft"}) if set(self.provider_names) <= _OWN_OPS else frozenset()

    @property
    def provider_names(self) -> list[str]:
        """The providers without their options."""
        return [provider_name(provider) for provider in self.providers or (CPU,)]

    @property
    def on_gpu(self) -> bool:
        """Whether engines work in a GPU's memory, where there is one."""
        return CUDA in self.provider_names

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain data."""
        return asdict(self)

    def session_options(self, ort: Any) -> Any:
        """Return a `SessionOptions` of the given onnxruntime module."""
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = self.intra_op_threads
        options.inter_op_num_threads = self.inter_op_threads
        if self.inter_op_threads > 1:
            options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
        level = {
            "disable": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
            "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
            "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
            "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
        }
        options.graph_optimization_level = level[self.graph_optimization]
        for pool in ("intra_op", "inter_op"):
            if self.spinning == 0:
                options.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
            elif self.spinning is not None:
                options.add_session_config_entry(f"session.{pool}.spin_duration_us", str(self.spinning))
        for key, value in {**_CONFIG, **self.session_config}.items():
            options.add_session_config_entry(key, str(value))
        return options

    def usable_providers(self, ort: Any) -> list[Any]:
        """Return the providers that this installation has, the CPU provider last."""
        have = set(ort.get_available_providers())
        chosen: list[Any] = []
        for provider in self.providers or (CPU,):
            if provider_name(provider) in have:
                chosen.append(provider if isinstance(provider, str) else (provider[0], dict(provider[1])))
        if CPU not in map(provider_name, chosen):
            chosen.append(CPU)
        return chosen


def provider_name(provider: Any) -> str:
    """Return the name of a provider that is given with options, or without."""
    name: str = provider if isinstance(provider, str) else provider[0]
    return name
