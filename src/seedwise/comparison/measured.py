"""The runs of a setup under several metrics, and the metrics they came with held against those."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy import ndarray

from seedwise.comparison.copies import copies, with_own_seeds
from seedwise.comparison.metrics import Metric, OwnMetric, ReturnedMetric
from seedwise.comparison.scores import example_scores, metric_values, score
from seedwise.comparison.study_runs import StudyRuns, all_have_logits
from seedwise.errors import StudyError
from seedwise.figures import figure, in_points
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN
from seedwise.shaped import Bool, Float, Float64, Integer
from seedwise.stats.blocks import Logits, Targets
from seedwise.stats.catalog import CATALOG, BuiltInMetric
from seedwise.stats.groups import Groups
from seedwise.store import BANK, StoredRun

__all__ = [
    "Dispute",
    "Measured",
    "Measurements",
    "RunCounts",
    "banked",
    "computed_from",
    "disputes",
    "makes_views",
    "measure",
    "random_sample",
    "results_of",
]


_POINTS = 0.0051
"""Largest error of a share: half a point, which is 0.93 for 0.9251 and what float16 changes."""

_RELATIVE = 0.02
"""Largest error of another metric, relative to it: means of batches are means of means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A metric that came with a run and is not that of its predictions.

    Attributes:
        seed: Seed of the run.
        metric: Name of the metric.
        given: What the run came with.
        computed: What its predictions give.
    """

    seed: Seed
    metric: str
    given: float
    computed: float

    def __str__(self) -> str:
        given, computed = figure(self.metric, self.given), figure(self.metric, self.computed)
        return f"{self.metric} {given} given, {computed} computed"


def disputes(
    seed: Seed, metrics: Mapping[str, float], computed: Callable[[str], float]
) -> tuple[Dispute, ...]:
    """The metrics beside a run's predictions that these do not bear out.

    Of several views, the mean over all, the first alone and their averaged logits are each taken
    for what may have been meant.

    Args:
        seed: Seed of the run.
        metrics: What came with it.
        computed: A built-in metric of its predictions, by name.
    """
    found = list[Dispute]()
    for name, given in metrics.items():
        if name not in CATALOG or name.startswith("class_"):  # which needs a class
            continue
        value = computed(name)
        ways = (f"{name}:views=original", f"{name}:views=averaged")
        if not _agree(name, given, value) and not any(
            _agree(name, given, computed(way)) for way in ways
        ):
            found.append(Dispute(seed=seed, metric=name, given=given, computed=value))
    return tuple(found)


def computed_from(logits: Logits, targets: Targets) -> Callable[[str], float]:
    """Built-in metrics of one run's predictions, by name."""
    return lambda name: float(BuiltInMetric.parse(name).values(logits, targets))  # type: ignore[arg-type]


