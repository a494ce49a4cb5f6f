"""The interface of TensorFlow 2: `TrtGraphConverterV2`, also known as `tf.experimental.tensorrt.Converter`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfgraft.calibration.feeds import feeds_of
from tfgraft.compat.tensorrt.conversion import Conversion, tags_of
from tfgraft.compat.tensorrt.engines import check_portable, takes_profiles
from tfgraft.compat.tensorrt.params import (
    DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
    TrtConversionParams,
    TrtPrecisionMode,
    check_params,
    strategy_of,
)
from tfgraft.compat.tensorrt.profiles import Shapes, cached_profiles, options_by
from tfgraft.compat.tensorrt.summary import print_summary
from tfgraft.function import make_function
from tfgraft.grafted import Grafted
from tfgraft.load import load

_LOG = logging.getLogger("tfgraft")

InputFn = Callable[[], Any]
"""A generator function that yields inputs: a list or tuple, a dict by name, or one array."""


class TrtGraphConverterV2:
    """Converts a SavedModel: `convert`, then `build` if shapes are to be optimized for, then `save`.

    Args:
        input_saved_model_dir: the model.
        input_saved_model_tags, input_saved_model_signature_key: which graph and signature of it.
        use_dynamic_shape: whether `build` makes profiles by the strategy, and not one for each shape.
        dynamic_shape_profile_strategy: one of `supported_profile_strategies()`, by default "Range".
        max_workspace_size_bytes, precision_mode, minimum_segment_size, maximum_cached_engines, use_calibration,
            allow_build_at_runtime: see `TrtConversionParams`.
        conversion_params: all of these as one value, which comes first.
        engine: the engine builder; default "tensorrt" where its engines run, else "onnxruntime", as the log says once.
        options: options of the engine builder, such as `intra_op_threads=2`, and further arguments of
            `tfgraft.optimize`, such as `denylist` and `strict`.

    Raises:
        ValueError: a parameter cannot be what it is; the message says what it may be.
    """

    def __init__(
        self,
        input_saved_model_dir: str | None = None,
        input_saved_model_tags: Sequence[str] | None = None,
        input_saved_model_signature_key: str | None = None,
        use_dynamic_shape: bool | TrtConversionParams | None = None,
        dynamic_shape_profile_strategy: str | None = None,
        max_workspace_size_bytes: int = DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
        precision_mode: str = TrtPrecisionMode.FP32,
        minimum_segment_size: int = 3,
        maximum_cached_engines: int = 1,
        use_calibration: bool = True,
        allow_build_at_runtime: bool = True,
        conversion_params: TrtConversionParams | None = None,
        *,
        engine: str | None = None,
        **options: Any,
    ) -> None:
        if input_saved_model_dir is None:
            raise ValueError("input_saved_model_dir is needed: the directory of the SavedModel to convert.")
        if isinstance(use_dynamic_shape, TrtConversionParams):  # by position, as TensorFlow 2.0 to 2.3 take it
            conversion_params, use_dynamic_shape = use_dynamic_shape, None
        self._params = conversion_params or TrtConversionParams(
            max_workspace_size_bytes,
            precision_mode,
            minimum_segment_size,
            maximum_cached_engines,
            use_calibration,
            allow_build_at_runtime,
        )
        check_params(self._params)
        self._directory = input_saved_model_dir
        self._tags = input_saved_model_tags
        self._signature = input_saved_model_signature_key
        self._strategy = strategy_of(dynamic_shape_profile_strategy) if use_dynamic_shape else None
        self._engine = engine
        self._options: Mapping[str, Any] = options
        self._conversion: Conversion | None = None
        self._grafted: Grafted | None = None
        self._function: Any = None
        self._table: Any = None
        self._built = False

    def convert(self, calibration_input_fn: InputFn | None = None) -> Any:
        """Return the converted signature: a ConcreteFunction that takes inputs in order or by name, and returns a dict.

        Args:
            calibration_input_fn: for INT8: yields representative inputs.

        Raises:
            ValueError: it is missing, or given where no calibration is needed.
            RuntimeError: the model is converted already.
            ModelError: the model cannot be read.
            FeedError: the inputs do not fit the model.
        """
        if self._conversion is not None:
            raise RuntimeError("convert() was called already; make another converter to convert again.")
        loaded = load(str(self._directory), tags=tags_of(self._tags), signature=self._signature)
        conversion = Conversion.of(loaded, self._params, self._engine, self._options)
        if conversion.needs_calibration and calibration_input_fn is None:
            raise ValueError(
                "calibration_input_fn is needed for precision_mode='INT8': a function that yields representative "
                "inputs, some hundred of them. Without data, set use_calibration=False for a model that was trained "
                "with quantization nodes."
            )
        if not conversion.needs_calibration and calibration_input_fn is not None:
            raise ValueError(
                "calibration_input_fn is given, and no calibration is needed: set precision_mode='INT8' and "
                "use_calibration=True, or leave it out."
            )
        self._table = None if calibration_input_fn is None else conversion.calibrate(calibration_input_fn)
        self._graft(conversion)
        self._conversion = conversion
        return self._function

    def build(self, input_fn: InputFn) -> None:
        """Optimize engines for the shapes of some inputs, and load them by running the first.

        An engine that takes any shape, such as ONNX Runtime's, is not built again.

        Raises:
            NotImplementedError: it was called before.
            RuntimeError: `convert` was not called, or there is no `input_fn`.
            FeedError: the inputs do not fit the model, or there are none.
        """
        if self._built:
            raise NotImplementedError("build() was called already; make another converter to build for other shapes.")
        if input_fn is None:
            raise RuntimeError("build() needs input_fn, a function that yields inputs of the shapes to build for.")
        conversion, _ = self._done("build")
        first: Mapping[str, Any] | None = None
        seen: list[Shapes] = []
        for feed in feeds_of(input_fn, conversion.loaded):
            first = first or feed
            seen.append({name: value.shape for name, value in feed.items()})
        if takes_profiles(conversion.engine) and any(-1 in (i.shape or (-1,)) for i in conversion.loaded.inputs):
            self._graft(conversion, **self._profiles(seen))
        assert first is not None  # feeds_of raises where there are none
        self._function(*(tf.constant(first[i.name], i.dtype) for i in conversion.loaded.inputs))
        self._built = True

    def save(self, output_saved_model_dir: str, save_gpu_specific_engines: bool = True, options: Any = None) -> None:
        """Write the converted signature as a SavedModel with its engines in it.

        Args:
            output_saved_model_dir: where.
            save_gpu_specific_engines: if False, engines must run on other GPUs than the one they were built on.
            options: a `tf.saved_model.SaveOptions`.

        Raises:
            RuntimeError: `convert` was not called.
            ValueError: there are engines that run on one kind of GPU alone, and that is not wanted.
            SaveError, OSError: it cannot be written.
        """
        _, grafted = self._done("save")
        if not save_gpu_specific_engines:
            check_portable(grafted.graph_def)
        grafted.save(output_saved_model_dir, options)

    def summary(
        self, line_length: int = 160, detailed: bool = True, print_fn: Callable[..., None] | None = None
    ) -> None:
        """Print a table of the engines, with what they took the place of.

        Args:
            line_length: characters in a line, at least 160.
            detailed: whether to list the ops of each engine.
            print_fn: called with each line; default `print`.

        Raises:
            RuntimeError: `convert` was not called.
            ValueError: the lines are too short.
        """
        _, grafted = self._done("summary")
        print_summary(grafted, line_length, detailed, print if print_fn is None else print_fn)

    @property
    def grafted(self) -> Grafted:
        """The converted model; its report says what became of each node, and why."""
        return self._done("reading it")[1]

    @property
    def function(self) -> Any:
        """The converted signature, as `convert` returned it, or as `build` has made it anew."""
        self._done("reading it")
        return self._function

    def _done(self, what: str) -> tuple[Conversion, Grafted]:
        if self._conversion is None or self._grafted is None:
            raise RuntimeError(f"Call convert() before {what}.")
        return self._conversion, self._grafted

    def _graft(self, conversion: Conversion, **shapes: Any) -> None:
        grafted = conversion.graft(self._table, **shapes)
        loaded = grafted.loaded
        function = make_function(grafted.graph_def, loaded.inputs, loaded.outputs, loaded.resources, loaded.signature)
        function.tfgraft_resources = (loaded.resources, loaded.initializers)
        self._grafted, self._function = grafted, function

    def _profiles(self, seen: Sequence[Shapes]) -> dict[str, Any]:
        if self._strategy is not None:
            return options_by(self._strategy, seen)
        limit = self._params.maximum_cached_engines
        profiles, left = cached_profiles(seen, limit)
        if left:
            _LOG.warning(
                "maximum_cached_engines=%d: inputs of the shapes %s run in TensorFlow. Raise it, or set "
                "use_dynamic_shape=True.",
                limit,
                "; ".join(str({name: list(dims) for name, dims in shapes.items()}) for shapes in left),
            )
        elif self._params.allow_build_at_runtime and len(profiles) < limit:
            profiles.append({})  # there is room: for whatever else may come
        return {"profiles": profiles}
