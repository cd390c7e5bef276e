"""Doubts about predictions as they are stored, and their scores, which are kept beside them."""

from collections.abc import Callable
from pathlib import Path

from seedwise.comparison.copies import with_own_seeds
from seedwise.comparison.measured import computed_from, disputes
from seedwise.comparison.scores import keep_large, not_kept
from seedwise.comparison.study_runs import StudyRuns
from seedwise.executors.predictions import KINDS
from seedwise.live.events import Doubt
from seedwise.records import RunRecord
from seedwise.seeds import STREAMS, Seed
from seedwise.stats.blocks import Logits
from seedwise.store import Store, logits_digest

__all__ = ["doubts_about", "keep_scores"]


def keep_scores(path: Path, tell: Callable[[int, int], None]) -> int:
    """Keep in a study what its runs with large predictions score, as far as it does not yet.

    What reads a study of an earlier seedwise, where this is not kept, reads all predictions each
    time: 72 s of processor time for 20 runs of 50,000 predictions of 1,000 classes.

    Args:
        path: The study, which is written to.
        tell: Told of the runs that are done, and of how many there are.

    Returns:
        The number of runs of which it is kept now and was not.
    """
    with Store.open(path) as store:
        study = StudyRuns(store)
        runs = not_kept(study)
        for done, run in enumerate(runs, start=1):
            keep_large(study, run)
            tell(done, len(runs))
    return len(runs)


def doubts_about(store: Store, setup: str, seed: Seed, record: RunRecord) -> list[Doubt]:
    """List what a person should know of a run's predictions.

    That is what kind they are and whether they are another run's, each once a setup, and which
    of the metrics beside them they deny.

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
    doubts += _copied(store, setup, seed, record.logits)
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


def _copied(store: Store, setup: str, seed: Seed, logits: Logits) -> list[Doubt]:
    """The first time that a run has the predictions of another of its setup."""
    known = with_own_seeds(run for run in store.runs(setup) if run.state == "finished")
    same = [run for run in known if run.digest == logits_digest(logits)]
    if len(same) != 1 or any(getattr(seed, s) == getattr(same[0].seed, s) for s in STREAMS):
        return []
    return [
        Doubt(
            text=f"{setup}, seed {seed}: bit for bit the predictions of seed {same[0].seed}; such "
            "runs count once. Does the training use its seed?"
        )
    ]
