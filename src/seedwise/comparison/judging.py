"""Verdicts on pairs of measured setups, p-values corrected where there are several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seedwise.comparison.beside import chance, churn, runs_for_seen, sign_flip
from seedwise.comparison.collapse import FarRuns, far_runs, without_lost
from seedwise.comparison.contrast import Contrast, contrast, shared_seeds
from seedwise.comparison.measured import Measurements
from seedwise.comparison.metrics import Metric, is_over_views
from seedwise.comparison.result import ComparisonValues, Family
from seedwise.comparison.rule import Rule, Standing
from seedwise.comparison.stopping import Stopped
from seedwise.comparison.study_runs import shared_rows
from seedwise.comparison.verdict import SOFT, Deciding, Verdict, deciding, settle
from seedwise.comparison.views import share_of_pairs
from seedwise.errors import StudyError
from seedwise.stats.agreement import fisher_exact
from seedwise.stats.equivalence import Equivalence, equivalence
from seedwise.stats.multiplicity import Correction, adjusted, next_level

__all__ = ["SetupPair", "as_by_seeds", "judged", "margin_metric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPair:
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
    settings: Sequence[SetupPair],
    metrics: Mapping[str, Metric] | Sequence[Mapping[str, Metric]],
    rule: Rule,
    correction: Correction | None,
    *,
    beside: Sequence[tuple[Measurements, Measurements] | None] = (),
) -> tuple[ComparisonValues, ...]:
    """The comparisons of a family.

    Args:
        settings: The pairs of setups.
        metrics: What they were measured under, by name; the one that decides first. A sequence
            has those of each pair, as where each is of another task; `beside` has none then.
        rule: How verdicts are reached.
        correction: How p-values are corrected where there are several; None for a comparison
            that stands alone.
        beside: The other comparisons that were planned, which count in the correction and are
            not given back; None for one that cannot be made yet.
    """
    pairs = [*((each.a, each.b) for each in settings), *beside]
    under = [metrics] * len(pairs) if isinstance(metrics, Mapping) else [*metrics]
    under += [{}] * (len(pairs) - len(under))
    counted = [
        _tested(each.a, each.b, known, rule, diverged=True)
        for each, known in zip(settings, under, strict=False)
    ]
    counted += [
        _tested_if_possible(pair, known, rule)
        for pair, known in zip(beside, under[len(settings) :], strict=True)
    ]
    lost = [
        pair and _Lost.of(pair[0], pair[1], known, rule)
        for pair, known in zip(pairs, under, strict=True)
    ]
    without = [
        _tested(each.a, each.b, known, rule, diverged=False)
        if each and tested and each.others_remain
        else tested
        for each, tested, known in zip(lost, counted, under, strict=True)
    ]
    family = Family(size=len(pairs), correction=correction or "holm", shown=len(settings))
    return tuple(
        _comparison(*each, rule, family if family.size > 1 else None)
        for each in zip(
            settings,
            lost[: len(settings)],
            _judged(counted, rule, family),
            _judged(without, rule, family),
            strict=True,
        )
    )


def as_by_seeds(a: Measurements, b: Measurements, rule: Rule) -> Rule:
    """The rule, its pairing not said where it is what the seeds give anyway."""
    return replace(rule, paired=None) if rule.paired == _seeds_pair(a, b) else rule


def margin_metric(metrics: Mapping[str, object]) -> str:
    """The metric that a margin is of: accuracy, over more views where that decides."""
    main = next(iter(metrics))
    if is_over_views(main):
        return main
    return "accuracy" if "accuracy" in metrics else main


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    """A pair of setups with its tests, before they are corrected."""

    contrasts: Mapping[str, Contrast]
    test: Deciding
    equivalence: Equivalence | None

    @property
    def main(self) -> Contrast:
        return self.contrasts[self.test.metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A pair of setups with its verdict, and the level at which its sign is to be shown."""

    tested: _Tested
    verdict: Verdict
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """The runs of a pair of setups that no verdict but *worse* may rest on.

    Attributes:
        a: Setup A, its far runs marked as diverged.
        b: Setup B likewise.
        far: The far runs of each.
        others_remain: Whether there are such runs, and there is something to compare without them.
    """

    a: Measurements
    b: Measurements
    far: tuple[FarRuns, FarRuns]
    others_remain: bool

    @classmethod
    def of(
        cls, a: Measurements, b: Measurements, metrics: Mapping[str, Metric], rule: Rule
    ) -> "_Lost":
        far = far_runs(a, b, metrics, rule.confidence)
        a, b = without_lost(a, far[0]), without_lost(b, far[1])
        return cls(a=a, b=b, far=far, others_remain=_others_remain(a, b, rule))

    @property
    def any(self) -> bool:
        return _some_diverged(self.a, self.b)


def _some_diverged(a: Measurements, b: Measurements) -> bool:
    return bool(a.diverged.any() or b.diverged.any())


def _others_remain(a: Measurements, b: Measurements, rule: Rule) -> bool:
    """True if runs diverged, and there is something to compare without them."""
    if _pairs(a, b, rule):
        left = len(shared_rows(a.finished_seeds, b.finished_seeds)[0]) > 0
    else:
        left = not (a.diverged.all() or b.diverged.all())
    return _some_diverged(a, b) and left


def _pairs(a: Measurements, b: Measurements, rule: Rule) -> bool:
    """True if runs of the same seed are compared."""
    return _seeds_pair(a, b) if rule.paired is None else rule.paired


