"""The process that converts: it may crash, hang or be gone, and the next conversion works."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from tfgraft.plugins.litert.convert import Failure, Job, Made
from tfgraft.plugins.litert.process import ConverterProcess

v1 = tf.compat.v1


@pytest.fixture(scope="module")
def process() -> Iterator[ConverterProcess]:
    made = ConverterProcess()
    yield made
    made.close()


def job(outputs: tuple[str, ...] = ("out:0",)) -> Job:
    graph = tf.Graph()
    with graph.as_default():
        tf.tanh(v1.placeholder(tf.float32, [None, 3], "x"), name="out")
    return Job(graph.as_graph_def().SerializeToString(), ("x:0",), outputs)


def test_it_converts_and_keeps_the_order_of_inputs(process: ConverterProcess) -> None:
    graph = tf.Graph()
    with graph.as_default():
        b, a = v1.placeholder(tf.float32, [2], "b"), v1.placeholder(tf.float32, [2], "a")
        tf.subtract(b, a, name="out")
    made = process.convert(Job(graph.as_graph_def().SerializeToString(), ("b:0", "a:0"), ("out:0",)))
    assert isinstance(made, Made)
    assert sorted(made.order) == [0, 1]
    assert made.model[4:8] == b"TFL3"


def test_a_large_job_comes_through(process: ConverterProcess) -> None:
    graph = tf.Graph()
    with graph.as_default():
        kernel = np.random.default_rng(0).standard_normal((1000, 1000)).astype(np.float32)
        tf.matmul(v1.placeholder(tf.float32, [None, 1000], "x"), kernel, name="out")
    made = process.convert(Job(graph.as_graph_def().SerializeToString(), ("x:0",), ("out:0",)))
    assert isinstance(made, Made)
    assert len(made.model) > kernel.nbytes


def test_a_failure_is_an_answer(process: ConverterProcess) -> None:
    failure = process.convert(job(("nothing:0",)))
    assert isinstance(failure, Failure)
    assert "nothing" in failure.message
    assert isinstance(process.convert(job()), Made)


def test_it_starts_again_after_it_was_killed(process: ConverterProcess) -> None:
    assert isinstance(process.convert(job()), Made)
    child = process.pid
    assert child is not None
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert isinstance(process.convert(job()), Made)
    assert process.pid != child


def test_a_crash_is_a_failure(process: ConverterProcess) -> None:
    assert isinstance(process.convert(job()), Made)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)  # it does not answer, and then it dies
    threading.Timer(0.5, os.kill, (process.pid, signal.SIGSEGV)).start()
    threading.Timer(0.6, os.kill, (process.pid, signal.SIGCONT)).start()
    failure = process.convert(job())
    assert isinstance(failure, Failure)
    assert "was killed by SIGSEGV" in failure.message
    assert failure.lasting
    assert isinstance(process.convert(job()), Made)


def test_a_conversion_that_takes_too_long_is_given_up() -> None:
    slow = ConverterProcess()
    failure = slow.convert(job(), timeout=0.05)
    assert isinstance(failure, Failure)
    assert failure.message == "LiteRT's converter has not done it within 0.05 seconds"
    assert not failure.lasting
    assert slow.pid is None
    slow.close()
