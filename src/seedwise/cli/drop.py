"""`seedwise drop`: a setup and its runs set aside."""

from pathlib import Path

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.cli.words import printable

__all__ = ["drop"]


@click.command(
    cls=Command,
    example=["seedwise drop study.db relu", "seedwise compare study.db relu~1 relu"],
    exits={
        0: "the setup is set aside",
        2: "no such study or setup, or its runs are being made",
    },
)
@options.study
@options.setup
def drop(study: Path, setup: str) -> None:
    """Set SETUP and its runs aside.

    From then on they count nowhere, but stay in STUDY.DB under another name, which `seedwise
    status` prints and `seedwise compare` takes. The name is free again, for code that changed;
    verdicts on a setup that was made again are exploratory.
    """
    from seedwise.study import Study

    held = Study(study)
    runs = sum(
        each.finished + each.diverged for each in held.summary().setups if each.name == setup
    )
    label = held.drop(setup)
    click.echo(
        printable(f"{setup}: set aside as {label} ({runs} results); the name {setup} is free")
    )
