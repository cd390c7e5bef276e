"""Training speed on this CPU: seedwise against fastai 2.8, the same training, in turns.

Both train xresnet18 with Mish and self-attention at 128 px and batch 64, with label smoothing,
Ranger and flat-then-cosine, from the same JPEG files. fastai loads, augments and trains with its
own parts; seedwise trains from its pixel cache, which is made before the clock starts and whose
making is reported apart. Each side is a process of its own, with the same threads; the sides take
turns, so that a machine that drifts drifts for both.

    python benchmarks/against_fastai.py IMAGES [--rounds 5] [--steps 8] [--threads 2] [-o FILE]

IMAGES is a folder in Imagenette's layout. Needs what benchmarks/README.md says.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from machine import cpu_name

SIDES = ("fastai float32", "seedwise float32", "seedwise bf16")
WARM_UP = 2


def main() -> None:
    arguments = parse()
    if arguments.side:
        marks = MAKERS[arguments.side.split()[0]](arguments)
        gaps = [later - earlier for earlier, later in pairwise(marks)]
        print(json.dumps(gaps[WARM_UP - 1 :]))
        return
    rates = {side: [] for side in SIDES}
    for number in range(arguments.rounds):
        for side in SIDES:
            gaps = one_round(side, arguments)
            rates[side].append(64 * len(gaps) / sum(gaps))
            print(f"round {number} {side:17} {rates[side][-1]:7.2f} images/s", flush=True)
    report(rates, arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="timed steps a round")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path)
    return parser.parse_args()


def one_round(side: str, arguments: argparse.Namespace) -> list[float]:
    """Seconds of each timed step of one process."""
    command = [sys.executable, __file__, str(arguments.images), "--side", side]
    command += ["--steps", str(arguments.steps), "--threads", str(arguments.threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


class Enough(Exception):
    """The timed steps are done."""


def seedwise_marks(arguments: argparse.Namespace) -> list[float]:
    from seedwise import Seed, Setup
    from seedwise.data import Split, open_data
    from seedwise.train import train

    class Stopwatch:
        def __init__(self) -> None:
            self.marks = [time.perf_counter()]

        def step(self, **_: object) -> None:
            self.marks.append(time.perf_counter())
            if len(self.marks) > WARM_UP + arguments.steps:
                raise Enough

        def epoch(self, record: object) -> None: ...

    data = open_data(str(arguments.images), Split.of("v1"))
    setup = Setup(precision=arguments.side.split()[1], deterministic=True, loader="cache")
    watch = Stopwatch()
    try:
        train(setup, Seed.of(0), data, threads=arguments.threads, progress=watch)
    except Enough:
        return watch.marks
    raise RuntimeError("the images ran out before the steps did")


def fastai_marks(arguments: argparse.Namespace) -> list[float]:
    import torch
    from fastai.vision import all as fastai

    import torchvision_alone  # noqa: F401 - fastai.vision imports torchvision

    torch.set_num_threads(arguments.threads)

    class Stopwatch(fastai.Callback):
        def before_fit(self) -> None:
            self.marks = [time.perf_counter()]

        def after_batch(self) -> None:
            self.marks.append(time.perf_counter())
            if len(self.marks) > WARM_UP + arguments.steps:
                raise fastai.CancelFitException

    loaders = fastai.ImageDataLoaders.from_folder(
        arguments.images,
        train="train",
        valid="val",
        bs=64,
        num_workers=0,
        item_tfms=fastai.RandomResizedCrop(128, min_scale=0.35),
        batch_tfms=[fastai.Flip(), fastai.Normalize.from_stats(*fastai.imagenet_stats)],
    )
    model = fastai.xresnet18(n_out=10, act_cls=fastai.Mish, sa=True)
    learner = fastai.Learner(
        loaders,
        model,
        loss_func=fastai.LabelSmoothingCrossEntropy(),
        opt_func=fastai.ranger,
        cbs=Stopwatch(),
    )
    with learner.no_bar(), learner.no_logging():
        learner.fit_flat_cos(5, 4e-3, wd=1e-2)
    return learner.stopwatch.marks


MAKERS = {"fastai": fastai_marks, "seedwise": seedwise_marks}


def report(rates: dict[str, list[float]], arguments: argparse.Namespace) -> None:
    """Ratios round by round, with a t interval of their logarithm's mean."""
    import numpy as np
    import torch
    from scipy import stats

    base = np.log(rates[SIDES[0]])
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {cpu_name()}",
        "torch": torch.__version__,
        "threads": arguments.threads,
        "steps_a_round": arguments.steps,
        "images_per_second": rates,
        "ratio_to_fastai": {},
    }
    for side in SIDES[1:]:
        logs = np.log(rates[side]) - base
        half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5
        low, mid, high = np.exp([logs.mean() - half, logs.mean(), logs.mean() + half])
        result["ratio_to_fastai"][side] = [float(low), float(mid), float(high)]
        print(f"{side}: {mid:.2f} times fastai [{low:.2f}, {high:.2f}], n = {len(logs)}")
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
