"""What the engine `litert` brings to a registry: itself, and which of TensorFlow's ops its converter takes."""

from __future__ import annotations

from tfgraft.converters.decompositions.families import DECOMPOSITIONS
from tfgraft.converters.litert.ops import CONVERTERS
from tfgraft.plugins.litert.builder import LiteRtBuilder
from tfgraft.registry.plugin import Plugin


def plugin() -> Plugin:
    """Return the plugin. The decompositions are shared: an entry that is there already is the same one."""
    return Plugin("litert", converters=CONVERTERS, decompositions=DECOMPOSITIONS, engines=(LiteRtBuilder(),))
