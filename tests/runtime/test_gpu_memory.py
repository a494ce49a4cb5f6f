"""Sharing a GPU's memory: the arithmetic, the config, and what is said where it cannot be done."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tfgraft import gpu
from tfgraft.runtime.cuda import Cuda, CudaError

GB = 10**9


def test_the_announcements_example() -> None:
    """A card of 12 GB of which TensorRT gets 4."""
    assert gpu.fraction_for(4 * GB, 12 * GB) == pytest.approx(0.67, abs=0.005)
    assert gpu.fraction_for(0, 12 * GB) == 1


@pytest.mark.parametrize(("engines", "card", "message"), [
    (12 * GB, 12 * GB, "A card of 11.2 GiB has nothing left for TensorFlow when engines get 11.2 GiB."),
    (-1, GB, "workspace_bytes is a number of bytes, 0 or more, not -1."),
])  # fmt: skip
def test_what_cannot_be_split(engines: int, card: int, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        gpu.fraction_for(engines, card)


def test_a_session_gets_the_fraction() -> None:
    config = gpu.memory_fraction(0.67)
    assert config.gpu_options.per_process_gpu_memory_fraction == 0.67
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        np.testing.assert_array_equal(session.run(tf.constant([1, 2]) + 1), [2, 3])


@pytest.mark.parametrize("fraction", [0, -0.5, 1.5, float("nan")])
def test_what_is_no_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction is above 0 and at most 1"):
        gpu.memory_fraction(fraction)


def test_without_a_driver_the_size_must_be_given() -> None:
    try:
        Cuda().total_memory(0)
    except CudaError:
        with pytest.raises(CudaError, match=r"The memory of GPU 0 is not known: .*\. Give card_bytes\."):
            gpu.fraction_for(GB)
    else:
        assert 0 < gpu.fraction_for(1) < 1


def test_eager_programs_are_limited_once_for_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cards stand in for what no CI machine has: what TensorFlow is told is what is looked at."""
    cards = [tf.config.PhysicalDevice(f"/physical_device:GPU:{i}", "GPU") for i in range(2)]
    told: list[tuple[Any, int]] = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: cards)
    monkeypatch.setattr(Cuda, "total_memory", lambda self, ordinal: (12 << 30) * (ordinal + 1))
    monkeypatch.setattr(
        tf.config,
        "set_logical_device_configuration",
        lambda device, limits: told.extend((device, limit.memory_limit) for limit in limits),
    )
    gpu.memory_fraction(0.5)
    assert told == [(cards[0], 6 << 10), (cards[1], 12 << 10)]
    with tf.Graph().as_default():  # a program in TensorFlow 1 style: its Sessions are limited, and nothing else
        gpu.memory_fraction(0.25)
    assert len(told) == 2

    def refuse(device: Any, limits: Any) -> None:
        raise RuntimeError("Virtual devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_logical_device_configuration", refuse)
    with pytest.raises(RuntimeError, match=r"has taken the memory of /physical_device:GPU:0 already.*before the first"):
        gpu.memory_fraction(0.5)


def test_it_is_an_attribute_of_the_package() -> None:
    assert tfgraft.__getattr__("gpu") is gpu
    assert "gpu" in dir(tfgraft)
