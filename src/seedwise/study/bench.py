"""This machine's speed, stage by stage, and how long a study of ten runs would take on it."""

import math
import multiprocessing
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seedwise.cores import cores
from seedwise.errors import ConfigError
from seedwise.executors.job import load_function
from seedwise.executors.local import LocalExecutor
from seedwise.setups import AUTO, Setup

__all__ = ["RIVALS", "Bench", "bench"]

RIVALS = ("fastai",)

_RUNS, _TRAIN_IMAGES, _VALID_VIEWS = 10, 170 * 64, 5000
"""The notebook's study: ten runs of five epochs, each of so many images and views."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Images a second, of all runs side by side together, and what follows from them.

    Attributes:
        device: `cpu` or `cuda`.
        kernels: As in a run's record.
        precision: What `auto` means here.
        workers: Runs side by side.
        threads: Threads of each.
        pixels: What was trained on.
        loading: From JPEG to the cache of pixels, on all cores; a dataset needs it once.
        augmenting: Batches made from the cache on the host; a GPU makes its own.
        training: Training steps, their batches included.
        validating: Views validated.
        start_seconds: Compiling and filling caches, before a run is at full speed.
        study_seconds: Ten runs of `page-v1` on Imagenette, projected.
        rival: Images a second that another library trains, in float32 on all cores; None without.
    """

    device: str
    kernels: str
    precision: str
    workers: int
    threads: int
    pixels: str
    loading: float
    augmenting: float
    training: float
    validating: float
    start_seconds: float
    study_seconds: float
    rival: float | None


def bench(
    *,
    device: str = "auto",
    jobs: int | None = None,
    pack: int | Literal["auto"] = "auto",
    cache: Path | None = None,
    against: str | None = None,
    tell: Callable[[str], None],
) -> Bench:
    """Time each stage of training the recipe, with as many runs side by side as a study has.

    Of several GPUs the first is timed.

    Args:
        device: `auto`, `cpu` or `cuda`.
        jobs: Runs side by side; None chooses.
        pack: Runs side by side on one GPU, as in `LocalExecutor`.
        cache: Where decoded pixels are kept.
        against: A library to time as well, of `RIVALS`.
        tell: Told what is done next.

    Raises:
        ConfigError: The device or the rival is not there.
    """
    if against is not None and against not in RIVALS:
        raise ConfigError(f"against must be one of {', '.join(RIVALS)}, got {against!r}")
    executor = LocalExecutor(workers=jobs, pack=pack, devices=1)
    machine = executor.choose(device=device, setups=[Setup()], runs=_RUNS)
    setup = Setup().resolved({name: getattr(machine, name) for name in AUTO})
    data, pixels = load_function("seedwise.train.speed:sample")(setup, machine.device, cache)
    most = cores()
    rival = None
    if against is not None:
        tell(f"training by {against}, float32")
        rival_speed = load_function("seedwise.train.against:fastai_speed")
        rival = rival_speed(setup, data, device=machine.device, threads=most)
    tell("decoding")
    loading = load_function("seedwise.train.speed:decoding_speed")(data, most)
    tell(f"training and validating, {machine.workers} side by side")
    with _side_by_side(machine) as executor:
        asked = [
            executor.submit(_measure, setup, machine.device, machine.threads, cache)
            for _ in range(machine.workers)
        ]
        speeds = [future.result() for future in asked]
    slowest = max(5 * (_TRAIN_IMAGES / s.training + _VALID_VIEWS / s.validating) for s in speeds)
    start = max(speed.start_seconds for speed in speeds)
    return Bench(
        device=machine.device,
        kernels=speeds[0].kernels,
        precision=machine.precision,
        workers=machine.workers,
        threads=machine.threads,
        pixels=pixels,
        loading=loading,
        augmenting=sum(speed.augmenting for speed in speeds),
        training=sum(speed.training for speed in speeds),
        validating=sum(speed.validating for speed in speeds),
        start_seconds=start,
        study_seconds=start + math.ceil(_RUNS / machine.workers) * slowest,
        rival=rival,
    )


def _side_by_side(machine: Any) -> Executor:
    """Workers like those of the local executor: threads share a GPU, processes the cores."""
    if machine.device == "cuda":
        return ThreadPoolExecutor(machine.workers)
    # spawn: a forked child would inherit OpenMP's state, which does not survive it
    return ProcessPoolExecutor(machine.workers, multiprocessing.get_context("spawn"))


def _measure(setup: Setup, device: str, threads: int, cache: Path | None) -> Any:
    data, _ = load_function("seedwise.train.speed:sample")(setup, device, cache)
    return load_function("seedwise.train.speed:measure")(
        setup, data, device=device, threads=threads
    )
