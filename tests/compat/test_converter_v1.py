"""`TrtGraphConverter`, the class of TensorFlow 1.14 and 1.15."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from tests.compat.models import close, engines, frozen_graph, images, run, saved_model_v1
from tfgraft.compat.tensorrt import trt_convert as trt


def test_a_graph_def() -> None:
    converter = trt.TrtGraphConverter(
        input_graph_def=frozen_graph(), nodes_blacklist=["output/Softmax"], precision_mode="FP16", engine="onnxruntime"
    )
    graph = converter.convert()
    close("FP16", run(graph, images(2)), run(frozen_graph(), images(2)))
    with pytest.raises(RuntimeError, match=r"convert\(\) was called already"):
        converter.convert()
    with pytest.raises(ValueError, match="A GraphDef has no signature to save"):
        converter.save("nowhere")


@pytest.mark.parametrize("how", ["feed_dict_fn", "input_map_fn"])
def test_int8(how: str, tmp_path: Path) -> None:
    converter = trt.TrtGraphConverter(
        input_saved_model_dir=saved_model_v1(tmp_path / "m"), precision_mode="INT8", engine="onnxruntime"
    )
    with pytest.raises(RuntimeError, match=r"Call convert\(\) with precision_mode='INT8' before calibrate"):
        converter.calibrate(["output/Softmax:0"], 1, lambda: {})
    converter.convert()
    with pytest.raises(RuntimeError, match=r"before save\(\), and calibrate\(\)"):
        converter.save(str(tmp_path / "out"))
    with pytest.raises(ValueError, match="needs one of feed_dict_fn and input_map_fn, and not both"):
        converter.calibrate(["output/Softmax:0"], 1)

    def inputs() -> dict[str, Any]:
        return {"input:0": tf.constant(images(8)) if how == "input_map_fn" else images(8)}

    graph = converter.calibrate(["output/Softmax:0"], 3, **{how: inputs})
    assert len(engines(graph)) == 1
    x = images(2)
    close("INT8", run(graph, x), run(frozen_graph(), x))
    converter.save(tmp_path / "out")
    loaded = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"]
    close("INT8", loaded(x=tf.constant(x))["y"].numpy(), run(frozen_graph(), x))
