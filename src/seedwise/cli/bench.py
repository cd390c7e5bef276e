"""`seedwise bench`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.cli.words import clock
from seedwise.figures import count

if TYPE_CHECKING:
    from seedwise.study.bench import Bench

__all__ = ["bench"]


@click.command(
    cls=Command,
    example=["seedwise bench", "seedwise bench --json --against fastai"],
    exits={0: "measured", 2: "the device or the other library is missing"},
)
@options.device
@options.jobs
@options.pack
@click.option("--against", type=click.Choice(["fastai"]), help="Time another library as well.")
@options.cache
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(
    device: str,
    jobs: int | None,
    pack: int | Literal["auto"] | None,
    against: str | None,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Measure how fast this machine trains, in under a minute.

    Images per second of each stage of the recipe page-v1, with as many runs side by side as a
    study makes, and the time that ten runs would take. Trains on the dataset that was decoded
    last, or on noise, and keeps nothing.
    """
    from seedwise.study.bench import bench as measure

    def tell(what: str) -> None:
        click.echo(f"{what} ...", err=True)

    result = measure(
        device=device, jobs=jobs, pack=pack or "auto", cache=cache, against=against, tell=tell
    )
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        _print(result, against)


def _print(result: "Bench", against: str | None) -> None:
    from seedwise.cli.console import Console
    from seedwise.cli.tables import plain_table, say

    console = Console()
    side = f"{count(result.workers, 'run')} side by side, {count(result.threads, 'thread')} each"
    say(console, f"{result.device}, {result.precision}, kernels: {result.kernels}; {side}")
    say(console, f"trained on {result.pixels}")
    table = plain_table(("stage", "images per second"))
    rows = {
        "loading: JPEG to pixels, once": result.loading,
        "augmenting, on the host": result.augmenting,
        "training, batches included": result.training,
        "validating, views": result.validating,
    }
    if result.rival is not None:
        rows[f"training by {against}, float32"] = result.rival
    for stage, rate in rows.items():
        table.add_row(stage, f"{rate:,.1f}")
    console.print(table)
    say(console, f"start: {result.start_seconds:.1f} s before full speed")
    say(console, f"ten runs of page-v1 on Imagenette: {clock(result.study_seconds)}")
    if result.rival is not None:
        say(console, f"{result.training / result.rival:.1f} times {against}'s training")
