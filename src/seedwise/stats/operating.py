"""Verdicts and pairs of a stopping rule by the true difference, before any run is made.

The operating characteristic and the average sample number of the field (Wald, 1947, "Sequential
Analysis"), by simulation: the rule asks three metrics after every pair, and there is no formula
for that. Differences are normal, as far as the simulation knows.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy import ndarray

from seedwise.errors import ConfigError
from seedwise.shaped import Float64, Int8, Int64
from seedwise.stats.looks import BETTER, EQUIVALENT, WORSE, Pairs, SequentialRule
from seedwise.stats.sequential import outcomes

__all__ = ["STUDIES", "Characteristic", "PairNoise", "operating_characteristic"]

STUDIES = 2_000
"""Simulated studies for each difference: two standard errors are at most 2.2 points of a chance,
and some 3 % of the mean pairs."""

_FIRST_PAIRS = 8
"""Most studies stop soon: only the others are looked at again, each time twice as far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairNoise:
    """Noise of the differences B - A of runs of one seed, and their shift by an effect.

    Attributes:
        sd: Standard deviation of the differences, ddof 1, as fractions: of accuracy alone, or of
            accuracy, matched and ranked accuracy. Above 0.
        correlation: Of accuracy and matched, of accuracy and ranked, of matched and ranked
            accuracy's differences; empty for accuracy alone.
        ratio: How far a true difference moves each metric, as a share of what it moves accuracy;
            the first is 1.
        resolution: What one prediction in one run is worth to accuracy; 0 where it is not known.
        added: Standard deviations of A + B of the same runs, which rules that take them as
            unrelated need; empty where they are not known.

    Raises:
        ConfigError: A figure is out of range.
    """

    sd: tuple[float, ...]
    correlation: tuple[float, ...] = ()
    ratio: tuple[float, ...] = (1.0,)
    resolution: float = 0.0
    added: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if (len(self.sd), len(self.correlation), len(self.ratio)) not in ((1, 0, 1), (3, 3, 3)):
            raise ConfigError(
                "give the noise of accuracy alone, or three standard deviations, correlations and "
                f"ratios; got {len(self.sd)}, {len(self.correlation)} and {len(self.ratio)}"
            )
        if len(self.added) not in (0, len(self.sd)):
            raise ConfigError(
                f"give A + B of as many metrics as differences, {len(self.sd)}; got "
                f"{len(self.added)}"
            )
        bad = [each for each in (*self.sd, *self.added) if not 0 < each < math.inf]
        if bad:
            raise ConfigError(f"a standard deviation of differences must be above 0, got {bad[0]}")
        if self.ratio[0] != 1 or not all(map(math.isfinite, self.ratio)):
            raise ConfigError(f"ratios are finite, and accuracy's is 1, got {self.ratio}")
        if not np.linalg.eigvalsh(self._correlations()).min() > -1e-9:
            raise ConfigError(f"no three metrics correlate like this: {self.correlation}")

    def scaled(self, factor: float) -> Self:
        """The same with all standard deviations so many times as large."""
        return replace(
            self,
            sd=tuple(factor * each for each in self.sd),
            added=tuple(factor * each for each in self.added),
        )

    def draw(
        self, studies: int, pairs: int, rng: np.random.Generator
    ) -> Float64[ndarray, "metrics studies pairs"]:
        """Differences of setups between which there is none; after them A + B, where known."""
        values, vectors = np.linalg.eigh(self._correlations())
        drawn = [
            np.tensordot(
                np.array(sd)[:, None] * vectors * np.sqrt(np.maximum(values, 0)),
                rng.normal(size=(len(sd), studies, pairs)),
                axes=1,
            )
            for sd in (self.sd, self.added)
            if sd
        ]
        return np.concatenate(drawn)

    def pairs(self, difference: float, noise: Float64[ndarray, "metrics studies pairs"]) -> Pairs:
        """Pairs of such studies where the true difference of accuracy is `difference`."""
        metrics = len(self.sd)
        moved = noise[:metrics] + difference * np.array(self.ratio)[:, None, None]
        accuracy, matched, ranked = moved if metrics == 3 else (moved[0], None, None)
        added = None
        if self.added:
            both = noise[metrics:]
            added = Pairs(accuracy=both[0])
            if metrics == 3:
                added = Pairs(accuracy=both[0], matched=both[1], ranked=both[2])
        return Pairs(
            accuracy=accuracy,
            matched=matched,
            ranked=ranked,
            resolution=self.resolution,
            added=added,
        )

    def _correlations(self) -> Float64[ndarray, "metrics metrics"]:
        table = np.eye(len(self.sd))
        if self.correlation:
            table[(0, 0, 1), (1, 2, 2)] = table[(1, 2, 2), (0, 0, 1)] = self.correlation
        return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """Verdicts and pairs of a stopping rule at one true difference.

    Attributes:
        difference: The true difference B - A of accuracy, a fraction.
        pairs: Mean pairs at the stop, those of undecided studies included.
        pairs_error: Standard error of that mean, from the simulation.
        better: Share of studies that end as "better"; the chances have a standard error of
            sqrt(p (1 - p) / studies).
        worse: Share of "worse".
        equivalent: Share of "equivalent".
        undecided: Share without a verdict, given up as futile or at the cap.
    """

    difference: float
    pairs: float
    pairs_error: float
    better: float
    worse: float
    equivalent: float
    undecided: float


