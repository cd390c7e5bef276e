"""The Ray executor: runs on the machines of a Ray cluster, or on this one through a Ray of ours.

What travels to a machine are jobs: setups, seeds and references to data. Each machine opens, or
builds once, a pixel cache of its own. What comes back are events and records; only the driver,
which is this process, writes to the study.
"""

import math
import sys
import time
from collections import Counter, deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from seedwise.cards import Card
from seedwise.errors import ClusterLost, ConfigError
from seedwise.executors.base import (
    JOBS,
    PACK,
    TIME_LIMIT,
    Outcomes,
    Place,
    Setting,
    Take,
    Width,
    check_limits,
    narrower,
    too_long,
)
from seedwise.executors.job import Job, load_function
from seedwise.executors.local import in_threads
from seedwise.live.events import Event, Notice, Watch
from seedwise.records import RunRecord
from seedwise.setups import BUILT_IN, Setup

if TYPE_CHECKING:
    from seedwise.executors.cluster import Cluster
    from seedwise.train.machine import Machine

__all__ = ["RayExecutor"]

_LOSSES = 3
"""Losses of a run with its machine or process after which it counts as failed."""

_SECONDS_TO_LISTEN = 1.0
"""Longest wait for messages before the cluster is looked at again."""

_ADDRESS = {"setting": Setting(key="address", kinds=(str,), allowed='text in quotes, e.g. "auto"')}
_CPUS = {
    "setting": Setting(key="cpus", kinds=(int, float), allowed="a number of cores, 0 or more")
}
_GPUS = {
    "setting": Setting(
        key="gpus", kinds=(int, float), allowed="a number of GPUs, 0 or more, e.g. 0.5"
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RayExecutor:
    """Makes runs as tasks of Ray.

    Attributes:
        address: `auto` for the cluster that this machine belongs to, or `host:port`; None uses the
            Ray that this program has connected to, or else starts one on this machine.
        workers: Tasks at once; None for as many as the cluster has room for.
        cpus: Cores that a task reserves; None for as many as a run has threads, 1 beside a GPU.
        gpus: GPUs that a task reserves, e.g. 0.5; None for one where runs need one.
        pack: Runs of a task: side by side on its GPU, or one after another on its cores. `auto`:
            as many as pay and have room on its GPU, and 1 on cores, for functions of users' and
            where there is a time limit.
        time_limit: Seconds after which a run is ended and counts as failed, counted on its worker;
            None for no limit.

    Raises:
        ConfigError: A number is out of range, or the address is of Ray's client, which cannot
            stream results.
    """

    address: str | None = field(default=None, metadata=_ADDRESS)
    workers: int | None = field(default=None, metadata=JOBS)
    cpus: float | None = field(default=None, metadata=_CPUS)
    gpus: float | None = field(default=None, metadata=_GPUS)
    pack: int | Literal["auto"] = field(default="auto", metadata=PACK)
    time_limit: float | None = field(default=None, metadata=TIME_LIMIT)

    def __post_init__(self) -> None:
        check_limits(self.workers, self.time_limit)
        if self.pack != "auto" and (isinstance(self.pack, str) or self.pack < 1):
            raise ConfigError(f"pack must be auto, or 1 or more, got {self.pack!r}")
        for name in ("cpus", "gpus"):
            number = getattr(self, name)
            if number is not None and not number >= 0:
                raise ConfigError(f"{name} must be 0 or more, got {number}")
        if self.address is not None and self.address.startswith("ray://"):
            raise ConfigError(
                f"address {self.address!r} is of Ray's client, which cannot stream results; "
                "start seedwise on a machine of the cluster with address = 'auto', or by "
                "`ray job submit`"
            )

    def choose(self, *, device: str, setups: Sequence[Setup], runs: int) -> "Machine":
        """Choose what so many runs of these setups use on a machine of the cluster."""
        asked = device, self.workers, self._on_a_gpu(), tuple(setups)
        from seedwise.executors.cluster import connected, ray_package

        if self.address is None and not ray_package().is_initialized():
            return _choose(*asked, runs)
        with connected(self.address) as ray:
            gpus = ray.cluster_resources().get("GPU", 0)
            wanted = device == "cuda" or (device == "auto" and gpus)
            task = ray.remote(_choose).options(num_cpus=1, num_gpus=1 if wanted else 0)
            each = math.ceil(runs / max(1, gpus))  # or else some GPUs would have none
            try:
                return ray.get(task.remote(*asked, each if wanted else runs))
            except ray.exceptions.RayTaskError as error:
                raise ConfigError(f"no machine of the cluster can train: {error.cause}") from None

    def _on_a_gpu(self) -> int | Literal["auto"]:
        """Runs side by side in a task with a GPU, by all that was said."""
        # Of runs in threads none can be ended alone when it takes too long.
        return 1 if self.pack == "auto" and self.time_limit is not None else self.pack

    def placed(self, place: Place) -> Self:
        """This executor with what a task reserves settled for a study."""
        cuda = place.device == "cuda"
        cpus = (1 if cuda else place.threads) if self.cpus is None else self.cpus
        gpus = (1 if cuda else 0) if self.gpus is None else self.gpus
        pack = self.pack
        if pack == "auto":  # a share of a GPU has as much less room
            pack = max(1, int(place.workers * min(1, gpus))) if cuda and place.share else 1
        return replace(self, cpus=cpus, gpus=gpus, pack=pack)

    def cards_for_functions(self, *, device: str, runs: int) -> tuple[Card, ...]:
        """None: Ray says which GPU a task sees."""
        return ()

    @property
    def here(self) -> bool:
        """False: no run is made in the caller's thread."""
        return False

    def run(self, take: Take, watch: Watch) -> Outcomes:
        """Make the runs that `take` gives, and yield each as it ends.

        A run whose process or machine is lost is made again, up to twice; then it comes back as
        failed. Closing the generator cancels what is under way.

        Raises:
            ClusterLost: Ray ended on this machine.
        """
        from seedwise.executors.cluster import Cluster, connected, ray_package  # no worker does

        ours = self.address is None and not ray_package().is_initialized()
        with connected(self.address) as ray:
            cluster = Cluster(ray, ours=ours)
            tasks = _Tasks(ray, self, cluster, watch)
            try:
                while tasks.fill(take):
                    yield from tasks.listen()
            except ray.exceptions.RayError as error:
                cluster.check()
                raise ClusterLost(f"Ray failed: {' '.join(str(error).split())}") from None
            finally:
                tasks.end()


@dataclass(slots=True, kw_only=True)
class _Task:
    """A task under way.

    Attributes:
        stream: What it sends: Ray's generator of references.
        left: Its jobs whose record has not come yet, in the order in which they are made.
        beside: As many tasks have room on a GPU, by what this one reserves of it.
        since: When the first of them began, by this machine's clock; None before the task's first
            sign of life: it waits for room, or for a machine.
    """

    stream: Any
    left: list[Job]
    beside: int
    since: float | None = None


class _Tasks:
    """The tasks under way, and what becomes of them."""

    def __init__(self, ray: Any, executor: RayExecutor, cluster: "Cluster", watch: Watch) -> None:
        self._ray, self._executor, self._cluster, self._watch = ray, executor, cluster, watch
        self._task = ray.remote(
            num_cpus=1 if executor.cpus is None else executor.cpus,
            num_returns="streaming",
            max_retries=0,  # ours to count: a retried task would make its finished runs again
            max_calls=0,  # Ray would end a GPU's process after each task, and its caches with it
        )(_make)
        # How many runs have room: those of one task, and the tasks that share a GPU.
        pack = 1 if executor.pack == "auto" else executor.pack
        self._pack, self._sharing = Width(pack), Width(_sharing(executor.gpus))
        self._under_way: list[_Task] = []
        self._again = deque[Job]()
        self._losses = Counter[Job]()

    def fill(self, take: Take) -> bool:
        """Start tasks while there is room and work; whether any is under way."""
        self._cluster.look(self._watch)
        while len(self._under_way) < self._most():
            jobs = self._next_jobs(take)
            if not jobs:
                break
            task = self._task.options(num_gpus=self._gpus())
            stream = task.remote(tuple(jobs), tuple(sys.path))
            self._under_way.append(_Task(stream=stream, left=jobs, beside=self._sharing.now))
        return bool(self._under_way)

    def _gpus(self) -> float:
        """The share of a GPU that a task reserves: larger after one ran out of memory."""
        gpus = self._executor.gpus or 0
        return gpus if self._sharing.now == _sharing(gpus) else 1 / self._sharing.now

    def _next_jobs(self, take: Take) -> list[Job]:
        if self._again:  # alone, so that one which ends its process takes no other with it
            return [self._again.popleft()]
        jobs: list[Job] = []
        while len(jobs) < self._pack.now and (job := take()) is not None:
            jobs.append(job)
        return jobs

    def _most(self) -> int:
        """Tasks that the cluster has room for; 1 where it is still to grow."""
        if self._executor.workers is not None:
            return self._executor.workers
        has = self._cluster.resources
        wanted = {"CPU": self._executor.cpus, "GPU": self._gpus()}
        rooms = [has.get(kind, 0) // each for kind, each in wanted.items() if each]
        return max(1, int(min(rooms, default=1)))

    def listen(self) -> Outcomes:
        """Wait for the next messages, pass the events on, and yield the outcomes."""
        by_stream = {task.stream: task for task in self._under_way}
        ready, _ = self._ray.wait(
            list(by_stream), num_returns=1, timeout=_SECONDS_TO_LISTEN, fetch_local=True
        )
        for stream in ready:
            yield from self._read(by_stream[stream])
        for task in list(self._under_way):
            yield from self._late(task)

    def _read(self, task: _Task) -> Outcomes:
        """One message of a task, or its end."""
        errors = self._ray.exceptions
        try:
            message = self._ray.get(next(task.stream))
        except StopIteration:
            self._under_way.remove(task)
        except errors.RayTaskError as error:  # ours did not get as far as to make a run
            self._under_way.remove(task)
            for job in task.left:
                yield job, RunRecord(state="failed", error=str(error.cause or error))
        except errors.RayError as error:
            self._under_way.remove(task)
            yield from self._lost(task.left, type(error).__name__)
        else:
            yield from self._heard(message, task)

    def _heard(self, message: "_Message", task: _Task) -> Outcomes:
        """Handle a task's message: a sign of life, an event, an outcome, or the room it found."""
        if message is None:
            task.since = time.monotonic()
        elif isinstance(message, Width):
            self._pack.now = min(self._pack.now, message.now)
        elif isinstance(message, tuple):
            job, record = message
            task.since = time.monotonic()
            task.left.remove(job)
            if self._sharing.was_too_much(record, beside=task.beside):
                self._again.append(job)
                self._watch(narrower(job, self._sharing))
            else:
                yield message
        else:
            self._watch(message)

    def _lost(self, jobs: list[Job], how: str) -> Outcomes:
        """The process or the machine that had these jobs is gone; or the whole of Ray."""
        self._cluster.check()
        for job in jobs:
            self._losses[job] += 1
            if self._losses[job] < _LOSSES:
                self._again.append(job)
                self._watch(
                    Notice(text=f"{job.name} seed {job.seed} was lost ({how}); made again")
                )
            else:
                self._losses.pop(job)
                yield (
                    job,
                    RunRecord(state="failed", error=f"lost {_LOSSES} times, at last: {how}"),
                )

    def _late(self, task: _Task) -> Outcomes:
        """End a task whose run takes too long; what it has not begun is made by another."""
        limit = self._executor.time_limit
        if limit is None or task.since is None or time.monotonic() - task.since < limit:
            return
        self._under_way.remove(task)
        self._ray.cancel(task.stream, force=True)
        late = task.left if _side_by_side(task.left) else task.left[:1]
        self._again.extend(task.left[len(late) :])
        for job in late:
            yield job, too_long(limit)

    def end(self) -> None:
        """Cancel what is under way."""
        for task in self._under_way:
            with suppress(Exception):  # a cluster that is gone has nothing under way
                self._ray.cancel(task.stream, force=True)


_Message = Event | tuple[Job, RunRecord] | Width | None
"""Messages of a task; None is a sign of life."""


def _make(jobs: tuple[Job, ...], paths: tuple[str, ...]) -> Generator[_Message]:
    """A task: the runs of a group, as events and outcomes; first a sign of life.

    Where runs side by side had no room, the last message says how many had.

    Args:
        jobs: The runs.
        paths: Where the driver finds modules; a function of the user's is found there as well.
    """
    sys.path.extend(path for path in paths if path not in sys.path)
    yield None
    waiting = deque(jobs)
    most = len(jobs) if _side_by_side(jobs) else 1
    width = Width(most)
    yield from in_threads(lambda: waiting.popleft() if waiting else None, width)
    if width.now < most:
        yield width


def _sharing(gpus: float | None) -> int:
    """Number of tasks that have room on a GPU of which each reserves so much."""
    return int(1 / gpus) if gpus and gpus < 1 else 1


def _side_by_side(jobs: tuple[Job, ...] | list[Job]) -> bool:
    """Tell whether a group's runs share a GPU; on cores, one would disturb the other.

    Functions of users' may use global generators, which threads would share.
    """
    return all(job.device == "cuda" and job.setup.train == BUILT_IN for job in jobs)


def _choose(
    device: str,
    jobs: int | None,
    pack: int | Literal["auto"],
    setups: Sequence[Setup],
    runs: int,
) -> "Machine":
    choose = load_function("seedwise.train:choose")
    return choose(device=device, jobs=jobs, pack=pack, runs=runs, setups=setups)
