"""The local executor: runs on this machine, in this process or in several."""

import math
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Literal, Self

from seedwise.errors import ConfigError
from seedwise.executors.base import (
    JOBS,
    PACK,
    TIME_LIMIT,
    Outcomes,
    Place,
    Take,
    Width,
    check_limits,
    narrower,
    too_long,
)
from seedwise.executors.job import Job, load_function, perform
from seedwise.live.events import Event, Watch
from seedwise.records import RunRecord
from seedwise.setups import Setup

if TYPE_CHECKING:
    from seedwise.train.machine import Machine

__all__ = ["LocalExecutor", "in_threads"]

_SECONDS_TO_END = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalExecutor:
    """Makes runs on this machine, one after another or several side by side.

    Attributes:
        workers: Runs side by side; 1 makes them in the caller's thread; None chooses.
        pack: Runs side by side on one GPU. `auto`: as many as `workers` says, or else as pay and
            have room; where both are numbers, the smaller. A CPU takes no notice of it.
        share: Side by side in threads of this process, which share the GPU's memory, pixels and
            captured steps, rather than in processes, which share nothing.
        time_limit: Seconds after which a run is ended and counts as failed; None for no limit. A
            thread cannot be ended, so that runs with a limit are made in processes.

    Raises:
        ConfigError: Fewer than 1 worker or run, or a limit of 0 seconds or less.
    """

    workers: int | None = field(default=None, metadata=JOBS)
    pack: int | Literal["auto"] = field(default="auto", metadata=PACK)
    share: bool = False
    time_limit: float | None = field(default=None, metadata=TIME_LIMIT)

    def __post_init__(self) -> None:
        check_limits(self.workers, self.time_limit)
        if self.pack != "auto" and (isinstance(self.pack, str) or self.pack < 1):
            raise ConfigError(f"pack must be auto, or 1 or more, got {self.pack!r}")

    def choose(self, *, device: str, setups: Sequence[Setup], runs: int) -> "Machine":
        """Choose what so many runs of these setups use on this machine."""
        choose = load_function("seedwise.train:choose")
        return choose(
            device=device, jobs=self.workers, pack=self._on_a_gpu(), runs=runs, setups=setups
        )

    def _on_a_gpu(self) -> int | Literal["auto"]:
        """Runs side by side on one GPU, by all that was said."""
        said = [number for number in (self.workers, self.pack) if isinstance(number, int)]
        if said:
            return min(said)
        # With a limit they would be processes, each with the data set and a capture of its own.
        return "auto" if self.time_limit is None else 1

    def placed(self, place: Place) -> Self:
        """This executor with as many workers as the place has, which share a GPU if they may."""
        return replace(self, workers=place.workers, share=place.share)

    @property
    def here(self) -> bool:
        """True where every run is made in the caller's thread."""
        return self.time_limit is None and (self.workers or 1) == 1

    def run(self, take: Take, watch: Watch) -> Outcomes:
        """Make the runs that `take` gives, and yield each as it ends.

        A worker that dies takes one run with it, which comes back as failed; a new worker takes
        its place. Closing the generator ends the workers.
        """
        workers = self.workers or 1
        if self.here:
            return _here(take, watch)
        if self.time_limit is not None or not self.share:
            return _in_processes(take, watch, workers, self.time_limit)
        return _told(in_threads(take, Width(workers)), watch)


def _here(take: Take, watch: Watch) -> Outcomes:
    while (job := take()) is not None:
        yield job, perform(job, watch)


def _told(messages: Generator[Event | tuple[Job, RunRecord]], watch: Watch) -> Outcomes:
    """The outcomes among some messages; the events are told."""
    try:
        for message in messages:
            if isinstance(message, tuple):
                yield message
            else:
                watch(message)
    finally:
        messages.close()


def in_threads(take: Take, width: Width) -> Generator[Event | tuple[Job, RunRecord]]:
    """Runs side by side in threads, as events and outcomes in the order in which they happen.

    As many as `width` says, which is less after one of them had no room. A GPU's step is one call
    that lets go of the interpreter's lock. Closing the generator ends each run at its next event.
    """
    messages: SimpleQueue[Event | tuple[Job, RunRecord]] = SimpleQueue()
    stopped = Flag()
    again, beside = deque[Job](), dict[Job, int]()

    def tell(event: Event) -> None:
        if stopped.is_set():
            raise _Stopped
        messages.put(event)

    def work(job: Job) -> None:
        with suppress(_Stopped):
            messages.put((job, perform(job, tell)))

    try:
        while True:
            while len(beside) < width.now and (job := _next(again, take)) is not None:
                beside[job] = width.now
                Thread(target=work, args=(job,), daemon=True).start()
            if not beside:
                return
            message = messages.get()
            if isinstance(message, tuple):
                job, record = message
                most = beside.pop(job)
                message = job, _made_beside(record, most)
                if width.was_too_much(record, beside=most):
                    again.append(job)
                    message = narrower(job, width)
            yield message
    finally:
        stopped.set()


