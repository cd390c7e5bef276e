"""Charts of runs: every run as a dot, and how runs learn."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from seedwise.comparison.history import LearningCurve
from seedwise.comparison.study_runs import shared_rows
from seedwise.figures import epoch_number, figure, in_points, places, spread
from seedwise.report.charts.chart import Chart, Key, Table, number
from seedwise.report.charts.rows import named, row_axis
from seedwise.report.charts.theme import role
from seedwise.report.papers import Cell
from seedwise.seeds import Seed
from seedwise.stats.intervals import Sample
from seedwise.words.numbers import metric_words

__all__ = ["curves_chart", "runs_chart", "tradeoff_chart"]

_ROW = 92
_BINS = 60
_WORDS = {"valid_loss": "validation loss", "train_loss": "training loss"}
_MOST_EPOCHS = 200
"""Epochs of a curve that are drawn: one in every three pixels of a page."""

_MOST_DOTS = 30


def runs_chart(
    values: Mapping[str, Mapping[Seed, float]],
    metric: str,
    *,
    paired: bool,
    confidence: float,
    direction: str = "",
    test_to_train: float = 0.0,
) -> Chart:
    """Every finished run as a dot; lines join runs of the same seed in neighbouring setups.

    Args:
        values: The metric of each setup's finished runs.
        metric: Its name.
        paired: Draw the lines.
        confidence: Of the intervals of the means.
        direction: Which way the metric points, in words; empty where there can be no doubt.
        test_to_train: Of folds, test examples for each training example; 0 for other runs.
    """
    names = list(values)
    scale = 100 if in_points(metric) else 1
    dots, places = _dots(values, metric, scale)
    rows = [
        _mean(place, name, values[name], metric, confidence, test_to_train)
        for place, name in enumerate(names)
    ]
    unit = " (%)" if scale == 100 else ""
    x = {
        "field": "value",
        "type": "quantitative",
        "title": f"{metric_words(metric)}{unit}{direction and f' ({direction})'}",
        "axis": {"tickCount": {"expr": "max(3, width / 90)"}, "labelOverlap": True},
        "scale": {"zero": False, "nice": False, "padding": 10},
    }
    y = row_axis(len(names), above=0.66, below=0.4)
    layers = [_joined(list(_joins(values, places, scale)), x, y)] if paired else []
    tips = [
        {"field": "setup", "title": "setup"},
        {"field": "seed", "title": "seed"},
        {"field": "text", "title": metric_words(metric)},
    ]
    mean = {"color": "@ink", "opacity": 1, "yOffset": 21}
    layers += [
        {
            "mark": {"type": "point", "filled": True, "size": 62, "opacity": 0.85},
            "encoding": {
                "x": x,
                "y": y,
                "color": {"field": "colour", "scale": None},
                "tooltip": tips,
            },
        },
        {
            "data": {"values": rows},
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "rule", "strokeWidth": 2, **mean},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y},
        },
        {
            "data": {"values": rows},
            "transform": [{"filter": "isValid(datum.value)"}],
            "mark": {"type": "point", "shape": "diamond", "filled": True, "size": 80, **mean},
            "encoding": {
                "x": x,
                "y": y,
                "tooltip": [
                    {"field": "setup", "title": "mean of"},
                    {"field": "interval", "title": "mean"},
                ],
            },
        },
        *(
            {"data": {"values": rows}, **layer}
            for layer in named(y, label="setup", figures="figures", above=20, weight=600)
        ),
    ]
    table = [
        (name, str(seed), figure(metric, value))
        for name in names
        for seed, value in values[name].items()
    ]
    return Chart(
        kind="runs",
        title=f"Every run: {metric_words(metric)}",
        says=" ".join(row["says"] for row in rows),
        table=Table.of(("setup", "seed", metric_words(metric)), table),
        spec={"height": _ROW * len(names), "data": {"values": dots}, "layer": layers},
    )


def tradeoff_chart(
    values: Mapping[str, Mapping[Seed, float]],
    costs: Mapping[str, Mapping[Seed, float]],
    metric: str,
    cost: str,
    *,
    direction: str = "",
) -> Chart:
    """Every finished run by what it costs and how good it is; the upper left is best.

    Args:
        values: The metric of each setup's finished runs.
        costs: What each run costs.
        metric: Name of the metric.
        cost: What runs cost: `seconds`, or the name of a metric.
        direction: Which way the metric points, in words; empty where there can be no doubt.
    """
    scale = 100 if in_points(metric) else 1
    legend = tuple(Key(role(place), name) for place, name in enumerate(values))
    data = [
        {
            "setup": name,
            "seed": str(seed),
            "cost": number(costs[name][seed]),
            "value": number(scale * value),
            "text": figure(metric, value),
        }
        for name, each in values.items()
        for seed, value in each.items()
        if seed in costs[name]
    ]
    unit = " (%)" if scale == 100 else ""
    title = f"{metric_words(metric)}{unit}{direction and f' ({direction})'}"
    axis = {"type": "quantitative", "scale": {"zero": False, "nice": True, "padding": 10}}
    means = [
        f"{name}: {metric_words(metric)} {figure(metric, _of(values[name]))} at "
        f"{_of(costs[name]):.4g} {cost}"
        for name in values
        if values[name] and costs[name]
    ]
    return Chart(
        kind="tradeoff",
        title=f"{metric_words(metric)[:1].upper()}{metric_words(metric)[1:]} against {cost}",
        says=f"On average {'; '.join(means)}.",
        table=Table.of(
            ("setup", "seed", cost, metric_words(metric)),
            [(d["setup"], d["seed"], f"{d['cost']:.4g}", d["text"]) for d in data],
        ),
        spec={
            "height": 260,
            "data": {"values": data},
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.85},
            "encoding": {
                "x": {"field": "cost", "title": cost, **axis},
                "y": {"field": "value", "title": title, **axis},
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
                    {"field": "seed", "title": "seed"},
                    {"field": "cost", "title": cost},
                    {"field": "text", "title": metric_words(metric)},
                ],
            },
        },
        legend=legend,
    )


def _of(values: Mapping[Seed, float]) -> float:
    return sum(values.values()) / len(values)


def curves_chart(
    curves: Sequence[LearningCurve], places: Mapping[str, int], direction: str = ""
) -> Chart:
    """One figure after each epoch: the mean of the runs, and a band that holds most of them.

    Args:
        curves: One for each setup.
        places: The place of each setup, which gives its colour.
        direction: Which way the figure points, in words; empty where there can be no doubt.
    """
    name = curves[0].figure
    words = _WORDS.get(name, metric_words(name))
    data = [each for curve in curves for each in _epochs(curve)]
    legend = tuple(Key(role(places[curve.setup]), curve.setup) for curve in curves)
    ends = ", ".join(f"{curve.setup} {figure(name, curve.mean[-1])}" for curve in curves)
    return Chart(
        kind="curves",
        title=f"{words[:1].upper()}{words[1:]} after each epoch",
        says=f"Mean after the last epoch: {ends}.",
        table=Table.of(
            ("setup", "epoch", words, "80 % of runs"),
            [(d["setup"], epoch_number(d["epoch"]), d["text"], d["band"]) for d in data],
        ),
        spec=_curves_spec(name, words, direction, data, legend),
        legend=legend,
    )


def _epochs(curve: LearningCurve) -> Iterator[dict[str, Any]]:
    """A row for each epoch of a curve, or for as many as can be told apart, and the last."""
    name = curve.figure
    scale = 100 if in_points(name) else 1
    rows = list(zip(curve.epochs, curve.mean, curve.low, curve.high, strict=True))
    drawn = rows[:: -(-len(rows) // _MOST_EPOCHS)]
    for epoch, mean, low, high in drawn if drawn[-1] == rows[-1] else [*drawn, rows[-1]]:
        yield {
            "setup": curve.setup,
            "epoch": epoch,
            "mean": number(scale * mean),
            "low": number(scale * low),
            "high": number(scale * high),
            "text": figure(name, mean),
            "band": f"{figure(name, low)} to {figure(name, high)}",
        }


def _curves_spec(
    name: str,
    words: str,
    direction: str,
    data: Sequence[Mapping[str, Any]],
    legend: Sequence[Key],
) -> dict[str, Any]:
    """The picture: bands, and means as lines; both have a gap where a figure is not finite."""
    whole = all(float(each["epoch"]).is_integer() for each in data)
    few = len(data) <= _MOST_DOTS * len(legend)
    colour = {
        "field": "setup",
        "type": "nominal",
        "scale": {"domain": [k.name for k in legend], "range": [k.colour for k in legend]},
        "title": None,
    }
    x = {
        "field": "epoch",
        "type": "quantitative",
        "title": "epoch",
        "axis": {**({"tickMinStep": 1} if whole else {}), "grid": False},
        "scale": {"nice": False, "zero": False},
    }
    y = {
        "type": "quantitative",
        "title": f"{words}{' (%)' if in_points(name) else ''}{direction and f' ({direction})'}",
        "scale": {"zero": False},
    }
    tips = [
        {"field": "setup", "title": "setup"},
        {"field": "epoch", "title": "epoch"},
        {"field": "text", "title": words},
        {"field": "band", "title": "80 % of runs"},
    ]
    low, mean = {**y, "field": "low"}, {**y, "field": "mean"}
    return {
        "height": 260,
        "data": {"values": data},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.16},
                "encoding": {"x": x, "y": low, "y2": {"field": "high"}, "color": colour},
            },
            {
                "mark": {
                    "type": "line",
                    "strokeWidth": 2,
                    "point": {"filled": True, "size": 40 if few else 12},
                },
                "encoding": {"x": x, "y": mean, "color": colour, "tooltip": tips},
            },
        ],
    }


def _dots(
    values: Mapping[str, Mapping[Seed, float]], metric: str, scale: int
) -> tuple[list[dict[str, Any]], Mapping[tuple[str, Seed], float]]:
    """A dot for each run, and its place up and down."""
    dots, places = list[dict[str, Any]](), dict[tuple[str, Seed], float]()
    everything = np.array([value for each in values.values() for value in each.values()])
    step = float(np.ptp(everything)) / _BINS if len(everything) else 0.0
    for place, (name, runs) in enumerate(values.items()):
        for seed, shift in zip(runs, _swarm(list(runs.values()), step), strict=True):
            places[name, seed] = place + shift
            dots.append(
                {
                    "setup": name,
                    "seed": str(seed),
                    "value": number(scale * runs[seed]),
                    "text": figure(metric, runs[seed]),
                    "row": number(place + shift),
                    "colour": role(place),
                }
            )
    return dots, places


def _swarm(values: Sequence[float], step: float) -> list[float]:
    """Shifts of dots up and down, so that neighbours do not hide one another."""
    bins: dict[int, int] = {}
    levels = list[int]()
    for value in values:
        place = round(value / step) if step > 0 else 0
        count = bins.get(place, 0)
        bins[place] = count + 1
        levels.append((count + 1) // 2 * (1 if count % 2 else -1))
    most = max((abs(level) for level in levels), default=0)
    return [level * min(0.07, 0.2 / max(most, 1)) for level in levels]


def _joined(
    joins: Sequence[dict[str, Any]], x: dict[str, Any], y: dict[str, Any]
) -> dict[str, Any]:
    """Lines between runs of the same seed; fainter where there are many."""
    return {
        "data": {"values": joins},
        "mark": {"type": "rule", "color": "@muted", "strokeWidth": 1},
        "encoding": {
            "x": {**x, "field": "xa"},
            "x2": {"field": "xb"},
            "y": {**y, "field": "ya"},
            "y2": {"field": "yb"},
            "opacity": {"value": 0.5 if len(joins) <= 60 else 0.16},
        },
    }


def _joins(
    values: Mapping[str, Mapping[Seed, float]],
    places: Mapping[tuple[str, Seed], float],
    scale: int,
) -> list[dict[str, Any]]:
    seeds = {name: list(runs) for name, runs in values.items()}
    return [
        {
            "seed": str(seed),
            "xa": number(scale * values[a][seed]),
            "ya": number(places[a, seed]),
            "xb": number(scale * values[b][seed]),
            "yb": number(places[b, seed]),
        }
        for a, b in pairwise(seeds)
        for seed in map(seeds[a].__getitem__, shared_rows(seeds[a], seeds[b])[0])
    ]


def _mean(
    place: int,
    name: str,
    runs: Mapping[Seed, float],
    metric: str,
    confidence: float,
    test_to_train: float,
) -> dict[str, Any]:
    scale = 100 if in_points(metric) else 1
    cell = Cell.of(Sample.of(np.array(list(runs.values()))), confidence, test_to_train)
    digits = places(metric, cell.low, cell.high)
    mean = figure(metric, cell.sample.mean, digits)
    sd = spread(metric, cell.sample.sd, digits)
    ends = f"{spread(metric, cell.low, digits)}, {spread(metric, cell.high, digits)}"
    return {
        "setup": name,
        "row": place,
        "value": number(scale * cell.sample.mean),
        "low": number(scale * cell.low),
        "high": number(scale * cell.high),
        "interval": f"{mean} [{ends}]",
        "figures": f"{mean.removesuffix(' %')}{'' if math.isnan(cell.sample.sd) else f' ± {sd}'}",
        "says": f"{name}: mean {mean}, sd {sd}, n = {cell.sample.n}.",
        "ink": role(place),
    }
