"""Runs in processes of this machine: on a CPU's cores, or each process with a GPU of its own."""

import math
import multiprocessing
import os
import signal
import time
from collections import defaultdict, deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Lock, Thread

from seedwise.cards import Card
from seedwise.executors.base import Outcomes, Take, Width, made_beside, narrower, too_long
from seedwise.executors.job import Job, lost_its_gpu, perform, ran_out_of_memory
from seedwise.live.events import Event, Notice, Watch
from seedwise.records import RunRecord

__all__ = ["in_processes"]

_SECONDS_TO_END = 5.0

_TRIES = 3
"""On how many cards a run is tried that fails with its card or its process."""

_FAILURES = 2
"""Failures in a row after which a card is left out."""


def in_processes(
    take: Take,
    watch: Watch,
    *,
    workers: int,
    cards: Sequence[Card] = (),
    share: bool = False,
    time_limit: float | None = None,
) -> Outcomes:
    """Make the runs that `take` gives in processes.

    A process that dies takes its runs with it. Where there are several cards they are made again,
    each alone and on another card; else they come back as failed.

    Args:
        take: Gives the next job.
        watch: Told of events.
        workers: Processes, where there are no cards.
        cards: The cards; each says how many runs go side by side on it.
        share: The runs of a card are threads of one process, rather than processes.
        time_limit: Seconds after which a run is ended; not with `share`.
    """
    lanes = [_Lane(card, Width(card.runs), share) for card in cards]
    pool = _Pool(lanes or [_Lane(None, Width(workers), share=False)], time_limit)
    try:
        yield from pool.make(take, watch)
    finally:
        pool.end()


@dataclass(slots=True, kw_only=True)
class _Given:
    """A job under way.

    Attributes:
        beside: How many runs the card may have had side by side, this one included.
        since: When it began; the process may have to start first.
    """

    beside: int
    since: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """A job that is no longer under way; it is `lost` where its process or card failed."""

    lane: "_Lane"
    job: Job
    record: RunRecord
    beside: int
    lost: bool = False


class _Lane:
    """A card, or the cores of this machine, and the processes there."""

    def __init__(self, card: Card | None, width: Width, share: bool) -> None:
        self.card, self.width, self._share = card, width, share
        self.workers: list[_Worker] = []
        self.failures = 0
        self.alone: Job | None = None  # a job under way that is to have no other beside it

    @property
    def number(self) -> str:
        return self.card.number if self.card else ""

    @property
    def busy(self) -> int:
        return sum(len(worker.jobs) for worker in self.workers)

    @property
    def has_room(self) -> bool:
        return self.busy < self.width.now and self.alone is None

    def give(self, job: Job, *, alone: bool = False) -> None:
        """Have a job made by a process that has room, or by a new one."""
        free = [worker for worker in self.workers if self._share or not worker.jobs]
        if not free:
            free = [_Worker(self.card, share=self._share)]
            self.workers += free
        self.alone = job if alone else None
        free[-1].give(job, beside=1 if alone else self.width.now)

    def ended(self, worker: "_Worker", job: Job, record: RunRecord) -> _Ending:
        """A run has ended, and its process goes on."""
        self.failures = 0
        return self._ending(job, record, worker.jobs.pop(job).beside)

    def lose(self, worker: "_Worker", record: RunRecord) -> list[_Ending]:
        """A process is gone, or of no more use since its card failed."""
        self.failures += 1
        self.drop(worker)
        return [
            self._ending(job, record, given.beside, lost=True)
            for job, given in worker.jobs.items()
        ]

    def drop(self, worker: "_Worker") -> None:
        worker.kill()
        self.workers.remove(worker)

    def _ending(self, job: Job, record: RunRecord, beside: int, *, lost: bool = False) -> _Ending:
        if self.alone == job:
            self.alone = None
        if self._share:
            record = made_beside(record, beside)
        if self.card and record.made_by:
            record = replace(record, made_by={**record.made_by, "card": self.card.number})
        return _Ending(lane=self, job=job, record=record, beside=beside, lost=lost)


