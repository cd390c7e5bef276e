"""Word of a stored run to whoever watches a study."""

from collections.abc import Mapping

from seedwise.comparison.claims import computed_from, disputes
from seedwise.comparison.study_runs import StudyRuns
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.store import Store, StoredRun
from seedwise.study.events import Doubt, RunStored
from seedwise.study.predictions import KINDS
from seedwise.study.runner import Job

__all__ = ["doubts_about", "live_figures", "stored_event"]


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


def doubts_about(store: Store, setup: str, seed: Seed, record: RunRecord) -> list[Doubt]:
    """What a person should know of a run's predictions.

    That is what kind they are, once a setup, and which of the metrics beside them they deny.

    Args:
        store: The study, which has the run's targets and not yet the run.
        setup: Name of the run's setup.
        seed: Its seed.
        record: The run.
    """
    if record.logits is None:
        return []
    doubts = list[Doubt]()
    kind = record.made_by.get("predictions")
    if kind and all(run.made_by.get("predictions") != kind for run in store.runs(setup)):
        doubts.append(Doubt(text=f"{setup}: {KINDS[kind]}"))
    if record.metrics:
        computed = computed_from(record.logits, StudyRuns(store).targets)
        doubts += [
            Doubt(
                text=f"{setup}, seed {seed}: {dispute} from its predictions, which decide; check "
                "that predictions and targets are of the same examples in the same order"
            )
            for dispute in disputes(seed, record.metrics, computed)
        ]
    return doubts
