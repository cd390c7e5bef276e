"""Verdicts on pairs of measured setups, p-values corrected where there are several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seedwise.comparison.beforehand import Standing
from seedwise.comparison.contrast import Contrast, contrast, shared_seeds
from seedwise.comparison.measured import Measurements
from seedwise.comparison.metrics import Metric
from seedwise.comparison.result import Churn, Comparison, Family
from seedwise.comparison.rule import Rule
from seedwise.comparison.stopping import Stopped
from seedwise.comparison.verdict import Deciding, Verdict, deciding, settle
from seedwise.seeds import Seed
from seedwise.stats.agreement import (
    ChanceOfBetter,
    chance_of_better,
    churn_between,
    churn_within,
    fisher_exact,
)
from seedwise.stats.equivalence import Equivalence, equivalence
from seedwise.stats.intervals import MOST_FLIPPED, sign_flip_p
from seedwise.stats.multiplicity import Correction, adjusted
from seedwise.stats.power import Noise, power, runs_needed

__all__ = ["Setting", "as_by_seeds", "judged", "margin_metric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Two setups that are to be compared, and what is known of the comparison beforehand.

    Attributes:
        a: The setup to compare with.
        b: The setup that is compared.
        standing: Whether all was fixed before the first run.
        stopping: What the study's stopping rule says of them; None where it is not about them.
    """

    a: Measurements
    b: Measurements
    standing: Standing
    stopping: Stopped | None = None


def judged(
    settings: Sequence[Setting],
    metrics: Mapping[str, Metric],
    rule: Rule,
    correction: Correction | None,
) -> tuple[Comparison, ...]:
    """All comparisons of a family.

    Args:
        settings: The pairs of setups.
        metrics: What they were measured under, by name; the one that decides first.
        rule: How verdicts are reached.
        correction: How p-values are corrected; None for a comparison that stands alone.
    """
    family = Family(size=len(settings), correction=correction) if correction else None
    counted = [_tested(each.a, each.b, metrics, rule, diverged=True) for each in settings]
    without = [
        _tested(each.a, each.b, metrics, rule, diverged=False)
        if _others_remain(each.a, each.b, rule)
        else tested
        for each, tested in zip(settings, counted, strict=True)
    ]
    return tuple(
        _comparison(setting, judged, judged_without, rule, family)
        for setting, judged, judged_without in zip(
            settings,
            _judged(counted, rule, correction),
            _judged(without, rule, correction),
            strict=True,
        )
    )


def as_by_seeds(a: Measurements, b: Measurements, rule: Rule) -> Rule:
    """The rule, its pairing not said where it is what the seeds give anyway."""
    return replace(rule, paired=None) if rule.paired == _seeds_pair(a, b) else rule


