"""fastai's training of the recipe's network, to be timed beside seedwise's on the same batches."""

import time
from itertools import pairwise
from typing import Any

import torch

from seedwise.data import Data, draw, train_batches
from seedwise.errors import ConfigError
from seedwise.seeds import Seed
from seedwise.setups import Setup

__all__ = ["fastai_speed"]


def fastai_speed(setup: Setup, data: Data, *, device: str, threads: int) -> float:
    """Images a second of fastai's Learner in float32, its batches made beforehand.

    xresnet18 with Mish and self-attention, label smoothing and fastai's own Ranger.

    Args:
        setup: Says how large batches and images are.
        data: A sample, of whole batches.
        device: `cpu` or `cuda`.
        threads: Threads of torch on a CPU: all that the machine has.

    Raises:
        ConfigError: fastai is not installed, or cannot be imported.
    """
    try:
        from fastai.vision import all as library  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError) as error:  # torchvision without its operators
        raise ConfigError(
            f"--against fastai: it cannot be imported ({error}); pip install fastai"
        ) from None
    fastai: Any = library  # its annotations do not fit its own use
    draws = draw(setup, Seed.of(0), data)
    batches = [
        (torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(targets))
        for images, targets in train_batches(data, draws, 0, size=setup.size, threads=0)
    ]
    marks: list[float] = []

    class Stopwatch(fastai.Callback):
        def after_batch(self) -> None:
            float(self.learn.loss)  # waits for the device
            marks.append(time.perf_counter())

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        learner = fastai.Learner(
            fastai.DataLoaders(batches, [], device=torch.device(device)),
            fastai.xresnet18(n_out=len(data.classes), act_cls=fastai.Mish, sa=True).to(device),
            loss_func=fastai.LabelSmoothingCrossEntropy(),
            opt_func=fastai.ranger,
            cbs=Stopwatch(),
        )
        with learner.no_bar(), learner.no_logging():
            learner.fit(1, setup.lr, wd=setup.weight_decay)
    finally:
        torch.set_num_threads(before)
    gaps = [later - earlier for earlier, later in pairwise(marks)]  # without the first step
    return setup.batch_size * len(gaps) / sum(gaps)
