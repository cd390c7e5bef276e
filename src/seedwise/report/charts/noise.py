"""Charts of noise: which metric has least of it, and where it comes from."""

import math
from collections.abc import Iterator, Mapping, Sequence

from seedwise.comparison import Variance
from seedwise.comparison.variance import MetricNoise, SignalTable
from seedwise.figures import in_points, percent, signed, spread
from seedwise.report.charts.chart import Chart, Table
from seedwise.report.charts.rows import IntervalRow, interval_rows
from seedwise.report.charts.theme import role
from seedwise.stats.variance import Estimate
from seedwise.words.numbers import (
    deviation_interval,
    deviation_with_interval,
    factor,
    metric_words,
    share,
)

__all__ = ["metrics_chart", "sources_chart", "variance_chart"]

_SHOWN = ("accuracy", "matched_accuracy", "smoothed_accuracy")


def metrics_chart(baseline: str, found: SignalTable, colour: str) -> Chart:
    """Factor of runs that each metric saves, best first.

    Args:
        baseline: Name of the setup that is compared with.
        found: The signal of each metric.
        colour: Name of the other setup's colour.
    """
    ordered = sorted(
        (name for name in found.metrics if math.isfinite(found.metrics[name].saved_paired.value)),
        key=lambda name: -found.metrics[name].saved_paired.value,
    )
    rows = [
        IntervalRow(
            label=metric_words(name) + (" *" if found.elsewhere(name) else ""),
            figures=factor(found.metrics[name].saved_paired),
            value=found.metrics[name].saved_paired.value,
            low=found.metrics[name].saved_paired.low,
            high=found.metrics[name].saved_paired.high,
            colour="@muted" if found.elsewhere(name) else colour,
            filled=not found.elsewhere(name),
        )
        for name in ordered
    ]
    best = [name for name in ordered if not found.elsewhere(name)]
    says = "No metric's saving can be told."
    if best:
        says = (
            f"For {found.other} - {baseline}, {metric_words(best[0])} compared in pairs needs "
            f"{factor(found.metrics[best[0]].saved_paired)} times fewer runs than accuracy of "
            "unrelated runs."
        )
    return Chart(
        kind="metrics",
        title=f"Runs saved by each metric: {found.other} against {baseline}",
        says=says,
        table=Table.of(
            ("metric", "difference", "r", "runs saved, paired", "runs saved, unpaired"),
            [
                (
                    metric_words(name) + (" *" if found.elsewhere(name) else ""),
                    signed(name, signal.difference),
                    "-" if math.isnan(signal.correlation) else f"{signal.correlation:.2f}",
                    factor(signal.saved_paired),
                    "1" if name == "accuracy" else factor(signal.saved_unpaired),
                )
                for name, signal in found.metrics.items()
            ],
        ),
        spec=interval_rows(
            rows, title="times fewer runs than unpaired accuracy", reference=1.0, log=True
        ),
    )


def variance_chart(found: Sequence[Variance], places: Mapping[str, int]) -> Chart:
    """Spread of runs, under the metrics that a verdict looks at.

    Args:
        found: One for each setup.
        places: The place of each setup, which gives its colour.
    """
    rows, table = list[IntervalRow](), list[tuple[str, ...]]()
    points = all(in_points(noise.name) for each in found for noise in _shown(each))
    for each in found:
        for noise in _shown(each):
            deviation = noise.variance.root
            rows.append(
                IntervalRow(
                    label=f"{each.setup}: {metric_words(noise.name)}",
                    figures=deviation_with_interval(noise.name, deviation),
                    value=_scaled(deviation.value, points),
                    low=_scaled(deviation.low, points),
                    high=_scaled(deviation.high, points),
                    colour=role(places[each.setup]),
                )
            )
        table += [_split_row(each, noise) for noise in each.metrics]
    return Chart(
        kind="variance",
        title="How much runs of one setup differ",
        says=" ".join(_says(each) for each in found),
        table=Table.of(
            (
                "setup",
                "metric",
                "sd",
                f"{percent(found[0].confidence)} interval",
                "test-set share",
                f"if {found[0].called} were independent",
            ),
            table,
        ),
        spec=interval_rows(
            rows,
            title="standard deviation over runs" + (", points" if points else ""),
            zero=True,
            widest=4 * max((row.value for row in rows if math.isfinite(row.value)), default=1.0)
            or math.inf,
        ),
    )


