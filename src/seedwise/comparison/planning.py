"""Number of runs that a difference needs, from given figures or from a pilot study."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from seedwise.comparison.contrast import contrast, shared_seeds
from seedwise.comparison.measured import Measurements, measure, results_of
from seedwise.comparison.metrics import (
    Metric,
    accuracy_over,
    default_metric,
    find_metric,
    is_over_views,
    names_code,
)
from seedwise.comparison.rule import Rule, fixed_rule
from seedwise.comparison.stop_planning import (
    KnownPairs,
    Question,
    StopPlan,
    pairs_of_pilot,
    plan_stop,
)
from seedwise.comparison.study_runs import StudyRuns, all_have_logits, shared_rows
from seedwise.comparison.verdict import SOFT
from seedwise.comparison.views import share_of_pairs, share_of_runs
from seedwise.errors import ConfigError, StudyError
from seedwise.shaped import Float32
from seedwise.stats.intervals import LARGE
from seedwise.stats.operating import PairNoise
from seedwise.stats.power import (
    Noise,
    equivalence_power,
    power,
    reachable_difference,
    runs_needed,
    sd_upper,
)
from seedwise.stats.variance import split_variance
from seedwise.stats.views import ViewShare
from seedwise.store import StoredRun

__all__ = [
    "Forecast",
    "Planning",
    "forecast",
    "is_margins",
    "plan_from_figures",
    "plan_from_pilot",
]

_MARGIN_METRIC = "accuracy"

ImageScores = Float32[ndarray, "runs images"]
"""The score of each image in each run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Runs that one metric needs, paired or unpaired.

    Attributes:
        metric: Name of the metric; empty where only figures were given.
        images: Number of validation images that it is for; None for those that there are.
        paired: Whether the two setups' runs share their seeds.
        noise: The standard deviation of a setup's runs and, for paired ones, their correlation.
        pilot_freedom: Degrees of freedom of the pilot behind `noise`; None for given figures.
        runs: For each difference asked for, the runs of each setup; None where 100,000 are not
            enough.
        runs_upper: The same with the upper confidence bound of the noise in its place.
        equivalence_runs: Runs of each setup to show equivalence within the margin where there is
            no difference; None without a margin, where 100,000 are not enough, and for a metric
            that the margin is not of.
        reachable: The difference that the runs asked for can show; NaN if none were asked for.
        reachable_upper: The same with the upper confidence bound; infinite where there is none.
    """

    metric: str
    paired: bool
    noise: Noise
    pilot_freedom: int | None
    runs: tuple[int | None, ...]
    runs_upper: tuple[int | None, ...]
    equivalence_runs: int | None
    reachable: float
    reachable_upper: float
    images: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """Runs that a study needs.

    Attributes:
        differences: The true differences, in the units of the metrics (accuracy as a fraction).
        asked_runs: The number of runs of each setup that was asked for; None if none was.
        margin: The margin of equivalence, of accuracy; None without one.
        wanted: The chance of showing a difference that is there (power).
        alpha: Rate of false alarms.
        forecasts: One for each metric, paired and unpaired.
        seconds: Measured or given wall time of one run; NaN if unknown.
        pilot: Names of the setups whose runs were looked at; empty for given figures.
        stop: What a stopping rule with this margin would do; None where none was asked for.
        views: The share of the pairs, or of one setup's runs, that more views of each image take,
            or would take; None where the pilot cannot tell.
    """

    differences: tuple[float, ...]
    asked_runs: int | None
    margin: float | None
    wanted: float
    alpha: float
    forecasts: tuple[Forecast, ...]
    seconds: float
    pilot: tuple[str, ...]
    stop: StopPlan | None
    views: ViewShare | None = None


def plan_from_figures(
    question: Question, *, sd: float, r: float | None = None, seconds: float = math.nan
) -> Planning:
    """Plan from a standard deviation that is known or supposed.

    Args:
        question: What is asked.
        sd: Standard deviation of a setup's runs, ddof 1, in the metric's units.
        r: Correlation of runs that share their seeds; None to plan unpaired runs only.
        seconds: Wall time of a run.

    Raises:
        ConfigError: A figure is out of range.
    """
    noises = [Noise(sd=sd), *([] if r is None else [Noise(sd=sd, r=r)])]
    stop = None
    if question.max_runs is not None:
        if r is None:
            raise ConfigError(
                "max_runs plans a stopping rule, which compares runs of the same seed; give their "
                "correlation r / --r, 0 if they share nothing"
            )
        stop = plan_stop(question, KnownPairs(noise=PairNoise(sd=(noises[-1].error(1),))))
    return _planning(
        question,
        tuple(forecast("", noise, question, freedom=None) for noise in noises),
        seconds=seconds,
        pilot=(),
        stop=stop,
    )


def plan_from_pilot(
    study: StudyRuns, setups: Sequence[str], question: Question, metric: str | None = None
) -> Planning:
    """Plan from the runs of a study, with the uncertainty of the plan.

    Args:
        study: The study.
        setups: One setup, of which only unpaired runs can be planned, or the two that are to be
            compared; their shared seeds tell what pairing saves.
        question: What is asked.
        metric: The metric to plan for; None for the usual ones, with the one that the study fixed.

    Raises:
        ConfigError: Not one or two setups, too few runs to tell how much they vary, or several
            metrics of which none was named.
        UnknownName: No such setup or metric.
        StudyError: A setup has no result.
    """
    if len(setups) not in (1, 2):
        raise ConfigError(f"a plan is for one or two setups, got {len(setups)}")
    if study.test_to_train:
        raise StudyError(
            f"{study.path} has folds of a cross-validation, and more folds of the same data are "
            "no more runs; plan from runs with other seeds on one split"
        )
    found = [results_of(study, name) for name in setups]
    finished = [run for results, _ in found for run in results if run.state == "finished"]
    metrics = _metrics(study, finished, metric)
    if any(str(metric) == _MARGIN_METRIC for metric in metrics):
        question.check_fractions()
    measured = [measure(study, results, counts, metrics) for results, counts in found]
    forecasts = [each for metric in metrics for each in _from_pilot(measured, metric, question)]
    if not forecasts:
        raise ConfigError(
            f"{' and '.join(setups)}: two runs or more that differ are needed to tell how much "
            "runs vary; give --sd instead"
        )
    if question.images is not None and all(each.images is None for each in forecasts):
        raise ConfigError(
            f"images / --images splits the noise by single images, and the runs of "
            f"{' and '.join(setups)} have no predictions"
        )
    capped = question.max_runs is not None
    return _planning(
        question,
        tuple(forecasts),
        seconds=float(np.mean([run.seconds for run in finished])) if finished else math.nan,
        pilot=tuple(setups),
        stop=plan_stop(question, pairs_of_pilot(measured)) if capped else None,
        views=_views_saved(measured),
    )


def _views_saved(measured: Sequence[Measurements]) -> ViewShare | None:
    if len(measured) == 2:
        return share_of_pairs(measured[0], measured[1], Rule().confidence)
    return share_of_runs(measured[0], Rule().confidence)


def forecast(
    metric: str,
    noise: Noise,
    question: Question,
    *,
    freedom: int | None,
    images: int | None = None,
) -> Forecast:
    """Runs that one metric needs.

    Args:
        metric: Its name.
        noise: How much runs vary.
        question: What is asked.
        freedom: Degrees of freedom of the pilot behind the noise; None if it is given.
        images: Number of validation images that the noise is of; None for those that there are.
    """
    upper = noise
    if freedom is not None:
        upper = Noise(sd=sd_upper(noise.sd, freedom), r=noise.r)
    of_margin = question.margin if is_margins(metric) else None
    both = [
        tuple(_runs_for(difference, each, question) for difference in question.differences)
        for each in (noise, upper)
    ]
    reachable = [
        math.nan
        if question.runs is None
        else reachable_difference(
            question.runs, each, wanted=question.wanted, alpha=question.alpha
        )
        for each in (noise, upper)
    ]
    return Forecast(
        metric=metric,
        paired=noise.r is not None,
        noise=noise,
        pilot_freedom=freedom,
        runs=both[0],
        runs_upper=both[1],
        equivalence_runs=None if of_margin is None else _runs_within(of_margin, noise, question),
        reachable=reachable[0],
        reachable_upper=reachable[1],
        images=images,
    )


def is_margins(metric: str) -> bool:
    """True if a margin is of this metric: of accuracy, and of figures whose metric is not said."""
    return metric in ("", _MARGIN_METRIC) or is_over_views(metric)


def _planning(
    question: Question,
    forecasts: tuple[Forecast, ...],
    *,
    seconds: float,
    pilot: tuple[str, ...],
    stop: StopPlan | None,
    views: ViewShare | None = None,
) -> Planning:
    return Planning(
        differences=question.differences,
        asked_runs=question.runs,
        margin=question.margin,
        wanted=question.wanted,
        alpha=question.alpha,
        forecasts=forecasts,
        seconds=seconds,
        pilot=pilot,
        stop=stop,
        views=views,
    )


def _runs_for(difference: float, noise: Noise, question: Question) -> int | None:
    return runs_needed(
        lambda runs: power(difference, runs, noise, alpha=question.alpha), question.wanted
    )


def _runs_within(margin: float, noise: Noise, question: Question) -> int | None:
    return runs_needed(
        lambda runs: equivalence_power(margin, runs, noise, alpha=question.alpha),
        question.wanted,
    )


def _metrics(study: StudyRuns, finished: Sequence[StoredRun], asked: str | None) -> list[Metric]:
    if asked is not None:
        return [find_metric(asked, finished, code=True)]
    fixed = fixed_rule(study).metric
    known = [] if fixed is None or names_code(fixed, finished) else [fixed]
    if all_have_logits(finished):
        known += ["accuracy", accuracy_over(finished), *SOFT]
    names = dict.fromkeys(known or [default_metric(finished)])
    return [find_metric(name, finished) for name in names]


def _from_pilot(
    setups: Sequence[Measurements], metric: Metric, question: Question
) -> list[Forecast]:
    """Unpaired from the pooled spread of the setups, paired from their shared seeds."""
    name = str(metric)
    groups = [each.metrics[name].values for each in setups]
    groups = [values[np.isfinite(values)] for values in groups]
    groups = [values for values in groups if len(values) and np.abs(values).max() < LARGE]
    freedom = sum(len(values) - 1 for values in groups)
    pooled = sum(float(np.square(values - values.mean()).sum()) for values in groups)
    if freedom < 1 or pooled / freedom <= 1e-24:
        return []
    sd = math.sqrt(pooled / freedom)
    found = [forecast(name, Noise(sd=sd), question, freedom=freedom)]
    images = question.images
    if images is not None and (share := _share_left(_scores(setups, name), images)):
        on_images = Noise(sd=sd * math.sqrt(share))
        found.append(forecast(name, on_images, question, freedom=freedom, images=images))
    if len(setups) == 2 and len(shared_seeds(*setups)) > 2:
        a, b = setups
        pairs = contrast(
            a, b, metric, paired=True, rest=False, confidence=Rule().confidence
        ).difference
        if pairs.freedom > 0:
            of_differences = pairs.error * math.sqrt(pairs.n_a)
            shared = Noise(sd=sd, r=1 - min(of_differences / sd, 2.0) ** 2 / 2)  # -1 at least
            found.append(forecast(name, shared, question, freedom=pairs.n_a - 1))
            if images is not None and (share := _share_left(_pair_scores(a, b, name), images)):
                fewer = Noise(sd=sd * math.sqrt(share), r=shared.r)
                found.append(forecast(name, fewer, question, freedom=pairs.n_a - 1, images=images))
    return found


def _share_left(samples: Sequence[ImageScores], images: int) -> float:
    """The share of the variance that is left on so many images; 0 if unknown."""
    splits = [split_variance(scores) for scores in samples if len(scores) > 1]
    freedom = [split.runs - 1 for split in splits]
    before = sum(n * split.observed.value for n, split in zip(freedom, splits, strict=True))
    after = sum(n * split.on(images) for n, split in zip(freedom, splits, strict=True))
    return after / before if before > 0 else 0.0


def _scores(setups: Sequence[Measurements], metric: str) -> list[ImageScores]:
    """The scores of single images of each setup's finished runs."""
    found = [(each.metrics[metric].images, each.diverged) for each in setups]
    return [images[~diverged] for images, diverged in found if images is not None]


def _pair_scores(a: Measurements, b: Measurements, metric: str) -> list[ImageScores]:
    """B's less A's for the seeds of which both have a finished run."""
    of_a, of_b = a.metrics[metric].images, b.metrics[metric].images
    if of_a is None or of_b is None:
        return []
    rows_a, rows_b = shared_rows(a.seeds, b.seeds)
    both = ~(a.diverged[rows_a] | b.diverged[rows_b])
    return [of_b[rows_b[both]] - of_a[rows_a[both]]]
