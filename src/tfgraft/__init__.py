"""tfgraft: graft inference engines into TensorFlow graphs.

`optimize(model)` gives back the model with engines in it, `plan(model)` says what it would do. Importing the package
imports neither TensorFlow nor any plugin; `import tfgraft.runtime` registers the op that engine nodes are made of.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfgraft import gpu as gpu
    from tfgraft import runtime as runtime
    from tfgraft.api import calibrate, optimize, plan
    from tfgraft.cache.cache import EngineCache
    from tfgraft.calibration.table import CalibrationTable
    from tfgraft.choice.search import Search
    from tfgraft.grafted import Grafted
    from tfgraft.passes.default import default_pipeline
    from tfgraft.passes.pipeline import Pipeline
    from tfgraft.passes.verify_engines import Verification
    from tfgraft.precision.budget import Agreement, Budget, Fidelity
    from tfgraft.registry.registry import Registry
    from tfgraft.report.report import Report
    from tfgraft.runtime import load_saved_model

_WHERE = {
    "Agreement": "tfgraft.precision.budget",
    "Budget": "tfgraft.precision.budget",
    "CalibrationTable": "tfgraft.calibration.table",
    "EngineCache": "tfgraft.cache.cache",
    "Fidelity": "tfgraft.precision.budget",
    "Grafted": "tfgraft.grafted",
    "Pipeline": "tfgraft.passes.pipeline",
    "Registry": "tfgraft.registry.registry",
    "Report": "tfgraft.report.report",
    "Search": "tfgraft.choice.search",
    "Verification": "tfgraft.passes.verify_engines",
    "calibrate": "tfgraft.api",
    "default_pipeline": "tfgraft.passes.default",
    "load_saved_model": "tfgraft.runtime",
    "optimize": "tfgraft.api",
    "plan": "tfgraft.api",
}

__all__ = [
    "Agreement",
    "Budget",
    "CalibrationTable",
    "EngineCache",
    "Fidelity",
    "Grafted",
    "Pipeline",
    "Registry",
    "Report",
    "Search",
    "Verification",
    "calibrate",
    "default_pipeline",
    "gpu",
    "load_saved_model",
    "optimize",
    "plan",
    "runtime",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that `import tfgraft` costs nothing."""
    if name in ("gpu", "runtime"):
        return importlib.import_module(f"tfgraft.{name}")
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'tfgraft' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
