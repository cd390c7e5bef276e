"""Summaries and comparisons in print."""

import math
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seedwise.cli.words import count, figure, in_points, signed, spread
from seedwise.comparison import Comparison, SetupSummary, Summary
from seedwise.stats.intervals import Difference

__all__ = ["plain_table", "print_comparison", "print_summary", "say"]


def say(console: Console, text: str) -> None:
    """Print text as it is: no markup, no wrapping, no colours for numbers."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def plain_table(columns: Iterable[str], *, left: int = 1) -> Table:
    """A table without lines, whose first `left` columns hold words and the others numbers."""
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(
            column,
            justify="left" if place < left else "right",
            overflow="fold",
            no_wrap=place >= left,
        )
    return table


def print_summary(console: Console, summary: Summary) -> None:
    """Mean and standard deviation of each metric of each setup, as the notebook's last cell."""
    if summary.dataset:
        say(console, f"{summary.dataset}: {count(summary.examples, 'validation example')}")
    table = plain_table(
        ("setup", "metric", "runs", "mean", "sd\nddof 0", "sd\nddof 1", "diverged", "failed"),
        left=2,
    )
    for setup in summary.setups:
        for row in _rows(setup):
            table.add_row(*row)
    console.print(table)
    if any(in_points(metric) for setup in summary.setups for metric in setup.metrics):
        say(
            console,
            "sd: standard deviation; of accuracies in points, and with ddof 0 as the notebook",
        )


def _rows(setup: SetupSummary) -> Iterable[tuple[Text | str, ...]]:
    """A line for each metric; the counts stand in the first."""
    counts = (str(setup.diverged), str(setup.failed))
    if not setup.metrics:
        yield Text(setup.name), "", str(setup.finished), "-", "-", "-", *counts
    for place, (metric, sample) in enumerate(setup.metrics.items()):
        yield (
            Text(setup.name if place == 0 else ""),
            Text(metric),
            str(sample.n),
            figure(metric, sample.mean),
            spread(metric, sample.sd0),
            spread(metric, sample.sd),
            *(counts if place == 0 else ("", "")),
        )


def print_comparison(console: Console, comparison: Comparison) -> None:
    """B - A with its intervals, and what they do not say."""
    metric = comparison.metric
    unit = ", in points" if in_points(metric) else ""
    say(console, f"{comparison.b} - {comparison.a}: {metric}{unit}")
    for name, sample in ((comparison.a, comparison.sample_a), (comparison.b, comparison.sample_b)):
        say(
            console,
            f"  {name}: mean {figure(metric, sample.mean)}, sd {spread(metric, sample.sd0)} "
            f"(ddof 0), {spread(metric, sample.sd)} (ddof 1), {count(sample.n, 'run')}",
        )
    if comparison.paired is not None:
        pairs = count(comparison.paired.n_a, "seed")
        known = not math.isnan(comparison.correlation)
        r = f", r = {comparison.correlation:.2f}" if known else ""
        _print_difference(console, f"paired, {pairs} that both ran{r}", comparison.paired, metric)
    _print_difference(console, "unpaired (Welch)", comparison.unpaired, metric)
    for name, diverged in zip((comparison.a, comparison.b), comparison.diverged, strict=True):
        if diverged:
            runs = count(diverged, "diverged run")
            say(console, f"  {runs} of {name} are left out of these figures")
    say(console, "  The intervals speak of new seeds on these images, not of new images.")


def _print_difference(console: Console, how: str, found: Difference, metric: str) -> None:
    interval = f"[{signed(metric, found.low)}, {signed(metric, found.high)}]"
    say(
        console,
        f"  {how}: {signed(metric, found.estimate)}, {100 * found.confidence:g} % interval "
        f"{interval}, p = {found.p_value:.2g}",
    )
