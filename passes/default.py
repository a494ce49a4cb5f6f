"""The default pipeline: what `tfgraft.optimize` and `tfgraft.plan` run."""

from __future__ import annotations

from tfgraft.passes.base import Pass
from tfgraft.passes.build_engines import BuildEngines
from tfgraft.passes.decompose import Decompose
from tfgraft.passes.drop_asserts import DropAsserts
from tfgraft.passes.fold_branches import FoldBranches
from tfgraft.passes.fold_shapes import FoldShapes
from tfgraft.passes.form_clusters import FormClusters
from tfgraft.passes.free_constants import FreeConstants
from tfgraft.passes.fuse_dilations import FuseDilations
from tfgraft.passes.grappler import Grappler
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.passes.inline_calls import InlineCalls
from tfgraft.passes.instruments import Timing, Verify
from tfgraft.passes.join_quantizers import JoinQuantizers
from tfgraft.passes.outline_loops import OutlineLoops
from tfgraft.passes.pipeline import Pipeline
from tfgraft.passes.prune import Prune
from tfgraft.passes.replace_clusters import ReplaceClusters
from tfgraft.passes.tag_support import TagSupport
from tfgraft.passes.unroll_loops import UnrollLoops


def default_pipeline(
    *,
    minimum_segment_size: int = 3,
    maximum_segment_size: int | None = None,
    maximum_engines: int | None = None,
    denylist: tuple[str, ...] = (),
    grappler: tuple[str, ...] = ("constfold",),
    cut_light: bool = True,
    build: bool = True,
) -> Pipeline:
    """Return the pipeline that grafts engines into a graph.

    Args:
        minimum_segment_size, maximum_segment_size, maximum_engines, cut_light: see `FormClusters`.
        denylist: see `TagSupport`.
        grappler: TensorFlow's optimizers to run first; see `Grappler`. Empty for none.
        build: whether to build engines and put them in; without, the pipeline plans.
    """
    forming = FormClusters(minimum_segment_size, maximum_segment_size, maximum_engines, cut_light)
    passes: list[Pass] = [Prune(), JoinQuantizers()]
    if grappler:
        passes.append(Grappler(tuple(grappler)))
    passes += [FreeConstants(), InferShapes()]
    if "constfold" in grappler:
        passes += [FoldShapes(), FoldBranches(), UnrollLoops(), DropAsserts()]
    passes += [
        InlineCalls(),
        FuseDilations(),
        Decompose(),
        OutlineLoops(),
        TagSupport(tuple(denylist)),
        forming,
    ]
    if build:
        passes += [BuildEngines(forming), ReplaceClusters()]
    return Pipeline(passes, (Verify(), Timing()))
