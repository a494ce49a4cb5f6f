"""The interface of TensorFlow 1: `create_inference_graph` and `calib_graph_to_infer_graph`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from tfgraft.compat.tensorrt.conversion import Conversion, names_of, self_contained, tags_of
from tfgraft.compat.tensorrt.engines import takes_profiles
from tfgraft.compat.tensorrt.observers import find_observers
from tfgraft.compat.tensorrt.params import (
    DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
    TrtConversionParams,
    TrtPrecisionMode,
    check_params,
)
from tfgraft.compat.tensorrt.profiles import batch_profiles
from tfgraft.grafted import Grafted
from tfgraft.load import LoadedModel, load
from tfgraft.runtime import UnknownEngine

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class GraphConversion:
    """A conversion that gives a GraphDef.

    Args:
        conversion: the model and its parameters.
        batches: sizes of batches to optimize for, if engines take any.
        directory: where the result is also written as a SavedModel; None for nowhere.
    """

    conversion: Conversion
    batches: tuple[int, ...] = ()
    directory: Path | None = None

    def graft(self, calibration: Any = None) -> Grafted:
        """Return the model with engines in it, and write it where that was asked for."""
        grafted = self.conversion.graft(calibration, **self._shapes())
        if self.directory is not None:
            grafted.save(self.directory)
        return grafted

    def graph_def(self) -> Any:
        """Return the GraphDef with engines, or the calibration graph where data has to be seen first."""
        if self.conversion.needs_calibration:
            return self.conversion.calibration_graph(self)
        return self.graft().graph_def

    def with_dynamic_op(self, is_dynamic_op: bool) -> GraphConversion:
        """Return the same for engines that take any batch, if that is wanted."""
        if not is_dynamic_op:
            return self
        params = self.conversion.params._replace(is_dynamic_op=True)
        return replace(self, conversion=replace(self.conversion, params=params))

    def _shapes(self) -> dict[str, Any]:
        params = self.conversion.params
        if not takes_profiles(self.conversion.engine):
            return {}
        if not params.is_dynamic_op:
            return {"max_batch_size": params.max_batch_size}
        return {"profiles": batch_profiles(_known_but_batch(self.conversion.loaded), self.batches)}


def create_inference_graph(
    input_graph_def: Any,
    outputs: str | Sequence[Any] | None = None,
    max_batch_size: int | None = 1,
    max_workspace_size_bytes: int = DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
    precision_mode: str = TrtPrecisionMode.FP32,
    minimum_segment_size: int = 3,
    is_dynamic_op: bool = False,
    maximum_cached_engines: int = 1,
    cached_engine_batches: Sequence[int] | None = None,
    use_calibration: bool = True,
    input_saved_model_dir: Path | None = None,
    input_saved_model_tags: Sequence[str] | None = None,
    output_saved_model_dir: Path | None = None,
    session_config: Any = None,
    *,
    input_saved_model_signature_key: str | None = None,
    cached_engine_batch_sizes: Sequence[int] | None = None,
    rewriter_config_template: Any = None,
    engine: str | None = None,
    **options: Any,
) -> Any:
    """Return a GraphDef in which engines take the place of what they can compute; names are kept.

    The parameters are those of TensorFlow 1.7 to 1.15. With INT8 the result is a calibration graph, which computes in
    float32: run it on representative data in a Session of this process, then give it to `calib_graph_to_infer_graph`.

    Args:
        input_graph_def: a frozen GraphDef; None to load `input_saved_model_dir`.
        outputs: names of nodes or tensors that must stay, or the tensors. Default: the signature's, or what nothing
            reads.
        max_batch_size: the largest batch that engines of TensorRT take, where `is_dynamic_op` is false. Larger ones
            run in TensorFlow. ONNX Runtime takes any batch.
        max_workspace_size_bytes: limit of the working memory of TensorRT's engines.
        precision_mode: "FP32", "FP16" or "INT8".
        minimum_segment_size: smaller clusters stay in TensorFlow; -1 for no engine at all.
        is_dynamic_op: whether engines take any batch.
        maximum_cached_engines: how many batch sizes may be given.
        cached_engine_batches, cached_engine_batch_sizes: sizes of batches to optimize TensorRT's engines for, where
            `is_dynamic_op` is true; two names that TensorFlow's versions have for one parameter.
        use_calibration: whether INT8 takes ranges from data; if not, the model must have quantization nodes.
        input_saved_model_dir, input_saved_model_tags, input_saved_model_signature_key: the model to load.
        output_saved_model_dir: where to write the result as a SavedModel too; with INT8 that happens when the
            calibration graph is converted.
        session_config, rewriter_config_template: not used; there is no Session, and TensorFlow's optimizers are chosen
            by `tfgraft.default_pipeline`.
        engine: the engine builder; default "tensorrt" where its engines run, else "onnxruntime", as the log says once.
        options: options of the engine builder, such as `intra_op_threads=2`, and further arguments of
            `tfgraft.optimize`, such as `denylist` and `strict`.

    Raises:
        ValueError: a parameter cannot be what it is; the message says what it may be.
        TypeError: a parameter is of another type.
        ModelError: the model cannot be read.
    """
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
    batches = _batches(cached_engine_batches or cached_engine_batch_sizes, params)
    loaded = load_input(
        input_graph_def,
        outputs,
        input_saved_model_dir,
        input_saved_model_tags,
        input_saved_model_signature_key,
    )
    if output_saved_model_dir is not None and input_graph_def is not None:
        raise ValueError(
            "output_saved_model_dir is for a model that comes from input_saved_model_dir: a GraphDef has no signature. "
            "Write the GraphDef that is returned, or use tfgraft.optimize(graph_def).save(directory)."
        )
    conversion = Conversion.of(loaded, params, engine, options)
    return GraphConversion(conversion, batches, output_saved_model_dir).graph_def()


def calib_graph_to_infer_graph(calibration_graph_def: Any, is_dynamic_op: bool = False) -> Any:
    """Return the GraphDef whose engines compute in INT8, given a calibration graph that has seen data in this process.

    What it has seen is given up afterwards: a calibration graph can be converted once.

    Args:
        calibration_graph_def: what `create_inference_graph(precision_mode="INT8")` returned.
        is_dynamic_op: whether engines take any batch; also true if it was so for the calibration graph.

    Raises:
        ValueError: it is no calibration graph, has seen no data, or was made in another process.
    """
    return graft_calibrated(calibration_graph_def, is_dynamic_op).graph_def


def graft_calibrated(calibration_graph_def: Any, is_dynamic_op: bool = False) -> Grafted:
    """Do what `calib_graph_to_infer_graph` does, and return the grafted model."""
    try:
        observers = find_observers(calibration_graph_def)
    except UnknownEngine as error:
        raise ValueError(
            "This calibration graph was made in another process, or has been converted already, and what it has seen "
            "is not here. Make it, run it and convert it in one process, or give the data to "
            "tfgraft.optimize(model, precision='INT8', calibration=data)."
        ) from error
    if observers is None:
        raise ValueError(
            "This is no calibration graph: it has no observers. Give what create_inference_graph(..., "
            "precision_mode='INT8') returned, of a model with convolutions or matrix products."
        )
    table = observers.table()
    if not table.names:
        raise ValueError(
            "The calibration graph has not seen any data. Run it in a Session on representative inputs, some hundred "
            "of them: tf.import_graph_def(calibration_graph, name=''), then session.run(outputs, feed_dict) for each."
        )
    made: GraphConversion = observers.about
    result = made.with_dynamic_op(is_dynamic_op).graft(table)
    observers.forget()
    return result


def load_input(
    graph_def: Any,
    outputs: str | Sequence[Any] | None,
    directory: Path | None,
    tags: Sequence[str] | None,
    signature: str | None,
) -> LoadedModel:
    """Load the one model that is given.

    Raises:
        ValueError: none or two are given, or a GraphDef cannot hold the model.
        TypeError: the GraphDef is something else.
        ModelError: the model cannot be read.
    """
    if (graph_def is None) == (directory is None):
        raise ValueError(
            f"{'Neither' if graph_def is None else 'Both'} of input_graph_def and input_saved_model_dir are given: "
            "give one."
        )
    if graph_def is None:
        return self_contained(load(str(directory), tags=tags_of(tags), signature=signature))
    if not isinstance(graph_def, tf.compat.v1.GraphDef):
        raise TypeError(
            f"input_graph_def is a frozen GraphDef, not a {type(graph_def).__name__}. From a Session: "
            "tf.compat.v1.graph_util.convert_variables_to_constants(session, graph_def, output_names). For other kinds "
            "of models there is tfgraft.optimize."
        )
    return load(graph_def, outputs=names_of(outputs))


def _batches(sizes: Sequence[int] | None, params: TrtConversionParams) -> tuple[int, ...]:
    if not sizes:
        return ()
    if isinstance(sizes, (str, int)) or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise TypeError(f"cached_engine_batches is a list of batch sizes, not {sizes!r}.")
    if len(sizes) > params.maximum_cached_engines:
        raise ValueError(
            f"cached_engine_batches has {len(sizes)} sizes, and maximum_cached_engines is "
            f"{params.maximum_cached_engines}. Raise it, or give fewer."
        )
    return tuple(sizes)


def _known_but_batch(loaded: LoadedModel) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the inputs that have an unknown batch and nothing else that is unknown."""
    return {
        i.name: i.shape for i in loaded.inputs if i.shape and i.shape[0] < 0 and all(size >= 0 for size in i.shape[1:])
    }
