"""What the engine `tensorrt` brings to a registry."""

from __future__ import annotations

from tfgraft.converters.decompositions.families import DECOMPOSITIONS
from tfgraft.converters.tensorrt.families import CONVERTERS
from tfgraft.plugins.tensorrt.builder import TensorRtBuilder
from tfgraft.registry.plugin import Plugin


def plugin() -> Plugin:
    """Return the plugin. The decompositions are shared: an entry that is there already is the same one."""
    return Plugin("tensorrt", converters=CONVERTERS, decompositions=DECOMPOSITIONS, engines=(TensorRtBuilder(),))