def operating_characteristic(
    rule: SequentialRule,
    noise: PairNoise,
    differences: Iterable[float],
    *,
    rng: np.random.Generator,
    studies: int = STUDIES,
) -> tuple[Characteristic, ...]:
    """Simulate a capped stopping rule at each of some true differences.

    The same draws serve every difference, so that the figures of one are below those of another
    for the rule's reasons and not by luck.

    Args:
        rule: The rule of one comparison, with `max_pairs`.
        noise: How the pairs vary.
        differences: True differences of accuracy, fractions of either sign; 0 for none.
        rng: Source of the studies.
        studies: How many there are, 2 or more.

    Raises:
        ConfigError: The rule has no cap: its studies need not end.

    >>> rule = SequentialRule(difference=0.005, max_pairs=20)
    >>> (found,) = operating_characteristic(
    ...     rule, PairNoise(sd=(0.003,)), [0.008], rng=np.random.default_rng(0)
    ... )
    >>> f"{found.pairs:.1f} pairs, better {found.better:.2f}, equivalent {found.equivalent:.2f}"
    '4.7 pairs, better 1.00, equivalent 0.00'
    """
    if rule.max_pairs is None:
        raise ConfigError("what a rule will do can be told where it has a cap; give max_pairs")
    drawn = noise.draw(studies, rule.max_pairs, rng)
    return tuple(_at(rule, noise, each, drawn) for each in differences)


def _at(
    rule: SequentialRule,
    noise: PairNoise,
    difference: float,
    drawn: Float64[ndarray, "metrics studies pairs"],
) -> Characteristic:
    pairs, verdicts = _stops(rule, noise, difference, drawn)
    shares = np.bincount(verdicts, minlength=EQUIVALENT + 1) / len(verdicts)
    return Characteristic(
        difference=difference,
        pairs=float(pairs.mean()),
        pairs_error=float(pairs.std(ddof=1)) / math.sqrt(len(pairs)),
        better=float(shares[BETTER]),
        worse=float(shares[WORSE]),
        equivalent=float(shares[EQUIVALENT]),
        undecided=float(shares[0]),
    )


def _stops(
    rule: SequentialRule,
    noise: PairNoise,
    difference: float,
    drawn: Float64[ndarray, "metrics studies pairs"],
) -> tuple[Int64[ndarray, " studies"], Int8[ndarray, " studies"]]:
    """Pairs and verdict of each study, 0 for undecided."""
    _, studies, cap = drawn.shape
    pairs, verdicts = np.empty(studies, np.int64), np.empty(studies, np.int8)
    going, length = np.arange(studies), min(_FIRST_PAIRS, cap)
    while True:
        found = outcomes(rule, noise.pairs(difference, drawn[:, going, :length]))
        pairs[going], verdicts[going] = found.pairs, found.verdicts
        going = going[(found.verdicts == 0) & ~found.futile]
        if length == cap or not len(going):
            return pairs, verdicts
        length = min(2 * length, cap)