def _one_run_each(a: Measurements, b: Measurements) -> bool:
    """True if each setup has one result, and it finished."""
    return all(len(each.seeds) == 1 and not each.diverged.any() for each in (a, b))


def _seeds_pair(a: Measurements, b: Measurements) -> bool:
    """True if two seeds or more are shared, and half of those of the setup that has fewer."""
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
    paired, models = _pairs(a, b, rule), _one_run_each(a, b)
    contrasts = {
        name: contrast(
            a,
            b,
            metric,
            paired=paired,
            confidence=rule.confidence,
            diverged=diverged,
            models=models,
        )
        for name, metric in metrics.items()
    }
    main = next(iter(metrics))
    if contrasts[main].difference.of_models and main.partition(":")[0] in SOFT:
        main = "accuracy"  # it is exact, and the others stand for it over runs
    of_margin = contrasts[margin_metric(metrics)]
    return _Tested(
        contrasts=contrasts,
        test=deciding(contrasts, main),
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


def _tested_if_possible(
    pair: tuple[Measurements, Measurements] | None, metrics: Mapping[str, Metric], rule: Rule
) -> _Tested | None:
    try:
        return pair and _tested(pair[0], pair[1], metrics, rule, diverged=True)
    except StudyError:
        return None


def _judged(tested: Sequence[_Tested | None], rule: Rule, family: Family) -> list[_Judged]:
    """The verdicts that are shown of a family, its p-values corrected.

    A comparison that cannot be made yet counts as one that shows nothing.
    """
    claims = [
        (each.test.p_value, *_against_margin(each.equivalence)) if each else (1.0, 1.0, 1.0)
        for each in tested
    ]
    signs, within, above = (adjusted(p, family.correction) for p in np.array(claims).T)
    level = next_level(signs, family.correction, alpha=rule.alpha)
    return [
        _Judged(
            tested=each,
            verdict=settle(
                each.test,
                float(signs[place]),
                p_equivalent=float(within[place]) if each.equivalence else None,
                p_not_worse=float(above[place]) if each.equivalence else None,
                margin_metric=margin_metric(each.contrasts),
                alpha=rule.alpha,
            ),
            level=level,
        )
        for place, each in enumerate(tested[: family.shown])
        if each is not None
    ]


def _against_margin(tests: Equivalence | None) -> tuple[float, float]:
    """The p-values of equivalence and of not worse."""
    return (tests.p_value, tests.p_not_worse) if tests else (1.0, 1.0)


def _founded(setting: SetupPair, lost: _Lost, judged: _Judged, without: _Judged) -> Verdict:
    """The verdict, withheld where it rests on runs that diverged or collapsed."""
    verdict = judged.verdict
    if not lost.any:
        return verdict
    name = judged.tested.main.metric
    counted = all(
        np.isfinite(each.metrics[name].values[each.diverged]).all()
        for each in (setting.a, setting.b)
    )
    if verdict.outcome != "worse":
        return verdict.founded_on(without.verdict if counted and lost.others_remain else None)
    share_a, share_b = (np.mean(each.diverged) for each in (setting.a, setting.b))
    return verdict if counted or share_b >= share_a else verdict.founded_on(None)


def _examples(a: Measurements, main: Contrast) -> int | None:
    """Number of examples that a metric has scores of."""
    images = a.metrics[main.metric].images
    return None if images is None else images.shape[1]


def _apart(a: Measurements, b: Measurements, main: Contrast) -> tuple[int, int] | None:
    """The examples that one of two models got right and the other wrong; A's first."""
    one, other = (each.metrics[main.metric].images for each in (a, b))
    if one is None or other is None or not np.isin([one, other], (0, 1)).all():
        return None
    return int((one > other).sum()), int((other > one).sum())


def _comparison(
    setting: SetupPair,
    lost: _Lost,
    judged: _Judged,
    without: _Judged,
    rule: Rule,
    family: Family | None,
) -> ComparisonValues:
    a, b = setting.a, setting.b
    tested, main = judged.tested, judged.tested.main
    remain = lost.others_remain
    return ComparisonValues(
        a=a.counts,
        b=b.counts,
        rule=rule,
        paired=main.difference.paired,
        shared=shared_seeds(a, b),
        verdict=_founded(setting, lost, judged, without),
        deciding=main,
        contrasts=tested.contrasts,
        without_diverged=without.tested.main if remain else None,
        verdict_without_diverged=without.verdict if remain else None,
        equivalence=tested.equivalence,
        margin_metric=margin_metric(tested.contrasts),
        far_a=lost.far[0],
        far_b=lost.far[1],
        divergence_p=fisher_exact(
            a.counts.diverged, a.counts.results, b.counts.diverged, b.counts.results
        ),
        chance=chance(main),
        sign_flip=None if a.test_to_train or main.difference.of_models else sign_flip(main),
        test_to_train=a.test_to_train,
        called=a.called,
        examples=_examples(a, main),
        groups=None if a.groups is None else len(a.groups.names),
        apart=_apart(a, b, main) if main.difference.of_models else None,
        views=share_of_pairs(a, b, rule.confidence) if main.difference.paired else None,
        guessing=a.guessing,
        churn=churn(a, b),
        runs_for_seen=None
        if lost.any or main.difference.of_models
        else runs_for_seen(tested.contrasts, tested.test.ways, judged.level),
        family=family,
        standing=setting.standing,
        stopping=setting.stopping,
    )
