"""Building a network with TensorRT only to see that it builds."""

from __future__ import annotations

from typing import Any

_BATCH, _LENGTH = 1, 64


def refusal(trt: Any, builder: Any, network: Any, log: Any) -> str:
    """Return why TensorRT does not build a network, or an empty str.

    Dynamic dimensions are built at one size: 1 for the first of an input, 64 for others. A network that does not build
    then may do so at other sizes, so only a network without any is refused for certain.
    """
    log.take()
    config = builder.create_builder_config()
    config.builder_optimization_level = 0
    if hasattr(config, "num_compute_capabilities"):
        config.num_compute_capabilities = 1
        config.set_compute_capability(trt.ComputeCapability.SM89, 0)
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    if dynamic := any(-1 in tuple(tensor.shape) for tensor in inputs):
        profile = builder.create_optimization_profile()
        for tensor in inputs:
            shape = [(_LENGTH if i else _BATCH) if d == -1 else d for i, d in enumerate(tensor.shape)]
            profile.set_shape(tensor.name, shape, shape, shape)
        config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    reason = str(log.take())
    return "" if plan is not None or dynamic else reason or "TensorRT does not say why"