class _Pool:
    """The lanes, and the jobs that are to be made again."""

    def __init__(self, lanes: list[_Lane], time_limit: float | None) -> None:
        self._lanes, self._limit = lanes, time_limit
        self._again = deque[Job]()
        self._failed = dict[Job, RunRecord]()  # to be made again, alone and on another card
        self._tried = defaultdict[Job, set[str]](set)  # by a job: the cards it failed with

    def make(self, take: Take, watch: Watch) -> Outcomes:
        cards = [lane.card for lane in self._lanes if lane.card]
        if len({card.name for card in cards}) > 1:
            names = ", ".join(f"{card.number} {card.name}" for card in cards)
            watch(Notice(text=f"the GPUs differ ({names}); the record of a run says its own"))
        while True:
            yield from self._without_hope()
            self._fill(take)
            if not any(lane.busy for lane in self._lanes):
                return
            for ending in self._next_endings(watch):
                if not self._is_made_again(ending, watch):
                    self._tried.pop(ending.job, None)
                    yield ending.job, ending.record

    def end(self) -> None:
        """End all processes: asked by SIGTERM at once, and killed where they do not listen."""
        workers = [worker for lane in self._lanes for worker in lane.workers]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.end()

    def _fill(self, take: Take) -> None:
        """Give work to every lane that has room; to the least busy one first."""
        reserved: list[_Lane] = []
        for job in list(self._failed):
            if lanes := [lane for lane in self._open_to(job) if lane.alone is None]:
                lane = min(lanes, key=lambda lane: lane.busy)
                if lane.busy:  # what is under way there ends first, and nothing follows it
                    reserved.append(lane)
                else:
                    del self._failed[job]
                    lane.give(job, alone=True)
        while rooms := [lane for lane in self._lanes if lane.has_room and lane not in reserved]:
            job = self._again.popleft() if self._again else take()
            if job is None:
                return
            min(rooms, key=lambda lane: lane.busy).give(job)

    def _open_to(self, job: Job) -> list[_Lane]:
        """The lanes in use whose card a job has not been tried on."""
        tried = self._tried[job]
        return [lane for lane in self._lanes if lane.width.now and lane.number not in tried]

    def _without_hope(self) -> Outcomes:
        """Jobs for which no card is left."""
        for job in [job for job in self._failed if not self._open_to(job)]:
            self._tried.pop(job)
            yield job, self._failed.pop(job)

    def _is_made_again(self, ending: _Ending, watch: Watch) -> bool:
        """Tell whether a run is to be made once more: with fewer beside it, or on another card."""
        lane, job, record = ending.lane, ending.job, ending.record
        if lane.width.was_too_much(record, beside=ending.beside):
            self._again.append(job)
            watch(narrower(job, lane.width))
            return True
        if ending.lost:
            self._leave_out(lane, watch)
        if lane.card is None or not (ending.lost or ran_out_of_memory(record)):
            return False
        self._tried[job].add(lane.number)
        if len(self._tried[job]) >= _TRIES or not self._open_to(job):
            return False
        self._failed[job] = record
        what = "was lost with" if ending.lost else "had no room on"
        again = "made again on another"
        watch(Notice(text=f"{job.name} seed {job.seed} {what} GPU {lane.number}; {again}"))
        return True

    def _leave_out(self, lane: _Lane, watch: Watch) -> None:
        """Use a card no longer that fails time after time, unless it is the last."""
        others = [each for each in self._lanes if each is not lane and each.width.now]
        if lane.failures >= _FAILURES and lane.width.now and others:
            lane.width.now = 0
            text = f"GPU {lane.number} failed {_FAILURES} times in a row, and is no longer used"
            watch(Notice(text=text))

    def _next_endings(self, watch: Watch) -> list[_Ending]:
        """Pass events on until runs end: by themselves, with their process, or by the limit."""
        busy = {
            worker.connection: (lane, worker)
            for lane in self._lanes
            for worker in lane.workers
            if worker.jobs
        }
        while True:
            began = min(worker.since for _, worker in busy.values())
            left = None
            if self._limit is not None and began < math.inf:
                left = max(0.0, began + self._limit - time.monotonic())
            for connection in wait(list(busy), left):
                if endings := _read(*busy[connection], watch):  # type: ignore[index]
                    return endings
            for lane, worker in busy.values():
                if self._limit is not None and time.monotonic() - worker.since >= self._limit:
                    lane.drop(worker)
                    late = too_long(self._limit)
                    return [lane.ended(worker, job, late) for job in list(worker.jobs)]


