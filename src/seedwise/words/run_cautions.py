"""Cautions about the runs of a comparison: whether they are what they seem."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from seedwise.comparison.contrast import Contrast
from seedwise.comparison.result import ComparisonValues
from seedwise.figures import count, figure
from seedwise.words.numbers import metric_words

__all__ = ["Caution", "Weight", "cautions_about_runs", "identical_note", "sharing_note"]


class Weight(IntEnum):
    """Effect of a caution on the verdict; smaller is heavier."""

    GRAVE = 0
    """It changes what may be concluded."""
    NOTABLE = 1
    """It changes how far the figures may be trusted."""
    SMALL = 2
    """It holds of every such study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """One thing to bear in mind.

    Attributes:
        weight: What it does to the verdict.
        label: The thing in a few words, for a list of what is not shown.
        text: The thing in full.
    """

    weight: Weight
    label: str
    text: str


_ALIKE = 3
"""Two runs have equal scores by chance where examples are few; three hardly ever."""

_CEILING = 0.99
"""From this accuracy on, one wrong prediction in a hundred is left to tell setups apart."""


def cautions_about_runs(found: ComparisonValues) -> Iterator[Caution]:
    """Runs that are identical, untrained, disputed, missing, diverged, banked or left out."""
    yield from _identical(found)
    yield from _untrained(found)
    yield from _disputed(found)
    yield from _missing(found)
    yield from _failed(found)
    yield from _diverged(found)
    yield from _at_the_ceiling(found)
    yield from _banked(found)
    yield from _left_out(found)


def _identical(found: ComparisonValues) -> Iterator[Caution]:
    """Runs that are the same, where seeds or setups should make them differ."""
    for setup in (found.a, found.b):
        if setup.identical:
            runs = setup.results + setup.identical
            yield Caution(
                weight=Weight.GRAVE,
                label=f"identical runs of {setup.name}",
                text=identical_note(setup.name, runs, setup.identical, judged=found.of_models),
            )
    contrasts = found.contrasts.values()
    sides = (
        (found.a.name, found.deciding.sample_a, [each.values_a for each in contrasts]),
        (found.b.name, found.deciding.sample_b, [each.values_b for each in contrasts]),
    )
    constant = [
        (name, sample)
        for name, sample, values in sides
        if all(len(each) >= _ALIKE and len(set(each)) == 1 for each in values)
    ]
    metric = found.deciding.metric
    for name, sample in constant:
        yield Caution(
            weight=Weight.GRAVE,
            label=f"the seed has no effect on {name}",
            text=(
                f"All {sample.n} runs of {name} have the same {metric_words(metric)}, "
                f"{figure(metric, sample.mean)}: the seed seems to have no effect. If so they are "
                "one run: pass the seed on, or compare the others with this value by --target."
            ),
        )
    if not constant and found.paired and all(_same(each) for each in contrasts):
        yield Caution(
            weight=Weight.GRAVE,
            label="both setups do the same",
            text=(
                f"{found.b.name} and {found.a.name} have the same results in every pair: does "
                "what was changed reach the training?"
            ),
        )


def _same(found: Contrast) -> bool:
    """True if two runs or more of each setup have the very same values, seed by seed."""
    of_a, of_b = (
        dict(zip(seeds, values, strict=True))
        for seeds, values in ((found.seeds_a, found.values_a), (found.seeds_b, found.values_b))
    )
    shared = of_a.keys() & of_b.keys()
    return len(shared) > 1 and all(of_a[seed] == of_b[seed] for seed in shared)


