"""Looks of a stopping rule, for one study or for many at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy
from numpy import ndarray

from seedwise.errors import ConfigError, DataError
from seedwise.shaped import Bool, Float64, Int8, Integer
from seedwise.stats.anytime import anytime_bounds
from seedwise.stats.capped import FIRST_LOOK, capped_bounds, capped_bounds_unpaired
from seedwise.stats.signs import ALONE, WITH_SOFT, SignTest, sign_of, witness

__all__ = [
    "BETTER",
    "EQUIVALENT",
    "FUTILE",
    "WITHHELD",
    "WORSE",
    "Differences",
    "Looks",
    "Pairs",
    "SequentialRule",
    "Sums",
]

Differences = Float64[ndarray, "*studies pairs"]

BETTER, WORSE, EQUIVALENT, FUTILE, WITHHELD = range(1, 6)
"""Codes of the reasons for which a look stops; 0 where it stops for nothing."""

_NO_SPREAD = 1e-9
"""Standard deviations below this are rounding: equal differences say nothing about the noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialRule:
    """A stopping rule of one comparison, fixed before its first run.

    Attributes:
        difference: The margin of "equivalent", a fraction of accuracy above 0.
        alpha: Rate of false alarms: under no difference, of "better" and "worse" together; under a
            difference as large as the margin, of "equivalent".
        power: A capped comparison goes on while its chance to end with a verdict, judged by what
            it has seen, is at least a quarter of 1 - power.
        max_pairs: Most pairs; None for no limit, which takes the anytime-valid rule.
        paired: False where runs of one seed count as unrelated: the two-sample t, with twice the
            degrees of freedom. It names a winner less often than stated where they correlate, and
            more often where they do so negatively.
        first_look: Pairs before which it says nothing; what it might have spent on earlier looks
            is not used.
    """

    difference: float
    alpha: float = 0.05
    power: float = 0.8
    max_pairs: int | None = None
    paired: bool = True
    first_look: int = FIRST_LOOK

    def __post_init__(self) -> None:
        if not 0 < self.difference < math.inf:
            raise ConfigError(f"difference must be above 0, got {self.difference!r}")
        for name in ("alpha", "power"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise ConfigError(f"{name} must be above 0 and below 1, got {value!r}")
        if self.max_pairs is not None and self.max_pairs < self.first_look:
            raise ConfigError(
                f"a stopping rule first looks after {self.first_look} pairs; max_pairs must be "
                f"{self.first_look} or more, got {self.max_pairs}"
            )

    def bounds(self, pairs: int, alpha: float) -> Float64[ndarray, " pairs"]:
        """The |t| that a two-sided test at `alpha` has to reach after 1 to `pairs` pairs."""
        if self.max_pairs is None:
            bounds = anytime_bounds(pairs, alpha, paired=self.paired)
        else:
            capped = capped_bounds if self.paired else capped_bounds_unpaired
            bounds = capped(self.max_pairs, alpha)[:pairs].copy()
        bounds[: self.first_look - 1] = np.inf
        return bounds

    def freedom(self, pairs: int) -> Integer[ndarray, " pairs"]:
        """Degrees of freedom of t after 1 to `pairs` pairs; 1 after the first, which has no t."""
        n = np.arange(1, pairs + 1)
        return np.maximum(n - 1, 1) * (1 if self.paired else 2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Differences B - A of runs of one seed, as fractions, in the order of the seeds.

    Attributes:
        accuracy: Of accuracy; any leading axes are studies.
        matched: Of matched accuracy, for the same pairs; None where there are no predictions.
        ranked: Of ranked accuracy; None likewise.
        resolution: What one prediction in one run is worth to accuracy; 0 where it is not known.
        baseline: Accuracy of A's runs; None where no run is to be taken for a collapsed one.
        added: A's and B's values of the same metrics, added up; None where a rule takes the runs
            as pairs, and needs their differences only.
        tasks: The same pairs in each task, where `accuracy` is their mean over tasks: a run that
            collapsed in one of them may hide in the mean.
    """

    accuracy: Differences
    matched: Differences | None = None
    ranked: Differences | None = None
    resolution: float = 0.0
    baseline: Differences | None = None
    added: Self | None = None
    tasks: tuple[Self, ...] = ()

    def __post_init__(self) -> None:
        if (self.matched is None) != (self.ranked is None):
            raise DataError("matched and ranked come from the same predictions: give both or none")
        for name in ("accuracy", "matched", "ranked", "baseline"):
            values = getattr(self, name)
            if values is None:
                continue
            if values.shape != self.accuracy.shape:
                raise DataError(
                    f"accuracy and {name} must be of the same pairs, got {self.accuracy.shape} "
                    f"and {values.shape}"
                )
            if not np.isfinite(values).all():
                raise DataError(
                    f"a difference of {name} is not finite; score diverged runs before comparing"
                )

    def __getitem__(self, which: slice | Bool[ndarray, " pairs"]) -> Self:
        """Some of the pairs, of every study."""

        def taken(values: Differences | None) -> Differences | None:
            return None if values is None else values[..., which]

        return type(self)(
            accuracy=self.accuracy[..., which],
            matched=taken(self.matched),
            ranked=taken(self.ranked),
            resolution=self.resolution,
            baseline=taken(self.baseline),
            added=None if self.added is None else self.added[which],
            tasks=tuple(task[which] for task in self.tasks),
        )

    def sums(self, rule: SequentialRule) -> Mapping[str, "Sums"]:
        """Means, standard deviations and t of each metric that is known, as the rule takes them.

        Raises:
            DataError: The rule takes runs as unrelated, and only their differences are known.
        """
        if not rule.paired and self.added is None:
            raise DataError("a rule of unrelated runs needs their values, not only differences")
        added = None if rule.paired else self.added
        return {
            name: Sums.of(values, None if added is None else getattr(added, name))
            for name in ("accuracy", "matched", "ranked")
            if (values := getattr(self, name)) is not None
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Means, standard deviations and t after each pair; t is 0 where there is no spread."""

    mean: Differences
    sd: Differences
    t: Differences

    @classmethod
    def of(cls, differences: Differences, added: Differences | None = None) -> "Sums":
        """Those of some differences B - A.

        Args:
            differences: The differences.
            added: A + B of the same runs. If given, the standard deviation is that of a difference
                of unrelated runs, from the variances of A and of B.
        """
        n = np.arange(1, differences.shape[-1] + 1)
        mean, squares = _mean_and_squares(differences)
        if added is not None:
            squares = (squares + _mean_and_squares(added)[1]) / 2
        sd = np.sqrt(np.maximum(squares, 0) / np.maximum(n - 1, 1))
        sd = np.where(sd > _NO_SPREAD, sd, np.inf)
        return cls(mean=mean, sd=sd, t=mean * np.sqrt(n) / sd)


def _mean_and_squares(values: Differences) -> tuple[Differences, Differences]:
    """Mean, and sum of squared deviations from it, after each value."""
    n = np.arange(1, values.shape[-1] + 1)
    # From the first value on, so that equal ones have a spread of exactly 0.
    shifted = values - values[..., :1]
    offset = np.cumsum(shifted, axis=-1) / n
    return values[..., :1] + offset, np.cumsum(shifted**2, axis=-1) - n * offset**2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looks:
    """Results of all looks.

    Attributes:
        codes: What it stops for; 0 for nothing.
        shown: The sign that is shown; 0 for none.
        by_matched: Whether matched and ranked accuracy show the sign together with accuracy.
    """

    codes: Int8[ndarray, "*studies pairs"]
    shown: Int8[ndarray, "*studies pairs"]
    by_matched: Bool[ndarray, "*studies pairs"]

    @classmethod
    def of(cls, rule: SequentialRule, pairs: Pairs) -> "Looks":
        """Those of a rule at some pairs; more of them than the rule allows are no use."""
        sums = pairs.sums(rule)
        size = sums["accuracy"]
        t, by_matched = _evidence(rule, sums, pairs.resolution)
        count = pairs.accuracy.shape[-1]
        sign_bounds, margin_bounds = (rule.bounds(count, k * rule.alpha) for k in (1, 2))
        shown = np.where(np.abs(t) > sign_bounds, np.sign(t), 0).astype(np.int8)
        codes = np.zeros(t.shape, np.int8)
        if rule.max_pairs is not None:
            codes[_chance(rule, size, np.abs(t)) < (1 - rule.power) / 4] = FUTILE
        codes[shown > 0] = BETTER
        codes[shown < 0] = WORSE
        half = margin_bounds * size.sd / np.sqrt(np.arange(1, count + 1))
        codes[np.abs(size.mean) + half < rule.difference] = EQUIVALENT
        return cls(codes=codes, shown=shown, by_matched=by_matched)


def _evidence(
    rule: SequentialRule, sums: Mapping[str, Sums], resolution: float
) -> tuple[Differences, Bool[ndarray, "*studies pairs"]]:
    """The t that shows the sign after each pair, and whether it is not accuracy's alone.

    Where several tests have to show it, at levels of their own, the t is what is as far beyond the
    rule's bounds as the weakest of them is beyond its own.
    """
    size = sums["accuracy"]
    sign = sign_of(size.mean, resolution)
    if "matched" not in sums:
        return sign * np.abs(size.t), np.zeros(sign.shape, np.bool_)
    bounds = {
        level: rule.bounds(sign.shape[-1], level * rule.alpha) for level in (1, WITH_SOFT, ALONE)
    }

    def tested(sums: Sums, sign: Int8[ndarray, "*studies pairs"]) -> SignTest:
        return SignTest(sign=sign, strength=lambda level: np.abs(sums.t) / bounds[level])

    matched, ranked = (
        tested(each, sign_of(each.mean)) for each in (sums["matched"], sums["ranked"])
    )
    found = witness(tested(size, sign), matched, ranked)
    reachable = np.where(np.isfinite(bounds[1]), bounds[1], 0.0)
    return found.sign * found.strength * reachable, found.soft


def _chance(rule: SequentialRule, size: Sums, t: Differences) -> Differences:
    """The chance of a verdict at the cap: that of a sign and that of equivalence, added up.

    The mean at the cap, given n pairs, is Student's t about the mean so far with the degrees of
    freedom of those pairs and the variance sd^2 (1/n - 1/cap) (a flat prior's prediction). 1 where
    it is not judged: before the third pair, without spread, and from the cap on.
    """
    assert rule.max_pairs is not None
    cap, pairs = rule.max_pairs, t.shape[-1]
    n = np.arange(1, pairs + 1)
    freedom = rule.freedom(pairs)
    scale = np.sqrt(np.maximum(1 / n - 1 / cap, 0))
    scale = np.where(scale > 0, scale, 1.0)
    sign_limit = rule.bounds(cap, rule.alpha)[-1] / np.sqrt(cap)
    room = rule.difference / size.sd - rule.bounds(cap, 2 * rule.alpha)[-1] / np.sqrt(cap)
    effect, centre = t / np.sqrt(n), size.mean / size.sd
    sign = scipy.special.stdtr(freedom, (effect - sign_limit) / scale) + scipy.special.stdtr(
        freedom, (-effect - sign_limit) / scale
    )
    equivalent = scipy.special.stdtr(freedom, (room - centre) / scale) - scipy.special.stdtr(
        freedom, (-room - centre) / scale
    )
    chance = sign + np.where(room > 0, equivalent, 0.0)
    judged = (n >= rule.first_look) & (n < cap) & np.isfinite(size.sd)
    return np.where(judged, chance, 1.0)
