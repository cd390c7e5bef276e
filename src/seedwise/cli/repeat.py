"""`seedwise repeat`: a stored run trained again."""

from pathlib import Path

import click

from seedwise.cli import options
from seedwise.cli.base import Command, study_with

__all__ = ["repeat"]


@click.command(
    cls=Command,
    example=["seedwise repeat study.db mish --seed 3"],
    exits={
        0: "trained again and compared, identical or not",
        2: "no such run, it cannot be trained again, or it failed",
        130: "stopped by Ctrl-C; nothing is kept",
    },
)
@options.study
@options.setup
@click.option("--seed", required=True, help="Seed of the run: 3, or 3/3/4.")
@options.train
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to train; auto takes what the run was made on.",
)
@options.source
@options.cache
def repeat(
    study: Path,
    setup: str,
    seed: str,
    train: str | None,
    device: str,
    source: Path | None,
    cache: Path | None,
) -> None:
    """Train a stored run of SETUP again, and compare.

    Says whether this machine gives the same result twice, bit for bit, and what that means for
    pairing if not. The repeat is kept in STUDY.DB beside the run; it never counts as a run.
    """
    from seedwise.cli.console import Console
    from seedwise.cli.display import watching
    from seedwise.cli.repeat_tables import print_repeat
    from seedwise.seeds import Seed

    console = Console()
    wanted = Seed.parse(seed)
    with watching(console) as watch:
        found = study_with(study, train, source, cache).repeat(
            setup, wanted, train=train, device=device, watch=watch
        )
    print_repeat(console, found)
