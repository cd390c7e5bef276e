"""`seedwise status` and `compare`: what a study file holds."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seedwise.cli.base import Command

if TYPE_CHECKING:
    from rich.console import Console

    from seedwise.store import StoredRun

__all__ = ["compare", "status"]

_study = click.argument("study", metavar="STUDY.DB", type=click.Path(path_type=Path))


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
    example=["seedwise compare study.db mish relu --metric smoothed_accuracy"],
    exits={0: "compared", 2: "no such setup or metric, or no finished run of it"},
)
@_study
@click.argument("setup_a")
@click.argument("setup_b")
@click.option("--metric", default="accuracy", show_default=True, help="What to compare.")
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Coverage of the intervals.",
)
def compare(study: Path, setup_a: str, setup_b: str, metric: str, confidence: float) -> None:
    """Compare two setups of STUDY.DB.

    Prints both means, and B - A with its interval: paired over the seeds that both ran, and
    unpaired. Reads the study and writes nothing.
    """
    from rich.console import Console

    from seedwise.cli.tables import print_comparison
    from seedwise.study import Study

    comparison = Study(study).compare(setup_a, setup_b, metric=metric, confidence=confidence)
    print_comparison(Console(), comparison)


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
