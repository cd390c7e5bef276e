"""`seedwise status` and `export`: what a study file holds."""

import csv
import sys
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seedwise.cli.base import Command

if TYPE_CHECKING:
    from rich.console import Console

    from seedwise.store import Store, StoredRun

__all__ = ["export", "status"]

_study = click.argument("study", metavar="STUDY.DB", type=click.Path(path_type=Path))
_FIRST_COLUMNS = ("setup", "init", "order", "augment", "state", "seconds", "ended_at")


@click.command(
    cls=Command,
    example=["seedwise status study.db"],
    exits={0: "printed", 2: "no such study, or it cannot be read"},
)
@_study
def status(study: Path) -> None:
    """Print what STUDY.DB holds.

    Means and standard deviations of each setup, diverged and failed runs, and which seeds one
    setup lacks that another has. Reads the study and writes nothing.
    """
    from rich.console import Console

    from seedwise.cli.tables import print_summary, say
    from seedwise.comparison import summarise
    from seedwise.store import Store

    console = Console()
    with Store.open(study, readonly=True) as store:
        facts = store.facts
        say(
            console,
            f"{study}: made {facts.created:%Y-%m-%d %H:%M} UTC by seedwise {facts.seedwise}",
        )
        print_summary(console, summarise(store))
        _print_gaps(console, store.runs(), list(store.setups()))


@click.command(
    cls=Command,
    example=["seedwise export study.db -o runs.csv"],
    exits={0: "written", 2: "no such study, or the file cannot be written"},
)
@_study
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: stdout]"
)
def export(study: Path, output: Path | None) -> None:
    """Write the runs of STUDY.DB as CSV, one line a run.

    Setup, the three seeds, state, seconds, when it ended, and every metric; accuracies are
    fractions. Diverged and failed runs have no metrics.
    """
    from seedwise.store import Store

    with Store.open(study, readonly=True) as store:
        runs = store.runs()
        metrics = _all_metrics(store, runs)
    target = nullcontext(sys.stdout) if output is None else output.open("w", newline="")
    with target as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*_FIRST_COLUMNS, *metrics, "error"))
        for run in runs:
            values = (values.get(run.id, "") for values in metrics.values())
            writer.writerow((*_first_columns(run), *values, run.error or ""))


def _first_columns(run: "StoredRun") -> Iterable[Any]:
    seed = run.seed
    numbers = (seed.init, seed.order, seed.augment)
    return run.setup, *numbers, run.state, run.seconds, run.ended_at.isoformat()


def _all_metrics(store: "Store", runs: "list[StoredRun]") -> Mapping[str, Mapping[int, float]]:
    """Every metric by name, with its value for each finished run that has it."""
    from seedwise.comparison.values import metric_values
    from seedwise.stats import METRICS

    finished = [run for run in runs if run.state == "finished"]
    with_logits = [run for run in finished if run.has_logits]
    found: dict[str, dict[int, float]] = {}
    for metric in METRICS if with_logits else ():
        found[metric] = dict(metric_values(store, metric, with_logits))
    for run in finished:
        for name, value in run.metrics.items():
            found.setdefault(name, {})[run.id] = value
    return found


def _print_gaps(console: "Console", runs: "list[StoredRun]", setups: list[str]) -> None:
    """What was tried in vain, and which seeds a setup lacks that another has."""
    from seedwise.cli.tables import say

    results = {(run.setup, run.seed) for run in runs if run.state != "failed"}
    failed = {(run.setup, run.seed): run for run in runs if run.state == "failed"}
    for (setup, seed), run in failed.items():
        if (setup, seed) not in results:
            say(console, f"{setup} seed {seed} failed: {run.error}")
    for run in runs:
        if run.state == "diverged":
            say(console, f"{run.setup} seed {run.seed} diverged: {run.error}")
    seeds = sorted({seed for _, seed in results})
    for setup in setups:
        missing = [str(seed) for seed in seeds if (setup, seed) not in results]
        if missing:
            say(console, f"{setup} lacks seeds that another setup has: {', '.join(missing)}")
