"""Questions to a plan, and forecasts of a stopping rule, with stored runs as a pilot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy import ndarray

from seedwise.comparison.measured import Measurements
from seedwise.comparison.metrics import is_over_views
from seedwise.comparison.stop import WORTH_PAIRING
from seedwise.comparison.study_runs import shared_rows
from seedwise.errors import ConfigError
from seedwise.shaped import Float64
from seedwise.stats.agreement import correlation
from seedwise.stats.capped import FIRST_LOOK
from seedwise.stats.catalog import BuiltInMetric
from seedwise.stats.operating import (
    STUDIES,
    Characteristic,
    PairNoise,
    operating_characteristic,
)
from seedwise.stats.power import sd_upper
from seedwise.stats.sequential import SequentialRule

__all__ = [
    "ASSUMED_RATIO",
    "MOST_RUNS",
    "KnownPairs",
    "Question",
    "StopPlan",
    "pairs_of_pilot",
    "plan_stop",
]


MOST_RUNS = 300
"""Of a stopping rule that is planned: 40 take under a second, 150 two and a half, 300 some ten
seconds on one core, and 1,000 more than a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to a plan.

    Attributes:
        differences: True differences to be shown, each above 0; an accuracy as a fraction.
        runs: A number of runs of each setup, to be told what it can show.
        margin: Margin of equivalence, as a fraction of accuracy.
        wanted: Power, above the rate of false alarms and below 1.
        alpha: Rate of false alarms.
        max_runs: With `margin`, to be told what the stopping rule of one comparison would do that
            has the margin as its `difference`, `wanted` as its power, and these as its most runs
            of each setup; 3 to 300.
        seed: Of the simulation that tells it, 0 or more.
        images: A number of validation images of the same kind, to be told what runs on so many
            need; 2 or more.
    """

    differences: tuple[float, ...] = (0.002, 0.005, 0.01)
    runs: int | None = None
    margin: float | None = None
    wanted: float = 0.8
    alpha: float = 0.05
    max_runs: int | None = None
    seed: int = 0
    images: int | None = None

    def __post_init__(self) -> None:
        self._check_figures()
        if self.max_runs is not None:
            self._check_rule(self.max_runs)

    def _check_figures(self) -> None:
        bad = [each for each in self.differences if not 0 < each < math.inf]
        if bad or not self.differences:
            raise ConfigError(
                f"a difference must be above 0, got {bad[0] if bad else 'none'}; half a point of "
                "accuracy is 0.005"
            )
        if self.runs is not None and self.runs < 2:
            raise ConfigError(f"runs must be 2 or more of each setup, got {self.runs}")
        if self.margin is not None and not 0 < self.margin < 1:
            raise ConfigError(
                f"margin is a fraction of accuracy, above 0 and below 1, e.g. 0.005 for half a "
                f"point, got {self.margin:g}"
            )
        if self.images is not None and self.images < 2:
            raise ConfigError(f"images must be 2 or more, got {self.images}")
        if not 0 < self.alpha < self.wanted < 1:
            raise ConfigError(
                f"power must be above alpha and below 1, got {self.wanted} and {self.alpha}"
            )

    def _check_rule(self, max_runs: int) -> None:
        if not FIRST_LOOK <= max_runs <= MOST_RUNS:
            raise ConfigError(
                f"max_runs of a plan must be from {FIRST_LOOK} to {MOST_RUNS}, got {max_runs}"
            )
        if self.margin is None:
            raise ConfigError(
                "max_runs plans a stopping rule, whose difference is the margin; give margin "
                "/ --margin too"
            )
        if self.alpha >= 0.5:
            raise ConfigError(f"alpha of a stopping rule must be below 0.5, got {self.alpha}")
        if self.seed < 0:
            raise ConfigError(f"seed must be 0 or more, got {self.seed}")
        self.check_fractions()

    def check_fractions(self) -> None:
        """Refuse differences that no accuracy can have.

        Raises:
            ConfigError: One is 1 or more.
        """
        too_large = [each for each in self.differences if each >= 1]
        if too_large:
            raise ConfigError(
                "difference is a fraction of accuracy, e.g. 0.005 for half a point, got "
                f"{too_large[0]:g}"
            )


ASSUMED_RATIO = 0.73
"""Ratio of matched and ranked accuracy's move to accuracy's, where a pilot cannot tell: the
least that the two real effects of the record of 2026-11-24 have, 0.73 and 0.73 for a higher
learning rate, 0.95 and 0.86 for ReLU. A larger one decides sooner."""

_JUDGES = ("accuracy", "matched_accuracy", "ranked_accuracy")
"""Metrics that the rule asks, in the order of `PairNoise`."""

_LEAST_SD = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPairs:
    """Prior knowledge of the paired differences.

    Attributes:
        noise: How they vary.
        pilot: Pairs of the pilot that told it; None for given figures.
        own_ratio: Whether the ratios of `noise` are the pilot's own. They are where its difference
            of accuracy is shown (paired t test, 5 %) and the others have the same sign; else
            `ASSUMED_RATIO` stands for them.
        r: Correlation of accuracy over the pilot's pairs; NaN for given figures, and where the
            runs of a setup are all equal.
        judged: The accuracy that the rule judges.
    """

    noise: PairNoise
    pilot: int | None = None
    own_ratio: bool = False
    r: float = math.nan
    judged: str = "accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPlan:
    """Forecast of the stopping rule of one comparison.

    Attributes:
        max_runs: Most runs of each setup.
        known: How the differences of paired runs vary, and whence that is known.
        studies: Simulated studies behind each figure.
        expected: Pairs and verdicts for no difference and for each that was asked for.
        expected_upper: The same with the upper confidence bound of the standard deviations in
            their place; equal to `expected` for given figures.
        unpaired: `expected` of the rule with `paired = false`; empty where the pilot's runs of one
            seed correlate enough to be worth pairing, and without a pilot.
    """

    max_runs: int
    known: KnownPairs
    studies: int
    expected: tuple[Characteristic, ...]
    expected_upper: tuple[Characteristic, ...]
    unpaired: tuple[Characteristic, ...] = ()


def plan_stop(question: Question, known: KnownPairs) -> StopPlan:
    """Forecast the rule that is asked about, at no difference and at some.

    Args:
        question: What is asked, with `margin` and `max_runs`.
        known: How the differences of paired runs vary.
    """
    assert question.margin is not None
    assert question.max_runs is not None
    rule = SequentialRule(
        difference=question.margin,
        alpha=question.alpha,
        power=question.wanted,
        max_pairs=question.max_runs,
    )

    def at(noise: PairNoise, rule: SequentialRule = rule) -> tuple[Characteristic, ...]:
        rng = np.random.default_rng(question.seed)
        return operating_characteristic(rule, noise, (0.0, *question.differences), rng=rng)

    expected = upper = at(known.noise)
    if known.pilot is not None:
        upper = at(known.noise.scaled(sd_upper(1.0, known.pilot - 1)))
    unpaired = at(known.noise, replace(rule, paired=False)) if known.noise.added else ()
    return StopPlan(
        max_runs=question.max_runs,
        known=known,
        studies=STUDIES,
        expected=expected,
        expected_upper=upper,
        unpaired=unpaired,
    )


def pairs_of_pilot(setups: Sequence[Measurements]) -> KnownPairs:
    """Variation of a pilot's pairs, in all metrics that the rule asks.

    Args:
        setups: The two that are to be compared. A pair of which a metric is not known is left out.

    Raises:
        ConfigError: One setup only, too few shared seeds, no accuracy, or no spread.
    """
    if len(setups) != 2:
        raise ConfigError("max_runs plans a stopping rule, which compares two setups; name both")
    a, b = setups
    if "accuracy" not in a.metrics:
        raise ConfigError("max_runs plans a stopping rule, which judges accuracy; these have none")
    names = [name for name in a.metrics if is_over_views(name)]
    names = names or [name for name in _JUDGES if name in a.metrics]
    of_a, of_b = _of_pairs(a, b, names)
    found = of_b - of_a
    n = found.shape[1]
    if n < FIRST_LOOK or found.std(axis=1).min() < _LEAST_SD:
        raise ConfigError(
            f"{a.counts.name} and {b.counts.name}: a stopping rule is planned from {FIRST_LOOK} "
            f"shared seeds or more, whose differences differ; there are {n}"
        )
    sd, mean = found.std(axis=1, ddof=1), found.mean(axis=1)
    shown = abs(mean[0]) * math.sqrt(n) > scipy.special.stdtrit(n - 1, 0.975) * sd[0]
    own = len(names) > 1 and bool(shown and (mean * mean[0] > 0).all())
    ratio = mean / mean[0] if own else np.array([1.0, ASSUMED_RATIO, ASSUMED_RATIO][: len(names)])
    r = correlation(of_a[0], of_b[0], confidence=0.95).estimate
    added = (of_a + of_b).std(axis=1, ddof=1)
    above = np.triu_indices(len(names), 1)
    noise = PairNoise(
        sd=tuple(sd.tolist()),
        correlation=tuple(np.atleast_2d(np.corrcoef(found))[above].tolist()),
        ratio=tuple(ratio.tolist()),
        resolution=_resolution(a, names[0]),
        added=tuple(added.tolist()) if r < WORTH_PAIRING and added.min() > _LEAST_SD else (),
    )
    return KnownPairs(noise=noise, pilot=n, own_ratio=own, r=r, judged=names[0])


def _resolution(setup: Measurements, judged: str) -> float:
    """The least step of an accuracy that predictions give; 0 where there are none."""
    images = setup.metrics[judged].images
    if is_over_views(judged) and images is not None:
        return 1 / (BuiltInMetric.parse(judged).view_count or 1) / images.shape[1]
    return 0.0 if setup.predicted is None else 1 / setup.predicted.shape[1]


def _of_pairs(
    a: Measurements, b: Measurements, names: Sequence[str]
) -> Float64[ndarray, "setups metrics pairs"]:
    """The metrics of A's and B's runs of the seeds of which all are known."""
    found = np.stack(
        [
            [setup.metrics[name].values[at] for name in names]
            for setup, at in zip((a, b), shared_rows(a.seeds, b.seeds), strict=True)
        ]
    )
    return found[..., np.isfinite(found).all(axis=(0, 1))]
