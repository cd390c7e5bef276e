"""`seedwise demo`: a study of two activations, on any CPU."""

from pathlib import Path
from typing import Any

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.cli.run import EXITS, run_study

__all__ = ["DEMO", "demo"]

DEMO = """\
# Which activation is better? On scikit-learn's handwritten digits: small enough for any CPU.
dataset = "digits"
seeds = 5

[setups.mish]
model = "xresnet10-narrow"
size = 16
batch_size = 32
area = [0.6, 1.0]
epochs = 6

[setups.relu]
extends = "mish"
activation = "relu"
"""


@click.command(
    cls=Command,
    example=["seedwise demo"],
    exits=EXITS,
)
@options.jobs
@options.pack
@options.devices
@options.device
@options.cache
def demo(**options: Any) -> None:
    """Compare two activations on bundled digits, on any CPU.

    Writes demo.toml into this folder unless it exists, and runs it: two setups, five seeds each.
    The study file, demo.db, stays.
    """
    file = Path("demo.toml")
    if not file.exists():
        file.write_text(DEMO)
    unsaid = dict.fromkeys(("seeds", "sources", "store", "executor", "time_limit"))
    run_study(file, **unsaid, code_unchanged=False, **options)
