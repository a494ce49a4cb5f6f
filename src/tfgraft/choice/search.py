"""What a user says about choosing engines: on what they are timed, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Search:
    """How engines are chosen by measurement.

    Args:
        feeds: what the model is timed on, in any form that calibration data may have (see `tfgraft.calibrate`), such as
            `[{"x": array}]`; the first feed is used. None: values are made up from the inputs' shapes.
        seconds: how long may be spent on timing; clusters that it is not enough for stay native. Building comes
            besides.
        margin: by what share of TensorFlow's time an engine must be quicker, the noise aside, to be taken.
        threads: intra-op threads of TensorFlow while it is timed; 0 for what this process has set.
        predictor: whether the model, if engines compute all of it, will be called by `Grafted.predictor()`; False: in
            TensorFlow alone.
        tune: try more: clusters smaller than `minimum_segment_size`, and the engines that were chosen with 1, 2, 4, ...
            threads, where their options do not say how many.
    """

    feeds: Any = field(default=None, repr=False)
    seconds: float = 60.0
    margin: float = 0.02
    threads: int = 0
    predictor: bool = True
    tune: bool = False

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"Search's seconds is a time, more than 0, not {self.seconds!r}")
        if not 0 <= self.margin < 1:
            raise ValueError(f"Search's margin is a share of TensorFlow's time, 0 to 1, not {self.margin!r}")
        if isinstance(self.threads, bool) or not isinstance(self.threads, int) or self.threads < 0:
            raise ValueError(f"Search's threads is a number of threads, 0 or more, not {self.threads!r}")
