"""Comparisons in print: the sentence first, then the figures, then what to bear in mind."""

import math
from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.tables import print_table, sentence
from seedwise.comparison import Comparison, TargetComparison
from seedwise.comparison.cautions import cautions
from seedwise.comparison.contrast import Contrast
from seedwise.comparison.decided import decision_grounds
from seedwise.comparison.independent import identical_note, sharing_note
from seedwise.comparison.phrases import metric_words, pointing
from seedwise.comparison.sentences import (
    BY_NUMBER,
    basis,
    exploratory_sentence,
    more_runs,
    target_sentence,
    verdict_sentence,
)
from seedwise.figures import count, figure, in_points, interval, percent, signed, spread
from seedwise.stats.intervals import Difference

__all__ = ["print_comparison", "print_comparisons", "print_target"]

_WIDE = 110
"""From this many columns on there is room for the means and deviations beside the differences."""

_ROOM = 10
"""Characters for the name of a difference, so that the table fits 80 columns."""


def print_comparisons(console: Console, found: Sequence[Comparison]) -> None:
    """Several comparisons: their verdicts first, where there is more than one, then each."""
    for comparison in found if len(found) > 1 else ():
        sentence(console, verdict_sentence(comparison), style="bold")
    for place, comparison in enumerate(found):
        if place or len(found) > 1:
            console.print()
        print_comparison(console, comparison)


def print_comparison(console: Console, found: Comparison) -> None:
    """A verdict with what it rests on."""
    sentence(console, verdict_sentence(found), style="bold")
    if found.stopping is not None and found.stopping.decision.n:
        sentence(console, decision_grounds(found.stopping.decision))
    sentence(console, basis(found))
    if found.stopping is not None:
        console.print()
        sentence(console, BY_NUMBER)
        sentence(console, exploratory_sentence(found))
    if more_runs(found):
        sentence(console, more_runs(found))
    console.print()
    print_table(console, _figures(found, wide=console.width >= _WIDE))
    sentence(console, _legend(found))
    console.print()
    for line in _details(found):
        sentence(console, line)
    for caution in cautions(found):
        sentence(console, f"Note: {caution}")


def print_target(console: Console, found: TargetComparison) -> None:
    """A setup against a fixed number."""
    sentence(console, target_sentence(found), style="bold")
    metric, difference = found.metric, found.difference
    sentence(
        console,
        f"sd {spread(metric, found.sample.sd)} (ddof 1); mean - target "
        f"{signed(metric, difference.estimate)}, {_interval(metric, difference)} "
        f"({percent(difference.confidence)} interval, new seeds on these images), "
        f"p = {difference.p_value:.2g}.",
    )
    if found.setup.sharing:
        sentence(console, f"Note: {sharing_note(found.setup.name, found.setup.sharing)}")
    if found.setup.identical:
        setup = found.setup
        note = identical_note(setup.name, setup.results + setup.identical, setup.identical)
        sentence(console, f"Note: {note}")
    if found.setup.diverged:
        sentence(
            console,
            f"Note: {count(found.setup.diverged, 'run')} of {found.setup.results} diverged.",
        )
    if not found.standing.confirmatory:
        reasons = "; ".join(found.standing.reasons)
        sentence(console, f"Note: Exploratory, error rates are not kept: {reasons}.")


def _figures(found: Comparison, *, wide: bool) -> Table:
    """A line for each metric: the difference and its two intervals."""
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("metric", overflow="fold")
    means = [f"{found.a.name}: mean, sd", f"{found.b.name}: mean, sd"] if wide else []
    intervals = ("these images", "new images")
    for column in (
        *means,
        _difference_name(found),
        *intervals,
        "p",
        *(("r",) if found.paired else ()),
    ):
        table.add_column(Text(column), justify="right", no_wrap=not means)
    for name in _in_order(found):
        table.add_row(*_row(found, found.contrasts[name], wide=wide))
    return table


def _difference_name(found: Comparison) -> str:
    """What the column of differences is called: by the setups where they have short names."""
    name = f"{found.b.name} - {found.a.name}"
    return name if len(name) <= _ROOM else "difference"