def _untrained(found: ComparisonValues) -> Iterator[Caution]:
    """Setups whose accuracy is no better than naming the commonest class each time."""
    accuracy, guessing = found.accuracy, found.guessing
    if accuracy is None or guessing is None:
        return
    by_chance = 2 * math.sqrt(guessing * (1 - guessing) * accuracy.resolution)
    untrained = [
        (setup.name, sample.mean)
        for setup, sample in ((found.a, accuracy.sample_a), (found.b, accuracy.sample_b))
        if sample.mean - guessing <= by_chance
    ]
    if untrained:
        who = "" if len(untrained) == 2 else f" by {untrained[0][0]}"
        means = " and ".join(figure("accuracy", mean, 1) for _, mean in untrained)
        words = metric_words(accuracy.metric)
        yield Caution(
            weight=Weight.GRAVE,
            label=f"nothing was learned{who}",
            text=(
                f"Nothing was learned{who}: {words} is {means}, and naming the commonest class "
                f"each time gets {figure('accuracy', guessing, 1)}."
            ),
        )


def _at_the_ceiling(found: ComparisonValues) -> Iterator[Caution]:
    """Setups that are nearly always right, so that little is left to differ in."""
    accuracy = found.accuracy
    if accuracy is None or min(accuracy.sample_a.mean, accuracy.sample_b.mean) < _CEILING:
        return
    means = (figure("accuracy", each.mean) for each in (accuracy.sample_a, accuracy.sample_b))
    another = ", or a metric such as cross_entropy," if found.guessing is not None else ""
    yield Caution(
        weight=Weight.NOTABLE,
        label="accuracy is at its ceiling",
        text=(
            f"Accuracy is at its ceiling ({' and '.join(means)}): harder data{another} would show "
            "more."
        ),
    )


def _banked(found: ComparisonValues) -> Iterator[Caution]:
    """Runs that were made for another study."""
    for setup in (found.a, found.b):
        for bank, number in setup.banked.items():
            yield Caution(
                weight=Weight.NOTABLE,
                label=f"runs of {setup.name} from a bank",
                text=(
                    f"{number} of {setup.results} runs of {setup.name} come from the bank {bank}: "
                    "they were there before this study, and verdicts of other studies that use "
                    "them are not independent of this one."
                ),
            )


def _disputed(found: ComparisonValues) -> Iterator[Caution]:
    for setup in (found.a, found.b):
        if setup.disputes:
            first, others = next(iter(setup.disputes)), {each.seed for each in setup.disputes}
            several = f" and {len(others) - 1} more" if len(others) > 1 else ""
            yield Caution(
                weight=Weight.GRAVE,
                label=f"metrics of {setup.name} that its predictions do not bear out",
                text=(
                    f"The metrics that came with runs of {setup.name} are not those of their "
                    f"predictions, which decide: seed {first.seed}{several}, {first}. Check that "
                    "predictions and targets are of the same examples in the same order."
                ),
            )


def _missing(found: ComparisonValues) -> Iterator[Caution]:
    """Runs that lack what decides: a bias where they lack it because of what they were."""
    a, b = found.a, found.b
    if not (a.missing or b.missing):
        return
    lacks = " and ".join(
        f"{len(each.missing)} of {each.results} runs of {each.name} "
        f"({'seed' if len(each.missing) == 1 else 'seeds'} {', '.join(map(str, each.missing))})"
        for each in (a, b)
        if each.missing
    )
    words = metric_words(found.verdict.instead_of or found.deciding.metric)
    words = f"{words[0].upper()}{words[1:]}" if words == "accuracy" else words
    text = f"{words} is missing in {lacks}: left out."
    if len(a.missing) * b.results != len(b.missing) * a.results:
        text += (
            " If runs lack it because of how they went, the verdict is biased: find out why "
            "before you believe it."
        )
    yield Caution(weight=Weight.GRAVE, label=f"{words} is missing in some runs", text=text)


