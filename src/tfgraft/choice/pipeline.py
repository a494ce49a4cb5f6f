"""A pipeline that chooses between engines, made of one that builds for a single one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tfgraft.choice.search import Search
from tfgraft.engines import EngineSpec
from tfgraft.load.model import LoadedModel
from tfgraft.passes.build_engines import BuildEngines
from tfgraft.passes.choose_engines import ChooseEngines
from tfgraft.passes.pipeline import Pipeline
from tfgraft.passes.tag_support import TagSupport
from tfgraft.passes.verify_engines import ENGINE_BOUNDS
from tfgraft.precision.samples import table_of
from tfgraft.precision.settings import Precision


def choosing(
    pipeline: Pipeline, specs: Sequence[EngineSpec], search: Search, loaded: LoadedModel, wanted: Precision
) -> Pipeline:
    """Return a pipeline with `choose_engines` in the place of `build_engines`.

    Where the search has no feeds, it takes calibration data that can be read more than once.

    Raises:
        ValueError: the pipeline has no `tag_support` or no `build_engines`.
    """
    tagging = [step for step in pipeline.passes if isinstance(step, TagSupport)]
    building = [step for step in pipeline.passes if isinstance(step, BuildEngines)]
    if len(tagging) != 1 or len(building) != 1:
        raise ValueError("a pipeline for several engines needs one pass tag_support and one build_engines")
    data = wanted.data
    if search.feeds is None and data is not None and not isinstance(data, Iterator) and table_of(data) is None:
        search = replace(search, feeds=data)
    bound = ENGINE_BOUNDS[wanted.name]
    step = ChooseEngines(tuple(specs), tagging[0], building[0].forming, search, loaded, bound)
    return pipeline.replace("build_engines", step)
