"""`seedwise report`: all that a study shows, as one HTML file."""

from pathlib import Path
from typing import Any

import click

from seedwise.cli import options
from seedwise.cli.base import Command

__all__ = ["report"]


@click.command(
    cls=Command,
    example=[
        "seedwise report study.db",
        "seedwise report study.db mish relu -o relu.html",
    ],
    exits={0: "written", 2: "no such study, setup or metric, or no finished run"},
)
@options.study
@options.setups
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: STUDY.html beside the study]",
)
@options.metric
@options.better
@options.margin
@options.cost
@options.saving
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Cache of decoded pixels, for pictures of images.",
)
def report(
    study: Path,
    setups: tuple[str, ...],
    output: Path | None,
    metric: str | None,
    better: tuple[tuple[str, str], ...],
    cache: Path | None,
    **said: Any,
) -> None:
    """Write a report on STUDY.DB to one HTML file.

    The verdict comes first, then every run, how the difference settled, where the noise comes
    from, classes and images, and how everything was made. The first setup named is the baseline;
    with none named, all are shown. The file needs no network. Reads the study only.
    """
    from seedwise.cli.console import long_reading
    from seedwise.study import Study

    with long_reading(study):
        file = Study(study, cache=cache, better=options.better_of(better)).report(
            output or study.with_suffix(".html"), setups=setups, metric=metric, **said
        )
    click.echo(file)
