"""Runs that a difference needs, and what a stopping rule would do, in print."""

import math
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.tables import plain_table, print_table
from seedwise.cli.words import clock
from seedwise.comparison.planning import Forecast, Planning, is_margins
from seedwise.comparison.stop_planning import StopPlan
from seedwise.stats.operating import Characteristic
from seedwise.stats.variance import ENOUGH_RUNS
from seedwise.words.numbers import metric_words, views_saving

__all__ = ["print_plan"]

_VERDICTS = ("better", "worse", "equivalent", "undecided")


def print_plan(console: Console, found: Planning) -> None:
    """The runs that each difference needs, what a stopping rule would do, and what it rests on."""
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
        _print_stop(console, found, found.stop)


def _runs_table(found: Planning) -> Table:
    """The runs that each difference needs."""
    table = _table("sd", "r", *(f"{each:g}" for each in found.differences))
    for each in found.forecasts:
        r = "-" if each.noise.r is None else f"{each.noise.r:.2f}"
        runs = (
            _between(*map(_count, both)) for both in zip(each.runs, each.runs_upper, strict=True)
        )
        _add(table, each, _small(each.noise.sd), r, *runs)
    return table


def _other_table(found: Planning) -> Table:
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
            of_margin = is_margins(each.metric)
            cells.append(_count(each.equivalence_runs) if of_margin else "-")
        _add(table, each, *cells)
    return table


def _table(*columns: str) -> Table:

    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("metric", no_wrap=True)
    table.add_column("seeds", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _add(table: Table, forecast: Forecast, *cells: str) -> None:

    seeds = "paired" if forecast.paired else "unpaired"
    of_images = f", {forecast.images:,} images" if forecast.images else ""
    table.add_row(Text((forecast.metric or "given") + of_images), seeds, *cells)


def _above(found: Planning) -> list[str]:
    source = "given figures"
    if found.pilot:
        source = f"the runs of {' and '.join(found.pilot)}"
    return [
        f"Runs of each setup that show a true difference {100 * found.wanted:.3g} % of the time, "
        f"at {100 * found.alpha:.3g} % false alarms (t test), from {source}:"
    ]


def _below(found: Planning) -> list[str]:
    """Lines that say what the columns are, and the time it takes."""
    lines = []
    if found.pilot:
        lines.append(
            "In brackets: the same at the upper 80 % confidence bound of the standard deviation, "
            "which the pilot only estimates."
        )
    if any(each.images for each in found.forecasts):
        lines.append(
            "With other images the noise of training stays and that of the images falls as 1 / "
            f"images (Jordan 2023); fewer than {ENOUGH_RUNS} runs hardly tell the two apart."
        )
    lines.append(
        "Differences and deviations are in the metric's units; accuracies are fractions "
        "(0.005 is half a point). The same change is a smaller difference in matched, smoothed "
        "and ranked accuracy: 0.61 points where accuracy moved by 0.77, on real runs."
    )
    if found.views is not None:
        unit = "pairs" if len(found.pilot) == 2 else "runs"
        lines.append(
            f"{views_saving(found.views, unit)} that accuracy over two views takes (95 % interval)"
            f"{'.' if found.views.measured else '; views = 16 in study.toml makes them.'}"
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


def _print_stop(console: Console, plan: Planning, stop: StopPlan) -> None:
    """Pairs, time and verdicts for each true difference, and what they rest on."""
    console.print(
        Text(
            f"What [stop] with difference = {plan.margin:g}, alpha = {plan.alpha:g}, power = "
            f"{plan.wanted:g} and max_runs = {stop.max_runs} would do: mean pairs at the stop, "
            "and how many of 100 studies end with each verdict, if B is truly better by"
        ),
        highlight=False,
    )
    timed = math.isfinite(plan.seconds) and plan.seconds > 0
    columns = ("difference", "pairs", *(("time",) if timed else ()), *_VERDICTS)
    table = plain_table(columns)
    for each, upper in zip(stop.expected, stop.expected_upper, strict=True):
        time = (clock(2 * each.pairs * plan.seconds),) if timed else ()
        pairs, *shares = _beside(_figures(each), _figures(upper), stop)
        table.add_row(f"{each.difference:g}", pairs, *time, *shares)
    print_table(console, table)
    console.print()
    for line in _how_far_to_trust(stop):
        console.print(Text(line), highlight=False)


def _beside(figures: Iterable[str], upper: Iterable[str], stop: StopPlan) -> list[str]:
    if stop.known.pilot is None:
        return list(figures)
    return [f"{figure} ({other})" for figure, other in zip(figures, upper, strict=True)]


def _figures(found: Characteristic) -> list[str]:
    """Pairs, and shares in per cent, as far as a simulation can tell them."""
    pairs = f"{found.pairs:.1f}" if found.pairs < 9.95 else f"{found.pairs:.0f}"
    return [pairs, *(_share(100 * getattr(found, verdict)) for verdict in _VERDICTS)]


def _share(percent: float) -> str:
    if percent < 1:
        return "<1"
    return ">99" if percent > 99 else f"{percent:.0f}"


def _how_far_to_trust(stop: StopPlan) -> list[str]:
    """Lines that say how far to trust it."""
    error = max(each.pairs_error for each in (*stop.expected, *stop.expected_upper))
    lines = [
        f"Simulated, {stop.studies:,} studies a line with normal differences: two standard errors "
        f"are {100 / math.sqrt(stop.studies):.1f} studies of 100, and {2 * error:.1g} pairs, or "
        "less. The table is for a B that is better; if it is worse by as much, better and worse "
        "change places."
    ]
    if stop.known.pilot is None:
        return [
            *lines,
            "By accuracy alone. With predictions the rule asks matched and ranked accuracy too, "
            "and names a winner sooner: a pilot study tells how soon.",
        ]
    sds = [f"{each:.2g}" for each in stop.known.noise.sd]
    judged = metric_words(stop.known.judged)
    names = (judged, "matched", "ranked accuracy") if len(sds) > 1 else (judged,)
    spread = ", ".join(f"{sd} ({name})" for sd, name in zip(sds, names, strict=True))
    lines.append(f"Standard deviations of the differences of {stop.known.pilot} pairs: {spread}.")
    if stop.unpaired:
        pairs = ", ".join(_figures(each)[0] for each in stop.unpaired)
        lines.append(
            f"Runs of one seed hardly correlate in this pilot, r = {stop.known.r:.2f}. If that is "
            f"so of all runs, paired = false in [stop] takes {pairs} pairs in the lines above."
        )
    if len(sds) > 1:
        _, matched, ranked = stop.known.noise.ratio
        whence = (
            "as in this pilot"
            if stop.known.own_ratio
            else "assumed, as this pilot does not show a difference"
        )
        lines.append(
            f"An effect is taken to move matched accuracy {matched:.2f} and ranked accuracy "
            f"{ranked:.2f} times as far as accuracy ({whence})."
        )
    return lines