def margin_metric(metrics: Mapping[str, object]) -> str:
    """The metric that a margin is of."""
    return "accuracy" if "accuracy" in metrics else next(iter(metrics))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    """A pair of setups with its tests, before they are corrected."""

    contrasts: Mapping[str, Contrast]
    test: Deciding
    equivalence: Equivalence | None

    @property
    def p_equivalent(self) -> float:
        return self.equivalence.p_value if self.equivalence else 1.0

    @property
    def main(self) -> Contrast:
        return self.contrasts[self.test.metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A pair of setups with its verdict."""

    tested: _Tested
    verdict: Verdict


def _some_diverged(a: Measurements, b: Measurements) -> bool:
    return bool(a.diverged.any() or b.diverged.any())


def _others_remain(a: Measurements, b: Measurements, rule: Rule) -> bool:
    """Whether runs diverged, and there is something to compare without them."""
    finished = [set(_finished_seeds(each)) for each in (a, b)]
    left = finished[0] & finished[1] if _pairs(a, b, rule) else finished[0] and finished[1]
    return _some_diverged(a, b) and bool(left)


def _pairs(a: Measurements, b: Measurements, rule: Rule) -> bool:
    """Whether runs of the same seed are compared."""
    return _seeds_pair(a, b) if rule.paired is None else rule.paired


def _seeds_pair(a: Measurements, b: Measurements) -> bool:
    """Whether at least half the seeds of the setup that has fewer are shared, and two or more."""
    shared = len(shared_seeds(a, b))
    return shared >= 2 and 2 * shared >= min(len(a.seeds), len(b.seeds))


def _tested(
    a: Measurements,
    b: Measurements,
    metrics: Mapping[str, Metric],
    rule: Rule,
    *,
    diverged: bool,
) -> _Tested:
    paired = _pairs(a, b, rule)
    contrasts = {
        name: contrast(a, b, metric, paired=paired, confidence=rule.confidence, diverged=diverged)
        for name, metric in metrics.items()
    }
    of_margin = contrasts[margin_metric(metrics)]
    return _Tested(
        contrasts=contrasts,
        test=deciding(contrasts, next(iter(metrics))),
        equivalence=_equivalence(of_margin, rule.margin),
    )


def _equivalence(found: Contrast, margin: float | None) -> Equivalence | None:
    """The tests against the margin, turned round where less is better."""
    if margin is None:
        return None
    difference = found.difference
    if not found.higher_is_better:
        difference = replace(
            difference,
            estimate=-difference.estimate,
            low=-difference.high,
            high=-difference.low,
        )
    return equivalence(difference, margin)


def _judged(tested: Sequence[_Tested], rule: Rule, correction: Correction | None) -> list[_Judged]:
    """The verdicts of a family, its p-values corrected."""
    p_values = np.array([each.test.p_value for each in tested])
    p_equivalent = np.array([each.p_equivalent for each in tested])
    if correction:
        p_values, p_equivalent = (adjusted(p, correction) for p in (p_values, p_equivalent))
    return [
        _Judged(
            tested=each,
            verdict=settle(
                each.test,
                float(p_value),
                p_equivalent=float(p_within) if each.equivalence else None,
                margin_metric=margin_metric(each.contrasts),
                alpha=rule.alpha,
            ),
        )
        for each, p_value, p_within in zip(tested, p_values, p_equivalent, strict=True)
    ]


def _comparison(
    setting: Setting,
    judged: _Judged,
    without: _Judged,
    rule: Rule,
    family: Family | None,
) -> Comparison:
    a, b = setting.a, setting.b
    tested, main = judged.tested, judged.tested.main
    remain = _others_remain(a, b, rule)
    verdict = judged.verdict
    if _some_diverged(a, b):
        counted = all(np.isfinite(each.metrics[main.metric].values).all() for each in (a, b))
        stays = counted and remain and without.verdict.outcome == "better"
        verdict = verdict if stays else verdict.without_better()
    return Comparison(
        a=a.counts,
        b=b.counts,
        rule=rule,
        paired=main.difference.paired,
        shared=shared_seeds(a, b),
        verdict=verdict,
        deciding=main,
        contrasts=tested.contrasts,
        without_diverged=without.tested.main if remain else None,
        verdict_without_diverged=without.verdict if remain else None,
        equivalence=tested.equivalence,
        margin_metric=margin_metric(tested.contrasts),
        divergence_p=fisher_exact(
            a.counts.diverged, a.counts.results, b.counts.diverged, b.counts.results
        ),
        chance=_chance(main),
        sign_flip=_sign_flip(main),
        churn=_churn(a, b),
        runs_for_seen=_runs_for_seen(main, rule.alpha),
        family=family,
        standing=setting.standing,
        stopping=setting.stopping,
    )


def _values(found: Contrast) -> tuple[np.ndarray, np.ndarray]:
    """The runs of A and of B, higher better; those of shared seeds in one order where paired."""
    a = dict(zip(found.seeds_a, found.values_a, strict=True))
    b = dict(zip(found.seeds_b, found.values_b, strict=True))
    keys_a, keys_b = list(a), list(b)
    if found.difference.paired:
        keys_a = keys_b = [seed for seed in a if seed in b]
    up = 1 if found.higher_is_better else -1
    return up * np.array([a[seed] for seed in keys_a]), up * np.array([b[seed] for seed in keys_b])


def _chance(found: Contrast) -> ChanceOfBetter:
    difference = found.difference
    return chance_of_better(
        *_values(found), paired=difference.paired, confidence=difference.confidence
    )


def _sign_flip(found: Contrast) -> float | None:
    if not found.difference.paired or found.difference.n_a > MOST_FLIPPED:
        return None
    a, b = _values(found)
    return sign_flip_p(b - a)


def _churn(a: Measurements, b: Measurements) -> Churn | None:
    if a.predicted is None or b.predicted is None:
        return None
    rows_a, rows_b = (
        {seed: row for row, seed in enumerate(_finished_seeds(each))} for each in (a, b)
    )
    both = [seed for seed in rows_a if seed in rows_b]
    return Churn(
        pairs=churn_between(
            a.predicted[[rows_a[seed] for seed in both]],
            b.predicted[[rows_b[seed] for seed in both]],
        ),
        within_a=churn_within(a.predicted, a.classes),
        within_b=churn_within(b.predicted, b.classes),
    )


def _finished_seeds(setup: Measurements) -> list[Seed]:
    return [seed for seed, bad in zip(setup.seeds, setup.diverged, strict=True) if not bad]


def _runs_for_seen(found: Contrast, alpha: float) -> int | None:
    """Runs of each setup for 80 % power at the difference and the spread that were seen."""
    difference = found.difference
    if difference.freedom == 0 or difference.estimate == 0:
        return None
    runs = 2 / (1 / difference.n_a + 1 / difference.n_b)
    noise = Noise(sd=difference.error * (runs / 2) ** 0.5, r=0.0 if difference.paired else None)
    return runs_needed(lambda n: power(difference.estimate, n, noise, alpha=alpha), 0.8)
