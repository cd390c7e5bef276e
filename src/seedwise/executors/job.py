"""One run, from its order to its record, in whatever process it is made."""

import platform
import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedwise import data as images
from seedwise.crops import CENTRE
from seedwise.data import Split
from seedwise.errors import DataError, SeedwiseError
from seedwise.executors.functions import TrainingFunction
from seedwise.executors.outcome import as_record
from seedwise.live.events import EpochDone, RunStarted, StepsDone, Watch
from seedwise.named import load
from seedwise.records import EpochRecord, RunRecord
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN, Setup

if TYPE_CHECKING:
    from seedwise.data import Data
    from seedwise.executors.logged import RunLog
    from seedwise.executors.tasks import SuiteTask

__all__ = ["DataReference", "Job", "load_function", "lost_its_gpu", "perform", "ran_out_of_memory"]

_SECONDS_BETWEEN_STEPS = 0.2
"""At most five step events per second reach a watcher: a terminal needs no more."""

_OUT_OF_MEMORY = "out of memory"

_GPU_FAILED = "the GPU failed"

_OF_THE_GPU = re.compile("CUDA error|CUDA driver|CUDA unknown error|No CUDA GPUs")
"""Messages of torch after which a process can no longer use its GPU, whatever it tries next."""


_OF_MACHINES = re.compile(
    r"out of memory|not enough memory|can't allocate memory|RESOURCE_EXHAUSTED|OOM when allocating"
    r"|CUDA|cuDNN|CUBLAS|CUFFT|NCCL|HIP error|killed by signal|exited unexpectedly"
)
"""Messages about a machine of torch, JAX, TensorFlow and their workers, in errors of any kind."""

