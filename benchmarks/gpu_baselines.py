"""The same training step in eager PyTorch on this GPU: what the engine is measured against.

    python benchmarks/gpu_baselines.py FOLDER [--steps 60] [-o FILE]

FOLDER holds the training images as JPEG files in class folders. Two sides, both bf16 autocast and
channels_last with our model, label smoothing and our Ranger: (a) a DataLoader with 16 workers that
decodes JPEG and applies torchvision's transforms, pinned memory; (b) everything on the GPU: pixels
resident, the engine's own resampling kernel, and every operation of the step launched by Python.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from gpu_engine import made_up

from seedwise import Seed, Setup
from seedwise.data import draw
from seedwise.models import build, initialise
from seedwise.optim import build as build_update
from seedwise.train.gpu.images import ResidentImages
from seedwise.train.steps import train_step

WARM_UP = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    setup = Setup(precision="bf16", deterministic=True, loader="cache")
    result = {"gpu": torch.cuda.get_device_name()}
    sides = {
        "a: DataLoader, 16 workers": from_files(arguments.folder),
        "b: everything on the GPU": from_device(setup),
    }
    for name, batches in sides.items():
        seconds = timed(setup, batches, arguments.steps)
        result[name] = {"images_per_second": 64 * arguments.steps / seconds}
        print(name, result[name], flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


def timed(setup: Setup, batches, steps: int) -> float:
    model = build(setup.model, classes=10, self_attention=True, activation="mish")
    initialise(model, 0)
    model = model.cuda().to(memory_format=torch.channels_last)
    update = build_update(setup, model)
    for number in range(WARM_UP + steps):
        if number == WARM_UP:
            torch.cuda.synchronize()
            started = time.perf_counter()
        images, targets = next(batches)
        train_step(model, update, images, targets, lr=4e-3, label_smoothing=0.1, precision="bf16")
    torch.cuda.synchronize()
    return time.perf_counter() - started


def from_files(folder: Path):
    from torchvision import datasets
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.RandomResizedCrop(128, scale=(0.35, 1), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    loader = torch.utils.data.DataLoader(
        datasets.ImageFolder(folder, transform),
        batch_size=64,
        shuffle=True,
        drop_last=True,
        num_workers=16,
        pin_memory=True,
    )
    for images, targets in loader:
        images = images.to("cuda", non_blocking=True, memory_format=torch.channels_last)
        yield images, targets.to("cuda", non_blocking=True)


def from_device(setup: Setup):
    data = made_up()
    source = ResidentImages(setup, data, torch.device("cuda"), torch.float32)
    source.begin(draw(setup, Seed.of(0), data))
    clock = torch.zeros(1, dtype=torch.int64, device="cuda")
    targets = torch.from_numpy(data.targets).cuda()
    while True:
        source.make_train(clock)
        step = clock * setup.batch_size + torch.arange(setup.batch_size, device="cuda")
        yield source.train.permute(0, 3, 1, 2), targets[source.examples[step].long()]
        clock += 1


if __name__ == "__main__":
    main()
