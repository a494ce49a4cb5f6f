"""What the engine `reference` brings to a registry: itself; its converters are those of the plugin `tensorrt`."""

from __future__ import annotations

from tfgraft.plugins.reference.builder import ReferenceBuilder
from tfgraft.registry.plugin import Plugin


def plugin() -> Plugin:
    """Return the plugin."""
    return Plugin("reference", engines=(ReferenceBuilder(),))