def _read(lane: _Lane, worker: "_Worker", watch: Watch) -> list[_Ending]:
    """One message of a process, or its end."""
    try:
        message = worker.connection.recv()
    except (EOFError, ConnectionResetError):
        return lane.lose(worker, worker.last_words())
    if not isinstance(message, tuple):
        watch(message)
        return []
    job, record = message
    if record is None:
        worker.jobs[job].since = time.monotonic()
        return []
    if lane.card and lost_its_gpu(record):
        return lane.lose(worker, record)
    return [lane.ended(worker, job, record)]


@dataclass(slots=True)
class _Worker:
    """A process, this end of the pipe to it, and its jobs under way."""

    card: Card | None
    share: bool
    process: BaseProcess = field(init=False)
    connection: Connection = field(init=False)
    jobs: dict[Job, _Given] = field(default_factory=dict[Job, _Given])

    def __post_init__(self) -> None:
        # spawn: a forked child would inherit CUDA's and OpenMP's state, which do not survive it.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, self.share), daemon=True)
        # Before it starts: it imports the user's script, which may load torch, ahead of `_work`.
        with _environment(self.card.environment if self.card else {}):
            self.process.start()
        theirs.close()  # else the pipe would stay open when the worker dies

    @property
    def since(self) -> float:
        """Time at which the oldest of its jobs began."""
        return min((given.since for given in self.jobs.values()), default=math.inf)

    def give(self, job: Job, *, beside: int) -> None:
        self.jobs[job] = _Given(beside=beside)
        with suppress(BrokenPipeError):  # it has died: the next read says so
            self.connection.send(job)

    def last_words(self) -> RunRecord:
        """The record of the runs of a process that died."""
        self.process.join(_SECONDS_TO_END)
        where = f" on GPU {self.card.number}" if self.card else ""
        error = f"the worker{where} died (exit code {self.process.exitcode})"
        return RunRecord(state="failed", error=error)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()

    def end(self) -> None:
        """End the process: asked by SIGTERM, and killed where it does not listen."""
        self.connection.close()
        self.process.terminate()
        self.process.join(_SECONDS_TO_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextmanager
def _environment(changes: Mapping[str, str]) -> Generator[None]:
    """This process's environment, which those that it starts inherit, changed for a moment."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(connection: Connection, share: bool) -> None:
    """A worker's life: jobs in; signs of life, events and records out; until the pipe ends."""
    # Ctrl-C reaches the whole group of processes; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    one_at_a_time = Lock()

    def send(message: Event | tuple[Job, RunRecord | None]) -> None:
        with one_at_a_time:
            connection.send(message)

    def make(job: Job) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            send((job, None))
            send((job, perform(job, send)))

    with suppress(EOFError, ConnectionResetError):
        while True:
            job = connection.recv()
            if share:
                Thread(target=make, args=(job,), daemon=True).start()
            else:
                make(job)


def _end_with_parent() -> None:
    """A run of an hour whose parent was killed would go on for nothing, beside its successor."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "workers are started by an executor"
    wait([parent.sentinel])
    os._exit(1)
