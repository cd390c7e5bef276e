"""What is kept of a run besides itself: the study's dataset, and word to whoever watches."""

import hashlib

from jaxtyping import Int64
from numpy import ndarray

from seedwise.data import Split
from seedwise.records import DatasetRecord, RunRecord
from seedwise.study.events import RunStored
from seedwise.study.runner import Job

__all__ = ["dataset_of", "stored_event"]


def dataset_of(targets: Int64[ndarray, " examples"], job: Job) -> DatasetRecord:
    """What can be said of a dataset of which only the targets are known."""
    digest = hashlib.sha256(targets.astype("<i8").tobytes()).hexdigest()
    return DatasetRecord(
        name=f"returned by {job.setup.train}",
        fingerprint=digest,
        split=Split(name="shipped").to_json(),
        classes=tuple(str(i) for i in range(int(targets.max()) + 1)),
        names=tuple(f"example {i}" for i in range(len(targets))),
        targets=targets,
    )


def stored_event(job: Job, record: RunRecord) -> RunStored:
    """The event that says that a run is in the file, with its figures as far as it has some."""
    figures = dict(record.metrics)
    if record.epochs and record.state == "finished":
        last = record.epochs[-1]
        figures |= {"accuracy": last.accuracy, "smoothed_accuracy": last.smoothed_accuracy}
    return RunStored(
        setup=job.name,
        seed=job.seed,
        state=record.state,
        seconds=record.seconds,
        metrics=figures,
        error=record.error,
    )
