"""What a stopping rule would do, in print."""

import math
from collections.abc import Iterable

from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.tables import plain_table, print_table
from seedwise.cli.words import clock
from seedwise.comparison.planning import Planning
from seedwise.comparison.stop_planning import StopPlan
from seedwise.stats.operating import Characteristic

__all__ = ["print_stop"]

_VERDICTS = ("better", "worse", "equivalent", "undecided")


def print_stop(console: Console, plan: Planning, stop: StopPlan) -> None:
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
    for line in _below(stop):
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


def _below(stop: StopPlan) -> list[str]:
    """How far to trust it."""
    error = max(each.pairs_error for each in (*stop.expected, *stop.expected_upper))
    lines = [
        f"Simulated, {stop.studies:,} studies a line with normal differences: two standard errors "
        f"are {100 / math.sqrt(stop.studies):.1f} studies of 100, and {2 * error:.1g} pairs, or "
        "less. If B is worse by as much, read better as worse."
    ]
    if stop.known.pilot is None:
        return [
            *lines,
            "By accuracy alone. With predictions the rule asks matched and ranked accuracy too, "
            "and names a winner sooner: a pilot study tells how soon.",
        ]
    sds = [f"{each:.2g}" for each in stop.known.noise.sd]
    names = ("accuracy", "matched", "ranked accuracy") if len(sds) > 1 else ("accuracy",)
    spread = ", ".join(f"{sd} ({name})" for sd, name in zip(sds, names, strict=True))
    lines.append(f"Standard deviations of the differences of {stop.known.pilot} pairs: {spread}.")
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
