"""Sources of networks that end their process, or hang, or work; without TensorFlow, since they run in children."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

from tfgraft.plugins.protocol import BuildError, OptionError
from tfgraft.plugins.tensorrt.plan import MadeNetwork


@dataclass(frozen=True)
class Killer:
    """Does what `how` says where it should make a network."""

    how: str

    def make(self, trt: Any, builder: Any, logger: Any) -> MadeNetwork:
        """Do it."""
        if self.how == "abort":
            os.abort()
        if self.how == "crash":
            ctypes.string_at(0)
        if self.how == "exit":
            os._exit(7)
        if self.how == "hang":
            time.sleep(600)
        if self.how == "say":
            sys.exit("the library is broken")
        if self.how == "refuse":
            raise BuildError("no such layer", "node", "engine-rejected", {"other": "neither"})
        if self.how == "option":
            raise OptionError("not here")
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        x = network.add_input("input_0", trt.float32, (2, 3))
        for i in range(60 if self.how == "long" else 1):
            layer = network.add_activation(x, trt.ActivationType.TANH)
            layer.name = f"layer_{i}"
            x = layer.get_output(0)
        x.name = "output_0"
        network.mark_output(x)
        return MadeNetwork(network, {}, None)
