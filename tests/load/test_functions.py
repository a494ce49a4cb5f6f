"""Functions, modules and SavedModels: signatures keep their names, variables become constants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.load.models import Counter, Linear, Words, run, save, save_v1
from tfgraft.errors import ModelError
from tfgraft.load import LoadedModel, load

X = np.array([[1.0, 2.0, 3.0]], "f")


def ops(loaded: LoadedModel) -> set[str]:
    graph_def = loaded.graph_def
    nodes = [*graph_def.node, *(n for f in graph_def.library.function for n in f.node_def)]
    return {node.op for node in nodes}


def test_saved_model_keeps_names_and_drops_variables(tmp_path: Path) -> None:
    module = Linear()
    loaded = load(save(module, tmp_path / "m"))
    assert loaded.signature is not None
    assert loaded.signature.key == "serving_default"
    assert dict(loaded.signature.inputs) == {"features": loaded.input_names[0]}
    assert dict(loaded.signature.outputs) == dict(zip(("scores", "total"), loaded.output_names, strict=True))
    assert not ops(loaded) & {"ReadVariableOp", "VarHandleOp", "PartitionedCall", "StatefulPartitionedCall"}
    assert loaded.is_self_contained
    scores, total = run(loaded, X)
    np.testing.assert_allclose(scores, X @ module.w.numpy())
    assert total == 6.0


def test_signatures_are_chosen(tmp_path: Path) -> None:
    module = Linear()
    path = save(module, tmp_path / "m", first=module.__call__, second=module.double)
    with pytest.raises(ModelError, match="several signatures: 'first', 'second'"):
        load(path)
    with pytest.raises(ModelError, match=r"no signature 'secnd'; .*Did you mean 'second'"):
        load(path, signature="secnd")
    loaded = load(path, signature="second")
    assert loaded.signature is not None
    assert list(loaded.signature.outputs) == ["doubled"]
    np.testing.assert_allclose(run(loaded, X)[0], 2 * X @ module.w.numpy())
    only = load(save(module, tmp_path / "n", second=module.double))
    assert only.signature is not None
    assert only.signature.key == "second"


def test_saved_model_without_signatures(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"))
    with pytest.raises(ModelError, match="has no signatures"):
        load(tmp_path / "m")


def test_tags(tmp_path: Path) -> None:
    path = save(Linear(), tmp_path / "m")
    assert load(path, tags=["serve"]).signature == load(path).signature
    with pytest.raises(ModelError, match=r"no graph tagged \{gpu\}; it has \{serve\}"):
        load(path, tags=["gpu"])


def test_outputs_of_a_signature_by_its_own_names(tmp_path: Path) -> None:
    loaded = load(save(Linear(), tmp_path / "m"), outputs=["total"])
    assert loaded.signature is not None
    assert list(loaded.signature.outputs) == ["total"]
    assert run(loaded, X)[0] == 6.0


def test_input_shapes_by_signature_name(tmp_path: Path) -> None:
    loaded = load(save(Linear(), tmp_path / "m"), input_shapes={"features": (5, 3)})
    assert loaded.inputs[0].shape == (5, 3)
    assert loaded.outputs[0].shape == (5, 2)


def test_objects(tmp_path: Path) -> None:
    module = Linear()
    path = save(module, tmp_path / "m")
    expected = X @ module.w.numpy()
    for model in (module, module.__call__, module.__call__.get_concrete_function(), tf.saved_model.load(str(path))):
        loaded = load(model)
        assert loaded.signature is not None
        assert list(loaded.signature.inputs) == ["features"]
        np.testing.assert_allclose(run(loaded, X)[0], expected)


def test_function_with_several_arguments() -> None:
    @tf.function
    def f(a, b):  # type: ignore[no-untyped-def]
        return [a + b["x"], a - b["y"]]

    spec = tf.TensorSpec([2], tf.float32)
    with pytest.raises(ModelError, match=r"cannot be traced without arguments.*input_signature"):
        load(f)
    loaded = load(f.get_concrete_function(spec, {"y": spec, "x": spec}))
    assert len(loaded.inputs) == 3
    assert loaded.signature is not None
    assert list(loaded.signature.outputs) == ["output_0", "output_1"]
    added, subtracted = run(loaded, [1, 2], [10, 20], [100, 200])
    assert added.tolist() == [11, 22]
    assert subtracted.tolist() == [-99, -198]


def test_module_without_functions() -> None:
    with pytest.raises(ModelError, match=r"no signatures, and its __call__ is no tf\.function"):
        load(tf.Module())


def test_loops_stay_functional_and_the_original_still_runs() -> None:
    module = Linear()
    before = module.looped(X)["x"].numpy()
    loaded = load(module.looped)
    assert ops(loaded) & {"While", "StatelessWhile"}
    assert "ReadVariableOp" not in ops(loaded)
    np.testing.assert_allclose(run(loaded, X)[0], before)
    # The loaded graph has the values of now; the model goes on with its own.
    module.w.assign(module.w * 2.0)
    np.testing.assert_allclose(run(loaded, X)[0], before)
    assert not np.allclose(module.looped(X)["x"].numpy(), before)


def test_tables_become_resources(tmp_path: Path) -> None:
    path = save(Words(tmp_path), tmp_path / "m")
    loaded = load(path)
    assert len(loaded.resources) == 1
    assert loaded.resources[0].owner is not None
    assert not loaded.is_self_contained
    ids, vectors = run(loaded, ["blue", "none"])
    assert ids.tolist() == [2, -1]
    np.testing.assert_allclose(vectors[0], np.sqrt([5, 6]) * 2 + 1, rtol=1e-6)


def test_written_variables_stay_variables() -> None:
    loaded = load(Counter())
    assert len(loaded.resources) == 1
    assert "ReadVariableOp" in ops(loaded) or "AssignAddVariableOp" in ops(loaded)
    assert [float(run(loaded, 1.0)[0]) for _ in range(2)] == [2.0, 4.0]


def test_tensorflow_1_saved_model(tmp_path: Path) -> None:
    loaded = load(save_v1(tmp_path / "m"))
    assert loaded.signature is not None
    assert list(loaded.signature.inputs) == ["the words"]
    assert loaded.initializers
    assert run(loaded, ["b", "a", "c"])[0].tolist() == [60.0, 30.0, -3.0]


def test_two_graphs_with_different_functions_of_one_name_run_beside_each_other() -> None:
    module = Linear()
    first = load(module.looped)
    second = replace(first, graph_def=type(first.graph_def).FromString(first.graph_def.SerializeToString()))
    for function in second.graph_def.library.function:
        function.node_def.add(name="more", op="NoOp")
    assert [f.signature.name for f in first.graph_def.library.function] == [
        f.signature.name for f in second.graph_def.library.function
    ]
    for loaded in (first, second):
        np.testing.assert_allclose(run(loaded, X)[0], module.looped(X)["x"].numpy(), rtol=1e-6)
