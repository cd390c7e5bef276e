"""Word of a stored run to whoever watches a study."""

from collections.abc import Mapping

from seedwise.records import RunRecord
from seedwise.store import StoredRun
from seedwise.study.events import RunStored
from seedwise.study.runner import Job

__all__ = ["live_figures", "stored_event"]


def stored_event(job: Job, record: RunRecord) -> RunStored:
    """The event that says that a run is in the file, with its figures as far as it has some."""
    return RunStored(
        setup=job.name,
        seed=job.seed,
        state=record.state,
        seconds=record.seconds,
        metrics=live_figures(record),
        error=record.error,
    )


def live_figures(run: RunRecord | StoredRun) -> Mapping[str, float]:
    """The figures of a run that are known without its predictions."""
    if run.state != "finished" or not run.epochs:
        return run.metrics
    last = run.epochs[-1]
    shown = {"accuracy": last.accuracy, "smoothed_accuracy": last.smoothed_accuracy}
    return {**run.metrics, **shown}
