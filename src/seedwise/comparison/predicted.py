"""Predictions of a setup's runs, image by image and class by class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from seedwise.comparison.copies import independent_runs
from seedwise.comparison.scores import score
from seedwise.comparison.study_runs import StudyRuns, all_have_logits, shared_rows
from seedwise.seeds import Seed
from seedwise.shaped import Float, Float64, Int64
from seedwise.stats.images import usual_class
from seedwise.stats.intervals import Difference, paired_difference, unpaired_difference
from seedwise.store import StoredRun

__all__ = ["ClassDifference", "ImageDifferences", "Predicted", "class_differences", "predicted"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """The predictions of a setup's finished runs that share no seed.

    Attributes:
        setup: Name of the setup.
        seeds: The seeds of the runs, ascending.
        scores: Share of each image's views that each run got right, ties counted as shares.
        flips: Chance that two runs predict different classes for an image; NaN for one run.
        usual: The class that most predictions of an image, over runs and views, are for; empty
            without predictions.
        metric: What `scores` are of: accuracy, or what runs came with a score of.
    """

    setup: str
    seeds: tuple[Seed, ...]
    scores: Float[ndarray, "runs images"]
    flips: Float64[ndarray, " images"]
    usual: Int64[ndarray, " images"]
    metric: str = "accuracy"

    @property
    def graded(self) -> bool:
        """True if the scores are anything else than right and wrong, of all views."""
        return not len(self.usual) and not bool(np.isin(self.scores, (0, 1)).all())

    @property
    def right(self) -> Float64[ndarray, " images"]:
        """P(correct) of each image over runs and views."""
        return self.scores.mean(axis=0, dtype=np.float64)


def predicted(
    study: StudyRuns, setup: str, runs: Sequence[StoredRun], metric: str = "accuracy"
) -> Predicted | None:
    """The predictions of a setup; None where no run finished, or a finished one has none.

    Runs without predictions, but with a score of each example, have their scores.

    Of runs that share a seed of some stream one is taken, as comparisons do.

    Args:
        study: The study.
        setup: Name of the setup.
        runs: Its runs.
        metric: Whose scores are taken where there are no predictions.
    """
    finished = [run for run in runs if run.state == "finished"]
    if not finished:
        return None
    chosen = sorted(independent_runs(finished), key=lambda run: run.seed)
    if not all_have_logits(finished):
        return _scored(study, setup, chosen, metric)
    found = score(study, chosen, ("accuracy",))
    return Predicted(
        setup=setup,
        seeds=tuple(run.seed for run in chosen),
        scores=found.scores["accuracy"],
        flips=found.flips,
        usual=usual_class(found.predicted.reshape(-1, found.predicted.shape[-1])),
    )


def _scored(
    study: StudyRuns, setup: str, runs: Sequence[StoredRun], metric: str
) -> Predicted | None:
    """The scores of a setup's runs; None where one of them came without."""
    if not all(metric in run.scored for run in runs):
        return None
    found = score(study, runs, (metric,))
    return Predicted(
        setup=setup,
        seeds=tuple(run.seed for run in runs),
        scores=found.scores[metric],
        flips=found.flips,
        usual=np.empty(0, np.int64),
        metric=metric,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassDifference:
    """B against A in one class.

    Attributes:
        label: Number of the class.
        name: Its name.
        images: Its number of images.
        a: Mean accuracy of A's runs on them.
        b: The same of B's.
        difference: B - A. The intervals of all classes hold together.
    """

    label: int
    name: str
    images: int
    a: float
    b: float
    difference: Difference


def class_differences(
    a: Predicted,
    b: Predicted,
    targets: Int64[ndarray, " images"],
    names: tuple[str, ...],
    *,
    paired: bool,
    confidence: float,
) -> tuple[ClassDifference, ...]:
    """B against A class by class, over finished runs, for new seeds on these images.

    With m classes each interval has coverage 1 - (1 - confidence) / m, so that all of them hold
    together with probability `confidence` or more (Bonferroni): among ten intervals of 95 % one
    is clear of 0 by luck in four studies of ten.

    Args:
        a: The predictions of setup A.
        b: Those of setup B.
        targets: Class of each image.
        names: Names of the classes.
        paired: Compare runs of the same seed.
        confidence: Of all intervals together, in (0, 1).
    """
    rows_a, rows_b = np.arange(len(a.seeds)), np.arange(len(b.seeds))
    if paired:
        rows_a, rows_b = shared_rows(a.seeds, b.seeds)
    labels = np.unique(targets)
    each = 1 - (1 - confidence) / len(labels)
    between = paired_difference if paired else unpaired_difference
    found = list[ClassDifference]()
    for label in labels.tolist():
        mine = targets == label
        of_a = a.scores[:, mine].mean(axis=1, dtype=np.float64)
        of_b = b.scores[:, mine].mean(axis=1, dtype=np.float64)
        found.append(
            ClassDifference(
                label=label,
                name=names[label],
                images=int(mine.sum()),
                a=float(of_a.mean()),
                b=float(of_b.mean()),
                difference=between(of_a[rows_a], of_b[rows_b], confidence=each),
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageDifferences:
    """P(correct) of each image under two setups.

    Attributes:
        a: The predictions of setup A.
        b: Those of setup B.
    """

    a: Predicted
    b: Predicted

    def largest(self, count: int) -> Int64[ndarray, " images"]:
        """The places of the images with the largest |difference| of P(correct), largest first."""
        apart = np.abs(self.b.right - self.a.right)
        order = np.argsort(-apart, kind="stable")[:count]
        return order[apart[order] > 0].astype(np.int64)
