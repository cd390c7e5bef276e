"""The first sections: the verdict, the runs, and what the noise says."""

from collections.abc import Iterator, Sequence

from seedwise.comparison import ComparisonValues
from seedwise.figures import count, figure, in_points, interval, percent, spread
from seedwise.report.charts import Table
from seedwise.report.findings import NOISE_RUNS, Findings
from seedwise.report.page.parts import Block, Listed, Said, Section, drawn
from seedwise.words.numbers import metric_words, with_interval
from seedwise.words.run_cautions import Caution, Weight
from seedwise.words.suite import suite_view
from seedwise.words.verdict import BY_NUMBER
from seedwise.words.view import View, cautions_of, view

__all__ = [
    "grounds_section",
    "noise_section",
    "runs_section",
    "trace_section",
    "verdict_section",
]


def verdict_section(found: Findings) -> Section:
    """The verdict: the claim, its size, and its certainty."""
    if found.suites:
        return Section("verdict", "Verdict", tuple(_over_tasks(found)))
    if not found.comparisons:
        return Section("verdict", "What the runs show", tuple(_alone(found)))
    return Section("verdict", "Verdict", tuple(_compared(found)))


def runs_section(found: Findings) -> Section | None:
    """Every run, and how they learn."""
    blocks = tuple(drawn("runs", found))
    return Section("runs", "Every run", blocks) if blocks else None


def trace_section(found: Findings) -> Section | None:
    """The settling of the difference."""
    blocks = tuple(drawn("trace", found))
    return Section("trace", "How it settled", blocks) if blocks else None


def noise_section(found: Findings) -> Section | None:
    """The metric that needs the fewest runs, and the sources of the variance."""
    blocks = list(drawn("noise", found))
    if not blocks:
        return None
    if any(len(found.finished(name)) > NOISE_RUNS for name in found.setups):
        first = f"From the first {NOISE_RUNS} runs of each setup; seedwise variance takes all."
        blocks.append(Said(first, "quiet"))
    if found.large:
        few = "Predictions are many: four metrics are shown; seedwise variance takes a dozen."
        blocks.append(Said(few, "quiet"))
    return Section("noise", "Where the noise comes from", tuple(blocks))


def _compared(found: Findings) -> Iterator[Block]:
    """The verdict of each comparison, as `seedwise compare` prints it, and its figures."""
    views = [view(each) for each in found.comparisons]
    for told in views:
        yield Said(told.headline, "verdict")
        if told.more_runs:
            yield Said(told.more_runs)
    cautions = cautions_of(found.comparisons, views)
    yield from (_note(each) for each in cautions if each[0].weight == Weight.GRAVE)
    yield from drawn("verdict", found)
    yield Listed("Means and p-values under every metric", _figures(found, views), folded=True)


def _over_tasks(found: Findings) -> Iterator[Block]:
    """The verdict over the tasks of a suite, and each task."""
    views = [suite_view(each) for each in found.suites]
    for told in views:
        yield Said(told.headline, "verdict")
        yield Said(told.counted)
        yield Said(told.basis, "quiet")
        if told.exploratory:
            yield Said(f"{BY_NUMBER} {told.exploratory}", "quiet")
    yield from drawn("verdict", found)
    if views[-1].ranks:
        yield Said(views[-1].ranks)
    notes: dict[str, list[str]] = {}
    for each, told in zip(found.suites, views, strict=True):
        for caution in told.cautions:
            notes.setdefault(caution, []).append(each.b)
    for caution, names in notes.items():
        everywhere = len(names) == len(views)
        yield Said(caution if everywhere else f"{', '.join(names)}: {caution}", "note")
    several = len(views) > 1
    means = (found.setups[0], "setup" if several else found.suites[0].b)
    columns = ("task", "runs", *(f"mean of {name}" for name in means), "difference")
    rows = [
        (
            f"{each.b}: {row.task}" if several else row.task,
            row.runs,
            row.mean_a,
            row.mean_b,
            f"{row.estimate} {row.interval}",
            row.p,
            row.outcome,
        )
        for each, told in zip(found.suites, views, strict=True)
        for row in told.rows
    ]
    yield Listed("Every task", Table.of((*columns, "p", "verdict"), rows), folded=True)


def grounds_section(found: Findings) -> Section | None:
    """Grounds of the verdicts: runs, error rates, wider intervals, and the lighter cautions."""
    if found.suites or not found.comparisons:
        return None
    views = [view(each) for each in found.comparisons]
    blocks = list[Block]()
    for each, told in zip(found.comparisons, views, strict=True):
        if told.grounds:
            blocks.append(Said(f"By the rule: {told.grounds}"))
        blocks += [Said(_intervals(each)), Said(told.basis)]
        if told.exploratory:
            blocks.append(Said(f"{BY_NUMBER} {told.exploratory}", "quiet"))
    cautions = cautions_of(found.comparisons, views)
    blocks += [_note(each) for each in cautions if each[0].weight != Weight.GRAVE]
    return Section("grounds", "What it rests on", tuple(blocks))


def _note(caution: tuple[Caution, str]) -> Said:
    note, who = caution
    return Said(f"{who}: {note.text}" if who else note.text, "note")


def _intervals(found: ComparisonValues) -> str:
    """The difference with its two intervals."""
    size = found.accuracy or found.deciding
    sure = percent(found.rule.confidence)
    unit = "points" if in_points(size.metric) else ""
    of = "for new seeds on these"
    if found.of_models:
        of = "for these two models on new"
    text = (
        f"{metric_words(size.metric).capitalize()} of {found.b.name} - {found.a.name}: "
        f"{with_interval(size.metric, size.difference, unit)} {of} {found.called}"
    )
    if size.new_images is not None:
        wider = interval(size.metric, size.new_images.low, size.new_images.high)
        text += f", {wider} for new seeds and new {found.called} of the same kind"
    return f"{text} ({sure} intervals)."


def _figures(found: Findings, views: Sequence[View]) -> Table:
    rows = [
        (
            each.b.name,
            row.named + ("*" if row.decides else ""),
            row.mean_a,
            row.mean_b,
            row.difference,
            row.new,
            row.p,
            row.r or "-",
        )
        for each, told in zip(found.comparisons, views, strict=True)
        for row in told.rows
    ]
    means = (f"mean of {found.setups[0]}", "its mean")
    called = found.called
    these = (f"difference, these {called}", f"new {called}")
    columns = ("setup", "metric", *means, *these, "p", "r")
    return Table.of(columns, rows)


def _alone(found: Findings) -> Iterator[Block]:
    """The figures of the only setup."""
    metric = found.metric
    for each in found.sampled():
        sample = each.samples[metric]
        sd = f", standard deviation {spread(metric, sample.sd)} (ddof 1)" if sample.n > 1 else ""
        way = found.shown_direction(metric)
        mean = f"{metric_words(metric)} {figure(metric, sample.mean)}{way and f' ({way})'}"
        runs = count(sample.n, "run")
        yield Said(f"{each.setup}: {mean}{sd}, over {runs}.", "verdict")
    if not found.sampled():
        yield Said(f"{found.setups[0]}: every run diverged.", "verdict")
    yield Said(found.unjudged, "quiet")
