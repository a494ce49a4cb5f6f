"""What holds for all tests: TensorFlow, which is the truth in most of them, computes without oneDNN.

On processors where TensorFlow turns oneDNN on by itself, its own results are off: a convolution of an empty batch has
its input's number of channels, and some models differ by 1e-2.
"""

from __future__ import annotations

import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # read when TensorFlow is imported, by the tests' child processes too
