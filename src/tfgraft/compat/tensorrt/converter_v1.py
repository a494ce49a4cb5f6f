"""The class of TensorFlow 1.14 and 1.15: `TrtGraphConverter`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfgraft.compat.tensorrt.conversion import Conversion
from tfgraft.compat.tensorrt.create import GraphConversion, Path, graft_calibrated, load_input
from tfgraft.compat.tensorrt.params import (
    DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
    TrtConversionParams,
    TrtPrecisionMode,
    check_params,
)
from tfgraft.grafted import Grafted


class TrtGraphConverter:
    """Converts a frozen GraphDef or a SavedModel to a GraphDef: `convert`, with INT8 `calibrate`, then `save`.

    Args:
        input_saved_model_dir, input_saved_model_tags, input_saved_model_signature_key: the model to load, if no
            GraphDef is given.
        input_graph_def: a frozen GraphDef.
        nodes_denylist, nodes_blacklist: names of nodes that must stay available, the outputs first of all; two names
            that TensorFlow's versions have for one parameter.
        session_config: not used; see `create_inference_graph`, as for the others.
    """

    def __init__(
        self,
        input_saved_model_dir: Path | None = None,
        input_saved_model_tags: Sequence[str] | None = None,
        input_saved_model_signature_key: str | None = None,
        input_graph_def: Any = None,
        nodes_denylist: Sequence[Any] | None = None,
        max_batch_size: int | None = 1,
        max_workspace_size_bytes: int = DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
        precision_mode: str = TrtPrecisionMode.FP32,
        minimum_segment_size: int = 3,
        is_dynamic_op: bool = False,
        maximum_cached_engines: int = 1,
        use_calibration: bool = True,
        *,
        nodes_blacklist: Sequence[Any] | None = None,
        session_config: Any = None,
        engine: str | None = None,
        **options: Any,
    ) -> None:
        params = TrtConversionParams(
            max_workspace_size_bytes,
            precision_mode,
            minimum_segment_size,
            maximum_cached_engines,
            use_calibration,
            is_dynamic_op=is_dynamic_op,
            max_batch_size=max_batch_size,
        )
        check_params(params)
        loaded = load_input(
            input_graph_def,
            nodes_denylist or nodes_blacklist,
            input_saved_model_dir,
            input_saved_model_tags,
            input_saved_model_signature_key,
        )
        self._from_graph_def = input_graph_def is not None
        self._conversion = GraphConversion(Conversion.of(loaded, params, engine, options))
        self._calibration_graph: Any = None
        self._grafted: Grafted | None = None

    def convert(self) -> Any:
        """Return the GraphDef with engines, or for INT8 the calibration graph.

        Raises:
            RuntimeError: it was called before.
        """
        if self._grafted is not None or self._calibration_graph is not None:
            raise RuntimeError("convert() was called already; make another converter to convert again.")
        if self._conversion.conversion.needs_calibration:
            self._calibration_graph = self._conversion.graph_def()
            return self._calibration_graph
        self._grafted = self._conversion.graft()
        return self._grafted.graph_def

    def calibrate(
        self,
        fetch_names: Sequence[str],
        num_runs: int,
        feed_dict_fn: Callable[[], Mapping[str, Any]] | None = None,
        input_map_fn: Callable[[], Mapping[str, Any]] | None = None,
    ) -> Any:
        """Run the calibration graph on data, and return the GraphDef whose engines compute in INT8.

        Args:
            fetch_names: the tensors to compute.
            num_runs: how often.
            feed_dict_fn: returns the values of one run by tensor name.
            input_map_fn: returns, in place of that, the tensors that inputs are replaced by.

        Raises:
            ValueError: both functions are given, or neither.
            RuntimeError: there is no calibration graph.
        """
        if self._calibration_graph is None:
            raise RuntimeError("Call convert() with precision_mode='INT8' before calibrate(); it is called once.")
        if (feed_dict_fn is None) == (input_map_fn is None):
            raise ValueError("calibrate() needs one of feed_dict_fn and input_map_fn, and not both.")
        with tf.Graph().as_default():
            fetches = tf.graph_util.import_graph_def(
                self._calibration_graph,
                input_map=input_map_fn() if input_map_fn else None,
                return_elements=list(fetch_names),
                name="",
            )
            with tf.compat.v1.Session() as session:
                for _ in range(num_runs):
                    session.run(fetches, feed_dict_fn() if feed_dict_fn else None)
        self._grafted = graft_calibrated(self._calibration_graph)
        self._calibration_graph = None
        return self._grafted.graph_def

    def save(self, output_saved_model_dir: Path) -> None:
        """Write the result as a SavedModel with the signature of the one that it was made from.

        Raises:
            RuntimeError: there is no result yet.
            ValueError: it was made from a GraphDef, which has no signature.
        """
        if self._grafted is None:
            raise RuntimeError("Call convert() before save(), and calibrate() for precision_mode='INT8'.")
        if self._from_graph_def:
            raise ValueError("A GraphDef has no signature to save. Write the GraphDef itself, or give a SavedModel.")
        self._grafted.save(output_saved_model_dir)
