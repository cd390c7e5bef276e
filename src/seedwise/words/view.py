"""One ordered view of a comparison, which every renderer maps over."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedwise.comparison.contrast import Contrast
from seedwise.comparison.result import ComparisonValues
from seedwise.figures import count, figure, in_points, interval, percent, places, signed, spread
from seedwise.words.cautions import notes
from seedwise.words.decision import decision_grounds
from seedwise.words.numbers import metric_words, pointing
from seedwise.words.run_cautions import Caution, Weight
from seedwise.words.verdict import basis, exploratory_sentence, more_runs, verdict_sentence

__all__ = ["Row", "View", "cautions_of", "view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """B against A under one metric, as text. Accuracies are in %, differences in points.

    Attributes:
        metric: Name of the metric.
        words: The name as it stands in a sentence.
        way: Which way it points, where a reader could doubt it.
        decides: Whether it decides the sign.
        runs: How many pairs, or how many runs of each setup.
        mean_a: Mean of A's runs.
        sd_a: Their standard deviation (ddof 1).
        mean_b: Mean of B's runs.
        sd_b: Their standard deviation (ddof 1).
        estimate: B - A, with its sign.
        these: Its interval for new seeds on these images; `-` for one run of each setup.
        new: The same for new images as well; `-` where single images have no scores.
        p: p-value of no difference.
        p_value: The same as a number.
        r: Correlation of runs of the same seed; `-` where it can't be told, empty unpaired.
    """

    metric: str
    words: str
    way: str
    decides: bool
    runs: str
    mean_a: str
    sd_a: str
    mean_b: str
    sd_b: str
    estimate: str
    these: str
    new: str
    p: str
    p_value: float
    r: str

    @property
    def named(self) -> str:
        """The metric in words, with its direction where that could be doubted."""
        return f"{self.words} ({self.way})" if self.way else self.words

    @property
    def difference(self) -> str:
        """B - A with its interval for new seeds on these images, if there is one."""
        return self.estimate if self.these == "-" else f"{self.estimate} {self.these}"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A comparison in words, in the order in which it is read.

    Attributes:
        title: B - A, by name.
        headline: The verdict in a sentence; a stopping rule's, where one decides.
        grounds: What each metric says, with the stopping rule's own intervals; else empty.
        basis: The runs on which it rests, and how often such a verdict is wrong.
        exploratory: What the same runs would say had their number been fixed; empty without a
            stopping rule.
        more_runs: How many runs would do; empty where no number can be said.
        rows: The metrics, the one that decides first.
        legend: What the columns are.
        details: Means, correlation, churn, and how often B wins.
        notes: What to bear in mind, the weightiest first.
    """

    title: str
    headline: str
    grounds: str
    basis: str
    exploratory: str
    more_runs: str
    rows: tuple[Row, ...]
    legend: str
    details: tuple[str, ...]
    notes: tuple[Caution, ...]

    @property
    def cautions(self) -> tuple[str, ...]:
        """Cautions in full, the weightiest first."""
        return tuple(each.text for each in self.notes)

    @property
    def images(self) -> bool:
        """True if single examples have scores, so that intervals cover them."""
        return any(row.new != "-" for row in self.rows)

    @property
    def brief(self) -> str:
        """The verdict, and the cautions that change how it may be read."""
        grave = (f"Note: {each.text}" for each in self.notes if each.weight == Weight.GRAVE)
        return " ".join((self.headline, *grave))


def view(found: ComparisonValues) -> View:
    """A comparison in words."""
    ruled = found.stopping
    return View(
        title=f"{found.b.name} - {found.a.name}",
        headline=verdict_sentence(found),
        grounds=decision_grounds(ruled.decision, found.speaks_of)
        if ruled and ruled.decision.n
        else "",
        basis=basis(found),
        exploratory=exploratory_sentence(found),
        more_runs=more_runs(found),
        rows=tuple(_row(each, found.deciding.metric) for each in found.contrasts.values()),
        legend=_legend(found),
        details=tuple(_details(found)),
        notes=notes(found),
    )


def cautions_of(
    found: Sequence[ComparisonValues], views: Sequence[View]
) -> list[tuple[Caution, str]]:
    """The cautions of several comparisons, each once, with the setups that it is about."""
    about: dict[Caution, list[str]] = {}
    for each, told in zip(found, views, strict=True):
        for note in told.notes:
            about.setdefault(note, []).append(each.b.name)
    notes = sorted(about.items(), key=lambda item: item[0].weight)
    return [(note, "" if len(names) == len(found) else ", ".join(names)) for note, names in notes]


