"""The GPU engine on this machine: rates of the card, time of each kernel of a step, packing.

    python benchmarks/gpu_engine.py [--source IMAGES] [--pack 1,2,4,8] [--profile] [-o FILE]

Without IMAGES (an archive or a folder in Imagenette's layout) the pixels are random: the work is
the same. Every figure is of steady state: capture and warm-up are timed apart.
"""

import argparse
import json
import threading
import time
from pathlib import Path

import numpy as np
import torch

from seedwise import Seed, Setup
from seedwise.data import Data, Split, open_data
from seedwise.data.cache import Pixels
from seedwise.train.gpu.engine import GraphedModel, start_of

IMAGES, VALID, SIDE = 13_394, 2_500, 224
FLOP_A_STEP = 3 * 2 * 796e6  # forward and backward of one image, performance.md


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path)
    parser.add_argument("--pack", default="1,2,4,8")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--nondeterministic", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    data = made_up() if arguments.source is None else opened(arguments.source)
    setup = Setup(
        precision=arguments.precision,
        deterministic=not arguments.nondeterministic,
        loader="cache",
    )
    result = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__} | rates()
    print(result, flush=True)
    models = []
    for pack in map(int, arguments.pack.split(",")):
        while len(models) < pack:
            started = time.perf_counter()
            models.append(GraphedModel(setup, data, torch.device("cuda")))
            models[-1].reset(start_of(setup, Seed.of(len(models)), data))
            torch.cuda.synchronize()
            print(f"model {len(models)}: {time.perf_counter() - started:.2f} s", flush=True)
        if arguments.profile and pack == 1:
            print(profiled(models[0]), flush=True)
        seconds = [timed(models[:pack]) for _ in range(3)]
        images = pack * models[0].steps * setup.batch_size / np.array(seconds)
        share = float(np.median(images)) * FLOP_A_STEP / result["matmul_flops"]
        result[f"pack {pack}"] = {"images_per_second": images.tolist(), "share_of_matmul": share}
        step = np.median(seconds) / models[0].steps / pack
        print(
            f"pack {pack}: {np.median(images):8.0f} images/s [{images.min():.0f}, "
            f"{images.max():.0f}], {1000 * step:.3f} ms a step, {share:.1%} of the matmul rate",
            flush=True,
        )
    started = time.perf_counter()
    models[0].validate(("centre",))
    result["validation_seconds"] = time.perf_counter() - started
    result["memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
    print(f"validation {result['validation_seconds']:.3f} s, {result['memory_gb']:.1f} GB")
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


def timed(models: list[GraphedModel]) -> float:
    """Seconds of one epoch of all models side by side."""
    for number, model in enumerate(models):
        model.reset(start_of(model._setup, Seed.of(number), model._data))
    threads = [
        threading.Thread(target=model.train_epoch, args=(0, lambda step, losses: None))
        for model in models
    ]
    torch.cuda.synchronize()
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def rates() -> dict[str, float]:
    """Of an 8192-cubed bf16 product and of a large copy on the device."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    x = torch.randn(2**30, device="cuda")
    product, copy = events(lambda: a @ b), events(lambda: x.clone())
    return {"matmul_flops": 2 * 8192**3 / product, "copy_bytes": 2 * 4 * 2**30 / copy}


def events(work, repeats: int = 10) -> float:
    for _ in range(3):
        work()
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(repeats):
        work()
    last.record()
    torch.cuda.synchronize()
    return first.elapsed_time(last) / repeats / 1000


def profiled(model: GraphedModel, steps: int = 20) -> str:
    """Device time of each kernel of a step, in microseconds."""
    from torch.profiler import ProfilerActivity, profile

    model.reset(start_of(model._setup, Seed.of(0), model._data))
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        with torch.cuda.stream(model._stream):
            for _ in range(steps):
                model._train_graph.replay()
        torch.cuda.synchronize()
    rows = sorted(found.key_averages(), key=lambda row: -row.device_time_total)
    lines = [
        f"{row.device_time_total / steps:8.1f} us  {row.count / steps:6.1f} x  {row.key[:80]}"
        for row in rows[:45]
    ]
    total = sum(row.device_time_total for row in rows) / steps
    count = sum(row.count for row in rows) / steps
    return "\n".join([*lines, f"{total:8.1f} us  {count:6.1f} kernels in all"])


def opened(source: Path) -> Data:
    return open_data("imagenette", Split.of("page"), source=source)


def made_up() -> Data:
    rng = np.random.default_rng(0)
    size = SIDE * SIDE * 3
    pixels = Pixels(
        flat=rng.integers(0, 256, IMAGES * size, dtype=np.uint8),
        offsets=np.arange(IMAGES, dtype=np.int64) * size,
        heights=np.full(IMAGES, SIDE, dtype=np.int32),
        widths=np.full(IMAGES, SIDE, dtype=np.int32),
    )
    order = rng.permutation(IMAGES)
    return Data(
        name="made up",
        fingerprint="made up",
        split=Split.of("shipped"),
        classes=tuple("0123456789"),
        names=tuple(map(str, range(IMAGES))),
        targets=rng.integers(0, 10, IMAGES),
        pixels=pixels,
        train=np.sort(order[VALID:]),
        valid=np.sort(order[:VALID]),
    )


if __name__ == "__main__":
    main()
