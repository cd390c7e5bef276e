"""The form that most charts share: rows, each a name with a dot and its interval below it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seedwise.report.charts.chart import number

__all__ = ["IntervalRow", "heading", "interval_rows", "named", "reach", "row_axis"]

_ROW = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalRow:
    """A row.

    Attributes:
        label: Name of the row.
        figures: Its figures, as text.
        value: Where the dot is; NaN for none.
        low: Where the interval begins; infinite or NaN for no interval.
        high: Where it ends.
        colour: Name of its colour.
        filled: Whether the dot is full.
    """

    label: str
    figures: str
    value: float
    low: float
    high: float
    colour: str = "@setup-1"
    filled: bool = True


def heading(label: str, colour: str) -> IntervalRow:
    """A row that is only a name, for the rows below it."""
    nothing = math.nan
    return IntervalRow(
        label=f"\u25cf {label}",
        figures="",
        value=nothing,
        low=nothing,
        high=nothing,
        colour=colour,
    )


def interval_rows(
    rows: Sequence[IntervalRow],
    *,
    title: str,
    reference: float | None = None,
    margin: float | None = None,
    log: bool = False,
    zero: bool = False,
    widest: float = math.inf,
) -> dict[str, Any]:
    """The specification of a chart of rows.

    Args:
        rows: From above to below.
        title: Of the axis.
        reference: Where a line stands that means "nothing"; None for no line.
        margin: How far from the reference dashed lines stand; None for none.
        log: A logarithmic axis.
        zero: Begin the axis at 0.
        widest: Intervals that reach farther out than this are cut off there, with an arrow; the
            figures say where they end.
    """
    x = {
        "field": "value",
        "type": "quantitative",
        "title": title,
        "axis": {"tickCount": {"expr": "max(3, width / 90)"}, "labelOverlap": True},
        "scale": _scale(rows, reference, margin, log=log, zero=zero, widest=widest),
    }
    if log:
        x["axis"] = {"values": _decades(*x["scale"]["domain"]), "labelOverlap": True}
    y = row_axis(len(rows), above=0.75, below=0.5)
    tips = [{"field": "label", "title": "what"}, {"field": "figures", "title": "value"}]
    colour = {"field": "colour", "scale": None}
    layers = [] if reference is None else _reference(reference, margin)
    layers += [
        {
            "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
            "mark": {
                "type": "rule",
                "strokeWidth": 3,
                "strokeCap": "round",
                "opacity": 0.55,
                "clip": True,
            },
            "encoding": {
                "x": {**x, "field": "low"},
                "x2": {"field": "high"},
                "y": y,
                "color": colour,
                "tooltip": tips,
            },
        },
        {
            "transform": [{"filter": "isValid(datum.value)"}],
            "mark": {"type": "point", "size": 80, "strokeWidth": 2, "opacity": 1, "clip": True},
            "encoding": {
                "x": x,
                "y": y,
                "stroke": colour,
                "fill": {"field": "fill", "scale": None},
                "tooltip": tips,
            },
        },
        *(_arrow(side, y, colour) for side in ("left", "right")),
        *named(y, label="label", figures="figures", above=8),
    ]
    return {
        "height": _ROW * len(rows) + 10,
        "data": {"values": [_datum(place, row, widest, log) for place, row in enumerate(rows)]},
        "layer": layers,
    }


def _arrow(side: str, y: dict[str, Any], colour: dict[str, Any]) -> dict[str, Any]:
    """A layer with an arrow where an interval goes on beyond the chart's edge."""
    left = side == "left"
    return {
        "transform": [{"filter": f"datum.beyond_{side}"}],
        "mark": {
            "type": "point",
            "shape": f"triangle-{side}",
            "filled": True,
            "size": 90,
            "opacity": 1,
            "xOffset": 5 if left else -5,
        },
        "encoding": {"x": {"value": 0 if left else "width"}, "y": y, "color": colour},
    }


def row_axis(rows: int, *, above: float, below: float) -> dict[str, Any]:
    """The encoding of rows from above to below, by the field `row`: numbers, without an axis.

    Args:
        rows: How many.
        above: Room above the first, in rows.
        below: Room below the last.
    """
    return {
        "field": "row",
        "type": "quantitative",
        "axis": None,
        "scale": {
            "domain": [-above, rows - 1 + below],
            "reverse": True,
            "nice": False,
            "zero": False,
        },
    }


