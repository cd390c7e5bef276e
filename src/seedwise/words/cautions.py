"""Cautions that keep a reader of a comparison from reading too much into it."""

import math
from collections.abc import Iterator

import numpy as np

from seedwise.comparison.contrast import Contrast
from seedwise.comparison.result import ComparisonValues
from seedwise.comparison.stop import WORTH_PAIRING
from seedwise.comparison.verdict import SOFT
from seedwise.figures import count, percent
from seedwise.stats.collapse import unseen_share
from seedwise.stats.intervals import Difference, sign_flip_floor
from seedwise.stats.moments import skewness, usual_skewness
from seedwise.words.numbers import amount, metric_words, views_saving
from seedwise.words.run_cautions import Caution, Weight, cautions_about_runs
from seedwise.words.verdict import lost_words

__all__ = ["EXPLORATORY", "cautions", "notes"]

EXPLORATORY = "exploratory"
"""Label of the caution that a verdict is."""


_FEW = 20
_STATED = (0.8, 0.9, 0.95, 0.99)
_IF_SKEWED = (
    (5, (0.744, 0.830, 0.882, 0.950), (1.6, 2.2, 3.2, 7.2)),
    (10, (0.764, 0.853, 0.901, 0.955), (1.4, 1.9, 2.7, 6.2)),
    (math.inf, (0.771, 0.864, 0.911, 0.960), (1.3, 1.7, 2.3, 4.9)),
)
"""Up to how many pairs; the coverage of the paired t interval on exponential differences at each
stated confidence; and how many times as often as stated equivalence errs (200,000 and 100,000
simulated studies of 5, 10, and 14 or 19 pairs). The unpaired interval held 93 to 95 % of a stated
95."""

_TELLING = 5
"""The skewness of fewer pairs says nothing: that of three is at most 1.73, whatever they are."""


def cautions(found: ComparisonValues) -> tuple[str, ...]:
    """One text for each thing to know, the weightiest first."""
    return tuple(each.text for each in notes(found))


def notes(found: ComparisonValues) -> tuple[Caution, ...]:
    """The same with their weights and names."""
    said = (
        *cautions_about_runs(found),
        *_standing(found),
        *_lost(found),
        *_folds(found),
        *_unrelated(found),
        *_too_few(found),
        *_disagreement(found),
        *_sharpness(found),
        *_several(found),
        *_views(found),
    )
    return tuple(sorted(said, key=lambda each: each.weight))


def _views(found: ComparisonValues) -> Iterator[Caution]:
    """Say what more views of each image save, or have saved, of the pairs."""
    if found.views is None:
        return
    told = views_saving(found.views, "pairs")
    text = f"{told[0].upper()}{told[1:]} that two views take, for the same difference of accuracy"
    sure = f"{percent(found.rule.confidence)} interval"
    why = f"{sure}, from the two views of these runs" if not found.views.measured else sure
    yield Caution(weight=Weight.SMALL, label=told, text=f"{text} ({why}).")


def _standing(found: ComparisonValues) -> Iterator[Caution]:
    if not found.standing.confirmatory:
        # Where a stopping rule decides, this is about the figures beside its verdict.
        yield Caution(
            weight=Weight.SMALL if found.stopping else Weight.GRAVE,
            label=EXPLORATORY,
            text=(
                f"Exploratory, the stated error rates may not hold: "
                f"{'; '.join(found.standing.reasons)}."
            ),
        )


def _folds(found: ComparisonValues) -> Iterator[Caution]:
    if found.test_to_train:
        yield Caution(
            weight=Weight.GRAVE,
            label="folds share training data",
            text=(
                "Folds share training data and are no independent runs: the interval and p are "
                "corrected for it (Nadeau & Bengio 2003, test to train "
                f"{found.test_to_train:.3g}), and more folds of the same data narrow them little."
            ),
        )


def _unrelated(found: ComparisonValues) -> Iterator[Caution]:
    """Check of what an unpaired stopping rule takes for granted, on the pairs that there are."""
    if found.stopping is None or found.stopping.rule.stop.paired:
        return
    seen = found.contrasts[found.margin_metric].correlation
    if seen is None or not (seen.high < 0 or seen.low > WORTH_PAIRING):
        return
    text = (
        f"Runs of one seed correlate, r = {seen.estimate:.2f} ({percent(seen.confidence)} "
        f"interval {seen.low:.2f} to {seen.high:.2f}), and the rule takes them as unrelated: "
    )
    if seen.high < 0:
        yield Caution(
            weight=Weight.GRAVE,
            label="pairs correlate negatively",
            text=f"{text}it errs more often than stated.",
        )
    else:
        yield Caution(
            weight=Weight.SMALL,
            label="pairs correlate",
            text=f"{text}a paired rule would need fewer in the next study.",
        )


