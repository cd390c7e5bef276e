"""`seedwise plan`: how many runs a difference needs."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seedwise.cli.base import Command
from seedwise.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from seedwise.cli.console import Console
    from seedwise.comparison.planning import Forecast, Planning
    from seedwise.comparison.question import Question

__all__ = ["plan"]


@click.command(
    cls=Command,
    example=[
        "seedwise plan --sd 0.0035 --difference 0.005",
        "seedwise plan --sd 0.0035 --r 0.8 --runs 10 --seconds 17",
        "seedwise plan study.db mish relu --difference 0.002 --margin 0.005",
        "seedwise plan study.db mish relu --margin 0.005 --max-runs 40",
    ],
    exits={0: "planned", 2: "no such study or setup, or too little to plan from"},
)
@click.argument("study", metavar="[STUDY.DB]", required=False, type=click.Path(path_type=Path))
@click.argument("setups", nargs=-1)
@click.option("--sd", type=float, help="Standard deviation of a setup's runs, instead of a study.")
@click.option("--r", type=float, help="Correlation of runs with the same seed, with --sd.")
@click.option(
    "--difference",
    "differences",
    type=float,
    multiple=True,
    help="True difference to be shown; may be repeated.  [default: 0.002, 0.005, 0.01]",
)
@click.option("--runs", type=int, help="Runs of each setup, to be told what they can show.")
@click.option("--margin", type=float, help="Margin of equivalence, of accuracy.")
@click.option(
    "--max-runs",
    type=int,
    help="With --margin: most runs of each setup under [stop], to be told what it would do.",
)
@click.option("--power", default=0.8, show_default=True, help="Chance of showing it.")
@click.option("--alpha", default=0.05, show_default=True, help="Rate of false alarms.")
@click.option("--seconds", type=float, help="Wall time of a run, with --sd.")
def plan(
    study: Path | None,
    setups: tuple[str, ...],
    sd: float | None,
    r: float | None,
    differences: tuple[float, ...],
    runs: int | None,
    margin: float | None,
    max_runs: int | None,
    power: float,
    alpha: float,
    seconds: float | None,
) -> None:
    """Say how many runs of each setup a difference needs.

    From a standard deviation, or from the runs of one or two setups of STUDY.DB as a pilot.
    With --margin and --max-runs also after how many pairs a stopping rule would end, and how.
    Accuracies are fractions: half a point is 0.005. Reads the study and writes nothing.
    """
    from seedwise.cli.console import Console
    from seedwise.comparison.question import Question

    question = Question(
        differences=differences or Question().differences,
        runs=runs,
        margin=margin,
        wanted=power,
        alpha=alpha,
        max_runs=max_runs,
    )
    found = _planned(study, setups, question, sd=sd, r=r, seconds=seconds)
    _print(Console(), found)


def _planned(
    path: Path | None,
    setups: tuple[str, ...],
    question: "Question",
    *,
    sd: float | None,
    r: float | None,
    seconds: float | None,
) -> "Planning":
    from seedwise.comparison.planning import plan_from_figures, plan_from_pilot
    from seedwise.comparison.study_runs import StudyRuns

    if (path is None) == (sd is None):
        raise ConfigError("give either --sd, or a study file and one or two of its setups")
    if sd is not None:
        return plan_from_figures(
            question, sd=sd, r=r, seconds=math.nan if seconds is None else seconds
        )
    if r is not None or seconds is not None:
        raise ConfigError("--r and --seconds go with --sd; a study's own runs tell them")
    assert path is not None
    with StudyRuns.open(path) as runs:
        return plan_from_pilot(runs, setups or tuple(runs.setups)[:2], question)


def _print(console: "Console", found: "Planning") -> None:
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
