"""The command line's --precision and --calibration, and its command calibrate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.precision.nets import images, residual_net
from tfgraft.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli")
    module = tf.Module()
    module.f = residual_net()
    tf.saved_model.save(module, str(path / "model"), signatures=module.f)
    np.savez(path / "x.npz", x=np.concatenate(images(4)))
    return path


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    out = capsys.readouterr().out
    data: dict[str, object] = json.loads(out)
    return data


def test_calibrate_once_and_optimize(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = folder / "t.json"
    assert main(["calibrate", str(folder / "model"), str(folder / "x.npz"), "-o", str(table), "--quiet"]) == 0
    assert "ranges of" in capsys.readouterr().out
    command = ["optimize", str(folder / "model"), "-o", str(folder / "out"), "--precision", "int8", "--verify"]
    assert main([*command, "--calibration", str(table), "--json", "--quiet"]) == 0
    report = _json(capsys)["report"]
    assert isinstance(report, dict)
    assert report["precisions"] == {"INT8": 4}
    assert report["verified"][0]["engine_ok"]


def test_bench_in_int8_allows_the_error_of_int8(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", str(folder / "model"), "--precision", "INT8", "--calibration", str(folder / "x.npz")]
    assert main([*command, "--runs", "3", "--quiet", "--json"]) == 0
    data = _json(capsys)
    assert data["agrees"] is True


def test_int8_without_data_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "none"
    assert main(["optimize", str(folder / "model"), "-o", str(out), "--precision", "INT8", "--quiet"]) != 0
    error = capsys.readouterr().err
    assert "give calibration=" in error
    assert "Traceback" not in error
    assert not out.exists()


def test_data_that_does_not_fit_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(folder / "bad.npz", x=np.zeros((2, 3)))
    command = ["calibrate", str(folder / "model"), str(folder / "bad.npz"), "-o", str(folder / "bad.json"), "--quiet"]
    assert main(command) != 0
    assert "Feed 0 of the calibration data does not fit" in capsys.readouterr().err
    assert not (folder / "bad.json").exists()
