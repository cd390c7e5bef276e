"""Kernels of a training step on this GPU, each against what it replaced: convolutions, batch norm.

    python benchmarks/gpu_kernels.py [convolutions] [norms]

Convolutions of the network's shapes at batch 64 in bfloat16, as runs make them: five at a time,
each on its own stream with weights of its own, in one CUDA graph. Passes of a batch norm one after
the other, over six sets of maps in turn, so that none is read from the cache. Medians of five
times fifteen, in microseconds.
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import triton

from seedwise.train.gpu import norm_kernels
from seedwise.train.gpu.convolution import _Ours, _product, _weight_gradient
from seedwise.train.gpu.norm import _Shape

RUNS, BATCH, SETS = 5, 64, 6
LAYERS = (  # channels in and out, side of the input's maps, stride
    *((32, 64, 64, 1), (64, 64, 64, 1), (64, 64, 32, 1), (128, 128, 16, 1), (256, 256, 8, 1)),
    *((512, 512, 4, 1), (64, 128, 32, 2), (128, 256, 16, 2), (256, 512, 8, 2)),
)
MAPS = ((64, 64), (64, 32), (128, 16), (512, 4))  # channels and side
PRODUCTS = ("forward", "to_input", "to_weight")


def main() -> None:
    chosen = sys.argv[1:] or ["convolutions", "norms"]
    print(torch.cuda.get_device_name(), torch.__version__, triton.__version__)
    if "convolutions" in chosen:
        convolutions()
    if "norms" in chosen:
        norms()


class Layer:
    """A convolution with maps, gradients and weights for every run."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int) -> None:
        self.stride = stride
        self.x = maps(RUNS, inputs, side)
        self.gradient = maps(RUNS, outputs, side // stride)
        self.weight = [0.05 * random(outputs, inputs, 3, 3) for _ in range(RUNS)]
        self.flop = RUNS * BATCH * (side // stride) ** 2 * inputs * outputs * 18

    def theirs(self, product: str, r: int) -> object:
        if product == "forward":
            return torch.conv2d(self.x[r], self.weight[r], None, self.stride, 1)
        wanted = (product == "to_input", product == "to_weight", False)
        both = (self.stride,) * 2, (1, 1), (1, 1), False, (0, 0), 1
        return torch.ops.aten.convolution_backward(
            self.gradient[r], self.x[r], self.weight[r], None, *both, wanted
        )

    def ours(self, product: str, r: int) -> object:
        x, gradient, weight = self.x[r], self.gradient[r], self.weight[r]
        if product == "to_weight":
            return _weight_gradient(x, gradient, weight)
        if product == "to_input":
            return _product(gradient, weight, x.shape, stride=1, back=True)
        return _product(x, weight, gradient.shape, stride=self.stride, back=False)


def convolutions() -> None:
    for form in LAYERS:
        layer = Layer(*form)
        ours = _Ours.of(layer.x[0], layer.weight[0], layer.stride)
        for product in PRODUCTS:
            line = "{:4} {:4} {:3} /{}".format(*form) + f" {product:9}"
            sides = [layer.theirs] + ([layer.ours] if getattr(ours, product) else [])
            for label, side in zip(("cuDNN", "ours"), sides, strict=False):
                time = microseconds(beside(partial(side, product)))
                line += f"  {label} {time:6.1f} us {layer.flop / time / 1e6:4.0f} TFLOP/s"
            print(line, flush=True)


def norms() -> None:
    for form in MAPS:
        for name, work in passes(*form).items():
            time = microseconds(partial(in_turn, work)) / SETS
            print("{:4} {:3}".format(*form) + f" {name:16} {time:6.1f} us", flush=True)


def in_turn(work: Callable[[int], object]) -> None:
    for number in range(SETS):
        work(number)


def passes(channels: int, side: int) -> dict[str, Callable[[int], object]]:
    x, gradient, out = (maps(SETS, channels, side) for _ in range(3))
    shape = _Shape.of(x[0])
    kept = torch.randn(4, channels, device="cuda")
    line = torch.randn(2, channels, device="cuda")
    partial_sums = torch.empty(2 * shape.programs, channels, device="cuda")
    tile = {"R": shape.height, "B": shape.width}
    summed = shape.rows, channels, shape.per_program
    spread = shape.rows, channels, shape.per_spread
    plain = {"NORM": True, "ADD": False, "KIND": "mish"} | tile
    return {
        "sums": lambda i: norm_kernels.sums[shape.sums](x[i], partial_sums, *summed, **tile),
        "slopes": lambda i: norm_kernels.slopes[shape.sums](
            x[i], kept, x[i], gradient[i], out[i], partial_sums, *summed, **plain
        ),
        "applied": lambda i: norm_kernels.applied[shape.spread](
            x[i], kept, x[i], out[i], *spread, **plain
        ),
        "input_gradients": lambda i: norm_kernels.input_gradients[shape.spread](
            x[i], kept, gradient[i], line, out[i], *spread, KIND="mish", **tile
        ),
    }


def beside(work: Callable[[int], object]) -> Callable[[], None]:
    """The work of every run, each on a stream of its own."""
    lanes = [torch.cuda.Stream() for _ in range(RUNS)]

    def all_of_it() -> None:
        here = torch.cuda.current_stream()
        for run, lane in enumerate(lanes):
            lane.wait_stream(here)
            with torch.cuda.stream(lane):
                work(run)
        for lane in lanes:
            here.wait_stream(lane)

    return all_of_it


def microseconds(work: Callable[[], object], repeats: int = 15) -> float:
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    with torch.cuda.stream(stream):
        work()
    stream.synchronize()
    with torch.cuda.graph(graph, stream=stream):
        work()
    graph.replay()
    found = []
    for _ in range(5):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        for _ in range(repeats):
            graph.replay()
        last.record()
        torch.cuda.synchronize()
        found.append(first.elapsed_time(last) / repeats * 1000)
    return float(np.median(found))


def maps(count: int, channels: int, side: int) -> list[torch.Tensor]:
    return [random(BATCH, channels, side, side) for _ in range(count)]


def random(*shape: int) -> torch.Tensor:
    x = torch.randn(shape, device="cuda", dtype=torch.bfloat16)
    return x.contiguous(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