def _row(found: Contrast, decides: str) -> Row:
    metric, difference = found.metric, found.difference
    new = difference if difference.of_models else found.new_images
    pairs = f"{difference.n_a} pairs"
    digits = places(metric, difference.low, difference.high)
    return Row(
        metric=metric,
        words=metric_words(metric),
        way=pointing(metric, found.higher_is_better),
        decides=metric == decides,
        runs=pairs if difference.paired else f"{difference.n_a}, {difference.n_b}",
        mean_a=figure(metric, found.sample_a.mean, digits),
        sd_a=spread(metric, found.sample_a.sd, digits),
        mean_b=figure(metric, found.sample_b.mean, digits),
        sd_b=spread(metric, found.sample_b.sd, digits),
        estimate=signed(metric, difference.estimate, digits),
        these="-" if difference.of_models else interval(metric, difference.low, difference.high),
        new=interval(metric, new.low, new.high) if new else "-",
        p=f"{difference.p_value:.2g}",
        p_value=difference.p_value,
        r=_correlation_cell(found),
    )


def _correlation_cell(found: Contrast) -> str:
    if found.correlation is None:
        return ""
    r = found.correlation.estimate
    return "-" if math.isnan(r) else f"{r:.2f}"


def _legend(found: ComparisonValues) -> str:
    """Legend of the columns."""
    a, b, sure = found.a.name, found.b.name, percent(found.rule.confidence)
    points = ", accuracies in points" if any(in_points(name) for name in found.contrasts) else ""
    intervals = "intervals for new seeds"
    if found.speaks_of:
        intervals = (
            f"intervals for new seeds on these {found.called}, and for new seeds and new "
            f"{found.called} of the same kind"
        )
    if found.of_models:
        intervals = f"intervals for these two models on new {found.called} of the same kind"
    if found.groups is not None:
        intervals += ", which come in new groups"
    text = f"{b} - {a}{points}; {sure} {intervals}. *: decides the sign. p: of no difference"
    ways = (
        f" {metric_words(name)}: {way}."
        for name, each in found.contrasts.items()
        if (way := pointing(name, each.higher_is_better))
    )
    text = f"{text}. r: correlation of runs with the same seed." if found.paired else f"{text}."
    return text + "".join(ways)


def _details(found: ComparisonValues) -> Iterator[str]:
    """Runs, correlation, churn and how often B beats A."""
    size = found.accuracy or found.deciding
    for setup, sample in ((found.a, size.sample_a), (found.b, size.sample_b)):
        lost = "".join(
            f", {number} {what}"
            for number, what in ((setup.diverged, "diverged"), (setup.failed, "failed"))
            if number
        )
        if found.of_models:
            yield f"{setup.name}: {size.metric} {figure(size.metric, sample.mean)}, 1 run{lost}"
            continue
        yield (
            f"{setup.name}: {size.metric} {figure(size.metric, sample.mean)}, sd "
            f"{spread(size.metric, sample.sd)} (ddof 1), {spread(size.metric, sample.sd0)} "
            f"(ddof 0), {count(sample.n, 'run')}{lost}"
        )
    yield from _correlation(found)
    if not (found.test_to_train or found.of_models):  # its interval takes runs as independent
        yield _chance(found)
    if found.sign_flip is not None:
        yield f"Sign-flip test of {found.deciding.metric}: p = {found.sign_flip:.2g}"
    if found.apart is not None:
        yield _apart(found.called, found.a.name, found.b.name, *found.apart)
    elif found.churn is not None and not found.of_models:
        churn = found.churn
        what = "Predictions that differ"
        if churn.from_scores:
            what = f"{found.called.capitalize()} right in one run and wrong in another"
        pairs = f"same seed {_share(churn.pairs)}; " if found.paired else ""
        yield (
            f"{what}: {pairs}other seeds of {found.a.name} "
            f"{_share(churn.within_a)}, of {found.b.name} {_share(churn.within_b)}"
        )


def _apart(called: str, a: str, b: str, only_a: int, only_b: int) -> str:
    return f"{called.capitalize()} right in {a} only: {only_a:,}; in {b} only: {only_b:,}"


def _correlation(found: ComparisonValues) -> Iterator[str]:
    r = found.deciding.correlation
    if r is not None and not math.isnan(r.estimate):
        yield (
            f"r of {found.deciding.metric}: {r.estimate:.2f} [{r.low:.2f}, {r.high:.2f}] over "
            f"{count(r.pairs, 'seed')}"
        )


def _chance(found: ComparisonValues) -> str:
    chance = found.chance
    text = (
        f"A run of {found.b.name} beats an unrelated run of {found.a.name} in about "
        f"{100 * chance.estimate:.0f} % of cases"
    )
    ends = f"[{100 * chance.low:.0f} %, {100 * chance.high:.0f} %]"
    known = not math.isnan(chance.low)
    if chance.apart:
        every, any_ = ("Every", "every") if chance.estimate else ("No", "any")
        seen = f"{every} run of {found.b.name} so far beats {any_} run of {found.a.name}"
        return f"{seen}; of all such runs {ends} would" if known else seen
    return f"{text} {ends}" if known else f"{text}, of one run"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"
