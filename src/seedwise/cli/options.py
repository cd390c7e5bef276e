"""Arguments and options that several commands have, said once."""

from pathlib import Path

import click

__all__ = ["cache", "device", "jobs", "source", "study"]

study = click.argument("study", metavar="STUDY.DB", type=click.Path(path_type=Path))
cache = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    help="Folder of downloads and decoded pixels.",
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to train; auto takes CUDA where there is one.",
)
jobs = click.option(
    "--jobs", type=click.IntRange(min=1), help="Runs side by side; chosen if not given."
)
source = click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="Folder or archive that holds the study's dataset, if not in the cache.",
)
