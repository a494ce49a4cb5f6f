"""The same nets in PyTorch, as CUDA graphs: in a process of its own, beside nothing of TensorFlow's.

python -m benchmarks.gpu.torch_nets NET BATCH[,BATCH...] [ROUNDS] prints a line of JSON for each precision and batch.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import torch


def resnet50() -> tuple[Any, tuple[int, ...]]:
    """Return torchvision's ResNet-50 with random weights and the shape of a picture, in channels-last memory."""
    import torchvision

    return torchvision.models.resnet50(weights=None), (3, 224, 224)


def encoder() -> tuple[Any, tuple[int, ...]]:
    """Return six layers of width 512, 8 heads, 2048 inside, and the shape of 128 positions."""
    layer = torch.nn.TransformerEncoderLayer(512, 8, 2048, activation="gelu", batch_first=True)
    return torch.nn.TransformerEncoder(layer, 6, enable_nested_tensor=False), (128, 512)


NETS = {"ResNet50": resnet50, "encoder": encoder}


def measure(net: str, batch: int, half: bool, rounds: int) -> float:
    """Return the median milliseconds of a replay, the wait for it included."""
    model, shape = NETS[net]()
    model = model.cuda().eval()
    x = torch.rand((batch, *shape), device="cuda")
    if len(shape) == 3:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    if half:
        model, x = model.half(), x.half()
    with torch.inference_mode():
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(5):
                model(x)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            model(x)
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            graph.replay()
            torch.cuda.synchronize()
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    """Measure one net."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    net, batches = sys.argv[1], [int(batch) for batch in sys.argv[2].split(",")]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    for half in (False, True):
        for batch in batches:
            ms = measure(net, batch, half, rounds)
            print(json.dumps({"name": f"PyTorch {'FP16' if half else 'TF32'}", "batch": batch, "ms": ms}), flush=True)


if __name__ == "__main__":
    main()