def _lost(found: ComparisonValues) -> Iterator[Caution]:
    """Effect of diverged and collapsed runs on the verdict, or the number that may be unseen."""
    without, lost = found.verdict_without_diverged, lost_words(found)
    if found.verdict.withheld:
        rest = f"it would be {without.outcome}" if without else "nothing is left to compare"
        yield Caution(
            weight=Weight.NOTABLE,  # the verdict says that it is withheld
            label=f"{found.verdict.withheld} is withheld",
            text=f"{found.verdict.withheld.capitalize()} is withheld: without the {lost} {rest}.",
        )
    elif without is not None and without.outcome != found.verdict.outcome:
        said = found.far_a.seeds or found.far_b.seeds  # in the verdict's sentence
        yield Caution(
            weight=Weight.SMALL if said else Weight.GRAVE,
            label=f"{without.outcome} without the {lost}",
            text=f"Without the {lost} the verdict would be {without.outcome}.",
        )
    if not found.test_to_train:
        yield from _unseen_collapses(found)


def _too_few(found: ComparisonValues) -> Iterator[Caution]:
    difference = found.deciding.difference
    if found.of_models:
        return
    runs = min(difference.n_a, difference.n_b)
    what = "pair" if difference.paired else "run"
    if runs == 1:
        yield Caution(
            weight=Weight.NOTABLE,
            label=f"one {what} only",
            text=f"One {what} says nothing about how much runs vary: the interval is infinite.",
        )
    elif difference.freedom == 0:
        alike = "All differences" if difference.paired else "The runs of each setup"
        yield Caution(
            weight=Weight.NOTABLE,
            label="no spread",
            text=f"{alike} are equal, which says nothing about how much they vary.",
        )
    if difference.freedom == 0:
        return
    yield from _skewed(found.deciding) if difference.paired else _unequal(difference)
    floor, alpha = sign_flip_floor(runs), found.rule.alpha
    if difference.paired and floor > alpha:
        yield Caution(
            weight=Weight.SMALL,
            label="too few pairs for a sign-flip test",
            text=(
                f"No sign-flip test of {runs} pairs can reach p = {alpha:.2g}; "
                f"the smallest is {floor:.2g}."
            ),
        )


def _skewed(found: Contrast) -> Iterator[Caution]:
    """Effect of skewness on a paired t interval, with that of these pairs."""
    of_a, of_b = found.paired_values
    differences = of_b - of_a
    runs, skew = len(differences), skewness(differences)
    known = runs >= _TELLING and not math.isnan(skew)
    skewed = known and abs(skew) > usual_skewness(runs)
    if runs >= _FEW and not skewed:
        return
    confidence = found.difference.confidence
    table = next(rest for most, *rest in _IF_SKEWED if runs <= most)
    held, times = (float(np.interp(confidence, _STATED, row)) for row in table)
    seen = f"{runs} pairs are too few to tell how skewed their differences are"
    if known:
        usual = f"normal ones rarely pass ±{usual_skewness(runs):.1f}"
        seen = f"The {runs} differences have a skewness of {round(skew, 1) + 0.0:+.1f} ({usual})"
    yield Caution(
        weight=Weight.NOTABLE if skewed else Weight.SMALL,
        label="skewed differences" if skewed else "too few pairs to rule out skewness",
        text=(
            f"{seen}. {'Since' if skewed else 'If'} they are strongly skewed, a "
            f"{percent(confidence)} interval from {runs} pairs holds about {100 * held:.0f} % of "
            f"the time, and equivalence errs {times:.1f} times as often as stated."
        ),
    )


def _unequal(difference: Difference) -> Iterator[Caution]:
    """Effect of few runs beside many on Welch's interval, which knows the spread of the few badly.

    Measured on normal runs, 40,000 studies: 6 to 7.5 % false alarms of a stated 5 with 10 or 20
    runs beside 3, 6.3 with 20 beside 4; none with 5 or more.
    """
    fewer, more = sorted((difference.n_a, difference.n_b))
    text = ""
    if fewer == 2 < more:
        text = (
            f"2 runs beside {more}: the interval has one degree of freedom, that of the 2, and "
            f"can hardly show anything. Make more runs of that setup."
        )
    elif fewer < _TELLING and more >= 2 * fewer:
        text = (
            f"{fewer} runs beside {more}: with so few of one setup the interval misses up to one "
            "and a half times as often as stated. Make more runs of that setup."
        )
    elif fewer < _TELLING:
        text = (
            f"{fewer} runs of a setup say little about how much they vary: that is why the "
            f"interval is so wide."
        )
    if text:
        yield Caution(weight=Weight.NOTABLE, label="few runs of one setup", text=text)


