"""`seedwise plan`: how many runs a difference needs."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.errors import ConfigError

if TYPE_CHECKING:
    from seedwise.comparison.planning import Planning
    from seedwise.comparison.stop_planning import Question

__all__ = ["plan"]


@click.command(
    cls=Command,
    example=[
        "seedwise plan --sd 0.0035 --difference 0.005",
        "seedwise plan --sd 0.0035 --r 0.8 --runs 10 --seconds 17",
        "seedwise plan study.db mish relu --difference 0.002 --margin 0.005",
        "seedwise plan study.db mish relu --margin 0.005 --max-runs 40",
        "seedwise plan study.db mish relu --images 10000",
        "seedwise plan study.db base new --metric wer --difference 0.1",
    ],
    exits={0: "planned", 2: "no such study or setup, or too little to plan from"},
)
@click.argument("study", metavar="[STUDY.DB]", required=False, type=click.Path(path_type=Path))
@options.setups
@options.metric
@click.option("--sd", type=float, help="Standard deviation of a setup's runs, instead of a study.")
@click.option("--r", type=float, help="Correlation of runs with the same seed, with --sd.")
@click.option(
    "--difference",
    "differences",
    type=float,
    multiple=True,
    help="True difference to detect; may be repeated.  [default: 0.002, 0.005, 0.01]",
)
@click.option(
    "--runs", type=int, help="Runs of each setup: print the difference that they can show."
)
@click.option("--margin", type=float, help="Margin of equivalence, of accuracy.")
@click.option(
    "--max-runs",
    type=int,
    help="With --margin: simulate [stop] with this max_runs.",
)
@click.option(
    "--images",
    type=int,
    help="Plan for another number of validation images.",
)
@click.option("--power", default=0.8, show_default=True, help="Chance of detecting it.")
@click.option("--alpha", default=0.05, show_default=True, help="Rate of false alarms.")
@click.option("--seconds", type=float, help="Wall time of a run, with --sd.")
def plan(
    study: Path | None,
    setups: tuple[str, ...],
    metric: str | None,
    sd: float | None,
    r: float | None,
    differences: tuple[float, ...],
    runs: int | None,
    margin: float | None,
    max_runs: int | None,
    images: int | None,
    power: float,
    alpha: float,
    seconds: float | None,
) -> None:
    """Plan how many runs of each setup a difference needs.

    From a standard deviation, or from the runs of one or two setups of STUDY.DB as a pilot.
    With --margin and --max-runs, also say after how many pairs a stopping rule would end, and how.
    Accuracies are fractions: half a point is 0.005. Reads the study and writes nothing.
    """
    from seedwise.cli.console import Console
    from seedwise.cli.plan_tables import print_plan
    from seedwise.comparison.stop_planning import Question

    question = Question(
        differences=differences or Question().differences,
        runs=runs,
        margin=margin,
        wanted=power,
        alpha=alpha,
        max_runs=max_runs,
        images=images,
    )
    found = _planned(study, setups, question, metric=metric, sd=sd, r=r, seconds=seconds)
    print_plan(Console(), found)


def _planned(
    path: Path | None,
    setups: tuple[str, ...],
    question: "Question",
    *,
    metric: str | None,
    sd: float | None,
    r: float | None,
    seconds: float | None,
) -> "Planning":
    from seedwise.comparison.planning import plan_from_figures, plan_from_pilot
    from seedwise.comparison.study_runs import StudyRuns

    if (path is None) == (sd is None):
        raise ConfigError("give either --sd, or a study file and one or two of its setups")
    if sd is not None and metric is not None:
        raise ConfigError("--metric goes with a study; --sd is in the units of one metric already")
    if sd is not None and question.images is not None:
        raise ConfigError("--images goes with a study, whose predictions split its noise")
    if sd is not None:
        return plan_from_figures(
            question, sd=sd, r=r, seconds=math.nan if seconds is None else seconds
        )
    if r is not None or seconds is not None:
        raise ConfigError("--r and --seconds go with --sd; a study's own runs tell them")
    assert path is not None
    with StudyRuns.open(path) as runs:
        return plan_from_pilot(runs, setups or tuple(runs.setups)[:2], question, metric)
