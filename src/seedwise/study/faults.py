"""Faults of a study's own code: told as soon as it is clear that more runs would fail alike."""

from collections import Counter

from seedwise.errors import TrainingFailed
from seedwise.executors.job import Job
from seedwise.live.events import Notice, Watch
from seedwise.records import RunRecord
from seedwise.store import Store
from seedwise.study.orders import Orders

__all__ = ["Faults"]

_PATIENCE = 2
"""So many runs of a setup without a result may fail by its code before no more are tried."""


class Faults:
    """Looks at each run that ends, and ends the study, or a setup, whose code cannot train.

    A setup that has a result can train: what fails there belongs to its seed, and costs that run.

    Args:
        store: The study.
        setups: Number of setups of this call.
        orders: What is still to be made.
        tell: Told of setups that are given up.
    """

    def __init__(self, store: Store, setups: int, orders: Orders, tell: Watch) -> None:
        self._can_train = {run.setup for run in store.runs() if run.state != "failed"}
        self._path, self._left, self._orders, self._tell = store.path, setups, orders, tell
        self._failed = Counter[str]()  # of setups without a result
        self._last: str | None = None  # the setup of the run before, if its code failed

    def look(self, job: Job, record: RunRecord) -> None:
        """Look at a run that has ended and is stored.

        Raises:
            TrainingFailed: It returned what no run can be made of; or the code of two setups in a
                row, or of the last one, fails.
        """
        before, self._last = self._last, None
        if record.state != "failed":
            self._can_train.add(job.name)
        if record.fault is None or job.name in self._can_train:
            return
        self._last = job.name
        self._failed[job.name] += 1
        if record.fault == "return":
            raise TrainingFailed(f"{self._said(job, record)}; no more runs were made")
        if before not in (None, job.name):
            raise TrainingFailed(
                f"{before} and {job.name} fail, and no more runs were made; "
                f"{self._said(job, record)}; `seedwise status {self._path}` shows where"
            )
        if self._failed[job.name] == _PATIENCE:
            self._give_up(job, record)

    def _give_up(self, job: Job, record: RunRecord) -> None:
        """Try a setup no more in this call."""
        self._left -= 1
        text = f"{job.name} failed {_PATIENCE} times without a result, and is not tried again"
        more = self._orders.give_up(job.name)
        if not self._left or not more:
            raise TrainingFailed(
                f"{text}; {self._said(job, record)}; `seedwise status {self._path}` shows where"
            )
        self._tell(Notice(text=f"{text} before the next call"))

    def _said(self, job: Job, record: RunRecord) -> str:
        *_, last = (record.error or "").strip().splitlines() or [""]
        return f"{job.name}, seed {job.seed}: {last}"
