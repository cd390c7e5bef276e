"""The local executor: runs on this machine, in this process or in several."""

import multiprocessing
import signal
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread

from seedwise.records import RunRecord
from seedwise.study.events import Event, Watch
from seedwise.study.runner import Job, perform

__all__ = ["LocalExecutor", "Outcomes", "Take"]

_SECONDS_TO_END = 5.0

Take = Callable[[], Job | None]
"""Gives the next job, or None when there is nothing to do now. It is asked only when a worker is
free, so that it may look at the runs that have ended before it decides; None is final once no run
is under way."""

Outcomes = Generator[tuple[Job, RunRecord]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalExecutor:
    """Makes runs on this machine, one after another or several side by side.

    Attributes:
        workers: Runs side by side; 1 makes them in the caller's thread.
        share: Side by side in threads of this process, which share the GPU's memory, pixels and
            captured steps, rather than in processes, which share nothing.
    """

    workers: int
    share: bool = False

    def run(self, take: Take, watch: Watch) -> Outcomes:
        """Make the runs that `take` gives, and yield each as it ends.

        A worker that dies takes one run with it, which comes back as failed; a new worker takes
        its place. Closing the generator ends the workers.
        """
        if self.workers == 1:
            return _here(take, watch)
        make = _in_threads if self.share else _in_processes
        return make(take, watch, self.workers)


def _here(take: Take, watch: Watch) -> Outcomes:
    while (job := take()) is not None:
        yield job, perform(job, watch)


def _in_threads(take: Take, watch: Watch, workers: int) -> Outcomes:
    """Runs in threads: a GPU's step is one call that lets go of the interpreter's lock."""
    messages: SimpleQueue[Event | tuple[Job, RunRecord]] = SimpleQueue()
    stopped = Flag()

    def tell(event: Event) -> None:
        if stopped.is_set():
            raise _Stopped
        messages.put(event)

    def work(job: Job) -> None:
        with suppress(_Stopped):
            messages.put((job, perform(job, tell)))

    under_way = 0
    try:
        while True:
            while under_way < workers and (job := take()) is not None:
                Thread(target=work, args=(job,), daemon=True).start()
                under_way += 1
            if under_way == 0:
                return
            message = messages.get()
            if isinstance(message, tuple):
                under_way -= 1
                yield message
            else:
                watch(message)
    finally:
        stopped.set()


class _Stopped(BaseException):
    """Ends a run whose study has ended. No Exception: a run that fails is caught as one."""


def _in_processes(take: Take, watch: Watch, workers: int) -> Outcomes:
    idle: list[_Worker] = []
    busy: list[_Worker] = []
    try:
        while True:
            while len(busy) < workers and (job := take()) is not None:
                worker = idle.pop() if idle else _Worker()
                worker.give(job)
                busy.append(worker)
            if not busy:
                return
            worker, record = _next_outcome(busy, watch)
            busy.remove(worker)
            if worker.process.is_alive():
                idle.append(worker)
            yield worker.job, record
    finally:
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

    def give(self, job: Job) -> None:
        self.job = job
        with suppress(BrokenPipeError):  # it has died: the next read says so
            self.connection.send(job)

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join(_SECONDS_TO_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _next_outcome(busy: list[_Worker], watch: Watch) -> tuple[_Worker, RunRecord]:
    """Pass events on until a run ends, by itself or with its worker."""
    by_connection = {worker.connection: worker for worker in busy}
    while True:
        for connection in wait(list(by_connection)):
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
            watch(message)


def _work(connection: Connection) -> None:
    """A worker's life: jobs in, events and records out, until the other end is closed."""
    # Ctrl-C reaches the whole group of processes; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(perform(connection.recv(), connection.send))