def _made_beside(record: RunRecord, most: int) -> RunRecord:
    """The record, with how many runs at most were made side by side, itself included."""
    if most == 1 or not record.made_by:
        return record
    return replace(record, made_by={**record.made_by, "side_by_side": most})


class _Stopped(BaseException):
    """Ends a run whose study has ended. No Exception: a run that fails is caught as one."""


def _next(again: deque[Job], take: Take) -> Job | None:
    """The job to start next: those to be made again come first."""
    return again.popleft() if again else take()


def _in_processes(take: Take, watch: Watch, workers: int, time_limit: float | None) -> Outcomes:
    idle: list[_Worker] = []
    busy: list[_Worker] = []
    width, again = Width(workers), deque[Job]()
    try:
        while True:
            while len(busy) < width.now and (job := _next(again, take)) is not None:
                worker = idle.pop() if idle else _Worker()
                worker.give(job, beside=width.now)
                busy.append(worker)
            if not busy:
                return
            worker, record = _next_outcome(busy, watch, time_limit)
            busy.remove(worker)
            if worker.process.is_alive():
                idle.append(worker)
            if width.was_too_much(record, beside=worker.beside):
                again.append(worker.job)
                watch(narrower(worker.job, width))
                continue
            yield worker.job, record
    finally:
        for worker in (*idle, *busy):
            worker.process.terminate()
        for worker in (*idle, *busy):
            worker.end()


class _Worker:
    """A process that makes one run at a time, and this end of the pipe to it."""

    def __init__(self) -> None:
        # spawn: a forked child would inherit CUDA's and OpenMP's state, which do not survive it.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()  # else the pipe would stay open when the worker dies
        self.job: Job
        self.beside = 1
        self.since = math.inf  # when it began the job; it has still to start, or to get there

    def give(self, job: Job, *, beside: int) -> None:
        self.job, self.beside, self.since = job, beside, math.inf
        with suppress(BrokenPipeError):  # it has died: the next read says so
            self.connection.send(job)

    def end(self) -> None:
        """End the process: asked by SIGTERM, and killed where it does not listen."""
        self.connection.close()
        self.process.terminate()
        self.process.join(_SECONDS_TO_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _next_outcome(
    busy: list[_Worker], watch: Watch, time_limit: float | None
) -> tuple[_Worker, RunRecord]:
    """Pass events on until a run ends: by itself, with its worker, or by the time limit."""
    by_connection = {worker.connection: worker for worker in busy}
    while True:
        first = min(busy, key=lambda worker: worker.since)
        left = None
        if time_limit is not None and first.since < math.inf:
            left = max(0.0, first.since + time_limit - time.monotonic())
        for connection in wait(list(by_connection), left):
            worker = by_connection[connection]  # type: ignore[index]
            try:
                message = worker.connection.recv()
            except (EOFError, ConnectionResetError):
                worker.process.join(_SECONDS_TO_END)
                code = worker.process.exitcode
                return worker, RunRecord(
                    state="failed", error=f"the worker died (exit code {code})"
                )
            if isinstance(message, RunRecord):
                return worker, message
            if message is None:
                worker.since = time.monotonic()
            else:
                watch(message)
        if time_limit is not None and time.monotonic() - first.since >= time_limit:
            first.process.kill()
            first.process.join()
            return first, too_long(time_limit)


def _work(connection: Connection) -> None:
    """A worker's life: jobs in; a sign of life, events and a record out; until the pipe ends."""
    # Ctrl-C reaches the whole group of processes; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            job = connection.recv()
            connection.send(None)
            connection.send(perform(job, connection.send))


def _end_with_parent() -> None:
    """A run of an hour whose parent was killed would go on for nobody, beside its successor."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "workers are started by an executor"
    wait([parent.sentinel])
    os._exit(1)
