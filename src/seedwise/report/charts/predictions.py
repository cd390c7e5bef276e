"""Charts of predictions: class by class, group by group, and how certain the examples are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seedwise.comparison.predicted import ClassDifference, Predicted
from seedwise.figures import figure, in_points, interval, percent, signed
from seedwise.report.charts.chart import Chart, Key, Table
from seedwise.report.charts.rows import IntervalRow, interval_rows, reach
from seedwise.report.charts.theme import role
from seedwise.words.numbers import metric_words, with_interval

__all__ = ["certainty_chart", "classes_chart"]

_MOST_CLASSES = 30


def classes_chart(
    a: str,
    b: str,
    found: Sequence[ClassDifference],
    *,
    metric: str,
    by: str,
    confidence: float,
    colour: str,
    called: str,
) -> Chart:
    """The difference in each class or group, the largest first.

    Args:
        a: Name of setup A.
        b: Name of setup B.
        found: The classes.
        metric: What the differences are of.
        by: What they are: `class` or `group`.
        confidence: Of all intervals together.
        colour: Name of B's colour.
        called: What the examples are called, as a plural.
    """
    scale = 100 if in_points(metric) else 1
    several = {"class": "classes"}.get(by, f"{by}s")
    words = metric_words(metric)
    ordered = sorted(found, key=lambda each: -abs(each.difference.estimate))
    shown = sorted(ordered[:_MOST_CLASSES], key=lambda each: -each.difference.estimate)
    rows = [
        IntervalRow(
            label=f"{each.name} ({each.images})",
            figures=with_interval(metric, each.difference),
            value=scale * each.difference.estimate,
            low=scale * each.difference.low,
            high=scale * each.difference.high,
            colour=colour,
            filled=each.difference.clear_of_zero,
        )
        for each in shown
    ]
    clear = [each.name for each in ordered if each.difference.clear_of_zero]
    seen = f"clear of 0 in {', '.join(clear[:8])}" if clear else f"clear of 0 in no {by}"
    more = f" and {len(clear) - 8} more" if len(clear) > 8 else ""
    left = len(found) - len(shown)
    left_out = f" {left} {several} with smaller differences are in the table only." if left else ""
    return Chart(
        kind=several,
        title=f"{words[:1].upper()}{words[1:]} {by} by {by}: {b} - {a}",
        says=f"The difference is {seen}{more}.{left_out}",
        table=Table.of(
            (by, called, a, b, "difference", f"together {percent(confidence)}"),
            [
                (
                    each.name,
                    f"{each.images:,}",
                    figure(metric, each.a),
                    figure(metric, each.b),
                    signed(metric, each.difference.estimate),
                    interval(metric, each.difference.low, each.difference.high),
                )
                for each in found
            ],
        ),
        spec=interval_rows(
            rows,
            title=f"difference of {words}{', points' if scale == 100 else ''}",
            reference=0.0,
            widest=reach([row.value for row in rows]),
        ),
    )


def certainty_chart(
    found: Mapping[str, Predicted], places: Mapping[str, int], called: str
) -> Chart:
    """Numbers of examples by P(correct) under each setup.

    Args:
        found: The predictions of each setup.
        places: The place of each setup, which gives its colour.
        called: What the examples are called, as a plural.
    """
    bins = ("never", *(f"{10 * i}-{10 * i + 10} %" for i in range(10)), "always")
    counts = {name: _counts(each) for name, each in found.items()}
    data = [
        {"setup": name, "share": share, "place": place, "count": count}
        for name, each in counts.items()
        for place, (share, count) in enumerate(zip(bins, each, strict=True))
    ]
    what = "predictions" if all(len(each.usual) for each in found.values()) else "runs"
    legend = tuple(Key(role(places[name]), name) for name in found)
    spec: dict[str, Any] = {
        "height": 240,
        "data": {"values": data},
        "mark": {"type": "bar"},
        "encoding": {
            "x": {
                "field": "share",
                "type": "nominal",
                "sort": list(bins),
                "title": f"share of {what} that are right",
                "axis": {"labelAngle": -45, "labelFlush": False},
            },
            "xOffset": {"field": "setup", "type": "nominal", "sort": [key.name for key in legend]},
            "y": {
                "field": "count",
                "type": "quantitative",
                "title": called,
                "axis": {"tickCount": 5},
            },
            "color": {
                "field": "setup",
                "type": "nominal",
                "scale": {
                    "domain": [key.name for key in legend],
                    "range": [key.colour for key in legend],
                },
                "title": None,
            },
            "tooltip": [
                {"field": "setup", "title": "setup"},
                {"field": "share", "title": "right"},
                {"field": "count", "title": called},
            ],
        },
    }
    says = " ".join(
        f"{name}: {each[-1]:,} of {sum(each):,} {called} are right in every run, "
        f"{each[0]:,} in none, {sum(each[1:-1]):,} in some."
        for name, each in counts.items()
    )
    return Chart(
        kind="images",
        title=f"{called.capitalize()} by how often they are right",
        says=says,
        table=Table.of(
            ("right", *counts),
            [
                (share, *(f"{each[place]:,}" for each in counts.values()))
                for place, share in enumerate(bins)
            ],
        ),
        spec=spec,
        legend=legend,
    )


def _counts(found: Predicted) -> list[int]:
    """Images that are never right, in each tenth between, and always."""
    right = found.right
    between = right[(right > 0) & (right < 1)]
    tenths = np.bincount(np.minimum((10 * between).astype(int), 9), minlength=10)
    return [int((right == 0).sum()), *tenths.tolist(), int((right == 1).sum())]
