"""What a notebook shows of a summary and of a comparison: plain HTML tables, all text escaped."""

import math
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from seedwise.comparison.figures import figure, in_points, spread
from seedwise.stats.intervals import Difference

if TYPE_CHECKING:
    from seedwise.comparison.compare import Comparison
    from seedwise.comparison.summary import SetupSummary, Summary

__all__ = ["comparison_html", "summary_html"]

_SUMMARY = ("setup", "metric", "runs", "mean", "sd (ddof 0)", "sd (ddof 1)", "diverged", "failed")
_SIDES = ("setup", "runs", "mean", "sd (ddof 1)", "diverged")
_DIFFERENCES = ("", "difference", "interval", "p")


def summary_html(summary: "Summary") -> str:
    """The runs of each setup under each metric."""
    caption = "nothing stored"
    if summary.setups:
        caption = f"{summary.dataset}: {summary.examples:,} examples" if summary.dataset else ""
    rows = [row for setup in summary.setups for row in _summary_rows(setup)]
    return _table(caption, _SUMMARY, rows)


def _summary_rows(setup: "SetupSummary") -> Iterable[tuple[str, ...]]:
    counts = (str(setup.diverged), str(setup.failed))
    if not setup.metrics:
        yield setup.name, "", str(setup.finished), "-", "-", "-", *counts
    for metric, sample in setup.metrics.items():
        sds = (spread(metric, sample.sd0), spread(metric, sample.sd))
        yield setup.name, metric, str(sample.n), figure(metric, sample.mean), *sds, *counts


def comparison_html(comparison: "Comparison") -> str:
    """Both setups, and B - A paired and unpaired."""
    metric = comparison.metric
    unit = ", in points" if in_points(metric) else ""
    sides = [
        (
            name,
            str(sample.n),
            figure(metric, sample.mean),
            spread(metric, sample.sd),
            str(diverged),
        )
        for name, sample, diverged in (
            (comparison.a, comparison.sample_a, comparison.diverged[0]),
            (comparison.b, comparison.sample_b, comparison.diverged[1]),
        )
    ]
    found = {"paired": comparison.paired, "unpaired": comparison.unpaired}
    rows = [_difference_row(how, metric, each) for how, each in found.items() if each is not None]
    title = f"{comparison.b} - {comparison.a}: {metric}{unit}"
    return _table(title, _SIDES, sides) + _table("", _DIFFERENCES, rows)


def _difference_row(how: str, metric: str, found: Difference) -> tuple[str, ...]:
    numbers = (found.estimate, found.low, found.high)
    estimate, low, high = (f"{'+' if each > 0 else ''}{spread(metric, each)}" for each in numbers)
    pairs = f", {found.n_a} seeds that both ran" if found.paired else ""
    p = "-" if math.isinf(found.low) else f"{found.p_value:.2g}"
    return f"{how}{pairs}", estimate, f"{100 * found.confidence:g} %: {low} to {high}", p


def _table(caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table>{top}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