def sources_chart(found: Sequence[Variance], places: Mapping[str, int]) -> Chart | None:
    """Deviation that is left where only one stream varies; None where no runs tell."""
    lines = [(each.setup, *line) for each in found for line in _sources(each.metrics[0])]
    if not lines:
        return None
    metric = found[0].metrics[0].name
    points = in_points(metric)
    rows = [
        IntervalRow(
            label=f"{setup}: {what}",
            figures=deviation_with_interval(metric, deviation),
            value=_scaled(deviation.value, points),
            low=_scaled(deviation.low, points),
            high=_scaled(deviation.high, points),
            colour=role(places[setup]),
        )
        for setup, what, deviation in lines
    ]
    return Chart(
        kind="sources",
        title=f"By source of randomness: {metric_words(metric)}",
        says=" ".join(f"{row.label}: standard deviation {row.figures}." for row in rows),
        table=Table.of(
            ("setup", "what varies", "sd", f"{percent(found[0].confidence)} interval"),
            [
                (setup, what, spread(metric, each.value), deviation_interval(metric, each))
                for setup, what, each in lines
            ],
        ),
        spec=interval_rows(
            rows,
            title="standard deviation over runs" + (", points" if points else ""),
            zero=True,
        ),
    )


def _shown(found: Variance) -> list[MetricNoise]:
    """The metrics that are drawn: accuracies, one metric of all tasks, or the first."""
    within = {noise.name.rpartition("/")[2] for noise in found.metrics}
    every = found.metrics if len(within) == 1 else found.metrics[:1]
    return [noise for noise in found.metrics if noise.name in _SHOWN] or [*every]


def _sources(noise: MetricNoise) -> Iterator[tuple[str, Estimate]]:
    crossed = noise.crossed
    if crossed:
        yield "all streams vary", crossed.total.root
        for stream, part in crossed.alone.items():
            yield f"only {stream} varies", part.root
        if crossed.repeats:
            value = math.sqrt(crossed.repeats.variance)
            yield "nothing varies (repeats)", Estimate(value=value, low=math.nan, high=math.nan)
    elif noise.alone:
        yield "all streams vary", noise.variance.root
    for stream, alone in noise.alone.items():
        yield f"only {stream} varies ({alone.runs} runs)", alone.variance.root


def _split_row(found: Variance, noise: MetricNoise) -> tuple[str, ...]:
    deviation = noise.variance.root
    split = noise.split
    test_set = "-" if split is None else share(split.test_set_share)
    floor = "-" if split is None else spread(noise.name, math.sqrt(split.independent))
    return (
        found.setup,
        metric_words(noise.name),
        spread(noise.name, deviation.value),
        deviation_interval(noise.name, deviation),
        test_set,
        floor,
    )


def _says(found: Variance) -> str:
    noise = found.metrics[0]
    text = (
        f"{found.setup}: the {metric_words(noise.name)} of {found.runs} runs has standard "
        f"deviation {deviation_with_interval(noise.name, noise.variance.root)}"
    )
    split = noise.split
    if split is None:
        return f"{text}."
    if not split.enough_runs:
        return f"{text}; {split.runs} runs are too few to tell training noise from test-set noise."
    return (
        f"{text}; {share(split.test_set_share)} of its variance comes from the "
        f"{split.images:,} {found.called} being few, the rest from training."
    )


def _scaled(value: float, points: bool) -> float:
    return 100 * value if points else value
