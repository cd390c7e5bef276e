"""Charts of a suite: the difference task by task, and performance profiles."""

from collections.abc import Mapping, Sequence

import numpy as np

from seedwise.comparison.suite import SuiteValues
from seedwise.figures import in_points, percent
from seedwise.report.charts.chart import Chart, Key, Table, number
from seedwise.report.charts.rows import IntervalRow, heading, interval_rows, reach
from seedwise.report.charts.theme import role
from seedwise.stats.decision import Interval
from seedwise.stats.directions import direction_words
from seedwise.stats.intervals import Difference
from seedwise.stats.suites import performance_profile
from seedwise.words.numbers import metric_words, with_interval

__all__ = ["profile_chart", "tasks_chart"]

_HEIGHT = 300

_OVER = {"mean": "all tasks", "iqm": "interquartile mean"}
"""Names of the difference over all tasks, where it has the unit of each."""

_SCORES = 101
"""Scores at which a profile is drawn."""


def tasks_chart(found: Sequence[SuiteValues]) -> Chart:
    """The difference in each task with its interval, and over all tasks below.

    Args:
        found: The comparisons, all with the same baseline.
    """
    first, several = found[0], len(found) > 1
    scale = 100 if in_points(first.metric) else 1
    rows, table = list[IntervalRow](), list[tuple[str, ...]]()
    for place, each in enumerate(found, start=1):
        colour = role(place)
        rows += [heading(each.b, colour)] if several else []
        differences: dict[str, Interval] = {
            task: _interval(one.deciding.difference) for task, one in each.tasks.items()
        }
        over = _OVER.get(each.rule.over)
        if over:  # else it is in another unit
            differences[over] = _over_all(each)
        for name, difference in differences.items():
            figures = with_interval(each.metric, difference)
            rows.append(
                IntervalRow(
                    label=name,
                    figures=figures,
                    value=scale * difference.estimate,
                    low=scale * difference.low,
                    high=scale * difference.high,
                    colour="@ink" if name == over else colour,
                    filled=name == over or not difference.low <= 0 <= difference.high,
                )
            )
            table.append((each.b, name, figures))
    unit = ", points" if scale == 100 else f" ({direction_words(first.higher_is_better)})"
    margin = first.rule.margin
    dot = "@muted" if several else role(1)
    overall = [_OVER[each.rule.over] for each in found if each.rule.over in _OVER]
    return Chart(
        kind="tasks",
        title=f"Difference from {first.a}, task by task",
        says=" ".join(_by_outcome(each, several) for each in found),
        table=Table.of(("setup", "task", "difference"), table),
        spec=interval_rows(
            rows,
            title=f"difference in {metric_words(first.metric)}{unit}",
            reference=0.0,
            margin=None if margin is None else scale * margin,
            widest=reach([row.value for row in rows]),
        ),
        legend=(
            Key(dot, f"{percent(first.rule.confidence)} interval leaves out 0"),
            Key(dot, "interval holds 0", "hollow"),
            *(Key("@ink", name) for name in dict.fromkeys(overall)),
        ),
    )


def _interval(found: Difference) -> Interval:
    return Interval(estimate=found.estimate, low=found.low, high=found.high)


def _over_all(found: SuiteValues) -> Interval:
    """The difference over all tasks; where a stopping rule decides, with the rule's interval."""
    ruled = found.stopping
    if ruled is None or not ruled.decision.n:
        return _interval(found.difference)
    said = ruled.decision
    if ruled.candidate == found.b:
        return Interval(estimate=said.estimate, low=said.low, high=said.high)
    return Interval(estimate=-said.estimate, low=-said.high, high=-said.low)


def _by_outcome(found: SuiteValues, several: bool) -> str:
    """The tasks by what is shown in each: the verdict over them is said elsewhere."""
    by_outcome = dict[str, list[str]]()
    for task, each in found.tasks.items():
        by_outcome.setdefault(each.outcome, []).append(task)
    said = "; ".join(f"{outcome} in {', '.join(tasks)}" for outcome, tasks in by_outcome.items())
    return f"{found.b}: {said}." if several else f"{said[0].upper()}{said[1:]}."


def profile_chart(found: Sequence[SuiteValues], setups: Sequence[str]) -> Chart:
    """The share of runs that are better than a score, for each score and setup.

    Args:
        found: The comparisons, all with the same baseline.
        setups: Names of the setups; their places give their colours.
    """
    first = found[0]
    up = first.higher_is_better
    scale = 100 if in_points(first.metric) else 1
    values = _values(found)
    known = np.concatenate([one for each in values.values() for one in each])
    at = np.linspace(known.min(), known.max(), _SCORES)
    colours = {name: role(list(setups).index(name)) for name in values}
    data = list[dict[str, object]]()
    table = list[tuple[str, ...]]()
    shown = at[:: (_SCORES - 1) // 4]
    for name, tasks in values.items():
        shares = performance_profile(_table(tasks, up), at if up else -at)
        data += [
            {
                "setup": name,
                "score": number(scale * score),
                "share": number(100 * share),
            }
            for score, share in zip(at.tolist(), shares.tolist(), strict=True)
        ]
        cells = (f"{100 * share:.0f} %" for share in shares[:: (_SCORES - 1) // 4])
        table.append((name, *cells))
    words = metric_words(first.metric)
    better = "above" if up else "below"
    return Chart(
        kind="profile",
        title="Performance profiles",
        says=(
            f"Share of runs whose {words} is {better} a score, each task with the same weight: "
            "the setup whose line lies higher does better."
        ),
        table=Table.of(("setup", *(f"{better} {scale * score:.4g}" for score in shown)), table),
        spec={
            "height": _HEIGHT,
            "data": {"values": data},
            "mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after"},
            "encoding": {
                "x": {
                    "field": "score",
                    "type": "quantitative",
                    "title": f"{words}{' (%)' if scale == 100 else ''}",
                    "scale": {"zero": False, "nice": False},
                },
                "y": {
                    "field": "share",
                    "type": "quantitative",
                    "title": f"runs {better} it (%)",
                    "scale": {"domain": [0, 100]},
                },
                # A scale, so that a chart by itself has a legend; a page has its own.
                "color": {
                    "field": "setup",
                    "type": "nominal",
                    "title": None,
                    "scale": {"domain": list(colours), "range": list(colours.values())},
                },
                "tooltip": [
                    {"field": "setup", "title": "setup"},
                    {"field": "score", "title": words},
                    {"field": "share", "title": "%"},
                ],
            },
        },
        legend=tuple(Key(colour, name) for name, colour in colours.items()),
    )


def _values(found: Sequence[SuiteValues]) -> Mapping[str, list[np.ndarray]]:
    """Each setup's runs in each task."""
    first = found[0]
    values = {first.a: [np.array(one.deciding.values_a) for one in first.tasks.values()]}
    for each in found:
        values[each.b] = [np.array(one.deciding.values_b) for one in each.tasks.values()]
    return values


def _table(tasks: Sequence[np.ndarray], up: bool) -> np.ndarray:
    """Runs as a table with a column for each task, turned so that more is better."""
    table = np.full((max(map(len, tasks)), len(tasks)), np.nan)
    for column, values in enumerate(tasks):
        table[: len(values), column] = values if up else -values
    return table
