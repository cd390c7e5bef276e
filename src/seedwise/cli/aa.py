"""`seedwise aa`: a setup against itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from seedwise.cli import options
from seedwise.cli.base import Command, study_with
from seedwise.errors import ConfigError

if TYPE_CHECKING:
    from seedwise.stats.sequential import SequentialRule

__all__ = ["aa"]


@click.command(
    cls=Command,
    example=[
        "seedwise aa study.db mish",
        "seedwise aa study.db mish --comparisons 200 --runs 3",
        "seedwise aa study.db mish --stop --runs 20",
    ],
    exits={
        0: "the rates are printed",
        2: "no such study or setup, or it cannot be trained",
        130: "stopped by Ctrl-C; the same command continues",
    },
)
@options.study
@options.setup
@click.option(
    "--comparisons",
    type=click.IntRange(min=2),
    default=20,
    show_default=True,
    help="Sets of seeds; more give a more precise rate.",
)
@click.option(
    "--runs", type=click.IntRange(min=2), default=5, show_default=True, help="Seeds in each set."
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="False-alarm rate of the t test.  [default: 0.05]",
)
@click.option(
    "--stop",
    is_flag=True,
    help="Judge by the stopping rule of STUDY.DB, up to the seeds of a set; if it has none, by "
    "difference = 0.005, alpha = 0.05, and max_runs as --runs.",
)
@options.train
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    help="Study file for these runs.  [default: STUDY-aa.db beside STUDY.DB]",
)
@options.jobs
@options.pack
@options.device
@options.source
@options.cache
def aa(
    study: Path,
    setup: str,
    comparisons: int,
    runs: int,
    alpha: float | None,
    stop: bool,
    train: str | None,
    store: Path | None,
    jobs: int | None,
    pack: int | Literal["auto"] | None,
    device: str,
    source: Path | None,
    cache: Path | None,
) -> None:
    """Compare SETUP with itself, and count false alarms.

    Trains SETUP of STUDY.DB, and its twin (learning rate x 1.0001) with the same seeds, on
    disjoint sets of seeds, and shows how often a verdict finds a difference where there is none:
    by a t test on all runs of a set or, with --stop, by looks after every pair. The runs go to a
    study file of their own; if stopped at any moment, the same command continues.
    """
    from seedwise.cli.console import Console
    from seedwise.cli.display import watching
    from seedwise.cli.repeat_tables import print_nulls
    from seedwise.comparison.nulls import stop_judge

    if stop and alpha is not None:
        raise ConfigError("--alpha is for the t test; the stopping rule has its own")
    rule = _rule_of_one(study, runs) if stop else None
    stated = rule.alpha if rule else alpha or 0.05
    console = Console()
    with watching(console) as watch:
        found = study_with(study, train, source, cache).null_comparisons(
            setup,
            comparisons=comparisons,
            runs=runs,
            alpha=stated,
            judge=stop_judge(rule) if rule else None,
            train=train,
            store=store,
            jobs=jobs,
            pack=pack,
            device=device,
            watch=watch,
        )
    print_nulls(console, found, stated, stops=stop)


def _rule_of_one(study: Path, runs: int) -> "SequentialRule":
    """The study's stopping rule, or else the usual one, for a comparison with one candidate."""
    from seedwise.comparison import Stop, StoppingRule
    from seedwise.comparison.study_runs import StudyRuns
    from seedwise.stats.capped import FIRST_LOOK
    from seedwise.stats.sequential import SequentialRule

    if runs < FIRST_LOOK:
        raise ConfigError(
            f"a stopping rule first looks after {FIRST_LOOK} pairs; got --runs {runs}"
        )
    with StudyRuns.open(study) as stored:
        fixed = StoppingRule.of(stored)
    stop = fixed.stop if fixed else Stop(difference=0.005, max_runs=runs)
    return SequentialRule(
        difference=stop.difference,
        alpha=stop.alpha,
        power=stop.power,
        max_pairs=stop.max_runs,
        paired=stop.paired,
    )