def named(
    y: dict[str, Any], *, label: str, figures: str, above: int, weight: int = 400
) -> list[dict[str, Any]]:
    """Layers with the name of each row above it at the left, and its figures at the right.

    Names do not stand beside the axis: a name may be long, and a screen narrow. A halo keeps
    lines out of the letters.

    Args:
        y: The encoding of the rows.
        label: The field of the name.
        figures: The field of the figures; the field `ink` has the colour of the name.
        above: How far above the row the name stands, in pixels.
        weight: Of the name's letters.
    """
    name = {
        "type": "text",
        "align": "left",
        "baseline": "bottom",
        "dy": -above,
        "limit": {"expr": "width"},
        "fontWeight": weight,
    }
    halo = {"stroke": "@paper", "strokeWidth": 8, "strokeJoin": "round"}
    at = {"x": {"value": 0}, "y": y, "text": {"field": label}}
    ink = {"color": {"field": "ink", "scale": None}}
    tip = {"tooltip": [{"field": label, "title": "what"}, {"field": figures, "title": "value"}]}
    return [
        {"mark": {**name, **halo}, "encoding": at},
        {"mark": name, "encoding": {**at, **ink, **tip}},
        {
            "mark": {"type": "text", "align": "left", "dx": 12, "color": "@muted"},
            "encoding": {"x": {"value": "width"}, "y": y, "text": {"field": figures}},
        },
    ]


def reach(values: Sequence[float]) -> float:
    """Extent of a chart: four times that of its dots, so that no interval flattens it."""
    return 4 * max((abs(value) for value in values if math.isfinite(value)), default=1.0) or 1.0


def _datum(place: int, row: IntervalRow, widest: float, log: bool) -> dict[str, Any]:
    low, high = row.low, row.high
    drawn = math.isfinite(low) and math.isfinite(high) and not (log and low <= 0)
    return {
        "row": place,
        "label": row.label,
        "figures": row.figures,
        "value": number(row.value),
        "low": number(max(low, -widest)) if drawn else None,
        "high": number(min(high, widest)) if drawn else None,
        "beyond_left": drawn and low < -widest,
        "beyond_right": drawn and high > widest,
        "colour": row.colour,
        "ink": "@ink" if row.figures else row.colour,
        "fill": row.colour if row.filled else "@paper",
    }


def _scale(
    rows: Sequence[IntervalRow],
    reference: float | None,
    margin: float | None,
    *,
    log: bool,
    zero: bool,
    widest: float,
) -> dict[str, Any]:
    ends = [end for row in rows for end in (row.value, row.low, row.high) if math.isfinite(end)]
    ends = [min(max(end, -widest), widest) for end in ends if end > 0 or not log]
    ends += [] if reference is None else [reference - (margin or 0), reference + (margin or 0)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    if log:
        return {"type": "log", "domain": [number(low / 1.2), number(high * 1.2)], "nice": False}
    room = 0.06 * (high - low) or 0.5
    if zero:
        return {"domain": [0, number(high + room)], "nice": False}
    return {"domain": [number(low - room), number(high + room)], "zero": False, "nice": False}


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten within a range; with twice and five times them in a short range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high < 300 * low else (1,)
    ticks = [float(f"{step}e{power}") for power in powers for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def _reference(at: float, margin: float | None) -> list[dict[str, Any]]:
    """A line, and a dashed one at either side of it."""
    rule = {"type": "rule", "color": "@ink", "strokeWidth": 1}
    x = {"field": "at", "type": "quantitative"}
    layers = [
        {
            "data": {"values": [{"at": at}]},
            "mark": {**rule, "opacity": 0.7},
            "encoding": {"x": x},
        }
    ]
    if margin is not None:
        layers.append(
            {
                "data": {"values": [{"at": at - margin}, {"at": at + margin}]},
                "mark": {**rule, "strokeDash": [5, 4], "opacity": 0.5},
                "encoding": {"x": x},
            }
        )
    return layers
