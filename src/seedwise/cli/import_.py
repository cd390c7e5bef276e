"""`seedwise import`: runs that a CSV file lists."""

from pathlib import Path

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.errors import ConfigError
from seedwise.figures import count, printable

__all__ = ["import_"]


@click.command(
    "import",
    cls=Command,
    example=[
        "seedwise import runs.csv study.db",
        "seedwise import wandb.csv study.db --setup method --metric val/acc=accuracy",
    ],
    exits={0: "stored", 2: "nothing stored: a file cannot be used, or a column is not known"},
)
@click.argument("runs", metavar="RUNS.CSV", type=click.Path(path_type=Path))
@options.study
@click.option("--setup", metavar="COLUMN", help="Column that names the setup.")
@click.option("--seed", metavar="COLUMN", help="Column of the seed.")
@click.option("--unpaired", is_flag=True, help="Number the runs: no two setups share a seed.")
@click.option(
    "--metric",
    "metrics",
    metavar="COLUMN[=NAME]",
    multiple=True,
    help="Column of a metric; give it again for more.",
)
@options.better
@click.option("--last", is_flag=True, help="Of the rows of a run (epochs, steps) take the last.")
@click.option("--best", metavar="METRIC", help="Of the rows of a run take the best by a metric.")
@click.option("--task", metavar="COLUMN", help="Column of the dataset or task: a metric for each.")
@click.option("--fold", metavar="COLUMN", help="Column of the fold of a cross-validation.")
@click.option(
    "--test-ratio",
    type=click.FloatRange(0, min_open=True),
    help="Test examples of a fold for each training example.  [default: 1 / (folds - 1)]",
)
@click.option(
    "--rows-are-runs", is_flag=True, help="Each row is a run, also where equal ones are there."
)
def import_(
    runs: Path,
    study: Path,
    setup: str | None,
    seed: str | None,
    unpaired: bool,
    metrics: tuple[str, ...],
    better: tuple[tuple[str, str], ...],
    last: bool,
    best: str | None,
    task: str | None,
    fold: str | None,
    test_ratio: float | None,
    rows_are_runs: bool,
) -> None:
    """Store runs that a CSV file lists, e.g. from a tracker.

    Either a row for each run with columns for setup, seed and metrics, or a row for each value
    with columns setup, seed, metric and value; W&B's and MLflow's exports of their tables of runs
    as they are. What the options do not say is guessed, and what was taken as what is printed.
    Runs with the same seed are compared as pairs: where seeds mean nothing, use --unpaired.
    """
    from seedwise.importers.columns import Mapped
    from seedwise.study.importing import import_runs

    if unpaired and seed is not None:
        raise ConfigError("give --seed COLUMN or --unpaired, not both")
    if last and best:
        raise ConfigError("give --last or --best METRIC, not both")
    if test_ratio is not None and fold is None:
        raise ConfigError("--test-ratio belongs to folds; give --fold COLUMN too")
    mapped = Mapped(
        setup=setup,
        seed=seed,
        metrics=_named(metrics),
        unpaired=unpaired,
        fold=fold,
        task=task,
        last=last,
        best=best,
        rows_are_runs=rows_are_runs,
        test_ratio=test_ratio,
    )
    found = import_runs(runs, study, mapped, better=options.better_of(better))
    lines = [*found.taken, *([found.directions] if found.directions else [])]
    lines += [f"note: {line}" for line in found.notes]
    lines += [f"left out: {line}" for line in found.left_out]
    for line in lines:
        click.echo(printable(line))
    known = f", {found.known:,} were there already" if found.known else ""
    click.echo(
        f"{study}: {count(found.stored, 'run')} of {count(len(found.setups), 'setup')} "
        f"stored{known}"
    )


def _named(metrics: tuple[str, ...]) -> dict[str, str]:
    """The columns of metrics, each with its metric's name."""
    found = dict[str, str]()
    for text in metrics:
        column, _, name = text.rpartition("=") if "=" in text else (text, "", text)
        if not column or not name.strip() or column in found or name in found.values():
            raise ConfigError(f"--metric is COLUMN or COLUMN=NAME, each name once; got {text!r}")
        found[column] = name
    return found
