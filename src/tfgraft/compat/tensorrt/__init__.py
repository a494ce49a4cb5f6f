"""TF-TRT's interface: code that was written for it works with this import in the place of TensorFlow's.

    from tfgraft.compat import tensorrt as trt               # for tensorflow.contrib.tensorrt
    from tfgraft.compat.tensorrt import trt_convert as trt   # for tensorflow.python.compiler.tensorrt

Importing it registers the engine op, as importing TF-TRT registered its own.
"""

from __future__ import annotations

from tfgraft.compat.tensorrt import trt_convert as trt_convert
from tfgraft.compat.tensorrt.trt_convert import *  # noqa: F403
from tfgraft.compat.tensorrt.trt_convert import __all__ as __all__
