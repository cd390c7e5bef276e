"""The same training in eager PyTorch and in fastai on this GPU: what the engine is up against.

    python benchmarks/gpu_baselines.py FOLDER [--side workers|device|fastai] [-o FILE]

FOLDER holds JPEG files in class folders in train/ and val/. All sides train our model in bf16
autocast and channels_last with label smoothing at batch 64:

- workers: eager PyTorch with our Ranger, fed by a DataLoader with 16 workers that decodes JPEG and
  applies torchvision's transforms, pinned memory;
- device: the same step with everything on the GPU: pixels resident, the engine's own resampling
  kernel, and every operation of the step launched by Python;
- fastai: fastai's Learner with its own ranger, schedule, loss and metric, fed by its own
  DataLoaders (16 workers, pinned memory; mirrored and normalised on the GPU), in whole epochs with
  a validation after each.
"""

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path

import torch

from gpu_engine import made_up
from seedwise import Seed, Setup
from seedwise.data import draw
from seedwise.models import build, initialise
from seedwise.optim import build as build_update
from seedwise.train.gpu.images import ResidentImages
from seedwise.train.steps import train_step

SIDES = ("workers", "device", "fastai")
WARM_UP = 10  # steps of the first two sides
EPOCHS = 4  # of fastai; the first is reported apart
BATCH, WORKERS = 64, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", choices=SIDES, action="append", help="all of them if not given")
    parser.add_argument("--steps", type=int, default=60, help="timed steps of the first two sides")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    result = {
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
    }
    for side in arguments.side or SIDES:
        result[side] = measured(side, arguments.folder, arguments.steps)
        print(side, result[side], flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


def measured(side: str, folder: Path, steps: int) -> dict[str, object]:
    setup = Setup(precision="bf16", deterministic=True, loader="cache")
    if side == "fastai":
        return in_fastai(setup, folder)
    batches = from_files(folder / "train") if side == "workers" else from_device(setup)
    return {"images_per_second": BATCH * steps / timed(setup, batches, steps)}


def our_model(setup: Setup) -> torch.nn.Module:
    model = build(setup.model, classes=10, self_attention=True, activation="mish")
    initialise(model, 0)
    return model


def timed(setup: Setup, batches, steps: int) -> float:
    model = our_model(setup).cuda().to(memory_format=torch.channels_last)
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
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
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


def in_fastai(setup: Setup, folder: Path) -> dict[str, object]:
    """Images a second of training and seconds with validation, of each epoch after the first."""
    import fastai as package
    from fastai.vision import all as fastai

    class Stopwatch(fastai.Callback):
        """Times at the end of each epoch's training, and at the ends of epochs."""

        def before_fit(self) -> None:
            self.trained, self.ended = [], [now()]

        def after_train(self) -> None:
            self.trained.append(now())

        def after_epoch(self) -> None:
            self.ended.append(now())

    loaders = fastai.ImageDataLoaders.from_folder(
        folder,
        train="train",
        valid="val",
        bs=BATCH,
        num_workers=WORKERS,
        pin_memory=True,
        item_tfms=fastai.RandomResizedCrop(setup.size, min_scale=setup.area[0]),
        batch_tfms=[fastai.Flip(), fastai.Normalize.from_stats(*fastai.imagenet_stats)],
    )
    learner = fastai.Learner(
        loaders,
        our_model(setup),
        loss_func=fastai.LabelSmoothingCrossEntropy(),
        opt_func=fastai.ranger,
        metrics=fastai.accuracy,
        cbs=Stopwatch(),
    ).to_channelslast(amp_mode=setup.precision)
    with learner.no_bar(), learner.no_logging():
        learner.fit_flat_cos(EPOCHS, setup.lr, pct_start=setup.flat, wd=setup.weight_decay)
    watch = learner.stopwatch
    training = [end - start for start, end in zip(watch.ended, watch.trained, strict=False)]
    epochs = [end - start for start, end in pairwise(watch.ended)]
    images = BATCH * len(loaders.train)
    return {
        "version": package.__version__,
        "images_per_second": [images / seconds for seconds in training[1:]],
        "epoch_seconds": epochs[1:],
        "first_epoch_seconds": epochs[0],
        "images": [images, len(loaders.valid_ds)],
        "accuracy": float(learner.recorder.values[-1][-1]),
    }


def now() -> float:
    """The time when everything given to the GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
