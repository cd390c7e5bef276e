"""Setups compared, from the runs that are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from seedwise.comparison.beforehand import standing
from seedwise.comparison.contrast import Contrast, contrast, shared_seeds
from seedwise.comparison.measured import Measurements, measure, results_of
from seedwise.comparison.metrics import Metric, default_metric, find_metric
from seedwise.comparison.result import Churn, Comparison, Family
from seedwise.comparison.rule import Rule
from seedwise.comparison.verdict import SOFT, Deciding, Verdict, deciding, settle
from seedwise.errors import ConfigError
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
from seedwise.store import Store, StoredRun

__all__ = ["compare", "compare_several"]


def compare(store: Store, a: str, b: str, rule: Rule) -> Comparison:
    """Compare two setups of a study.

    Args:
        store: The study.
        a: Name of the setup to compare with.
        b: Name of the setup that is compared.
        rule: How the verdict is reached.

    Raises:
        UnknownName: No such setup, or no such metric.
        StudyError: A setup has no result, or nothing that could be compared.
        ConfigError: The metric cannot be computed as named.
    """
    (comparison,) = _compared(store, [(a, b)], rule, correction=None)
    return comparison


def compare_several(
    store: Store,
    setups: Sequence[str],
    rule: Rule,
    *,
    against: Literal["first", "all"] = "first",
    correction: Correction = "holm",
) -> tuple[Comparison, ...]:
    """Compare several setups of a study, with p-values corrected for their number.

    Args:
        store: The study.
        setups: Their names, the baseline first.
        rule: How verdicts are reached.
        against: Each with the first, or every pair.
        correction: `holm` for verdicts, `bh` for a screening.

    Raises:
        ConfigError: Fewer than two setups, or one of them twice; or as in `compare`.
        UnknownName: As in `compare`.
        StudyError: As in `compare`.
    """
    if len(setups) < 2 or len(set(setups)) < len(setups):
        raise ConfigError(f"give two or more different setups, got {', '.join(setups) or 'none'}")
    pairs = list(combinations(setups, 2))
    if against == "first":
        pairs = pairs[: len(setups) - 1]
    return _compared(store, pairs, rule, correction=correction if len(pairs) > 1 else None)


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


def _compared(
    store: Store,
    pairs: Sequence[tuple[str, str]],
    rule: Rule,
    *,
    correction: Correction | None,
) -> tuple[Comparison, ...]:
    """All comparisons of a family; each setup is read once."""
    found = {name: results_of(store, name) for name in dict.fromkeys(sum(pairs, ()))}
    metrics = _metrics([run for results, _ in found.values() for run in results], rule)
    measured = {
        name: measure(store, results, counts, list(metrics.values()))
        for name, (results, counts) in found.items()
    }
    settings = [(measured[a], measured[b]) for a, b in pairs]
    family = Family(size=len(pairs), correction=correction) if correction else None
    counted = [_tested(a, b, metrics, rule, diverged=True) for a, b in settings]
    without = [
        _tested(a, b, metrics, rule, diverged=False) if _others_remain(a, b, rule) else each
        for (a, b), each in zip(settings, counted, strict=True)
    ]
    return tuple(
        _comparison(store, both, judged, judged_without, rule, family)
        for both, judged, judged_without in zip(
            settings,
            _judged(counted, rule, correction),
            _judged(without, rule, correction),
            strict=True,
        )
    )


def _metrics(results: Sequence[StoredRun], rule: Rule) -> Mapping[str, Metric]:
    """The metrics to compare under, by name: the one that decides first."""
    finished = [run for run in results if run.state == "finished"]
    main = find_metric(rule.metric or default_metric(finished), finished)
    names = [*(("accuracy", *SOFT) if all(run.has_logits for run in finished) else ())]
    if not names and all("accuracy" in run.metrics for run in finished):
        names = ["accuracy"]
    return {str(metric): metric for metric in (main, *(find_metric(n, finished) for n in names))}


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
    of_margin = contrasts[_margin_metric(metrics)]
    return _Tested(
        contrasts=contrasts,
        test=deciding(contrasts, next(iter(metrics))),
        equivalence=_equivalence(of_margin, rule.margin),
    )


def _margin_metric(metrics: Mapping[str, object]) -> str:
    return "accuracy" if "accuracy" in metrics else next(iter(metrics))


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
                margin_metric=_margin_metric(each.contrasts),
                alpha=rule.alpha,
            ),
        )
        for each, p_value, p_within in zip(tested, p_values, p_equivalent, strict=True)
    ]


def _comparison(
    store: Store,
    both: tuple[Measurements, Measurements],
    judged: _Judged,
    without: _Judged,
    rule: Rule,
    family: Family | None,
) -> Comparison:
    a, b = both
    tested, main = judged.tested, judged.tested.main
    remain = _others_remain(a, b, rule)
    verdict = judged.verdict
    if _some_diverged(a, b):
        counted = all(np.isfinite(each.metrics[main.metric].values).all() for each in both)
        stays = counted and remain and without.verdict.outcome == "better"
        verdict = verdict if stays else verdict.without_better()
    paired = main.difference.paired
    used = replace(rule, paired=None) if paired == _seeds_pair(a, b) else rule
    return Comparison(
        a=a.counts,
        b=b.counts,
        rule=rule,
        paired=paired,
        shared=shared_seeds(a, b),
        verdict=verdict,
        deciding=main,
        contrasts=tested.contrasts,
        without_diverged=without.tested.main if remain else None,
        verdict_without_diverged=without.verdict if remain else None,
        equivalence=tested.equivalence,
        margin_metric=_margin_metric(tested.contrasts),
        divergence_p=fisher_exact(
            a.counts.diverged, a.counts.results, b.counts.diverged, b.counts.results
        ),
        chance=_chance(main),
        sign_flip=_sign_flip(main),
        churn=_churn(a, b),
        runs_for_seen=_runs_for_seen(main, rule.alpha),
        family=family,
        standing=standing(store, used, (a.counts.name, b.counts.name), (a.seeds, b.seeds)),
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
