"""Grafted: the result of `tfgraft.optimize`."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from typing import Any

from tfgraft.load.model import LoadedModel, Resource, Signature
from tfgraft.predictor import Predictor
from tfgraft.report.report import Graphs, Report


class Grafted:
    """A model with engines in it. It is not changed after it is made.

    Args:
        graph_def: the new GraphDef.
        loaded: the model that it was made from.
        report: what became of each node.
    """

    def __init__(self, graph_def: Any, loaded: LoadedModel, report: Report) -> None:
        self._graph_def = graph_def
        self._loaded = loaded
        self._report = replace(report, graphs=Graphs(loaded.graph_def, graph_def))

    @property
    def graph_def(self) -> Any:
        """The GraphDef; running it needs `import tfgraft.runtime`."""
        return self._graph_def

    @property
    def report(self) -> Report:
        """What became of each node, and why."""
        return self._report

    @property
    def loaded(self) -> LoadedModel:
        """The model that it was made from."""
        return self._loaded

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tensor names of the inputs, in order."""
        return self._loaded.input_names

    @property
    def outputs(self) -> tuple[str, ...]:
        """The tensor names of the outputs, in order."""
        return self._loaded.output_names

    @property
    def signature(self) -> Signature | None:
        """The names that users see, where the model had a signature."""
        return self._loaded.signature

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Lookup tables and the like that the graph needs beside its inputs; `function()` binds them."""
        return self._loaded.resources

    def function(self) -> Any:
        """Return a ConcreteFunction that takes the inputs in order and returns the list of outputs.

        It is made once. It keeps the model's resources alive.
        """
        return self._function

    @cached_property
    def _function(self) -> Any:
        from tfgraft.function import make_function

        loaded = self._loaded
        function = make_function(self._graph_def, loaded.inputs, loaded.outputs, loaded.resources)
        # The function holds handles only; whoever keeps the function must keep what the handles belong to.
        function.tfgraft_resources = (loaded.resources, loaded.initializers)
        return function

    def predictor(self) -> Predictor:
        """Return a callable that takes arrays and returns new ones: the quickest way to call the model from Python.

        Where engines compute the whole model, calls go straight to them, and TensorFlow takes no part in them; else
        they run `function()`. Inputs are NumPy arrays, or whatever has `__dlpack__`, in the order of `inputs`, which
        gives the list of outputs as `function()` does; or by the names of the signature, as keywords or as one dict,
        which gives a dict. Of inputs in the memory of a GPU the outputs are there too, to be taken by DLPack. It is
        made once, and may be called from several threads.

        Calls raise `FeedError` where an input is missing or has the wrong type or shape; see `Predictor`.
        """
        return self._predictor

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor(self._graph_def, self._loaded, self.function)

    def save(self, path: str | os.PathLike[str], options: Any = None) -> None:
        """Write a frozen GraphDef if the path ends in `.pb`, else a SavedModel directory with the original signature.

        The target is replaced only after all is written. Another process runs the result after
        `import tfgraft.runtime`.

        Args:
            path: where to write.
            options: a `tf.saved_model.SaveOptions`, for a SavedModel.

        Raises:
            SaveError: the model cannot be written in that form; the message says what to do.
            OSError: the place cannot be written.
        """
        from tfgraft.save import save

        save(self._graph_def, self._loaded, path, options)

    def __repr__(self) -> str:
        return (
            f"Grafted({self._loaded.source or 'model'}: {len(self._report.clusters)} engines, "
            f"inputs {list(self.inputs)}, outputs {list(self.outputs)})"
        )
