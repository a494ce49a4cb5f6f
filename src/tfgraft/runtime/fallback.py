"""What is said when the native segment answers for an engine."""

from __future__ import annotations

import logging

from tfgraft.runtime.engines import describe
from tfgraft.runtime.process import Process

_LOG = logging.getLogger("tfgraft")
_ADVICE_LOAD = "Install what the engine needs, or optimize the model again on this machine."
_ADVICE_RUN = "Optimize the model again for such inputs, or put the node's original operations on the denylist."


def fallback_cause(error: Exception, loaded: bool) -> str:
    """Return why an engine does not answer, as counters and messages say it."""
    return f"it failed to run: {describe(error)}" if loaded else f"it could not be loaded: {error}"


def warn_of_fallback(process: Process, node: str, engine: str, cause: str, loaded: bool) -> None:
    """Warn that the segment runs instead; once for each node and cause in a process."""
    if process.first_time(node, cause):
        _LOG.warning(
            "engine node %r: TensorFlow runs the native segment in place of engine %r, because %s. The results are "
            "right, but not faster. %s",
            node,
            engine,
            cause,
            _ADVICE_RUN if loaded else _ADVICE_LOAD,
        )
