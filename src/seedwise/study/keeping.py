"""Word of a stored run to whoever watches a study."""

from seedwise.records import RunRecord
from seedwise.study.events import RunStored
from seedwise.study.runner import Job

__all__ = ["stored_event"]


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
