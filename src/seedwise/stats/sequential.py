"""Stopping a paired comparison as soon as it is decided, and what may then be said.

After each pair of runs of one seed a rule looks at the differences B - A so far. It stops for
better, worse or equivalent, and with a cap on the pairs also where no verdict is likely any more.
Size is always judged in accuracy, the sign as `stats.signs` has it: by accuracy, at a milder level
on the side that matched and ranked accuracy both show, at a stricter one elsewhere. A difference
that is shown to be within the margin is equivalent even where its sign is shown by the same look:
the margin says what does not matter.

Everything is about new seeds on these images, not about new images.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Bool, Int8, Int64
from seedwise.stats.collapse import far_from_rest
from seedwise.stats.decision import Decision, Interval, Look, Outcome, Reason
from seedwise.stats.looks import (
    BETTER,
    EQUIVALENT,
    FUTILE,
    WITHHELD,
    Looks,
    Pairs,
    SequentialRule,
    Sums,
)
from seedwise.stats.signs import ALONE, WITH_SOFT

__all__ = [
    "HORIZON",
    "Decision",
    "Interval",
    "Look",
    "Pairs",
    "SequentialRule",
    "Stops",
    "decide",
    "outcomes",
    "pairs_to_go",
]

_FOUNDED = (BETTER, EQUIVALENT)
"""Verdicts that must not rest on diverged or collapsed runs. Who diverges is worse in any case."""

_VERDICTS: tuple[Outcome, ...] = ("undecided", "better", "worse", "equivalent")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stops:
    """Stops of many studies, for simulations.

    Attributes:
        pairs: Pairs at the stop; all of them where nothing stopped.
        verdicts: 0 undecided, 1 better, 2 worse, 3 equivalent.
        futile: Whether a study stopped for want of a chance.
    """

    pairs: Int64[ndarray, "*studies"]
    verdicts: Int8[ndarray, "*studies"]
    futile: Bool[ndarray, "*studies"]


def decide(
    rule: SequentialRule, pairs: Pairs, *, diverged: Bool[ndarray, " pairs"] | None = None
) -> Decision:
    """Decide one comparison by the rule, which looks after every pair.

    Args:
        rule: The rule.
        pairs: The differences of one study.
        diverged: In which pairs a run diverged (and counts as what chance scores); None for none.
            *Better* and *equivalent* are never declared by a look whose pairs, less these and
            those
            with a run far from the rest, the rule would not say it too. If it has not decided on
            those yet, the comparison goes on; if it has decided otherwise, or none is left, it
            ends as `withheld`.

    Returns:
        The decision at the first look that stops, whatever pairs come after it. Below three pairs,
        and where all differences are equal, intervals are infinite and nothing is decided.

    Raises:
        DataError: There are several studies.

    >>> rng = np.random.default_rng(0)
    >>> pairs = Pairs(accuracy=rng.normal(0.008, 0.003, 20))
    >>> found = decide(SequentialRule(difference=0.005, max_pairs=20), pairs)
    >>> found.verdict, found.reason, found.n
    ('better', 'decided', 3)
    """
    if pairs.accuracy.ndim != 1:
        raise DataError(f"one comparison is one row of differences, got {pairs.accuracy.shape}")
    pairs = pairs[: rule.max_pairs]
    looks = Looks.of(rule, pairs)
    bad = np.zeros(len(pairs.accuracy), np.bool_) if diverged is None else diverged
    codes = _without_unfounded(rule, pairs, looks.codes, bad[: rule.max_pairs])
    n = _stop(codes)
    code, shown = (int(codes[n - 1]), int(looks.codes[n - 1])) if n else (0, 0)
    verdict = _VERDICTS[code] if code <= EQUIVALENT else "undecided"
    seen, sides = pairs[:n], 2 if code == EQUIVALENT else 1
    soft = bool(n and looks.by_matched[n - 1] and code != EQUIVALENT)
    sums = seen.sums(rule)
    judged = sums["matched" if soft else "accuracy"]
    (*_, last) = _intervals(rule, sides * rule.alpha, judged) or [_NOTHING]
    return Decision(
        verdict=verdict,
        reason=_reason(rule, code, n),
        n=n,
        metric="matched_accuracy" if soft else "accuracy",
        direction=int(looks.shown[n - 1]) if verdict != "undecided" else 0,
        estimate=last.estimate,
        low=last.low,
        high=last.high,
        confidence=1 - sides * rule.alpha,
        trace=_trace(rule, sums),
        withheld=_VERDICTS[shown] if shown in _FOUNDED and code != shown else "",
    )


def outcomes(rule: SequentialRule, pairs: Pairs) -> Stops:
    """Decide many studies: `decide` for all of them at once, without the traces.

    No run is taken for a diverged or a collapsed one.
    """
    codes = Looks.of(rule, pairs[: rule.max_pairs]).codes
    stopped = codes.any(axis=-1)
    first = np.where(stopped, (codes != 0).argmax(axis=-1), codes.shape[-1] - 1)
    last = np.take_along_axis(codes, first[..., None], axis=-1)[..., 0]
    futile = last == FUTILE
    return Stops(pairs=first + 1, verdicts=np.where(futile, np.int8(0), last), futile=futile)


def _without_unfounded(
    rule: SequentialRule,
    pairs: Pairs,
    codes: Int8[ndarray, " pairs"],
    diverged: Bool[ndarray, " pairs"],
) -> Int8[ndarray, " pairs"]:
    """The codes of one study; better and equivalent only where they don't rest on lost runs."""
    found = codes.copy()
    for look in np.flatnonzero(np.isin(codes, _FOUNDED)):
        seen = pairs[: look + 1]
        lost = diverged[: look + 1] | _far(seen, diverged[: look + 1])
        if lost.any():
            others = Looks.of(rule, seen[~lost]).codes
            n = _stop(others)
            said = int(others[n - 1]) if n else WITHHELD
            if said != codes[look]:
                found[look] = WITHHELD if said else 0
        if found[look]:
            break  # the comparison stops here
    return found


