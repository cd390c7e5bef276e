"""Training speed over all cores of a CPU: what each step of the CPU engine gained, in turns.

Every side trains xresnet18 with Mish and self-attention at 128 px and batch 64, label smoothing
and Ranger. fastai loads, crops and trains from JPEG files with its own parts; the others train
from the pixel cache. A side is one process with as many threads as there are cores, or one
single-thread process a core; its processes warm up, wait for each other, and then take the timed
steps together. Sides take turns within a round. A call adds rounds to a file of raw timings.

    python benchmarks/cpu_engine.py IMAGES CACHE RAW.jsonl [--rounds 1] [--steps 4] [--sides ...]
    python benchmarks/cpu_engine.py --report RAW.jsonl

IMAGES is a folder in Imagenette's layout. Needs what benchmarks/README.md says.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

WARM_UP, BATCH = 2, 64
CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True, kw_only=True)
class Side:
    processes: int = 1
    precision: str = "bf16"
    fused: bool = False
    keep: bool = False
    pin: bool = False
    stock: bool = False

    @property
    def threads(self) -> int:
        return CORES // self.processes


SIDES = {
    "fastai float32": None,
    "stock bf16": Side(stock=True),
    "plain bf16": Side(),
    "plain, memory kept": Side(keep=True),
    "fused": Side(keep=True, fused=True),
    "plain, a process a core": Side(keep=True, processes=CORES),
    "fused, a process a core": Side(keep=True, fused=True, processes=CORES),
    "fused, a process a core, pinned": Side(keep=True, fused=True, processes=CORES, pin=True),
}
BASES = ("fastai float32", "stock bf16", "plain bf16")


class Stopwatch:
    """Told of each step that is done; after the warm-up it waits for the other processes."""

    def __init__(self, steps: int) -> None:
        self.left = WARM_UP + steps
        self.steps = steps

    def step(self) -> None:
        self.left -= 1
        if self.left == self.steps:
            print("ready", flush=True)
            sys.stdin.readline()
            self.began, self.cpu = time.perf_counter(), cpu_seconds()
        if self.left == 0:
            wall, cpu = time.perf_counter() - self.began, cpu_seconds() - self.cpu
            print(json.dumps([wall / self.steps, cpu / self.steps]), flush=True)
            os._exit(0)  # in the middle of an epoch: nothing is to be ended well


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def train_seedwise(side: Side, arguments: argparse.Namespace) -> None:
    import torch
    from torch import nn

    from seedwise import Seed, Setup
    from seedwise.data import Split, open_data
    from seedwise.models import blocks
    from seedwise.train.machine import prepared
    from seedwise.train.plain import PlainEngine

    data = open_data(str(arguments.images), Split.of("page"), cache=arguments.cache)
    setup = Setup(precision=side.precision, deterministic=True, loader="cache")
    if side.stock:  # torch's own Mish, and its usual order of the numbers
        blocks.ACTIVATIONS["mish"] = nn.Mish
    torch.set_num_threads(side.threads)
    if side.keep:
        with prepared(threads=side.threads, deterministic=True):
            pass
        torch.set_num_threads(side.threads)
    engine = PlainEngine(
        setup,
        Seed.of(0),
        data,
        device=torch.device("cpu"),
        threads=side.threads,
        fused=side.fused,
    )
    if side.stock:
        engine._model.to(memory_format=torch.contiguous_format)
        engine._images = lambda images: torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    watch = Stopwatch(arguments.steps)
    engine.train_epoch(0, lambda step, losses: watch.step())


def train_fastai(arguments: argparse.Namespace) -> None:
    import torch
    from fastai.vision import all as fastai

    import torchvision_alone  # noqa: F401 - fastai.vision imports torchvision

    torch.set_num_threads(CORES)
    watch = Stopwatch(arguments.steps)

    class Told(fastai.Callback):
        def after_batch(self) -> None:
            watch.step()

    loaders = fastai.ImageDataLoaders.from_folder(
        arguments.images,
        train="train",
        valid="val",
        bs=BATCH,
        num_workers=0,
        item_tfms=fastai.RandomResizedCrop(128, min_scale=0.35),
        batch_tfms=[fastai.Flip(), fastai.Normalize.from_stats(*fastai.imagenet_stats)],
    )
    learner = fastai.Learner(
        loaders,
        fastai.xresnet18(n_out=10, act_cls=fastai.Mish, sa=True),
        loss_func=fastai.LabelSmoothingCrossEntropy(),
        opt_func=fastai.ranger,
        cbs=Told(),
    )
    with learner.no_bar(), learner.no_logging():
        learner.fit_flat_cos(5, 4e-3, wd=1e-2)


def one_process(arguments: argparse.Namespace) -> None:
    name, number = arguments.process.rsplit(":", 1)
    side = SIDES[name]
    if side is not None and side.pin:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[int(number)]})
    train_fastai(arguments) if side is None else train_seedwise(side, arguments)


def one_side(name: str, arguments: argparse.Namespace) -> dict[str, object]:
    """Wall and CPU seconds a step of each process, and images per second of all of them."""
    side = SIDES[name]
    processes = []
    for number in range(1 if side is None else side.processes):
        command = [sys.executable, __file__, str(arguments.images), str(arguments.cache)]
        command += ["-", "--steps", str(arguments.steps), "--process", f"{name}:{number}"]
        processes.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
    for process in processes:
        while process.stdout.readline().strip() != "ready":
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended before its steps")
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    seconds = [json.loads(process.stdout.readline()) for process in processes]
    for process in processes:
        process.wait()
    rate = sum(BATCH / wall for wall, _ in seconds)
    cpu = sum(used for _, used in seconds) / len(seconds) / BATCH
    load = os.getloadavg()[0]
    print(f"{name:32} {rate:6.1f} images/s  {1000 * cpu:6.1f} CPU ms an image", flush=True)
    return {"side": name, "seconds": seconds, "rate": rate, "cpu": cpu, "load": load}


def report(raw: Path) -> None:
    """Medians, and ratios round by round with a t interval of their logarithm's mean."""
    rounds = defaultdict(dict)
    for line in raw.read_text().splitlines():
        timing = json.loads(line)
        rounds[timing["round"]][timing["side"]] = timing
    rounds = list(rounds.values())
    sides = [name for name in SIDES if any(name in r for r in rounds)]
    print("| side | images/s, median [least, most] | CPU ms an image, median |", end="")
    print("".join(f" times {base} |" for base in BASES))
    print("| --- | --- | --- |" + " --- |" * len(BASES))
    for name in sides:
        mine = [r[name] for r in rounds if name in r]
        rates, cpu = [m["rate"] for m in mine], [1000 * m["cpu"] for m in mine]
        spread = f"{np.median(rates):.1f} [{min(rates):.1f}, {max(rates):.1f}]"
        ratios = [ratio(rounds, name, base) for base in BASES]
        print(f"| {name} | {spread} | {np.median(cpu):.1f} | {' | '.join(ratios)} |")


def ratio(rounds: list[dict], name: str, base: str) -> str:
    logs = [np.log(r[name]["rate"] / r[base]["rate"]) for r in rounds if name in r and base in r]
    if len(logs) < 2 or name == base:
        return "-"
    half = stats.t.ppf(0.975, len(logs) - 1) * np.std(logs, ddof=1) / len(logs) ** 0.5
    low, mid, high = np.exp([np.mean(logs) - half, np.mean(logs), np.mean(logs) + half])
    return f"{mid:.2f} [{low:.2f}, {high:.2f}], n = {len(logs)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="?")
    parser.add_argument("cache", type=Path, nargs="?")
    parser.add_argument("raw", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4, help="timed steps a side and round")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--process", help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    if arguments.report:
        report(arguments.report)
    elif arguments.process:
        one_process(arguments)
    else:
        for _ in range(arguments.rounds):
            began = time.strftime("%Y-%m-%dT%H:%M:%S")
            for name in arguments.sides:
                timing = {"round": began, **one_side(name, arguments)}
                with arguments.raw.open("a") as file:
                    file.write(json.dumps(timing) + "\n")


if __name__ == "__main__":
    main()