def _in_order(found: Comparison) -> list[str]:
    """The metrics: accuracy and the one that decides before the others."""
    first = ("accuracy", found.deciding.metric)
    return sorted(found.contrasts, key=lambda name: (name not in first, name != "accuracy"))


def _row(found: Comparison, contrast: Contrast, *, wide: bool) -> list[Text]:
    metric, difference = contrast.metric, contrast.difference
    decides = "*" if metric == found.deciding.metric else ""
    means = [
        f"{figure(metric, sample.mean)}, {spread(metric, sample.sd)}"
        for sample in (contrast.sample_a, contrast.sample_b)
    ]
    cells = [
        f"{metric}{decides}",
        *(means if wide else []),
        signed(metric, difference.estimate),
        _interval(metric, difference),
        _interval(metric, contrast.new_images) if contrast.new_images else "-",
        f"{difference.p_value:.2g}" if difference.p_value >= 1e-4 else "<0.0001",
    ]
    if contrast.correlation is not None:
        r = contrast.correlation.estimate
        cells.append("-" if math.isnan(r) else f"{r:.2f}")
    return [Text(cell) for cell in cells]


def _legend(found: Comparison) -> str:
    """What the columns are."""
    a, b, sure = found.a.name, found.b.name, percent(found.rule.confidence)
    points = ", accuracies in points" if any(in_points(name) for name in found.contrasts) else ""
    text = (
        f"{b} less {a}{points}; {sure} intervals for new seeds on these images, and for new seeds "
        "and new images of the same kind. *: decides the sign. p: of no difference"
    )
    ways = (
        f" {metric_words(name)}: {way}."
        for name, each in found.contrasts.items()
        if (way := pointing(name, each.higher_is_better))
    )
    text = f"{text}. r: correlation of runs with the same seed." if found.paired else f"{text}."
    return text + "".join(ways)


def _details(found: Comparison) -> Iterable[str]:
    """Runs, correlation, churn and how often B beats A."""
    size = found.accuracy or found.deciding
    for setup, sample in ((found.a, size.sample_a), (found.b, size.sample_b)):
        lost = "".join(
            f", {number} {what}"
            for number, what in ((setup.diverged, "diverged"), (setup.failed, "failed"))
            if number
        )
        yield (
            f"{setup.name}: {size.metric} {figure(size.metric, sample.mean)}, sd "
            f"{spread(size.metric, sample.sd)} (ddof 1), {spread(size.metric, sample.sd0)} "
            f"(ddof 0), {count(sample.n, 'run')}{lost}"
        )
    yield from _correlation(found)
    yield _chance(found)
    if found.sign_flip is not None:
        yield f"Sign-flip test of {found.deciding.metric}: p = {found.sign_flip:.2g}"
    if found.churn is not None:
        churn = found.churn
        pairs = f"same seed {_share(churn.pairs)}; " if found.paired else ""
        yield (
            f"Predictions that differ: {pairs}other seeds of {found.a.name} "
            f"{_share(churn.within_a)}, of {found.b.name} {_share(churn.within_b)}"
        )


def _correlation(found: Comparison) -> Iterable[str]:
    r = found.deciding.correlation
    if r is not None and not math.isnan(r.estimate):
        yield (
            f"r of {found.deciding.metric}: {r.estimate:.2f} [{r.low:.2f}, {r.high:.2f}] over "
            f"{count(r.pairs, 'seed')}"
        )


def _chance(found: Comparison) -> str:
    chance = found.chance
    text = (
        f"A run of {found.b.name} beats an unrelated run of {found.a.name} in about "
        f"{percent(chance.estimate)} of cases"
    )
    ends = f"[{percent(chance.low)}, {percent(chance.high)}]"
    if chance.apart:
        every, any_ = ("Every", "every") if chance.estimate else ("No", "any")
        seen = f"{every} run of {found.b.name} so far beats {any_} run of {found.a.name}"
        return f"{seen}; of all such runs {ends} would"
    return f"{text} {ends}"


def _interval(metric: str, found: Difference) -> str:
    return interval(metric, found.low, found.high)


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"
