"""What a notebook shows of a summary and of a comparison: plain HTML tables, all text escaped."""

import math
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from seedwise.comparison.sentences import BY_NUMBER, exploratory_sentence, verdict_sentence
from seedwise.figures import figure, in_points, signed, spread
from seedwise.stats.intervals import Difference

if TYPE_CHECKING:
    from seedwise.comparison.contrast import Contrast
    from seedwise.comparison.result import Comparison
    from seedwise.comparison.summary import SetupSummary, Summary

__all__ = ["comparison_html", "summary_html"]

_SUMMARY = ("setup", "metric", "runs", "mean", "sd (ddof 0)", "sd (ddof 1)", "diverged", "failed")
_DIFFERENCES = ("metric", "runs", "difference", "on these images", "on new images", "p")


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
    """The verdict in a sentence, and B - A under each metric on these images and on new ones."""
    rows = [_difference_row(each) for each in comparison.contrasts.values()]
    title = f"{comparison.b.name} - {comparison.a.name}"
    said = f"<p>{escape(verdict_sentence(comparison))}</p>"
    if comparison.stopping is not None:
        said += f"<p>{escape(BY_NUMBER)} {escape(exploratory_sentence(comparison))}</p>"
    return said + _table(title, _DIFFERENCES, rows)


def _difference_row(found: "Contrast") -> tuple[str, ...]:
    metric, difference = found.metric, found.difference
    unit = " (points)" if in_points(metric) else ""
    new = "-" if found.new_images is None else _interval(metric, found.new_images)
    p = "-" if math.isinf(difference.low) else f"{difference.p_value:.2g}"
    pairs = f"{difference.n_a} pairs"
    runs = pairs if difference.paired else f"{difference.n_a}, {difference.n_b}"
    estimate = signed(metric, difference.estimate)
    return f"{metric}{unit}", runs, estimate, _interval(metric, difference), new, p


def _interval(metric: str, found: Difference) -> str:
    return f"{signed(metric, found.low)} to {signed(metric, found.high)}"


def _table(caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table>{top}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
