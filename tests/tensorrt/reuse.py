"""Cases of the tables for all engines that TensorRT's converters take too."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tests.cases.case import OpCase
from tfgraft.converters.tensorrt.context import ALL


def taken(cases: Iterable[OpCase], ops: Iterable[str], dtypes: frozenset[str] = ALL) -> list[OpCase]:
    """Return the cases of some ops whose inputs have these types and known ranks, refusals left out."""
    wanted = set(ops)
    return [
        case
        for case in cases
        if case.op in wanted
        and case.refusal is None
        and not case.unknown_rank
        and all(str(np.asarray(value).dtype) in dtypes for value in case.inputs)
    ]
