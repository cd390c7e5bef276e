"""`seedwise variance`: where the noise comes from."""

from pathlib import Path

import click

from seedwise.cli import options
from seedwise.cli.base import Command

__all__ = ["variance"]


@click.command(
    cls=Command,
    example=[
        "seedwise variance study.db mish",
        "seedwise run study.toml --sources init,order,augment=4",
    ],
    exits={0: "printed", 2: "no such study or setup, or no finished run of it"},
)
@options.study
@options.setup
def variance(study: Path, setup: str) -> None:
    """Show where the noise of SETUP in STUDY.DB comes from.

    Training noise against test-set noise; which random stream; which images; and which metric
    shows the difference of another setup with the fewest runs. Reads the study and writes nothing.
    """
    from seedwise.cli.console import Console, long_reading
    from seedwise.cli.noise_tables import print_variance
    from seedwise.study import Study

    with long_reading(study):
        found = Study(study).variance(setup)
    print_variance(Console(), found)
