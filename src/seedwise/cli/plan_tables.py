"""Runs that a difference needs, in print."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from seedwise.cli.console import Console
    from seedwise.comparison.planning import Forecast, Planning

__all__ = ["print_plan"]


def print_plan(console: "Console", found: "Planning") -> None:
    """The runs that each difference needs, what a stopping rule would do, and what it rests on."""
    from rich.text import Text

    from seedwise.cli.stop_plans import print_stop
    from seedwise.cli.tables import print_table

    for line in _above(found):
        console.print(Text(line), highlight=False)
    print_table(console, _runs_table(found))
    if found.margin is not None or found.asked_runs is not None:
        console.print()
        print_table(console, _other_table(found))
    console.print()
    for line in _below(found):
        console.print(Text(line), highlight=False)
    if found.stop is not None:
        console.print()
        print_stop(console, found, found.stop)


def _runs_table(found: "Planning") -> "Table":
    """The runs that each difference needs."""
    table = _table("sd", "r", *(f"{each:g}" for each in found.differences))
    for each in found.forecasts:
        r = "-" if each.noise.r is None else f"{each.noise.r:.2f}"
        runs = (
            _between(*map(_count, both)) for both in zip(each.runs, each.runs_upper, strict=True)
        )
        _add(table, each, _small(each.noise.sd), r, *runs)
    return table


def _other_table(found: "Planning") -> "Table":
    """The difference that a number of runs shows, and the runs that equivalence needs."""
    columns = []
    if found.asked_runs is not None:
        columns.append(f"{found.asked_runs} runs show")
    if found.margin is not None:
        columns.append(f"runs for equivalent within {found.margin:g}")
    table = _table(*columns)
    for each in found.forecasts:
        cells = []
        if found.asked_runs is not None:
            cells.append(_between(_small(each.reachable), _small(each.reachable_upper)))
        if found.margin is not None:
            of_margin = each.metric in ("", "accuracy")
            cells.append(_count(each.equivalence_runs) if of_margin else "-")
        _add(table, each, *cells)
    return table


def _table(*columns: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("metric", no_wrap=True)
    table.add_column("seeds", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _add(table: "Table", forecast: "Forecast", *cells: str) -> None:
    from rich.text import Text

    seeds = "paired" if forecast.paired else "unpaired"
    table.add_row(Text(forecast.metric or "given"), seeds, *cells)


def _above(found: "Planning") -> list[str]:
    source = "given figures"
    if found.pilot:
        source = f"the runs of {' and '.join(found.pilot)}"
    return [
        f"Runs of each setup that show a true difference {100 * found.wanted:.3g} % of the time, "
        f"at {100 * found.alpha:.3g} % false alarms (t test), from {source}:"
    ]


def _below(found: "Planning") -> list[str]:
    """What the columns are, and the time it takes."""
    from seedwise.cli.words import clock

    lines = []
    if found.pilot:
        lines.append(
            "In brackets: with the upper 80 % confidence bound of the standard deviation, which "
            "the pilot knows only so well."
        )
    lines.append(
        "Differences and deviations are in the metric's units; accuracies are fractions "
        "(0.005 is half a point). Soft accuracies shrink differences: 0.61 for 0.77 on real runs."
    )
    if math.isfinite(found.seconds) and found.seconds > 0:
        counts = [runs for each in found.forecasts for runs in each.runs if runs is not None]
        runs = [min(counts), max(counts)] if counts else []
        if found.asked_runs is not None:
            runs = [found.asked_runs]
        for each in dict.fromkeys(runs):
            lines.append(
                f"{each:,} runs of each of two setups take {clock(2 * each * found.seconds)} one "
                f"after another, at {found.seconds:.3g} s a run."
            )
    return lines


def _between(figure: str, upper: str) -> str:
    return figure if upper == figure else f"{figure} ({upper})"


def _count(runs: int | None) -> str:
    return ">100,000" if runs is None else f"{runs:,}"


def _small(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "inf"
