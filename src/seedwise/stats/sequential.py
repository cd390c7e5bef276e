"""Stopping a paired comparison as soon as it is decided, and what may then be said.

After each pair of runs of one seed a rule looks at the differences B - A so far. It stops for
better, worse or equivalent, and with a cap on the pairs also where no verdict is likely any more.
Size is always judged in accuracy. Where predictions are stored, matched accuracy, which has the
least noise, judges the sign as long as accuracy's own mean has the same sign; where the two signs
differ, accuracy judges it.

Everything speaks of new seeds on these images, not of new images.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64
from numpy import ndarray
from scipy import stats

from seedwise.errors import ConfigError, DataError
from seedwise.stats.anytime import anytime_bounds
from seedwise.stats.capped import FIRST_LOOK, capped_bounds

__all__ = ["Decision", "Interval", "Look", "Outcomes", "Rule", "decide", "outcomes"]

Verdict = Literal["better", "worse", "equivalent", "undecided"]
Reason = Literal["decided", "futile", "cap", "running"]
Differences = Float64[ndarray, "*studies pairs"]

_NO_SPREAD = 1e-9
"""Standard deviations below this are rounding: equal differences tell nothing of the noise."""

_CODES: tuple[Verdict, ...] = ("undecided", "better", "worse", "equivalent")
_FUTILE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When one comparison stops; fixed before its first run.

    Attributes:
        difference: The margin of "equivalent", a fraction of accuracy above 0.
        alpha: Rate of false alarms: under no difference, of "better" and "worse" together; under a
            difference as large as the margin, of "equivalent".
        power: A capped comparison goes on while its chance to end with a verdict, judged by what
            it has seen, is at least a quarter of 1 - power.
        max_pairs: Most pairs; None for no limit, which takes the anytime-valid rule.
    """

    difference: float
    alpha: float = 0.05
    power: float = 0.8
    max_pairs: int | None = None

    def __post_init__(self) -> None:
        for name in ("difference", "alpha", "power"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise ConfigError(f"{name} must be above 0 and below 1, got {value!r}")
        if self.max_pairs is not None and self.max_pairs < FIRST_LOOK:
            raise ConfigError(
                f"a stopping rule first looks after {FIRST_LOOK} pairs; max_pairs must be "
                f"{FIRST_LOOK} or more, got {self.max_pairs}"
            )

    def bounds(self, pairs: int, alpha: float) -> Float64[ndarray, " pairs"]:
        """The |t| that a two-sided test at `alpha` has to reach after 1 to `pairs` pairs."""
        if self.max_pairs is None:
            bounds = anytime_bounds(pairs, alpha)
            bounds[: FIRST_LOOK - 1] = np.inf
            return bounds
        return capped_bounds(self.max_pairs, alpha)[:pairs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A difference B - A that may be looked at after every pair.

    Attributes:
        estimate: Mean of the differences so far.
        low: Lower end; -inf where there is no telling.
        high: Upper end; inf likewise.
    """

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was known after `n` pairs.

    Attributes:
        n: Pairs that were looked at.
        accuracy: The difference of accuracy, with the rule's own interval.
        matched: The difference of matched accuracy likewise; None without it.
    """

    n: int
    accuracy: Interval
    matched: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the rule says, and on what grounds.

    The interval belongs to the rule: all intervals of the trace together hold the true difference
    with probability `confidence`, so that it is valid at whatever pair the comparison stopped.
    The estimate leans outward: a comparison stops when chance has carried it far from 0.

    Attributes:
        verdict: `better`, `worse`, `equivalent` or `undecided`.
        reason: `decided`; or why there is no verdict: `futile` (none was likely by the cap), `cap`
            (all pairs are used up), `running` (more pairs may decide it).
        n: Pairs that went into it; pairs after the stop are not looked at.
        metric: `matched_accuracy` or `accuracy`, whichever judged the verdict.
        estimate: Mean difference under that metric.
        low: Lower end of its interval.
        high: Upper end.
        confidence: 1 - alpha; 1 - 2 alpha for `equivalent`, whose two sides have alpha each.
        trace: What was known after each pair, the last included.
    """

    verdict: Verdict
    reason: Reason
    n: int
    metric: str
    estimate: float
    low: float
    high: float
    confidence: float
    trace: tuple[Look, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """Where many studies stopped, for simulations.

    Attributes:
        pairs: Pairs at the stop; all of them where nothing stopped.
        verdicts: 0 undecided, 1 better, 2 worse, 3 equivalent.
        futile: Whether a study stopped for want of a chance.
    """

    pairs: Int64[ndarray, "*studies"]
    verdicts: Int8[ndarray, "*studies"]
    futile: Bool[ndarray, "*studies"]


def decide(rule: Rule, accuracy: Differences, matched: Differences | None = None) -> Decision:
    """What the rule says of one comparison, having looked after every pair.

    Args:
        rule: The rule.
        accuracy: B - A of accuracy for each pair, as fractions, in the order of the seeds.
        matched: B - A of matched accuracy for the same pairs; None where there are no predictions.

    Returns:
        The decision at the first look that stops, whatever pairs come after it. Below three pairs,
        and where all differences are equal, intervals are infinite and nothing is decided.

    Raises:
        DataError: The arrays don't fit, or a difference is not finite.

    >>> rng = np.random.default_rng(0)
    >>> found = decide(Rule(difference=0.005, max_pairs=20), rng.normal(0.008, 0.003, 20))
    >>> found.verdict, found.reason, found.n
    ('better', 'decided', 3)
    """
    accuracy, matched = _checked(rule, accuracy, matched)
    if accuracy.ndim != 1:
        raise DataError(f"one comparison is one row of differences, got {accuracy.shape}")
    codes, by_matched = _codes(rule, accuracy, matched)
    stops = np.flatnonzero(codes)
    n = int(stops[0]) + 1 if len(stops) else len(accuracy)
    code = int(codes[n - 1]) if n else 0
    verdict = _CODES[code] if code != _FUTILE else "undecided"
    sides = 2 if verdict == "equivalent" else 1
    trace = _trace(rule, rule.alpha, accuracy[:n], None if matched is None else matched[:n])
    judge = matched if n and by_matched[n - 1] and verdict != "equivalent" else None
    judged = accuracy if judge is None else judge
    (*_, last) = _intervals(rule, sides * rule.alpha, judged[:n]) or [_NOTHING]
    return Decision(
        verdict=verdict,
        reason=_reason(rule, code, n),
        n=n,
        metric="accuracy" if judge is None else "matched_accuracy",
        estimate=last.estimate,
        low=last.low,
        high=last.high,
        confidence=1 - sides * rule.alpha,
        trace=trace,
    )


def outcomes(rule: Rule, accuracy: Differences, matched: Differences | None = None) -> Outcomes:
    """Where each of many studies stops: `decide` for all of them at once, without the traces."""
    accuracy, matched = _checked(rule, accuracy, matched)
    codes, _ = _codes(rule, accuracy, matched)
    stopped = codes.any(axis=-1)
    first = np.where(stopped, (codes != 0).argmax(axis=-1), codes.shape[-1] - 1)
    last = np.take_along_axis(codes, first[..., None], axis=-1)[..., 0]
    futile = last == _FUTILE
    return Outcomes(pairs=first + 1, verdicts=np.where(futile, np.int8(0), last), futile=futile)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sums:
    """Means, standard deviations and t after each pair; t is 0 where there is no spread."""

    mean: Differences
    sd: Differences
    t: Differences

    @classmethod
    def of(cls, differences: Differences) -> "_Sums":
        n = np.arange(1, differences.shape[-1] + 1)
        # From the first difference on, so that equal ones have a spread of exactly 0.
        shifted = differences - differences[..., :1]
        offset = np.cumsum(shifted, axis=-1) / n
        squares = np.cumsum(shifted**2, axis=-1) - n * offset**2
        sd = np.sqrt(np.maximum(squares, 0) / np.maximum(n - 1, 1))
        sd = np.where(sd > _NO_SPREAD, sd, np.inf)
        mean = differences[..., :1] + offset
        return cls(mean=mean, sd=sd, t=mean * np.sqrt(n) / sd)


def _codes(
    rule: Rule, accuracy: Differences, matched: Differences | None
) -> tuple[Int8[ndarray, "*studies pairs"], Bool[ndarray, "*studies pairs"]]:
    """What each look would say, and whether matched accuracy judged the sign there."""
    pairs = accuracy.shape[-1]
    sign_bounds = rule.bounds(pairs, rule.alpha)
    size = _Sums.of(accuracy)
    sharp = size if matched is None else _Sums.of(matched)
    agree = np.broadcast_to(size.mean * sharp.mean > 0, size.mean.shape)
    by_matched = agree if matched is not None else np.zeros_like(agree)
    t = np.where(by_matched, sharp.t, size.t)
    codes = np.zeros(t.shape, np.int8)
    if rule.max_pairs is not None:
        codes[_chance(rule, size, np.abs(t)) < (1 - rule.power) / 4] = _FUTILE
    margin_bounds = rule.bounds(pairs, 2 * rule.alpha)
    root = np.sqrt(np.arange(1, pairs + 1))
    with np.errstate(invalid="ignore"):  # inf - inf where nothing is known yet
        codes[np.abs(size.mean) + margin_bounds * size.sd / root < rule.difference] = 3
    codes[t > sign_bounds] = 1
    codes[t < -sign_bounds] = 2
    return codes, by_matched


def _chance(rule: Rule, size: _Sums, t: Differences) -> Differences:
    """The chance of a verdict at the cap: that of a sign and that of equivalence, added up.

    The mean at the cap, given n pairs, is Student's t about the mean so far with n - 1 degrees of
    freedom and the variance sd^2 (1/n - 1/cap) (a flat prior's prediction). 1 where it is not
    judged: before the third pair, without spread, and from the cap on.
    """
    assert rule.max_pairs is not None
    cap, pairs = rule.max_pairs, t.shape[-1]
    n = np.arange(1, pairs + 1)
    freedom = np.maximum(n - 1, 1)
    scale = np.sqrt(np.maximum(1 / n - 1 / cap, 0))
    scale = np.where(scale > 0, scale, 1.0)
    sign_limit = rule.bounds(cap, rule.alpha)[-1] / np.sqrt(cap)
    room = rule.difference / size.sd - rule.bounds(cap, 2 * rule.alpha)[-1] / np.sqrt(cap)
    effect, centre = t / np.sqrt(n), size.mean / size.sd
    cdf = stats.t.cdf
    sign = cdf((effect - sign_limit) / scale, freedom) + cdf(
        (-effect - sign_limit) / scale, freedom
    )
    equivalent = cdf((room - centre) / scale, freedom) - cdf((-room - centre) / scale, freedom)
    chance = sign + np.where(room > 0, equivalent, 0.0)
    judged = (n >= FIRST_LOOK) & (n < cap) & np.isfinite(size.sd)
    return np.where(judged, chance, 1.0)


_NOTHING = Interval(estimate=math.nan, low=-math.inf, high=math.inf)


def _intervals(rule: Rule, alpha: float, differences: Differences) -> list[Interval]:
    """The rule's interval after each pair."""
    found = _Sums.of(differences)
    n = np.arange(1, len(differences) + 1)
    half = rule.bounds(len(differences), alpha) * found.sd / np.sqrt(n)
    ends = zip(found.mean.tolist(), half.tolist(), strict=True)
    return [Interval(estimate=mean, low=mean - half, high=mean + half) for mean, half in ends]


def _trace(
    rule: Rule, alpha: float, accuracy: Differences, matched: Differences | None
) -> tuple[Look, ...]:
    sharp = [None] * len(accuracy) if matched is None else _intervals(rule, alpha, matched)
    pairs = zip(_intervals(rule, alpha, accuracy), sharp, strict=True)
    return tuple(Look(n=n, accuracy=a, matched=m) for n, (a, m) in enumerate(pairs, start=1))


def _reason(rule: Rule, code: int, n: int) -> Reason:
    if code:
        return "futile" if code == _FUTILE else "decided"
    return "cap" if rule.max_pairs is not None and n >= rule.max_pairs else "running"


def _checked(
    rule: Rule, accuracy: Differences, matched: Differences | None
) -> tuple[Differences, Differences | None]:
    """The pairs up to the cap."""
    for name, values in (("accuracy", accuracy), ("matched", matched)):
        if values is None:
            continue
        if values.shape != accuracy.shape:
            raise DataError(
                f"accuracy and matched must be of the same pairs, got {accuracy.shape} and "
                f"{values.shape}"
            )
        if not np.isfinite(values).all():
            raise DataError(
                f"a difference of {name} is not finite; score diverged runs before comparing"
            )
    cap = rule.max_pairs
    return accuracy[..., :cap], None if matched is None else matched[..., :cap]