def _diverged(found: ComparisonValues) -> Iterator[Caution]:
    a, b = found.a, found.b
    if not (a.diverged or b.diverged):
        return
    main = found.deciding
    has = [setup.results - len(setup.missing) for setup in (a, b)]
    counted = "They count as what chance would score."
    if len(main.values_a) + len(main.values_b) < sum(has):
        counted = f"The {metric_words(main.metric)} of such a run is unknown."
    yield Caution(
        weight=Weight.GRAVE,
        label=f"{count(a.diverged + b.diverged, 'run')} diverged",
        text=(
            f"Diverged: {a.diverged} of {a.results} runs of {a.name}, {b.diverged} of {b.results} "
            f"of {b.name} (same rate: p = {found.divergence_p:.2g}, Fisher). {counted}"
        ),
    )


def _left_out(found: ComparisonValues) -> Iterator[Caution]:
    if found.paired:
        yield from _without_partner(found)
    elif found.shared and found.rule.paired is None and not found.of_models:
        shared = len(found.shared)
        yield Caution(
            weight=Weight.NOTABLE,
            label="few seeds are shared",
            text=f"Seeds that are shared: {shared} only; the runs are compared as unrelated.",
        )
    for setup in (found.a, found.b):
        if setup.sharing:
            yield Caution(
                weight=Weight.NOTABLE,
                label=f"crossed seeds of {setup.name}",
                text=sharing_note(setup.name, setup.sharing),
            )


def _failed(found: ComparisonValues) -> Iterator[Caution]:
    """Runs without a result: a bias where one setup has more of them, because of what it is."""
    a, b = found.a, found.b
    if not (a.failed or b.failed):
        return
    lacks = " and ".join(
        f"{setup.failed} of {setup.failed + setup.results} runs of {setup.name}"
        for setup in (a, b)
        if setup.failed
    )
    text = f"No result: {lacks} failed, and are missing."
    uneven = a.failed * b.results != b.failed * a.results
    if uneven:
        text += (
            " If they failed because of what was trained, the verdict is biased: find out why "
            "before you believe it."
        )
    yield Caution(
        weight=Weight.GRAVE if uneven else Weight.NOTABLE, label="runs failed", text=text
    )


def _without_partner(found: ComparisonValues) -> Iterator[Caution]:
    """Runs whose seed the other setup has not run."""
    difference = found.deciding.difference
    counted = ", and are not in the difference"
    if difference.rest_a + difference.rest_b:
        counted = "; they count beside the pairs, as unrelated runs"
    for setup in (found.a, found.b):
        alone = setup.results - len(found.shared)
        if alone:
            yield Caution(
                weight=Weight.NOTABLE,
                label=f"runs of {setup.name} without a partner",
                text=(
                    f"{alone} of {setup.results} runs of {setup.name} have no partner of the same "
                    f"seed{counted}."
                ),
            )


def identical_note(setup: str, runs: int, identical: int, *, judged: bool = False) -> str:
    """Explain why runs with the predictions or scores of another one are missing from a figure.

    >>> identical_note("mine", 10, 9)[:61]
    'The seed has no effect on mine: its 10 identical runs are one'

    Args:
        setup: Name of the setup.
        runs: Its runs, those that are left out included.
        identical: Those that are left out.
        judged: Whether there is a verdict on one run of each setup, so that nothing is missing.
    """
    if identical == runs - 1:
        one = f"The seed has no effect on {setup}: its {runs:,} identical runs are one run."
        if judged:
            return one
        return f"{one} Pass the seed on, or compare the others with its value by --target."
    have = "has" if identical == 1 else "have"
    return (
        f"{identical:,} of the {runs:,} runs of {setup} {have} the predictions of another one, "
        "or its scores, bit for bit, and count once: their seeds were not used, or they were "
        "recorded twice."
    )


def sharing_note(setup: str, sharing: int) -> str:
    """Explain why runs are missing from a figure.

    >>> sharing_note("mish", 25)[:44]
    'Left out: 25 of mish for a seed that they sh'
    """
    return (
        f"Left out: {sharing:,} of {setup} for a seed that they share with another run (crossed "
        "seeds). They are no independent sample; `seedwise variance` uses them."
    )