def _far(pairs: Pairs, diverged: Bool[ndarray, " pairs"]) -> Bool[ndarray, " pairs"]:
    """The pairs of which a run lies far from the rest of its setup, diverged ones aside."""
    found = np.zeros(len(diverged), np.bool_)
    if pairs.baseline is not None:
        kept = pairs.baseline[~diverged]
        candidate = kept + pairs.accuracy[~diverged]
        found[~diverged] = np.logical_or(*far_from_rest(kept, candidate, grain=pairs.resolution))
    for task in pairs.tasks:
        found |= _far(task, diverged)
    return found


def _stop(codes: Int8[ndarray, " pairs"]) -> int:
    """The pairs at the first look that stops; all of them where none does."""
    stops = np.flatnonzero(codes)
    return int(stops[0]) + 1 if len(stops) else len(codes)


_NOTHING = Interval(estimate=math.nan, low=-math.inf, high=math.inf)


def _intervals(rule: SequentialRule, alpha: float, found: Sums) -> list[Interval]:
    """The rule's interval after each pair."""
    pairs = len(found.mean)
    half = rule.bounds(pairs, alpha) * found.sd / np.sqrt(np.arange(1, pairs + 1))
    ends = zip(found.mean.tolist(), half.tolist(), strict=True)
    return [Interval(estimate=mean, low=mean - half, high=mean + half) for mean, half in ends]


def _trace(rule: SequentialRule, sums: Mapping[str, Sums]) -> tuple[Look, ...]:
    accuracy = _intervals(rule, rule.alpha, sums["accuracy"])
    matched, ranked = (
        _intervals(rule, rule.alpha, sums[name]) if name in sums else [None] * len(accuracy)
        for name in ("matched", "ranked")
    )
    known = enumerate(zip(accuracy, matched, ranked, strict=True), start=1)
    return tuple(Look(n=n, accuracy=a, matched=m, ranked=r) for n, (a, m, r) in known)


def _reason(rule: SequentialRule, code: int, n: int) -> Reason:
    if code == FUTILE:
        return "futile"
    if code == WITHHELD:
        return "withheld"
    if code:
        return "decided"
    return "cap" if rule.max_pairs is not None and n >= rule.max_pairs else "running"


HORIZON = 1_000
"""Pairs beyond which no number is worth naming."""


def pairs_to_go(rule: SequentialRule, decision: Decision) -> int | None:
    """Pairs after which a rule would decide, were means and spreads to stay as they are.

    A plain extrapolation, for a person who waits: the noise of the means is left out, so that the
    true number is often half or twice as large. No verdict may rest on it.

    Args:
        rule: The rule of one comparison.
        decision: What it said at its last look, of which there was one.

    Returns:
        1 or more; None below three pairs, without spread, and where no verdict would come before
        the cap, or before `HORIZON` pairs.
    """
    look, n = decision.trace[-1], decision.n
    end = rule.max_pairs or n + HORIZON
    bounds, wide = rule.bounds(end, rule.alpha), rule.bounds(end, 2 * rule.alpha)
    root = np.sqrt(np.arange(1, end + 1))

    def spread(interval: Interval) -> float:
        return _spread(interval, n, float(bounds[n - 1]))

    def clear(interval: Interval, level: float) -> Bool[ndarray, " pairs"]:
        half = rule.bounds(end, level * rule.alpha) * spread(interval) / root
        return abs(interval.estimate) > half

    softs = [each for each in (look.matched, look.ranked) if each is not None]
    if any(math.isnan(spread(each)) for each in (look.accuracy, *softs)):
        return None
    within = abs(look.accuracy.estimate) + wide * spread(look.accuracy) / root < rule.difference
    shown = clear(look.accuracy, ALONE if softs else 1.0)
    if softs and len({each.estimate > 0 for each in (look.accuracy, *softs)}) == 1:
        together = [clear(each, 1.0) for each in softs] + [clear(look.accuracy, WITH_SOFT)]
        shown |= np.logical_and.reduce(together)
    later = np.flatnonzero((shown | within)[n:])
    return int(later[0]) + 1 if len(later) else None


def _spread(interval: Interval, n: int, bound: float) -> float:
    """Standard deviation of the differences that an interval was made from; NaN if unknown."""
    half = (interval.high - interval.low) / 2
    return (
        half * math.sqrt(n) / bound if math.isfinite(half) and math.isfinite(bound) else math.nan
    )
