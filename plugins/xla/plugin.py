"""What the engine `xla` brings to a registry."""

from __future__ import annotations

from tfgraft.plugins.xla.builder import XlaBuilder
from tfgraft.plugins.xla.support import XlaSupport
from tfgraft.registry.plugin import Plugin


def plugin() -> Plugin:
    """Return the plugin; each reads TensorFlow's table of XLA kernels once, when a node is first asked about."""
    return Plugin("xla", converters=((XlaSupport().entry(),),), engines=(XlaBuilder(),))