def _disagreement(found: ComparisonValues) -> Iterator[Caution]:
    """Metrics that contradict each other."""
    if found.verdict.instead_of:
        yield Caution(
            weight=Weight.SMALL,
            label="accuracy decides alone",
            text=(
                "Accuracy decides alone: its difference does not have the sign of "
                f"{metric_words(found.verdict.instead_of)}."
            ),
        )
    accuracy = found.accuracy
    if accuracy is None:
        return
    for other in found.contrasts.values():
        against = (other.advantage > 0) != (accuracy.advantage > 0)
        if against and other.difference.clear_of_zero and accuracy.difference.clear_of_zero:
            yield Caution(
                weight=Weight.GRAVE,
                label=f"{metric_words(other.metric)} and {metric_words(accuracy.metric)} disagree",
                text=(
                    f"{metric_words(other.metric).capitalize()} ({_moved(other)}) and "
                    f"{metric_words(accuracy.metric)} "
                    f"({_moved(accuracy)}) disagree, both clear of 0: trust neither alone."
                ),
            )
    verdict, named = found.verdict, found.rule.metric or "matched_accuracy"
    if verdict.outcome != "undecided" or verdict.withheld or not accuracy.difference.clear_of_zero:
        return
    if named.partition(":")[0] not in (*SOFT, "accuracy"):
        yield Caution(
            weight=Weight.GRAVE,
            label="accuracy alone would decide",
            text=(
                "Accuracy's own interval excludes 0, but accuracy is not what decides: name it "
                "beforehand (metric = accuracy) for a verdict by it alone."
            ),
        )


def _sharpness(found: ComparisonValues) -> Iterator[Caution]:
    """Smoothed accuracy depends on how sharp the logits are: say so where it shows."""
    accuracy = found.accuracy
    for name, other in found.contrasts.items():
        if accuracy is None or name.partition(":")[0] != "smoothed_accuracy":
            continue
        apart = (
            other.difference.low > accuracy.difference.high
            or other.difference.high < accuracy.difference.low
        )
        decides = found.deciding.metric == name
        if apart:
            yield Caution(
                weight=Weight.GRAVE if decides else Weight.SMALL,
                label="logits of different sharpness",
                text=(
                    f"{metric_words(name).capitalize()} moves by {_moved(other)}, accuracy by "
                    f"{_moved(accuracy)}: the setups differ in how sharp their logits are, and it "
                    "can't compare them."
                ),
            )
        elif decides:
            yield Caution(
                weight=Weight.NOTABLE,
                label=f"a verdict on {metric_words(name)}",
                text=(
                    f"This is a verdict on {metric_words(name)}, which also moves with the "
                    "sharpness of the logits; accuracy stands beside it."
                ),
            )


def _several(found: ComparisonValues) -> Iterator[Caution]:
    if found.family:
        name = {"holm": "Holm", "bh": "Benjamini-Hochberg"}[found.family.correction]
        planned = " that were planned" if found.family.shown < found.family.size else ""
        yield Caution(
            weight=Weight.SMALL,
            label=f"corrected for {found.family.size} comparisons",
            text=(
                f"p-values are corrected for {found.family.size} comparisons{planned} ({name}); "
                "intervals are not."
            ),
        )


def _moved(found: Contrast) -> str:
    return amount(found.metric, found.difference.estimate, signed=True)


def _unseen_collapses(found: ComparisonValues) -> Iterator[Caution]:
    """Largest rate of collapses that stays unseen so often; nothing where some were seen."""
    if found.of_models or found.a.diverged or found.b.diverged:
        return
    if found.far_a.seeds or found.far_b.seeds:
        return
    runs = min(found.far_a.runs, found.far_b.runs)
    if not runs:
        return
    unit = "pair" if found.paired else "run"
    share = percent(round(unseen_share(runs, found.rule.confidence), 2 if runs < 30 else 3))
    yield Caution(
        weight=Weight.SMALL,
        label="rare collapses may be unseen",
        text=(
            f"No run collapsed, but {count(runs, unit)} can't exclude collapses in up to {share} "
            "of the seeds; the verdict is about runs that do not collapse."
        ),
    )
