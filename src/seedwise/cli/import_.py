"""`seedwise import`: runs of other programs, from files, folders and trackers."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.errors import ConfigError
from seedwise.figures import count, printable

if TYPE_CHECKING:
    from seedwise.importers.runs import ReadRun
    from seedwise.study.importing import Imported

__all__ = ["import_"]

_MOST_RUNS, _MOST_METRICS = 200, 8


@click.command(
    "import",
    cls=Command,
    example=[
        "seedwise import runs.csv study.db",
        'seedwise import logs/ study.db --layout "{setup}/seed{seed}" --show',
        "seedwise import wandb.csv study.db --setup method --metric val/acc=accuracy",
    ],
    exits={0: "stored", 2: "nothing stored: a file cannot be used, or a column is not known"},
)
@click.argument("wheres", metavar="WHERE...", nargs=-1, required=True)
@options.study
@click.option("--show", is_flag=True, help="Show what would be stored, and store nothing.")
@click.option(
    "--format", "format_", metavar="NAME", help="Format of the logs.  [default: detected]"
)
@click.option(
    "--layout",
    metavar="PATTERN",
    help='Columns from the paths of logs: "{setup}/seed{seed}"; * is any text.',
)
@click.option(
    "--wide", metavar="METRIC", help="Each column is a setup, and holds values of this metric."
)
@click.option("--setup", metavar="COLUMN", help="Column that names the setup.")
@click.option("--seed", metavar="COLUMN", help="Column of the seed.")
@click.option("--unpaired", is_flag=True, help="Number the runs: no two setups share a seed.")
@click.option(
    "--metric",
    "metrics",
    metavar="COLUMN[=NAME]",
    multiple=True,
    help="Column of a metric; may be repeated.",
)
@options.better
@click.option(
    "--last",
    is_flag=True,
    help="Take the last of a run's rows (epochs, steps).  [default for logs]",
)
@click.option("--best", metavar="METRIC", help="Take the best of a run's rows by a metric.")
@click.option("--step", type=float, help="Take the last of a run's rows up to a step.")
@click.option(
    "--task", metavar="COLUMN", help="Column of the dataset or task; each gets its own metric."
)
@click.option(
    "--example",
    metavar="COLUMN",
    help="Column of the example, where a row scores one example in one run.",
)
@click.option(
    "--group", metavar="COLUMN", help="Column of the example's group, such as its passage."
)
@options.called
@click.option("--fold", metavar="COLUMN", help="Column of the fold of a cross-validation.")
@click.option(
    "--test-ratio",
    type=click.FloatRange(0, min_open=True),
    help="Test examples of a fold for each training example.  [default: 1 / (folds - 1)]",
)
@click.option(
    "--duplicates",
    type=click.Choice(["refuse", "last", "first"]),
    default="refuse",
    show_default=True,
    help="What to do with runs that occur several times.",
)
@click.option(
    "--skip-incomplete",
    is_flag=True,
    help="Leave out runs that end early, or lack a metric that most have.",
)
@click.option("--rows-are-runs", is_flag=True, help="Each row is a run, even if rows are equal.")
def import_(
    wheres: tuple[str, ...],
    study: Path,
    show: bool,
    format_: str | None,
    metrics: tuple[str, ...],
    better: tuple[tuple[str, str], ...],
    called: str | None,
    **said: Any,
) -> None:
    """Store runs that other programs made.

    They come from a table, log files, a folder or a tracker.

    A table has a row for each run with columns for setup, seed and metrics, or a row for each
    value with columns setup, seed, metric and value. In a folder every log is a run; its setup
    and seed are in its path, or in a configuration file beside it. Options left out are guessed,
    and what each column was taken for is printed. Runs with the same seed are compared as pairs:
    if seeds mean nothing, use --unpaired.
    """
    from seedwise.importers.mapped import Mapped
    from seedwise.study.importing import import_runs

    mapped = Mapped(metrics=_named(metrics), format=format_, **said)
    ways = options.better_of(better)
    found = import_runs(wheres, study, mapped, better=ways, store=not show, called=called)
    lines = [*found.taken, *([found.directions] if found.directions else [])]
    lines += [f"note: {line}" for line in found.notes]
    lines += [f"left out: {line}" for line in found.left_out]
    for line in lines:
        click.echo(printable(line))
    if show:
        _show(found.runs)
    known = f", {found.known:,} were already stored" if found.known else ""
    stored = "would be stored" if show else "stored"
    click.echo(
        f"{study}: {count(found.stored, 'run')} of {count(len(found.setups), 'setup')} "
        f"{stored}{known}"
    )
    if not show and len(found.setups) > 1:
        click.echo(printable(_next(study, found)))


def _next(study: Path, found: "Imported") -> str:
    """The command that compares, with a metric to choose where there are several."""
    from seedwise.importers.names import listed

    names = list(dict.fromkeys(name for run in found.runs for name in run.metrics))
    names.sort(key=_is_of_training)
    words = ["seedwise", "compare", str(study), *found.setups[:2]]
    others = ""
    if "accuracy" not in names and len(names) > 1:
        words += ["--metric", names[0]]
        others = f"  (or {listed(names[1:], 4)})"
    return f"next: {' '.join(map(quote, words))}{others}"


def _is_of_training(name: str) -> tuple[bool, bool]:
    """Keys that put the accuracy of a validation before its loss, and training last."""
    of_training = name.startswith("train") or not name.startswith(("val", "test", "eval", "dev"))
    return of_training, "loss" in name


def _show(runs: Sequence["ReadRun"]) -> None:
    """A row for each run, a column for each metric."""
    from seedwise.cli.console import Console
    from seedwise.cli.tables import plain_table, print_table

    metrics = list(dict.fromkeys(name for run in runs for name in run.metrics))
    shown = metrics[:_MOST_METRICS]
    table = plain_table(("setup", "seed", *shown), left=2)
    places = {run.setup: place for place, run in reversed(list(enumerate(runs)))}
    ordered = sorted(runs, key=lambda run: places[run.setup])
    for run in ordered[:_MOST_RUNS]:
        figures = [f"{run.metrics[name]:.6g}" if name in run.metrics else "-" for name in shown]
        table.add_row(printable(run.setup), str(run.seed), *figures)
    print_table(Console(), table)
    more = [
        f"{count(len(every) - most, what)}"
        for every, most, what in ((runs, _MOST_RUNS, "run"), (metrics, _MOST_METRICS, "metric"))
        if len(every) > most
    ]
    if more:
        click.echo(f"and {' and '.join(more)} more")


def _named(metrics: tuple[str, ...]) -> dict[str, str]:
    """The columns of metrics, each with its metric's name."""
    found = dict[str, str]()
    for text in metrics:
        column, _, name = text.rpartition("=") if "=" in text else (text, "", text)
        if not column or not name.strip() or column in found or name in found.values():
            raise ConfigError(f"--metric is COLUMN or COLUMN=NAME, each name once; got {text!r}")
        found[column] = name
    return found
