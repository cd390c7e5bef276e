"""Charts of differences: against the baseline, and as they settled."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from seedwise.comparison import ComparisonValues
from seedwise.comparison.settling import Settling, Step
from seedwise.figures import count, in_points, percent, signed
from seedwise.report.charts.chart import Chart, Key, Table, number
from seedwise.report.charts.rows import IntervalRow, heading, interval_rows, reach
from seedwise.report.charts.theme import role
from seedwise.stats.directions import direction_words
from seedwise.stats.intervals import Difference
from seedwise.stats.sequential import Decision, Interval
from seedwise.words.numbers import metric_words, with_interval

__all__ = ["forest_chart", "trace_chart"]

_HEIGHT = 200

_ALIKE = 0.1
"""Ends that are nearer than this share of an interval cannot be told apart in the chart."""


def forest_chart(
    found: Sequence[ComparisonValues], decisions: Sequence[tuple[str, Decision]]
) -> Chart:
    """The differences from the baseline with their intervals.

    Args:
        found: The comparisons, all with the same baseline.
        decisions: What a stopping rule says of candidates; empty for a study without one.
    """
    several = len(found) > 1
    points = in_points(found[0].deciding.metric)
    scale = 100 if points else 1
    rows = list[IntervalRow]()
    table = list[tuple[str, ...]]()
    ruled = dict(decisions)
    for place, each in enumerate(found, start=1):
        b, colour = each.b.name, role(place)
        rows += [heading(b, colour)] if several else []
        if b in ruled:
            label, estimate = _of_rule(ruled[b])
            rows.append(_row(label, ruled[b].metric, estimate, scale, colour))
            table.append((b, *_cells(label, ruled[b].metric, estimate), "-"))
        for metric, contrast in _drawn(each, points):
            for difference in (contrast.difference, contrast.new_images):
                if difference is None:
                    continue
                wider = difference.population != "these images"
                label = metric_words(metric) + (f", new {each.called}" if wider else "")
                p = f"{difference.p_value:.2g}"
                table.append((b, *_cells(label, metric, difference), p))
                again = difference is not contrast.difference
                same = again and _alike(contrast.difference, difference)
                if metric in ("accuracy", each.deciding.metric) and not same:
                    rows.append(_row(label, metric, difference, scale, colour, not wider))
    first = found[0]
    margin = first.rule.margin
    way = direction_words(first.deciding.higher_is_better)
    unit = ", points" if points else f" ({metric_words(first.deciding.metric)}: {way})"
    return Chart(
        kind="forest",
        title=f"Difference from {first.a.name}"
        if several
        else f"{first.b.name} - {first.a.name}: the difference",
        says=" ".join(_says_difference(each) for each in found),
        table=Table.of(("setup", "what", "difference", "from", "to", "p"), table),
        spec=interval_rows(
            rows,
            title=f"difference from {first.a.name}{unit}",
            reference=0.0,
            margin=None if margin is None else scale * margin,
            # A row alone flattens no other: its interval is shown whole.
            widest=reach([row.value for row in rows]) if len(rows) > 1 else math.inf,
        ),
        legend=_legend(rows, "@muted" if several else role(1), margin, first),
    )


def _uncounted(alone: int) -> str:
    if not alone:
        return ""
    return f"; the verdict also counts {count(alone, 'run')} without a partner"


def trace_chart(found: Settling, colour: str, direction: str = "") -> Chart:
    """A difference as it settled, pair by pair.

    Args:
        found: The difference.
        colour: Name of the candidate's colour.
        direction: Which way the metric points, in words; empty where there can be no doubt.
    """
    words, sure = metric_words(found.metric), percent(found.confidence)
    unit = " (points)" if in_points(found.metric) else f" ({direction})" if direction else ""
    rows = [
        (
            str(step.n),
            "-" if step.seed is None else str(step.seed),
            signed(found.metric, step.own),
            *(signed(found.metric, end) for end in _ends(step.so_far)),
        )
        for step in found.steps
    ]
    last = found.steps[-1].so_far
    sides = f" ({sure} interval)" if math.isfinite(last.high) else ""
    return Chart(
        kind="trace",
        title=f"{words.capitalize()}: {found.b} - {found.a}, pair by pair",
        says=(
            f"After {len(found.steps)} pairs the mean difference is "
            f"{with_interval(found.metric, last)}{sides}."
        ),
        table=Table.of(("pairs", "seed", "this pair", "mean so far", "from", "to"), rows),
        spec=_trace_spec(found, colour, f"{words}, difference{unit}"),
    )


def _trace_spec(found: Settling, colour: str, title: str) -> dict[str, Any]:
    """The picture: margins, the band, single pairs as dots, and the mean so far."""
    scale = 100 if in_points(found.metric) else 1
    data = [_step(step, scale) for step in found.steps]
    lines = [{"at": 0.0, "what": "no difference"}]
    if found.margin is not None:
        lines += [{"at": side * scale * found.margin, "what": "margin"} for side in (-1, 1)]
    low, high = _window(data, lines)
    y = {
        "type": "quantitative",
        "title": title,
        "scale": {"domain": [low, high], "nice": False, "zero": False},
    }
    x = {
        "field": "n",
        "type": "quantitative",
        "title": "pairs of runs" + _uncounted(found.alone),
        "axis": {"tickMinStep": 1, "grid": False},
        "scale": {"domain": [0.5, len(data) + 0.5], "nice": False, "zero": False},
    }
    tips = [
        {"field": "n", "title": "pairs"},
        {"field": "seed", "title": "seed"},
        {"field": "own_text", "title": "this pair"},
        {"field": "text", "title": "mean so far"},
    ]
    dots = {"type": "point", "filled": True, "size": 26, "color": "@muted", "opacity": 0.65}
    corners = {"filled": True, "size": 34, "color": colour} if len(data) <= 60 else False
    line = {"type": "line", "color": colour, "strokeWidth": 2, "clip": True, "point": corners}
    return {
        "height": _HEIGHT,
        "data": {"values": data},
        "layer": [
            _margins(lines, y),
            {
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {"type": "area", "color": colour, "opacity": 0.2, "clip": True},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {**dots, "clip": True},
                "encoding": {"x": x, "y": {**y, "field": "own"}, "tooltip": tips},
            },
            {"mark": line, "encoding": {"x": x, "y": {**y, "field": "mean"}, "tooltip": tips}},
        ],
    }


def _margins(lines: Sequence[Mapping[str, Any]], y: Mapping[str, Any]) -> dict[str, Any]:
    """The line of no difference, and the margins as dashed ones."""

    def unless_margin(value: Any, margin: Any) -> dict[str, Any]:
        test = {"test": "datum.what == 'margin'", "value": margin}
        return {"condition": test, "value": value}

    return {
        "data": {"values": lines},
        "mark": {"type": "rule", "color": "@ink", "strokeWidth": 1},
        "encoding": {
            "y": {**y, "field": "at"},
            "strokeDash": unless_margin([1, 0], [5, 4]),
            "opacity": unless_margin(0.8, 0.6),
        },
    }


def _drawn(found: ComparisonValues, points: bool) -> list[tuple[str, Any]]:
    """The contrasts of one unit: accuracy, the one that decides, then the others."""
    first = ("accuracy", found.deciding.metric)
    names = sorted(found.contrasts, key=lambda name: (name not in first, name != "accuracy"))
    if not points:
        names = [found.deciding.metric]
    return [(name, found.contrasts[name]) for name in names if in_points(name) == points]


def _alike(one: Difference, other: Difference) -> bool:
    """True if two intervals are the same to a tenth of their length: one row tells both."""
    apart = max(abs(one.low - other.low), abs(one.high - other.high))
    return apart <= _ALIKE * (one.high - one.low)


def _of_rule(decision: Decision) -> tuple[str, Interval]:
    words = metric_words(decision.metric)
    found = Interval(estimate=decision.estimate, low=decision.low, high=decision.high)
    return f"{words}, stopping rule", found


def _row(
    label: str,
    metric: str,
    found: Interval | Difference,
    scale: int,
    colour: str,
    filled: bool = True,
) -> IntervalRow:
    return IntervalRow(
        label=label,
        figures=with_interval(metric, found),
        value=scale * found.estimate,
        low=scale * found.low,
        high=scale * found.high,
        colour=colour,
        filled=filled,
    )


def _cells(label: str, metric: str, found: Interval | Difference) -> tuple[str, ...]:
    return label, *(signed(metric, end) for end in (found.estimate, found.low, found.high))


def _says_difference(found: ComparisonValues) -> str:
    size = found.accuracy or found.deciding
    metric, difference = size.metric, size.difference
    if found.stopping and found.stopping.decision.n:  # the interval that the verdict states
        decision = found.stopping.decision
        metric, difference = decision.judged, decision.trace[-1].accuracy
    shown = with_interval(metric, difference)
    return f"{found.b.name} - {found.a.name}: {metric_words(metric)} {shown}."


def _legend(
    rows: Sequence[IntervalRow], colour: str, margin: float | None, first: ComparisonValues
) -> tuple[Key, ...]:
    called = first.called
    keys = [Key(colour, f"new seeds, these {called}")]
    if first.of_models:
        keys = [Key(colour, f"these two models, new {called}", "hollow")]
    elif not all(row.filled for row in rows):
        keys.append(Key(colour, f"new seeds and new {called}", "hollow"))
    if margin is not None:
        keys.append(Key("@ink", "margin of equivalence", "dashed"))
    return tuple(keys)


def _step(step: Step, scale: int) -> dict[str, Any]:
    low, high = (number(scale * end) for end in (step.so_far.low, step.so_far.high))
    metric = "accuracy" if scale == 100 else "value"
    return {
        "n": step.n,
        "seed": "-" if step.seed is None else str(step.seed),
        "own": number(scale * step.own),
        "mean": number(scale * step.so_far.estimate),
        "low": low,
        "high": high,
        "own_text": signed(metric, step.own),
        "text": with_interval(metric, step.so_far),
    }


def _ends(found: Interval) -> tuple[float, float, float]:
    return found.estimate, found.low, found.high


def _window(
    data: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]
) -> tuple[float, float]:
    """Range of the axis: all dots and lines, and of early intervals what is near them."""
    held = [each["own"] for each in data] + [line["at"] for line in lines]
    held += [data[-1]["low"], data[-1]["high"]]
    held = [end for end in held if end is not None]
    low, high = min(held), max(held)
    room = 0.08 * high - 0.08 * low or 0.5
    most = sys.float_info.max  # a loss of 1e308 is a number, twice that is none
    return max(low - room, -most), min(high + room, most)
