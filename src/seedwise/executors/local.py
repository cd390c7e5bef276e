"""The local executor: runs on this machine, in this process or in several."""

import sys
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Literal, Self

from seedwise.cards import Card, Devices, check_devices, chosen_cards, spread, visible_cards
from seedwise.errors import ConfigError
from seedwise.executors.base import (
    DEVICES,
    JOBS,
    PACK,
    TIME_LIMIT,
    Outcomes,
    Place,
    Take,
    Width,
    check_limits,
    made_beside,
    narrower,
)
from seedwise.executors.job import Job, load_function, perform
from seedwise.live.events import Event, Watch
from seedwise.records import RunRecord
from seedwise.setups import Setup

if TYPE_CHECKING:
    from seedwise.train.machine import Machine

__all__ = ["LocalExecutor", "in_threads"]


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
        devices: GPUs to use: `auto` for all that are visible, how many, or which of them, counted
            from 0. With several, each has a process of its own that sees no other.
        cards: Those GPUs, once they are known.

    Raises:
        ConfigError: Fewer than 1 worker, run or GPU, or a limit of 0 seconds or less.
    """

    workers: int | None = field(default=None, metadata=JOBS)
    pack: int | Literal["auto"] = field(default="auto", metadata=PACK)
    share: bool = False
    time_limit: float | None = field(default=None, metadata=TIME_LIMIT)
    devices: Devices = field(default="auto", metadata=DEVICES)
    cards: tuple[Card, ...] = ()

    def __post_init__(self) -> None:
        check_limits(self.workers, self.time_limit)
        if isinstance(self.devices, list):  # as study.toml has it
            object.__setattr__(self, "devices", tuple(self.devices))
        check_devices(self.devices)
        if self.pack != "auto" and (isinstance(self.pack, str) or self.pack < 1):
            raise ConfigError(f"pack must be auto, or 1 or more, got {self.pack!r}")

    def choose(self, *, device: str, setups: Sequence[Setup], runs: int) -> "Machine":
        """Choose what so many runs of these setups use on this machine."""
        choose = load_function("seedwise.train:choose")
        seen = 0 if device == "cpu" else load_function("seedwise.train:gpu_count")()
        cards = self._cards() if seen > 1 or (device != "cpu" and self.devices != "auto") else ()
        # Several are not asked for their room here: that would take some of it on each of them.
        pack = 1 if cards else self._on_a_gpu()
        machine = choose(device=device, jobs=self.workers, pack=pack, runs=runs, setups=setups)
        if machine.device == "cpu" and self.devices not in ("auto", 1):
            raise ConfigError(
                f"devices says which GPUs to use, got {self.devices!r}, but the runs are to be "
                "made on a CPU; leave it out"
            )
        if not cards or machine.device == "cpu":
            return machine
        over = load_function("seedwise.train:over_cards")
        return over(machine, cards, jobs=self.workers, pack=self._pack(), runs=runs, setups=setups)

    def cards_for_functions(self, *, device: str, runs: int) -> tuple[Card, ...]:
        """The GPUs over which the user's functions are spread, with the runs of each."""
        if device == "cpu":
            return ()
        cards = self._cards()
        pack = self._pack()
        each = 1 if pack == "auto" else pack
        most = each * len(cards) if self.workers is None else self.workers
        return spread(cards, min(most, runs)) if cards else ()

    def _cards(self) -> tuple[Card, ...]:
        """The GPUs that get a process of their own; none where one is used from this process."""
        if self.devices == "auto" and (self.workers == 1 or not _can_start_again()):
            return ()
        if self.devices == 1:
            return ()
        cards = chosen_cards(self.devices, visible_cards())
        return () if self.devices == "auto" and len(cards) == 1 else cards

    def _pack(self) -> int | Literal["auto"]:
        """Runs side by side on each of several GPUs."""
        return 1 if self.pack == "auto" and self.time_limit is not None else self.pack

    def _on_a_gpu(self) -> int | Literal["auto"]:
        """Runs side by side on one GPU, by all that was said."""
        said = [number for number in (self.workers, self.pack) if isinstance(number, int)]
        if said:
            return min(said)
        # With a limit they would be processes, each with the data set and a capture of its own.
        return "auto" if self.time_limit is None else 1

    def placed(self, place: Place) -> Self:
        """This executor with as many workers as the place has, which share a GPU if they may."""
        return replace(self, workers=place.workers, share=place.share, cards=place.cards)

    @property
    def here(self) -> bool:
        """True where every run is made in the caller's thread."""
        free = self.time_limit is None and not self.cards and self.devices in ("auto", 1)
        return free and (self.workers or 1) == 1

    def run(self, take: Take, watch: Watch) -> Outcomes:
        """Make the runs that `take` gives, and yield each as it ends.

        A worker that dies takes its run with it, which comes back as failed; a new worker takes
        its place. Of several GPUs one that fails costs its runs time: they are made again on
        another. Closing the generator ends the workers.
        """
        workers = self.workers or 1
        if self.here:
            return _here(take, watch)
        share = self.share and self.time_limit is None
        if self.cards or not share:
            from seedwise.executors.processes import in_processes  # a worker starts none

            return in_processes(
                take,
                watch,
                workers=workers,
                cards=self.cards,
                share=share,
                time_limit=self.time_limit,
            )
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
            raise _StudyEnded
        messages.put(event)

    def work(job: Job) -> None:
        with suppress(_StudyEnded):
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
                message = job, made_beside(record, most)
                if width.was_too_much(record, beside=most):
                    again.append(job)
                    message = narrower(job, width)
            yield message
    finally:
        stopped.set()


class _StudyEnded(BaseException):
    """Ends a run whose study has ended. No Exception: a run that fails is caught as one."""


def _next(again: deque[Job], take: Take) -> Job | None:
    """The job to start next: those to be made again come first."""
    return again.popleft() if again else take()


def _can_start_again() -> bool:
    """Tell whether other processes may be started unasked.

    They import the script that runs, which would do all of its work again, had it no guard.
    """
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or main.__spec__ is not None:  # a notebook, or python -m
        return True
    with suppress(OSError, UnicodeDecodeError):
        return "__name__" in Path(file).read_text(encoding="utf-8")
    return False