def _agree(metric: str, given: float, computed: float) -> bool:
    slack = _POINTS if in_points(metric) else max(_POINTS, _RELATIVE * abs(computed))
    return abs(given - computed) <= slack


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCounts:
    """Counts of a setup's runs by how they ended.

    Attributes:
        name: Name of the setup.
        finished: Number of finished runs, those that are left out aside.
        diverged: Number of diverged runs likewise: results too.
        failed: Seeds of which every try failed so far: the machine's fault, no result.
        seconds: Mean wall time of a finished run; 0 for none.
        missing: Seeds of finished runs that lack the metric that decides.
        sharing: Results that are left out, as they share a seed of some stream with another.
        identical: Results that are left out, as they have the predictions of another.
        disputes: Metrics that came beside a run's predictions and that these do not bear out.
        banked: Results that another study made, by its name.
    """

    name: str
    finished: int
    diverged: int
    failed: int
    seconds: float
    sharing: int = 0
    identical: int = 0
    missing: tuple[Seed, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    banked: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def results(self) -> int:
        """Finished and diverged runs."""
        return self.finished + self.diverged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """One metric of a setup's results.

    Attributes:
        values: One a run; a diverged run has what chance gives, or NaN where that can't be said.
        images: The score of each example in each run; None for a metric that has no such scores.
    """

    values: Float64[ndarray, " runs"]
    images: Float[ndarray, "runs images"] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measurements:
    """All that a comparison needs of a setup.

    Attributes:
        counts: What became of its runs.
        seeds: The seeds of its results, ascending.
        diverged: Which of them diverged.
        metrics: The metrics by name, each in the order of the seeds.
        predicted: The class of each prediction of each finished run; without logits, whether each
            example was right under the metric that decides; None where neither is known.
        test_to_train: Of folds, test examples for each training example; 0 for other runs.
        called: What the examples are called, as a plural.
        from_scores: Whether `predicted` says right or wrong, and no class.
        groups: The groups of the examples; None where they have none.
        guessing: The accuracy of naming the commonest class each time; None without predictions.
        right: Right and wrong of the usual views of each finished run; None where the built-in
            training, which could make more views, did not make the runs.
    """

    counts: RunCounts
    seeds: tuple[Seed, ...]
    diverged: Bool[ndarray, " runs"]
    metrics: Mapping[str, Measured]
    predicted: Integer[ndarray, "finished predictions"] | None
    test_to_train: float = 0.0
    called: str = "images"
    from_scores: bool = False
    groups: Groups | None = None
    guessing: float | None = None
    right: Bool[ndarray, "finished views images"] | None = None

    def finished_values(self, metric: str) -> Float64[ndarray, " finished"]:
        """A metric of the runs that did not diverge."""
        return self.metrics[metric].values[~self.diverged]

    @property
    def finished_seeds(self) -> list[Seed]:
        """The seeds of the runs that did not diverge."""
        return [seed for seed, bad in zip(self.seeds, self.diverged, strict=True) if not bad]


def random_sample(runs: Sequence[StoredRun]) -> tuple[list[StoredRun], int, int]:
    """The `independent_runs`, and how many are left out for a shared seed, and as copies."""
    own = with_own_seeds(runs)
    again = copies(own)
    return [run for run in own if run.id not in again], len(runs) - len(own), len(again)


def results_of(study: StudyRuns, setup: str) -> tuple[list[StoredRun], RunCounts]:
    """The finished and diverged runs of a setup, by seed, and what became of all its runs.

    Of runs with crossed seeds only those count that share no seed of any stream with one another.

    Raises:
        UnknownName: No such setup.
        StudyError: It has no result yet.
    """
    runs = study.of(setup)
    stored = [run for run in runs if run.state != "failed"]
    sample, sharing, identical = random_sample(stored)
    results = sorted(sample, key=lambda run: run.seed)
    if not results:
        raise StudyError(f"setup {setup!r} of {study.path} has no finished run; run it first")
    finished = [run for run in results if run.state == "finished"]
    failed = {run.seed for run in runs} - {run.seed for run in stored}
    return results, RunCounts(
        name=setup,
        finished=len(finished),
        diverged=len(results) - len(finished),
        failed=len(failed),
        seconds=float(np.mean([run.seconds for run in finished])) if finished else 0.0,
        sharing=sharing,
        identical=identical,
        disputes=tuple(each for run in finished for each in _disputes(study, run)),
        banked=banked(results),
    )


def banked(runs: Iterable[StoredRun]) -> Mapping[str, int]:
    """Number of the runs that were taken from each bank, by its file's name."""
    return Counter(str(run.made_by[BANK]) for run in runs if BANK in run.made_by)


def _disputes(study: StudyRuns, run: StoredRun) -> tuple[Dispute, ...]:
    if not (run.has_logits and run.metrics):
        return ()
    return disputes(run.seed, run.metrics, lambda name: metric_values(study, name, [run])[run.id])


def measure(
    study: StudyRuns, results: Sequence[StoredRun], counts: RunCounts, metrics: Sequence[Metric]
) -> Measurements:
    """The results of one setup under some metrics, of which the first is to decide.

    A run diverged where it says so, and where the deciding metric was not finite: what became of
    the other metrics is not asked.
    """
    rows = [row for row, run in enumerate(results) if run.state == "finished"]
    finished = [results[row] for row in rows]
    dataset = study.dataset
    classes = len(dataset.classes) if dataset else 0
    built_in = [str(metric) for metric in metrics if isinstance(metric, BuiltInMetric)]
    predicted = bool(finished) and all_have_logits(finished)
    found = score(study, finished, built_in) if predicted else None
    scores = found.scores if found else {}
    measured = dict[str, Measured]()
    for metric in metrics:
        chance = metric.chance(classes)
        fill = math.nan if chance is None else chance
        values = np.full(len(results), fill)
        images = None
        if str(metric) in scores:
            images = np.full((len(results), scores[str(metric)].shape[1]), fill, np.float32)
            images[rows] = scores[str(metric)]
            values[rows] = images[rows].mean(axis=1, dtype=np.float64)
        elif finished:
            known = metric_values(study, metric, finished)
            values[rows] = [
                known.get(run.id, fill if _lost(metric, run) else math.nan) for run in finished
            ]
            images = _images(study, metric, results, values)
        measured[str(metric)] = Measured(values=values, images=images)
    main = metrics[0]
    diverged = np.array([run.state == "diverged" or _lost(main, run) for run in results])
    if found:
        shown = found.predicted.reshape(len(finished), -1)[~diverged[rows]]
    else:
        shown = _right(measured[str(main)], ~diverged)
    missing = ~diverged & np.isnan(measured[str(main)].values)
    counts = replace(
        counts,
        finished=int((~diverged).sum()),
        diverged=int(diverged.sum()),
        missing=tuple(run.seed for run, lacks in zip(results, missing, strict=True) if lacks),
    )
    return Measurements(
        counts=counts,
        seeds=tuple(run.seed for run in results),
        diverged=diverged,
        metrics=measured,
        predicted=shown,
        test_to_train=study.test_to_train,
        called=study.called,
        from_scores=found is None,
        groups=study.groups,
        guessing=float(np.bincount(study.targets).max() / len(study.targets)) if found else None,
        right=found.predicted[~diverged[rows]] == study.targets
        if found and makes_views(study, counts.name)
        else None,
    )


def makes_views(study: StudyRuns, setup: str) -> bool:
    """True if the built-in training makes a setup's runs: it can show more views of an image."""
    known = study.setups.get(setup)
    return known is not None and known.train == BUILT_IN


def _images(
    study: StudyRuns, metric: Metric, results: Sequence[StoredRun], values: Float64[ndarray, " _"]
) -> Float[ndarray, "runs images"] | None:
    """The score of each example in each run that has the metric, NaN in the others."""
    if isinstance(metric, OwnMetric):
        return None
    has = [row for row, run in enumerate(results) if run.state == "finished"]
    has = [row for row in has if np.isfinite(values[row])]
    found = example_scores(study, str(metric), [results[row] for row in has])
    if found is None:
        return None
    images = np.full((len(results), found.shape[1]), math.nan, found.dtype)
    images[has] = found
    return images


def _right(
    main: Measured, finished: Bool[ndarray, " runs"]
) -> Integer[ndarray, "finished images"] | None:
    """Mask of right examples in each finished run; None for scores that are no 0 and 1."""
    images = None if main.images is None else main.images[finished]
    if images is None or not np.isin(images, (0, 1)).all():
        return None
    return images.astype(np.int8)


def _lost(metric: Metric, run: StoredRun) -> bool:
    """True if the run came with the metric, but with no finite value of it."""
    return isinstance(metric, ReturnedMetric) and metric.name in run.not_finite