_OF_PATHS = (
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""Errors of the system that another try would not mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReference:
    """A dataset by its place. References travel to workers; pixels do not.

    Attributes:
        dataset: As in `data.open_data`.
        split: As there.
        source: As there; the same path on every machine.
        cache: As there; None takes each machine's own.
        pixels: As there.
        crops: As there.
        fingerprint: What the images must be; None if they have not been opened yet.
    """

    dataset: str
    split: Split
    source: Path | None = None
    cache: Path | None = None
    pixels: int | None = None
    crops: tuple[str, ...] = CENTRE
    fingerprint: str | None = None

    def open(self, watch: Callable[[str, int, int], None] | None = None) -> "Data":
        """The dataset, from its cache where it has been decoded before.

        Raises:
            DataError: It is not there, or another one is than the reference's fingerprint says.
        """
        data = images.open_data(
            self.dataset,
            self.split,
            source=self.source,
            cache=self.cache,
            pixels=self.pixels,
            crops=self.crops,
            watch=watch,
        )
        if self.fingerprint not in (None, data.fingerprint):
            raise DataError(
                f"{self.dataset} on {platform.node()} holds other images than where the study "
                f"began (fingerprint {data.fingerprint[:12]}, not {self.fingerprint[:12]}); "
                "put the same images there"
            )
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a worker needs to make one run.

    Attributes:
        name: Name of the setup in its study.
        setup: The setup, without `auto` in it.
        seed: The run's seed.
        data: What the built-in training reads; None for other functions.
        device: `cpu` or `cuda`.
        threads: Threads that the run may use.
        function: The training function, in a job that stays in this process; None where it is to
            be loaded by the setup's name. No part of what tells two jobs apart: another process
            has another object.
        task: The task, in a job that is a part of a suite's; None for a study of one.
        tasks: The jobs of a suite's run, one for each task, in turn; none for a study of one.
    """

    name: str
    setup: Setup
    seed: Seed
    data: DataReference | None
    device: str
    threads: int
    function: TrainingFunction | None = field(default=None, compare=False)
    task: "SuiteTask | None" = None
    tasks: tuple["Job", ...] = ()


def perform(job: Job, watch: Watch) -> RunRecord:
    """Make one run. Whatever goes wrong in it becomes a failed record; only Ctrl-C gets out.

    That of a suite has all its tasks, or it failed: a run never changes once it is stored.
    """
    if not job.tasks:
        return _perform_one(job, watch)
    from seedwise.executors.tasks import failed_task, suite_record  # most studies have no tasks

    started, parts = time.perf_counter(), dict[str, RunRecord]()
    for place, part in enumerate(job.tasks, start=1):
        assert part.task is not None
        record = _perform_one(part, watch, of_tasks=(place, len(job.tasks)))
        if record.state == "failed":
            return failed_task(part.task, record, seconds=time.perf_counter() - started)
        parts[part.task.name] = record
    try:
        return suite_record(parts, built_in=job.setup.train == BUILT_IN)
    except SeedwiseError as error:
        seconds = time.perf_counter() - started
        return RunRecord(state="failed", error=_said(error), seconds=seconds, fault="return")


def _perform_one(job: Job, watch: Watch, of_tasks: tuple[int, int] = (1, 1)) -> RunRecord:
    """Call the training function once: for a run, or for one task of it."""
    started, own = time.perf_counter(), job.setup.train != BUILT_IN
    log = _log_of(job, watch) if own else None
    try:
        function = job.function or load_function(job.setup.train)
        if log is None:
            return _train(function, job, watch, of_tasks)
        watch(_started(job, of_tasks, epochs=0, steps=0))
        of_task = job.task.keywords if job.task else {}
        outcome = function(replace(job.seed, listener=log), **of_task)
    except SeedwiseError as error:
        reason, fault = _said(error), "code" if own else None
        if log is not None and error is log.refused:  # told as soon as what is returned is
            fault = "return"
    except (Exception, SystemExit) as error:
        reason = traceback.format_exc(limit=-8).strip()
        fault = "code" if own and not _is_the_machines(error) else None
        if kind := _kind_of(error):
            reason = f"{kind}: {reason}"
    else:
        seconds = time.perf_counter() - started
        try:
            return replace(as_record(outcome, seconds=seconds), epochs=log.epochs)
        except SeedwiseError as error:
            reason, fault = _said(error), "return"
    seconds = time.perf_counter() - started
    epochs = () if log is None else log.epochs
    return RunRecord(state="failed", error=reason, seconds=seconds, fault=fault, epochs=epochs)


def _log_of(job: Job, watch: Watch) -> "RunLog":
    from seedwise.executors.logged import RunLog  # the built-in training needs none

    return RunLog(job.name, job.seed, watch)


def _said(error: SeedwiseError) -> str:
    return f"{type(error).__name__}: {error}"


def _is_the_machines(error: BaseException) -> bool:
    """Tell whether an error, or what caused it, may go by itself: memory, a GPU, disk, network."""
    seen = set[int]()
    while id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and not isinstance(error, _OF_PATHS):
            return True
        if _kind_of(error) or _OF_MACHINES.search(str(error)):
            return True
        error = error.__cause__ or error.__context__ or error
    return False


def ran_out_of_memory(record: RunRecord) -> bool:
    """Tell whether a run failed for want of memory, of the machine or of its GPU."""
    return record.state == "failed" and (record.error or "").startswith(_OUT_OF_MEMORY)


def lost_its_gpu(record: RunRecord) -> bool:
    """Tell whether a run failed so that its process can use its GPU no more."""
    return record.state == "failed" and (record.error or "").startswith(_GPU_FAILED)


def _kind_of(error: BaseException) -> str | None:
    """The kind of an error that an executor mends: a want of memory, or a GPU that failed."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return _OUT_OF_MEMORY
    if not isinstance(error, RuntimeError) or not _OF_THE_GPU.search(str(error)):
        return None
    return _OUT_OF_MEMORY if "out of memory" in str(error) else _GPU_FAILED


def load_function(name: str) -> Callable[..., Any]:
    """The function that "module:function" names.

    Raises:
        ConfigError: There is no such module, no such function in it, or it cannot be imported.
    """
    hint = "pip install 'seedwise[train]'" if name == BUILT_IN else "put it on PYTHONPATH"
    return load(name, role="train =", hint=hint)


def _started(job: Job, of_tasks: tuple[int, int], *, epochs: int, steps: int) -> RunStarted:
    return RunStarted(
        setup=job.name,
        seed=job.seed,
        epochs=epochs,
        steps=steps,
        task=job.task.name if job.task else "",
        of_tasks=of_tasks,
    )


def _train(
    function: Callable[..., Any], job: Job, watch: Watch, of_tasks: tuple[int, int]
) -> RunRecord:
    assert job.data is not None, "the built-in training has a dataset"
    data = _opened(job.data)
    steps = len(data.train) // job.setup.batch_size
    watch(_started(job, of_tasks, epochs=job.setup.epochs, steps=steps))
    return function(
        job.setup,
        job.seed,
        data,
        device=job.device,
        threads=job.threads,
        progress=_Reporter(job, watch),
    )


@lru_cache(maxsize=4)
def _opened(reference: DataReference) -> "Data":
    """A worker opens each dataset once, not once a run."""
    return reference.open()


class _Reporter:
    """Turns the trainer's progress into events, not too many of them."""

    def __init__(self, job: Job, watch: Watch) -> None:
        self._name, self._seed, self._watch = job.name, job.seed, watch
        self._task = job.task.name if job.task else ""
        self._told = 0.0

    def step(self, *, epoch: int, step: int, steps: int, loss: float) -> None:
        now = time.monotonic()
        if now - self._told >= _SECONDS_BETWEEN_STEPS:
            self._told = now
            event = StepsDone(
                setup=self._name, seed=self._seed, epoch=epoch, step=step, steps=steps, loss=loss
            )
            self._watch(event)

    def epoch(self, record: EpochRecord) -> None:
        event = EpochDone(setup=self._name, seed=self._seed, record=record, task=self._task)
        self._watch(event)
