"""What the plugin brings, as the one value that its entry point names."""

from __future__ import annotations

from tfgraft.registry.plugin import Plugin
from tfgraft_sample.converters import elementwise, softsign
from tfgraft_sample.decompositions import relu6
from tfgraft_sample.engine import NumpyBuilder
from tfgraft_sample.remove_checks import RemoveChecks

plugin = Plugin(
    "sample",
    converters=(elementwise, softsign),
    decompositions=(relu6,),
    engines=(NumpyBuilder(),),
    passes={"remove_checks": RemoveChecks},
)
