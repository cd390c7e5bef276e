"""Sources of a setup's noise, as far as its stored runs can tell."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy import ndarray

from seedwise.comparison.copies import independent_runs
from seedwise.comparison.measured import makes_views
from seedwise.comparison.metrics import accuracy_over
from seedwise.comparison.rule import fixed_rule
from seedwise.comparison.scores import Scored, metric_names, repeat_values, score
from seedwise.comparison.study_runs import StudyRuns, shared_rows
from seedwise.crops import VIEW_COUNTS
from seedwise.errors import StudyError
from seedwise.figures import in_points
from seedwise.seeds import STREAMS
from seedwise.shaped import Float64, Int64
from seedwise.stats.components import (
    CrossedVariance,
    Replicates,
    complete_grid,
    crossed_variance,
)
from seedwise.stats.images import ImageNoise, image_noise
from seedwise.stats.intervals import Sample
from seedwise.stats.savings import FEWEST_PAIRS, Signal, signal
from seedwise.stats.variance import Estimate, VarianceSplit, split_variance, variance_of
from seedwise.stats.views import ViewShare, foreseen_share, measured_share
from seedwise.store import StoredRepeat, StoredRun

__all__ = ["Alone", "MetricNoise", "SignalTable", "Variance", "replicates", "variance"]

_FEWEST_ALONE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """Variance that is left when one stream varies and the others keep their seeds.

    Attributes:
        runs: Runs that share the seeds of the other streams.
        variance: Of the metric over them.
    """

    runs: int
    variance: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricNoise:
    """The noise of one metric.

    Attributes:
        name: The metric.
        sample: Its values over independent runs.
        variance: Their variance.
        split: Training noise against test-set noise; None without predictions.
        alone: By stream, for streams that some runs vary while the others are fixed.
        crossed: Components of variance; None where no seeds are crossed.
    """

    name: str
    sample: Sample
    variance: Estimate
    split: VarianceSplit | None
    alone: Mapping[str, Alone]
    crossed: CrossedVariance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTable:
    """Signal of another setup's difference under each metric.

    Attributes:
        other: Name of the other setup.
        pairs: Seeds that both ran, sharing none.
        confidence: Coverage of the intervals.
        metrics: The signal under each metric.
    """

    other: str
    pairs: int
    confidence: float
    metrics: Mapping[str, Signal]

    def elsewhere(self, metric: str) -> bool:
        """True if a share moves by less than half of accuracy, by more than twice, or against it.

        It saves runs on another question then: how sharp the logits are, say.
        """
        accuracy = self.metrics["accuracy"].difference
        moved = self.metrics[metric].difference * accuracy
        return in_points(metric) and not accuracy**2 / 2 <= moved <= 2 * accuracy**2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variance:
    """Run-to-run noise of a setup, by source.

    Attributes:
        setup: Name of the setup.
        confidence: Coverage of the intervals.
        runs: Finished runs that share no seed: the sample.
        sharing: Finished runs beside them that share a seed with another: only the sources of
            variance use them.
        identical: Finished runs that are left out: copies of another that no unused seed explains.
        diverged: Diverged runs, which no figure here includes.
        repeats: Finished repeats.
        metrics: The noise under each metric, accuracy first.
        images: The images one by one; None without predictions.
        names: Their names, "class/file".
        signals: For each other setup with at least three pairs, which metric shows it best.
        called: What the examples are called, as a plural.
        views: The share of the variance of accuracy that more views of each image leave, or would
            leave; None where the runs cannot tell.
    """

    setup: str
    confidence: float
    runs: int
    sharing: int
    identical: int
    diverged: int
    repeats: int
    metrics: tuple[MetricNoise, ...]
    images: ImageNoise | None
    names: tuple[str, ...]
    signals: tuple[SignalTable, ...]
    called: str = "images"
    views: ViewShare | None = None


def variance(
    study: StudyRuns,
    setup: str,
    *,
    most: int | None = None,
    metrics: Sequence[str] | None = None,
    others: Sequence[str] | None = None,
    confidence: float | None = None,
) -> Variance:
    """Take the noise of a setup apart.

    Args:
        study: The study.
        setup: Name of the setup.
        most: Take the first so many of the runs that share no seed; None for all of them. Each
            run is scored under a dozen metrics, which takes longest.
        metrics: Those to look at, as far as the runs have them; None for all that they have.
        others: The setups whose difference is looked at; None for all others.
        confidence: Coverage of the intervals; None for the one that the study fixed.

    Raises:
        UnknownName: No such setup.
        StudyError: It has no finished run, or the runs are folds of cross-validations, whose
            spread is not that of trainings.
    """
    runs = study.of(setup)
    if study.test_to_train:
        raise StudyError(
            f"{study.path} has folds of a cross-validation, which share training data: their "
            "spread is not the noise of training; record runs with other seeds on one split"
        )
    finished = [run for run in runs if run.state == "finished"]
    if not finished:
        raise StudyError(f"setup {setup!r} of {study.path} has no finished run; run it first")
    sure = fixed_rule(study).confidence if confidence is None else confidence
    have = metric_names(finished)
    metrics = have if metrics is None else [name for name in metrics if name in have]
    chosen = independent_runs(finished)
    ids = {run.id for run in chosen}
    sample = score(study, chosen[:most], metrics)
    copied = _unexplained(finished, ids)
    beside = [run for run in finished if run.id not in ids | copied]
    sharing = score(study, beside, metrics)
    repeats = [one for one in study.repeats(finished) if one.state == "finished"]
    again = repeat_values(study, repeats, metrics)
    dataset = study.dataset
    whole = [*sample.runs, *sharing.runs]
    values = {
        name: np.concatenate([sample.values[name], sharing.values[name]]) for name in metrics
    }
    noise = {name: replicates(whole, values[name], repeats, again[name]) for name in metrics}
    design = _Design.of(whole)
    # Runs at a commit are no other setup than all of the setup's runs.
    beside_it = [name for name in study.setups if name != study.aside.base(setup)]
    return Variance(
        setup=setup,
        confidence=sure,
        runs=len(sample.runs),
        sharing=len(sharing.runs),
        identical=len(copied),
        diverged=sum(run.state == "diverged" for run in runs),
        repeats=len(repeats),
        metrics=tuple(
            _metric_noise(name, sample, design, values[name], noise[name], sure)
            for name in metrics
        ),
        images=_images(sample),
        names=dataset.names if dataset else study.example_names,
        signals=tuple(
            _signals(study, setup, sample, beside_it if others is None else others, sure)
        ),
        called=study.called,
        views=_views_saved(study, setup, sample, sure),
    )


def _views_saved(
    study: StudyRuns, setup: str, sample: Scored, confidence: float
) -> ViewShare | None:
    if not (len(sample.predicted) and makes_views(study, setup)):
        return None
    over = accuracy_over(sample.runs)
    if over == "accuracy":
        right = (sample.predicted == study.targets).astype(np.int8)
        return foreseen_share(right, views=max(VIEW_COUNTS), confidence=confidence)
    if not {"accuracy", over} <= sample.values.keys():
        return None
    few, many = sample.values["accuracy"], sample.values[over]
    views = len(sample.runs[0].views)
    return measured_share(few, many, views=views, confidence=confidence)


def _images(sample: Scored) -> ImageNoise | None:
    """The examples one by one: by accuracy, or the first metric that has scores."""
    if not sample.scores:
        return None
    name = "accuracy" if "accuracy" in sample.scores else next(iter(sample.scores))
    scores = sample.scores[name]
    graded = not (len(sample.predicted) or np.isin(scores, (0, 1)).all())
    return image_noise(scores, np.empty(0) if graded else sample.flips, graded=graded)


def replicates(
    runs: Sequence[StoredRun],
    values: Float64[ndarray, " runs"],
    repeats: Sequence[StoredRepeat],
    again: Float64[ndarray, " repeats"],
) -> Replicates:
    """Noise of training again with the same seeds, from repeats.

    Args:
        runs: Finished runs.
        values: Their metric.
        repeats: Finished repeats of some of them.
        again: Their metric.
    """
    groups = {run.id: [value] for run, value in zip(runs, values, strict=True)}
    for repeat, value in zip(repeats, again, strict=True):
        if np.isfinite(value):
            groups[repeat.run].append(value)
    return Replicates.of([np.array(group) for group in groups.values()])


def _unexplained(runs: Sequence[StoredRun], chosen: Set[int]) -> frozenset[int]:
    """Ids of copies that count once here too; those in `chosen` are never among them.

    A stream on which nothing depends gives the same predictions whatever its seed, and that is
    how its part is known to be 0. Any other copy was recorded twice, or its seed was not used.
    """
    unused = {stream for stream in STREAMS if _is_unused(runs, stream)}
    first, found = dict[object, StoredRun](), set[int]()
    for run in sorted(runs, key=lambda run: (run.id not in chosen, run.id)):
        if run.content is None:
            continue
        other = first.setdefault(run.content, run).seed
        moved = {name for name in STREAMS if getattr(run.seed, name) != getattr(other, name)}
        if moved - unused:
            found.add(run.id)
    return frozenset(found)


def _is_unused(runs: Sequence[StoredRun], stream: str) -> bool:
    """Tell whether all runs that differ in this stream alone are copies of one another."""
    groups: dict[object, list[object]] = {}
    for run in runs:
        key = tuple(getattr(run.seed, name) for name in STREAMS if name != stream)
        groups.setdefault(key, []).append(run.content)
    varied = [digests for digests in groups.values() if len(digests) > 1]
    return bool(varied) and all(len(set(digests)) == 1 for digests in varied)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Design:
    """Pattern of shared seeds among runs.

    Attributes:
        seeds: One row a run, a column for each stream.
        grid: The seeds of each stream of which every combination is there.
    """

    seeds: Int64[ndarray, "runs streams"]
    grid: tuple[Int64[ndarray, " _"], ...]

    @classmethod
    def of(cls, runs: Sequence[StoredRun]) -> Self:
        seeds = np.array([[getattr(run.seed, stream) for stream in STREAMS] for run in runs])
        return cls(seeds=seeds, grid=complete_grid(seeds))

    def crossed(
        self, values: Float64[ndarray, " runs"], noise: Replicates, confidence: float
    ) -> CrossedVariance | None:
        """Components of variance over the grid; None where it crosses no two streams."""
        varied = [axis for axis, levels in enumerate(self.grid) if len(levels) > 1]
        if len(varied) < 2:
            return None
        axes = range(len(self.grid))
        inside = np.all([np.isin(self.seeds[:, axis], self.grid[axis]) for axis in axes], axis=0)
        places = [np.searchsorted(self.grid[axis], self.seeds[inside, axis]) for axis in axes]
        table = np.full([len(levels) for levels in self.grid], np.nan)
        table[tuple(places)] = values[inside]
        streams = [STREAMS[axis] for axis in varied]
        return crossed_variance(table.squeeze(), streams, noise, confidence=confidence)

    def alone(self, values: Float64[ndarray, " runs"], confidence: float) -> Mapping[str, Alone]:
        """By stream, the largest set of runs that share the seeds of the other streams.

        Left out where it is small, or where the grid has as many seeds and says more.
        """
        found: dict[str, Alone] = {}
        for axis, stream in enumerate(STREAMS):
            others = np.delete(self.seeds, axis, axis=1)
            _, group, sizes = np.unique(others, axis=0, return_inverse=True, return_counts=True)
            crossed = sum(len(levels) > 1 for levels in self.grid) > 1
            least = max(_FEWEST_ALONE, len(self.grid[axis]) + 1 if crossed else 0)
            if sizes.max() >= least:
                chosen = values[group.reshape(-1) == sizes.argmax()]
                spread = variance_of(chosen, confidence=confidence)
                found[stream] = Alone(runs=len(chosen), variance=spread)
        return found


def _metric_noise(
    name: str,
    sample: Scored,
    design: _Design,
    values: Float64[ndarray, " runs"],
    noise: Replicates,
    confidence: float,
) -> MetricNoise:
    scores = sample.scores.get(name)
    return MetricNoise(
        name=name,
        sample=Sample.of(sample.values[name]),
        variance=variance_of(sample.values[name], confidence=confidence),
        split=None if scores is None else split_variance(scores, confidence=confidence),
        alone=design.alone(values, confidence),
        crossed=design.crossed(values, noise, confidence),
    )


def _signals(
    study: StudyRuns, setup: str, sample: Scored, others: Iterable[str], confidence: float
) -> Iterator[SignalTable]:
    """Each other setup that shares enough seeds and a metric with this one."""
    for other in others:
        theirs = [run for run in study.of(other) if run.state == "finished"]
        places, rows = shared_rows((run.seed for run in sample.runs), (run.seed for run in theirs))
        partners = [theirs[row] for row in rows]
        metrics = [name for name in metric_names(partners) if name in sample.values]
        if other == setup or len(places) < FEWEST_PAIRS or "accuracy" not in metrics:
            continue
        mine = {name: sample.values[name][places] for name in metrics}
        other_values = score(study, partners, metrics).values
        yield SignalTable(
            other=other,
            pairs=len(places),
            confidence=confidence,
            metrics={
                name: signal(
                    mine[name],
                    other_values[name],
                    accuracy_a=mine["accuracy"],
                    accuracy_b=other_values["accuracy"],
                    confidence=confidence,
                )
                for name in metrics
            },
        )
